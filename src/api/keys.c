/*
 * keys.c - Query Language V2: which keys there are, and which values a key has (api.md 8.1, 8.2).
 */
#include "api/internal.h"

static bool same_key(const fa_key *a, const fa_key *b)
{
    return fa_str_eq(a->cost_center, b->cost_center) && fa_str_eq(a->key, b->key);
}

/* One entry per (cost center, key) with all its types. The catalog has one row per type; rows of
 * one key need not stand together, so the first of them speaks for all. */
static void put_keys(fa_jw *w, const fa_key *k, size_t n, fa_map *seen)
{
    for (size_t i = 0; i < n; i++) {
        fa_buf id = {0};
        size_t first = i;
        bool added = false;

        fa_buf_str(&id, k[i].cost_center);
        fa_buf_c(&id, '\0');
        fa_buf_str(&id, k[i].key);
        if (id.failed || !fa_map_add(seen, fa_buf_view(&id), i, &first, &added))
            w->b->failed = true;
        fa_buf_release(&id);
        if (!added)
            continue;
        fa_jw_obj(w);
        put_str(w, "costCenter", k[i].cost_center);
        put_str(w, "key", k[i].key);
        put_str(w, "displayName", k[i].display);
        fa_jw_key(w, "types");
        fa_jw_arr(w);
        for (size_t m = i; m < n; m++)
            if (m == i || same_key(&k[i], &k[m]))
                fa_jw_z(w, fa_key_type_name(k[m].type, FA_API_V2));
        fa_jw_end_arr(w);
        fa_jw_end_obj(w);
    }
}

fa_rc api_v2_keys(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c;
    const fa_key *k;
    fa_map *seen;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_catalog_get(r->ledger, &c, e);

    if (rc)
        return rc;
    if (!(seen = fa_map_new())) {
        fa_catalog_put(c);
        return fa_oom(e);
    }
    if ((rc = ask_keys(r, c, &k, &n, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "requestId", r->request_id);
    fa_jw_key(&w, "data");
    fa_jw_obj(&w);
    fa_jw_key(&w, "keys");
    fa_jw_arr(&w);
    put_keys(&w, k, n, seen);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
done:
    fa_map_free(seen);
    fa_catalog_put(c);
    return rc;
}

static bool known_type(fa_str type)
{
    for (int t = 0; t < FA_K__COUNT; t++)
        if (fa_str_eqz(type, fa_key_type_name((fa_key_type)t, FA_API_V2)))
            return true;
    return false;
}

fa_rc api_v2_values(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c = NULL;
    const fa_filter *scope;
    fa_str type = fa_req_query(r, "type");
    const fa_key *k;
    fa_value *v;
    size_t n;
    fa_jw w;
    fa_rc rc;

    if (type.n && !known_type(type)) {
        fa_fail(e, FA_EINVAL, "\"%.*s\" is not a key type", FA_FMT(type));
        return fa_at(e, "type");
    }
    if ((rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    rc = fa_catalog_find(c, r->mem, FA_API_V2, r->arg[0], r->arg[1], type, &k, e);
    if (rc == FA_EDATA) /* several types and none given: 400 on this route (api.md 8.2) */
        rc = e->rc = FA_EINVAL;
    if (rc || (rc = fa_caller_scope(r->ledger, r->mem, r->caller, &scope, e)) ||
        (rc = fa_query_values(r->ledger, r->mem, k, scope, (fa_str){0}, (fa_str){0}, 0, NULL, &v,
                              &n, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "requestId", r->request_id);
    fa_jw_key(&w, "data");
    fa_jw_obj(&w);
    fa_jw_key(&w, "values");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++)
        fa_jw_str(&w, v[i].value);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
done:
    fa_catalog_put(c);
    return rc;
}
