/* signin.c - one-time sign-in links. Only a hash is kept; taking one is a single UPDATE, so of two
 * takers one wins. */
#include "store/db.h"

#define OPEN "used_ms < 0 AND expires_ms > "

#define SIGNIN_STATEMENTS(X)                                                                       \
    X(add, "INSERT INTO signin (account, hash, user_id, kind, created_ms, expires_ms, used_ms)"    \
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, -1)")                                                 \
    X(void_older, "UPDATE signin SET used_ms = ?4"                                                 \
                  " WHERE account = ?1 AND user_id = ?2 AND kind = ?3 AND used_ms < 0")            \
    X(take, "UPDATE signin SET used_ms = ?3 WHERE account = ?1 AND hash = ?2 AND " OPEN "?3"       \
            " RETURNING user_id")                                                                  \
    X(look, "SELECT user_id FROM signin WHERE account = ?1 AND hash = ?2 AND " OPEN "?3")          \
    X(open, "SELECT coalesce(max(expires_ms), -1) FROM signin"                                     \
            " WHERE account = ?1 AND user_id = ?2 AND kind = ?3 AND " OPEN "?4")

FA_DB_TABLE(signin, SIGNIN_STATEMENTS);

static void read_user_id(fa_db_row *r, void *out)
{
    *(fa_str *)out = fa_db_text(r);
}

static void read_time(fa_db_row *r, void *out)
{
    *(int64_t *)out = fa_db_int(r);
}

fa_rc fa_signin_add(fa_store *s, fa_str account, fa_str user_id, fa_str hash, fa_str kind,
                    int64_t now_ms, int64_t expires_ms, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!fa_str_eqz(kind, "link")) /* several may be printed on the command line */
        rc = fa_db_run(s, table, ST_void_older, NULL, e, "ttti", account, user_id, kind, now_ms);
    if (!rc)
        rc = fa_db_run(s, table, ST_add, NULL, e, "ttttii", account, hash, user_id, kind, now_ms,
                       expires_ms);
    return fa_store_leave(s, opened, rc, e);
}

static fa_rc gone(fa_rc rc, fa_err *e)
{
    if (rc == FA_ENOTFOUND)
        rc = fa_fail(e, FA_EAUTH, "this sign-in link is unknown, used or expired");
    return rc;
}

fa_rc fa_signin_take(fa_store *s, fa_arena *a, fa_str account, fa_str hash, int64_t now_ms,
                     fa_str *user_id, fa_err *e)
{
    return gone(
        fa_db_one(s, table, ST_take, a, read_user_id, user_id, e, "tti", account, hash, now_ms), e);
}

fa_rc fa_signin_look(fa_store *s, fa_arena *a, fa_str account, fa_str hash, int64_t now_ms,
                     fa_str *user_id, fa_err *e)
{
    return gone(
        fa_db_one(s, table, ST_look, a, read_user_id, user_id, e, "tti", account, hash, now_ms), e);
}

fa_rc fa_signin_open(fa_store *s, fa_arena *a, fa_str account, fa_str user_id, fa_str kind,
                     int64_t now_ms, int64_t *expires_ms, fa_err *e)
{
    return fa_db_one(s, table, ST_open, a, read_time, expires_ms, e, "ttti", account, user_id, kind,
                     now_ms);
}
