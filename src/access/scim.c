/*
 * scim.c - provisioning: the clients that may, and what they do to users and groups (RFC 7643; access.md 7.3).
 *
 * A client makes and changes people and groups of its own. Somebody who is here already is taken over with the
 * first change, but never an administrator or one who may break the glass; a group made by hand never. What a client
 * gives is a membership of its own kind; roles come from the groups' settings and the account's default.
 */
#include "access/internal.h"

#include <string.h>

#define DAY_MS 86400000LL
enum { CLIENTS_MAX = 20, GROUPS_MAX = 1000 };

static fa_rc wrong(fa_err *e, fa_rc rc, const char *word, const char *why)
{
    fa_fail(e, rc, "%s", why);
    return fa_at(e, word);
}

/* ---- clients ---- */

static fa_rc client_audit(fa_ledger *l, const fa_caller *by, const char *action, fa_str id,
                          fa_str name, fa_err *e)
{
    return fa_audit_add(l, by,
                        &(fa_audit){.action = action,
                                    .object_type = "scim_client",
                                    .object_id = id,
                                    .object_name = name,
                                    .severity = "high"},
                        e);
}

fa_rc fa_scim_client_make(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str name, fa_str *id,
                          fa_str *secret, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    char uuid[37], hash[65], text[FA_SECRET_MAX];
    fa_scim_client v, *all;
    bool opened;
    size_t n;
    fa_rc rc;

    if ((rc = fa_text_ok(&name, 1, 100, "name", e)) || (rc = fa_store_enter(s, &opened, e)))
        return rc;
    fa_uuid_v4(uuid);
    fa_secret_token(text);
    *id = fa_arena_dup(a, fa_str_of(uuid));
    *secret = fa_arena_dup(a, fa_str_of(text));
    fa_secret_hash(fa_str_of(text), hash);
    explicit_bzero(text, sizeof text);
    v = (fa_scim_client){.id = *id,
                         .name = name,
                         .hash = fa_str_of(hash),
                         .old_hash = FA_STR(""),
                         .old_until_ms = -1,
                         .created_by = by->email,
                         .created_ms = fa_now_ms(),
                         .used_ms = -1};
    if (!id->p || !secret->p)
        rc = fa_oom(e);
    if (!rc && !(rc = fa_scim_client_list(s, a, account, &all, &n, e)) && n >= CLIENTS_MAX)
        rc = fa_fail(e, FA_EDATA, "there are %d clients already", CLIENTS_MAX);
    if (!rc && !(rc = fa_scim_client_add(s, account, &v, e)))
        rc = client_audit(l, by, "scim_client.create", *id, name, e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_scim_client_turn(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str *secret,
                          fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    char hash[65], text[FA_SECRET_MAX];
    fa_scim_client v;
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    fa_secret_token(text);
    *secret = fa_arena_dup(a, fa_str_of(text));
    fa_secret_hash(fa_str_of(text), hash);
    explicit_bzero(text, sizeof text);
    if (!secret->p)
        rc = fa_oom(e);
    if (!rc && !(rc = fa_scim_client_get(s, a, fa_ledger_account(l), id, &v, e)) &&
        !(rc = fa_scim_client_rotate(s, fa_ledger_account(l), id, fa_str_of(hash),
                                     fa_now_ms() + DAY_MS, e)))
        rc = client_audit(l, by, "scim_client.rotate", id, v.name, e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_scim_client_end(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_scim_client v;
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_scim_client_get(s, a, fa_ledger_account(l), id, &v, e)) &&
        !(rc = fa_scim_client_delete(s, fa_ledger_account(l), id, e)))
        rc = client_audit(l, by, "scim_client.delete", id, v.name, e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_scim_check(fa_ledger *l, fa_arena *a, fa_str secret, fa_caller *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    int64_t now = fa_now_ms();
    char hash[65];
    fa_scim_client v;
    fa_err none = {0};
    fa_rc rc = FA_ENOTFOUND;

    *out = (fa_caller){0};
    if (fa_secret_form(secret)) {
        fa_secret_hash(secret, hash);
        rc = fa_scim_client_by_hash(s, a, fa_ledger_account(l), fa_str_of(hash), now, &v, &none);
    }
    if (rc == FA_ENOTFOUND)
        return fa_fail(e, FA_EAUTH, "the provisioning key is wrong");
    if (rc)
        return fa_fail(e, rc, "%s", none.msg);
    if (now - v.used_ms > 60000 && fa_scim_client_touch(s, fa_ledger_account(l), v.id, now, &none))
        fa_log(FA_LOG_WARN, "scim_touch_failed", "error=%s", none.msg);
    *out = (fa_caller){.kind = FA_CALLER_TOKEN,
                       .id = v.id,
                       .name = v.name,
                       .client_id = v.id,
                       .account = fa_ledger_account(l),
                       .proved_ms = -1,
                       .source = "scim"};
    fa_perms_add(&out->perms, FA_PERM_PUBLIC);
    fa_perms_add(&out->perms, FA_PERM_SELF);
    fa_perms_add(&out->perms, FA_PERM_SCIM_EDIT);
    return FA_OK;
}

/* ---- users ---- */

static fa_rc user_json(fa_arena *a, const fa_user *u, fa_str external, fa_str *out, fa_err *e)
{
    return fa_json_pairs(a, out, e, "email", u->email, "name", u->name, "phone", u->phone, "state",
                         u->state, "externalId", external, NULL);
}

/* An administrator, and whoever may break the glass, is no client's to change. */
static fa_rc may_touch(fa_ledger *l, fa_arena *a, const fa_user *u, fa_err *e)
{
    fa_policy p;
    fa_rc rc;

    if (fa_str_eqz(u->managed_by, "scim2"))
        return FA_OK;
    if ((rc = fa_policy_get(l, a, &p, e)))
        return rc;
    if (fa_list_has(u->roles, FA_STR("admin")) || (p.sso_only && fa_password_allowed(&p, u->email)))
        return wrong(e, FA_EFORBIDDEN, "mutability", "this user is not managed by provisioning");
    return FA_OK;
}

static fa_rc user_take(fa_scim_user *v, fa_user *u, fa_err *e)
{
    fa_str name = fa_str_trim(v->name);

    if (!fa_email_ok(fa_str_trim(v->user_name)))
        return wrong(e, FA_EINVAL, "invalidValue", "userName must be an e-mail address");
    u->email = fa_str_trim(v->user_name);
    u->name = name.n ? name : u->email;
    u->phone = v->phone;
    if (fa_text_ok(&u->name, 1, 254, "invalidValue", e) ||
        fa_text_ok(&u->phone, 0, 40, "invalidValue", e))
        return e->rc;
    if (v->external_id.n > 500 || !fa_utf8_valid(v->external_id))
        return wrong(e, FA_EINVAL, "invalidValue", "externalId is longer than 500 bytes");
    /* who was locked here stays locked whatever the client says */
    if (!v->active)
        u->state = FA_STR("disabled");
    else if (!fa_str_eqz(u->state, "locked"))
        u->state = FA_STR("active");
    u->managed_by = FA_STR("scim2");
    return FA_OK;
}

static fa_rc user_new(fa_ledger *l, fa_arena *a, fa_user *u, fa_err *e)
{
    fa_policy p;
    char id[37];
    fa_rc rc = fa_policy_get(l, a, &p, e);

    if (rc)
        return rc;
    fa_uuid_v4(id);
    *u = (fa_user){.id = fa_arena_dup(a, fa_str_of(id)),
                   .password = FA_STR(""),
                   .roles = p.join_roles,
                   .state = FA_STR("active"),
                   .created_ms = fa_now_ms(),
                   .last_login_ms = -1,
                   .joined_ms = -1,
                   .totp_step = -1};
    return u->id.p ? FA_OK : fa_oom(e);
}

static fa_rc unique(fa_rc rc, fa_err *e)
{
    return rc == FA_ECONFLICT ? wrong(e, rc, "uniqueness", "this name is used already") : rc;
}

static fa_rc user_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_scim_user *v, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before = FA_STR(""), after;
    bool fresh = !v->id.n, was_active;
    fa_scim_ref ref;
    fa_user u;
    fa_rc rc;

    rc = fresh ? user_new(l, a, &u, e) : fa_user_by_id(s, a, account, v->id, &u, e);
    if (rc || (!fresh &&
               ((rc = may_touch(l, a, &u, e)) || (rc = user_json(a, &u, FA_STR(""), &before, e)))))
        return rc;
    was_active = fa_str_eqz(u.state, "active");
    if ((rc = user_take(v, &u, e)) ||
        (rc =
             unique(fresh ? fa_user_add(s, account, &u, e) : fa_user_update(s, account, &u, e), e)))
        return rc;
    if (!v->active && (rc = fa_session_end_all(s, account, u.id, e)))
        return rc;
    ref = (fa_scim_ref){.id = u.id, .external_id = v->external_id, .updated_ms = fa_now_ms()};
    v->id = u.id;
    if ((rc = fa_scim_ref_put(s, account, FA_STR("user"), &ref, e)) ||
        (rc = user_json(a, &u, v->external_id, &after, e)) ||
        (rc = fa_user_audit(l, by,
                            fresh                      ? "user.create"
                            : was_active && !v->active ? "user.disable"
                                                       : "user.change",
                            &u, before, after, e)))
        return rc;
    return fa_admins_stay(l, a, e);
}

fa_rc fa_scim_user_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_scim_user *v, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = user_save(l, a, by, v, e);
    return fa_store_leave(s, opened, rc, e);
}

static fa_rc user_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before;
    fa_user u;
    fa_rc rc;

    if ((rc = fa_user_by_id(s, a, account, id, &u, e)) || (rc = may_touch(l, a, &u, e)) ||
        (rc = user_json(a, &u, FA_STR(""), &before, e)) ||
        (rc = fa_acl_row_heir(s, account, id, FA_STR(""), e)) ||
        (rc = fa_user_delete(s, account, id, e)) ||
        (rc = fa_scim_ref_drop(s, account, FA_STR("user"), id, e)) ||
        (rc = fa_user_audit(l, by, "user.delete", &u, before, FA_STR(""), e)))
        return rc;
    return fa_admins_stay(l, a, e);
}

fa_rc fa_scim_user_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = user_remove(l, a, by, id, e);
    return fa_store_leave(s, opened, rc, e);
}

