/*
 * load.c - `farthing load`: bills in, with progress, and the control totals that prove it.
 *
 * The table is made from the same JSON object that --json prints, so the two cannot disagree.
 */
#include "cli/inner.h"

#include <jansson.h>
#include <string.h>

static const char *text_of(const json_t *o, const char *key)
{
    const char *z = json_string_value(json_object_get(o, key));

    return z ? z : "-";
}

enum { COLS = 7 };
static const char *const heads[COLS] = {"currency", "column", "values", "file",
                                        "archive",  "ledger", "equal"};

static void cells(const json_t *t, char number[24], const char *out[COLS])
{
    snprintf(number, 24, "%lld", (long long)json_integer_value(json_object_get(t, "values")));
    out[0] = text_of(t, "currency");
    out[1] = text_of(t, "column");
    out[2] = number;
    out[3] = text_of(t, "file");
    out[4] = text_of(t, "archive");
    out[5] = text_of(t, "ledger");
    out[6] = json_is_true(json_object_get(t, "equal")) ? "yes" : "NO";
}

static void print_row(FILE *f, const char *const v[COLS], const size_t width[COLS])
{
    for (int k = 0; k < COLS; k++) {
        bool left = k < 2 || k == COLS - 1; /* names to the left, numbers to the right */

        if (k == COLS - 1)
            fprintf(f, "  %s\n", v[k]);
        else
            fprintf(f, left ? "%s%-*s" : "%s%*s", k ? "  " : "", (int)width[k], v[k]);
    }
}

static void print_totals(FILE *f, const json_t *totals)
{
    size_t width[COLS], i;
    const char *v[COLS];
    const json_t *t;
    char number[24];

    for (int k = 0; k < COLS; k++)
        width[k] = strlen(heads[k]);
    json_array_foreach(totals, i, t)
    {
        cells(t, number, v);
        for (int k = 0; k < COLS; k++)
            if (strlen(v[k]) > width[k])
                width[k] = strlen(v[k]);
    }
    print_row(f, heads, width);
    json_array_foreach(totals, i, t)
    {
        cells(t, number, v);
        print_row(f, v, width);
    }
}

static size_t count_days(const json_t *days)
{
    size_t n = 0, i;
    fa_map *seen = fa_map_new();
    const json_t *d;

    json_array_foreach(days, i, d)
    {
        size_t v;
        bool added = false;

        if (seen && fa_map_add(seen, fa_str_of(text_of(d, "day")), 0, &v, &added) && added)
            n++;
    }
    fa_map_free(seen);
    return n;
}

static void print_result(FILE *f, const json_t *r)
{
    const char *state = text_of(r, "state");
    long long id = json_integer_value(json_object_get(r, "id"));
    long long rows = json_integer_value(json_object_get(r, "rows"));
    long long rejected = json_integer_value(json_object_get(r, "rejected"));
    const json_t *periods = json_object_get(r, "periods"), *notices = json_object_get(r, "notices"),
                 *p;
    size_t i;

    if (strcmp(state, "unchanged") == 0 && json_array_size(notices))
        fprintf(f, "unchanged: nothing of it is new to source \"%s\"\n", text_of(r, "source"));
    else if (strcmp(state, "unchanged") == 0)
        fprintf(f,
                "unchanged: source \"%s\" has exactly these files already, nothing was changed\n",
                text_of(r, "source"));
    else
        fprintf(f, "load %lld is live: source \"%s\", format %s\n", id, text_of(r, "source"),
                text_of(r, "format"));
    fprintf(f, "rows %lld, days %zu, billing months", rows, count_days(json_object_get(r, "days")));
    json_array_foreach(periods, i, p) fprintf(f, "%s %s", i ? "," : "", json_string_value(p));
    fputc('\n', f);
    if (rejected)
        fprintf(f, "rows skipped %lld, kept in %s\n", rejected, text_of(r, "rejectFile"));
    if (json_array_size(json_object_get(r, "totals"))) {
        fputc('\n', f);
        print_totals(f, json_object_get(r, "totals"));
    }
    json_array_foreach(notices, i, p) fprintf(f, "note: %s\n", json_string_value(p));
    json_array_foreach(json_object_get(r, "restatements"), i, p) fprintf(
        f, "changed: %s %s of %s%s, from %s to %s\n", text_of(p, "currency"), text_of(p, "column"),
        text_of(p, "period"), json_is_true(json_object_get(p, "closed")) ? " (closed)" : "",
        text_of(p, "before"), text_of(p, "after"));
}

static fa_rc print(fa_cmd_io *io, const fa_load_result *r, bool as_json, fa_err *e)
{
    fa_buf b;
    fa_jw w;
    json_t *j = NULL;
    fa_rc rc = FA_OK;

    fa_buf_init(&b, 0);
    fa_jw_init(&w, &b);
    fa_load_result_json(&w, r, true);
    if (b.failed) {
        rc = fa_oom(e);
    } else if (as_json) {
        fprintf(io->out, "%s\n", b.p);
    } else if ((j = json_loadb(b.p, b.n, 0, NULL))) {
        print_result(io->out, j);
    } else {
        rc = fa_fail(e, FA_EINTERNAL, "could not read back the result of load %lld",
                     (long long)r->load.id);
    }
    json_decref(j);
    fa_buf_release(&b);
    if (!rc && (fflush(io->out) != 0 || ferror(io->out)))
        rc = fa_fail(e, FA_EENV, "could not write to standard output");
    return rc;
}

