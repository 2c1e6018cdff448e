/*
 * query.h - a question about cost: keys, filter, dates, the typed plan, its answer.
 *
 * One plan struct serves the Cost API, the page, saved views and the command line. Parsing gives a plan
 * or an error with the JSON path of the offending field; running compiles the line part of the plan to
 * a group array over `line` (cached by content and ledger generation), scans `daily`, and finishes:
 * rounding, previous period, top N and Others, order.
 *
 * Nothing outside query/ and engine/ writes analytic SQL.
 */
#ifndef FA_QUERY_H
#define FA_QUERY_H

#include "base/base.h"
#include "allocate/allocate.h"
#include "ledger/ledger.h"
#include <jansson.h>

/* ---- keys (api.md 5.3, 5.4; billing-formats.md 11) ---- */
typedef enum { /* V2 name; internal name */
    FA_K_TAG,            /* tag; tag */
    FA_K_BILLING,        /* billing_dimension; col */
    FA_K_RESOURCE,       /* resource; resource */
    FA_K_ENRICHMENT,     /* billing_enrichment; finrichment */
    FA_K_VIRTUAL,        /* virtual_tag; virtual_tag */
    FA_K_CUSTOM,         /* custom_cost; custom_cost */
    FA_K_K8S,            /* kubernetes_resource; namespace_object */
    FA_K_POD_LABEL,      /* k8s_pod_label; pod_label */
    FA_K_NODE_LABEL,     /* k8s_node_label; node_label */
    FA_K_NAMESPACE,      /* k8s_namespace; namespace */
    FA_K__COUNT
} fa_key_type;

typedef struct fa_key {
    fa_str      cost_center; /* public spelling: "AWS", "Global" */
    fa_str      cost_center_id; /* internal spelling: "amazon-cur", "global" */
    fa_str      key;         /* V2 spelling: "usage_type", "environment" */
    fa_str      key_v1;      /* V1 spelling: "f_usage_type" */
    fa_str      display;     /* "Usage Type" */
    fa_str      path;        /* "AWS/Usage Type", "AWS/Tags/environment" */
    fa_key_type type;
    fa_str      expr;        /* SQL over `line` that gives the value or NULL; built from the key table only */
    struct fa_virtual *tag;  /* FA_K_VIRTUAL: the tag, and no expr; lives as long as the catalog */
} fa_key;

typedef enum { FA_API_V1, FA_API_V2, FA_API_INTERNAL, FA_API_CLI } fa_api; /* which spelling comes in */

typedef struct fa_catalog fa_catalog; /* all keys that have data now; immutable, reference counted */
/* With the live virtual tags; cached per generation and set of tags. */
FA_MUST_CHECK fa_rc fa_catalog_get(fa_ledger *l, fa_catalog **out, fa_err *e);
/* The same bill with other virtual tags, for drafts and tests. Takes a reference of the set. */
FA_MUST_CHECK fa_rc fa_catalog_with(fa_ledger *l, fa_tag_set *tags, fa_catalog **out, fa_err *e);
void          fa_catalog_put(fa_catalog *c);
fa_fair_width fa_catalog_fair(const fa_catalog *c); /* of the ledger it was made from */
const fa_key *fa_catalog_keys(const fa_catalog *c, size_t *n);
/* Resolves by the rules of 5.4. type: V2 or internal name, may be empty. FA_EINVAL unknown key or cost
 * center; FA_EDATA ambiguous without a type. CLI spelling: "ServiceName", "service", "tag:team",
 * "AWS:region", "x_Foo". Tag keys without data yet resolve too when the type says tag. */
FA_MUST_CHECK fa_rc fa_catalog_find(const fa_catalog *c, fa_arena *a, fa_api api, fa_str cost_center, fa_str key,
                                    fa_str type, const fa_key **out, fa_err *e);
const char *fa_key_type_name(fa_key_type t, fa_api api);
/* "amazon-cur" and "aws" in any case -> "AWS"; empty result: unknown. */
fa_str fa_cost_center_public(fa_arena *a, fa_str any);

/* Distinct values of a key, sorted, non-empty; `search`: case-insensitive substring; after: paging. */
typedef struct fa_value {
    fa_str  value;
    fa_i128 cost_e18; /* over [from,to], of the plan's cost type; 0 if not asked */
    bool    has_cost; /* false: not asked, or the values' costs are in several currencies */
} fa_value;

