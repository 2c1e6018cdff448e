/* tags.h - private to api/: a virtual tag's document in the spellings of the APIs (tagform.c), and who uses it. */
#ifndef FA_API_TAGS_H
#define FA_API_TAGS_H

#include "allocate/allocate.h"
#include "api/internal.h"

typedef enum { FORM_V1, FORM_V2, FORM_INTERNAL, FORM_PAGE } tag_form;

/* What answers about tags need: the keys of the bill and the live tags; tag_ctx_put gives both back. */
typedef struct tag_ctx {
    fa_catalog *c;
    fa_tag_set *set;
} tag_ctx;
FA_MUST_CHECK fa_rc tag_ctx_get(fa_req *r, tag_ctx *x, fa_err *e);
void tag_ctx_put(tag_ctx *x);

/* A request body -> the stored document (new reference): keys found and written in one spelling, operators known,
 * limits kept. Read-only members are left out. */
FA_MUST_CHECK fa_rc tag_in(fa_req *r, tag_form form, const tag_ctx *x, const json_t *body, json_t **doc, fa_err *e);
/* The members of a document without the braces. */
void tag_out(fa_req *r, fa_jw *w, tag_form form, const tag_ctx *x, const json_t *doc);
void tag_out_rules(fa_req *r, fa_jw *w, tag_form form, const tag_ctx *x, const json_t *doc); /* rules, defaultValue */
void put_json(fa_jw *w, const char *key, const json_t *v); /* NULL: null */
/* An error in the codes of an API: V1 has no 422 and no 409, V2 no 409. */
fa_rc tag_fail(tag_form form, fa_rc rc, fa_err *e);

/* May the caller see, may he change this tag? Changing needs the access list, and groups.manage when a row rule reads the
 * tag or one that reads it (access.md 4.5, 5). FA_ENOTFOUND: not seen; FA_EFORBIDDEN. */
FA_MUST_CHECK fa_rc tag_may_read(fa_req *r, fa_str id, fa_err *e);
FA_MUST_CHECK fa_rc tag_may_write(fa_req *r, fa_str id, fa_err *e);
/* The access list of a tag that is being made: the one its document brings, else the account's default; of V2 everybody
 * reads. For fa_tag_edit.made, with a tag_making. */
typedef struct tag_making { fa_req *r; const json_t *acl; bool all_read; } tag_making;
FA_MUST_CHECK fa_rc tag_made(void *making, fa_str id, fa_err *e);
/* The access list that a document brings: taken over. */
FA_MUST_CHECK fa_rc tag_set_acl(fa_req *r, fa_str id, const json_t *acl, fa_err *e);

/* Who uses a tag, beside other tags: saved views. */
typedef struct tag_use {
    const char *type;
    fa_str id, name;
    bool blocks;
} tag_use;
FA_MUST_CHECK fa_rc tag_uses(fa_req *r, const fa_tag_node *node, size_t nnode, fa_str id, tag_use **out, size_t *n, fa_err *e);
/* Deletes unless it is used; *use gets what stands in the way (FA_ECONFLICT then). */
FA_MUST_CHECK fa_rc tag_delete(fa_req *r, fa_str id, bool forever, tag_use **use, size_t *nuse, fa_err *e);

#endif
