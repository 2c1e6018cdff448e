/*
 * floor.c - the raw floor of FinBench, section 1: plain loops over arrays, no SQL, no HTTP.
 *
 *   bench_floor ROWS RUNS
 *
 * Columns as arrays: day 2 bytes, sorted; codes 2 bytes; resource 4 bytes; cost 8-byte integer. Best of
 * RUNS, on one thread and on all cores. Prints a JSON object per loop. Any design is compared with this.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DAYS = 395, SERVICES = 120, TAGS = 201, TABLE = 65536, THREADS_MAX = 64 };

typedef struct data {
    size_t n, resources;
    uint16_t *day, *service, *tuple, *tag; /* tag[TABLE]: of a tuple */
    uint32_t *resource;
    int64_t *cost;
} data;

typedef struct share {
    const data *d;
    size_t lo, hi;
    int64_t *sum;
    size_t nsum;
    void (*loop)(struct share *s);
} share;

static void sum_all(share *s)
{
    int64_t sum = 0;

    for (size_t i = s->lo; i < s->hi; i++)
        sum += s->d->cost[i];
    s->sum[0] += sum;
}

static void by_day_service(share *s)
{
    const data *d = s->d;

    for (size_t i = s->lo; i < s->hi; i++)
        s->sum[d->day[i] * SERVICES + d->service[i]] += d->cost[i];
}

static void by_day_tag(share *s)
{
    const data *d = s->d;

    for (size_t i = s->lo; i < s->hi; i++)
        s->sum[d->day[i] * TAGS + d->tag[d->tuple[i]]] += d->cost[i];
}

static void by_resource(share *s)
{
    const data *d = s->d;

    for (size_t i = s->lo; i < s->hi; i++)
        s->sum[d->resource[i]] += d->cost[i];
}

static void one_service(share *s)
{
    const data *d = s->d;

    for (size_t i = s->lo; i < s->hi; i++)
        s->sum[d->day[i]] += d->service[i] == 7 ? d->cost[i] : 0;
}

static void *run_share(void *arg)
{
    share *s = arg;

    s->loop(s);
    return NULL;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void *must(void *p)
{
    if (!p) {
        fputs("bench_floor: out of memory\n", stderr);
        exit(3);
    }
    return p;
}

/* One run; the sums are added together so that no work can be left out. */
static double run(const data *d, void (*loop)(share *), size_t nsum, int threads, int64_t *check)
{
    share s[THREADS_MAX];
    pthread_t t[THREADS_MAX];
    bool started[THREADS_MAX] = {false};
    double begin;

    for (int k = 0; k < threads; k++)
        s[k] = (share){d,
                       d->n * (size_t)k / (size_t)threads,
                       d->n * (size_t)(k + 1) / (size_t)threads,
                       must(calloc(nsum, sizeof(int64_t))),
                       nsum,
                       loop};
    begin = now_ms();
    for (int k = 1; k < threads; k++)
        started[k] = pthread_create(&t[k], NULL, run_share, &s[k]) == 0;
    run_share(&s[0]);
    for (int k = 1; k < threads; k++) {
        if (started[k])
            pthread_join(t[k], NULL);
        else
            run_share(&s[k]);
    }
    begin = now_ms() - begin;
    for (int k = 0; k < threads; k++) {
        for (size_t i = 0; i < nsum; i++)
            *check += s[k].sum[i];
        free(s[k].sum);
    }
    return begin;
}

static void make(data *d)
{
    uint64_t x = 88172645463325252u;

    d->resources = d->n / 60 + 1;
    d->day = must(malloc(d->n * sizeof *d->day + 1));
    d->service = must(malloc(d->n * sizeof *d->service + 1));
    d->tuple = must(malloc(d->n * sizeof *d->tuple + 1));
    d->resource = must(malloc(d->n * sizeof *d->resource + 1));
    d->cost = must(malloc(d->n * sizeof *d->cost + 1));
    d->tag = must(malloc(TABLE * sizeof *d->tag));
    for (size_t i = 0; i < TABLE; i++)
        d->tag[i] = (uint16_t)(i * 40503u % TAGS);
    for (size_t i = 0; i < d->n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        d->day[i] = (uint16_t)(i * DAYS / d->n);
        d->service[i] = (uint16_t)((x & 0xffff) * (x >> 16 & 0xffff) / 65536 * SERVICES / 65536);
        d->tuple[i] = (uint16_t)(x >> 32);
        d->resource[i] = (uint32_t)((x >> 20) % d->resources);
        d->cost[i] = (int64_t)(x % 1000003);
    }
}

int main(int argc, char **argv)
{
    data d = {.n = argc == 3 ? (size_t)strtoull(argv[1], NULL, 10) : 0};
    int runs = argc == 3 ? atoi(argv[2]) : 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t want = 0, check;

    if (!d.n || runs < 1) {
        fputs("use: bench_floor ROWS RUNS\n", stderr);
        return 2;
    }
    make(&d);
    for (size_t i = 0; i < d.n; i++)
        want += d.cost[i];
    const struct {
        const char *name;
        void (*loop)(share *);
        size_t nsum;
    } loops[] = {
        {"sum", sum_all, 1},
        {"day-service", by_day_service, (size_t)DAYS * SERVICES},
        {"day-tag", by_day_tag, (size_t)DAYS * TAGS},
        {"resource", by_resource, d.resources},
        {"one-service", one_service, DAYS},
    };
    for (size_t k = 0; k < sizeof loops / sizeof loops[0]; k++) {
        int threads[2] = {1, cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (int)cores};
        double best[2] = {1e300, 1e300};

        for (int t = 0; t < 2; t++)
            for (int r = 0; r < runs; r++) {
                double took;

                check = 0;
                took = run(&d, loops[k].loop, loops[k].nsum, threads[t], &check);
                best[t] = took < best[t] ? took : best[t];
                if (check != want && loops[k].loop != one_service) {
                    fprintf(stderr, "bench_floor: %s does not add up\n", loops[k].name);
                    return 3;
                }
            }
        printf("{\"name\":\"%s\",\"one_ms\":%.3f,\"all_ms\":%.3f,\"threads\":%d}\n", loops[k].name,
               best[0], best[1], threads[1]);
    }
    return 0;
}
