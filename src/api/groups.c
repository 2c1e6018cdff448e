/*
 * groups.c - groups and data access control: the switch, the rules, what a rule lets through, and why
 * somebody may see what he sees (access.md 3, 4, 4.8).
 */
#include "api/internal.h"

#include <stdlib.h>

static fa_rc put_team(fa_req *r, fa_jw *w, const fa_team *t, const fa_team_member *m, size_t nm)
{
    fa_str last = FA_STR("");

    (void)r;
    fa_jw_obj(w);
    put_str(w, "id", t->id);
    put_str(w, "name", t->name);
    put_str(w, "description", t->description);
    put_str(w, "color", t->color);
    put_str(w, "managedBy", t->managed_by);
    put_bool(w, "isAdmin", t->is_admin);
    put_bool(w, "dataAccessEnabled", t->data_access);
    put_bool(w, "unrestricted", t->unrestricted || t->is_admin);
    fa_jw_key(w, "filters");
    if (t->filter.n)
        fa_jw_raw(w, t->filter);
    else
        fa_jw_null(w);
    fa_jw_key(w, "roles");
    put_words(w, t->roles);
    fa_jw_key(w, "samlGroups");
    fa_jw_raw(w, t->claims.n ? t->claims : FA_STR("[]"));
    fa_jw_key(w, "users");
    fa_jw_arr(w);
    for (size_t i = 0; i < nm; i++)
        if (fa_str_eq(m[i].team_id, t->id) && !fa_str_eq(m[i].user_id, last)) {
            fa_jw_str(w, m[i].user_id);
            last = m[i].user_id;
        }
    fa_jw_end_arr(w);
    put_time(w, "updatedAt", t->updated_ms);
    fa_jw_end_obj(w);
    return FA_OK;
}

fa_rc api_groups_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_team_member *m;
    size_t nt, nm;
    fa_team *t;
    bool on;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_team_list(s, r->mem, r->caller->account, &t, &nt, e)) ||
        (rc = fa_team_members(s, r->mem, r->caller->account, &m, &nm, e)) ||
        (rc = fa_data_access_get(r->ledger, r->mem, &on, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_bool(&w, "dataAccess", on);
    fa_jw_key(&w, "groups");
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < nt; i++)
        rc = put_team(r, &w, &t[i], m, nm);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return rc;
}

/* A switch of the body; *to stays NULL when it is absent. */
static fa_rc in_bool(const json_t *o, const char *field, bool *room, const bool **to, fa_err *e)
{
    const json_t *v = json_object_get(o, field);

    *to = NULL;
    if (!v || json_is_null(v))
        return FA_OK;
    if (!json_is_boolean(v)) {
        fa_fail(e, FA_EINVAL, "must be true or false");
        return fa_at(e, field);
    }
    *room = json_is_true(v);
    *to = room;
    return FA_OK;
}

static fa_rc save(fa_req *r, fa_res *o, fa_str id, int status, fa_err *e)
{
    fa_str name, description, color, roles;
    bool access, unrestricted;
    fa_team_wish w = {.filter = json_object_get(r->json, "filters"),
                      .claims = json_object_get(r->json, "samlGroups")};
    fa_team_member *m;
    fa_team t;
    size_t nm;
    fa_jw jw;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", !id.n, &name, e)) ||
        (rc = in_text(r->json, "description", false, &description, e)) ||
        (rc = in_text(r->json, "color", false, &color, e)) ||
        (rc = in_list(r->mem, r->json, "roles", false, &roles, e)) ||
        (rc = in_bool(r->json, "dataAccessEnabled", &access, &w.data_access, e)) ||
        (rc = in_bool(r->json, "unrestricted", &unrestricted, &w.unrestricted, e)))
        return rc;
    w.name = name.p ? &name : NULL;
    w.description = description.p ? &description : NULL;
    w.color = color.p ? &color : NULL;
    w.roles = json_is_array(json_object_get(r->json, "roles")) ? &roles : NULL;
    if ((rc = fa_team_save(r->ledger, r->mem, r->caller, id, &w, &t, e)) ||
        (rc = fa_team_members(fa_ledger_store(r->ledger), r->mem, r->caller->account, &m, &nm, e)))
        return rc;
    o->status = status;
    fa_jw_init(&jw, &o->body);
    return put_team(r, &jw, &t, m, nm);
}

