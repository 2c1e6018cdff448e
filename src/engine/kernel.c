/*
 * kernel.c - the scan over segments: sum[bucket][group[line]] += amount, on all cores.
 *
 * The one idea: a scan is three short loops over plain arrays. For a few thousand rows at a time the
 * first turns line ids into groups (what is left out gets a cell of its own, so there is no branch);
 * the others add one column each. Within a run of rows of one bucket sums are 64-bit while they
 * cannot overflow, then go into 128 bits of 1e-18: the answer is exact, and DuckDB's to the digit.
 * Where all lines are asked for, a segment's totals per day answer; where a segment's days all fall
 * into one bucket, its rollup does.
 */
#include "engine/segment.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNK 2048 /* rows whose groups are looked up at once: 8 KB */
#define TASK_ROWS ((uint64_t)1 << 17)
#define THREADS_MAX 64
#define LOCAL_GROUPS 65536 /* more groups are added straight into 128 bits */
#define WAYS 4             /* copies of the sums, so that equal neighbours do not wait */
#define WAYS_GROUPS 2048
#define TRIES 8 /* segments that turn out damaged under a scan */
#define CELLS_MAX ((size_t)1 << 28)

typedef struct task {
    fa_segment *s;
    unsigned block;  /* or FA_SEG_SECTIONS + section: compare it with its sum */
    uint64_t lo, hi; /* rows */
} task;

/* A column that is added: which, where to, times what. */
typedef struct addend {
    unsigned column; /* FA_SEG_COL + k, or FA_SEG_N */
    unsigned slot;   /* of the measures asked; unused for n */
    uint64_t unit;
} addend;

typedef struct job {
    fa_engine *g;
    const fa_scan *q;
    fa_seg_set *set;
    addend
        add[1 + FA_M__COUNT * 6]; /* a measure has up to three columns of money and their rests */
    size_t nadd;
    unsigned nm; /* measures asked */
    unsigned measure[FA_M__COUNT];
    uint32_t ngroup, nbucket;
    size_t stride, ncell; /* stride: groups and the cell of what is left out */
    bool all;             /* every line is in group 0 */
    bool lost;            /* what was added up does not count */
    bool touched;         /* a file was written to since it was opened: look again next time */
    task *task;
    size_t ntask, cap;
    atomic_size_t next;
    atomic_int rc;
    pthread_mutex_t lock;
    fa_segment *bad; /* under lock: the first that turned out damaged, with a reference */
    fa_err why;
    size_t reserved;
} job;

typedef struct worker {
    job *j;
    int64_t *rows;  /* [ncell] */
    fa_i128 *sum;   /* [slot * ncell + cell], 1e-18 */
    int64_t *local; /* [WAYS * (LOCAL_GROUPS + 1)] at most */
    size_t nlocal;
    uint32_t index[CHUNK];
    task t;
    bool failed; /* no memory */
} worker;

/* ---- the loops ---- */

static inline int64_t load_odd(const uint8_t *p, unsigned width)
{
    int64_t v;

    memcpy(&v, p, sizeof v);
    return (int64_t)((uint64_t)v << (64 - 8 * width)) >> (64 - 8 * width);
}

/* One body for every width: BODY sees the value as v. */
#define EACH_TYPED(T, BODY)                                                                        \
    {                                                                                              \
        const T *src = (const void *)p;                                                            \
        for (size_t i = 0; i < n; i++) {                                                           \
            int64_t v = (int64_t)src[i];                                                           \
            BODY                                                                                   \
        }                                                                                          \
        break;                                                                                     \
    }
#define EACH_ODD(W, BODY)                                                                          \
    for (size_t i = 0; i < n; i++) {                                                               \
        int64_t v = load_odd(p + i * (W), W);                                                      \
        BODY                                                                                       \
    }                                                                                              \
    break
