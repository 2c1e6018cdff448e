/*
 * google.c - Google Cloud's billing export of BigQuery, standard and detailed, as JSON lines, flattened
 * CSV or Parquet.
 *
 * The one idea: a nested record is flat columns by dotted path before this table sees it (jsonl.c, and
 * flatten below for Parquet structs); lists stay JSON and are read where they are needed. The invoice
 * month, which is Google's in US Pacific time, says which period a row belongs to; the hour it was used
 * says the day. Commitment fees stay where Google bills them: the month is right, its spread an
 * approximation, and said to be one.
 */
#include "bill/inner.h"

#include <string.h>

static const fa_in_row ins[] = {
    {"start", "usagestarttime", FA_IN_TIME, FA_CELL_MUST},
    {"end", "usageendtime", FA_IN_TIME, FA_MAY},
    {"cost", "cost", FA_IN_DEC, FA_CELL_MUST},
    {"list", "costatlist", FA_IN_DEC, FA_MAY},
    {"currency", "currency", FA_IN_TEXT, FA_MAY},
    {"credits", "credits", FA_IN_CREDITS, FA_MAY},
    {"gifts", "credits", FA_IN_GIFTS, FA_MAY},
    {"credit_list", "credits", FA_IN_JSON, FA_MAY},
    {"credit_sum", "creditstotal|creditsamount|creditstotalamount|totalcredits|credit", FA_IN_DEC,
     FA_MAY},
    {"month", "invoicemonth", FA_IN_TEXT, FA_MAY},
    {"account", "billingaccountid", FA_IN_TEXT, FA_MAY},
    {"service_id", "serviceid", FA_IN_TEXT, FA_MAY},
    {"service", "servicedescription|servicename", FA_IN_TEXT, FA_MAY},
    {"sku_id", "skuid", FA_IN_TEXT, FA_MAY},
    {"sku", "skudescription", FA_IN_TEXT, FA_MAY},
    {"project", "projectid", FA_IN_TEXT, FA_MAY},
    {"project_name", "projectname", FA_IN_TEXT, FA_MAY},
    {"project_labels", "projectlabels", FA_IN_TEXT, FA_MAY},
    {"ancestors", "projectancestors", FA_IN_JSON, FA_MAY},
    {"labels", "labels", FA_IN_TEXT, FA_MAY},
    {"system", "systemlabels", FA_IN_TEXT, FA_MAY},
    {"tags", "tags", FA_IN_TEXT, FA_MAY},
    {"location", "locationlocation", FA_IN_TEXT, FA_MAY},
    {"region", "locationregion", FA_IN_TEXT, FA_MAY},
    {"zone", "locationzone", FA_IN_TEXT, FA_MAY},
    {"resource", "resourceglobalname", FA_IN_TEXT, FA_MAY},
    {"resource_name", "resourcename", FA_IN_TEXT, FA_MAY},
    {"price", "priceeffectiveprice", FA_IN_DEC, FA_MAY},
    {"amount", "usageamount", FA_IN_DEC, FA_MAY},
    {"unit", "usageunit", FA_IN_TEXT, FA_MAY},
    {"priced", "usageamountinpricingunits", FA_IN_DEC, FA_MAY},
    {"priced_unit", "usagepricingunit", FA_IN_TEXT, FA_MAY},
    {"cost_type", "costtype", FA_IN_TEXT, FA_MAY},
    {"adjustment", "adjustmentinfotype", FA_IN_TEXT, FA_MAY},
    {"subscription", "subscriptioninstanceid", FA_IN_TEXT, FA_MAY},
    {"model", "consumptionmodeldescription", FA_IN_TEXT, FA_MAY},
    {"publisher", "invoicepublishertype", FA_IN_TEXT, FA_MAY},
    {"seller", "sellername", FA_IN_TEXT, FA_MAY},
    {"transaction", "transactiontype", FA_IN_TEXT, FA_MAY},
    {"exported", "exporttime", FA_IN_TIME, FA_MAY},
};

#define ZERO "0::DECIMAL(38,18)"
#define CREDITS "coalesce({credits}, {credit_sum}, " ZERO ")"
#define NET "{cost} + " CREDITS
#define IS_FEE "starts_with({sku}, 'Commitment')"
#define MACHINE                                                                                    \
    "json_extract_string(fa_merge('l:', {system}), '$.\"compute.googleapis.com/machine_spec\"')"

