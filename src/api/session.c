/*
 * session.c - who is signed in, signing in and out (doc/page-api.md, Session).
 *
 * The cookie is host-bound, Secure and HttpOnly; browsers keep it on http://127.0.0.1 too, which
 * they count as trustworthy.
 */
#include "api/sso.h"

#include <string.h>

static fa_rc put_session(fa_req *r, fa_res *o, const fa_caller *c, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_ledger *home = fa_ledger_home(r->ledger);
    int32_t first = INT32_MIN, last = INT32_MIN, today = ask_today();
    bool any = fa_ledger_range(r->ledger, &first, &last);
    const uint64_t self_only = 1u << FA_PERM_PUBLIC | 1u << FA_PERM_SELF;
    size_t ntype;
    const fa_cost_type *type = fa_cost_types(&ntype);
    fa_edp_settings edp;
    uint32_t offered;
    fa_source *source;
    fa_complete_days complete;
    fa_account a;
    bool all;
    fa_user u;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_account_first(s, r->mem, &a, e);

    if (rc || (rc = fa_source_list(s, r->mem, a.id, &source, &n, e)) ||
        (rc =
             fa_user_by_id(fa_ledger_store(home), r->mem, fa_ledger_account(home), c->id, &u, e)) ||
        (rc = fa_caller_sees_all(r->ledger, r->mem, c, &all, e)) ||
        (rc = fa_cost_types_offered(r->ledger, r->mem, &offered, e)) ||
        (rc = fa_edp_get(r->ledger, r->mem, &edp, e)) ||
        (rc = fa_complete(r->ledger, r->mem, today, &complete, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "user");
    fa_jw_obj(&w);
    put_str(&w, "id", c->id);
    put_str(&w, "email", c->email);
    put_str(&w, "name", c->name);
    put_str(&w, "role", c->role);
    fa_jw_key(&w, "roles");
    put_words(&w, c->roles);
    fa_jw_end_obj(&w);
    put_bool(&w, "allRows", all);
    put_bool(&w, "viewingAs", c->behalf.n > 0);
    put_bool(&w, "mfa", u.totp.n > 0);
    put_bool(&w, "mfaWanted", c->perms.w[0] == self_only);
    put_time(&w, "mfaBy", c->enroll_by_ms > 0 ? c->enroll_by_ms : -1);
    fa_jw_key(&w, "preferences");
    fa_jw_raw(&w, u.preferences.n ? u.preferences : FA_STR("{}"));
    fa_jw_key(&w, "account");
    fa_jw_obj(&w);
    put_str(&w, "id", a.id);
    put_str(&w, "name", a.name);
    put_str(&w, "currency", a.currency);
    put_str(&w, "defaultCostType", a.default_cost_type);
    fa_jw_key(&w, "costTypes");
    fa_jw_arr(&w);
    for (size_t i = 0; i < ntype; i++)
        if (!type[i].is_usage && offered & FA_BIT(type[i].measure))
            fa_jw_z(&w, type[i].name);
    fa_jw_end_arr(&w);
    put_bool(&w, "edp", edp.show && edp.n > 0);
    put_bool(&w, "first", home == r->ledger);
    fa_jw_end_obj(&w);
    fa_jw_key(&w, "accounts");
    if ((rc = accounts_json(r, &w, c->behalf.n ? c->behalf : c->id, e)))
        return rc;
    fa_jw_key(&w, "permissions");
    fa_jw_arr(&w);
    for (int p = FA_PERM_SELF + 1; p < FA_PERM__COUNT; p++)
        if (fa_caller_may(c, (fa_perm)p))
            fa_jw_z(&w, fa_perm_name((fa_perm)p));
    fa_jw_end_arr(&w);
    put_day(&w, "today", today);
    put_day(&w, "knownTo", any ? (last < today ? last : today) : INT32_MIN);
    put_day(&w, "completeTo", complete.to);
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

static fa_rc set_cookie(fa_req *r, fa_res *o, const char *name, fa_str secret, int64_t seconds,
                        fa_err *e)
{
    char *v =
        fa_arena_printf(r->mem, "%s=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=%lld",
                        name, FA_FMT(secret), (long long)seconds);

    return v ? fa_res_header(r, o, "Set-Cookie", v, e) : fa_oom(e);
}

fa_browser api_browser(const fa_req *r)
{
    fa_str cookies = fa_req_header(r, "Cookie");

    return (fa_browser){
        .agent = r->agent, .ip = r->ip, .device = fa_cookie_find(cookies, "__Host-d")};
}

/* Answers a sign-in: the cookies, and the session as GET gives it; or the question for a code. */
fa_rc api_signed_in(fa_req *r, fa_res *o, const fa_signed_in *in, fa_err *e)
{
    fa_caller c;
    fa_jw w;
    fa_rc rc;

    if (in->challenge.n) {
        fa_jw_init(&w, &o->body);
        fa_jw_obj(&w);
        put_bool(&w, "codeNeeded", true);
        put_str(&w, "challenge", in->challenge);
        fa_jw_end_obj(&w);
        return FA_OK;
    }
    /* the server decides how long it lasts; the browser only keeps it */
    if ((rc = fa_session_check(r->ledger, r->mem, in->session, r->ip, &c, NULL, e)) ||
        (rc = set_cookie(r, o, "__Host-s", in->session, 30 * 86400, e)) ||
        (in->device.n && (rc = set_cookie(r, o, "__Host-d", in->device, 90 * 86400, e))))
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

static fa_rc ended(fa_req *r, fa_res *o, fa_rc rc, fa_str email, const fa_signed_in *in, fa_err *e)
{
    if (rc == FA_ELIMIT)
        return told_to_wait(r, o, email, e);
    return rc ? rc : api_signed_in(r, o, in, e);
}

fa_rc api_session_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_browser b = api_browser(r);
    fa_str email, password;
    fa_signed_in in;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "email", true, &email, e)) ||
        (rc = in_text(r->json, "password", true, &password, e)))
        return rc;
    rc = fa_signin_password(r->ledger, r->mem, email, password, &b, &in, e);
    if (!rc && in.broke_glass)
        mail_broke_glass(r);
    return ended(r, o, rc, email, &in, e);
}

