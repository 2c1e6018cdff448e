/*
 * run.c - a plan becomes an answer: scan, previous period, top N and Others, rounding, order.
 *
 * The one idea: sums stay exact (1e-18, 128 bits) from the scan to the last step, are rounded once
 * and spread, so that every table adds up to its footer. Money of two currencies is converted (money.c) or never added.
 */
#include "query/reallocate.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BUCKETS 100000
#define MAX_CELLS ((size_t)32 << 20) /* shown groups x buckets x measures */
#define SCAN_CELLS ((size_t)2 << 20) /* groups x buckets of one scan */
#define SCRATCH ((size_t)4 << 30)
#define TRIES 5

/* What is known of a core (a group without its currency) before cells are laid out. */
typedef struct core {
    int64_t rows, rows_before;
    uint32_t shown; /* place in the answer */
} core;

typedef struct work {
    fa_ledger *l;
    fa_arena *a;  /* the answer */
    fa_arena tmp; /* everything else */
    const fa_plan *p;
    fa_money money;
    bool by_currency; /* it is a key of the answer: groups may differ in it */
    fa_answer *out;
    fa_lens v;
    fa_groups *g;
    fa_buckets now, before,
        tail; /* tail: the days that no comparison counts; n 0: there are none */
    uint32_t *of_day;
    bool by_rows;       /* the archive answers */
    fa_stat_cell *kept; /* by_rows: all cells of the range */
    size_t nkept;
    fa_cell *scanned; /* else: when one scan gave all */
    size_t nscanned;
    bool has_all;
    core *core;
    fa_i128 *sum_now, *sum_before;   /* [cores * nmeasure]; before: when asked for */
    fa_i128 *sum_tail;               /* the same, of the tail */
    fa_stat *stat_now, *stat_before; /* the same when by_rows, for what is no sum */
    uint32_t *list;                  /* cores in the order of the answer */
    size_t nlist, nshown;
    fa_stat *grid;    /* by_rows: [(shown + 1) * nbucket * nmeasure], the last group is the total */
    int64_t currency; /* code of the one that has money; -1 none yet */
    const fa_catalog *moving; /* of the tags whose values move; NULL: the plan touches none */
    rl_out moved;
    fa_err *e;
} work;

/* ---- buckets ---- */

static fa_rc make_buckets(work *w)
{
    const fa_plan *p = w->p;
    fa_answer *o = w->out;
    int32_t from = p->range.from, to = p->range.to;
    size_t days, n = 0;
    int32_t last = INT32_MIN;

    if (from > to)
        return fa_fail(w->e, FA_EINVAL, "the range starts after its end");
    days = (size_t)((int64_t)to - from + 1);
    if (days > MAX_BUCKETS || (p->bucket == FA_HOUR && days * 24 > MAX_BUCKETS))
        return fa_fail(w->e, FA_EDATA, "the range has too many %s",
                       p->bucket == FA_HOUR ? "hours: ask for days" : "days");
    o->nbucket = p->bucket == FA_HOUR ? days * 24 : p->bucket == FA_ALL ? 1 : days;
    o->bucket = fa_arena_array(w->a, o->nbucket, sizeof *o->bucket);
    o->bucket_ms = fa_arena_array(w->a, o->nbucket, sizeof *o->bucket_ms);
    w->of_day = fa_arena_array(&w->tmp, days, sizeof *w->of_day);
    if (!o->bucket || !o->bucket_ms || !w->of_day)
        return fa_oom(w->e);
    for (size_t i = 0; p->bucket == FA_HOUR && i < o->nbucket; i++) {
        o->bucket[i] = from + (int32_t)(i / 24);
        o->bucket_ms[i] = ((int64_t)from * 24 + (int64_t)i) * 3600000;
    }
    for (size_t i = 0; p->bucket != FA_HOUR && i < days; i++) {
        int32_t day = from + (int32_t)i;
        int32_t start = p->bucket == FA_ALL ? from : fa_day_floor(day, p->bucket);

        if (start != last) {
            o->bucket[n] = day;
            o->bucket_ms[n++] = (int64_t)start * 86400000;
            last = start;
        }
        w->of_day[i] = (uint32_t)n - 1;
    }
    if (p->bucket != FA_HOUR)
        o->nbucket = n;
    w->now = (fa_buckets){from, to, p->bucket, o->nbucket, w->of_day};
    return FA_OK;
}

/* Only sums can leave days out. */
static bool is_cut(const fa_plan *p)
{
    bool sums = true;

    for (size_t m = 0; m < p->nmeasure; m++)
        sums = sums && p->measure[m].agg == FA_AGG_SUM;
    return sums && p->previous && p->complete_to && p->complete_to < p->range.to &&
           p->complete_to >= p->range.from;
}

static fa_rc make_tail(work *w)
{
    int32_t from = w->p->complete_to + 1, to = w->p->range.to;
    uint32_t *zero = fa_arena_array(&w->tmp, (size_t)((int64_t)to - from + 1), sizeof *zero);

    if (!zero)
        return fa_oom(w->e);
    w->tail = (fa_buckets){from, to, FA_ALL, 1, zero};
    return FA_OK;
}

