/*
 * net.c - a request goes out: pinned address, verified TLS, bounds, retries.
 */
#include "net/inner.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { IDLE = 16, HEADERS_MAX = 64 << 10, ERROR_BODY = 64 << 10, DEFAULT_TRIES = 8 };
#define SINK_MAX (10LL << 30)
#define WAIT_MAX_MS 60000LL
#define AFTER_MAX_MS 300000LL

struct fa_net {
    net_rules rules;
    char *ca_file;
    unsigned retry_ms;
    pthread_mutex_t lock; /* idle */
    CURL *idle[IDLE];     /* handles with their open connections */
    size_t nidle;
};

/* One try. */
typedef struct call {
    const fa_net_request *q;
    const net_target *target;
    fa_buf body, headers;
    int status; /* of the headers being read */
    bool cut, too_big, io_failed, refused;
    int io_errno;
    int64_t sunk;
    int upload;
    CURL *h;
} call;

static pthread_once_t global = PTHREAD_ONCE_INIT;
static CURLcode global_rc;

static void global_init(void)
{
    global_rc = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (sodium_init() < 0)
        global_rc = CURLE_FAILED_INIT;
}

fa_rc fa_net_open(const fa_net_config *c, fa_net **out, fa_err *e)
{
    fa_net *n;
    fa_rc rc;

    *out = NULL;
    pthread_once(&global, global_init);
    if (global_rc)
        return fa_fail(e, FA_EENV, "libcurl could not start");
    if (!(n = calloc(1, sizeof *n)))
        return fa_oom(e);
    pthread_mutex_init(&n->lock, NULL);
    n->retry_ms = c->retry_ms ? c->retry_ms : 1000;
    rc = net_rules_parse(&n->rules, c->allow, e);
    if (!rc && c->ca_file && c->ca_file[0] && !(n->ca_file = strdup(c->ca_file)))
        rc = fa_oom(e);
    if (!rc && n->ca_file && access(n->ca_file, R_OK))
        rc = fa_fail(e, FA_EENV, "the file of certificate authorities %s cannot be read: %s",
                     n->ca_file, strerror(errno));
    if (rc) {
        fa_net_close(n);
        return rc;
    }
    *out = n;
    return FA_OK;
}

void fa_net_close(fa_net *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->nidle; i++)
        curl_easy_cleanup(n->idle[i]);
    pthread_mutex_destroy(&n->lock);
    free(n->ca_file);
    free(n);
}

const net_rules *net_rules_of(const fa_net *n)
{
    return &n->rules;
}

const char *net_ca_file(const fa_net *n)
{
    return n->ca_file;
}

unsigned fa_net_retry_ms(const fa_net *n)
{
    return n->retry_ms;
}

fa_rc fa_net_check(const fa_net *n, const char *url, fa_err *e)
{
    net_target t;

    return net_target_parse(&n->rules, url, false, &t, e);
}

static bool in_domain(fa_str host, fa_str domain)
{
    return fa_str_ends(host, domain) &&
           (host.n == domain.n || host.p[host.n - domain.n - 1] == '.');
}

fa_rc fa_net_at_home(const fa_net *n, const char *url, const char *homes, fa_err *e)
{
    net_target t;
    fa_rc rc = net_target_parse(&n->rules, url, false, &t, e);

    if (rc || t.listed || net_in_ranges(&n->rules, &t))
        return rc;
    for (const char *p = homes; *p;) {
        size_t k = strcspn(p, "|");

        if (in_domain(fa_str_of(t.host), (fa_str){p, k}))
            return FA_OK;
        p += k + (p[k] == '|');
    }
    fa_fail(e, FA_EINVAL, "%s is not the provider's: a secret would be sent there", t.host);
    return fa_hint(e, "the operator can allow it: farthing serve --allow-host %s:%d", t.host,
                   t.port);
}

static CURL *take_handle(fa_net *n)
{
    CURL *h = NULL;

    pthread_mutex_lock(&n->lock);
    if (n->nidle)
        h = n->idle[--n->nidle];
    pthread_mutex_unlock(&n->lock);
    return h ? h : curl_easy_init();
}

