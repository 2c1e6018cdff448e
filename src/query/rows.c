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

fa_rc fa_query_rows(fa_ledger *l, fa_arena *a, const fa_plan *p, size_t limit, fa_jw *out,
                    fa_err *e)
{
    fa_rc rc;
    fa_conn *c = NULL;
    fa_str bill;
    fa_buf sql;
    writer o = {.w = out, .limit = limit && limit < MAX_ROWS ? limit : MAX_ROWS};

    fa_buf_init(&sql, 64 << 20);
    if ((rc = fa_ledger_archive_sql(l, a, p->range.from, p->range.to, &bill, e)) ||
        (rc = fa_conn_get(fa_ledger_engine(l), &c, e)))
        goto done;
    fa_conn_deadline(c, p->deadline_mono_ms);
    fa_buf_fmt(&sql,
               "SELECT COLUMNS(lambda c: NOT starts_with(c, 'fa_') AND c NOT IN ('line_id', 'day', "
               "'hour'))::VARCHAR"
               " FROM %.*s WHERE bill.line_id IN (SELECT line_id FROM line",
               FA_FMT(bill));
    fa_put_where(&sql, p);
    fa_buf_fmt(&sql, ") ORDER BY bill.ChargePeriodStart DESC, bill.line_id LIMIT %zu", o.limit + 1);
    if (sql.failed) {
        rc = fa_oom(e);
        goto done;
    }
    fa_jw_obj(out);
    rc = fa_sql_query(c, fa_buf_view(&sql), NULL, 0, put_rows, &o, e);
    if (!o.started) {
        fa_batch none = {0};

        put_columns(&o, &none);
    }
    fa_jw_end_arr(out);
    fa_jw_key(out, "more");
    fa_jw_bool(out, o.more);
    fa_jw_end_obj(out);
done:
    fa_conn_put(c);
    fa_buf_release(&sql);
    return rc;
}