static fa_rc make_previous(work *w)
{
    fa_range *r = &w->out->previous, whole = w->p->range;
    uint32_t *zero;

    w->out->is_cut = is_cut(w->p);
    if (w->out->is_cut)
        whole.to = w->p->complete_to;
    *r = fa_range_previous(&whole, fa_ms_day(fa_now_ms()));
    if (!w->p->previous)
        return FA_OK;
    if (w->out->is_cut && make_tail(w))
        return w->e->rc;
    zero = fa_arena_array(&w->tmp, (size_t)((int64_t)r->to - r->from + 1), sizeof *zero);
    if (!zero)
        return fa_oom(w->e);
    w->before = (fa_buckets){r->from, r->to, FA_ALL, 1, zero};
    return FA_OK;
}

/* ---- sums per core ---- */

/* Money of a second currency ends the query, unless every group has one of its own; an amount of nothing has no
 * currency. */
static fa_rc check_currency(work *w, uint32_t group)
{
    size_t at = w->g->ntext - 1;
    uint32_t code = w->g->tuple[(size_t)group * w->g->ntext + at];

    if (w->currency < 0)
        w->currency = code;
    if (w->currency == code || fa_money_on(w->p))
        return FA_OK;
    w->out->mixed_currencies = true;
    return w->by_currency ? FA_OK
                          : fa_money_mixed(fa_codes_text(w->g->col[at], (uint32_t)w->currency),
                                           fa_codes_text(w->g->col[at], code), "the answer", w->e);
}

/* Adds one cell to its core; `sum` and `stat` have an entry per measurement. */
static fa_rc take_totals(work *w, uint32_t group, const fa_i128 *sum, const fa_stat *stat,
                         int64_t rows, bool before)
{
    size_t nm = w->p->nmeasure, at = (size_t)w->g->core[group] * nm;
    core *c = &w->core[w->g->core[group]];
    fa_i128 *to = before ? w->sum_before : w->sum_now;

    if (before)
        c->rows_before += rows;
    else
        c->rows += rows;
    for (size_t m = 0; m < nm; m++) {
        bool has_money = sum[m] != 0 || (stat && (stat[m].min != 0 || stat[m].max != 0));

        if (has_money && !w->p->measure[m].type->is_usage && check_currency(w, group))
            return w->e->rc;
        to[at + m] += sum[m];
        if (stat)
            fa_stat_add(before ? &w->stat_before[at + m] : &w->stat_now[at + m], &stat[m]);
    }
    return FA_OK;
}

static void take_tail(work *w, uint32_t group, const fa_i128 *sum)
{
    for (size_t m = 0; m < w->p->nmeasure; m++)
        w->sum_tail[(size_t)w->g->core[group] * w->p->nmeasure + m] += sum[m];
}

static fa_rc take_scanned(work *w, const fa_cell *cell, size_t n, bool before)
{
    fa_i128 sum[FA_MAX_MEASUREMENTS];

    for (size_t i = 0; i < n; i++) {
        for (size_t m = 0; m < w->p->nmeasure; m++)
            sum[m] = cell[i].sum[w->p->measure[m].type->measure];
        if (take_totals(w, cell[i].group, sum, NULL, cell[i].rows, before))
            return w->e->rc;
    }
    return FA_OK;
}

static fa_rc take_rows(work *w, const fa_stat_cell *cell, size_t n, bool before)
{
    fa_i128 sum[FA_MAX_MEASUREMENTS];

    for (size_t i = 0; i < n; i++) {
        for (size_t m = 0; m < w->p->nmeasure; m++)
            sum[m] = cell[i].stat[m].sum;
        if (take_totals(w, cell[i].group, sum, cell[i].stat, cell[i].rows, before))
            return w->e->rc;
    }
    return FA_OK;
}

static fa_str text_of(const void *user, uint32_t group)
{
    const fa_groups *g = user;

    return fa_groups_text(g, group, g->ntext - 1);
}

/* One scan: of days within one slice. */
static fa_rc scan(work *w, fa_arena *a, int32_t from, int32_t to, const uint32_t *group,
                  uint32_t ngroup, fa_money_text *text, const uint32_t *bucket, fa_cell **out,
                  size_t *n)
{
    fa_scan q = {.from = from,
                 .to = to,
                 .group = group,
                 .nline = w->g->nline,
                 .bucket = bucket,
                 .deadline_mono_ms = w->p->deadline_mono_ms};

    for (size_t m = 0; m < w->p->nmeasure; m++)
        q.measures |= 1u << w->p->measure[m].type->measure;
    if (fa_money_scan(w->l, w->p, a, &q, ngroup, text, w->g, out, n, w->e))
        return w->e->rc;
    fa_edp_cells(w->p, w->g, *out, *n); /* after the currency */
    return FA_OK;
}

/* Adds the cells of one slice to those of the slices before. */
static fa_rc join_cells(work *w, fa_cell **all, size_t *nall, const fa_cell *cell, size_t n)
{
    fa_cell *both = fa_arena_array(&w->tmp, *nall + n + 1, sizeof *both);

    if (!both)
        return fa_oom(w->e);
    if (*nall)
        memcpy(both, *all, *nall * sizeof *both);
    if (n)
        memcpy(both + *nall, cell, n * sizeof *both);
    *all = both;
    *nall += n;
    return FA_OK;
}

