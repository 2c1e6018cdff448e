/*
 * sso.h - private to api/: what the routes of single sign-on ask of a protocol.
 *
 * One row a protocol in sso.c. A protocol's own routes (where the provider sends the browser back to) take the flow,
 * prove who it is, and end with sso_enter, or with sso_failed for what they refuse.
 */
#ifndef FA_API_SSO_H
#define FA_API_SSO_H

#include "api/internal.h"

typedef struct sso_protocol {
    const char *kind;
    bool        cross_post; /* the provider posts the answer: the cookie must come along from another site */
    /* Where to send the browser: an address at the provider. */
    fa_rc (*start)(fa_req *r, const fa_idp *c, const fa_flow *f, fa_str *url, fa_err *e);
    /* Where the browser signs out at the provider; empty: nowhere. May be NULL. */
    fa_rc (*leave)(fa_req *r, const fa_idp *c, const fa_federated_session *s, fa_str *url, fa_err *e);
    /* Asks the provider, without a person: members "what", "detail" of objects in an open array; an error is what is wrong. */
    fa_rc (*test)(fa_req *r, const fa_idp *c, fa_jw *w, fa_err *e);
    /* What to enter at the provider: members of an open object, "redirectUri" and the like. */
    fa_rc (*addresses)(fa_req *r, const fa_idp *c, fa_jw *w, fa_err *e);
} sso_protocol;
extern const sso_protocol sso_protocols[]; /* ends with a NULL kind */
/* oidc.c */
fa_rc oidc_start(fa_req *r, const fa_idp *c, const fa_flow *f, fa_str *url, fa_err *e);
fa_rc oidc_leave(fa_req *r, const fa_idp *c, const fa_federated_session *s, fa_str *url, fa_err *e);
fa_rc oidc_test(fa_req *r, const fa_idp *c, fa_jw *w, fa_err *e);
fa_rc oidc_addresses(fa_req *r, const fa_idp *c, fa_jw *w, fa_err *e);
/* Where the browser of this session signs out at its provider; empty: nowhere. Before the session ends. */
fa_str sso_leave(fa_req *r);
/* saml.c */
fa_rc saml_start(fa_req *r, const fa_idp *c, const fa_flow *f, fa_str *url, fa_err *e);
fa_rc saml_leave(fa_req *r, const fa_idp *c, const fa_federated_session *s, fa_str *url, fa_err *e);
fa_rc saml_test(fa_req *r, const fa_idp *c, fa_jw *w, fa_err *e);
fa_rc saml_addresses(fa_req *r, const fa_idp *c, fa_jw *w, fa_err *e);

/* Farthing's own address as browsers know it (FARTHING_URL, else where it listens), and one of its addresses:
 * printf text behind it. {NULL, 0}: out of memory. */
fa_str sso_base(fa_req *r);
FA_PRINTF(2, 3)
fa_str sso_url(fa_req *r, const char *fmt, ...);
/* The browser's cookie, for fa_flow_take. */
fa_str sso_cookie(const fa_req *r);
/* The connection of a route's {id}; FA_ENOTFOUND also when it is of another kind. */
FA_MUST_CHECK fa_rc sso_connection(fa_req *r, fa_str id, const char *kind, fa_idp *out, fa_err *e);
/* Signs in, or does what the flow was for, and sends the browser on. Always answers. */
FA_MUST_CHECK fa_rc sso_enter(fa_req *r, fa_res *o, const fa_idp *c, const fa_flow *f, const fa_verified *v, fa_err *e);
/* Sends the browser back to the page with the reason in *e; already audited reasons come through sso_enter. f may be
 * NULL: it is not known what the flow was for. */
FA_MUST_CHECK fa_rc sso_failed(fa_req *r, fa_res *o, const fa_idp *c, const fa_flow *f, fa_err *e);
FA_MUST_CHECK fa_rc sso_redirect(fa_req *r, fa_res *o, fa_str url, fa_err *e);

#endif
