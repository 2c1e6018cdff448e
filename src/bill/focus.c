/*
 * focus.c - FOCUS 1.0, 1.1 and 1.2: the column table and the recognition of a FOCUS file.
 *
 * The one idea: columns are matched by exact name in any order, the version follows from the set of
 * columns, and what FOCUS does not know is kept in the archive. An unknown column becomes part of
 * the line (a key that people can group by) only when it describes the resource: names that speak
 * of money, quantities, rates, times or row identities never do, nor do columns whose values differ
 * from row to row. Source: FOCUS specification 1.0 (June 2024), 1.1 (Nov 2024), 1.2 (May 2025);
 * billing-formats.md 2.1.
 */
#include "bill/bill.h"

#include <ctype.h>
#include <string.h>

#define REQ true, true, true
#define EXP false, true, false
#define OPT false, false, false

const fa_column fa_columns[] = {
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
    {"ConsumedQuantity", FA_C_MEASURE, 10, OPT},
    {"ConsumedUnit", FA_C_DIM, 10, OPT},
    {"ContractedCost", FA_C_MEASURE, 10, true, true, false},
    {"ContractedUnitPrice", FA_C_DEC, 10, OPT},
    {"EffectiveCost", FA_C_MEASURE, 10, true, true, false},
    {"HostProviderName", FA_C_DIM, 13, OPT},
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

static int score_focus(const fa_bill_file *f)
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

static fa_rc add_notice(fa_arena *a, fa_str **notice, size_t *n, char *text, fa_err *e)
{
    fa_str *grown = fa_arena_array(a, *n + 1, sizeof *grown);

    if (!grown || !text)
        return fa_oom(e);
    if (*n)
        memcpy(grown, *notice, *n * sizeof *grown);
    grown[(*n)++] = fa_str_of(text);
    *notice = grown;
    return FA_OK;
}

static bool has_column(const fa_bill_file *f, const char *name)
{
    for (size_t i = 0; i < f->ncolumn; i++)
        if (fa_str_eqz(f->column[i].name, name))
            return true;
    return false;
}

static fa_rc check_required(fa_arena *a, const fa_bill_file *f, fa_str **notice, size_t *n,
                            fa_err *e)
{
    for (size_t i = 0; i < fa_ncolumns; i++) {
        const fa_column *c = &fa_columns[i];

        if (has_column(f, c->name) || !c->expected)
            continue;
        if (c->required) {
            (void)fa_fail(e, FA_EDATA, "%.*s: the mandatory column %s is missing", FA_FMT(f->name),
                          c->name);
            return fa_hint(e, "export the bill again with all FOCUS columns");
        }
        if (add_notice(a, notice, n,
                       fa_arena_printf(a, "%.*s has no column %s, which FOCUS calls mandatory",
                                       FA_FMT(f->name), c->name),
                       e))
            return e->rc;
    }
    if (!has_column(f, "ProviderName") && !has_column(f, "ServiceProviderName"))
        return fa_fail(
            e, FA_EDATA,
            "%.*s: the mandatory column ProviderName (or ServiceProviderName) is missing",
            FA_FMT(f->name));
    return FA_OK;
}

static fa_rc match_focus(fa_engine *g, fa_arena *a, fa_bill_file *f, fa_str *version,
                         fa_str **notice, size_t *nnotice, fa_err *e)
{
    int since = 10;

    (void)g;
    for (size_t i = 0; i < f->ncolumn; i++) {
        fa_bill_column *c = &f->column[i];

        c->focus = fa_column_find(c->name);
        if (c->focus && c->focus->since > since && c->focus->since <= 12)
            since = c->focus->since;
        c->in_line = !c->focus && is_texty(c->type) && !speaks_of_a_row(c->name) &&
                     fa_str_starts(c->name, FA_STR("x_"));
    }
    *version = since == 12   ? FA_STR("focus-1.2")
               : since == 11 ? FA_STR("focus-1.1")
                             : FA_STR("focus-1.0");
    return check_required(a, f, notice, nnotice, e);
}

const fa_bill_format fa_bill_formats[] = {
    {"focus", "FOCUS 1.0, 1.1, 1.2: CSV (plain, gzip, zstd) or Parquet", score_focus, match_focus},
    {NULL, NULL, NULL, NULL},
};

fa_rc fa_bill_recognise(fa_engine *g, fa_arena *a, fa_bill_file *f, fa_str want, fa_str *version,
                        fa_str **notice, size_t *nnotice, fa_err *e)
{
    const fa_bill_format *best = NULL;
    int best_score = 0;

    for (const fa_bill_format *k = fa_bill_formats; k->name; k++) {
        fa_str name = fa_str_of(k->name);
        int score = k->score(f);
        bool asked =
            want.n && fa_str_starts(want, name) && (want.n == name.n || want.p[name.n] == '-');

        if (want.n ? asked : score > best_score) {
            best = k;
            best_score = score;
        }
    }
    if (!best && want.n) {
        (void)fa_fail(e, FA_EINVAL, "unknown bill format \"%.*s\"", FA_FMT(want));
        return fa_hint(e, "known formats: focus (focus-1.0, focus-1.1, focus-1.2)");
    }
    if (!best) {
        (void)fa_fail(e, FA_EDATA,
                      "%.*s: no known bill format has these %zu columns (the first is \"%.*s\")",
                      FA_FMT(f->name), f->ncolumn, FA_FMT(f->column[0].name));
        return fa_hint(e, "FOCUS 1.0 to 1.2 is read; it is told by its column names, such as "
                          "BilledCost and ChargePeriodStart");
    }
    return best->match(g, a, f, version, notice, nnotice, e);
}
