/*
 * team.c - groups: roles, members and row rules.
 *
 * Two guards stand in every change: nobody gives a role he could not give directly, and nobody who is
 * not an administrator widens what he sees himself. The Admin Group keeps a member.
 */
#include "access/internal.h"

#include <stdlib.h>
#include <string.h>

enum { TEAMS_MAX = 1000, FILTER_MAX = 65536, CLAIMS_MAX = 200 };

static fa_rc team_json(fa_arena *a, const fa_team *t, fa_str *out, fa_err *e)
{
    fa_buf b = {0};
    fa_jw w;
    fa_rc rc;

    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    fa_jw_key(&w, "name");
    fa_jw_str(&w, t->name);
    fa_jw_key(&w, "roles");
    fa_jw_str(&w, t->roles);
    fa_jw_key(&w, "dataAccessEnabled");
    fa_jw_bool(&w, t->data_access);
    fa_jw_key(&w, "unrestricted");
    fa_jw_bool(&w, t->unrestricted);
    fa_jw_key(&w, "filters");
    if (t->filter.n)
        fa_jw_raw(&w, t->filter);
    else
        fa_jw_null(&w);
    fa_jw_key(&w, "claims");
    fa_jw_raw(&w, t->claims.n ? t->claims : FA_STR("[]"));
    fa_jw_end_obj(&w);
    rc = fa_json_out(a, &b, out, e);
    fa_buf_release(&b);
    return rc;
}

fa_rc fa_admins_stay(fa_ledger *l, fa_arena *a, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    size_t nu, nt, nm, admins = 0;
    fa_team_member *m;
    fa_policy p;
    fa_user *u;
    fa_team *t;
    fa_rc rc;

    if ((rc = fa_user_list(s, a, account, &u, &nu, e)) ||
        (rc = fa_team_list(s, a, account, &t, &nt, e)) ||
        (rc = fa_team_members(s, a, account, &m, &nm, e)))
        return rc;
    for (size_t i = 0; i < nu; i++) {
        /* before anybody signed in, the one who is invited is the administrator */
        if (fa_str_eqz(u[i].state, "locked") || fa_str_eqz(u[i].state, "disabled"))
            continue;
        admins += fa_list_has(u[i].roles, FA_STR("admin"));
    }
    if (!admins)
        return fa_fail(e, FA_ECONFLICT, "the account would have no administrator any more");
    for (size_t k = 0; k < nt; k++) {
        bool any = !t[k].is_admin;

        for (size_t i = 0; !any && i < nm; i++)
            for (size_t n = 0; !any && n < nu; n++)
                any = fa_str_eq(m[i].team_id, t[k].id) && fa_str_eq(m[i].user_id, u[n].id) &&
                      !fa_str_eqz(u[n].state, "locked") && !fa_str_eqz(u[n].state, "disabled");
        if (!any)
            return fa_fail(e, FA_ECONFLICT, "the Admin Group would be empty");
    }
    if ((rc = fa_policy_get(l, a, &p, e)))
        return rc;
    return fa_sso_only_holds(l, a, &p, false, e);
}

/* Who is no administrator and does not see all rows anyway must not touch what decides about rows. */
static fa_rc may_touch_rows(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_err *e)
{
    bool on, all;
    fa_rc rc;

    if (fa_caller_is_admin(by))
        return FA_OK;
    if ((rc = fa_data_access_get(l, a, &on, e)) || (rc = fa_caller_sees_all(l, a, by, &all, e)))
        return rc;
    return all && !on ? FA_OK
           : all      ? FA_OK
                      : fa_fail(e, FA_EFORBIDDEN,
                                "you see only some rows, so you cannot decide who sees which");
}

static fa_rc take_filter(fa_ledger *l, fa_arena *a, const json_t *j, fa_str *out, fa_err *e)
{
    const fa_filter *f;
    char *text;
    fa_rc rc;

    if (json_is_null(j) || (json_is_object(j) && json_object_size(j) == 0)) {
        *out = FA_STR("");
        return FA_OK;
    }
    if ((rc = fa_scope_parse(l, a, j, &f, e)))
        return rc == FA_EDATA ? (e->rc = FA_EINVAL) : rc;
    if (f->kind == FA_F_TRUE) {
        fa_fail(e, FA_EINVAL, "a rule that matches everything is said by \"unrestricted\"");
        return fa_at(e, "filters");
    }
    if (!(text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17))))
        return fa_oom(e);
    *out = fa_arena_dup(a, fa_str_of(text));
    free(text);
    if (!out->p)
        return fa_oom(e);
    if (out->n > FILTER_MAX) {
        fa_fail(e, FA_EDATA, "a rule of more than %d bytes", FILTER_MAX);
        return fa_at(e, "filters");
    }
    return FA_OK;
}