/* A scan per slice, each over its own days: together they read every fact once. bucket[day - from]. */
static fa_rc scan_slices(work *w, int32_t from, int32_t to, const uint32_t *bucket, fa_cell **out,
                         size_t *n)
{
    int32_t first, last;
    size_t i = fa_slice_of(w->g, 0, from, to, &first, &last);

    *out = NULL;
    *n = 0;
    for (; i != SIZE_MAX; i = fa_slice_of(w->g, i + 1, from, to, &first, &last)) {
        fa_cell *cell;
        size_t k;

        if (scan(w, &w->tmp, first, last, w->g->slice[i].line, w->g->n, text_of,
                 bucket ? bucket + (first - from) : NULL, &cell, &k))
            return w->e->rc;
        if (*n == 0) {
            *out = cell;
            *n = k;
        } else if (join_cells(w, out, n, cell, k)) {
            return w->e->rc;
        }
    }
    return FA_OK;
}

static fa_rc scan_tail(work *w)
{
    fa_i128 sum[FA_MAX_MEASUREMENTS];
    fa_cell *cell;
    size_t n;

    if (scan_slices(w, w->tail.from, w->tail.to, NULL, &cell, &n))
        return w->e->rc;
    for (size_t i = 0; i < n; i++) {
        for (size_t m = 0; m < w->p->nmeasure; m++)
            sum[m] = cell[i].sum[w->p->measure[m].type->measure];
        take_tail(w, cell[i].group, sum);
    }
    return FA_OK;
}

/* Sums over the whole range; keeps the cells when they are few. */
static fa_rc scan_totals(work *w)
{
    const fa_buckets *k = &w->now;
    fa_cell *cell;
    size_t n;

    w->has_all = (size_t)w->g->n * k->n <= SCAN_CELLS;
    if (scan_slices(w, k->from, k->to, w->has_all ? k->of_day : NULL, &cell, &n) ||
        take_scanned(w, cell, n, false))
        return w->e->rc;
    if (w->has_all) {
        w->scanned = cell;
        w->nscanned = n;
    }
    if (!w->p->previous)
        return FA_OK;
    if (scan_slices(w, w->before.from, w->before.to, NULL, &cell, &n) ||
        take_scanned(w, cell, n, true))
        return w->e->rc;
    return w->tail.n ? scan_tail(w) : FA_OK;
}

static fa_rc make_cores(work *w)
{
    size_t n = (size_t)w->g->ncore + 1, nm = w->p->nmeasure;
    bool before = w->p->previous, ok;

    w->core = fa_arena_array(&w->tmp, n, sizeof *w->core);
    w->sum_now = fa_arena_array(&w->tmp, n * nm, sizeof *w->sum_now);
    ok = w->core && w->sum_now;
    if (before) {
        w->sum_before = fa_arena_array(&w->tmp, n * nm, sizeof *w->sum_before);
        ok = ok && w->sum_before;
    }
    if (w->tail.n) {
        w->sum_tail = fa_arena_array(&w->tmp, n * nm, sizeof *w->sum_tail);
        ok = ok && w->sum_tail;
    }
    if (w->by_rows) {
        w->stat_now = fa_arena_array(&w->tmp, n * nm, sizeof *w->stat_now);
        w->stat_before = fa_arena_array(&w->tmp, n * nm, sizeof *w->stat_before);
        ok = ok && w->stat_now && w->stat_before;
    }
    return ok ? FA_OK : fa_oom(w->e);
}

/* Sums of bill rows are of hours: the tail's are among them. */
static void rows_tail(work *w)
{
    fa_i128 sum[FA_MAX_MEASUREMENTS];

    for (size_t i = 0; w->tail.n && i < w->nkept; i++) {
        if (w->now.from + (int32_t)(w->kept[i].bucket / 24) < w->tail.from)
            continue;
        for (size_t m = 0; m < w->p->nmeasure; m++)
            sum[m] = w->kept[i].stat[m].sum;
        take_tail(w, w->kept[i].group, sum);
    }
}

static fa_rc read_archive(work *w)
{
    fa_stat_cell *before = NULL;
    size_t nbefore = 0;

    if (fa_money_archive(w->l, w->p, &w->tmp, &w->now, w->g, &w->kept, &w->nkept, w->e) ||
        (w->p->previous &&
         fa_money_archive(w->l, w->p, &w->tmp, &w->before, w->g, &before, &nbefore, w->e)))
        return w->e->rc;
    fa_edp_stat_cells(w->p, w->g, w->kept, w->nkept);
    fa_edp_stat_cells(w->p, w->g, before, nbefore);
    if (take_rows(w, w->kept, w->nkept, false))
        return w->e->rc;
    rows_tail(w);
    return take_rows(w, before, nbefore, true);
}

/* ---- values that move (reallocate.c) ---- */

/* The cells of a run in the shape of a scan's. */
static fa_rc scanned_of(work *w, const rl_cell *from, size_t n, fa_cell **out)
{
    fa_cell *cell = fa_arena_array(&w->tmp, n + 1, sizeof *cell);

    if (!cell)
        return fa_oom(w->e);
    for (size_t i = 0; i < n; i++) {
        cell[i].bucket = from[i].bucket;
        cell[i].group = from[i].group;
        cell[i].rows = from[i].rows;
        for (size_t m = 0; m < w->p->nmeasure; m++)
            cell[i].sum[w->p->measure[m].type->measure] = from[i].stat[m].sum;
    }
    *out = cell;
    return FA_OK;
}

