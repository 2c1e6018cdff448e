/*
 * response.c - a Response: its form, its signatures, its conditions, and the claims of its assertion.
 *
 * The order matters. The form of the whole message comes first (one assertion, in its place, nothing that looks like
 * a second one), then the response's own signature if it has one, then the assertion's, which it must have. After each
 * signature everything goes on in the tree of the signed bytes only. Conditions and claims are read at the end, from the
 * tree of the signed assertion (security.md SA-1, SA-3, SA-5).
 */
#include "saml/inner.h"

#include <string.h>

#define BEARER "urn:oasis:names:tc:SAML:2.0:cm:bearer"

typedef struct wanted {
    fa_str entity, acs, idp, request; /* request empty: none was made */
    fa_str key;
    int64_t now;
    fa_pins pins;
} wanted;

/* ---- form ---- */

/* No assertion, encrypted or not, and no signature anywhere but where they belong. */
static fa_rc stray(const xmlNode *n, int depth, fa_err *e)
{
    fa_rc rc;

    for (n = n ? n->children : NULL; n; n = n->next) {
        bool assertion = fa_tree_is(n, NS_SAML, "Assertion"),
             hidden = fa_tree_is(n, NS_SAML, "EncryptedAssertion"),
             signature = fa_tree_is(n, NS_DSIG, "Signature");

        if (fa_tree_is(n, NS_SAMLP, "Response") || fa_tree_is(n, NS_SAML, "EncryptedID"))
            return fa_saml_refuse(e, "wrapped", "there is a %s inside", (const char *)n->name);
        if ((assertion || hidden) && depth != 1)
            return fa_saml_refuse(e, "wrapped", "there is an assertion in a place of its own");
        if (signature && depth != 1 && !(depth == 2 && fa_tree_is(n->parent, NS_SAML, "Assertion")))
            return fa_saml_refuse(e, "wrapped", "there is a signature in a place of its own");
        if ((rc = stray(n, depth + 1, e)))
            return rc;
    }
    return FA_OK;
}

static fa_rc response_form(xmlNode *root, fa_err *e)
{
    static const char *const known[][2] = {
        {NS_SAML, "Issuer"},  {NS_DSIG, "Signature"}, {NS_SAMLP, "Extensions"},
        {NS_SAMLP, "Status"}, {NS_SAML, "Assertion"}, {NS_SAML, "EncryptedAssertion"},
    };
    size_t assertions = 0, last = 0, k;

    if (!fa_tree_is(root, NS_SAMLP, "Response") ||
        !fa_str_eqz(fa_tree_attribute(root, "Version"), "2.0"))
        return fa_saml_refuse(e, "not_response", "this is not a SAML 2.0 response");
    for (xmlNode *n = fa_tree_first(root); n; n = fa_tree_after(n)) {
        for (k = 0; k < FA_COUNT(known) && !fa_tree_is(n, known[k][0], known[k][1]);)
            k++;
        if (k == FA_COUNT(known) || k < last || (k == last && k < 4 && n != fa_tree_first(root)))
            return fa_saml_refuse(e, "form", "the response has \"%.60s\" in a wrong place",
                                  (const char *)n->name);
        last = k;
        assertions += k >= 4;
    }
    if (assertions > 1)
        return fa_saml_refuse(e, "wrapped", "the response has more than one assertion");
    return stray(root, 1, e);
}

/* ---- what the response says of itself ---- */

static fa_rc issuer_is(const xmlNode *parent, bool must, fa_str idp, fa_err *e)
{
    xmlNode *n;
    fa_str s;

    if (!fa_tree_only(parent, NS_SAML, "Issuer", &n) || (!n && must))
        return fa_saml_refuse(e, "issuer", "the %s has no issuer", (const char *)parent->name);
    if (n && (!fa_tree_text(n, &s) || !fa_str_eq(s, idp)))
        return fa_saml_refuse(e, "issuer", "the issuer is not the identity provider");
    return FA_OK;
}

