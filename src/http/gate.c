/*
 * gate.c - what is decided from the headers alone, in the order of api.md 4.2:
 * route exists (404), method allowed (405), credential (401), concurrency or rate (429), role
 * (403).
 *
 * `authorized-*`, `x-user-*` and the like are headers as any other: nobody looks at them.
 */
#include "http/internal.h"

#include <string.h>

static fa_rc refuse(fa_wire *w, int status, const char *name)
{
    w->refuse_status = status;
    w->refuse_name = name;
    return w->err.rc ? w->err.rc : FA_EINVAL;
}

static fa_rc no_route(fa_wire *w)
{
    fa_fail(&w->err, FA_ENOTFOUND, "no such address");
    return refuse(w, 404, "NOT_FOUND");
}

static bool method_is(const fa_wire *w, const char *method)
{
    return fa_str_eqz(w->req.method, method) || (w->head && strcmp(method, "GET") == 0);
}

/* 404 or 405. The table is small; rows with the same path are the allowed methods. */
static fa_rc find_route(fa_wire *w)
{
    fa_buf allow = {0};
    fa_str arg[4];

    for (const fa_route *t = w->server->routes; t->method; t++) {
        memset(arg, 0, sizeof arg);
        if (((t->flags & FA_RT_LOOPBACK) && !w->local) || !fa_path_match(t->path, w->req.path, arg))
            continue;
        if (method_is(w, t->method)) {
            w->route = t;
            memcpy(w->req.arg, arg, sizeof arg);
            fa_buf_release(&allow);
            return FA_OK;
        }
        fa_buf_fmt(&allow, "%s%s%s", allow.n ? ", " : "", t->method,
                   strcmp(t->method, "GET") == 0 ? ", HEAD" : "");
    }
    if (!allow.n)
        return no_route(w);
    w->allow = fa_arena_dupz(&w->mem, fa_buf_view(&allow));
    fa_buf_release(&allow);
    fa_fail(&w->err, FA_EINVAL, "method %.*s is not allowed here", FA_FMT(w->req.method));
    return refuse(w, 405, "METHOD_NOT_ALLOWED");
}

static bool safe_method(const fa_wire *w)
{
    return w->head || fa_str_eqz(w->req.method, "GET");
}

/* security.md SE-7 */
static fa_rc cross_site(fa_wire *w)
{
    fa_str site = fa_req_header(&w->req, "Sec-Fetch-Site");
    fa_str origin = fa_req_header(&w->req, "Origin"), host = fa_req_header(&w->req, "Host");
    fa_str type = fa_req_header(&w->req, "Content-Type");
    const char *want =
        w->route->flags & FA_RT_UPLOAD ? "application/octet-stream" : "application/json";
    bool ok;

    if (site.n) {
        ok = fa_str_eqz(site, "same-origin");
    } else {
        if (fa_str_starts(origin, FA_STR("http://")))
            origin = (fa_str){origin.p + 7, origin.n - 7};
        else if (fa_str_starts(origin, FA_STR("https://")))
            origin = (fa_str){origin.p + 8, origin.n - 8};
        else
            origin.n = 0;
        ok = origin.n && fa_str_ieq(origin, host);
    }
    if (!ok)
        return fa_fail(&w->err, FA_EFORBIDDEN, "the request comes from another site");
    if (!fa_req_header(&w->req, "X-Requested-With").n)
        return fa_fail(&w->err, FA_EFORBIDDEN, "header X-Requested-With is missing");
    for (size_t i = 0; i < type.n; i++)
        if (type.p[i] == ';')
            type.n = i;
    if ((w->content_length || type.n) && !fa_str_ieq(fa_str_trim(type), fa_str_of(want)))
        return fa_fail(&w->err, FA_EFORBIDDEN, "Content-Type must be %s", want);
    return FA_OK;
}

