/*
 * demo_test.c - the demo company's bill obeys the rules of a bill.
 *
 * Expected values are the rules themselves (FOCUS invariants of the specification and the shares
 * the benchmark asks for), asked of the files in plain SQL.
 */
#include "ledger/demo.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS 40000

typedef struct world {
    char dir[64];
    fa_engine *engine;
    fa_conn *conn;
    fa_arena arena;
} world;

static void must(fa_rc rc, const fa_err *e)
{
    if (rc)
        fail_msg("%s (%s)", e->msg, e->trail);
}

static void make(world *w, const char *name, fa_demo d, fa_demo_format format, unsigned threads)
{
    const char *const *path;
    size_t n;
    fa_err e = {0};
    fa_demo_place to = {.dir = fa_arena_printf(&w->arena, "%s/%s", w->dir, name),
                        .format = format,
                        .memory_bytes = (size_t)512 << 20,
                        .threads = threads};

    must(fa_demo_write(&w->arena, &d, &to, NULL, &path, &n, &e), &e);
    assert_true(n > 0);
}

static int setup(void **state)
{
    world *w = calloc(1, sizeof *w);
    fa_engine_options o = {.memory_bytes = (size_t)512 << 20};
    fa_demo d = {.rows = ROWS, .seed = 1, .last = fa_day_of(2026, 11, 22)};
    fa_err e = {0};

    assert_non_null(w);
    snprintf(w->dir, sizeof w->dir, "/tmp/demo_test.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    fa_arena_init(&w->arena, 0);
    must(fa_engine_open(&o, &w->engine, &e), &e);
    must(fa_conn_get(w->engine, &w->conn, &e), &e);
    make(w, "a", d, FA_DEMO_PARQUET, 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    fa_err e = {0};

    fa_conn_put(w->conn);
    fa_engine_close(w->engine);
    must(fa_remove_tree(w->dir, &e), &e);
    fa_arena_release(&w->arena);
    free(w);
    return 0;
}

/* The number a statement gives; {a} stands for the files in folder a. */
static int64_t ask(world *w, const char *sql)
{
    fa_buf b;
    fa_err e = {0};
    int64_t n = -1;

    fa_buf_init(&b, 0);
    for (const char *p = sql; *p; p++)
        if (p[0] == '{' && p[2] == '}') {
            fa_buf_fmt(&b, "read_parquet('%s/%c/*.parquet')", w->dir, p[1]);
            p += 2;
        } else {
            fa_buf_c(&b, *p);
        }
    must(fa_sql_i64(w->conn, fa_buf_view(&b), NULL, 0, &n, &e), &e);
    fa_buf_release(&b);
    return n;
}

static void test_rules(void **state)
{
    static const char *const none[] = {
        "SELECT count(*) FROM {a} WHERE ListCost <> ListUnitPrice::DECIMAL(18,10) * "
        "PricingQuantity::DECIMAL(18,3)",
        "SELECT count(*) FROM {a} WHERE ContractedCost <> ContractedUnitPrice::DECIMAL(18,10) * "
        "PricingQuantity::DECIMAL(18,3)",
        "SELECT count(*) FROM {a} WHERE ListUnitPrice < 0 OR ContractedUnitPrice < 0",
        "SELECT count(*) FROM (SELECT ServiceName FROM {a} GROUP BY 1 HAVING count(DISTINCT "
        "ServiceCategory) > 1)",
        "SELECT count(*) FROM {a} WHERE BillingPeriodStart <> date_trunc('month', "
        "ChargePeriodStart)"
        " OR BillingPeriodEnd <> BillingPeriodStart + INTERVAL 1 MONTH OR ChargePeriodEnd <= "
        "ChargePeriodStart",
        "SELECT count(*) FROM {a} WHERE ChargeCategory IN ('Tax', 'Credit', 'Adjustment') AND "
        "EffectiveCost <> BilledCost",
        "SELECT count(*) FROM {a} WHERE ChargeCategory = 'Usage' AND CommitmentDiscountId IS NULL "
        "AND EffectiveCost <> BilledCost",
        "SELECT count(*) FROM {a} WHERE ChargeCategory = 'Purchase' AND (EffectiveCost <> 0 OR "
        "BilledCost <= 0)",
        "SELECT count(*) FROM {a} WHERE CommitmentDiscountId IS NOT NULL AND ChargeCategory = "
        "'Usage'"
        " AND (CommitmentDiscountStatus IS NULL OR BilledCost <> 0 OR EffectiveCost <= 0)",
        "SELECT count(*) FROM {a} WHERE CommitmentDiscountStatus = 'Unused' AND (ConsumedQuantity "
        "IS NOT NULL OR ResourceId IS NOT NULL)",
        "SELECT count(*) FROM (SELECT CommitmentDiscountId FROM {a} WHERE CommitmentDiscountId IS "
        "NOT NULL"
        " GROUP BY 1 HAVING sum(BilledCost) <> sum(EffectiveCost))",
        "SELECT count(*) FROM {a} WHERE ChargeClass IS NOT NULL AND ChargeClass <> 'Correction'",
        "SELECT count(*) FROM {a} WHERE NOT json_valid(Tags)",
        "SELECT count(*) FROM {a} WHERE BillingCurrency <> 'USD' OR BilledCost IS NULL OR "
        "EffectiveCost IS NULL"
        " OR SubAccountId IS NULL OR InvoiceIssuerName IS NULL OR ChargeDescription IS NULL",
        "SELECT count(*) FROM {a} WHERE ChargePeriodStart < '2025-10-24' OR ChargePeriodStart >= "
        "'2026-11-23'",
        "SELECT count(*) FROM {a} WHERE ChargeCategory = 'Usage' AND ChargePeriodEnd - "
        "ChargePeriodStart <>"
        " CASE WHEN ChargePeriodStart >= '2026-10-19' THEN INTERVAL 1 HOUR ELSE INTERVAL 1 DAY END",
    };

    for (size_t i = 0; i < FA_COUNT(none); i++) {
        int64_t n = ask(*state, none[i]);

        if (n)
            fail_msg("%lld rows: %s", (long long)n, none[i]);
    }
}

static void test_shape(void **state)
{
    static const struct {
        const char *sql;
        int64_t low, high;
    } t[] = {
        {"SELECT count(*) FROM {a}", ROWS, ROWS},
        {"SELECT count(DISTINCT BillingPeriodStart) FROM {a}", 14, 14},
        {"SELECT count(DISTINCT ChargePeriodStart::DATE) FROM {a}", 395, 395},
        {"SELECT count(DISTINCT BillingAccountId) FROM {a}", 5, 5},
        {"SELECT count(DISTINCT ProviderName) FROM {a}", 4, 4},
        {"SELECT 100 * count(*) FILTER (ProviderName = 'AWS') // count(*) FROM {a}", 52, 70},
        {"SELECT 100 * count(*) FILTER (Tags IS NULL) // count(*) FROM {a}", 22, 45},
        {"SELECT 1000 * count(*) FILTER (ChargeCategory = 'Credit') // count(*) FROM {a}", 10, 18},
        {"SELECT 1000 * count(*) FILTER (ChargeCategory = 'Tax') // count(*) FROM {a}", 3, 7},
        {"SELECT count(*) FROM {a} WHERE ChargeCategory = 'Purchase'", 2, ROWS},
        {"SELECT count(*) FROM {a} WHERE ChargeCategory = 'Adjustment' AND BilledCost < 0", 1,
         ROWS},
        {"SELECT count(*) FROM {a} WHERE CommitmentDiscountStatus = 'Used'", 100, ROWS},
        {"SELECT count(*) FROM {a} WHERE CommitmentDiscountStatus = 'Unused'", 10, ROWS},
        {"SELECT avg(strlen(ResourceId))::BIGINT FROM {a}", 50, 110},
        /* the same price before and after 1 July only where nothing changed */
        {"SELECT count(*) FROM (SELECT SkuId FROM {a} WHERE ServiceCategory = 'Databases' AND "
         "ListUnitPrice IS NOT NULL"
         " AND ChargeCategory = 'Usage' GROUP BY 1 HAVING count(DISTINCT ListUnitPrice) = 2)",
         1, ROWS},
        {"SELECT count(*) FROM {a} WHERE strlen(Tags) > length(Tags)", 1, ROWS},
    };

    for (size_t i = 0; i < FA_COUNT(t); i++) {
        int64_t n = ask(*state, t[i].sql);

        if (n < t[i].low || n > t[i].high)
            fail_msg("%lld is not in %lld..%lld: %s", (long long)n, (long long)t[i].low,
                     (long long)t[i].high, t[i].sql);
    }
}

static void test_same_again(void **state)
{
    fa_demo d = {.rows = ROWS, .seed = 1, .last = fa_day_of(2026, 11, 22)};

    make(*state, "b", d, FA_DEMO_PARQUET, 1);
    assert_int_equal(ask(*state, "SELECT count(*) FROM {b}"), ROWS);
    assert_int_equal(ask(*state, "SELECT count(*) FROM (FROM {a} EXCEPT ALL FROM {b})"), 0);
    d.seed = 2;
    make(*state, "c", d, FA_DEMO_PARQUET, 2);
    assert_int_equal(ask(*state, "SELECT count(*) FROM {c}"), ROWS);
    assert_true(ask(*state, "SELECT count(*) FROM (FROM {a} EXCEPT ALL FROM {c})") > ROWS / 2);
}

static void test_csv_says_the_same(void **state)
{
    world *w = *state;
    fa_demo d = {.rows = ROWS, .seed = 1, .last = fa_day_of(2026, 11, 22)};
    const char *sql;

    make(w, "z", d, FA_DEMO_CSV_GZ, 2);
    sql = fa_arena_printf(
        &w->arena,
        "SELECT count(*) FROM (FROM {a} EXCEPT ALL FROM read_csv('%s/z/*.csv.gz', types ="
        " {'BilledCost': 'DECIMAL(38,18)', 'EffectiveCost': 'DECIMAL(38,18)', 'ListCost': "
        "'DECIMAL(38,18)',"
        " 'ContractedCost': 'DECIMAL(38,18)', 'ListUnitPrice': 'DECIMAL(38,18)', "
        "'ContractedUnitPrice': 'DECIMAL(38,18)',"
        " 'ConsumedQuantity': 'DECIMAL(38,18)', 'PricingQuantity': 'DECIMAL(38,18)', "
        "'ChargeClass': 'VARCHAR',"
        " 'SubAccountId': 'VARCHAR', 'BillingAccountId': 'VARCHAR', 'SkuPriceId': 'VARCHAR', "
        "'AvailabilityZone': 'VARCHAR'}))",
        w->dir);
    assert_int_equal(ask(w, sql), 0);
}

static void test_small_and_other_days(void **state)
{
    static const int64_t rows[] = {1, 2, 394, 395, 396, 19999, 20000};

    for (size_t i = 0; i < FA_COUNT(rows); i++) {
        world *w = *state;
        /* a leap year's end of February, and a first of the month */
        fa_demo d = {.rows = rows[i],
                     .seed = 7,
                     .last = i % 2 ? fa_day_of(2028, 2, 29) : fa_day_of(2026, 1, 1)};
        fa_err e = {0};

        must(fa_remove_tree(fa_arena_printf(&w->arena, "%s/s", w->dir), &e), &e);
        make(w, "s", d, FA_DEMO_PARQUET, 0);
        assert_int_equal(ask(w, "SELECT count(*) FROM {s}"), rows[i]);
        assert_int_equal(
            ask(w, "SELECT count(*) FROM (SELECT CommitmentDiscountId FROM {s} WHERE "
                   "CommitmentDiscountId"
                   " IS NOT NULL GROUP BY 1 HAVING sum(BilledCost) <> sum(EffectiveCost))"),
            0);
    }
}

static void test_bounds(void **state)
{
    world *w = *state;
    static const int64_t rows[] = {0, -1, (int64_t)FA_DEMO_ROWS_MAX + 1};

    for (size_t i = 0; i < FA_COUNT(rows); i++) {
        fa_demo d = {.rows = rows[i], .last = fa_day_of(2026, 11, 22)};
        fa_demo_place to = {.dir = w->dir};
        const char *const *path;
        size_t n;
        fa_err e = {0};

        assert_int_equal(fa_demo_write(&w->arena, &d, &to, NULL, &path, &n, &e), FA_EINVAL);
    }
}

/* The demo as an installation: live, then unchanged, then another one in its place; views stay
 * single. */
static void test_load(void **state)
{
    world *w = *state;
    fa_demo d = {.rows = 3000, .seed = 1, .last = fa_day_of(2026, 11, 22)};
    fa_ledger_options o = {.memory_bytes = (size_t)512 << 20, .create = true};
    static const struct {
        uint32_t seed;
        const char *state;
    } t[] = {{1, "live"}, {1, "unchanged"}, {2, "live"}, {1, "live"}, {1, "unchanged"}};
    fa_ledger *l;
    fa_load_result r;
    fa_view *view;
    int32_t first, last;
    size_t n;
    fa_err e = {0};

    o.dir = fa_arena_printf(&w->arena, "%s/installation", w->dir);
    must(fa_ledger_open(&o, &l, &e), &e);
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        d.seed = t[i].seed;
        must(fa_demo_load(l, &w->arena, &d, NULL, &r, &e), &e);
        if (!fa_str_eqz(r.load.state, t[i].state))
            fail_msg("step %zu: \"%.*s\"", i, FA_FMT(r.load.state));
        assert_int_equal(r.load.rows, 3000);
        assert_true(fa_ledger_range(l, &first, &last));
        assert_int_equal(first, d.last - 394);
        assert_int_equal(last, d.last);
        must(fa_view_list(fa_ledger_store(l), &w->arena, fa_ledger_account(l), &view, &n, &e), &e);
        assert_int_equal(n, 4);
    }
    fa_ledger_close(l);
    assert_int_equal(access(fa_arena_printf(&w->arena, "%s/staging", o.dir), F_OK), 0);
    assert_int_equal(rmdir(fa_arena_printf(&w->arena, "%s/staging", o.dir)),
                     0); /* nothing left in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_same_again),
        cmocka_unit_test(test_csv_says_the_same),
        cmocka_unit_test(test_small_and_other_days),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_load),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
