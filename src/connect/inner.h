/*
 * inner.h - what the files of connect/ share: an opened connection, its objects, its deliveries.
 */
#ifndef FA_CONNECT_INNER_H
#define FA_CONNECT_INNER_H

#include "connect/connect.h"

#include <jansson.h>

typedef struct cn_object {
    fa_str key;
    int64_t bytes;
    fa_str etag; /* as the store writes it; "" none */
    fa_str md5;  /* 32 hex; "" not known */
    int64_t modified_ms;
} cn_object;

typedef struct cn_list {
    cn_object *v; /* in the arena, sorted by key when the listing is done */
    size_t n, cap;
} cn_list;

typedef struct cn_conn cn_conn;

/* A store of objects, or (plan, fetch) something that is asked another way. */
typedef struct cn_store {
    fa_connect_kind kind;
    bool pinned; /* an address names one version of an object for good: no If-Match */
    bool append; /* each file adds to what there is (Oracle, Google): none replaces another */
    /* Checks the configuration, gets tokens. */
    fa_rc (*open)(cn_conn *c, fa_err *e);
    /* One page of keys under c->prefix; *next (in and out): where to go on, {NULL,0} at the end. */
    fa_rc (*page)(cn_conn *c, cn_list *out, fa_str *next, fa_err *e);
    /* Fills url, headers and signature of a GET of one object; `extra` are headers to send as well. */
    fa_rc (*get)(cn_conn *c, fa_arena *a, const cn_object *o, const char *const *extra, size_t nextra, fa_net_request *q, fa_err *e);
    /* What a refusal means, with what to do. doing: "list" or "read". */
    fa_rc (*refused)(const cn_conn *c, const fa_net_response *r, const char *doing, fa_str key, fa_err *e);
    /* NULL: the common ways. */
    fa_rc (*local)(cn_conn *c, fa_arena *a, const cn_object *o, const char **path, fa_err *e); /* needs no download */
    fa_rc (*objects)(cn_conn *c, cn_list *out, fa_err *e);  /* instead of page */
    fa_rc (*write)(cn_conn *c, const cn_object *o, int fd, void (*tick)(void *, int64_t), void *user, fa_err *e); /* instead of get */
} cn_store;

extern const cn_store cn_s3, cn_s3_compatible, cn_azure, cn_gcs, cn_bigquery, cn_oracle, cn_folder;

struct cn_conn {
    const cn_store *store;
    const fa_connect_call *call;
    fa_arena *mem;
    json_t *config, *secret;
    fa_str prefix;   /* "" or what keys begin with */
    fa_str endpoint; /* "https://host[:port]", no slash at the end */
    fa_str bucket, region;
    fa_str token;    /* bearer token, in mem; wiped at close */
    int64_t token_until_ms;
    fa_net_sign sign;
    fa_str since;    /* bigquery: export_time loaded up to */
    const char *kept; /* of a store that only adds: the folder of all its files so far; NULL: none */
};

const cn_store *cn_store_find(fa_str kind);
fa_rc cn_open(const fa_connect_call *call, fa_arena *mem, cn_conn *c, fa_err *e);
void cn_close(cn_conn *c); /* wipes; safe on a zeroed one */
fa_str cn_config(const cn_conn *c, const char *name); /* "" when not there */
fa_str cn_secret(const cn_conn *c, const char *name);
fa_rc cn_endpoint(cn_conn *c, const char *fallback, fa_err *e); /* of the configuration, else this */
/* What carries a secret as it is goes to these domains ("a.com|b.com"), or to whom the operator names; `field` is to blame. */
fa_rc cn_at_home(cn_conn *c, const char *url, const char *field, const char *homes, fa_err *e);
fa_rc cn_add(cn_conn *c, cn_list *l, const cn_object *o, fa_err *e);
fa_rc cn_all(cn_conn *c, cn_list *out, fa_err *e); /* every object under the prefix, sorted */
const cn_object *cn_find(const cn_list *l, fa_str key);
/* GETs a small object or an address of the store into memory, through the store's signing. */
fa_rc cn_read(cn_conn *c, fa_arena *a, const cn_object *o, size_t max, const char *range, fa_net_response *r, fa_err *e);
fa_rc cn_send(cn_conn *c, fa_arena *a, const fa_net_request *q, fa_net_response *r, fa_err *e); /* with cancel */

/* ---- deliveries (plan.c) ---- */
typedef struct cn_delivery {
    fa_str scope, version, seq, period; /* period "2026-09" or "" */
    const cn_object **file;
    size_t n;
    int64_t bytes;
    bool append;
    fa_str missing; /* not complete: the first file that is not there; "" complete */
} cn_delivery;
typedef struct cn_plan {
    cn_delivery *v;
    size_t n;
    size_t old; /* deliveries that were taken before, or are older than what was */
} cn_plan;
/* All of them (all: also those taken already), oldest period first. */
fa_rc cn_plan_make(cn_conn *c, const cn_list *objects, bool all, cn_plan *out, fa_err *e);

/* ---- download (fetch.c) ---- */
typedef struct cn_fetch {
    cn_conn *c;
    const char *dir; /* staging of this delivery; made when missing */
    void (*tick)(void *user, int64_t bytes);
    void *user;
    const char **path; /* out: where each file is, in the arena of c */
} cn_fetch;
/* Where an object of this version lies once it is whole. NULL: out of memory. */
char *cn_path(fa_arena *a, const char *dir, const cn_object *o);
/* All files of d. FA_ECONFLICT: one changed meanwhile, list again. */
fa_rc cn_fetch_all(cn_fetch *f, const cn_delivery *d, fa_err *e);

/* ---- signing (sign.c) ---- */
fa_rc cn_hmac_sha256(fa_str key, fa_str text, unsigned char out[32], fa_err *e);
fa_rc cn_base64(fa_buf *out, const void *p, size_t n, bool url);
fa_rc cn_unbase64(fa_arena *a, fa_str text, fa_str *out, fa_err *e);
/* RSASSA-PKCS1-v1_5 with SHA-256 under a PEM key, base64. */
fa_rc cn_rsa_sign(fa_str pem, fa_str passphrase, fa_str text, bool url, fa_buf *out, fa_err *e);
fa_rc cn_file_md5(const char *path, char hex[33], fa_err *e);
fa_rc cn_google_token(cn_conn *c, const char *scope, fa_err *e); /* service account -> c->token */

/* ---- small readers (read.c) ---- */
/* The text of the next <tag>..</tag> of *rest, entities decoded into the arena; moves *rest past it. */
bool cn_xml_next(fa_arena *a, fa_str *rest, const char *tag, fa_str *out);
fa_str cn_xml(fa_arena *a, fa_str text, const char *tag); /* the first; "" */
fa_str cn_json(const json_t *o, const char *name);        /* a text member, borrowed; "" */
fa_str cn_etag(fa_str raw);                               /* without quotes and W/ */
bool cn_is_hex(fa_str s, size_t n);
int64_t cn_time(fa_str text);                             /* ISO 8601 or HTTP date; -1 */
void cn_http_date(char out[64]);
void cn_url_path(fa_buf *b, fa_str key);                  /* percent-encoded, '/' kept */
fa_rc cn_join(fa_arena *a, fa_str *out, fa_err *e, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