#define EACH_VALUE(BODY)                                                                           \
    switch (width) {                                                                               \
    case 1:                                                                                        \
        EACH_TYPED(int8_t, BODY)                                                                   \
    case 2:                                                                                        \
        EACH_TYPED(int16_t, BODY)                                                                  \
    case 3:                                                                                        \
        EACH_ODD(3, BODY);                                                                         \
    case 4:                                                                                        \
        EACH_TYPED(int32_t, BODY)                                                                  \
    case 5:                                                                                        \
        EACH_ODD(5, BODY);                                                                         \
    case 6:                                                                                        \
        EACH_ODD(6, BODY);                                                                         \
    case 7:                                                                                        \
        EACH_ODD(7, BODY);                                                                         \
    case 8:                                                                                        \
        EACH_TYPED(int64_t, BODY)                                                                  \
    }

/* Into 64 bits: the caller knows that they do not overflow. */
static void add_local(const uint8_t *p, unsigned width, size_t n, const uint32_t *index,
                      int64_t *acc)
{
    EACH_VALUE(acc[index[i]] += v;)
}

/* The same with a copy of the sums for each of four rows. */
static void add_ways(const uint8_t *p, unsigned width, size_t n, const uint32_t *index,
                     int64_t *acc, size_t stride)
{
    EACH_VALUE(acc[(i & (WAYS - 1)) * stride + index[i]] += v;)
}

static void add_wide(const uint8_t *p, unsigned width, size_t n, const uint32_t *index,
                     fa_i128 *acc, fa_i128 unit)
{
    EACH_VALUE(acc[index[i]] += v * unit;)
    if (width == 16)
        for (size_t i = 0; i < n; i++) {
            fa_i128 v;

            memcpy(&v, p + 16 * i, 16);
            acc[index[i]] += v * unit;
        }
}

static void add_rows(const uint8_t *p, unsigned width, size_t n, const uint32_t *index,
                     int64_t *acc)
{
    EACH_VALUE(acc[index[i]] += v;)
    if (width == 16)
        for (size_t i = 0; i < n; i++)
            acc[index[i]] += load_odd(p + 16 * i, 8);
}

#define INDEX_LINES                                                                                \
    for (size_t i = 0; i < n; i++) {                                                               \
        uint32_t g = group[line[i]];                                                               \
        index[i] = g < ngroup ? g : ngroup;                                                        \
    }

static void index_plain(const uint32_t *line, size_t n, const uint32_t *group, uint32_t ngroup,
                        uint32_t *index)
{
    INDEX_LINES
}

#ifdef __clang__ /* unrolls at -O2 as it is */
#define FA_UNROLLED
#else
#define FA_UNROLLED __attribute__((optimize("O3")))
#endif

#if defined(__x86_64__)
__attribute__((target("avx2"))) FA_UNROLLED static void
index_avx2(const uint32_t *line, size_t n, const uint32_t *group, uint32_t ngroup, uint32_t *index)
{
    INDEX_LINES
}
#endif

/* Groups of n rows; lines past the plan's array are left out like those it leaves out. */
static void index_lines(const job *j, const fa_segment *s, const uint32_t *line, size_t n,
                        uint32_t *index)
{
    const fa_scan *q = j->q;

    if (!q->group) {
        memset(index, 0, n * sizeof *index);
        return;
    }
    if (s->h.line_max >= q->nline) {
        for (size_t i = 0; i < n; i++) {
            uint32_t g = line[i] < q->nline ? q->group[line[i]] : FA_NO_GROUP;

            index[i] = g < j->ngroup ? g : j->ngroup;
        }
        return;
    }
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        index_avx2(line, n, q->group, j->ngroup, index);
        return;
    }
#endif
    index_plain(line, n, q->group, j->ngroup, index);
}

/* ---- a run: rows of one bucket ---- */

/* One column of a run: how it is added, and where. */
typedef struct lane {
    const uint8_t *p;
    unsigned width;
    size_t ways;               /* copies of 64-bit sums; 0: straight into 128 bits */
    uint64_t per_flush, since; /* rows that 64 bits hold for certain; rows in them */
    int64_t *local;
    fa_i128 *to, unit;
} lane;