static const fa_out_row outs[] = {
    {"AvailabilityZone", "{zone}", false},
    {"BilledCost", NET, false},
    {"BillingAccountId", "{account}", false},
    {"BillingCurrency", "!coalesce({currency}, {$currency})", false},
    {"BillingPeriodEnd",
     "!coalesce(TRY_CAST({month}[1:4] || '-' || {month}[5:6] || '-01' AS TIMESTAMP), "
     "date_trunc('month', {start} - INTERVAL 8 HOUR)) + INTERVAL 1 MONTH",
     false},
    {"BillingPeriodStart",
     "!coalesce(TRY_CAST({month}[1:4] || '-' || {month}[5:6] || '-01' AS TIMESTAMP), "
     "date_trunc('month', {start} - INTERVAL 8 HOUR))",
     false},
    {"ChargeCategory",
     "!CASE WHEN {cost_type} = 'tax' THEN 'Tax' WHEN {cost_type} IN ('adjustment', "
     "'rounding_error') "
     "THEN 'Adjustment' WHEN " IS_FEE " THEN 'Purchase' ELSE 'Usage' END",
     false},
    {"ChargeDescription", "{sku}", false},
    {"ChargeFrequency", "CASE WHEN " IS_FEE " THEN 'Recurring' ELSE 'Usage-Based' END", false},
    {"ChargePeriodEnd", "{end}", false},
    {"ChargePeriodStart", "{start}", false},
    {"CommitmentDiscountId", "{subscription}", false},
    {"ConsumedQuantity", "{amount}", false},
    {"ConsumedUnit", "{unit}", false},
    {"ContractedCost", "{cost}", false},
    {"ContractedUnitPrice", "{price}", false},
    {"EffectiveCost", NET, false},
    {"InvoiceIssuerName", "!coalesce({seller}, 'Google')", false},
    {"ListCost", "!coalesce({list}, {cost})", false},
    {"PricingCategory",
     "CASE WHEN contains({credit_list}, 'COMMITTED_USAGE_DISCOUNT') THEN 'Committed' ELSE "
     "'Standard' END",
     false},
    {"PricingQuantity", "{priced}", false},
    {"PricingUnit", "{priced_unit}", false},
    {"ProviderName", "'Google Cloud'", false},
    {"PublisherName", "coalesce({publisher}, 'Google')", false},
    {"RegionId", "coalesce({region}, {location})", false},
    {"ResourceId", "{resource}", false},
    {"ResourceName", "{resource_name}", false},
    {"ServiceCategory", "coalesce(fa_lookup('google_category', {service}), 'Other')", false},
    {"ServiceName", "!coalesce({service}, 'Google Cloud')", false},
    {"SkuId", "{sku_id}", false},
    {"SubAccountId", "{project}", false},
    {"SubAccountName", "{project_name}", false},
    {"x_AdjustmentType", "{adjustment}", true},
    /* credits that are no discount of a commitment are added back */
    {"x_AmortizedCost", "!" NET " - coalesce({gifts}, {credit_sum}, " ZERO ")", false},
    {"x_ConsumptionModel", "{model}", true},
    {"x_CostType", "{cost_type}", true},
    {"x_CreditType",
     "TRY(nullif(array_to_string(list_sort(list_distinct(json_extract_string({credit_list}, "
     "'$[*].type'))), ','), ''))",
     true},
    {"x_ExportTime", "strftime({exported}, '%Y-%m-%dT%H:%M:%S.%fZ')", false},
    {"x_Folder",
     "TRY(nullif(array_to_string(list_transform(list_filter(from_json({ancestors}, "
     "'[{\"resource_name\":\"VARCHAR\",\"display_name\":\"VARCHAR\"}]'), lambda fa_x: "
     "starts_with(fa_x.resource_name, 'folders/')), lambda fa_x: fa_x.display_name), '/'), ''))",
     true},
    {"x_MachineSpec", MACHINE, true},
    {"x_ServiceId", "{service_id}", true},
    {"x_TransactionType", "{transaction}", true},
    {"x_UnblendedCost", "{cost}", false},
};

int fa_score_google(const fa_bill_file *f)
{
    static const char *const marks[] = {"usagestarttime",
                                        "cost",
                                        "currency",
                                        "exporttime",
                                        "invoice|invoicemonth",
                                        "project|projectid",
                                        "sku|skuid",
                                        "service|serviceid|servicedescription",
                                        "billingaccountid",
                                        "costtype",
                                        "usage|usageamount",
                                        "credits"};
    int score = 0;

    if (!fa_bill_has(f, marks[0]) || !fa_bill_has(f, marks[1]))
        return 0;
    for (size_t i = 0; i < FA_COUNT(marks); i++)
        score += fa_bill_has(f, marks[i]) ? 2 : 0;
    return score >= 10 ? score : 0;
}

/* ---- Parquet structs ---- */