/* ---- groups ---- */

static fa_rc group_open(fa_ledger *l, fa_arena *a, const fa_scim_group *v, fa_team *t, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    fa_team *all;
    char id[37];
    size_t n;
    fa_rc rc;

    if (v->id.n) {
        if ((rc = fa_team_get(s, a, account, v->id, t, e)))
            return rc;
        return fa_str_eqz(t->managed_by, "scim2")
                   ? FA_OK
                   : wrong(e, FA_EFORBIDDEN, "mutability",
                           "this group is not managed by provisioning");
    }
    if ((rc = fa_team_list(s, a, account, &all, &n, e)))
        return rc;
    if (n >= GROUPS_MAX)
        return fa_fail(e, FA_EDATA, "there are %d groups already", GROUPS_MAX);
    fa_uuid_v4(id);
    *t = (fa_team){.id = fa_arena_dup(a, fa_str_of(id)),
                   .description = FA_STR(""),
                   .color = FA_STR(""),
                   .metadata = FA_STR(""),
                   .managed_by = FA_STR("scim2"),
                   .filter = FA_STR(""),
                   .created_ms = fa_now_ms()};
    return t->id.p ? FA_OK : fa_oom(e);
}

static bool in_list(const fa_str *list, size_t n, fa_str v)
{
    for (size_t i = 0; i < n; i++)
        if (fa_str_eq(list[i], v))
            return true;
    return false;
}

