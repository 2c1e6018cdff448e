/*
 * sso.c - single sign-on as far as no protocol matters: connections and their set-up, where a sign-in
 * begins and where the browser goes when it is over (access.md 7).
 */
#include "api/sso.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { BACK_MAX = 2000 };

const sso_protocol sso_protocols[] = {
    {"oidc", false, oidc_start, oidc_leave, oidc_test, oidc_addresses},
    {"saml", true, saml_start, saml_leave, saml_test, saml_addresses},
    {0},
};

static const sso_protocol *protocol_of(fa_str kind)
{
    for (const sso_protocol *p = sso_protocols; p->kind; p++)
        if (fa_str_eqz(kind, p->kind))
            return p;
    return NULL;
}

fa_str sso_base(fa_req *r)
{
    const char *base = getenv("FARTHING_URL");
    fa_str s = fa_str_of(base && *base ? base : fa_server_address(r->server));

    while (s.n && s.p[s.n - 1] == '/')
        s.n--;
    return s;
}

fa_str sso_url(fa_req *r, const char *fmt, ...)
{
    char tail[1024];
    va_list ap;
    const char *z;

    va_start(ap, fmt);
    vsnprintf(tail, sizeof tail, fmt, ap);
    va_end(ap);
    z = fa_arena_printf(r->mem, "%.*s%s", FA_FMT(sso_base(r)), tail);
    return z ? fa_str_of(z) : (fa_str){0};
}

fa_str sso_cookie(const fa_req *r)
{
    return fa_cookie_find(fa_req_header(r, "Cookie"), "__Host-sso");
}

fa_rc sso_connection(fa_req *r, fa_str id, const char *kind, fa_idp *out, fa_err *e)
{
    fa_rc rc =
        fa_idp_get(fa_ledger_store(r->ledger), r->mem, fa_ledger_account(r->ledger), id, out, e);

    return !rc && !fa_str_eqz(out->kind, kind) ? fa_fail(e, FA_ENOTFOUND, "no such connection")
                                               : rc;
}

fa_rc sso_redirect(fa_req *r, fa_res *o, fa_str url, fa_err *e)
{
    const char *z = fa_arena_dupz(r->mem, url);

    o->status = 303;
    return z ? fa_res_header(r, o, "Location", z, e) : fa_oom(e);
}

/* ---- where the page goes on ---- */

/* A path of the page and nothing else: one slash, one of the page's addresses, a query of plain
 * characters. */
static bool back_ok(fa_str back)
{
    fa_str arg[4], path = back;
    const char *q = back.n ? memchr(back.p, '?', back.n) : NULL;

    if (!back.n || back.n > BACK_MAX)
        return false;
    for (size_t i = 0; i < back.n; i++)
        if ((unsigned char)back.p[i] <= ' ' || (unsigned char)back.p[i] > 0x7e ||
            strchr("\\\"<>#", back.p[i]))
            return false;
    if (q)
        path.n = (size_t)(q - back.p);
    if (memmem(path.p, path.n, "//", 2) || memchr(path.p, '%', path.n) ||
        memmem(path.p, path.n, "..", 2) || fa_str_eqz(path, "/signin") || fa_str_eqz(path, "/join"))
        return false;
    for (const char *const *p = fa_page_paths; *p; p++)
        if (fa_path_match(*p, path, arg))
            return true;
    return false;
}

static fa_rc drop_cookie(fa_req *r, fa_res *o, fa_err *e)
{
    return fa_res_header(r, o, "Set-Cookie",
                         "__Host-sso=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0", e);
}

/* A test shows its reason to the administrator; everybody else gets a word. */
static fa_rc failed_test(fa_req *r, fa_res *o, const fa_err *why, fa_err *e)
{
    fa_buf b = {0};
    fa_str key, json;
    fa_jw w;
    fa_rc rc;

    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    put_z(&w, "error", why->msg);
    fa_jw_end_obj(&w);
    json = fa_buf_dup(&b, r->mem);
    fa_buf_release(&b);
    if (!json.p)
        return fa_oom(e);
    rc = fa_federated_keep(r->ledger, r->mem, json, &key, e);
    return rc ? rc : sso_redirect(r, o, sso_url(r, "/admin/sso?test=%.*s", FA_FMT(key)), e);
}

