/*
 * saml.h - SAML 2.0 as a service provider; every byte of XML from outside is read in another process.
 *
 * The program farthing-saml beside this one is the verifier: started anew for each message, it reads one
 * request from its standard input, answers on its standard output and ends. It has no files, no network, no
 * environment, little memory and little time, and the kernel kills it at the first system call it does not need
 * (security.md SA-7). Lasso, libxml2 and xmlsec are loaded there and nowhere else. The server asks it with the
 * calls below and gets texts and numbers back, each bounded and checked.
 *
 * Errors: FA_EAUTH the message is refused, e->field is a word that says why ("audience", "signature"), e->msg the
 * sentence. FA_EDATA metadata or a certificate is refused. FA_EENV the verifier is missing or died, FA_ELIMIT too many at once,
 * FA_ETIMEOUT. Everything given back lives in the arena. Threads: any.
 */
#ifndef FA_SAML_H
#define FA_SAML_H

#include "base/base.h"

enum {
    FA_SAML_XML_MAX = 262144,   /* bytes of one message or of metadata (SA-2) */
    FA_SAML_CERTS = 3,          /* pinned certificates of an identity provider (SA-4) */
    FA_SAML_SKEW_S = 60,        /* how far two clocks may be apart (SA-5) */
};

/* Ourselves, as one identity provider knows us. key is needed to sign and to decrypt only. */
typedef struct fa_saml_sp {
    fa_str entity_id, acs_url, slo_url;
    fa_str cert; /* base64 of DER */
    fa_str key;  /* PEM; a secret */
} fa_saml_sp;

typedef struct fa_saml_cert {
    fa_str  der;         /* base64, one line */
    fa_str  subject, fingerprint, key; /* "CN=idp", SHA-256 in hex, "RSA 2048" */
    int64_t from_ms, to_ms;
} fa_saml_cert;

typedef struct fa_saml_idp {
    fa_str       entity_id;
    fa_str       sso_url, slo_url; /* HTTP-Redirect binding; slo_url may be empty */
    fa_saml_cert cert[FA_SAML_CERTS];
    size_t       ncert;
} fa_saml_idp;

/* ---- setting up ---- */

/* RSA 3072 with a self-signed certificate of ten years. *key: PEM, wipe it after sealing. */
FA_MUST_CHECK fa_rc fa_saml_key_make(fa_arena *a, const char *name, fa_str *key, fa_str *cert, fa_err *e);
/* Our metadata, for the identity provider's administrator. */
void fa_saml_metadata(fa_buf *out, const fa_saml_sp *sp);
/* Metadata of one identity provider. */
FA_MUST_CHECK fa_rc fa_saml_idp_read(fa_arena *a, fa_str xml, fa_saml_idp *out, fa_err *e);
/* One certificate as PEM or base64, in this process: it is no XML. FA_EDATA: too short a key, not a certificate. */
FA_MUST_CHECK fa_rc fa_saml_cert_read(fa_arena *a, fa_str text, fa_saml_cert *out, fa_err *e);
/* Several in one text, into out->cert; one that is there twice counts once. */
FA_MUST_CHECK fa_rc fa_saml_certs_read(fa_arena *a, fa_str text, fa_saml_idp *out, fa_err *e);

/* ---- signing in ---- */

typedef struct fa_saml_request { fa_str url, id; } fa_saml_request; /* where to send the browser; the id to expect back */
/* A signed AuthnRequest. `id` and `relay`: random texts that come back ("_" and 43 characters; 43). name_format: a URN,
 * empty: the provider's choice. `again`: the person has to prove who he is anew. */
FA_MUST_CHECK fa_rc fa_saml_authn(fa_arena *a, const fa_saml_sp *sp, const fa_saml_idp *idp, fa_str id, fa_str name_format,
                                  fa_str relay, bool again, fa_saml_request *out, fa_err *e);

typedef struct fa_saml_attribute { fa_str name, friendly; fa_str *value; size_t n; } fa_saml_attribute;
typedef struct fa_saml_claims {
    fa_str   assertion_id;   /* to be taken once: until expires_ms */
    int64_t  expires_ms;     /* the last moment anybody could accept it */
    fa_str   name_id, name_format, name_qualifier, sp_name_qualifier, session_index;
    int64_t  session_ends_ms; /* -1: not said */
    int64_t  signed_in_ms;    /* when the person proved who he is, there */
    bool     encrypted, response_signed;
    fa_saml_attribute *attribute;
    size_t   n;
} fa_saml_claims;
const fa_saml_attribute *fa_saml_attribute_find(const fa_saml_claims *c, fa_str name); /* by name, then by friendly name; NULL: none */
/* `message`: the form's SAMLResponse as it came. expect: the id of our request; empty: none was made, and the message may
 * not name one. All checks of SA-2 to SA-5 but the once-only of assertion_id, which is the caller's. */
FA_MUST_CHECK fa_rc fa_saml_response(fa_arena *a, const fa_saml_sp *sp, const fa_saml_idp *idp, fa_str message, fa_str expect,
                                     fa_saml_claims *out, fa_err *e);

/* ---- signing out (HTTP-Redirect; answers to us by POST as well) ---- */

typedef struct fa_saml_subject { fa_str name_id, name_format, name_qualifier, sp_name_qualifier, session_index; } fa_saml_subject;
FA_MUST_CHECK fa_rc fa_saml_logout(fa_arena *a, const fa_saml_sp *sp, const fa_saml_idp *idp, fa_str id,
                                   const fa_saml_subject *who, fa_str relay, fa_saml_request *out, fa_err *e);
typedef struct fa_saml_logout_in {
    bool    request;            /* the provider asks us to end sessions; else it answers our request */
    fa_str  id, in_response_to; /* of the answer: the id of our request */
    bool    success;            /* of the answer */
    fa_str  name_id;            /* of the request */
    fa_str *session_index;      /* which sessions of the person; none: all */
    size_t  n;
} fa_saml_logout_in;
/* query: the raw query of a redirect, or empty; message: the form's SAMLResponse, or empty. */
FA_MUST_CHECK fa_rc fa_saml_logout_read(fa_arena *a, const fa_saml_sp *sp, const fa_saml_idp *idp, fa_str query, fa_str message,
                                        fa_saml_logout_in *out, fa_err *e);
/* The signed answer to such a request. */
FA_MUST_CHECK fa_rc fa_saml_logout_answer(fa_arena *a, const fa_saml_sp *sp, const fa_saml_idp *idp, fa_str id,
                                          fa_str in_response_to, bool success, fa_str relay, fa_saml_request *out, fa_err *e);

/* ---- the verifier's program ---- */
void fa_saml_program_set(const char *path); /* tests; NULL: beside this program */
/* In the verifier, before the first byte is read: from here on a system call that is not needed kills. */
FA_MUST_CHECK fa_rc fa_saml_sandbox(fa_err *e);

#endif
