/*
 * reply.c - what every answer has in common: error bodies, security headers, compression, assets.
 */
#include "http/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* security.md 3.3; on every answer, errors too. ECharts and Preact set styles through the CSSOM,
 * which style-src 'self' lets pass. */
static const char *const security[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src "
     "'self'; "
     "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
     "object-src 'none'; require-trusted-types-for 'script'; trusted-types default"},
    {"Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "accelerometer=(), camera=(), geolocation=(), gyroscope=(), "
                           "microphone=(), payment=(), usb=()"},
};

void fa_security_headers(struct MHD_Response *r)
{
    for (size_t i = 0; i < FA_COUNT(security); i++)
        if (MHD_add_response_header(r, security[i][0], security[i][1]) != MHD_YES)
            fa_log(FA_LOG_ERROR, "header_failed", "name=%s", security[i][0]);
}

void fa_error_body(fa_buf *b, fa_envelope env, const char *request_id, const char *name,
                   const fa_err *e)
{
    fa_jw w;

    fa_jw_init(&w, b);
    fa_jw_obj(&w);
    fa_jw_key(&w, "requestId");
    fa_jw_z(&w, request_id);
    fa_jw_key(&w, "error");
    fa_jw_z(&w, name);
    fa_jw_key(&w, "message");
    if (env != FA_ENV_PAGE && e->field[0]) { /* API clients read nothing but the message */
        fa_buf text = {0};

        fa_buf_fmt(&text, "%s: %s", e->field, e->msg);
        fa_jw_str(&w, fa_buf_view(&text));
        fa_buf_release(&text);
    } else {
        fa_jw_z(&w, e->msg);
    }
    if (e->hint[0]) {
        fa_jw_key(&w, "hint");
        fa_jw_z(&w, e->hint);
    }
    if (e->field[0]) {
        fa_jw_key(&w, "field");
        fa_jw_z(&w, e->field);
    }
    fa_jw_end_obj(&w);
}

bool fa_gzip(const char *p, size_t n, int level, char **out, size_t *nout)
{
    z_stream z = {0};
    size_t room;
    bool ok;

    *out = NULL;
    if (n > UINT32_MAX ||
        deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    room = deflateBound(&z, n);
    if ((*out = malloc(room))) {
        z.next_in = (Bytef *)(uintptr_t)p;
        z.avail_in = (uInt)n;
        z.next_out = (Bytef *)*out;
        z.avail_out = (uInt)room;
        ok = room <= UINT32_MAX && deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < n;
        *nout = z.total_out;
    } else {
        ok = false;
    }
    deflateEnd(&z);
    if (!ok) {
        free(*out);
        *out = NULL;
    }
    return ok;
}

const fa_asset *fa_asset_find(fa_str path)
{
    if (path.n && path.p[0] == '/')
        path = (fa_str){path.p + 1, path.n - 1};
    for (const fa_asset *t = fa_assets; t->path; t++) {
        const char *name = t->path[0] == '/' ? t->path + 1 : t->path;

        if (fa_str_eqz(path, name))
            return t;
    }
    return NULL;
}

/* The words of api.md 4.2 where the general ones differ. */
static const char *error_name(fa_rc rc)
{
    static const struct {
        fa_rc rc;
        const char *name;
    } names[] = {{FA_EGONE, "RESULTS_EXPIRED"},
                 {FA_EFAILED, "QUERY_FAILED"},
                 {FA_ELIMIT, "RATE_LIMIT_EXCEEDED"},
                 {FA_ETIMEOUT, "GATEWAY_TIMEOUT"}};

    for (size_t i = 0; i < FA_COUNT(names); i++)
        if (names[i].rc == rc)
            return names[i].name;
    return fa_rc_get(rc)->name;
}

static void add(fa_wire *w, const char *name, const char *value)
{
    if (w->resp && MHD_add_response_header(w->resp, name, value) != MHD_YES)
        fa_log(FA_LOG_ERROR, "header_failed", "id=%s name=%s", w->req.request_id, name);
}

static void add_number(fa_wire *w, const char *name, long long v)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", v);
    add(w, name, text);
}

