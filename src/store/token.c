/* token.c - API tokens: the secret's hash, never the secret. Revoking twice is no error and keeps
 * the first time. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, client_id, secret_hash, old_hash, old_until_ms, description, user_id, data, ip_allow,"    \
    " created_by, created_ms, expires_ms, revoked_ms, last_used_ms, last_used_ip,"                 \
    " last_used_route"
#define READ                                                                                       \
    "SELECT id, client_id, secret_hash, old_hash, old_until_ms, description,"                      \
    " coalesce(user_id, ''), data, ip_allow, created_by, created_ms, expires_ms, revoked_ms,"      \
    " last_used_ms, last_used_ip, last_used_route,"                                                \
    " coalesce((SELECT group_concat(role, ' ') FROM token_role r"                                  \
    "  WHERE r.account = token.account AND r.token_id = token.id), ''),"                           \
    " coalesce((SELECT group_concat(team_id, ' ') FROM token_team t"                               \
    "  WHERE t.account = token.account AND t.token_id = token.id), '') FROM token "

#define TOKEN_STATEMENTS(X)                                                                        \
    X(add, "INSERT INTO token (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"          \
           " nullif(?8, ''), ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)")                         \
    X(by_client, READ "WHERE account = ?1 AND client_id = ?2")                                     \
    X(get, READ "WHERE account = ?1 AND id = ?2")                                                  \
    X(list, READ "WHERE account = ?1 ORDER BY created_ms DESC, id")                                \
    X(revoke, "UPDATE token SET revoked_ms = CASE WHEN revoked_ms < 0 THEN ?3 ELSE revoked_ms END" \
              " WHERE account = ?1 AND (id = ?2 OR client_id = ?2)")                               \
    X(rotate, "UPDATE token SET old_hash = secret_hash, old_until_ms = ?4, secret_hash = ?3"       \
              " WHERE account = ?1 AND id = ?2 AND revoked_ms < 0")                                \
    X(touch, "UPDATE token SET last_used_ms = max(last_used_ms, ?3), last_used_ip = ?4,"           \
             " last_used_route = ?5 WHERE account = ?1 AND id = ?2")                               \
    X(add_role, "INSERT OR IGNORE INTO token_role (account, token_id, role) VALUES (?1, ?2, ?3)")  \
    X(add_team, "INSERT OR IGNORE INTO token_team (account, token_id, team_id) VALUES (?1, ?2, "   \
                "?3)")

FA_DB_TABLE(token, TOKEN_STATEMENTS);

static void read_token(fa_db_row *r, void *out)
{
    fa_token *v = out;

    v->id = fa_db_text(r);
    v->client_id = fa_db_text(r);
    v->secret_hash = fa_db_text(r);
    v->old_hash = fa_db_text(r);
    v->old_until_ms = fa_db_int(r);
    v->description = fa_db_text(r);
    v->user_id = fa_db_text(r);
    v->data = fa_db_text(r);
    v->ip_allow = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->expires_ms = fa_db_int(r);
    v->revoked_ms = fa_db_int(r);
    v->last_used_ms = fa_db_int(r);
    v->last_used_ip = fa_db_text(r);
    v->last_used_route = fa_db_text(r);
    v->roles = fa_db_text(r);
    v->teams = fa_db_text(r);
}

fa_rc fa_token_add(fa_store *s, fa_str account, const fa_token *t, fa_err *e)
{
    fa_str list = t->roles, word;
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_db_run(s, table, ST_add, NULL, e, "tttttitttttiiiitt", account, t->id, t->client_id,
                   t->secret_hash, t->old_hash, t->old_until_ms, t->description, t->user_id,
                   t->data.n ? t->data : FA_STR("all"), t->ip_allow, t->created_by, t->created_ms,
                   t->expires_ms, t->revoked_ms, t->last_used_ms, t->last_used_ip,
                   t->last_used_route);
    while (!rc && fa_db_word(&list, &word))
        rc = fa_db_run(s, table, ST_add_role, NULL, e, "ttt", account, t->id, word);
    list = t->teams;
    while (!rc && fa_db_word(&list, &word)) {
        rc = fa_db_run(s, table, ST_add_team, NULL, e, "ttt", account, t->id, word);
        if (rc == FA_ENOTFOUND)
            fa_fail(e, rc, "no such group: \"%.*s\"", FA_FMT(word));
    }
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_token_by_client(fa_store *s, fa_arena *a, fa_str account, fa_str client_id, fa_token *out,
                         fa_err *e)
{
    return fa_db_one(s, table, ST_by_client, a, read_token, out, e, "tt", account, client_id);
}

fa_rc fa_token_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_token *out, fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_token, out, e, "tt", account, id);
}

fa_rc fa_token_list(fa_store *s, fa_arena *a, fa_str account, fa_token **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_token, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_token_revoke(fa_store *s, fa_str account, fa_str id_or_client_id, int64_t now_ms,
                      fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_revoke, &changed, e, "tti", account, id_or_client_id, now_ms);

    if (!rc && !changed)
        rc = fa_fail(e, FA_ENOTFOUND, "no such token: \"%.*s\"", FA_FMT(id_or_client_id));
    return rc;
}

fa_rc fa_token_rotate(fa_store *s, fa_str account, fa_str id, fa_str hash, int64_t old_until_ms,
                      fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_rotate, &changed, e, "ttti", account, id, hash, old_until_ms);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such token");
}

fa_rc fa_token_touch(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_str ip,
                     fa_str route, fa_err *e)
{
    return fa_db_run(s, table, ST_touch, NULL, e, "ttitt", account, id, now_ms, ip, route);
}