static fa_rc rows_of(work *w, const rl_cell *from, size_t n, fa_stat_cell **out)
{
    fa_stat_cell *cell = fa_arena_array(&w->tmp, n + 1, sizeof *cell);

    if (!cell)
        return fa_oom(w->e);
    for (size_t i = 0; i < n; i++) {
        cell[i].bucket = from[i].bucket;
        cell[i].group = from[i].group;
        cell[i].rows = from[i].rows;
        memcpy(cell[i].stat, from[i].stat, sizeof cell[i].stat);
    }
    *out = cell;
    return FA_OK;
}

static fa_rc take_moved(work *w, const rl_cell *from, size_t n, bool before)
{
    fa_stat_cell *rows = NULL;
    fa_cell *cell = NULL;

    if (w->by_rows) {
        if (rows_of(w, from, n, &rows))
            return w->e->rc;
        w->kept = before ? w->kept : rows;
        w->nkept = before ? w->nkept : n;
        return take_rows(w, rows, n, before);
    }
    if (scanned_of(w, from, n, &cell))
        return w->e->rc;
    w->scanned = before ? w->scanned : cell;
    w->nscanned = before ? w->nscanned : n;
    w->has_all = true;
    return take_scanned(w, cell, n, before);
}

static void moved_tail(work *w, const rl_cell *cell, size_t n)
{
    fa_i128 sum[FA_MAX_MEASUREMENTS];

    for (size_t i = 0; i < n; i++) {
        for (size_t m = 0; m < w->p->nmeasure; m++)
            sum[m] = cell[i].stat[m].sum;
        take_tail(w, cell[i].group, sum);
    }
    if (w->by_rows)
        rows_tail(w);
}

static fa_rc run_moving(work *w)
{
    const rl_program about = {
        .v = w->v, .cat = w->moving, .set = w->moving->tags, .p = w->p, .e = w->e};
    rl_out *o = &w->moved;
    rl_cell *tail = NULL;
    size_t ntail = 0;

    if (rl_begin(o, w->p, w->e))
        return w->e->rc;
    w->g = o->g; /* the work's to give back */
    if (rl_run(&about, &w->tmp, &w->now, w->by_rows, false, o))
        return w->e->rc;
    if (w->tail.n && !w->by_rows) {
        if (rl_run(&about, &w->tmp, &w->tail, false, true, o))
            return w->e->rc;
        tail = o->before;
        ntail = o->nbefore;
        o->before = NULL;
        o->nbefore = 0;
    }
    if ((w->p->previous && rl_run(&about, &w->tmp, &w->before, w->by_rows, true, o)) ||
        rl_finish(o, w->e) || make_cores(w) || take_moved(w, o->now, o->nnow, false))
        return w->e->rc;
    moved_tail(w, tail, ntail);
    return take_moved(w, o->before, o->nbefore, true);
}

/* What of each group came from another value: in whole units of the answer, adding up to the total's. */
static fa_rc put_shared(work *w)
{
    fa_answer *o = w->out;
    size_t n = o->ngroup;
    fa_i128 *x = fa_arena_array(&w->tmp, n + 1, sizeof *x);

    if (!x)
        return fa_oom(w->e);
    for (size_t m = 0; w->moving && w->p->shared && m < w->p->nmeasure; m++) {
        fa_i128 sum = 0;

        memset(x, 0, (n + 1) * sizeof *x);
        for (size_t i = 0; i < w->moved.nnow; i++) {
            const rl_cell *c = &w->moved.now[i];
            uint32_t shown = w->core[w->g->core[c->group]].shown;

            sum += c->shared[m];
            if (shown < n)
                x[shown] += c->shared[m];
        }
        o->total.shared_e10[m] = fa_dec_round(sum, 10);
        if (fa_round_parts(&w->tmp, x, n, o->total.shared_e10[m], w->e))
            return w->e->rc;
        for (size_t i = 0; i < n; i++)
            o->group[i].shared_e10[m] = x[i];
    }
    return FA_OK;
}

/* ---- which groups, in what order ---- */

static fa_i128 rank_of(const work *w, uint32_t i)
{
    size_t at = i * w->p->nmeasure;
    fa_agg agg = w->p->measure[0].agg;

    return agg == FA_AGG_SUM ? w->sum_now[at] : fa_stat_e10(&w->stat_now[at], agg);
}

static int compare_cores(const void *x, const void *y, void *user)
{
    const work *w = user;
    uint32_t i = *(const uint32_t *)x, k = *(const uint32_t *)y;
    fa_i128 p = rank_of(w, i), q = rank_of(w, k);

    if (p != q)
        return p > q ? -1 : 1;
    for (size_t d = 0; d + 1 < w->g->ntext; d++) {
        int c = fa_str_cmp(fa_groups_text(w->g, w->g->core_group[i], d),
                           fa_groups_text(w->g, w->g->core_group[k], d));

        if (c)
            return c;
    }
    return 0;
}

/* The last of the kept ones sits on top of the heap. */
static void sift_down(work *w, size_t i, size_t n)
{
    for (;;) {
        size_t kid = 2 * i + 1;
        uint32_t swap;

        if (kid >= n)
            return;
        if (kid + 1 < n && compare_cores(&w->list[kid + 1], &w->list[kid], w) > 0)
            kid++;
        if (compare_cores(&w->list[i], &w->list[kid], w) >= 0)
            return;
        swap = w->list[i];
        w->list[i] = w->list[kid];
        w->list[kid] = swap;
        i = kid;
    }
}

