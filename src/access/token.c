/*
 * token.c - API tokens: made once, checked on every request.
 *
 * The client id finds the row, the hash of the secret proves it. Whatever is wrong, the same work
 * is done and the same words come back. A token never gives more than its maker has: not in
 * permissions, not in rows.
 */
#include "access/internal.h"

#include <string.h>

enum { TOUCH_EVERY_MS = 60000, DESCRIPTION_MAX = 200, TOKENS_MAX = 10000 };
#define OVERLAP_MS 86400000LL

static const char no_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";

static fa_rc wish_ok(fa_token_wish *w, const fa_policy *p, fa_err *e)
{
    fa_rc rc = fa_text_ok(&w->description, 1, DESCRIPTION_MAX, "description", e);

    if (rc)
        return rc;
    if (w->expires_ms >= 0 && w->expires_ms <= fa_now_ms()) {
        fa_fail(e, FA_EINVAL, "expiry must lie in the future");
        return fa_at(e, "expiresInDays");
    }
    if (w->expires_ms < 0 && !p->tokens_never) {
        fa_fail(e, FA_EINVAL, "the security policy wants every token to expire");
        return fa_at(e, "expiresInDays");
    }
    if (!w->roles.n) {
        fa_fail(e, FA_EINVAL, "a token needs a role");
        return fa_at(e, "role");
    }
    if (!fa_ip_list_ok(w->ip_allow)) {
        fa_fail(e, FA_EINVAL, "must be addresses or networks such as 10.0.0.0/8");
        return fa_at(e, "ipAllow");
    }
    if (!w->personal && !w->all_data && !w->teams.n) {
        fa_fail(e, FA_EINVAL, "say which rows it sees: all, or those of groups");
        return fa_at(e, "groups");
    }
    return FA_OK;
}

/* An account token sees no more rows than who makes it. */
static fa_rc rows_ok(fa_ledger *l, fa_arena *a, const fa_caller *by, const fa_token_wish *w,
                     fa_err *e)
{
    fa_str teams = w->teams, team;
    bool all;
    fa_rc rc;

    if (w->personal || fa_caller_is_admin(by))
        return FA_OK;
    if ((rc = fa_caller_sees_all(l, a, by, &all, e)) || all)
        return rc;
    if (w->all_data)
        return fa_fail(e, FA_EFORBIDDEN, "you do not see all rows, so a token of yours cannot");
    while (fa_list_next(&teams, &team))
        if (!fa_list_has(by->teams, team))
            return fa_fail(e, FA_EFORBIDDEN,
                           "you are not in this group, so you cannot give its rows");
    return FA_OK;
}

static fa_rc token_json(fa_arena *a, const fa_token *t, fa_str *out, fa_err *e)
{
    return fa_json_pairs(a, out, e, "description", t->description, "roles", t->roles, "data",
                         t->data, "groups", t->teams, "ipAllow", t->ip_allow, NULL);
}

static fa_rc audit(fa_ledger *l, fa_arena *a, const fa_caller *by, const char *action,
                   const fa_token *t, bool made, fa_err *e)
{
    fa_str text;
    fa_rc rc = token_json(a, t, &text, e);

    return rc ? rc
              : fa_audit_add(l, by,
                             &(fa_audit){.action = action,
                                         .object_type = "token",
                                         .object_id = t->id,
                                         .object_name = t->description,
                                         .before = made ? FA_STR("") : text,
                                         .after = made ? text : FA_STR(""),
                                         .severity = "high"},
                             e);
}

static fa_str text(const char *z, fa_arena *a)
{
    return fa_arena_dup(a, fa_str_of(z));
}