fa_rc api_groups_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, (fa_str){0}, 201, e);
}

fa_rc api_group_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, r->arg[0], 200, e);
}

fa_rc api_group_delete(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_team_remove(r->ledger, r->mem, r->caller, r->arg[0], e);
}

fa_rc api_group_users(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_str add, remove, id;
    bool opened;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_list(r->mem, r->json, "add", false, &add, e)) ||
        (rc = in_list(r->mem, r->json, "remove", false, &remove, e)) ||
        (rc = fa_store_enter(s, &opened, e)))
        return rc;
    while (!rc && fa_list_next(&add, &id))
        rc = fa_team_join(r->ledger, r->mem, r->caller, r->arg[0], id, true, e);
    while (!rc && fa_list_next(&remove, &id))
        rc = fa_team_join(r->ledger, r->mem, r->caller, r->arg[0], id, false, e);
    o->status = 204;
    return fa_store_leave(s, opened, rc, e);
}

/* ---- the switch ---- */

fa_rc api_data_access_get(fa_req *r, fa_res *o, fa_err *e)
{
    bool on;
    fa_jw w;
    fa_rc rc = fa_data_access_get(r->ledger, r->mem, &on, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_bool(&w, "enabled", on);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_data_access_put(fa_req *r, fa_res *o, fa_err *e)
{
    const bool *to;
    bool on;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_bool(r->json, "enabled", &on, &to, e)))
        return rc;
    if (!to) {
        fa_fail(e, FA_EINVAL, "is missing");
        return fa_at(e, "enabled");
    }
    if ((rc = fa_data_access_set(r->ledger, r->mem, r->caller, on, e)))
        return rc;
    return api_data_access_get(r, o, e);
}

/* ---- what a rule lets through ---- */