static lane make_lane(const worker *w, const fa_segment *s, unsigned block, size_t i, uint64_t rows,
                      size_t base)
{
    const job *j = w->j;
    const addend *a = &j->add[i];
    const fa_seg_section *x = &s->h.section[FA_SEG_BLOCK(block) + a->column];
    lane l = {.p = fa_segment_data(s, FA_SEG_BLOCK(block) + a->column),
              .width = (unsigned)x->width,
              .local = w->local + i * w->nlocal,
              .unit = (fa_i128)x->factor * a->unit};

    if (a->column == FA_SEG_N)
        return l;
    l.to = w->sum + (size_t)a->slot * j->ncell + base;
    if (x->width == 16 || j->stride > LOCAL_GROUPS || rows < 2 * j->stride)
        return l;
    l.per_flush = x->max ? (uint64_t)INT64_MAX / x->max : UINT64_MAX;
    if (l.per_flush < 4 * j->stride || l.per_flush < CHUNK)
        return l;
    l.ways = j->stride <= WAYS_GROUPS && rows >= 8 * j->stride ? WAYS : 1;
    return l;
}

static void flush(lane *l, size_t stride)
{
    for (size_t i = 0; i < stride; i++) {
        fa_i128 v = 0;

        for (size_t k = 0; k < l->ways; k++)
            v += l->local[k * stride + i];
        l->to[i] += v * l->unit;
    }
    memset(l->local, 0, l->ways * stride * sizeof *l->local);
    l->since = 0;
}

static void add_lane(lane *l, uint64_t at, size_t n, const uint32_t *index, size_t stride)
{
    const uint8_t *p = l->p + at * l->width;

    if (!l->ways) {
        add_wide(p, l->width, n, index, l->to, l->unit);
        return;
    }
    if (l->since + n > l->per_flush)
        flush(l, stride);
    if (l->ways == 1)
        add_local(p, l->width, n, index, l->local);
    else
        add_ways(p, l->width, n, index, l->local, stride);
    l->since += n;
}

static void add_run(worker *w, const fa_segment *s, unsigned block, uint64_t lo, uint64_t hi,
                    size_t base)
{
    const job *j = w->j;
    const uint32_t *line = fa_segment_data(s, FA_SEG_BLOCK(block) + FA_SEG_LINE);
    lane l[FA_SEG_COLS + 1];
    size_t nl = 0;

    for (size_t i = 0; i < j->nadd; i++) {
        l[nl] = make_lane(w, s, block, i, hi - lo, base);
        nl += l[nl].width > 0;
    }
    for (uint64_t at = lo; at < hi; at += CHUNK) {
        size_t n = hi - at < CHUNK ? (size_t)(hi - at) : CHUNK;

        index_lines(j, s, line + at, n, w->index);
        for (size_t i = 0; i < nl; i++) {
            if (l[i].to)
                add_lane(&l[i], at, n, w->index, j->stride);
            else
                add_rows(l[i].p + at * l[i].width, l[i].width, n, w->index, w->rows + base);
        }
    }
    for (size_t i = 0; i < nl; i++)
        if (l[i].ways)
            flush(&l[i], j->stride);
}

static uint32_t bucket_of(const fa_scan *q, int32_t day)
{
    return q->bucket ? q->bucket[day - q->from] : 0;
}

static void walk_days(worker *w, const task *t)
{
    const job *j = w->j;
    const fa_seg_header *h = &t->s->h;
    const uint64_t *start = fa_segment_data(t->s, FA_SEG_START);
    int32_t from = j->q->from > h->first ? j->q->from : h->first;
    int32_t to = j->q->to < h->last ? j->q->to : h->last;

    for (int32_t day = from; day <= to && start[day - h->first] < t->hi;) {
        uint32_t bucket = bucket_of(j->q, day);
        uint64_t lo = start[day - h->first], hi;

        while (day <= to && bucket_of(j->q, day) == bucket)
            day++;
        hi = start[day - h->first];
        lo = lo < t->lo ? t->lo : lo;
        hi = hi > t->hi ? t->hi : hi;
        if (lo < hi)
            add_run(w, t->s, 0, lo, hi, (size_t)bucket * j->stride);
    }
}

