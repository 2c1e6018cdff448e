/*
 * aws.c - AWS Cost and Usage Reports: the legacy CSV (category/Name), its Athena Parquet (snake case) and
 * CUR 2.0 of Data Exports (the same names with maps for product, tags, cost categories and discounts).
 *
 * The one idea: the three are one format once names are squeezed (lift.c); what differs is how tags come.
 * The cost types are the formulas of billing-formats.md 3.1, each on the row's line item type. What an
 * export leaves out falls back to its nearest neighbour and is said to be approximated.
 */
#include "bill/inner.h"

#include <string.h>

static const fa_in_row ins[] = {
    {"type", "lineitemlineitemtype", FA_IN_TEXT, FA_CELL_MUST},
    {"start", "lineitemusagestartdate", FA_IN_TIME, FA_CELL_MUST},
    {"end", "lineitemusageenddate", FA_IN_TIME, FA_MAY},
    {"un", "lineitemunblendedcost", FA_IN_DEC, FA_CELL_MUST},
    {"net", "lineitemnetunblendedcost", FA_IN_DEC, FA_MAY},
    {"bl", "lineitemblendedcost", FA_IN_DEC, FA_MAY},
    {"currency", "lineitemcurrencycode|pricingcurrency", FA_IN_TEXT, FA_MAY},
    {"period", "billbillingperiodstartdate", FA_IN_TIME, FA_MAY},
    {"period_end", "billbillingperiodenddate", FA_IN_TIME, FA_MAY},
    {"payer", "billpayeraccountid", FA_IN_TEXT, FA_MAY},
    {"payer_name", "billpayeraccountname", FA_IN_TEXT, FA_MAY},
    {"invoice", "billinvoiceid", FA_IN_TEXT, FA_MAY},
    {"issuer", "billinvoicingentity", FA_IN_TEXT, FA_MAY},
    {"entity", "billbillingentity", FA_IN_TEXT, FA_MAY},
    {"bill_type", "billbilltype", FA_IN_TEXT, FA_MAY},
    {"account", "lineitemusageaccountid", FA_IN_TEXT, FA_MAY},
    {"account_name", "lineitemusageaccountname", FA_IN_TEXT, FA_MAY},
    {"code", "lineitemproductcode", FA_IN_TEXT, FA_MAY},
    {"usage_type", "lineitemusagetype", FA_IN_TEXT, FA_MAY},
    {"operation", "lineitemoperation", FA_IN_TEXT, FA_MAY},
    {"zone", "lineitemavailabilityzone", FA_IN_TEXT, FA_MAY},
    {"resource", "lineitemresourceid", FA_IN_TEXT, FA_MAY},
    {"amount", "lineitemusageamount", FA_IN_DEC, FA_MAY},
    {"normalized", "lineitemnormalizedusageamount", FA_IN_DEC, FA_MAY},
    {"description", "lineitemlineitemdescription", FA_IN_TEXT, FA_MAY},
    {"legal", "lineitemlegalentity", FA_IN_TEXT, FA_MAY},
    {"product", "product", FA_IN_JSON, FA_MAY},
    {"product_name", "productproductname", FA_IN_TEXT, FA_MAY},
    {"service_name", "productservicename", FA_IN_TEXT, FA_MAY},
    {"family", "productproductfamily", FA_IN_TEXT, FA_MAY},
    {"inst", "productinstancetype", FA_IN_TEXT, FA_MAY},
    {"os", "productoperatingsystem", FA_IN_TEXT, FA_MAY},
    {"tenancy", "producttenancy", FA_IN_TEXT, FA_MAY},
    {"region", "productregioncode", FA_IN_TEXT, FA_MAY},
    {"region2", "productregion", FA_IN_TEXT, FA_MAY},
    {"location", "productlocation", FA_IN_TEXT, FA_MAY},
    {"sku", "productsku", FA_IN_TEXT, FA_MAY},
    {"od", "pricingpublicondemandcost", FA_IN_DEC, FA_MAY},
    {"od_rate", "pricingpublicondemandrate", FA_IN_DEC, FA_MAY},
    {"term", "pricingterm", FA_IN_TEXT, FA_MAY},
    {"unit", "pricingunit", FA_IN_TEXT, FA_MAY},
    {"rate_code", "pricingratecode", FA_IN_TEXT, FA_MAY},
    {"ri", "reservationreservationarn", FA_IN_TEXT, FA_MAY},
    {"ri_eff", "reservationeffectivecost", FA_IN_DEC, FA_MAY},
    {"ri_net_eff", "reservationneteffectivecost", FA_IN_DEC, FA_MAY},
    {"ri_un_up", "reservationunusedamortizedupfrontfeeforbillingperiod", FA_IN_DEC, FA_MAY},
    {"ri_un_rec", "reservationunusedrecurringfee", FA_IN_DEC, FA_MAY},
    {"ri_net_up", "reservationnetunusedamortizedupfrontfeeforbillingperiod", FA_IN_DEC, FA_MAY},
    {"ri_net_rec", "reservationnetunusedrecurringfee", FA_IN_DEC, FA_MAY},
    {"sp", "savingsplansavingsplanarn", FA_IN_TEXT, FA_MAY},
    {"sp_eff", "savingsplansavingsplaneffectivecost", FA_IN_DEC, FA_MAY},
    {"sp_net_eff", "savingsplannetsavingsplaneffectivecost", FA_IN_DEC, FA_MAY},
    {"sp_total", "savingsplantotalcommitmenttodate", FA_IN_DEC, FA_MAY},
    {"sp_used", "savingsplanusedcommitment", FA_IN_DEC, FA_MAY},
    {"sp_offer", "savingsplanofferingtype", FA_IN_TEXT, FA_MAY},
    {"tags", "resourcetags", FA_IN_TEXT, FA_MAY},
    {"categories", "costcategory", FA_IN_TEXT, FA_MAY},
};