/* The last 30 days of a scope, by service: what it costs and what it is of the whole. */
static fa_rc put_sight(fa_req *r, fa_jw *w, const fa_filter *scope, fa_err *e)
{
    int32_t today = ask_today();
    fa_plan p = {.range = {.from = today - 29, .to = today, .unit = FA_DAY},
                 .bucket = FA_ALL,
                 .nmeasure = 1,
                 .deadline_mono_ms = r->deadline_mono_ms};
    const fa_key *service;
    fa_catalog *c = NULL;
    fa_answer a, all;
    fa_rc rc;

    if ((rc = ask_default_type(r->ledger, r->mem, &p.measure[0].type, e)) ||
        (rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    if ((rc = fa_query_run(r->ledger, r->mem, &p, &all, e)))
        goto done;
    p.scope = scope;
    if (!fa_catalog_find(c, r->mem, FA_API_V2, FA_STR("Global"), FA_STR("service"),
                         FA_STR("billing_dimension"), &service, NULL)) {
        p.dim[0] = service;
        p.ndim = 1;
        p.top = 10;
        p.others = true;
    }
    if ((rc = fa_query_run(r->ledger, r->mem, &p, &a, e)))
        goto done;
    put_str(w, "currency", a.currency);
    put_money(w, "cost", a.total.total_e10[0]);
    put_money(w, "whole", all.total.total_e10[0]);
    put_int(w, "rows", a.rows);
    put_int(w, "rowsWhole", all.rows);
    put_day(w, "from", a.range.from);
    put_day(w, "to", a.range.to);
    fa_jw_key(w, "services");
    fa_jw_arr(w);
    for (size_t i = 0; p.ndim && i < a.ngroup; i++) {
        fa_jw_obj(w);
        put_str(w, "value", a.group[i].value[0]);
        put_bool(w, "isOthers", a.group[i].is_others);
        put_money(w, "cost", a.group[i].total_e10[0]);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
done:
    fa_catalog_put(c);
    return rc;
}

fa_rc api_data_access_preview(fa_req *r, fa_res *o, fa_err *e)
{
    const fa_filter *f;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) ||
        (rc = fa_scope_parse(r->ledger, r->mem, json_object_get(r->json, "filters"), &f, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    rc = put_sight(r, &w, f, e);
    fa_jw_end_obj(&w);
    return rc;
}

/* ---- explain access ---- */

static fa_rc principal(fa_req *r, fa_str id, fa_caller *out, fa_err *e)
{
    fa_token t;
    fa_rc rc = fa_caller_user(r->ledger, r->mem, id, out, e);

    if (rc != FA_ENOTFOUND)
        return rc;
    if ((rc = fa_token_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, id, &t, e)))
        return rc == FA_ENOTFOUND ? fa_fail(e, rc, "no user or token has this id") : rc;
    return fa_caller_fresh(r->ledger, r->mem,
                           &(fa_caller){.kind = FA_CALLER_TOKEN,
                                        .id = t.id,
                                        .name = t.description,
                                        .client_id = t.client_id,
                                        .account = r->caller->account,
                                        .proved_ms = -1},
                           out, e);
}

/* Which role gives a permission; empty: none. */
static fa_rc granting(fa_req *r, const fa_caller *c, fa_perm p, fa_str *role, fa_err *e)
{
    fa_str list = c->roles, word;
    fa_perms perms;
    fa_rc rc;

    *role = FA_STR("");
    while (fa_list_next(&list, &word)) {
        if ((rc = fa_roles_perms(r->ledger, r->mem, word, &perms, NULL, e)))
            return rc;
        if (fa_perms_has(&perms, p)) {
            *role = word;
            return FA_OK;
        }
    }
    return FA_OK;
}

static fa_rc put_permissions(fa_req *r, fa_jw *w, const fa_caller *c, fa_err *e)
{
    fa_rc rc = FA_OK;

    fa_jw_key(w, "permissions");
    fa_jw_arr(w);
    for (int p = FA_PERM_SELF + 1; !rc && p < FA_PERM__COUNT; p++) {
        fa_str role;

        if (!fa_caller_may(c, (fa_perm)p))
            continue;
        rc = granting(r, c, (fa_perm)p, &role, e);
        fa_jw_obj(w);
        put_z(w, "key", fa_perm_name((fa_perm)p));
        put_str(w, "by", role);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    return rc;
}

static fa_rc put_object(fa_req *r, fa_jw *w, const fa_caller *c, fa_err *e)
{
    fa_str kind = fa_req_query(r, "type"), id = fa_req_query(r, "object");
    fa_acl acl;
    fa_rc rc;

    if (!kind.n || !id.n)
        return FA_OK;
    if ((rc = fa_acl_get(r->ledger, r->mem, kind, id, &acl, e)))
        return rc;
    fa_jw_key(w, "object");
    fa_jw_obj(w);
    put_str(w, "type", kind);
    put_str(w, "id", id);
    fa_jw_key(w, "acl");
    fa_acl_json(w, &acl);
    put_bool(w, "mayRead", fa_acl_may_read(&acl, c));
    put_bool(w, "mayWrite", fa_acl_may_write(&acl, c));
    fa_jw_end_obj(w);
    return FA_OK;
}

fa_rc api_explain(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    const fa_filter *scope;
    fa_caller c;
    fa_str text;
    fa_team *t;
    size_t n;
    bool on;
    fa_jw w;
    fa_rc rc;

    if ((rc = principal(r, fa_req_query(r, "principal"), &c, e)) ||
        (rc = fa_data_access_get(r->ledger, r->mem, &on, e)) ||
        (rc = fa_caller_scope(r->ledger, r->mem, &c, &scope, e)) ||
        (rc = fa_caller_scope_text(r->ledger, r->mem, &c, &text, e)) ||
        (rc = c.user_id.n ? fa_team_of_user(s, r->mem, c.account, c.user_id, &t, &n, e)
                          : fa_team_of_token(s, r->mem, c.account, c.id, &t, &n, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "kind", c.kind == FA_CALLER_TOKEN ? "token" : "user");
    put_str(&w, "id", c.id);
    put_str(&w, "name", c.name);
    fa_jw_key(&w, "roles");
    put_words(&w, c.roles);
    rc = put_permissions(r, &w, &c, e);
    put_bool(&w, "dataAccess", on);
    put_z(&w, "sees", !scope ? "all" : fa_str_eqz(text, "none") ? "none" : "some");
    fa_jw_key(&w, "groups");
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++)
        rc = put_team(r, &w, &t[i], NULL, 0);
    fa_jw_end_arr(&w);
    if (!rc)
        rc = put_object(r, &w, &c, e);
    fa_jw_key(&w, "sight");
    fa_jw_obj(&w);
    if (!rc)
        rc = put_sight(r, &w, scope, e);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    return rc;
}
