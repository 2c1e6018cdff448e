/*
 * engine_test.c - the two ways to answer a scan against each other and against plain SQL, and the
 * door's types.
 */
#include "engine/engine.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct bed {
    fa_engine *g;
    fa_conn *c;
    fa_arena a;
    char dir[64]; /* the segments */
} bed;

static void must(fa_rc rc, const fa_err *e)
{
    if (rc)
        fail_msg("rc %d: %s", (int)rc, e->msg);
}

static void sql(bed *b, const char *text)
{
    fa_err e = {0};

    must(fa_sql_exec(b->c, fa_str_of(text), NULL, 0, NULL, &e), &e);
}

/* The columns that every bill has; the others stay NULL. */
#define COLUMNS                                                                                    \
    "(day, line_id, part_id, n, billed, billed_rest, effective, effective_rest, list, list_rest, " \
    "contracted, contracted_rest, consumed, priced"

static int setup(void **state)
{
    bed *b = calloc(1, sizeof *b);
    fa_engine_options o = {.memory_bytes = (size_t)512 << 20, .threads = 2};
    fa_err e = {0};

    assert_non_null(b);
    strcpy(b->dir, "/tmp/farthing-engine-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    o.segments = b->dir;
    fa_arena_init(&b->a, 0);
    must(fa_engine_open(&o, &b->g, &e), &e);
    must(fa_conn_get(b->g, &b->c, &e), &e);
    sql(b, "CREATE TABLE daily(day DATE, line_id UINTEGER, part_id UINTEGER, n UINTEGER, billed "
           "BIGINT,"
           " billed_rest INTEGER, effective BIGINT, effective_rest INTEGER, list BIGINT, list_rest "
           "INTEGER,"
           " contracted BIGINT, contracted_rest INTEGER, unblended BIGINT, unblended_rest INTEGER,"
           " amortized BIGINT, amortized_rest INTEGER, blended BIGINT, blended_rest INTEGER, fair "
           "BIGINT,"
           " fair_rest INTEGER, net_fair BIGINT, net_fair_rest INTEGER, consumed DECIMAL(38,18), "
           "priced"
           " DECIMAL(38,18), normalized DECIMAL(38,18))");
    sql(b, "CREATE TABLE part(part_id UINTEGER, seal UUID DEFAULT uuid())");
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bed *b = *state;

    fa_conn_put(b->c);
    fa_engine_close(b->g);
    fa_arena_release(&b->a);
    {
        fa_err e;

        must(fa_remove_tree(b->dir, &e), &e);
    }
    free(b);
    return 0;
}

/* 300,000 facts in three parts on 400 days with gaps, large and negative money, rests in one measure only,
 * quantities with and without decimals, missing and past 64 bits. */
static void fill(bed *b, int seed)
{
    char text[1600];

    snprintf(
        text, sizeof text,
        "INSERT INTO daily " COLUMNS
        ", unblended, unblended_rest, blended, blended_rest, normalized) "
        "SELECT DATE '2024-01-01' + ((i * 7919 + %d) %% 400)::INTEGER,"
        " (i * 104729 %% 5000)::UINTEGER, 1 + i %% 3, 1 + i %% 3, (i * 15485863 %% 2000003 - "
        "1000000) *"
        " 9000000000000, (i * 31 %% 100000000)::INTEGER, i - 150000, 0, -i * i, 0, "
        "9223372036854775807,"
        " 99999999, CASE WHEN i %% 7 THEN i::DECIMAL(38,18) / 7 END, CASE i %% 3 WHEN 0 THEN "
        "-i WHEN 1 THEN"
        " i * 1000 ELSE 0.5 END, CASE WHEN i %% 3 = 0 THEN i * 7 END, CASE WHEN i %% 3 = 0 THEN i"
        " %% 1000 END, CASE WHEN i %% 4 = 0 THEN -i END, CASE WHEN i %% 4 = 0 THEN 5 END, CASE"
        " WHEN i %% 5 = 0 THEN i / 8 END FROM range(300000) t(i) WHERE (i * 7919 + %d) "
        "%% 400 NOT BETWEEN"
        " 100 AND 140",
        seed, seed);
    sql(b, text);
    sql(b, "DELETE FROM part");
    sql(b, "INSERT INTO part(part_id) SELECT DISTINCT part_id FROM daily");
    fa_engine_changed(b->g);
}

/* One part of many facts on few lines: its rollup and its 64-bit sums are used. */
static void fill_dense(bed *b)
{
    sql(b,
        "INSERT INTO daily " COLUMNS ") SELECT DATE '2024-03-01' + (i // 10000)::INTEGER, (i * 7 % "
        "3000)::UINTEGER, 9, 24,"
        " i * 1000003 % 99999999, i % 5, 1, 0, i % 256 - 128, 0, i * i * 1000, 7, 0.25, i FROM "
        "range(310000) t(i)");
    sql(b, "INSERT INTO part(part_id) VALUES (9)");
    fa_engine_changed(b->g);
}

static void make(bed *b)
{
    fa_err e = {0};

    must(fa_engine_segments_make(b->g, NULL, &e), &e);
}

static int cmp_cell(const void *x, const void *y)
{
    const fa_cell *a = x, *b = y;

    if (a->bucket != b->bucket)
        return a->bucket < b->bucket ? -1 : 1;
    return (a->group > b->group) - (a->group < b->group);
}

static size_t scan(bed *b, fa_scan q, bool plain, fa_cell **out)
{
    fa_err e = {0};
    size_t n;

    q.plain = plain;
    must(fa_engine_scan(b->g, &b->a, &q, out, &n, &e), &e);
    if (n) /* there is no array then */
        qsort(*out, n, sizeof **out, cmp_cell);
    return n;
}

static void test_differential(void **state)
{
    bed *b = *state;
    uint32_t *group = malloc(5000 * sizeof *group), *bucket = malloc(900 * sizeof *bucket);
    uint64_t s = 11;
    int bad = 0;
    fa_engine_stats stats;

    assert_non_null(group);
    assert_non_null(bucket);
    for (int round = 0; round < 120; round++) {
        fa_scan q = {0};
        fa_cell *one, *two;
        size_t n1, n2;
        uint32_t ngroup, width;

        if (round % 40 == 0) {
            sql(b, "DELETE FROM daily");
            sql(b, "DELETE FROM part");
            if (round) /* the first rounds ask an empty table */
                fill(b, round);
            if (round == 80)
                fill_dense(b);
            fa_engine_changed(b->g);
            make(b);
        }
        s = s * 6364136223846793005u + 1442695040888963407u;
        ngroup = 1 + (uint32_t)(s >> 40) % 700;
        width = 1 + (uint32_t)(s >> 20) % 40;
        for (uint32_t i = 0; i < 5000; i++)
            group[i] = (i * 2654435761u + round) % 5 == 0 ? FA_NO_GROUP : (i * 40503u) % ngroup;
        q.from = fa_day_of(2023, 12, 20) + (int32_t)(s >> 33) % 300;
        q.to = q.from + (int32_t)(s >> 50) % 500;
        for (int32_t d = 0; d <= q.to - q.from; d++)
            bucket[d] = (uint32_t)d / width;
        q.group = round % 3 ? group : NULL;
        q.nline = round % 7 ? 5000 : 4000; /* lines past it are left out */
        q.bucket = round % 4 ? bucket : NULL;
        if (round % 11 == 0) { /* whole months, few groups: rollups, several copies of the sums */
            q.from = fa_day_of(2024, 1, 1);
            q.to = q.from + 420;
            q.bucket = NULL;
        }
        if (round % 13 == 0)
            for (uint32_t i = 0; i < 5000; i++)
                group[i] = 0; /* everything: the totals per day */
        q.measures = 1 + (uint32_t)(s >> 30) % ((1u << FA_M__COUNT) - 1);
        n1 = scan(b, q, true, &one);
        n2 = scan(b, q, false, &two);
        if (n1 != n2 || (n1 && memcmp(one, two, n1 * sizeof *one) != 0)) {
            print_error("round %d: %zu and %zu cells differ\n", round, n1, n2);
            bad++;
        }
        fa_arena_clear(&b->a);
    }
    free(group);
    free(bucket);
    assert_int_equal(bad, 0);
    fa_engine_stats_get(b->g, &stats);
    assert_true(stats.scans_kernel >= 75); /* of the 80 with facts: the others may overflow */
    assert_int_equal(stats.segments_damaged, 0);
}

/* Sums past 64 bits, and rests that carry, against DuckDB's own HUGEINT arithmetic. */
static void test_against_sql(void **state)
{
    bed *b = *state;
    fa_scan q = {.from = fa_day_of(2024, 1, 1), .to = fa_day_of(2025, 12, 31), .measures = 15};
    fa_cell *c;
    fa_err e = {0};
    int64_t low;

    fill(b, 3);
    for (int plain = 0; plain < 2; plain++) {
        assert_int_equal(scan(b, q, plain, &c), 1);
        must(fa_sql_i64(
                 b->c,
                 FA_STR("SELECT ((sum(billed::HUGEINT) * 100000000 + sum(billed_rest::HUGEINT)) %"
                        " 1000000007)::BIGINT FROM daily"),
                 NULL, 0, &low, &e),
             &e);
        assert_int_equal((int64_t)(c[0].sum[FA_M_BILLED] % 1000000007), low);
        must(fa_sql_i64(b->c,
                        FA_STR("SELECT ((sum(contracted::HUGEINT) * 100000000 + "
                               "sum(contracted_rest::HUGEINT)) %"
                               " 1000000007)::BIGINT FROM daily"),
                        NULL, 0, &low, &e),
             &e);
        assert_int_equal((int64_t)(c[0].sum[FA_M_CONTRACTED] % 1000000007), low);
        assert_true(c[0].sum[FA_M_CONTRACTED] > (fa_i128)INT64_MAX * 1000);
    }
}

static void test_stale_columns(void **state)
{
    bed *b = *state;
    fa_scan q = {.from = fa_day_of(2024, 1, 1), .to = fa_day_of(2025, 12, 31), .measures = 1};
    fa_cell *c;

    fill(b, 3);
    assert_int_equal(scan(b, q, false, &c), 1);
    make(b);
    assert_int_equal(scan(b, q, false, &c), 1);
    sql(b, "DELETE FROM daily");
    sql(b, "DELETE FROM part");
    fa_engine_changed(b->g);
    assert_int_equal(scan(b, q, false, &c), 0);
}

/* ---- segments that are not what they were ---- */

typedef struct damage {
    const char *name;
    int64_t keep; /* bytes that stay; -1 all, -2: the file goes */
    int flip;     /* bytes flipped, spread over the file */
} damage;

static size_t list_files(const bed *b, char path[][300], size_t max)
{
    DIR *d = opendir(b->dir);
    struct dirent *entry;
    size_t n = 0;

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL && n < max)
        if (strstr(entry->d_name, ".seg"))
            snprintf(path[n++], 300, "%s/%s", b->dir, entry->d_name);
    closedir(d);
    return n;
}

