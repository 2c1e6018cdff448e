/*
 * logout.c - what an identity provider sends us about signing out: read and verified.
 *
 * By HTTP-Redirect the signature is over the query as it came: the very octets are verified, then unpacked
 * (256 KiB at most) and read. By HTTP-POST, taken for answers only, it is an XML signature of the message.
 */
#include "saml/inner.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>
#include <zlib.h>

#define MORE "http://www.w3.org/2001/04/xmldsig-more#"

/* ---- the query ---- */

typedef struct query {
    fa_str message, relay, algorithm, signature; /* as they came, percent-encoded */
    bool request, has_relay;
} query;

static fa_rc twice(fa_err *e)
{
    return fa_saml_refuse(e, "form", "the query has a part twice");
}

static fa_rc split(fa_str text, query *q, fa_err *e)
{
    *q = (query){0};
    while (text.n) {
        const char *amp = memchr(text.p, '&', text.n);
        fa_str part = {text.p, amp ? (size_t)(amp - text.p) : text.n};
        const char *eq = memchr(part.p, '=', part.n);
        fa_str name = {part.p, eq ? (size_t)(eq - part.p) : part.n}, value = {0}, *to = NULL;

        text = amp ? (fa_str){amp + 1, text.n - part.n - 1} : (fa_str){0};
        if (eq)
            value = (fa_str){eq + 1, part.n - name.n - 1};
        if (fa_str_eqz(name, "SAMLRequest") || fa_str_eqz(name, "SAMLResponse")) {
            q->request = fa_str_eqz(name, "SAMLRequest");
            to = &q->message;
        } else if (fa_str_eqz(name, "RelayState")) {
            q->has_relay = true;
            to = &q->relay;
        } else if (fa_str_eqz(name, "SigAlg")) {
            to = &q->algorithm;
        } else if (fa_str_eqz(name, "Signature")) {
            to = &q->signature;
        } else if (fa_str_eqz(name, "SAMLEncoding")) {
            return fa_saml_refuse(e, "form", "the query names an encoding");
        }
        if (to && to->p)
            return twice(e);
        if (to)
            *to = value.p ? value : FA_STR("");
    }
    if (!q->message.n)
        return fa_saml_refuse(e, "form", "the query has no message");
    if (!q->algorithm.n || !q->signature.n)
        return fa_saml_refuse(e, "unsigned", "the message is not signed");
    return FA_OK;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool unescape(fa_arena *a, fa_str s, fa_str *out)
{
    char *to = fa_arena_alloc(a, s.n + 1);
    size_t n = 0;

    if (!to)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            to[n++] = s.p[i] == '+' ? ' ' : s.p[i];
            continue;
        }
        if (i + 2 >= s.n || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0)
            return false;
        to[n++] = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
        i += 2;
    }
    *out = (fa_str){to, n};
    return true;
}

static const EVP_MD *digest_of(fa_str name, bool *rsa)
{
    static const struct {
        const char *name;
        bool rsa;
        const EVP_MD *(*md)(void);
    } known[] = {
        {MORE "rsa-sha256", true, EVP_sha256},    {MORE "rsa-sha384", true, EVP_sha384},
        {MORE "rsa-sha512", true, EVP_sha512},    {MORE "ecdsa-sha256", false, EVP_sha256},
        {MORE "ecdsa-sha384", false, EVP_sha384}, {MORE "ecdsa-sha512", false, EVP_sha512},
    };

    for (size_t i = 0; i < FA_COUNT(known); i++)
        if (fa_str_eqz(name, known[i].name)) {
            *rsa = known[i].rsa;
            return known[i].md();
        }
    return NULL;
}

