/*
 * signin.c - signing in: one-time links, passwords, codes, and the sessions that come of it.
 *
 * A session is an opaque 256-bit text in a cookie; meta.db keeps its hash (security.md SE-1). Every
 * failure of a sign-in looks the same (RL-5): same words, same work. While it is used, a session's
 * secret turns over every ten minutes; the one before is good until the new one was seen and 30 s
 * longer, and whoever shows it after that ends the session (SE-4).
 */
#include "access/internal.h"

#include <sodium.h>
#include <string.h>

#define DAY_MS 86400000LL
#define HOUR_MS 3600000LL
#define MINUTE_MS 60000LL
#define LINK_MS (7 * DAY_MS)
#define DEVICE_MS (90 * DAY_MS)
#define TURN_MS (10 * MINUTE_MS)
#define GRACE_MS 30000LL
#define CHALLENGE_MS (5 * MINUTE_MS)
#define TOUCH_EVERY_MS MINUTE_MS
enum { EMAIL_MAX = 254, AGENT_MAX = 200, CODE_TRIES = 5, SECRET = 43, AUDITED_PER_HOUR = 60 };

bool fa_email_ok(fa_str s)
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

/* ---- links ---- */

fa_rc fa_link_add(fa_ledger *l, fa_arena *a, fa_str user_id, const char *kind, int64_t for_ms,
                  fa_str *secret, fa_err *e)
{
    char hash[65];
    int64_t now = fa_now_ms();
    fa_rc rc = fa_secret_new(a, secret, hash, e);

    return rc ? rc
              : fa_signin_add(fa_ledger_store(l), fa_ledger_account(l), user_id, fa_str_of(hash),
                              fa_str_of(kind), now, now + for_ms, e);
}

fa_rc fa_admin_init(fa_ledger *l, fa_arena *a, fa_str email, fa_str *link_secret, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_caller system = fa_caller_system(l);
    char id[37];
    const char *at;
    fa_user u;
    fa_rc rc;

    email = fa_str_trim(email);
    if (!fa_email_ok(email))
        return fa_fail(e, FA_EINVAL, "not an e-mail address: \"%.*s\"", FA_FMT(email));
    at = memchr(email.p, '@', email.n);
    fa_uuid_v4(id);
    u = (fa_user){.id = fa_str_of(id),
                  .email = email,
                  .name = {email.p, (size_t)(at - email.p)},
                  .password = FA_STR(""),
                  .roles = FA_STR("admin"),
                  .state = FA_STR("invited"),
                  .created_ms = fa_now_ms(),
                  .last_login_ms = -1,
                  .joined_ms = -1};
    if ((rc = fa_store_begin(s, e)))
        return rc;
    if ((rc = fa_user_add(s, fa_ledger_account(l), &u, e)) ||
        (rc = fa_link_add(l, a, u.id, "link", LINK_MS, link_secret, e)) ||
        (rc = fa_audit_add(l, &system,
                           &(fa_audit){.action = "user.create",
                                       .object_type = "user",
                                       .object_id = u.id,
                                       .object_name = u.email,
                                       .severity = "high"},
                           e)) ||
        (rc = fa_store_commit(s, e)))
        fa_store_rollback(s);
    return rc ? fa_in(e, "admin init") : FA_OK;
}