#define ZERO "0::DECIMAL(38,18)"
#define IS_DISCOUNT                                                                                \
    "{type} IN ('EdpDiscount', 'PrivateRateDiscount', 'BundledDiscount', 'RiVolumeDiscount', "     \
    "'SppDiscount', 'DistributorDiscount', 'Discount')"
#define IS_USAGE                                                                                   \
    "{type} NOT IN ('RIFee', 'Fee', 'Tax', 'Credit', 'Refund', 'SavingsPlanNegation', "            \
    "'SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'EdpDiscount', 'PrivateRateDiscount', "   \
    "'BundledDiscount', 'RiVolumeDiscount', 'SppDiscount', 'DistributorDiscount', 'Discount', "    \
    "'FlatRateSubscription')"

#define NET_UNBLENDED                                                                              \
    "CASE WHEN {net} IS NOT NULL THEN {net} WHEN {?net} AND " IS_DISCOUNT " THEN " ZERO            \
    " ELSE {un} END"

/* The columns of a commitment are all there or its rows stay unblended: half of the formula would be
 * neither the one cost nor the other. */
#define HAS_SP "({?sp_eff} AND {?sp_total} AND {?sp_used})"
#define HAS_RI "({?ri_eff} AND {?ri_un_rec})"

#define AMORTIZED                                                                                  \
    "CASE WHEN " HAS_SP " AND {type} = 'SavingsPlanCoveredUsage' THEN coalesce({sp_eff}, {un})"    \
    " WHEN " HAS_SP " AND {type} IN ('SavingsPlanNegation', 'SavingsPlanUpfrontFee') THEN " ZERO   \
    " WHEN " HAS_SP " AND {type} = 'SavingsPlanRecurringFee' THEN coalesce({sp_total}, " ZERO      \
    ") - coalesce({sp_used}, " ZERO ")"                                                            \
    " WHEN " HAS_RI " AND {type} = 'DiscountedUsage' THEN coalesce({ri_eff}, {un})"                \
    " WHEN " HAS_RI " AND {type} = 'RIFee' THEN coalesce({ri_un_up}, " ZERO                        \
    ") + coalesce({ri_un_rec}, " ZERO ")"                                                          \
    " WHEN " HAS_RI " AND {type} = 'Fee' AND {ri} IS NOT NULL THEN " ZERO " ELSE {un} END"