static void give_handle(fa_net *n, CURL *h, bool good)
{
    bool kept = false;

    curl_easy_reset(h); /* secrets go, connections stay */
    pthread_mutex_lock(&n->lock);
    if (good && n->nidle < IDLE) {
        n->idle[n->nidle++] = h;
        kept = true;
    }
    pthread_mutex_unlock(&n->lock);
    if (!kept)
        curl_easy_cleanup(h);
}

/* ---- what libcurl calls back ---- */

static curl_socket_t on_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
    call *c = user;

    if (purpose != CURLSOCKTYPE_IPCXN || !net_target_has(c->target, &a->addr)) {
        c->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t on_header(char *p, size_t size, size_t n, void *user)
{
    call *c = user;
    size_t len = size * n;

    if (len > 5 && memcmp(p, "HTTP/", 5) == 0) { /* of the last answer only: 100 goes before */
        const char *blank = memchr(p, ' ', len);
        char code[4] = {0};

        fa_buf_clear(&c->headers);
        if (blank && (size_t)(blank - p) + 4 <= len)
            memcpy(code, blank + 1, 3);
        c->status = (int)strtol(code, NULL, 10);
    }
    fa_buf_put(&c->headers, p, len);
    return c->headers.failed ? 0 : len;
}

static bool sinks(const call *c)
{
    const fa_net_request *q = c->q;

    return q->sink_fd > 0 && (q->sink_status ? c->status == q->sink_status : c->status / 100 == 2);
}

static bool sink(call *c, const char *p, size_t len)
{
    int64_t max = c->q->sink_max ? c->q->sink_max : SINK_MAX;

    if ((int64_t)len > max - c->sunk) {
        c->too_big = true;
        return false;
    }
    while (len) {
        ssize_t k = pwrite(c->q->sink_fd, p, len, c->q->sink_at + c->sunk);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            c->io_failed = true;
            c->io_errno = k ? errno : EIO;
            return false;
        }
        c->sunk += k;
        p += k;
        len -= (size_t)k;
    }
    return true;
}

static size_t on_body(char *p, size_t size, size_t n, void *user)
{
    call *c = user;
    size_t len = size * n, room;

    if (sinks(c))
        return sink(c, p, len) ? len : 0;
    room = c->body.limit - 1 - c->body.n;
    if (len > room) {
        c->cut = true;
        c->too_big = c->status / 100 == 2;
        fa_buf_put(&c->body, p, room);
        return 0;
    }
    fa_buf_put(&c->body, p, len);
    return c->body.failed ? 0 : len;
}

static size_t on_read(char *p, size_t size, size_t n, void *user)
{
    call *c = user;
    ssize_t k;

    do
        k = read(c->upload, p, size * n);
    while (k < 0 && errno == EINTR);
    if (k < 0) {
        c->io_failed = true;
        c->io_errno = errno;
        return CURL_READFUNC_ABORT;
    }
    return (size_t)k;
}

