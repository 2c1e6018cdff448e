/*
 * frontegg.c - sign-in and groups in the words public clients already use (api.md 9.6, 9.8, 9.9). All
 * answers are 200: those clients take nothing else.
 */
#include "api/internal.h"

/* ---- sign-in: accessToken is a session's secret, sent back as "Authorization: Bearer" ---- */

static void put_device(fa_jw *w, bool mfa)
{
    fa_jw_key(w, "mfaDevices");
    fa_jw_obj(w);
    for (int i = 0; i < 3; i++) {
        static const char *const none[] = {"webauthn", "phones", "emails"};

        fa_jw_key(w, none[i]);
        fa_jw_arr(w);
        fa_jw_end_arr(w);
    }
    fa_jw_key(w, "authenticators");
    fa_jw_arr(w);
    if (mfa) {
        fa_jw_obj(w);
        put_z(w, "id", "totp");
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

static fa_rc put_signed_in(fa_req *r, fa_res *o, const fa_signed_in *in, fa_err *e)
{
    fa_buf when = {0};
    fa_caller c;
    fa_policy p;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_policy_get(r->ledger, r->mem, &p, e)) ||
        (!in->challenge.n &&
         (rc = fa_session_check(r->ledger, r->mem, in->session, r->ip, &c, NULL, e))))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_bool(&w, "mfaRequired", in->challenge.n > 0);
    if (in->challenge.n) {
        put_str(&w, "mfaToken", in->challenge);
        put_device(&w, true);
    } else {
        put_z(&w, "mfaToken", NULL);
        put_device(&w, false);
        put_str(&w, "accessToken", in->session);
        put_str(&w, "refreshToken", in->session);
        put_int(&w, "expiresIn", p.absolute_minutes * 60);
        fa_time_iso(&when, fa_now_ms() + p.absolute_minutes * 60000);
        put_str(&w, "expires", fa_buf_view(&when));
        put_str(&w, "userId", c.id);
        put_str(&w, "userEmail", c.email);
        put_bool(&w, "emailVerified", true);
    }
    fa_jw_end_obj(&w);
    fa_buf_release(&when);
    return FA_OK;
}

fa_rc api_fe_signin(fa_req *r, fa_res *o, fa_err *e)
{
    fa_browser b = api_browser(r);
    fa_str email, password;
    fa_signed_in in;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "email", true, &email, e)) ||
        (rc = in_text(r->json, "password", true, &password, e)) ||
        (rc = fa_signin_password(r->ledger, r->mem, email, password, &b, &in, e)))
        return rc;
    if (in.broke_glass)
        mail_broke_glass(r);
    return put_signed_in(r, o, &in, e);
}

fa_rc api_fe_code(fa_req *r, fa_res *o, fa_err *e)
{
    fa_browser b = api_browser(r);
    fa_str token, code;
    fa_signed_in in;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "mfaToken", true, &token, e)) ||
        (rc = in_text(r->json, "value", true, &code, e)) ||
        (rc = fa_signin_code(r->ledger, r->mem, token, code,
                             json_is_true(json_object_get(r->json, "rememberDevice")), &b, &in, e)))
        return rc;
    return put_signed_in(r, o, &in, e);
}

/* ---- groups ---- */

static fa_rc put_roles(fa_req *r, fa_jw *w, fa_str list, fa_err *e)
{
    fa_role_row row;
    fa_str word;

    fa_jw_key(w, "roles");
    fa_jw_arr(w);
    while (fa_list_next(&list, &word)) {
        fa_str name = word;

        if (!fa_role_exists(word)) {
            if (fa_role_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, word, &row, e))
                continue;
            name = row.name;
        }
        fa_jw_obj(w);
        put_str(w, "id", word);
        put_str(w, "key", word);
        put_str(w, "name", name);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    return FA_OK;
}

static fa_rc put_group(fa_req *r, fa_jw *w, const fa_team *t, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_str last = FA_STR("");
    fa_team_member *m;
    size_t n;
    fa_user u;
    fa_rc rc = fa_team_members(s, r->mem, r->caller->account, &m, &n, e);

    fa_jw_obj(w);
    put_str(w, "id", t->id);
    put_str(w, "name", t->name);
    put_str(w, "color", t->color);
    put_str(w, "description", t->description);
    put_str(w, "metadata", t->metadata);
    if (!rc)
        rc = put_roles(r, w, t->roles, e);
    fa_jw_key(w, "users");
    fa_jw_arr(w);
    for (size_t i = 0; !rc && i < n; i++) {
        if (!fa_str_eq(m[i].team_id, t->id) || fa_str_eq(m[i].user_id, last) ||
            (rc = fa_user_by_id(s, r->mem, r->caller->account, m[i].user_id, &u, e)))
            continue;
        last = m[i].user_id;
        fa_jw_obj(w);
        put_str(w, "id", u.id);
        put_str(w, "name", u.name);
        put_z(w, "profilePictureUrl", NULL);
        put_str(w, "email", u.email);
        put_time(w, "createdAt", u.created_ms);
        put_bool(w, "activatedForTenant", !fa_str_eqz(u.state, "invited"));
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    put_z(w, "managedBy", fa_str_eqz(t->managed_by, "scim2") ? "scim2" : "frontegg");
    fa_jw_end_obj(w);
    return rc;
}

fa_rc api_fe_groups(fa_req *r, fa_res *o, fa_err *e)
{
    fa_team *t;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_team_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &t, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "groups");
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++)
        rc = put_group(r, &w, &t[i], e);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return rc;
}

