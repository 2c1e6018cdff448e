/*
 * archive.c - questions that only bill rows can answer: hours, averages, least and greatest charge.
 *
 * The one idea: each bill row looks its group up in the same arrays as a scan does, so whatever a filter, a virtual
 * tag or a row rule says is said once; the engine groups by the number, and what comes back is small and exact.
 */
#include "query/inner.h"

#include <stdlib.h>
#include <string.h>

void fa_stat_add(fa_stat *to, const fa_stat *from)
{
    if (from->n == 0)
        return;
    if (to->n == 0) {
        *to = *from;
        return;
    }
    to->sum += from->sum;
    to->n += from->n;
    if (from->min < to->min)
        to->min = from->min;
    if (from->max > to->max)
        to->max = from->max;
}

fa_i128 fa_stat_e10(const fa_stat *s, fa_agg agg)
{
    fa_u128 v, d, q;

    if (s->n == 0)
        return 0;
    if (agg != FA_AGG_AVG)
        return fa_dec_round(agg == FA_AGG_MIN ? s->min : agg == FA_AGG_MAX ? s->max : s->sum, 10);
    v = s->sum < 0 ? -(fa_u128)s->sum : (fa_u128)s->sum;
    d = (fa_u128)s->n * (fa_u128)FA_E8;
    q = v / d;
    if (v % d * 2 >= d)
        q++;
    return s->sum < 0 ? -(fa_i128)q : (fa_i128)q;
}

typedef struct reader {
    fa_arena *a;
    const fa_plan *p;
    const fa_buckets *k;
    const fa_groups *g;
    fa_cells cells; /* of fa_stat_cell */
} reader;

static uint32_t bucket_of(const reader *r, int64_t when)
{
    if (r->k->kind == FA_HOUR)
        return (uint32_t)(when / 3600000 - (int64_t)r->k->from * 24);
    return r->k->of_day[when - r->k->from];
}

static fa_i128 number_at(const fa_col *c, size_t r)
{
    if (c->null && c->null[r])
        return 0;
    return c->type == FA_T_I128 ? c->i128[r] : c->type == FA_T_I64 ? c->i64[r] : 0;
}

static fa_rc add_cells(void *user, const fa_batch *b, fa_err *e)
{
    reader *o = user;

    for (size_t r = 0; r < b->rows; r++) {
        uint32_t group = (uint32_t)number_at(&b->col[2], r);
        fa_stat_cell *cell =
            fa_cells_get(&o->cells, bucket_of(o, (int64_t)number_at(&b->col[0], r)), group);

        if (!cell)
            return fa_oom(e);
        cell->rows += (int64_t)number_at(&b->col[1], r);
        for (size_t m = 0; m < o->p->nmeasure; m++) {
            const fa_col *c = &b->col[3 + m * 4];
            fa_stat s = {number_at(c, r), number_at(c + 1, r), number_at(c + 2, r),
                         (int64_t)number_at(c + 3, r)};

            fa_stat_add(&cell->stat[m], &s);
        }
    }
    return FA_OK;
}

/* A measure of a bill row: its own column, or what a bill without one has in its place. */
static void put_measure(fa_buf *b, fa_measure m)
{
    fa_buf_z(b, "coalesce(");
    for (;; m = fa_measures[m].falls_to) {
        fa_buf_z(b, fa_measures[m].focus);
        if (fa_measures[m].falls_to == m)
            break;
        fa_buf_z(b, ", ");
    }
    fa_buf_c(b, ')');
}

static fa_rc check_measures(const fa_plan *p, fa_err *e)
{
    for (size_t m = 0; m < p->nmeasure; m++)
        if (!fa_measures[p->measure[m].type->measure].focus) {
            (void)fa_fail(e, FA_EDATA, "%s is known per day, not per bill row",
                          p->measure[m].type->name);
            return fa_hint(e, "ask for its sum by day or longer");
        }
    return FA_OK;
}

/* The bill rows of one slice's days. */
static fa_rc read_slice(fa_ledger *l, fa_conn *c, reader *r, const fa_scan *q, fa_err *e)
{
    const fa_cell_map map = {FA_CELL_MAGIC, q};
    const char *when = r->k->kind == FA_HOUR ? "hour" : "day";
    fa_str bill;
    fa_buf b;
    fa_rc rc;

    if (check_measures(r->p, e) || fa_ledger_archive_sql(l, r->a, q->from, q->to, &bill, e))
        return e->rc;
    fa_buf_init(&b, 64 << 20);
    fa_buf_fmt(&b, "SELECT %s, count(*)::BIGINT, fa_g", when);
    for (size_t m = 0; m < r->p->nmeasure; m++) {
        static const char *const of[] = {", sum(", ", min(", ", max(", ", count("};

        for (size_t i = 0; i < FA_COUNT(of); i++) {
            fa_buf_z(&b, of[i]);
            put_measure(&b, r->p->measure[m].type->measure);
            fa_buf_z(&b, i == 3 ? ")::BIGINT" : ")");
        }
    }
    fa_buf_fmt(&b,
               " FROM (SELECT bill.*, fa_cell(%llu::UBIGINT, bill.day, bill.line_id) AS fa_g FROM"
               " %.*s) AS fa_rows WHERE fa_g <> %llu::UBIGINT GROUP BY %s, fa_g",
               (unsigned long long)(uintptr_t)&map, FA_FMT(bill), (unsigned long long)FA_CELL_NONE,
               when);
    rc = b.failed ? fa_oom(e) : fa_sql_query(c, fa_buf_view(&b), NULL, 0, add_cells, r, e);
    fa_buf_release(&b);
    return rc;
}

fa_rc fa_archive_read(fa_ledger *l, fa_arena *a, const fa_plan *p, const fa_buckets *k,
                      const fa_groups *g, fa_stat_cell **out, size_t *n, fa_err *e)
{
    fa_conn *c = NULL;
    reader r = {.a = a, .p = p, .k = k, .g = g, .cells = {.a = a, .stride = sizeof(fa_stat_cell)}};
    int32_t first, last;
    size_t i = fa_slice_of(g, 0, k->from, k->to, &first, &last);
    fa_rc rc = fa_conn_get(fa_ledger_engine(l), &c, e);

    if (!rc)
        fa_conn_deadline(c, p->deadline_mono_ms);
    for (; !rc && i != SIZE_MAX; i = fa_slice_of(g, i + 1, k->from, k->to, &first, &last)) {
        fa_scan q = {.from = first, .to = last, .group = g->slice[i].line, .nline = g->nline};

        rc = read_slice(l, c, &r, &q, e);
    }
    fa_conn_put(c);
    *out = (fa_stat_cell *)(void *)r.cells.p;
    *n = r.cells.n;
    return rc;
}