/* ---- filter (api.md 6) ---- */
typedef enum { FA_OP_ONE_OF, FA_OP_NOT_ONE_OF, FA_OP_CONTAINS, FA_OP_NOT_CONTAINS, FA_OP_EXISTS, FA_OP_NOT_EXISTS,
               FA_OP_GREATER, FA_OP_LESS, FA_OP__COUNT } fa_op;
typedef struct fa_filter {
    enum { FA_F_TRUE, FA_F_FALSE, FA_F_AND, FA_F_OR, FA_F_LEAF } kind;
    const struct fa_filter **kid;  size_t nkid;
    const fa_key *key; fa_op op; const fa_str *value; size_t nvalue;
} fa_filter;
/* NULL, {} and {"AND":[]} match everything. Errors name the path below `path` ("filters.AND[2].operator").
 * Limits: depth 32; leaves: 30 for V2 (FA_EDATA), else 1,000; values per leaf 10,000. */
FA_MUST_CHECK fa_rc fa_filter_parse(const fa_catalog *c, fa_arena *a, fa_api api, const json_t *j, const char *path,
                                    const fa_filter **out, fa_err *e);
FA_MUST_CHECK fa_rc fa_filter_and(fa_arena *a, const fa_filter *x, const fa_filter *y, const fa_filter **out, fa_err *e);
/* The filter as JSON in the spelling of an API (for saved views, "copy as API call"). */
void fa_filter_json(fa_jw *w, fa_api api, const fa_filter *f);

/* ---- dates (api.md 5.1, 10; inform.md 0.3) ---- */
typedef struct fa_range { int32_t from, to; /* inclusive days */ fa_bucket unit; /* date.type, FA_DAY when absent */
                          bool relative; fa_str name; /* "last30Days" as given; borrowed from the JSON */ } fa_range;
/* Every spelling of the given API. today: UTC day. NULL j: FA_EINVAL unless `absent` is given (then *absent). */
FA_MUST_CHECK fa_rc fa_range_parse(fa_api api, const json_t *j, const char *path, int32_t today, const fa_range *absent,
                                   fa_range *out, fa_err *e);
/* The previous period: same number of days right before; for named months, quarters and years the one
 * before, cut to the same number of elapsed days. */
fa_range fa_range_previous(const fa_range *r, int32_t today);

/* ---- cost types (api.md 5.2) ---- */
typedef struct fa_cost_type {
    const char *name, *ui;   /* "netAmortizedCost", "Net Amortized Cost" */
    fa_measure  measure;
    bool        is_usage, is_v1, is_v2;
} fa_cost_type;
const fa_cost_type *fa_cost_types(size_t *n);
/* FA_EINVAL unknown; FA_EDATA known but not switched on (fairShareCost while `fair` is off). */
FA_MUST_CHECK fa_rc fa_cost_type_find(fa_str name, fa_fair_width fair, const fa_cost_type **out, fa_err *e);

/* ---- discounts that no bill shows (EDP, inform.md 3.6) ---- */
typedef struct fa_edp_adjustment {
    fa_str  value;      /* of the EDP tag */
    bool    is_rate;    /* else a percentage off */
    fa_str  number;     /* as given: "10", "0.93" */
    int64_t factor_e10; /* what the cost is multiplied by */
    int32_t from, to;   /* both inclusive; FA_DAY_MIN, FA_DAY_MAX: open */
} fa_edp_adjustment;
typedef struct fa_edp_settings {
    bool     show;     /* the account's switch: all numbers with them */
    fa_str   tag;      /* id of the virtual tag; empty: none */
    uint32_t measures; /* bit set of the measures that carry them */
    fa_edp_adjustment *adjustment; size_t n;
} fa_edp_settings;
/* FA_EINVAL with the field: "adjustments[2].number". */
FA_MUST_CHECK fa_rc fa_edp_parse(fa_arena *a, const json_t *j, fa_edp_settings *out, fa_err *e);
void fa_edp_json(fa_jw *w, const fa_edp_settings *s);
FA_MUST_CHECK fa_rc fa_edp_get(fa_ledger *l, fa_arena *a, fa_edp_settings *out, fa_err *e);
/* FA_EINVAL: no such tag, one that labels nothing, a value that means untagged. From the next question on it holds. */
FA_MUST_CHECK fa_rc fa_edp_set(fa_ledger *l, fa_arena *a, const fa_edp_settings *s, fa_err *e);
typedef enum { FA_EDP_AS_SET, FA_EDP_OFF, FA_EDP_ON } fa_edp_mode; /* as the account's switch says; never; whatever it says */