static fa_rc status_of(const xmlNode *root, fa_err *e)
{
    xmlNode *status, *code;
    fa_str value;

    if (!fa_tree_only(root, NS_SAMLP, "Status", &status) || !status ||
        !fa_tree_only(status, NS_SAMLP, "StatusCode", &code) || !code)
        return fa_saml_refuse(e, "status", "the response has no status");
    value = fa_tree_attribute(code, "Value");
    if (fa_str_eqz(value, STATUS_SUCCESS))
        return FA_OK;
    if (fa_tree_first(code))
        value = fa_tree_attribute(fa_tree_first(code), "Value");
    return fa_saml_refuse(e, "status", "the identity provider says \"%.*s\"",
                          (int)(value.n > 120 ? 120 : value.n), value.p ? value.p : "");
}

/* Absent is as good as empty, and both are right only when no request was made. */
static bool answers(const xmlNode *n, const wanted *w)
{
    fa_str to = fa_tree_attribute(n, "InResponseTo");

    return w->request.n ? fa_str_eq(to, w->request) : !to.p;
}

static fa_rc fresh_enough(const xmlNode *n, const wanted *w, fa_err *e)
{
    int64_t at;

    if (!fa_tree_time(fa_tree_attribute(n, "IssueInstant"), &at))
        return fa_saml_refuse(e, "time", "the %s does not say when it was made",
                              (const char *)n->name);
    if (at > w->now + FA_SAML_SKEW_S * 1000)
        return fa_saml_refuse(e, "not_yet", "the %s was made in the future", (const char *)n->name);
    return FA_OK;
}

static fa_rc response_says(const xmlNode *root, const wanted *w, fa_err *e)
{
    fa_rc rc;

    if ((rc = issuer_is(root, false, w->idp, e)) || (rc = status_of(root, e)) ||
        (rc = fresh_enough(root, w, e)))
        return rc;
    if (!fa_str_eq(fa_tree_attribute(root, "Destination"), w->acs))
        return fa_saml_refuse(e, "destination", "the response was sent to another address");
    if (!answers(root, w))
        return fa_saml_refuse(e, "in_response_to", "the response is not to our request");
    return FA_OK;
}

/* ---- what the assertion says ---- */

/* One of NotBefore and NotOnOrAfter; absent: nothing to check. */
static fa_rc period(const xmlNode *n, const wanted *w, int64_t *until, fa_err *e)
{
    fa_str from = fa_tree_attribute(n, "NotBefore"), to = fa_tree_attribute(n, "NotOnOrAfter");
    int64_t at;

    if ((from.p && !fa_tree_time(from, &at)))
        return fa_saml_refuse(e, "time", "NotBefore is not a time");
    if (from.p && at > w->now + FA_SAML_SKEW_S * 1000)
        return fa_saml_refuse(e, "not_yet", "the assertion is not valid yet");
    if (!to.p)
        return FA_OK;
    if (!fa_tree_time(to, &at))
        return fa_saml_refuse(e, "time", "NotOnOrAfter is not a time");
    if (at <= w->now - FA_SAML_SKEW_S * 1000)
        return fa_saml_refuse(e, "expired", "the assertion is not valid any more");
    if (at > *until)
        *until = at;
    return FA_OK;
}

/* The confirmation fits: bearer, to our address, for our request, in time. */
static fa_rc confirmation(const xmlNode *n, const wanted *w, int64_t *until, fa_err *e)
{
    xmlNode *data;

    if (!fa_str_eqz(fa_tree_attribute(n, "Method"), BEARER))
        return fa_saml_refuse(e, "confirmation", "the subject is not confirmed as bearer");
    if (!fa_tree_only(n, NS_SAML, "SubjectConfirmationData", &data) || !data)
        return fa_saml_refuse(e, "confirmation", "the confirmation has no data");
    if (!fa_str_eq(fa_tree_attribute(data, "Recipient"), w->acs))
        return fa_saml_refuse(e, "recipient", "the assertion is for another recipient");
    if (!fa_tree_attribute(data, "NotOnOrAfter").p)
        return fa_saml_refuse(e, "confirmation", "the confirmation has no end");
    if (!answers(data, w))
        return fa_saml_refuse(e, "in_response_to", "the assertion is not to our request");
    return period(data, w, until, e);
}

