/*
 * azure.c - Azure cost details: Enterprise Agreement, Customer Agreement and the older pay-as-you-go
 * dialect, with headers of any case, mix and translation.
 *
 * The one idea: an export of actual cost and one of amortized cost are two views of one bill. A row's cost
 * goes into the billed and the effective measures alike; which of them counts is decided where both views
 * of a month are live (ledger/view.c), so that a single export is a whole bill and two are never added.
 */
#include "bill/inner.h"

#include <string.h>

static const fa_in_row ins[] = {
    {"date", "date|usagedatetime|usagedate", FA_IN_TIME, FA_CELL_MUST},
    {"cost", "costinbillingcurrency|pretaxcost|cost|extendedcost|costinpricingcurrency", FA_IN_DEC,
     FA_COLUMN_MUST},
    {"currency", "billingcurrencycode|billingcurrency|currency|currencycode", FA_IN_TEXT, FA_MAY},
    {"payg", "paygcostinbillingcurrency", FA_IN_DEC, FA_MAY},
    {"payg_price", "paygprice", FA_IN_DEC, FA_MAY},
    {"quantity", "quantity|usagequantity|consumedquantity", FA_IN_DEC, FA_MAY},
    {"unit", "unitofmeasure", FA_IN_TEXT, FA_MAY},
    {"unit_price", "unitprice|resourcerate", FA_IN_DEC, FA_MAY},
    {"rate", "exchangeratepricingtobilling|exchangerate", FA_IN_DEC, FA_MAY},
    {"pricing_currency", "pricingcurrency|pricingcurrencycode", FA_IN_TEXT, FA_MAY},
    {"account", "billingaccountid", FA_IN_TEXT, FA_MAY},
    {"account_name", "billingaccountname", FA_IN_TEXT, FA_MAY},
    {"period", "billingperiodstartdate|billingperiodstart", FA_IN_TIME, FA_MAY},
    {"period_end", "billingperiodenddate|billingperiodend", FA_IN_TIME, FA_MAY},
    {"subscription", "subscriptionid|subscriptionguid", FA_IN_TEXT, FA_MAY},
    {"subscription_name", "subscriptionname", FA_IN_TEXT, FA_MAY},
    {"resource", "resourceid|instanceid|instancename", FA_IN_TEXT, FA_MAY},
    {"resource_name", "resourcename", FA_IN_TEXT, FA_MAY},
    {"resource_type", "resourcetype", FA_IN_TEXT, FA_MAY},
    {"group", "resourcegroup|resourcegroupname", FA_IN_TEXT, FA_MAY},
    {"region", "resourcelocation|resourcelocationnormalized|location", FA_IN_TEXT, FA_MAY},
    {"zone", "availabilityzone", FA_IN_TEXT, FA_MAY},
    {"consumed", "consumedservice", FA_IN_TEXT, FA_MAY},
    {"meter", "meterid", FA_IN_TEXT, FA_MAY},
    {"meter_name", "metername", FA_IN_TEXT, FA_MAY},
    {"category", "metercategory", FA_IN_TEXT, FA_MAY},
    {"subcategory", "metersubcategory", FA_IN_TEXT, FA_MAY},
    {"family", "servicefamily", FA_IN_TEXT, FA_MAY},
    {"product", "productid|partnumber", FA_IN_TEXT, FA_MAY},
    {"product_name", "productname|product", FA_IN_TEXT, FA_MAY},
    {"order_name", "productordername", FA_IN_TEXT, FA_MAY},
    {"charge", "chargetype", FA_IN_TEXT, FA_MAY},
    {"frequency", "frequency", FA_IN_TEXT, FA_MAY},
    {"model", "pricingmodel", FA_IN_TEXT, FA_MAY},
    {"publisher", "publishername", FA_IN_TEXT, FA_MAY},
    {"publisher_type", "publishertype", FA_IN_TEXT, FA_MAY},
    {"invoice", "invoiceid", FA_IN_TEXT, FA_MAY},
    {"section", "invoicesectionname|departmentname", FA_IN_TEXT, FA_MAY},
    {"profile", "billingprofilename|billingprofileid", FA_IN_TEXT, FA_MAY},
    {"cost_center", "costcenter", FA_IN_TEXT, FA_MAY},
    {"benefit", "benefitid", FA_IN_TEXT, FA_MAY},
    {"benefit_name", "benefitname", FA_IN_TEXT, FA_MAY},
    {"reservation", "reservationid", FA_IN_TEXT, FA_MAY},
    {"reservation_name", "reservationname", FA_IN_TEXT, FA_MAY},
    {"tags", "tags", FA_IN_TEXT, FA_MAY},
};

