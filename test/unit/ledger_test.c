/*
 * ledger_test.c - bills in every packing, good and bad, through archive and star.
 *
 * Expected sums are added up here, row by row in 128 bits, or come from the SOURCE.md of the real
 * sample; never from the program under test.
 */
#include "ledger/ledger.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

typedef struct fixture {
    char dir[256], data[300];
    fa_ledger *l;
    fa_arena a;
} fixture;

static void must(fa_rc rc, const fa_err *e)
{
    if (rc)
        fail_msg("rc %d: %s", (int)rc, e->msg);
}

static void open_data(fixture *f, bool create)
{
    fa_err e = {0};
    fa_ledger_options o = {.dir = f->data, .create = create, .memory_bytes = (size_t)1 << 30};

    must(fa_ledger_open(&o, &f->l, &e), &e);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    const char *tmp = getenv("FARTHING_TMP");

    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "%s/ledger.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->data, sizeof f->data, "%s/data", f->dir);
    fa_arena_init(&f->a, 0);
    open_data(f, true);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    fa_err e;

    fa_ledger_close(f->l);
    fa_arena_release(&f->a);
    must(fa_remove_tree(f->dir, &e), &e);
    free(f);
    return 0;
}

static const char *path_of(fixture *f, const char *name)
{
    return fa_arena_printf(&f->a, "%s/%s", f->dir, name);
}

