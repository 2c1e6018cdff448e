/*
 * lasso.c - Lasso: the requests we sign, and a second opinion on what we verified.
 *
 * Lasso gets metadata written here from the few fields that count, never the identity provider's own file. A response is
 * accepted when our reading (response.c) and Lasso's both accept it and name the same person: two readers that disagree
 * are the mark of every wrapping attack. Debian's Lasso verifies no signatures of elliptic curves: where such a certificate
 * is pinned it reads without verifying, which our reading has done before.
 */
#include "saml/inner.h"

#include <lasso/key.h>
#include <lasso/lasso.h>
#include <lasso/xml/saml-2.0/saml2_assertion.h>
#include <lasso/xml/saml-2.0/saml2_authn_statement.h>
#include <lasso/xml/saml-2.0/samlp2_authn_request.h>
#include <lasso/xml/saml-2.0/samlp2_logout_request.h>
#include <lasso/xml/saml-2.0/samlp2_logout_response.h>
#include <lasso/xml/saml-2.0/samlp2_request_abstract.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#define METADATA_HEAD                                                                              \
    "<md:EntityDescriptor xmlns:md=\"" NS_MD "\" xmlns:ds=\"" NS_DSIG "\" entityID=\""

/* Lasso looks at every text it is given, keys included, whether it is the name of a file. There are no files here: this
 * stands before glib's own, so nothing is opened and no key becomes the argument of a system call. */
gboolean g_file_get_contents(const gchar *filename, gchar **contents, gsize *length, GError **error)
{
    (void)filename;
    *contents = NULL;
    if (length)
        *length = 0;
    if (error)
        *error = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_NOENT, "no files here");
    return FALSE;
}

/* xmlsec reads the system's authorities whenever it makes a list of keys. Nobody here is trusted for what an authority said. */
int X509_STORE_set_default_paths_ex(X509_STORE *store, OSSL_LIB_CTX *library,
                                    const char *properties)
{
    (void)store;
    (void)library;
    (void)properties;
    return 1;
}

static void put_xml(fa_buf *b, fa_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '&' || s.p[i] == '<' || s.p[i] == '>' || s.p[i] == '"')
            fa_buf_fmt(b, "&#%d;", s.p[i]);
        else
            fa_buf_c(b, s.p[i]);
}

static void put_key(fa_buf *b, fa_str cert)
{
    fa_buf_z(b, "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>");
    put_xml(b, cert);
    fa_buf_z(b, "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>");
}

static void put_end(fa_buf *b, const char *what, const char *binding, fa_str url)
{
    if (!url.n)
        return;
    fa_buf_fmt(b, "<md:%s Binding=\"%s\" Location=\"", what, binding);
    put_xml(b, url);
    fa_buf_z(b, strcmp(what, "AssertionConsumerService") == 0
                    ? "\" index=\"0\" isDefault=\"true\"/>"
                    : "\"/>");
}

static void put_sp(fa_buf *b, const json_t *sp)
{
    fa_buf_z(b, METADATA_HEAD);
    put_xml(b, fa_op_text(sp, "entityId"));
    fa_buf_z(b, "\"><md:SPSSODescriptor AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"true\" "
                "protocolSupportEnumeration=\"" NS_SAMLP "\">");
    put_key(b, fa_op_text(sp, "cert"));
    put_end(b, "SingleLogoutService", BIND_REDIRECT, fa_op_text(sp, "slo"));
    put_end(b, "AssertionConsumerService", BIND_POST, fa_op_text(sp, "acs"));
    fa_buf_z(b, "</md:SPSSODescriptor></md:EntityDescriptor>");
}

static void put_idp(fa_buf *b, const json_t *idp)
{
    const json_t *list = json_object_get(idp, "certs");

    fa_buf_z(b, METADATA_HEAD);
    put_xml(b, fa_op_text(idp, "entityId"));
    fa_buf_z(b, "\"><md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" "
                "protocolSupportEnumeration=\"" NS_SAMLP "\">");
    for (size_t i = 0; i < json_array_size(list); i++)
        put_key(b, fa_str_of(json_string_value(json_array_get(list, i))));
    put_end(b, "SingleLogoutService", BIND_REDIRECT, fa_op_text(idp, "slo"));
    put_end(b, "SingleSignOnService", BIND_REDIRECT, fa_op_text(idp, "sso"));
    fa_buf_z(b, "</md:IDPSSODescriptor></md:EntityDescriptor>");
}

