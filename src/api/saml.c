/*
 * saml.c - SAML 2.0 at the door: our metadata, where the provider posts its answers to, and signing out.
 *
 * Messages go to the verifier as they came; here is no XML. Why one was refused is in the audit log and told to nobody
 * else: a browser that could see it would help to guess what is encrypted.
 */
#include "api/sso.h"

#include "saml/saml.h"

#include <stdlib.h>
#include <string.h>

enum { ONCE_LONGER_MS = 5 * 60000, EXPIRES_SOON_DAYS = 30, RELAY = 43 };
#define PERSISTENT "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
#define DAY_MS INT64_C(86400000)

static fa_rc open_connection(fa_req *r, const fa_idp *c, fa_saml_sp *sp, fa_saml_idp *idp,
                             fa_err *e)
{
    *sp = (fa_saml_sp){.entity_id = sso_url(r, "/api/sso/%.*s/metadata", FA_FMT(c->id)),
                       .acs_url = sso_url(r, "/api/sso/%.*s/acs", FA_FMT(c->id)),
                       .slo_url = sso_url(r, "/api/sso/%.*s/slo", FA_FMT(c->id))};
    if (!sp->entity_id.p || !sp->acs_url.p || !sp->slo_url.p)
        return fa_oom(e);
    return fa_idp_saml(r->ledger, r->mem, c, sp, idp, e);
}

static void forget_key(fa_saml_sp *sp)
{
    if (sp->key.n)
        explicit_bzero((char *)(uintptr_t)sp->key.p, sp->key.n);
    sp->key = FA_STR("");
}

/* A message's id, which has to begin with a letter or "_". */
static fa_str message_id(fa_req *r, fa_str random)
{
    const char *z = fa_arena_printf(r->mem, "_%.*s", FA_FMT(random));

    return z ? fa_str_of(z) : (fa_str){0};
}

static fa_str random_id(fa_req *r)
{
    unsigned char bytes[20];
    char hex[2 * sizeof bytes + 1];

    fa_random(bytes, sizeof bytes);
    fa_hex(hex, bytes, sizeof bytes);
    return message_id(r, fa_str_of(hex));
}

/* ---- going out ---- */

fa_rc saml_start(fa_req *r, const fa_idp *c, const fa_flow *f, fa_str *url, fa_err *e)
{
    fa_saml_request out;
    fa_saml_idp idp;
    json_t *config;
    fa_saml_sp sp;
    fa_str format;
    fa_rc rc;

    if ((rc = open_connection(r, c, &sp, &idp, e)) || (rc = fa_idp_config(r->mem, c, &config, e)))
        return rc;
    format = fa_idp_text(config, "subjectAttribute").n ? FA_STR("") : FA_STR(PERSISTENT);
    rc = fa_saml_authn(r->mem, &sp, &idp, message_id(r, f->nonce), format, f->state,
                       fa_str_eqz(f->purpose, "prove"), &out, e);
    forget_key(&sp);
    if (!rc)
        *url = out.url;
    return rc;
}

/* The names that the sign-in left with the session. */
static fa_rc who_left(fa_req *r, fa_str hint, fa_saml_subject *who, fa_err *e)
{
    json_t *j = json_loadb(hint.p ? hint.p : "", hint.n, 0, NULL);

    *who =
        (fa_saml_subject){.name_id = fa_arena_dup(r->mem, fa_idp_text(j, "name")),
                          .name_format = fa_arena_dup(r->mem, fa_idp_text(j, "format")),
                          .name_qualifier = fa_arena_dup(r->mem, fa_idp_text(j, "qualifier")),
                          .sp_name_qualifier = fa_arena_dup(r->mem, fa_idp_text(j, "spQualifier")),
                          .session_index = fa_arena_dup(r->mem, fa_idp_text(j, "index"))};
    json_decref(j);
    return who->name_id.n ? FA_OK : fa_fail(e, FA_EDATA, "the session does not say whose it is");
}

fa_rc saml_leave(fa_req *r, const fa_idp *c, const fa_federated_session *s, fa_str *url, fa_err *e)
{
    fa_saml_request out;
    fa_saml_subject who;
    fa_saml_idp idp;
    json_t *config;
    fa_saml_sp sp;
    fa_rc rc;

    *url = FA_STR("");
    if ((rc = fa_idp_config(r->mem, c, &config, e)) || !fa_idp_bool(config, "endSession") ||
        !fa_idp_text(config, "sloUrl").n || (rc = who_left(r, s->hint, &who, e)) ||
        (rc = open_connection(r, c, &sp, &idp, e)))
        return rc;
    rc = fa_saml_logout(r->mem, &sp, &idp, random_id(r), &who, FA_STR(""), &out, e);
    forget_key(&sp);
    if (!rc)
        *url = out.url;
    return rc;
}

