/*
 * http.h - the server: libmicrohttpd outside, straight-line handlers inside.
 *
 * MHD's epoll thread reads the headers and runs the gate (route, authenticate, limit, permission) at
 * once, so that whoever is refused is refused without waiting for a worker. Then it takes the body,
 * suspends the connection and queues the request; a fixed set of workers runs the handlers and resumes
 * the connection with the answer. A handler never touches a socket. Limits of security.md 3.9 (HT-2).
 */
#ifndef FA_HTTP_H
#define FA_HTTP_H

#include "access/access.h"
#include "base/base.h"
#include "ledger/ledger.h"
#include <jansson.h>

typedef struct fa_server fa_server;

typedef struct fa_server_options {
    const char *listen;        /* "127.0.0.1:8080", "[::1]:0" (0: any free port) */
    unsigned    workers;       /* 0: 2 x cores, at least 16: more than two keys' slow requests */
    unsigned    per_key;       /* concurrent requests of one API key; 0: 5 */
    int64_t     query_timeout_ms; /* 0: 60,000 */
    bool        allow_public;  /* refuse to bind plain HTTP to a non-loopback address without it */
    const char *trusted_proxies; /* addresses and networks, with spaces between, whose X-Forwarded-For counts; may be NULL */
    struct fa_net *net;        /* outgoing requests; the caller's, outlives the server */
    const char *watch_folders; /* roots of folders that may be watched for bills, ':' between them; may be NULL */
    void       *app;           /* what the api keeps for the server's life; handed to every handler */
    const char *const *page_paths; /* answered with the page's index.html; ends with NULL */
    const struct fa_accounts *accounts; /* the other accounts; NULL: there is one */
} fa_server_options;

/* The other accounts of the installation, for the gate. */
typedef struct fa_accounts {
    void *house;
    /* Holds an account open until leave. FA_ETIMEOUT: it is not open, and wait is not set; FA_ENOTFOUND. */
    fa_rc (*enter)(void *house, fa_str account, bool wait, fa_ledger **l, void **app, fa_err *e);
    void  (*leave)(void *house, fa_str account);
    bool  (*of_client)(void *house, fa_str client_id, char account[37]); /* which account a token's client id is of */
} fa_accounts;

typedef struct fa_req {
    fa_arena    *mem;          /* dies with the request */
    fa_server   *server;
    fa_ledger   *ledger;
    void        *app;
    const fa_caller *caller;
    char         request_id[37];
    fa_str       method, path; /* path decoded once, doubled and trailing slashes gone */
    fa_str       arg[4];       /* {placeholders} of the route, in order */
    fa_str       body;         /* whole body (JSON routes, bounded by the route) */
    const char  *body_file;    /* upload routes: the body streamed to this staging file */
    json_t      *json;         /* parsed body of a JSON route, or NULL when it was empty */
    int64_t      deadline_mono_ms;
    fa_str       agent, ip;
} fa_req;
fa_str fa_req_query(const fa_req *r, const char *name);   /* first ?name=; empty: absent */
bool   fa_req_has_query(const fa_req *r, const char *name);
bool   fa_req_query_nth(const fa_req *r, const char *name, size_t nth, fa_str *out); /* the nth ?name= */
fa_str fa_req_raw_query(const fa_req *r); /* as it came, for who verifies a signature over it */
fa_str fa_req_form(const fa_req *r, const char *name); /* first field of that name of a form's body; empty: absent, not UTF-8 */
fa_str fa_req_header(const fa_req *r, const char *name);
fa_str fa_cookie_find(fa_str header, const char *name); /* of a Cookie header; empty: absent */

/* "/a/{x}/b" or "/a/{rest+}": the last placeholder with a plus takes what is left, slashes and all. */
bool fa_path_match(const char *pattern, fa_str path, fa_str arg[4]);

typedef struct fa_res {
    int         status;        /* 200 unless set */
    fa_buf      body;
    const char *type;          /* "application/json" unless set */
    const char *header[8][2];  size_t nheader; /* values in req->mem */
    const char *file;          /* answer with the content of this file instead of body */
    bool        file_once;     /* the file is this answer's own: it is removed when it is open, or not needed */
    struct fa_stream *stream;  /* event stream: fa_stream_open was called */
} fa_res;
FA_MUST_CHECK fa_rc fa_res_header(fa_req *r, fa_res *o, const char *name, const char *value, fa_err *e);

