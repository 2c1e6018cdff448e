/*
 * tokens.c - API tokens: the account's, and each person's own; and the roles they can have
 * (doc/page-api.md, API tokens).
 */
#include "api/internal.h"

#define DAY_MS 86400000LL

static const char *state_of(const fa_token *t, int64_t now)
{
    if (t->revoked_ms >= 0)
        return "revoked";
    return t->expires_ms >= 0 && t->expires_ms <= now ? "expired" : "active";
}

static fa_str first_of(fa_str list)
{
    fa_str word;

    return fa_list_next(&list, &word) ? word : FA_STR("");
}

static void put_token(fa_jw *w, const fa_token *t, int64_t now)
{
    fa_jw_obj(w);
    put_str(w, "id", t->id);
    put_str(w, "clientId", t->client_id);
    put_str(w, "description", t->description);
    put_str(w, "role", first_of(t->roles));
    fa_jw_key(w, "roles");
    put_words(w, t->roles);
    put_str(w, "data", t->data);
    fa_jw_key(w, "groups");
    put_words(w, t->teams);
    fa_jw_key(w, "ipAllow");
    put_words(w, t->ip_allow);
    put_str(w, "createdBy", t->created_by);
    put_time(w, "createdAt", t->created_ms);
    put_time(w, "expiresAt", t->expires_ms);
    put_time(w, "revokedAt", t->revoked_ms);
    put_time(w, "lastUsedAt", t->last_used_ms);
    if (t->last_used_ms >= 0) {
        put_str(w, "lastUsedIp", t->last_used_ip);
        put_str(w, "lastUsedRoute", t->last_used_route);
    }
    put_time(w, "oldSecretUntil", t->old_until_ms > now ? t->old_until_ms : -1);
    put_z(w, "state", state_of(t, now));
    fa_jw_end_obj(w);
}

/* Of one person, or the account's (user empty). */
static fa_rc list(fa_req *r, fa_res *o, fa_str user, fa_err *e)
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
    for (size_t i = 0; i < n; i++)
        if (fa_str_eq(t[i].user_id, user))
            put_token(&w, &t[i], now);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_tokens_get(fa_req *r, fa_res *o, fa_err *e)
{
    return list(r, o, FA_STR(""), e);
}

fa_rc api_me_tokens_get(fa_req *r, fa_res *o, fa_err *e)
{
    return list(r, o, r->caller->id, e);
}

static void put_new(fa_res *o, const fa_new_token *t)
{
    fa_jw w;

    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "id", t->id);
    put_str(&w, "clientId", t->client_id);
    put_str(&w, "secretKey", t->secret);
    fa_jw_end_obj(&w);
}

/* "role": one; or "roles": several. */
static fa_rc take_roles(fa_req *r, fa_str *out, fa_err *e)
{
    fa_rc rc = in_list(r->mem, r->json, "roles", false, out, e);

    return rc || out->n ? rc : in_text(r->json, "role", true, out, e);
}

static fa_rc make(fa_req *r, fa_res *o, bool personal, fa_err *e)
{
    fa_token_wish w = {.personal = personal};
    int64_t days;
    fa_new_token t;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "description", true, &w.description, e)) ||
        (rc = take_roles(r, &w.roles, e)) ||
        (rc = in_list(r->mem, r->json, "groups", false, &w.teams, e)) ||
        (rc = in_list(r->mem, r->json, "ipAllow", false, &w.ip_allow, e)) ||
        (rc = in_int(r->json, "expiresInDays", 7, 3650, -1, &days, e)))
        return rc;
    w.all_data = !w.teams.n;
    w.expires_ms = days < 0 ? -1 : fa_now_ms() + days * DAY_MS;
    /* while row rules are on, "all rows" has to be said (access.md 4.6) */
    if (!personal && !w.teams.n && !json_is_true(json_object_get(r->json, "allRows"))) {
        bool on;

        if ((rc = fa_data_access_get(r->ledger, r->mem, &on, e)))
            return rc;
        if (on) {
            fa_fail(e, FA_EINVAL, "data access is on: name groups, or say allRows");
            return fa_at(e, "groups");
        }
    }
    if ((rc = fa_token_make(r->ledger, r->mem, r->caller, &w, &t, e)))
        return rc;
    o->status = 201;
    put_new(o, &t);
    return FA_OK;
}

fa_rc api_tokens_post(fa_req *r, fa_res *o, fa_err *e)
{
    return make(r, o, false, e);
}

fa_rc api_me_tokens_post(fa_req *r, fa_res *o, fa_err *e)
{
    return make(r, o, true, e);
}

fa_rc api_tokens_rotate(fa_req *r, fa_res *o, fa_err *e)
{
    fa_new_token t;
    fa_rc rc = fa_token_turn(r->ledger, r->mem, r->caller, r->arg[0], &t, e);

    if (!rc)
        put_new(o, &t);
    return rc;
}

fa_rc api_me_tokens_rotate(fa_req *r, fa_res *o, fa_err *e)
{
    return api_tokens_rotate(r, o, e);
}

fa_rc api_tokens_delete(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_token_end(r->ledger, r->mem, r->caller, r->arg[0], false, e);
}

fa_rc api_me_tokens_delete(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_token_end(r->ledger, r->mem, r->caller, r->arg[0], true, e);
}

/* Roles this caller may give: what a token of his can have. */
fa_rc api_roles(fa_req *r, fa_res *o, fa_err *e)
{
    fa_role_row *own;
    size_t n, nown;
    const fa_role *role = fa_roles(&n);
    fa_err none;
    fa_jw w;
    fa_rc rc = fa_role_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &own, &nown, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "roles");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n + nown; i++) {
        fa_str key = i < n ? fa_str_of(role[i].key) : own[i - n].id;

        if (fa_caller_may_give(r->ledger, r->mem, r->caller, key, &none))
            continue;
        fa_jw_obj(&w);
        put_str(&w, "key", key);
        put_str(&w, "name", i < n ? fa_str_of(role[i].name) : own[i - n].name);
        put_str(&w, "description", i < n ? fa_str_of(role[i].doc) : own[i - n].description);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}