/* Every 64-byte line of the file gets a wrong bit, past the first `from` bytes. */
static void spoil(const char *path, const damage *how)
{
    struct stat st;
    int fd;

    if (how->keep == -2) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    for (int i = 0; i < how->flip; i++) {
        off_t at = how->flip == 1 ? 40 : 4096 + (st.st_size - 4096) / how->flip * i;
        unsigned char c;

        assert_int_equal(pread(fd, &c, 1, at), 1);
        c ^= 16;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
    }
    if (how->keep >= 0)
        assert_int_equal(ftruncate(fd, how->keep), 0);
    close(fd);
}

static fa_rc count_findings(void *user, const char *path, const char *what, fa_err *e)
{
    (void)e;
    assert_non_null(strstr(path, ".seg"));
    assert_true(what[0] != '\0');
    ++*(int *)user;
    return FA_OK;
}

static void test_damage(void **state)
{
    static const damage ways[] = {
        {"header", -1, 1},       {"many bytes", -1, 900}, {"empty", 0, 0},
        {"half header", 500, 0}, {"cut", 200000, 0},      {"gone", -2, 0},
    };
    bed *b = *state;
    fa_scan q = {.from = fa_day_of(2024, 1, 1), .to = fa_day_of(2025, 12, 31)};
    uint32_t group[5000], bucket[800];
    fa_cell *want, *got;
    size_t n;

    q.measures = (1u << FA_M_BILLED) | (1u << FA_M_LIST);
    for (uint32_t i = 0; i < 5000; i++)
        group[i] = i % 3 ? i % 50 : FA_NO_GROUP;
    for (uint32_t i = 0; i < 800; i++)
        bucket[i] = i / 7;
    q.group = group;
    q.nline = 5000;
    q.bucket = bucket;
    fill(b, 5);
    n = scan(b, q, true, &want);
    assert_true(n > 100);
    /* damaged before it is opened, and while it is mapped and known to be whole */
    for (int mapped = 0; mapped < 2; mapped++)
        for (size_t i = 0; i < FA_COUNT(ways); i++) {
            char path[8][300];
            int findings = 0;
            size_t nfile;
            fa_engine_stats stats, before;
            fa_err e = {0};

            make(b);
            assert_int_equal(scan(b, q, false, &got), n);
            nfile = list_files(b, path, 8);
            assert_int_equal(nfile, 3);
            if (!mapped)
                fa_engine_changed(b->g);
            spoil(path[i % nfile], &ways[i]);
            if (scan(b, q, false, &got) != n || memcmp(want, got, n * sizeof *got) != 0)
                fail_msg("%s, %s: another answer", ways[i].name, mapped ? "mapped" : "closed");
            make(b); /* what the maker may be doing is done */
            nfile = list_files(b, path, 8);
            assert_int_equal(nfile, 3);
            fa_engine_stats_get(b->g, &before);
            spoil(path[i % nfile], &ways[i]);
            must(fa_engine_segments_check(b->g, NULL, count_findings, &findings, &e), &e);
            fa_engine_stats_get(b->g, &stats);
            /* the thread that makes them may still have been on its way, and have found it first */
            if (findings != 1 && stats.segments_made == before.segments_made)
                fail_msg("%s: %d findings", ways[i].name, findings);
            findings = 0;
            must(fa_engine_segments_check(b->g, NULL, count_findings, &findings, &e), &e);
            assert_int_equal(findings, 0);
            fa_arena_clear(&b->a);
            n = scan(b, q, true, &want);
        }
}

