/*
 * anycost.c - CloudZero's common bill format, which many scripts write: lineitem/type, time/usage_start,
 * cost/cost and what else they have.
 */
#include "bill/inner.h"

#include <string.h>

static const fa_in_row ins[] = {
    {"start", "timeusagestart", FA_IN_TIME, FA_CELL_MUST},
    {"end", "timeusageend", FA_IN_TIME, FA_MAY},
    {"cost", "costcost", FA_IN_DEC, FA_COLUMN_MUST},
    {"net", "costdiscountedcost", FA_IN_DEC, FA_MAY},
    {"amortized", "costamortizedcost", FA_IN_DEC, FA_MAY},
    {"net_amortized", "costdiscountedamortizedcost", FA_IN_DEC, FA_MAY},
    {"list", "costondemandcost", FA_IN_DEC, FA_MAY},
    {"currency", "costcurrency|currency", FA_IN_TEXT, FA_MAY},
    {"type", "lineitemtype", FA_IN_TEXT, FA_MAY},
    {"description", "lineitemdescription", FA_IN_TEXT, FA_MAY},
    {"provider", "lineitemcloudprovider", FA_IN_TEXT, FA_MAY},
    {"service", "resourceservice", FA_IN_TEXT, FA_MAY},
    {"resource", "resourceid", FA_IN_TEXT, FA_MAY},
    {"account", "resourceaccount|actionaccount", FA_IN_TEXT, FA_MAY},
    {"region", "resourceregion|actionregion", FA_IN_TEXT, FA_MAY},
    {"family", "resourceusagefamily", FA_IN_TEXT, FA_MAY},
    {"operation", "actionoperation", FA_IN_TEXT, FA_MAY},
    {"usage_type", "actionusagetype", FA_IN_TEXT, FA_MAY},
    {"amount", "usageamount", FA_IN_DEC, FA_MAY},
    {"unit", "usageunits", FA_IN_TEXT, FA_MAY},
    {"invoice", "billinvoiceid", FA_IN_TEXT, FA_MAY},
};

static const fa_out_row outs[] = {
    {"BilledCost", "!coalesce({net}, {cost})", false},
    {"BillingAccountId", "!coalesce({account}, 'custom')", false},
    {"BillingCurrency", "!coalesce({currency}, {$currency})", false},
    {"BillingPeriodStart", "date_trunc('month', {start})", false},
    {"ChargeCategory",
     "!CASE WHEN {type} ILIKE '%purchase%' OR {type} ILIKE '%fee%' THEN 'Purchase' WHEN {type} "
     "ILIKE 'tax' "
     "THEN 'Tax' WHEN {type} ILIKE '%discount%' OR {type} ILIKE 'credit' THEN 'Credit' WHEN {type} "
     "ILIKE "
     "'adjustment' THEN 'Adjustment' ELSE 'Usage' END",
     false},
    {"ChargeDescription", "{description}", false},
    {"ChargePeriodEnd", "{end}", false},
    {"ChargePeriodStart", "{start}", false},
    {"ConsumedQuantity", "{amount}", false},
    {"ConsumedUnit", "{unit}", false},
    {"ContractedCost", "!coalesce({list}, {cost})", false},
    {"EffectiveCost", "!coalesce({net_amortized}, {amortized}, {net}, {cost})", false},
    {"InvoiceId", "{invoice}", false},
    {"ListCost", "!coalesce({list}, {cost})", false},
    {"PricingQuantity", "{amount}", false},
    {"PricingUnit", "{unit}", false},
    {"ProviderName", "!coalesce({provider}, 'Custom Cost')", false},
    {"RegionId", "{region}", false},
    {"ResourceId", "{resource}", false},
    {"ServiceCategory", "'Other'", false},
    {"ServiceName", "!coalesce({service}, 'Custom Cost')", false},
    {"SubAccountId", "{account}", false},
    {"x_AmortizedCost", "!coalesce({amortized}, {cost})", false},
    {"x_LineItemType", "{type}", true},
    {"x_Operation", "{operation}", true},
    {"x_ProductFamily", "{family}", true},
    {"x_UnblendedCost", "{cost}", false},
    {"x_UsageType", "{usage_type}", true},
};

int fa_score_anycost(const fa_bill_file *f)
{
    static const char *const marks[] = {"lineitemtype", "timeusagestart", "costcost",
                                        "resourceservice", "resourceid"};
    int score = 0;

    if (!fa_bill_has(f, "timeusagestart") || !fa_bill_has(f, "costcost"))
        return 0;
    for (size_t i = 0; i < FA_COUNT(marks); i++)
        score += fa_bill_has(f, marks[i]) ? 2 : 0;
    return score;
}

fa_rc fa_match_anycost(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    fa_lift t = {ins, FA_COUNT(ins), outs, FA_COUNT(outs), NULL};

    (void)g;
    /* "resource/tag:team" */
    if (fa_bill_tag_columns(f, m, "resource/tag:", &t.tags, e) || fa_bill_lift(f, m, &t, e))
        return e->rc;
    m->version = FA_STR("anycost");
    f->center = "Custom Cost";
    if (!fa_bill_has(f, "costcurrency|currency") && !fa_bill_is_set(m, "BillingCurrency") &&
        fa_bill_notice(m, e, "the file names no currency: the account's, %.*s, is taken",
                       FA_FMT(m->hint->currency)))
        return e->rc;
    return FA_OK;
}