static void do_task(void *arg)
{
    worker *w = arg;
    const task *t = &w->t;

    if (t->block == 0)
        walk_days(w, t);
    else
        add_run(w, t->s, 1, t->lo, t->hi, (size_t)bucket_of(w->j->q, t->s->h.first) * w->j->stride);
}

/* ---- threads ---- */

static void set_bad(job *j, fa_segment *s, const fa_err *why)
{
    pthread_mutex_lock(&j->lock);
    if (!j->bad) {
        atomic_fetch_add(&s->refs, 1);
        j->bad = s;
        j->why = *why;
    }
    pthread_mutex_unlock(&j->lock);
    atomic_store(&j->rc, FA_EDATA);
}

static void *work(void *arg)
{
    worker *w = arg;
    job *j = w->j;
    size_t i;

    while ((i = atomic_fetch_add(&j->next, 1)) < j->ntask && !atomic_load(&j->rc)) {
        fa_err why;

        w->t = j->task[i];
        if (j->q->deadline_mono_ms && fa_mono_ms() > j->q->deadline_mono_ms) {
            atomic_store(&j->rc, FA_ETIMEOUT);
        } else if (w->t.block >= FA_SEG_SECTIONS) {
            if (fa_segment_verify(w->t.s, w->t.block - FA_SEG_SECTIONS, &why))
                set_bad(j, w->t.s, &why);
        } else if (!fa_guarded(do_task, w)) {
            (void)fa_fail(&why, FA_EDATA,
                          "the segment \"%s\" is damaged: the disk does not give it whole",
                          w->t.s->path);
            set_bad(j, w->t.s, &why);
        }
    }
    return NULL;
}

static void run_tasks(job *j, worker *w, size_t n)
{
    pthread_t thread[THREADS_MAX];
    bool running[THREADS_MAX] = {false};

    atomic_store(&j->next, 0);
    for (size_t k = 1; k < n; k++)
        running[k] = pthread_create(&thread[k], NULL, work, &w[k]) == 0;
    work(&w[0]);
    for (size_t k = 1; k < n; k++)
        if (running[k])
            pthread_join(thread[k], NULL);
}

/* ---- what there is to do ---- */

static bool add_task(job *j, task t)
{
    if (j->ntask == j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 256;
        task *grown = realloc(j->task, cap * sizeof *grown);

        if (!grown)
            return false;
        j->task = grown;
        j->cap = cap;
    }
    j->task[j->ntask++] = t;
    return true;
}

static bool overlaps(const job *j, const fa_segment *s)
{
    return s->h.first <= s->h.last && s->h.first <= j->q->to && s->h.last >= j->q->from;
}

/* The rollup holds the segment's days as one: right when the question does not tell them apart. */
static unsigned block_for(const job *j, const fa_segment *s)
{
    const fa_seg_header *h = &s->h;

    if (!h->rows[1] || h->first < j->q->from || h->last > j->q->to)
        return 0;
    for (int32_t day = h->first + 1; day <= h->last; day++)
        if (bucket_of(j->q, day) != bucket_of(j->q, h->first))
            return 0;
    return 1;
}

static bool want_section(job *j, fa_segment *s, unsigned section)
{
    return atomic_load(&s->seen[section]) == 1 ||
           add_task(j, (task){.s = s, .block = FA_SEG_SECTIONS + section});
}