static fa_rc failed(fa_err *e, const char *doing, lasso_error_t code)
{
    return fa_fail(e, FA_EINTERNAL, "Lasso could not %s: %s", doing, lasso_strerror(code));
}

/* We and the one provider, as Lasso wants to know them. */
static fa_rc open_server(const json_t *q, LassoServer **out, fa_err *e)
{
    const json_t *sp = json_object_get(q, "sp"), *idp = json_object_get(q, "idp");
    fa_str key = fa_op_text(sp, "key");
    fa_buf own, other;
    lasso_error_t err = 0;
    fa_rc rc = FA_OK;

    *out = NULL;
    fa_buf_init(&own, 65536);
    fa_buf_init(&other, 131072);
    put_sp(&own, sp);
    put_idp(&other, idp);
    if (own.failed || other.failed) {
        rc = fa_oom(e);
    } else if (!(*out = lasso_server_new_from_buffers(own.p, key.n ? key.p : NULL, NULL, NULL))) {
        rc = fa_fail(e, FA_EINTERNAL, "Lasso did not take our own metadata");
    } else {
        (*out)->signature_method = LASSO_SIGNATURE_METHOD_RSA_SHA256;
        err = lasso_server_add_provider_from_buffer(*out, LASSO_PROVIDER_ROLE_IDP, other.p, NULL,
                                                    NULL);
        if (err)
            rc = failed(e, "take the provider's metadata", err);
    }
    if (!rc && key.n && (err = lasso_server_set_encryption_private_key(*out, key.p)))
        rc = failed(e, "take our key", err);
    if (rc && *out) {
        lasso_server_destroy(*out);
        *out = NULL;
    }
    fa_buf_release(&own);
    fa_buf_release(&other);
    return rc;
}

/* ---- requests ---- */

static void set(gchar **to, fa_str s)
{
    g_free(*to);
    *to = s.n ? g_strndup(s.p, s.n) : NULL;
}

static fa_rc give_url(const LassoProfile *p, const gchar *id, json_t **out, fa_err *e)
{
    if (!p->msg_url)
        return fa_fail(e, FA_EINTERNAL, "Lasso gave no address");
    *out = json_pack("{s:s, s:s}", "url", p->msg_url, "id", id ? id : "");
    return *out ? FA_OK : fa_oom(e);
}

static fa_rc authn(LassoLogin *login, const json_t *q, json_t **out, fa_err *e)
{
    LassoProfile *p = LASSO_PROFILE(login);
    LassoSamlp2AuthnRequest *r;
    fa_str format = fa_op_text(q, "nameFormat");
    lasso_error_t err = lasso_login_init_authn_request(login, NULL, LASSO_HTTP_METHOD_REDIRECT);

    if (err)
        return failed(e, "begin a request", err);
    r = LASSO_SAMLP2_AUTHN_REQUEST(p->request);
    r->ForceAuthn = json_is_true(json_object_get(q, "again"));
    r->IsPassive = FALSE;
    set(&LASSO_SAMLP2_REQUEST_ABSTRACT(r)->ID, fa_op_text(q, "id"));
    if (r->NameIDPolicy) {
        set(&r->NameIDPolicy->Format, format);
        r->NameIDPolicy->AllowCreate = TRUE;
    }
    set(&r->ProtocolBinding, FA_STR(BIND_POST));
    set(&r->AssertionConsumerServiceURL, fa_op_text(json_object_get(q, "sp"), "acs"));
    set(&p->msg_relayState, fa_op_text(q, "relay"));
    if ((err = lasso_login_build_authn_request_msg(login)))
        return failed(e, "sign a request", err);
    return give_url(p, LASSO_SAMLP2_REQUEST_ABSTRACT(r)->ID, out, e);
}

fa_rc fa_op_authn(fa_arena *a, const json_t *q, json_t **out, fa_err *e)
{
    LassoServer *server;
    LassoLogin *login;
    fa_rc rc = open_server(q, &server, e);

    (void)a;
    if (rc)
        return rc;
    login = lasso_login_new(server);
    rc = login ? authn(login, q, out, e) : fa_oom(e);
    if (login)
        lasso_login_destroy(login);
    lasso_server_destroy(server);
    return rc;
}

