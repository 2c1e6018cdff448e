/* device.c - browsers somebody signed in with before. */
#include "store/db.h"

#define COLUMNS "hash, user_id, created_ms, expires_ms, trusted_ms"

#define DEVICE_STATEMENTS(X)                                                                       \
    X(put, "INSERT INTO device (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)"             \
           " ON CONFLICT (account, hash, user_id) DO UPDATE"                                       \
           " SET expires_ms = ?5, trusted_ms = max(trusted_ms, ?6)")                               \
    X(sweep, "DELETE FROM device WHERE account = ?1 AND expires_ms < ?2")                          \
    X(get, "SELECT " COLUMNS " FROM device WHERE account = ?1 AND hash = ?2 AND user_id = ?3")     \
    X(forget, "DELETE FROM device WHERE account = ?1 AND user_id = ?2")

FA_DB_TABLE(device, DEVICE_STATEMENTS);

static void read_device(fa_db_row *r, void *out)
{
    fa_device *v = out;

    v->hash = fa_db_text(r);
    v->user_id = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->expires_ms = fa_db_int(r);
    v->trusted_ms = fa_db_int(r);
}

fa_rc fa_device_put(fa_store *s, fa_str account, const fa_device *v, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_db_run(s, table, ST_sweep, NULL, e, "ti", account, v->created_ms)))
        rc = fa_db_run(s, table, ST_put, NULL, e, "tttiii", account, v->hash, v->user_id,
                       v->created_ms, v->expires_ms, v->trusted_ms);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_device_get(fa_store *s, fa_arena *a, fa_str account, fa_str hash, fa_str user,
                    fa_device *out, fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_device, out, e, "ttt", account, hash, user);
}

fa_rc fa_device_forget(fa_store *s, fa_str account, fa_str user, fa_err *e)
{
    return fa_db_run(s, table, ST_forget, NULL, e, "tt", account, user);
}
