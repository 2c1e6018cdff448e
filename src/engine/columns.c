/*
 * columns.c - the money of `daily` as plain arrays in memory, and the loop over them.
 *
 * The one idea: sum[bucket][group[line]] += cost is an array walk, not a query. Each money measure
 * that is asked for is read from DuckDB once, sorted by day, and kept until `daily` changes; a scan
 * then touches the asked days only, on all cores, adding into 128 bits. It is an answer DuckDB
 * would give too, digit by digit (the differential test holds them together); what does not fit in
 * a quarter of the engine's memory is left to DuckDB.
 */
#include "engine/duck.h"

#include <stdlib.h>
#include <string.h>

#define CELLS_MAX ((size_t)1 << 20) /* of one thread's dense result */
#define SPLIT_ROWS ((size_t)200000) /* less is not worth a second thread */
#define THREADS_MAX 16

static void free_columns(fa_columns *c)
{
    if (!c)
        return;
    free(c->start);
    free(c->line);
    free(c->rows);
    free(c->units);
    free(c->rest);
    free(c);
}

static void unref_locked(fa_engine *g, fa_columns *c)
{
    if (c && --c->refs == 0) {
        g->columns_bytes -= c->bytes;
        free_columns(c);
    }
}

static void unref(fa_engine *g, fa_columns *c)
{
    pthread_mutex_lock(&g->lock);
    unref_locked(g, c);
    pthread_mutex_unlock(&g->lock);
}

void fa_columns_drop(fa_engine *g)
{
    pthread_mutex_lock(&g->lock);
    g->columns_epoch++;
    for (int m = 0; m < FA_M__MONEY; m++) {
        unref_locked(g, g->columns[m]);
        g->columns[m] = NULL;
        g->columns_asked[m] = 0;
    }
    pthread_mutex_unlock(&g->lock);
}

void fa_engine_changed(fa_engine *g)
{
    fa_columns_drop(g);
}

/* ---- reading them ---- */

static fa_rc take_rows(void *user, const fa_batch *b, fa_err *e)
{
    fa_columns *c = user;

    (void)e;
    for (size_t r = 0; r < b->rows; r++) {
        size_t i = c->n++;

        c->start[b->col[0].i64[r] - c->first + 1] = c->n;
        c->line[i] = (uint32_t)b->col[1].i64[r];
        c->rows[i] = (uint32_t)b->col[2].i64[r];
        c->units[i] = b->col[3].i64[r];
        if (c->rest)
            c->rest[i] = (int32_t)b->col[4].i64[r];
    }
    return FA_OK;
}

typedef struct extent {
    int64_t n, first, last, rests;
} extent;

static fa_rc take_extent(void *user, const fa_batch *b, fa_err *e)
{
    extent *x = user;

    (void)e;
    x->n = b->col[0].i64[0];
    if (x->n) {
        x->first = b->col[1].i64[0];
        x->last = b->col[2].i64[0];
        x->rests = b->col[3].i64[0];
    }
    return FA_OK;
}

/* Month by month, so that DuckDB never holds the whole sorted result. */
static fa_rc read_rows(fa_conn *con, fa_columns *c, const fa_measure_info *m, fa_err *e)
{
    char sql[400];

    for (int32_t day = c->first; day <= c->last; day += 31) {
        int n = snprintf(sql, sizeof sql,
                         "SELECT day, line_id, n, %s, %s FROM daily WHERE day BETWEEN DATE "
                         "'1970-01-01' + %d"
                         " AND DATE '1970-01-01' + %d ORDER BY day",
                         m->units, m->rest, day, day + 30);

        if (fa_sql_query(con, (fa_str){sql, (size_t)n}, NULL, 0, take_rows, c, e))
            return e->rc;
    }
    return FA_OK;
}