/* A part whose segment was never made is no finding, and a part that has gone takes its file along. */
static void test_sweep(void **state)
{
    bed *b = *state;
    fa_scan q = {.from = fa_day_of(2024, 1, 1), .to = fa_day_of(2025, 12, 31), .measures = 1};
    char path[8][300];
    int findings = 0;
    fa_cell *c;
    fa_err e = {0};

    fill(b, 1);
    must(fa_engine_segments_check(b->g, NULL, count_findings, &findings, &e), &e);
    assert_int_equal(findings, 0);
    assert_int_equal(list_files(b, path, 8), 3);
    sql(b, "DELETE FROM daily WHERE part_id = 2");
    sql(b, "DELETE FROM part WHERE part_id = 2");
    fa_engine_changed(b->g);
    assert_int_equal(scan(b, q, false, &c), 1);
    make(b);
    assert_int_equal(list_files(b, path, 8), 2);
    /* the same part in another state has another seal: the old file is not taken for it */
    sql(b, "UPDATE daily SET billed = 1, billed_rest = 0");
    sql(b, "UPDATE part SET seal = uuid()");
    fa_engine_changed(b->g);
    for (int i = 0; i < 2; i++) {
        fa_cell *plain;

        assert_int_equal(scan(b, q, false, &c), 1);
        assert_int_equal(scan(b, q, true, &plain), 1);
        assert_true(c->sum[FA_M_BILLED] == plain->sum[FA_M_BILLED]);
        make(b);
    }
    assert_int_equal(list_files(b, path, 8), 2);
}

