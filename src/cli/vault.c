/*
 * vault.c - `farthing vault key|rotate|check`: the master key of the credentials vault.
 *
 * rotate and check run inside the server when one holds the folder, with the keys it was started with.
 */
#include "cli/inner.h"
#include "vault/vault.h"

#include <limits.h>
#include <string.h>

bool fa_cli_vault_alone(int argc, char **argv)
{
    return argc < 2 || strcmp(argv[1], "key") == 0;
}

static bool absolute(const fa_cmd_io *io, const char *file, char out[PATH_MAX])
{
    int n = file[0] == '/' ? snprintf(out, PATH_MAX, "%s", file)
                           : snprintf(out, PATH_MAX, "%s/%s", io->cwd, file);

    return n > 0 && n < PATH_MAX;
}

static int vault_key(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                     fa_cmd_io *io)
{
    char path[PATH_MAX];
    fa_err e = {0};

    (void)l;
    (void)dir;
    if (argc != 2)
        return fa_cmd_usage(c, io, "vault key needs one file");
    if (!absolute(io, argv[1], path))
        return fa_cmd_usage(c, io, "that file name is too long");
    if (fa_vault_key_make(path, &e))
        return fa_cmd_fail(io, &e);
    fprintf(io->out, "a new vault key is in %s; keep a copy of it where the backups are not\n",
            argv[1]);
    return fflush(io->out) == 0 ? 0 : 3;
}

/* The keys are the server's when we run inside it. */
static fa_rc keys(const char *file, const char *dir, fa_err *e)
{
    return fa_vault_ready() && !file ? FA_OK : fa_vault_keys_load(file, dir, e);
}

static int vault_rotate(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                        fa_cmd_io *io)
{
    const char *fresh = NULL, *file = NULL;
    const fa_opt opt[] = {{"new-key", FA_OPT_TEXT, &fresh, true, 0},
                          {"vault-key", FA_OPT_TEXT, &file, false, 0}};
    char path[PATH_MAX], *rest[64];
    fa_err e = {0};
    int nrest, code;
    size_t n;

    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    if (!absolute(io, fresh, path))
        return fa_cmd_usage(c, io, "that file name is too long");
    if (keys(file, dir, &e) ||
        fa_vault_rotate(fa_ledger_store(l), fa_ledger_account(l), path, dir, &n, &e))
        return fa_cmd_fail(io, &e);
    fprintf(io->out,
            "the vault is closed with the new key; %zu credentials open with it\n"
            "start with --vault-key %s from now on, then destroy the old key\n",
            n, fresh);
    return fflush(io->out) == 0 ? 0 : 3;
}

static int vault_check(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                       fa_cmd_io *io)
{
    const char *file = NULL;
    const fa_opt opt[] = {{"vault-key", FA_OPT_TEXT, &file, false, 0}};
    char *rest[64];
    fa_err e = {0};
    int nrest, code;
    size_t n;

    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    if (keys(file, dir, &e) || fa_vault_check(fa_ledger_store(l), fa_ledger_account(l), &n, &e))
        return fa_cmd_fail(io, &e);
    fprintf(io->out, "%zu credentials, all open\n", n);
    return fflush(io->out) == 0 ? 0 : 3;
}

static const struct {
    const char *name;
    int (*run)(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
               fa_cmd_io *io);
} verbs[] = {{"key", vault_key}, {"rotate", vault_rotate}, {"check", vault_check}};

int fa_cli_vault(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                 fa_cmd_io *io)
{
    if (argc > 64)
        return fa_cmd_usage(c, io, "too many words");
    for (size_t i = 0; argc > 1 && i < FA_COUNT(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(c, l, dir, argc - 1, argv + 1, io);
    return fa_cmd_usage(c, io, "say key, rotate or check");
}