/* ---- currencies (inform.md 3.7) ---- */
#define FA_CURRENCY_SETTING "currency.chosen" /* not empty: a person chose the account's currency */
#define FA_CURRENCY_ORIGINAL "original"       /* as a question's currency: each amount in its own */
bool fa_currency_known(fa_str code);          /* of ISO 4217 */
const char *const *fa_currencies(size_t *n);  /* by code */
bool fa_currency_asked(fa_str text, fa_str *out, fa_err *e); /* of a question; *out borrows the text */
/* 1 of a currency is num/den of another, in lowest powers of ten. false: no number above 0 of at most 18 digits. */
bool fa_rate_parse(fa_str text, fa_u128 *num, fa_u128 *den);
void fa_rates_changed(void); /* rates or the account's currency were written: every answer from now on knows them */
/* A currency of the bills. */
typedef struct fa_currency_use {
    fa_str  currency;
    int32_t first, last; /* days with rows */
    int32_t missing;     /* the first day whose cost has no rate to `target`; INT32_MAX: none */
} fa_currency_use;
/* Of all bills that `scope` shows, each currency once. */
FA_MUST_CHECK fa_rc fa_currency_uses(fa_ledger *l, fa_arena *a, fa_str target, const fa_filter *scope,
                                     int64_t deadline_mono_ms, fa_currency_use **out, size_t *n, fa_err *e);

/* ---- the plan ---- */
typedef enum { FA_AGG_SUM, FA_AGG_AVG, FA_AGG_MIN, FA_AGG_MAX } fa_agg; /* all but sum read bill rows of the archive */
typedef struct fa_measurement { const fa_cost_type *type; fa_agg agg; } fa_measurement;

#define FA_MAX_DIMS 20
#define FA_MAX_MEASUREMENTS 5
typedef struct fa_plan {
    fa_range         range;
    fa_bucket        bucket;              /* FA_HOUR .. FA_QUARTER, FA_YEAR; FA_ALL: accumulated */
    fa_measurement   measure[FA_MAX_MEASUREMENTS]; size_t nmeasure;
    const fa_key    *dim[FA_MAX_DIMS];    size_t ndim;
    const fa_filter *filter;              /* what the user asked; NULL: everything */
    const fa_filter *scope;               /* the caller's row rules; NULL: everything. ANDed by run, never shown */
    bool             previous;            /* also the previous period */
    int32_t          complete_to;         /* days after it are left out of the comparison, and as many before; 0: none are */
    size_t           top;                 /* keep the N largest groups by measure[0] over the range; 0: all */
    bool             shared;              /* also what of each group came from another value by reallocation */
    bool             others;              /* the rest as one group named "Others" (else left out; the total stays whole) */
    int64_t          deadline_mono_ms;
    fa_edp_mode      edp_mode;
    const struct fa_edp *edp;             /* query/'s own */
    fa_str           currency;            /* of the answer: a code, "original", or empty: the account's */
    struct fa_money *money;               /* how run converts; NULL for everybody else */
} fa_plan;

