/*
 * user.c - people as an administrator sees them: invite, change, lock, disable, delete, and links that
 * anybody may join by (access.md 2).
 *
 * Nobody touches somebody stronger than himself, nobody shuts himself out, and an administrator always
 * stays. Each change and its line in the audit log are one transaction.
 */
#include "access/internal.h"

#include <string.h>

#define HOUR_MS 3600000LL
#define RESET_MS 1800000LL
enum { USERS_MAX = 100000, INVITES_PER_HOUR = 50, RESETS_PER_ACCOUNT = 5, RESETS_PER_IP = 20 };

static fa_rc user_json(fa_arena *a, const fa_user *u, fa_str *out, fa_err *e)
{
    return fa_json_pairs(a, out, e, "email", u->email, "name", u->name, "phone", u->phone, "roles",
                         u->roles, "state", u->state, NULL);
}

static fa_str domain_of(fa_str email)
{
    const char *at = memchr(email.p, '@', email.n);

    return at ? (fa_str){at + 1, email.n - (size_t)(at + 1 - email.p)} : FA_STR("");
}

static bool domain_in(fa_str list, fa_str domain)
{
    fa_str word;

    while (fa_list_next(&list, &word))
        if (fa_str_ieq(word, domain))
            return true;
    return false;
}

static fa_rc email_allowed(fa_str email, fa_str domains, fa_err *e)
{
    if (!fa_email_ok(email))
        fa_fail(e, FA_EINVAL, "is not an e-mail address");
    else if (domains.n && !domain_in(domains, domain_of(email)))
        fa_fail(e, FA_EINVAL, "addresses of this domain may not join");
    else
        return FA_OK;
    return fa_at(e, "email");
}

static fa_str name_or_email(fa_str name, fa_str email)
{
    const char *at = memchr(email.p, '@', email.n);

    return name.n || !at ? name : (fa_str){email.p, (size_t)(at - email.p)};
}

static fa_rc user_new(fa_arena *a, fa_str email, fa_str name, fa_str phone, fa_str roles,
                      const char *state, fa_user *u, fa_err *e)
{
    char id[37];
    fa_rc rc;

    fa_uuid_v4(id);
    *u = (fa_user){.id = fa_arena_dup(a, fa_str_of(id)),
                   .email = email,
                   .name = name_or_email(fa_str_trim(name), email),
                   .password = FA_STR(""),
                   .phone = phone,
                   .roles = roles,
                   .state = fa_str_of(state),
                   .created_ms = fa_now_ms(),
                   .last_login_ms = -1,
                   .joined_ms = -1};
    if (!u->id.p)
        return fa_oom(e);
    if ((rc = fa_text_ok(&u->name, 1, 200, "name", e)))
        return rc;
    return fa_text_ok(&u->phone, 0, 40, "phone", e);
}

/* ---- invitations ---- */

fa_rc fa_user_invite(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str email, fa_str name,
                     fa_str phone, fa_str roles, fa_str *user_id, fa_str *link_secret, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), after;
    fa_policy p;
    bool opened;
    fa_user u;
    fa_rc rc;

    email = fa_str_trim(email);
    if (!fa_guess_count("invite", account, INVITES_PER_HOUR, fa_now_ms()))
        return fa_fail(e, FA_ELIMIT, "more than %d invitations within an hour", INVITES_PER_HOUR);
    if ((rc = fa_policy_get(l, a, &p, e)) || (rc = email_allowed(email, p.email_domains, e)))
        return rc;
    if (!roles.n) {
        fa_fail(e, FA_EINVAL, "at least one role is needed");
        return fa_at(e, "roles");
    }
    if ((rc = fa_caller_may_give(l, a, by, roles, e)))
        return rc == FA_EINVAL ? fa_at(e, "roles") : rc;
    if ((rc = user_new(a, email, name, phone, roles, "invited", &u, e)) ||
        (rc = user_json(a, &u, &after, e)) || (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_user_add(s, account, &u, e)) &&
        !(rc = fa_link_add(l, a, u.id, "invite", p.invite_hours * HOUR_MS, link_secret, e)))
        rc = fa_user_audit(l, by, "user.invite", &u, FA_STR(""), after, e);
    *user_id = u.id;
    return fa_store_leave(s, opened, rc, e);
}

