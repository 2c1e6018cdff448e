/*
 * people.c - users, invitations and links to join by (access.md 2).
 */
#include "api/internal.h"

#include <string.h>

static fa_rc put_user(fa_req *r, fa_jw *w, const fa_user *u, const fa_team *t, size_t nt,
                      const fa_team_member *m, size_t nm, fa_err *e)
{
    fa_ledger *home = fa_ledger_home(r->ledger);
    fa_user own = *u;
    int64_t until = -1;
    fa_err none;
    fa_rc rc = FA_OK;

    if (home != r->ledger &&
        fa_user_by_id(fa_ledger_store(home), r->mem, fa_ledger_account(home), u->id, &own, &none))
        own = *u; /* has left the installation */

    if (fa_str_eqz(u->state, "invited") &&
        (rc = fa_signin_open(fa_ledger_store(r->ledger), r->mem, r->caller->account, u->id,
                             FA_STR("invite"), fa_now_ms(), &until, e)))
        return rc;
    fa_jw_obj(w);
    put_str(w, "id", u->id);
    put_str(w, "email", u->email);
    put_str(w, "name", u->name);
    put_str(w, "phone", u->phone);
    put_str(w, "state", u->state);
    put_str(w, "provider", u->managed_by);
    fa_jw_key(w, "roles");
    put_words(w, u->roles);
    fa_jw_key(w, "groups");
    fa_jw_arr(w);
    for (size_t i = 0; i < nt; i++)
        for (size_t k = 0; k < nm; k++)
            if (fa_str_eq(m[k].team_id, t[i].id) && fa_str_eq(m[k].user_id, u->id)) {
                fa_jw_str(w, t[i].id);
                break;
            }
    fa_jw_end_arr(w);
    put_bool(w, "mfa", own.totp.n > 0);
    put_time(w, "createdAt", u->created_ms);
    put_time(w, "joinedAt", u->joined_ms);
    put_time(w, "lastLoginAt", u->last_login_ms);
    put_time(w, "invitedUntil", until);
    fa_jw_end_obj(w);
    return FA_OK;
}

fa_rc api_users_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_str account = r->caller->account;
    size_t nu, nt, nm;
    fa_team_member *m;
    fa_user *u;
    fa_team *t;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_user_list(s, r->mem, account, &u, &nu, e)) ||
        (rc = fa_team_list(s, r->mem, account, &t, &nt, e)) ||
        (rc = fa_team_members(s, r->mem, account, &m, &nm, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_bool(&w, "mail", mail_is_set_up(r));
    fa_jw_key(&w, "users");
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < nu; i++)
        rc = put_user(r, &w, &u[i], t, nt, m, nm, e);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return rc;
}

/* {id, mailed} and, when no mail went out, the link for who will hand it on. */
static void put_link(fa_req *r, fa_res *o, fa_str id, fa_str secret, bool mailed, const char *kind)
{
    fa_jw w;

    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "id", id);
    put_bool(&w, "mailed", mailed);
    if (mailed)
        put_z(&w, "link", NULL);
    else
        put_str(&w, "link", mail_url(r, secret, kind));
    fa_jw_end_obj(&w);
}

/* Another account takes in who signs in at the first one; there is no link to send. */
static fa_rc add_member(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str email, roles, id;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "email", true, &email, e)) ||
        (rc = in_list(r->mem, r->json, "roles", true, &roles, e)) ||
        (rc = fa_member_add(r->ledger, r->mem, r->caller, email, roles, &id, e)))
        return rc;
    o->status = 201;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "id", id);
    put_bool(&w, "mailed", false);
    put_z(&w, "link", NULL);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_users_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str email, name, phone, roles, id, secret;
    fa_rc rc;

    if (!fa_ledger_is_first(r->ledger))
        return add_member(r, o, e);
    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "email", true, &email, e)) ||
        (rc = in_text(r->json, "name", false, &name, e)) ||
        (rc = in_text(r->json, "phone", false, &phone, e)) ||
        (rc = in_list(r->mem, r->json, "roles", true, &roles, e)) ||
        (rc = fa_user_invite(r->ledger, r->mem, r->caller, email, name, phone, roles, &id, &secret,
                             e)))
        return rc;
    o->status = 201;
    put_link(r, o, id, secret,
             mail_link(r, &(fa_user){.email = fa_str_trim(email)}, secret, "invite"), "invite");
    return FA_OK;
}

fa_rc api_user_resend(fa_req *r, fa_res *o, fa_err *e)
{
    const char *kind;
    fa_str secret;
    fa_user u;
    fa_rc rc;

    if ((rc = fa_user_by_id(fa_ledger_store(r->ledger), r->mem, r->caller->account, r->arg[0], &u,
                            e)) ||
        (rc = fa_user_reinvite(r->ledger, r->mem, r->caller, r->arg[0], &secret, e)))
        return rc;
    kind = fa_str_eqz(u.state, "invited") ? "invite" : "reset";
    put_link(r, o, u.id, secret, mail_link(r, &u, secret, kind), kind);
    return FA_OK;
}

