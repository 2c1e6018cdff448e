/*
 * drilldown.c - the way a click goes down: one list of keys per cost center, for all users (inform.md 11).
 */
#include "api/tags.h"

#include <stdlib.h>
#include <string.h>

#define SETTING FA_STR("drilldown")
enum { CENTERS_MAX = 200, KEYS_MAX = 20 };

/* What a cost center starts with; keys it does not have are left out. */
static const struct {
    const char *center;
    const char *key[5];
} defaults[] = {
    {"Global", {"cost_center_type", "service", "region", "sub_account_name", "resource_id"}},
    {"AWS", {"service", "usage_type", "region", "aws_account_id", "resource_id"}},
    {"GCP", {"service", "sku_meter", "region", "project", "resource_id"}},
    {"Azure", {"service", "sku_meter", "region", "subscription_id", "resource_id"}},
    {"Oracle", {"service", "sku_meter", "region", "compartment_id", "resource_id"}},
    {"Kubernetes", {"cluster", "namespace", "workload", "pod"}},
    {NULL, {"service", "region", "sub_account_name", "resource_id"}},
};

static fa_str text_of(const json_t *v)
{
    return (fa_str){json_string_value(v) ? json_string_value(v) : "", json_string_length(v)};
}

static void put_key(fa_jw *w, fa_str center, fa_str key, fa_str type, fa_str display)
{
    fa_jw_obj(w);
    put_str(w, "costCenter", center);
    put_str(w, "key", key);
    put_str(w, "type", type);
    put_str(w, "displayName", display);
    fa_jw_end_obj(w);
}

/* A key that was chosen; false: it has gone, and is left out. */
static bool put_chosen(fa_req *r, fa_jw *w, const tag_ctx *x, const json_t *o)
{
    fa_str center = text_of(json_object_get(o, "costCenter")),
           key = text_of(json_object_get(o, "key"));
    fa_str type = text_of(json_object_get(o, "type"));
    const fa_key *k;
    fa_err ignored;

    if (fa_str_eqz(type, "virtual_tag")) {
        const fa_tag *t = fa_tag_set_find(x->set, key);

        if (t)
            put_key(w, center, key, type, t->name);
        return t != NULL;
    }
    if (fa_catalog_find(x->c, r->mem, FA_API_V2, center, key, type, &k, &ignored))
        return false;
    put_key(w, k->cost_center, k->key, fa_str_of(fa_key_type_name(k->type, FA_API_V2)), k->display);
    return true;
}

static void put_default(fa_req *r, fa_jw *w, const tag_ctx *x, fa_str center)
{
    size_t d = 0;

    while (defaults[d].center && !fa_str_eqz(center, defaults[d].center))
        d++;
    for (size_t i = 0; i < FA_COUNT(defaults[d].key) && defaults[d].key[i]; i++) {
        const fa_key *k;
        fa_err ignored;

        if (fa_catalog_find(x->c, r->mem, FA_API_V2, center, fa_str_of(defaults[d].key[i]),
                            (fa_str){0}, &k, &ignored) == FA_OK)
            put_key(w, k->cost_center, k->key, fa_str_of(fa_key_type_name(k->type, FA_API_V2)),
                    k->display);
    }
}

static fa_rc stored(fa_req *r, json_t **out, fa_err *e)
{
    fa_str text;
    fa_rc rc =
        fa_setting_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, SETTING, &text, e);

    if (rc)
        return rc;
    *out = text.n ? json_loadb(text.p, text.n, 0, NULL) : json_object();
    return *out ? FA_OK : fa_fail(e, FA_EDATA, "the drilldown paths in meta.db are damaged");
}

/* Cost centers with data, then those that only have a path. */
static fa_rc put_paths(fa_req *r, fa_jw *w, const tag_ctx *x, const json_t *own, fa_err *e)
{
    size_t n;
    const fa_key *k = fa_catalog_keys(x->c, &n);
    fa_map *seen = fa_map_new();
    const json_t *v;
    const char *name;
    size_t was, i;
    bool added = true;

    if (!seen)
        return fa_oom(e);
    for (i = 0; i < n && fa_map_count(seen) < CENTERS_MAX; i++) {
        fa_str center = k[i].cost_center;
        const json_t *list;
        size_t at;

        if (k[i].type == FA_K_VIRTUAL || !fa_map_add(seen, center, i, &was, &added) || !added)
            continue;
        list = json_object_getn(own, center.p, center.n);
        fa_jw_obj(w);
        put_str(w, "costCenter", center);
        put_bool(w, "isDefault", list == NULL);
        fa_jw_key(w, "keys");
        fa_jw_arr(w);
        if (list)
            json_array_foreach(list, at, v) put_chosen(r, w, x, v);
        else
            put_default(r, w, x, center);
        fa_jw_end_arr(w);
        fa_jw_end_obj(w);
    }
    json_object_foreach((json_t *)(uintptr_t)own, name, v)
    {
        if (fa_map_get(seen, fa_str_of(name), &was))
            continue;
        fa_jw_obj(w);
        put_z(w, "costCenter", name);
        put_bool(w, "isDefault", false);
        fa_jw_key(w, "keys");
        fa_jw_arr(w);
        for (i = 0; i < json_array_size(v); i++)
            put_chosen(r, w, x, json_array_get(v, i));
        fa_jw_end_arr(w);
        fa_jw_end_obj(w);
    }
    fa_map_free(seen);
    return FA_OK;
}

