/*
 * metrics.c - what the server counts, as Prometheus text.
 *
 * One row of counters per route (and one for paths that have none): answers by status, a histogram
 * of durations, bytes. Gauges are read when asked. Label values are route templates, so their
 * number is fixed.
 */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Statuses that are counted one by one; all others of the class go to the last column. */
static const int statuses[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 409,
                               410, 413, 414, 422, 424, 429, 431, 500, 503, 504, 0};
static const int64_t edges_us[] = {1000,   2500,   5000,    10000,   25000,   50000,    100000,
                                   250000, 500000, 1000000, 2500000, 5000000, 10000000, 60000000};

typedef struct row {
    atomic_ulong status[FA_COUNT(statuses)];
    atomic_ulong bucket[FA_COUNT(edges_us) + 1];
    atomic_ullong sum_us, bytes;
} row;

struct fa_metrics {
    const fa_route *routes;
    size_t nroute;
    atomic_long in_flight;
    row *rows; /* nroute + 1: the last one for no route */
};

fa_metrics *fa_metrics_new(const fa_route *routes)
{
    fa_metrics *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->routes = routes;
    while (routes[m->nroute].method)
        m->nroute++;
    if (!(m->rows = calloc(m->nroute + 1, sizeof *m->rows))) {
        free(m);
        return NULL;
    }
    return m;
}

void fa_metrics_free(fa_metrics *m)
{
    if (!m)
        return;
    free(m->rows);
    free(m);
}

void fa_metrics_begin(fa_metrics *m)
{
    atomic_fetch_add(&m->in_flight, 1);
}

long fa_metrics_in_flight(fa_metrics *m)
{
    return atomic_load(&m->in_flight);
}

void fa_metrics_end(fa_metrics *m, const fa_route *r, int status, int64_t micros, size_t bytes)
{
    row *t = &m->rows[r ? (size_t)(r - m->routes) : m->nroute];
    size_t i;

    for (i = 0; i + 1 < FA_COUNT(statuses) && statuses[i] != status; i++)
        ;
    atomic_fetch_add_explicit(&t->status[i], 1, memory_order_relaxed);
    for (i = 0; i < FA_COUNT(edges_us) && micros > edges_us[i]; i++)
        ;
    atomic_fetch_add_explicit(&t->bucket[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->sum_us, (unsigned long long)micros, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->bytes, bytes, memory_order_relaxed);
    atomic_fetch_sub(&m->in_flight, 1);
}

static void head(fa_buf *b, const char *name, const char *kind, const char *help)
{
    fa_buf_fmt(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void gauge(fa_buf *b, const char *name, const char *help, long long v)
{
    head(b, name, "gauge", help);
    fa_buf_fmt(b, "%s %lld\n", name, v);
}

static void labels(fa_buf *b, const fa_metrics *m, size_t i)
{
    if (i < m->nroute)
        fa_buf_fmt(b, "method=\"%s\",route=\"%s\"", m->routes[i].method, m->routes[i].path);
    else
        fa_buf_z(b, "method=\"\",route=\"\"");
}

static unsigned long row_count(const row *t)
{
    unsigned long n = 0;

    for (size_t k = 0; k < FA_COUNT(t->bucket); k++)
        n += atomic_load_explicit(&t->bucket[k], memory_order_relaxed);
    return n;
}

static void requests(const fa_metrics *m, fa_buf *b)
{
    head(b, "farthing_http_requests_total", "counter", "Answers by route and status.");
    for (size_t i = 0; i <= m->nroute; i++)
        for (size_t k = 0; k < FA_COUNT(statuses); k++) {
            unsigned long n = atomic_load_explicit(&m->rows[i].status[k], memory_order_relaxed);

            if (!n)
                continue;
            fa_buf_z(b, "farthing_http_requests_total{");
            labels(b, m, i);
            if (statuses[k])
                fa_buf_fmt(b, ",status=\"%d\"} %lu\n", statuses[k], n);
            else
                fa_buf_fmt(b, ",status=\"other\"} %lu\n", n);
        }
}

static void durations(const fa_metrics *m, fa_buf *b)
{
    head(b, "farthing_http_request_seconds", "histogram",
         "Time from the headers to the last byte of the answer.");
    for (size_t i = 0; i <= m->nroute; i++) {
        const row *t = &m->rows[i];
        unsigned long n = 0, all = row_count(t);

        if (!all)
            continue;
        for (size_t k = 0; k < FA_COUNT(edges_us); k++) {
            n += atomic_load_explicit(&t->bucket[k], memory_order_relaxed);
            fa_buf_z(b, "farthing_http_request_seconds_bucket{");
            labels(b, m, i);
            fa_buf_fmt(b, ",le=\"%g\"} %lu\n", (double)edges_us[k] / 1e6, n);
        }
        fa_buf_z(b, "farthing_http_request_seconds_bucket{");
        labels(b, m, i);
        fa_buf_fmt(b, ",le=\"+Inf\"} %lu\nfarthing_http_request_seconds_sum{", all);
        labels(b, m, i);
        fa_buf_fmt(b, "} %.6f\nfarthing_http_request_seconds_count{",
                   (double)atomic_load_explicit(&t->sum_us, memory_order_relaxed) / 1e6);
        labels(b, m, i);
        fa_buf_fmt(b, "} %lu\n", all);
    }
    head(b, "farthing_http_response_bytes_total", "counter", "Bytes of answers, without headers.");
    for (size_t i = 0; i <= m->nroute; i++) {
        if (!row_count(&m->rows[i]))
            continue;
        fa_buf_z(b, "farthing_http_response_bytes_total{");
        labels(b, m, i);
        fa_buf_fmt(
            b, "} %llu\n",
            (unsigned long long)atomic_load_explicit(&m->rows[i].bytes, memory_order_relaxed));
    }
}

static long long resident(void)
{
    char text[128] = "", *pages;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (!fgets(text, sizeof text, f))
        text[0] = '\0';
    fclose(f);
    pages = strchr(text, ' '); /* the second number */
    return pages ? strtoll(pages, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

void fa_metrics_text(fa_server *s, fa_buf *b)
{
    const fa_metrics *m = s->metrics;
    int32_t first = 0, last = 0;

    requests(m, b);
    durations(m, b);
    gauge(b, "farthing_http_in_flight", "Requests that are being answered now.",
          atomic_load(&s->metrics->in_flight));
    gauge(b, "farthing_http_queued", "Requests that wait for a worker.",
          (long long)fa_pool_waiting(s->pool));
    gauge(b, "farthing_event_streams", "Open event streams.",
          (long long)fa_streams_count(s->streams));
    gauge(b, "farthing_ledger_generation", "Grows with every change of what is live.",
          (long long)fa_ledger_generation(s->ledger));
    gauge(b, "farthing_ledger_lines", "Distinct bill lines.", fa_ledger_lines(s->ledger));
    if (fa_ledger_range(s->ledger, &first, &last)) {
        gauge(b, "farthing_ledger_first_day", "First day with costs, days since 1970-01-01.",
              first);
        gauge(b, "farthing_ledger_last_day", "Last day with costs, days since 1970-01-01.", last);
    }
    gauge(b, "farthing_resident_bytes", "Resident memory of the process.", resident());
    gauge(b, "farthing_uptime_seconds", "Seconds since the server started.",
          (fa_mono_ms() - s->started_ms) / 1000);
}