/* *out NULL: there is no room. The extent and the rows are read in one transaction. */
static fa_rc make_columns(fa_engine *g, fa_measure m, int64_t deadline, fa_columns **out, fa_err *e)
{
    fa_rc rc;
    fa_conn *con = NULL;
    fa_columns *c = NULL;
    extent x = {0};
    size_t n, days;
    char sql[300];
    int len = snprintf(sql, sizeof sql,
                       "SELECT count(*), min(day), max(day), count(*) FILTER (%s <> 0) FROM daily",
                       fa_measures[m].rest);

    *out = NULL;
    if ((rc = fa_conn_get(g, &con, e)))
        return rc;
    fa_conn_deadline(con, deadline);
    if ((rc = fa_sql_exec(con, FA_STR("BEGIN"), NULL, 0, NULL, e)) ||
        (rc = fa_sql_query(con, (fa_str){sql, (size_t)len}, NULL, 0, take_extent, &x, e)))
        goto done;
    n = (size_t)x.n;
    days = n ? (size_t)(x.last - x.first) + 1 : 0;
    pthread_mutex_lock(&g->lock);
    if (g->columns_bytes + n * (16 + (x.rests ? 4 : 0)) + (days + 1) * 8 > g->columns_limit)
        n = SIZE_MAX;
    pthread_mutex_unlock(&g->lock);
    if (n == SIZE_MAX)
        goto done;
    if (!(c = calloc(1, sizeof *c))) {
        rc = fa_oom(e);
        goto done;
    }
    c->refs = 1;
    c->first = (int32_t)x.first;
    c->last = n ? (int32_t)x.last : c->first - 1;
    c->bytes = n * (16 + (x.rests ? 4 : 0)) + (days + 1) * 8;
    c->start = calloc(days + 1, sizeof *c->start);
    c->line = malloc((n + 1) * sizeof *c->line);
    c->rows = malloc((n + 1) * sizeof *c->rows);
    c->units = malloc((n + 1) * sizeof *c->units);
    c->rest = x.rests ? malloc((n + 1) * sizeof *c->rest) : NULL;
    if (!c->start || !c->line || !c->rows || !c->units || (x.rests && !c->rest)) {
        rc = fa_oom(e);
        goto done;
    }
    if ((rc = read_rows(con, c, &fa_measures[m], e)))
        goto done;
    if (c->n != n) {
        rc = fa_fail(e, FA_EINTERNAL, "the ledger gave %zu facts where it had %zu", c->n, n);
        goto done;
    }
    for (size_t d = 1; d <= days; d++) /* days without rows end where the day before ended */
        if (c->start[d] < c->start[d - 1])
            c->start[d] = c->start[d - 1];
    *out = c;
    c = NULL;
done:
    fa_conn_put(con);
    free_columns(c);
    return rc;
}

/* A reference to the columns of m, made at the second asking; *out NULL: not yet, or no room. */
static fa_rc get_columns(fa_engine *g, fa_measure m, int64_t deadline, fa_columns **out, fa_err *e)
{
    fa_columns *c;
    uint64_t epoch;
    bool is_first;
    fa_rc rc = FA_OK;

    *out = NULL;
    pthread_mutex_lock(&g->columns_making);
    pthread_mutex_lock(&g->lock);
    c = g->columns[m];
    epoch = g->columns_epoch;
    if (c)
        c->refs++;
    /* a single question is answered sooner by DuckDB than by reading everything first */
    is_first = !c && g->columns_asked[m]++ == 0;
    pthread_mutex_unlock(&g->lock);
    if (!c && !is_first && !(rc = make_columns(g, m, deadline, &c, e)) && c) {
        pthread_mutex_lock(&g->lock);
        g->columns_bytes += c->bytes;
        if (epoch == g->columns_epoch && !g->columns[m]) {
            g->columns[m] = c;
            c->refs++;
        }
        pthread_mutex_unlock(&g->lock);
    }
    pthread_mutex_unlock(&g->columns_making);
    *out = c;
    return rc;
}

/* ---- the loop ---- */

typedef struct slice {
    const fa_scan *q;
    const fa_columns *c;
    int32_t from, to; /* days */
    size_t lo, hi;    /* rows, within those days */
    uint32_t ngroup;
    bool counts;          /* also add up the rows */
    fa_i128 *sum;         /* [bucket * ngroup + group] in units of 1e-10 */
    int64_t *rest, *rows; /* rest: sums of 1e-18 parts; 92e9 rows fit */
} slice;

static void *walk(void *arg)
{
    slice *s = arg;
    const fa_scan *q = s->q;
    const fa_columns *c = s->c;

    for (int32_t day = s->from; day <= s->to; day++) {
        size_t lo = c->start[day - c->first], hi = c->start[day - c->first + 1];
        size_t base = q->bucket ? (size_t)q->bucket[day - q->from] * s->ngroup : 0;

        if (lo < s->lo)
            lo = s->lo;
        if (hi > s->hi)
            hi = s->hi;
        for (size_t i = lo; i < hi; i++) {
            uint32_t line = c->line[i];
            uint32_t group = !q->group ? 0 : line < q->nline ? q->group[line] : FA_NO_GROUP;

            if (group == FA_NO_GROUP)
                continue;
            s->sum[base + group] += c->units[i];
            if (c->rest)
                s->rest[base + group] += c->rest[i];
            if (s->counts)
                s->rows[base + group] += c->rows[i];
        }
    }
    return NULL;
}

static void free_slice(slice *s)
{
    free(s->sum);
    free(s->rest);
    free(s->rows);
}

