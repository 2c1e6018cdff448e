/*
 * init.c - `farthing init`: an empty installation and its administrator's one-time sign-in link;
 *          `farthing link`: another such link for somebody who is known already.
 *
 * An init that was cut off between making the installation and its administrator can be run again:
 * an installation nobody can enter is taken for an empty place.
 */
#include "cli/inner.h"

#include <string.h>

static int print_link(fa_cmd_io *io, fa_str secret)
{
    fprintf(io->out, "http://127.0.0.1:8080/signin#%.*s\n", FA_FMT(secret));
    return fflush(io->out) == 0 ? 0 : 3;
}

/* Takes over an installation without users; else gives back why the first try failed. */
static fa_rc open_unfinished(fa_ledger_options *o, fa_arena *a, fa_ledger **out, fa_err *e)
{
    fa_err none;
    fa_user *users;
    size_t n = 1;

    o->create = false;
    if (fa_ledger_open(o, out, &none))
        return e->rc;
    if (fa_user_list(fa_ledger_store(*out), a, fa_ledger_account(*out), &users, &n, &none) ||
        n > 0) {
        fa_ledger_close(*out);
        *out = NULL;
        return e->rc;
    }
    return FA_OK;
}

int fa_cli_init(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                fa_cmd_io *io)
{
    const char *admin = NULL, *path;
    const fa_opt opt[] = {{"admin", FA_OPT_TEXT, &admin, true, 0}};
    char *rest[64];
    fa_ledger_options o = {.create = true, .memory_bytes = io->memory_bytes};
    fa_arena a = {0};
    fa_err e = {0};
    fa_str secret = {0};
    int nrest, code;
    fa_rc rc;

    if (argc > (int)FA_COUNT(rest))
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    if (!dir)
        return fa_cmd_usage(c, io, "--data is missing");
    if (!strchr(admin, '@'))
        return fa_cmd_usage(c, io, "--admin needs an e-mail address, \"%s\" is none", admin);
    if (!(path = fa_cmd_path(&a, io, dir))) {
        rc = fa_oom(&e);
        goto done;
    }
    o.dir = path;
    rc = fa_ledger_open(&o, &l, &e);
    if (rc == FA_ECONFLICT)
        rc = open_unfinished(&o, &a, &l, &e);
    if (!rc)
        rc = fa_admin_init(l, &a, fa_str_of(admin), &secret, &e);
    if (!rc)
        code = print_link(io, secret);
    fa_ledger_close(l);
done:
    if (rc)
        code = fa_cmd_fail(io, &e);
    fa_arena_release(&a);
    return code;
}

int fa_cli_link(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                fa_cmd_io *io)
{
    const char *email = NULL;
    const fa_opt opt[] = {{"email", FA_OPT_TEXT, &email, true, 0}};
    char *rest[64];
    fa_arena a = {0};
    fa_err e = {0};
    fa_str secret = {0};
    int nrest, code;

    (void)dir;
    if (argc > (int)FA_COUNT(rest))
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    code = fa_signin_link_new(l, &a, fa_str_of(email), &secret, &e) ? fa_cmd_fail(io, &e)
                                                                    : print_link(io, secret);
    fa_arena_release(&a);
    return code;
}