/* ---- setting up ---- */

static void put_check(fa_jw *w, const char *what, const char *detail)
{
    fa_jw_obj(w);
    put_z(w, "what", what);
    put_z(w, "detail", detail);
    fa_jw_end_obj(w);
}

static const char *until_text(fa_req *r, const fa_saml_cert *c)
{
    int64_t now = fa_now_ms(), days = (c->to_ms - now) / DAY_MS;
    fa_buf day = {0};
    const char *z;

    fa_day_emit(&day, fa_ms_day(c->to_ms));
    z = fa_arena_printf(r->mem, "%.*s, %.*s, %s %s%s", FA_FMT(c->subject), FA_FMT(c->key),
                        c->to_ms < now ? "ended on" : "good until", day.p ? day.p : "",
                        c->to_ms < now             ? ": ask the provider for the new one"
                        : days < EXPIRES_SOON_DAYS ? ": soon to be changed"
                                                   : "");
    fa_buf_release(&day);
    return z ? z : "";
}

/* Without a person nothing can be asked of the provider: what is set up is used once, as a sign-in would. */
fa_rc saml_test(fa_req *r, const fa_idp *c, fa_jw *w, fa_err *e)
{
    fa_saml_request out;
    fa_saml_idp idp;
    fa_saml_sp sp;
    fa_rc rc = open_connection(r, c, &sp, &idp, e);

    if (rc)
        return rc;
    for (size_t i = 0; i < idp.ncert; i++)
        put_check(w, "Certificate of the provider", until_text(r, &idp.cert[i]));
    rc = fa_saml_authn(r->mem, &sp, &idp, random_id(r), FA_STR(PERSISTENT), FA_STR("test"), false,
                       &out, e);
    forget_key(&sp);
    if (!rc)
        put_check(w, "Signed request", fa_arena_printf(r->mem, "for %.*s", FA_FMT(idp.sso_url)));
    return rc;
}

fa_rc saml_addresses(fa_req *r, const fa_idp *c, fa_jw *w, fa_err *e)
{
    fa_saml_idp idp = {0};
    json_t *config;
    fa_err none;
    fa_rc rc = fa_idp_config(r->mem, c, &config, e);

    if (rc)
        return rc;
    put_str(w, "Metadata", sso_url(r, "/api/sso/%.*s/metadata", FA_FMT(c->id)));
    put_str(w, "Entity ID (audience)", sso_url(r, "/api/sso/%.*s/metadata", FA_FMT(c->id)));
    put_str(w, "Assertion consumer service (reply URL)",
            sso_url(r, "/api/sso/%.*s/acs", FA_FMT(c->id)));
    put_str(w, "Single logout service", sso_url(r, "/api/sso/%.*s/slo", FA_FMT(c->id)));
    if (fa_saml_certs_read(r->mem, fa_idp_text(config, "certificates"), &idp, &none))
        return FA_OK; /* the test says what is wrong with them */
    for (size_t i = 0; i < idp.ncert; i++) {
        char name[40];

        snprintf(name, sizeof name, "Provider's certificate %zu", i + 1);
        put_z(w, name, until_text(r, &idp.cert[i]));
    }
    return FA_OK;
}

fa_rc api_saml_metadata(fa_req *r, fa_res *o, fa_err *e)
{
    fa_saml_idp idp;
    fa_saml_sp sp;
    fa_idp c;
    fa_rc rc;

    if ((rc = sso_connection(r, r->arg[0], "saml", &c, e)) ||
        (rc = open_connection(r, &c, &sp, &idp, e)))
        return rc;
    forget_key(&sp);
    fa_saml_metadata(&o->body, &sp);
    return out_attachment(r, o, "application/samlmetadata+xml", "farthing-metadata.xml", e);
}

static fa_rc fetch(fa_req *r, fa_str url, fa_str *xml, fa_err *e)
{
    fa_net_response got = {0};
    fa_net_request q = {.url = fa_arena_dupz(r->mem, url),
                        .max_body = FA_SAML_XML_MAX,
                        .total_ms = 20000,
                        .tries = 2,
                        .redirects = 3};
    fa_rc rc;

    if (!q.url)
        return fa_oom(e);
    if ((rc = fa_net_send(app_of(r)->net, r->mem, &q, &got, e)))
        return rc;
    if (got.status != 200)
        return fa_fail(e, FA_EDATA, "the address of the metadata answers with %d", got.status);
    *xml = got.body;
    return FA_OK;
}

