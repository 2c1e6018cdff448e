/*
 * oracle.c - Oracle Cloud's cost reports (reports/cost-csv). Its FOCUS reports are FOCUS (focus.c).
 *
 * Every report is new data that is added to what its month has. A correction is a row of its own beside
 * the row it corrects. All cost types are one here, but for the list price: price times quantity.
 */
#include "bill/inner.h"

#include <string.h>

static const fa_in_row ins[] = {
    {"start", "lineitemintervalusagestart", FA_IN_TIME, FA_CELL_MUST},
    {"end", "lineitemintervalusageend", FA_IN_TIME, FA_MAY},
    {"cost", "costmycost", FA_IN_DEC, FA_COLUMN_MUST},
    {"currency", "costcurrencycode", FA_IN_TEXT, FA_MAY},
    {"price", "costunitprice", FA_IN_DEC, FA_MAY},
    {"quantity", "usagebilledquantity", FA_IN_DEC, FA_MAY},
    {"tenant", "lineitemtenantid", FA_IN_TEXT, FA_MAY},
    {"subscription", "costsubscriptionid", FA_IN_TEXT, FA_MAY},
    {"service", "productservice", FA_IN_TEXT, FA_MAY},
    {"compartment", "productcompartmentid", FA_IN_TEXT, FA_MAY},
    {"compartment_name", "productcompartmentname", FA_IN_TEXT, FA_MAY},
    {"region", "productregion", FA_IN_TEXT, FA_MAY},
    {"zone", "productavailabilitydomain", FA_IN_TEXT, FA_MAY},
    {"resource", "productresourceid", FA_IN_TEXT, FA_MAY},
    {"sku", "costproductsku", FA_IN_TEXT, FA_MAY},
    {"description", "productdescription", FA_IN_TEXT, FA_MAY},
    {"unit", "costskuunitdescription", FA_IN_TEXT, FA_MAY},
    {"unit_long", "costbillingunitreadable", FA_IN_TEXT, FA_MAY},
    {"overage", "costoverageflag", FA_IN_TEXT, FA_MAY},
    {"correction", "lineitemiscorrection", FA_IN_TEXT, FA_MAY},
};

#define UNIT "coalesce({unit}, {unit_long})"

static const fa_out_row outs[] = {
    {"AvailabilityZone", "{zone}", false},
    {"BilledCost", "{cost}", false},
    {"BillingAccountId", "coalesce({tenant}, {subscription})", false},
    {"BillingCurrency", "!coalesce({currency}, {$currency})", false},
    {"BillingPeriodEnd", "date_trunc('month', {start}) + INTERVAL 1 MONTH", false},
    {"BillingPeriodStart", "date_trunc('month', {start})", false},
    {"ChargeCategory", "'Usage'", false},
    {"ChargeClass", "CASE WHEN lower({correction}) = 'true' THEN 'Correction' END", false},
    {"ChargeDescription", "{description}", false},
    {"ChargeFrequency", "'Usage-Based'", false},
    {"ChargePeriodEnd", "{end}", false},
    {"ChargePeriodStart", "{start}", false},
    {"ConsumedQuantity", "{quantity}", false},
    {"ConsumedUnit", UNIT, false},
    {"ContractedCost", "!{cost}", false},
    {"EffectiveCost", "!{cost}", false},
    {"InvoiceIssuerName", "'Oracle'", false},
    {"ListCost", "!coalesce(fa_muldiv({price}, {quantity}, 1::DECIMAL(38,18)), {cost})", false},
    {"ListUnitPrice", "{price}", false},
    {"PricingCategory", "'Standard'", false},
    {"PricingQuantity", "{quantity}", false},
    {"PricingUnit", UNIT, false},
    {"ProviderName", "'Oracle'", false},
    {"PublisherName", "'Oracle'", false},
    {"RegionId", "{region}", false},
    {"ResourceId", "{resource}", false},
    {"ServiceCategory", "'Other'", false},
    {"ServiceName", "!coalesce({service}, 'Oracle Cloud')", false},
    {"SkuId", "{sku}", false},
    {"SubAccountId", "coalesce({compartment}, {tenant})", false},
    {"SubAccountName", "{compartment_name}", false},
    {"x_OverageFlag", "{overage}", true},
    {"x_TenantId", "{tenant}", true},
};

int fa_score_oracle(const fa_bill_file *f)
{
    static const char *const marks[] = {"lineitemintervalusagestart", "costmycost",
                                        "lineitemtenantid",           "costproductsku",
                                        "productcompartmentid",       "usagebilledquantity"};
    int score = 0;

    for (size_t i = 0; i < FA_COUNT(marks); i++)
        score += fa_bill_has(f, marks[i]) ? 2 : 0;
    return score >= 6 ? score : 0;
}

fa_rc fa_match_oracle(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    fa_lift t = {ins, FA_COUNT(ins), outs, FA_COUNT(outs), NULL};

    (void)g;
    /* "tags/<namespace>.<key>" columns; they differ from file to file. */
    if (fa_bill_tag_columns(f, m, "tags/", &t.tags, e) || fa_bill_lift(f, m, &t, e))
        return e->rc;
    m->version = FA_STR("oci-cost");
    f->center = "Oracle";
    f->is_append = true;
    if (!fa_bill_has(f, "costunitprice"))
        f->approximated |= FA_BIT(FA_M_LIST);
    return FA_OK;
}
