/* internal.h - private to http/: what its files share. */
#ifndef FA_HTTP_INTERNAL_H
#define FA_HTTP_INTERNAL_H

#include "http/http.h"
#include "job/job.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- parse.c: pure text functions, fuzzed ---- */
/* Decodes once into the arena, drops doubled and trailing slashes. FA_EINVAL: "..", ".", NUL, %2f, a
 * backslash, a control character, a broken escape, invalid UTF-8, no leading slash. */
FA_MUST_CHECK fa_rc fa_path_parse(fa_arena *a, fa_str raw, fa_str *out, fa_err *e);
/* Value of the nth (from 0) `name` in "a=1&b=2", decoded; false: absent or broken. */
bool   fa_query_get(fa_arena *a, fa_str query, const char *name, size_t nth, fa_str *out);
bool   fa_accepts_gzip(fa_str accept_encoding);
bool   fa_json_depth_ok(fa_str json, int most);
/* "127.0.0.1:8080", "[::1]:0": host without brackets. */
bool   fa_listen_parse(fa_str s, fa_str *host, int *port);

/* ---- limit.c: who has how many ---- */
typedef struct fa_limits fa_limits;
fa_limits *fa_limits_new(void);
void       fa_limits_free(fa_limits *l);
bool       fa_key_enter(fa_limits *l, fa_str client_id, unsigned most); /* false: has `most` already */
void       fa_key_leave(fa_limits *l, fa_str client_id);
typedef struct fa_window { unsigned limit, left; int64_t reset_s; bool over; } fa_window;
/* Counts one request of the account on the route; the window that binds is told. */
fa_window  fa_rate_count(fa_limits *l, fa_str account, const fa_route *r, int64_t now_ms);

/* ---- metrics.c ---- */
typedef struct fa_metrics fa_metrics;
fa_metrics *fa_metrics_new(const fa_route *routes);
void        fa_metrics_free(fa_metrics *m);
void        fa_metrics_begin(fa_metrics *m);
long        fa_metrics_in_flight(fa_metrics *m);
void        fa_metrics_end(fa_metrics *m, const fa_route *r, int status, int64_t micros, size_t bytes);

/* ---- stream.c ---- */
typedef struct fa_streams fa_streams;
fa_streams *fa_streams_new(void);
void        fa_streams_free(fa_streams *s);
void        fa_streams_check(fa_server *s);  /* who may listen no more is cut off */
void        fa_streams_beat(fa_streams *s);  /* a comment line to everybody, and the old ones end */
void        fa_streams_end(fa_streams *s);   /* all of them, for a stop */
struct MHD_Response *fa_stream_response(struct fa_stream *s);
void        fa_stream_drop(struct fa_stream *s); /* opened but never answered with */
size_t      fa_streams_count(fa_streams *s);

/* ---- reply.c: answers ---- */
void fa_error_body(fa_buf *b, fa_envelope env, const char *request_id, const char *name, const fa_err *e);
void fa_security_headers(struct MHD_Response *r);
/* gzip at `level`; false: not smaller or out of memory. out is malloc'd. */
bool fa_gzip(const char *p, size_t n, int level, char **out, size_t *nout);
const fa_asset *fa_asset_find(fa_str path);

/* ---- peer.c: TCP connections, slow ones are cut off ---- */
typedef struct fa_peer { /* one TCP connection */
    struct fa_peer *prev, *next;
    int      fd;
    char     ip[64];
    bool     loopback;
    unsigned requests;
    enum { PEER_IDLE, PEER_HEADERS, PEER_BODY, PEER_BUSY } phase; /* under server->peer_lock */
    int64_t  phase_mono_ms;
    size_t   body_bytes;
} fa_peer;

void fa_peer_opened(fa_server *s, struct MHD_Connection *c, void **ctx);
void fa_peer_closed(fa_server *s, void **ctx);
void fa_peer_phase(fa_server *s, fa_peer *p, int phase); /* PEER_*; p may be NULL */
void fa_peers_sweep(fa_server *s);