#define NET_AMORTIZED                                                                              \
    "CASE WHEN " HAS_SP " AND {type} = 'SavingsPlanCoveredUsage' THEN coalesce({sp_net_eff}, "     \
    "{sp_eff}, " NET_UNBLENDED ")"                                                                 \
    " WHEN " HAS_SP " AND {type} IN ('SavingsPlanNegation', 'SavingsPlanUpfrontFee') THEN " ZERO   \
    " WHEN " HAS_SP " AND {type} = 'SavingsPlanRecurringFee' THEN coalesce(fa_muldiv("             \
    "coalesce({sp_total}, " ZERO ") - coalesce({sp_used}, " ZERO "), " NET_UNBLENDED ", {un}), "   \
    "coalesce({sp_total}, " ZERO ") - coalesce({sp_used}, " ZERO "))"                              \
    " WHEN " HAS_RI                                                                                \
    " AND {type} = 'DiscountedUsage' THEN coalesce({ri_net_eff}, {ri_eff}, " NET_UNBLENDED ")"     \
    " WHEN " HAS_RI " AND {type} = 'RIFee' THEN coalesce({ri_net_up}, {ri_un_up}, " ZERO           \
    ") + coalesce({ri_net_rec}, {ri_un_rec}, " ZERO ")"                                            \
    " WHEN " HAS_RI " AND {type} = 'Fee' AND {ri} IS NOT NULL THEN " ZERO " ELSE " NET_UNBLENDED   \
    " END"

#define LIST                                                                                       \
    "CASE WHEN {type} IN ('Tax', 'FlatRateSubscription') OR ({type} = 'Fee' AND {ri} IS NULL)"     \
    " THEN {un} WHEN " IS_USAGE " THEN coalesce({od}, {un}) ELSE " ZERO " END"

#define PRODUCT(key) "json_extract_string({product}, '$." key "')"