fa_rc fa_signin_link_new(fa_ledger *l, fa_arena *a, fa_str email, fa_str *link_secret, fa_err *e)
{
    fa_caller system = fa_caller_system(l);
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_user u;
    fa_rc rc;

    if (fa_user_by_email(s, a, fa_ledger_account(l), fa_str_trim(email), &u, e))
        return fa_in(e, "sign-in link");
    if (fa_str_eqz(u.state, "disabled") || fa_str_eqz(u.state, "locked"))
        return fa_fail(e, FA_EFORBIDDEN, "\"%.*s\" is %.*s", FA_FMT(u.email), FA_FMT(u.state));
    if ((rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_link_add(l, a, u.id, "link", LINK_MS, link_secret, e)))
        rc = fa_audit_add(l, &system,
                          &(fa_audit){.action = "user.link",
                                      .object_type = "user",
                                      .object_id = u.id,
                                      .object_name = u.email,
                                      .severity = "high"},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

size_t fa_own_words(const fa_user *u, fa_str out[4])
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

static size_t least_length(const fa_user *u, const fa_policy *p)
{
    return u->totp.n ? FA_PASSWORD_MIN_WITH_MFA : (size_t)p->min_length;
}

/* ---- opening a session ---- */

/* A known browser keeps its cookie; else it gets one. */
static fa_rc device_keep(fa_ledger *l, fa_arena *a, const fa_user *u, const fa_browser *b,
                         const fa_policy *p, bool remember, fa_signed_in *out, fa_err *e)
{
    int64_t now = fa_now_ms();
    fa_device d = {.user_id = u->id,
                   .created_ms = now,
                   .expires_ms = now + DEVICE_MS,
                   .trusted_ms =
                       remember && p->remember_device ? now + p->remember_days * DAY_MS : -1};
    char hash[65];
    fa_rc rc;

    if (b->device.n == SECRET) {
        fa_secret_hash(b->device, hash);
        out->device = FA_STR("");
    } else if ((rc = fa_secret_new(a, &out->device, hash, e))) {
        return rc;
    }
    d.hash = fa_str_of(hash);
    return fa_device_put(fa_ledger_store(l), fa_ledger_account(l), &d, e);
}

/* The oldest give way to the policy's bound. */
static fa_rc sessions_bound(fa_ledger *l, fa_arena *a, fa_str user, int64_t most, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_session *v;
    size_t n;
    fa_rc rc = fa_session_list(s, a, fa_ledger_account(l), user, &v, &n, e);

    for (size_t i = (size_t)most - 1; !rc && i < n; i++)
        rc = fa_session_end(s, fa_ledger_account(l), v[i].hash, e);
    return rc;
}

fa_caller fa_at_browser(fa_ledger *l, const fa_user *u, const fa_browser *b)
{
    return (fa_caller){.kind = u->id.n ? FA_CALLER_USER : FA_CALLER_NONE,
                       .id = u->id,
                       .name = u->name,
                       .email = u->email,
                       .roles = u->roles,
                       .account = fa_ledger_account(l),
                       .ip = b->ip,
                       .agent = b->agent,
                       .source = "page"};
}

fa_rc fa_session_open(fa_ledger *l, fa_arena *a, const fa_user *u, const char *by,
                      const fa_browser *b, bool remember, fa_signed_in *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), agent = b->agent;
    fa_caller actor = fa_at_browser(l, u, b);
    int64_t now = fa_now_ms();
    char hash[65];
    fa_policy p;
    fa_session v;
    bool opened;
    fa_rc rc;

    *out = (fa_signed_in){0};
    if ((rc = fa_policy_get(l, a, &p, e)) || (rc = fa_secret_new(a, &out->session, hash, e)))
        return rc;
    if (agent.n > AGENT_MAX)
        agent.n = AGENT_MAX;
    if (!fa_utf8_valid(agent))
        agent = FA_STR("");
    v = (fa_session){.hash = fa_str_of(hash),
                     .user_id = u->id,
                     .agent = agent,
                     .ip = b->ip,
                     .created_ms = now,
                     .seen_ms = now,
                     .expires_ms = now + p.absolute_minutes * MINUTE_MS,
                     .old_until_ms = -1,
                     .turned_ms = now,
                     .proved_ms = now};
    if ((rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = sessions_bound(l, a, u->id, p.max_sessions, e)) &&
        !(rc = fa_session_add(s, account, &v, e)) &&
        !(rc = fa_user_touch_login(s, account, u->id, now, e)) &&
        !(rc = device_keep(l, a, u, b, &p, remember, out, e)))
        rc = fa_audit_add(l, &actor,
                          &(fa_audit){.action = "signin",
                                      .object_type = "user",
                                      .object_id = u->id,
                                      .object_name = fa_str_of(by)},
                          e);
    rc = fa_store_leave(s, opened, rc, e);
    if (!rc)
        fa_log(FA_LOG_INFO, "signin", "user=%.*s by=%s ip=%.*s", FA_FMT(u->id), by, FA_FMT(b->ip));
    return rc;
}

fa_rc fa_signin_trusted(fa_ledger *l, fa_arena *a, fa_str user_id, const char *by,
                        const fa_browser *b, fa_signed_in *out, fa_err *e)
{
    fa_user u;
    fa_rc rc = fa_user_by_id(fa_ledger_store(l), a, fa_ledger_account(l), user_id, &u, e);

    if (!rc && !fa_str_eqz(u.state, "active"))
        rc = fa_fail(e, FA_EAUTH, "this user may not sign in");
    return rc ? rc : fa_session_open(l, a, &u, by, b, false, out, e);
}

/* ---- failures: counted, and in the audit log as far as a flood allows ---- */

static void failed(fa_ledger *l, const fa_user *u, const fa_browser *b, fa_str device, fa_str email,
                   const char *what)
{
    fa_caller actor = fa_at_browser(l, &(fa_user){0}, b);
    int64_t now = fa_now_ms();
    fa_err ignored;

    fa_guess_failed(email, device, b->ip, now);
    fa_log(FA_LOG_WARN, "signin_failed", "what=%s ip=%.*s", what, FA_FMT(b->ip));
    if (!fa_guess_count("audit", b->ip, AUDITED_PER_HOUR, now))
        return;
    if (fa_audit_add(l, &actor,
                     &(fa_audit){.action = "signin",
                                 .object_type = "user",
                                 .object_id = u->id,
                                 .object_name = fa_str_of(what),
                                 .outcome = "failed",
                                 .severity = "medium"},
                     &ignored))
        fa_log(FA_LOG_ERROR, "audit_failed", "error=%s", ignored.msg);
}

fa_rc fa_place_ok(const fa_policy *p, fa_str ip, fa_err *e)
{
    if ((p->ip_allow.n && !fa_ip_in(ip, p->ip_allow)) || fa_ip_in(ip, p->ip_block))
        return fa_fail(e, FA_EFORBIDDEN, "signing in from this address is not allowed");
    return FA_OK;
}

/* After the first factor: a session, or the question for the second. */
static fa_rc go_on(fa_ledger *l, fa_arena *a, const fa_user *u, const char *by, const fa_browser *b,
                   int64_t trusted_ms, fa_signed_in *out, fa_err *e)
{
    if (!u->totp.n || trusted_ms > fa_now_ms())
        return fa_session_open(l, a, u, by, b, false, out, e);
    return fa_challenge_new(l, a, u, out, e);
}

fa_rc fa_challenge_new(fa_ledger *l, fa_arena *a, const fa_user *u, fa_signed_in *out, fa_err *e)
{
    int64_t now = fa_now_ms();
    char hash[65];
    fa_rc rc;

    *out = (fa_signed_in){0};
    if ((rc = fa_secret_new(a, &out->challenge, hash, e)))
        return rc;
    return fa_challenge_add(fa_ledger_store(l), fa_ledger_account(l), fa_str_of(hash), u->id, now,
                            now + CHALLENGE_MS, e);
}

/* ---- with a link ---- */

/* The user a link is for, with the password's rules proved. Inside a transaction. */
static fa_rc link_take(fa_ledger *l, fa_arena *a, fa_str link_secret, fa_str password,
                       const fa_policy *p, fa_user *u, fa_err *e)
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
    if (fa_str_eqz(u->state, "disabled") || fa_str_eqz(u->state, "locked"))
        return fa_fail(e, FA_EAUTH, "this sign-in link is not valid any more");
    if (!fa_password_allowed(p, u->email))
        return fa_fail(e, FA_EFORBIDDEN, "everybody signs in by single sign-on here");
    return fa_password_rules(password, least_length(u, p), words, fa_own_words(u, words), e);
}