/* A user that `by` may act on: not stronger than himself. */
static fa_rc target(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_user *u,
                    fa_err *e)
{
    fa_rc rc = fa_user_by_id(fa_ledger_store(l), a, fa_ledger_account(l), id, u, e);

    if (!rc && (rc = fa_caller_may_give(l, a, by, u->roles, e)) == FA_EINVAL)
        rc = FA_OK; /* a role that is gone gives nothing */
    return rc;
}

fa_rc fa_user_reinvite(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id,
                       fa_str *link_secret, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_policy p;
    bool opened;
    fa_user u;
    fa_rc rc;

    if (!fa_guess_count("invite", fa_ledger_account(l), INVITES_PER_HOUR, fa_now_ms()))
        return fa_fail(e, FA_ELIMIT, "more than %d invitations within an hour", INVITES_PER_HOUR);
    if ((rc = fa_policy_get(l, a, &p, e)) || (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = target(l, a, by, id, &u, e))) {
        bool invited = fa_str_eqz(u.state, "invited");

        /* whom was invited gets the invitation again; who is in, a link to choose a password */
        if (!invited && !fa_str_eqz(u.state, "active"))
            rc = fa_fail(e, FA_ECONFLICT, "this user is %.*s", FA_FMT(u.state));
        if (!rc)
            rc = fa_link_add(l, a, id, invited ? "invite" : "reset",
                             invited ? p.invite_hours * HOUR_MS : RESET_MS, link_secret, e);
        if (!rc)
            rc = fa_user_audit(l, by, invited ? "user.invite_again" : "user.reset_password", &u,
                               FA_STR(""), FA_STR(""), e);
    }
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_password_forgotten(fa_ledger *l, fa_arena *a, fa_str email, fa_str ip, fa_user *user,
                            fa_str *link_secret, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_caller nobody = {.ip = ip, .source = "page"};
    int64_t now = fa_now_ms();
    fa_err none = {0};
    bool opened, known;
    fa_policy p;
    fa_rc rc;

    *user = (fa_user){0};
    *link_secret = FA_STR("");
    email = fa_str_trim(email);
    if (!fa_guess_count("reset-ip", ip, RESETS_PER_IP, now))
        return fa_fail(e, FA_ELIMIT, "too many requests from your address, try again in an hour");
    if (!fa_email_ok(email) || !fa_guess_count("reset", email, RESETS_PER_ACCOUNT, now))
        return FA_OK;
    rc = fa_user_by_email(s, a, fa_ledger_account(l), email, user, &none);
    if (rc && rc != FA_ENOTFOUND)
        return fa_fail(e, rc, "%s", none.msg);
    known = !rc && fa_str_eqz(user->state, "active") && fa_str_eqz(user->managed_by, "local");
    if ((rc = fa_policy_get(l, a, &p, e)))
        return rc;
    known = known && fa_password_allowed(&p, user->email);
    if (!known) {
        *user = (fa_user){0};
        return FA_OK;
    }
    if ((rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_link_add(l, a, user->id, "reset", RESET_MS, link_secret, e)))
        rc = fa_user_audit(l, &nobody, "user.forgot_password", user, FA_STR(""), FA_STR(""), e);
    return fa_store_leave(s, opened, rc, e);
}

/* ---- changes ---- */

static fa_rc change(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const fa_str *name,
                    const fa_str *phone, const fa_str *roles, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before, after;
    fa_user u;
    fa_rc rc;

    if ((rc = target(l, a, by, id, &u, e)) || (rc = user_json(a, &u, &before, e)))
        return rc;
    if (name)
        u.name = *name;
    if (phone)
        u.phone = *phone;
    if ((rc = fa_text_ok(&u.name, 1, 200, "name", e)) ||
        (rc = fa_text_ok(&u.phone, 0, 40, "phone", e)))
        return rc;
    if (roles) {
        if (!roles->n) {
            fa_fail(e, FA_EINVAL, "at least one role is needed");
            return fa_at(e, "roles");
        }
        if ((rc = fa_caller_may_give(l, a, by, *roles, e)))
            return rc == FA_EINVAL ? fa_at(e, "roles") : rc;
        u.roles = *roles;
        if ((rc = fa_user_set_roles(s, account, id, *roles, e)))
            return rc;
    }
    if ((rc = fa_user_update(s, account, &u, e)) || (rc = user_json(a, &u, &after, e)) ||
        (rc = fa_user_audit(l, by, "user.change", &u, before, after, e)))
        return rc;
    return fa_admins_stay(l, a, e);
}

fa_rc fa_user_change(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const fa_str *name,
                     const fa_str *phone, const fa_str *roles, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = change(l, a, by, id, name, phone, roles, e);
    return fa_store_leave(s, opened, rc, e);
}

static fa_rc set_state(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const char *to,
                       fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before, after;
    fa_user u;
    fa_rc rc;

    if ((rc = target(l, a, by, id, &u, e)) || (rc = user_json(a, &u, &before, e)))
        return rc;
    if (fa_str_eq(by->user_id, id))
        return fa_fail(e, FA_ECONFLICT, "you would shut yourself out");
    /* somebody who never came in is still invited after all */
    u.state = strcmp(to, "active") == 0 && !u.password.n && fa_str_eqz(u.managed_by, "local")
                  ? FA_STR("invited")
                  : fa_str_of(to);
    if ((rc = fa_user_update(s, account, &u, e)))
        return rc;
    if (strcmp(to, "active") != 0 && (rc = fa_session_end_all(s, account, id, e)))
        return rc;
    if ((rc = user_json(a, &u, &after, e)) ||
        (rc = fa_user_audit(l, by,
                            strcmp(to, "active") == 0   ? "user.enable"
                            : strcmp(to, "locked") == 0 ? "user.lock"
                                                        : "user.disable",
                            &u, before, after, e)))
        return rc;
    return fa_admins_stay(l, a, e);
}

fa_rc fa_user_set_state(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const char *to,
                        fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = set_state(l, a, by, id, to, e);
    rc = fa_store_leave(s, opened, rc, e);
    if (!rc && strcmp(to, "active") == 0) { /* an administrator lifts a delay as well (RL-2) */
        fa_user u;

        if (!fa_user_by_id(s, a, fa_ledger_account(l), id, &u, e))
            fa_guess_cleared(u.email, FA_STR(""), FA_STR(""));
    }
    return rc;
}

static fa_rc removed(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str heir,
                     fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before;
    fa_user u, h;
    fa_rc rc;

    if ((rc = target(l, a, by, id, &u, e)) || (rc = user_json(a, &u, &before, e)))
        return rc;
    if (fa_str_eq(by->user_id, id))
        return fa_fail(e, FA_ECONFLICT, "you would delete yourself");
    if (heir.n && fa_str_eq(heir, id))
        return fa_fail(e, FA_EINVAL, "nobody inherits from himself");
    if (heir.n && (rc = fa_user_by_id(s, a, account, heir, &h, e)))
        return rc == FA_ENOTFOUND ? fa_fail(e, FA_EINVAL, "the heir is no user") : rc;
    if ((rc = fa_acl_row_heir(s, account, id, heir, e)) ||
        (rc = fa_user_delete(s, account, id, e)) ||
        (rc = fa_user_audit(l, by, "user.delete", &u, before, heir.n ? heir : FA_STR(""), e)))
        return rc;
    return fa_admins_stay(l, a, e);
}

fa_rc fa_user_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str heir,
                     fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = removed(l, a, by, id, heir, e);
    return fa_store_leave(s, opened, rc, e);
}