typedef enum { FA_ENV_V1, FA_ENV_V2, FA_ENV_PAGE, FA_ENV_SCIM } fa_envelope; /* which error body (all: requestId, error, message) */
enum { FA_RT_TOKEN = 1,   /* the two headers authenticate */
       FA_RT_SESSION = 2, /* the session cookie authenticates (with the CSRF rules for unsafe methods) */
       FA_RT_UPLOAD = 4,  /* body streams to a file */
       FA_RT_KEY_LIMIT = 8, /* counts against the five concurrent requests of a key */
       FA_RT_NO_JSON = 16,  /* body is not JSON */
       FA_RT_INLINE = 32,   /* runs on the network thread: must not wait for anything */
       FA_RT_PROVED = 128,  /* a person must have given a password or code within ten minutes (SE-6) */
       FA_RT_OWN_EYES = 512, /* may be asked while looking through other eyes: how to stop, how to sign out */
       FA_RT_CROSS = 1024,   /* takes no cookie, so no page of another site can misuse one */
       FA_RT_ALL_ROWS = 256, /* shows what no row rule can cut: only for who sees all rows */
       FA_RT_SCIM = 2048,    /* the bearer key of a provisioning client authenticates */
       FA_RT_PERSON = 4096,  /* of the person himself: at the first account, whichever the session is in */
       FA_RT_FIRST = 8192,   /* of the first account only: who signs in, and how */
       FA_RT_READS = 16384,  /* asks and changes nothing, though its method and permission do not say so */
       FA_RT_LOOPBACK = 64 }; /* asked on this machine and through no proxy; others get 404 */

typedef fa_rc fa_handler(fa_req *r, fa_res *o, fa_err *e);

typedef struct fa_route {
    const char *method, *path; /* "/v2/data/cost-usage/{queryId}/status" */
    fa_handler *fn;
    fa_perm     perm;
    unsigned    flags;
    unsigned    per_minute, per_day; /* per account and route; 0: none (V2 rate limit headers when set) */
    size_t      body_max;      /* bytes; 0: 1 MiB */
    fa_envelope envelope;
    const char *codes;         /* "200 400 422": what the handler answers; the gate's are added by fa_route_codes */
    const char *doc;           /* one line; also the openapi summary */
} fa_route;
/* Does the route only look? GET, and POST with a permission to see, ask or export. Who looks through other
 * eyes may do no more; every other route leaves a line in the audit log. */
bool fa_route_reads(const fa_route *r);
/* Every status a route can answer, ascending, as "200 400 401 429 500 503". */
void fa_route_codes(const fa_route *r, fa_buf *out);

/* `routes` ends with a row whose method is NULL; borrowed for the server's life. */
FA_MUST_CHECK fa_rc fa_server_open(fa_ledger *l, const fa_route *routes, const fa_server_options *o, fa_server **out, fa_err *e);
const char *fa_server_address(fa_server *s);   /* "http://127.0.0.1:8080" with the real port */
void        fa_server_stop(fa_server *s);      /* takes no new request, finishes what runs (30 s at most) */
void        fa_server_close(fa_server *s);

/* What a route's handler answers when it is asked from within the program, for commands. No gate, no limits, but the line
 * in the audit log. body is borrowed, may be NULL; *answer (may be NULL: not wanted) is a new reference, NULL when there
 * is none. Not for routes that take a file or stream. Errors are the handler's. */
FA_MUST_CHECK fa_rc fa_local_call(fa_ledger *l, const fa_route *routes, void *app, const fa_caller *caller, const char *method,
                                  fa_str path, json_t *body, json_t **answer, fa_err *e);

/* ---- event stream: topics are texts such as "loads"; events are kept only for who listens ---- */
FA_MUST_CHECK fa_rc fa_stream_open(fa_req *r, fa_res *o, fa_str topic, fa_err *e); /* handler: answer with a stream */
void        fa_stream_send(fa_server *s, fa_str topic, const char *event, fa_str json); /* any thread */

/* ---- metrics: counters are rows of a table in http/metrics.c ---- */
void        fa_metrics_text(fa_server *s, fa_buf *b); /* Prometheus text format */

/* Static assets of the page: embedded at build time, content-hashed names immutable. */
typedef struct fa_asset { const char *path, *type, *etag; const unsigned char *plain, *gzip; size_t nplain, ngzip; bool immutable; } fa_asset;
extern const fa_asset fa_assets[]; /* generated; ends with a NULL path */

#endif
