/*
 * wire.c - one request from its first byte to its last, as libmicrohttpd calls us.
 *
 * open (request line) -> begin (headers: the gate decides) -> take (body) -> submit (suspended, a
 * worker runs the handler, resumes) -> answer -> done (the last byte is out: counters, log,
 * memory). A refused request has its small body read and thrown away first: closing a socket with
 * unread bytes would destroy the answer on its way.
 */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum {
    URI_MAX = 8192,
    HEADERS_MAX = 100,
    HEADER_BYTES_MAX = 32 << 10,
    BODY_MAX = 1 << 20,
    DRAIN_MAX = 8 << 20,
    REQUESTS_PER_PEER = 1000,
    JSON_DEPTH = 128,
    ARENA_MAX = 1 << 30,
};

int64_t fa_wire_micros(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

fa_str fa_req_query(const fa_req *r, const char *name)
{
    const fa_wire *w = (const fa_wire *)r;
    fa_str v;

    return fa_query_get(r->mem, w->query, name, 0, &v) ? v : (fa_str){0};
}

bool fa_req_has_query(const fa_req *r, const char *name)
{
    fa_str v;

    return fa_req_query_nth(r, name, 0, &v);
}

bool fa_req_query_nth(const fa_req *r, const char *name, size_t nth, fa_str *out)
{
    return fa_query_get(r->mem, ((const fa_wire *)r)->query, name, nth, out);
}

fa_str fa_req_raw_query(const fa_req *r)
{
    return ((const fa_wire *)r)->query;
}

fa_str fa_req_form(const fa_req *r, const char *name)
{
    fa_str v;

    return fa_query_get(r->mem, r->body, name, 0, &v) ? v : (fa_str){0};
}

fa_str fa_req_header(const fa_req *r, const char *name)
{
    const fa_wire *w = (const fa_wire *)r;

    return fa_str_of(MHD_lookup_connection_value(w->conn, MHD_HEADER_KIND, name));
}

static void refuse(fa_wire *w, fa_rc rc, int status, const char *name)
{
    w->err.rc = rc;
    w->refuse_status = status;
    w->refuse_name = name;
}

void *fa_wire_open(void *server, const char *uri, struct MHD_Connection *c)
{
    fa_server *s = server;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    fa_wire *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->server = s;
    w->conn = c;
    w->peer = info ? info->socket_context : NULL;
    w->fd = -1;
    w->t0_us = fa_wire_micros();
    fa_arena_init(&w->mem, ARENA_MAX);
    fa_arena_count(&w->mem);
    w->uri = fa_arena_dup(&w->mem, fa_str_of(uri));
    fa_peer_phase(s, w->peer, PEER_HEADERS);
    return w;
}

/* What the headers as a whole are like. */
typedef struct header_sum {
    size_t n, bytes, hosts, lengths, encodings;
    bool chunked; /* the last Transfer-Encoding is exactly that */
    bool bad;     /* a name that is none, or a value with control characters */
} header_sum;

/* RFC 9110 5.6.2: a name with a blank before its colon is another name to other programs. */
static bool is_token(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", p[i]))
            return false;
    return n > 0;
}

static bool is_value(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)p[i] < ' ' && p[i] != '\t') || p[i] == 0x7f)
            return false;
    return true;
}

