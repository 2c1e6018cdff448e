/*
 * mail.c - links that people get: by mail when there is a way to send it, else shown to who may hand
 * them on.
 *
 * FARTHING_MAIL=file:/path appends each message to a file (for tests and for a mail system that picks
 * them up); without it no mail is sent.
 */
#include "api/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *mail_file(void)
{
    const char *to = getenv("FARTHING_MAIL");

    return to && strncmp(to, "file:", 5) == 0 && to[5] ? to + 5 : NULL;
}

bool mail_is_set_up(void)
{
    return mail_file() != NULL;
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
static bool post(fa_buf *b)
{
    const char *path = mail_file();
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

bool mail_link(fa_req *r, const fa_user *u, fa_str secret, const char *kind)
{
    bool invited = strcmp(kind, "invite") == 0;
    fa_buf b = {0};

    if (!mail_is_set_up())
        return false;
    fa_buf_fmt(&b, "To: %.*s\nSubject: %s\n\n%s\n%.*s\n\n%s\n.\n", FA_FMT(u->email),
               invited ? "Activate your Farthing account" : "Choose a new Farthing password",
               invited ? "You were invited to Farthing. Activate your account here:"
                       : "Choose a new password here:",
               FA_FMT(link_text(r, secret, kind)),
               "The link works once. If you did not expect it, do nothing.");
    return post(&b);
}

void mail_broke_glass(fa_req *r, fa_str email)
{
    fa_err e = {0};
    fa_user *u;
    size_t n;

    if (!mail_is_set_up() ||
        fa_user_list(fa_ledger_store(r->ledger), r->mem, fa_ledger_account(r->ledger), &u, &n, &e))
        return;
    for (size_t i = 0; i < n; i++) {
        fa_buf b = {0};

        if (!fa_str_eqz(u[i].state, "active") || !fa_list_has(u[i].roles, FA_STR("admin")))
            continue;
        fa_buf_fmt(&b,
                   "To: %.*s\nSubject: Break glass: a password was used\n\n%.*s used a password "
                   "although single sign-on is enforced, from %.*s.\nThe audit log has more.\n.\n",
                   FA_FMT(u[i].email), FA_FMT(email), FA_FMT(r->ip));
        (void)post(&b);
    }
}