fa_rc api_session_code(fa_req *r, fa_res *o, fa_err *e)
{
    fa_browser b = api_browser(r);
    fa_str challenge, code;
    fa_signed_in in;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "challenge", true, &challenge, e)) ||
        (rc = in_text(r->json, "code", true, &code, e)))
        return rc;
    rc = fa_signin_code(r->ledger, r->mem, challenge, code,
                        json_is_true(json_object_get(r->json, "remember")), &b, &in, e);
    return ended(r, o, rc, FA_STR(""), &in, e);
}

fa_rc api_session_link(fa_req *r, fa_res *o, fa_err *e)
{
    fa_browser b = api_browser(r);
    fa_str link, password;
    fa_signed_in in;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "link", true, &link, e)) ||
        (rc = in_text(r->json, "password", true, &password, e)))
        return rc;
    rc = fa_signin_link(r->ledger, r->mem, link, password, &b, &in, e);
    return ended(r, o, rc, FA_STR(""), &in, e);
}

fa_rc api_session_about(fa_req *r, fa_res *o, fa_err *e)
{
    fa_account a;
    fa_str link;
    fa_user u;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "link", true, &link, e)) ||
        (rc = fa_signin_link_about(r->ledger, r->mem, link, &u, e)) ||
        (rc = fa_account_first(fa_ledger_store(r->ledger), r->mem, &a, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "email", u.email);
    put_str(&w, "name", u.name);
    put_bool(&w, "invited", fa_str_eqz(u.state, "invited"));
    put_str(&w, "account", a.name);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_session_join(fa_req *r, fa_res *o, fa_err *e)
{
    fa_browser b = api_browser(r);
    fa_str link, email, name, password;
    fa_signed_in in;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "link", true, &link, e)) ||
        (rc = in_text(r->json, "email", true, &email, e)) ||
        (rc = in_text(r->json, "name", false, &name, e)) ||
        (rc = in_text(r->json, "password", true, &password, e)))
        return rc;
    rc = fa_join(r->ledger, r->mem, link, email, name, password, &b, &in, e);
    return ended(r, o, rc, FA_STR(""), &in, e);
}

/* The same answer whoever is asked for; without a way to send mail nothing can reach anybody, which
 * is no secret. */
fa_rc api_session_forgotten(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str email, link;
    bool mailed = false;
    fa_user u;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "email", true, &email, e)))
        return rc;
    rc = fa_password_forgotten(r->ledger, r->mem, email, r->ip, &u, &link, e);
    if (rc)
        return rc;
    if (link.n)
        mailed = mail_link(r, &u, link, "reset");
    (void)mailed;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_bool(&w, "mail", mail_is_set_up(r));
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_session_prove(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str password, code;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "password", false, &password, e)) ||
        (rc = in_text(r->json, "code", false, &code, e)) ||
        (rc = fa_prove(r->ledger, r->mem, r->caller, password, code, e)))
        return rc;
    o->status = 204;
    return FA_OK;
}

fa_rc api_session_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str next = sso_leave(r);
    fa_rc rc = fa_signout(r->ledger, r->caller, e);
    fa_jw w;

    if (rc)
        return rc;
    o->status = 204;
    if (next.n) { /* the page goes there, so that the provider forgets the person as well */
        o->status = 200;
        fa_jw_init(&w, &o->body);
        fa_jw_obj(&w);
        put_str(&w, "next", next);
        fa_jw_end_obj(&w);
    }
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

fa_rc api_view_as(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str id;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "userId", true, &id, e)) ||
        (rc = fa_view_as(r->ledger, r->mem, r->caller, id, e)))
        return rc;
    o->status = 204;
    return FA_OK;
}

fa_rc api_view_as_end(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_view_as(r->ledger, r->mem, r->caller, FA_STR(""), e);
}
