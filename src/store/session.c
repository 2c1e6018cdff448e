/* session.c - who is signed in: the hash of an opaque token, and of the one before the last turn.
 * Adding one sweeps out the account's expired ones. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "hash, user_id, agent, ip, created_ms, seen_ms, expires_ms, old_hash, old_until_ms,"           \
    " turned_ms, proved_ms, view_as, account_at"
#define ONE " WHERE account = ?1 AND hash = ?2"

#define SESSION_STATEMENTS(X)                                                                      \
    X(add, "INSERT INTO session (account, " COLUMNS                                                \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)")               \
    X(sweep, "DELETE FROM session WHERE account = ?1 AND expires_ms < ?2")                         \
    X(get, "SELECT " COLUMNS " FROM session WHERE account = ?1 AND (hash = ?2 OR old_hash = ?2)"   \
           " ORDER BY hash = ?2 DESC LIMIT 1")                                                     \
    X(list, "SELECT " COLUMNS " FROM session WHERE account = ?1 AND user_id = ?2"                  \
            " ORDER BY seen_ms DESC, hash")                                                        \
    X(touch, "UPDATE session SET seen_ms = max(seen_ms, ?3)" ONE)                                  \
    X(turn, "UPDATE session SET hash = ?3, old_hash = ?4, old_until_ms = -1, turned_ms = ?5,"      \
            " seen_ms = max(seen_ms, ?5)" ONE)                                                     \
    X(turned, "UPDATE session SET old_until_ms = ?3" ONE)                                          \
    X(proved, "UPDATE session SET proved_ms = ?3" ONE)                                             \
    X(view_as, "UPDATE session SET view_as = ?3" ONE)                                              \
    X(at, "UPDATE session SET account_at = ?3" ONE)                                                \
    X(end, "DELETE FROM session" ONE)                                                              \
    X(end_all, "DELETE FROM session WHERE account = ?1 AND user_id = ?2")                          \
    X(end_others, "DELETE FROM session WHERE account = ?1 AND user_id = ?2 AND hash <> ?3")        \
    X(federate, "UPDATE session SET idp_id = ?3, idp_subject = ?4, idp_session = ?5,"              \
                " idp_hint = ?6, proved_ms = ?7, expires_ms = min(expires_ms, ?8)" ONE)            \
    X(federated, "SELECT idp_id, idp_subject, idp_session, idp_hint, proved_ms, expires_ms"        \
                 " FROM session" ONE)                                                              \
    X(end_federated, "DELETE FROM session WHERE account = ?1 AND idp_id = ?2"                      \
                     " AND (?3 = '' OR idp_subject = ?3) AND (?4 = '' OR idp_session = ?4)"        \
                     " AND (?3 <> '' OR ?4 <> '')")

FA_DB_TABLE(session, SESSION_STATEMENTS);

static void read_session(fa_db_row *r, void *out)
{
    fa_session *v = out;

    v->hash = fa_db_text(r);
    v->user_id = fa_db_text(r);
    v->agent = fa_db_text(r);
    v->ip = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->seen_ms = fa_db_int(r);
    v->expires_ms = fa_db_int(r);
    v->old_hash = fa_db_text(r);
    v->old_until_ms = fa_db_int(r);
    v->turned_ms = fa_db_int(r);
    v->proved_ms = fa_db_int(r);
    v->view_as = fa_db_text(r);
    v->account_at = fa_db_text(r);
}

fa_rc fa_session_add(fa_store *s, fa_str account, const fa_session *v, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_db_run(s, table, ST_sweep, NULL, e, "ti", account, v->created_ms)))
        rc = fa_db_run(s, table, ST_add, NULL, e, "tttttiiitiiitt", account, v->hash, v->user_id,
                       v->agent, v->ip, v->created_ms, v->seen_ms, v->expires_ms, v->old_hash,
                       v->old_until_ms, v->turned_ms, v->proved_ms, v->view_as, v->account_at);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_session_get(fa_store *s, fa_arena *a, fa_str account, fa_str hash, fa_session *out,
                     fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_session, out, e, "tt", account, hash);
}

fa_rc fa_session_list(fa_store *s, fa_arena *a, fa_str account, fa_str user_id, fa_session **out,
                      size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_session, sizeof **out, out, n, e, "tt", account,
                     user_id);
}

fa_rc fa_session_touch(fa_store *s, fa_str account, fa_str hash, int64_t seen_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_touch, NULL, e, "tti", account, hash, seen_ms);
}

fa_rc fa_session_turn(fa_store *s, fa_str account, fa_str hash, fa_str next_hash, fa_str old_hash,
                      int64_t now_ms, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_turn, &changed, e, "tttti", account, hash, next_hash,
                         old_hash, now_ms);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such session");
}

fa_rc fa_session_turned(fa_store *s, fa_str account, fa_str hash, int64_t old_until_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_turned, NULL, e, "tti", account, hash, old_until_ms);
}

fa_rc fa_session_proved(fa_store *s, fa_str account, fa_str hash, int64_t now_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_proved, NULL, e, "tti", account, hash, now_ms);
}

fa_rc fa_session_view_as(fa_store *s, fa_str account, fa_str hash, fa_str user_id, fa_err *e)
{
    return fa_db_run(s, table, ST_view_as, NULL, e, "ttt", account, hash, user_id);
}

fa_rc fa_session_at(fa_store *s, fa_str account, fa_str hash, fa_str account_at, fa_err *e)
{
    return fa_db_run(s, table, ST_at, NULL, e, "ttt", account, hash, account_at);
}

fa_rc fa_session_end(fa_store *s, fa_str account, fa_str hash, fa_err *e)
{
    return fa_db_run(s, table, ST_end, NULL, e, "tt", account, hash);
}

fa_rc fa_session_end_all(fa_store *s, fa_str account, fa_str user_id, fa_err *e)
{
    return fa_db_run(s, table, ST_end_all, NULL, e, "tt", account, user_id);
}

fa_rc fa_session_end_others(fa_store *s, fa_str account, fa_str user_id, fa_str keep_hash,
                            fa_err *e)
{
    return fa_db_run(s, table, ST_end_others, NULL, e, "ttt", account, user_id, keep_hash);
}

static void read_federated(fa_db_row *r, void *out)
{
    fa_federated_session *v = out;

    v->idp_id = fa_db_text(r);
    v->subject = fa_db_text(r);
    v->session = fa_db_text(r);
    v->hint = fa_db_text(r);
    v->proved_ms = fa_db_int(r);
    v->expires_ms = fa_db_int(r);
}

fa_rc fa_session_federate(fa_store *s, fa_str account, fa_str hash, const fa_federated_session *v,
                          fa_err *e)
{
    return fa_db_run(s, table, ST_federate, NULL, e, "ttttttii", account, hash, v->idp_id,
                     v->subject, v->session, v->hint, v->proved_ms, v->expires_ms);
}

fa_rc fa_session_federated(fa_store *s, fa_arena *a, fa_str account, fa_str hash,
                           fa_federated_session *out, fa_err *e)
{
    return fa_db_one(s, table, ST_federated, a, read_federated, out, e, "tt", account, hash);
}

fa_rc fa_session_end_federated(fa_store *s, fa_str account, fa_str idp_id, fa_str subject,
                               fa_str session, int64_t *n, fa_err *e)
{
    return fa_db_run(s, table, ST_end_federated, n, e, "tttt", account, idp_id, subject, session);
}
