/*
 * telemetry.c - telemetry (KPI center) for the page, for pushing programs, and in the internal spelling.
 */
#include "api/internal.h"

#include <string.h>

enum { POINTS_MAX = 10000, CSV_MAX = 512 << 20 };

/* ---- the list ---- */

#define KIND FA_STR("telemetry")

fa_rc api_telemetry_list(fa_req *r, fa_res *o, fa_err *e)
{
    fa_telemetry *t;
    fa_acl acl;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_telemetry_list(r->ledger, r->mem, &t, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "telemetry");
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++)
        if (!(rc = fa_acl_get(r->ledger, r->mem, KIND, t[i].id, &acl, e)) &&
            fa_acl_may_read(&acl, r->caller))
            rc = fa_telemetry_json(r->ledger, r->mem, &t[i], &w, e);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return rc;
}

fa_rc api_kpi_centers(fa_req *r, fa_res *o, fa_err *e)
{
    fa_telemetry *t;
    fa_acl acl;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_telemetry_list(r->ledger, r->mem, &t, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++)
        if (!(rc = fa_acl_get(r->ledger, r->mem, KIND, t[i].id, &acl, e)) &&
            fa_acl_may_read(&acl, r->caller))
            fa_telemetry_kpi_json(&t[i], &w);
    fa_jw_end_arr(&w);
    return rc;
}

static fa_rc answer(fa_req *r, fa_res *o, const fa_telemetry *t, int status, fa_err *e)
{
    fa_jw w;

    o->status = status;
    fa_jw_init(&w, &o->body);
    return fa_telemetry_json(r->ledger, r->mem, t, &w, e);
}

fa_rc api_telemetry_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_telemetry t;
    fa_rc rc = fa_telemetry_get(r->ledger, r->mem, r->arg[0], &t, e);

    return rc ? rc : answer(r, o, &t, 200, e);
}

/* ---- changing ---- */

/* The fields of a ratio are the group-by of its view. */
static fa_rc fields_of_view(fa_req *r, fa_err *e)
{
    const json_t *data = json_object_get(r->json, "data"), *id = json_object_get(data, "viewId");
    const json_t *type = json_object_get(r->json, "type"), *keys;
    json_t *body = NULL, *names;
    fa_view v;
    fa_rc rc;

    if (!json_is_string(type) || strcmp(json_string_value(type), "megabill-ratio") != 0 ||
        !json_is_string(id))
        return FA_OK;
    rc = fa_view_get(fa_ledger_store(r->ledger), r->mem, r->caller->account,
                     fa_str_of(json_string_value(id)), &v, e);
    if (rc == FA_ENOTFOUND) {
        (void)fa_fail(e, FA_EINVAL, "there is no view with this id");
        return fa_at(e, "data.viewId");
    }
    if (rc || (rc = fa_view_body(&v, &body, e)))
        return rc;
    keys = json_object_get(json_object_get(body, "question"), "groupBy");
    if (json_array_size(keys) < 1 || json_array_size(keys) > 10) {
        (void)fa_fail(e, FA_EINVAL,
                      "the view must be grouped by 1 to 10 keys: they are the fields");
        rc = fa_at(e, "data.viewId");
    }
    names = json_array();
    for (size_t i = 0; !rc && i < json_array_size(keys); i++) {
        json_t *name = json_object_get(json_array_get(keys, i), "key");

        if (i == 0 ? json_object_set(r->json, "field", name) : json_array_append(names, name))
            rc = fa_oom(e);
    }
    if (!rc && json_object_set(r->json, "additionalFields", names))
        rc = fa_oom(e);
    json_decref(names);
    json_decref(body);
    return rc;
}

static fa_rc check_address(fa_req *r, fa_err *e)
{
    const json_t *data = json_object_get(r->json, "data"), *url = json_object_get(data, "url");

    if (!json_is_string(url))
        return FA_OK;
    if (fa_net_check(app_of(r)->net, json_string_value(url), e))
        return fa_at(e, "data.url");
    return FA_OK;
}

/* A new one has its access list in the same moment. */
static fa_rc save(fa_req *r, fa_res *o, fa_str id, int status, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_telemetry t;
    bool opened;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = fields_of_view(r, e)) || (rc = check_address(r, e)) ||
        (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_telemetry_save(r->ledger, r->mem, id, r->json, r->caller->email, &t, e)) && !id.n)
        rc = fa_acl_new(r->ledger, r->mem, r->caller, KIND, t.id, NULL, e);
    rc = fa_store_leave(s, opened, rc, e);
    return rc ? rc : answer(r, o, &t, status, e);
}