static int on_seek(void *user, curl_off_t at, int from)
{
    return lseek(((call *)user)->upload, at, from) < 0 ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

static int on_progress(void *user, curl_off_t dtotal, curl_off_t dnow, curl_off_t utotal,
                       curl_off_t unow)
{
    call *c = user;
    bool up = c->upload >= 0;

    if (fa_flag_get(c->q->cancel))
        return 1;
    if (c->q->tick)
        c->q->tick(c->q->tick_user, up ? unow : dnow, up ? utotal : dtotal ? dtotal : -1);
    return 0;
}

/* ---- one try ---- */

static struct curl_slist *header_list(const fa_net_request *q, bool *ok)
{
    struct curl_slist *list = NULL, *more;

    /* libcurl 7.88 would sign "Expect:" although it is not sent, and no store would take the signature */
    size_t n = q->nheader + !q->sign;

    *ok = true;
    for (size_t i = 0; i < n && *ok; i++) {
        const char *text = i < q->nheader ? q->header[i] : "Expect:";

        more = strpbrk(text, "\r\n") ? NULL : curl_slist_append(list, text);
        *ok = more != NULL;
        list = more ? more : list;
    }
    return list;
}

static void wipe_list(struct curl_slist *list)
{
    for (struct curl_slist *i = list; i; i = i->next)
        sodium_memzero(i->data, strlen(i->data));
    curl_slist_free_all(list);
}

struct curl_slist *net_pin(const net_target *t)
{
    fa_buf b;
    struct curl_slist *list;
    char ip[INET6_ADDRSTRLEN];

    fa_buf_init(&b, 4096);
    fa_buf_fmt(&b, "%s:%d:", t->host, t->port);
    for (size_t i = 0; i < t->naddr; i++) {
        net_addr_text(&t->addr[i], ip);
        fa_buf_fmt(&b, t->addr[i].family == AF_INET6 ? "%s[%s]" : "%s%s", i ? "," : "", ip);
    }
    list = b.failed ? NULL : curl_slist_append(NULL, b.p);
    fa_buf_release(&b);
    return list;
}

static const char *method_of(const fa_net_request *q)
{
    return q->method ? q->method : q->body.n || q->body_path ? "POST" : "GET";
}

static CURLcode set_method(CURL *h, call *c)
{
    const fa_net_request *q = c->q;
    const char *m = method_of(q);
    struct stat st;
    CURLcode rc = CURLE_OK;

    if (strcmp(m, "HEAD") == 0)
        return curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
    if (q->body_path) {
        c->upload = open(q->body_path, O_RDONLY | O_CLOEXEC);
        if (c->upload < 0 || fstat(c->upload, &st)) {
            c->io_failed = true;
            c->io_errno = errno;
            return CURLE_READ_ERROR;
        }
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)st.st_size);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_READFUNCTION, on_read);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_READDATA, c);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, on_seek);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SEEKDATA, c);
    } else if (q->body.n || strcmp(m, "POST") == 0 || strcmp(m, "PUT") == 0) {
        rc = curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_POSTFIELDS, q->body.n ? q->body.p : "");
    }
    return rc ? rc : curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, m);
}

static CURLcode set_sign(CURL *h, const fa_net_sign *s)
{
    char how[160];
    CURLcode rc;

    snprintf(how, sizeof how, "aws:amz:%s:%s", s->region, s->service);
    rc = curl_easy_setopt(h, CURLOPT_AWS_SIGV4, how);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_USERNAME, s->key);
    return rc ? rc : curl_easy_setopt(h, CURLOPT_PASSWORD, s->secret);
}

/* What libcurl 7.88 signs but does not write itself: the session's token and, for S3, the body's hash. */
static fa_rc add_aws_headers(const fa_net_request *q, struct curl_slist **list, fa_err *e)
{
    char line[4200], hex[65] = "UNSIGNED-PAYLOAD";
    unsigned char sum[crypto_hash_sha256_BYTES];
    struct curl_slist *more;

    if (!q->body_path) {
        crypto_hash_sha256(sum, (const unsigned char *)q->body.p, q->body.n);
        fa_hex(hex, sum, sizeof sum);
    }
    snprintf(line, sizeof line, "x-amz-content-sha256: %s", hex);
    if (!(more = curl_slist_append(*list, line)))
        return fa_oom(e);
    *list = more;
    if (!q->sign->token || !q->sign->token[0])
        return FA_OK;
    if ((size_t)snprintf(line, sizeof line, "x-amz-security-token: %s", q->sign->token) >=
        sizeof line)
        return fa_fail(e, FA_EINVAL, "the session token is longer than 4,000 bytes");
    more = curl_slist_append(*list, line);
    sodium_memzero(line, sizeof line);
    if (!more)
        return fa_oom(e);
    *list = more;
    return FA_OK;
}

static CURLcode set_bounds(CURL *h, const fa_net_request *q)
{
    long total = q->total_ms > 0 ? q->total_ms : q->total_ms < 0 || q->sink_fd > 0 ? 0 : 30000;
    long stall = (q->stall_ms > 0 ? q->stall_ms : 30000) / 1000;
    CURLcode rc = curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS,
                                   (long)(q->connect_ms > 0 ? q->connect_ms : 5000));

    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, total);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    return rc ? rc : curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, stall > 0 ? stall : 1L);
}

static CURLcode set_hooks(CURL *h, call *c)
{
    CURLcode rc = curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);

    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, c);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_XFERINFODATA, c);
    return rc ? rc : curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
}

