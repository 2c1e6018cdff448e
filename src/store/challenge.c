/* challenge.c - a password was right and a code is still wanted; each try is counted before it is
 * judged, so that two at once cannot share one. */
#include "store/db.h"

#define CHALLENGE_STATEMENTS(X)                                                                    \
    X(add, "INSERT INTO challenge (account, hash, user_id, tries, expires_ms)"                     \
           " VALUES (?1, ?2, ?3, 0, ?4)")                                                          \
    X(sweep, "DELETE FROM challenge WHERE account = ?1 AND expires_ms <= ?2")                      \
    X(try, "UPDATE challenge SET tries = tries + 1"                                                \
           " WHERE account = ?1 AND hash = ?2 AND tries < ?3 AND expires_ms > ?4"                  \
           " RETURNING user_id")                                                                   \
    X(end, "DELETE FROM challenge WHERE account = ?1 AND hash = ?2")

FA_DB_TABLE(challenge, CHALLENGE_STATEMENTS);

static void read_user(fa_db_row *r, void *out)
{
    *(fa_str *)out = fa_db_text(r);
}

fa_rc fa_challenge_add(fa_store *s, fa_str account, fa_str hash, fa_str user, int64_t now_ms,
                       int64_t expires_ms, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_db_run(s, table, ST_sweep, NULL, e, "ti", account, now_ms)))
        rc = fa_db_run(s, table, ST_add, NULL, e, "ttti", account, hash, user, expires_ms);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_challenge_try(fa_store *s, fa_arena *a, fa_str account, fa_str hash, int64_t most,
                       int64_t now_ms, fa_str *user, fa_err *e)
{
    fa_rc rc =
        fa_db_one(s, table, ST_try, a, read_user, user, e, "ttii", account, hash, most, now_ms);

    return rc == FA_ENOTFOUND ? fa_fail(e, FA_EAUTH, "sign in again") : rc;
}

fa_rc fa_challenge_end(fa_store *s, fa_str account, fa_str hash, fa_err *e)
{
    return fa_db_run(s, table, ST_end, NULL, e, "tt", account, hash);
}
