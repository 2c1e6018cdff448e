/*
 * mail.c - links that people get: by mail when there is a way to send it, else shown to who may hand
 * them on. And the settings of the mail server.
 *
 * FARTHING_MAIL=file:/path appends each message to a file (for tests and for a mail system that picks
 * them up), before any mail server.
 */
#include "api/sso.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MINUTE_MS 60000LL

static const char *mail_file(void)
{
    const char *to = getenv("FARTHING_MAIL");

    return to && strncmp(to, "file:", 5) == 0 && to[5] ? to + 5 : NULL;
}

bool mail_is_set_up(fa_req *r)
{
    bool on = false;
    fa_err e;

    return mail_file() || (!fa_mail_is_on(r->ledger, r->mem, &on, &e) && on);
}

/* The server's own name as the browser called it, never a header's word: links must not lead away. */
static fa_str link_text(fa_req *r, fa_str secret, const char *kind)
{
    const char *base = getenv("FARTHING_URL");
    const char *path = strcmp(kind, "join") == 0 ? "join" : "signin";
    char *z =
        fa_arena_printf(r->mem, "%s/%s#%.*s", base && *base ? base : fa_server_address(r->server),
                        path, FA_FMT(secret));

    return fa_str_of(z);
}

fa_str mail_url(fa_req *r, fa_str secret, const char *kind)
{
    return link_text(r, secret, kind);
}

/* Appends the message and wipes it. */
static bool append(const char *path, fa_buf *b)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool ok = false;

    if (fd >= 0) {
        ok = !b->failed && write(fd, b->p, b->n) == (ssize_t)b->n;
        if (close(fd) != 0)
            ok = false;
    }
    if (!ok)
        fa_log(FA_LOG_ERROR, "mail_failed", "path=%s error=%s", path, strerrordesc_np(errno));
    if (b->p)
        explicit_bzero(b->p, b->n);
    fa_buf_release(b);
    return ok;
}

static bool to_file(fa_req *r, const char *path, const fa_user *u, fa_str secret, const char *kind)
{
    bool invited = strcmp(kind, "invite") == 0;
    fa_buf b = {0};

    fa_buf_fmt(&b, "To: %.*s\nSubject: %s\n\n%s\n%.*s\n\n%s\n.\n", FA_FMT(u->email),
               invited ? "Activate your Farthing account" : "Choose a new Farthing password",
               invited ? "You were invited to Farthing. Activate your account here:"
                       : "Choose a new password here:",
               FA_FMT(link_text(r, secret, kind)),
               "The link works once. If you did not expect it, do nothing.");
    return append(path, &b);
}

static fa_rc tell_glass(fa_req *r, fa_str to, fa_err *e)
{
    const char *path = mail_file();
    fa_str log = sso_url(r, "/admin/audit?q=signin.break_glass");
    fa_buf b = {0};

    if (!path)
        return fa_mail_link(r->ledger, r->mem, "break_glass", to, log, 2880 * MINUTE_MS, e);
    fa_buf_fmt(&b,
               "To: %.*s\nSubject: Break glass: a password was used\n\nAn administrator used a "
               "password although single sign-on is enforced:\n%.*s\n.\n",
               FA_FMT(to), FA_FMT(log));
    return append(path, &b) ? FA_OK : fa_fail(e, FA_EENV, "could not write the mail file");
}

void mail_broke_glass(fa_req *r)
{
    fa_err e = {0};
    fa_user *u;
    size_t n;
    fa_rc rc = FA_OK;

    if (!mail_is_set_up(r))
        return;
    rc = fa_user_list(fa_ledger_store(r->ledger), r->mem, fa_ledger_account(r->ledger), &u, &n, &e);
    for (size_t i = 0; !rc && i < n; i++)
        if (fa_str_eqz(u[i].state, "active") && fa_list_has(u[i].roles, FA_STR("admin")))
            rc = tell_glass(r, u[i].email, &e);
    if (rc)
        fa_log(FA_LOG_ERROR, "mail_failed", "kind=break_glass error=\"%s\"", e.msg);
}

