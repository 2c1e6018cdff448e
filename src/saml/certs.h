/* certs.h - private to saml/: certificates, for the server and the verifier. Knows nothing of XML. */
#ifndef FA_SAML_CERTS_H
#define FA_SAML_CERTS_H

#include "saml/saml.h"

struct x509_st;
/* A certificate as PEM or base64. FA_EDATA: not one, a short key. */
FA_MUST_CHECK fa_rc fa_cert_of(fa_str text, struct x509_st **out, fa_err *e);
/* base64 with white space into the arena; false: it is not. */
bool fa_base64(fa_arena *a, fa_str text, fa_str *out);

#endif
