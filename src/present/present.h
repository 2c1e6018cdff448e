/*
 * present.h - saved views: a named question.
 *
 * A view's body is {"question": <doc/page-api.md>, "chart": <the page's own>}. The internal view API
 * (api.md 9.5) speaks of the same question in other words; both ways are translated here.
 * Memory: results live in the arena; a json_t is owned by who gets it.
 */
#ifndef FA_PRESENT_H
#define FA_PRESENT_H

#include "access/access.h"
#include "query/query.h"
#include <jansson.h>

/* A question parsed with the account's default cost type and today's date. FA_EINVAL, FA_EDATA. */
FA_MUST_CHECK fa_rc fa_question_plan(fa_ledger *l, fa_arena *a, const fa_catalog *c, const json_t *question,
                                     fa_plan *out, fa_err *e);

/* {"question","chart"} of a view; caller frees with json_decref. */
FA_MUST_CHECK fa_rc fa_view_body(const fa_view *v, json_t **out, fa_err *e);
/* Creates (id empty) or changes a view, which `by` must be allowed to write. Audited. question, chart NULL: as it was. The question must parse.
 * FA_ECONFLICT: the name is used. FA_EINVAL: no name, no question, too large. */
FA_MUST_CHECK fa_rc fa_view_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str name,
                                 const json_t *question, const json_t *chart, fa_view *out, fa_err *e);
/* What a caller may read (access lists); fa_view_of: FA_ENOTFOUND for what he may not. */
FA_MUST_CHECK fa_rc fa_views_of(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_view **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_view_of(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str id, fa_view *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_view_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e);
/* `data` of the internal view API -> a question (new reference). */
FA_MUST_CHECK fa_rc fa_view_from_internal(const fa_catalog *c, fa_arena *a, const json_t *data, json_t **question,
                                          fa_err *e);
/* Writes `data` of the internal view API. */
void fa_view_internal_json(fa_jw *w, const json_t *question, const fa_plan *p);

/* ---- currencies (currency.c; inform.md 3.7) ---- */
/* {currency, chosen, bills, pairs, rates, codes}: the account's, those of the bills with the first day that has no rate,
 * how far the table goes. */
FA_MUST_CHECK fa_rc fa_currency_json(fa_ledger *l, fa_arena *a, const fa_filter *scope, int64_t deadline_mono_ms,
                                     fa_jw *w, fa_err *e);
typedef struct fa_rate_ask {
    fa_str  currency, target; /* empty: all */
    int32_t until;            /* days up to this one */
    size_t  limit;
    bool    history;          /* those that ended too, as they were entered, newest first; else by day, newest first */
} fa_rate_ask;
FA_MUST_CHECK fa_rc fa_rates_json(fa_ledger *l, fa_arena *a, const fa_rate_ask *q, fa_jw *w, fa_err *e);
typedef struct fa_rates_error { int64_t line; fa_str text; } fa_rates_error;
typedef struct fa_rates_change {
    int64_t rows, added, changed, same;
    fa_rates_error *error; /* the first 50 */
    size_t nerror;
} fa_rates_change;
void fa_rates_change_json(fa_jw *w, const fa_rates_change *c);
/* [{currency, target, day, rate, billingAccount, invoice}]; target absent: the account's currency. All or nothing, audited.
 * FA_EINVAL with the field's path. */
FA_MUST_CHECK fa_rc fa_rates_save(fa_ledger *l, fa_arena *a, const fa_caller *by, const json_t *list, fa_rates_change *out,
                                  fa_err *e);
/* day,currency,target,rate[,billing account,invoice]. dry: says what would change, with the lines that are wrong; else
 * FA_EDATA names the first of them and nothing is saved. Audited. */
FA_MUST_CHECK fa_rc fa_rates_csv(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str text, bool dry, fa_rates_change *out,
                                 fa_err *e);
FA_MUST_CHECK fa_rc fa_rate_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, int64_t id, fa_err *e);     /* audited */
FA_MUST_CHECK fa_rc fa_currency_choose(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str code, fa_err *e); /* audited */

/* Up to which day every source that still delivers has cost; never today. */
typedef struct fa_complete_days {
    int32_t to;     /* INT32_MIN: nothing is loaded */
    fa_str  behind; /* the source that holds the others up; empty: none */
} fa_complete_days;
FA_MUST_CHECK fa_rc fa_complete(fa_ledger *l, fa_arena *a, int32_t today, fa_complete_days *out, fa_err *e);

/* Per source: last delivery, cost known up to, missing days, restatements with what changed, duplicates, notices. */
FA_MUST_CHECK fa_rc fa_quality_json(fa_ledger *l, fa_arena *a, fa_jw *w, fa_err *e);
/* Each billing month of each source against the provider's invoice: as entered, else as the bill says itself. */
FA_MUST_CHECK fa_rc fa_reconcile_json(fa_ledger *l, fa_arena *a, int64_t deadline_mono_ms, fa_jw *w, fa_err *e);

/* The account's cost types: offered ones, the default, FairShare (job: of its change that runs; NULL: none), discounts.
 * offered: bit set of measures. put: {"defaultCostType","offered","edp"}, each as it was when absent; audited. */
FA_MUST_CHECK fa_rc fa_cost_types_offered(fa_ledger *l, fa_arena *a, uint32_t *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_cost_types_json(fa_ledger *l, fa_arena *a, const char *job, fa_jw *w, fa_err *e);
FA_MUST_CHECK fa_rc fa_cost_types_put(fa_ledger *l, fa_arena *a, const fa_caller *by, const json_t *j, fa_err *e);
/* May FairShare become so? FA_ECONFLICT: it is the default and would be off. */
FA_MUST_CHECK fa_rc fa_cost_types_fair(fa_ledger *l, fa_arena *a, fa_fair_width w, fa_err *e);

#endif
