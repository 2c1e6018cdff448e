/*
 * keep.c - prove and remake: `farthing check`, `rebuild`.
 */
#include "allocate/allocate.h"
#include "cli/inner.h"

/* Both take no word but their own. */
static int no_words(const fa_cmd *c, fa_cmd_io *io, int argc, char **argv)
{
    char *words[64];
    int n, code;

    if (argc > (int)FA_COUNT(words))
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, NULL, 0, words, &n)))
        return code;
    return n ? fa_cmd_usage(c, io, "\"%s\" is one word too many", words[0]) : 0;
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
    int code = no_words(c, io, argc, argv);

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
    int code = no_words(c, io, argc, argv);

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
