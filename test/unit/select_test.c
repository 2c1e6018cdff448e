/*
 * select_test.c - lines selected over dictionary codes are the lines that the same filter selects as SQL.
 *
 * The engine is the reference: its lower(), its casts, its IN. Texts are chosen to be awkward to all of them.
 */
#include "query_bill.h"

#include "query/inner.h"

static const char *const odd[] = {"",         "core",
                                  "Core",     "ÇORE",
                                  "straße",   "STRASSE",
                                  "İstanbul", "ǅ",
                                  "ß",        "ẞ",
                                  "Σίσυφος",  "ΣΊΣΥΦΟΣ",
                                  "K",        "Å",
                                  "å",        "𐐀bc",
                                  "𐐨BC",      "1",
                                  "1.0",      " 7 ",
                                  "+5",       "-0.5",
                                  "1e3",      "1E-2",
                                  ".5",       "5.",
                                  "1_000",    "0x10",
                                  "1,5",      "NaN",
                                  "inf",      "1e40",
                                  "--1",      "99999999999999999999",
                                  "-1e-18",   "0.0000000000000000015",
                                  "٣",        "a\\b",
                                  "it's",     "100%_x",
                                  "\t9\t",    "tab\there",
                                  "e\xcc\x81"};

typedef struct odd_bill {
    char dir[256], data[300];
    fa_ledger *l;
    fa_arena a;
    fa_catalog *cat;
    uint32_t seed;
    int loads;
} odd_bill;

static uint32_t roll(odd_bill *b, uint32_t n)
{
    b->seed = b->seed * 1664525u + 1013904223u;
    return (b->seed >> 8) % n;
}

/* Another source with `n` rows, whose lines are new ones for the most part. */
static void load_more(odd_bill *b, size_t n)
{
    fa_err e = {0};
    fa_buf o;
    fa_load_result r;
    char path[320], source[32];
    const char *paths[] = {path};
    fa_load_request q = {.path = paths, .npath = 1};

    fa_buf_init(&o, 0);
    fa_buf_z(&o, "BilledCost,EffectiveCost,ListCost,ContractedCost,ProviderName,ServiceName,"
                 "RegionId,BillingCurrency,BillingPeriodStart,"
                 "ChargePeriodStart,ChargeCategory,BillingAccountId,Tags\n");
    for (size_t i = 0; i < n; i++) {
        fa_buf tags;
        fa_jw w;

        fa_buf_fmt(&o, "%u.5,1,2,3,%s,", roll(b, 100), roll(b, 2) ? "AWS" : "Google Cloud");
        fa_buf_csv(&o, fa_str_of(odd[1 + roll(b, FA_COUNT(odd) - 1)]), false);
        fa_buf_fmt(&o, ",r-%u,USD,2026-03-01,2026-03-%02uT00:00:00Z,Usage,a%d,", roll(b, 20),
                   1 + roll(b, 28), b->loads);
        fa_buf_init(&tags, 4096);
        fa_jw_init(&w, &tags);
        fa_jw_obj(&w);
        fa_jw_key(&w, "odd");
        fa_jw_z(&w, odd[roll(b, FA_COUNT(odd))]);
        if (roll(b, 2)) {
            fa_jw_key(&w, "team");
            fa_jw_z(&w, odd[roll(b, 9)]);
        }
        fa_jw_end_obj(&w);
        fa_buf_csv(&o, fa_buf_view(&tags), false);
        fa_buf_c(&o, '\n');
        fa_buf_release(&tags);
    }
    snprintf(path, sizeof path, "%s/bill%d.csv", b->dir, b->loads);
    snprintf(source, sizeof source, "s%d", b->loads++);
    q.source = fa_str_of(source);
    must(fa_file_write_durable(path, fa_buf_view(&o), 0600, &e), &e);
    fa_buf_release(&o);
    must(fa_ledger_load(b->l, &b->a, &q, NULL, &r, &e), &e);
    fa_catalog_put(b->cat);
    must(fa_catalog_get(b->l, &b->cat, &e), &e);
}

