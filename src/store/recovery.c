/* recovery.c - one-time codes for who lost the second factor: Argon2id hashes, by place on the list. */
#include "store/db.h"

#define RECOVERY_STATEMENTS(X)                                                                     \
    X(put, "INSERT INTO recovery_code (account, user_id, place, hash) VALUES (?1, ?2, ?3, ?4)")    \
    X(get, "SELECT hash FROM recovery_code WHERE account = ?1 AND user_id = ?2 AND place = ?3")    \
    X(left, "SELECT count(*) FROM recovery_code WHERE account = ?1 AND user_id = ?2")              \
    X(drop, "DELETE FROM recovery_code"                                                            \
            " WHERE account = ?1 AND user_id = ?2 AND (?3 < 0 OR place = ?3)")

FA_DB_TABLE(recovery, RECOVERY_STATEMENTS);

static void read_hash(fa_db_row *r, void *out)
{
    *(fa_str *)out = fa_db_text(r);
}

static void read_count(fa_db_row *r, void *out)
{
    *(int64_t *)out = fa_db_int(r);
}

fa_rc fa_recovery_put(fa_store *s, fa_str account, fa_str user, int64_t place, fa_str hash,
                      fa_err *e)
{
    return fa_db_run(s, table, ST_put, NULL, e, "ttit", account, user, place, hash);
}

fa_rc fa_recovery_get(fa_store *s, fa_arena *a, fa_str account, fa_str user, int64_t place,
                      fa_str *hash, fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_hash, hash, e, "tti", account, user, place);
}

fa_rc fa_recovery_drop(fa_store *s, fa_str account, fa_str user, int64_t place, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_drop, &changed, e, "tti", account, user, place);

    return rc || changed || place < 0 ? rc : fa_fail(e, FA_ENOTFOUND, "no such recovery code");
}

fa_rc fa_recovery_left(fa_store *s, fa_arena *a, fa_str account, fa_str user, int64_t *n, fa_err *e)
{
    return fa_db_one(s, table, ST_left, a, read_count, n, e, "tt", account, user);
}
