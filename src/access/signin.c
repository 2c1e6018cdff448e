/*
 * signin.c - people: the first administrator, one-time links, passwords, sessions.
 *
 * A session is an opaque 256-bit text in a cookie; meta.db keeps its hash (security.md SE-1). Every
 * failure of a sign-in looks the same (RL-5): same words, same work.
 */
#include "access/internal.h"

#include <sodium.h>
#include <string.h>

#define DAY_MS 86400000LL
#define LINK_MS (7 * DAY_MS)
#define SESSION_MS DAY_MS
#define IDLE_MS 3600000LL
#define TOUCH_EVERY_MS 60000LL
#define EMAIL_MAX 254
#define AGENT_MAX 200

static bool email_ok(fa_str s)
{
    const char *at = s.n ? memchr(s.p, '@', s.n) : NULL;

    if (!at || s.n > EMAIL_MAX || at == s.p || at == s.p + s.n - 1 || !fa_utf8_valid(s) ||
        memchr(at + 1, '@', s.n - (size_t)(at + 1 - s.p)))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("<>\",;:\\", s.p[i]))
            return false;
    return true;
}

static fa_rc link_add(fa_ledger *l, fa_arena *a, fa_str user_id, fa_str *secret, fa_err *e)
{
    char text[FA_SECRET_MAX], hash[65];

    fa_secret_opaque(text);
    fa_secret_hash(fa_str_of(text), hash);
    *secret = fa_arena_dup(a, fa_str_of(text));
    sodium_memzero(text, sizeof text);
    if (!secret->p)
        return fa_oom(e);
    return fa_signin_add(fa_ledger_store(l), fa_ledger_account(l), user_id, fa_str_of(hash),
                         fa_now_ms() + LINK_MS, e);
}

fa_rc fa_admin_init(fa_ledger *l, fa_arena *a, fa_str email, fa_str *link_secret, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    char id[37];
    const char *at;
    fa_user u;
    fa_rc rc;

    email = fa_str_trim(email);
    if (!email_ok(email))
        return fa_fail(e, FA_EINVAL, "not an e-mail address: \"%.*s\"", FA_FMT(email));
    at = memchr(email.p, '@', email.n);
    fa_uuid_v4(id);
    u = (fa_user){.id = fa_str_of(id),
                  .email = email,
                  .name = {email.p, (size_t)(at - email.p)},
                  .password = FA_STR(""),
                  .role = FA_STR("admin"),
                  .created_ms = fa_now_ms(),
                  .last_login_ms = -1};
    if ((rc = fa_store_begin(s, e)))
        return rc;
    if ((rc = fa_user_add(s, fa_ledger_account(l), &u, e)) ||
        (rc = link_add(l, a, u.id, link_secret, e)) || (rc = fa_store_commit(s, e)))
        fa_store_rollback(s);
    return rc ? fa_in(e, "admin init") : FA_OK;
}

fa_rc fa_signin_link_new(fa_ledger *l, fa_arena *a, fa_str email, fa_str *link_secret, fa_err *e)
{
    fa_user u;

    if (fa_user_by_email(fa_ledger_store(l), a, fa_ledger_account(l), fa_str_trim(email), &u, e))
        return fa_in(e, "sign-in link");
    if (u.disabled)
        return fa_fail(e, FA_EFORBIDDEN, "\"%.*s\" is disabled", FA_FMT(u.email));
    return link_add(l, a, u.id, link_secret, e);
}

static fa_rc session_new(fa_ledger *l, fa_arena *a, fa_str user_id, fa_str agent, fa_str ip,
                         fa_str *secret, fa_err *e)
{
    char text[FA_SECRET_MAX], hash[65];
    int64_t now = fa_now_ms();
    fa_session v;

    fa_secret_opaque(text);
    fa_secret_hash(fa_str_of(text), hash);
    *secret = fa_arena_dup(a, fa_str_of(text));
    sodium_memzero(text, sizeof text);
    if (!secret->p)
        return fa_oom(e);
    if (agent.n > AGENT_MAX)
        agent.n = AGENT_MAX;
    if (!fa_utf8_valid(agent))
        agent = FA_STR("");
    v = (fa_session){.hash = fa_str_of(hash),
                     .user_id = user_id,
                     .agent = agent,
                     .ip = ip,
                     .created_ms = now,
                     .seen_ms = now,
                     .expires_ms = now + SESSION_MS};
    if (fa_session_add(fa_ledger_store(l), fa_ledger_account(l), &v, e))
        return fa_in(e, "session");
    return fa_user_touch_login(fa_ledger_store(l), fa_ledger_account(l), user_id, now, e);
}

