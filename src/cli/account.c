/*
 * account.c - `farthing account`: the accounts of an installation, and stepping into one for any other command.
 */
#include "cli/inner.h"

#include <string.h>

fa_rc fa_cli_enter(fa_cmd_io *io, fa_ledger *home, const char *name, fa_stay *out, fa_err *e)
{
    fa_arena a = {0};
    fa_account own;
    fa_place p;
    void *app;
    fa_rc rc;

    *out = (fa_stay){.l = home};
    rc = fa_account_first(fa_ledger_store(home), &a, &own, e);
    if (!rc && !fa_str_eqz(own.id, name) && !fa_str_ieq(own.name, fa_str_of(name)) &&
        !(rc = fa_place_find(fa_ledger_store(home), &a, own.id, fa_str_of(name), &p, e))) {
        snprintf(out->id, sizeof out->id, "%.*s", FA_FMT(p.id));
        rc = io->accounts ? io->accounts->enter(io->accounts->house, p.id, true, &out->l, &app, e)
                          : fa_account_open(home, &a, &p, &out->l, e);
    }
    if (rc == FA_ENOTFOUND) {
        fa_fail(e, rc, "there is no account \"%s\"", name);
        fa_hint(e, "see them with: farthing account list --data DIR");
    }
    if (rc)
        *out = (fa_stay){0};
    fa_arena_release(&a);
    return rc;
}

void fa_cli_leave(fa_cmd_io *io, fa_stay *s)
{
    if (s->id[0] && io->accounts)
        io->accounts->leave(io->accounts->house, fa_str_of(s->id));
    else if (s->id[0])
        fa_ledger_close(s->l);
    *s = (fa_stay){0};
}

static int list(fa_ledger *l, fa_arena *a, fa_cmd_io *io, fa_err *e)
{
    fa_account own;
    fa_place *p;
    size_t n;

    if (fa_account_first(fa_ledger_store(l), a, &own, e) ||
        fa_place_list(fa_ledger_store(l), a, own.id, &p, &n, e))
        return fa_cmd_fail(io, e);
    fprintf(io->out, "%.*s  %.*s  (first)\n", FA_FMT(own.id), FA_FMT(own.name));
    for (size_t i = 0; i < n; i++)
        fprintf(io->out, "%.*s  %.*s\n", FA_FMT(p[i].id), FA_FMT(p[i].name));
    return 0;
}

static int create(fa_ledger *l, fa_arena *a, fa_cmd_io *io, const char *name, fa_err *e)
{
    fa_caller by = fa_caller_system(l);
    fa_str id;

    if (fa_account_make(l, a, &by, fa_str_of(name), &id, e))
        return fa_cmd_fail(io, e);
    fprintf(io->out, "%.*s\n", FA_FMT(id));
    return 0;
}

static int rename_one(fa_ledger *l, fa_arena *a, fa_cmd_io *io, const char *which, const char *name,
                      fa_err *e)
{
    fa_caller by = fa_caller_system(l);
    fa_stay in;
    fa_account v;
    fa_rc rc = fa_cli_enter(io, l, which, &in, e);

    if (rc)
        return fa_cmd_fail(io, e);
    rc = fa_account_name(l, a, &by, fa_ledger_account(in.l), fa_str_of(name), e);
    if (!rc && !(rc = fa_account_first(fa_ledger_store(in.l), a, &v, e))) {
        v.name = fa_str_trim(fa_str_of(name));
        rc = fa_account_put(fa_ledger_store(in.l), &v, e);
    }
    fa_cli_leave(io, &in);
    return rc ? fa_cmd_fail(io, e) : 0;
}

static int add(fa_ledger *l, fa_arena *a, fa_cmd_io *io, const char *which, const char *email,
               const char *role, fa_err *e)
{
    fa_caller by;
    fa_stay in;
    fa_str id;
    fa_rc rc = fa_cli_enter(io, l, which, &in, e);

    if (rc)
        return fa_cmd_fail(io, e);
    by = fa_caller_system(in.l);
    if (in.l == l) {
        rc = fa_fail(e, FA_EINVAL, "the first account's people are invited in the page");
    } else {
        rc = fa_member_add(in.l, a, &by, fa_str_of(email), fa_str_of(role), &id, e);
    }
    fa_cli_leave(io, &in);
    return rc ? fa_cmd_fail(io, e) : 0;
}

int fa_cli_account(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                   fa_cmd_io *io)
{
    const char *role = "admin", *verb;
    const fa_opt opt[] = {{"role", FA_OPT_TEXT, &role, false, 0}};
    fa_arena a = {0};
    fa_err e = {0};
    char *rest[64];
    int n, code;

    (void)dir;
    if (argc > (int)FA_COUNT(rest))
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &n)))
        return code;
    if (!fa_ledger_is_first(l))
        return fa_cmd_usage(c, io, "accounts are made and named at the first one");
    verb = n ? rest[0] : "";
    if (strcmp(verb, "list") == 0 && n == 1)
        code = list(l, &a, io, &e);
    else if (strcmp(verb, "create") == 0 && n == 2)
        code = create(l, &a, io, rest[1], &e);
    else if (strcmp(verb, "rename") == 0 && n == 3)
        code = rename_one(l, &a, io, rest[1], rest[2], &e);
    else if (strcmp(verb, "add") == 0 && n == 3)
        code = add(l, &a, io, rest[1], rest[2], role, &e);
    else
        code =
            fa_cmd_usage(c, io, "say list, create NAME, rename ACCOUNT NAME or add ACCOUNT EMAIL");
    fa_arena_release(&a);
    return code ? code : fflush(io->out) == 0 ? 0 : 3;
}