static void put_pem(fa_jw *w, const fa_saml_idp *idp)
{
    fa_buf b = {0};

    for (size_t i = 0; i < idp->ncert; i++) {
        fa_str der = idp->cert[i].der;

        fa_buf_z(&b, "-----BEGIN CERTIFICATE-----\n");
        for (size_t k = 0; k < der.n; k += 64)
            fa_buf_fmt(&b, "%.*s\n", (int)(der.n - k < 64 ? der.n - k : 64), der.p + k);
        fa_buf_z(&b, "-----END CERTIFICATE-----\n");
    }
    put_str(w, "certificates", fa_buf_view(&b));
    fa_buf_release(&b);
}

/* {"xml"} or {"url"}: what the provider's metadata says, for the fields of a connection. Saves nothing. */
fa_rc api_saml_read(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str xml, url;
    fa_saml_idp idp;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "xml", false, &xml, e)) ||
        (rc = in_text(r->json, "url", false, &url, e)))
        return rc;
    if (!xml.n == !url.n) {
        fa_fail(e, FA_EINVAL, "give the metadata or its address");
        return fa_at(e, "xml");
    }
    if ((url.n && (rc = fetch(r, url, &xml, e))) || (rc = fa_saml_idp_read(r->mem, xml, &idp, e)))
        return rc == FA_EDATA || rc == FA_EINVAL ? fa_at(e, url.n ? "url" : "xml") : rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "config");
    fa_jw_obj(&w);
    put_str(&w, "entityId", idp.entity_id);
    put_str(&w, "ssoUrl", idp.sso_url);
    put_str(&w, "sloUrl", idp.slo_url);
    put_pem(&w, &idp);
    fa_jw_end_obj(&w);
    fa_jw_key(&w, "certificates");
    fa_jw_arr(&w);
    for (size_t i = 0; i < idp.ncert; i++) {
        fa_jw_obj(&w);
        put_str(&w, "subject", idp.cert[i].subject);
        put_str(&w, "fingerprint", idp.cert[i].fingerprint);
        put_str(&w, "key", idp.cert[i].key);
        put_time(&w, "from", idp.cert[i].from_ms);
        put_time(&w, "to", idp.cert[i].to_ms);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_saml_key(fa_req *r, fa_res *o, fa_err *e)
{
    fa_idp c;
    fa_rc rc;

    if ((rc = sso_connection(r, r->arg[0], "saml", &c, e)) ||
        (rc = fa_idp_renew(r->ledger, r->mem, r->caller, r->arg[0], &c, e)))
        return rc;
    o->status = 204;
    return FA_OK;
}

/* ---- coming back ---- */

/* The verifier's word for the log; for the browser one that says nothing. */
static fa_rc refused(fa_req *r, fa_res *o, const fa_idp *c, const fa_flow *f, fa_err *e)
{
    bool provider = strcmp(e->field, "status") == 0;
    char why[sizeof e->msg];

    snprintf(why, sizeof why, "%s", e->msg);
    if (e->field[0])
        fa_fail(e, FA_EAUTH, "SAML %.40s: %.600s", e->field, why);
    fa_at(e, provider ? "provider" : "token");
    return sso_failed(r, o, c, f, e);
}

/* A browser is waiting: it gets a page of ours, not JSON. */
static bool told_in_a_page(fa_rc rc)
{
    return rc == FA_EAUTH || rc == FA_EENV || rc == FA_EDATA || rc == FA_ELIMIT ||
           rc == FA_ETIMEOUT || rc == FA_ETOOBIG;
}

/* The flow that RelayState and cookie name; or, where the connection allows it, none: then a sign-in that the provider began. */
static fa_rc take_flow(fa_req *r, const fa_idp *c, fa_str relay, fa_flow *f, fa_err *e)
{
    json_t *config;
    fa_rc rc;

    if (relay.n != RELAY || !sso_cookie(r).n) {
        if ((rc = fa_idp_config(r->mem, c, &config, e)))
            return rc;
        if (fa_idp_bool(config, "unsolicited") && relay.n != RELAY) {
            *f = (fa_flow){
                .idp_id = c->id, .purpose = FA_STR("signin"), .back = FA_STR("/megabill")};
            return FA_OK;
        }
    }
    if ((rc = fa_flow_take(r->ledger, r->mem, relay, sso_cookie(r), f, e)))
        return rc;
    if (fa_str_eq(f->idp_id, c->id))
        return FA_OK;
    fa_fail(e, FA_EAUTH, "the answer came to another connection's address");
    return fa_at(e, "state");
}

/* Everything between the form and a verified identity. */
static fa_rc verify(fa_req *r, const fa_idp *c, const fa_flow *f, fa_verified *v, fa_err *e)
{
    fa_str expect = f->nonce.n ? message_id(r, f->nonce) : FA_STR("");
    fa_saml_claims claims;
    fa_saml_idp idp;
    fa_saml_sp sp;
    fa_rc rc;

    if ((!f->nonce.n && (rc = fa_saml_uncalled(r->ip, e))) ||
        (rc = open_connection(r, c, &sp, &idp, e)))
        return rc;
    rc = fa_saml_response(r->mem, &sp, &idp, fa_req_form(r, "SAMLResponse"), expect, &claims, e);
    forget_key(&sp);
    if (rc || (rc = fa_seen_once(r->ledger, "assertion", c->id, claims.assertion_id,
                                 claims.expires_ms + ONCE_LONGER_MS, e)))
        return rc;
    return fa_saml_verified(r->mem, c, &claims, v, e);
}

fa_rc api_saml_acs(fa_req *r, fa_res *o, fa_err *e)
{
    fa_flow f = {0};
    fa_verified v;
    fa_idp c;
    fa_rc rc;

    if ((rc = sso_connection(r, r->arg[0], "saml", &c, e)))
        return rc;
    rc = take_flow(r, &c, fa_req_form(r, "RelayState"), &f, e);
    if (rc)
        return rc == FA_EAUTH ? sso_failed(r, o, &c, NULL, e) : rc;
    if (!(rc = verify(r, &c, &f, &v, e)))
        return sso_enter(r, o, &c, &f, &v, e);
    return told_in_a_page(rc) ? refused(r, o, &c, &f, e) : rc;
}

/* ---- signing out ---- */

/* The provider ends sessions of a person: those it names, or all. *ended: how many there were. */
static fa_rc end_sessions(fa_req *r, const fa_idp *c, const fa_saml_logout_in *in, int64_t *ended,
                          fa_err *e)
{
    json_t *config;
    fa_str subject = in->name_id;
    int64_t n = 0;
    fa_rc rc = fa_idp_config(r->mem, c, &config, e);

    *ended = 0;
    if (rc)
        return rc;
    if (fa_idp_text(config, "subjectAttribute").n)
        subject = FA_STR(""); /* the NameID is not what we know the person by */
    if (!in->n && subject.n)
        return fa_federated_left(r->ledger, c, subject, FA_STR(""), r->ip, ended, e);
    for (size_t i = 0; i < in->n; i++) {
        if (!in->session_index[i].n)
            continue;
        if ((rc = fa_federated_left(r->ledger, c, subject, in->session_index[i], r->ip, &n, e)))
            return rc;
        *ended += n;
    }
    return FA_OK;
}

static fa_rc answer(fa_req *r, fa_res *o, const fa_idp *c, const fa_saml_sp *sp,
                    const fa_saml_idp *idp, const fa_saml_logout_in *in, fa_err *e)
{
    fa_str relay = fa_req_query(r, "RelayState");
    fa_saml_request out;
    int64_t ended;
    fa_rc rc;

    if ((rc = fa_seen_once(r->ledger, "logout", c->id, in->id, fa_now_ms() + 2 * ONCE_LONGER_MS,
                           e)) ||
        (rc = end_sessions(r, c, in, &ended, e)))
        return rc;
    fa_log(FA_LOG_INFO, "saml_left", "connection=%.*s sessions=%lld", FA_FMT(c->id),
           (long long)ended);
    if (!idp->slo_url.n)
        return sso_redirect(r, o, sso_url(r, "/signin"), e);
    if (relay.n > 80) /* what the binding allows; longer ones are not carried */
        relay = FA_STR("");
    rc = fa_saml_logout_answer(r->mem, sp, idp, random_id(r), in->id, ended > 0 || !in->n, relay,
                               &out, e);
    return rc ? rc : sso_redirect(r, o, out.url, e);
}

static fa_rc signed_out(fa_req *r, fa_res *o, fa_str query, fa_str message, fa_err *e)
{
    fa_saml_logout_in in;
    fa_saml_idp idp;
    fa_saml_sp sp;
    fa_idp c;
    fa_rc rc;

    if ((rc = sso_connection(r, r->arg[0], "saml", &c, e)) ||
        (rc = open_connection(r, &c, &sp, &idp, e)))
        return rc;
    if (!(rc = fa_saml_uncalled(r->ip, e)))
        rc = fa_saml_logout_read(r->mem, &sp, &idp, query, message, &in, e);
    if (!rc && in.request)
        rc = answer(r, o, &c, &sp, &idp, &in, e);
    else if (!rc) /* our own sessions ended before we asked */
        rc = sso_redirect(r, o, sso_url(r, "/signin"), e);
    forget_key(&sp);
    return told_in_a_page(rc) ? refused(r, o, &c, NULL, e) : rc;
}

fa_rc api_saml_slo(fa_req *r, fa_res *o, fa_err *e)
{
    return signed_out(r, o, fa_req_raw_query(r), FA_STR(""), e);
}

fa_rc api_saml_slo_post(fa_req *r, fa_res *o, fa_err *e)
{
    return signed_out(r, o, FA_STR(""), fa_req_form(r, "SAMLResponse"), e);
}