static CURLcode set_policy(CURL *h, const fa_net *n, CURLU *u, struct curl_slist *pinned)
{
    CURLcode rc = curl_easy_setopt(h, CURLOPT_CURLU, u);

    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_PROXY, "");
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_USERAGENT, "farthing/" FARTHING_VERSION);
    if (!rc && n->ca_file)
        rc = curl_easy_setopt(h, CURLOPT_CAINFO, n->ca_file);
    return rc ? rc : curl_easy_setopt(h, CURLOPT_RESOLVE, pinned);
}

/* Keeps what is known of a failed try in words that hold no secret. */
static fa_rc explain(const call *c, CURLcode rc, const char *detail, fa_err *e)
{
    const char *host = c->target->host;

    if (c->io_failed)
        return fa_fail(e, FA_EENV,
                       c->upload >= 0 ? "reading what is sent to %s: %s"
                                      : "writing what %s sends: %s",
                       host, strerror(c->io_errno));
    if (c->too_big)
        return fa_fail(e, FA_ETOOBIG, "%s sent more than was asked for", host);
    if (c->refused)
        return fa_fail(e, FA_EINVAL, "%s changed its address while it was called", host);
    switch (rc) {
    case CURLE_ABORTED_BY_CALLBACK:
        return fa_fail(e, FA_ECANCELLED, "cancelled");
    case CURLE_OPERATION_TIMEDOUT:
        return fa_fail(e, FA_ETIMEOUT, "%s did not answer in time", host);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        fa_fail(e, FA_EENV, "the certificate of %s is not trusted: %s", host, detail);
        return fa_hint(e, "own authorities go into a PEM file: farthing serve --ca-file FILE");
    case CURLE_PARTIAL_FILE:
        return fa_fail(e, FA_EENV, "%s ended the answer before its announced length", host);
    default:
        return fa_fail(e, FA_EENV, "%s could not be reached or broke off: %s", host,
                       curl_easy_strerror(rc));
    }
}

static bool may_help(CURLcode rc)
{
    switch (rc) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
        return true;
    default:
        return false;
    }
}

/* FA_OK: an answer came, whatever its status. *again: another try may help. */
static fa_rc attempt(fa_net *n, const fa_net_request *q, CURLU *u, const net_target *t, call *c,
                     bool *again, fa_err *e)
{
    char detail[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL, *pinned = net_pin(t);
    CURL *h = take_handle(n);
    bool ok = true;
    CURLcode rc;
    fa_rc out = FA_OK;

    *again = false;
    if (h)
        headers = header_list(q, &ok);
    if (!h || !ok || !pinned) {
        out = ok ? fa_oom(e) : fa_fail(e, FA_EINVAL, "a header has a line break");
        goto done;
    }
    if (q->sign && (out = add_aws_headers(q, &headers, e)))
        goto done;
    rc = set_policy(h, n, u, pinned);
    rc = rc ? rc : set_bounds(h, q);
    rc = rc ? rc : set_hooks(h, c);
    rc = rc ? rc : set_method(h, c);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_ERRORBUFFER, detail);
    if (!rc && q->sign)
        rc = set_sign(h, q->sign);
    rc = rc ? rc : curl_easy_perform(h);
    if (rc == CURLE_WRITE_ERROR && c->cut && !c->too_big)
        rc = CURLE_OK; /* the rest of an error's body is not needed */
    *again = may_help(rc) && !c->too_big && !c->io_failed && !c->refused;
    if (rc)
        out = explain(c, rc, detail, e);
done:
    if (c->upload >= 0)
        close(c->upload);
    if (h)
        give_handle(n, h, !out);
    wipe_list(headers);
    curl_slist_free_all(pinned);
    return out;
}

/* ---- retries ---- */

bool fa_net_retryable(int status)
{
    static const int again[] = {408, 425, 429, 500, 502, 503, 504};

    for (size_t i = 0; i < FA_COUNT(again); i++)
        if (again[i] == status)
            return true;
    return false;
}

/* Seconds or a date; -1: there is none. */
int64_t fa_net_retry_after(const fa_net_response *r)
{
    fa_str s = fa_net_header(r, "Retry-After");
    uint64_t sec;
    fa_str digits = s;
    char date[64];
    time_t at;

    if (!s.n || s.n >= sizeof date)
        return -1;
    if (fa_take_u64(&digits, &sec) && !digits.n)
        return sec > 86400 ? 86400000 : (int64_t)sec * 1000;
    memcpy(date, s.p, s.n);
    date[s.n] = '\0';
    at = curl_getdate(date, NULL);
    if (at < 0)
        return -1;
    return (int64_t)at * 1000 > fa_now_ms() ? (int64_t)at * 1000 - fa_now_ms() : 0;
}