/* Past its deadline a scan ends; over the memory of scans it is DuckDB's. */
static void test_scan_bounds(void **state)
{
    bed *b = *state;
    fa_scan q = {.from = fa_day_of(2024, 1, 1), .to = fa_day_of(2025, 12, 31), .measures = 1};
    uint32_t group[5000];
    fa_engine_stats before, after;
    fa_cell *c;
    size_t n;
    fa_err e = {0};

    fill(b, 1);
    make(b);
    for (uint32_t i = 0; i < 5000; i++)
        group[i] = i;
    q.group = group;
    q.nline = 5000;
    q.deadline_mono_ms = 1;
    assert_int_equal(fa_engine_scan(b->g, &b->a, &q, &c, &n, &e), FA_ETIMEOUT);
    q.deadline_mono_ms = fa_mono_ms() + 600000;
    group[17] = 20000000; /* a dense answer would need gigabytes */
    fa_engine_stats_get(b->g, &before);
    must(fa_engine_scan(b->g, &b->a, &q, &c, &n, &e), &e);
    fa_engine_stats_get(b->g, &after);
    assert_int_equal(after.scans_duckdb - before.scans_duckdb, 1);
    assert_int_equal(n, 5000);
}

/* ---- the door's types ---- */

static fa_rc look(void *user, const fa_batch *b, fa_err *e)
{
    (void)user;
    (void)e;
    assert_int_equal(b->rows, 1);
    assert_true(fa_str_eqz(b->col[0].text[0], "a\"b"));
    assert_int_equal(b->col[1].i64[0], -5);
    assert_true(b->col[2].i128[0] == -(FA_E18 + FA_E18 / 2));
    assert_int_equal(b->col[3].i64[0], fa_day_of(2024, 2, 29));
    assert_int_equal(b->col[4].i64[0], -1);
    assert_true(b->col[5].null && b->col[5].null[0]);
    assert_true(b->col[6].b[0]);
    assert_true(b->col[7].i128[0] == (fa_i128)UINT64_MAX);
    return FA_OK;
}

