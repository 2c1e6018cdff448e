/*
 * filter_fuzz.c - any bytes as a filter, and as the page's question.
 *
 * The first byte picks the API's spelling, the rest is the JSON. What parses must be written again as JSON
 * that parses to the same text, and as SQL that the engine takes; what does not must say why and where.
 */
#include "query/inner.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static fa_ledger *ledger;
static fa_catalog *catalog;
static char dir[64];

static void remove_dir(void)
{
    fa_err e;

    fa_catalog_put(catalog);
    fa_query_cache_free();
    fa_ledger_close(ledger);
    if (fa_remove_tree(dir, &e))
        fprintf(stderr, "%s\n", e.msg);
}

static void start(void)
{
    fa_ledger_options o = {
        .create = true, .dir = dir, .memory_bytes = (size_t)256 << 20, .threads = 1};
    fa_err e = {0};

    snprintf(dir, sizeof dir, "/tmp/filter_fuzz.XXXXXX");
    if (!mkdtemp(dir) || fa_ledger_open(&o, &ledger, &e) || fa_catalog_get(ledger, &catalog, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        abort();
    }
    atexit(remove_dir);
}

static fa_str written(fa_arena *a, fa_api api, const fa_filter *f)
{
    fa_buf b;
    fa_jw w;
    fa_str out;

    fa_buf_init(&b, 16 << 20);
    fa_jw_init(&w, &b);
    fa_filter_json(&w, api, f);
    if (b.failed)
        abort();
    out = fa_arena_dup(a, fa_buf_view(&b));
    fa_buf_release(&b);
    if (!out.p)
        abort();
    return out;
}

/* The engine takes the SQL that a filter gives, whatever its texts hold. */
static void run_sql(const fa_filter *f)
{
    fa_conn *c = NULL;
    fa_buf b;
    fa_err e = {0};

    fa_buf_init(&b, 16 << 20);
    fa_buf_z(&b, "SELECT line_id FROM line WHERE ");
    fa_put_filter(&b, f);
    if (b.failed || fa_conn_get(fa_ledger_engine(ledger), &c, &e))
        abort();
    if (fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, &e)) {
        fprintf(stderr, "%s\n%s\n", e.msg, b.p);
        abort();
    }
    fa_conn_put(c);
    fa_buf_release(&b);
}

static void check_filter(fa_arena *a, fa_api api, const json_t *j)
{
    const fa_filter *f, *again;
    fa_err e = {0};
    fa_str first;
    json_t *back;
    fa_rc rc = fa_filter_parse(catalog, a, api, j, "filters", &f, &e);
    fa_api out =
        api == FA_API_V1 ? FA_API_INTERNAL : api; /* V1 cannot name a tag that nobody has */

    if (rc) {
        if (!e.msg[0] || !e.field[0] || (rc != FA_EINVAL && rc != FA_EDATA))
            abort();
        return;
    }
    first = written(a, out, f);
    back = json_loadb(first.p, first.n, 0, NULL);
    if (!back || fa_filter_parse(catalog, a, out, back, "filters", &again, &e) ||
        !fa_str_eq(first, written(a, out, again)))
        abort();
    json_decref(back);
    run_sql(f);
}

static void check_question(fa_arena *a, const json_t *j)
{
    fa_plan p;
    fa_err e = {0};

    if (fa_plan_parse(catalog, a, j, 20780, FA_STR("listCost"), &p, &e)) {
        if (!e.msg[0])
            abort();
        return;
    }
    if (p.range.from > p.range.to || p.nmeasure != 1 || p.ndim > FA_MAX_DIMS)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *j;
    fa_arena a;

    if (!ledger)
        start();
    if (size < 2)
        return 0;
    j = json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                   NULL);
    if (!j)
        return 0;
    fa_arena_init(&a, 64 << 20);
    check_filter(&a, (fa_api)(data[0] % 4), j);
    check_question(&a, j);
    json_decref(j);
    fa_arena_release(&a);
    return 0;
}