/* ---- the second opinion ---- */

static fa_rc agrees(LassoLogin *login, fa_str message, fa_str name_id, fa_err *e)
{
    LassoProfile *p = LASSO_PROFILE(login);
    gchar *text = g_strndup(message.p, message.n);
    lasso_error_t err = lasso_login_process_authn_response_msg(login, text);
    const gchar *name;

    g_free(text);
    if (!err)
        err = lasso_login_accept_sso(login);
    if (err)
        return fa_saml_refuse(e, "second_opinion", "Lasso refuses the response: %s",
                              lasso_strerror(err));
    if (!LASSO_IS_SAML2_NAME_ID(p->nameIdentifier))
        return fa_saml_refuse(e, "second_opinion", "Lasso sees no subject in the response");
    name = LASSO_SAML2_NAME_ID(p->nameIdentifier)->content;
    if (!name || !fa_str_eqz(name_id, name))
        return fa_saml_refuse(e, "second_opinion", "Lasso reads another subject");
    return FA_OK;
}

fa_rc fa_lasso_agrees(const json_t *q, fa_str message, fa_str name_id, bool curves, fa_err *e)
{
    fa_str expect = fa_op_text(q, "expect");
    LassoServer *server;
    LassoLogin *login;
    fa_rc rc = open_server(q, &server, e);

    if (rc)
        return rc;
    if (!(login = lasso_login_new(server))) {
        rc = fa_oom(e);
    } else {
        if (expect.n) {
            gchar *id = g_strndup(expect.p, expect.n);

            lasso_profile_set_message_id(LASSO_PROFILE(login), id);
            g_free(id);
        }
        if (curves)
            lasso_profile_set_signature_verify_hint(LASSO_PROFILE(login),
                                                    LASSO_PROFILE_SIGNATURE_VERIFY_HINT_IGNORE);
        rc = agrees(login, message, name_id, e);
        lasso_login_destroy(login);
    }
    lasso_server_destroy(server);
    return rc;
}

/* ---- signing out ---- */

static LassoSaml2NameID *named(const char *who)
{
    LassoSaml2NameID *n = LASSO_SAML2_NAME_ID(lasso_saml2_name_id_new());

    set(&n->content, fa_str_of(who));
    return n;
}

static LassoSaml2NameID *name_of(const json_t *who)
{
    LassoSaml2NameID *n = LASSO_SAML2_NAME_ID(lasso_saml2_name_id_new());

    set(&n->content, fa_op_text(who, "nameId"));
    set(&n->Format, fa_op_text(who, "nameFormat"));
    set(&n->NameQualifier, fa_op_text(who, "nameQualifier"));
    set(&n->SPNameQualifier, fa_op_text(who, "spNameQualifier"));
    return n;
}

/* A session that holds what the sign-in said, made again from the few texts that were kept of it. */
static fa_rc remember(LassoLogout *logout, const json_t *q, fa_err *e)
{
    const json_t *who = json_object_get(q, "who");
    fa_str idp = fa_op_text(json_object_get(q, "idp"), "entityId");
    LassoSaml2Assertion *v = LASSO_SAML2_ASSERTION(lasso_saml2_assertion_new());
    LassoSaml2AuthnStatement *st = LASSO_SAML2_AUTHN_STATEMENT(lasso_saml2_authn_statement_new());
    LassoSession *session = lasso_session_new();
    lasso_error_t err;

    v->ID = g_strdup("_kept");
    v->Issuer = named(idp.p);
    v->Subject = LASSO_SAML2_SUBJECT(lasso_saml2_subject_new());
    v->Subject->NameID = name_of(who);
    set(&st->SessionIndex, fa_op_text(who, "sessionIndex"));
    v->AuthnStatement = g_list_append(NULL, st);
    err = lasso_session_add_assertion(session, idp.p, LASSO_NODE(v));
    g_object_unref(v);
    if (err) {
        lasso_session_destroy(session);
        return failed(e, "remember the session", err);
    }
    LASSO_PROFILE(logout)->session = session;
    return FA_OK;
}

