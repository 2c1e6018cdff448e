/*
 * tokens.c - API tokens and the roles they can have (doc/page-api.md, API tokens).
 */
#include "api/internal.h"

#define DAY_MS 86400000LL

static const char *state_of(const fa_token *t, int64_t now)
{
    if (t->revoked_ms >= 0)
        return "revoked";
    return t->expires_ms >= 0 && t->expires_ms <= now ? "expired" : "active";
}

fa_rc api_tokens_get(fa_req *r, fa_res *o, fa_err *e)
{
    int64_t now = fa_now_ms();
    fa_token *t;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_token_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &t, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "tokens");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_str(&w, "id", t[i].id);
        put_str(&w, "clientId", t[i].client_id);
        put_str(&w, "description", t[i].description);
        put_str(&w, "role", t[i].role);
        put_str(&w, "createdBy", t[i].created_by);
        put_time(&w, "createdAt", t[i].created_ms);
        put_time(&w, "expiresAt", t[i].expires_ms);
        put_time(&w, "revokedAt", t[i].revoked_ms);
        put_time(&w, "lastUsedAt", t[i].last_used_ms);
        put_z(&w, "state", state_of(&t[i], now));
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_tokens_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str description, role;
    int64_t days;
    fa_new_token t;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "description", true, &description, e)) ||
        (rc = in_text(r->json, "role", true, &role, e)) ||
        (rc = in_int(r->json, "expiresInDays", 7, 3650, -1, &days, e)) ||
        (rc = fa_token_create(r->ledger, r->mem, r->caller, description, role,
                              days < 0 ? -1 : fa_now_ms() + days * DAY_MS, &t, e)))
        return rc;
    o->status = 201;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "id", t.id);
    put_str(&w, "clientId", t.client_id);
    put_str(&w, "secretKey", t.secret);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_tokens_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc =
        fa_token_revoke(fa_ledger_store(r->ledger), r->caller->account, r->arg[0], fa_now_ms(), e);

    o->status = 204;
    if (!rc)
        fa_log(FA_LOG_INFO, "token_revoked", "id=%.*s by=%.*s", FA_FMT(r->arg[0]),
               FA_FMT(r->caller->email));
    return rc;
}

fa_rc api_roles(fa_req *r, fa_res *o, fa_err *e)
{
    size_t n;
    const fa_role *role = fa_roles(&n);
    fa_jw w;

    (void)r;
    (void)e;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "roles");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_z(&w, "key", role[i].key);
        put_z(&w, "name", role[i].name);
        put_z(&w, "description", role[i].doc);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}