bool fa_route_reads(const fa_route *r)
{
    const char *name = fa_perm_name(r->perm);
    size_t n = strlen(name);

    return strcmp(r->method, "GET") == 0 || r->flags & FA_RT_READS ||
           r->perm == FA_PERM_COST_QUERY || r->perm == FA_PERM_COST_EXPORT ||
           (n > 5 && strcmp(name + n - 5, ".view") == 0);
}

static fa_str route_text(fa_wire *w)
{
    return fa_str_of(fa_arena_printf(&w->mem, "%s %s", w->route->method, w->route->path));
}

/* A token of another account is looked at there, once that is open. */
static fa_rc by_token(fa_wire *w, fa_str id, fa_str secret)
{
    const fa_accounts *all = w->server->opt.accounts;
    fa_rc rc = fa_token_check(w->server->ledger, &w->mem, id, secret, w->req.ip, route_text(w),
                              &w->caller, &w->err);

    if (rc != FA_EAUTH || !all || !all->of_client(all->house, id, w->at))
        return rc;
    w->token_id = id;
    w->token_secret = secret;
    return FA_OK;
}

/* Routes of the person himself stay at the first account. */
static fa_rc by_session(fa_wire *w, fa_str secret, fa_str *turned)
{
    fa_rc rc = fa_session_check(w->server->ledger, &w->mem, secret, w->req.ip, &w->caller, turned,
                                &w->err);

    if (!rc && w->caller.at.n && w->server->opt.accounts && !(w->route->flags & FA_RT_PERSON))
        snprintf(w->at, sizeof w->at, "%.*s", FA_FMT(w->caller.at));
    return rc;
}

/* "Authorization: Bearer" holds a token as "client id.secret key", or a session of 9.9. */
static fa_rc by_bearer(fa_wire *w, fa_str bearer)
{
    const char *dot = memchr(bearer.p, '.', bearer.n);

    if (dot && (w->route->flags & FA_RT_TOKEN))
        return by_token(w, (fa_str){bearer.p, (size_t)(dot - bearer.p)},
                        (fa_str){dot + 1, bearer.n - (size_t)(dot + 1 - bearer.p)});
    if (w->route->flags & FA_RT_SESSION)
        return by_session(w, bearer, NULL);
    return fa_fail(&w->err, FA_EAUTH, "this address takes no such credential");
}

static fa_rc authenticate(fa_wire *w, bool *by_cookie)
{
    fa_str id = fa_req_header(&w->req, "x-finout-client-id");
    fa_str secret = fa_req_header(&w->req, "x-finout-secret-key"), cookie;
    fa_str bearer = fa_req_header(&w->req, "Authorization");
    unsigned flags = w->route->flags;

    *by_cookie = false;
    if (flags & FA_RT_SCIM)
        return fa_scim_check(w->server->ledger, &w->mem,
                             fa_str_starts(bearer, FA_STR("Bearer "))
                                 ? fa_str_trim((fa_str){bearer.p + 7, bearer.n - 7})
                                 : FA_STR(""),
                             &w->caller, &w->err);
    if ((flags & FA_RT_TOKEN) && (id.n || secret.n)) {
        if (!id.n || !secret.n)
            return fa_fail(&w->err, FA_EAUTH,
                           "both x-finout-client-id and x-finout-secret-key are needed");
        return by_token(w, id, secret);
    }
    if (fa_str_starts(bearer, FA_STR("Bearer ")))
        return by_bearer(w, fa_str_trim((fa_str){bearer.p + 7, bearer.n - 7}));
    if (flags & FA_RT_SESSION) {
        cookie = fa_cookie_find(fa_req_header(&w->req, "Cookie"), "__Host-s");
        *by_cookie = true;
        if (cookie.n)
            return by_session(w, cookie, &w->turned);
    }
    if (flags & FA_RT_TOKEN)
        return fa_fail(&w->err, FA_EAUTH,
                       "headers x-finout-client-id and x-finout-secret-key are missing");
    return fa_fail(&w->err, FA_EAUTH, "not signed in");
}

