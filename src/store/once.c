/* once.c - texts that are good once until they end: taking one deletes it, so that of two at once only
 * one gets it; putting one that is there already is a conflict, which is how a replay shows. */
#include "store/db.h"

#define ONE " WHERE account = ?1 AND kind = ?2 AND hash = ?3 AND expires_ms > ?4"

#define ONCE_STATEMENTS(X)                                                                         \
    X(sweep, "DELETE FROM once WHERE account = ?1 AND expires_ms <= ?2")                           \
    X(put, "INSERT INTO once (account, kind, hash, data, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5)") \
    X(take, "DELETE FROM once" ONE " RETURNING data")                                              \
    X(look, "SELECT data FROM once" ONE)

FA_DB_TABLE(once, ONCE_STATEMENTS);

static void read_data(fa_db_row *r, void *out)
{
    *(fa_str *)out = fa_db_text(r);
}

fa_rc fa_once_put(fa_store *s, fa_str account, fa_str kind, fa_str hash, fa_str data,
                  int64_t now_ms, int64_t expires_ms, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_db_run(s, table, ST_sweep, NULL, e, "ti", account, now_ms)))
        rc = fa_db_run(s, table, ST_put, NULL, e, "tttti", account, kind, hash, data, expires_ms);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_once_take(fa_store *s, fa_arena *a, fa_str account, fa_str kind, fa_str hash,
                   int64_t now_ms, fa_str *data, fa_err *e)
{
    fa_rc rc =
        fa_db_one(s, table, ST_take, a, read_data, data, e, "ttti", account, kind, hash, now_ms);

    return rc == FA_ENOTFOUND ? fa_fail(e, FA_EAUTH, "unknown, used or expired") : rc;
}

fa_rc fa_once_look(fa_store *s, fa_arena *a, fa_str account, fa_str kind, fa_str hash,
                   int64_t now_ms, fa_str *data, fa_err *e)
{
    fa_rc rc =
        fa_db_one(s, table, ST_look, a, read_data, data, e, "ttti", account, kind, hash, now_ms);

    return rc == FA_ENOTFOUND ? fa_fail(e, FA_EAUTH, "unknown, used or expired") : rc;
}
