/* join_link.c - links that anybody may join by, until they are used up, expired or revoked. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, hash, roles, domains, created_by, most, used, created_ms, expires_ms, revoked_ms"

#define JOIN_LINK_STATEMENTS(X)                                                                    \
    X(add, "INSERT INTO join_link (account, " COLUMNS                                              \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")                              \
    X(list, "SELECT " COLUMNS " FROM join_link WHERE account = ?1 ORDER BY created_ms DESC, id")   \
    X(by_hash, "SELECT " COLUMNS " FROM join_link WHERE account = ?1 AND hash = ?2")               \
    X(use, "UPDATE join_link SET used = used + 1 WHERE account = ?1 AND id = ?2 AND used < most")  \
    X(revoke, "UPDATE join_link SET revoked_ms = ?3"                                               \
              " WHERE account = ?1 AND id = ?2 AND revoked_ms < 0")

FA_DB_TABLE(join_link, JOIN_LINK_STATEMENTS);

static void read_link(fa_db_row *r, void *out)
{
    fa_join_link *v = out;

    v->id = fa_db_text(r);
    v->hash = fa_db_text(r);
    v->roles = fa_db_text(r);
    v->domains = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->most = fa_db_int(r);
    v->used = fa_db_int(r);
    v->created_ms = fa_db_int(r);
    v->expires_ms = fa_db_int(r);
    v->revoked_ms = fa_db_int(r);
}

fa_rc fa_join_link_add(fa_store *s, fa_str account, const fa_join_link *v, fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "ttttttiiiii", account, v->id, v->hash, v->roles,
                     v->domains, v->created_by, v->most, v->used, v->created_ms, v->expires_ms,
                     v->revoked_ms);
}

fa_rc fa_join_link_list(fa_store *s, fa_arena *a, fa_str account, fa_join_link **out, size_t *n,
                        fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_link, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_join_link_by_hash(fa_store *s, fa_arena *a, fa_str account, fa_str hash, fa_join_link *out,
                           fa_err *e)
{
    return fa_db_one(s, table, ST_by_hash, a, read_link, out, e, "tt", account, hash);
}

fa_rc fa_join_link_use(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_use, &changed, e, "tt", account, id);

    return rc || changed ? rc : fa_fail(e, FA_EAUTH, "this link is used up");
}

fa_rc fa_join_link_revoke(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_revoke, &changed, e, "tti", account, id, now_ms);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such link");
}
