/*
 * views.c - saved views for the page.
 */
#include "api/internal.h"

#include <stdlib.h>

static void put_member(fa_jw *w, const char *key, const json_t *v)
{
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;

    fa_jw_key(w, key);
    if (text)
        fa_jw_raw(w, fa_str_of(text));
    else
        fa_jw_null(w);
    free(text);
}

static fa_rc put_view(fa_jw *w, const fa_view *v, fa_err *e)
{
    json_t *body = NULL;
    fa_rc rc = fa_view_body(v, &body, e);

    if (rc)
        return rc;
    fa_jw_obj(w);
    put_str(w, "id", v->id);
    put_str(w, "name", v->name);
    put_str(w, "createdBy", v->created_by);
    put_time(w, "createdAt", v->created_ms);
    put_time(w, "updatedAt", v->updated_ms);
    put_member(w, "question", json_object_get(body, "question"));
    put_member(w, "chart", json_object_get(body, "chart"));
    fa_jw_end_obj(w);
    json_decref(body);
    return FA_OK;
}

fa_rc api_views_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_view *view;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_views_of(r->ledger, r->mem, r->caller, &view, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "views");
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++)
        rc = put_view(&w, &view[i], e);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return rc;
}

static fa_rc save(fa_req *r, fa_res *o, fa_str id, int status, fa_err *e)
{
    fa_str name;
    fa_view v;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", !id.n, &name, e)) ||
        (rc = fa_view_save(r->ledger, r->mem, r->caller, id, name,
                           json_object_get(r->json, "question"), json_object_get(r->json, "chart"),
                           &v, e)))
        return rc;
    o->status = status;
    fa_jw_init(&w, &o->body);
    return put_view(&w, &v, e);
}

fa_rc api_views_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, (fa_str){0}, 201, e);
}

fa_rc api_views_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, r->arg[0], 200, e);
}

fa_rc api_views_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc = fa_view_remove(r->ledger, r->mem, r->caller, r->arg[0], e);

    o->status = 204;
    return rc;
}
