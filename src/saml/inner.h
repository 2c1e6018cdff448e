/* inner.h - private to saml/: what the files of the verifier share. Runs in the verifier's process only. */
#ifndef FA_SAML_INNER_H
#define FA_SAML_INNER_H

#include "saml/certs.h"

#include <jansson.h>
#include <libxml/tree.h>

enum {
    FA_SAML_FRAME_MAX = 1 << 20,  /* of request and answer */
    FA_SAML_DEPTH_MAX = 32,
    FA_SAML_NODES_MAX = 4096,
    FA_SAML_TEXT_MAX = 4096,      /* bytes of one value */
    FA_SAML_ATTRIBUTES_MAX = 256,
    FA_SAML_VALUES_MAX = 1024,
};

#define NS_SAML  "urn:oasis:names:tc:SAML:2.0:assertion"
#define NS_SAMLP "urn:oasis:names:tc:SAML:2.0:protocol"
#define NS_MD    "urn:oasis:names:tc:SAML:2.0:metadata"
#define NS_DSIG  "http://www.w3.org/2000/09/xmldsig#"
#define NS_ENC   "http://www.w3.org/2001/04/xmlenc#"
#define BIND_REDIRECT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
#define BIND_POST     "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
#define STATUS_SUCCESS "urn:oasis:names:tc:SAML:2.0:status:Success"

/* A refusal: FA_EAUTH with the word in e->field. */
FA_PRINTF(3, 4)
fa_rc fa_saml_refuse(fa_err *e, const char *word, const char *fmt, ...);

/* ---- tree.c: the one way bytes become a tree ---- */
/* comments: they may be there (metadata people keep in files); never inside a text that is read. */
FA_MUST_CHECK fa_rc fa_tree_read(fa_str xml, bool comments, xmlDoc **out, fa_err *e);
bool      fa_tree_is(const xmlNode *n, const char *ns, const char *name);
xmlNode  *fa_tree_child(const xmlNode *n, const char *ns, const char *name); /* the first; NULL */
xmlNode  *fa_tree_next(const xmlNode *n, const char *ns, const char *name);  /* the next sibling of that name; NULL */
xmlNode  *fa_tree_first(const xmlNode *n);   /* the first child element; NULL */
xmlNode  *fa_tree_after(const xmlNode *n);   /* the next sibling element; NULL */
/* The only child, or none. false: more than one. */
bool      fa_tree_only(const xmlNode *n, const char *ns, const char *name, xmlNode **out);
/* An attribute without a namespace. Borrowed from the tree; {NULL, 0}: absent. */
fa_str    fa_tree_attribute(const xmlNode *n, const char *name);
/* The text of an element that has nothing but text. false: it has more, or too much. */
bool      fa_tree_text(const xmlNode *n, fa_str *out);
bool      fa_tree_time(fa_str s, int64_t *ms); /* xs:dateTime in UTC with a Z */

/* ---- signed.c ---- */
/* The DER of the pinned certificates out of the request's idp object; FA_SAML_CERTS at most. */
typedef struct fa_pins { struct x509_st *cert[FA_SAML_CERTS]; size_t n; } fa_pins;
FA_MUST_CHECK fa_rc fa_pins_read(const json_t *idp, fa_pins *out, fa_err *e);
void fa_pins_free(fa_pins *p);
bool fa_pins_curves(const fa_pins *p); /* one of them is an elliptic curve's */
/* Verifies the signature that is a direct child of `node`, and gives a fresh tree of exactly the bytes that were
 * digested: root is the same element. Only what is in there may be believed. */
FA_MUST_CHECK fa_rc fa_signed_open(xmlNode *node, const fa_pins *pins, xmlDoc **fresh, fa_err *e);
/* The content of an EncryptedAssertion, decrypted with our key, read as a tree of its own. */
FA_MUST_CHECK fa_rc fa_encrypted_open(xmlNode *node, fa_str key, xmlDoc **fresh, fa_err *e);

/* ---- what can be asked: one handler each; *out is the answer's object ---- */
typedef fa_rc fa_saml_op(fa_arena *a, const json_t *q, json_t **out, fa_err *e);
fa_saml_op fa_op_metadata, fa_op_authn, fa_op_response, fa_op_logout, fa_op_logout_read, fa_op_logout_answer;
fa_str fa_op_text(const json_t *o, const char *name); /* a member's text; empty: absent */

/* response.c: conditions and claims of an assertion, given the bytes that were signed. */
FA_MUST_CHECK fa_rc fa_claims_read(fa_str xml, const json_t *q, json_t *out, fa_err *e);

/* ---- lasso.c: Lasso beside our own reading ---- */
/* curves: a pinned key is of a kind that Lasso cannot verify with. */
FA_MUST_CHECK fa_rc fa_lasso_agrees(const json_t *q, fa_str message, fa_str name_id, bool curves, fa_err *e);

/* ---- verifier.c ---- */
FA_MUST_CHECK fa_rc fa_verifier_start(fa_err *e); /* loads and warms up what later needs files */
void fa_verifier_stop(void);
/* One request in, one answer out; always an answer. */
void fa_verifier_answer(fa_str request, fa_buf *answer);

#endif