static fa_rc after_failure(fa_req *r, fa_res *o, const fa_flow *f, const fa_err *why, fa_err *e)
{
    const char *word = why->field[0] ? why->field : "provider";
    fa_rc rc = drop_cookie(r, o, e);

    if (rc)
        return rc;
    if (f && fa_str_eqz(f->purpose, "test"))
        return failed_test(r, o, why, e);
    if (f && fa_str_eqz(f->purpose, "link"))
        return sso_redirect(r, o, sso_url(r, "/settings?sso=%s", word), e);
    return sso_redirect(r, o, sso_url(r, "/signin?sso=%s", word), e);
}

fa_rc sso_failed(fa_req *r, fa_res *o, const fa_idp *c, const fa_flow *f, fa_err *e)
{
    fa_browser b = api_browser(r);
    fa_err why = *e;

    fa_federated_refused(r->ledger, c, &b, &why);
    return after_failure(r, o, f, &why, e);
}

static fa_rc session_cookies(fa_req *r, fa_res *o, const fa_federated *in, fa_err *e)
{
    const char *z = fa_arena_printf(
        r->mem, "__Host-s=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=2592000",
        FA_FMT(in->in.session));
    fa_rc rc = z ? fa_res_header(r, o, "Set-Cookie", z, e) : fa_oom(e);

    if (rc || !in->in.device.n)
        return rc;
    z = fa_arena_printf(r->mem,
                        "__Host-d=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=7776000",
                        FA_FMT(in->in.device));
    return z ? fa_res_header(r, o, "Set-Cookie", z, e) : fa_oom(e);
}

/* The session that was there before gives way to the one that the proof opened. */
static fa_rc end_old_session(fa_req *r, fa_err *e)
{
    fa_str cookie = fa_cookie_find(fa_req_header(r, "Cookie"), "__Host-s");
    fa_err none;
    fa_caller c;

    if (!cookie.n || fa_session_check(r->ledger, r->mem, cookie, r->ip, &c, NULL, &none))
        return FA_OK;
    return fa_session_end(fa_ledger_store(r->ledger), fa_ledger_account(r->ledger), c.session_hash,
                          e);
}

fa_rc sso_enter(fa_req *r, fa_res *o, const fa_idp *c, const fa_flow *f, const fa_verified *v,
                fa_err *e)
{
    fa_browser b = api_browser(r);
    fa_federated in;
    fa_rc rc = fa_federated_enter(r->ledger, r->mem, c, f, v, &b, &in, e);

    if (rc == FA_EAUTH || rc == FA_EFORBIDDEN) {
        fa_err why = *e;

        return after_failure(r, o, f, &why, e);
    }
    if (rc || (rc = drop_cookie(r, o, e)))
        return rc;
    if (in.test.n)
        return sso_redirect(r, o, sso_url(r, "/admin/sso?test=%.*s", FA_FMT(in.test)), e);
    if (in.linked)
        return sso_redirect(r, o, sso_url(r, "/settings?sso=linked"), e);
    if (in.in.challenge.n)
        return sso_redirect(r, o, sso_url(r, "/signin#code=%.*s", FA_FMT(in.in.challenge)), e);
    if ((rc = end_old_session(r, e)) || (rc = session_cookies(r, o, &in, e)))
        return rc;
    return sso_redirect(r, o, sso_url(r, "%.*s", FA_FMT(f->back)), e);
}

/* ---- where it begins ---- */

/* Who is signed in, for what is done to oneself; FA_EAUTH: nobody. */
static fa_rc signed_in_user(fa_req *r, fa_caller *out, fa_err *e)
{
    fa_str cookie = fa_cookie_find(fa_req_header(r, "Cookie"), "__Host-s");
    fa_rc rc = fa_session_check(r->ledger, r->mem, cookie, r->ip, out, NULL, e);

    if (!rc && out->behalf.n)
        rc = fa_fail(e, FA_EFORBIDDEN, "you look through the eyes of somebody else");
    return rc;
}

/* "link" and "test" want somebody who is signed in; a link a recent proof, a test the permission. */
static fa_rc take_purpose(fa_req *r, const fa_idp *c, fa_flow *f, fa_err *e)
{
    fa_str purpose = fa_req_query(r, "for");
    fa_caller who;
    fa_rc rc;

    f->purpose = purpose.n ? purpose : FA_STR("signin");
    if (fa_str_eqz(f->purpose, "signin"))
        return FA_OK;
    if (fa_str_eqz(f->purpose, "invite")) {
        /* the secret of the invitation comes in a cookie that the page's POST set, never in an address */
        f->invite = fa_cookie_find(fa_req_header(r, "Cookie"), "__Host-invite");
        return f->invite.n ? FA_OK : fa_fail(e, FA_EINVAL, "the invitation is missing");
    }
    if (!fa_str_eqz(f->purpose, "link") && !fa_str_eqz(f->purpose, "test") &&
        !fa_str_eqz(f->purpose, "prove"))
        return fa_fail(e, FA_EINVAL, "there is no such purpose");
    if ((rc = signed_in_user(r, &who, e)))
        return rc;
    f->user_id = who.id;
    if (fa_str_eqz(f->purpose, "link") && !fa_caller_proved(&who))
        return fa_fail(e, FA_EFORBIDDEN, "please confirm that it is you");
    if (fa_str_eqz(f->purpose, "test") && !fa_caller_may(&who, FA_PERM_SSO_EDIT))
        return fa_fail(e, FA_EFORBIDDEN, "this needs the permission sso.edit");
    (void)c;
    return FA_OK;
}

