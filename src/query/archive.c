/*
 * archive.c - questions that only bill rows can answer: hours, averages, least and greatest charge.
 *
 * The one idea: the same keys and the same filter as for lines, joined to the archive, grouped by
 * the engine; what comes back is small and exact.
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
    fa_groups *g;
    fa_stat_cell *cell;
    size_t n, cap;
    uint32_t *slot; /* (bucket, group) to place + 1 */
    size_t nslot;
} reader;

static uint32_t bucket_of(const reader *r, int64_t when)
{
    if (r->k->kind == FA_HOUR)
        return (uint32_t)(when / 3600000 - (int64_t)r->k->from * 24);
    return r->k->of_day[when - r->k->from];
}

static size_t place(const reader *r, uint32_t bucket, uint32_t group)
{
    uint64_t h = ((uint64_t)bucket << 32 | group) * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(h >> 20) & (r->nslot - 1);

    while (r->slot[at] &&
           (r->cell[r->slot[at] - 1].bucket != bucket || r->cell[r->slot[at] - 1].group != group))
        at = (at + 1) & (r->nslot - 1);
    return at;
}

static fa_stat_cell *cell_of(reader *r, uint32_t bucket, uint32_t group)
{
    size_t at;

    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 1024;
        fa_stat_cell *cell = fa_arena_array(r->a, cap, sizeof *cell);
        uint32_t *slot = fa_arena_array(r->a, cap * 2, sizeof *slot);

        if (!cell || !slot || cap > UINT32_MAX / 4)
            return NULL;
        if (r->n)
            memcpy(cell, r->cell, r->n * sizeof *cell);
        r->cell = cell;
        r->slot = slot;
        r->nslot = cap * 2;
        r->cap = cap;
        for (size_t i = 0; i < r->n; i++)
            r->slot[place(r, cell[i].bucket, cell[i].group)] = (uint32_t)i + 1;
    }
    at = place(r, bucket, group);
    if (!r->slot[at]) {
        r->cell[r->n] = (fa_stat_cell){.bucket = bucket, .group = group};
        r->slot[at] = (uint32_t)++r->n;
    }
    return &r->cell[r->slot[at] - 1];
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
    fa_str text[FA_MAX_TEXTS];
    size_t first = 2 + o->g->ntext;

    for (size_t r = 0; r < b->rows; r++) {
        uint32_t group;
        fa_stat_cell *cell;

        for (size_t i = 0; i < o->g->ntext; i++) {
            const fa_col *c = &b->col[i + 2];

            text[i] =
                c->type != FA_T_TEXT || (c->null && c->null[r]) ? (fa_str){"", 0} : c->text[r];
        }
        if (!fa_groups_add(o->g, text, &group) ||
            !(cell = cell_of(o, bucket_of(o, (int64_t)number_at(&b->col[0], r)), group)))
            return fa_oom(e);
        cell->rows += (int64_t)number_at(&b->col[1], r);
        for (size_t m = 0; m < o->p->nmeasure; m++) {
            const fa_col *c = &b->col[first + m * 4];
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
        fa_buf_fmt(b, "bill.%s", fa_measures[m].focus);
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

static fa_rc put_sql(fa_ledger *l, fa_arena *a, const fa_plan *p, const fa_buckets *k, fa_buf *b,
                     fa_err *e)
{
    fa_str bill;
    size_t ntext = p->ndim + fa_plan_units(p) + 1;

    if (check_measures(p, e) || fa_ledger_archive_sql(l, a, k->from, k->to, &bill, e))
        return e->rc;
    fa_buf_fmt(b, "SELECT bill.%s, count(*)::BIGINT", k->kind == FA_HOUR ? "hour" : "day");
    for (size_t i = 0; i < ntext; i++) {
        if (i < p->ndim)
            fa_buf_fmt(b, ", fa_g.fa_k%zu", i);
        else if (i + 1 < ntext)
            fa_buf_fmt(b, ", fa_g.fa_u%zu", i - p->ndim);
        else
            fa_buf_z(b, ", fa_g.fa_c");
    }
    for (size_t m = 0; m < p->nmeasure; m++) {
        static const char *const of[] = {", sum(", ", min(", ", max(", ", count("};

        for (size_t i = 0; i < FA_COUNT(of); i++) {
            fa_buf_z(b, of[i]);
            put_measure(b, p->measure[m].type->measure);
            fa_buf_z(b, i == 3 ? ")::BIGINT" : ")");
        }
    }
    fa_buf_fmt(b, " FROM %.*s JOIN (SELECT line_id AS fa_id", FA_FMT(bill));
    (void)fa_put_texts(b, p);
    fa_buf_z(b, " FROM line");
    fa_put_where(b, p);
    fa_buf_z(b, ") AS fa_g ON fa_g.fa_id = bill.line_id GROUP BY bill.");
    fa_buf_z(b, k->kind == FA_HOUR ? "hour" : "day");
    for (size_t i = 0; i < ntext; i++)
        fa_buf_fmt(b, ", %zu", i + 3);
    return b->failed ? fa_oom(e) : FA_OK;
}

fa_rc fa_archive_read(fa_ledger *l, fa_arena *a, const fa_plan *p, const fa_buckets *k,
                      fa_groups *g, fa_stat_cell **out, size_t *n, fa_err *e)
{
    fa_rc rc;
    fa_conn *c = NULL;
    fa_buf sql;
    reader r = {.a = a, .p = p, .k = k, .g = g};

    fa_buf_init(&sql, 64 << 20);
    if ((rc = put_sql(l, a, p, k, &sql, e)) || (rc = fa_conn_get(fa_ledger_engine(l), &c, e)))
        goto done;
    fa_conn_deadline(c, p->deadline_mono_ms);
    rc = fa_sql_query(c, fa_buf_view(&sql), NULL, 0, add_cells, &r, e);
done:
    fa_conn_put(c);
    fa_buf_release(&sql);
    *out = r.cell;
    *n = r.n;
    return rc;
}