/* Takes one field of "STRUCT(a VARCHAR, "b c" STRUCT(d BIGINT), ...)" off *s; false: none is left. */
static bool take_field(fa_str *s, fa_str *name, fa_str *type)
{
    size_t i = 0, depth = 0;
    bool quoted = false;

    while (s->n && (s->p[0] == ' ' || s->p[0] == ',')) {
        s->p++;
        s->n--;
    }
    if (s->n == 0)
        return false;
    quoted = s->p[0] == '"';
    for (i = quoted; i < s->n && s->p[i] != (quoted ? '"' : ' '); i++)
        ;
    *name = (fa_str){s->p + quoted, i - quoted};
    i += quoted;
    while (i < s->n && s->p[i] == ' ')
        i++;
    s->p += i;
    s->n -= i;
    for (i = 0; i < s->n && (depth || s->p[i] != ','); i++)
        depth += (s->p[i] == '(') - (s->p[i] == ')');
    *type = fa_str_trim((fa_str){s->p, i});
    s->p += i;
    s->n -= i;
    return name->n && type->n;
}

static bool is_struct(fa_str type)
{
    return fa_str_starts(type, FA_STR("STRUCT(")) && fa_str_ends(type, FA_STR(")"));
}

static fa_rc add_flat(fa_bill_file *to, fa_bill_match *m, const fa_bill_column *c, int depth,
                      fa_err *e)
{
    fa_str name, type, rest = {c->type.p + 7, c->type.n - 8};

    if (!is_struct(c->type) || depth > 4) {
        if (fa_bill_add_column(m->a, to, c->name, c->type, e))
            return e->rc;
        to->column[to->ncolumn - 1].ident = c->ident;
        return FA_OK;
    }
    while (take_field(&rest, &name, &type)) {
        fa_buf b;
        fa_bill_column in = {.type = type};

        if (fa_str_eqz(name, "list")) /* BigQuery's spelling of a repeated field: it stays JSON */
            return add_flat(
                to, m,
                &(fa_bill_column){.name = c->name, .ident = c->ident, .type = FA_STR("JSON[]")},
                depth + 1, e);
        in.name = fa_str_of(fa_arena_printf(m->a, "%.*s.%.*s", FA_FMT(c->name), FA_FMT(name)));
        fa_buf_init(&b, 1 << 16);
        fa_buf_str(&b, c->ident);
        fa_buf_c(&b, '.');
        fa_buf_sql_ident(&b, name);
        in.ident = fa_buf_dup(&b, m->a);
        fa_buf_release(&b);
        if (!in.name.p || !in.ident.p)
            return fa_oom(e);
        if (add_flat(to, m, &in, depth + 1, e))
            return e->rc;
    }
    return FA_OK;
}

static fa_rc flatten(fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    fa_bill_file flat = *f;

    flat.column = NULL;
    flat.ncolumn = 0;
    for (size_t i = 0; i < f->ncolumn; i++)
        if (add_flat(&flat, m, &f->column[i], 0, e))
            return e->rc;
    f->column = flat.column;
    f->ncolumn = flat.ncolumn;
    return FA_OK;
}

/* ---- match ---- */

static const char *const tag_kinds[][2] = {
    {"labels", "'l:label:', i_labels"},
    {"projectlabels", "'l:project_label:', i_project_labels"},
    {"tags", "'l:tag:', i_tags"},
    {"systemlabels", "'l:system_label:', i_system"}};

static fa_rc put_tags(const fa_bill_file *f, fa_bill_match *m, const char **sql, fa_err *e)
{
    fa_buf b;
    fa_str text;
    bool any = false;

    fa_buf_init(&b, 1 << 12);
    fa_buf_z(&b, "fa_merge(");
    for (size_t i = 0; i < FA_COUNT(tag_kinds); i++)
        if (fa_bill_has(f, tag_kinds[i][0])) {
            fa_buf_fmt(&b, "%s%s", any ? ", " : "", tag_kinds[i][1]);
            any = true;
        }
    fa_buf_z(&b, ")");
    text = fa_buf_dup(&b, m->a);
    fa_buf_release(&b);
    *sql = any ? text.p : NULL;
    return text.p ? FA_OK : fa_oom(e);
}

fa_rc fa_match_google(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    fa_lift t = {ins, FA_COUNT(ins), outs, FA_COUNT(outs), NULL};

    (void)g;
    fa_bill_tables_make();
    if ((f->kind == FA_FILE_PARQUET && flatten(f, m, e)) || put_tags(f, m, &t.tags, e) ||
        fa_bill_lift(f, m, &t, e))
        return e->rc;
    m->version = fa_bill_has(f, "resourceglobalname") ? FA_STR("google-detailed")
                                                      : FA_STR("google-standard");
    f->center = "GCP";
    f->is_append = true;
    f->approximated = FA_BIT(FA_M_EFFECTIVE) | FA_BIT(FA_M_AMORTIZED);
    if (!fa_bill_has(f, "costatlist"))
        f->approximated |= FA_BIT(FA_M_LIST);
    return FA_OK;
}
