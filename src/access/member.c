/*
 * member.c - the other accounts of an installation: made, named, and who is a member of which.
 *
 * People sign in at the first account: it keeps passwords, second factors and sessions. Another account has members
 * of them, with roles, groups and lists of its own, under the same id; its meta.db alone says whether somebody may, and
 * is asked at each request. A session is in one account at a time; a token is of one for good.
 */
#include "access/internal.h"

#include <string.h>
#include <unistd.h>

static fa_rc name_ok(fa_str *name, fa_err *e)
{
    return fa_text_ok(name, 1, 100, "name", e);
}

bool fa_ledger_is_first(fa_ledger *l)
{
    return fa_ledger_home(l) == l;
}

/* The person behind an id must be there and active where people sign in. */
fa_rc fa_person_live(fa_ledger *l, fa_arena *a, fa_str id, fa_user *out, fa_err *e)
{
    fa_ledger *home = fa_ledger_home(l);
    fa_rc rc = fa_user_by_id(fa_ledger_store(home), a, fa_ledger_account(home), id, out, e);

    if (!rc && !fa_str_eqz(out->state, "active"))
        rc = fa_fail(e, FA_ENOTFOUND, "the user is not active any more");
    return rc;
}

fa_rc fa_member_check(fa_ledger *l, fa_arena *a, const fa_caller *person, fa_caller *out, fa_err *e)
{
    fa_err none = {0};
    fa_policy p;
    fa_user u, own;
    fa_rc rc;

    *out = (fa_caller){0};
    rc = fa_user_by_id(fa_ledger_store(l), a, fa_ledger_account(l), person->id, &u, &none);
    if (rc == FA_ENOTFOUND || (!rc && !fa_str_eqz(u.state, "active")))
        return fa_fail(e, FA_EAUTH, "you are no member of this account");
    if (rc)
        return fa_fail(e, rc, "%s", none.msg);
    if ((rc = fa_person_live(l, a, person->id, &own, e)) || (rc = fa_policy_get(l, a, &p, e)))
        return rc == FA_ENOTFOUND ? fa_fail(e, FA_EAUTH, "not signed in") : rc;
    if ((p.ip_allow.n && !fa_ip_in(person->ip, p.ip_allow)) || fa_ip_in(person->ip, p.ip_block))
        return fa_fail(e, FA_EAUTH, "this account is closed to your address");
    if ((rc = fa_caller_of_user(l, a, &u, out, e)))
        return rc;
    out->name = own.name;
    out->email = own.email;
    fa_must_enroll(&p, &own, fa_now_ms(), out);
    if ((rc = fa_borrow_eyes(l, a, person->view_as, out, e))) {
        *out = (fa_caller){0};
        return rc;
    }
    out->session_hash = person->session_hash;
    out->proved_ms = person->proved_ms;
    out->ip = person->ip;
    out->agent = person->agent;
    out->at = person->at;
    return FA_OK;
}

