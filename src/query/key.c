/*
 * key.c - the key table: what people group and filter by, and which column of `line` it is.
 *
 * The one idea: one row per FOCUS dimension. `Global` has the row under its own name, a cost center
 * may call it differently (an AWS sub account is an account, an Azure one a subscription). Key
 * names are public and stable: rows are added, never renamed (billing-formats.md 11).
 */
#include "query/inner.h"

#define B FA_K_BILLING
#define NONE                                                                                       \
    {                                                                                              \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

const fa_key_row fa_key_rows[] = {
    {"CostCenter", "cost_center_type", "Cost Center", B, NULL, "cost_center", NONE},
    {"ServiceName", "service", "Services", B, NULL, "service_name", NONE},
    {"ServiceName", "parent_cloud_service", "Parent Cloud Service", B,
     "coalesce(x['x_ServiceCode'], ServiceName)", NULL, NONE},
    {"ServiceCategory", "service_category", "Service Category", B, NULL, NULL, NONE},
    {"ServiceSubcategory", "service_subcategory", "Service Subcategory", B, NULL, NULL, NONE},
    {"RegionId", "region", "Regions", B, NULL, "region_id", NONE},
    {"RegionName", "region_name", "Region Name", B, NULL, NULL, NONE},
    {"AvailabilityZone", "availability_zone", "Availability Zone", B, NULL, NULL, NONE},
    {"SubAccountId",
     "sub_account_id",
     "Sub Account ID",
     B,
     NULL,
     NULL,
     {{"AWS", "aws_account_id", "Account ID", B},
      {"Azure", "subscription_id", "Subscription ID", B},
      {"GCP", "project", "Project", B},
      {"Oracle", "compartment_id", "Compartment ID", B}}},
    {"SubAccountName",
     "sub_account_name",
     "Sub Account Name",
     B,
     "coalesce(nullif(SubAccountName, ''), SubAccountId)",
     NULL,
     {{"AWS", "aws_account_name", "Account Name", FA_K_TAG},
      {"Azure", "subscription_name", "Subscription Name", B},
      {"GCP", "project_name", "Project Name", B},
      {"Oracle", "compartment_name", "Compartment Name", B}}},
    {"SubAccountType", "sub_account_type", "Sub Account Type", B, NULL, NULL, NONE},
    {"BillingAccountId", "payer_account_id", "Payer Account ID", B, NULL, "billing_account_id",
     NONE},
    {"BillingAccountName", "billing_account_name", "Billing Account Name", B, NULL,
     "payer_account_name", NONE},
    {"BillingAccountType", "billing_account_type", "Billing Account Type", B, NULL, NULL, NONE},
    {"BillingCurrency", "billing_currency", "Billing Currency", B, NULL, NULL, NONE},
    {"ResourceId", "resource_id", "Resource ID", FA_K_RESOURCE, NULL, NULL, NONE},
    {"ResourceName", "resource_name", "Resource Name", FA_K_RESOURCE, NULL, NULL, NONE},
    {"ResourceType", "resource_type", "Resource Type", FA_K_RESOURCE, NULL, NULL, NONE},
    {"ChargeCategory", "charge_category", "Charge Category", B, NULL, "charge_type", NONE},
    {"ChargeClass", "charge_class", "Charge Class", B, NULL, NULL, NONE},
    {"ChargeDescription", "charge_description", "Charge Description", B, NULL, NULL, NONE},
    {"ChargeFrequency", "charge_frequency", "Charge Frequency", B, NULL, NULL, NONE},
    {"PricingCategory", "pricing_category", "Pricing Category", B, NULL, NULL, NONE},
    {"PricingCurrency", "pricing_currency", "Pricing Currency", B, NULL, NULL, NONE},
    {"PricingUnit", "pricing_unit", "Pricing Unit", B, NULL, NULL, NONE},
    {"ConsumedUnit", "consumed_unit", "Consumed Unit", B, NULL, NULL, NONE},
    {"SkuId", "sku_id", "SKU ID", B, NULL, "sku", NONE},
    {"SkuMeter", "sku_meter", "SKU Meter", B, NULL, NULL, NONE},
    {"SkuPriceId", "sku_price_id", "SKU Price ID", B, NULL, NULL, NONE},
    {"CommitmentDiscountCategory", "commitment_discount_category", "Commitment Discount Category",
     B, NULL, NULL, NONE},
    {"CommitmentDiscountId", "commitment_discount_id", "Commitment Discount ID", B, NULL, NULL,
     NONE},
    {"CommitmentDiscountName", "commitment_discount_name", "Commitment Discount Name", B, NULL,
     NULL, NONE},
    {"CommitmentDiscountStatus", "commitment_discount_status", "Commitment Discount Status", B,
     NULL, NULL, NONE},
    {"CommitmentDiscountType", "commitment_discount_type", "Commitment Discount Type", B, NULL,
     NULL, NONE},
    {"CommitmentDiscountUnit", "commitment_discount_unit", "Commitment Discount Unit", B, NULL,
     NULL, NONE},
    {"CapacityReservationId", "capacity_reservation_id", "Capacity Reservation ID", B, NULL, NULL,
     NONE},
    {"CapacityReservationStatus", "capacity_reservation_status", "Capacity Reservation Status", B,
     NULL, NULL, NONE},
    {"ProviderName", "provider", "Provider", B, NULL, "provider_name", NONE},
    {"ServiceProviderName", "service_provider", "Service Provider", B, NULL, NULL, NONE},
    {"HostProviderName", "host_provider", "Host Provider", B, NULL, NULL, NONE},
    {"PublisherName", "publisher", "Publisher", B, NULL, "publisher_name", NONE},
    {"InvoiceIssuerName", "invoice_issuer", "Invoice Issuer", B, NULL, NULL, NONE},
};
const size_t fa_nkey_rows = FA_COUNT(fa_key_rows);

#define E FA_K_ENRICHMENT
const fa_key_row fa_key_x_rows[] = {
    {"x_UsageType", "usage_type", "Usage Type", E, NULL, NULL, NONE},
    {"x_Operation", "operation", "Operation", E, NULL, NULL, NONE},
    {"x_InstanceType", "inst_type", "Instance Type", E, NULL, "instance_type", NONE},
    {"x_LineItemType", "line_item_type", "Line Item Type", E, NULL, NULL, NONE},
    {"x_PurchaseOption", "purchase_option", "Purchase Option", E, NULL, NULL, NONE},
    {"x_ProductFamily", "product_family", "Product Family", E, NULL, NULL, NONE},
    {"x_CreditType", "credit_type", "Credit Type", E, NULL, NULL, NONE},
    {"x_OperatingSystem", "operating_system", "Operating System", E, NULL, NULL, NONE},
    {"x_Tenancy", "tenancy", "Tenancy", E, NULL, NULL, NONE},
    {"x_SavingsPlanArn", "savings_plan_arn", "Savings Plan ARN", E, NULL, NULL, NONE},
    {"x_ReservationArn", "reservation_arn", "Reservation ARN", E, NULL, NULL, NONE},
    {"x_BillType", "bill_type", "Bill Type", E, NULL, NULL, NONE},
    {"x_MeterCategory", "meter_category", "Meter Category", B, NULL, NULL, NONE},
    {"x_MeterSubCategory", "meter_sub_category", "Meter Subcategory", B, NULL, NULL, NONE},
    {"x_MeterName", "meter_name", "Meter Name", B, NULL, NULL, NONE},
    {"x_ServiceFamily", "service_family", "Service Family", B, NULL, NULL, NONE},
    {"x_PublisherType", "publisher_type", "Publisher Type", B, NULL, NULL, NONE},
    {"x_PricingModel", "pricing_model", "Pricing Model", B, NULL, NULL, NONE},
    {"x_ChargeType", "azure_charge_type", "Charge Type", B, NULL, NULL, NONE},
    {"x_BillingProfile", "billing_profile", "Billing Profile", B, NULL, NULL, NONE},
    {"x_InvoiceSection", "invoice_section", "Invoice Section", B, NULL, "department", NONE},
    {"x_CostCenterCode", "cost_center_code", "Cost Center Code", B, NULL, NULL, NONE},
    {"x_CostType", "cost_type", "Cost Type", B, NULL, NULL, NONE},
    {"x_Folder", "folder", "Folder", B, NULL, NULL, NONE},
    {"x_MachineSpec", "machine_spec", "Machine Spec", E, NULL, NULL, NONE},
    {"x_TenantId", "tenant_id", "Tenant ID", B, NULL, NULL, NONE},
    {"x_ResourceGroupName", "resource_group", "Resource Group", B, NULL, NULL, NONE},
};
const size_t fa_nkey_x_rows = FA_COUNT(fa_key_x_rows);

/* ---- cost centers (api.md 5.3) ---- */

const fa_center fa_centers[] = {
    {"Global", "global"},
    {"AWS", "amazon-cur"},
    {"Azure", "Azure"},
    {"GCP", "GCP"},
    {"Oracle", "oracle"},
    {"Kubernetes", "kubernetes"},
    {"Snowflake", "snowflake"},
    {"Datadog", "datadog"},
    {"databricks", "databricks"},
    {"mongodb", "mongodb"},
    {"confluent", "confluent"},
    {"Virtual Tags", "virtualTag"},
    {"Custom Cost", "customCost"},
};
const size_t fa_ncenters = FA_COUNT(fa_centers);

const fa_center *fa_center_find(fa_str any)
{
    for (size_t i = 0; i < fa_ncenters; i++)
        if (fa_str_ieq(any, fa_str_of(fa_centers[i].name)) ||
            fa_str_ieq(any, fa_str_of(fa_centers[i].id)))
            return &fa_centers[i];
    return NULL;
}

fa_str fa_cost_center_public(fa_arena *a, fa_str any)
{
    const fa_center *c = fa_center_find(any);

    return c ? fa_arena_dup(a, fa_str_of(c->name)) : (fa_str){"", 0};
}

/* ---- types (api.md 5.4) ---- */

static const struct {
    const char *v2, *own;
} type_names[FA_K__COUNT] = {
    [FA_K_TAG] = {"tag", "tag"},
    [FA_K_BILLING] = {"billing_dimension", "col"},
    [FA_K_RESOURCE] = {"resource", "resource"},
    [FA_K_ENRICHMENT] = {"billing_enrichment", "finrichment"},
    [FA_K_VIRTUAL] = {"virtual_tag", "virtual_tag"},
    [FA_K_CUSTOM] = {"custom_cost", "custom_cost"},
    [FA_K_K8S] = {"kubernetes_resource", "namespace_object"},
    [FA_K_POD_LABEL] = {"k8s_pod_label", "pod_label"},
    [FA_K_NODE_LABEL] = {"k8s_node_label", "node_label"},
    [FA_K_NAMESPACE] = {"k8s_namespace", "namespace"},
};

const char *fa_key_type_name(fa_key_type t, fa_api api)
{
    if ((unsigned)t >= FA_K__COUNT)
        return "";
    return api == FA_API_V2 || api == FA_API_CLI ? type_names[t].v2 : type_names[t].own;
}

bool fa_key_type_parse(fa_str name, fa_key_type *out)
{
    for (unsigned i = 0; i < FA_K__COUNT; i++)
        if (fa_str_eqz(name, type_names[i].v2) || fa_str_eqz(name, type_names[i].own)) {
            *out = (fa_key_type)i;
            return true;
        }
    return false;
}