static fa_rc logout_request(LassoLogout *logout, const json_t *q, json_t **out, fa_err *e)
{
    LassoProfile *p = LASSO_PROFILE(logout);
    gchar *idp = g_strdup(fa_op_text(json_object_get(q, "idp"), "entityId").p);
    lasso_error_t err = lasso_logout_init_request(logout, idp, LASSO_HTTP_METHOD_REDIRECT);

    g_free(idp);
    if (err)
        return failed(e, "begin a sign-out", err);
    set(&LASSO_SAMLP2_REQUEST_ABSTRACT(p->request)->ID, fa_op_text(q, "id"));
    set(&p->msg_relayState, fa_op_text(q, "relay"));
    if ((err = lasso_logout_build_request_msg(logout)))
        return failed(e, "sign a sign-out", err);
    return give_url(p, LASSO_SAMLP2_REQUEST_ABSTRACT(p->request)->ID, out, e);
}

fa_rc fa_op_logout(fa_arena *a, const json_t *q, json_t **out, fa_err *e)
{
    LassoServer *server;
    LassoLogout *logout;
    fa_rc rc = open_server(q, &server, e);

    (void)a;
    if (rc)
        return rc;
    if (!(logout = lasso_logout_new(server)))
        rc = fa_oom(e);
    else if (!(rc = remember(logout, q, e)))
        rc = logout_request(logout, q, out, e);
    if (logout)
        lasso_logout_destroy(logout);
    lasso_server_destroy(server);
    return rc;
}

/* The answer to a sign-out the provider asked for: a query made and signed by Lasso. */
static fa_rc answer(LassoServer *server, const json_t *q, fa_buf *url, fa_err *e)
{
    fa_str relay = fa_op_text(q, "relay"), key = fa_op_text(json_object_get(q, "sp"), "key"),
           slo = fa_op_text(json_object_get(q, "idp"), "slo");
    LassoNode *n = lasso_samlp2_logout_response_new();
    LassoSamlp2StatusResponse *r = LASSO_SAMLP2_STATUS_RESPONSE(n);
    LassoKey *signer = lasso_key_new_for_signature_from_memory(
        key.p, key.n, NULL, LASSO_SIGNATURE_METHOD_RSA_SHA256, NULL);
    bool ok = json_is_true(json_object_get(q, "success"));
    char *query = NULL, *text = NULL;
    fa_buf b;

    set(&r->ID, fa_op_text(q, "id"));
    set(&r->Version, FA_STR("2.0"));
    set(&r->InResponseTo, fa_op_text(q, "inResponseTo"));
    set(&r->Destination, slo);
    set(&r->IssueInstant, fa_op_text(q, "instant"));
    r->Issuer = named(server->parent.ProviderID);
    r->Status = LASSO_SAMLP2_STATUS(lasso_samlp2_status_new());
    r->Status->StatusCode = LASSO_SAMLP2_STATUS_CODE(lasso_samlp2_status_code_new());
    r->Status->StatusCode->Value =
        g_strdup(ok ? STATUS_SUCCESS : "urn:oasis:names:tc:SAML:2.0:status:Responder");
    fa_buf_init(&b, 65536);
    if ((text = lasso_node_export_to_saml2_query(n, "SAMLResponse", NULL, NULL))) {
        fa_buf_z(&b, text);
        if (relay.n) {
            fa_buf_z(&b, "&RelayState=");
            fa_buf_url(&b, relay);
        }
        if (signer && !b.failed)
            query = lasso_key_query_sign(signer, b.p);
    }
    fa_buf_str(url, slo);
    fa_buf_c(url, memchr(slo.p, '?', slo.n) ? '&' : '?');
    fa_buf_z(url, query ? query : "");
    fa_buf_release(&b);
    g_free(text);
    if (signer)
        g_object_unref(signer);
    g_object_unref(n);
    ok = query != NULL;
    g_free(query);
    return ok && !url->failed ? FA_OK : fa_fail(e, FA_EINTERNAL, "Lasso could not sign the answer");
}

fa_rc fa_op_logout_answer(fa_arena *a, const json_t *q, json_t **out, fa_err *e)
{
    LassoServer *server;
    fa_buf url;
    fa_rc rc = open_server(q, &server, e);

    (void)a;
    if (rc)
        return rc;
    fa_buf_init(&url, 65536);
    if (!(rc = answer(server, q, &url, e)) &&
        !(*out = json_pack("{s:s, s:s}", "url", url.p, "id", fa_op_text(q, "id").p)))
        rc = fa_oom(e);
    fa_buf_release(&url);
    lasso_server_destroy(server);
    return rc;
}
