/*
 * validate.c - `farthing validate FILE`: does anybody's file keep the rules of FOCUS 1.2?
 *
 * Needs no installation: the file is asked in an engine of its own, in memory.
 */
#include "validate/validate.h"

#include "cli/inner.h"

#include <inttypes.h>
#include <string.h>

enum { WORDS = 64 };

static void print_json(fa_cmd_io *io, const char *path, const fa_validation *v)
{
    fa_buf b;
    fa_jw w;

    fa_buf_init(&b, 0);
    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    fa_jw_key(&w, "file");
    fa_jw_z(&w, path);
    fa_jw_key(&w, "version");
    fa_jw_z(&w, v->version == 12 ? "1.2" : v->version == 11 ? "1.1" : "1.0");
    fa_jw_key(&w, "rows");
    fa_jw_int(&w, v->rows);
    fa_jw_key(&w, "rules");
    fa_jw_int(&w, (int64_t)v->rules);
    fa_jw_key(&w, "notAsked");
    fa_jw_int(&w, (int64_t)v->unasked);
    fa_jw_key(&w, "notCheckable");
    fa_jw_int(&w, (int64_t)v->unchecked);
    fa_jw_key(&w, "valid");
    fa_jw_bool(&w, v->nmust == 0);
    fa_jw_key(&w, "findings");
    fa_jw_arr(&w);
    for (size_t i = 0; i < v->nbreach; i++) {
        const fa_breach *x = &v->breach[i];

        fa_jw_obj(&w);
        fa_jw_key(&w, "rule");
        fa_jw_z(&w, x->rule);
        fa_jw_key(&w, "level");
        fa_jw_z(&w, x->must ? "must" : "should");
        fa_jw_key(&w, "column");
        fa_jw_str(&w, x->column);
        fa_jw_key(&w, "rows");
        fa_jw_int(&w, x->rows);
        fa_jw_key(&w, "firstRow");
        if (x->row)
            fa_jw_int(&w, x->row);
        else
            fa_jw_null(&w);
        fa_jw_key(&w, "value");
        fa_jw_str(&w, x->value);
        fa_jw_key(&w, "text");
        fa_jw_z(&w, x->text);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    fwrite(b.p ? b.p : "", 1, b.n, io->out);
    fputc('\n', io->out);
    fa_buf_release(&b);
}

static void print_table(fa_cmd_io *io, const char *path, const fa_validation *v)
{
    for (size_t i = 0; i < v->nbreach; i++) {
        const fa_breach *x = &v->breach[i];

        fprintf(io->out, "%-6s %-30s %9" PRId64 " %s", x->must ? "MUST" : "should", x->rule,
                x->rows, x->rows == 1 ? "row " : "rows");
        if (x->row)
            fprintf(io->out, ", first %" PRId64, x->row);
        if (x->column.n)
            fprintf(io->out, ", %.*s", FA_FMT(x->column));
        if (x->value.n)
            fprintf(io->out, " \"%.*s\"", FA_FMT(x->value));
        fprintf(io->out, "\n       %s\n", x->text);
    }
    fprintf(io->out,
            "%s: FOCUS 1.%d, %" PRId64 " rows, %zu rules asked: %zu broken (%zu of them say MUST)\n"
            "%zu rules are about columns or abilities this file does not have, %zu no machine can"
            " check\n",
            path, v->version - 10, v->rows, v->rules, v->nbreach, v->nmust, v->unasked,
            v->unchecked);
}

static fa_rc ask(const fa_validate_request *q, fa_cmd_io *io, fa_arena *a, fa_validation *v,
                 fa_err *e)
{
    fa_engine *g = NULL;
    fa_engine_options o = {.memory_bytes = io->memory_bytes};
    fa_rc rc = fa_engine_open(&o, &g, e);

    if (!rc)
        rc = fa_validate(g, a, q, v, e);
    fa_engine_close(g);
    return rc;
}

int fa_cli_validate(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                    fa_cmd_io *io)
{
    const char *version = NULL, *applies = NULL, *path;
    bool json = false;
    char *rest[WORDS];
    int nrest, code;
    const fa_opt opt[] = {
        {"json", FA_OPT_FLAG, &json, false, 0},
        {"focus", FA_OPT_TEXT, &version, false, 0},
        {"applies", FA_OPT_TEXT, &applies, false, 0},
    };
    fa_validate_request q = {0};
    fa_validation v = {0};
    fa_arena a = {0};
    fa_err e = {0};

    (void)l;
    (void)dir;
    if (argc > WORDS)
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest != 1)
        return nrest ? fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[1])
                     : fa_cmd_usage(c, io, "which file?");
    if (version) {
        q.version = strcmp(version, "1.0") == 0   ? 10
                    : strcmp(version, "1.1") == 0 ? 11
                    : strcmp(version, "1.2") == 0 ? 12
                                                  : 0;
        if (!q.version)
            return fa_cmd_usage(c, io, "--focus is 1.0, 1.1 or 1.2");
    }
    path = fa_cmd_path(&a, io, rest[0]);
    q.path = path ? path : rest[0];
    q.criteria = fa_str_of(applies);
    if (ask(&q, io, &a, &v, &e))
        code = fa_cmd_fail(io, &e);
    else {
        (json ? print_json : print_table)(io, rest[0], &v);
        code = fflush(io->out) != 0 ? 3 : v.nmust ? 1 : 0;
    }
    fa_arena_release(&a);
    return code;
}
