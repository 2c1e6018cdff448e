/*
 * migrate.c - `farthing migrate --to URL`: from DuckDB to a ClickHouse cluster, and back.
 */
#include "cli/inner.h"

#include <string.h>

int fa_cli_migrate(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                   fa_cmd_io *io)
{
    const char *to = NULL;
    const fa_opt opt[] = {{"to", FA_OPT_TEXT, &to, false, 0}};
    char *rest[64];
    int nrest, code;
    int64_t rows;
    bool unproven, back;
    fa_progress p;
    fa_bar *bar;
    fa_err e = {0};
    fa_rc rc;

    (void)dir;
    if (argc > (int)FA_COUNT(rest))
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    if (!to)
        return fa_cmd_usage(c, io, "--to is missing");
    back = strcmp(to, "duckdb") == 0;
    bar = fa_bar_new(io, "migrating", &p);
    rc = fa_ledger_migrate(l, back ? NULL : to, &p, &rows, &unproven, &e);
    fa_bar_free(bar);
    if (rc)
        return fa_cmd_fail(io, &e);
    if (unproven)
        fprintf(
            io->out,
            "DuckDB answers; the cluster did not, so nothing could be compared: \"farthing check\" "
            "proves the ledger from the archive\n");
    else
        fprintf(io->out,
                "%s answers; the control totals of %lld bill rows are the same to the last digit\n",
                back ? "DuckDB" : "the cluster", (long long)rows);
    return fflush(io->out) == 0 ? 0 : 3;
}
