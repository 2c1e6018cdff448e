/*
 * restate.c - what a delivery changes of months that were there before, as differences with a date.
 *
 * The one idea: a month's total before and after, each exact and as questions see it. A month that is over
 * and past its provider's days of grace is closed; a change of it is said so, and the earlier delivery stays
 * on hand to be made live again.
 */
#include "ledger/inner.h"

#include <string.h>

static const fa_measure shown[] = {FA_M_BILLED, FA_M_EFFECTIVE};

typedef struct month_sum {
    int32_t period;
    fa_str currency;
    fa_i128 sum[FA_COUNT(shown)];
} month_sum;

struct fa_restate {
    int64_t source_id;
    int32_t *period;
    size_t nperiod;
    month_sum *sum;
    size_t n, cap;
    fa_arena *a;
};

static fa_rc take_sums(void *user, const fa_batch *b, fa_err *e)
{
    fa_restate *s = user;

    for (size_t r = 0; r < b->rows; r++) {
        month_sum *m;

        if (s->n == s->cap) {
            size_t cap = s->cap ? s->cap * 2 : 32;
            month_sum *grown = fa_arena_array(s->a, cap, sizeof *grown);

            if (!grown)
                return fa_oom(e);
            if (s->n)
                memcpy(grown, s->sum, s->n * sizeof *grown);
            s->sum = grown;
            s->cap = cap;
        }
        m = &s->sum[s->n++];
        *m = (month_sum){.period = (int32_t)b->col[0].i64[r],
                         .currency = fa_arena_dup(s->a, b->col[1].text[r])};
        if (!m->currency.p)
            return fa_oom(e);
        for (size_t k = 0; k < FA_COUNT(shown); k++)
            m->sum[k] = b->col[2 + 2 * k].i128[r] * FA_E8 + b->col[3 + 2 * k].i128[r];
    }
    return FA_OK;
}

static fa_rc read_sums(fa_conn *c, fa_restate *s, fa_err *e)
{
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 1 << 20);
    fa_buf_z(&b, "SELECT part.period, coalesce(BillingCurrency, '')");
    for (size_t k = 0; k < FA_COUNT(shown); k++)
        fa_buf_fmt(&b, ", sum(%s)::HUGEINT, sum(%s)::HUGEINT", fa_measures[shown[k]].units,
                   fa_measures[shown[k]].rest);
    fa_buf_fmt(
        &b,
        " FROM daily JOIN part USING (part_id) JOIN line USING (line_id) WHERE source_id = %lld"
        " AND period IN (",
        (long long)s->source_id);
    for (size_t i = 0; i < s->nperiod; i++)
        fa_buf_fmt(&b, "%sDATE '1970-01-01' + %d", i ? ", " : "", s->period[i]);
    fa_buf_z(&b, ") GROUP BY 1, 2 ORDER BY 1, 2");
    rc = b.failed ? fa_oom(e) : fa_sql_query(c, fa_buf_view(&b), NULL, 0, take_sums, s, e);
    fa_buf_release(&b);
    return rc;
}

fa_rc fa_restate_begin(fa_ledger *l, fa_conn *c, fa_arena *a, int64_t source_id,
                       const fa_part *part, size_t n, fa_restate **out, fa_err *e)
{
    fa_restate *s = fa_arena_alloc(a, sizeof *s);
    fa_part *live;
    size_t nlive;

    *out = s;
    if (!s || !(s->period = fa_arena_array(a, n + 1, sizeof *s->period)))
        return fa_oom(e);
    s->a = a;
    s->source_id = source_id;
    if (fa_part_live(l->store, a, l->account, &live, &nlive, e))
        return e->rc;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < nlive; k++)
            if (live[k].source_id == source_id && live[k].period == part[i].period) {
                s->period[s->nperiod++] = part[i].period;
                break;
            }
    return s->nperiod ? read_sums(c, s, e) : FA_OK;
}

/* Days after a month's end until its bill is final, per provider. */
static bool is_closed(fa_str format, int32_t period, int64_t now_ms)
{
    static const struct {
        const char *format;
        int days;
    } grace[] = {{"azure", 5}, {"oci", 1}, {"", 15}};
    int32_t days = 15;

    for (size_t i = 0; i < FA_COUNT(grace); i++)
        if (fa_str_starts(format, fa_str_of(grace[i].format))) {
            days = grace[i].days;
            break;
        }
    return now_ms / 86400000 >= period + 31 + days;
}

static const month_sum *find_sum(const fa_restate *s, int32_t period, fa_str currency)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->sum[i].period == period && fa_str_eq(s->sum[i].currency, currency))
            return &s->sum[i];
    return NULL;
}

static fa_rc put_text(fa_arena *a, fa_i128 v, fa_str *out, fa_err *e)
{
    fa_buf b;

    fa_buf_init(&b, 128);
    fa_dec_emit(&b, v, 18, 0);
    *out = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    return out->p ? FA_OK : fa_oom(e);
}

static fa_rc keep(fa_ledger *l, fa_arena *a, const fa_load *load, const month_sum *key,
                  const month_sum *before, const month_sum *after, fa_err *e)
{
    for (size_t k = 0; k < FA_COUNT(shown); k++) {
        fa_i128 was = before ? before->sum[k] : 0, is = after ? after->sum[k] : 0;
        fa_restatement r = {.load_id = load->id,
                            .period = key->period,
                            .currency = key->currency,
                            .column = fa_str_of(fa_measures[shown[k]].focus),
                            .at_ms = load->finished_ms,
                            .closed = is_closed(load->format, key->period, load->finished_ms)};

        if (was == is)
            continue;
        if (put_text(a, was, &r.before, e) || put_text(a, is, &r.after, e) ||
            fa_restatement_add(l->store, l->account, &r, e))
            return e->rc;
    }
    return FA_OK;
}

fa_rc fa_restate_end(fa_ledger *l, fa_conn *c, fa_arena *a, const fa_restate *before,
                     const fa_load *load, fa_err *e)
{
    fa_restate after;

    if (!before->nperiod)
        return FA_OK;
    after = *before;
    after.sum = NULL;
    after.n = after.cap = 0;
    if (read_sums(c, &after, e))
        return e->rc;
    for (size_t i = 0; i < before->n; i++)
        if (keep(l, a, load, &before->sum[i], &before->sum[i],
                 find_sum(&after, before->sum[i].period, before->sum[i].currency), e))
            return e->rc;
    for (size_t i = 0; i < after.n; i++)
        if (!find_sum(before, after.sum[i].period, after.sum[i].currency) &&
            keep(l, a, load, &after.sum[i], NULL, &after.sum[i], e))
            return e->rc;
    return FA_OK;
}
