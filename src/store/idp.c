/* idp.c - connections to identity providers, the domains they speak for, and who a person is there. */
#include "store/db.h"

#define COLUMNS "id, kind, name, state, config, secret, created_by, created_ms, updated_ms, used_ms"
#define DOMAIN_COLUMNS "domain, idp_id, token, verified_ms, checked_ms, lost_ms"
#define IDENTITY_COLUMNS                                                                           \
    "idp_id, issuer, subject, user_id, email, roles, approved, created_ms, seen_ms"
#define ONE_IDENTITY " WHERE account = ?1 AND idp_id = ?2 AND issuer = ?3 AND subject = ?4"

#define IDP_STATEMENTS(X)                                                                          \
    X(put, "INSERT INTO idp (account, " COLUMNS                                                    \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"                               \
           " ON CONFLICT (account, id) DO UPDATE SET name = ?4, state = ?5, config = ?6,"          \
           " secret = ?7, updated_ms = ?10")                                                       \
    X(get, "SELECT " COLUMNS " FROM idp WHERE account = ?1 AND id = ?2")                           \
    X(list, "SELECT " COLUMNS " FROM idp WHERE account = ?1 ORDER BY name")                        \
    X(touch, "UPDATE idp SET used_ms = max(used_ms, ?3) WHERE account = ?1 AND id = ?2")           \
    X(remove, "DELETE FROM idp WHERE account = ?1 AND id = ?2")                                    \
    X(domain_put,                                                                                  \
      "INSERT INTO idp_domain (account, " DOMAIN_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"   \
      " ON CONFLICT (account, domain) DO UPDATE SET verified_ms = ?5,"                             \
      " checked_ms = ?6, lost_ms = ?7")                                                            \
    X(domains, "SELECT " DOMAIN_COLUMNS " FROM idp_domain WHERE account = ?1 ORDER BY domain")     \
    X(domain_drop, "DELETE FROM idp_domain WHERE account = ?1 AND domain = ?2 AND idp_id = ?3")    \
    X(identity_put, "INSERT INTO identity (account, " IDENTITY_COLUMNS                             \
                    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"                           \
                    " ON CONFLICT (account, idp_id, issuer, subject) DO UPDATE SET user_id = ?5,"  \
                    " email = ?6, roles = ?7, approved = ?8, seen_ms = ?10")                       \
    X(identity_get, "SELECT " IDENTITY_COLUMNS " FROM identity" ONE_IDENTITY)                      \
    X(identities, "SELECT " IDENTITY_COLUMNS " FROM identity WHERE account = ?1"                   \
                  " AND (?2 = '' OR user_id = ?2) ORDER BY created_ms DESC, subject LIMIT 10000")  \
    X(identity_drop, "DELETE FROM identity" ONE_IDENTITY)

FA_DB_TABLE(idp, IDP_STATEMENTS);

static void read_idp(fa_db_row *r, void *out)
{
    fa_idp *v = out;

    v->id = fa_db_text(r);
    v->kind = fa_db_text(r);
    v->name = fa_db_text(r);
    v->state = fa_db_text(r);
    v->config = fa_db_text(r);
    v->secret = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->updated_ms = fa_db_int(r);
    v->used_ms = fa_db_int(r);
}

static void read_domain(fa_db_row *r, void *out)
{
    fa_idp_domain *v = out;

    v->domain = fa_db_text(r);
    v->idp_id = fa_db_text(r);
    v->token = fa_db_text(r);
    v->verified_ms = fa_db_int(r);
    v->checked_ms = fa_db_int(r);
    v->lost_ms = fa_db_int(r);
}

static void read_identity(fa_db_row *r, void *out)
{
    fa_identity *v = out;

    v->idp_id = fa_db_text(r);
    v->issuer = fa_db_text(r);
    v->subject = fa_db_text(r);
    v->user_id = fa_db_text(r);
    v->email = fa_db_text(r);
    v->roles = fa_db_text(r);
    v->approved = fa_db_int(r) != 0;
    v->created_ms = fa_db_int(r);
    v->seen_ms = fa_db_int(r);
}

static fa_rc must_change(fa_rc rc, int64_t changed, const char *what, fa_err *e)
{
    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such %s", what);
}

fa_rc fa_idp_put(fa_store *s, fa_str account, const fa_idp *v, fa_err *e)
{
    return fa_db_run(s, table, ST_put, NULL, e, "ttttttttiii", account, v->id, v->kind, v->name,
                     v->state, v->config, v->secret, v->created_by, v->created_ms, v->updated_ms,
                     v->used_ms);
}

fa_rc fa_idp_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_idp *out, fa_err *e)
{
    fa_rc rc = fa_db_one(s, table, ST_get, a, read_idp, out, e, "tt", account, id);

    return rc == FA_ENOTFOUND ? fa_fail(e, rc, "no such connection") : rc;
}

fa_rc fa_idp_list(fa_store *s, fa_arena *a, fa_str account, fa_idp **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_idp, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_idp_touch(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_touch, NULL, e, "tti", account, id, now_ms);
}

fa_rc fa_idp_delete(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_remove, &changed, e, "tt", account, id);

    return must_change(rc, changed, "connection", e);
}

fa_rc fa_idp_domain_put(fa_store *s, fa_str account, const fa_idp_domain *v, fa_err *e)
{
    return fa_db_run(s, table, ST_domain_put, NULL, e, "ttttiii", account, v->domain, v->idp_id,
                     v->token, v->verified_ms, v->checked_ms, v->lost_ms);
}

fa_rc fa_idp_domain_list(fa_store *s, fa_arena *a, fa_str account, fa_idp_domain **out, size_t *n,
                         fa_err *e)
{
    return fa_db_all(s, table, ST_domains, a, read_domain, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_idp_domain_drop(fa_store *s, fa_str account, fa_str idp_id, fa_str domain, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_domain_drop, &changed, e, "ttt", account, domain, idp_id);

    return must_change(rc, changed, "domain", e);
}

fa_rc fa_identity_put(fa_store *s, fa_str account, const fa_identity *v, fa_err *e)
{
    return fa_db_run(s, table, ST_identity_put, NULL, e, "tttttttiii", account, v->idp_id,
                     v->issuer, v->subject, v->user_id, v->email, v->roles, (int64_t)v->approved,
                     v->created_ms, v->seen_ms);
}

fa_rc fa_identity_get(fa_store *s, fa_arena *a, fa_str account, fa_str idp_id, fa_str issuer,
                      fa_str subject, fa_identity *out, fa_err *e)
{
    return fa_db_one(s, table, ST_identity_get, a, read_identity, out, e, "tttt", account, idp_id,
                     issuer, subject);
}

fa_rc fa_identity_list(fa_store *s, fa_arena *a, fa_str account, fa_str user_id, fa_identity **out,
                       size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_identities, a, read_identity, sizeof **out, out, n, e, "tt",
                     account, user_id);
}

fa_rc fa_identity_drop(fa_store *s, fa_str account, const fa_identity *v, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_identity_drop, &changed, e, "tttt", account, v->idp_id,
                         v->issuer, v->subject);

    return must_change(rc, changed, "identity", e);
}