fa_rc api_telemetry_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, (fa_str){0}, 201, e);
}

fa_rc api_telemetry_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, r->arg[0], 200, e);
}

fa_rc api_telemetry_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc = fa_telemetry_remove(r->ledger, r->mem, r->arg[0], e);

    o->status = 204;
    return rc ? rc : fa_acl_drop(r->ledger, KIND, r->arg[0], e);
}

/* ---- points in ---- */

static void put_intakes(fa_jw *w, const fa_intake *v, size_t n)
{
    fa_jw_obj(w);
    fa_jw_key(w, "files");
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++)
        fa_intake_json(w, &v[i]);
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

fa_rc api_telemetry_upload(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str name = fa_req_query(r, "name");
    fa_intake in;
    fa_buf text;
    fa_jw w;
    fa_rc rc;

    if (!name.n || name.n > 255 || !fa_utf8_valid(name)) {
        fa_fail(e, FA_EINVAL, "a file's name must have 1 to 255 bytes");
        return fa_at(e, "name");
    }
    fa_buf_init(&text, CSV_MAX);
    rc = fa_file_read(r->body_file, CSV_MAX, &text, e);
    if (!rc)
        rc = fa_telemetry_csv(r->ledger, r->mem, r->arg[0], name, fa_buf_view(&text), &in, e);
    fa_buf_release(&text);
    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_intake_json(&w, &in);
    return FA_OK;
}

fa_rc api_telemetry_push(fa_req *r, fa_res *o, fa_err *e)
{
    fa_intake in;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) ||
        (rc = fa_telemetry_push(r->ledger, r->mem, r->arg[0], r->json, &in, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_intake_json(&w, &in);
    return FA_OK;
}

fa_rc api_telemetry_refresh(fa_req *r, fa_res *o, fa_err *e)
{
    fa_intake *in = NULL;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_telemetry_refresh(r->ledger, app_of(r)->net, r->mem, r->arg[0], &in, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    put_intakes(&w, in, n);
    return FA_OK;
}

/* ---- points out ---- */

static fa_rc query_day(const fa_req *r, const char *name, int32_t absent, int32_t *out, fa_err *e)
{
    fa_str s = fa_req_query(r, name);

    *out = absent;
    if (!s.n || fa_day_parse(s, out))
        return FA_OK;
    (void)fa_fail(e, FA_EINVAL, "%s must be a date as 2026-11-30", name);
    return fa_at(e, name);
}

static void put_point(fa_jw *w, const fa_telemetry *t, const fa_point *p)
{
    fa_buf b;

    fa_buf_init(&b, 128);
    fa_jw_obj(w);
    put_day(w, "date", p->day);
    fa_jw_key(w, "fields");
    fa_jw_obj(w);
    for (size_t i = 0; t->field.n && i <= t->nadditional; i++) {
        fa_jw_keys(w, i ? t->additional[i - 1] : t->field);
        fa_jw_str(w, p->value[i]);
    }
    fa_jw_end_obj(w);
    fa_dec_emit(&b, p->amount_e18, 18, 0);
    put_str(w, "value", fa_buf_view(&b));
    fa_jw_end_obj(w);
    fa_buf_release(&b);
}

fa_rc api_telemetry_points(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str metric = fa_req_query(r, "metric");
    int32_t from, to;
    fa_telemetry t;
    fa_point *p = NULL;
    size_t n = 0;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_telemetry_get(r->ledger, r->mem, r->arg[0], &t, e)) ||
        (rc = query_day(r, "from", FA_DAY_MIN, &from, e)) ||
        (rc = query_day(r, "to", FA_DAY_MAX, &to, e)))
        return rc;
    if (!metric.n && t.nmetric)
        metric = t.metric[0];
    if (metric.n && !fa_str_eqz(t.type, "megabill-ratio") &&
        (rc = fa_telemetry_points(r->ledger, r->mem, t.id, metric, from, to, &p, &n, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "metric", metric);
    put_str(&w, "unit", t.unit);
    put_int(&w, "count", (int64_t)n);
    fa_jw_key(&w, "points");
    fa_jw_arr(&w);
    for (size_t i = n > POINTS_MAX ? n - POINTS_MAX : 0; i < n; i++) /* the newest */
        put_point(&w, &t, &p[i]);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}