/* A page of ours asked, or somebody typed the address; another site's page may begin nothing but a sign-in. */
static bool asked_by_us(const fa_req *r)
{
    fa_str site = fa_req_header(r, "Sec-Fetch-Site");

    return !site.n || fa_str_eqz(site, "same-origin") || fa_str_eqz(site, "none");
}

static fa_rc begin(fa_req *r, fa_res *o, const fa_idp *c, const sso_protocol *p, fa_err *e)
{
    fa_flow f = {.idp_id = c->id};
    const char *cookie;
    fa_str url;
    fa_rc rc;

    f.back = fa_req_query(r, "back");
    if (!back_ok(f.back))
        f.back = FA_STR("/megabill");
    if ((rc = take_purpose(r, c, &f, e)))
        return rc;
    if (!fa_str_eqz(f.purpose, "signin") && !asked_by_us(r))
        return fa_fail(e, FA_EFORBIDDEN, "the request comes from another site");
    if (!fa_str_eqz(c->state, "enabled") && !fa_str_eqz(f.purpose, "test"))
        return fa_fail(e, FA_ENOTFOUND, "no such connection");
    if ((rc = fa_flow_begin(r->ledger, r->mem, &f, r->ip, e)) || (rc = p->start(r, c, &f, &url, e)))
        return rc;
    cookie = fa_arena_printf(r->mem,
                             "__Host-sso=%.*s; Path=/; Secure; HttpOnly; SameSite=%s; Max-Age=600",
                             FA_FMT(f.browser), p->cross_post ? "None" : "Lax");
    if (!cookie)
        return fa_oom(e);
    rc = fa_res_header(r, o, "Set-Cookie", cookie, e);
    return rc ? rc : sso_redirect(r, o, url, e);
}

/* A browser comes here by itself: what goes wrong is said on a page, not in JSON. */
fa_rc api_sso_start(fa_req *r, fa_res *o, fa_err *e)
{
    const sso_protocol *p;
    fa_idp c;
    fa_flow f = {.purpose = fa_req_query(r, "for")};
    fa_rc rc = fa_idp_get(fa_ledger_store(r->ledger), r->mem, fa_ledger_account(r->ledger),
                          r->arg[0], &c, e);

    if (rc)
        return rc;
    if (!(p = protocol_of(c.kind)))
        return fa_fail(e, FA_ENOTFOUND, "no such connection");
    rc = begin(r, o, &c, p, e);
    if (rc == FA_EENV || rc == FA_ETIMEOUT || rc == FA_EDATA || rc == FA_ETOOBIG) {
        fa_at(e, "provider"); /* it does not answer, or not as it should */
        return sso_failed(r, o, &c, &f, e);
    }
    return rc;
}

/* The page hands over the invitation it was opened with; the sign-on that follows brings it along. */
fa_rc api_sso_invite(fa_req *r, fa_res *o, fa_err *e)
{
    const char *cookie;
    fa_str link;
    fa_user u;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "link", true, &link, e)) ||
        (rc = fa_signin_link_about(r->ledger, r->mem, link, &u, e)))
        return rc;
    cookie = fa_arena_printf(r->mem,
                             "__Host-invite=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax; "
                             "Max-Age=600",
                             FA_FMT(link));
    if (!cookie)
        return fa_oom(e);
    o->status = 204;
    return fa_res_header(r, o, "Set-Cookie", cookie, e);
}

