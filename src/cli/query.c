/*
 * query.c - `farthing query`: one question, one answer as a table, CSV or JSON.
 *
 * It only turns words into the typed plan; parsing of keys and filters, and the answer's shape, are
 * those of query/, the same as for the API and the page.
 */
#include "cli/inner.h"

#include <string.h>

enum { DEADLINE_MS = 600000, FILTER_BYTES = 1 << 20 };

struct options {
    int32_t from, to;
    const char *group_by, *filter, *cost_type, *granularity, *format, *as, *currency;
    int64_t top;
    bool previous;
};

static const struct {
    const char *name;
    fa_bucket bucket;
} granularities[] = {
    {"hourly", FA_HOUR},
    {"daily", FA_DAY},
    {"weekly", FA_WEEK},
    {"monthly", FA_MONTH},
    {"quarterly", FA_QUARTER},
    {"yearly", FA_YEAR},
    {"accumulated", FA_ALL},
    /* as the API's date.type has them */
    {"hour", FA_HOUR},
    {"day", FA_DAY},
    {"week", FA_WEEK},
    {"month", FA_MONTH},
    {"quarter", FA_QUARTER},
    {"year", FA_YEAR},
};

static const char *const formats[] = {"table", "csv", "json"};

/* A key as people write it: "service", "tag:team", "AWS:region". */
static fa_rc take_keys(const fa_catalog *cat, fa_arena *a, fa_str list, fa_plan *p, fa_err *e)
{
    while (list.n) {
        const char *comma = memchr(list.p, ',', list.n);
        fa_str word = {list.p, comma ? (size_t)(comma - list.p) : list.n};

        list.p += word.n + (comma != NULL);
        list.n -= word.n + (comma != NULL);
        word = fa_str_trim(word);
        if (!word.n)
            return fa_fail(e, FA_EINVAL, "--group-by has an empty key");
        if (p->ndim == FA_MAX_DIMS)
            return fa_fail(e, FA_EINVAL, "--group-by has more than %d keys", FA_MAX_DIMS);
        if (fa_catalog_find(cat, a, FA_API_CLI, FA_STR(""), word, FA_STR(""), &p->dim[p->ndim], e))
            return e->rc;
        p->ndim++;
    }
    return FA_OK;
}

static fa_rc take_filter(const fa_catalog *cat, fa_arena *a, const char *text, fa_plan *p,
                         fa_err *e)
{
    json_error_t why;
    json_t *j;
    fa_rc rc;

    if (strlen(text) > FILTER_BYTES)
        return fa_fail(e, FA_EINVAL, "--filter is longer than %d bytes", FILTER_BYTES);
    if (!(j = json_loads(text, JSON_REJECT_DUPLICATES, &why)))
        return fa_fail(e, FA_EINVAL, "--filter is not JSON: %s at byte %d", why.text, why.position);
    rc = fa_filter_parse(cat, a, FA_API_CLI, j, "filter", &p->filter, e);
    json_decref(j);
    return rc;
}

static fa_rc make_plan(fa_ledger *l, const fa_catalog *cat, fa_arena *a, const struct options *o,
                       fa_plan *p, fa_err *e)
{
    fa_caller caller = fa_caller_system(l);
    fa_account account;
    fa_str type = fa_str_of(o->cost_type);
    fa_rc rc;

    *p = (fa_plan){.range = {.from = o->from, .to = o->to, .unit = FA_DAY, .name = FA_STR("")},
                   .nmeasure = 1,
                   .previous = o->previous,
                   .top = (size_t)o->top,
                   .others = true,
                   .deadline_mono_ms = fa_mono_ms() + DEADLINE_MS};
    for (size_t i = 0; i < FA_COUNT(granularities); i++)
        if (strcmp(granularities[i].name, o->granularity) == 0)
            p->bucket = granularities[i].bucket;
    if (!type.n) {
        if ((rc = fa_account_first(fa_ledger_store(l), a, &account, e)))
            return rc;
        type = account.default_cost_type;
    }
    if (!fa_currency_asked(fa_str_of(o->currency), &p->currency, e))
        return e->rc;
    if ((rc = fa_cost_type_find(type, fa_ledger_fair(l), &p->measure[0].type, e)) ||
        (rc = take_keys(cat, a, fa_str_of(o->group_by), p, e)))
        return rc;
    if (o->filter && (rc = take_filter(cat, a, o->filter, p, e)))
        return rc;
    if (o->as && (rc = fa_caller_user(l, a, fa_str_of(o->as), &caller, e)))
        return rc;
    return fa_caller_scope(l, a, &caller, &p->scope, e);
}

