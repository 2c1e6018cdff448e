/*
 * custom.c - custom costs for the page (doc/page-api.md "Custom costs"), and files pushed with a token.
 */
#include "api/tags.h"
#include "custom/custom.h"

#include <stdlib.h>
#include <string.h>

static void put_moneys(fa_jw *w, const char *key, fa_i128 e18)
{
    fa_buf b = {0};

    fa_jw_key(w, key);
    fa_dec_emit(&b, e18, 18, 2);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

static fa_rc answer(fa_res *o, json_t *v, fa_err *e)
{
    fa_jw w;

    if (!v)
        return fa_oom(e);
    fa_jw_init(&w, &o->body);
    put_json(&w, NULL, v);
    json_decref(v);
    return FA_OK;
}

fa_rc api_custom_costs(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *entries = NULL, *centers = NULL;
    fa_rc rc;

    if ((rc = fa_custom_entries(r->ledger, r->mem, &entries, e)) ||
        (rc = fa_custom_centers(r->ledger, r->mem, &centers, e))) {
        json_decref(entries);
        json_decref(centers);
        return rc;
    }
    return answer(o, json_pack("{s:o,s:o}", "entries", entries, "centers", centers), e);
}

/* The filter of a percentage in the spelling we keep, with every key proved. */
static fa_rc body_of(fa_req *r, json_t **out, fa_err *e)
{
    json_t *filters = json_object_get(r->json, "filters"), *kept = NULL;
    const fa_filter *f;
    fa_catalog *c;
    fa_buf b = {0};
    fa_jw w;
    fa_rc rc;

    *out = NULL;
    if ((rc = in_object(r, e)))
        return rc;
    if (!(*out = json_copy(r->json)))
        return fa_oom(e);
    if (!json_is_object(filters))
        return FA_OK;
    if ((rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    if (!(rc = fa_filter_parse(c, r->mem, FA_API_INTERNAL, filters, "filters", &f, e))) {
        fa_jw_init(&w, &b);
        fa_filter_json(&w, FA_API_V2, f);
        kept = b.failed ? NULL : json_loadb(b.p, b.n, 0, NULL);
        rc = kept && !json_object_set_new(*out, "filters", kept) ? FA_OK : fa_oom(e);
    }
    fa_buf_release(&b);
    fa_catalog_put(c);
    return rc;
}

static fa_rc save(fa_req *r, fa_res *o, fa_str id, fa_err *e)
{
    json_t *body, *out = NULL;
    fa_rc rc = body_of(r, &body, e);

    if (!rc)
        rc = fa_custom_entry_save(r->ledger, r->mem, id, body, r->caller->email, &out, e);
    json_decref(body);
    o->status = id.n ? 200 : 201;
    return rc ? rc : answer(o, out, e);
}

fa_rc api_custom_cost_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, (fa_str){0}, e);
}

fa_rc api_custom_cost_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, r->arg[0], e);
}

fa_rc api_custom_cost_delete(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *none;

    o->status = 204;
    return fa_custom_entry_save(r->ledger, r->mem, r->arg[0], NULL, r->caller->email, &none, e);
}

fa_rc api_custom_cost_undo(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *out;
    fa_rc rc = fa_custom_entry_undo(r->ledger, r->mem, r->arg[0], r->caller->email, &out, e);

    if (rc)
        return rc;
    return answer(o, json_pack("{s:o}", "entry", out ? out : json_null()), e);
}

fa_rc api_custom_cost_versions(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *out;
    fa_rc rc = fa_custom_entry_states(r->ledger, r->mem, r->arg[0], &out, e);

    return rc ? rc : answer(o, json_pack("{s:o}", "versions", out), e);
}

/* What an entry would cost, per day; nothing is kept. */
fa_rc api_custom_cost_preview(fa_req *r, fa_res *o, fa_err *e)
{
    fa_custom_line *line;
    json_t *body;
    fa_str currency;
    fa_i128 total = 0;
    size_t n;
    fa_jw w;
    fa_rc rc = body_of(r, &body, e);

    if (!rc)
        rc = fa_custom_entry_lines(r->ledger, r->mem, body, &line, &n, &currency, NULL, e);
    if (rc) {
        json_decref(body);
        return rc;
    }
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "currency", currency);
    fa_jw_key(&w, "days");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_day(&w, "day", line[i].day);
        put_moneys(&w, "cost", line[i].amount_e18);
        fa_jw_end_obj(&w);
        total += line[i].amount_e18;
    }
    fa_jw_end_arr(&w);
    put_moneys(&w, "total", total);
    fa_jw_end_obj(&w);
    json_decref(body);
    return FA_OK;
}

/* ---- centers ---- */

static fa_rc center_save(fa_req *r, fa_res *o, fa_str id, fa_err *e)
{
    json_t *out;
    fa_rc rc;

    if ((rc = in_object(r, e)) ||
        (rc = fa_custom_center_save(r->ledger, r->mem, id, r->json, r->caller->email, &out, e)))
        return rc;
    o->status = id.n ? 200 : 201;
    return answer(o, out, e);
}

fa_rc api_custom_center_post(fa_req *r, fa_res *o, fa_err *e)
{
    return center_save(r, o, (fa_str){0}, e);
}

fa_rc api_custom_center_put(fa_req *r, fa_res *o, fa_err *e)
{
    return center_save(r, o, r->arg[0], e);
}

fa_rc api_custom_center_delete(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_custom_center_remove(r->ledger, r->mem, r->arg[0], e);
}

fa_rc api_custom_files(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *out;
    fa_rc rc = fa_custom_files(r->ledger, r->mem, r->arg[0], &out, e);

    if (rc) {
        json_decref(out);
        return rc;
    }
    return answer(o, json_pack("{s:o}", "files", out), e);
}

static fa_rc take_file(fa_req *r, fa_res *o, fa_str name, fa_err *e)
{
    bool dry = fa_str_eqz(fa_req_query(r, "dryRun"), "true");
    json_t *out = NULL;
    fa_arena own;
    fa_rc rc;

    fa_arena_init(&own, (size_t)2 << 30); /* a file is more than a request may hold */
    rc = fa_custom_file_load(r->ledger, &own, r->arg[0], name, r->body_file, dry, r->caller->email,
                             FA_STR(""), &out, e);
    fa_arena_release(&own);
    return rc ? rc : answer(o, out, e);
}

fa_rc api_custom_file_post(fa_req *r, fa_res *o, fa_err *e)
{
    return take_file(r, o, fa_req_query(r, "name"), e);
}

fa_rc api_v1_custom_file(fa_req *r, fa_res *o, fa_err *e)
{
    return take_file(r, o, r->arg[1], e);
}

fa_rc api_custom_file_delete(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_custom_file_remove(r->ledger, r->mem, r->arg[0], r->arg[1], e);
}

fa_rc api_custom_file_undo(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_custom_file_undo(r->ledger, r->mem, r->arg[0], r->arg[1], e);
}