static bool verified(X509 *c, const EVP_MD *md, bool rsa, fa_str text, fa_str signature)
{
    EVP_PKEY *key = X509_get0_pubkey(c);
    EVP_MD_CTX *x;
    bool ok;

    if (EVP_PKEY_get_base_id(key) != (rsa ? EVP_PKEY_RSA : EVP_PKEY_EC))
        return false;
    x = EVP_MD_CTX_new();
    ok = x && EVP_DigestVerifyInit(x, NULL, md, NULL, key) == 1 &&
         EVP_DigestVerify(x, (const unsigned char *)signature.p, signature.n,
                          (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(x);
    return ok;
}

/* The octets that were signed: the parts as they came, in the order of the binding. */
static fa_rc query_signed(fa_arena *a, const query *q, const fa_pins *pins, fa_err *e)
{
    fa_str name, text, signature;
    const EVP_MD *md;
    bool rsa = false, ok = false;
    fa_buf b;

    if (!unescape(a, q->algorithm, &name) || !unescape(a, q->signature, &text) ||
        !fa_base64(a, text, &signature))
        return fa_saml_refuse(e, "signature_form", "the signature of the query is not readable");
    if (!(md = digest_of(name, &rsa)))
        return fa_saml_refuse(e, "algorithm", "the signature algorithm \"%.*s\" is not allowed",
                              (int)(name.n > 120 ? 120 : name.n), name.p);
    fa_buf_init(&b, FA_SAML_FRAME_MAX);
    fa_buf_z(&b, q->request ? "SAMLRequest=" : "SAMLResponse=");
    fa_buf_str(&b, q->message);
    if (q->has_relay) {
        fa_buf_z(&b, "&RelayState=");
        fa_buf_str(&b, q->relay);
    }
    fa_buf_z(&b, "&SigAlg=");
    fa_buf_str(&b, q->algorithm);
    for (size_t i = 0; !b.failed && !ok && i < pins->n; i++)
        ok = verified(pins->cert[i], md, rsa, fa_buf_view(&b), signature);
    fa_buf_release(&b);
    return ok ? FA_OK : fa_saml_refuse(e, "signature", "no known key made this signature");
}

static fa_rc inflate_to(fa_arena *a, fa_str packed, fa_str *out, fa_err *e)
{
    char *to = fa_arena_alloc(a, FA_SAML_XML_MAX + 1);
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)packed.p, .avail_in = (unsigned)packed.n};
    int ret;

    if (!to || inflateInit2(&z, -15) != Z_OK)
        return fa_oom(e);
    z.next_out = (unsigned char *)to;
    z.avail_out = FA_SAML_XML_MAX + 1;
    ret = inflate(&z, Z_FINISH);
    *out = (fa_str){to, z.total_out};
    inflateEnd(&z);
    if (out->n > FA_SAML_XML_MAX)
        return fa_saml_refuse(e, "too_large", "the message is larger than %d bytes",
                              FA_SAML_XML_MAX);
    return ret == Z_STREAM_END ? FA_OK
                               : fa_saml_refuse(e, "not_deflated", "the message is not deflated");
}

/* ---- the message ---- */

typedef struct wanted {
    fa_str entity, slo, idp;
    int64_t now;
} wanted;

static fa_rc common(const xmlNode *root, const wanted *w, fa_err *e)
{
    fa_str s;
    xmlNode *n;
    int64_t at;

    if (!fa_str_eqz(fa_tree_attribute(root, "Version"), "2.0"))
        return fa_saml_refuse(e, "form", "the message is not of SAML 2.0");
    if (!fa_tree_only(root, NS_SAML, "Issuer", &n) || !n || !fa_tree_text(n, &s) ||
        !fa_str_eq(s, w->idp))
        return fa_saml_refuse(e, "issuer", "the issuer is not the identity provider");
    if (!fa_str_eq(fa_tree_attribute(root, "Destination"), w->slo))
        return fa_saml_refuse(e, "destination", "the message was sent to another address");
    if (!fa_tree_time(fa_tree_attribute(root, "IssueInstant"), &at))
        return fa_saml_refuse(e, "time", "the message does not say when it was made");
    if (at > w->now + FA_SAML_SKEW_S * 1000)
        return fa_saml_refuse(e, "not_yet", "the message was made in the future");
    if (at < w->now - (300 + FA_SAML_SKEW_S) * 1000)
        return fa_saml_refuse(e, "expired", "the message is older than five minutes");
    return FA_OK;
}

static fa_rc read_answer(const xmlNode *root, json_t *o, fa_err *e)
{
    xmlNode *status = fa_tree_child(root, NS_SAMLP, "Status");
    fa_str code = fa_tree_attribute(fa_tree_child(status, NS_SAMLP, "StatusCode"), "Value"),
           to = fa_tree_attribute(root, "InResponseTo");

    if (!code.n || !to.n)
        return fa_saml_refuse(e, "form", "the answer has no status or no request");
    if (json_object_set_new(o, "inResponseTo", json_stringn(to.p, to.n)) ||
        json_object_set_new(o, "success", json_boolean(fa_str_eqz(code, STATUS_SUCCESS))))
        return fa_oom(e);
    return FA_OK;
}