static void write_file(const char *path, const void *p, size_t n)
{
    FILE *out = fopen(path, "wb");

    assert_non_null(out);
    assert_int_equal(fwrite(p, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
}

/* ---- a small bill ---- */

#define HEADER                                                                                     \
    "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,"           \
    "BillingPeriodStart,ChargeCategory,ChargePeriodStart,ProviderName,ServiceName,"                \
    "ConsumedQuantity,"                                                                            \
    "ConsumedUnit,Tags,x_Team,Odd\n"

typedef struct row {
    const char *billed, *effective, *currency, *period, *start, *provider, *service, *quantity,
        *tags;
} row;

static const row plain = {"1.5", "1.25", "USD", "2024-02-01", "2024-02-03T10:00:00Z", "AWS",
                          "S3",  "2",    ""};

static void put_row(fa_buf *b, row r)
{
    fa_buf_fmt(b, "%s,%s,2,%s,acct,%s,%s,Usage,%s,%s,%s,%s,GB,", r.billed, r.effective, r.effective,
               r.currency, r.period, r.start, r.provider, r.service, r.quantity);
    fa_buf_csv(b, fa_str_of(r.tags), false);
    fa_buf_z(b, ",red,o1\n");
}

static const char *write_bill(fixture *f, const char *name, const row *r, size_t n)
{
    const char *path = path_of(f, name);
    fa_buf b;

    fa_buf_init(&b, 0);
    fa_buf_z(&b, HEADER);
    for (size_t i = 0; i < n; i++)
        put_row(&b, r[i]);
    write_file(path, b.p, b.n);
    fa_buf_release(&b);
    return path;
}

static fa_rc load_as(fixture *f, const char *source, const char *path, int64_t skip,
                     fa_load_result *r, fa_err *e)
{
    fa_load_request q = {.source = fa_str_of(source), .path = &path, .npath = 1, .skip_bad = skip};

    memset(e, 0, sizeof *e);
    return fa_ledger_load(f->l, &f->a, &q, NULL, r, e);
}

static void load_ok(fixture *f, const char *source, const char *path, fa_load_result *r)
{
    fa_err e;

    must(load_as(f, source, path, 0, r, &e), &e);
}

static fa_i128 sum_of(fixture *f, fa_measure m, int32_t from, int32_t to)
{
    fa_err e = {0};
    fa_scan q = {.from = from, .to = to, .measures = 1u << m};
    fa_cell *c;
    size_t n;

    must(fa_engine_scan(fa_ledger_engine(f->l), &f->a, &q, &c, &n, &e), &e);
    assert_true(n <= 1);
    return n ? c[0].sum[m] : 0;
}

static fa_i128 all_of(fixture *f, fa_measure m)
{
    return sum_of(f, m, 0, 40000);
}

static fa_i128 dec(const char *z)
{
    fa_i128 v;

    assert_true(fa_dec_parse(fa_str_of(z), false, &v, NULL));
    return v;
}

static void assert_sum(fixture *f, fa_measure m, const char *want)
{
    fa_buf b;
    fa_i128 got = all_of(f, m);

    fa_buf_init(&b, 128);
    fa_dec_emit(&b, got, 18, 0);
    if (got != dec(want))
        fail_msg("%s: %s, not %s", fa_measures[m].focus, b.p, want);
    fa_buf_release(&b);
}

static void assert_sound(fixture *f)
{
    fa_err e = {0};
    fa_finding *found;
    size_t n;

    must(fa_ledger_check(f->l, &f->a, NULL, &found, &n, &e), &e);
    if (n)
        fail_msg("check: %.*s: %.*s", FA_FMT(found[0].where), FA_FMT(found[0].what));
}

static int64_t count(fixture *f, const char *sql)
{
    fa_err e = {0};
    fa_conn *c;
    int64_t n;

    must(fa_conn_get(fa_ledger_engine(f->l), &c, &e), &e);
    must(fa_sql_i64(c, fa_str_of(sql), NULL, 0, &n, &e), &e);
    fa_conn_put(c);
    return n;
}

/* ---- packings ---- */

static const char *pack_gzip(fixture *f, const char *from, const char *name)
{
    const char *path = path_of(f, name);
    fa_buf b;
    fa_err e;
    gzFile out = gzopen(path, "wb");

    fa_buf_init(&b, 0);
    must(fa_file_read(from, 1 << 30, &b, &e), &e);
    assert_non_null(out);
    assert_int_equal(gzwrite(out, b.p, (unsigned)b.n), (int)b.n);
    assert_int_equal(gzclose(out), Z_OK);
    fa_buf_release(&b);
    return path;
}

static const char *pack_zstd(fixture *f, const char *from, const char *name)
{
    const char *path = path_of(f, name);
    fa_buf b;
    fa_err e;
    char *out;
    size_t cap, n;

    fa_buf_init(&b, 0);
    must(fa_file_read(from, 1 << 30, &b, &e), &e);
    cap = ZSTD_compressBound(b.n);
    out = malloc(cap);
    assert_non_null(out);
    n = ZSTD_compress(out, cap, b.p, b.n, 3);
    assert_false(ZSTD_isError(n));
    write_file(path, out, n);
    free(out);
    fa_buf_release(&b);
    return path;
}

static const char *to_parquet(fixture *f, const char *from, const char *name, const char *select)
{
    const char *path = path_of(f, name);
    fa_engine_options o = {.memory_bytes = 1 << 29};
    fa_engine *g;
    fa_conn *c;
    fa_err e = {0};
    char *sql =
        fa_arena_printf(&f->a,
                        "COPY (SELECT %s FROM read_csv('%s', all_varchar = true)) TO '%s' (FORMAT"
                        " parquet)",
                        select, from, path);

    must(fa_engine_open(&o, &g, &e), &e);
    must(fa_conn_get(g, &c, &e), &e);
    must(fa_sql_exec(c, fa_str_of(sql), NULL, 0, NULL, &e), &e);
    fa_conn_put(c);
    fa_engine_close(g);
    return path;
}

static void test_packings(void **state)
{
    fixture *f = *state;
    row r[3] = {plain, plain, plain};
    fa_load_result one, two;
    const char *path;

    r[1].billed = "-0.000000000000000001"; /* 1e-18, a credit */
    r[2].billed = "35.2E-7";
    r[2].service = "München, \"Ost\"";
    path = write_bill(f, "bill.csv", r, 2);
    load_ok(f, "plain", path, &one);
    assert_true(fa_str_eqz(one.load.state, "live"));
    assert_true(fa_str_eqz(one.load.format, "focus-1.0"));
    assert_sum(f, FA_M_BILLED, "1.499999999999999999");
    load_ok(f, "plain", pack_gzip(f, path, "bill"), &two);
    assert_true(fa_str_eqz(two.load.state, "live")); /* other bytes: replaces, the same sum */
    assert_sum(f, FA_M_BILLED, "1.499999999999999999");
    load_ok(f, "plain", pack_zstd(f, path, "bill.anything"), &two);
    assert_sum(f, FA_M_BILLED, "1.499999999999999999");
    load_ok(f, "plain", to_parquet(f, path, "text.parquet", "*"), &two);
    assert_sum(f, FA_M_BILLED, "1.499999999999999999");
    load_ok(
        f, "plain",
        to_parquet(f, path, "typed.parquet",
                   "* REPLACE (BilledCost::DECIMAL(38,18) AS BilledCost, EffectiveCost::DOUBLE AS"
                   " EffectiveCost, ChargePeriodStart::TIMESTAMPTZ AS ChargePeriodStart,"
                   " BillingPeriodStart::DATE AS BillingPeriodStart, MAP {'team': 'red'} AS Tags)"),
        &two);
    assert_sum(f, FA_M_BILLED, "1.499999999999999999");
    assert_sum(f, FA_M_EFFECTIVE, "2.5");
    assert_int_equal(
        sum_of(f, FA_M_EFFECTIVE, fa_day_of(2024, 2, 3), fa_day_of(2024, 2, 3)) == dec("2.5"), 1);
    assert_int_equal(count(f, "SELECT count(*) FROM line WHERE tags['team'] = 'red'"), 1);
    assert_sound(f);
}

static void test_same_again(void **state)
{
    fixture *f = *state;
    fa_load_result r;
    const char *path = write_bill(f, "bill.csv", &plain, 1);
    uint64_t g;

    load_ok(f, "s", path, &r);
    g = fa_ledger_generation(f->l);
    load_ok(f, "s", path, &r);
    assert_true(fa_str_eqz(r.load.state, "unchanged"));
    assert_true(fa_ledger_generation(f->l) == g);
    load_ok(f, "other", path, &r); /* another source is another bill */
    assert_true(fa_str_eqz(r.load.state, "live"));
    assert_sum(f, FA_M_BILLED, "3");
}

static void test_replace_period(void **state)
{
    fixture *f = *state;
    fa_load_result r;
    row jan = plain, feb = plain, two[2];

    jan.period = "2024-01-01";
    jan.start = "2024-01-31 23:59:59";
    feb.billed = "10";
    two[0] = jan;
    two[1] = feb;
    load_ok(f, "s", write_bill(f, "a.csv", two, 2), &r);
    assert_int_equal(r.npart, 2);
    assert_sum(f, FA_M_BILLED, "11.5");
    feb.billed = "7.25";
    load_ok(f, "s", write_bill(f, "b.csv", &feb, 1), &r);
    assert_sum(f, FA_M_BILLED, "8.75");
    assert_sound(f);
    {
        fa_err e = {0};
        fa_load first;

        must(fa_load_get(fa_ledger_store(f->l), &f->a, fa_ledger_account(f->l), 1, &first, &e), &e);
        assert_true(fa_str_eqz(first.state, "live")); /* January is still its own */
        must(fa_ledger_relive(f->l, 1, &e), &e);
        assert_sum(f, FA_M_BILLED, "11.5");
        must(fa_load_get(fa_ledger_store(f->l), &f->a, fa_ledger_account(f->l), 2, &first, &e), &e);
        assert_true(fa_str_eqz(first.state, "replaced"));
    }
    assert_sound(f);
}

static void test_times(void **state)
{
    fixture *f = *state;
    fa_load_result r;
    row t[5] = {plain, plain, plain, plain, plain};

    t[0].start = "2024-03-01T01:30:00+02:00"; /* 29 February, 23:30 UTC */
    t[1].start = "2024-02-29 23:59:59.999999";
    t[2].start = "2024-03-01";
    t[3].start = "2024-02-28T20:00:00-0400"; /* 29 February, midnight */
    t[4].start = "2024-02-29T00:00:00Z";
    load_ok(f, "s", write_bill(f, "t.csv", t, 5), &r);
    assert_true(sum_of(f, FA_M_BILLED, fa_day_of(2024, 2, 29), fa_day_of(2024, 2, 29)) == dec("6"));
    assert_true(sum_of(f, FA_M_BILLED, fa_day_of(2024, 3, 1), fa_day_of(2024, 3, 1)) == dec("1.5"));
}

/* Times and texts that a Parquet file has typed: the range of years and "" mean what they mean in a CSV. */
static void test_typed_columns(void **state)
{
    static const struct {
        const char *start;
        bool is_good;
    } edges[] = {
        {"1999-12-31 23:59:59.999999", false}, {"2000-01-01 00:00:00", true},
        {"2000-01-02 00:00:00", true},         {"2099-12-30 00:00:00", true},
        {"2100-01-01 23:59:59.999999", true},  {"2100-01-02 00:00:00", false},
        {"0001-01-01 00:00:00", false},        {"9999-12-31 00:00:00", false},
    };
    fixture *f = *state;
    row t[2] = {plain, plain};
    fa_load_result r;
    const char *path;

    for (size_t i = 0; i < FA_COUNT(edges); i++) {
        char name[32];
        fa_err e;
        fa_rc rc;

        snprintf(name, sizeof name, "edge%zu.csv", i);
        t[1].start = edges[i].start;
        path =
            to_parquet(f, write_bill(f, name, t, 2), fa_arena_printf(&f->a, "edge%zu.parquet", i),
                       "* REPLACE (ChargePeriodStart::TIMESTAMP AS ChargePeriodStart)");
        rc = load_as(f, "s", path, 0, &r, &e);
        if (edges[i].is_good ? rc != FA_OK
                             : rc != FA_EDATA || !strstr(e.msg, "row 2, column ChargePeriodStart"))
            fail_msg("%s: rc %d, %s", edges[i].start, (int)rc, e.msg);
        if (!rc)
            assert_true(sum_of(f, FA_M_BILLED, 0, fa_day_of(2100, 12, 31)) == dec("3"));
    }
    /* "" in some rows of a text column is nothing, as it is in a CSV: one line with a service, one without */
    t[1] = plain;
    path =
        to_parquet(f, write_bill(f, "empty.csv", t, 2), "empty.parquet",
                   "* REPLACE (CASE WHEN row_number() OVER () = 1 THEN '' ELSE ServiceName END AS"
                   " ServiceName)");
    load_ok(f, "s", path, &r);
    assert_int_equal(count(f, "SELECT count(*) FROM line JOIN daily USING (line_id) WHERE"
                              " ServiceName IS NULL"),
                     1);
    assert_int_equal(count(f, "SELECT count(*) FROM line WHERE ServiceName = ''"), 0);
    assert_sum(f, FA_M_BILLED, "3");
    assert_sound(f);
}

/* A file that is read again for its bad row forgets which lines had their first row in the files before it. */
static void test_marked_twice(void **state)
{
    fixture *f = *state;
    row t[3] = {plain, plain, plain};
    fa_load_result r;
    fa_err e = {0};
    const char *path[2];
    fa_load_request q = {.source = FA_STR("s"), .path = path, .npath = 2, .skip_bad = 1};

    path[0] = write_bill(f, "1.csv", t, 3);
    t[1].billed = "abc";
    path[1] = write_bill(f, "2.csv", t, 3);
    must(fa_ledger_load(f->l, &f->a, &q, NULL, &r, &e), &e);
    assert_int_equal(r.load.rejected, 1);
    assert_int_equal(count(f, "SELECT count(*) FROM line"), 1);
    assert_sum(f, FA_M_BILLED, "7.5");
    assert_sound(f);
}

static void test_currencies(void **state)
{
    fixture *f = *state;
    fa_load_result r;
    row t[2] = {plain, plain};
    bool eur = false;

    t[1].currency = "EUR";
    t[1].billed = "8";
    load_ok(f, "s", write_bill(f, "c.csv", t, 2), &r);
    for (size_t i = 0; i < r.ntotal; i++)
        if (fa_str_eqz(r.total[i].currency, "EUR") && fa_str_eqz(r.total[i].column, "BilledCost"))
            eur |= fa_str_eqz(r.total[i].sum, "8");
    assert_true(eur);
    assert_int_equal(count(f, "SELECT count(DISTINCT BillingCurrency) FROM line"), 2);
}

static void test_unknown_columns(void **state)
{
    fixture *f = *state;
    fa_load_result r;

    load_ok(f, "s", write_bill(f, "c.csv", &plain, 1), &r);
    assert_int_equal(count(f, "SELECT count(*) FROM line WHERE x['x_Team'] = 'red'"), 1);
    assert_int_equal(count(f, "SELECT cardinality(x) FROM line"),
                     1); /* Odd is in the archive only */
    {
        fa_err e = {0};
        fa_str sql;

        must(fa_ledger_archive_sql(f->l, &f->a, 0, 40000, &sql, &e), &e);
        assert_int_equal(
            count(f, fa_arena_printf(&f->a,
                                     "SELECT count(*) FROM %.*s WHERE Odd = 'o1' AND line_id = 0",
                                     FA_FMT(sql))),
            1);
    }
}

/* ---- bad input ---- */

static const struct {
    const char *name;
    size_t at; /* offset of a member of row */
    const char *value, *says;
} bad_rows[] = {
    {"text in a number", offsetof(row, billed), "abc",
     "row 2, column BilledCost: \"abc\" is not a number"},
    {"NaN", offsetof(row, effective), "NaN", "column EffectiveCost: \"NaN\" is not a number"},
    {"infinity", offsetof(row, effective), "inf", "column EffectiveCost"},
    {"hexadecimal", offsetof(row, quantity), "0x10", "column ConsumedQuantity"},
    {"past the range", offsetof(row, billed), "900000000", "past the fixed-point range"},
    {"past the range, credit", offsetof(row, billed), "-900000000.5", "past the fixed-point range"},
    {"past 128 bits", offsetof(row, billed), "1e400", "column BilledCost"},
    {"thirteenth month", offsetof(row, start), "2024-13-01", "column ChargePeriodStart"},
    {"30 February", offsetof(row, start), "2024-02-30T00:00:00Z", "column ChargePeriodStart"},
    {"year 1024", offsetof(row, start), "1024-02-03", "between 2000 and 2100"},
    {"year 9999", offsetof(row, start), "9999-02-03", "between 2000 and 2100"},
    {"no start", offsetof(row, start), "", "column ChargePeriodStart: is empty"},
    {"no period", offsetof(row, period), "NULL", "column BillingPeriodStart: is empty"},
    {"no currency", offsetof(row, currency), "", "column BillingCurrency: is empty"},
    {"broken tags", offsetof(row, tags), "{\"a\":", "column Tags"},
    {"tags that are a list", offsetof(row, tags), "[1]", "column Tags"},
};

static void test_bad_rows(void **state)
{
    fixture *f = *state;
    fa_load_result r;
    int bad = 0;

    load_ok(f, "good", write_bill(f, "good.csv", &plain, 1), &r);
    for (size_t i = 0; i < FA_COUNT(bad_rows); i++) {
        row t[3] = {plain, plain, plain};
        fa_err e;
        const char *path;
        fa_rc rc;

        *(const char **)(void *)((char *)&t[1] + bad_rows[i].at) = bad_rows[i].value;
        path = write_bill(f, "bad.csv", t, 3);
        rc = load_as(f, "bad", path, 0, &r, &e);
        if (rc != FA_EDATA || !strstr(e.msg, bad_rows[i].says) ||
            !strstr(e.msg, "bad.csv: row 2")) {
            print_error("%s: rc %d, %s\n", bad_rows[i].name, (int)rc, e.msg);
            bad++;
        }
        if (all_of(f, FA_M_BILLED) != dec("1.5")) {
            print_error("%s: something changed\n", bad_rows[i].name);
            bad++;
        }
        /* and with leave to skip one: two rows go live, the third is kept aside */
        rc = load_as(f, "bad", path, 1, &r, &e);
        if (rc || r.load.rejected != 1 || r.load.rows != 2 ||
            all_of(f, FA_M_BILLED) != dec("4.5") || access(r.reject_file.p, R_OK) != 0) {
            print_error("%s: --skip-bad: rc %d, %s\n", bad_rows[i].name, (int)rc, e.msg);
            bad++;
        }
        load_ok(f, "bad", write_bill(f, "reset.csv", &plain, 1), &r);
        load_ok(f, "bad", write_bill(f, "reset0.csv", (row[]){plain, plain}, 2), &r);
        *(const char **)(void *)((char *)&t[0] + bad_rows[i].at) = bad_rows[i].value;
        rc = load_as(f, "bad", write_bill(f, "bad2.csv", t, 3), 1, &r, &e);
        if (rc != FA_EDATA) {
            print_error("%s: two bad rows and leave for one: rc %d\n", bad_rows[i].name, (int)rc);
            bad++;
        }
        {
            row zero = plain;

            zero.billed = "0";
            load_ok(f, "bad", write_bill(f, "zero.csv", &zero, 1), &r);
        }
    }
    assert_int_equal(bad, 0);
    assert_sound(f);
}

static const struct {
    const char *name, *text, *says;
} bad_files[] = {
    {"empty", "", "the file is empty"},
    {"header only", HEADER, "there is a header and no row"},
    {"blank lines", "\n\n\r\n", "the file is empty"},
    {"semicolons", "BilledCost;EffectiveCost\n1;2\n", "the delimiter is a semicolon"},
    {"tabs", "BilledCost\tEffectiveCost\n1\t2\n", "the delimiter is a tab"},
    {"duplicate column", "BilledCost,EffectiveCost,BilledCost\n1,2,3\n",
     "\"BilledCost\" is there twice (1 and 3)"},
    {"nameless column", "BilledCost,,EffectiveCost\n1,2,3\n", "column 2 of the header has no name"},
    {"no bill", "a,b,c\n1,2,3\n", "no known bill format"},
    {"missing column",
     "BilledCost,EffectiveCost,ChargeCategory,ServiceName,BillingAccountId,ProviderName\n",
     "the mandatory column BillingCurrency is missing"},
    {"open quote", "BilledCost,\"Effective\nx", "a quote in the header is never closed"},
    {"zip", "PK\003\004aaaa", "not a sound zip file"},
    {"Avro", "Obj\001avro.schema", "Avro files are not read"},
    {"JSON that is cut off", "{\"usage_start_time\":\"2026-09-01T00:00:00Z\",\"cost\":",
     "line 1: not a JSON object: the line is cut off"},
    {"JSON of another kind", "{\"a\":1}\n{\"a\":2}\n", "no known bill format"},
    {"Parquet that is none", "PAR1aaaaaaaaaaaaPAR1", "not a sound Parquet file"},
};

static void test_bad_files(void **state)
{
    fixture *f = *state;
    fa_load_result r;
    fa_err e;
    int bad = 0;

    for (size_t i = 0; i < FA_COUNT(bad_files); i++) {
        const char *path = path_of(f, "bad");
        fa_rc rc;

        write_file(path, bad_files[i].text, strlen(bad_files[i].text));
        rc = load_as(f, "bad", path, 0, &r, &e);
        if (rc != FA_EDATA || !strstr(e.msg, bad_files[i].says)) {
            print_error("%s: rc %d, %s\n", bad_files[i].name, (int)rc, e.msg);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
    assert_int_equal(load_as(f, "bad", path_of(f, "nowhere.csv"), 0, &r, &e), FA_ENOTFOUND);
    assert_int_equal(load_as(f, "  ", path_of(f, "bad"), 0, &r, &e), FA_EINVAL);
}

/* Bytes put into the middle of a good file of 3,000 rows. */
static void test_bad_bytes(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t n, times;
        const char *says;
    } t[] = {
        {"NUL", "\0", 1, 1, "line 1502: there is a NUL byte"},
        {"not UTF-8", "\xff", 1, 1, "line 1502: the text is not UTF-8"},
        {"overlong", "\xc0\xaf", 2, 1, "line 1502: the text is not UTF-8"},
        {"surrogate", "\xed\xa0\x80", 3, 1, "line 1502: the text is not UTF-8"},
        {"long line", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32, 40000,
         "line 1502: the line is longer than 1 MiB"},
        {"too many columns", ",,,,\n", 5, 1, "line 1502: the header has 16 columns, this row has"},
    };
    fixture *f = *state;
    fa_load_result r;
    fa_buf b, whole;
    size_t middle = 0;
    int bad = 0;

    fa_buf_init(&b, 0);
    fa_buf_init(&whole, 0);
    fa_buf_z(&b, HEADER);
    for (int i = 0; i < 3000; i++) {
        put_row(&b, plain);
        if (i == 1499)
            middle = b.n +
                     strlen("1.5,1.25,2,1.25,acct,USD,2024-02-01,Usage,2024-02-03T10:00:00Z,AWS,S");
    }
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        const char *path = path_of(f, "bytes.csv");
        fa_err e;
        fa_rc rc;

        fa_buf_clear(&whole);
        fa_buf_put(&whole, b.p, middle);
        for (size_t k = 0; k < t[i].times; k++)
            fa_buf_put(&whole, t[i].bytes, t[i].n);
        fa_buf_put(&whole, b.p + middle, b.n - middle);
        write_file(path, whole.p, whole.n);
        for (int packed = 0; packed < 2; packed++) {
            rc = load_as(f, "s", packed ? pack_gzip(f, path, "bytes.gz") : path, 0, &r, &e);
            if (rc != FA_EDATA || !strstr(e.msg, t[i].says)) {
                print_error("%s: rc %d, %s\n", t[i].name, (int)rc, e.msg);
                bad++;
            }
        }
    }
    fa_buf_release(&b);
    fa_buf_release(&whole);
    assert_int_equal(bad, 0);
    assert_true(all_of(f, FA_M_BILLED) == 0);
}

/* A file cut or altered anywhere is refused, in both packings. */
static void test_cut_archives(void **state)
{
    fixture *f = *state;
    row *r = calloc(20000, sizeof *r);
    char(*cost)[16] = calloc(20000, sizeof *cost);
    const char *path;
    int bad = 0;

    assert_non_null(r);
    assert_non_null(cost);
    for (int i = 0; i < 20000; i++) {
        r[i] = plain;
        snprintf(cost[i], sizeof cost[i], "%d.%d", i * 7919 % 1000, i * 31337 % 100000);
        r[i].billed = cost[i];
    }
    path = write_bill(f, "many.csv", r, 20000);
    for (int zstd = 0; zstd < 2; zstd++) {
        fa_buf b;
        fa_err e;
        fa_load_result res;

        fa_buf_init(&b, 0);
        must(fa_file_read(zstd ? pack_zstd(f, path, "m.zst") : pack_gzip(f, path, "m.gz"), 1 << 30,
                          &b, &e),
             &e);
        for (int k = 1; k <= 12; k++) {
            const char *cut = path_of(f, "cut");
            size_t n = k <= 6 ? b.n * (size_t)k / 7 : b.n - (size_t)(k - 6);
            fa_rc rc;

            write_file(cut, b.p, n);
            rc = load_as(f, "s", cut, 0, &res, &e);
            if (rc != FA_EDATA) {
                print_error("%s cut at %zu of %zu: rc %d %s\n", zstd ? "zstd" : "gzip", n, b.n,
                            (int)rc, e.msg);
                bad++;
            }
        }
        if (!zstd) { /* gzip carries a checksum: any altered byte of the data must show */
            for (int k = 1; k <= 8; k++) {
                const char *cut = path_of(f, "altered");
                size_t at = b.n * (size_t)k / 9;
                fa_rc rc;

                b.p[at] = (char)(b.p[at] ^ 0x40);
                write_file(cut, b.p, b.n);
                b.p[at] = (char)(b.p[at] ^ 0x40);
                rc = load_as(f, "s", cut, 0, &res, &e);
                if (rc != FA_EDATA) {
                    print_error("gzip altered at %zu: rc %d %s\n", at, (int)rc, e.msg);
                    bad++;
                }
            }
        }
        fa_buf_release(&b);
    }
    free(r);
    free(cost);
    assert_int_equal(bad, 0);
    assert_true(all_of(f, FA_M_BILLED) == 0);
    assert_sound(f);
}

static void test_bomb(void **state)
{
    fixture *f = *state;
    fa_buf b;
    const char *path = path_of(f, "bomb.csv");
    fa_load_result r;
    fa_err e;

    fa_buf_init(&b, 0);
    fa_buf_z(&b, HEADER);
    while (b.n < (size_t)40 << 20)
        put_row(&b, plain);
    write_file(path, b.p, b.n);
    fa_buf_release(&b);
    assert_int_equal(load_as(f, "s", pack_zstd(f, path, "bomb.zst"), 0, &r, &e), FA_EDATA);
    assert_non_null(strstr(e.msg, "unpacks to more than 200 times its size"));
}

/* ---- exactness ---- */

static uint64_t next(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 11;
}

/* Amounts of up to 18 decimals, of either sign: each day's and the whole sum is exact. */
static void test_exact(void **state)
{
    enum { N = 5000, DAYS = 28 };
    fixture *f = *state;
    uint64_t seed = 7;
    row *r = calloc(N, sizeof *r);
    char(*text)[3][48] = calloc(N, sizeof *text);
    fa_i128 day[DAYS] = {0}, all = 0;
    fa_load_result res;

    assert_non_null(r);
    assert_non_null(text);
    for (int i = 0; i < N; i++) {
        int d = (int)(next(&seed) % DAYS), places = (int)(next(&seed) % 19);
        int64_t whole = (int64_t)(next(&seed) % (next(&seed) % 3 ? 100 : 8000000));
        uint64_t frac = places ? next(&seed) * next(&seed) : 0;
        fa_i128 scale = 1, v;
        bool minus = next(&seed) % 4 == 0;

        for (int k = 0; k < places; k++)
            scale *= 10;
        frac = (uint64_t)(frac % (fa_u128)scale);
        v = ((fa_i128)whole * FA_E18 + (fa_i128)frac * (FA_E18 / scale)) * (minus ? -1 : 1);
        if (places)
            snprintf(text[i][0], 48, "%s%lld.%0*llu", minus ? "-" : "", (long long)whole, places,
                     (unsigned long long)frac);
        else
            snprintf(text[i][0], 48, "%s%lld", minus ? "-" : "", (long long)whole);
        snprintf(text[i][1], 48, "2024-02-%02dT%02d:00:00Z", d + 1, (int)(next(&seed) % 24));
        snprintf(text[i][2], 48, "svc%d", (int)(next(&seed) % 37));
        r[i] = plain;
        r[i].billed = text[i][0];
        r[i].start = text[i][1];
        r[i].service = text[i][2];
        day[d] += v;
        all += v;
    }
    load_ok(f, "s", write_bill(f, "exact.csv", r, N), &res);
    assert_true(all_of(f, FA_M_BILLED) == all);
    for (int d = 0; d < DAYS; d++)
        assert_true(sum_of(f, FA_M_BILLED, fa_day_of(2024, 2, d + 1), fa_day_of(2024, 2, d + 1)) ==
                    day[d]);
    {
        fa_err e = {0};

        must(fa_ledger_rebuild(f->l, NULL, &e), &e);
        assert_true(all_of(f, FA_M_BILLED) == all);
    }
    assert_sound(f);
    free(r);
    free(text);
}

/* ---- what a disk and a crash can do ---- */

static void test_star_is_remade(void **state)
{
    fixture *f = *state;
    fa_load_result r;
    char path[400];

    load_ok(f, "s", write_bill(f, "a.csv", &plain, 1), &r);
    fa_ledger_close(f->l);
    snprintf(path, sizeof path, "%s/ledger.duckdb", f->data);
    assert_int_equal(unlink(path), 0);
    open_data(f, false);
    assert_sum(f, FA_M_BILLED, "1.5");
    fa_ledger_close(f->l);
    write_file(path, "this is not a database, whatever its name says", 40);
    open_data(f, false);
    assert_sum(f, FA_M_BILLED, "1.5");
    assert_sound(f);
}

static void test_altered_archive(void **state)
{
    fixture *f = *state;
    fa_load_result r;
    fa_finding *found;
    fa_err e = {0};
    char path[400];
    size_t n;
    int fd;

    load_ok(f, "s", write_bill(f, "a.csv", &plain, 1), &r);
    snprintf(path, sizeof path, "%s/bills/1/0.parquet", f->data);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\x55", 1, 40), 1);
    close(fd);
    must(fa_ledger_check(f->l, &f->a, NULL, &found, &n, &e), &e);
    assert_true(n > 0);
    assert_int_equal(unlink(path), 0);
    must(fa_ledger_check(f->l, &f->a, NULL, &found, &n, &e), &e);
    assert_true(n > 0);
}

static void test_backup(void **state)
{
    fixture *f = *state;
    fa_load_result r;
    fa_err e = {0};
    fa_buf b;
    const char *file = path_of(f, "keep.tar"), *cut = path_of(f, "cut.tar");

    load_ok(f, "s", write_bill(f, "a.csv", &plain, 1), &r);
    must(fa_ledger_backup(f->l, file, NULL, &e), &e);
    fa_ledger_close(f->l);
    f->l = NULL;
    assert_int_equal(fa_ledger_restore(f->data, file, NULL, &e),
                     FA_ECONFLICT); /* not over another */
    fa_buf_init(&b, 0);
    must(fa_file_read(file, 1 << 30, &b, &e), &e);
    snprintf(f->data, sizeof f->data, "%s/again", f->dir);
    for (int k = 1; k <= 10; k++) {
        write_file(cut, b.p, b.n * (size_t)k / 11);
        assert_int_equal(fa_ledger_restore(f->data, cut, NULL, &e), FA_EDATA);
        assert_int_not_equal(access(f->data, F_OK), 0);
    }
    b.p[b.n / 2] ^= 1;
    write_file(cut, b.p, b.n);
    assert_int_not_equal(fa_ledger_restore(f->data, cut, NULL, &e), FA_OK);
    fa_buf_release(&b);
    must(fa_ledger_restore(f->data, file, NULL, &e), &e);
    open_data(f, false);
    assert_sum(f, FA_M_BILLED, "1.5");
    assert_sound(f);
}

static void test_lock(void **state)
{
    fixture *f = *state;
    fa_err e = {0};
    fa_ledger *second = NULL;
    fa_ledger_options o = {.dir = f->data};

    assert_int_equal(fa_ledger_open(&o, &second, &e), FA_ECONFLICT);
    assert_non_null(strstr(e.msg, fa_arena_printf(&f->a, "%ld", (long)getpid())));
    o.create = true;
    assert_int_equal(fa_ledger_open(&o, &second, &e), FA_ECONFLICT);
    o.dir = path_of(f, "nothing");
    o.create = false;
    assert_int_equal(fa_ledger_open(&o, &second, &e), FA_ENOTFOUND);
}

static void test_cancel(void **state)
{
    fixture *f = *state;
    volatile bool stop = true;
    fa_progress p = {.cancel = &stop};
    const char *path = write_bill(f, "a.csv", &plain, 1);
    fa_load_request q = {.source = FA_STR("s"), .path = &path, .npath = 1};
    fa_load_result r;
    fa_err e = {0};

    assert_int_equal(fa_ledger_load(f->l, &f->a, &q, &p, &r, &e), FA_ECANCELLED);
    assert_true(all_of(f, FA_M_BILLED) == 0);
    assert_sound(f);
    load_ok(f, "s", path, &r);
    assert_sum(f, FA_M_BILLED, "1.5");
}

/* SOURCE.md of focus-sample-1.0, digit by digit. */
static void test_focus_sample(void **state)
{
    static const struct {
        fa_measure m;
        const char *sum;
        int64_t values;
    } want[] = {
        {FA_M_BILLED, "20.52022672899", 1000},         {FA_M_EFFECTIVE, "14.97651418586", 1000},
        {FA_M_LIST, "20.39090575119", 1000},           {FA_M_CONTRACTED, "14.97626039326", 993},
        {FA_M_CONSUMED, "13438.712904456820057", 999}, {FA_M_PRICED, "13438.62931081682", 1000},
    };
    fixture *f = *state;
    const char *shared = getenv("SHARED");
    fa_load_result r;

    if (!shared || !*shared)
        skip();
    load_ok(f, "focus", fa_arena_printf(&f->a, "%s/data/focus-sample-1.0/focus_sample.csv", shared),
            &r);
    assert_int_equal(r.load.rows, 1000);
    for (size_t i = 0; i < FA_COUNT(want); i++) {
        int64_t values = 0;

        assert_sum(f, want[i].m, want[i].sum);
        for (size_t k = 0; k < r.ntotal; k++)
            if (fa_str_eqz(r.total[k].step, "file") &&
                fa_str_eqz(r.total[k].column, fa_measures[want[i].m].focus))
                values += r.total[k].values;
        assert_int_equal(values, want[i].values);
    }
    assert_sound(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
        T(test_packings),       T(test_same_again),
        T(test_replace_period), T(test_times),
        T(test_typed_columns),  T(test_marked_twice),
        T(test_currencies),     T(test_unknown_columns),
        T(test_bad_rows),       T(test_bad_files),
        T(test_bad_bytes),      T(test_cut_archives),
        T(test_bomb),           T(test_exact),
        T(test_star_is_remade), T(test_altered_archive),
        T(test_backup),         T(test_lock),
        T(test_cancel),         T(test_focus_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