#define ONE "1::DECIMAL(38,18)"
#define RID "lower({resource})"
#define COMMITTED "(replace(lower({model}), ' ', '') IN ('reservation', 'savingsplan'))"
#define UNUSED "(lower({charge}) IN ('unusedreservation', 'unusedsavingsplan'))"
#define IS_PLAN                                                                                    \
    "(replace(lower({model}), ' ', '') = 'savingsplan' OR lower({charge}) = 'unusedsavingsplan' "  \
    "OR contains(lower({benefit}), 'savingsplan'))"
#define BENEFIT "coalesce({benefit}, {reservation})"
#define TYPE                                                                                       \
    "coalesce(lower({resource_type}), nullif(regexp_extract(" RID                                  \
    ", '.*/providers/([^/]+/[^/]+)', 1), ''))"
#define SERVICE_KEY "concat(lower({consumed}), '|', " TYPE ")"
#define LIST "coalesce({payg}, fa_muldiv({payg_price}, {quantity}, " ONE "), {cost})"

static const fa_out_row outs[] = {
    {"AvailabilityZone", "{zone}", false},
    {"BilledCost", "{cost}", false},
    {"BillingAccountId", "coalesce({account}, {subscription})", false},
    {"BillingAccountName", "{account_name}", false},
    {"BillingCurrency", "!coalesce({currency}, {$currency})", false},
    {"BillingPeriodEnd",
     "CASE WHEN {period_end} IS NOT NULL THEN {period_end} + INTERVAL 1 DAY END",
     false}, /* theirs is the last day */
    {"BillingPeriodStart", "!coalesce({period}, date_trunc('month', {date}))", false},
    {"ChargeCategory",
     "!CASE lower({charge}) WHEN 'purchase' THEN 'Purchase' WHEN 'roundingadjustment' THEN "
     "'Adjustment' "
     "WHEN 'tax' THEN 'Tax' WHEN 'refund' THEN CASE WHEN " BENEFIT
     " IS NOT NULL THEN 'Purchase' ELSE "
     "'Usage' END ELSE 'Usage' END",
     false},
    {"ChargeClass", "CASE WHEN lower({charge}) = 'refund' THEN 'Correction' END", false},
    {"ChargeDescription", "coalesce({product_name}, {order_name}, {meter_name})", false},
    {"ChargeFrequency",
     "CASE lower({frequency}) WHEN 'onetime' THEN 'One-Time' WHEN 'recurring' THEN 'Recurring' "
     "ELSE "
     "'Usage-Based' END",
     false},
    {"ChargePeriodEnd", "!{date} + INTERVAL 1 DAY", false},
    {"ChargePeriodStart", "{date}", false},
    {"CommitmentDiscountCategory",
     "CASE WHEN " BENEFIT " IS NULL THEN NULL WHEN " IS_PLAN " THEN 'Spend' ELSE 'Usage' END",
     false},
    {"CommitmentDiscountId", "lower(" BENEFIT ")", false},
    {"CommitmentDiscountName", "coalesce({benefit_name}, {reservation_name})", false},
    {"CommitmentDiscountStatus",
     "CASE WHEN " UNUSED " THEN 'Unused' WHEN lower({charge}) = 'usage' AND " COMMITTED
     " THEN 'Used' END",
     false},
    {"CommitmentDiscountType",
     "CASE WHEN " BENEFIT " IS NULL THEN NULL WHEN " IS_PLAN
     " THEN 'Savings Plan' ELSE 'Reservation' "
     "END",
     false},
    {"ConsumedQuantity", "CASE WHEN " UNUSED " THEN NULL ELSE {quantity} END", false},
    {"ConsumedUnit", "coalesce(fa_lookup('azure_unit', {unit}), {unit})", false},
    {"ContractedCost",
     "!CASE WHEN " COMMITTED " THEN coalesce(fa_muldiv(fa_muldiv({unit_price}, {quantity}, " ONE
     "), coalesce({rate}, " ONE "), " ONE "), {cost}) ELSE {cost} END",
     false},
    {"ContractedUnitPrice", "{unit_price}", false},
    {"EffectiveCost", "!{cost}", false},
    {"InvoiceId", "{invoice}", false},
    {"InvoiceIssuerName", "'Microsoft'", false},
    {"ListCost", "!" LIST, false},
    {"ListUnitPrice", "{payg_price}", false},
    {"PricingCategory",
     "CASE WHEN " COMMITTED
     " THEN 'Committed' WHEN lower({model}) = 'spot' THEN 'Dynamic' WHEN {model} "
     "IS NOT NULL THEN 'Standard' END",
     false},
    {"PricingCurrency", "{pricing_currency}", false},
    {"PricingQuantity",
     "coalesce(fa_muldiv({quantity}, " ONE
     ", TRY_CAST(fa_lookup('azure_block', {unit}) AS DECIMAL(38,18))), {quantity})",
     false},
    {"PricingUnit", "{unit}", false},
    {"ProviderName", "'Microsoft'", false},
    {"PublisherName", "coalesce({publisher}, 'Microsoft')", false},
    {"RegionId", "coalesce(fa_lookup('azure_region', {region}), replace(lower({region}), ' ', ''))",
     false},
    {"RegionName", "coalesce(fa_lookup('azure_region_name', {region}), {region})", false},
    {"ResourceId", RID, false},
    {"ResourceName",
     "coalesce(CASE WHEN contains({resource}, '/') THEN string_split(" RID ", '/')[-1] ELSE " RID
     " END, lower({resource_name}))",
     false},
    {"ResourceType", TYPE, false},
    {"ServiceCategory",
     "!coalesce(fa_lookup('azure_service_category', " SERVICE_KEY
     "), fa_lookup('azure_category', {consumed}), 'Other')",
     false},
    {"ServiceName",
     "!coalesce(fa_lookup('azure_service', " SERVICE_KEY "), {category}, {consumed}, 'Azure')",
     false},
    {"ServiceSubcategory", "fa_lookup('azure_service_subcategory', " SERVICE_KEY ")", false},
    {"SkuId", "{meter}", false},
    {"SkuMeter", "{meter_name}", false},
    {"SkuPriceId",
     "CASE WHEN {product} IS NOT NULL OR {meter} IS NOT NULL THEN concat_ws('_', {product}, "
     "{meter}) END",
     false},
    {"SubAccountId", "lower({subscription})", false},
    {"SubAccountName", "{subscription_name}", false},
    {"x_BillingProfile", "{profile}", true},
    {"x_ChargeType", "{charge}", true},
    {"x_CostCenterCode", "{cost_center}", true},
    {"x_InvoiceSection", "{section}", true},
    {"x_MeterCategory", "{category}", true},
    {"x_MeterName", "{meter_name}", true},
    {"x_MeterSubCategory", "{subcategory}", true},
    {"x_PricingModel", "{model}", true},
    {"x_PublisherType", "{publisher_type}", true},
    {"x_ResourceGroupName", "lower({group})", true},
    {"x_ServiceCode", "{consumed}", true},
    {"x_ServiceFamily", "{family}", true},
};

