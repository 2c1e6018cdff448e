/*
 * segments.c - which segments there are: looked up for scans, made, swept and checked.
 *
 * The one idea: the folder is a cache of `part` and `daily`. What is there and whole is used, what
 * is not is made by a thread in the background, and no answer waits for it. The file `made` names
 * those that were finished, so that one that has gone can be told from one never made.
 */
#include "engine/cluster.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS_MAX 1000000
#define LIST_MAX ((size_t)64 << 20)
#define MAKERS_MAX 4 /* beside the first */
#define MAKER_BYTES                                                                                \
    ((size_t)256 << 20) /* what the engine needs to sort a part without much writing */

/* ---- the parts of the star ---- */

typedef struct part_list {
    fa_seg_part *part;
    size_t n, cap;
} part_list;

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

static fa_rc take_parts(void *user, const fa_batch *b, fa_err *e)
{
    part_list *l = user;

    for (size_t r = 0; r < b->rows; r++) {
        fa_str seal = b->col[1].text[r];

        if (l->n == l->cap) {
            size_t cap = l->cap ? l->cap * 2 : 64;
            fa_seg_part *grown = realloc(l->part, cap * sizeof *grown);

            if (!grown)
                return fa_oom(e);
            l->part = grown;
            l->cap = cap;
        }
        if (seal.n != 32)
            return fa_fail(e, FA_EINTERNAL, "the seal of a part is no seal");
        l->part[l->n].id = (uint32_t)b->col[0].i64[r];
        for (size_t i = 0; i < 16; i++)
            l->part[l->n].seal[i] =
                (uint8_t)(nibble(seal.p[2 * i]) << 4 | nibble(seal.p[2 * i + 1]));
        l->n++;
    }
    return FA_OK;
}

/* l is freed by the caller, whatever comes back. */
static fa_rc read_parts(fa_engine *g, part_list *l, fa_err *e)
{
    fa_conn *c = NULL;
    fa_rc rc = fa_conn_get(g, &c, e);

    if (!rc)
        rc = fa_sql_query(c,
                          FA_STR("SELECT part_id, replace(seal::VARCHAR, '-', '') FROM part ORDER "
                                 "BY part_id"),
                          NULL, 0, take_parts, l, e);
    fa_conn_put(c);
    return rc;
}

fa_rc fa_seg_parts(fa_engine *g, fa_seg_part **out, size_t *n, fa_err *e)
{
    part_list l = {0};
    fa_rc rc = read_parts(g, &l, e);

    if (rc) {
        free(l.part);
        l = (part_list){0};
    }
    *out = l.part;
    *n = l.n;
    return rc;
}

/* ---- the set in use ---- */

static void free_set(fa_seg_set *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        fa_segment_unref(s->segment[i]);
    free(s->segment);
    free(s->missing);
    free(s);
}

void fa_seg_set_put(fa_engine *g, fa_seg_set *s)
{
    bool last;

    if (!s)
        return;
    pthread_mutex_lock(&g->lock);
    last = --s->refs == 0;
    pthread_mutex_unlock(&g->lock);
    if (last)
        free_set(s);
}

void fa_seg_set_drop(fa_engine *g)
{
    fa_seg_set *s;

    pthread_mutex_lock(&g->lock);
    s = g->set;
    g->set = NULL;
    g->set_epoch++;
    pthread_mutex_unlock(&g->lock);
    fa_seg_set_put(g, s);
}

void fa_engine_changed(fa_engine *g)
{
    fa_cluster *k = atomic_load(&g->cluster);

    fa_seg_set_drop(g);
    if (k)
        fa_cluster_changed(k);
}

void fa_seg_wanted(fa_engine *g)
{
    pthread_mutex_lock(&g->lock);
    g->make_wanted = true;
    pthread_cond_signal(&g->make_wake);
    pthread_mutex_unlock(&g->lock);
}

static void say_damaged(fa_engine *g, uint32_t part, const fa_err *why)
{
    fa_log(FA_LOG_WARN, "segment_damaged", "part=%u error=%s action=remake", part, why->msg);
    pthread_mutex_lock(&g->lock);
    g->stats.segments_damaged++;
    pthread_mutex_unlock(&g->lock);
}

void fa_seg_bad(fa_engine *g, fa_segment *s, const fa_err *why)
{
    say_damaged(g, s->part, why);
    (void)unlink(s->path);
    fa_seg_set_drop(g);
    fa_seg_wanted(g);
}