/* "BillingCurrency=EUR,ProviderName=Example" as the constants of a mapping. */
static fa_rc set_mapping(fa_arena *a, fa_str set, fa_str *out, fa_err *e)
{
    fa_buf b;
    fa_jw w;

    fa_buf_init(&b, 1 << 20);
    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    fa_jw_key(&w, "constants");
    fa_jw_obj(&w);
    while (set.n) {
        const char *comma = memchr(set.p, ',', set.n);
        fa_str pair = {set.p, comma ? (size_t)(comma - set.p) : set.n};
        const char *equal = memchr(pair.p, '=', pair.n);

        if (!equal || equal == pair.p) {
            fa_buf_release(&b);
            return fa_fail(e, FA_EINVAL, "--set needs COLUMN=VALUE, \"%.*s\" is none",
                           FA_FMT(pair));
        }
        fa_jw_keys(&w, fa_str_trim((fa_str){pair.p, (size_t)(equal - pair.p)}));
        fa_jw_str(&w, (fa_str){equal + 1, (size_t)(pair.p + pair.n - equal - 1)});
        set = (fa_str){pair.p + pair.n + (comma != NULL), set.n - pair.n - (comma != NULL)};
    }
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    *out = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    return out->p ? FA_OK : fa_oom(e);
}

static fa_rc read_mapping(fa_arena *a, const fa_cmd_io *io, const char *path, fa_str *out,
                          fa_err *e)
{
    const char *full = fa_cmd_path(a, io, path);
    fa_buf b;
    fa_rc rc;

    if (!full)
        return fa_oom(e);
    fa_buf_init(&b, 1 << 20);
    if (!(rc = fa_file_read(full, 1 << 20, &b, e))) {
        *out = fa_buf_dup(&b, a);
        rc = out->p ? FA_OK : fa_oom(e);
    }
    fa_buf_release(&b);
    return rc;
}

/* One load, or one for each delivery of a folder that holds several exports or months. */
static fa_rc load_all(fa_ledger *l, fa_cmd_io *io, fa_arena *a, fa_load_request *q,
                      const fa_manifest *delivery, size_t n, bool as_json, fa_err *e)
{
    for (size_t i = 0; i < (n ? n : 1); i++) {
        fa_load_result result = {0};
        fa_progress p;
        fa_bar *bar = fa_bar_new(io, "loading", &p);
        fa_rc rc;

        q->delivery = n ? &delivery[i] : NULL;
        rc = fa_ledger_load(l, a, q, &p, &result, e);
        fa_bar_free(bar);
        if (rc || (rc = print(io, &result, as_json, e)))
            return rc;
    }
    return FA_OK;
}

int fa_cli_load(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                fa_cmd_io *io)
{
    const char *source = NULL, *format = "", *set = NULL, *mapping = NULL, **path;
    int64_t skip = 0;
    bool as_json = false;
    const fa_opt opt[] = {
        {"source", FA_OPT_TEXT, &source, true, 0},    {"format", FA_OPT_TEXT, &format, false, 0},
        {"mapping", FA_OPT_TEXT, &mapping, false, 0}, {"set", FA_OPT_TEXT, &set, false, 0},
        {"skip-bad", FA_OPT_NUM, &skip, false, 0},    {"json", FA_OPT_FLAG, &as_json, false, 0},
    };
    fa_load_request q;
    fa_manifest *delivery = NULL;
    size_t ndelivery = 0;
    fa_arena a = {0};
    fa_err e = {0};
    char **rest = fa_arena_array(&a, (size_t)argc + 1, sizeof *rest);
    int nrest, code;
    fa_rc rc = FA_OK;

    (void)dir;
    path = fa_arena_array(&a, (size_t)argc + 1, sizeof *path);
    if (!rest || !path) {
        fa_oom(&e);
        code = fa_cmd_fail(io, &e);
        goto done;
    }
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        goto done;
    if (nrest == 0) {
        code = fa_cmd_usage(c, io, "there is no file or folder to load");
        goto done;
    }
    if (set && mapping) {
        code = fa_cmd_usage(c, io, "--set and --mapping: a mapping has \"constants\" for it");
        goto done;
    }
    for (int i = 0; i < nrest && !rc; i++)
        if (!(path[i] = fa_cmd_path(&a, io, rest[i])))
            rc = fa_oom(&e);
    q = (fa_load_request){.source = fa_str_of(source),
                          .format = fa_str_of(format),
                          .path = path,
                          .npath = (size_t)nrest,
                          .skip_bad = skip};
    if (!rc && set)
        rc = set_mapping(&a, fa_str_of(set), &q.mapping, &e);
    if (!rc && mapping)
        rc = read_mapping(&a, io, mapping, &q.mapping, &e);
    if (!rc && nrest == 1)
        rc = fa_manifests_find(&a, path[0], &delivery, &ndelivery, &e);
    if (!rc)
        rc = load_all(l, io, &a, &q, delivery, ndelivery, as_json, &e);
    code = rc ? fa_cmd_fail(io, &e) : 0;
done:
    fa_arena_release(&a);
    return code;
}
