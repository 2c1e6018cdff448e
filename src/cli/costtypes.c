/*
 * costtypes.c - `farthing costtypes`: shows the account's cost types, switches FairShare.
 */
#include "cli/inner.h"
#include "query/query.h"

#include <string.h>

static fa_rc set_fair(fa_ledger *l, fa_cmd_io *io, const char *width, fa_err *e)
{
    fa_fair_width w;
    fa_progress p;
    fa_bar *bar;
    fa_rc rc;

    if (!fa_fair_find(fa_str_of(width), &w)) {
        (void)fa_fail(e, FA_EINVAL, "--fairshare cannot be \"%s\"", width);
        return fa_hint(e, "one of off, sku, family, service");
    }
    bar = fa_bar_new(io, "making FairShare cost", &p);
    rc = fa_ledger_fair_set(l, w, &p, e);
    fa_bar_free(bar);
    return rc;
}

int fa_cli_costtypes(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                     fa_cmd_io *io)
{
    const char *fair = NULL;
    const fa_opt opt[] = {{"fairshare", FA_OPT_TEXT, &fair, false, 0}};
    char *rest[64];
    int nrest, code;
    fa_err e = {0};

    (void)dir;
    if (argc > (int)FA_COUNT(rest))
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    if (fair && set_fair(l, io, fair, &e))
        return fa_cmd_fail(io, &e);
    fprintf(io->out, "fairshare %s\n", fa_fair_name(fa_ledger_fair(l)));
    return fflush(io->out) == 0 ? 0 : 3;
}