static fa_rc open_set(fa_engine *g, fa_seg_set **out, fa_err *e)
{
    part_list l = {0};
    fa_seg_set *s = calloc(1, sizeof *s);
    uint64_t bytes = 0;
    fa_rc rc;

    if (!s)
        return fa_oom(e);
    if ((rc = read_parts(g, &l, e)))
        goto done;
    s->refs = 1;
    s->segment = calloc(l.n + 1, sizeof(fa_segment *));
    s->missing = calloc(l.n + 1, sizeof *s->missing);
    if (!s->segment || !s->missing) {
        rc = fa_oom(e);
        goto done;
    }
    for (size_t i = 0; i < l.n; i++) {
        fa_segment *one;
        fa_err why;

        rc = fa_segment_open(g->segments, &l.part[i], &one, &why);
        if (rc == FA_EDATA) {
            char *path = fa_seg_path(g->segments, &l.part[i]);

            say_damaged(g, l.part[i].id, &why);
            if (path)
                (void)unlink(path);
            free(path);
        }
        rc = FA_OK; /* without a segment DuckDB answers */
        if (one) {
            s->segment[s->n++] = one;
            bytes += one->bytes;
        } else {
            s->missing[s->nmissing++] = l.part[i].id;
        }
    }
    pthread_mutex_lock(&g->lock);
    g->stats.segments = s->n;
    g->stats.segment_bytes = bytes;
    g->stats.segments_missing = s->nmissing;
    pthread_mutex_unlock(&g->lock);
    if (s->nmissing)
        fa_seg_wanted(g);
    *out = s;
    s = NULL;
done:
    free(l.part);
    free_set(s);
    return rc;
}

fa_rc fa_seg_set_get(fa_engine *g, fa_seg_set **out, fa_err *e)
{
    fa_seg_set *s;
    uint64_t epoch;
    fa_rc rc = FA_OK;

    *out = NULL;
    if (!g->segments)
        return FA_OK;
    pthread_mutex_lock(&g->set_opening);
    pthread_mutex_lock(&g->lock);
    s = g->set;
    epoch = g->set_epoch;
    if (s)
        s->refs++;
    pthread_mutex_unlock(&g->lock);
    if (!s && !(rc = open_set(g, &s, e))) {
        pthread_mutex_lock(&g->lock);
        if (epoch == g->set_epoch) { /* else what was read may be of before */
            g->set = s;
            s->refs++;
        }
        pthread_mutex_unlock(&g->lock);
    }
    pthread_mutex_unlock(&g->set_opening);
    *out = s;
    return rc;
}

/* ---- making ---- */

/* Names in `made`: segments that were finished. */
static fa_rc read_made(fa_engine *g, fa_map **out, fa_err *e)
{
    char *path = NULL;
    fa_buf b;
    fa_map *m = fa_map_new();
    fa_rc rc = FA_OK;
    fa_err none;

    *out = m;
    fa_buf_init(&b, LIST_MAX);
    if (!m || asprintf(&path, "%s/made", g->segments) < 0) {
        path = NULL;
        rc = fa_oom(e);
        goto done;
    }
    if (fa_file_read(path, LIST_MAX, &b, &none)) /* no list: nothing is known of the past */
        goto done;
    for (const char *p = b.p, *end; p && *p; p = end + (*end == '\n')) {
        end = p + strcspn(p, "\n");
        if (end > p && !fa_map_set(m, (fa_str){p, (size_t)(end - p)}, 1)) {
            rc = fa_oom(e);
            break;
        }
    }
done:
    free(path);
    fa_buf_release(&b);
    return rc;
}

static fa_rc write_made(fa_engine *g, const part_list *l, fa_err *e)
{
    fa_buf b;
    char *path = NULL;
    fa_rc rc;

    fa_buf_init(&b, LIST_MAX);
    for (size_t i = 0; i < l->n; i++) {
        char *one = fa_seg_path(g->segments, &l->part[i]);

        if (one && access(one, F_OK) == 0)
            fa_buf_fmt(&b, "%s\n", strrchr(one, '/') + 1);
        free(one);
    }
    if (b.failed || asprintf(&path, "%s/made", g->segments) < 0) {
        path = NULL;
        rc = fa_oom(e);
    } else {
        rc = fa_file_write_durable(path, fa_buf_view(&b), 0600, e);
    }
    free(path);
    fa_buf_release(&b);
    return rc;
}

