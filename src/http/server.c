/*
 * server.c - the listener's life: open, stop, close.
 *
 * One epoll thread moves bytes, a pool of workers runs handlers, one watchdog cuts off slow clients
 * and keeps event streams alive. A stop takes no new connection, answers what runs, then closes.
 */
#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKERS_MIN = 16,
    QUEUE = 512,
    PER_KEY = 5,
    TIMEOUT_MS = 60000,
    CONNECTIONS = 10000,
    PER_IP = 256,
    IDLE_S = 60,
    POOL_BYTES = 64 << 10,
    STOP_MS = 30000,
    TICK_MS = 500, /* how long a stream lives on after its session, at most */
    BEAT_TICKS = 30,
};

static void mhd_log(void *cls, const char *fmt, va_list ap)
{
    char text[512];

    (void)cls;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(text, sizeof text, fmt, ap);
#pragma GCC diagnostic pop
    text[strcspn(text, "\n")] = '\0';
    fa_log(FA_LOG_DEBUG, "mhd", "text=\"%s\"", text);
}

/* Escapes are decoded once, by fa_path_parse. */
static size_t keep_escapes(void *cls, struct MHD_Connection *c, char *s)
{
    (void)cls;
    (void)c;
    return strlen(s);
}

static void on_connection(void *cls, struct MHD_Connection *c, void **ctx,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        fa_peer_opened(cls, c, ctx);
    else
        fa_peer_closed(cls, ctx);
}

static void *watch(void *arg)
{
    fa_server *s = arg;
    struct timespec until;
    unsigned tick = 0;

    pthread_mutex_lock(&s->watch_lock);
    while (s->has_watchdog) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&s->watch_wake, &s->watch_lock, &until);
        pthread_mutex_unlock(&s->watch_lock);
        fa_peers_sweep(s);
        fa_streams_check(s);
        if (++tick % BEAT_TICKS == 0)
            fa_streams_beat(s->streams);
        pthread_mutex_lock(&s->watch_lock);
    }
    pthread_mutex_unlock(&s->watch_lock);
    return NULL;
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, a, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, a, sizeof v6);
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    return false;
}

static int bound_port(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;

    if (getsockname(fd, (struct sockaddr *)&a, &n))
        return 0;
    if (a.ss_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, &a, sizeof v6);
        return ntohs(v6.sin6_port);
    } else {
        struct sockaddr_in v4;

        memcpy(&v4, &a, sizeof v4);
        return ntohs(v4.sin_port);
    }
}

/* A bound, listening socket; s->address gets the real port. */
static fa_rc listen_on(fa_server *s, int *out, bool *v6, fa_err *e)
{
    const char *text = s->opt.listen ? s->opt.listen : "127.0.0.1:8080";
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    char host[256], port[8];
    fa_str h;
    int n, fd = -1, one = 1;
    fa_rc rc = FA_OK;

    *out = -1;
    if (!fa_listen_parse(fa_str_of(text), &h, &n) || h.n >= sizeof host)
        return fa_fail(e, FA_EINVAL, "not an address to listen on: \"%s\"", text);
    snprintf(host, sizeof host, "%.*s", FA_FMT(h));
    snprintf(port, sizeof port, "%d", n);
    if (getaddrinfo(host, port, &hints, &list) || !list)
        return fa_fail(e, FA_EINVAL, "could not resolve \"%s\"", host);
    if (!s->opt.allow_public && !is_loopback(list->ai_addr)) {
        fa_fail(e, FA_EINVAL,
                "\"%s\" is not a loopback address, and plain HTTP must not leave the machine",
                host);
        rc = fa_hint(e, "put a TLS proxy before 127.0.0.1, or say --allow-public");
        goto done;
    }
    fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, list->ai_addr, list->ai_addrlen) || listen(fd, 1024)) {
        rc = fa_fail(e, FA_EENV, "could not listen on %s: %s", text, strerror(errno));
        goto done;
    }
    *v6 = list->ai_family == AF_INET6;
    snprintf(s->address, sizeof s->address, *v6 ? "http://[%.80s]:%d" : "http://%.80s:%d", host,
             bound_port(fd));
    *out = fd;
    fd = -1;
done:
    if (fd >= 0)
        close(fd);
    freeaddrinfo(list);
    return rc;
}

static unsigned connection_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r))
        return 512;
    if (r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r))
            getrlimit(RLIMIT_NOFILE, &r);
    }
    if (r.rlim_cur > CONNECTIONS + 512)
        return CONNECTIONS;
    return r.rlim_cur > 768 ? (unsigned)r.rlim_cur - 512 : 256;
}