static fa_rc answer(fa_ledger *l, const struct options *o, fa_cmd_io *io, fa_err *e)
{
    fa_arena a = {0};
    fa_catalog *cat = NULL;
    fa_answer r;
    fa_plan p;
    fa_buf b;
    fa_jw w;
    fa_rc rc;

    fa_buf_init(&b, 0);
    if ((rc = fa_catalog_get(l, &cat, e)) || (rc = make_plan(l, cat, &a, o, &p, e)) ||
        (rc = fa_query_run(l, &a, &p, &r, e)))
        goto done;
    if (strcmp(o->format, "json") == 0) {
        fa_jw_init(&w, &b);
        fa_answer_json(&w, &p, &r);
        fa_buf_c(&b, '\n');
    } else if (strcmp(o->format, "csv") == 0) {
        fa_answer_csv(&b, &p, &r);
    } else {
        fa_answer_text(&b, &p, &r);
    }
    if (b.failed)
        rc = fa_oom(e);
    else if (fwrite(b.p, 1, b.n, io->out) != b.n || fflush(io->out) != 0)
        rc = fa_fail(e, FA_EENV, "could not write to standard output");
done:
    if (cat)
        fa_catalog_put(cat);
    fa_buf_release(&b);
    fa_arena_release(&a);
    return rc;
}

static bool is_granularity(const char *name)
{
    for (size_t i = 0; i < FA_COUNT(granularities); i++)
        if (strcmp(granularities[i].name, name) == 0)
            return true;
    return false;
}

static bool is_format(const char *name)
{
    for (size_t i = 0; i < FA_COUNT(formats); i++)
        if (strcmp(formats[i], name) == 0)
            return true;
    return false;
}

int fa_cli_query(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                 fa_cmd_io *io)
{
    struct options o = {.group_by = "",
                        .cost_type = "",
                        .granularity = "accumulated",
                        .format = "table",
                        .currency = ""};
    const fa_opt opt[] = {
        {"from", FA_OPT_DAY, &o.from, true, 0},
        {"to", FA_OPT_DAY, &o.to, true, 0},
        {"group-by", FA_OPT_TEXT, &o.group_by, false, 0},
        {"filter", FA_OPT_TEXT, &o.filter, false, 0},
        {"cost-type", FA_OPT_TEXT, &o.cost_type, false, 0},
        {"granularity", FA_OPT_TEXT, &o.granularity, false, 0},
        {"previous", FA_OPT_FLAG, &o.previous, false, 0},
        {"top", FA_OPT_NUM, &o.top, false, 1000000},
        {"currency", FA_OPT_TEXT, &o.currency, false, 0},
        {"as", FA_OPT_TEXT, &o.as, false, 0},
        {"format", FA_OPT_TEXT, &o.format, false, 0},
    };
    fa_arena a = {0};
    fa_err e = {0};
    char **rest = fa_arena_array(&a, (size_t)argc + 1, sizeof *rest);
    int nrest, code;

    (void)dir;
    if (!rest) {
        fa_oom(&e);
        code = fa_cmd_fail(io, &e);
    } else if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)) == 0) {
        if (nrest)
            code = fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
        else if (o.from > o.to)
            code = fa_cmd_usage(c, io, "--from is after --to");
        else if (!is_granularity(o.granularity))
            code = fa_cmd_usage(
                c, io,
                "--granularity is hourly, daily, weekly, monthly, quarterly, yearly or "
                "accumulated, not \"%s\"",
                o.granularity);
        else if (!is_format(o.format))
            code = fa_cmd_usage(c, io, "--format is table, csv or json, not \"%s\"", o.format);
        else
            code = answer(l, &o, io, &e) ? fa_cmd_fail(io, &e) : 0;
    }
    fa_arena_release(&a);
    return code;
}