/* What this user may not build a password of. */
static size_t own_words(const fa_user *u, fa_str out[4])
{
    const char *at = memchr(u->email.p, '@', u->email.n), *dot;
    size_t n = 0;

    if (at) {
        out[n++] = (fa_str){u->email.p, (size_t)(at - u->email.p)};
        out[n] = (fa_str){at + 1, u->email.n - (size_t)(at + 1 - u->email.p)};
        dot = memchr(out[n].p, '.', out[n].n);
        if (dot)
            out[n].n = (size_t)(dot - out[n].p);
        n++;
    }
    out[n++] = u->name;
    return n;
}

/* The user a link is for, with the password's rules proved. Inside a transaction. */
static fa_rc link_take(fa_ledger *l, fa_arena *a, fa_str link_secret, fa_str password, fa_user *u,
                       fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    char hash[65];
    fa_str id, words[4];
    fa_rc rc;

    fa_secret_hash(link_secret, hash);
    rc = fa_signin_take(s, a, fa_ledger_account(l), fa_str_of(hash), fa_now_ms(), &id, e);
    if (rc == FA_EAUTH || rc == FA_ENOTFOUND)
        return fa_fail(e, FA_EAUTH, "this sign-in link is not valid any more");
    if (rc)
        return rc;
    if ((rc = fa_user_by_id(s, a, fa_ledger_account(l), id, u, e)))
        return rc;
    if (u->disabled)
        return fa_fail(e, FA_EAUTH, "this sign-in link is not valid any more");
    return fa_password_rules(password, words, own_words(u, words), e);
}

fa_rc fa_signin_link(fa_ledger *l, fa_arena *a, fa_str link_secret, fa_str password, fa_str agent,
                     fa_str ip, fa_str *session_secret, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), hashed;
    int64_t now = fa_now_ms();
    fa_user u;
    fa_rc rc;

    if (fa_guess_wait(FA_STR(""), ip, now) > 0)
        return fa_fail(e, FA_ELIMIT, "too many attempts from your address, wait a little");
    /* first round proves link and rules and gives the link back: the hash takes its time and must
     * not run inside a transaction, and a refused password must not use the link up */
    if ((rc = fa_store_begin(s, e)))
        return rc;
    rc = link_take(l, a, link_secret, password, &u, e);
    fa_store_rollback(s);
    if (rc == FA_EAUTH)
        fa_guess_failed(FA_STR(""), ip, now);
    if (rc || (rc = fa_password_hash(a, password, &hashed, e)) || (rc = fa_store_begin(s, e)))
        return rc;
    if ((rc = link_take(l, a, link_secret, password, &u, e)) ||
        (rc = fa_user_set_password(s, account, u.id, hashed, e)) ||
        (rc = fa_session_end_all(s, account, u.id, e)) ||
        (rc = session_new(l, a, u.id, agent, ip, session_secret, e)) ||
        (rc = fa_store_commit(s, e))) {
        fa_store_rollback(s);
        return rc;
    }
    fa_guess_cleared(u.email, ip);
    fa_log(FA_LOG_INFO, "signin", "user=%.*s by=link ip=%.*s", FA_FMT(u.id), FA_FMT(ip));
    return FA_OK;
}

static void rehash(fa_ledger *l, fa_arena *a, const fa_user *u, fa_str password)
{
    fa_str hashed;
    fa_err e = {0};

    if (fa_password_hash(a, password, &hashed, &e) ||
        fa_user_set_password(fa_ledger_store(l), fa_ledger_account(l), u->id, hashed, &e))
        fa_log(FA_LOG_WARN, "rehash_failed", "user=%.*s error=%s", FA_FMT(u->id), e.msg);
}

fa_rc fa_signin_password(fa_ledger *l, fa_arena *a, fa_str email, fa_str password, fa_str agent,
                         fa_str ip, fa_str *session_secret, fa_err *e)
{
    int64_t now = fa_now_ms(), wait;
    bool ok = false, weak = false;
    fa_user u = {0};
    fa_rc rc;

    email = fa_str_trim(email);
    if ((wait = fa_guess_wait(email, ip, now)) > 0)
        return fa_fail(e, FA_ELIMIT, "too many attempts, wait %lld seconds",
                       (long long)((wait + 999) / 1000));
    rc = email_ok(email)
             ? fa_user_by_email(fa_ledger_store(l), a, fa_ledger_account(l), email, &u, e)
             : FA_ENOTFOUND;
    if (rc && rc != FA_ENOTFOUND)
        return rc;
    if (rc || u.disabled)
        u = (fa_user){0};
    if ((rc = fa_password_verify(password, u.password, &ok, &weak, e)))
        return rc;
    if (!ok) {
        fa_guess_failed(email, ip, now);
        fa_log(FA_LOG_WARN, "signin_failed", "ip=%.*s", FA_FMT(ip));
        return fa_fail(e, FA_EAUTH, "e-mail or password is wrong");
    }
    if (weak)
        rehash(l, a, &u, password);
    if ((rc = session_new(l, a, u.id, agent, ip, session_secret, e)))
        return rc;
    fa_guess_cleared(email, ip);
    fa_log(FA_LOG_INFO, "signin", "user=%.*s by=password ip=%.*s", FA_FMT(u.id), FA_FMT(ip));
    return FA_OK;
}