/* Sections of the question that were not compared with their sums yet. */
static bool list_checks(job *j)
{
    bool ok = true;

    for (size_t i = 0; i < j->set->n && ok; i++) {
        fa_segment *s = j->set->segment[i];
        unsigned block;

        if (!overlaps(j, s))
            continue;
        if (!fa_segment_unchanged(s))
            j->touched = true;
        if (j->all) {
            ok = want_section(j, s, FA_SEG_TOTAL);
            continue;
        }
        block = block_for(j, s);
        ok = (block || want_section(j, s, FA_SEG_START)) &&
             want_section(j, s, FA_SEG_BLOCK(block) + FA_SEG_LINE);
        for (size_t k = 0; k < j->nadd && ok; k++)
            ok = want_section(j, s, FA_SEG_BLOCK(block) + j->add[k].column);
    }
    return ok;
}

/* Rows of the question's days in one segment. */
typedef struct extent {
    const job *j;
    const fa_segment *s;
    uint64_t lo, hi;
} extent;

static void read_extent(void *arg)
{
    extent *x = arg;
    const uint64_t *start = fa_segment_data(x->s, FA_SEG_START);
    int32_t first = x->s->h.first;

    if (x->j->q->from > first)
        x->lo = start[x->j->q->from - first];
    if (x->j->q->to < x->s->h.last)
        x->hi = start[x->j->q->to - first + 1];
}

static fa_rc list_scans(job *j, uint64_t *rows, fa_err *e)
{
    *rows = 0;
    for (size_t i = 0; i < j->set->n; i++) {
        fa_segment *s = j->set->segment[i];
        unsigned block;
        extent x = {j, s, 0, 0};

        if (!overlaps(j, s))
            continue;
        block = block_for(j, s);
        x.hi = s->h.rows[block];
        if (block == 0 && (!fa_guarded(read_extent, &x) || x.lo > x.hi || x.hi > s->h.rows[0])) {
            (void)fa_fail(e, FA_EDATA, "the segment \"%s\" is damaged: its days make no sense",
                          s->path);
            set_bad(j, s, e);
            return e->rc;
        }
        *rows += x.hi - x.lo;
        for (; x.lo < x.hi; x.lo += TASK_ROWS)
            if (!add_task(
                    j, (task){s, block, x.lo, x.hi - x.lo < TASK_ROWS ? x.hi : x.lo + TASK_ROWS}))
                return fa_oom(e);
    }
    return FA_OK;
}

/* ---- the shape of the answer ---- */

/* Is `of` what m is kept as a difference to, or m itself? */
static bool is_in_chain(unsigned m, fa_measure of)
{
    while (m != of && (unsigned)fa_measures[m].falls_to != m)
        m = fa_measures[m].falls_to;
    return m == of;
}

static bool is_asked(const job *j, fa_measure column)
{
    for (unsigned i = 0; i < j->nm; i++)
        if (is_in_chain(j->measure[i], column))
            return true;
    return false;
}

static void list_addends(job *j)
{
    const fa_seg_column *c = fa_seg_columns();
    unsigned slot[FA_M__COUNT] = {0};

    for (unsigned m = 0; m < FA_M__COUNT; m++)
        if (j->q->measures >> m & 1) {
            slot[m] = j->nm;
            j->measure[j->nm++] = m;
        }
    j->add[j->nadd++] = (addend){.column = FA_SEG_N};
    for (unsigned i = 0; i < j->nm; i++)
        for (unsigned k = 0; k < FA_SEG_COLS; k++)
            if (is_in_chain(j->measure[i], c[k].measure))
                j->add[j->nadd++] = (addend){
                    .column = FA_SEG_COL + k, .slot = slot[j->measure[i]], .unit = c[k].unit};
}

