/*
 * rows.c - the bill rows behind an answer, as they came.
 *
 * The one idea: the archive keeps every column of every row; this shows the newest of those that
 * the plan's filter and row rules let through, with amounts in all their digits.
 */
#include "query/inner.h"

#include "bill/bill.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ROWS 10000
#define TRIES 5

typedef struct writer {
    fa_jw *w;
    size_t limit, n;
    bool started, more;
} writer;

static void put_columns(writer *o, const fa_batch *b)
{
    fa_jw_key(o->w, "columns");
    fa_jw_arr(o->w);
    for (size_t i = 0; i < b->cols; i++)
        fa_jw_z(o->w, b->col[i].name);
    fa_jw_end_arr(o->w);
    fa_jw_key(o->w, "rows");
    fa_jw_arr(o->w);
    o->started = true;
}

/* Amounts lose the zeroes that the archive's type pads them with; times get their zone back. */
static void put_value(fa_jw *w, const char *column, fa_str v)
{
    const fa_column *c = fa_column_find(fa_str_of(column));
    char z[40];

    if (c && (c->kind == FA_C_DEC || c->kind == FA_C_MEASURE) && v.n && memchr(v.p, '.', v.n)) {
        while (v.n && v.p[v.n - 1] == '0')
            v.n--;
        if (v.n && v.p[v.n - 1] == '.')
            v.n--;
    } else if (c && c->kind == FA_C_TIME && v.n >= 19 && v.n < 32) {
        snprintf(z, sizeof z, "%.10sT%.*sZ", v.p, (int)v.n - 11, v.p + 11);
        fa_jw_z(w, z);
        return;
    }
    fa_jw_str(w, v);
}

static fa_rc put_rows(void *user, const fa_batch *b, fa_err *e)
{
    writer *o = user;

    (void)e;
    if (!o->started)
        put_columns(o, b);
    for (size_t r = 0; r < b->rows; r++) {
        if (o->n == o->limit) {
            o->more = true;
            break;
        }
        o->n++;
        fa_jw_arr(o->w);
        for (size_t i = 0; i < b->cols; i++)
            if (b->col[i].type != FA_T_TEXT || (b->col[i].null && b->col[i].null[r]))
                fa_jw_null(o->w);
            else
                put_value(o->w, b->col[i].name, b->col[i].text[r]);
        fa_jw_end_arr(o->w);
    }
    return o->w->b->failed ? fa_oom(e) : FA_OK;
}

/* A bill row is shown when any slice's array has a group for its line on its day. */
fa_rc fa_put_bill_rows(fa_arena *a, const fa_groups *g, const fa_plan *p, fa_str bill, fa_buf *b,
                       fa_err *e)
{
    fa_scan *q = fa_arena_array(a, g->nslice + 1, sizeof *q);
    fa_cell_map *map = fa_arena_array(a, g->nslice + 1, sizeof *map);
    size_t i = SIZE_MAX, n = 0;

    if (!q || !map)
        return fa_oom(e);
    fa_buf_fmt(b, " FROM %.*s WHERE (false", FA_FMT(bill));
    for (;;) {
        fa_scan *s = &q[n];

        i = fa_slice_of(g, i + 1, p->range.from, p->range.to, &s->from, &s->to);
        if (i == SIZE_MAX)
            break;
        s->group = g->slice[i].line;
        s->nline = g->nline;
        map[n] = (fa_cell_map){FA_CELL_MAGIC, s};
        fa_buf_fmt(b, " OR fa_cell(%llu::UBIGINT, bill.day, bill.line_id) <> %llu::UBIGINT",
                   (unsigned long long)(uintptr_t)&map[n++], (unsigned long long)FA_CELL_NONE);
    }
    fa_buf_c(b, ')');
    return b->failed ? fa_oom(e) : FA_OK;
}

static fa_rc put_sql(fa_arena *a, const fa_groups *g, const fa_plan *p, fa_str bill, size_t limit,
                     fa_buf *b, fa_err *e)
{
    fa_buf_z(b, "SELECT COLUMNS(lambda c: NOT starts_with(c, 'fa_') AND c NOT IN ('line_id', 'day',"
                " 'hour'))::VARCHAR");
    if (fa_put_bill_rows(a, g, p, bill, b, e))
        return e->rc;
    fa_buf_fmt(b, " ORDER BY bill.ChargePeriodStart DESC, bill.line_id LIMIT %zu", limit + 1);
    return b->failed ? fa_oom(e) : FA_OK;
}

static fa_rc read_rows(fa_lens *v, fa_arena *a, const fa_plan *p, writer *o, fa_err *e)
{
    fa_rc rc;
    fa_conn *c = NULL;
    fa_groups *g = NULL;
    fa_str bill;
    fa_buf sql;

    fa_buf_init(&sql, 64 << 20);
    if ((rc = fa_groups_of_rows(v, p, p->range.from, p->range.to, &g, e)) ||
        (rc = fa_ledger_archive_sql(v->l, a, p->range.from, p->range.to, &bill, e)) ||
        (rc = put_sql(a, g, p, bill, o->limit, &sql, e)) ||
        (rc = fa_conn_get(fa_ledger_engine(v->l), &c, e)))
        goto done;
    fa_conn_deadline(c, p->deadline_mono_ms);
    fa_jw_obj(o->w);
    rc = fa_sql_query(c, fa_buf_view(&sql), NULL, 0, put_rows, o, e);
    if (!o->started) {
        fa_batch none = {0};

        put_columns(o, &none);
    }
    fa_jw_end_arr(o->w);
    fa_jw_key(o->w, "more");
    fa_jw_bool(o->w, o->more);
    fa_jw_end_obj(o->w);
done:
    fa_conn_put(c);
    fa_groups_put(g);
    fa_buf_release(&sql);
    return rc;
}

fa_rc fa_query_rows(fa_ledger *l, fa_arena *a, const fa_plan *p, size_t limit, fa_jw *out,
                    fa_err *e)
{
    fa_plan plain = *p; /* which rows: what is measured and grouped by changes nothing */
    fa_err scratch = {0};
    fa_rc rc = FA_OK;
    bool fresh = false;
    fa_buf b;

    e = e ? e : &scratch;
    plain.ndim = plain.nmeasure = 0;
    fa_buf_init(&b, 0);
    for (int i = 0; i < TRIES && !rc && !fresh; i++) {
        fa_jw w;
        writer o = {.w = &w, .limit = limit && limit < MAX_ROWS ? limit : MAX_ROWS};
        fa_lens v;

        fa_buf_clear(&b);
        fa_jw_init(&w, &b);
        if ((rc = fa_lens_open(l, p->deadline_mono_ms, &v, e)))
            break;
        rc = read_rows(&v, a, &plain, &o, e);
        fresh = fa_ledger_generation(l) == v.generation;
        if (rc && !fresh && rc != FA_ECANCELLED && rc != FA_ETIMEOUT && i + 1 < TRIES)
            rc = FA_OK;
    }
    if (!rc && b.failed)
        rc = fa_oom(e);
    if (!rc)
        fa_jw_raw(out, fa_buf_view(&b));
    fa_buf_release(&b);
    return rc;
}
