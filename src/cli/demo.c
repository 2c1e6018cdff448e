/*
 * demo.c - `farthing demo`: the demo account in an installation, or only its files with --out.
 *
 * The last day is yesterday (UTC), so the demo looks alive on whatever day it is made.
 */
#include "ledger/demo.h"

#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ROWS 200000
#define PLAIN_EVERY 5000 /* ms between lines when the output is no terminal */

typedef struct options {
    fa_demo demo;
    fa_demo_format format;
    bool has_format;
    const char *out, *sample;
} options;

bool fa_cli_demo_alone(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--out") == 0 || strncmp(argv[i], "--out=", 6) == 0)
            return true;
    return false;
}

static bool whole(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == 0 && *out <= max;
}

/* Takes "--name VALUE" or "--name=VALUE" at argv[*i]. */
static bool take(int argc, char **argv, int *i, const char *name, const char **value)
{
    size_t n = strlen(name);

    if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] != 0 && argv[*i][n] != '='))
        return false;
    if (argv[*i][n] == '=')
        *value = argv[*i] + n + 1;
    else
        *value = *i + 1 < argc ? argv[++*i] : NULL;
    return true;
}

/* 0, or the exit code after telling what is wrong. */
static int parse(const fa_cmd *c, int argc, char **argv, options *o, fa_cmd_io *io)
{
    const char *v = NULL;
    uint64_t n;

    *o = (options){.demo = {.rows = DEFAULT_ROWS, .seed = 1, .last = fa_ms_day(fa_now_ms()) - 1}};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];

        if (take(argc, argv, &i, "--rows", &v)) {
            if (!v || !whole(v, FA_DEMO_ROWS_MAX, &n) || n == 0)
                return fa_cmd_usage(c, io, "--rows needs a number from 1 to %d", FA_DEMO_ROWS_MAX);
            o->demo.rows = (int64_t)n;
        } else if (take(argc, argv, &i, "--seed", &v)) {
            if (!v || !whole(v, UINT32_MAX, &n))
                return fa_cmd_usage(c, io, "--seed needs a number from 0 to %" PRIu32, UINT32_MAX);
            o->demo.seed = (uint32_t)n;
        } else if (take(argc, argv, &i, "--out", &o->out)) {
            if (!o->out || !*o->out)
                return fa_cmd_usage(c, io, "--out needs a folder");
        } else if (take(argc, argv, &i, "--sample", &o->sample)) {
            if (!o->sample || !*o->sample)
                return fa_cmd_usage(c, io, "--sample needs a file");
        } else if (take(argc, argv, &i, "--format", &v)) {
            for (o->format = 0; v && o->format < FA_DEMO__FORMATS; o->format++)
                if (strcmp(v, fa_demo_ending(o->format)) == 0)
                    break;
            if (!v || o->format == FA_DEMO__FORMATS)
                return fa_cmd_usage(c, io, "--format is parquet, csv or csv.gz");
            o->has_format = true;
        } else {
            return fa_cmd_usage(c, io, "\"%s\" is not known", name);
        }
    }
    if (o->has_format && !o->out)
        return fa_cmd_usage(c, io, "--format goes with --out");
    if (o->out && o->sample)
        return fa_cmd_usage(c, io, "--sample goes into an installation, not with --out");
    return 0;
}

typedef struct show {
    fa_cmd_io *io;
    int64_t shown_ms;
    bool open; /* a line without its end is on the terminal */
} show;

static void tick(void *user, const fa_progress_state *s)
{
    show *w = user;
    int64_t left = s->left_ms < 0 ? -1 : (s->left_ms + 999) / 1000;

    if (!w->io->is_tty && s->elapsed_ms - w->shown_ms < PLAIN_EVERY)
        return;
    w->shown_ms = s->elapsed_ms;
    if (w->io->is_tty)
        fputs("\r\033[K", w->io->err);
    fprintf(w->io->err, "%-8s %3.0f %%  %" PRId64 " rows  %.0f rows/s", s->phase, s->fraction * 100,
            s->rows, s->rows_per_s);
    if (left >= 0)
        fprintf(w->io->err, "  %" PRId64 ":%02" PRId64 " left", left / 60, left % 60);
    if (!w->io->is_tty)
        fputc('\n', w->io->err);
    w->open = w->io->is_tty;
    fflush(w->io->err);
}

static void end_line(show *w)
{
    if (w->open)
        fputs("\r\033[K", w->io->err);
    w->open = false;
}

/* A path the caller gave, seen from the caller's folder. */
static const char *absolute(fa_arena *a, const fa_cmd_io *io, const char *path)
{
    if (path[0] == '/' || !io->cwd)
        return path;
    return fa_arena_printf(a, "%s/%s", io->cwd, path);
}

static fa_rc write_files(fa_arena *a, const options *o, const fa_progress *p, fa_cmd_io *io,
                         fa_err *e)
{
    fa_demo_place to = {.format = o->format, .memory_bytes = io->memory_bytes};
    const char *const *path;
    size_t n;

    if (!(to.dir = absolute(a, io, o->out)))
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
    const char *path = absolute(a, io, o->sample);
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
    show w = {.io = io};
    fa_progress p = {.tick = tick, .user = &w, .cancel = io->cancel};
    fa_arena a;
    fa_err e = {0};
    options o;
    int code = parse(c, argc, argv, &o, io);
    fa_rc rc;

    (void)dir;
    if (code)
        return code;
    fa_arena_init(&a, 0);
    rc = o.out ? write_files(&a, &o, &p, io, &e) : load(l, &a, &o, &p, io, &e);
    end_line(&w);
    fa_arena_release(&a);
    return rc ? fa_cmd_fail(io, &e) : 0;
}