/* ---- the answer ---- */
typedef struct fa_group {
    fa_str  value[FA_MAX_DIMS];  /* "" = no value for the key */
    fa_str  unit;                /* usage only; one group per unit */
    fa_str  currency;            /* when they differ: see mixed_currencies */
    fa_str  unit_priced;         /* of normalizedUsageAmount; equal to unit unless both kinds are asked */
    bool    is_others;
    size_t  nothers;             /* how many groups Others stands for */
    fa_i128 total_e10[FA_MAX_MEASUREMENTS], previous_e10[FA_MAX_MEASUREMENTS];
    fa_i128 compared_e10[FA_MAX_MEASUREMENTS]; /* of total: what previous is held against; see is_cut */
    fa_i128 shared_e10[FA_MAX_MEASUREMENTS]; /* of total: reallocated from other values; when asked for */
    fa_i128 sum_e18[FA_MAX_MEASUREMENTS]; /* of sums: the exact total, before rounding made the groups add up */
    fa_i128 *cell_e10;           /* [nbucket * nmeasure], bucket-major; zero-filled */
    bool    *has;                /* [nbucket]: there were rows (zero-filled cells have none) */
} fa_group;
typedef struct fa_answer {
    fa_range  range, previous;
    bool      is_cut;                  /* the comparison ends at the plan's complete_to: previous is as many days */
    int32_t  *bucket; size_t nbucket;  /* first day of each bucket (clipped to range.from); hours: hour index in hour[] */
    int64_t  *bucket_ms;               /* start of each bucket, epoch ms (unclipped calendar start) */
    fa_group *group;  size_t ngroup;   /* by measure[0] total descending, ties by value; Others last */
    size_t    ngroup_all;              /* before top N */
    fa_group  total;                   /* exact total rounded once; the groups add up to it to the last digit */
    bool      mixed_units;             /* usage comes in several units: total's usage is 0, there is no such sum */
    bool      mixed_currencies;        /* each group in its own currency: total's cost is 0, there is no such sum */
    fa_str    currency;                /* empty when they differ */
    fa_str   *converted; size_t nconverted; /* currencies of bills that were converted into it */
    int64_t   rows;                    /* bill rows behind the answer */
    uint32_t  approximated;            /* bits of fa_ledger_center: cost centers that lack a cost type asked for */
    int32_t   known_to;                /* cost known up to this day; INT32_MIN: nothing loaded */
} fa_answer;

/* FA_EDATA: two currencies would be added up (names them), a rate is missing (names currency and first day), top N over
 * mixed usage units, or an answer of too many cells. All in the arena. */