/* Full jitter: anything up to the doubled wait, which is at most a minute. */
static int64_t backoff(const fa_net *n, int tried)
{
    int64_t most = (int64_t)n->retry_ms << (tried < 16 ? tried - 1 : 15);

    most = most > WAIT_MAX_MS ? WAIT_MAX_MS : most;
    return (int64_t)randombytes_uniform((uint32_t)most + 1);
}

static fa_rc wait_ms(int64_t ms, const volatile bool *cancel, fa_err *e)
{
    int64_t until = fa_mono_ms() + ms, left;

    while (!fa_flag_get(cancel) && (left = until - fa_mono_ms()) > 0) {
        int64_t step = left < 50 ? left : 50;
        struct timespec ts = {0, (long)(step * 1000000)};

        nanosleep(&ts, NULL);
    }
    return fa_flag_get(cancel) ? fa_fail(e, FA_ECANCELLED, "cancelled") : FA_OK;
}

fa_rc fa_net_pause(const fa_net *n, int tried, int64_t after_ms, const volatile bool *cancel,
                   fa_err *e)
{
    if (after_ms > AFTER_MAX_MS)
        return fa_fail(e, FA_ELIMIT, "asked too often: come back in %lld minutes",
                       (long long)(after_ms / 60000));
    return wait_ms(after_ms >= 0 ? after_ms + backoff(n, 1) : backoff(n, tried), cancel, e);
}

static bool idempotent(const char *m)
{
    return !strcmp(m, "GET") || !strcmp(m, "HEAD") || !strcmp(m, "PUT") || !strcmp(m, "DELETE");
}

static size_t body_limit(const fa_net_request *q)
{
    size_t max = q->max_body ? q->max_body : q->sink_fd > 0 ? ERROR_BODY : 1 << 20;

    return max + 1;
}

static fa_rc keep(fa_arena *a, const call *c, fa_net_response *r, fa_err *e)
{
    r->status = c->status;
    r->cut = c->cut;
    r->bytes = c->sunk;
    r->headers = fa_buf_dup(&c->headers, a);
    r->body = c->body.n ? fa_buf_dup(&c->body, a) : FA_STR("");
    return !r->body.p || (c->headers.n && !r->headers.p) ? fa_oom(e) : FA_OK;
}

/* All tries against one address. */
static fa_rc tries(fa_net *n, fa_arena *a, const fa_net_request *q, CURLU *u, const net_target *t,
                   fa_net_response *r, fa_err *e)
{
    int most = q->tries > 0 ? q->tries : idempotent(method_of(q)) ? DEFAULT_TRIES : 1;
    fa_rc rc = FA_OK;

    for (int k = 1;; k++) {
        call c = {.q = q, .target = t, .upload = -1};
        int64_t after = -1;
        bool again;
        fa_err sub = {0};

        fa_buf_init(&c.body, body_limit(q));
        fa_buf_init(&c.headers, HEADERS_MAX);
        rc = attempt(n, q, u, t, &c, &again, &sub);
        if (rc && e)
            *e = sub;
        r->tries = k;
        r->bytes = c.sunk;
        if (!rc && !(rc = keep(a, &c, r, e)))
            again = fa_net_retryable(r->status);
        if (c.body.p)
            sodium_memzero(c.body.p, c.body.n); /* answers carry tokens, too */
        fa_buf_release(&c.body);
        fa_buf_release(&c.headers);
        if (!again || k == most)
            return rc;
        if (!rc && (after = fa_net_retry_after(r)) > AFTER_MAX_MS)
            return rc; /* a later run comes back */
        fa_log(FA_LOG_DEBUG, "net_retry", "host=%s try=%d status=%d", t->host, k,
               rc ? 0 : r->status);
        if ((rc = fa_net_pause(n, k, after, q->cancel, e)))
            return rc;
    }
}

/* ---- redirects ---- */

