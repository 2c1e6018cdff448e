/*
 * account.c - the account as internal clients read it (api.md 9.6).
 */
#include "api/internal.h"

#include <string.h>

static void put_empty(fa_jw *w, const char *key)
{
    fa_jw_key(w, key);
    fa_jw_obj(w);
    fa_jw_end_obj(w);
}

/* What each group sees: only for who may manage groups. */
static fa_rc put_groups(fa_req *r, fa_jw *w, fa_err *e)
{
    fa_team *t;
    size_t n = 0;
    fa_rc rc = FA_OK;

    if (fa_caller_may(r->caller, FA_PERM_GROUPS_MANAGE))
        rc = fa_team_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &t, &n, e);
    fa_jw_key(w, "groupsConfig");
    fa_jw_obj(w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_keys(w, t[i].id);
        fa_jw_obj(w);
        put_bool(w, "dataAccessEnabled", t[i].data_access);
        if (t[i].filter.n) {
            fa_jw_key(w, "filters");
            fa_jw_raw(w, t[i].filter);
        }
        fa_jw_end_obj(w);
    }
    fa_jw_end_obj(w);
    return rc;
}

static fa_rc put_account(fa_req *r, fa_jw *w, fa_err *e)
{
    fa_account a;
    fa_load *load;
    size_t n;
    fa_rc rc = fa_account_first(fa_ledger_store(r->ledger), r->mem, &a, e);

    if (rc || (rc = fa_load_list(fa_ledger_store(r->ledger), r->mem, a.id, 0, 1, &load, &n, e)))
        return rc;
    fa_jw_obj(w);
    put_str(w, "accountId", a.id);
    if (in_fields(r, "id"))
        put_str(w, "id", a.id);
    if (in_fields(r, "name"))
        put_str(w, "name", a.name);
    if (in_fields(r, "payerId"))
        put_z(w, "payerId", NULL);
    if (in_fields(r, "defaultContextId"))
        put_z(w, "defaultContextId", NULL);
    if (in_fields(r, "generalConfig")) {
        fa_jw_key(w, "generalConfig");
        fa_jw_obj(w);
        put_str(w, "defaultCostType", a.default_cost_type);
        put_str(w, "currency", a.currency);
        fa_jw_end_obj(w);
    }
    if (in_fields(r, "featureFlags"))
        put_empty(w, "featureFlags");
    if (in_fields(r, "groupsConfig") && (rc = put_groups(r, w, e)))
        return rc;
    if (in_fields(r, "configuration")) {
        fa_jw_key(w, "configuration");
        fa_jw_obj(w);
        put_bool(w, "isCostGuardEnabled", false);
        fa_jw_end_obj(w);
    }
    if (in_fields(r, "latestCompletedRunTimestamp")) {
        fa_jw_key(w, "latestCompletedRunTimestamp");
        if (n && load[0].finished_ms >= 0)
            fa_jw_int(w, load[0].finished_ms);
        else
            fa_jw_null(w);
    }
    if (in_fields(r, "createdAt"))
        put_time(w, "createdAt", a.created_ms);
    if (in_fields(r, "updatedAt"))
        put_time(w, "updatedAt", a.created_ms);
    fa_jw_end_obj(w);
    return FA_OK;
}

fa_rc api_account_list(fa_req *r, fa_res *o, fa_err *e)
{
    fa_jw w;
    fa_rc rc;

    fa_jw_init(&w, &o->body);
    fa_jw_arr(&w);
    rc = put_account(r, &w, e);
    fa_jw_end_arr(&w);
    return rc;
}

fa_rc api_account_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_jw w;

    if (!fa_str_ieq(r->arg[0], r->caller->account))
        return fa_fail(e, FA_ENOTFOUND, "no account has this id");
    fa_jw_init(&w, &o->body);
    return put_account(r, &w, e);
}