fa_rc fa_signin_link_about(fa_ledger *l, fa_arena *a, fa_str link_secret, fa_user *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    char hash[65];
    fa_str id;
    fa_rc rc;

    fa_secret_hash(link_secret, hash);
    rc = fa_signin_look(s, a, fa_ledger_account(l), fa_str_of(hash), fa_now_ms(), &id, e);
    return rc ? rc : fa_user_by_id(s, a, fa_ledger_account(l), id, out, e);
}

/* A password that was chosen: everything older ends. */
static fa_rc password_put(fa_ledger *l, fa_user *u, fa_str hashed, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    fa_rc rc;

    if ((rc = fa_user_set_password(s, account, u->id, hashed, e)) ||
        (rc = fa_session_end_all(s, account, u->id, e)))
        return rc;
    if (!fa_str_eqz(u->state, "invited"))
        return FA_OK;
    u->state = FA_STR("active");
    u->joined_ms = fa_now_ms();
    return fa_user_update(s, account, u, e);
}

fa_rc fa_signin_link(fa_ledger *l, fa_arena *a, fa_str link_secret, fa_str password,
                     const fa_browser *b, fa_signed_in *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str hashed;
    fa_policy p;
    fa_caller actor;
    fa_user u;
    fa_rc rc;

    *out = (fa_signed_in){0};
    if (fa_guess_wait(FA_STR(""), FA_STR(""), b->ip, fa_now_ms()) > 0)
        return fa_fail(e, FA_ELIMIT, "too many attempts from your address, wait a little");
    if ((rc = fa_policy_get(l, a, &p, e)) || (rc = fa_place_ok(&p, b->ip, e)))
        return rc;
    /* first round proves link and rules and gives the link back: the hash takes its time and must
     * not run inside a transaction, and a refused password must not use the link up */
    if ((rc = fa_store_begin(s, e)))
        return rc;
    rc = link_take(l, a, link_secret, password, &p, &u, e);
    fa_store_rollback(s);
    if (rc == FA_EAUTH)
        failed(l, &(fa_user){0}, b, FA_STR(""), FA_STR(""), "link");
    if (rc || (rc = fa_password_hash(a, password, &hashed, e)) || (rc = fa_store_begin(s, e)))
        return rc;
    actor = (fa_caller){0};
    if (!(rc = link_take(l, a, link_secret, password, &p, &u, e)) &&
        !(rc = password_put(l, &u, hashed, e))) {
        actor = fa_at_browser(l, &u, b);
        rc = fa_audit_add(l, &actor,
                          &(fa_audit){.action = "password.set",
                                      .object_type = "user",
                                      .object_id = u.id,
                                      .object_name = u.email,
                                      .severity = "medium"},
                          e);
    }
    if (!rc)
        rc = go_on(l, a, &u, "link", b, -1, out, e);
    if (rc || (rc = fa_store_commit(s, e))) {
        fa_store_rollback(s);
        return rc;
    }
    fa_guess_cleared(u.email, FA_STR(""), b->ip);
    return FA_OK;
}

