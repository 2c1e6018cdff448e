/*
 * v1.c - the public API, version 1: views, costs of a view, keys and values (api.md 7.1 to 7.4).
 */
#include "api/internal.h"

#include <string.h>
#include <time.h>

fa_rc api_v1_views(fa_req *r, fa_res *o, fa_err *e)
{
    fa_view *view;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_views_of(r->ledger, r->mem, r->caller, &view, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "data");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_str(&w, "name", view[i].name);
        put_str(&w, "id", view[i].id);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    put_z(&w, "requestId", r->request_id);
    fa_jw_end_obj(&w);
    return FA_OK;
}

/* `groupBy` of one client: one key name that some cost center of the view has; else ignored. */
static fa_rc regroup(fa_req *r, const fa_catalog *c, fa_plan *p, fa_err *e)
{
    const json_t *list = json_object_get(r->json, "groupBy"), *v;
    const fa_key *k;
    fa_err ignored;
    size_t i;

    if (!list || json_is_null(list))
        return FA_OK;
    if (!json_is_array(list)) {
        fa_fail(e, FA_EINVAL, "must be an array of strings");
        return fa_at(e, "groupBy");
    }
    json_array_foreach(list, i, v) if (!json_is_string(v))
    {
        fa_fail(e, FA_EINVAL, "must be an array of strings");
        return fa_at(e, "groupBy");
    }
    if (json_array_size(list) != 1)
        return FA_OK;
    v = json_array_get(list, 0);
    for (i = 0; i <= p->ndim; i++) {
        fa_str cc = i < p->ndim ? p->dim[i]->cost_center : FA_STR("Global");

        if (fa_catalog_find(c, r->mem, FA_API_V1, cc,
                            (fa_str){json_string_value(v), json_string_length(v)}, (fa_str){0}, &k,
                            &ignored) == FA_OK) {
            p->dim[0] = k;
            p->ndim = 1;
            return FA_OK;
        }
    }
    return FA_OK;
}

/* The view's question as a plan, with what the request says otherwise. */
static fa_rc view_plan(fa_req *r, const fa_catalog *c, const json_t *question, fa_plan *p,
                       fa_err *e)
{
    const json_t *date = json_object_get(r->json, "date");
    fa_str type;
    fa_rc rc;

    if ((rc = fa_question_plan(r->ledger, r->mem, c, question, p, e)) ||
        (rc = in_text(r->json, "costType", false, &type, e)))
        return rc;
    if (date && (rc = fa_range_parse(FA_API_V1, date, "date", ask_today(), NULL, &p->range, e)))
        return rc;
    if (type.n && fa_cost_type_find(type, fa_ledger_fair(r->ledger), &p->measure[0].type, e))
        return fa_at(e, "costType");
    if (type.n && p->measure[0].type->is_usage) {
        fa_fail(e, FA_EINVAL, "\"%.*s\" is a usage type; this route gives costs", FA_FMT(type));
        return fa_at(e, "costType");
    }
    if (p->measure[0].type->is_usage &&
        (rc = ask_default_type(r->ledger, r->mem, &p->measure[0].type, e)))
        return rc;
    p->nmeasure = 1;
    p->measure[0].agg = FA_AGG_SUM;
    p->previous = false;
    p->top = 0;
    p->others = false;
    return regroup(r, c, p, e);
}