fa_rc fa_token_make(fa_ledger *l, fa_arena *a, const fa_caller *by, const fa_token_wish *wish,
                    fa_new_token *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    char secret[FA_SECRET_MAX], hash[65], id[37], client[37];
    fa_token_wish w = *wish;
    fa_policy p;
    fa_token t;
    bool opened;
    fa_rc rc;

    *out = (fa_new_token){0};
    if ((rc = fa_policy_get(l, a, &p, e)) || (rc = wish_ok(&w, &p, e)))
        return rc;
    if (w.personal && by->kind != FA_CALLER_USER)
        return fa_fail(e, FA_EFORBIDDEN, "only a person has personal tokens");
    if ((rc = fa_caller_may_give(l, a, by, w.roles, e)))
        return rc == FA_EINVAL ? fa_at(e, "role") : rc;
    if ((rc = rows_ok(l, a, by, &w, e)))
        return rc;
    fa_secret_token(secret);
    fa_secret_hash(fa_str_of(secret), hash);
    fa_uuid_v4(id);
    fa_uuid_v4(client);
    if (!fa_ledger_is_first(l)) /* so that a request with it finds its account */
        memcpy(client, fa_ledger_account(l).p, FA_CLIENT_MARK);
    t = (fa_token){.id = fa_str_of(id),
                   .client_id = fa_str_of(client),
                   .secret_hash = fa_str_of(hash),
                   .old_until_ms = -1,
                   .description = w.description,
                   .user_id = w.personal ? by->id : FA_STR(""),
                   .data = w.personal   ? FA_STR("user")
                           : w.all_data ? FA_STR("all")
                                        : FA_STR("teams"),
                   .ip_allow = w.ip_allow,
                   .roles = w.roles,
                   .teams = w.personal || w.all_data ? FA_STR("") : w.teams,
                   .created_by = by->email,
                   .created_ms = fa_now_ms(),
                   .expires_ms = w.expires_ms < 0 ? -1 : w.expires_ms,
                   .revoked_ms = -1,
                   .last_used_ms = -1};
    *out = (fa_new_token){text(id, a), text(client, a), text(secret, a)};
    explicit_bzero(secret, sizeof secret);
    if (!out->id.p || !out->client_id.p || !out->secret.p)
        return fa_oom(e);
    if ((rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_token_add(s, fa_ledger_account(l), &t, e)))
        rc = audit(l, a, by, "token.create", &t, true, e);
    rc = fa_store_leave(s, opened, rc, e);
    if (rc)
        return rc == FA_ENOTFOUND ? fa_at(e, "groups") : fa_in(e, "token create");
    fa_log(FA_LOG_INFO, "token_created", "id=%s roles=\"%.*s\" by=%.*s", id, FA_FMT(t.roles),
           FA_FMT(by->email));
    return FA_OK;
}

fa_rc fa_token_create(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str description,
                      fa_str role, int64_t expires_ms, fa_new_token *out, fa_err *e)
{
    return fa_token_make(
        l, a, by,
        &(fa_token_wish){
            .description = description, .roles = role, .all_data = true, .expires_ms = expires_ms},
        out, e);
}

/* The token, when `by` may do something with it: an own one, or any for who manages them. */
static fa_rc token_of(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, bool own_only,
                      fa_token *t, fa_err *e)
{
    fa_rc rc = fa_token_get(fa_ledger_store(l), a, fa_ledger_account(l), id, t, e);
    bool own;

    if (rc == FA_ENOTFOUND)
        rc = fa_token_by_client(fa_ledger_store(l), a, fa_ledger_account(l), id, t, e);
    own = !rc && t->user_id.n && fa_str_eq(t->user_id, by->id);

    if (rc || (own_only ? !own : (t->user_id.n > 0 && !own && !fa_caller_is_admin(by))))
        return fa_fail(e, rc && rc != FA_ENOTFOUND ? rc : FA_ENOTFOUND, "no such token: \"%.*s\"",
                       FA_FMT(id));
    return FA_OK;
}