static fa_rc put_text(json_t *o, const char *name, fa_str s, fa_err *e)
{
    json_t *v = json_stringn(s.p ? s.p : "", s.n);

    return v && !json_object_set_new(o, name, v) ? FA_OK : fa_oom(e);
}

static fa_rc subject(const xmlNode *assertion, const wanted *w, json_t *o, int64_t *until,
                     fa_err *e)
{
    xmlNode *s, *id, *c;
    fa_str name;
    fa_rc rc;

    if (!fa_tree_only(assertion, NS_SAML, "Subject", &s) || !s ||
        !fa_tree_only(s, NS_SAML, "NameID", &id) || !id)
        return fa_saml_refuse(e, "subject", "the assertion names no subject");
    if (!fa_tree_text(id, &name) || !name.n || name.n > 1024)
        return fa_saml_refuse(e, "subject", "the subject's name is not one text");
    if (!(c = fa_tree_child(s, NS_SAML, "SubjectConfirmation")))
        return fa_saml_refuse(e, "confirmation", "the subject is not confirmed");
    /* one that fits is enough; the reason told is the last one's */
    for (rc = FA_EAUTH; rc == FA_EAUTH && c; c = fa_tree_next(c, NS_SAML, "SubjectConfirmation"))
        rc = confirmation(c, w, until, e);
    if (rc || (rc = put_text(o, "nameId", name, e)) ||
        (rc = put_text(o, "nameFormat", fa_tree_attribute(id, "Format"), e)) ||
        (rc = put_text(o, "nameQualifier", fa_tree_attribute(id, "NameQualifier"), e)) ||
        (rc = put_text(o, "spNameQualifier", fa_tree_attribute(id, "SPNameQualifier"), e)))
        return rc;
    return FA_OK;
}

static bool names_us(const xmlNode *restriction, fa_str entity)
{
    xmlNode *n = fa_tree_child(restriction, NS_SAML, "Audience");
    fa_str s;

    for (; n; n = fa_tree_next(n, NS_SAML, "Audience"))
        if (fa_tree_text(n, &s) && fa_str_eq(s, entity))
            return true;
    return false;
}

static fa_rc conditions(const xmlNode *assertion, const wanted *w, int64_t *until, fa_err *e)
{
    bool audience = false;
    xmlNode *c;
    fa_rc rc;

    if (!fa_tree_only(assertion, NS_SAML, "Conditions", &c) || !c)
        return fa_saml_refuse(e, "conditions", "the assertion has no conditions");
    if ((rc = period(c, w, until, e)))
        return rc;
    for (xmlNode *n = fa_tree_first(c); n; n = fa_tree_after(n)) {
        if (fa_tree_is(n, NS_SAML, "AudienceRestriction")) {
            if (!names_us(n, w->entity))
                return fa_saml_refuse(e, "audience", "the assertion is for another audience");
            audience = true;
        } else if (!fa_tree_is(n, NS_SAML, "OneTimeUse") &&
                   !fa_tree_is(n, NS_SAML, "ProxyRestriction")) {
            return fa_saml_refuse(e, "conditions",
                                  "the assertion has the unknown condition "
                                  "\"%.60s\"",
                                  (const char *)n->name);
        }
    }
    return audience ? FA_OK
                    : fa_saml_refuse(e, "audience", "the assertion is for no audience of its own");
}

static fa_rc statement(const xmlNode *assertion, const wanted *w, json_t *o, fa_err *e)
{
    xmlNode *n = fa_tree_child(assertion, NS_SAML, "AuthnStatement");
    fa_str ends = fa_tree_attribute(n, "SessionNotOnOrAfter");
    int64_t at = -1, since;
    fa_rc rc;

    if (!n)
        return fa_saml_refuse(e, "statement", "the assertion does not say that anybody signed in");
    if (!fa_tree_time(fa_tree_attribute(n, "AuthnInstant"), &since))
        return fa_saml_refuse(e, "time", "the assertion does not say when the person signed in");
    if (ends.p && !fa_tree_time(ends, &at))
        return fa_saml_refuse(e, "time", "SessionNotOnOrAfter is not a time");
    if (ends.p && at <= w->now - FA_SAML_SKEW_S * 1000)
        return fa_saml_refuse(e, "expired", "the session at the identity provider is over");
    if ((rc = put_text(o, "sessionIndex", fa_tree_attribute(n, "SessionIndex"), e)))
        return rc;
    if (json_object_set_new(o, "sessionEnds", json_integer(at)) ||
        json_object_set_new(o, "signedIn", json_integer(since)))
        return fa_oom(e);
    return FA_OK;
}