struct fa_server {
    fa_ledger        *ledger;
    const fa_route   *routes;
    fa_server_options opt;
    struct MHD_Daemon *mhd;
    fa_pool          *pool;
    fa_limits        *limits;
    fa_metrics       *metrics;
    fa_streams       *streams;
    char              address[128], origin_host[128];
    int64_t           started_ms;
    atomic_bool       stopping;
    pthread_mutex_t   peer_lock;
    fa_peer          *peers;
    pthread_t         watchdog;
    bool              has_watchdog;
    pthread_mutex_t   watch_lock;
    pthread_cond_t    watch_wake;
};

typedef struct fa_wire { /* one request; req first, so that a handler's fa_req leads back here */
    fa_req   req;
    fa_server *server;
    fa_peer  *peer;
    struct MHD_Connection *conn;
    const fa_route *route;
    fa_caller caller;
    char      at[37];        /* another account the session or token is of; empty: the first */
    fa_str    token_id, token_secret; /* to be looked at there */
    bool      entered, late; /* holds it open; it has to be opened first */
    fa_str    turned;        /* the session's new secret, for its cookie */
    fa_arena  mem;
    fa_str    uri, query;
    fa_buf    body;
    char     *stage_dir, *stage_path; /* upload */
    int       fd;
    size_t    body_max, received;
    uint64_t  content_length;
    bool      began, drain, has_key, has_window, counted, head, close;
    bool      local;         /* asked on this machine, through no proxy */
    bool      ambiguous;     /* where the body ends: answered at once, then closed */
    fa_window window;
    char      key[64];
    fa_err    err;           /* refused by the gate: answered after the body was drained */
    int       refuse_status; /* 0: go on; for codes without an fa_rc too */
    const char *refuse_name, *allow;
    const fa_asset *asset;   /* the page: answered at once */
    struct MHD_Response *resp;
    int       status;
    size_t    resp_bytes;
    int64_t   t0_us;
} fa_wire;

int64_t fa_wire_micros(void);
/* wire.c: one request from its first byte to its last; libmicrohttpd's callbacks. */
void *fa_wire_open(void *server, const char *uri, struct MHD_Connection *c);
enum MHD_Result fa_wire_step(void *server, struct MHD_Connection *c, const char *url, const char *method,
                             const char *version, const char *data, size_t *n, void **wire);
void fa_wire_done(void *server, struct MHD_Connection *c, void **wire, enum MHD_RequestTerminationCode why);
/* reply.c: turns an outcome into w->resp and w->status; releases o. */
void fa_reply(fa_wire *w, fa_rc rc, fa_res *o);
void fa_reply_refused(fa_wire *w);
void fa_reply_asset(fa_wire *w);
/* gate.c: route, authenticate, limit, permission. FA_OK, or w->refuse_* and w->err are set. */
fa_rc fa_gate(fa_wire *w);
/* On a worker: opens the account of a late one and decides the rest. */
void fa_gate_late(fa_wire *w);
void fa_gate_leave(fa_wire *w);
/* May who was let in at this route go on: session, account, permission and row rules as they are now? For streams. */
FA_MUST_CHECK fa_rc fa_gate_still(fa_server *s, const fa_route *r, const fa_caller *was, fa_err *e);
/* After a handler changed something: a line in the audit log, unless it wrote one (before: fa_audit_written then). */
void fa_gate_audit(fa_wire *w, unsigned before);
/* forward.c: fills req.ip and local */
void fa_forwarded(fa_wire *w);
/* upload.c */
FA_MUST_CHECK fa_rc fa_upload_open(fa_wire *w, fa_err *e);
FA_MUST_CHECK fa_rc fa_upload_write(fa_wire *w, const char *p, size_t n, fa_err *e);
void fa_upload_drop(fa_wire *w); /* closes; removes what no handler took */

#endif