/* ---- with a password ---- */

static void rehash(fa_ledger *l, fa_arena *a, const fa_user *u, fa_str password)
{
    fa_str hashed;
    fa_err e = {0};

    if (fa_password_hash(a, password, &hashed, &e) ||
        fa_user_set_password(fa_ledger_store(l), fa_ledger_account(l), u->id, hashed, &e))
        fa_log(FA_LOG_WARN, "rehash_failed", "user=%.*s error=%s", FA_FMT(u->id), e.msg);
}

/* What the browser's cookie is worth for this user: its hash and how long no code is asked of it. */
static fa_rc device_of(fa_ledger *l, fa_arena *a, const fa_user *u, const fa_browser *b,
                       fa_str *device, int64_t *trusted_ms, fa_err *e)
{
    char hash[65];
    fa_device d;
    fa_err none = {0};
    fa_rc rc;

    *device = FA_STR("");
    *trusted_ms = -1;
    if (!u->id.n || b->device.n != SECRET)
        return FA_OK;
    fa_secret_hash(b->device, hash);
    rc = fa_device_get(fa_ledger_store(l), a, fa_ledger_account(l), fa_str_of(hash), u->id, &d,
                       &none);
    if (rc == FA_ENOTFOUND || (!rc && d.expires_ms <= fa_now_ms()))
        return FA_OK;
    if (rc)
        return fa_fail(e, rc, "%s", none.msg);
    *device = d.hash;
    *trusted_ms = d.trusted_ms;
    return FA_OK;
}

/* Single sign-on is enforced, and this is one of the few who may go round it. */
static fa_rc broke_glass(fa_ledger *l, const fa_user *u, const fa_browser *b, fa_err *e)
{
    fa_caller actor = fa_at_browser(l, u, b);

    fa_log(FA_LOG_WARN, "break_glass", "user=%.*s ip=%.*s", FA_FMT(u->id), FA_FMT(b->ip));
    return fa_audit_add(l, &actor,
                        &(fa_audit){.action = "signin.break_glass",
                                    .object_type = "user",
                                    .object_id = u->id,
                                    .object_name = u->email,
                                    .severity = "critical"},
                        e);
}

