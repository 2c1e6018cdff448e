/*
 * viewservice.c - saved views in the internal spelling (api.md 9.5): the way a program makes a
 * view.
 */
#include "api/internal.h"

static fa_rc put_view(fa_req *r, fa_jw *w, const fa_catalog *c, const fa_view *v, fa_err *e)
{
    json_t *body = NULL;
    fa_plan p;
    fa_rc rc;

    if ((rc = fa_view_body(v, &body, e)))
        return rc;
    fa_jw_obj(w);
    put_str(w, "id", v->id);
    put_str(w, "name", v->name);
    put_z(w, "type", "cost");
    put_str(w, "accountId", r->caller->account);
    put_str(w, "createdBy", v->created_by);
    put_time(w, "createdAt", v->created_ms);
    put_time(w, "updatedAt", v->updated_ms);
    fa_jw_key(w, "data");
    if (fa_question_plan(r->ledger, r->mem, c, json_object_get(body, "question"), &p, e) == FA_OK)
        fa_view_internal_json(w, json_object_get(body, "question"), &p);
    else
        fa_jw_null(w); /* it names a key that has gone; the list must not fail for that */
    fa_jw_end_obj(w);
    json_decref(body);
    return FA_OK;
}

fa_rc api_view_list(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c;
    fa_view *view;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_views_of(r->ledger, r->mem, r->caller, &view, &n, e);

    if (rc || (rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++)
        rc = put_view(r, &w, c, &view[i], e);
    fa_jw_end_arr(&w);
    fa_catalog_put(c);
    return rc;
}

fa_rc api_view_create(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *question = NULL;
    const json_t *data = json_object_get(r->json, "data");
    fa_catalog *c = NULL;
    fa_str name, type;
    fa_view v;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", true, &name, e)) ||
        (rc = in_text(r->json, "type", false, &type, e)))
        return rc;
    if (type.n && !fa_str_eqz(type, "cost")) {
        fa_fail(e, FA_EINVAL, "must be \"cost\"");
        return fa_at(e, "type");
    }
    if (!data)
        data = json_object_get(r->json, "configuration");
    if ((rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    if ((rc = fa_view_from_internal(c, r->mem, data, &question, e)) ||
        (rc = fa_view_save(r->ledger, r->mem, r->caller, (fa_str){0}, name, question, NULL, &v, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    rc = put_view(r, &w, c, &v, e);
done:
    json_decref(question);
    fa_catalog_put(c);
    return rc;
}
