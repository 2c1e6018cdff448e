/*
 * keep.c - prove, remake, keep, bring back: `farthing check`, `rebuild`, `backup FILE`, `restore
 * FILE`.
 */
#include "allocate/allocate.h"
#include "cli/inner.h"

/* What all four share: the words after the command, at most `want` of them. */
static int take_words(const fa_cmd *c, fa_cmd_io *io, int argc, char **argv, int want,
                      const char *missing, char **rest)
{
    char *words[64];
    int n, code;

    if (argc > (int)FA_COUNT(words))
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, NULL, 0, words, &n)))
        return code;
    if (n < want)
        return fa_cmd_usage(c, io, "%s", missing);
    if (n > want)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", words[want]);
    for (int i = 0; i < want; i++)
        rest[i] = words[i];
    return 0;
}

static int said(fa_cmd_io *io, int code)
{
    return fflush(io->out) == 0 ? code : 3;
}

static void say_findings(fa_cmd_io *io, const fa_finding *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(io->err, "farthing: %.*s, %.*s%s%.*s\n", FA_FMT(f[i].what), FA_FMT(f[i].where),
                f[i].hint.n ? ", " : "", FA_FMT(f[i].hint));
}

int fa_cli_check(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                 fa_cmd_io *io)
{
    fa_finding *f, *tags;
    size_t n, ntag;
    fa_progress p;
    fa_bar *bar;
    fa_arena a = {0};
    fa_err e = {0};
    fa_rc rc;
    int code = take_words(c, io, argc, argv, 0, "", NULL);

    (void)dir;
    if (code)
        return code;
    bar = fa_bar_new(io, "checking", &p);
    if (!(rc = fa_ledger_check(l, &a, &p, &f, &n, &e)))
        rc = fa_tags_check(l, &a, &tags, &ntag, &e);
    fa_bar_free(bar);
    if (rc) {
        code = fa_cmd_fail(io, &e);
    } else if (n + ntag == 0) {
        fputs("ok: every control total and every rule holds\n", io->out);
        code = said(io, 0);
    } else {
        say_findings(io, f, n);
        say_findings(io, tags, ntag);
        fprintf(io->out, "%zu %s found\n", n + ntag, n + ntag == 1 ? "problem" : "problems");
        code = said(io, 1);
    }
    fa_arena_release(&a);
    return code;
}

int fa_cli_rebuild(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                   fa_cmd_io *io)
{
    fa_progress p;
    fa_bar *bar;
    fa_err e = {0};
    fa_rc rc;
    int code = take_words(c, io, argc, argv, 0, "", NULL);

    (void)dir;
    if (code)
        return code;
    bar = fa_bar_new(io, "rebuilding", &p);
    rc = fa_ledger_rebuild(l, &p, &e);
    fa_bar_free(bar);
    if (rc)
        return fa_cmd_fail(io, &e);
    fputs("rebuilt: the ledger is made again from the archive\n", io->out);
    return said(io, 0);
}

int fa_cli_backup(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                  fa_cmd_io *io)
{
    char *file = NULL;
    const char *path;
    fa_progress p;
    fa_bar *bar;
    fa_arena a = {0};
    fa_err e = {0};
    fa_rc rc;
    int code = take_words(c, io, argc, argv, 1, "there is no file to write to", &file);

    (void)dir;
    if (code)
        return code;
    if (!(path = fa_cmd_path(&a, io, file))) {
        rc = fa_oom(&e);
    } else {
        bar = fa_bar_new(io, "backing up", &p);
        rc = fa_ledger_backup(l, path, &p, &e);
        fa_bar_free(bar);
    }
    if (rc) {
        code = fa_cmd_fail(io, &e);
    } else {
        fprintf(io->out, "backup written to %s\n", path);
        code = said(io, 0);
    }
    fa_arena_release(&a);
    return code;
}

int fa_cli_restore(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                   fa_cmd_io *io)
{
    char *file = NULL;
    const char *path, *to;
    fa_progress p;
    fa_bar *bar;
    fa_arena a = {0};
    fa_err e = {0};
    fa_rc rc;
    int code = take_words(c, io, argc, argv, 1, "there is no backup file to restore", &file);

    (void)l;
    if (code)
        return code;
    if (!dir)
        return fa_cmd_usage(c, io, "--data is missing");
    path = fa_cmd_path(&a, io, file);
    to = fa_cmd_path(&a, io, dir);
    if (!path || !to) {
        rc = fa_oom(&e);
    } else {
        bar = fa_bar_new(io, "restoring", &p);
        rc = fa_ledger_restore(to, path, &p, &e);
        fa_bar_free(bar);
    }
    if (rc) {
        code = fa_cmd_fail(io, &e);
    } else {
        fprintf(io->out, "restored to %s\n", to);
        code = said(io, 0);
    }
    fa_arena_release(&a);
    return code;
}
