/*
 * token.c - API tokens: made once, checked on every request.
 *
 * The client id finds the row, the hash of the secret proves it. Whatever is wrong, the same work
 * is done and the same words come back.
 */
#include "access/internal.h"

enum { TOUCH_EVERY_MS = 60000, DESCRIPTION_MAX = 200 };

static const char no_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";

static fa_str text(const char *z, fa_arena *a)
{
    return fa_arena_dup(a, fa_str_of(z));
}

fa_rc fa_token_create(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str description,
                      fa_str role, int64_t expires_ms, fa_new_token *out, fa_err *e)
{
    char secret[FA_SECRET_MAX], hash[65], id[37], client[37];
    int64_t now = fa_now_ms();
    fa_token t;

    *out = (fa_new_token){0};
    description = fa_str_trim(description);
    if (!description.n || description.n > DESCRIPTION_MAX || !fa_utf8_valid(description)) {
        fa_fail(e, FA_EINVAL, "description must have 1 to %d bytes of text", DESCRIPTION_MAX);
        return fa_at(e, "description");
    }
    if (!fa_role_exists(role)) {
        fa_fail(e, FA_EINVAL, "no such role: \"%.*s\"", FA_FMT(role));
        fa_hint(e, "roles are admin, basic, read-only and api-token");
        return fa_at(e, "role");
    }
    if (expires_ms >= 0 && expires_ms <= now) {
        fa_fail(e, FA_EINVAL, "expiry must lie in the future");
        return fa_at(e, "expiresInDays");
    }
    if (by->kind != FA_CALLER_SYSTEM)
        for (int p = 0; p < FA_PERM__COUNT; p++)
            if (fa_role_has(role, (fa_perm)p) && !fa_caller_may(by, (fa_perm)p))
                return fa_fail(e, FA_EFORBIDDEN,
                               "role \"%.*s\" may do more than you may (%s), so you cannot give it",
                               FA_FMT(role), fa_perm_name((fa_perm)p));
    fa_secret_token(secret);
    fa_secret_hash(fa_str_of(secret), hash);
    fa_uuid_v4(id);
    fa_uuid_v4(client);
    t = (fa_token){.id = fa_str_of(id),
                   .client_id = fa_str_of(client),
                   .secret_hash = fa_str_of(hash),
                   .description = description,
                   .role = role,
                   .created_by = by->email,
                   .created_ms = now,
                   .expires_ms = expires_ms < 0 ? -1 : expires_ms,
                   .revoked_ms = -1,
                   .last_used_ms = -1};
    *out = (fa_new_token){text(id, a), text(client, a), text(secret, a)};
    if (!out->id.p || !out->client_id.p || !out->secret.p)
        return fa_oom(e);
    if (fa_token_add(fa_ledger_store(l), fa_ledger_account(l), &t, e))
        return fa_in(e, "token create");
    fa_log(FA_LOG_INFO, "token_created", "id=%s role=%.*s by=%.*s", id, FA_FMT(role),
           FA_FMT(by->email));
    return FA_OK;
}

fa_rc fa_token_check(fa_ledger *l, fa_arena *a, fa_str client_id, fa_str secret, fa_caller *out,
                     fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), kept = fa_str_of(no_hash);
    fa_token t = {0};
    int64_t now = fa_now_ms();
    bool found = false, ok;
    char hash[65], *email;
    fa_err quiet;
    fa_rc rc;

    *out = (fa_caller){0};
    fa_secret_hash(secret, hash);
    if (fa_uuid_valid(client_id)) {
        rc = fa_token_by_client(s, a, account, client_id, &t, &quiet);
        if (rc && rc != FA_ENOTFOUND)
            return fa_fail(e, rc, "%s", quiet.msg);
        if (!rc && t.secret_hash.n == 64) {
            found = true;
            kept = t.secret_hash;
        }
    }
    ok = fa_const_eq(kept, fa_str_of(hash));
    ok = ok && found && t.revoked_ms < 0 && (t.expires_ms < 0 || t.expires_ms > now) &&
         fa_role_exists(t.role);
    if (!ok)
        return fa_fail(e, FA_EAUTH, "client id or secret key is not valid");
    if (now - t.last_used_ms >= TOUCH_EVERY_MS && fa_token_touch(s, account, t.id, now, &quiet))
        fa_log(FA_LOG_WARN, "token_touch_failed", "id=%.*s error=%s", FA_FMT(t.id), quiet.msg);
    email = fa_arena_printf(a, "token-%.*s@farthing.invalid", FA_FMT(t.id));
    if (!email)
        return fa_oom(e);
    *out = (fa_caller){.kind = FA_CALLER_TOKEN,
                       .id = t.id,
                       .name = t.description,
                       .email = fa_str_of(email),
                       .role = t.role,
                       .client_id = t.client_id,
                       .account = account};
    return FA_OK;
}
