/*
 * mail.c - messages to people: the account's mail server, the queue in meta.db, what the messages say.
 *
 * A message that holds a link holds a secret, so its text is sealed while it waits and gone when it is sent or
 * given up; what is left says to whom, when and what became of it. Subjects are constants, addresses are checked,
 * the text travels as base64: nothing that a person entered reaches a header as it is.
 */
#include "access/internal.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#define SETTING FA_STR("mail")
#define PASSWORD FA_STR("mail/password")
#define DAY_MS 86400000LL
#define NOTICE_MS (2 * DAY_MS)
#define KEPT_MS (30 * DAY_MS)
#define WAIT_MAX_MS 1800000LL
enum { WAITING_MAX = 500, FIRST_WAIT = 30 /* times the wait of net */, PASSWORD_MAX = 1024 };

/* What is sent; %s is the link. A message with a link is good as long as the link. */
static const struct message {
    const char *kind, *subject, *text;
} messages[] = {
    {"invite", "Activate your Farthing account",
     "You were invited to Farthing. Activate your account here:\n%s\n\n"
     "The link works once. If you did not expect it, do nothing.\n"},
    {"reset", "Choose a new Farthing password",
     "Choose a new password here:\n%s\n\n"
     "The link works once. If you did not expect it, do nothing.\n"},
    {"break_glass", "Break glass: a password was used",
     "An administrator used a password although single sign-on is enforced. The audit log says "
     "who and from where:\n%s\n"},
    {"test", "Test of the mail server",
     "This is the test you asked for: Farthing can send mail.\n"},
};

/* Changes a person is told of, by the action of the audit log; nobody can switch these off. */
static const struct message notices[] = {
    {"password.set", "Your Farthing password was set", "A new password was set for your account."},
    {"password.change", "Your Farthing password was changed",
     "The password of your account was changed."},
    {"mfa.enroll", "A second factor was set up", "A second factor was set up for your account."},
    {"mfa.remove", "Your second factor was taken off",
     "The second factor of your account was taken off."},
    {"mfa.recovery_codes", "New recovery codes were made",
     "New recovery codes were made for your account; the ones before are void."},
    {"session.reused", "A session of yours was ended",
     "Somebody showed a session of yours that had been replaced. It may have been copied, so it "
     "was "
     "ended. Change your password if you have any doubt."},
    {"token.create", "A token was made with your sign-in",
     "A token that signs in programs was made with your sign-in."},
    {"user.change", "Your Farthing account was changed",
     "Your name, phone number or roles were changed."},
};

/* ---- the server ---- */

static fa_str text_of(fa_arena *a, const json_t *j, const char *name, bool *oom)
{
    const json_t *v = json_object_get(j, name);
    fa_str s = {json_string_value(v), json_string_length(v)};

    if (!json_is_string(v))
        return FA_STR("");
    s = fa_arena_dup(a, s);
    *oom = *oom || !s.p;
    return s;
}

fa_rc fa_mail_get(fa_ledger *l, fa_arena *a, fa_mail_server *out, fa_err *e)
{
    bool oom = false;
    json_t *j;
    fa_str text;
    fa_rc rc = fa_setting_get(fa_ledger_store(l), a, fa_ledger_account(l), SETTING, &text, e);

    *out = (fa_mail_server){.host = FA_STR(""),
                            .port = 587,
                            .security = FA_STR("starttls"),
                            .user = FA_STR(""),
                            .from = FA_STR(""),
                            .from_name = FA_STR("Farthing"),
                            .sealed = FA_STR("")};
    if (rc || !text.n)
        return rc;
    j = json_loadb(text.p, text.n, 0, NULL);
    *out = (fa_mail_server){.host = text_of(a, j, "host", &oom),
                            .port = json_integer_value(json_object_get(j, "port")),
                            .security = text_of(a, j, "security", &oom),
                            .user = text_of(a, j, "user", &oom),
                            .from = text_of(a, j, "from", &oom),
                            .from_name = text_of(a, j, "fromName", &oom),
                            .sealed = text_of(a, j, "sealed", &oom)};
    json_decref(j);
    return oom ? fa_oom(e) : FA_OK;
}