/* ---- attributes ---- */

static fa_rc attribute(const xmlNode *n, json_t *list, size_t *values, fa_err *e)
{
    fa_str name = fa_tree_attribute(n, "Name"), s;
    json_t *o = json_object(), *texts = json_array();
    fa_rc rc;

    if (!o || !texts || json_array_append_new(list, o) || json_object_set_new(o, "values", texts))
        return fa_oom(e);
    if (!name.n)
        return fa_saml_refuse(e, "attribute", "an attribute has no name");
    for (size_t i = 0; i + 1 < json_array_size(list); i++)
        if (fa_str_eq(fa_op_text(json_array_get(list, i), "name"), name))
            return fa_saml_refuse(e, "attribute", "the attribute \"%.*s\" is there twice",
                                  (int)(name.n > 120 ? 120 : name.n), name.p);
    if ((rc = put_text(o, "name", name, e)) ||
        (rc = put_text(o, "friendly", fa_tree_attribute(n, "FriendlyName"), e)))
        return rc;
    for (xmlNode *v = fa_tree_first(n); v; v = fa_tree_after(v)) {
        if (!fa_tree_is(v, NS_SAML, "AttributeValue") || !fa_tree_text(v, &s))
            continue; /* structured values mean nothing to us */
        if (++*values > FA_SAML_VALUES_MAX)
            return fa_saml_refuse(e, "attribute", "more than %d values of attributes",
                                  FA_SAML_VALUES_MAX);
        if (json_array_append_new(texts, json_stringn(s.p, s.n)))
            return fa_oom(e);
    }
    return FA_OK;
}

static fa_rc attributes(const xmlNode *assertion, json_t *o, fa_err *e)
{
    json_t *list = json_array();
    size_t values = 0;
    xmlNode *s, *n;
    fa_rc rc = FA_OK;

    if (!list || json_object_set_new(o, "attributes", list))
        return fa_oom(e);
    s = fa_tree_child(assertion, NS_SAML, "AttributeStatement");
    for (; !rc && s; s = fa_tree_next(s, NS_SAML, "AttributeStatement"))
        for (n = fa_tree_child(s, NS_SAML, "Attribute"); !rc && n;
             n = fa_tree_next(n, NS_SAML, "Attribute")) {
            if (json_array_size(list) == FA_SAML_ATTRIBUTES_MAX)
                return fa_saml_refuse(e, "attribute", "more than %d attributes",
                                      FA_SAML_ATTRIBUTES_MAX);
            rc = attribute(n, list, &values, e);
        }
    return rc;
}

/* ---- together ---- */

/* root: of the tree of the signed bytes. */
static fa_rc claims(const xmlNode *root, const wanted *w, json_t *o, fa_err *e)
{
    fa_str id = fa_tree_attribute(root, "ID");
    int64_t until = 0;
    fa_rc rc;

    if (!fa_str_eqz(fa_tree_attribute(root, "Version"), "2.0"))
        return fa_saml_refuse(e, "form", "the assertion is not of SAML 2.0");
    if ((rc = issuer_is(root, true, w->idp, e)) || (rc = fresh_enough(root, w, e)) ||
        (rc = conditions(root, w, &until, e)) || (rc = subject(root, w, o, &until, e)) ||
        (rc = statement(root, w, o, e)) || (rc = attributes(root, o, e)) ||
        (rc = put_text(o, "id", id, e)))
        return rc;
    return json_object_set_new(o, "expires", json_integer(until)) ? fa_oom(e) : FA_OK;
}