static void common_headers(fa_wire *w, const char *type)
{
    if (!w->resp)
        return;
    fa_security_headers(w->resp);
    add(w, "x-request-id", w->req.request_id);
    if (type)
        add(w, "Content-Type", type);
    if (w->has_window) {
        add_number(w, "ratelimit-limit", w->window.limit);
        add_number(w, "ratelimit-remaining", w->window.left);
        add_number(w, "ratelimit-reset", w->window.reset_s);
    }
    if (w->turned.n) {
        const char *v = fa_arena_printf(
            &w->mem, "__Host-s=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=2592000",
            FA_FMT(w->turned));

        if (v)
            add(w, "Set-Cookie", v);
    }
    if (w->close)
        add(w, "Connection", "close");
}

/* Takes b's memory. */
static void body_response(fa_wire *w, fa_buf *b, const char *type)
{
    char *small;
    size_t n;
    bool zipped = false;

    if (b->n > 1024 && fa_accepts_gzip(fa_req_header(&w->req, "Accept-Encoding")) &&
        fa_gzip(b->p, b->n, b->n > (1 << 20) ? 1 : 4, &small, &n)) {
        fa_buf_release(b);
        b->p = small;
        b->n = n;
        zipped = true;
    }
    w->resp_bytes = b->n;
    w->resp = MHD_create_response_from_buffer(b->n, b->p, MHD_RESPMEM_MUST_FREE);
    if (!w->resp)
        free(b->p);
    *b = (fa_buf){0};
    common_headers(w, type);
    add(w, "Cache-Control", "no-store");
    add(w, "Vary", "Accept-Encoding");
    if (zipped)
        add(w, "Content-Encoding", "gzip");
}

/* RFC 7644 3.12; the field of an error is the scimType when it is one. */
static void scim_body(fa_buf *b, int status, const fa_err *e)
{
    static const char *const words[] = {"invalidFilter", "tooMany",       "uniqueness",
                                        "mutability",    "invalidSyntax", "invalidPath",
                                        "noTarget",      "invalidValue"};
    char number[16];
    fa_jw w;

    fa_jw_init(&w, b);
    fa_jw_obj(&w);
    fa_jw_key(&w, "schemas");
    fa_jw_arr(&w);
    fa_jw_z(&w, "urn:ietf:params:scim:api:messages:2.0:Error");
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "status");
    snprintf(number, sizeof number, "%d", status);
    fa_jw_z(&w, number);
    for (size_t i = 0; i < FA_COUNT(words); i++)
        if (strcmp(e->field, words[i]) == 0) {
            fa_jw_key(&w, "scimType");
            fa_jw_z(&w, words[i]);
        }
    fa_jw_key(&w, "detail");
    fa_jw_z(&w, e->msg);
    fa_jw_end_obj(&w);
}

static void error_response(fa_wire *w, int status, const char *name)
{
    fa_envelope env = w->route ? w->route->envelope : FA_ENV_V2;
    fa_buf b = {0};

    w->status = status;
    if (env == FA_ENV_SCIM)
        scim_body(&b, status, &w->err);
    else
        fa_error_body(&b, env, w->req.request_id, name, &w->err);
    if (b.failed)
        fa_buf_clear(&b);
    body_response(w, &b, env == FA_ENV_SCIM ? "application/scim+json" : "application/json");
    if (w->allow)
        add(w, "Allow", w->allow);
    if (status == 429 || status == 503)
        add_number(w, "Retry-After", w->has_window && w->window.over ? w->window.reset_s : 1);
}

void fa_reply_refused(fa_wire *w)
{
    error_response(w, w->refuse_status, w->refuse_name);
}

static void file_response(fa_wire *w, const fa_res *o)
{
    struct stat st;
    int fd = open(o->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (o->file_once)
        (void)unlink(o->file);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        fa_fail(&w->err, FA_ENOTFOUND, "the file is not there any more");
        error_response(w, 404, "NOT_FOUND");
        return;
    }
    w->resp_bytes = (size_t)st.st_size;
    w->resp = MHD_create_response_from_fd64((uint64_t)st.st_size, fd);
    if (!w->resp)
        close(fd);
    common_headers(w, o->type);
    add(w, "Cache-Control", "no-store");
}