fa_rc fa_signin_password(fa_ledger *l, fa_arena *a, fa_str email, fa_str password,
                         const fa_browser *b, fa_signed_in *out, fa_err *e)
{
    int64_t wait, trusted;
    bool ok = false, weak = false;
    fa_str device;
    fa_policy p;
    fa_user u = {0};
    fa_rc rc;

    *out = (fa_signed_in){0};
    email = fa_str_trim(email);
    if ((rc = fa_policy_get(l, a, &p, e)) || (rc = fa_place_ok(&p, b->ip, e)))
        return rc;
    rc = fa_email_ok(email)
             ? fa_user_by_email(fa_ledger_store(l), a, fa_ledger_account(l), email, &u, e)
             : FA_ENOTFOUND;
    if (rc && rc != FA_ENOTFOUND)
        return rc;
    if (rc || !fa_str_eqz(u.state, "active") || !fa_password_allowed(&p, u.email))
        u = (fa_user){0};
    if ((rc = device_of(l, a, &u, b, &device, &trusted, e)))
        return rc;
    if ((wait = fa_guess_wait(email, device, b->ip, fa_now_ms())) > 0)
        return fa_fail(e, FA_ELIMIT, "too many attempts, wait %lld seconds",
                       (long long)((wait + 999) / 1000));
    if ((rc = fa_password_verify(password, u.password, &ok, &weak, e)))
        return rc;
    if (!ok) {
        failed(l, &u, b, device, email, "password");
        return fa_fail(e, FA_EAUTH, "e-mail or password is wrong");
    }
    if (weak)
        rehash(l, a, &u, password);
    if ((p.sso_only && (rc = broke_glass(l, &u, b, e))) ||
        (rc = go_on(l, a, &u, "password", b, p.remember_device ? trusted : -1, out, e)))
        return rc;
    out->broke_glass = p.sso_only;
    fa_guess_cleared(email, device, b->ip);
    return FA_OK;
}

int64_t fa_signin_wait(fa_str email, fa_str ip)
{
    return fa_guess_wait(fa_str_trim(email), FA_STR(""), ip, fa_now_ms());
}

fa_rc fa_signin_code(fa_ledger *l, fa_arena *a, fa_str challenge, fa_str code, bool remember,
                     const fa_browser *b, fa_signed_in *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), id;
    char hash[65];
    fa_user u;
    fa_rc rc;

    *out = (fa_signed_in){0};
    fa_secret_hash(challenge, hash);
    if ((rc = fa_challenge_try(s, a, account, fa_str_of(hash), CODE_TRIES, fa_now_ms(), &id, e)))
        return rc == FA_EAUTH
                   ? fa_fail(e, rc, "this took too long or too many tries, sign in again")
                   : rc;
    if ((rc = fa_user_by_id(s, a, account, id, &u, e)))
        return rc == FA_ENOTFOUND ? fa_fail(e, FA_EAUTH, "the code is wrong") : rc;
    if (!fa_str_eqz(u.state, "active"))
        return fa_fail(e, FA_EAUTH, "the code is wrong");
    rc = fa_code_take(l, a, &u, code, e);
    if (rc == FA_EAUTH)
        failed(l, &u, b, FA_STR(""), FA_STR(""), "code");
    if (rc || (rc = fa_challenge_end(s, account, fa_str_of(hash), e)) ||
        (rc = fa_session_open(l, a, &u, "code", b, remember, out, e)))
        return rc;
    return fa_federated_resume(l, a, fa_str_of(hash), out->session, e);
}

/* ---- the session of a request ---- */

static fa_rc not_signed_in(fa_err *e)
{
    return fa_fail(e, FA_EAUTH, "not signed in");
}

static void end_reused(fa_ledger *l, const fa_session *v, fa_str ip)
{
    fa_caller actor = {.kind = FA_CALLER_USER, .id = v->user_id, .ip = ip, .source = "page"};
    fa_err e;

    fa_log(FA_LOG_WARN, "session_reused", "user=%.*s ip=%.*s", FA_FMT(v->user_id), FA_FMT(ip));
    if (fa_session_end(fa_ledger_store(l), fa_ledger_account(l), v->hash, &e) ||
        fa_audit_add(l, &actor,
                     &(fa_audit){.action = "session.reused",
                                 .object_type = "user",
                                 .object_id = v->user_id,
                                 .outcome = "denied",
                                 .severity = "critical"},
                     &e))
        fa_log(FA_LOG_ERROR, "session_end_failed", "error=%s", e.msg);
}

/* A new secret for the cookie. `shown`: the hash of what the browser sent. */
static fa_rc turn(fa_ledger *l, fa_arena *a, fa_session *v, fa_str shown, int64_t now,
                  fa_str *turned, fa_err *e)
{
    fa_str next;
    char hash[65];
    fa_rc rc = fa_secret_new(a, &next, hash, e);

    if (rc)
        return rc;
    rc = fa_session_turn(fa_ledger_store(l), fa_ledger_account(l), v->hash, fa_str_of(hash), shown,
                         now, e);
    if (rc == FA_ENOTFOUND) /* another request of the browser was first */
        return FA_OK;
    if (rc)
        return rc;
    *turned = next;
    v->hash = fa_arena_dup(a, fa_str_of(hash));
    return v->hash.p ? FA_OK : fa_oom(e);
}

