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
        if (((t->flags & FA_RT_LOOPBACK) && !w->peer->loopback) ||
            !fa_path_match(t->path, w->req.path, arg))
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

static fa_rc authenticate(fa_wire *w)
{
    fa_str id = fa_req_header(&w->req, "x-finout-client-id");
    fa_str secret = fa_req_header(&w->req, "x-finout-secret-key"), cookie, jar;
    unsigned flags = w->route->flags;

    if ((flags & FA_RT_TOKEN) && (id.n || secret.n)) {
        if (!id.n || !secret.n)
            return fa_fail(&w->err, FA_EAUTH,
                           "both x-finout-client-id and x-finout-secret-key are needed");
        return fa_token_check(w->server->ledger, &w->mem, id, secret, &w->caller, &w->err);
    }
    if (flags & FA_RT_SESSION) {
        jar = fa_req_header(&w->req, "Cookie");
        cookie = fa_cookie_get(jar, "__Host-s");
        if (cookie.n)
            return fa_session_check(w->server->ledger, &w->mem, cookie, &w->caller, &w->err);
    }
    if (flags & FA_RT_TOKEN)
        return fa_fail(&w->err, FA_EAUTH,
                       "headers x-finout-client-id and x-finout-secret-key are missing");
    return fa_fail(&w->err, FA_EAUTH, "not signed in");
}

static fa_rc limits(fa_wire *w)
{
    fa_server *s = w->server;
    const fa_route *r = w->route;

    if ((r->flags & FA_RT_KEY_LIMIT) && w->caller.kind == FA_CALLER_TOKEN) {
        if (!fa_key_enter(s->limits, w->caller.client_id, s->opt.per_key)) {
            fa_fail(&w->err, FA_ELIMIT, "too many requests: this key has %u running already",
                    s->opt.per_key);
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

fa_rc fa_gate(fa_wire *w)
{
    fa_rc rc;

    if ((rc = find_route(w)))
        return rc;
    if (atomic_load(&w->server->stopping)) {
        fa_fail(&w->err, FA_EENV, "the server is stopping");
        return refuse(w, 503, "SERVICE_UNAVAILABLE");
    }
    if (w->route->perm != FA_PERM_PUBLIC && (rc = authenticate(w)))
        return refuse(w, fa_rc_get(rc)->http, fa_rc_get(rc)->name);
    w->req.caller = &w->caller;
    if ((w->route->flags & FA_RT_SESSION) && w->caller.kind != FA_CALLER_TOKEN && !safe_method(w) &&
        cross_site(w))
        return refuse(w, 403, "FORBIDDEN");
    if ((rc = limits(w)))
        return rc;
    if (!fa_caller_may(&w->caller, w->route->perm)) {
        fa_fail(&w->err, FA_EFORBIDDEN, "this needs the permission %s",
                fa_perm_name(w->route->perm));
        return refuse(w, 403, "FORBIDDEN");
    }
    return FA_OK;
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
    if (r->per_minute || (r->flags & FA_RT_KEY_LIMIT))
        has[429] = true;
    if (!(r->flags & FA_RT_INLINE))
        has[500] = has[503] = has[504] = true;
    for (int i = 100; i < 600; i++)
        if (has[i])
            fa_buf_fmt(out, "%s%d", out->n ? " " : "", i);
}