fa_rc api_user_put(fa_req *r, fa_res *o, fa_err *e)
{
    bool has_roles = json_is_array(json_object_get(r->json, "roles"));
    fa_str name, phone, roles;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", false, &name, e)) ||
        (rc = in_text(r->json, "phone", false, &phone, e)) ||
        (rc = in_list(r->mem, r->json, "roles", false, &roles, e)))
        return rc;
    o->status = 204;
    return fa_user_change(r->ledger, r->mem, r->caller, r->arg[0], name.p ? &name : NULL,
                          phone.p ? &phone : NULL, has_roles ? &roles : NULL, e);
}

fa_rc api_user_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc = fa_user_remove(r->ledger, r->mem, r->caller, r->arg[0], fa_req_query(r, "heir"), e);

    o->status = 204;
    return rc ? rc : fa_member_left(r->ledger, r->arg[0], e);
}

static fa_rc set_state(fa_req *r, fa_res *o, const char *to, fa_err *e)
{
    o->status = 204;
    return fa_user_set_state(r->ledger, r->mem, r->caller, r->arg[0], to, e);
}

fa_rc api_user_lock(fa_req *r, fa_res *o, fa_err *e)
{
    return set_state(r, o, "locked", e);
}

fa_rc api_user_unlock(fa_req *r, fa_res *o, fa_err *e)
{
    return set_state(r, o, "active", e);
}

fa_rc api_user_disable(fa_req *r, fa_res *o, fa_err *e)
{
    return set_state(r, o, "disabled", e);
}

fa_rc api_user_enable(fa_req *r, fa_res *o, fa_err *e)
{
    return set_state(r, o, "active", e);
}

fa_rc api_user_end_sessions(fa_req *r, fa_res *o, fa_err *e)
{
    fa_user u;
    fa_rc rc =
        fa_user_by_id(fa_ledger_store(r->ledger), r->mem, r->caller->account, r->arg[0], &u, e);

    o->status = 204;
    return rc ? rc : fa_session_end_by_id(r->ledger, r->mem, r->caller, u.id, FA_STR(""), e);
}

fa_rc api_user_reset_mfa(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_totp_drop(r->ledger, r->mem, r->caller, r->arg[0], e);
}

/* ---- links ---- */

fa_rc api_links_get(fa_req *r, fa_res *o, fa_err *e)
{
    int64_t now = fa_now_ms();
    fa_join_link *v;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_join_link_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &v, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "links");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_str(&w, "id", v[i].id);
        fa_jw_key(&w, "roles");
        put_words(&w, v[i].roles);
        fa_jw_key(&w, "domains");
        put_words(&w, v[i].domains);
        put_int(&w, "used", v[i].used);
        put_int(&w, "most", v[i].most);
        put_str(&w, "createdBy", v[i].created_by);
        put_time(&w, "createdAt", v[i].created_ms);
        put_time(&w, "expiresAt", v[i].expires_ms);
        put_bool(&w, "open", v[i].revoked_ms < 0 && v[i].expires_ms > now && v[i].used < v[i].most);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_links_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str domains, id, secret;
    int64_t hours, most;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_list(r->mem, r->json, "domains", false, &domains, e)) ||
        (rc = in_int(r->json, "hours", 1, 720, 24, &hours, e)) ||
        (rc = in_int(r->json, "most", 1, 1000, 50, &most, e)) ||
        (rc = fa_join_link_make(r->ledger, r->mem, r->caller, domains, hours, most, &id, &secret,
                                e)))
        return rc;
    o->status = 201;
    put_link(r, o, id, secret, false, "join");
    return FA_OK;
}

fa_rc api_links_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    o->status = 204;
    if (!(rc = fa_join_link_revoke(s, r->caller->account, r->arg[0], fa_now_ms(), e)))
        rc = fa_audit_add(r->ledger, r->caller,
                          &(fa_audit){.action = "join_link.revoke",
                                      .object_type = "join_link",
                                      .object_id = r->arg[0]},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

/* People and groups to choose from when something is shared. */
fa_rc api_principals(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    size_t nu, nt;
    fa_user *u;
    fa_team *t;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_user_list(s, r->mem, r->caller->account, &u, &nu, e)) ||
        (rc = fa_team_list(s, r->mem, r->caller->account, &t, &nt, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "users");
    fa_jw_arr(&w);
    for (size_t i = 0; i < nu; i++) {
        fa_jw_obj(&w);
        put_str(&w, "id", u[i].id);
        put_str(&w, "name", u[i].name);
        put_str(&w, "email", u[i].email);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "groups");
    fa_jw_arr(&w);
    for (size_t i = 0; i < nt; i++) {
        fa_jw_obj(&w);
        put_str(&w, "id", t[i].id);
        put_str(&w, "name", t[i].name);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}