/* The members become exactly these; each one of ours that does not exist is an error. */
static fa_rc set_members(fa_ledger *l, fa_arena *a, const fa_scim_group *v, fa_str team, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    fa_team_member *m;
    fa_user u;
    size_t n;
    fa_rc rc = fa_team_members(s, a, account, &m, &n, e);

    for (size_t i = 0; !rc && i < n; i++)
        if (fa_str_eq(m[i].team_id, team) && fa_str_eqz(m[i].source, "scim") &&
            !in_list(v->member, v->nmember, m[i].user_id))
            rc = fa_team_drop_member(s, account, team, m[i].user_id, FA_STR("scim"), e);
    for (size_t i = 0; !rc && i < v->nmember; i++) {
        rc = fa_user_by_id(s, a, account, v->member[i], &u, e);
        if (rc == FA_ENOTFOUND)
            return wrong(e, FA_EINVAL, "invalidValue", "a member is no user");
        if (!rc)
            rc = fa_team_add_member(s, account, team, u.id, FA_STR("scim"), e);
    }
    return rc;
}

static fa_rc group_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_scim_group *v, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), after;
    bool fresh = !v->id.n;
    char count[24];
    fa_scim_ref ref;
    fa_team t;
    fa_rc rc;

    if ((rc = group_open(l, a, v, &t, e)))
        return rc;
    t.name = v->display_name;
    t.updated_ms = fa_now_ms();
    if (fa_text_ok(&t.name, 1, 100, "invalidValue", e))
        return e->rc;
    if (v->external_id.n > 500 || !fa_utf8_valid(v->external_id))
        return wrong(e, FA_EINVAL, "invalidValue", "externalId is longer than 500 bytes");
    v->id = t.id;
    ref = (fa_scim_ref){.id = t.id, .external_id = v->external_id, .updated_ms = t.updated_ms};
    snprintf(count, sizeof count, "%zu", v->nmember);
    if ((rc = unique(fa_team_put(s, account, &t, e), e)) || (rc = set_members(l, a, v, t.id, e)) ||
        (rc = fa_scim_ref_put(s, account, FA_STR("group"), &ref, e)) ||
        (rc = fa_json_pairs(a, &after, e, "name", t.name, "externalId", v->external_id, "members",
                            fa_str_of(count), NULL)) ||
        (rc = fa_team_audit(l, by, fresh ? "group.create" : "group.change", &t, FA_STR(""), after,
                            e)))
        return rc;
    return fa_admins_stay(l, a, e);
}

fa_rc fa_scim_group_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_scim_group *v,
                         fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = group_save(l, a, by, v, e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_scim_group_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    bool opened;
    fa_team t;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = group_open(l, a, &(fa_scim_group){.id = id}, &t, e)) &&
        !(rc = fa_team_delete(s, account, id, e)) &&
        !(rc = fa_scim_ref_drop(s, account, FA_STR("group"), id, e)) &&
        !(rc = fa_team_audit(l, by, "group.delete", &t, FA_STR(""), FA_STR(""), e)))
        rc = fa_admins_stay(l, a, e);
    return fa_store_leave(s, opened, rc, e);
}
