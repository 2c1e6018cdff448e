/*
 * quality.c - the page's data quality and reconciliation (doc/page-api.md, Quality).
 */
#include "api/internal.h"

#include <string.h>

enum { NUMBER_BYTES = 200, NOTE_BYTES = 1000 };

fa_rc api_quality(fa_req *r, fa_res *o, fa_err *e)
{
    fa_jw w;

    fa_jw_init(&w, &o->body);
    return fa_quality_json(r->ledger, r->mem, &w, e);
}

fa_rc api_reconcile(fa_req *r, fa_res *o, fa_err *e)
{
    fa_jw w;

    fa_jw_init(&w, &o->body);
    return fa_reconcile_json(r->ledger, r->mem, r->deadline_mono_ms, &w, e);
}

static fa_rc wrong(fa_err *e, const char *field, const char *what)
{
    (void)fa_fail(e, FA_EINVAL, "%s %s", field, what);
    return fa_at(e, field);
}

/* The month, the currency and the number that name an invoice. */
static fa_rc read_name(fa_req *r, fa_invoice *v, fa_err *e)
{
    fa_str month = {0};
    char day[16];
    fa_source *s;
    size_t n;
    fa_rc rc;

    if ((rc = in_object(r, e)) ||
        (rc = in_int(r->json, "sourceId", 1, INT64_MAX, 0, &v->source_id, e)) ||
        (rc = in_text(r->json, "period", true, &month, e)) ||
        (rc = in_text(r->json, "currency", true, &v->currency, e)) ||
        (rc = in_text(r->json, "number", true, &v->number, e)))
        return rc;
    snprintf(day, sizeof day, "%.*s-01", (int)(month.n > 7 ? 7 : month.n), month.p);
    if (month.n != 7 || !fa_day_parse(fa_str_of(day), &v->period))
        return wrong(e, "period", "must be a month such as 2026-10");
    if (v->currency.n != 3)
        return wrong(e, "currency", "must be a code of three letters");
    if (!v->number.n || v->number.n > NUMBER_BYTES)
        return wrong(e, "number", "must have 1 to 200 bytes");
    if ((rc = fa_source_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &s, &n, e)))
        return rc;
    for (size_t i = 0; i < n; i++)
        if (s[i].id == v->source_id)
            return FA_OK;
    (void)fa_fail(e, FA_ENOTFOUND, "there is no such source");
    return fa_at(e, "sourceId");
}

fa_rc api_invoice_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_invoice v = {.entered_by = r->caller->email, .entered_ms = fa_now_ms()};
    fa_i128 amount;
    fa_buf exact;
    bool cut = false;
    fa_rc rc;

    if ((rc = read_name(r, &v, e)) || (rc = in_text(r->json, "amount", true, &v.amount, e)) ||
        (rc = in_text(r->json, "note", false, &v.note, e)))
        return rc;
    if (!fa_dec_parse(fa_str_trim(v.amount), true, &amount, &cut) || cut)
        return wrong(e, "amount",
                     "must be a number such as 1234.56, with a point before the cents");
    if (v.note.n > NOTE_BYTES)
        return wrong(e, "note", "must not be longer than 1,000 bytes");
    if (!v.note.p)
        v.note = FA_STR("");
    fa_buf_init(&exact, 128);
    fa_dec_emit(&exact, amount, 18, 2);
    v.amount = fa_buf_dup(&exact, r->mem);
    fa_buf_release(&exact);
    if (!v.amount.p)
        return fa_oom(e);
    o->status = 204;
    return fa_invoice_put(fa_ledger_store(r->ledger), r->caller->account, &v, e);
}

fa_rc api_invoice_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_invoice v = {0};
    fa_rc rc = read_name(r, &v, e);

    o->status = 204;
    return rc ? rc : fa_invoice_delete(fa_ledger_store(r->ledger), r->caller->account, &v, e);
}