/* Takes away what no part of the list names: old states, and what a crash left half written. */
static fa_rc sweep(fa_engine *g, const part_list *l, fa_err *e)
{
    fa_map *keep = fa_map_new();
    DIR *d = NULL;
    struct dirent *entry;
    fa_rc rc = FA_OK;

    for (size_t i = 0; keep && i < l->n && !rc; i++) {
        char *path = fa_seg_path(g->segments, &l->part[i]);

        if (!path || !fa_map_set(keep, fa_str_of(strrchr(path, '/') + 1), 1))
            rc = fa_oom(e);
        free(path);
    }
    if (!keep)
        rc = fa_oom(e);
    if (!rc && !(d = opendir(g->segments)))
        rc = fa_fail(e, FA_EENV, "could not open \"%s\": %s", g->segments, strerror(errno));
    while (!rc && (entry = readdir(d)) != NULL) {
        size_t at;
        fa_str name = fa_str_of(entry->d_name);

        if ((fa_str_ends(name, FA_STR(".seg")) || fa_str_ends(name, FA_STR(".new"))) &&
            !fa_map_get(keep, name, &at))
            (void)unlinkat(dirfd(d), entry->d_name, 0);
    }
    if (d)
        closedir(d);
    fa_map_free(keep);
    return rc;
}

static fa_rc make_one(fa_engine *g, fa_conn *c, const fa_seg_part *p, fa_err *e)
{
    int64_t begin = fa_mono_ms();
    fa_rc rc = fa_segment_write(c, g->segments, p, e);

    if (rc)
        return rc;
    pthread_mutex_lock(&g->lock);
    g->stats.segments_made++;
    pthread_mutex_unlock(&g->lock);
    fa_log(FA_LOG_DEBUG, "segment_made", "part=%u ms=%lld", p->id,
           (long long)(fa_mono_ms() - begin));
    return FA_OK;
}

static bool is_stopped(fa_engine *g, const volatile bool *cancel)
{
    return fa_flag_get(&g->maker_stop) || fa_flag_get(cancel);
}

/* The parts of a list, taken by several makers. */
typedef struct making {
    fa_engine *g;
    const part_list *l;
    const volatile bool *cancel;
    pthread_mutex_t lock; /* of what follows */
    size_t next, made;
    fa_err why; /* the first fault ends them all */
} making;

static const fa_seg_part *next_part(making *m)
{
    const fa_seg_part *p = NULL;

    pthread_mutex_lock(&m->lock);
    if (!m->why.rc && m->next < m->l->n)
        p = &m->l->part[m->next++];
    pthread_mutex_unlock(&m->lock);
    return p;
}

/* FA_OK: it is there, and *made says whether only now. */
static fa_rc make_if_missing(making *m, fa_conn *c, const fa_seg_part *p, bool *made, fa_err *e)
{
    fa_segment *s;
    fa_rc rc = fa_segment_open(m->g->segments, p, &s, e);

    *made = false;
    fa_segment_unref(s);
    if (!rc)
        return FA_OK;
    if (is_stopped(m->g, m->cancel))
        return fa_fail(e, FA_ECANCELLED, "cancelled");
    if (rc == FA_EDATA)
        say_damaged(m->g, p->id, e);
    rc = make_one(m->g, c, p, e);
    *made = !rc;
    return rc == FA_ENOTFOUND ? FA_OK : rc; /* a load took the part out meanwhile */
}