bool mail_link(fa_req *r, const fa_user *u, fa_str secret, const char *kind)
{
    const char *path = mail_file();
    int64_t for_ms = 30 * MINUTE_MS; /* of a link for a new password (PW-7) */
    bool on = false;
    fa_policy p;
    fa_err e = {0};

    if (path)
        return to_file(r, path, u, secret, kind);
    if (fa_mail_is_on(r->ledger, r->mem, &on, &e) || !on ||
        fa_policy_get(r->ledger, r->mem, &p, &e))
        return false;
    if (strcmp(kind, "invite") == 0)
        for_ms = p.invite_hours * 60 * MINUTE_MS;
    if (!fa_mail_link(r->ledger, r->mem, kind, u->email, link_text(r, secret, kind), for_ms, &e))
        return true;
    fa_log(FA_LOG_ERROR, "mail_failed", "kind=%s error=\"%s\"", kind, e.msg);
    return false;
}

/* ---- the mail server ---- */

static void put_recent(fa_jw *w, const fa_mail_row *v, size_t n)
{
    fa_jw_key(w, "recent");
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(w);
        put_str(w, "id", v[i].id);
        put_str(w, "kind", v[i].kind);
        put_str(w, "to", v[i].to);
        put_str(w, "state", v[i].state);
        put_str(w, "error", v[i].error);
        put_int(w, "tries", v[i].tries);
        put_time(w, "createdAt", v[i].created_ms);
        put_time(w, "nextAt", v[i].done_ms < 0 ? v[i].next_ms : -1);
        put_time(w, "doneAt", v[i].done_ms);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

fa_rc api_mail_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    int64_t waiting = 0, failed = 0;
    fa_mail_server v;
    fa_mail_row *row;
    size_t n;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_mail_get(r->ledger, r->mem, &v, e)) ||
        (rc = fa_mail_row_count(s, r->mem, r->caller->account, FA_STR("waiting"), &waiting, e)) ||
        (rc = fa_mail_row_count(s, r->mem, r->caller->account, FA_STR("failed"), &failed, e)) ||
        (rc = fa_mail_row_last(s, r->mem, r->caller->account, 20, &row, &n, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "host", v.host);
    put_int(&w, "port", v.port);
    put_str(&w, "security", v.security);
    put_str(&w, "user", v.user);
    put_str(&w, "from", v.from);
    put_str(&w, "fromName", v.from_name);
    put_bool(&w, "hasPassword", v.sealed.n > 0);
    put_bool(&w, "file", mail_file() != NULL);
    put_int(&w, "waiting", waiting);
    put_int(&w, "failed", failed);
    put_recent(&w, row, n);
    fa_jw_end_obj(&w);
    return FA_OK;
}

static fa_rc take_server(fa_req *r, fa_mail_server *v, fa_err *e)
{
    const char *host, *security;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "host", true, &v->host, e)) ||
        (rc = in_int(r->json, "port", 1, 65535, 587, &v->port, e)) ||
        (rc = in_text(r->json, "security", false, &v->security, e)) ||
        (rc = in_text(r->json, "user", false, &v->user, e)) ||
        (rc = in_text(r->json, "from", false, &v->from, e)) ||
        (rc = in_text(r->json, "fromName", false, &v->from_name, e)))
        return rc;
    v->host = fa_str_trim(v->host);
    v->from = fa_str_trim(v->from);
    if (!v->security.n)
        v->security = FA_STR("starttls");
    if (!v->from_name.n)
        v->from_name = FA_STR("Farthing");
    if (!v->host.n)
        return FA_OK;
    host = fa_arena_dupz(r->mem, v->host);
    security = fa_arena_dupz(r->mem, v->security);
    if (!host || !security)
        return fa_oom(e);
    if (fa_net_mail_check(app_of(r)->net, host, (int)v->port, security, e))
        return fa_at(e, "host");
    return FA_OK;
}

fa_rc api_mail_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_mail_server v = {0};
    fa_str password = {0};
    fa_rc rc;

    if (!(rc = take_server(r, &v, e)) && !(rc = in_text(r->json, "password", false, &password, e)))
        rc = fa_mail_set(r->ledger, r->mem, r->caller, &v, password, e);
    api_forget(r, "password", password);
    return rc ? rc : api_mail_get(r, o, e);
}

/* To the caller himself, so that nobody is bothered. */
fa_rc api_mail_test(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc = fa_mail_test(r->ledger, r->mem, app_of(r)->net, r->caller->email, e);

    if (rc)
        return rc;
    o->status = 204;
    return FA_OK;
}