FA_MUST_CHECK fa_rc fa_query_run(fa_ledger *l, fa_arena *a, const fa_plan *p, fa_answer *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_query_values(fa_ledger *l, fa_arena *a, const fa_key *k, const fa_filter *scope, fa_str search,
                                    fa_str after, size_t limit /* 0: all */, const fa_plan *cost_of /* NULL: no cost */,
                                    fa_value **out, size_t *n, fa_err *e);
/* Bill rows behind an answer (newest first), FOCUS columns as delivered, for "explain this number". */
FA_MUST_CHECK fa_rc fa_query_rows(fa_ledger *l, fa_arena *a, const fa_plan *p, size_t limit, fa_jw *out, fa_err *e);

/* The bill rows of a plan as a valid FOCUS 1.2 file at `path` (CSV or Parquet), every cost column's sum unchanged;
 * *nrow gets how many rows it has. A file that could not be finished is removed. */
FA_MUST_CHECK fa_rc fa_query_focus(fa_ledger *l, fa_arena *a, const fa_plan *p, bool csv, const char *path,
                                   int64_t *nrow, fa_err *e);

/* Tables for people and programs. CSV: text columns guarded against formula injection. */
void fa_answer_text(fa_buf *b, const fa_plan *p, const fa_answer *r);
void fa_answer_csv(fa_buf *b, const fa_plan *p, const fa_answer *r);
void fa_answer_json(fa_jw *w, const fa_plan *p, const fa_answer *r);
/* The same without the braces, for an object that holds more: question, range, previous, currency, buckets,
 * groups, total, groupCount, rows, knownTo. */
void fa_answer_members(fa_jw *w, const fa_plan *p, const fa_answer *r);

/* ---- virtual tags: proof of a document, preview, which rule it was (inform.md 5.4) ---- */
/* Keys, operators and limits of a document against the bill and the tags of the catalog: what allocate/ cannot know.
 * Before a document is saved. FA_EINVAL or FA_EDATA with the field's path: "rules[3].filters.AND[1].operator".
 * api: whose spelling and limits hold (V2: 30 conditions a rule). */
FA_MUST_CHECK fa_rc fa_tag_check(const fa_catalog *c, fa_api api, const json_t *document, fa_err *e);

#define FA_NO_RULE UINT32_MAX
typedef struct fa_try_value { fa_str value; fa_i128 cost_e10, live_e10; int64_t rows; } fa_try_value;
typedef struct fa_try_use { /* of one rule */
    fa_i128 matched_e10;  /* what it labels */
    fa_i128 shadowed_e10; /* what it would label if an earlier rule had not */
    int64_t rows;         /* bill rows it labels */
    size_t  nvalue;       /* values it gives */
    bool    is_dead;      /* labels no row of the range */
} fa_try_use;
typedef struct fa_try_move { fa_str from, to; fa_i128 cost_e10; } fa_try_move;
typedef struct fa_try_sample { /* a line */
    uint32_t rule; /* FA_NO_RULE: the default */
    fa_str   value, cost_center, account, service, region, resource;
    fa_i128  cost_e10;
} fa_try_sample;
typedef struct fa_try_preview {
    fa_range       range;
    fa_str         currency;
    fa_i128        total_e10, unmatched_e10;
    bool           has_live;  /* a live version to compare with */
    fa_try_value  *value;  size_t nvalue, nvalue_all; /* by cost; live_e10: under the live version. A value that only
                                                         the live version gives has no rows */
    fa_try_use    *use;    size_t nuse;               /* in order of the rules */
    fa_try_move   *move;   size_t nmove, nmove_all;   /* cost that has another value than in the live version */
    fa_try_sample *sample; size_t nsample;
} fa_try_preview;
/* What a draft would say of the plan's range (its filter and scope hold, measure[0] counts), beside the live tags of the
 * catalog. Changes nothing. A document without id or name is a new tag. `key`: which key of a hierarchy or a relation;
 * empty: its first. */
FA_MUST_CHECK fa_rc fa_tag_try(fa_ledger *l, fa_arena *a, const fa_catalog *live, const json_t *document, fa_str key,
                               const fa_plan *p, fa_try_preview *out, fa_err *e);

typedef struct fa_try_cause {
    uint32_t         rule;     /* FA_NO_RULE: the default, or the rows of a dictionary */
    const fa_tag_to *to;       /* what the rule gives; NULL: the rows'. As long-lived as the catalog */
    fa_i128          cost_e10;
    int64_t          rows;
} fa_try_cause;
/* Which rules of a tag labelled what the plan selects, by cost. The costs add up to the plan's total. */
FA_MUST_CHECK fa_rc fa_tag_explain(fa_ledger *l, fa_arena *a, const fa_key *tag, const fa_plan *p, fa_try_cause **out,
                                   size_t *n, fa_err *e);

/* ---- what a draft's reallocation would do (inform.md 7) ---- */
typedef struct fa_move_value { fa_str value; fa_i128 before_e10, after_e10, direct_e10, shared_e10; } fa_move_value;
typedef struct fa_move_row { /* a target of an entry */
    fa_str  value;
    fa_i128 cost_e10, share_e10; /* share: of what the source had, 1 is all */
    bool    has_weight;          /* by telemetry */
    fa_i128 weight_e18, unit_cost_e10;
} fa_move_row;
typedef struct fa_move_entry {
    fa_alloc_kind kind;
    fa_str      source;
    fa_i128     moved_e10, stayed_e10; /* stayed: nothing said how to split it */
    size_t      carried_days;
    fa_move_row *row; size_t nrow;
} fa_move_entry;
typedef struct fa_moves {
    fa_range      range;
    fa_str        currency;
    fa_i128       before_e10, after_e10;
    fa_move_value *value; size_t nvalue; /* by what they cost afterwards */
    fa_move_entry *entry; size_t nentry; /* the active ones, in order */
} fa_moves;
/* measure[0] over the plan's range, its filter and scope. FA_EINTERNAL: the parts did not add up; no number is given. */
FA_MUST_CHECK fa_rc fa_tag_moves(fa_ledger *l, fa_arena *a, const json_t *document, const fa_plan *p, fa_moves *out,
                                 fa_err *e);

/* FA_EDATA: with this document a view that feeds a telemetry would depend on the tag the telemetry splits. id: of the
 * tag it is for; empty: a new one. */
FA_MUST_CHECK fa_rc fa_tag_check_feeds(fa_ledger *l, const json_t *document, fa_str id, fa_err *e);
/* The same of a view that would have this question. */
FA_MUST_CHECK fa_rc fa_view_check_feeds(fa_ledger *l, fa_str view, const json_t *question, fa_err *e);

/* The page's and the saved views' state object, see doc/page-api.md ("the question"). */
FA_MUST_CHECK fa_rc fa_plan_parse(const fa_catalog *c, fa_arena *a, const json_t *question, int32_t today,
                                  fa_str default_cost_type, fa_plan *out, fa_err *e);
/* The normalised question; a relative range has its days beside it. */
void fa_plan_json(fa_jw *w, const fa_plan *p);
/* Asks the page's first question so that its makings are there; the server does so after each change. */
void fa_query_warm(fa_ledger *l);
void fa_query_cache_free(void); /* at exit, or between two installations in one process */

#endif