/* Which buttons the sign-in page shows. */
fa_rc api_sso_providers(fa_req *r, fa_res *o, fa_err *e)
{
    fa_policy p;
    fa_idp *c;
    size_t n;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_policy_get(r->ledger, r->mem, &p, e)) ||
        (rc = fa_idp_list(fa_ledger_store(r->ledger), r->mem, fa_ledger_account(r->ledger), &c, &n,
                          e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_bool(&w, "only", p.sso_only);
    fa_jw_key(&w, "providers");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        if (!fa_str_eqz(c[i].state, "enabled") || !protocol_of(c[i].kind))
            continue;
        fa_jw_obj(&w);
        put_str(&w, "id", c[i].id);
        put_str(&w, "name", c[i].name);
        put_str(&w, "kind", c[i].kind);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

/* ---- administration ---- */

static const char *const type_names[] = {"text", "url", "bool", "lines", "words", "choice"};

static void put_fields(fa_jw *w, const fa_idp_field *f)
{
    for (; f->name; f++) {
        fa_str words = fa_str_of(f->words);

        fa_jw_obj(w);
        put_z(w, "name", f->name);
        put_z(w, "label", f->label);
        put_z(w, "hint", f->hint ? f->hint : "");
        put_z(w, "type", type_names[f->type]);
        put_bool(w, "required", f->required);
        put_z(w, "standard", f->standard ? f->standard : "");
        fa_jw_key(w, "choices");
        put_words(w, words);
        fa_jw_end_obj(w);
    }
}

static void put_kinds(fa_jw *w)
{
    fa_jw_key(w, "kinds");
    fa_jw_arr(w);
    for (const fa_idp_kind *k = fa_idp_kinds; k->name; k++) {
        if (!protocol_of(fa_str_of(k->name)))
            continue;
        fa_jw_obj(w);
        put_z(w, "name", k->name);
        put_z(w, "label", k->label);
        put_z(w, "secret", k->secret);
        fa_jw_key(w, "fields");
        fa_jw_arr(w);
        put_fields(w, k->field);
        put_fields(w, fa_idp_common);
        fa_jw_end_arr(w);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

static fa_rc put_connection(fa_req *r, fa_jw *w, const fa_idp *c, fa_err *e)
{
    const sso_protocol *p = protocol_of(c->kind);
    fa_rc rc = FA_OK;

    fa_jw_obj(w);
    put_str(w, "id", c->id);
    put_str(w, "kind", c->kind);
    put_str(w, "name", c->name);
    put_str(w, "state", c->state);
    fa_jw_key(w, "config");
    fa_jw_raw(w, c->config);
    put_bool(w, "hasSecret", c->secret.n > 0);
    put_str(w, "createdBy", c->created_by);
    put_time(w, "createdAt", c->created_ms);
    put_time(w, "updatedAt", c->updated_ms);
    put_time(w, "lastUsedAt", c->used_ms);
    fa_jw_key(w, "addresses");
    fa_jw_obj(w);
    if (p && p->addresses)
        rc = p->addresses(r, c, w, e);
    fa_jw_end_obj(w);
    fa_jw_end_obj(w);
    return rc;
}

/* Links of people that wait for their owner or an administrator. */
static fa_rc put_waiting(fa_req *r, fa_jw *w, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_identity *v;
    size_t n;
    fa_rc rc = fa_identity_list(s, r->mem, r->caller->account, FA_STR(""), &v, &n, e);

    fa_jw_key(w, "waiting");
    fa_jw_arr(w);
    for (size_t i = 0; !rc && i < n; i++) {
        fa_user u;

        if (v[i].approved)
            continue;
        if ((rc = fa_user_by_id(s, r->mem, r->caller->account, v[i].user_id, &u, e)))
            break;
        fa_jw_obj(w);
        put_str(w, "connection", v[i].idp_id);
        put_str(w, "issuer", v[i].issuer);
        put_str(w, "subject", v[i].subject);
        put_str(w, "userId", u.id);
        put_str(w, "email", u.email);
        put_str(w, "name", u.name);
        put_time(w, "seenAt", v[i].seen_ms);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    return rc;
}

fa_rc api_sso_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_idp *c;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_idp_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &c, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_kinds(&w);
    fa_jw_key(&w, "connections");
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++)
        rc = put_connection(r, &w, &c[i], e);
    fa_jw_end_arr(&w);
    if (!rc)
        rc = put_waiting(r, &w, e);
    fa_jw_end_obj(&w);
    return rc;
}

/* The secret is wiped from what came in. */
static fa_rc save(fa_req *r, fa_res *o, fa_str id, int status, fa_err *e)
{
    json_t *secret;
    fa_idp c;
    fa_jw w;
    fa_rc rc = in_object(r, e);

    if (!rc && !(rc = fa_idp_save(r->ledger, r->mem, r->caller, id, r->json, &c, e))) {
        o->status = status;
        fa_jw_init(&w, &o->body);
        rc = put_connection(r, &w, &c, e);
    }
    secret = json_object_get(r->json, "secret");
    if (json_is_string(secret))
        explicit_bzero((char *)(uintptr_t)json_string_value(secret), json_string_length(secret));
    if (r->body.p)
        explicit_bzero((char *)(uintptr_t)r->body.p, r->body.n);
    return rc;
}

fa_rc api_sso_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, (fa_str){0}, 201, e);
}

fa_rc api_sso_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, r->arg[0], 200, e);
}

