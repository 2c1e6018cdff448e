/*
 * audit.c - `farthing audit verify`: is the audit log as it was written? Exit code 1 names the first record
 * that is not.
 */
#include "cli/inner.h"

#include <string.h>

int fa_cli_audit(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                 fa_cmd_io *io)
{
    fa_audit_report r;
    fa_arena a = {0};
    fa_err e = {0};
    int code;

    (void)dir;
    if (argc != 2 || strcmp(argv[1], "verify") != 0)
        return fa_cmd_usage(c, io, "say verify");
    if (fa_audit_verify(l, &a, &r, &e)) {
        code = fa_cmd_fail(io, &e);
    } else if (r.bad_seq < 0) {
        fprintf(io->out, "%lld records, the chain holds; last hash %.*s\n", (long long)r.rows,
                FA_FMT(r.last_hash));
        code = fflush(io->out) == 0 ? 0 : 3;
    } else {
        fprintf(io->out,
                "record %lld is not as it was written: %.*s; %lld records before it hold\n",
                (long long)r.bad_seq, FA_FMT(r.why), (long long)r.rows);
        code = fflush(io->out) == 0 ? 1 : 3;
    }
    fa_arena_release(&a);
    return code;
}
