/*
 * costservice.c - the routes under /cost-service that public clients use (api.md 9.1, 9.3).
 *
 * Internal spellings throughout: "amazon-cur", type "col", relative date ranges.
 */
#include "api/internal.h"

/* `date` is required by the clients' own schema; without it: the last 30 days. */
static fa_rc range_of(fa_req *r, fa_range *out, fa_err *e)
{
    int32_t today = ask_today();
    fa_range absent = {.from = today - 29, .to = today, .unit = FA_DAY};

    return fa_range_parse(FA_API_INTERNAL, json_object_get(r->json, "date"), "date", today, &absent,
                          out, e);
}

static fa_rc put_values(fa_req *r, fa_jw *w, const fa_key *k, const fa_plan *in_range, fa_err *e)
{
    const fa_filter *scope;
    fa_value *v;
    size_t n;
    fa_rc rc;

    if ((rc = fa_caller_scope(r->ledger, r->mem, r->caller, &scope, e)) ||
        (rc = fa_query_values(r->ledger, r->mem, k, scope, (fa_str){0}, (fa_str){0}, 0, in_range,
                              &v, &n, e)))
        return rc;
    fa_jw_key(w, "values");
    fa_jw_obj(w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_keys(w, v[i].value);
        fa_jw_obj(w);
        fa_jw_end_obj(w);
    }
    fa_jw_end_obj(w);
    return FA_OK;
}

static bool wanted(const fa_key *k, fa_str key, fa_str center, fa_str type)
{
    return (!key.n || fa_str_eq(key, k->key) || fa_str_eq(key, k->key_v1)) &&
           (!center.n || fa_str_ieq(center, k->cost_center) ||
            fa_str_ieq(center, k->cost_center_id)) &&
           (!type.n || fa_str_eqz(type, fa_key_type_name(k->type, FA_API_INTERNAL)) ||
            fa_str_eqz(type, fa_key_type_name(k->type, FA_API_V2)));
}