int64_t fa_signin_wait(fa_str email, fa_str ip)
{
    return fa_guess_wait(fa_str_trim(email), ip, fa_now_ms());
}

fa_rc fa_session_check(fa_ledger *l, fa_arena *a, fa_str session_secret, fa_caller *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), kept;
    int64_t now = fa_now_ms();
    char hash[65];
    fa_session v;
    fa_user u;
    fa_err quiet;
    fa_rc rc;

    *out = (fa_caller){0};
    if (session_secret.n != 43)
        return fa_fail(e, FA_EAUTH, "not signed in");
    fa_secret_hash(session_secret, hash);
    rc = fa_session_get(s, a, account, fa_str_of(hash), &v, &quiet);
    if (!rc && (v.expires_ms <= now || now - v.seen_ms > IDLE_MS)) {
        if (fa_session_end(s, account, v.hash, &quiet))
            fa_log(FA_LOG_WARN, "session_end_failed", "error=%s", quiet.msg);
        rc = FA_ENOTFOUND;
    }
    if (!rc)
        rc = fa_user_by_id(s, a, account, v.user_id, &u, &quiet);
    if (rc == FA_ENOTFOUND || (!rc && (u.disabled || !fa_role_exists(u.role))))
        return fa_fail(e, FA_EAUTH, "not signed in");
    if (rc)
        return fa_fail(e, rc, "%s", quiet.msg);
    if (now - v.seen_ms >= TOUCH_EVERY_MS && fa_session_touch(s, account, v.hash, now, &quiet))
        fa_log(FA_LOG_WARN, "session_touch_failed", "error=%s", quiet.msg);
    kept = fa_arena_dup(a, fa_str_of(hash));
    if (!kept.p)
        return fa_oom(e);
    *out = (fa_caller){.kind = FA_CALLER_USER,
                       .id = u.id,
                       .name = u.name,
                       .email = u.email,
                       .role = u.role,
                       .account = account,
                       .session_hash = kept};
    return FA_OK;
}

fa_rc fa_signout(fa_ledger *l, const fa_caller *c, fa_err *e)
{
    fa_rc rc = fa_session_end(fa_ledger_store(l), fa_ledger_account(l), c->session_hash, e);

    return rc == FA_ENOTFOUND ? FA_OK : rc;
}

fa_rc fa_password_change(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str current, fa_str next,
                         fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), hashed, words[4];
    int64_t now = fa_now_ms();
    fa_session keep;
    bool ok, weak;
    fa_user u;
    fa_rc rc;

    if (c->kind != FA_CALLER_USER)
        return fa_fail(e, FA_EFORBIDDEN, "only a person has a password");
    if (fa_guess_wait(c->email, FA_STR("change"), now) > 0)
        return fa_fail(e, FA_ELIMIT, "too many attempts, wait a little");
    if ((rc = fa_user_by_id(s, a, account, c->id, &u, e)) ||
        (rc = fa_password_verify(current, u.password, &ok, &weak, e)))
        return rc;
    if (!ok) {
        fa_guess_failed(c->email, FA_STR("change"), now);
        fa_fail(e, FA_EDATA, "the current password is wrong");
        return fa_at(e, "current");
    }
    if (fa_password_rules(next, words, own_words(&u, words), e))
        return fa_at(e, "next");
    if ((rc = fa_password_hash(a, next, &hashed, e)) || (rc = fa_store_begin(s, e)))
        return rc;
    if ((rc = fa_session_get(s, a, account, c->session_hash, &keep, e)) ||
        (rc = fa_user_set_password(s, account, u.id, hashed, e)) ||
        (rc = fa_session_end_all(s, account, u.id, e)) ||
        (rc = fa_session_add(s, account, &keep, e)) || (rc = fa_store_commit(s, e))) {
        fa_store_rollback(s);
        return rc;
    }
    fa_log(FA_LOG_INFO, "password_changed", "user=%.*s", FA_FMT(u.id));
    return FA_OK;
}
