/*
 * demo.c - `farthing demo`: the demo account in an installation, or only its files with --out.
 *
 * The last day is yesterday (UTC), so the demo looks alive on whatever day it is made.
 */
#include "ledger/demo.h"

#include "cli/inner.h"

#include <inttypes.h>
#include <string.h>

enum { DEFAULT_ROWS = 200000, WORDS = 64 };

typedef struct options {
    fa_demo demo;
    fa_demo_format format;
    const char *out, *sample;
} options;

bool fa_cli_demo_alone(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--out") == 0 || strncmp(argv[i], "--out=", 6) == 0)
            return true;
    return false;
}

/* 0, or the exit code after telling what is wrong. */
static int parse(const fa_cmd *c, int argc, char **argv, options *o, fa_cmd_io *io)
{
    const char *format = NULL;
    char *rest[WORDS];
    int64_t seed = 1;
    int nrest, code;
    const fa_opt opt[] = {
        {"rows", FA_OPT_NUM, &o->demo.rows, false, FA_DEMO_ROWS_MAX},
        {"seed", FA_OPT_NUM, &seed, false, UINT32_MAX},
        {"out", FA_OPT_TEXT, &o->out, false, 0},
        {"format", FA_OPT_TEXT, &format, false, 0},
        {"sample", FA_OPT_TEXT, &o->sample, false, 0},
    };

    *o = (options){.demo = {.rows = DEFAULT_ROWS, .last = fa_ms_day(fa_now_ms()) - 1}};
    if (argc > WORDS)
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    o->demo.seed = (uint32_t)seed;
    for (; format && o->format < FA_DEMO__FORMATS; o->format++)
        if (strcmp(format, fa_demo_ending(o->format)) == 0)
            break;
    if (o->format == FA_DEMO__FORMATS)
        return fa_cmd_usage(c, io, "--format is parquet, csv or csv.gz");
    if (format && !o->out)
        return fa_cmd_usage(c, io, "--format goes with --out");
    if (o->out && o->sample)
        return fa_cmd_usage(c, io, "--sample goes into an installation, not with --out");
    return 0;
}

static fa_rc write_files(fa_arena *a, const options *o, const fa_progress *p, fa_cmd_io *io,
                         fa_err *e)
{
    fa_demo_place to = {.format = o->format, .memory_bytes = io->memory_bytes};
    const char *const *path;
    size_t n;

    if (!(to.dir = fa_cmd_path(a, io, o->out)))
        return fa_oom(e);
    if (fa_demo_write(a, &o->demo, &to, p, &path, &n, e))
        return e->rc;
    for (size_t i = 0; i < n; i++)
        fprintf(io->out, "%s\n", path[i]);
    return FA_OK;
}

static fa_rc load_sample(fa_ledger *l, fa_arena *a, const options *o, const fa_progress *p,
                         fa_cmd_io *io, fa_err *e)
{
    const char *path = fa_cmd_path(a, io, o->sample);
    fa_load_request q = {.source = FA_STR("focus-sample"), .path = &path, .npath = 1};
    fa_load_result r;

    if (!path)
        return fa_oom(e);
    if (fa_ledger_load(l, a, &q, p, &r, e))
        return e->rc;
    fprintf(io->out, "focus-sample: %.*s, %" PRId64 " rows\n", FA_FMT(r.load.state), r.load.rows);
    return FA_OK;
}

static fa_rc load(fa_ledger *l, fa_arena *a, const options *o, const fa_progress *p, fa_cmd_io *io,
                  fa_err *e)
{
    fa_load_result r;

    if (fa_demo_load(l, a, &o->demo, p, &r, e))
        return e->rc;
    fprintf(io->out, "demo: %.*s, %" PRId64 " rows in %zu billing months, load %" PRId64 "\n",
            FA_FMT(r.load.state), r.load.rows, r.npart, r.load.id);
    return o->sample ? load_sample(l, a, o, p, io, e) : FA_OK;
}

int fa_cli_demo(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                fa_cmd_io *io)
{
    fa_progress p;
    fa_arena a = {0};
    fa_err e = {0};
    fa_bar *bar;
    options o;
    int code = parse(c, argc, argv, &o, io);
    fa_rc rc;

    (void)dir;
    if (code)
        return code;
    bar = fa_bar_new(io, "demo", &p);
    rc = o.out ? write_files(&a, &o, &p, io, &e) : load(l, &a, &o, &p, io, &e);
    fa_bar_free(bar);
    if (!rc && fflush(io->out) != 0)
        rc = fa_fail(&e, FA_EENV, "could not write the result");
    fa_arena_release(&a);
    return rc ? fa_cmd_fail(io, &e) : 0;
}