fa_rc fa_token_turn(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_new_token *out,
                    fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    char secret[FA_SECRET_MAX], hash[65];
    bool opened;
    fa_token t;
    fa_rc rc = fa_store_enter(s, &opened, e);

    *out = (fa_new_token){0};
    if (rc)
        return rc;
    if ((rc = token_of(l, a, by, id, !fa_caller_may(by, FA_PERM_TOKENS_ACCOUNT_MANAGE), &t, e)) ||
        (rc = fa_caller_may_give(l, a, by, t.roles, e)))
        goto done;
    if (t.user_id.n && !fa_str_eq(t.user_id, by->id)) {
        rc = fa_fail(e, FA_EFORBIDDEN, "a personal token is turned over by its owner only");
        goto done;
    }
    fa_secret_token(secret);
    fa_secret_hash(fa_str_of(secret), hash);
    *out = (fa_new_token){t.id, t.client_id, text(secret, a)};
    explicit_bzero(secret, sizeof secret);
    if (!out->secret.p)
        rc = fa_oom(e);
    else if (!(rc = fa_token_rotate(s, fa_ledger_account(l), id, fa_str_of(hash),
                                    fa_now_ms() + OVERLAP_MS, e)))
        rc = audit(l, a, by, "token.rotate", &t, true, e);
done:
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_token_end(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, bool own_only,
                   fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_token t;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = token_of(l, a, by, id, own_only, &t, e)) &&
        !(rc = fa_token_revoke(s, fa_ledger_account(l), t.id, fa_now_ms(), e)))
        rc = audit(l, a, by, "token.revoke", &t, false, e);
    return fa_store_leave(s, opened, rc, e);
}

/* Both comparisons are made, whatever the first says. */
static bool secret_ok(const fa_token *t, bool found, fa_str hash, int64_t now)
{
    fa_str kept = found && t->secret_hash.n == 64 ? t->secret_hash : fa_str_of(no_hash);
    fa_str old = found && t->old_hash.n == 64 ? t->old_hash : fa_str_of(no_hash);
    bool is_kept = fa_const_eq(kept, hash), is_old = fa_const_eq(old, hash);

    return found && (is_kept || (is_old && t->old_until_ms > now));
}

fa_rc fa_token_check(fa_ledger *l, fa_arena *a, fa_str client_id, fa_str secret, fa_str ip,
                     fa_str route, fa_caller *out, fa_err *e)
{
    static const char refused[] = "client id or secret key is not valid";
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    int64_t now = fa_now_ms();
    fa_caller c = {0};
    fa_token t = {0};
    char hash[65], *email;
    bool found = false;
    fa_err quiet;
    fa_rc rc;

    *out = (fa_caller){0};
    fa_secret_hash(secret, hash);
    if (fa_uuid_valid(client_id)) {
        rc = fa_token_by_client(s, a, account, client_id, &t, &quiet);
        if (rc && rc != FA_ENOTFOUND)
            return fa_fail(e, rc, "%s", quiet.msg);
        found = !rc;
    }
    if (!secret_ok(&t, found, fa_str_of(hash), now) || t.revoked_ms >= 0 ||
        (t.expires_ms >= 0 && t.expires_ms <= now))
        return fa_fail(e, FA_EAUTH, "%s", refused);
    if (t.ip_allow.n && !fa_ip_in(ip, t.ip_allow))
        return fa_fail(e, FA_EAUTH, "%s", refused);
    if (!(email = fa_arena_printf(a, "token-%.*s@farthing.invalid", FA_FMT(t.id))))
        return fa_oom(e);
    c = (fa_caller){.kind = FA_CALLER_TOKEN,
                    .id = t.id,
                    .name = t.description,
                    .email = fa_str_of(email),
                    .client_id = t.client_id,
                    .account = account,
                    .proved_ms = -1,
                    .ip = ip,
                    .source = "api"};
    rc = fa_caller_fresh(l, a, &c, out, &quiet);
    if (rc)
        return rc == FA_EAUTH ? fa_fail(e, rc, "%s", refused) : fa_fail(e, rc, "%s", quiet.msg);
    if (now - t.last_used_ms >= TOUCH_EVERY_MS &&
        fa_token_touch(s, account, t.id, now, ip, route, &quiet))
        fa_log(FA_LOG_WARN, "token_touch_failed", "id=%.*s error=%s", FA_FMT(t.id), quiet.msg);
    return FA_OK;
}