static fa_rc turn_if_due(fa_ledger *l, fa_arena *a, fa_session *v, fa_str shown, int64_t now,
                         fa_str ip, fa_str *turned, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_rc rc = FA_OK;

    if (fa_str_eq(shown, v->hash)) {
        if (v->old_hash.n && v->old_until_ms < 0)
            rc = fa_session_turned(s, fa_ledger_account(l), v->hash, now + GRACE_MS, e);
        if (!rc && turned && now - v->turned_ms >= TURN_MS)
            rc = turn(l, a, v, shown, now, turned, e);
        return rc;
    }
    if (v->old_until_ms >= 0 && now > v->old_until_ms) {
        end_reused(l, v, ip);
        return not_signed_in(e);
    }
    /* the answer with the new secret seems to be lost */
    if (v->old_until_ms < 0 && turned && now - v->turned_ms >= GRACE_MS)
        rc = turn(l, a, v, shown, now, turned, e);
    return rc;
}

static bool factor_wanted(const fa_policy *p, const fa_user *u, const fa_caller *c)
{
    bool by_password = fa_str_eqz(u->managed_by, "local");

    if (fa_str_eqz(p->mfa, "ForceAdmins"))
        return by_password && fa_caller_is_admin(c);
    return fa_str_eqz(p->mfa, "Force") || (by_password && fa_str_eqz(p->mfa, "ForceExceptSSO"));
}

/* Who is without a second factor that the policy wants may only set one up, once the days of grace are over: they
 * run from the day it was asked for, or from the day the person came. */
void fa_must_enroll(const fa_policy *p, const fa_user *u, int64_t now, fa_caller *c)
{
    int64_t from = p->mfa_since_ms > u->joined_ms ? p->mfa_since_ms : u->joined_ms;

    if (u->totp.n || !factor_wanted(p, u, c))
        return;
    c->enroll_by_ms = from + p->mfa_grace_days * DAY_MS;
    if (now < c->enroll_by_ms)
        return;
    c->perms = (fa_perms){{0}};
    fa_perms_add(&c->perms, FA_PERM_PUBLIC);
    fa_perms_add(&c->perms, FA_PERM_SELF);
}

/* The administrator sees with the user's eyes; his own id stays in `behalf`. */
fa_rc fa_borrow_eyes(fa_ledger *l, fa_arena *a, fa_str view_as, fa_caller *c, fa_err *e)
{
    fa_caller own = *c, other;
    fa_err none = {0};
    fa_rc rc;

    if (!view_as.n || !fa_caller_is_admin(&own))
        return FA_OK;
    rc = fa_caller_user(l, a, view_as, &other, &none);
    if (rc == FA_ENOTFOUND)
        return FA_OK;
    if (rc)
        return fa_fail(e, rc, "%s", none.msg);
    *c = other;
    c->behalf = own.id;
    return FA_OK;
}

static fa_rc session_live(fa_ledger *l, fa_arena *a, fa_str shown, const fa_policy *p,
                          fa_session *v, fa_user *u, int64_t now, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    fa_err quiet = {0};
    fa_rc rc = fa_session_get(s, a, account, shown, v, &quiet);

    if (!rc && (v->expires_ms <= now || now - v->seen_ms > p->idle_minutes * MINUTE_MS)) {
        if (fa_session_end(s, account, v->hash, &quiet))
            fa_log(FA_LOG_WARN, "session_end_failed", "error=%s", quiet.msg);
        return not_signed_in(e);
    }
    if (!rc)
        rc = fa_user_by_id(s, a, account, v->user_id, u, &quiet);
    if (rc == FA_ENOTFOUND || (!rc && (!fa_str_eqz(u->state, "active") || !u->roles.p)))
        return not_signed_in(e);
    return rc ? fa_fail(e, rc, "%s", quiet.msg) : FA_OK;
}

/* What the session's person may now. */
static fa_rc session_caller(fa_ledger *l, fa_arena *a, const fa_policy *p, const fa_session *v,
                            const fa_user *u, int64_t now, fa_caller *out, fa_err *e)
{
    fa_rc rc = fa_caller_of_user(l, a, u, out, e);

    if (rc)
        return rc;
    if (v->account_at.n) {
        out->at = v->account_at;
        out->view_as = v->view_as;
    }
    fa_must_enroll(p, u, now, out);
    if ((rc = fa_borrow_eyes(l, a, v->account_at.n ? FA_STR("") : v->view_as, out, e))) {
        *out = (fa_caller){0};
        return rc;
    }
    out->session_hash = v->hash;
    out->proved_ms = v->proved_ms;
    return FA_OK;
}