static void put_series(fa_jw *w, const fa_answer *a, const fa_group *g, fa_str name)
{
    fa_jw_obj(w);
    put_str(w, "name", name);
    fa_jw_key(w, "data");
    fa_jw_arr(w);
    for (size_t b = 0; b < a->nbucket; b++) {
        fa_jw_obj(w);
        put_int(w, "time", a->bucket_ms[b]);
        fa_jw_key(w, "cost");
        fa_jw_dec(w, g->cell_e10[b], 10);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

/* The values of a group in one text. */
static fa_str group_name(fa_arena *a, const fa_group *g, size_t ndim)
{
    fa_buf b = {0};
    fa_str s;

    if (ndim == 1)
        return g->value[0];
    for (size_t i = 0; i < ndim; i++) {
        if (i)
            fa_buf_z(&b, " / ");
        fa_buf_str(&b, g->value[i]);
    }
    s = fa_arena_dup(a, fa_buf_view(&b));
    fa_buf_release(&b);
    return s;
}

static void test_slow(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

    if (ms > 0)
        nanosleep(&t, NULL);
}

fa_rc api_v1_query_by_view(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c = NULL;
    json_t *body = NULL;
    fa_answer a;
    fa_str id;
    fa_plan p;
    fa_view v;
    fa_jw w;
    fa_rc rc;

    test_slow(app_of(r)->slow_ms);
    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "viewId", true, &id, e)))
        return rc;
    rc = fa_view_of(r->ledger, r->mem, r->caller, id, &v, e);
    if (rc == FA_ENOTFOUND) { /* 404 is not in the published list (api.md 7.2) */
        fa_fail(e, FA_EINVAL, "no view has this id");
        return fa_at(e, "viewId");
    }
    if (rc || (rc = fa_view_body(&v, &body, e)) || (rc = fa_catalog_get(r->ledger, &c, e)) ||
        (rc = view_plan(r, c, json_object_get(body, "question"), &p, e)) ||
        (rc = ask_run(r, &p, &a, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "data");
    fa_jw_arr(&w);
    for (size_t i = 0; p.ndim && i < a.ngroup; i++)
        put_series(&w, &a, &a.group[i], group_name(r->mem, &a.group[i], p.ndim));
    put_series(&w, &a, &a.total, FA_STR("Total"));
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "request");
    fa_jw_obj(&w);
    put_str(&w, "viewId", v.id);
    fa_jw_end_obj(&w);
    put_z(&w, "requestId", r->request_id);
    fa_jw_end_obj(&w);
done:
    json_decref(body);
    fa_catalog_put(c);
    return rc;
}

/* Old and new spellings of the envelope's end satisfy every client generation (api.md 7.3). */
static void end_megabill(fa_jw *w, const fa_req *r)
{
    put_z(w, "requestId", r->request_id);
    put_z(w, "request_id", r->request_id);
    put_str(w, "accountId", r->caller->account);
    put_z(w, "error", NULL);
    fa_jw_end_obj(w);
}

fa_rc api_v1_keys(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c;
    const fa_key *k;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_catalog_get(r->ledger, &c, e);

    if (rc)
        return rc;
    if ((rc = ask_keys(r, c, &k, &n, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "keys");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_str(&w, "costCenter", k[i].cost_center);
        put_str(&w, "key", k[i].key_v1);
        put_str(&w, "displayName", k[i].display);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "request");
    fa_jw_obj(&w);
    fa_jw_end_obj(&w);
    end_megabill(&w, r);
done:
    fa_catalog_put(c);
    return rc;
}

fa_rc api_v1_values(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c = NULL;
    const fa_filter *scope;
    const fa_key *k;
    fa_value *v;
    size_t n;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_catalog_get(r->ledger, &c, e)) ||
        (rc = fa_catalog_find(c, r->mem, FA_API_V1, r->arg[0], r->arg[1], (fa_str){0}, &k, e)) ||
        (rc = fa_caller_scope(r->ledger, r->mem, r->caller, &scope, e)) ||
        (rc = fa_query_values(r->ledger, r->mem, k, scope, (fa_str){0}, (fa_str){0}, 0, NULL, &v,
                              &n, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "values");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++)
        fa_jw_str(&w, v[i].value);
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "request");
    fa_jw_obj(&w);
    put_str(&w, "costCenter", r->arg[0]);
    put_str(&w, "key", r->arg[1]);
    fa_jw_end_obj(&w);
    end_megabill(&w, r);
done:
    fa_catalog_put(c);
    return rc;
}