static enum MHD_Result header_size(void *cls, enum MHD_ValueKind kind, const char *key,
                                   size_t key_n, const char *value, size_t value_n)
{
    header_sum *sum = cls;

    (void)kind;
    sum->n++;
    sum->bytes += key_n + value_n + 4;
    sum->bad = sum->bad || !is_token(key, key_n) || !is_value(value, value_n);
    sum->hosts += strcasecmp(key, "Host") == 0;
    sum->lengths += strcasecmp(key, "Content-Length") == 0;
    if (strcasecmp(key, "Transfer-Encoding") == 0) {
        sum->encodings++;
        sum->chunked = value && strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

/* security.md HT-1: where two programs could see two requests, there is none. */
static bool framing_ok(const header_sum *sum)
{
    return !sum->bad && sum->hosts <= 1 && sum->lengths <= 1 && sum->encodings <= 1 &&
           (!sum->encodings || (sum->chunked && !sum->lengths));
}

static void request_id(fa_wire *w)
{
    fa_str given = fa_req_header(&w->req, "x-request-id");

    if (!fa_uuid_valid(given)) {
        fa_uuid_v4(w->req.request_id);
        return;
    }
    for (size_t i = 0; i < 36; i++) {
        char c = given.p[i];

        w->req.request_id[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    w->req.request_id[36] = '\0';
}

static void find_asset(fa_wire *w)
{
    if (!w->head && !fa_str_eqz(w->req.method, "GET"))
        return;
    w->asset = w->req.path.n > 1 ? fa_asset_find(w->req.path) : NULL;
    for (const char *const *p = w->server->opt.page_paths; !w->asset && p && *p; p++) {
        fa_str arg[4];

        if (fa_path_match(*p, w->req.path, arg))
            w->asset = fa_asset_find(FA_STR("index.html"));
    }
}

static void content_length(fa_wire *w)
{
    fa_str s = fa_req_header(&w->req, "Content-Length");

    for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        if (__builtin_mul_overflow(w->content_length, 10, &w->content_length) ||
            __builtin_add_overflow(w->content_length, (uint64_t)(s.p[i] - '0'), &w->content_length))
            w->content_length = UINT64_MAX;
}

static void too_big(fa_wire *w)
{
    fa_fail(&w->err, FA_ETOOBIG, "the request body is larger than %zu bytes", w->body_max);
    refuse(w, FA_ETOOBIG, 413, "PAYLOAD_TOO_LARGE");
}

/* A method cut at a NUL is none of these. */
static bool is_method(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

    for (size_t i = 0; i < FA_COUNT(known); i++)
        if (strcmp(method, known[i]) == 0)
            return true;
    return false;
}

/* Everything the headers decide. */
static void begin(fa_wire *w, const char *method, const char *version)
{
    header_sum sum = {0};
    fa_str raw = w->uri;
    fa_rc rc;

    w->began = w->counted = true;
    fa_metrics_begin(w->server->metrics);
    w->head = strcmp(method, "HEAD") == 0;
    w->req = (fa_req){.mem = &w->mem,
                      .server = w->server,
                      .ledger = w->server->ledger,
                      .app = w->server->opt.app,
                      .caller = &w->caller,
                      .method = fa_arena_dup(&w->mem, fa_str_of(method)),
                      .ip = fa_str_of(w->peer ? w->peer->ip : ""),
                      .deadline_mono_ms = fa_mono_ms() + w->server->opt.query_timeout_ms};
    fa_forwarded(w);
    w->req.agent = fa_req_header(&w->req, "User-Agent");
    request_id(w);
    content_length(w);
    if (w->peer && ++w->peer->requests >= REQUESTS_PER_PEER)
        w->close = true;
    for (size_t i = 0; i < raw.n; i++)
        if (raw.p[i] == '?') {
            w->query = (fa_str){raw.p + i + 1, raw.n - i - 1};
            raw.n = i;
        }
    MHD_get_connection_values_n(w->conn, MHD_HEADER_KIND, header_size, &sum);
    sum.bad = sum.bad || (sum.encodings && strcmp(version, "HTTP/1.1") != 0); /* RFC 9112 6.1 */
    if (w->uri.n > URI_MAX || !w->uri.p) {
        fa_fail(&w->err, FA_EINVAL, "the request line is longer than %d bytes", URI_MAX);
        refuse(w, FA_EINVAL, 414, "URI_TOO_LONG");
    } else if (!framing_ok(&sum)) {
        fa_fail(&w->err, FA_EINVAL, "the request's headers are malformed or ambiguous");
        refuse(w, FA_EINVAL, 400, "BAD_REQUEST");
        w->ambiguous = true;
    } else if (sum.n > HEADERS_MAX || sum.bytes > HEADER_BYTES_MAX) {
        fa_fail(&w->err, FA_EINVAL, "more than %d headers or %d bytes of them", HEADERS_MAX,
                HEADER_BYTES_MAX);
        refuse(w, FA_EINVAL, 431, "HEADERS_TOO_LARGE");
    } else if ((rc = fa_path_parse(&w->mem, raw, &w->req.path, &w->err))) {
        refuse(w, rc, 400, "BAD_REQUEST");
    } else {
        find_asset(w);
        if (!w->asset)
            (void)fa_gate(w); /* its refusal is in w */
    }
    w->body_max = w->route && w->route->body_max ? w->route->body_max : BODY_MAX;
    if (!w->refuse_status && w->content_length > w->body_max)
        too_big(w);
    if (!w->refuse_status && w->route && (w->route->flags & FA_RT_UPLOAD) &&
        (rc = fa_upload_open(w, &w->err)))
        refuse(w, rc, fa_rc_get(rc)->http, fa_rc_get(rc)->name);
    fa_buf_init(&w->body, w->body_max + 1);
    fa_peer_phase(w->server, w->peer, PEER_BODY);
}

/* false: give up on this client. */
static bool take(fa_wire *w, const char *data, size_t n)
{
    fa_rc rc = FA_OK;

    w->received += n;
    if (w->peer) {
        pthread_mutex_lock(&w->server->peer_lock);
        w->peer->body_bytes += n;
        pthread_mutex_unlock(&w->server->peer_lock);
    }
    if (w->refuse_status || w->asset)
        return w->received <= DRAIN_MAX;
    if (w->received > w->body_max) {
        too_big(w);
        return true;
    }
    if (w->fd >= 0)
        rc = fa_upload_write(w, data, n, &w->err);
    else
        fa_buf_put(&w->body, data, n);
    if (!rc && w->body.failed)
        rc = fa_oom(&w->err);
    if (rc)
        refuse(w, rc, fa_rc_get(rc)->http, fa_rc_get(rc)->name);
    return true;
}

static fa_rc parse_json(fa_wire *w)
{
    json_error_t je;

    w->req.body = fa_buf_view(&w->body);
    if ((w->route->flags & (FA_RT_NO_JSON | FA_RT_UPLOAD)) || !w->body.n)
        return FA_OK;
    if (!fa_json_depth_ok(w->req.body, JSON_DEPTH))
        return fa_fail(&w->err, FA_EINVAL, "the JSON body is nested deeper than %d levels",
                       JSON_DEPTH);
    w->req.json = json_loadb(w->body.p, w->body.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (!w->req.json)
        return fa_fail(&w->err, FA_EINVAL, "the body is not JSON: line %d, column %d: %s", je.line,
                       je.column, je.text);
    return FA_OK;
}

static void handle(fa_wire *w)
{
    unsigned audited = fa_audit_written();
    fa_res o = {0};
    fa_rc rc = FA_OK;

    if (w->fd >= 0) {
        if (close(w->fd))
            rc = fa_fail(&w->err, FA_EENV, "could not write the staging file");
        w->fd = -1;
    }
    if (!rc)
        rc = parse_json(w);
    if (!rc)
        rc = w->route->fn(&w->req, &o, &w->err);
    if (!rc)
        fa_gate_audit(w, audited);
    fa_reply(w, rc, &o);
}

static void work(void *arg)
{
    fa_wire *w = arg;
    struct MHD_Connection *c = w->conn;

    if (w->late)
        fa_gate_late(w);
    if (w->refuse_status)
        fa_reply_refused(w);
    else
        handle(w);
    /* after the resume the wire belongs to MHD's thread again */
    MHD_resume_connection(c);
}

static enum MHD_Result answer(fa_wire *w)
{
    enum MHD_Result ok;

    if (!w->resp)
        return MHD_NO;
    fa_peer_phase(w->server, w->peer, PEER_BUSY);
    ok = MHD_queue_response(w->conn, (unsigned)w->status, w->resp);
    MHD_destroy_response(w->resp);
    w->resp = NULL;
    return ok;
}

static enum MHD_Result submit(fa_wire *w)
{
    fa_server *s = w->server;

    fa_peer_phase(s, w->peer, PEER_BUSY);
    if (w->route->flags & FA_RT_INLINE) {
        handle(w);
        return answer(w);
    }
    MHD_suspend_connection(w->conn);
    if (fa_pool_add(s->pool, work, w))
        return MHD_YES;
    fa_fail(&w->err, FA_EENV, "the server is busy, try again");
    refuse(w, FA_EENV, 503, "SERVICE_UNAVAILABLE");
    fa_reply_refused(w);
    MHD_resume_connection(w->conn);
    return MHD_YES;
}

enum MHD_Result fa_wire_step(void *server, struct MHD_Connection *c, const char *url,
                             const char *method, const char *version, const char *data, size_t *n,
                             void **wire)
{
    fa_wire *w = *wire;

    (void)server;
    (void)c;
    (void)url;
    if (!w)
        return MHD_NO;
    if (!w->began) {
        begin(w, method, version);
        /* who sends what is malformed may see another request in what follows (HT-7) */
        w->close = w->close || w->refuse_status == 400 || !is_method(method);
        if (w->refuse_status && (w->content_length > DRAIN_MAX || w->ambiguous)) {
            w->close = true;
            fa_reply_refused(w);
            return answer(w);
        }
        return MHD_YES;
    }
    if (*n) {
        bool go_on = take(w, data, *n);

        *n = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    if (!w->resp) {
        if (w->refuse_status)
            fa_reply_refused(w);
        else if (w->asset)
            fa_reply_asset(w);
        else
            return submit(w);
    }
    return answer(w);
}

void fa_wire_done(void *server, struct MHD_Connection *c, void **wire,
                  enum MHD_RequestTerminationCode why)
{
    fa_server *s = server;
    fa_wire *w = *wire;
    int64_t us;

    (void)c;
    if (!w)
        return;
    us = fa_wire_micros() - w->t0_us;
    if (w->has_key)
        fa_key_leave(s->limits, fa_str_of(w->key));
    if (w->counted) {
        fa_metrics_end(s->metrics, w->route, w->status, us, w->resp_bytes);
        fa_log(w->status >= 500 ? FA_LOG_WARN : FA_LOG_INFO, "request",
               "id=%s method=%.*s path=%.*s status=%d ms=%lld.%03lld bytes=%zu ip=%.*s%s",
               w->req.request_id, FA_FMT(w->req.method), FA_FMT(w->req.path), w->status,
               (long long)(us / 1000), (long long)(us % 1000), w->resp_bytes, FA_FMT(w->req.ip),
               why == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : " cut=1");
    }
    fa_gate_leave(w);
    fa_upload_drop(w);
    if (w->resp)
        MHD_destroy_response(w->resp);
    json_decref(w->req.json);
    fa_buf_release(&w->body);
    fa_peer_phase(s, w->peer, PEER_IDLE);
    fa_arena_release(&w->mem);
    free(w);
    *wire = NULL;
}
