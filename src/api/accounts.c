/*
 * accounts.c - several accounts in one installation: those one may see, the switch between them, making and naming them.
 */
#include "api/internal.h"

#include <string.h>

/* Runs `act` inside an account, which is opened for it; the first one is open always. */
typedef fa_rc inside(fa_req *r, fa_ledger *l, void *user, fa_err *e);

static fa_rc go_inside(fa_req *r, fa_str id, inside *act, void *user, fa_err *e)
{
    const fa_accounts *all = house_accounts(app_of(r)->house);
    fa_ledger *l;
    void *app;
    fa_rc rc;

    if (fa_str_eq(id, fa_ledger_account(r->ledger)))
        return act(r, r->ledger, user, e);
    if ((rc = all->enter(all->house, id, true, &l, &app, e)))
        return rc;
    rc = act(r, l, user, e);
    all->leave(all->house, id);
    return rc;
}

static bool has_rights(const fa_caller *c)
{
    for (int p = FA_PERM_SELF + 1; p < FA_PERM__COUNT; p++)
        if (fa_caller_may(c, (fa_perm)p))
            return true;
    return false;
}

static void put_one(fa_jw *w, fa_str id, fa_str name, bool first)
{
    fa_jw_obj(w);
    put_str(w, "id", id);
    put_str(w, "name", name);
    put_bool(w, "first", first);
    fa_jw_end_obj(w);
}

/* Those of a person: the first one when he has any right there, and those he is a member of. */
fa_rc accounts_json(fa_req *r, fa_jw *w, fa_str user, fa_err *e)
{
    fa_ledger *home = fa_ledger_home(r->ledger);
    fa_store *s = fa_ledger_store(home);
    fa_err none = {0};
    fa_caller c = {0};
    fa_account own;
    fa_place *p;
    size_t n;
    fa_rc rc;

    if ((rc = fa_account_first(s, r->mem, &own, e)) ||
        (rc = fa_place_of_user(s, r->mem, own.id, user, &p, &n, e)))
        return rc;
    rc = fa_caller_user(home, r->mem, user, &c, &none);
    if (rc && rc != FA_ENOTFOUND)
        return fa_fail(e, rc, "%s", none.msg);
    fa_jw_arr(w);
    if (has_rights(&c) || !n)
        put_one(w, own.id, own.name, true);
    for (size_t i = 0; i < n; i++)
        put_one(w, p[i].id, p[i].name, false);
    fa_jw_end_arr(w);
    return FA_OK;
}

fa_rc api_accounts(fa_req *r, fa_res *o, fa_err *e)
{
    fa_jw w;
    fa_rc rc;

    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "accounts");
    rc = accounts_json(r, &w, r->caller->id, e);
    put_str(&w, "current", r->caller->at.n ? r->caller->at : fa_ledger_account(r->ledger));
    fa_jw_end_obj(&w);
    return rc;
}

/* ---- the switch ---- */

static fa_rc may_be_there(fa_req *r, fa_ledger *l, void *user, fa_err *e)
{
    fa_caller there;

    (void)user;
    return fa_ledger_is_first(l) ? FA_OK : fa_member_check(l, r->mem, r->caller, &there, e);
}

fa_rc api_session_account(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str id;
    bool first;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "id", true, &id, e)))
        return rc;
    first = fa_str_eq(id, fa_ledger_account(r->ledger));
    rc = go_inside(r, id, may_be_there, NULL, e);
    if (rc == FA_EAUTH || rc == FA_ENOTFOUND) /* one that is there looks like one that is not */
        return fa_fail(e, FA_ENOTFOUND, "no such account");
    if (rc || (rc = fa_account_go(r->ledger, r->caller, first ? FA_STR("") : id, e)))
        return rc;
    o->status = 204;
    return FA_OK;
}

/* ---- administration, at the first account ---- */

fa_rc api_admin_accounts(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_account own;
    fa_place *p;
    size_t n;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_account_first(s, r->mem, &own, e)) ||
        (rc = fa_place_list(s, r->mem, own.id, &p, &n, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "accounts");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n + 1; i++) {
        fa_jw_obj(&w);
        put_str(&w, "id", i ? p[i - 1].id : own.id);
        put_str(&w, "name", i ? p[i - 1].name : own.name);
        put_bool(&w, "first", i == 0);
        put_str(&w, "createdBy", i ? p[i - 1].created_by : FA_STR(""));
        put_time(&w, "createdAt", i ? p[i - 1].created_ms : own.created_ms);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

typedef struct membership {
    fa_str email, roles, id;
} membership;

static fa_rc add_member(fa_req *r, fa_ledger *l, void *user, fa_err *e)
{
    membership *m = user;

    return fa_member_add(l, r->mem, r->caller, m->email, m->roles, &m->id, e);
}

fa_rc api_admin_account_post(fa_req *r, fa_res *o, fa_err *e)
{
    membership maker = {.email = r->caller->email, .roles = FA_STR("admin")};
    fa_str name, id;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", true, &name, e)) ||
        (rc = fa_account_make(r->ledger, r->mem, r->caller, name, &id, e)) ||
        (rc = go_inside(r, id, add_member, &maker, e)))
        return rc;
    o->status = 201;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "id", id);
    put_str(&w, "name", fa_str_trim(name));
    fa_jw_end_obj(&w);
    return FA_OK;
}

static fa_rc take_name(fa_req *r, fa_ledger *l, void *user, fa_err *e)
{
    fa_account v;
    fa_rc rc = fa_account_first(fa_ledger_store(l), r->mem, &v, e);

    v.name = fa_str_trim(*(fa_str *)user);
    return rc ? rc : fa_account_put(fa_ledger_store(l), &v, e);
}

fa_rc api_admin_account_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str name;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", true, &name, e)) ||
        (rc = fa_account_name(r->ledger, r->mem, r->caller, r->arg[0], name, e)) ||
        (rc = go_inside(r, r->arg[0], take_name, &name, e)))
        return rc;
    o->status = 204;
    return FA_OK;
}

fa_rc api_admin_account_member(fa_req *r, fa_res *o, fa_err *e)
{
    membership m = {0};
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "email", true, &m.email, e)) ||
        (rc = in_list(r->mem, r->json, "roles", true, &m.roles, e)))
        return rc;
    if (fa_str_eq(r->arg[0], fa_ledger_account(r->ledger))) {
        fa_fail(e, FA_EINVAL, "the first account's people are invited");
        return fa_hint(e, "use Users, Invite user");
    }
    if ((rc = go_inside(r, r->arg[0], add_member, &m, e)))
        return rc;
    o->status = 201;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "id", m.id);
    fa_jw_end_obj(&w);
    return FA_OK;
}