/* false: more cells than a dense result can have. */
static bool shape(job *j)
{
    const fa_scan *q = j->q;
    uint32_t groups = 0, left_out = 0, buckets = 0;

    for (uint32_t i = 0; q->group && i < q->nline; i++) {
        uint32_t next = q->group[i] + 1; /* 0 for what is left out */

        groups = next > groups ? next : groups;
        left_out |= next == 0;
    }
    for (int32_t d = q->from; q->bucket && d <= q->to; d++)
        if (q->bucket[d - q->from] >= buckets)
            buckets = q->bucket[d - q->from] + 1;
    j->ngroup = q->group ? groups : 1;
    j->nbucket = q->bucket ? buckets : 1;
    j->stride = (size_t)j->ngroup + 1;
    j->all = !q->group || (groups == 1 && !left_out);
    for (size_t i = 0; i < j->set->n && q->group; i++)
        j->all = j->all &&
                 (j->set->segment[i]->h.line_max < q->nline || !overlaps(j, j->set->segment[i]));
    if (j->nbucket > CELLS_MAX / j->stride)
        return false;
    j->ncell = j->stride * j->nbucket;
    return true;
}

/* Sums that could leave 128 bits are DuckDB's to refuse. */
static bool may_overflow(const job *j)
{
    const fa_seg_column *c = fa_seg_columns();
    /* six: as many columns as one measure may be the sum of */
    fa_u128 limit = ((fa_u128)1 << 126) / 6 / (j->set->n + 1);

    for (size_t i = 0; i < j->set->n; i++)
        for (unsigned k = 0; k < FA_SEG_COLS; k++) {
            const fa_seg_header *h = &j->set->segment[i]->h;
            const fa_seg_section *x = &h->section[FA_SEG_BLOCK(0) + FA_SEG_COL + k];

            if (!is_asked(j, c[k].measure) || !x->width || !h->rows[0])
                continue;
            if (((fa_u128)x->max_high << 64 | x->max) > limit / h->rows[0] / x->factor / c[k].unit)
                return true;
        }
    return false;
}

/* ---- memory: all scans at once stay under their share ---- */

static size_t cell_bytes(const job *j)
{
    return sizeof(int64_t) + j->nm * sizeof(fa_i128);
}

