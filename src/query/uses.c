/*
 * uses.c - which currencies the bills are in, and from which day on each can be converted.
 *
 * The one idea: it is a question like any other (cost per day and currency, in the original currency), so it sees what
 * every question sees; a day is missing when it has a cost and the rate table has no price for it.
 */
#include "query/money.h"

#include <string.h>

static const char *const costs[] = {"netUnblendedCost", "netAmortizedCost", "listCost",
                                    "unblendedCost"};

static fa_rc make_plan(fa_ledger *l, const fa_key *key, size_t nkey, const fa_filter *scope,
                       int64_t deadline_mono_ms, fa_plan *p, fa_err *e)
{
    int32_t first = 0, last = -1;

    *p = (fa_plan){.bucket = FA_DAY,
                   .scope = scope,
                   .deadline_mono_ms = deadline_mono_ms,
                   .currency = FA_STR(FA_CURRENCY_ORIGINAL),
                   .edp_mode = FA_EDP_OFF};
    (void)fa_ledger_range(l, &first, &last);
    p->range = (fa_range){.from = first, .to = last, .unit = FA_DAY};
    for (; p->ndim < nkey; p->ndim++)
        p->dim[p->ndim] = &key[p->ndim];
    for (; p->nmeasure < FA_COUNT(costs); p->nmeasure++) {
        p->measure[p->nmeasure].agg = FA_AGG_SUM;
        if (fa_cost_type_find(fa_str_of(costs[p->nmeasure]), FA_FAIR_OFF,
                              &p->measure[p->nmeasure].type, e))
            return e->rc;
    }
    return FA_OK;
}

static fa_currency_use *use_of(fa_currency_use *all, size_t *n, fa_str currency)
{
    for (size_t i = 0; i < *n; i++)
        if (fa_str_eq(all[i].currency, currency))
            return &all[i];
    all[*n] = (fa_currency_use){
        .currency = currency, .first = INT32_MAX, .last = INT32_MIN, .missing = INT32_MAX};
    return &all[(*n)++];
}

static void look(const fa_rates *r, const fa_answer *a, const fa_group *g, size_t nm, fa_str target,
                 fa_currency_use *u)
{
    for (size_t b = 0; b < a->nbucket; b++) {
        int32_t day = a->bucket[b];
        bool money = false;

        if (!g->has[b])
            continue;
        u->first = day < u->first ? day : u->first;
        u->last = day > u->last ? day : u->last;
        for (size_t m = 0; m < nm; m++)
            money |= g->cell_e10[b * nm + m] != 0;
        if (money && day < u->missing &&
            !fa_rates_price(r, g->value[0], g->value[1], target, day).den)
            u->missing = day;
    }
}

fa_rc fa_currency_uses(fa_ledger *l, fa_arena *a, fa_str target, const fa_filter *scope,
                       int64_t deadline_mono_ms, fa_currency_use **out, size_t *n, fa_err *e)
{
    static const fa_key key[] = {{.type = FA_K_BILLING, .expr = {"BillingCurrency", 15}},
                                 {.type = FA_K_BILLING, .expr = {"BillingAccountId", 16}}};
    fa_rates *r;
    fa_answer r_ = {0};
    fa_plan p;
    fa_rc rc;

    *out = NULL;
    *n = 0;
    if ((rc = fa_rates_get(l, &r, e)))
        return rc;
    if ((rc = make_plan(l, key, fa_rates_by_invoice(r) ? 2 : 1, scope, deadline_mono_ms, &p, e)) ||
        p.range.from > p.range.to || (rc = fa_query_run(l, a, &p, &r_, e)))
        goto done;
    *out = fa_arena_array(a, r_.ngroup + 1, sizeof **out);
    if (!*out) {
        rc = fa_oom(e);
        goto done;
    }
    for (size_t i = 0; i < r_.ngroup; i++)
        look(r, &r_, &r_.group[i], p.nmeasure, target, use_of(*out, n, r_.group[i].value[0]));
done:
    fa_rates_put(r);
    return rc;
}