/* How many requests of a key may run at once: the account's word, else the server's. */
static unsigned key_limit(fa_wire *w)
{
    fa_policy p;
    fa_err e;

    if (!fa_policy_get(w->req.ledger, &w->mem, &p, &e) && p.token_concurrent > 0)
        return (unsigned)p.token_concurrent;
    return w->server->opt.per_key;
}

static fa_rc limits(fa_wire *w)
{
    fa_server *s = w->server;
    const fa_route *r = w->route;

    if ((r->flags & FA_RT_KEY_LIMIT) && w->caller.kind == FA_CALLER_TOKEN) {
        unsigned most = key_limit(w);

        if (!fa_key_enter(s->limits, w->caller.client_id, most)) {
            fa_fail(&w->err, FA_ELIMIT, "too many requests: this key has %u running already", most);
            return refuse(w, 429, "RATE_LIMIT_EXCEEDED");
        }
        w->has_key = true;
        snprintf(w->key, sizeof w->key, "%.*s", FA_FMT(w->caller.client_id));
    }
    if (!r->per_minute)
        return FA_OK;
    w->window = fa_rate_count(s->limits, w->caller.account, r, fa_now_ms());
    w->has_window = true;
    if (!w->window.over)
        return FA_OK;
    fa_fail(&w->err, FA_ELIMIT, "rate limit exceeded, %u requests are allowed; try again in %lld s",
            w->window.limit, (long long)w->window.reset_s);
    return refuse(w, 429, "RATE_LIMIT_EXCEEDED");
}

static fa_rc forbid(fa_wire *w, const char *name)
{
    w->caller.request_id = fa_str_of(w->req.request_id);
    fa_audit_denied(w->req.ledger, &w->caller, route_text(w), fa_perm_name(w->route->perm));
    return refuse(w, 403, name);
}

/* Routes whose first {id} is an object with an access list: what kind it is. */
static const struct {
    const char *path, *kind;
} objects[] = {
    {"/api/tags/{", "virtual_tag"},        {"/v1/virtual-tags/{", "virtual_tag"},
    {"/v2/virtual-tags/{", "virtual_tag"}, {"/virtual-tags-service/virtual-tag/{", "virtual_tag"},
    {"/api/telemetry/{", "telemetry"},     {"/v1/telemetry/{", "telemetry"},
};

/* The object's access list, and the guard of what row rules depend on (access.md 4.5). */
static fa_rc object(fa_wire *w)
{
    const fa_route *r = w->route;
    fa_ledger *l = w->req.ledger;
    fa_rc rc = FA_OK;

    for (size_t i = 0; i < FA_COUNT(objects); i++) {
        fa_str kind = fa_str_of(objects[i].kind);

        if (strncmp(r->path, objects[i].path, strlen(objects[i].path)) != 0)
            continue;
        rc = fa_route_reads(r) ? fa_acl_read(l, &w->mem, &w->caller, kind, w->req.arg[0], &w->err)
                               : fa_acl_write(l, &w->mem, &w->caller, kind, w->req.arg[0], &w->err);
        if (!rc && !fa_route_reads(r))
            rc = fa_scope_guard(l, &w->mem, &w->caller, kind, w->req.arg[0], FA_STR(""), &w->err);
        break;
    }
    return rc ? refuse(w, fa_rc_get(rc)->http, fa_rc_get(rc)->name) : FA_OK;
}

