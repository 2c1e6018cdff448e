/*
 * session.c - who is signed in, signing in and out (doc/page-api.md, Session).
 *
 * The cookie is host-bound, Secure and HttpOnly; browsers keep it on http://127.0.0.1 too, which
 * they count as trustworthy.
 */
#include "api/internal.h"

#include <string.h>

static fa_rc put_session(fa_req *r, fa_res *o, const fa_caller *c, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    int32_t first = INT32_MIN, last = INT32_MIN, today = ask_today();
    bool any = fa_ledger_range(r->ledger, &first, &last);
    fa_source *source;
    fa_account a;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_account_first(s, r->mem, &a, e);

    if (rc || (rc = fa_source_list(s, r->mem, a.id, &source, &n, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "user");
    fa_jw_obj(&w);
    put_str(&w, "id", c->id);
    put_str(&w, "email", c->email);
    put_str(&w, "name", c->name);
    put_str(&w, "role", c->role);
    fa_jw_end_obj(&w);
    fa_jw_key(&w, "account");
    fa_jw_obj(&w);
    put_str(&w, "id", a.id);
    put_str(&w, "name", a.name);
    put_str(&w, "currency", a.currency);
    put_str(&w, "defaultCostType", a.default_cost_type);
    fa_jw_end_obj(&w);
    fa_jw_key(&w, "permissions");
    fa_jw_arr(&w);
    for (int p = FA_PERM_SELF + 1; p < FA_PERM__COUNT; p++)
        if (fa_caller_may(c, (fa_perm)p))
            fa_jw_z(&w, fa_perm_name((fa_perm)p));
    fa_jw_end_arr(&w);
    put_day(&w, "today", today);
    put_day(&w, "knownTo", any ? (last < today ? last : today) : INT32_MIN);
    put_day(&w, "firstDay", any ? first : INT32_MIN);
    put_int(&w, "sources", (int64_t)n);
    put_z(&w, "version", fa_version);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_session_get(fa_req *r, fa_res *o, fa_err *e)
{
    return put_session(r, o, r->caller, e);
}

static fa_rc set_cookie(fa_req *r, fa_res *o, fa_str secret, fa_err *e)
{
    char *v = fa_arena_printf(
        r->mem, "__Host-s=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=86400",
        FA_FMT(secret));

    return v ? fa_res_header(r, o, "Set-Cookie", v, e) : fa_oom(e);
}

/* Answers a sign-in: the cookie, and the session as GET gives it. */
static fa_rc signed_in(fa_req *r, fa_res *o, fa_str secret, fa_err *e)
{
    fa_caller c;
    fa_rc rc;

    if ((rc = fa_session_check(r->ledger, r->mem, secret, &c, e)) ||
        (rc = set_cookie(r, o, secret, e)))
        return rc;
    return put_session(r, o, &c, e);
}

static fa_rc told_to_wait(fa_req *r, fa_res *o, fa_str email, fa_err *e)
{
    int64_t ms = fa_signin_wait(email, r->ip);
    char *v = fa_arena_printf(r->mem, "%lld", (long long)(ms > 1000 ? (ms + 999) / 1000 : 1));
    fa_err ignored;

    if (v && fa_res_header(r, o, "Retry-After", v, &ignored))
        return e->rc;
    return e->rc;
}

fa_rc api_session_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str email, password, secret;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "email", true, &email, e)) ||
        (rc = in_text(r->json, "password", true, &password, e)))
        return rc;
    rc = fa_signin_password(r->ledger, r->mem, email, password, r->agent, r->ip, &secret, e);
    if (rc == FA_ELIMIT)
        return told_to_wait(r, o, email, e);
    return rc ? rc : signed_in(r, o, secret, e);
}

fa_rc api_session_link(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str link, password, secret;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "link", true, &link, e)) ||
        (rc = in_text(r->json, "password", true, &password, e)))
        return rc;
    rc = fa_signin_link(r->ledger, r->mem, link, password, r->agent, r->ip, &secret, e);
    if (rc == FA_ELIMIT)
        return told_to_wait(r, o, FA_STR(""), e);
    return rc ? rc : signed_in(r, o, secret, e);
}

fa_rc api_session_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc = fa_signout(r->ledger, r->caller, e);

    if (rc)
        return rc;
    o->status = 204;
    rc = fa_res_header(r, o, "Set-Cookie",
                       "__Host-s=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0", e);
    return rc ? rc : fa_res_header(r, o, "Clear-Site-Data", "\"cache\", \"storage\"", e);
}

fa_rc api_password(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str current, next;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "current", true, &current, e)) ||
        (rc = in_text(r->json, "next", true, &next, e)) ||
        (rc = fa_password_change(r->ledger, r->mem, r->caller, current, next, e)))
        return rc;
    o->status = 204;
    return FA_OK;
}
