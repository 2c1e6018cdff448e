/*
 * focus.c - FOCUS rows of custom costs, and the way into the ledger.
 */
#include "custom/inner.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

/* One change of custom costs at a time. */
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

void fa_custom_lock(void)
{
    pthread_mutex_lock(&one);
}

void fa_custom_unlock(void)
{
    pthread_mutex_unlock(&one);
}

static const char *const names[FA_FC__COUNT] = {
    [FA_FC_DESCRIPTION] = "ChargeDescription",
    [FA_FC_CATEGORY] = "ChargeCategory",
    [FA_FC_FREQUENCY] = "ChargeFrequency",
    [FA_FC_PROVIDER] = "ProviderName",
    [FA_FC_SERVICE] = "ServiceName",
    [FA_FC_SERVICE_CATEGORY] = "ServiceCategory",
    [FA_FC_REGION] = "RegionId",
    [FA_FC_SUB_ACCOUNT] = "SubAccountId",
    [FA_FC_SUB_ACCOUNT_NAME] = "SubAccountName",
    [FA_FC_RESOURCE] = "ResourceId",
    [FA_FC_RESOURCE_NAME] = "ResourceName",
    [FA_FC_RESOURCE_TYPE] = "ResourceType",
    [FA_FC_SKU] = "SkuId",
    [FA_FC_QUANTITY] = "ConsumedQuantity",
    [FA_FC_UNIT] = "ConsumedUnit",
    [FA_FC_TAGS] = "Tags",
};

const char *fa_focus_name(fa_focus_cell c)
{
    return names[c];
}

void fa_focus_header(fa_buf *b)
{
    fa_buf_z(b, "BillingAccountId,BillingAccountName,BillingCurrency,BillingPeriodStart,"
                "BillingPeriodEnd,ChargePeriodStart,"
                "ChargePeriodEnd,ChargeClass,PublisherName,InvoiceIssuerName,BilledCost,"
                "EffectiveCost,ListCost,ContractedCost,"
                "PricingQuantity,PricingUnit");
    for (size_t i = 0; i < FA_FC__COUNT; i++)
        fa_buf_fmt(b, ",%s", names[i]);
    fa_buf_c(b, '\n');
}

static void put_day(fa_buf *b, int32_t day)
{
    fa_day_emit(b, day);
    fa_buf_z(b, "T00:00:00Z,");
}

void fa_focus_row(fa_buf *b, fa_str account, fa_str currency, int32_t day, fa_i128 amount_e18,
                  const fa_str cell[FA_FC__COUNT])
{
    int32_t month = fa_day_floor(day, FA_MONTH);

    fa_buf_csv(b, account, false);
    fa_buf_z(b, ",Custom Cost,");
    fa_buf_csv(b, currency, false);
    fa_buf_c(b, ',');
    put_day(b, month);
    put_day(b, fa_day_next(day, FA_MONTH));
    put_day(b, day);
    put_day(b, day + 1);
    fa_buf_c(b, ',');
    fa_buf_csv(b, cell[FA_FC_PROVIDER], false);
    fa_buf_c(b, ',');
    fa_buf_csv(b, cell[FA_FC_PROVIDER], false);
    for (int i = 0; i < 4; i++) {
        fa_buf_c(b, ',');
        fa_dec_emit(b, amount_e18, 18, 0);
    }
    fa_buf_z(b, ",,");
    for (size_t i = 0; i < FA_FC__COUNT; i++) {
        fa_buf_c(b, ',');
        fa_buf_csv(b, cell[i], false);
    }
    fa_buf_c(b, '\n');
}

fa_rc fa_custom_load_file(fa_ledger *l, fa_arena *a, fa_str source, const char *path, fa_load *out,
                          fa_err *e)
{
    const char *paths[] = {path};
    fa_load_request q = {.source = source, .path = paths, .npath = 1};
    fa_load_result r = {0};
    fa_rc rc = fa_ledger_load(l, a, &q, NULL, &r, e);

    if (rc)
        return rc;
    *out = r.load;
    /* months that were in the load before and are not in this one */
    return fa_ledger_retire(l, source, r.load.id, e);
}

/* Is this text what counts of the source now? Then it is not loaded again: a refresh that changes nothing leaves no
 * line in the history. */
static bool is_loaded(fa_ledger *l, fa_arena *a, fa_str source, const char *hash)
{
    fa_source *s;
    fa_part *part;
    fa_str known, id = {0};
    uint64_t load = 0;
    size_t n, npart, mine = 0;
    fa_err ignored;

    if (fa_setting_get(fa_ledger_store(l), a, fa_ledger_account(l), source, &known, &ignored) ||
        known.n < 66 || memcmp(known.p, hash, 64) != 0)
        return false;
    id = (fa_str){known.p + 65, known.n - 65};
    if (!fa_take_u64(&id, &load) ||
        fa_source_list(fa_ledger_store(l), a, fa_ledger_account(l), &s, &n, &ignored) ||
        fa_part_live(fa_ledger_store(l), a, fa_ledger_account(l), &part, &npart, &ignored))
        return false;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; fa_str_ieq(s[i].name, source) && k < npart; k++) {
            if (part[k].source_id != s[i].id)
                continue;
            if (part[k].load_id != (int64_t)load)
                return false;
            mine++;
        }
    return mine > 0;
}

static fa_rc note_loaded(fa_ledger *l, fa_arena *a, fa_str source, const char *hash, int64_t load,
                         fa_err *e)
{
    char *text = fa_arena_printf(a, "%s %lld", hash, (long long)load);

    return text ? fa_setting_put(fa_ledger_store(l), fa_ledger_account(l), source, fa_str_of(text),
                                 e)
                : fa_oom(e);
}

fa_rc fa_custom_load(fa_ledger *l, fa_arena *a, fa_str source, fa_str csv, bool has_rows,
                     fa_load *out, fa_err *e)
{
    unsigned char digest[32];
    char id[37], hash[65];
    char *dir, *path;
    fa_err later;
    fa_rc rc;

    *out = (fa_load){0};
    if (!has_rows)
        return fa_ledger_retire(l, source, 0, e);
    crypto_generichash(digest, sizeof digest, (const unsigned char *)csv.p, csv.n, NULL, 0);
    fa_hex(hash, digest, sizeof digest);
    if (is_loaded(l, a, source, hash)) {
        out->state = FA_STR("unchanged");
        return FA_OK;
    }
    fa_uuid_v4(id);
    dir = fa_arena_printf(a, "%s/staging/custom-%s", fa_ledger_dir(l), id);
    path = fa_arena_printf(a, "%s/custom-costs.csv", dir ? dir : "");
    if (!dir || !path)
        return fa_oom(e);
    if (!(rc = fa_mkdirs(dir, 0700, e)) && !(rc = fa_file_write_durable(path, csv, 0600, e)) &&
        !(rc = fa_custom_load_file(l, a, source, path, out, e)))
        rc = note_loaded(l, a, source, hash, out->id, e);
    if (fa_remove_tree(dir, &later))
        fa_log(FA_LOG_WARN, "staging_left", "path=%s", dir);
    return rc;
}