static void put_text(fa_jw *w, const char *key, fa_str v)
{
    fa_jw_key(w, key);
    fa_jw_str(w, v);
}

static fa_rc server_text(fa_arena *a, const fa_mail_server *v, bool with_sealed, fa_str *out,
                         fa_err *e)
{
    fa_buf b = {0};
    fa_jw w;
    fa_rc rc;

    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    put_text(&w, "host", v->host);
    fa_jw_key(&w, "port");
    fa_jw_int(&w, v->port);
    put_text(&w, "security", v->security);
    put_text(&w, "user", v->user);
    put_text(&w, "from", v->from);
    put_text(&w, "fromName", v->from_name);
    if (with_sealed)
        put_text(&w, "sealed", v->sealed);
    fa_jw_end_obj(&w);
    rc = fa_json_out(a, &b, out, e);
    fa_buf_release(&b);
    return rc;
}

static fa_rc server_ok(fa_mail_server *v, fa_err *e)
{
    fa_rc rc;

    if ((rc = fa_text_ok(&v->host, 0, 253, "host", e)) ||
        (rc = fa_text_ok(&v->user, 0, 254, "user", e)) ||
        (rc = fa_text_ok(&v->from_name, 1, 40, "fromName", e)))
        return rc;
    if (!v->host.n && !v->from.n)
        return FA_OK; /* no mail */
    if (!fa_email_ok(v->from)) {
        fa_fail(e, FA_EINVAL, "is not an e-mail address");
        return fa_at(e, "from");
    }
    return FA_OK;
}

/* A password is for the server it was entered for: where another one is named it is asked for again, so that
 * nobody has it sent to a server of his own. */
static bool same_server(const fa_mail_server *a, const fa_mail_server *b)
{
    return fa_str_ieq(a->host, b->host) && a->port == b->port && fa_str_eq(a->user, b->user) &&
           fa_str_eq(a->security, b->security);
}