/* Puts the first `top` in front without sorting the rest. */
static void select_top(work *w, size_t top)
{
    for (size_t i = top / 2 + 1; i-- > 0;)
        sift_down(w, i, top);
    for (size_t i = top; i < w->nlist; i++)
        if (compare_cores(&w->list[i], &w->list[0], w) < 0) {
            uint32_t swap = w->list[i];

            w->list[i] = w->list[0];
            w->list[0] = swap;
            sift_down(w, 0, top);
        }
}

static bool is_only_usage(const fa_plan *p)
{
    for (size_t m = 0; m < p->nmeasure; m++)
        if (!p->measure[m].type->is_usage)
            return false;
    return true;
}

static bool has_amount(const work *w, uint32_t at)
{
    size_t nm = w->p->nmeasure;

    for (size_t i = at * nm; i < (at + 1) * nm; i++)
        if (w->sum_now[i] || (w->sum_before && w->sum_before[i]) ||
            (w->stat_now && (w->stat_now[i].min || w->stat_now[i].max)))
            return true;
    return false;
}

/* Two units that both have an amount. */
static fa_rc check_units(work *w)
{
    fa_str first[FA_MAX_TEXTS] = {{0}};
    bool seen[FA_MAX_TEXTS] = {false};

    for (size_t i = 0; i < w->nlist; i++) {
        uint32_t group = w->g->core_group[w->list[i]];

        for (size_t u = 0; u < w->g->nunit; u++) {
            fa_str unit = fa_groups_text(w->g, group, w->g->ndim + u);

            if (!seen[u] && unit.n) {
                seen[u] = true;
                first[u] = unit;
            } else if (unit.n && !fa_str_eq(first[u], unit)) {
                w->out->mixed_units = true;
                if (w->p->top == 0)
                    continue;
                (void)fa_fail(w->e, FA_EDATA,
                              "the answer would add up usage in \"%.*s\" and \"%.*s\"",
                              FA_FMT(first[u]), FA_FMT(unit));
                return fa_hint(w->e,
                               "filter by consumed_unit, or pricing_unit for normalized usage");
            }
        }
    }
    return FA_OK;
}

/* What is left over cannot be one group when its amounts are of several currencies. */
static fa_rc check_rest(work *w)
{
    if (!w->out->mixed_currencies || w->nshown == w->nlist)
        return FA_OK;
    (void)fa_fail(w->e, FA_EDATA, "the groups past the first %zu are in several currencies",
                  w->nshown);
    return fa_hint(w->e, "ask for all groups, or for one currency");
}

static fa_rc choose(work *w)
{
    bool usage = is_only_usage(w->p);
    size_t top = w->p->top;

    w->list = fa_arena_array(&w->tmp, (size_t)w->g->ncore + 1, sizeof *w->list);
    if (!w->list)
        return fa_oom(w->e);
    for (uint32_t i = 0; i < w->g->ncore; i++) {
        core *c = &w->core[i];

        w->out->rows += c->rows;
        if ((c->rows || c->rows_before) && (!usage || has_amount(w, i)))
            w->list[w->nlist++] = i;
    }
    if (check_units(w))
        return w->e->rc;
    w->out->ngroup_all = w->nlist;
    if (top && top * 8 < w->nlist) {
        select_top(w, top);
        qsort_r(w->list, top, sizeof *w->list, compare_cores, w);
    } else if (w->nlist) {
        qsort_r(w->list, w->nlist, sizeof *w->list, compare_cores, w);
    }
    w->nshown = top && top < w->nlist ? top : w->nlist;
    if (check_rest(w))
        return w->e->rc;
    for (uint32_t i = 0; i < w->g->ncore; i++)
        w->core[i].shown = UINT32_MAX;
    for (size_t i = 0; i < w->nlist; i++)
        w->core[w->list[i]].shown = (uint32_t)(i < w->nshown ? i : w->nshown);
    return FA_OK;
}

/* ---- laying out ---- */

static fa_rc make_group(work *w, fa_group *g)
{
    g->cell_e10 = fa_arena_array(w->a, w->out->nbucket * w->p->nmeasure, sizeof *g->cell_e10);
    g->has = fa_arena_array(w->a, w->out->nbucket, sizeof *g->has);
    return g->cell_e10 && g->has ? FA_OK : fa_oom(w->e);
}

static fa_rc copy_texts(work *w, fa_group *g, uint32_t group)
{
    fa_str unit[2] = {{"", 0}, {"", 0}};

    for (size_t d = 0; d < w->g->ndim + w->g->nunit; d++) {
        fa_str text = fa_arena_dup(w->a, fa_groups_text(w->g, group, d));

        if (!text.p)
            return fa_oom(w->e);
        if (d < w->g->ndim)
            g->value[d] = text;
        else if (d - w->g->ndim < 2)
            unit[d - w->g->ndim] = text;
    }
    g->currency = fa_arena_dup(w->a, fa_money_name(fa_groups_text(w->g, group, w->g->ntext - 1)));
    if (!g->currency.p)
        return fa_oom(w->e);
    g->unit = unit[0];
    g->unit_priced = w->g->nunit == 2 ? unit[1] : unit[0];
    return FA_OK;
}

/* The shown groups and, behind them, one for the rest (which others = false takes off at the end).
 */