static void open_odd(odd_bill *b)
{
    const char *tmp = getenv("FARTHING_TMP");
    fa_err e = {0};
    fa_ledger_options o = {.create = true, .memory_bytes = (size_t)1 << 30};

    *b = (odd_bill){.seed = 5};
    snprintf(b->dir, sizeof b->dir, "%s/select.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->data, sizeof b->data, "%s/data", b->dir);
    fa_arena_init(&b->a, 0);
    o.dir = b->data;
    must(fa_ledger_open(&o, &b->l, &e), &e);
    use_cluster(b->l);
}

static void close_odd(odd_bill *b)
{
    fa_err e = {0};

    fa_catalog_put(b->cat);
    fa_query_cache_free();
    fa_ledger_close(b->l);
    fa_arena_release(&b->a);
    must(fa_remove_tree(b->dir, &e), &e);
}

/* ---- random filters ---- */

static const ref_key keys[] = {{"Global", "service", "billing_dimension"},
                               {"Global", "odd", "tag"},
                               {"AWS", "team", "tag"},
                               {"GCP", "odd", "tag"},
                               {"Global", "region", "billing_dimension"},
                               {"Global", "none", "tag"}};

static ref_filter *random_odd(odd_bill *b, int depth)
{
    static const char *const numbers[] = {"0", "1", "-0.5", "1e3", "7", "0.000000000000000001"};
    ref_filter *f = fa_arena_alloc(&b->a, sizeof *f);

    assert_non_null(f);
    if (depth > 0 && roll(b, 2)) {
        f->op = roll(b, 2) ? "AND" : "OR";
        f->nkid = roll(b, 4);
        for (size_t i = 0; i < f->nkid; i++)
            f->kid[i] = random_odd(b, depth - 1);
        return f;
    }
    f->op = ref_ops[roll(b, FA_COUNT(ref_ops))];
    f->key = &keys[roll(b, FA_COUNT(keys))];
    if (strstr(f->op, "xists"))
        return f;
    f->nvalue = strstr(f->op, "Than") ? 1 : 1 + roll(b, 3);
    for (size_t i = 0; i < f->nvalue; i++)
        f->value[i] = strstr(f->op, "Than") ? numbers[roll(b, FA_COUNT(numbers))]
                      : roll(b, 3)          ? odd[roll(b, FA_COUNT(odd))]
                                            : "r-1";
    return f;
}

static const fa_filter *parse(odd_bill *b, const ref_filter *f)
{
    fa_err e = {0};
    fa_buf o;
    fa_jw w;
    json_t *j;
    const fa_filter *out;

    fa_buf_init(&o, 0);
    fa_jw_init(&w, &o);
    ref_json(&w, f);
    j = json_loadb(o.p, o.n, 0, NULL);
    assert_non_null(j);
    must(fa_filter_parse(b->cat, &b->a, FA_API_INTERNAL, j, "filters", &out, &e), &e);
    json_decref(j);
    fa_buf_release(&o);
    return out;
}

static fa_rc mark(void *user, const fa_batch *b, fa_err *e)
{
    uint32_t *line = user;

    (void)e;
    for (size_t r = 0; r < b->rows; r++)
        line[b->col[0].i64[r]] = 1;
    return FA_OK;
}

static void check(odd_bill *b, const fa_filter *f)
{
    fa_err e = {0};
    fa_lens v;
    fa_sel *s;
    fa_conn *c;
    fa_buf sql;
    uint32_t *want, *got;

    must(fa_lens_open(b->l, 0, &v, &e), &e);
    want = fa_arena_array(&b->a, v.nline + 1, sizeof *want);
    got = fa_arena_array(&b->a, v.nline + 1, sizeof *got);
    assert_true(want && got);
    fa_buf_init(&sql, 0);
    fa_buf_z(&sql, "SELECT line_id FROM line WHERE ");
    fa_put_filter(&sql, f);
    must(fa_conn_get(fa_ledger_engine(b->l), &c, &e), &e);
    must(fa_sql_query(c, fa_buf_view(&sql), NULL, 0, mark, want, &e), &e);
    fa_conn_put(c);
    must(fa_select(&v, f, &s, &e), &e);
    fa_sel_fill(s, got, 1);
    if (memcmp(want, got, v.nline * sizeof *want) != 0) {
        for (uint32_t i = 0; i < v.nline; i++)
            if (want[i] != got[i])
                fail_msg("line %u is %u, SQL says %u: %s", i, got[i], want[i], sql.p);
    }
    fa_sel_put(s);
    fa_buf_release(&sql);
}

/* ---- tests ---- */

static void test_random(void **state)
{
    odd_bill b;

    (void)state;
    open_odd(&b);
    for (int load = 0; load < 3; load++) { /* lines are added; what is kept grows with them */
        load_more(&b, load == 1 ? 40 : 700);
        for (int i = 0; i < 400; i++)
            check(&b, parse(&b, random_odd(&b, 3)));
    }
    close_odd(&b);
}

/* Every operator with every text against every key. */
static void test_all(void **state)
{
    odd_bill b;

    (void)state;
    open_odd(&b);
    load_more(&b, 900);
    for (size_t o = 0; o < FA_COUNT(ref_ops); o++)
        for (size_t t = 0; t < FA_COUNT(odd); t++) {
            ref_filter f = {.op = ref_ops[o], .key = &keys[1], .value = {odd[t]}, .nvalue = 1};

            if (strstr(f.op, "Than")) {
                fa_i128 v;

                if (!fa_dec_parse(fa_str_of(odd[t]), false, &v, NULL))
                    continue;
            }
            check(&b, parse(&b, &f));
        }
    close_odd(&b);
}

/* lower() of every letter. */
static fa_rc compare(void *user, const fa_batch *b, fa_err *e)
{
    size_t *n = user;

    (void)e;
    for (size_t r = 0; r < b->rows; r++, ++*n) {
        char got[64];
        size_t len = fa_fold(b->col[0].text[r], got);

        if (!fa_str_eq((fa_str){got, len}, b->col[1].text[r]))
            fail_msg("%.*s folds to %.*s", FA_FMT(b->col[0].text[r]), (int)len, got);
    }
    return FA_OK;
}

static void test_fold(void **state)
{
    odd_bill b;
    fa_conn *c;
    fa_err e = {0};
    size_t n = 0;

    (void)state;
    open_odd(&b);
    must(fa_fold_ready(b.l, &e), &e);
    must(fa_conn_get(fa_ledger_engine(b.l), &c, &e), &e);
    must(fa_sql_query(c,
                      FA_STR("SELECT t, lower(t) FROM (SELECT 'xY' || chr(i::INTEGER) || 'Zé' AS t"
                             " FROM range(1, 55296) AS r(i) UNION ALL SELECT chr(i::INTEGER) FROM"
                             " range(57344, 1114112, 1) AS r(i))"),
                      NULL, 0, compare, &n, &e),
         &e);
    assert_int_equal(n, 55295 + 1056768);
    fa_conn_put(c);
    close_odd(&b);
}

/* What is kept gives way and is made again. */
static void test_budget(void **state)
{
    odd_bill b;

    (void)state;
    open_odd(&b);
    load_more(&b, 500);
    for (int i = 0; i < 20; i++) {
        const fa_filter *f = parse(&b, random_odd(&b, 2));

        check(&b, f);
        fa_keep_free();
        check(&b, f);
    }
    close_odd(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
