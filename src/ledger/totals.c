/*
 * totals.c - control totals: one form for what was read, what is archived and what is in the star,
 * and the comparison that decides whether a load may go live.
 */
#include "ledger/inner.h"

#include <string.h>

static fa_rc put_total(fa_arena *a, fa_total *t, const char *step, const fa_tally_row *r, int m,
                       fa_err *e)
{
    fa_buf b;
    fa_str text;

    fa_buf_init(&b, 256);
    if (m < 0)
        fa_buf_fmt(&b, "%lld", (long long)r->rows);
    else
        fa_dec_emit(&b, r->sum_e18[m], 18, 0);
    text = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    *t = (fa_total){.step = fa_str_of(step),
                    .currency = fa_arena_dup(a, r->currency),
                    .column = fa_str_of(m < 0 ? "" : fa_measures[m].focus),
                    .day = r->day,
                    .values = m < 0 ? r->rows : r->values[m],
                    .sum = text};
    return text.p && t->currency.p ? FA_OK : fa_oom(e);
}

/* A measure that a bill does not tell apart has no total of its own. */
static bool has_total(int m, uint32_t own)
{
    return m < 0 || (int)fa_measures[m].falls_to == m || own & FA_BIT(m);
}

fa_rc fa_totals_of(fa_arena *a, const char *step, const fa_tally_row *row, size_t n, uint32_t own,
                   fa_total **out, size_t *nout, fa_err *e)
{
    fa_total *t = fa_arena_array(a, n * (FA_M__COUNT + 1) + 1, sizeof *t);
    size_t k = 0;

    if (!t)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++)
        for (int m = -1; m < FA_M__COUNT; m++)
            if (has_total(m, own) && put_total(a, &t[k++], step, &row[i], m, e))
                return e->rc;
    *out = t;
    *nout = k;
    return FA_OK;
}

static fa_rc differ(const char *a_name, const char *b_name, const fa_tally_row *r, int m, fa_i128 a,
                    fa_i128 b, fa_err *e)
{
    fa_buf t;
    fa_rc rc;

    fa_buf_init(&t, 1024);
    if (r->day == INT32_MIN)
        fa_buf_z(&t, "without a day");
    else
        fa_day_emit(&t, r->day);
    fa_buf_fmt(&t, ", %.*s, %s: the %s has ", FA_FMT(r->currency),
               m < 0 ? "rows" : fa_measures[m].focus, a_name);
    fa_dec_emit(&t, a, m < 0 ? 0 : 18, 0);
    fa_buf_fmt(&t, ", the %s ", b_name);
    fa_dec_emit(&t, b, m < 0 ? 0 : 18, 0);
    (void)fa_fail(e, FA_EDATA, "control totals differ: %.*s", FA_FMT(fa_buf_view(&t)));
    rc = fa_hint(e, "nothing went live; please report this with the file");
    fa_buf_release(&t);
    return rc;
}

fa_rc fa_totals_compare(const char *a_name, const fa_tally_row *a, size_t na, const char *b_name,
                        const fa_tally_row *b, size_t nb, fa_err *e)
{
    for (size_t i = 0; i < na || i < nb; i++) {
        const fa_tally_row *x = i < na ? &a[i] : NULL, *y = !x || i < nb ? &b[i] : NULL;

        if (x && y && (x->day != y->day || !fa_str_eq(x->currency, y->currency)))
            y = NULL; /* a day that one side lacks */
        if (x && !y)
            return differ(a_name, b_name, x, -1, x->rows, 0, e);
        if (!x)
            return differ(a_name, b_name, y, -1, 0, y->rows, e);
        if (x->rows != y->rows)
            return differ(a_name, b_name, x, -1, x->rows, y->rows, e);
        for (int m = 0; m < FA_M__COUNT; m++) {
            if (!fa_measures[m].focus)
                continue;
            if (x->sum_e18[m] != y->sum_e18[m])
                return differ(a_name, b_name, x, m, x->sum_e18[m], y->sum_e18[m], e);
            if (x->values[m] >= 0 && y->values[m] >= 0 && x->values[m] != y->values[m])
                return fa_fail(e, FA_EDATA,
                               "control totals differ: the %s has %lld values of %s, the %s %lld",
                               a_name, (long long)x->values[m], fa_measures[m].focus, b_name,
                               (long long)y->values[m]);
        }
    }
    return FA_OK;
}