static fa_rc make_groups(work *w)
{
    fa_answer *o = w->out;
    size_t rest = w->nlist - w->nshown, n = w->nshown + (rest > 0);

    if ((n + 1) * o->nbucket > MAX_CELLS / w->p->nmeasure) {
        (void)fa_fail(w->e, FA_EDATA, "the answer would have %zu groups in %zu periods", n,
                      o->nbucket);
        return fa_hint(w->e, "ask for fewer groups, fewer days or a coarser granularity");
    }
    o->group = fa_arena_array(w->a, n + 1, sizeof *o->group);
    if (!o->group || make_group(w, &o->total))
        return fa_oom(w->e);
    o->ngroup = n;
    for (size_t i = 0; i < n; i++) {
        if (make_group(w, &o->group[i]) ||
            copy_texts(w, &o->group[i], w->g->core_group[w->list[i]]))
            return w->e->rc;
    }
    if (rest) {
        fa_group *g = &o->group[w->nshown];

        for (size_t d = 0; d < FA_MAX_DIMS; d++)
            g->value[d] = (fa_str){"", 0};
        g->value[0] = FA_STR("Others");
        g->is_others = true;
        g->nothers = rest;
    }
    return FA_OK;
}

static fa_group *open_cell(work *w, uint32_t shown, uint32_t bucket, int64_t rows)
{
    fa_group *g;

    if (shown >= w->out->ngroup)
        return NULL;
    g = &w->out->group[shown];
    if (rows)
        g->has[bucket] = w->out->total.has[bucket] = true;
    return g;
}

static void put_kept(work *w)
{
    size_t nm = w->p->nmeasure, nb = w->out->nbucket;

    for (size_t i = 0; i < w->nkept; i++) {
        const fa_stat_cell *c = &w->kept[i];
        size_t shown = w->core[w->g->core[c->group]].shown;
        fa_group *g = open_cell(w, (uint32_t)shown, c->bucket, c->rows);

        for (size_t m = 0; g && m < nm; m++) {
            g->cell_e10[c->bucket * nm + m] += c->stat[m].sum;
            fa_stat_add(&w->grid[(shown * nb + c->bucket) * nm + m], &c->stat[m]);
            fa_stat_add(&w->grid[(w->out->ngroup * nb + c->bucket) * nm + m], &c->stat[m]);
        }
    }
}

static void put_scanned(work *w, const fa_cell *cell, size_t n, uint32_t first_bucket, bool by_core)
{
    size_t nm = w->p->nmeasure;

    for (size_t i = 0; i < n; i++) {
        uint32_t bucket = cell[i].bucket + first_bucket;
        fa_group *g =
            open_cell(w, by_core ? w->core[w->g->core[cell[i].group]].shown : cell[i].group, bucket,
                      cell[i].rows);

        for (size_t m = 0; g && m < nm; m++)
            g->cell_e10[bucket * nm + m] += cell[i].sum[w->p->measure[m].type->measure];
    }
}

/* The days of one slice, a few buckets at a time. own: by the plan's groups, whose amounts are converted or discounted each
 * by itself; else with lines sorted straight into shown groups. */
static fa_rc scan_pieces(work *w, const uint32_t *group, bool own, int32_t from, int32_t to)
{
    uint32_t ngroup = own ? w->g->n : (uint32_t)w->out->ngroup + 1;
    size_t per = SCAN_CELLS / ((size_t)ngroup + 1), first = (size_t)(from - w->now.from),
           end = (size_t)(to - w->now.from) + 1;
    fa_arena part;
    fa_rc rc = FA_OK;

    per = per ? per : 1;
    fa_arena_init(&part, SCRATCH);
    fa_arena_count(&part);
    while (!rc && first < end) {
        uint32_t bucket = w->of_day[first];
        size_t last = first;
        uint32_t *of_day;
        fa_cell *cell;
        size_t n;

        while (last + 1 < end && w->of_day[last + 1] < bucket + per)
            last++;
        of_day = fa_arena_array(&part, last - first + 1, sizeof *of_day);
        if (!of_day) {
            rc = fa_oom(w->e);
            break;
        }
        for (size_t i = first; i <= last; i++)
            of_day[i - first] = w->of_day[i] - bucket;
        rc = scan(w, &part, w->now.from + (int32_t)first, w->now.from + (int32_t)last, group,
                  ngroup, text_of, of_day, &cell, &n);
        if (!rc)
            put_scanned(w, cell, n, bucket, own);
        fa_arena_clear(&part);
        first = last + 1;
    }
    fa_arena_release(&part);
    return rc;
}

/* Many groups: scans again. */
static fa_rc scan_cells(work *w)
{
    bool own = fa_money_on(w->p) || w->g->has_factor;
    uint32_t *group = fa_arena_array(&w->tmp, own ? 1 : (size_t)w->g->nline + 1, sizeof *group);
    int32_t from, to;
    size_t i = fa_slice_of(w->g, 0, w->now.from, w->now.to, &from, &to);

    if (!group)
        return fa_oom(w->e);
    for (; i != SIZE_MAX; i = fa_slice_of(w->g, i + 1, w->now.from, w->now.to, &from, &to)) {
        const uint32_t *line = w->g->slice[i].line;

        for (uint32_t k = 0; !own && k < w->g->nline; k++)
            group[k] = line[k] == FA_NO_GROUP ? FA_NO_GROUP : w->core[w->g->core[line[k]]].shown;
        if (scan_pieces(w, own ? line : group, own, from, to))
            return w->e->rc;
    }
    return FA_OK;
}