static fa_rc answer(fa_req *r, fa_res *o, const tag_ctx *x, const json_t *own, fa_err *e)
{
    fa_jw w;
    fa_rc rc;

    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "paths");
    fa_jw_arr(&w);
    rc = put_paths(r, &w, x, own, e);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return rc;
}

fa_rc api_drilldowns(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *own = NULL;
    tag_ctx x;
    fa_rc rc = tag_ctx_get(r, &x, e);

    if (rc)
        return rc;
    if (!(rc = stored(r, &own, e)))
        rc = answer(r, o, &x, own, e);
    json_decref(own);
    tag_ctx_put(&x);
    return rc;
}

static fa_rc fail_at(fa_err *e, fa_rc rc, size_t path, size_t key, const char *msg)
{
    char at[64];

    if (key == SIZE_MAX)
        snprintf(at, sizeof at, "paths[%zu]", path);
    else
        snprintf(at, sizeof at, "paths[%zu].keys[%zu]", path, key);
    (void)fa_fail(e, rc, "%s %s", at, msg);
    return fa_at(e, at);
}

/* One key of a path in the spelling that is kept. */
static fa_rc take_key(fa_req *r, const tag_ctx *x, const json_t *v, size_t path, size_t at,
                      json_t *list, fa_err *e)
{
    fa_str center = text_of(json_object_get(v, "costCenter")),
           key = text_of(json_object_get(v, "key"));
    fa_str type = text_of(json_object_get(v, "type"));
    const fa_key *k;
    json_t *kept;

    if (!json_is_object(v) || !key.n)
        return fail_at(e, FA_EINVAL, path, at, "must be a key: {costCenter, key, type}");
    if (fa_str_eqz(type, "virtual_tag") || fa_str_ieq(center, FA_STR("virtualTag")) ||
        fa_str_ieq(center, FA_STR("Virtual Tags"))) {
        if (!fa_tag_set_find(x->set, key))
            return fail_at(e, FA_EDATA, path, at, "names a virtual tag that does not exist");
        kept = json_pack("{s:s,s:o,s:s}", "costCenter", "virtualTag", "key",
                         json_stringn(key.p, key.n), "type", "virtual_tag");
    } else {
        if (fa_catalog_find(x->c, r->mem, FA_API_V2, center, key, type, &k, e))
            return fail_at(e, FA_EDATA, path, at, "names a key that does not exist");
        kept = json_pack(
            "{s:o,s:o,s:s}", "costCenter", json_stringn(k->cost_center.p, k->cost_center.n), "key",
            json_stringn(k->key.p, k->key.n), "type", fa_key_type_name(k->type, FA_API_V2));
    }
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), kept)) {
            json_decref(kept);
            return fail_at(e, FA_EDATA, path, at, "is there twice");
        }
    return json_array_append_new(list, kept) ? fa_oom(e) : FA_OK;
}

static fa_rc take_path(fa_req *r, const tag_ctx *x, const json_t *v, size_t path, json_t *own,
                       fa_err *e)
{
    fa_str given = text_of(json_object_get(v, "costCenter")), center;
    const json_t *keys = json_object_get(v, "keys"), *k;
    json_t *list;
    size_t i;

    if (!json_is_object(v) || !given.n || !json_is_array(keys) || json_array_size(keys) > KEYS_MAX)
        return fail_at(e, FA_EINVAL, path, SIZE_MAX, "must be {costCenter, keys}, at most 20 keys");
    center = fa_cost_center_public(r->mem, given);
    if (!center.n)
        center = given;
    if (!json_array_size(keys)) {
        json_object_deln(own, center.p, center.n);
        return FA_OK;
    }
    if (!(list = json_array()))
        return fa_oom(e);
    json_array_foreach(keys, i, k) if (take_key(r, x, k, path, i, list, e))
    {
        json_decref(list);
        return e->rc;
    }
    if (json_object_setn_new(own, center.p, center.n, list))
        return fa_oom(e);
    return json_object_size(own) > CENTERS_MAX
               ? fail_at(e, FA_EDATA, path, SIZE_MAX, "is one path too many")
               : FA_OK;
}

fa_rc api_drilldowns_put(fa_req *r, fa_res *o, fa_err *e)
{
    const json_t *paths = json_object_get(r->json, "paths"), *v;
    json_t *own = NULL;
    char *text = NULL;
    tag_ctx x;
    size_t i;
    fa_rc rc;

    if ((rc = in_object(r, e)))
        return rc;
    if (!json_is_array(paths)) {
        fa_fail(e, FA_EINVAL, "paths must be an array");
        return fa_at(e, "paths");
    }
    if ((rc = tag_ctx_get(r, &x, e)))
        return rc;
    if ((rc = stored(r, &own, e)))
        goto done;
    json_array_foreach(paths, i, v) if ((rc = take_path(r, &x, v, i, own, e))) goto done;
    if (!(text = json_dumps(own, JSON_COMPACT)))
        rc = fa_oom(e);
    else if (!(rc = fa_setting_put(fa_ledger_store(r->ledger), r->caller->account, SETTING,
                                   fa_str_of(text), e)))
        rc = answer(r, o, &x, own, e);
done:
    free(text);
    json_decref(own);
    tag_ctx_put(&x);
    return rc;
}