fa_rc fa_account_go(fa_ledger *home, const fa_caller *c, fa_str id, fa_err *e)
{
    fa_store *s = fa_ledger_store(home);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_session_at(s, fa_ledger_account(home), c->session_hash, id, e)) &&
        !(rc = fa_session_view_as(s, fa_ledger_account(home), c->session_hash, FA_STR(""), e)))
        rc = fa_audit_add(home, c,
                          &(fa_audit){.action = "account.switch",
                                      .object_type = "account",
                                      .object_id = id.n ? id : fa_ledger_account(home)},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_member_add(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str email, fa_str roles,
                    fa_str *id, fa_err *e)
{
    fa_ledger *home = fa_ledger_home(l);
    fa_store *s = fa_ledger_store(l);
    fa_err none = {0};
    fa_user u;
    bool opened;
    fa_rc rc = fa_user_by_email(fa_ledger_store(home), a, fa_ledger_account(home),
                                fa_str_trim(email), &u, &none);

    if (rc == FA_ENOTFOUND) {
        fa_fail(e, FA_EINVAL, "nobody signs in to this installation with this address");
        fa_hint(e, "invite the person in the first account, then add them here");
        return fa_at(e, "email");
    }
    if (rc)
        return fa_fail(e, rc, "%s", none.msg);
    if (!roles.n) {
        fa_fail(e, FA_EINVAL, "at least one role is needed");
        return fa_at(e, "roles");
    }
    if ((rc = fa_caller_may_give(l, a, by, roles, e)))
        return rc == FA_EINVAL ? fa_at(e, "roles") : rc;
    *id = u.id;
    u = (fa_user){.id = u.id,
                  .email = u.email,
                  .name = u.name,
                  .password = FA_STR(""),
                  .phone = FA_STR(""),
                  .roles = roles,
                  .state = FA_STR("active"),
                  .created_ms = fa_now_ms(),
                  .joined_ms = fa_now_ms(),
                  .last_login_ms = -1};
    if ((rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_user_add(s, fa_ledger_account(l), &u, e)))
        rc = fa_audit_add(l, by,
                          &(fa_audit){.action = "member.add",
                                      .object_type = "user",
                                      .object_id = u.id,
                                      .object_name = u.email,
                                      .severity = "high"},
                          e);
    rc = fa_store_leave(s, opened, rc, e);
    if (rc && rc != FA_ECONFLICT)
        return rc;
    /* the directory follows, also for a member whom a crash kept out of it */
    none = (fa_err){0};
    if (fa_place_join(fa_ledger_store(home), fa_ledger_account(home), fa_ledger_account(l), u.id,
                      &none))
        return fa_fail(e, none.rc, "%s", none.msg);
    return rc;
}

fa_rc fa_member_left(fa_ledger *l, fa_str user, fa_err *e)
{
    fa_ledger *home = fa_ledger_home(l);

    return home == l ? FA_OK
                     : fa_place_leave(fa_ledger_store(home), fa_ledger_account(home),
                                      fa_ledger_account(l), user, e);
}

/* ---- making and naming ---- */

fa_rc fa_account_dir(fa_ledger *home, fa_arena *a, fa_str id, const char **out, fa_err *e)
{
    *out = fa_arena_printf(a, "%s/accounts/%.*s", fa_ledger_dir(home), FA_FMT(id));
    return *out ? FA_OK : fa_oom(e);
}

/* A whole installation in a folder nobody looks at, then under its account's id. */
static fa_rc make_folder(fa_ledger *home, fa_arena *a, fa_str name, fa_str *id, fa_err *e)
{
    char uuid[37];
    const char *draft, *dir;
    fa_account v;
    fa_ledger *l = NULL;
    fa_err ignored;
    fa_rc rc;

    fa_uuid_v4(uuid);
    if (!(draft = fa_arena_printf(a, "%s/accounts/.%s", fa_ledger_dir(home), uuid)))
        return fa_oom(e);
    rc = fa_ledger_open(&(fa_ledger_options){.dir = draft, .create = true, .second = true}, &l, e);
    if (!rc && !(rc = fa_account_first(fa_ledger_store(l), a, &v, e))) {
        v.name = name;
        *id = v.id;
        rc = fa_account_put(fa_ledger_store(l), &v, e);
    }
    fa_ledger_close(l);
    if (!rc && !(rc = fa_account_dir(home, a, *id, &dir, e)) && rename(draft, dir) != 0)
        rc = fa_fail(e, FA_EENV, "could not make \"%s\"", dir);
    if (rc && fa_remove_tree(draft, &ignored))
        fa_log(FA_LOG_WARN, "account", "error=\"%s\"", ignored.msg);
    return rc;
}

fa_rc fa_account_make(fa_ledger *home, fa_arena *a, const fa_caller *by, fa_str name, fa_str *id,
                      fa_err *e)
{
    fa_store *s = fa_ledger_store(home);
    fa_place *v;
    size_t n;
    bool opened;
    fa_rc rc;

    if ((rc = name_ok(&name, e)) || (rc = fa_place_list(s, a, fa_ledger_account(home), &v, &n, e)))
        return rc;
    if (n >= FA_ACCOUNTS_MAX)
        return fa_fail(e, FA_ELIMIT, "there are %d accounts already", FA_ACCOUNTS_MAX);
    for (size_t i = 0; i < n; i++)
        if (fa_str_ieq(v[i].name, name)) {
            fa_fail(e, FA_ECONFLICT, "there is an account with this name");
            return fa_at(e, "name");
        }
    if ((rc = make_folder(home, a, name, id, e)) || (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_place_add(
              s, fa_ledger_account(home),
              &(fa_place){
                  .id = *id, .name = name, .created_by = by->email, .created_ms = fa_now_ms()},
              e)))
        rc = fa_audit_add(home, by,
                          &(fa_audit){.action = "account.create",
                                      .object_type = "account",
                                      .object_id = *id,
                                      .object_name = name,
                                      .severity = "high"},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_account_name(fa_ledger *home, fa_arena *a, const fa_caller *by, fa_str id, fa_str name,
                      fa_err *e)
{
    fa_store *s = fa_ledger_store(home);
    fa_str account = fa_ledger_account(home);
    fa_account own;
    fa_place v;
    bool opened, first = fa_str_eq(id, account);
    fa_rc rc;

    if ((rc = name_ok(&name, e)) || (rc = fa_account_first(s, a, &own, e)) ||
        (!first && (rc = fa_place_find(s, a, account, id, &v, e))) ||
        (rc = fa_store_enter(s, &opened, e)))
        return rc;
    own.name = name;
    rc = first ? fa_account_put(s, &own, e) : fa_place_rename(s, account, v.id, name, e);
    if (!rc)
        rc = fa_audit_add(home, by,
                          &(fa_audit){.action = "account.rename",
                                      .object_type = "account",
                                      .object_id = first ? account : v.id,
                                      .object_name = name},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_account_open(fa_ledger *home, fa_arena *a, const fa_place *p, fa_ledger **out, fa_err *e)
{
    const char *dir;
    fa_account v;
    fa_rc rc = fa_account_dir(home, a, p->id, &dir, e);

    *out = NULL;
    if (rc)
        return rc;
    rc = fa_ledger_open(&(fa_ledger_options){.dir = dir, .second = true}, out, e);
    if (rc)
        return fa_in(e, "account");
    if (!fa_str_eq(fa_ledger_account(*out), p->id))
        rc = fa_fail(e, FA_EENV, "the folder \"%s\" holds another account", dir);
    fa_ledger_set_home(*out, home);
    if (!rc && !(rc = fa_account_first(fa_ledger_store(*out), a, &v, e)) &&
        !fa_str_eq(v.name, p->name)) {
        v.name = p->name;
        rc = fa_account_put(fa_ledger_store(*out), &v, e);
    }
    if (rc) {
        fa_ledger_close(*out);
        *out = NULL;
    }
    return rc;
}