/* Permission, borrowed eyes, a recent proof, whole bills, the object: in this order. */
static fa_rc permission(fa_wire *w)
{
    const fa_route *r = w->route;
    bool all = true;
    fa_rc rc;

    if (!fa_caller_may(&w->caller, r->perm)) {
        fa_fail(&w->err, FA_EFORBIDDEN, "this needs the permission %s", fa_perm_name(r->perm));
        return forbid(w, "FORBIDDEN");
    }
    if (w->caller.behalf.n && !fa_route_reads(r) && !(r->flags & FA_RT_OWN_EYES)) {
        fa_fail(&w->err, FA_EFORBIDDEN, "you look through the eyes of %.*s: nothing can be changed",
                FA_FMT(w->caller.email));
        return forbid(w, "FORBIDDEN");
    }
    if ((r->flags & FA_RT_PROVED) && !fa_caller_proved(&w->caller)) {
        fa_fail(&w->err, FA_EFORBIDDEN, "please confirm that it is you");
        fa_hint(&w->err, "give your password or code again, then repeat this");
        return refuse(w, 403, "PROOF_NEEDED");
    }
    if (r->flags & FA_RT_ALL_ROWS) {
        if ((rc = fa_caller_sees_all(w->req.ledger, &w->mem, &w->caller, &all, &w->err)))
            return refuse(w, fa_rc_get(rc)->http, fa_rc_get(rc)->name);
        if (!all) {
            fa_fail(&w->err, FA_EFORBIDDEN, "this shows whole bills, and you see only some rows");
            return forbid(w, "FORBIDDEN");
        }
    }
    return object(w);
}

/* Who it is there; a session whose account has let the person go is back at the first one. */
static fa_rc authenticate_there(fa_wire *w)
{
    fa_caller person = w->caller;
    fa_err none;
    fa_rc rc;

    if (w->token_id.n)
        return fa_token_check(w->req.ledger, &w->mem, w->token_id, w->token_secret, w->req.ip,
                              route_text(w), &w->caller, &w->err);
    person.ip = w->req.ip;
    person.agent = w->req.agent;
    rc = fa_member_check(w->req.ledger, &w->mem, &person, &w->caller, &w->err);
    if (rc == FA_EAUTH && fa_account_go(w->server->ledger, &person, FA_STR(""), &none))
        fa_log(FA_LOG_WARN, "account", "error=\"%s\"", none.msg);
    return rc;
}

/* Into the account of the session or token. w->late: it has to be opened first, which is a worker's to wait for. */
static fa_rc enter(fa_wire *w, bool wait)
{
    const fa_accounts *all = w->server->opt.accounts;
    fa_ledger *l;
    void *app;
    fa_rc rc = all->enter(all->house, fa_str_of(w->at), wait, &l, &app, &w->err);

    w->late = rc == FA_ETIMEOUT && !wait;
    if (w->late)
        return FA_OK;
    if (!rc) {
        w->entered = true;
        w->req.ledger = l;
        w->req.app = app;
        rc = authenticate_there(w);
    } else if (rc == FA_ENOTFOUND) {
        rc = fa_fail(&w->err, FA_EAUTH, "not signed in");
    }
    if (!rc && (w->route->flags & FA_RT_FIRST)) {
        fa_fail(&w->err, FA_EFORBIDDEN, "people sign in at the first account: this is done there");
        fa_hint(&w->err, "switch to the first account");
        return refuse(w, 403, "FORBIDDEN");
    }
    return rc ? refuse(w, fa_rc_get(rc)->http, fa_rc_get(rc)->name) : FA_OK;
}

static fa_rc rest(fa_wire *w)
{
    fa_rc rc;

    w->caller.ip = w->req.ip;
    w->caller.agent = w->req.agent;
    if ((rc = limits(w)))
        return rc;
    rc = permission(w);
    w->caller.request_id = fa_str_of(w->req.request_id);
    return rc;
}

void fa_gate_late(fa_wire *w)
{
    w->late = false;
    if (!enter(w, true))
        (void)rest(w);
}

/* In the account that was entered. */
static fa_rc still_there(fa_ledger *l, fa_arena *a, const fa_route *r, const fa_caller *c,
                         fa_err *e)
{
    bool all = true;
    fa_rc rc;

    if (!fa_caller_may(c, r->perm))
        return fa_fail(e, FA_EFORBIDDEN, "this needs the permission %s", fa_perm_name(r->perm));
    if (!(r->flags & FA_RT_ALL_ROWS))
        return FA_OK;
    if ((rc = fa_caller_sees_all(l, a, c, &all, e)))
        return rc;
    return all ? FA_OK : fa_fail(e, FA_EFORBIDDEN, "you see only some rows");
}

