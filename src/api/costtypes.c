/*
 * costtypes.c - the account's cost types: offered ones, the default, FairShare, discounts (doc/page-api.md, Cost types).
 */
#include "api/internal.h"

#include <string.h>

static fa_rc put_state(fa_req *r, fa_res *o, fa_err *e)
{
    char job[37];
    bool runs = fa_job_fair_runs(app_of(r)->jobs, job);
    fa_jw w;

    fa_jw_init(&w, &o->body);
    return fa_cost_types_json(r->ledger, r->mem, runs ? job : NULL, &w, e);
}

fa_rc api_costtypes_get(fa_req *r, fa_res *o, fa_err *e)
{
    return put_state(r, o, e);
}

fa_rc api_costtypes_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc;

    if ((rc = in_object(r, e)) ||
        (rc = fa_cost_types_put(r->ledger, r->mem, r->caller, r->json, e)))
        return rc;
    return put_state(r, o, e);
}

static fa_rc audit_fair(fa_req *r, fa_fair_width w, fa_err *e)
{
    char before[64], after[64];

    snprintf(before, sizeof before, "{\"width\":\"%s\"}", fa_fair_name(fa_ledger_fair(r->ledger)));
    snprintf(after, sizeof after, "{\"width\":\"%s\"}", fa_fair_name(w));
    return fa_audit_add(r->ledger, r->caller,
                        &(fa_audit){.action = "fairshare.change",
                                    .object_type = "account",
                                    .object_id = r->caller->account,
                                    .before = fa_str_of(before),
                                    .after = fa_str_of(after),
                                    .severity = "medium"},
                        e);
}

fa_rc api_fairshare_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_fair_width w;
    fa_str width;
    char id[37];
    fa_jw j;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "width", true, &width, e)))
        return rc;
    if (!fa_fair_find(width, &w)) {
        (void)fa_fail(e, FA_EINVAL, "must be off, sku, family or service");
        return fa_at(e, "width");
    }
    if ((rc = fa_cost_types_fair(r->ledger, r->mem, w, e)) ||
        (rc = fa_job_fair(app_of(r)->jobs, w, r->caller->email, id, e)) ||
        (rc = audit_fair(r, w, e)))
        return rc;
    o->status = 202;
    fa_jw_init(&j, &o->body);
    fa_jw_obj(&j);
    put_str(&j, "jobId", fa_str_of(id));
    fa_jw_end_obj(&j);
    return FA_OK;
}
