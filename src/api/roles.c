/*
 * roles.c - roles and the permissions they are made of (access.md 1).
 */
#include "api/internal.h"

static void put_perms(fa_jw *w, const fa_perms *p)
{
    fa_jw_arr(w);
    for (int i = FA_PERM_SELF + 1; i < FA_PERM__COUNT; i++)
        if (fa_perms_has(p, (fa_perm)i))
            fa_jw_z(w, fa_perm_name((fa_perm)i));
    fa_jw_end_arr(w);
}

static fa_rc put_role(fa_req *r, fa_jw *w, fa_str key, fa_str name, fa_str description,
                      bool is_default, fa_err *e)
{
    fa_role_use use;
    fa_perms p;
    int level;
    fa_rc rc;

    if ((rc = fa_roles_perms(r->ledger, r->mem, key, &p, &level, e)) ||
        (rc = fa_role_used(fa_ledger_store(r->ledger), r->mem, r->caller->account, key, &use, e)))
        return rc;
    fa_jw_obj(w);
    put_str(w, "id", key);
    put_str(w, "name", name);
    put_str(w, "description", description);
    put_bool(w, "default", is_default);
    put_int(w, "level", level);
    fa_jw_key(w, "permissions");
    put_perms(w, &p);
    put_int(w, "users", use.users);
    put_int(w, "groups", use.teams);
    put_int(w, "tokens", use.tokens);
    fa_jw_end_obj(w);
    return FA_OK;
}

fa_rc api_roles_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_role_row *own;
    size_t n, nown;
    const fa_role *role = fa_roles(&n);
    fa_jw w;
    fa_rc rc = fa_role_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &own, &nown, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "roles");
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++)
        rc = put_role(r, &w, fa_str_of(role[i].key), fa_str_of(role[i].name),
                      fa_str_of(role[i].doc), true, e);
    for (size_t i = 0; !rc && i < nown; i++)
        rc = put_role(r, &w, own[i].id, own[i].name, own[i].description, false, e);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return rc;
}

fa_rc api_permissions(fa_req *r, fa_res *o, fa_err *e)
{
    fa_jw w;

    (void)r;
    (void)e;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "permissions");
    fa_jw_arr(&w);
    for (int p = FA_PERM_SELF + 1; p < FA_PERM__COUNT; p++) {
        const fa_perm_info *info = fa_perm_get((fa_perm)p);

        fa_jw_obj(&w);
        put_z(&w, "key", info->name);
        put_z(&w, "area", info->area);
        put_z(&w, "description", info->what);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

static fa_rc take_perms(fa_req *r, bool *given, fa_perms *out, fa_err *e)
{
    const json_t *list = json_object_get(r->json, "permissions"), *v;
    fa_perm p;
    size_t i;

    *out = (fa_perms){{0}};
    *given = list && !json_is_null(list);
    if (!*given)
        return FA_OK;
    if (!json_is_array(list)) {
        fa_fail(e, FA_EINVAL, "must be an array of permissions");
        return fa_at(e, "permissions");
    }
    json_array_foreach(list, i, v)
    {
        fa_str name = {json_string_value(v), json_string_length(v)};

        if (!json_is_string(v) || !fa_perm_find(name, &p) || p <= FA_PERM_SELF) {
            fa_fail(e, FA_EINVAL, "there is no permission \"%.*s\"", FA_FMT(name));
            return fa_at(e, "permissions");
        }
        fa_perms_add(out, p);
    }
    return FA_OK;
}

static fa_rc save(fa_req *r, fa_res *o, fa_str id, int status, fa_err *e)
{
    fa_str name, description;
    fa_role_row row;
    fa_perms perms;
    bool given;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", !id.n, &name, e)) ||
        (rc = in_text(r->json, "description", false, &description, e)) ||
        (rc = take_perms(r, &given, &perms, e)) ||
        (rc = fa_role_save(r->ledger, r->mem, r->caller, id, name.p ? &name : NULL,
                           description.p ? &description : NULL, given ? &perms : NULL, &row, e)))
        return rc;
    o->status = status;
    fa_jw_init(&w, &o->body);
    return put_role(r, &w, row.id, row.name, row.description, false, e);
}

fa_rc api_roles_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, (fa_str){0}, 201, e);
}

fa_rc api_role_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, r->arg[0], 200, e);
}

fa_rc api_role_delete(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_role_remove(r->ledger, r->mem, r->caller, r->arg[0], fa_req_query(r, "instead"),
                          fa_str_eqz(fa_req_query(r, "fromAll"), "true"), e);
}
