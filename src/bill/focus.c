/*
 * focus.c - FOCUS 1.0 to 1.4: the column table and the recognition of a FOCUS file.
 *
 * The one idea: columns are matched by exact name in any order, the version follows from the set of
 * columns, and what FOCUS does not know is kept in the archive. An unknown column becomes part of
 * the line (a key that people can group by) only when it describes the resource: names that speak
 * of money, quantities, rates, times or row identities never do, nor do columns whose values differ
 * from row to row. Source: FOCUS specification 1.0 (June 2024), 1.1 (Nov 2024), 1.2 (May 2025), 1.3 (Dec 2025), 1.4 (June 2026);
 * billing-formats.md 2.1.
 */
#include "bill/inner.h"

#include <ctype.h>
#include <string.h>

#define REQ true, true, true
#define EXP false, true, false
#define OPT false, false, false

const fa_column fa_columns[] = {
    {"AllocatedMethodDetails", FA_C_TEXT, 13, OPT},
    {"AllocatedMethodId", FA_C_DIM, 13, OPT},
    {"AllocatedResourceId", FA_C_DIM, 13, OPT},
    {"AllocatedResourceName", FA_C_DIM, 13, OPT},
    {"AllocatedTags", FA_C_TEXT, 13, OPT},
    {"AvailabilityZone", FA_C_DIM, 10, OPT},
    {"BilledCost", FA_C_MEASURE, 10, true, true, false},
    {"BillingAccountId", FA_C_DIM, 10, true, true, false},
    {"BillingAccountName", FA_C_DIM, 10, EXP},
    {"BillingAccountType", FA_C_DIM, 12, OPT},
    {"BillingCurrency", FA_C_DIM, 10, REQ},
    {"BillingPeriodEnd", FA_C_TIME, 10, EXP},
    {"BillingPeriodStart", FA_C_TIME, 10, REQ},
    {"CapacityReservationId", FA_C_DIM, 11, OPT},
    {"CapacityReservationStatus", FA_C_DIM, 11, OPT},
    {"ChargeCategory", FA_C_DIM, 10, true, true, false},
    {"ChargeClass", FA_C_DIM, 10, EXP},
    {"ChargeDescription", FA_C_DIM, 10, EXP},
    {"ChargeFrequency", FA_C_DIM, 10, OPT},
    {"ChargePeriodEnd", FA_C_TIME, 10, EXP},
    {"ChargePeriodStart", FA_C_TIME, 10, REQ},
    {"CommitmentDiscountCategory", FA_C_DIM, 10, OPT},
    {"CommitmentDiscountId", FA_C_DIM, 10, OPT},
    {"CommitmentDiscountName", FA_C_DIM, 10, OPT},
    {"CommitmentDiscountQuantity", FA_C_DEC, 11, OPT},
    {"CommitmentDiscountStatus", FA_C_DIM, 10, OPT},
    {"CommitmentDiscountType", FA_C_DIM, 10, OPT},
    {"CommitmentDiscountUnit", FA_C_DIM, 11, OPT},
    {"CommitmentProgramEligibilityDetails", FA_C_TEXT, 14, OPT},
    {"ConsumedQuantity", FA_C_MEASURE, 10, OPT},
    {"ConsumedUnit", FA_C_DIM, 10, OPT},
    {"ContractApplied", FA_C_TEXT, 13, OPT},
    {"ContractedCost", FA_C_MEASURE, 10, true, true, false},
    {"ContractedUnitPrice", FA_C_DEC, 10, OPT},
    {"EffectiveCost", FA_C_MEASURE, 10, true, true, false},
    {"HostProviderName", FA_C_DIM, 13, OPT},
    {"InvoiceDetailId", FA_C_TEXT, 14, OPT},
    {"InvoiceId", FA_C_TEXT, 12,
     OPT}, /* a new one each month: in the line it would be a line per month */
    {"InvoiceIssuerName", FA_C_DIM, 10, EXP},
    {"ListCost", FA_C_MEASURE, 10, true, true, false},
    {"ListUnitPrice", FA_C_DEC, 10, OPT},
    {"PricingCategory", FA_C_DIM, 10, OPT},
    {"PricingCurrency", FA_C_DIM, 12, OPT},
    {"PricingCurrencyContractedUnitPrice", FA_C_DEC, 12, OPT},
    {"PricingCurrencyEffectiveCost", FA_C_DEC, 12, OPT},
    {"PricingCurrencyListUnitPrice", FA_C_DEC, 12, OPT},
    {"PricingQuantity", FA_C_MEASURE, 10, EXP},
    {"PricingUnit", FA_C_DIM, 10, EXP},
    {"ProviderName", FA_C_DIM, 10, OPT}, /* or ServiceProviderName: see match_focus */
    {"PublisherName", FA_C_DIM, 10, OPT},
    {"RegionId", FA_C_DIM, 10, OPT},
    {"RegionName", FA_C_DIM, 10, OPT},
    {"ResourceId", FA_C_DIM, 10, OPT},
    {"ResourceName", FA_C_DIM, 10, OPT},
    {"ResourceType", FA_C_DIM, 10, OPT},
    {"ServiceCategory", FA_C_DIM, 10, EXP},
    {"ServiceName", FA_C_DIM, 10, true, true, false},
    {"ServiceProviderName", FA_C_DIM, 13, OPT},
    {"ServiceSubcategory", FA_C_DIM, 11, OPT},
    {"SkuId", FA_C_DIM, 10, OPT},
    {"SkuMeter", FA_C_DIM, 11, OPT},
    {"SkuPriceDetails", FA_C_TEXT, 11, OPT}, /* JSON that follows from SkuPriceId */
    {"SkuPriceId", FA_C_DIM, 10, OPT},
    {"SubAccountId", FA_C_DIM, 10, OPT},
    {"SubAccountName", FA_C_DIM, 10, OPT},
    {"SubAccountType", FA_C_DIM, 12, OPT},
    {"Tags", FA_C_TAGS, 10, OPT},
    {"x_AmortizedCost", FA_C_MEASURE, 0, OPT}, /* ours: bills that tell the cost types apart */
    {"x_BlendedCost", FA_C_MEASURE, 0, OPT},
    {"x_NormalizedUsageAmount", FA_C_MEASURE, 0, OPT},
    {"x_UnblendedCost", FA_C_MEASURE, 0, OPT},
};
const size_t fa_ncolumns = FA_COUNT(fa_columns);