fa_rc api_sso_delete(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_idp_remove(r->ledger, r->mem, r->caller, r->arg[0], e);
}

/* {"ok", "checks": [{"what", "detail"}], "error"}: what the provider says, without a person. */
fa_rc api_sso_test(fa_req *r, fa_res *o, fa_err *e)
{
    const sso_protocol *p;
    fa_idp c;
    fa_err why = {0};
    fa_jw w;
    fa_rc rc = fa_idp_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, r->arg[0], &c, e);

    if (rc)
        return rc;
    if (!(p = protocol_of(c.kind)) || !p->test)
        return fa_fail(e, FA_ENOTFOUND, "this kind of connection has nothing to test");
    if ((rc = fa_idp_note(r->ledger, r->caller, &c, "sso.test", FA_STR(""), e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "checks");
    fa_jw_arr(&w);
    rc = p->test(r, &c, &w, &why);
    fa_jw_end_arr(&w);
    put_bool(&w, "ok", !rc);
    put_z(&w, "error", rc ? why.msg : NULL);
    put_z(&w, "hint", rc && why.hint[0] ? why.hint : NULL);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_sso_outcome(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str json;
    fa_rc rc = fa_federated_outcome(r->ledger, r->mem, r->arg[0], &json, e);

    if (!rc)
        fa_buf_str(&o->body, json);
    return rc;
}

fa_rc api_sso_link(fa_req *r, fa_res *o, fa_err *e)
{
    const json_t *approve = json_object_get(r->json, "approve");
    fa_str idp, issuer, subject;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "connection", true, &idp, e)) ||
        (rc = in_text(r->json, "issuer", true, &issuer, e)) ||
        (rc = in_text(r->json, "subject", true, &subject, e)))
        return rc;
    if (!json_is_boolean(approve)) {
        fa_fail(e, FA_EINVAL, "must be true or false");
        return fa_at(e, "approve");
    }
    o->status = 204;
    return fa_identity_settle(r->ledger, r->mem, r->caller, idp, issuer, subject,
                              json_is_true(approve), e);
}

/* ---- oneself ---- */

/* Connecting wants a recent proof of who is there, which only a POST can ask for; then the browser goes to `start`. */
fa_rc api_me_identity_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str id;
    fa_idp c;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "connection", true, &id, e)) ||
        (rc = fa_idp_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, id, &c, e)))
        return rc;
    if (!fa_str_eqz(c.state, "enabled"))
        return fa_fail(e, FA_ENOTFOUND, "no such connection");
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "start", fa_arena_printf(r->mem, "/api/sso/%.*s/start?for=link", FA_FMT(c.id)));
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_me_identities(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_identity *v;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_identity_list(s, r->mem, r->caller->account, r->caller->id, &v, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "identities");
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++) {
        fa_idp c;

        if ((rc = fa_idp_get(s, r->mem, r->caller->account, v[i].idp_id, &c, e)))
            break;
        fa_jw_obj(&w);
        put_str(&w, "connection", c.id);
        put_str(&w, "name", c.name);
        put_str(&w, "email", v[i].email);
        put_bool(&w, "approved", v[i].approved);
        put_time(&w, "seenAt", v[i].seen_ms);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return rc;
}

/* Best effort: whoever signs out is signed out here, whatever the provider says. */
fa_str sso_leave(fa_req *r)
{
    fa_federated_session session;
    const sso_protocol *p;
    fa_str url = FA_STR("");
    fa_err e = {0};
    fa_idp c;

    if (fa_federated_session_of(r->ledger, r->mem, r->caller, &session, &e) || !session.idp_id.n ||
        fa_idp_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, session.idp_id, &c,
                   &e) ||
        !(p = protocol_of(c.kind)) || !p->leave || p->leave(r, &c, &session, &url, &e)) {
        if (e.rc)
            fa_log(FA_LOG_WARN, "sso_leave_failed", "error=\"%s\"", e.msg);
        return FA_STR("");
    }
    return url;
}