/* ---- links that anybody may join by ---- */

fa_rc fa_join_link_make(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str domains,
                        int64_t hours, int64_t most, fa_str *id, fa_str *secret, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    char uuid[37], hash[65];
    fa_join_link v;
    fa_policy p;
    bool opened;
    fa_rc rc;

    if ((rc = fa_policy_get(l, a, &p, e)) || (rc = fa_caller_may_give(l, a, by, p.join_roles, e)) ||
        (rc = fa_secret_new(a, secret, hash, e)))
        return rc;
    fa_uuid_v4(uuid);
    *id = fa_arena_dup(a, fa_str_of(uuid));
    if (!id->p)
        return fa_oom(e);
    v = (fa_join_link){.id = *id,
                       .hash = fa_str_of(hash),
                       .roles = p.join_roles,
                       .domains = domains,
                       .created_by = by->email,
                       .most = most,
                       .created_ms = fa_now_ms(),
                       .expires_ms = fa_now_ms() + hours * HOUR_MS,
                       .revoked_ms = -1};
    if ((rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_join_link_add(s, fa_ledger_account(l), &v, e)))
        rc = fa_audit_add(l, by,
                          &(fa_audit){.action = "join_link.create",
                                      .object_type = "join_link",
                                      .object_id = *id,
                                      .object_name = v.roles,
                                      .severity = "high"},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

static fa_rc link_of(fa_ledger *l, fa_arena *a, fa_str secret, fa_join_link *v, fa_err *e)
{
    char hash[65];
    fa_err none = {0};
    fa_rc rc;

    fa_secret_hash(secret, hash);
    rc = fa_join_link_by_hash(fa_ledger_store(l), a, fa_ledger_account(l), fa_str_of(hash), v,
                              &none);
    if (rc == FA_ENOTFOUND ||
        (!rc && (v->revoked_ms >= 0 || v->expires_ms <= fa_now_ms() || v->used >= v->most)))
        return fa_fail(e, FA_EAUTH, "this link is not valid any more");
    return rc ? fa_fail(e, rc, "%s", none.msg) : FA_OK;
}

fa_rc fa_join(fa_ledger *l, fa_arena *a, fa_str secret, fa_str email, fa_str name, fa_str password,
              const fa_browser *b, fa_signed_in *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), hashed, words[4], after;
    fa_caller nobody = {.ip = b->ip, .agent = b->agent, .source = "page"};
    fa_join_link v;
    fa_policy p;
    fa_user u;
    bool opened;
    fa_rc rc;

    *out = (fa_signed_in){0};
    email = fa_str_trim(email);
    if (fa_guess_wait(FA_STR(""), FA_STR(""), b->ip, fa_now_ms()) > 0)
        return fa_fail(e, FA_ELIMIT, "too many attempts from your address, wait a little");
    if ((rc = fa_policy_get(l, a, &p, e)))
        return rc;
    if (p.sso_only)
        return fa_fail(e, FA_EFORBIDDEN, "everybody signs in by single sign-on here");
    if ((rc = link_of(l, a, secret, &v, e))) {
        fa_guess_failed(FA_STR(""), FA_STR(""), b->ip, fa_now_ms());
        return rc;
    }
    if ((rc = email_allowed(email, v.domains.n ? v.domains : p.email_domains, e)) ||
        (rc = user_new(a, email, name, FA_STR(""), v.roles, "active", &u, e)) ||
        (rc = fa_password_rules(password, (size_t)p.min_length, words, fa_own_words(&u, words),
                                e)) ||
        (rc = fa_password_hash(a, password, &hashed, e)) || (rc = user_json(a, &u, &after, e)) ||
        (rc = fa_store_enter(s, &opened, e)))
        return rc;
    u.password = hashed;
    u.joined_ms = fa_now_ms();
    if (!(rc = fa_join_link_use(s, account, v.id, e)) && !(rc = fa_user_add(s, account, &u, e)) &&
        !(rc = fa_user_audit(l, &nobody, "user.join", &u, FA_STR(""), after, e)))
        rc = fa_session_open(l, a, &u, "join", b, false, out, e);
    return fa_store_leave(s, opened, rc, e);
}