fa_rc fa_session_still(fa_ledger *l, fa_arena *a, const fa_caller *was, fa_caller *out, fa_err *e)
{
    int64_t now = fa_now_ms();
    fa_session v = {0};
    fa_policy p;
    fa_user u = {0};
    fa_err quiet;
    fa_rc rc;

    *out = (fa_caller){0};
    if (!was->session_hash.n)
        return not_signed_in(e);
    if ((rc = fa_policy_get(l, a, &p, e)) ||
        (rc = session_live(l, a, was->session_hash, &p, &v, &u, now, e)))
        return rc;
    if (was->ip.n && fa_place_ok(&p, was->ip, &quiet))
        return not_signed_in(e);
    if ((rc = session_caller(l, a, &p, &v, &u, now, out, e)))
        return rc;
    out->ip = was->ip;
    return FA_OK;
}

fa_rc fa_session_check(fa_ledger *l, fa_arena *a, fa_str session_secret, fa_str ip, fa_caller *out,
                       fa_str *turned, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    int64_t now = fa_now_ms();
    char hash[65];
    fa_session v = {0};
    fa_policy p;
    fa_user u = {0};
    fa_err quiet;
    fa_rc rc;

    *out = (fa_caller){0};
    if (turned)
        *turned = (fa_str){0};
    if (session_secret.n != SECRET)
        return not_signed_in(e);
    fa_secret_hash(session_secret, hash);
    if ((rc = fa_policy_get(l, a, &p, e)) ||
        (rc = session_live(l, a, fa_str_of(hash), &p, &v, &u, now, e)))
        return rc;
    if (ip.n && fa_place_ok(&p, ip, &quiet))
        return not_signed_in(e);
    if ((rc = turn_if_due(l, a, &v, fa_str_of(hash), now, ip, turned, e)))
        return rc;
    if (now - v.seen_ms >= TOUCH_EVERY_MS && fa_session_touch(s, account, v.hash, now, &quiet))
        fa_log(FA_LOG_WARN, "session_touch_failed", "error=%s", quiet.msg);
    if ((rc = session_caller(l, a, &p, &v, &u, now, out, e)))
        return rc;
    out->ip = ip;
    return FA_OK;
}