static void *make_parts(void *arg)
{
    making *m = arg;
    fa_conn *c = NULL;
    const fa_seg_part *p;
    fa_err e = {0};
    fa_rc rc = fa_conn_get(m->g, &c, &e);

    while (!rc && (p = next_part(m)) != NULL) {
        bool made;

        rc = make_if_missing(m, c, p, &made, &e);
        pthread_mutex_lock(&m->lock);
        m->made += made;
        pthread_mutex_unlock(&m->lock);
    }
    fa_conn_put(c);
    pthread_mutex_lock(&m->lock);
    if (rc && !m->why.rc)
        m->why = e;
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* Under `making`. A part is read four times, and what is read is packed by one thread: so parts are made side by side
 * where there is memory for several sorts. */
static fa_rc make_missing(fa_engine *g, const part_list *l, const volatile bool *cancel, fa_err *e)
{
    making m = {.g = g, .l = l, .cancel = cancel, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t helper[MAKERS_MAX];
    size_t n = 0, most = fa_memory_share(FA_MEM_ENGINE) / MAKER_BYTES;

    while (n + 1 < g->threads && n + 1 < most && n < MAKERS_MAX && n + 1 < l->n &&
           pthread_create(&helper[n], NULL, make_parts, &m) == 0)
        n++;
    (void)make_parts(&m);
    while (n > 0)
        pthread_join(helper[--n], NULL);
    pthread_mutex_destroy(&m.lock);
    if (m.made)
        fa_seg_set_drop(g);
    if (m.why.rc)
        *e = m.why;
    return m.why.rc;
}

fa_rc fa_engine_segments_make(fa_engine *g, const volatile bool *cancel, fa_err *e)
{
    part_list l = {0};
    fa_cluster *k = atomic_load(&g->cluster);
    fa_rc rc;

    if (k) { /* it is there that facts are looked for */
        pthread_mutex_lock(&g->making);
        if (!(rc = read_parts(g, &l, e)))
            rc = fa_cluster_place(g, k, l.part, l.n, cancel, NULL, e);
        pthread_mutex_unlock(&g->making);
        free(l.part);
        return rc;
    }
    if (!g->segments)
        return FA_OK;
    pthread_mutex_lock(&g->making);
    if (!(rc = read_parts(g, &l, e)) && !(rc = sweep(g, &l, e)) &&
        !(rc = make_missing(g, &l, cancel, e)))
        rc = write_made(g, &l, e);
    pthread_mutex_unlock(&g->making);
    free(l.part);
    return rc;
}

static void *run_maker(void *arg)
{
    fa_engine *g = arg;
    fa_err e = {0};

    pthread_mutex_lock(&g->lock);
    while (!fa_flag_get(&g->maker_stop)) {
        if (!g->make_wanted) {
            pthread_cond_wait(&g->make_wake, &g->lock);
            continue;
        }
        g->make_wanted = false;
        pthread_mutex_unlock(&g->lock);
        if (fa_engine_segments_make(g, NULL, &e) && e.rc != FA_ECANCELLED)
            fa_log(FA_LOG_WARN, "segments_make", "error=%s", e.msg);
        pthread_mutex_lock(&g->lock);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

fa_rc fa_seg_start(fa_engine *g, fa_err *e)
{
    if (pthread_create(&g->maker, NULL, run_maker, g))
        return fa_fail(e, FA_EENV, "could not start a thread");
    g->has_maker = true;
    return FA_OK;
}

void fa_seg_stop(fa_engine *g)
{
    if (!g->has_maker)
        return;
    pthread_mutex_lock(&g->lock);
    fa_flag_set(&g->maker_stop);
    pthread_cond_signal(&g->make_wake);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->maker, NULL);
    g->has_maker = false;
}

/* ---- checking ---- */

static fa_rc check_one(fa_engine *g, const fa_seg_part *p, fa_err *e)
{
    fa_segment *s;
    fa_rc rc = fa_segment_open(g->segments, p, &s, e);

    for (unsigned i = 0; i < FA_SEG_SECTIONS && !rc; i++)
        rc = fa_segment_verify(s, i, e);
    fa_segment_unref(s);
    return rc;
}

fa_rc fa_engine_segments_check(fa_engine *g, const volatile bool *cancel, fa_segment_tell *tell,
                               void *user, fa_err *e)
{
    part_list l = {0};
    fa_map *made = NULL;
    fa_rc rc;

    if (!g->segments || atomic_load(&g->cluster))
        return FA_OK;
    pthread_mutex_lock(&g->making);
    if ((rc = read_parts(g, &l, e)) || (rc = read_made(g, &made, e)))
        goto done;
    for (size_t i = 0; i < l.n && !rc; i++) {
        char *path = fa_seg_path(g->segments, &l.part[i]);
        fa_err why = {0};
        size_t at;

        if (!path) {
            rc = fa_oom(e);
            break;
        }
        if (is_stopped(g, cancel)) {
            rc = fa_fail(e, FA_ECANCELLED, "cancelled");
        } else if (check_one(g, &l.part[i], &why)) {
            bool gone = why.rc == FA_ENOTFOUND;

            if (!gone)
                (void)unlink(path);
            if (tell && (!gone || fa_map_get(made, fa_str_of(strrchr(path, '/') + 1), &at)))
                rc = tell(user, path, gone ? "the segment is missing" : why.msg, e);
        }
        free(path);
    }
    if (!rc && !(rc = make_missing(g, &l, cancel, e)))
        rc = write_made(g, &l, e);
done:
    pthread_mutex_unlock(&g->making);
    fa_map_free(made);
    free(l.part);
    return rc;
}

/* ---- a cluster instead ---- */

fa_rc fa_engine_cluster(fa_engine *g, const char *url, const char *password, fa_err *e)
{
    fa_cluster *k = NULL, *old;
    fa_rc rc = url ? fa_cluster_open(url, password, &k, e) : FA_OK;

    if (rc)
        return rc;
    old = atomic_exchange(&g->cluster, k);
    if (old) { /* a scan may be asking it: it goes with the engine */
        pthread_mutex_lock(&g->lock);
        if (g->nretired < FA_COUNT(g->retired))
            g->retired[g->nretired++] = old;
        pthread_mutex_unlock(&g->lock);
    }
    return FA_OK;
}

static int cmp_cells(const void *x, const void *y)
{
    const fa_cell *a = x, *b = y;

    return (a->bucket > b->bucket) - (a->bucket < b->bucket);
}

static fa_rc compare_days(const fa_cell *here, size_t nhere, const fa_cell *there, size_t nthere,
                          int32_t first, fa_err *e)
{
    if (nhere != nthere)
        return fa_fail(e, FA_EDATA, "control totals differ: DuckDB has %zu days, the cluster %zu",
                       nhere, nthere);
    for (size_t i = 0; i < nhere; i++) {
        fa_buf b;

        if (here[i].bucket == there[i].bucket && here[i].rows == there[i].rows &&
            memcmp(here[i].sum, there[i].sum, sizeof here[i].sum) == 0)
            continue;
        fa_buf_init(&b, 256);
        fa_day_emit(&b, first + (int32_t)here[i].bucket);
        (void)fa_fail(e, FA_EDATA,
                      "control totals differ: %s is not the same in DuckDB and on the cluster",
                      b.p ? b.p : "a day");
        fa_buf_release(&b);
        return e->rc;
    }
    return FA_OK;
}

fa_rc fa_engine_cluster_prove(fa_engine *g, int32_t first, int32_t last, int64_t *rows, fa_err *e)
{
    fa_arena a;
    fa_scan q = {.from = first, .to = last, .measures = (1u << FA_M__COUNT) - 1};
    size_t days = last < first ? 0 : (size_t)((int64_t)last - first + 1), nhere, nthere;
    uint32_t *bucket;
    fa_cell *here, *there;
    fa_rc rc = FA_OK;

    *rows = 0;
    if (!days)
        return FA_OK;
    fa_arena_init(&a, (size_t)1 << 30);
    if (!(bucket = fa_arena_array(&a, days, sizeof *bucket))) {
        rc = fa_oom(e);
        goto done;
    }
    for (size_t i = 0; i < days; i++)
        bucket[i] = (uint32_t)i;
    q.bucket = bucket;
    if ((rc = fa_engine_scan(g, &a, &q, &there, &nthere, e)))
        goto done;
    q.plain = true;
    if ((rc = fa_engine_scan(g, &a, &q, &here, &nhere, e)))
        goto done;
    if (nhere)
        qsort(here, nhere, sizeof *here, cmp_cells);
    if (nthere)
        qsort(there, nthere, sizeof *there, cmp_cells);
    for (size_t i = 0; i < nhere; i++)
        *rows += here[i].rows;
    rc = compare_days(here, nhere, there, nthere, first, e);
done:
    fa_arena_release(&a);
    return rc;
}

fa_rc fa_engine_cluster_setup(fa_engine *g, fa_err *e)
{
    fa_cluster *k = atomic_load(&g->cluster);

    return k ? fa_cluster_setup(k, e) : FA_OK;
}

void fa_engine_stats_get(fa_engine *g, fa_engine_stats *out)
{
    pthread_mutex_lock(&g->lock);
    *out = g->stats;
    pthread_mutex_unlock(&g->lock);
}