/* Adds one measure into `cell`, on as many threads as the rows are worth. */
static fa_rc add_measure(fa_engine *g, const fa_scan *q, const fa_columns *c, fa_measure m,
                         bool counts, uint32_t ngroup, size_t ncell, fa_cell *cell, fa_err *e)
{
    slice s[THREADS_MAX] = {0};
    pthread_t thread[THREADS_MAX];
    bool running[THREADS_MAX] = {0};
    int32_t from = q->from > c->first ? q->from : c->first, to = q->to < c->last ? q->to : c->last;
    size_t lo, hi, n, k;
    fa_rc rc = FA_OK;

    if (from > to)
        return FA_OK;
    lo = c->start[from - c->first];
    hi = c->start[to - c->first + 1];
    n = (hi - lo) / SPLIT_ROWS + 1;
    if (n > g->threads)
        n = g->threads;
    if (n > THREADS_MAX)
        n = THREADS_MAX;
    if (n < 1)
        n = 1;
    for (k = 0; k < n; k++) {
        s[k] = (slice){.q = q, .c = c, .from = from, .to = to, .ngroup = ngroup, .counts = counts};
        s[k].lo = lo + (hi - lo) * k / n;
        s[k].hi = lo + (hi - lo) * (k + 1) / n;
        s[k].sum = calloc(ncell, sizeof *s[k].sum);
        s[k].rest = c->rest ? calloc(ncell, sizeof *s[k].rest) : NULL;
        s[k].rows = counts ? calloc(ncell, sizeof *s[k].rows) : NULL;
        if (!s[k].sum || (c->rest && !s[k].rest) || (counts && !s[k].rows)) {
            rc = fa_oom(e);
            n = k + 1;
            goto done;
        }
    }
    for (k = 1; k < n; k++)
        running[k] = pthread_create(&thread[k], NULL, walk, &s[k]) == 0;
    walk(&s[0]);
    for (k = 1; k < n; k++) {
        if (running[k])
            pthread_join(thread[k], NULL);
        else
            walk(&s[k]);
    }
    for (k = 0; k < n; k++)
        for (size_t i = 0; i < ncell; i++) {
            cell[i].sum[m] += s[k].sum[i] * FA_E8 + (s[k].rest ? s[k].rest[i] : 0);
            cell[i].rows += counts ? s[k].rows[i] : 0;
        }
done:
    for (k = 0; k < n; k++)
        free_slice(&s[k]);
    return rc;
}

/* Groups and buckets of the plan; 0: more than a dense result should have. */
static size_t count_cells(const fa_scan *q, uint32_t *ngroup)
{
    uint32_t groups = 0, buckets = 0;

    for (uint32_t i = 0; q->group && i < q->nline; i++)
        if (q->group[i] != FA_NO_GROUP && q->group[i] >= groups)
            groups = q->group[i] + 1;
    for (int32_t d = q->from; q->bucket && d <= q->to; d++)
        if (q->bucket[d - q->from] >= buckets)
            buckets = q->bucket[d - q->from] + 1;
    *ngroup = q->group ? groups : 1;
    if (!q->bucket)
        buckets = 1;
    return *ngroup && buckets <= CELLS_MAX / *ngroup ? (size_t)*ngroup * buckets : 0;
}

fa_rc fa_columns_scan(fa_engine *g, fa_arena *a, const fa_scan *q, fa_cell **out, size_t *n,
                      bool *done, fa_err *e)
{
    fa_rc rc = FA_OK;
    uint32_t ngroup;
    size_t ncell, kept = 0;
    fa_cell *cell = NULL;
    bool counts = true;

    *done = false;
    if (q->plain || q->measures >> FA_M__MONEY || !q->measures || (int64_t)q->to - q->from > 40000)
        return FA_OK;
    if (!(ncell = count_cells(q, &ngroup)))
        return FA_OK;
    if (!(cell = calloc(ncell, sizeof *cell)))
        return fa_oom(e);
    for (int m = 0; m < FA_M__MONEY && !rc; m++) {
        fa_columns *c;

        if (!(q->measures >> m & 1))
            continue;
        if ((rc = get_columns(g, (fa_measure)m, q->deadline_mono_ms, &c, e)))
            break;
        if (!c)
            goto out; /* no room: DuckDB answers */
        rc = add_measure(g, q, c, (fa_measure)m, counts, ngroup, ncell, cell, e);
        counts = false;
        unref(g, c);
    }
    if (rc)
        goto out;
    for (size_t i = 0; i < ncell; i++)
        kept += cell[i].rows > 0;
    *out = fa_arena_array(a, kept + 1, sizeof **out);
    if (!*out) {
        rc = fa_oom(e);
        goto out;
    }
    for (size_t i = 0; i < ncell; i++) {
        if (cell[i].rows == 0)
            continue;
        cell[i].bucket = (uint32_t)(i / ngroup);
        cell[i].group = (uint32_t)(i % ngroup);
        (*out)[(*n)++] = cell[i];
    }
    *done = true;
out:
    free(cell);
    return rc;
}