static fa_rc read_request(const xmlNode *root, const wanted *w, json_t *o, fa_err *e)
{
    fa_str ends = fa_tree_attribute(root, "NotOnOrAfter"), name, s;
    json_t *list = json_array();
    xmlNode *id;
    int64_t at;

    if (!list || json_object_set_new(o, "sessions", list))
        return fa_oom(e);
    if (ends.p && (!fa_tree_time(ends, &at) || at <= w->now - FA_SAML_SKEW_S * 1000))
        return fa_saml_refuse(e, "expired", "the request is not valid any more");
    if (!fa_tree_only(root, NS_SAML, "NameID", &id) || !fa_tree_text(id, &name) || !name.n)
        return fa_saml_refuse(e, "subject", "the request names nobody");
    for (id = fa_tree_child(root, NS_SAMLP, "SessionIndex"); id;
         id = fa_tree_next(id, NS_SAMLP, "SessionIndex")) {
        if (!fa_tree_text(id, &s) || json_array_size(list) == 64)
            return fa_saml_refuse(e, "form", "the request's sessions are not readable");
        if (json_array_append_new(list, json_stringn(s.p, s.n)))
            return fa_oom(e);
    }
    return json_object_set_new(o, "nameId", json_stringn(name.p, name.n)) ? fa_oom(e) : FA_OK;
}

static fa_rc read_message(const xmlNode *root, const wanted *w, bool request, json_t *o, fa_err *e)
{
    fa_str id = fa_tree_attribute(root, "ID");
    fa_rc rc;

    if (!fa_tree_is(root, NS_SAMLP, request ? "LogoutRequest" : "LogoutResponse") || !id.n)
        return fa_saml_refuse(e, "form", "this is not the message it should be");
    if ((rc = common(root, w, e)))
        return rc;
    if (json_object_set_new(o, "id", json_stringn(id.p, id.n)) ||
        json_object_set_new(o, "request", json_boolean(request)))
        return fa_oom(e);
    return request ? read_request(root, w, o, e) : read_answer(root, o, e);
}

/* ---- the two ways ---- */

static fa_rc by_redirect(fa_arena *a, fa_str text, const wanted *w, const fa_pins *pins, json_t *o,
                         fa_err *e)
{
    xmlDoc *doc = NULL;
    fa_str b64, packed, xml;
    query q;
    fa_rc rc;

    if ((rc = split(text, &q, e)) || (rc = query_signed(a, &q, pins, e)))
        return rc;
    if (!unescape(a, q.message, &b64) || !fa_base64(a, b64, &packed))
        return fa_saml_refuse(e, "not_base64", "the message is not base64");
    if ((rc = inflate_to(a, packed, &xml, e)) || (rc = fa_tree_read(xml, false, &doc, e)))
        return rc;
    rc = read_message(xmlDocGetRootElement(doc), w, q.request, o, e);
    xmlFreeDoc(doc);
    return rc;
}

static fa_rc by_post(fa_arena *a, fa_str text, const wanted *w, const fa_pins *pins, json_t *o,
                     fa_err *e)
{
    xmlDoc *doc = NULL, *fresh = NULL;
    fa_str xml;
    fa_rc rc;

    if (!fa_base64(a, text, &xml))
        return fa_saml_refuse(e, "not_base64", "the message is not base64");
    if ((rc = fa_tree_read(xml, false, &doc, e)))
        return rc;
    if (!(rc = fa_signed_open(xmlDocGetRootElement(doc), pins, &fresh, e)))
        rc = read_message(xmlDocGetRootElement(fresh), w, false, o, e);
    xmlFreeDoc(fresh);
    xmlFreeDoc(doc);
    return rc;
}

fa_rc fa_op_logout_read(fa_arena *a, const json_t *q, json_t **out, fa_err *e)
{
    const json_t *sp = json_object_get(q, "sp"), *idp = json_object_get(q, "idp");
    fa_str text = fa_op_text(q, "query"), message = fa_op_text(q, "message");
    wanted w = {.entity = fa_op_text(sp, "entityId"),
                .slo = fa_op_text(sp, "slo"),
                .idp = fa_op_text(idp, "entityId"),
                .now = json_integer_value(json_object_get(q, "now"))};
    json_t *o = json_object();
    fa_pins pins = {0};
    fa_rc rc;

    if (!o)
        return fa_oom(e);
    if (!w.entity.n || !w.slo.n || !w.idp.n || w.now <= 0)
        rc = fa_fail(e, FA_EINVAL, "the question is not complete");
    else if (!(rc = fa_pins_read(idp, &pins, e)))
        rc = text.n ? by_redirect(a, text, &w, &pins, o, e) : by_post(a, message, &w, &pins, o, e);
    fa_pins_free(&pins);
    if (rc)
        json_decref(o);
    else
        *out = o;
    return rc;
}