static fa_rc set_claims(fa_ledger *l, fa_str id, const json_t *list, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    const json_t *v;
    size_t i;
    fa_rc rc;

    if (!json_is_array(list) || json_array_size(list) > CLAIMS_MAX) {
        fa_fail(e, FA_EINVAL, "must be an array of at most %d names", CLAIMS_MAX);
        return fa_at(e, "samlGroups");
    }
    if ((rc = fa_team_clear_claims(s, fa_ledger_account(l), id, e)))
        return rc;
    json_array_foreach(list, i, v)
    {
        fa_str name = {json_string_value(v), json_string_length(v)};

        if (!json_is_string(v) || !name.n || name.n > 500) {
            fa_fail(e, FA_EINVAL, "must be an array of names");
            return fa_at(e, "samlGroups");
        }
        if ((rc = fa_team_add_claim(s, fa_ledger_account(l), id, name, e)))
            return rc;
    }
    return FA_OK;
}

static fa_rc team_new(fa_ledger *l, fa_arena *a, fa_team *t, fa_err *e)
{
    fa_team *all;
    char id[37];
    size_t n;
    fa_rc rc = fa_team_list(fa_ledger_store(l), a, fa_ledger_account(l), &all, &n, e);

    if (!rc && n >= TEAMS_MAX)
        rc = fa_fail(e, FA_EDATA, "there are %d groups already", TEAMS_MAX);
    if (rc)
        return rc;
    fa_uuid_v4(id);
    *t = (fa_team){.id = fa_arena_dup(a, fa_str_of(id)),
                   .managed_by = FA_STR("local"),
                   .metadata = FA_STR(""),
                   .created_ms = fa_now_ms()};
    return t->id.p ? FA_OK : fa_oom(e);
}

static fa_rc team_merge(fa_ledger *l, fa_arena *a, const fa_team_wish *w, fa_team *t, fa_err *e)
{
    fa_rc rc;

    if (t->is_admin && (w->filter || (w->data_access && !*w->data_access) ||
                        (w->unrestricted && !*w->unrestricted)))
        return fa_fail(e, FA_ECONFLICT, "the Admin Group sees everything");
    if (w->name)
        t->name = *w->name;
    if (w->description)
        t->description = *w->description;
    if (w->color)
        t->color = *w->color;
    if (w->metadata)
        t->metadata = *w->metadata;
    if (w->data_access)
        t->data_access = *w->data_access;
    if (w->unrestricted)
        t->unrestricted = *w->unrestricted;
    if (w->roles)
        t->roles = *w->roles;
    t->updated_ms = fa_now_ms();
    if ((rc = fa_text_ok(&t->name, 1, 100, "name", e)) ||
        (rc = fa_text_ok(&t->description, 0, 500, "description", e)) ||
        (rc = fa_text_ok(&t->color, 0, 30, "color", e)))
        return rc;
    if (t->metadata.n > 10000 || !fa_utf8_valid(t->metadata)) {
        fa_fail(e, FA_EINVAL, "must be a text of at most 10,000 bytes");
        return fa_at(e, "metadata");
    }
    return w->filter ? take_filter(l, a, w->filter, &t->filter, e) : FA_OK;
}

static fa_rc team_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id,
                       const fa_team_wish *w, fa_team *t, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before = {0}, after, roles = {0};
    fa_rc rc;

    rc = id.n ? fa_team_get(s, a, account, id, t, e) : team_new(l, a, t, e);
    if (rc || (id.n && (rc = team_json(a, t, &before, e))))
        return rc;
    /* its name and members come from there; what it gives is decided here */
    if (fa_str_eqz(t->managed_by, "scim2") && w->name && !fa_str_eq(*w->name, t->name))
        return fa_fail(e, FA_ECONFLICT, "the name of this group is managed by provisioning (SCIM)");
    if ((w->filter || w->data_access || w->unrestricted || w->claims) &&
        (rc = may_touch_rows(l, a, by, e)))
        return rc;
    roles = t->roles;
    if ((rc = team_merge(l, a, w, t, e)))
        return rc;
    /* what is given must be one's to give; and what is taken as well */
    if (w->roles && ((rc = fa_caller_may_give(l, a, by, t->roles, e)) ||
                     (rc = fa_caller_may_give(l, a, by, roles, e))))
        return rc;
    if ((rc = fa_team_put(s, account, t, e)) ||
        (w->roles && (rc = fa_team_set_roles(s, account, t->id, t->roles, e))) ||
        (w->claims && (rc = set_claims(l, t->id, w->claims, e))) ||
        (rc = fa_team_get(s, a, account, t->id, t, e)) || (rc = team_json(a, t, &after, e)))
        return rc;
    rc = fa_team_audit(l, by, id.n ? "group.change" : "group.create", t, before, after, e);
    return rc ? rc : fa_admins_stay(l, a, e);
}

