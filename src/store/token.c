/* token.c - API tokens: the secret's hash, never the secret. Revoking twice is no error and keeps
 * the first time. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, client_id, secret_hash, description, role, created_by, created_ms, expires_ms, "          \
    "revoked_ms,"                                                                                  \
    " last_used_ms"

#define TOKEN_STATEMENTS(X)                                                                        \
    X(add, "INSERT INTO token (account, " COLUMNS                                                  \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")                              \
    X(by_client, "SELECT " COLUMNS " FROM token WHERE account = ?1 AND client_id = ?2")            \
    X(list, "SELECT " COLUMNS " FROM token WHERE account = ?1 ORDER BY created_ms DESC, id")       \
    X(revoke, "UPDATE token SET revoked_ms = CASE WHEN revoked_ms < 0 THEN ?3 ELSE revoked_ms END" \
              " WHERE account = ?1 AND (id = ?2 OR client_id = ?2)")                               \
    X(touch, "UPDATE token SET last_used_ms = max(last_used_ms, ?3)"                               \
             " WHERE account = ?1 AND id = ?2")

FA_DB_TABLE(token, TOKEN_STATEMENTS);

static void read_token(fa_db_row *r, void *out)
{
    fa_token *v = out;

    v->id = fa_db_text(r);
    v->client_id = fa_db_text(r);
    v->secret_hash = fa_db_text(r);
    v->description = fa_db_text(r);
    v->role = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->expires_ms = fa_db_int(r);
    v->revoked_ms = fa_db_int(r);
    v->last_used_ms = fa_db_int(r);
}

fa_rc fa_token_add(fa_store *s, fa_str account, const fa_token *t, fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "tttttttiiii", account, t->id, t->client_id,
                     t->secret_hash, t->description, t->role, t->created_by, t->created_ms,
                     t->expires_ms, t->revoked_ms, t->last_used_ms);
}

fa_rc fa_token_by_client(fa_store *s, fa_arena *a, fa_str account, fa_str client_id, fa_token *out,
                         fa_err *e)
{
    return fa_db_one(s, table, ST_by_client, a, read_token, out, e, "tt", account, client_id);
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

fa_rc fa_token_touch(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_touch, NULL, e, "tti", account, id, now_ms);
}