/* The assertion of a response whose form is right: decrypted if need be, verified, its claims taken. */
static fa_rc assertion(xmlNode *root, const wanted *w, json_t *o, fa_err *e)
{
    xmlNode *n = fa_tree_child(root, NS_SAML, "Assertion"), *top;
    xmlNode *hidden = fa_tree_child(root, NS_SAML, "EncryptedAssertion");
    xmlDoc *clear = NULL, *fresh = NULL;
    fa_rc rc = FA_OK;

    if (!n && !hidden)
        return fa_saml_refuse(e, "no_assertion", "the response has no assertion");
    if (hidden && !(rc = fa_encrypted_open(hidden, w->key, &clear, e))) {
        n = xmlDocGetRootElement(clear);
        if (!fa_tree_is(n, NS_SAML, "Assertion"))
            rc = fa_saml_refuse(e, "encryption", "the assertion could not be decrypted");
        else
            rc = stray(n, 2, e);
    }
    if (!rc)
        rc = fa_signed_open(n, &w->pins, &fresh, e);
    if (!rc) {
        top = xmlDocGetRootElement(fresh);
        rc = claims(top, w, o, e);
    }
    if (!rc && json_object_set_new(o, "encrypted", json_boolean(hidden != NULL)))
        rc = fa_oom(e);
    xmlFreeDoc(fresh);
    xmlFreeDoc(clear);
    return rc;
}

static fa_rc read_response(fa_str xml, const wanted *w, json_t *o, fa_err *e)
{
    xmlDoc *doc = NULL, *fresh = NULL;
    xmlNode *root, *signature = NULL;
    fa_rc rc = fa_tree_read(xml, false, &doc, e);

    if (rc)
        return rc;
    root = xmlDocGetRootElement(doc);
    if (!(rc = response_form(root, e))) {
        signature = fa_tree_child(root, NS_DSIG, "Signature");
        if (signature && !(rc = fa_signed_open(root, &w->pins, &fresh, e)))
            root = xmlDocGetRootElement(fresh);
    }
    if (!rc && !(rc = response_says(root, w, e)))
        rc = assertion(root, w, o, e);
    if (!rc && json_object_set_new(o, "responseSigned", json_boolean(signature != NULL)))
        rc = fa_oom(e);
    xmlFreeDoc(fresh);
    xmlFreeDoc(doc);
    return rc;
}

static wanted wanted_of(const json_t *q)
{
    const json_t *sp = json_object_get(q, "sp");

    return (wanted){.entity = fa_op_text(sp, "entityId"),
                    .acs = fa_op_text(sp, "acs"),
                    .key = fa_op_text(sp, "key"),
                    .idp = fa_op_text(json_object_get(q, "idp"), "entityId"),
                    .request = fa_op_text(q, "expect"),
                    .now = json_integer_value(json_object_get(q, "now"))};
}

fa_rc fa_claims_read(fa_str xml, const json_t *q, json_t *out, fa_err *e)
{
    wanted w = wanted_of(q);
    xmlDoc *doc = NULL;
    fa_rc rc = fa_tree_read(xml, false, &doc, e);

    if (!rc)
        rc = claims(xmlDocGetRootElement(doc), &w, out, e);
    xmlFreeDoc(doc);
    return rc;
}

fa_rc fa_op_response(fa_arena *a, const json_t *q, json_t **out, fa_err *e)
{
    const json_t *idp = json_object_get(q, "idp");
    fa_str message = fa_op_text(q, "message"), xml;
    wanted w = wanted_of(q);
    json_t *o = json_object();
    fa_rc rc;

    if (!o)
        return fa_oom(e);
    if (!w.entity.n || !w.acs.n || !w.idp.n || w.now <= 0)
        rc = fa_fail(e, FA_EINVAL, "the question is not complete");
    else if (message.n > FA_SAML_XML_MAX / 3 * 4 + 4)
        rc = fa_saml_refuse(e, "too_large", "the message is larger than %d bytes", FA_SAML_XML_MAX);
    else if (!fa_base64(a, message, &xml))
        rc = fa_saml_refuse(e, "not_base64", "the message is not base64");
    else if (!(rc = fa_pins_read(idp, &w.pins, e))) {
        if (!(rc = read_response(xml, &w, o, e)))
            rc = fa_lasso_agrees(q, message, fa_op_text(o, "nameId"), fa_pins_curves(&w.pins), e);
    }
    fa_pins_free(&w.pins);
    if (rc)
        json_decref(o);
    else
        *out = o;
    return rc;
}
