/*
 * saml.c - a connection of kind "saml": what is checked when it is saved, our key pair, and which of a verified message's
 * claims say who it is.
 *
 * A person is the provider's entity id and a name that stays: a NameID of the persistent format, or an attribute that the
 * administrator says never changes (access.md 7.2). An address or a name that may be given to somebody else is refused.
 */
#include "access/internal.h"

#include "saml/saml.h"

#include <stdlib.h>
#include <string.h>

enum { UNCALLED_PER_HOUR = 3000 };
#define PERSISTENT "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"

/* ---- saving ---- */

fa_rc fa_saml_config_check(fa_arena *a, const json_t *config, fa_err *e)
{
    fa_str text = fa_idp_text(config, "certificates");
    fa_saml_idp idp = {0};
    fa_rc rc;

    if (!json_object_get(config, "certificates") || !fa_str_trim(text).n)
        return FA_OK; /* as it was, or said with the other fields */
    rc = fa_saml_certs_read(a, text, &idp, e);
    return rc ? fa_at(e, "config.certificates") : FA_OK;
}

fa_rc fa_saml_own_secret(fa_arena *a, fa_str name, fa_str *out, fa_err *e)
{
    char common[80];
    fa_str key, cert;
    fa_rc rc;

    snprintf(common, sizeof common, "Farthing: %.*s", (int)(name.n > 40 ? 40 : name.n),
             name.p ? name.p : "");
    for (size_t i = 0; common[i]; i++) /* a cut character is no UTF-8 for a certificate */
        if ((unsigned char)common[i] < ' ' || (unsigned char)common[i] > '~')
            common[i] = '?';
    if ((rc = fa_saml_key_make(a, common, &key, &cert, e)))
        return rc;
    rc = fa_json_pairs(a, out, e, "key", key, "cert", cert, NULL);
    explicit_bzero((char *)(uintptr_t)key.p, key.n);
    return rc;
}

/* ---- using ---- */

static fa_rc key_pair(fa_ledger *l, fa_arena *a, const fa_idp *c, fa_saml_sp *sp, fa_err *e)
{
    fa_str secret;
    json_t *j;
    fa_rc rc = fa_idp_secret(l, a, c, &secret, e);

    if (rc)
        return rc;
    j = json_loadb(secret.p ? secret.p : "", secret.n, 0, NULL);
    if (secret.n)
        explicit_bzero((char *)(uintptr_t)secret.p, secret.n);
    sp->key = fa_arena_dup(a, fa_idp_text(j, "key"));
    sp->cert = fa_arena_dup(a, fa_idp_text(j, "cert"));
    if (json_object_get(j, "key")) {
        const json_t *v = json_object_get(j, "key");

        explicit_bzero((char *)(uintptr_t)json_string_value(v), json_string_length(v));
    }
    json_decref(j);
    return sp->key.n && sp->cert.n ? FA_OK : fa_fail(e, FA_EDATA, "the connection has no key pair");
}

fa_rc fa_idp_saml(fa_ledger *l, fa_arena *a, const fa_idp *c, fa_saml_sp *sp, fa_saml_idp *idp,
                  fa_err *e)
{
    json_t *config;
    fa_rc rc = fa_idp_config(a, c, &config, e);

    if (rc)
        return rc;
    *idp = (fa_saml_idp){.entity_id = fa_idp_text(config, "entityId"),
                         .sso_url = fa_idp_text(config, "ssoUrl"),
                         .slo_url = fa_idp_text(config, "sloUrl")};
    if ((rc = fa_saml_certs_read(a, fa_idp_text(config, "certificates"), idp, e)))
        return rc;
    return key_pair(l, a, c, sp, e);
}

fa_rc fa_saml_uncalled(fa_str ip, fa_err *e)
{
    return fa_guess_count("saml", ip, UNCALLED_PER_HOUR, fa_now_ms())
               ? FA_OK
               : fa_fail(e, FA_ELIMIT, "too many messages from your address, wait a little");
}

/* ---- who it is ---- */

static fa_rc refuse(fa_err *e, const char *why)
{
    fa_fail(e, FA_EAUTH, "%s", why);
    return fa_at(e, "subject");
}

/* The one value of an attribute; empty: none, or several. */
static fa_str one_value(const fa_saml_claims *c, fa_str name)
{
    const fa_saml_attribute *t = name.n ? fa_saml_attribute_find(c, name) : NULL;

    return t && t->n == 1 ? fa_str_trim(t->value[0]) : FA_STR("");
}

static fa_rc subject_of(const fa_saml_claims *c, fa_str attribute, fa_str *out, fa_err *e)
{
    if (attribute.n) {
        *out = one_value(c, attribute);
        return out->n ? FA_OK
                      : refuse(e, "the attribute that names the person is not there exactly once");
    }
    if (!fa_str_eqz(c->name_format, PERSISTENT))
        return refuse(e, "the NameID is not persistent, and no attribute is set that names people");
    *out = c->name_id;
    return FA_OK;
}

fa_rc fa_saml_verified(fa_arena *a, const fa_idp *c, const fa_saml_claims *claims, fa_verified *out,
                       fa_err *e)
{
    const fa_saml_attribute *groups;
    json_t *config;
    fa_str hint;
    fa_rc rc = fa_idp_config(a, c, &config, e);

    *out = (fa_verified){.session_until_ms = claims->session_ends_ms,
                         .proved_ms = claims->signed_in_ms,
                         .session = claims->session_index};
    if (rc ||
        (rc = subject_of(claims, fa_idp_text(config, "subjectAttribute"), &out->subject, e)) ||
        (rc = fa_json_pairs(a, &hint, e, "name", claims->name_id, "format", claims->name_format,
                            "qualifier", claims->name_qualifier, "spQualifier",
                            claims->sp_name_qualifier, "index", claims->session_index, NULL)))
        return rc;
    out->issuer = fa_idp_text(config, "entityId");
    out->email = one_value(claims, fa_idp_text(config, "emailAttribute"));
    out->name = one_value(claims, fa_idp_text(config, "nameAttribute"));
    groups = fa_saml_attribute_find(claims, fa_idp_text(config, "groupsAttribute"));
    out->groups = groups ? groups->value : NULL;
    out->ngroups = groups ? groups->n : 0;
    out->hint = hint;
    return FA_OK;
}
