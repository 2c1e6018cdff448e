/*
 * invoiced.c - what each billing month of each source comes to, by invoice and kind of charge.
 *
 * The one idea: an invoice number is a fact of bill rows, not of lines (a new one comes each month),
 * so it is read from the archive of what is live; only three columns of it are touched.
 */
#include "ledger/inner.h"

#include <string.h>

typedef struct taker {
    fa_arena *a;
    int64_t source_id;
    fa_invoiced *row;
    size_t n, cap;
} taker;

static fa_rc take_rows(void *user, const fa_batch *b, fa_err *e)
{
    taker *t = user;

    for (size_t r = 0; r < b->rows; r++) {
        fa_invoiced *v;

        if (t->n == t->cap) {
            size_t cap = t->cap ? t->cap * 2 : 64;
            fa_invoiced *more = fa_arena_array(t->a, cap, sizeof *more);

            if (!more)
                return fa_oom(e);
            if (t->n)
                memcpy(more, t->row, t->n * sizeof *more);
            t->row = more;
            t->cap = cap;
        }
        v = &t->row[t->n++];
        *v = (fa_invoiced){.source_id = t->source_id,
                           .period = (int32_t)b->col[0].i64[r],
                           .currency = fa_arena_dup(t->a, b->col[1].text[r]),
                           .invoice = fa_arena_dup(t->a, b->col[2].text[r]),
                           .category = fa_arena_dup(t->a, b->col[3].text[r]),
                           .rows = b->col[4].i64[r],
                           .billed_e18 = b->col[5].i128[r]};
        if (!v->currency.p || !v->invoice.p || !v->category.p)
            return fa_oom(e);
    }
    return FA_OK;
}

static fa_rc has_column(fa_conn *c, fa_str files, const char *name, bool *out, fa_err *e)
{
    int64_t n = 0;
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 4 << 20);
    fa_buf_fmt(&b,
               "SELECT count(*) FROM (DESCRIBE SELECT * FROM read_parquet(%.*s, union_by_name = "
               "true)) WHERE column_name = '%s'",
               FA_FMT(files), name);
    rc = b.failed ? fa_oom(e) : fa_sql_i64(c, fa_buf_view(&b), NULL, 0, &n, e);
    fa_buf_release(&b);
    *out = n > 0;
    return rc;
}

/* The live months of one load. */
static fa_rc read_load(fa_ledger *l, fa_conn *c, const fa_part *part, size_t n, taker *t, fa_err *e)
{
    static const char *const name[] = {"InvoiceId", "ChargeCategory"};
    bool has[2];
    fa_str files;
    fa_buf b;
    fa_rc rc = fa_archive_files(l, t->a, part[0].load_id, &files, e);

    for (size_t i = 0; !rc && i < FA_COUNT(name); i++)
        rc = has_column(c, files, name[i], &has[i], e);
    if (rc)
        return rc;
    t->source_id = part[0].source_id;
    fa_buf_init(&b, 4 << 20);
    fa_buf_fmt(
        &b,
        "SELECT p, coalesce(BillingCurrency, ''), %s, %s, count(*), sum(coalesce(BilledCost, "
        "0)) FROM (SELECT *, date_trunc('month', BillingPeriodStart)::DATE AS p FROM "
        "read_parquet(%.*s, union_by_name = true)) WHERE p IN (",
        has[0] ? "coalesce(InvoiceId, '')" : "''", has[1] ? "coalesce(ChargeCategory, '')" : "''",
        FA_FMT(files));
    for (size_t i = 0; i < n; i++)
        fa_buf_fmt(&b, "%sDATE '1970-01-01' + %d", i ? ", " : "", part[i].period);
    fa_buf_z(&b, ") GROUP BY ALL ORDER BY ALL");
    rc = b.failed ? fa_oom(e) : fa_sql_query(c, fa_buf_view(&b), NULL, 0, take_rows, t, e);
    fa_buf_release(&b);
    return rc;
}

fa_rc fa_ledger_invoiced(fa_ledger *l, fa_arena *a, int64_t deadline_mono_ms, fa_invoiced **out,
                         size_t *n, fa_err *e)
{
    taker t = {.a = a};
    fa_conn *c = NULL;
    fa_part *live;
    size_t nlive;
    fa_rc rc;

    *out = NULL;
    *n = 0;
    if ((rc = fa_part_live(l->store, a, l->account, &live, &nlive, e)) ||
        (rc = fa_conn_get(l->engine, &c, e)))
        return rc;
    fa_conn_deadline(c, deadline_mono_ms);
    for (size_t i = 0, k; !rc && i < nlive; i = k) {
        for (k = i; k < nlive && live[k].load_id == live[i].load_id;)
            k++;
        rc = read_load(l, c, live + i, k - i, &t, e);
    }
    fa_conn_put(c);
    *out = t.row;
    *n = t.n;
    return rc;
}
