/*
 * allocate_test.c - splitting: the worked examples of inform.md 0.6 and 7 in cents, and large numbers.
 *
 * What is expected of the large numbers was worked out with Python's integers.
 */
#include "allocate/allocate.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 6

static fa_i128 i128_of(const char *z)
{
    bool negative = *z == '-';
    fa_u128 v = 0;

    for (z += negative; *z; z++)
        v = v * 10 + (unsigned)(*z - '0');
    return negative ? -(fa_i128)v : (fa_i128)v;
}

static void check_split(const char *name, fa_i128 amount, const fa_i128 *w, size_t n,
                        const fa_i128 *want)
{
    fa_i128 got[MOST];

    if (!fa_split(amount, w, n, got))
        fail_msg("%s: all weights are 0", name);
    for (size_t i = 0; i < n; i++)
        if (got[i] != want[i])
            fail_msg("%s: part %zu is %lld (low 64 bits), want %lld", name, i, (long long)got[i],
                     (long long)want[i]);
}

/* inform.md 0.6, 7.3, 7.7, 7.8 and 6: amounts and parts in cents. */
static void test_examples(void **state)
{
    static const struct {
        const char *name;
        int amount, n;
        int weight[MOST], want[MOST];
    } t[] = {
        {"0.6 three equal", 10000, 3, {1, 1, 1}, {3334, 3333, 3333}},
        {"0.6 a credit", -10000, 3, {1, 1, 1}, {-3334, -3333, -3333}},
        {"7.3.1 even", 10000, 3, {1, 1, 1}, {3334, 3333, 3333}},
        {"7.3.2 proportional", 9000, 3, {200, 100, 0}, {6000, 3000, 0}},
        {"7.3.3 telemetry", 10000, 3, {30, 50, 20}, {3000, 5000, 2000}},
        {"7.3.4 fixed", 10000, 3, {60, 30, 10}, {6000, 3000, 1000}},
        {"7.7 (1)", 10000, 3, {6000, 20000, 10000}, {1667, 5555, 2778}},
        {"7.7 (2)", 7667, 2, {1, 1}, {3834, 3833}},
        {"7.8 window", 5000, 2, {60, 40}, {3000, 2000}},
        {"6 tuples", 10000, 3, {60, 20, 20}, {6000, 2000, 2000}},
        {"nothing", 0, 2, {1, 2}, {0, 0}},
        {"a cent over two", 1, 2, {1, 1}, {1, 0}},
        {"a cent to the larger rest", 1, 2, {1, 2}, {0, 1}},
        {"one", 12345, 1, {7}, {12345}},
        {"zero weights get nothing", 3, 4, {0, 1, 0, 1}, {0, 2, 0, 1}},
    };
    fa_i128 w[MOST], want[MOST], out[2];

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        for (int k = 0; k < t[i].n; k++) {
            w[k] = t[i].weight[k];
            want[k] = t[i].want[k];
        }
        check_split(t[i].name, t[i].amount, w, (size_t)t[i].n, want);
    }
    w[0] = w[1] = 0;
    assert_false(fa_split(100, w, 2, out));
    assert_false(fa_split(100, w, 0, out));
}

static void test_large(void **state)
{
    static const struct {
        const char *name, *amount, *weight[MOST], *want[MOST];
        size_t n;
    } t[] = {
        {"a billion over costs",
         "1000000000012345678901234567",
         {"700000000000000000000000001", "100000000000000000000000007", "3",
          "10000000000000000000000099"},
         {"864197530874866636087486547", "123456790124980948012498086", "4",
          "12345679012498094801249930"},
         4},
        {"past 128 bits both",
         "-85070591730234615865843651857942040519",
         {"21267647932558653966460912964485513215", "10633823966279326983230456482242756625",
          "5316911983139663491615228241121378301"},
         {"-48611766702991209066196372490252594563", "-24305883351495604533098186245126297322",
          "-12152941675747802266549093122563148634"},
         3},
        {"sum just below 2^126",
         "999999999999999999999999999",
         {"42535295865117307932921825928971026431", "42535295865117307932921825928971026430"},
         {"500000000000000000000000000", "499999999999999999999999999"},
         2},
        {"one unit", "1", {"1", "1", "1"}, {"1", "0", "0"}, 3},
        {"two units over four", "2", {"3", "3", "2", "3"}, {"1", "1", "0", "0"}, 4},
        {"rests that differ late",
         "100000000000000000000",
         {"1000000000000000000000000000000", "1000000000000000000000000000001",
          "1000000000000000000000000000002", "1000000000000000000000000000003", "7"},
         {"25000000000000000000", "25000000000000000000", "25000000000000000000",
          "25000000000000000000", "0"},
         5},
    };
    fa_i128 w[MOST], want[MOST];

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        for (size_t k = 0; k < t[i].n; k++) {
            w[k] = i128_of(t[i].weight[k]);
            want[k] = i128_of(t[i].want[k]);
        }
        check_split(t[i].name, i128_of(t[i].amount), w, t[i].n, want);
    }
}

/* inform.md 12: 1,200 over the days of 2026 are 3.287671 each and 1,200 together. */
static void test_licence(void **state)
{
    fa_i128 w[365], part[365], sum = 0;

    (void)state;
    for (size_t i = 0; i < FA_COUNT(w); i++)
        w[i] = 1;
    assert_true(fa_split(1200 * FA_E18, w, FA_COUNT(w), part));
    for (size_t i = 0; i < FA_COUNT(w); i++) {
        sum += part[i];
        assert_true(fa_dec_round(part[i], 6) == 3287671);
    }
    assert_true(sum == 1200 * FA_E18);
}

/* Random weights: parts add up, floors are floors, and no one with a smaller rest got the unit. */
static void test_random(void **state)
{
    uint64_t seed = 9;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        fa_i128 w[40], out[40], sum = 0, all = 0, amount;
        uint64_t least = UINT64_MAX, most = 0;
        size_t n = 1 + (size_t)(round % 40);
        uint64_t mask = round % 3 == 0 ? 3 : round % 3 == 1 ? 0xffff : 0xffffff;

        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            w[i] = (fa_i128)(seed >> 33 & mask);
            sum += w[i];
        }
        amount = (fa_i128)(seed >> 36);
        if (!fa_split(amount, w, n, out)) {
            assert_true(sum == 0);
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            fa_i128 floor = amount * w[i] / sum;
            uint64_t rest = (uint64_t)(amount * w[i] % sum);

            all += out[i];
            assert_true(out[i] == floor || out[i] == floor + 1);
            if (out[i] == floor + 1 && rest < least)
                least = rest;
            if (out[i] == floor && rest > most)
                most = rest;
        }
        assert_true(all == amount);
        assert_true(least >= most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_licence),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