static fa_rc fill(work *w)
{
    if (make_groups(w))
        return w->e->rc;
    if (w->by_rows) {
        size_t n = (w->out->ngroup + 1) * w->out->nbucket * w->p->nmeasure;

        w->grid = fa_arena_array(&w->tmp, n, sizeof *w->grid);
        if (!w->grid)
            return fa_oom(w->e);
        put_kept(w);
        return FA_OK;
    }
    if (!w->has_all)
        return scan_cells(w);
    put_scanned(w, w->scanned, w->nscanned, 0, true);
    return FA_OK;
}

/* ---- rounding ---- */

/* Of the previous period: one shown group, or all of them. */
static fa_stat stat_before(const work *w, size_t m, size_t shown)
{
    fa_stat out = {0};

    for (size_t i = 0; i < w->nlist; i++)
        if (shown == SIZE_MAX || w->core[w->list[i]].shown == shown)
            fa_stat_add(&out, &w->stat_before[(size_t)w->list[i] * w->p->nmeasure + m]);
    return out;
}

/* Averages, least and greatest do not add up: each is worked out and rounded by itself. */
static void finish_stats(work *w, size_t m)
{
    fa_answer *o = w->out;
    fa_agg agg = w->p->measure[m].agg;
    size_t nm = w->p->nmeasure;

    for (size_t i = 0; i <= o->ngroup; i++) {
        fa_group *g = i < o->ngroup ? &o->group[i] : &o->total;
        fa_stat all = {0}, before;

        for (size_t b = 0; b < o->nbucket; b++) {
            const fa_stat *s = &w->grid[(i * o->nbucket + b) * nm + m];

            g->cell_e10[b * nm + m] = fa_stat_e10(s, agg);
            fa_stat_add(&all, s);
        }
        g->total_e10[m] = fa_stat_e10(&all, agg);
        if (!w->p->previous)
            continue;
        before = stat_before(w, m, i < o->ngroup ? i : SIZE_MAX);
        g->previous_e10[m] = fa_stat_e10(&before, agg);
    }
}

/* One side of the comparison, by shown group: rounded so that the groups add up to the total, but for groups apart. */
static fa_rc finish_side(work *w, size_t m, bool apart, bool before)
{
    fa_answer *o = w->out;
    fa_i128 *x = fa_arena_array(&w->tmp, o->ngroup + 1, sizeof *x), sum = 0;
    fa_i128 *total = before ? &o->total.previous_e10[m] : &o->total.compared_e10[m];

    if (!x)
        return fa_oom(w->e);
    for (size_t i = 0; i < w->nlist; i++) {
        size_t at = w->list[i] * w->p->nmeasure + m;
        fa_i128 v = before ? w->sum_before[at] : w->sum_now[at] - w->sum_tail[at];

        x[w->core[w->list[i]].shown] += v;
        sum += v;
    }
    if (!apart) {
        *total = fa_dec_round(sum, 10);
        if (fa_round_parts(&w->tmp, x, o->ngroup, *total, w->e))
            return w->e->rc;
    }
    for (size_t i = 0; i < o->ngroup; i++)
        *(before ? &o->group[i].previous_e10[m] : &o->group[i].compared_e10[m]) =
            apart ? fa_dec_round(x[i], 10) : x[i];
    return FA_OK;
}

static fa_rc finish_previous(work *w, size_t m, bool apart)
{
    if (finish_side(w, m, apart, true))
        return w->e->rc;
    return w->tail.n ? finish_side(w, m, apart, false) : FA_OK;
}

/* Usage in several units: each group adds up, the total does not exist. */
static fa_rc round_apart(work *w, size_t m)
{
    fa_answer *o = w->out;
    fa_group none = {0};

    none.cell_e10 = fa_arena_array(&w->tmp, o->nbucket * w->p->nmeasure, sizeof *none.cell_e10);
    if (!none.cell_e10)
        return fa_oom(w->e);
    for (size_t i = 0; i < o->ngroup; i++)
        if (fa_round_cells(&w->tmp, &o->group[i], 1, o->nbucket, w->p->nmeasure, m, &none, w->e))
            return w->e->rc;
    return FA_OK;
}

/* Before rounding the cells are exact. */
static void keep_sums(fa_answer *o, size_t nm, size_t m)
{
    for (size_t i = 0; i < o->ngroup; i++)
        for (size_t b = 0; b < o->nbucket; b++)
            o->group[i].sum_e18[m] += o->group[i].cell_e10[b * nm + m];
}

static fa_rc finish(work *w)
{
    fa_answer *o = w->out;
    size_t nm = w->p->nmeasure;

    for (size_t m = 0; m < nm; m++) {
        bool apart = w->p->measure[m].type->is_usage ? o->mixed_units : o->mixed_currencies;

        if (w->p->measure[m].agg != FA_AGG_SUM) {
            finish_stats(w, m);
            continue;
        }
        keep_sums(o, nm, m);
        if (apart
                ? round_apart(w, m)
                : fa_round_cells(&w->tmp, o->group, o->ngroup, o->nbucket, nm, m, &o->total, w->e))
            return w->e->rc;
        if (w->p->previous && finish_previous(w, m, apart))
            return w->e->rc;
    }
    o->total.unit = o->total.unit_priced = (fa_str){"", 0};
    if (!o->mixed_units)
        for (size_t i = 0; i < o->ngroup; i++) {
            if (o->total.unit.n == 0 && o->group[i].unit.n)
                o->total.unit = o->group[i].unit;
            if (o->total.unit_priced.n == 0 && o->group[i].unit_priced.n)
                o->total.unit_priced = o->group[i].unit_priced;
        }
    for (size_t i = 0; i < o->ngroup; i++)
        if (o->group[i].is_others)
            o->group[i].unit = o->total.unit;
    if (o->ngroup > w->nshown && !w->p->others)
        o->ngroup = w->nshown; /* the total stays whole */
    return FA_OK;
}