fa_rc fa_gate_still(fa_server *s, const fa_route *r, const fa_caller *was, fa_err *e)
{
    const fa_accounts *all = s->opt.accounts;
    fa_arena a = {0};
    fa_caller person, there;
    fa_ledger *l;
    void *app;
    fa_rc rc = fa_session_still(s->ledger, &a, was, &person, e);

    if (!rc && !fa_str_eq(person.at, was->at)) {
        rc = fa_fail(e, FA_EAUTH, "the session is in another account now");
    } else if (!rc && !person.at.n) {
        rc = still_there(s->ledger, &a, r, &person, e);
    } else if (!rc && !(rc = all->enter(all->house, person.at, false, &l, &app, e))) {
        if (!(rc = fa_member_check(l, &a, &person, &there, e)))
            rc = still_there(l, &a, r, &there, e);
        all->leave(all->house, person.at);
    }
    fa_arena_release(&a);
    return rc;
}

void fa_gate_leave(fa_wire *w)
{
    const fa_accounts *all = w->server->opt.accounts;

    if (w->entered)
        all->leave(all->house, fa_str_of(w->at));
    w->entered = false;
}

fa_rc fa_gate(fa_wire *w)
{
    bool by_cookie = true;
    fa_rc rc;

    if ((rc = find_route(w)))
        return rc;
    if (atomic_load(&w->server->stopping)) {
        fa_fail(&w->err, FA_EENV, "the server is stopping");
        return refuse(w, 503, "SERVICE_UNAVAILABLE");
    }
    if (w->route->perm != FA_PERM_PUBLIC && (rc = authenticate(w, &by_cookie)))
        return refuse(w, fa_rc_get(rc)->http, fa_rc_get(rc)->name);
    w->caller.ip = w->req.ip;
    w->caller.agent = w->req.agent;
    w->req.caller = &w->caller;
    if ((w->route->flags & FA_RT_SESSION) && by_cookie && w->caller.kind != FA_CALLER_TOKEN &&
        !safe_method(w) && !(w->route->flags & FA_RT_CROSS) && cross_site(w))
        return refuse(w, 403, "FORBIDDEN");
    if (w->at[0] && ((rc = enter(w, false)) || w->late))
        return rc;
    return rest(w);
}

void fa_gate_audit(fa_wire *w, unsigned before)
{
    const fa_route *r = w->route;
    bool exported = r->perm == FA_PERM_COST_EXPORT || r->perm == FA_PERM_AUDIT_EXPORT;
    fa_err e;

    if (fa_audit_written() != before || r->perm == FA_PERM_PUBLIC ||
        (fa_route_reads(r) && !exported))
        return;
    if (fa_audit_add(w->req.ledger, &w->caller,
                     &(fa_audit){.action = exported ? "export" : "request",
                                 .object_type = "route",
                                 .object_id = route_text(w),
                                 .object_name = w->req.arg[0]},
                     &e))
        fa_log(FA_LOG_ERROR, "audit_failed", "id=%s error=%s", w->req.request_id, e.msg);
}

void fa_route_codes(const fa_route *r, fa_buf *out)
{
    bool has[600] = {false};
    int code = 0;

    for (const char *p = r->codes;; p++) {
        if (*p >= '0' && *p <= '9') {
            code = code * 10 + (*p - '0');
            continue;
        }
        if (code > 99 && code < 600)
            has[code] = true;
        code = 0;
        if (!*p)
            break;
    }
    if (r->perm != FA_PERM_PUBLIC)
        has[401] = true;
    if (r->perm > FA_PERM_SELF || ((r->flags & FA_RT_SESSION) && strcmp(r->method, "GET") != 0))
        has[403] = true;
    if (r->flags & FA_RT_ALL_ROWS)
        has[403] = true;
    if (r->per_minute || (r->flags & FA_RT_KEY_LIMIT))
        has[429] = true;
    if (!(r->flags & FA_RT_INLINE))
        has[500] = has[503] = has[504] = true;
    for (int i = 100; i < 600; i++)
        if (has[i])
            fa_buf_fmt(out, "%s%d", out->n ? " " : "", i);
}