static bool carries_credentials(const fa_net_request *q)
{
    for (size_t i = 0; i < q->nheader; i++)
        if (fa_str_ieq((fa_str){q->header[i], strcspn(q->header[i], ":")}, FA_STR("Authorization")))
            return true;
    return q->sign != NULL;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Points u to where the answer sends us; only within the same scheme, host and port. */
static fa_rc follow(const fa_net *n, const fa_net_response *r, CURLU *u, const net_target *was,
                    fa_err *e)
{
    fa_str to = fa_net_header(r, "Location");
    char *own = to.n && to.n < 8192 ? strndup(to.p, to.n) : NULL, *url = NULL;
    net_target t;
    fa_rc rc = FA_OK;

    if (!own || curl_url_set(u, CURLUPART_URL, own, CURLU_DISALLOW_USER) ||
        curl_url_get(u, CURLUPART_URL, &url, 0))
        rc = fa_fail(e, FA_EENV, "%s redirects to an address that is none", was->host);
    if (!rc && !(rc = net_target_parse(&n->rules, url, false, &t, e)) &&
        (strcmp(t.scheme, was->scheme) || strcmp(t.host, was->host) || t.port != was->port))
        rc = fa_fail(e, FA_EINVAL, "%s redirects to another host, %s, which is not followed",
                     was->host, t.host);
    curl_free(url);
    free(own);
    return rc;
}

fa_rc fa_net_send(fa_net *n, fa_arena *a, const fa_net_request *q, fa_net_response *r, fa_err *e)
{
    bool get = strcmp(method_of(q), "GET") == 0;
    int left = get && (q->redirect_with_credentials || !carries_credentials(q)) ? q->redirects : 0;
    net_target t;
    CURLU *u;
    fa_rc rc;

    *r = (fa_net_response){0};
    if ((rc = net_target_parse(&n->rules, q->url, q->metadata, &t, e)))
        return rc;
    if (fa_flag_get(q->cancel))
        return fa_fail(e, FA_ECANCELLED, "cancelled");
    if ((rc = net_target_resolve(&n->rules, &t, e)))
        return rc;
    if (!(u = curl_url()))
        return fa_oom(e);
    if (curl_url_set(u, CURLUPART_URL, q->url, CURLU_DISALLOW_USER) ||
        curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0))
        rc = fa_fail(e, FA_EINVAL, "the address is malformed");
    while (!rc && !(rc = tries(n, a, q, u, &t, r, e)) && is_redirect(r->status) && left-- > 0)
        rc = follow(n, r, u, &t, e);
    curl_url_cleanup(u);
    return rc;
}

/* ---- answers ---- */

fa_str fa_net_header(const fa_net_response *r, const char *name)
{
    fa_str rest = r->headers, want = fa_str_of(name);

    while (rest.n) {
        const char *nl = memchr(rest.p, '\n', rest.n);
        fa_str line = {rest.p, nl ? (size_t)(nl - rest.p) : rest.n};

        rest = nl ? (fa_str){nl + 1, rest.n - line.n - 1} : (fa_str){0};
        if (line.n > want.n && line.p[want.n] == ':' && fa_str_ieq((fa_str){line.p, want.n}, want))
            return fa_str_trim((fa_str){line.p + want.n + 1, line.n - want.n - 1});
    }
    return (fa_str){0};
}

fa_rc fa_net_judge(const fa_net_response *r, const char *what, fa_err *e)
{
    static const struct {
        int status;
        fa_rc rc;
        const char *words;
    } row[] = {
        {400, FA_EFAILED, "found the request malformed"},
        {401, FA_EAUTH, "does not accept the credentials"},
        {403, FA_EFORBIDDEN, "does not allow it"},
        {404, FA_ENOTFOUND, "has no such thing"},
        {409, FA_ECONFLICT, "is in another state"},
        {412, FA_ECONFLICT, "has changed meanwhile"},
        {429, FA_ELIMIT, "is asked too often"},
    };

    if (r->status / 100 == 2)
        return FA_OK;
    for (size_t i = 0; i < FA_COUNT(row); i++)
        if (row[i].status == r->status)
            return fa_fail(e, row[i].rc, "%s %s (HTTP %d)", what, row[i].words, r->status);
    return fa_fail(e, r->status >= 500 ? FA_EENV : FA_EFAILED, "%s answered HTTP %d", what,
                   r->status);
}