static fa_rc answer(fa_req *r, fa_res *o, fa_str id, fa_err *e)
{
    fa_team t;
    fa_jw w;
    fa_rc rc = fa_team_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, id, &t, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    return put_group(r, &w, &t, e);
}

static fa_rc save(fa_req *r, fa_res *o, fa_str id, fa_err *e)
{
    fa_str name, description, color, metadata;
    fa_team_wish w = {0};
    fa_team t;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", !id.n, &name, e)) ||
        (rc = in_text(r->json, "description", false, &description, e)) ||
        (rc = in_text(r->json, "color", false, &color, e)) ||
        (rc = in_text(r->json, "metadata", false, &metadata, e)))
        return rc;
    w.name = name.p ? &name : NULL;
    w.description = description.p ? &description : NULL;
    w.color = color.p ? &color : NULL;
    w.metadata = metadata.p ? &metadata : NULL;
    if ((rc = fa_team_save(r->ledger, r->mem, r->caller, id, &w, &t, e)))
        return rc;
    return answer(r, o, t.id, e);
}

fa_rc api_fe_group_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, (fa_str){0}, e);
}

fa_rc api_fe_group_patch(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, r->arg[0], e);
}

fa_rc api_fe_group_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_jw w;
    fa_rc rc = fa_team_remove(r->ledger, r->mem, r->caller, r->arg[0], e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_fe_group_users(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_str ids, id;
    bool opened;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_list(r->mem, r->json, "userIds", true, &ids, e)) ||
        (rc = fa_store_enter(s, &opened, e)))
        return rc;
    while (!rc && fa_list_next(&ids, &id))
        rc = fa_team_join(r->ledger, r->mem, r->caller, r->arg[0], id, true, e);
    rc = fa_store_leave(s, opened, rc, e);
    return rc ? rc : answer(r, o, r->arg[0], e);
}

/* Adds roles to those the group has. */
fa_rc api_fe_group_roles(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str more, all;
    fa_team_wish w = {.roles = &all};
    fa_team t;
    char *z;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_list(r->mem, r->json, "roleIds", true, &more, e)) ||
        (rc =
             fa_team_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, r->arg[0], &t, e)))
        return rc;
    if (!(z = fa_arena_printf(r->mem, "%.*s %.*s", FA_FMT(t.roles), FA_FMT(more))))
        return fa_oom(e);
    all = fa_str_of(z);
    if ((rc = fa_team_save(r->ledger, r->mem, r->caller, r->arg[0], &w, &t, e)))
        return rc;
    return answer(r, o, r->arg[0], e);
}

/* ---- data access by groupsConfig (9.6) ---- */

static fa_rc configure(fa_req *r, const char *id, const json_t *j, fa_err *e)
{
    const json_t *on = json_object_get(j, "dataAccessEnabled");
    bool access = json_is_true(on);
    fa_team_wish w = {.filter = json_object_get(j, "filters")};
    char at[160];
    fa_team t;
    fa_rc rc;

    if (on && !json_is_boolean(on)) {
        rc = fa_fail(e, FA_EINVAL, "dataAccessEnabled must be true or false");
    } else {
        w.data_access = on ? &access : NULL;
        rc = fa_team_save(r->ledger, r->mem, r->caller, fa_str_of(id), &w, &t, e);
    }
    if (!rc)
        return FA_OK;
    snprintf(at, sizeof at, "groupsConfig.%.60s", id);
    return fa_at(e, at);
}

fa_rc api_account_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    json_t *config = json_object_get(r->json, "groupsConfig"), *v;
    const char *id;
    bool opened;
    fa_rc rc;

    if (!fa_str_ieq(r->arg[0], r->caller->account))
        return fa_fail(e, FA_ENOTFOUND, "no account has this id");
    if ((rc = in_object(r, e)))
        return rc;
    if (!json_is_object(config)) {
        fa_fail(e, FA_EINVAL, config ? "must be an object" : "is missing");
        return fa_at(e, "groupsConfig");
    }
    if ((rc = fa_store_enter(s, &opened, e)))
        return rc;
    json_object_foreach(config, id, v) if (!rc) rc = configure(r, id, v, e);
    rc = fa_store_leave(s, opened, rc, e);
    return rc ? rc : api_account_get(r, o, e);
}