fa_rc fa_mail_set(fa_ledger *l, fa_arena *a, const fa_caller *by, const fa_mail_server *wish,
                  fa_str password, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before, after, kept;
    fa_mail_server old, v = *wish;
    bool opened;
    fa_rc rc;

    if ((rc = server_ok(&v, e)) || (rc = fa_mail_get(l, a, &old, e)))
        return rc;
    if (password.n > PASSWORD_MAX) {
        fa_fail(e, FA_EINVAL, "has more than %d bytes", PASSWORD_MAX);
        return fa_at(e, "password");
    }
    v.sealed = FA_STR("");
    if (password.n && (rc = fa_seal(l, a, password, PASSWORD, &v.sealed, e)))
        return rc;
    if (!password.n && v.user.n && same_server(&old, &v))
        v.sealed = old.sealed;
    if ((rc = server_text(a, &old, false, &before, e)) ||
        (rc = server_text(a, &v, false, &after, e)) || (rc = server_text(a, &v, true, &kept, e)) ||
        (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_setting_put(s, account, SETTING, kept, e)) &&
        !(rc = fa_mail_row_hurry(s, account, fa_now_ms(), e)))
        rc = fa_audit_add(l, by,
                          &(fa_audit){.action = "mail.change",
                                      .object_type = "account",
                                      .object_id = account,
                                      .before = before,
                                      .after = after,
                                      .severity = "high"},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_mail_is_on(fa_ledger *l, fa_arena *a, bool *on, fa_err *e)
{
    fa_mail_server v;
    fa_rc rc = fa_mail_get(l, a, &v, e);

    *on = !rc && v.host.n > 0;
    return rc;
}

/* ---- the queue ---- */

static const struct message *message_of(fa_str kind)
{
    for (size_t i = 0; i < FA_COUNT(messages); i++)
        if (fa_str_eqz(kind, messages[i].kind))
            return &messages[i];
    for (size_t i = 0; i < FA_COUNT(notices); i++)
        if (fa_str_eqz(kind, notices[i].kind))
            return &notices[i];
    return NULL;
}

static fa_rc queue(fa_ledger *l, fa_arena *a, fa_str kind, fa_str to, fa_str text, int64_t for_ms,
                   fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), sealed;
    int64_t now = fa_now_ms(), n = 0;
    char id[37], *about;
    fa_rc rc = fa_mail_row_count(s, a, account, FA_STR("waiting"), &n, e);

    if (rc)
        return rc;
    if (n >= WAITING_MAX)
        return fa_fail(e, FA_ELIMIT, "%d messages wait to be sent already", WAITING_MAX);
    fa_uuid_v4(id);
    if (!(about = fa_arena_printf(a, "mail/%s", id)))
        return fa_oom(e);
    if ((rc = fa_seal(l, a, text, fa_str_of(about), &sealed, e)))
        return rc;
    return fa_mail_row_add(s, account,
                           &(fa_mail_row){.id = fa_str_of(id),
                                          .kind = kind,
                                          .to = to,
                                          .sealed = sealed,
                                          .created_ms = now,
                                          .expires_ms = now + for_ms},
                           e);
}

fa_rc fa_mail_link(fa_ledger *l, fa_arena *a, const char *kind, fa_str to, fa_str url,
                   int64_t for_ms, fa_err *e)
{
    const struct message *m = message_of(fa_str_of(kind));
    fa_buf b = {0};
    const char *at = m ? strstr(m->text, "%s") : NULL;
    fa_rc rc;

    if (!at)
        return fa_fail(e, FA_EINTERNAL, "no message is called %s", kind);
    fa_buf_put(&b, m->text, (size_t)(at - m->text));
    fa_buf_str(&b, url);
    fa_buf_z(&b, at + 2);
    rc = b.failed ? fa_oom(e) : queue(l, a, fa_str_of(kind), to, fa_buf_view(&b), for_ms, e);
    if (b.p)
        sodium_memzero(b.p, b.n);
    fa_buf_release(&b);
    return rc;
}

/* Whom a notice goes to: the person it is about; of a token, who made it. */
static fa_rc told(fa_ledger *l, fa_arena *a, const fa_caller *by, const fa_audit *v, fa_user *u,
                  fa_err *e)
{
    bool is_user = v->object_type && strcmp(v->object_type, "user") == 0;
    fa_str id = is_user ? v->object_id : by ? by->user_id : FA_STR("");

    return fa_user_by_id(fa_ledger_store(l), a, fa_ledger_account(l), id, u, e);
}

void fa_mail_notice(fa_ledger *l, const fa_caller *by, const fa_audit *v)
{
    const struct message *m = NULL;
    fa_arena a = {0};
    fa_buf b = {0};
    bool on = false;
    fa_user u;
    fa_err e = {0};

    for (size_t i = 0; !m && i < FA_COUNT(notices); i++)
        if (strcmp(notices[i].kind, v->action) == 0)
            m = &notices[i];
    if (!m)
        return;
    if (fa_mail_is_on(l, &a, &on, &e) || !on || told(l, &a, by, v, &u, &e) || !u.password.n)
        goto done;
    fa_buf_z(&b, m->text);
    fa_buf_z(&b, "\n\nWhen: ");
    fa_time_iso(&b, fa_now_ms());
    if (by && by->ip.n)
        fa_buf_fmt(&b, "\nFrom: %.*s", FA_FMT(by->ip));
    if (by && by->email.n && !fa_str_eq(by->email, u.email))
        fa_buf_fmt(&b, "\nBy: %.*s", FA_FMT(by->email));
    fa_buf_z(&b, "\n\nIf you did not expect this, tell an administrator at once.\n");
    if (!b.failed)
        (void)!queue(l, &a, fa_str_of(m->kind), u.email, fa_buf_view(&b), NOTICE_MS, &e);
done:
    if (e.rc && e.rc != FA_ENOTFOUND)
        fa_log(FA_LOG_WARN, "mail_notice_failed", "action=%s error=\"%s\"", v->action, e.msg);
    fa_buf_release(&b);
    fa_arena_release(&a);
}

/* ---- a message as it goes over the wire ---- */

static void put_base64(fa_buf *b, fa_str s)
{
    char line[80];

    for (size_t at = 0; at < s.n; at += 57) { /* 57 bytes are 76 characters */
        size_t n = s.n - at < 57 ? s.n - at : 57;

        sodium_bin2base64(line, sizeof line, (const unsigned char *)s.p + at, n,
                          sodium_base64_VARIANT_ORIGINAL);
        fa_buf_fmt(b, "%s\r\n", line);
    }
}

static void put_date(fa_buf *b, int64_t ms)
{
    static const char *const day[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
                             *const month[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t at = (time_t)(ms / 1000);
    struct tm t;

    if (gmtime_r(&at, &t))
        fa_buf_fmt(b, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", day[t.tm_wday], t.tm_mday,
                   month[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

static void put_message(fa_buf *b, const fa_mail_server *v, const fa_mail_row *m, fa_str text)
{
    const struct message *what = message_of(m->kind);
    const char *at = memchr(v->from.p, '@', v->from.n);
    char name[80];

    put_date(b, m->created_ms);
    sodium_bin2base64(name, sizeof name, (const unsigned char *)v->from_name.p, v->from_name.n,
                      sodium_base64_VARIANT_ORIGINAL);
    fa_buf_fmt(b, "From: =?UTF-8?B?%s?= <%.*s>\r\n", name, FA_FMT(v->from));
    fa_buf_fmt(b, "To: <%.*s>\r\nSubject: %s\r\n", FA_FMT(m->to),
               what ? what->subject : "Farthing");
    fa_buf_fmt(b, "Message-ID: <%.*s@%.*s>\r\n", FA_FMT(m->id),
               (int)(v->from.n - (size_t)(at + 1 - v->from.p)), at + 1);
    fa_buf_z(b, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
                "\r\n");
    put_base64(b, text);
}

static fa_rc send_now(fa_ledger *l, fa_arena *a, fa_net *net, const fa_mail_server *v,
                      const fa_mail_row *m, fa_str text, const volatile bool *cancel, bool *again,
                      fa_err *e)
{
    fa_str password = {0};
    fa_buf b = {0};
    fa_net_mail q = {.host = fa_arena_dupz(a, v->host),
                     .port = (int)v->port,
                     .security = fa_arena_dupz(a, v->security),
                     .user = fa_arena_dupz(a, v->user),
                     .from = fa_arena_dupz(a, v->from),
                     .to = fa_arena_dupz(a, m->to),
                     .cancel = cancel};
    fa_rc rc = FA_OK;

    *again = true;
    if (!q.host || !q.security || !q.user || !q.from || !q.to)
        return fa_oom(e);
    if (v->sealed.n && (rc = fa_unseal(l, a, v->sealed, PASSWORD, &password, e)))
        return rc;
    q.password = password.n ? fa_arena_dupz(a, password) : "";
    put_message(&b, v, m, text);
    q.message = fa_buf_view(&b);
    rc = b.failed || !q.password ? fa_oom(e) : fa_net_mail_send(net, &q, again, e);
    if (b.p)
        sodium_memzero(b.p, b.n);
    if (password.n) {
        sodium_memzero((char *)(uintptr_t)password.p, password.n);
        sodium_memzero((char *)(uintptr_t)q.password, strlen(q.password));
    }
    fa_buf_release(&b);
    return rc;
}

fa_rc fa_mail_test(fa_ledger *l, fa_arena *a, fa_net *net, fa_str to, fa_err *e)
{
    fa_mail_server v;
    fa_mail_row m = {.kind = FA_STR("test"), .to = to, .created_ms = fa_now_ms()};
    char id[37];
    bool again;
    fa_rc rc = fa_mail_get(l, a, &v, e);

    if (rc)
        return rc;
    if (!v.host.n)
        return fa_fail(e, FA_EDATA, "no mail server is set up");
    fa_uuid_v4(id);
    m.id = fa_str_of(id);
    rc = send_now(l, a, net, &v, &m, fa_str_of(message_of(m.kind)->text), NULL, &again, e);
    return rc ? (e->rc = FA_EDATA) : FA_OK; /* it is the settings that are judged */
}

/* ---- sending what waits ---- */

/* Doubling from half a minute to half an hour, up to a quarter more, so that a crowd does not come back at once. */
static int64_t next_try(const fa_net *net, int64_t tries, int64_t now)
{
    int64_t wait = (int64_t)fa_net_retry_ms(net) * FIRST_WAIT << (tries < 12 ? tries : 12);

    if (wait > WAIT_MAX_MS)
        wait = WAIT_MAX_MS;
    return now + wait + (int64_t)randombytes_uniform((uint32_t)(wait / 4) + 1);
}

static fa_rc settle(fa_ledger *l, const fa_net *net, const fa_mail_row *m, fa_rc sent, bool again,
                    const fa_err *why, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), words = fa_str_of(why->msg);
    int64_t now = fa_now_ms(), next = next_try(net, m->tries, now);

    if (!sent) {
        fa_log(FA_LOG_INFO, "mail_sent", "id=%.*s kind=%.*s", FA_FMT(m->id), FA_FMT(m->kind));
        return fa_mail_row_done(s, account, m->id, FA_STR("sent"), FA_STR(""), now, e);
    }
    if (again && next <= m->expires_ms) {
        fa_log(FA_LOG_WARN, "mail_later", "id=%.*s kind=%.*s error=\"%s\"", FA_FMT(m->id),
               FA_FMT(m->kind), why->msg);
        return fa_mail_row_later(s, account, m->id, next, words, e);
    }
    fa_log(FA_LOG_ERROR, "mail_failed", "id=%.*s kind=%.*s error=\"%s\"", FA_FMT(m->id),
           FA_FMT(m->kind), why->msg);
    return fa_mail_row_done(s, account, m->id, FA_STR("failed"), words, now, e);
}

fa_rc fa_mail_step(fa_ledger *l, fa_arena *a, fa_net *net, const volatile bool *cancel, bool *did,
                   fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), text = {0};
    int64_t now = fa_now_ms();
    bool again = false;
    fa_mail_server v;
    fa_mail_row m;
    fa_err why = {0}, none = {0};
    char *about;
    fa_rc rc;

    *did = false;
    if ((rc = fa_mail_get(l, a, &v, e)) || !v.host.n)
        return rc; /* what waits, waits for a server, until it expires */
    rc = fa_mail_row_due(s, a, account, now, &m, &none);
    if (rc)
        return rc == FA_ENOTFOUND ? FA_OK : fa_fail(e, rc, "%s", none.msg);
    *did = true;
    if (m.expires_ms <= now) {
        fa_fail(&why, FA_ETIMEOUT, "it could not be sent in time");
        return settle(l, net, &m, FA_ETIMEOUT, false, &why, e);
    }
    if (!(about = fa_arena_printf(a, "mail/%.*s", FA_FMT(m.id))))
        return fa_oom(e);
    if (!(rc = fa_unseal(l, a, m.sealed, fa_str_of(about), &text, &why)))
        rc = send_now(l, a, net, &v, &m, text, cancel, &again, &why);
    if (text.n)
        sodium_memzero((char *)(uintptr_t)text.p, text.n);
    if (rc == FA_ECANCELLED)
        return FA_OK; /* as if it had not been tried */
    return settle(l, net, &m, rc, again, &why, e);
}

fa_rc fa_mail_forget(fa_ledger *l, fa_err *e)
{
    return fa_mail_row_purge(fa_ledger_store(l), fa_ledger_account(l), fa_now_ms() - KEPT_MS, e);
}