static const fa_out_row outs[] = {
    {"AvailabilityZone", "{zone}", false},
    {"BilledCost", NET_UNBLENDED, false},
    {"BillingAccountId", "{payer}", false},
    {"BillingAccountName", "{payer_name}", false},
    {"BillingCurrency", "!coalesce({currency}, {$currency})", false},
    {"BillingPeriodEnd", "{period_end}", false},
    {"BillingPeriodStart", "!coalesce({period}, date_trunc('month', {start}))", false},
    {"ChargeCategory",
     "CASE WHEN {type} = 'Tax' THEN 'Tax' WHEN {type} IN ('Fee', 'RIFee', "
     "'SavingsPlanRecurringFee', "
     "'SavingsPlanUpfrontFee') THEN 'Purchase' WHEN {type} = 'Credit' THEN 'Credit' WHEN {type} IN "
     "('Refund', 'BundledDiscount') THEN 'Adjustment' ELSE 'Usage' END",
     false},
    {"ChargeClass",
     "!CASE WHEN {type} = 'Refund' AND {start} < date_trunc('month', {period}) THEN 'Correction' "
     "END",
     false},
    {"ChargeDescription", "{description}", false},
    {"ChargeFrequency",
     "CASE WHEN {type} IN ('RIFee', 'SavingsPlanRecurringFee') THEN 'Recurring' WHEN {type} IN "
     "('Fee', "
     "'SavingsPlanUpfrontFee', 'Refund') THEN 'One-Time' ELSE 'Usage-Based' END",
     false},
    {"ChargePeriodEnd", "{end}", false},
    {"ChargePeriodStart", "{start}", false},
    {"CommitmentDiscountCategory",
     "CASE WHEN {sp} IS NOT NULL THEN 'Spend' WHEN {ri} IS NOT NULL THEN 'Usage' END", false},
    {"CommitmentDiscountId", "coalesce({sp}, {ri})", false},
    {"CommitmentDiscountStatus",
     "CASE WHEN {type} IN ('SavingsPlanCoveredUsage', 'DiscountedUsage') THEN 'Used' END", false},
    {"CommitmentDiscountType",
     "CASE WHEN {sp} IS NOT NULL THEN 'Savings Plan' WHEN {ri} IS NOT NULL THEN 'Reserved "
     "Instance' "
     "END",
     false},
    {"ConsumedQuantity", "CASE WHEN " IS_USAGE " THEN {amount} ELSE " ZERO " END", false},
    {"ConsumedUnit", "{unit}", false},
    {"ContractedCost", LIST, false},
    {"EffectiveCost", NET_AMORTIZED, false},
    {"InvoiceId", "{invoice}", false},
    {"InvoiceIssuerName", "coalesce({legal}, {issuer})", false},
    {"ListCost", LIST, false},
    {"ListUnitPrice", "{od_rate}", false},
    {"PricingCategory",
     "CASE WHEN {type} IN ('SavingsPlanCoveredUsage', 'DiscountedUsage') THEN 'Committed' WHEN "
     "{term} = "
     "'Spot' OR contains({usage_type}, 'SpotUsage') THEN 'Dynamic' ELSE 'Standard' END",
     false},
    {"PricingQuantity", "{amount}", false},
    {"PricingUnit", "{unit}", false},
    {"ProviderName", "'AWS'", false},
    {"PublisherName", "coalesce({entity}, 'AWS')", false},
    {"RegionId", "coalesce({region}, {region2}, " PRODUCT("region") ")", false},
    {"RegionName", "coalesce({location}, " PRODUCT("location") ")", false},
    {"ResourceId", "{resource}", false},
    {"ServiceCategory", "coalesce(fa_lookup('aws_category', {code}), 'Other')", false},
    {"ServiceName",
     "!coalesce({product_name}, {service_name}, " PRODUCT("product_name") ", " PRODUCT(
         "servicename") ", {code}, 'AWS')",
     false},
    {"SkuId", "coalesce({sku}, " PRODUCT("sku") ")", false},
    {"SkuPriceId", "{rate_code}", false},
    {"SubAccountId", "{account}", false},
    {"SubAccountName", "{account_name}", false},
    {"x_AmortizedCost", AMORTIZED, false},
    {"x_BillType", "{bill_type}", true},
    {"x_BlendedCost", "coalesce({bl}, {un})", false},
    {"x_InstanceType", "coalesce({inst}, " PRODUCT("instance_type") ")", true},
    {"x_LineItemType", "{type}", true},
    {"x_NormalizedUnit", "CASE WHEN {normalized} IS NOT NULL THEN 'Normalized Units' END", true},
    {"x_NormalizedUsageAmount", "coalesce({normalized}, " ZERO ")", false},
    {"x_OperatingSystem", "coalesce({os}, " PRODUCT("operating_system") ")", true},
    {"x_Operation", "{operation}", true},
    {"x_ProductFamily", "coalesce({family}, " PRODUCT("product_family") ")", true},
    {"x_PurchaseOption",
     "CASE WHEN {type} = 'SavingsPlanCoveredUsage' THEN 'Savings Plan' WHEN {type} = "
     "'DiscountedUsage' "
     "THEN 'Reserved' WHEN {term} = 'Spot' OR contains({usage_type}, 'SpotUsage') THEN 'Spot' "
     "WHEN " IS_USAGE " THEN 'On Demand' END",
     true},
    {"x_ReservationArn", "{ri}", true},
    {"x_SavingsPlanArn", "{sp}", true},
    {"x_SavingsPlanOffering", "{sp_offer}", true},
    {"x_ServiceCode", "{code}", true},
    {"x_Tenancy", "coalesce({tenancy}, " PRODUCT("tenancy") ")", true},
    {"x_UnblendedCost", "{un}", false},
    {"x_UsageType", "{usage_type}", true},
};

int fa_score_aws(const fa_bill_file *f)
{
    static const char *const marks[] = {"lineitemlineitemtype",  "lineitemusagestartdate",
                                        "lineitemunblendedcost", "billpayeraccountid",
                                        "lineitemproductcode",   "lineitemusagetype",
                                        "lineitemusageaccountid"};
    int score = 0;

    for (size_t i = 0; i < FA_COUNT(marks); i++)
        score += fa_bill_has(f, marks[i]) ? 2 : 0;
    return score >= 6 ? score : 0;
}

/* ---- tags ---- */

/* "resourceTags/user:Team", "resource_tags_user_team": the key that people see; false: no tag column. */
static bool tag_key(fa_str name, fa_str *prefix, fa_str *key)
{
    static const struct {
        const char *column, *prefix;
    } kinds[] = {
        {"resourceTags/user:", ""},
        {"resource_tags_user_", ""},
        {"resourceTags/aws:", "aws:"},
        {"resource_tags_aws_", "aws:"},
        {"resourceTags/", ""},
        {"costCategory/", "cost_category:"},
        {"cost_category_", "cost_category:"},
    };

    for (size_t i = 0; i < FA_COUNT(kinds); i++)
        if (fa_str_starts(name, fa_str_of(kinds[i].column)) && name.n > strlen(kinds[i].column)) {
            size_t n = strlen(kinds[i].column);

            *prefix = fa_str_of(kinds[i].prefix);
            *key = (fa_str){name.p + n, name.n - n};
            return true;
        }
    return false;
}