int fa_score_azure(const fa_bill_file *f)
{
    static const char *const marks[] = {
        "date|usagedatetime|usagedate",
        "costinbillingcurrency|pretaxcost|extendedcost|cost|costinpricingcurrency",
        "metercategory",
        "meterid",
        "consumedservice",
        "subscriptionid|subscriptionguid",
        "resourcegroup|resourcegroupname",
        "resourcelocation",
        "unitofmeasure",
        "additionalinfo",
    };
    int score = 0;

    if (!fa_bill_has(f, marks[0]) || !fa_bill_has(f, marks[1]))
        return 0;
    for (size_t i = 0; i < FA_COUNT(marks); i++)
        score += fa_bill_has(f, marks[i]) ? 2 : 0;
    return score >= 8 ? score : 0;
}

static fa_str dialect(const fa_bill_file *f)
{
    return fa_bill_has(f, "pretaxcost|resourcerate") ? FA_STR("azure-payg")
           : fa_bill_has(f, "costinpricingcurrency|invoicesectionid|productid|costinusd") &&
                   !fa_bill_has(f, "accountownerid")
               ? FA_STR("azure-mca")
               : FA_STR("azure-ea");
}

fa_rc fa_match_azure(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    fa_lift t = {ins, FA_COUNT(ins), outs, FA_COUNT(outs), NULL};

    (void)g;
    fa_bill_tables_make();
    if (fa_bill_has(f, "tags"))
        t.tags = "fa_merge('a:', i_tags)";
    if (fa_bill_lift(f, m, &t, e))
        return e->rc;
    m->version = dialect(f);
    f->center = "Azure";
    f->is_view = true;
    f->may_be_short = true;
    if (!fa_bill_has(f, "paygcostinbillingcurrency") && !fa_bill_has(f, "paygprice"))
        f->approximated |= FA_BIT(FA_M_LIST);
    if (!fa_bill_has(f, "billingcurrencycode|billingcurrency|currency|currencycode") &&
        fa_bill_notice(m, e, "the export names no currency: the account's, %.*s, is taken",
                       FA_FMT(m->hint->currency)))
        return e->rc;
    return FA_OK;
}
