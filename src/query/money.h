/*
 * money.h - private to query/: amounts of one currency become amounts of another (inform.md 3.7).
 *
 * Order of what happens to a cost: cost type, currency, EDP, virtual tags, reallocation. A scan sums the bill's own
 * amounts by group and by stretch of days on which no rate changes; each such sum is multiplied by its rate exactly,
 * the products of one cell are added exactly, and the cell is rounded once to 1e-18, half away from zero. What the
 * engine reads is the same as without a rate table, so the kernel, DuckDB and a cluster give the same digits.
 */
#ifndef FA_QUERY_MONEY_H
#define FA_QUERY_MONEY_H

#include "query/inner.h"

/* ---- rates.c: the table as it is now ---- */

/* num / den of the target for 1 of the currency; den 0: nobody knows. Both below 2^126. */
typedef struct fa_price {
    fa_u128 num, den;
} fa_price;
typedef struct fa_rates fa_rates; /* immutable, reference counted */
FA_MUST_CHECK fa_rc fa_rates_get(fa_ledger *l, fa_rates **out, fa_err *e);
void fa_rates_put(fa_rates *r);
void fa_rates_cache_free(void);
bool fa_rates_any(const fa_rates *r);
bool fa_rates_by_invoice(const fa_rates *r); /* some belong to an invoice: a line's billing account matters */
fa_str fa_rates_currency(const fa_rates *r, bool *chosen); /* the account's; chosen: by a person */
uint64_t fa_rates_version(const fa_rates *r);
/* The invoice's rate of that billing account's month; else the last rate between the two on or before the day, either
 * way round; else through a third currency. */
fa_price fa_rates_price(const fa_rates *r, fa_str currency, fa_str billing_account, fa_str target, int32_t day);
/* Does any price change on this day? */
bool fa_rates_cut(const fa_rates *r, int32_t day);

/* ---- money.c ---- */

/* The prices of one text of a line's currency column (currency, or currency 0x1f billing account). */
typedef struct fa_prices {
    fa_str text, currency;
    bool is_home, used;   /* used: money of it was converted */
    int32_t from, to;     /* days that the steps are good for */
    struct fa_price_step {
        int32_t from;
        fa_price price;
    } *step; /* ascending; the first holds from the beginning of time */
    size_t n;
} fa_prices;

/* One question's currency. Used by one thread. */
typedef struct fa_money {
    fa_rates *rates;
    fa_str target;  /* empty: amounts stay in their own currency */
    bool lenient;   /* what has no rate stays as it is: where no amount is shown */
    fa_arena *a;
    fa_prices **known;
    size_t nknown, cap;
} fa_money;
/* p->currency, or the account's. The arena outlives the money. Give back with fa_money_close. */
FA_MUST_CHECK fa_rc fa_money_open(fa_ledger *l, fa_arena *a, const fa_plan *p, fa_money *out, fa_err *e);
void fa_money_close(fa_money *m);
static inline bool fa_money_on(const fa_plan *p)
{
    return p->money && p->money->target.n;
}
const char *fa_money_expr(const fa_plan *p); /* SQL over line: the last text of a group */
fa_str fa_money_name(fa_str text);           /* its currency */
/* The answer's currency and what was converted into it, in the arena. */
FA_MUST_CHECK fa_rc fa_money_tell(const fa_money *m, fa_arena *a, fa_str *currency, fa_str **converted, size_t *n,
                                  fa_err *e);
/* The refusal when two currencies meet and nothing says how to convert. */
fa_rc fa_money_mixed(fa_str x, fa_str y, const char *what, fa_err *e);

/* Of a group: the text of its currency. */
typedef fa_str fa_money_text(const void *user, uint32_t group);
/* fa_engine_scan in the plan's currency; groups are numbered below ngroup. */
FA_MUST_CHECK fa_rc fa_money_scan(fa_ledger *l, const fa_plan *p, fa_arena *a, const fa_scan *q, uint32_t ngroup,
                                  fa_money_text *text, const void *user, fa_cell **out, size_t *n, fa_err *e);
/* fa_archive_read in the plan's currency. */
FA_MUST_CHECK fa_rc fa_money_archive(fa_ledger *l, const fa_plan *p, fa_arena *a, const fa_buckets *k,
                                     const fa_groups *g, fa_stat_cell **out, size_t *n, fa_err *e);
/* A sum of one day. */
typedef struct fa_money_item {
    int32_t day;
    uint32_t text, at; /* text: code of its currency; at: its place among all */
    fa_stat *stat;     /* [nmeasure of the plan] */
} fa_money_item;
/* Converts all sums of whole days in place. Those of one day and currency come to their converted total, which is
 * rounded once and shared by largest remainder: however the day is cut into sums, they add up to the same. Sorts it[]. */
FA_MUST_CHECK fa_rc fa_money_items(const fa_plan *p, fa_arena *tmp, fa_money_item *it, size_t n, const fa_codes *texts,
                                   fa_err *e);

#endif
