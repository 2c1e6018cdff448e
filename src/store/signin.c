/* signin.c - one-time sign-in links. Only a hash is kept; taking one is a single UPDATE, so of two
 * takers one wins. */
#include "store/db.h"

#define SIGNIN_STATEMENTS(X)                                                                       \
    X(add, "INSERT INTO signin (account, hash, user_id, expires_ms, used_ms)"                      \
           " VALUES (?1, ?2, ?3, ?4, -1)")                                                         \
    X(take, "UPDATE signin SET used_ms = ?3"                                                       \
            " WHERE account = ?1 AND hash = ?2 AND used_ms < 0 AND expires_ms > ?3"                \
            " RETURNING user_id")

FA_DB_TABLE(signin, SIGNIN_STATEMENTS);

static void read_user_id(fa_db_row *r, void *out)
{
    *(fa_str *)out = fa_db_text(r);
}

fa_rc fa_signin_add(fa_store *s, fa_str account, fa_str user_id, fa_str hash, int64_t expires_ms,
                    fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "ttti", account, hash, user_id, expires_ms);
}

fa_rc fa_signin_take(fa_store *s, fa_arena *a, fa_str account, fa_str hash, int64_t now_ms,
                     fa_str *user_id, fa_err *e)
{
    fa_rc rc =
        fa_db_one(s, table, ST_take, a, read_user_id, user_id, e, "tti", account, hash, now_ms);

    if (rc == FA_ENOTFOUND)
        rc = fa_fail(e, FA_EAUTH, "this sign-in link is unknown, used or expired");
    return rc;
}
