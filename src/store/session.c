/* session.c - who is signed in: the hash of an opaque token. Adding one sweeps out the account's
 * expired ones. */
#include "store/db.h"

#define COLUMNS "hash, user_id, agent, ip, created_ms, seen_ms, expires_ms"

#define SESSION_STATEMENTS(X)                                                                      \
    X(add, "INSERT INTO session (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")   \
    X(sweep, "DELETE FROM session WHERE account = ?1 AND expires_ms < ?2")                         \
    X(get, "SELECT " COLUMNS " FROM session WHERE account = ?1 AND hash = ?2")                     \
    X(touch, "UPDATE session SET seen_ms = max(seen_ms, ?3) WHERE account = ?1 AND hash = ?2")     \
    X(end, "DELETE FROM session WHERE account = ?1 AND hash = ?2")                                 \
    X(end_all, "DELETE FROM session WHERE account = ?1 AND user_id = ?2")

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
}

fa_rc fa_session_add(fa_store *s, fa_str account, const fa_session *v, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_db_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_db_run(s, table, ST_sweep, NULL, e, "ti", account, v->created_ms)))
        rc = fa_db_run(s, table, ST_add, NULL, e, "tttttiii", account, v->hash, v->user_id,
                       v->agent, v->ip, v->created_ms, v->seen_ms, v->expires_ms);
    return fa_db_leave(s, opened, rc, e);
}

fa_rc fa_session_get(fa_store *s, fa_arena *a, fa_str account, fa_str hash, fa_session *out,
                     fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_session, out, e, "tt", account, hash);
}

fa_rc fa_session_touch(fa_store *s, fa_str account, fa_str hash, int64_t seen_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_touch, NULL, e, "tti", account, hash, seen_ms);
}

fa_rc fa_session_end(fa_store *s, fa_str account, fa_str hash, fa_err *e)
{
    return fa_db_run(s, table, ST_end, NULL, e, "tt", account, hash);
}

fa_rc fa_session_end_all(fa_store *s, fa_str account, fa_str user_id, fa_err *e)
{
    return fa_db_run(s, table, ST_end_all, NULL, e, "tt", account, user_id);
}