static fa_rc start_mhd(fa_server *s, int fd, bool v6, fa_err *e)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (v6 ? MHD_USE_IPv6 : 0u);
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    s->mhd = MHD_start_daemon(
        flags, 0, NULL, NULL, fa_wire_step, s, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_EXTERNAL_LOGGER, mhd_log, NULL, MHD_OPTION_URI_LOG_CALLBACK, fa_wire_open, s,
        MHD_OPTION_NOTIFY_COMPLETED, fa_wire_done, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        s, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT, connection_limit(),
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)PER_IP, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    s->has_watchdog = s->mhd != NULL;
    if (s->mhd && pthread_create(&s->watchdog, NULL, watch, s))
        s->has_watchdog = false;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!s->mhd)
        return fa_fail(e, FA_EENV, "could not start the HTTP server");
    return s->has_watchdog ? FA_OK : fa_fail(e, FA_EENV, "could not start the HTTP watchdog");
}

static void defaults(fa_server_options *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (!o->workers)
        o->workers = cores * 2 > WORKERS_MIN ? (unsigned)cores * 2 : WORKERS_MIN;
    if (!o->per_key)
        o->per_key = PER_KEY;
    if (!o->query_timeout_ms)
        o->query_timeout_ms = TIMEOUT_MS;
}

fa_rc fa_server_open(fa_ledger *l, const fa_route *routes, const fa_server_options *o,
                     fa_server **out, fa_err *e)
{
    fa_server *s = calloc(1, sizeof *s);
    bool v6 = false;
    int fd = -1;
    fa_rc rc;

    *out = NULL;
    if (!s)
        return fa_oom(e);
    s->ledger = l;
    s->routes = routes;
    s->opt = *o;
    s->started_ms = fa_mono_ms();
    defaults(&s->opt);
    pthread_mutex_init(&s->peer_lock, NULL);
    pthread_mutex_init(&s->watch_lock, NULL);
    pthread_cond_init(&s->watch_wake, NULL);
    s->limits = fa_limits_new();
    s->metrics = fa_metrics_new(routes);
    s->streams = fa_streams_new();
    rc = s->limits && s->metrics && s->streams ? FA_OK : fa_oom(e);
    if (!rc && sodium_init() < 0)
        rc = fa_fail(e, FA_EENV, "could not start libsodium");
    if (!rc)
        rc = fa_pool_open("http", s->opt.workers, QUEUE, &s->pool, e);
    if (!rc)
        rc = listen_on(s, &fd, &v6, e);
    if (!rc)
        rc = start_mhd(s, fd, v6, e);
    if (rc) {
        if (fd >= 0 && !s->mhd)
            close(fd);
        fa_server_close(s);
        return fa_in(e, "server open");
    }
    fa_log(FA_LOG_INFO, "listening", "address=%s workers=%u", s->address, s->opt.workers);
    *out = s;
    return FA_OK;
}

const char *fa_server_address(fa_server *s)
{
    return s->address;
}

static void doze(long ms)
{
    struct timespec t = {0, ms * 1000000};

    nanosleep(&t, NULL);
}

void fa_server_stop(fa_server *s)
{
    int64_t until = fa_mono_ms() + STOP_MS;
    int fd;

    if (!s || atomic_exchange(&s->stopping, true))
        return;
    fd = s->mhd ? MHD_quiesce_daemon(s->mhd) : -1;
    if (fd >= 0)
        close(fd);
    if (s->streams)
        fa_streams_end(s->streams);
    while (s->metrics && fa_metrics_in_flight(s->metrics) > 0 && fa_mono_ms() < until)
        doze(5);
    fa_log(FA_LOG_INFO, "stopped", "left=%ld", s->metrics ? fa_metrics_in_flight(s->metrics) : 0);
}

void fa_server_close(fa_server *s)
{
    if (!s)
        return;
    fa_server_stop(s);
    fa_pool_close(s->pool); /* every suspended request is resumed after this */
    if (s->mhd)
        MHD_stop_daemon(s->mhd);
    if (s->has_watchdog) {
        pthread_mutex_lock(&s->watch_lock);
        s->has_watchdog = false;
        pthread_cond_signal(&s->watch_wake);
        pthread_mutex_unlock(&s->watch_lock);
        pthread_join(s->watchdog, NULL);
    }
    fa_streams_free(s->streams);
    fa_metrics_free(s->metrics);
    fa_limits_free(s->limits);
    pthread_cond_destroy(&s->watch_wake);
    pthread_mutex_destroy(&s->watch_lock);
    pthread_mutex_destroy(&s->peer_lock);
    free(s);
}
