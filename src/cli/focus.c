/*
 * focus.c - `farthing focus`: the bill rows of a period or a saved view as a valid FOCUS 1.2 file.
 */
#include "present/present.h"

#include "cli/inner.h"

#include <inttypes.h>
#include <string.h>

enum { WORDS = 64, DEADLINE_MS = 24 * 3600000, FILTER_BYTES = 1 << 20 };

typedef struct options {
    const char *out, *filter, *view;
    int32_t from, to;
} options;

static fa_rc find_view(fa_ledger *l, fa_arena *a, const char *name, fa_view *out, fa_err *e)
{
    fa_view *v;
    size_t n;

    if (fa_view_list(fa_ledger_store(l), a, fa_ledger_account(l), &v, &n, e))
        return e->rc;
    for (size_t i = 0; i < n; i++)
        if (fa_str_eqz(v[i].id, name) || fa_str_ieq(v[i].name, fa_str_of(name)))
            return fa_view_get(fa_ledger_store(l), a, fa_ledger_account(l), v[i].id, out, e);
    return fa_fail(e, FA_ENOTFOUND, "there is no view \"%s\"", name);
}

/* The view's own question; --from and --to say other days, --filter narrows it. */
static fa_rc make_plan(fa_ledger *l, const fa_catalog *cat, fa_arena *a, const options *o,
                       fa_plan *p, fa_err *e)
{
    fa_caller system = fa_caller_system(l);
    const fa_filter *more = NULL;
    json_t *j = NULL;
    json_error_t why;
    fa_view v;
    fa_rc rc;

    *p = (fa_plan){.range = {.from = o->from, .to = o->to, .unit = FA_DAY}};
    if (o->view) {
        if ((rc = find_view(l, a, o->view, &v, e)) || (rc = fa_view_body(&v, &j, e)))
            return rc;
        rc = fa_question_plan(l, a, cat, json_object_get(j, "question"), p, e);
        json_decref(j);
        if (rc)
            return rc;
        if (o->from != INT32_MIN)
            p->range = (fa_range){.from = o->from, .to = o->to, .unit = FA_DAY};
    }
    if (o->filter) {
        if (strlen(o->filter) > FILTER_BYTES ||
            !(j = json_loads(o->filter, JSON_REJECT_DUPLICATES, &why)))
            return fa_fail(e, FA_EINVAL, "--filter is not JSON, or longer than %d bytes",
                           FILTER_BYTES);
        rc = fa_filter_parse(cat, a, FA_API_CLI, j, "filter", &more, e);
        json_decref(j);
        if (rc || (rc = fa_filter_and(a, p->filter, more, &p->filter, e)))
            return rc;
    }
    p->deadline_mono_ms = fa_mono_ms() + DEADLINE_MS;
    return fa_caller_scope(l, a, &system, &p->scope, e);
}

static fa_rc write_file(fa_ledger *l, fa_arena *a, const options *o, bool csv, fa_cmd_io *io,
                        fa_err *e)
{
    const char *path = fa_cmd_path(a, io, o->out);
    fa_catalog *cat = NULL;
    int64_t n = 0;
    fa_plan p;
    fa_rc rc = path ? fa_catalog_get(l, &cat, e) : fa_oom(e);

    if (!rc && !(rc = make_plan(l, cat, a, o, &p, e)))
        rc = fa_query_focus(l, a, &p, csv, path, &n, e);
    if (!rc)
        fprintf(io->out, "%s: FOCUS 1.2, %" PRId64 " %s\n", o->out, n, n == 1 ? "row" : "rows");
    fa_catalog_put(cat);
    return rc;
}

int fa_cli_focus(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                 fa_cmd_io *io)
{
    options o = {.from = INT32_MIN, .to = INT32_MIN};
    const fa_opt opt[] = {
        {"out", FA_OPT_TEXT, &o.out, true, 0},    {"from", FA_OPT_DAY, &o.from, false, 0},
        {"to", FA_OPT_DAY, &o.to, false, 0},      {"filter", FA_OPT_TEXT, &o.filter, false, 0},
        {"view", FA_OPT_TEXT, &o.view, false, 0},
    };
    fa_arena a = {0};
    fa_err e = {0};
    char *rest[WORDS];
    int nrest, code;
    bool csv;

    (void)dir;
    if (argc > WORDS)
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    csv = fa_str_ends(fa_str_of(o.out), FA_STR(".csv"));
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    if (!csv && !fa_str_ends(fa_str_of(o.out), FA_STR(".parquet")))
        return fa_cmd_usage(c, io, "--out ends in .csv or .parquet");
    if ((o.from == INT32_MIN) != (o.to == INT32_MIN))
        return fa_cmd_usage(c, io, "--from and --to go together");
    if (o.from > o.to)
        return fa_cmd_usage(c, io, "--from is after --to");
    if (!o.view && o.from == INT32_MIN)
        return fa_cmd_usage(c, io, "which days? --from and --to, or --view");
    if (write_file(l, &a, &o, csv, io, &e))
        code = fa_cmd_fail(io, &e);
    else if (fflush(io->out) != 0)
        code = 3;
    fa_arena_release(&a);
    return code;
}