fa_rc fa_signout(fa_ledger *l, const fa_caller *c, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_session_end(s, fa_ledger_account(l), c->session_hash, e);
    if (rc == FA_ENOTFOUND)
        rc = FA_OK;
    if (!rc)
        rc = fa_audit_add(l, c,
                          &(fa_audit){.action = "signout",
                                      .object_type = "user",
                                      .object_id = c->behalf.n ? c->behalf : c->id},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

/* ---- sensitive acts (SE-6) ---- */

bool fa_caller_proved(const fa_caller *c)
{
    return c->kind != FA_CALLER_USER || !c->session_hash.n ||
           (c->proved_ms >= 0 && fa_now_ms() - c->proved_ms <= FA_PROVED_FOR_MS);
}

/* The person behind a session, also while he looks through other eyes. */
static fa_str person_of(const fa_caller *c)
{
    return c->behalf.n ? c->behalf : c->id;
}

fa_rc fa_prove(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str password, fa_str code,
               fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    int64_t now = fa_now_ms();
    bool ok = false, weak;
    fa_user u;
    fa_rc rc;

    if (c->kind != FA_CALLER_USER)
        return fa_fail(e, FA_EFORBIDDEN, "only a person has a password");
    if ((rc = fa_user_by_id(s, a, account, person_of(c), &u, e)))
        return rc;
    if (fa_guess_wait(u.email, FA_STR("prove"), c->ip, now) > 0)
        return fa_fail(e, FA_ELIMIT, "too many attempts, wait a little");
    if (u.totp.n && code.n) {
        rc = fa_code_take(l, a, &u, code, e);
        ok = !rc;
        if (rc && rc != FA_EAUTH)
            return rc;
    } else if ((rc = fa_password_verify(password, u.password, &ok, &weak, e))) {
        return rc;
    }
    if (!ok) {
        fa_guess_failed(u.email, FA_STR("prove"), c->ip, now);
        fa_fail(e, FA_EDATA, "the password or code is wrong");
        return fa_at(e, code.n ? "code" : "password");
    }
    fa_guess_cleared(u.email, FA_STR("prove"), c->ip);
    return fa_session_proved(s, account, c->session_hash, now, e);
}

fa_rc fa_password_change(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str current, fa_str next,
                         fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), hashed, words[4];
    int64_t now = fa_now_ms();
    bool ok, weak, opened;
    fa_policy p;
    fa_user u;
    fa_rc rc;

    if (c->kind != FA_CALLER_USER || c->behalf.n)
        return fa_fail(e, FA_EFORBIDDEN, "only a person has a password");
    if (fa_guess_wait(c->email, FA_STR("change"), c->ip, now) > 0)
        return fa_fail(e, FA_ELIMIT, "too many attempts, wait a little");
    if ((rc = fa_policy_get(l, a, &p, e)) || (rc = fa_user_by_id(s, a, account, c->id, &u, e)) ||
        (rc = fa_password_verify(current, u.password, &ok, &weak, e)))
        return rc;
    if (!ok) {
        fa_guess_failed(c->email, FA_STR("change"), c->ip, now);
        fa_fail(e, FA_EDATA, "the current password is wrong");
        return fa_at(e, "current");
    }
    if (fa_password_rules(next, least_length(&u, &p), words, fa_own_words(&u, words), e))
        return fa_at(e, "next");
    if ((rc = fa_password_hash(a, next, &hashed, e)) || (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_user_set_password(s, account, u.id, hashed, e)) &&
        !(rc = fa_session_end_others(s, account, u.id, c->session_hash, e)) &&
        !(rc = fa_session_proved(s, account, c->session_hash, now, e)))
        rc = fa_audit_add(l, c,
                          &(fa_audit){.action = "password.change",
                                      .object_type = "user",
                                      .object_id = u.id,
                                      .object_name = u.email,
                                      .severity = "medium"},
                          e);
    rc = fa_store_leave(s, opened, rc, e);
    if (!rc)
        fa_log(FA_LOG_INFO, "password_changed", "user=%.*s", FA_FMT(u.id));
    return rc;
}

fa_rc fa_view_as(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str user_id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    fa_ledger *home = fa_ledger_home(l);
    fa_user own = {0}, u = {0};
    fa_caller actor;
    bool opened;
    fa_rc rc;

    if (c->kind != FA_CALLER_USER || !c->session_hash.n)
        return fa_fail(e, FA_EFORBIDDEN,
                       "only a signed-in administrator can look through other eyes");
    if ((rc = fa_user_by_id(s, a, account, person_of(c), &own, e)) ||
        (rc = fa_caller_of_user(l, a, &own, &actor, e)) ||
        (user_id.n && (rc = fa_user_by_id(s, a, account, user_id, &u, e))))
        return rc;
    if (user_id.n && !fa_caller_is_admin(&actor))
        return fa_fail(e, FA_EFORBIDDEN, "only an administrator can look through other eyes");
    actor.ip = c->ip;
    actor.agent = c->agent;
    actor.request_id = c->request_id;
    if ((rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_session_view_as(fa_ledger_store(home), fa_ledger_account(home), c->session_hash,
                                  fa_str_eq(user_id, own.id) ? FA_STR("") : user_id, e)))
        rc = fa_audit_add(l, &actor,
                          &(fa_audit){.action = user_id.n ? "view_as.start" : "view_as.end",
                                      .object_type = "user",
                                      .object_id = user_id,
                                      .object_name = u.email,
                                      .severity = "high"},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

void fa_session_id(fa_str hash, char out[33])
{
    unsigned char h[16];

    crypto_generichash(h, sizeof h, (const unsigned char *)hash.p, hash.n, NULL, 0);
    fa_hex(out, h, sizeof h);
}

fa_rc fa_session_end_by_id(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str user_id,
                           fa_str id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    fa_session *v;
    size_t n, ended = 0;
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_session_list(s, a, account, user_id, &v, &n, e);
    for (size_t i = 0; !rc && i < n; i++) {
        char own[33];

        fa_session_id(v[i].hash, own);
        /* all: but not the one that asks */
        if (id.n ? !fa_str_eqz(id, own) : fa_str_eq(v[i].hash, by->session_hash))
            continue;
        rc = fa_session_end(s, account, v[i].hash, e);
        ended++;
    }
    if (!rc && id.n && !ended)
        rc = fa_fail(e, FA_ENOTFOUND, "no such session");
    if (!rc)
        rc = fa_audit_add(l, by,
                          &(fa_audit){.action = "session.end",
                                      .object_type = "user",
                                      .object_id = user_id,
                                      .severity = "medium"},
                          e);
    return fa_store_leave(s, opened, rc, e);
}
