/*
 * oidc.c - OpenID Connect at the door: where the provider sends the browser back to, and where it says
 * that somebody left.
 */
#include "api/sso.h"

#include <string.h>

static fa_str redirect_uri(fa_req *r, const fa_idp *c)
{
    return sso_url(r, "/api/sso/%.*s/callback", FA_FMT(c->id));
}

fa_rc oidc_start(fa_req *r, const fa_idp *c, const fa_flow *f, fa_str *url, fa_err *e)
{
    return fa_oidc_start(app_of(r)->net, r->mem, c, f, redirect_uri(r, c), url, e);
}

fa_rc oidc_leave(fa_req *r, const fa_idp *c, const fa_federated_session *s, fa_str *url, fa_err *e)
{
    return fa_oidc_leave(app_of(r)->net, r->mem, c, s, sso_url(r, "/signin"), url, e);
}

fa_rc oidc_test(fa_req *r, const fa_idp *c, fa_jw *w, fa_err *e)
{
    return fa_oidc_test(app_of(r)->net, r->mem, c, w, e);
}

fa_rc oidc_addresses(fa_req *r, const fa_idp *c, fa_jw *w, fa_err *e)
{
    (void)e;
    put_str(w, "Redirect URI", redirect_uri(r, c));
    put_str(w, "Sign-out redirect URI", sso_url(r, "/signin"));
    put_str(w, "Back-channel logout URI", sso_url(r, "/api/sso/%.*s/backchannel", FA_FMT(c->id)));
    return FA_OK;
}

/* The provider's word for what went wrong, when it is one. */
static fa_rc provider_error(fa_str word, fa_err *e)
{
    bool ok = word.n <= 40;

    for (size_t i = 0; ok && i < word.n; i++)
        ok = (word.p[i] >= 'a' && word.p[i] <= 'z') || word.p[i] == '_';
    fa_fail(e, FA_EAUTH, "the provider refused: %.*s", ok ? (int)word.n : 5, ok ? word.p : "error");
    return fa_at(e, "provider");
}

fa_rc api_oidc_callback(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str error = fa_req_query(r, "error"), again;
    fa_verified v;
    fa_flow f;
    fa_idp c;
    fa_rc rc;

    if ((rc = sso_connection(r, r->arg[0], "oidc", &c, e)))
        return rc;
    if ((rc = fa_flow_take(r->ledger, r->mem, fa_req_query(r, "state"), sso_cookie(r), &f, e)))
        return rc == FA_EAUTH ? sso_failed(r, o, &c, NULL, e) : rc;
    if (!fa_str_eq(f.idp_id, c.id)) {
        fa_fail(e, FA_EAUTH, "the answer came to another connection's address");
        fa_at(e, "state");
        return sso_failed(r, o, &c, NULL, e);
    }
    if (fa_req_query_nth(r, "code", 1, &again) || fa_req_query_nth(r, "state", 1, &again))
        rc = provider_error(FA_STR("twice"), e);
    else if (error.n)
        rc = provider_error(error, e);
    else
        rc = fa_oidc_finish(r->ledger, app_of(r)->net, r->mem, &c, &f, redirect_uri(r, &c),
                            fa_req_query(r, "code"), fa_req_query(r, "iss"), &v, e);
    if (!rc)
        return sso_enter(r, o, &c, &f, &v, e);
    return fa_rc_get(rc)->http == 500 ? rc : sso_failed(r, o, &c, &f, e);
}

/* The body is a form with one field. */
static fa_str form_field(fa_str body, const char *name)
{
    while (body.n) {
        const char *amp = memchr(body.p, '&', body.n);
        fa_str pair = {body.p, amp ? (size_t)(amp - body.p) : body.n};

        body = amp ? (fa_str){amp + 1, body.n - pair.n - 1} : (fa_str){0};
        if (fa_take(&pair, name) && fa_take(&pair, "="))
            return pair;
    }
    return (fa_str){0};
}

/* Every refusal is a 400, as the specification of the protocol has it. */
fa_rc api_oidc_left(fa_req *r, fa_res *o, fa_err *e)
{
    fa_browser b = {.ip = r->ip, .agent = r->agent};
    fa_str subject, session;
    int64_t ended;
    fa_idp c;
    fa_rc rc = sso_connection(r, r->arg[0], "oidc", &c, e);

    if (rc)
        return rc;
    rc = fa_oidc_left(r->ledger, app_of(r)->net, r->mem, &c, form_field(r->body, "logout_token"),
                      &subject, &session, e);
    if (rc) {
        fa_federated_refused(r->ledger, &c, &b, e);
        return rc == FA_EAUTH ? (e->rc = FA_EINVAL) : rc;
    }
    if ((rc = fa_federated_left(r->ledger, &c, subject, session, r->ip, &ended, e)))
        return rc;
    fa_log(FA_LOG_INFO, "oidc_left", "connection=%.*s sessions=%lld", FA_FMT(c.id),
           (long long)ended);
    fa_buf_z(&o->body, "{}");
    return FA_OK;
}