fa_rc fa_team_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const fa_team_wish *w,
                   fa_team *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = team_save(l, a, by, id, w, out, e);
    return fa_store_leave(s, opened, rc, e);
}

static fa_rc team_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before;
    fa_team t;
    fa_rc rc;

    if ((rc = fa_team_get(s, a, account, id, &t, e)) || (rc = team_json(a, &t, &before, e)))
        return rc;
    if (t.is_admin)
        return fa_fail(e, FA_ECONFLICT, "the Admin Group cannot be deleted");
    if (fa_str_eqz(t.managed_by, "scim2"))
        return fa_fail(e, FA_ECONFLICT, "this group is managed by provisioning (SCIM)");
    if ((rc = fa_caller_may_give(l, a, by, t.roles, e)) || (rc = fa_team_delete(s, account, id, e)))
        return rc;
    rc = fa_team_audit(l, by, "group.delete", &t, before, FA_STR(""), e);
    return rc ? rc : fa_admins_stay(l, a, e);
}

fa_rc fa_team_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = team_remove(l, a, by, id, e);
    return fa_store_leave(s, opened, rc, e);
}

static fa_rc team_join(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str team, fa_str user,
                       bool member, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), what;
    fa_team t;
    fa_user u;
    fa_rc rc;

    if ((rc = fa_team_get(s, a, account, team, &t, e)) ||
        (rc = fa_user_by_id(s, a, account, user, &u, e)))
        return rc;
    if (fa_str_eqz(t.managed_by, "scim2"))
        return fa_fail(e, FA_ECONFLICT, "this group is managed by provisioning (SCIM)");
    /* membership gives the group's roles, and to oneself its rows */
    if ((rc = fa_caller_may_give(l, a, by, t.roles, e)) ||
        ((fa_str_eq(user, by->user_id) || t.is_admin || t.unrestricted) && member &&
         (rc = may_touch_rows(l, a, by, e))))
        return rc;
    rc = member ? fa_team_add_member(s, account, team, user, FA_STR("manual"), e)
                : fa_team_drop_member(s, account, team, user, FA_STR(""), e);
    if (rc || (rc = fa_json_pairs(a, &what, e, "user", u.id, "email", u.email, NULL)))
        return rc;
    rc = fa_team_audit(l, by, member ? "group.add_member" : "group.remove_member", &t,
                       member ? FA_STR("") : what, member ? what : FA_STR(""), e);
    return rc ? rc : fa_admins_stay(l, a, e);
}

fa_rc fa_team_join(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str team, fa_str user,
                   bool member, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = team_join(l, a, by, team, user, member, e);
    return fa_store_leave(s, opened, rc, e);
}

/* Does a JSON array of texts hold one of names[]? */
static bool claimed(fa_str claims, const fa_str *names, size_t n)
{
    json_t *j = json_loadb(claims.p, claims.n, 0, NULL), *v;
    bool found = false;
    size_t i;

    json_array_foreach(j, i, v) for (size_t k = 0; k < n; k++) found =
        found || fa_str_eqz(names[k], json_string_value(v));
    json_decref(j);
    return found;
}

fa_rc fa_team_sync(fa_ledger *l, fa_arena *a, fa_str user_id, const fa_str *names, size_t n,
                   fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    fa_team *t;
    size_t nt;
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_team_list(s, a, account, &t, &nt, e);
    for (size_t i = 0; !rc && i < nt; i++)
        rc = claimed(t[i].claims, names, n)
                 ? fa_team_add_member(s, account, t[i].id, user_id, FA_STR("sso"), e)
                 : fa_team_drop_member(s, account, t[i].id, user_id, FA_STR("sso"), e);
    return fa_store_leave(s, opened, rc, e);
}