/* Waits for other scans to end. *threads is lowered to what fits; *fits false: it never would. */
static fa_rc reserve(job *j, size_t *threads, bool *fits, fa_err *e)
{
    fa_engine *g = j->g;
    size_t one = j->ncell * cell_bytes(j), all = fa_memory_share(FA_MEM_SCANS), want;
    fa_rc rc = FA_OK;
    fa_err none;

    *fits = false;
    if (one > all)
        return FA_OK;
    while (*threads > 1 && *threads * one > all / 2)
        --*threads;
    want = *threads * one;
    pthread_mutex_lock(&g->lock);
    while (!rc && !fa_memory_take(FA_MEM_SCANS, want)) {
        struct timespec until;
        int64_t at = fa_mono_ms() + 1000;

        (void)fa_memory_why(&none); /* it only waits */
        if (j->q->deadline_mono_ms && j->q->deadline_mono_ms < at)
            at = j->q->deadline_mono_ms;
        until = (struct timespec){.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
        (void)pthread_cond_timedwait(&g->scan_done, &g->lock, &until);
        if (j->q->deadline_mono_ms && fa_mono_ms() >= j->q->deadline_mono_ms)
            rc = fa_fail(e, FA_ETIMEOUT,
                         "the query waited for the memory of others until its time limit");
    }
    pthread_mutex_unlock(&g->lock);
    if (!rc)
        j->reserved = want;
    *fits = !rc;
    return rc;
}

static void give_back(job *j)
{
    if (!j->reserved)
        return;
    fa_memory_give(FA_MEM_SCANS, j->reserved);
    j->reserved = 0;
    pthread_mutex_lock(&j->g->lock);
    pthread_cond_broadcast(&j->g->scan_done);
    pthread_mutex_unlock(&j->g->lock);
}

static bool make_worker(job *j, worker *w)
{
    size_t stride = j->stride <= LOCAL_GROUPS ? j->stride : 0;

    w->j = j;
    w->rows = calloc(j->ncell, sizeof *w->rows);
    w->sum = calloc(j->ncell * j->nm, sizeof *w->sum);
    w->nlocal = stride <= WAYS_GROUPS ? stride * WAYS : stride;
    w->local = calloc(w->nlocal * j->nadd + 1, sizeof *w->local);
    return w->rows && w->sum && w->local;
}

static void free_worker(worker *w)
{
    free(w->rows);
    free(w->sum);
    free(w->local);
}

/* ---- the answer ---- */

static void add_totals(const job *j, worker *w)
{
    for (size_t i = 0; i < j->set->n; i++) {
        const fa_segment *s = j->set->segment[i];
        const fa_i128 *t;
        int32_t from, to;

        if (!overlaps(j, s))
            continue;
        t = fa_segment_data(s, FA_SEG_TOTAL);
        from = j->q->from > s->h.first ? j->q->from : s->h.first;
        to = j->q->to < s->h.last ? j->q->to : s->h.last;
        for (int32_t day = from; day <= to; day++) {
            const fa_i128 *row = t + (size_t)(day - s->h.first) * (1 + FA_M__COUNT);
            size_t cell = (size_t)bucket_of(j->q, day) * j->stride;

            w->rows[cell] += (int64_t)row[0];
            for (unsigned m = 0; m < j->nm; m++)
                for (unsigned k = j->measure[m];; k = fa_measures[k].falls_to) {
                    w->sum[m * j->ncell + cell] += row[1 + k];
                    if ((unsigned)fa_measures[k].falls_to == k)
                        break;
                }
        }
    }
}

static void guarded_totals(void *arg)
{
    worker *w = arg;

    add_totals(w->j, w);
}

static void merge(const job *j, worker *to, const worker *from)
{
    for (size_t i = 0; i < j->ncell; i++)
        to->rows[i] += from->rows[i];
    for (size_t i = 0; i < j->ncell * j->nm; i++)
        to->sum[i] += from->sum[i];
}

static fa_rc add_rest(job *j, worker *w, fa_scan_rest *rest, fa_err *e)
{
    fa_arena a;
    fa_parts parts = {j->set->missing, j->set->nmissing};
    fa_cell *cell;
    size_t n = 0;
    fa_rc rc;

    fa_arena_init(&a, (size_t)4 << 30);
    fa_arena_count(&a);
    rc = rest(j->g, &a, j->q, &parts, &cell, &n, e);
    for (size_t i = 0; i < n && !rc; i++) {
        size_t at = (size_t)cell[i].bucket * j->stride + cell[i].group;

        w->rows[at] += cell[i].rows;
        for (unsigned m = 0; m < j->nm; m++)
            w->sum[m * j->ncell + at] += cell[i].sum[j->measure[m]];
    }
    fa_arena_release(&a);
    return rc;
}

static fa_rc give_cells(const job *j, const worker *w, fa_arena *a, fa_cell **out, size_t *n,
                        fa_err *e)
{
    size_t kept = 0;

    for (size_t b = 0; b < j->nbucket; b++)
        for (size_t g = 0; g < j->ngroup; g++)
            kept += w->rows[b * j->stride + g] > 0;
    *out = fa_arena_array(a, kept + 1, sizeof **out);
    if (!*out)
        return fa_oom(e);
    for (size_t b = 0; b < j->nbucket; b++)
        for (size_t g = 0; g < j->ngroup; g++) {
            size_t i = b * j->stride + g;
            fa_cell *c = &(*out)[*n];

            if (w->rows[i] <= 0)
                continue;
            ++*n;
            c->bucket = (uint32_t)b;
            c->group = (uint32_t)g;
            c->rows = w->rows[i];
            for (unsigned m = 0; m < j->nm; m++)
                c->sum[j->measure[m]] = w->sum[m * j->ncell + i];
        }
    return FA_OK;
}

/* Errors of the workers as the scan's. FA_EDATA: a segment was damaged, nothing of this counts. */
static fa_rc outcome(job *j, fa_err *e)
{
    switch (atomic_load(&j->rc)) {
    case FA_OK:
        return FA_OK;
    case FA_ETIMEOUT:
        return fa_fail(e, FA_ETIMEOUT, "the query took longer than its time limit");
    default:
        return fa_fail(e, FA_EDATA, "%s", j->why.msg);
    }
}

static fa_rc scan_set(job *j, worker *w, size_t threads, fa_scan_rest *rest, fa_arena *a,
                      fa_cell **out, size_t *n, fa_err *e)
{
    uint64_t rows = 0;
    fa_rc rc;

    for (size_t k = 0; k < threads; k++)
        if (!make_worker(j, &w[k]))
            return fa_oom(e);
    if (!list_checks(j))
        return fa_oom(e);
    if (j->ntask)
        run_tasks(j, w, j->ntask > 1 ? threads : 1);
    if ((rc = outcome(j, e)))
        return rc;
    j->ntask = 0;
    if (j->all) {
        if (!fa_guarded(guarded_totals, w)) { /* cut off under our eyes: the next look finds it */
            j->touched = j->lost = true;
            return FA_OK;
        }
    } else {
        if ((rc = list_scans(j, &rows, e)))
            return rc;
        if (rows / TASK_ROWS + 1 < threads)
            threads = (size_t)(rows / TASK_ROWS) + 1;
        run_tasks(j, w, threads);
        if ((rc = outcome(j, e)))
            return rc;
        for (size_t k = 1; k < threads; k++)
            merge(j, &w[0], &w[k]);
    }
    if (j->set->nmissing && (rc = add_rest(j, w, rest, e)))
        return rc;
    return give_cells(j, w, a, out, n, e);
}

/* *again: a segment turned out damaged and was put away. */
static fa_rc scan_once(fa_engine *g, fa_arena *a, const fa_scan *q, fa_scan_rest *rest,
                       fa_cell **out, size_t *n, bool *done, bool *again, fa_err *e)
{
    job *j = calloc(1, sizeof *j);
    worker *w = NULL;
    size_t threads = g->threads < 1 ? 1 : g->threads > THREADS_MAX ? THREADS_MAX : g->threads;
    bool fits = false;
    fa_rc rc;

    *again = false;
    if (!j)
        return fa_oom(e);
    j->g = g;
    j->q = q;
    pthread_mutex_init(&j->lock, NULL);
    if ((rc = fa_seg_set_get(g, &j->set, e)) || !j->set || !j->set->n)
        goto done;
    list_addends(j);
    if (!shape(j) || may_overflow(j) || (rc = reserve(j, &threads, &fits, e)) || !fits)
        goto done;
    if (j->all)
        threads = 1;
    if (!(w = calloc(threads, sizeof *w))) {
        rc = fa_oom(e);
        goto done;
    }
    rc = scan_set(j, w, threads, rest, a, out, n, e);
    if (j->bad) {
        fa_seg_bad(g, j->bad, &j->why);
        fa_segment_unref(j->bad);
        *again = true;
        rc = FA_OK;
    }
    *again |= j->lost;
    if (j->touched)
        fa_seg_set_drop(g);
    *done = !rc && !*again;
    if (*done) {
        pthread_mutex_lock(&g->lock);
        if (j->set->nmissing)
            g->stats.scans_mixed++;
        else
            g->stats.scans_kernel++;
        pthread_mutex_unlock(&g->lock);
    }
done:
    for (size_t k = 0; w && k < threads; k++)
        free_worker(&w[k]);
    free(w);
    give_back(j);
    fa_seg_set_put(g, j->set);
    pthread_mutex_destroy(&j->lock);
    free(j->task);
    free(j);
    return rc;
}

fa_rc fa_kernel_scan(fa_engine *g, fa_arena *a, const fa_scan *q, fa_scan_rest *rest, fa_cell **out,
                     size_t *n, bool *done, fa_err *e)
{
    fa_rc rc = FA_OK;
    bool again = true;

    *done = false;
    if (q->plain || !g->segments || !q->measures || (int64_t)q->to - q->from > 200000)
        return FA_OK;
    for (int i = 0; i < TRIES && again && !rc; i++)
        rc = scan_once(g, a, q, rest, out, n, done, &again, e);
    return rc;
}
