/*
 * idp.c - metadata of an identity provider: who it is, where it is asked, which certificates are pinned.
 *
 * An administrator gives it, as a file or as the address it is fetched from, and sees what was read before it counts; its
 * own signature, made with a key nobody here knows yet, would prove nothing. A file of several entities is taken when
 * just one of them is an identity provider.
 */
#include "saml/inner.h"

#include <string.h>

FA_PRINTF(2, 3)
static fa_rc bad(fa_err *e, const char *fmt, ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return fa_fail(e, FA_EDATA, "the metadata %s", text);
}

/* The one entity with a role for identity providers; *n counts them. */
static void find(xmlNode *at, xmlNode **entity, size_t *n)
{
    if (fa_tree_is(at, NS_MD, "EntityDescriptor")) {
        if (fa_tree_child(at, NS_MD, "IDPSSODescriptor")) {
            *entity = at;
            ++*n;
        }
        return;
    }
    if (fa_tree_is(at, NS_MD, "EntitiesDescriptor"))
        for (at = fa_tree_first(at); at; at = fa_tree_after(at))
            find(at, entity, n);
}

static bool url_ok(fa_str s)
{
    if (s.n > 2000 ||
        !(fa_str_starts(s, FA_STR("https://")) || fa_str_starts(s, FA_STR("http://"))))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f || s.p[i] == '#' ||
            s.p[i] == '"' || s.p[i] == '<' || s.p[i] == '>' || s.p[i] == '\\')
            return false;
    return true;
}

static fa_str endpoint(const xmlNode *role, const char *service)
{
    const xmlNode *n = fa_tree_child(role, NS_MD, service);

    for (; n; n = fa_tree_next(n, NS_MD, service))
        if (fa_str_eqz(fa_tree_attribute(n, "Binding"), BIND_REDIRECT))
            return fa_tree_attribute(n, "Location");
    return FA_STR("");
}

static bool has(const json_t *list, fa_str fingerprint)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (fa_str_eq(fa_op_text(json_array_get(list, i), "fingerprint"), fingerprint))
            return true;
    return false;
}

static json_t *cert_json(const fa_saml_cert *c)
{
    return json_pack("{s:s%, s:s%, s:s%, s:s%, s:I, s:I}", "der", c->der.p, c->der.n, "subject",
                     c->subject.p, c->subject.n, "fingerprint", c->fingerprint.p, c->fingerprint.n,
                     "key", c->key.p, c->key.n, "from", (json_int_t)c->from_ms, "to",
                     (json_int_t)c->to_ms);
}

static fa_rc take_cert(fa_arena *a, const xmlNode *n, json_t *list, fa_err *e)
{
    const xmlNode *t = n->children;
    fa_saml_cert c;
    fa_rc rc;

    if (!t || t->type != XML_TEXT_NODE || t->next)
        return bad(e, "has a certificate that is not one text");
    if ((rc = fa_saml_cert_read(a, fa_str_of((const char *)t->content), &c, e)))
        return rc;
    if (has(list, c.fingerprint))
        return FA_OK;
    if (json_array_size(list) == FA_SAML_CERTS)
        return bad(e, "has more than %d signing certificates: leave out the old ones",
                   FA_SAML_CERTS);
    return json_array_append_new(list, cert_json(&c)) ? fa_oom(e) : FA_OK;
}

static fa_rc certs(fa_arena *a, const xmlNode *role, json_t *list, fa_err *e)
{
    const xmlNode *k = fa_tree_child(role, NS_MD, "KeyDescriptor"), *d, *c;
    fa_rc rc = FA_OK;

    for (; !rc && k; k = fa_tree_next(k, NS_MD, "KeyDescriptor")) {
        if (fa_str_eqz(fa_tree_attribute(k, "use"), "encryption"))
            continue;
        d = fa_tree_child(fa_tree_child(k, NS_DSIG, "KeyInfo"), NS_DSIG, "X509Data");
        for (; !rc && d; d = fa_tree_next(d, NS_DSIG, "X509Data"))
            for (c = fa_tree_child(d, NS_DSIG, "X509Certificate"); !rc && c;
                 c = fa_tree_next(c, NS_DSIG, "X509Certificate"))
                rc = take_cert(a, c, list, e);
    }
    if (!rc && !json_array_size(list))
        rc = bad(e, "has no signing certificate");
    return rc;
}

static fa_rc valid_now(const xmlNode *n, int64_t now, fa_err *e)
{
    fa_str until = fa_tree_attribute(n, "validUntil");
    int64_t at;

    if (until.p && (!fa_tree_time(until, &at) || at <= now))
        return bad(e, "is not valid any more, it says until %.*s",
                   (int)(until.n > 40 ? 40 : until.n), until.p);
    return FA_OK;
}

static fa_rc describe(fa_arena *a, const xmlNode *entity, int64_t now, json_t *o, fa_err *e)
{
    const xmlNode *role = fa_tree_child(entity, NS_MD, "IDPSSODescriptor");
    fa_str id = fa_tree_attribute(entity, "entityID"), sso = endpoint(role, "SingleSignOnService"),
           slo = endpoint(role, "SingleLogoutService"),
           protocols = fa_tree_attribute(role, "protocolSupportEnumeration");
    json_t *list = json_array();
    fa_rc rc;

    if (!list || json_object_set_new(o, "certs", list))
        return fa_oom(e);
    if ((rc = valid_now(entity, now, e)) || (rc = valid_now(role, now, e)))
        return rc;
    if (!id.n || id.n > 1024)
        return bad(e, "has no entity id");
    if (!protocols.n || !memmem(protocols.p, protocols.n, NS_SAMLP, strlen(NS_SAMLP)))
        return bad(e, "is not of a SAML 2.0 identity provider");
    if (!url_ok(sso))
        return bad(e, "has no sign-in address with the HTTP-Redirect binding");
    if (slo.n && !url_ok(slo))
        return bad(e, "has a sign-out address that is none");
    if (json_object_set_new(o, "entityId", json_stringn(id.p, id.n)) ||
        json_object_set_new(o, "sso", json_stringn(sso.p, sso.n)) ||
        json_object_set_new(o, "slo", json_stringn(slo.n ? slo.p : "", slo.n)))
        return fa_oom(e);
    return certs(a, role, list, e);
}

fa_rc fa_op_metadata(fa_arena *a, const json_t *q, json_t **out, fa_err *e)
{
    int64_t now = json_integer_value(json_object_get(q, "now"));
    xmlNode *entity = NULL;
    xmlDoc *doc = NULL;
    json_t *o = NULL;
    size_t n = 0;
    fa_rc rc;

    if (fa_tree_read(fa_op_text(q, "xml"), true, &doc, e)) {
        char why[sizeof e->msg];

        snprintf(why, sizeof why, "%s", e->msg);
        return fa_fail(e, FA_EDATA, "the metadata was refused: %.900s", why);
    }
    find(xmlDocGetRootElement(doc), &entity, &n);
    if (n != 1)
        rc = n ? bad(e, "has %zu identity providers, give the one that is meant", n)
               : bad(e, "has no identity provider");
    else if (!(o = json_object()))
        rc = fa_oom(e);
    else
        rc = describe(a, entity, now, o, e);
    xmlFreeDoc(doc);
    if (rc)
        json_decref(o);
    else
        *out = o;
    return rc;
}