static void test_types(void **state)
{
    bed *b = *state;
    fa_err e = {0};
    fa_param p[2] = {{.kind = FA_P_TEXT, .text = FA_STR("a\"b")}, {.kind = FA_P_INT, .num = -5}};

    must(fa_sql_query(
             b->c,
             FA_STR(
                 "SELECT ?::VARCHAR, ?::TINYINT, -1.5::DECIMAL(5,2), DATE '2024-02-29', TIMESTAMP"
                 " '1969-12-31 23:59:59.9995', NULL::VARCHAR, true, 18446744073709551615::UBIGINT"),
             p, 2, look, NULL, &e),
         &e);
    assert_int_equal(fa_sql_exec(b->c, FA_STR("SELEC 1"), NULL, 0, NULL, &e), FA_EINTERNAL);
    assert_int_equal(fa_sql_exec(b->c, FA_STR("SELECT 'x'::INTEGER"), NULL, 0, NULL, &e), FA_EDATA);
}

static void test_deadline(void **state)
{
    bed *b = *state;
    fa_err e = {0};
    int64_t n;

    fa_conn_deadline(b->c, fa_mono_ms() + 30);
    assert_int_equal(
        fa_sql_i64(b->c,
                   FA_STR("SELECT count(*) FROM range(100000000) a, range(100000) b WHERE"
                          " a.range * b.range % 7 = 3"),
                   NULL, 0, &n, &e),
        FA_ETIMEOUT);
    fa_conn_deadline(b->c, 0);
    must(fa_sql_i64(b->c, FA_STR("SELECT 7"), NULL, 0, &n, &e), &e);
    assert_int_equal(n, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_differential, setup, teardown),
        cmocka_unit_test_setup_teardown(test_against_sql, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scan_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