const fa_column *fa_column_find(fa_str name)
{
    size_t lo = 0, hi = fa_ncolumns;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = fa_str_cmp(name, fa_str_of(fa_columns[mid].name));

        if (c == 0)
            return &fa_columns[mid];
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

/* Provider names as bills spell them, to the cost centers of api.md 5.3. */
static const struct {
    const char *provider, *center;
} centers[] = {
    {"aws", "AWS"},
    {"amazon web services", "AWS"},
    {"amazon web services, inc.", "AWS"},
    {"amazon", "AWS"},
    {"microsoft", "Azure"},
    {"azure", "Azure"},
    {"microsoft azure", "Azure"},
    {"google", "GCP"},
    {"google cloud", "GCP"},
    {"google cloud platform", "GCP"},
    {"gcp", "GCP"},
    {"oracle", "Oracle"},
    {"oci", "Oracle"},
    {"oracle cloud infrastructure", "Oracle"},
    {"oracle cloud", "Oracle"},
    {"snowflake", "Snowflake"},
    {"databricks", "databricks"},
    {"datadog", "Datadog"},
    {"kubernetes", "Kubernetes"},
    {"custom cost", "Custom Cost"},
};

const char *fa_cost_center_sql(void)
{
    static char sql[2048];
    static bool made; /* written once with the same bytes by whoever comes first */
    fa_buf b;

    if (made)
        return sql;
    fa_buf_init(&b, sizeof sql);
    fa_buf_z(&b, "CASE lower(trim(coalesce(ServiceProviderName, ProviderName)))");
    for (size_t i = 0; i < FA_COUNT(centers); i++) {
        fa_buf_z(&b, " WHEN ");
        fa_buf_sql_text(&b, fa_str_of(centers[i].provider));
        fa_buf_z(&b, " THEN ");
        fa_buf_sql_text(&b, fa_str_of(centers[i].center));
    }
    fa_buf_z(&b, " ELSE coalesce(ServiceProviderName, ProviderName, 'Other') END");
    if (!b.failed && b.n < sizeof sql) {
        memcpy(sql, b.p, b.n + 1);
        made = true;
    }
    fa_buf_release(&b);
    return sql;
}

int fa_score_focus(const fa_bill_file *f)
{
    static const char *const marks[] = {
        "BilledCost",      "EffectiveCost",     "ListCost",       "ContractedCost",
        "ChargeCategory",  "ChargePeriodStart", "ServiceName",    "BillingPeriodStart",
        "ServiceCategory", "BillingAccountId",  "BillingCurrency"};
    int score = 0;

    for (size_t i = 0; i < f->ncolumn; i++)
        for (size_t k = 0; k < FA_COUNT(marks); k++)
            score += fa_str_eqz(f->column[i].name, marks[k]);
    return score >= 4 ? score : 0;
}

/* ---- which unknown columns describe the line ---- */

static bool has_word(fa_str name, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= name.n; i++) {
        size_t k = 0;

        while (k < n && tolower((unsigned char)name.p[i + k]) == word[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

/* Names that speak of what changes from row to row: never part of a line. */
static bool speaks_of_a_row(fa_str name)
{
    static const char *const words[] = {
        "cost",        "price",     "rate",       "quantity", "amount",   "percent",
        "discount",    "time",      "date",       "guid",     "lineitem", "line_item",
        "rowid",       "row_id",    "rownumber",  "hash",     "index",    "sequence",
        "invoice",     "delivery",  "sourcefile", "period",   "balance",  "credit",
        "usage_start", "usage_end", "recordid",   "ingest",   "export"};
    if (fa_str_ieq(name, FA_STR("id")) || fa_str_ieq(name, FA_STR("x_id")))
        return true;
    for (size_t i = 0; i < FA_COUNT(words); i++)
        if (has_word(name, words[i]))
            return true;
    return false;
}

static bool is_texty(fa_str type)
{
    return fa_str_eqz(type, "VARCHAR") || fa_str_starts(type, FA_STR("ENUM")) ||
           fa_str_eqz(type, "BOOLEAN") || fa_str_eqz(type, "UUID");
}

/* ---- match ---- */

static bool has_column(const fa_bill_file *f, const char *name)
{
    for (size_t i = 0; i < f->ncolumn; i++)
        if (fa_str_eqz(f->column[i].name, name))
            return true;
    return false;
}

static fa_rc check_required(const fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    for (size_t i = 0; i < fa_ncolumns; i++) {
        const fa_column *c = &fa_columns[i];

        if (has_column(f, c->name) || !c->expected || fa_bill_is_set(m, c->name))
            continue;
        /* whoever sets columns knows that the file is not whole: what booking needs is asked for still */
        if (c->required && (!m->constants || c->not_null || strcmp(c->name, "BilledCost") == 0 ||
                            strcmp(c->name, "EffectiveCost") == 0)) {
            (void)fa_fail(e, FA_EDATA, "%.*s: the mandatory column %s is missing", FA_FMT(f->name),
                          c->name);
            return fa_hint(e, "export the bill again with all FOCUS columns, or say what the file"
                              " does not with --set COLUMN=VALUE");
        }
        if (fa_bill_notice(m, e, "%.*s has no column %s, which FOCUS calls mandatory",
                           FA_FMT(f->name), c->name))
            return e->rc;
    }
    if (!has_column(f, "ProviderName") && !has_column(f, "ServiceProviderName") &&
        !fa_bill_is_set(m, "ProviderName") && !m->constants) {
        (void)fa_fail(e, FA_EDATA,
                      "%.*s: the mandatory column ProviderName (or ServiceProviderName) is missing",
                      FA_FMT(f->name));
        return fa_hint(e, "export the bill again with all FOCUS columns, or say what the file does"
                          " not with --set COLUMN=VALUE");
    }
    return FA_OK;
}

static bool is_measure_of_ours(const fa_column *c, uint32_t *bit)
{
    for (int m = 0; m < FA_M__COUNT; m++)
        if (fa_measures[m].focus && strcmp(fa_measures[m].focus, c->name) == 0 &&
            (int)fa_measures[m].falls_to != m) {
            *bit = FA_BIT(m);
            return true;
        }
    return false;
}

/* The version follows from the set of columns; 1.4 is told by what it dropped and added. */
static fa_str version_of(int since)
{
    return since >= 14   ? FA_STR("focus-1.4")
           : since == 13 ? FA_STR("focus-1.3")
           : since == 12 ? FA_STR("focus-1.2")
           : since == 11 ? FA_STR("focus-1.1")
                         : FA_STR("focus-1.0");
}

fa_rc fa_match_focus(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    int since = 10;

    (void)g;
    if (f->delim != ',')
        return fa_bill_wrong_delim(f, e);
    if (!(f->out = fa_arena_array(m->a, f->ncolumn + fa_ncolumns + 1, sizeof *f->out)))
        return fa_oom(e);
    for (size_t i = 0; i < f->ncolumn; i++) {
        const fa_bill_column *c = &f->column[i];
        fa_bill_out o = {.name = c->name, .column = i, .focus = fa_column_find(c->name)};
        uint32_t bit = 0;

        if (o.focus && o.focus->since > since)
            since = o.focus->since;
        if (o.focus && is_measure_of_ours(o.focus, &bit))
            f->own |= bit;
        o.in_line = o.focus ? o.focus->kind == FA_C_DIM || o.focus->kind == FA_C_TAGS
                            : is_texty(c->type) && !speaks_of_a_row(c->name) &&
                                  fa_str_starts(c->name, FA_STR("x_"));
        f->out[f->nout++] = o;
    }
    m->version = version_of(since);
    /* Oracle writes a month as many FOCUS files, each with rows of its own (billing-formats.md 7) */
    f->is_append = fa_bill_has(f, "ocireferencenumber");
    return check_required(f, m, e) ? e->rc : fa_bill_set_constants(f, m, e);
}