static fa_rc put_tags(fa_bill_file *f, fa_bill_match *m, const char **sql, fa_err *e)
{
    fa_buf b;
    bool any = false;
    fa_str text;

    fa_buf_init(&b, 8 << 20);
    fa_buf_z(&b, "fa_merge(");
    if (fa_bill_has(f, "resourcetags")) {
        fa_buf_z(&b, "'u:', i_tags");
        any = true;
    }
    if (fa_bill_has(f, "costcategory")) {
        fa_buf_fmt(&b, "%s'o:cost_category:', i_categories", any ? ", " : "");
        any = true;
    }
    for (size_t i = 0; i < f->ncolumn; i++) {
        fa_str prefix, key;
        char *how;

        if (!tag_key(f->column[i].name, &prefix, &key))
            continue;
        if (!(how = fa_arena_printf(m->a, "p:%.*s%.*s", FA_FMT(prefix), FA_FMT(key)))) {
            fa_buf_release(&b);
            return fa_oom(e);
        }
        fa_buf_z(&b, any ? ", " : "");
        fa_buf_sql_text(&b, fa_str_of(how));
        fa_buf_fmt(&b, ", %.*s::VARCHAR", FA_FMT(f->column[i].ident));
        f->column[i].is_read = true;
        any = true;
    }
    fa_buf_z(&b, ")");
    text = fa_buf_dup(&b, m->a);
    fa_buf_release(&b);
    *sql = any ? text.p : NULL;
    return text.p ? FA_OK : fa_oom(e);
}

/* ---- match ---- */

static fa_rc say_missing(fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    bool has_net = fa_bill_has(f, "lineitemnetunblendedcost");
    bool has_sp = fa_bill_has(f, "savingsplansavingsplaneffectivecost") &&
                  fa_bill_has(f, "savingsplantotalcommitmenttodate") &&
                  fa_bill_has(f, "savingsplanusedcommitment");
    bool has_ri = fa_bill_has(f, "reservationeffectivecost") &&
                  fa_bill_has(f, "reservationunusedrecurringfee");

    if (!has_net)
        f->approximated |= FA_BIT(FA_M_BILLED) | FA_BIT(FA_M_EFFECTIVE);
    if (!has_sp || !has_ri)
        f->approximated |= FA_BIT(FA_M_EFFECTIVE) | FA_BIT(FA_M_AMORTIZED);
    if (!fa_bill_has(f, "lineitemblendedcost"))
        f->approximated |= FA_BIT(FA_M_BLENDED);
    if (!fa_bill_has(f, "pricingpublicondemandcost"))
        f->approximated |= FA_BIT(FA_M_LIST) | FA_BIT(FA_M_CONTRACTED);
    if ((!has_sp || !has_ri) &&
        fa_bill_notice(m, e,
                       "the report lacks columns of %s%s%s: amortized cost is unblended cost there",
                       has_sp ? "" : "savings plans", has_sp || has_ri ? "" : " and ",
                       has_ri ? "" : "reservations"))
        return e->rc;
    if (!fa_bill_has(f, "lineitemcurrencycode|pricingcurrency") &&
        fa_bill_notice(m, e, "the report names no currency: the account's, %.*s, is taken",
                       FA_FMT(m->hint->currency)))
        return e->rc;
    return FA_OK;
}

fa_rc fa_match_aws(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    fa_lift t = {ins, FA_COUNT(ins), outs, FA_COUNT(outs), NULL};

    (void)g;
    fa_bill_tables_make();
    if (put_tags(f, m, &t.tags, e) || fa_bill_lift(f, m, &t, e))
        return e->rc;
    m->version = fa_bill_has(f, "resourcetags") || fa_bill_has(f, "product") ? FA_STR("aws-cur-2")
                                                                             : FA_STR("aws-cur-1");
    f->center = "AWS";
    return say_missing(f, m, e);
}