/* Of the money; where there is none, of the lines. */
static fa_rc name_currency(work *w)
{
    size_t at = w->g->ntext - 1;

    if (fa_money_on(w->p))
        return fa_money_tell(&w->money, w->a, &w->out->currency, &w->out->converted,
                             &w->out->nconverted, w->e);
    w->out->currency = (fa_str){"", 0};
    if (w->out->mixed_currencies || (w->currency < 0 && w->g->n == 0))
        return FA_OK;
    w->out->currency =
        fa_arena_dup(w->a, w->currency < 0 ? fa_groups_text(w->g, 0, at)
                                           : fa_codes_text(w->g->col[at], (uint32_t)w->currency));
    return w->out->currency.p ? FA_OK : fa_oom(w->e);
}

/* ---- the whole ---- */

static bool needs_rows(const fa_plan *p)
{
    if (p->bucket == FA_HOUR)
        return true;
    for (size_t m = 0; m < p->nmeasure; m++)
        if (p->measure[m].agg != FA_AGG_SUM)
            return true;
    return false;
}

static fa_rc get_groups(work *w)
{
    int32_t from = w->p->range.from, to = w->p->range.to;

    if (w->p->previous) {
        from = w->before.from < from ? w->before.from : from;
        to = w->before.to > to ? w->before.to : to;
    }
    return fa_groups_of_plan(&w->v, w->p, from, to, &w->g, w->e);
}

static fa_rc run_on_lines(work *w)
{
    if (get_groups(w) || make_cores(w))
        return w->e->rc;
    return w->by_rows ? read_archive(w) : scan_totals(w);
}

static fa_rc run_once(work *w)
{
    *w->out = (fa_answer){.range = w->p->range, .known_to = INT32_MIN};
    for (size_t m = 0; m < w->p->nmeasure; m++)
        w->out->approximated |= fa_ledger_approximated(w->l, w->p->measure[m].type->measure);
    if (make_buckets(w) || make_previous(w) || rl_touches(w->p, &w->moving, w->e) ||
        (w->moving ? run_moving(w) : run_on_lines(w)) || choose(w) || fill(w) || put_shared(w) ||
        finish(w))
        return w->e->rc;
    if (w->moving)
        w->out->rows = w->moved.rows; /* a row is one, however many parts its cost falls into */
    return name_currency(w);
}

static fa_rc check_plan(const fa_plan *p, fa_err *e)
{
    if (p->nmeasure == 0 || p->nmeasure > FA_MAX_MEASUREMENTS || p->ndim > FA_MAX_DIMS)
        return fa_fail(e, FA_EINVAL, "a question has 1 to %d measurements and up to %d keys",
                       FA_MAX_MEASUREMENTS, FA_MAX_DIMS);
    return FA_OK;
}

static bool has_currency_key(const fa_plan *p)
{
    for (size_t i = 0; i < p->ndim; i++)
        if (fa_str_eqz(p->dim[i]->expr, "BillingCurrency"))
            return true;
    return false;
}

static fa_rc run_plan(fa_ledger *l, fa_arena *a, const fa_plan *p, fa_answer *out, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_err scratch = {0};
    int32_t first, last;
    bool fresh = false;

    for (int i = 0; !rc && !fresh && i < TRIES; i++) {
        fa_plan q = *p;
        work w = {.l = l, .a = a, .p = &q, .out = out, .currency = -1, .e = e ? e : &scratch};

        if ((rc = fa_lens_open(l, p->deadline_mono_ms, &w.v, w.e)))
            break;
        fa_arena_init(&w.tmp, SCRATCH);
        fa_arena_count(&w.tmp);
        w.by_rows = needs_rows(p);
        w.by_currency = has_currency_key(p);
        q.money = &w.money;
        if (!(rc = fa_money_open(l, &w.tmp, p, &w.money, w.e)))
            rc = run_once(&w);
        fa_money_close(&w.money);
        fa_groups_put(w.g);
        fa_arena_release(&w.tmp);
        fresh = fa_ledger_generation(l) == w.v.generation; /* else a load went live: ask again */
        if (rc && !fresh && rc != FA_ECANCELLED && rc != FA_ETIMEOUT && i + 1 < TRIES)
            rc = FA_OK;
        else if (rc)
            break;
    }
    if (!rc && fa_ledger_range(l, &first, &last))
        out->known_to = last;
    return rc;
}

fa_rc fa_query_run(fa_ledger *l, fa_arena *a, const fa_plan *p, fa_answer *out, fa_err *e)
{
    fa_plan q = *p;
    fa_edp edp = {0};
    fa_err scratch = {0};
    fa_rc rc;

    e = e ? e : &scratch;
    if ((rc = check_plan(p, e)) || (rc = fa_edp_begin(l, p, &edp, e)))
        return rc;
    q.edp = edp.factor ? &edp : NULL;
    rc = run_plan(l, a, &q, out, e);
    fa_edp_end(&edp);
    return rc;
}
