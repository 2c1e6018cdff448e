/*
 * costtype.c - the cost and usage types: how the API, the page and the command line spell a
 * measure.
 *
 * The one idea: a type is a row of the table. Net unblended is the billed cost of FOCUS, net amortized
 * its effective cost; a bill that does not tell the others apart has these in their place
 * (engine.h, billing-formats.md 8). A FOCUS column's own name is a spelling as well.
 */
#include "query/inner.h"

static const fa_cost_type types[] = {
    {"netAmortizedCost", "Net Amortized Cost", FA_M_EFFECTIVE, false, true, true},
    {"amortizedCost", "Amortized Cost", FA_M_AMORTIZED, false, true, true},
    {"unblendedCost", "Unblended Cost", FA_M_UNBLENDED, false, true, true},
    {"netUnblendedCost", "Net Unblended Cost", FA_M_BILLED, false, true, true},
    {"blendedCost", "Blended Cost", FA_M_BLENDED, false, true, true},
    {"listCost", "List Cost", FA_M_LIST, false, true, true},
    {"contractedCost", "Contracted Cost", FA_M_CONTRACTED, false, false, false},
    {"fairShareCost", "FairShare Cost", FA_M_FAIRSHARE, false, true, true},
    {"netFairShareCost", "Net FairShare Cost", FA_M_NET_FAIRSHARE, false, true, true},
    {"usageAmount", "Usage Amount", FA_M_CONSUMED, true, false, true},
    {"normalizedUsageAmount", "Normalized Usage Amount", FA_M_NORMALIZED, true, false, true},
};

/* FOCUS names on the left mean the type on the right. */
static const char *const focus_names[][2] = {
    {"BilledCost", "netUnblendedCost"},
    {"EffectiveCost", "netAmortizedCost"},
    {"ListCost", "listCost"},
    {"ContractedCost", "contractedCost"},
    {"ConsumedQuantity", "usageAmount"},
    {"PricingQuantity", "normalizedUsageAmount"},
};

const fa_cost_type *fa_cost_types(size_t *n)
{
    *n = FA_COUNT(types);
    return types;
}

fa_rc fa_cost_type_find(fa_str name, fa_fair_width fair, const fa_cost_type **out, fa_err *e)
{
    *out = NULL;
    for (size_t i = 0; i < FA_COUNT(focus_names); i++)
        if (fa_str_eqz(name, focus_names[i][0]))
            name = fa_str_of(focus_names[i][1]);
    for (size_t i = 0; i < FA_COUNT(types); i++) {
        fa_measure m = types[i].measure;

        if (!fa_str_eqz(name, types[i].name))
            continue;
        if (fair == FA_FAIR_OFF && (m == FA_M_FAIRSHARE || m == FA_M_NET_FAIRSHARE)) {
            (void)fa_fail(e, FA_EDATA, "the cost type \"%s\" is not switched on for this account",
                          types[i].name);
            return fa_hint(e, "use netAmortizedCost, or have an administrator switch FairShare on");
        }
        *out = &types[i];
        return FA_OK;
    }
    (void)fa_fail(e, FA_EINVAL, "unknown cost type \"%.*s\"", (int)(name.n > 80 ? 80 : name.n),
                  name.p);
    return fa_hint(e, "one of netAmortizedCost, amortizedCost, unblendedCost, netUnblendedCost, "
                      "blendedCost, listCost, contractedCost, fairShareCost, netFairShareCost, "
                      "usageAmount, normalizedUsageAmount");
}
