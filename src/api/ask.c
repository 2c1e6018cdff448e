/*
 * ask.c - how every cost route asks: with the caller's row rules and the request's deadline.
 */
#include "api/internal.h"

int32_t ask_today(void)
{
    return fa_ms_day(fa_now_ms());
}

fa_rc ask_run(fa_req *r, fa_plan *p, fa_answer *out, fa_err *e)
{
    fa_rc rc = fa_caller_scope(r->ledger, r->mem, r->caller, &p->scope, e);

    if (rc)
        return rc;
    p->deadline_mono_ms = r->deadline_mono_ms;
    return fa_query_run(r->ledger, r->mem, p, out, e);
}

fa_rc ask_default_type(fa_ledger *l, fa_arena *a, const fa_cost_type **out, fa_err *e)
{
    fa_account account;
    fa_rc rc = fa_account_first(fa_ledger_store(l), a, &account, e);

    return rc ? rc : fa_cost_type_find(account.default_cost_type, out, e);
}