fa_rc api_cost_filters(fa_req *r, fa_res *o, fa_err *e)
{
    bool with_values = json_is_true(json_object_get(r->json, "includeValues"));
    fa_str key, center, type;
    fa_catalog *c = NULL;
    const fa_key *k;
    fa_plan in_range = {0};
    size_t n;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "filterKey", false, &key, e)) ||
        (rc = in_text(r->json, "costCenter", false, &center, e)) ||
        (rc = in_text(r->json, "filterType", false, &type, e)) ||
        (rc = range_of(r, &in_range.range, e)) || (rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    if ((rc = ask_keys(r, c, &k, &n, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++) {
        if (!wanted(&k[i], key, center, type))
            continue;
        fa_jw_obj(&w);
        put_str(&w, "costCenter", k[i].cost_center_id);
        put_str(&w, "key", k[i].key);
        put_str(&w, "path", k[i].path);
        put_z(&w, "type", fa_key_type_name(k[i].type, FA_API_INTERNAL));
        put_str(&w, "accountId", r->caller->account);
        if (with_values)
            rc = put_values(r, &w, &k[i], NULL, e);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
done:
    fa_catalog_put(c);
    return rc;
}

static fa_rc add_group(fa_req *r, const fa_catalog *c, const json_t *g, const char *at, fa_plan *p,
                       fa_err *e)
{
    fa_str cc, key, type;
    fa_rc rc;

    if (!json_is_object(g))
        rc = fa_fail(e, FA_EINVAL, "must be an object");
    else if (!(rc = in_text(g, "costCenter", true, &cc, e)) &&
             !(rc = in_text(g, "key", true, &key, e)) &&
             !(rc = in_text(g, "type", false, &type, e)))
        rc = fa_catalog_find(c, r->mem, FA_API_INTERNAL, cc, key, type, &p->dim[p->ndim], e);
    if (rc)
        return fa_at(e, at);
    p->ndim++;
    return FA_OK;
}

static fa_rc groups_of(fa_req *r, const fa_catalog *c, fa_plan *p, fa_err *e)
{
    const json_t *list = json_object_get(r->json, "groupBys"), *g;
    size_t i;

    if (!list || json_is_null(list))
        return FA_OK;
    if (!json_is_array(list) || json_array_size(list) > FA_MAX_DIMS) {
        fa_fail(e, FA_EINVAL, "must be an array of at most %d groups", FA_MAX_DIMS);
        return fa_at(e, "groupBys");
    }
    json_array_foreach(list, i, g)
    {
        char at[48];

        snprintf(at, sizeof at, "groupBys[%zu]", i);
        if (add_group(r, c, g, at, p, e))
            return e->rc;
    }
    return FA_OK;
}

static fa_rc cost_type_of(fa_req *r, fa_plan *p, fa_err *e)
{
    fa_str type;
    fa_rc rc;

    p->nmeasure = 1;
    if ((rc = in_text(r->json, "costType", false, &type, e)))
        return rc;
    if (!type.n)
        return ask_default_type(r->ledger, r->mem, &p->measure[0].type, e);
    return fa_cost_type_find(type, fa_ledger_fair(r->ledger), &p->measure[0].type, e)
               ? fa_at(e, "costType")
               : FA_OK;
}

static fa_rc axis_of(fa_req *r, fa_plan *p, fa_err *e)
{
    fa_str axis;
    fa_rc rc = in_text(r->json, "xAxisGroupBy", false, &axis, e);

    p->bucket = FA_ALL;
    if (rc || !axis.n)
        return rc;
    if (fa_str_eqz(axis, "daily"))
        p->bucket = FA_DAY;
    else if (fa_str_eqz(axis, "monthly"))
        p->bucket = FA_MONTH;
    else {
        fa_fail(e, FA_EINVAL, "must be \"daily\" or \"monthly\"");
        return fa_at(e, "xAxisGroupBy");
    }
    return FA_OK;
}

static void put_name(fa_jw *w, const fa_group *g, size_t ndim)
{
    fa_buf b = {0};

    for (size_t i = 0; i < ndim; i++) {
        if (i)
            fa_buf_z(&b, " / ");
        fa_buf_str(&b, g->value[i]);
    }
    put_str(w, "name", fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_points(fa_jw *w, const fa_answer *a, const fa_group *g)
{
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
}

fa_rc api_cost_cost(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c = NULL;
    fa_plan p = {0};
    fa_answer a;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = range_of(r, &p.range, e)) ||
        (rc = cost_type_of(r, &p, e)) || (rc = axis_of(r, &p, e)) ||
        (rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    if ((rc = groups_of(r, c, &p, e)) ||
        (rc = fa_filter_parse(c, r->mem, FA_API_INTERNAL, json_object_get(r->json, "filters"),
                              "filters", &p.filter, e)) ||
        (rc = ask_run(r, &p, &a, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "total");
    fa_jw_dec(&w, a.total.total_e10[0], 10);
    fa_jw_key(&w, "breakdown");
    fa_jw_arr(&w);
    for (size_t i = 0; p.ndim && i < a.ngroup; i++) {
        fa_jw_obj(&w);
        put_name(&w, &a.group[i], p.ndim);
        fa_jw_key(&w, "cost");
        fa_jw_dec(&w, a.group[i].total_e10[0], 10);
        if (p.bucket != FA_ALL)
            put_points(&w, &a, &a.group[i]);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    if (p.bucket != FA_ALL)
        put_points(&w, &a, &a.total);
    put_str(&w, "currency", a.currency);
    put_z(&w, "requestId", r->request_id);
    fa_jw_end_obj(&w);
done:
    fa_catalog_put(c);
    return rc;
}

/* Every (cost center, unit) that has usage in the range. The two are keys like others, so this is a
 * question by cost center and consumed unit. */
fa_rc api_cost_units(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c = NULL;
    fa_plan p = {.bucket = FA_ALL, .nmeasure = 1};
    const json_t *group = json_object_get(r->json, "groupBy");
    fa_answer a;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)))
        return rc;
    if (group && !json_is_object(group) && !json_is_null(group)) {
        fa_fail(e, FA_EINVAL, "must be an object");
        return fa_at(e, "groupBy");
    }
    if ((rc = range_of(r, &p.range, e)) ||
        (rc = fa_cost_type_find(FA_STR("usageAmount"), FA_FAIR_OFF, &p.measure[0].type, e)) ||
        (rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    if ((rc = fa_catalog_find(c, r->mem, FA_API_V2, FA_STR("Global"), FA_STR("cost_center_type"),
                              (fa_str){0}, &p.dim[0], e)) ||
        (rc = fa_filter_parse(c, r->mem, FA_API_INTERNAL, json_object_get(r->json, "filters"),
                              "filters", &p.filter, e)))
        goto done;
    p.ndim = 1;
    if ((rc = ask_run(r, &p, &a, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_arr(&w);
    for (size_t i = 0; i < a.ngroup; i++) {
        const fa_key *keys;
        fa_str id = a.group[i].value[0];
        size_t n;

        if (!a.group[i].unit.n)
            continue;
        keys = fa_catalog_keys(c, &n);
        for (size_t k = 0; k < n; k++)
            if (fa_str_eq(keys[k].cost_center, a.group[i].value[0]))
                id = keys[k].cost_center_id;
        fa_jw_obj(&w);
        put_str(&w, "costCenter", id);
        put_str(&w, "units", a.group[i].unit);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
done:
    fa_catalog_put(c);
    return rc;
}
