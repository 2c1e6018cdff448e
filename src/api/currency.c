/*
 * currency.c - the account's currency and its rates for the page (doc/page-api.md, Currencies).
 */
#include "api/internal.h"

enum { CSV_MAX = 8 << 20, SHOWN = 500, SHOWN_MAX = 5000 };

fa_rc api_currencies(fa_req *r, fa_res *o, fa_err *e)
{
    const fa_filter *scope;
    fa_jw w;
    fa_rc rc = fa_caller_scope(r->ledger, r->mem, r->caller, &scope, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    return fa_currency_json(r->ledger, r->mem, scope, r->deadline_mono_ms, &w, e);
}

fa_rc api_currency_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str code;
    fa_rc rc;

    o->status = 204;
    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "currency", true, &code, e)))
        return rc;
    return fa_currency_choose(r->ledger, r->mem, r->caller, code, e);
}

fa_rc api_rates(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str until = fa_req_query(r, "until");
    fa_rate_ask q = {.currency = fa_req_query(r, "currency"),
                     .target = fa_req_query(r, "target"),
                     .history = fa_str_eqz(fa_req_query(r, "history"), "true"),
                     .until = INT32_MAX};
    int64_t limit;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_query_int(r, "limit", 1, SHOWN_MAX, SHOWN, &limit, e)))
        return rc;
    if (until.n && !fa_day_parse(until, &q.until)) {
        (void)fa_fail(e, FA_EINVAL, "until must be a day such as 2026-10-31");
        return fa_at(e, "until");
    }
    q.limit = (size_t)limit;
    fa_jw_init(&w, &o->body);
    return fa_rates_json(r->ledger, r->mem, &q, &w, e);
}

static fa_rc answer(fa_res *o, fa_rc rc, const fa_rates_change *c)
{
    fa_jw w;

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_rates_change_json(&w, c);
    return FA_OK;
}

fa_rc api_rates_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rates_change c;
    fa_rc rc = in_object(r, e);

    if (!rc)
        rc = fa_rates_save(r->ledger, r->mem, r->caller, json_object_get(r->json, "rates"), &c, e);
    return answer(o, rc, &c);
}

fa_rc api_rates_csv(fa_req *r, fa_res *o, fa_err *e)
{
    bool dry = fa_str_eqz(fa_req_query(r, "dryRun"), "true");
    fa_rates_change c;
    fa_arena own;
    fa_buf text;
    fa_rc rc;

    fa_buf_init(&text, CSV_MAX);
    fa_arena_init(&own, (size_t)512 << 20); /* a file is more than a request may hold */
    rc = fa_file_read(r->body_file, CSV_MAX, &text, e);
    if (!rc)
        rc = fa_rates_csv(r->ledger, &own, r->caller, fa_buf_view(&text), dry, &c, e);
    rc = answer(o, rc, &c);
    fa_buf_release(&text);
    fa_arena_release(&own);
    return rc;
}

fa_rc api_rate_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str text = r->arg[0];
    uint64_t id;

    o->status = 204;
    if (!fa_take_u64(&text, &id) || text.n || id > INT64_MAX)
        return fa_fail(e, FA_ENOTFOUND, "no such rate");
    return fa_rate_remove(r->ledger, r->mem, r->caller, (int64_t)id, e);
}