static bool has_header(const fa_res *o, const char *name)
{
    for (size_t i = 0; i < o->nheader; i++)
        if (strcasecmp(o->header[i][0], name) == 0)
            return true;
    return false;
}

/* A handler may have set headers (Retry-After) and failed; they go out with the error too. */
static void error_outcome(fa_wire *w, fa_rc rc, const fa_res *o)
{
    fa_rc shown = rc == FA_EDATA && w->route->envelope == FA_ENV_V1 ? FA_EINVAL : rc;

    if (rc == FA_EINTERNAL || rc == FA_EENV)
        fa_log(FA_LOG_ERROR, "request_failed", "id=%s route=%s error=\"%s\" trail=\"%s\"",
               w->req.request_id, w->route->path, w->err.msg, w->err.trail);
    if (rc == FA_EINTERNAL) { /* our bug: the log has the words */
        fa_fail(&w->err, rc, "internal error");
        fa_hint(&w->err, "the server's log has more under this request id");
    }
    error_response(w, fa_rc_get(shown)->http, error_name(shown));
    if (has_header(o, "Retry-After") && w->resp) {
        const char *old = MHD_get_response_header(w->resp, "Retry-After");

        if (old)
            MHD_del_response_header(w->resp, "Retry-After", old);
    }
}

void fa_reply(fa_wire *w, fa_rc rc, fa_res *o)
{
    const char *type = o->type ? o->type : "application/json";

    if (!rc && o->body.failed)
        rc = fa_fail(&w->err, FA_EENV, "the answer is too large");
    w->status = o->status ? o->status : 200;
    if (rc) {
        fa_stream_drop(o->stream);
        if (o->file && o->file_once)
            (void)unlink(o->file);
        error_outcome(w, rc, o);
    } else if (o->stream) {
        w->resp = fa_stream_response(o->stream);
        if (!w->resp)
            fa_stream_drop(o->stream);
        common_headers(w, type);
        add(w, "Cache-Control", "no-store");
        add(w, "X-Accel-Buffering", "no");
    } else if (o->file) {
        file_response(w, o);
    } else {
        body_response(w, &o->body, w->status == 204 ? NULL : type);
    }
    for (size_t i = 0; i < o->nheader; i++)
        add(w, o->header[i][0], o->header[i][1]);
    fa_buf_release(&o->body);
}

fa_rc fa_res_header(fa_req *r, fa_res *o, const char *name, const char *value, fa_err *e)
{
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return fa_fail(e, FA_EINTERNAL, "a header value holds a control character");
    if (o->nheader == FA_COUNT(o->header))
        return fa_fail(e, FA_EINTERNAL, "too many headers");
    if (!(value = fa_arena_dupz(r->mem, fa_str_of(value))))
        return fa_oom(e);
    o->header[o->nheader][0] = name;
    o->header[o->nheader++][1] = value;
    return FA_OK;
}

void fa_reply_asset(fa_wire *w)
{
    const fa_asset *t = w->asset;
    bool zip = t->gzip && fa_accepts_gzip(fa_req_header(&w->req, "Accept-Encoding"));
    char etag[80];
    fa_str match = fa_req_header(&w->req, "If-None-Match");
    const unsigned char *p = zip ? t->gzip : t->plain;
    size_t n = zip ? t->ngzip : t->nplain;

    /* the table's etag is quoted; the compressed form is another representation */
    snprintf(etag, sizeof etag, "%.*s%s", (int)(strlen(t->etag) - 1), t->etag,
             zip ? "-gz\"" : "\"");
    w->status = fa_str_eqz(match, etag) ? 304 : 200;
    if (w->status == 304)
        n = 0;
    w->resp_bytes = n;
    w->resp = MHD_create_response_from_buffer(n, (void *)(uintptr_t)p, MHD_RESPMEM_PERSISTENT);
    common_headers(w, t->type);
    add(w, "ETag", etag);
    add(w, "Cache-Control", t->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    add(w, "Vary", "Accept-Encoding");
    if (zip && w->status == 200)
        add(w, "Content-Encoding", "gzip");
}
