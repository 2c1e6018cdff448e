/*
 * range_test.c - the date object in every spelling, and the period before.
 *
 * Expected days were worked out with Python's datetime and calendar.
 */
#include "query/query.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_day(const char *row, int32_t got, const char *want)
{
    fa_buf b;

    fa_buf_init(&b, 64);
    fa_day_emit(&b, got);
    if (strcmp(b.p, want) != 0)
        fail_msg("%s: got %s, want %s", row, b.p, want);
    fa_buf_release(&b);
}

static int32_t day(const char *z)
{
    int32_t d;

    assert_true(fa_day_parse(fa_str_of(z), &d));
    return d;
}

static fa_rc parse(fa_api api, const char *json, const char *today, fa_range *out, fa_err *e)
{
    json_t *j = json_loads(json, JSON_DECODE_ANY, NULL);
    fa_rc rc;

    assert_non_null(j);
    memset(e, 0, sizeof *e);
    rc = fa_range_parse(api, j, "date", day(today), NULL, out, e);
    out->name = (fa_str){0}; /* borrowed from j */
    json_decref(j);
    return rc;
}

static void test_relative(void **state)
{
    static const struct {
        const char *name, *today, *from, *to, *before_from, *before_to;
    } t[] = {
        {"today", "2026-11-12", "2026-11-12", "2026-11-12", "2026-11-11", "2026-11-11"},
        {"yesterday", "2026-11-12", "2026-11-11", "2026-11-11", "2026-11-10", "2026-11-10"},
        {"yesterday", "2028-03-01", "2028-02-29", "2028-02-29", "2028-02-28", "2028-02-28"},
        {"last7Days", "2026-11-12", "2026-11-06", "2026-11-12", "2026-10-30", "2026-11-05"},
        {"last30Days", "2026-11-12", "2026-10-14", "2026-11-12", "2026-09-14", "2026-10-13"},
        {"last90Days", "2026-11-12", "2026-08-15", "2026-11-12", "2026-05-17", "2026-08-14"},
        {"last::1::day", "2026-11-12", "2026-11-12", "2026-11-12", "2026-11-11", "2026-11-11"},
        {"last::2::day", "2026-11-12", "2026-11-11", "2026-11-12", "2026-11-09", "2026-11-10"},
        {"last::2::week", "2026-11-12", "2026-11-02", "2026-11-12", "2026-10-22", "2026-11-01"},
        {"last::1::week", "2026-11-15", "2026-11-09", "2026-11-15", "2026-11-02", "2026-11-08"},
        {"last::3::month", "2026-11-12", "2026-09-01", "2026-11-12", "2026-06-20", "2026-08-31"},
        {"last::3::month", "2026-01-31", "2025-11-01", "2026-01-31", "2025-08-01", "2025-10-31"},
        {"last12Months", "2026-11-12", "2025-12-01", "2026-11-12", "2024-12-19", "2025-11-30"},
        {"currentMonth", "2026-11-12", "2026-11-01", "2026-11-12", "2026-10-01", "2026-10-12"},
        {"currentMonth", "2026-03-31", "2026-03-01", "2026-03-31", "2026-02-01", "2026-02-28"},
        {"currentMonth", "2028-03-30", "2028-03-01", "2028-03-30", "2028-02-01", "2028-02-29"},
        {"currentMonth", "2026-11-30", "2026-11-01", "2026-11-30", "2026-10-01", "2026-10-30"},
        {"previousMonth", "2026-11-12", "2026-10-01", "2026-10-31", "2026-09-01", "2026-09-30"},
        {"previousMonth", "2028-03-01", "2028-02-01", "2028-02-29", "2028-01-01", "2028-01-31"},
        {"previousMonth", "2026-01-01", "2025-12-01", "2025-12-31", "2025-11-01", "2025-11-30"},
        {"currentQuarter", "2026-11-12", "2026-10-01", "2026-11-12", "2026-07-01", "2026-08-12"},
        {"previousQuarter", "2026-02-10", "2025-10-01", "2025-12-31", "2025-07-01", "2025-09-30"},
        {"currentYear", "2028-02-29", "2028-01-01", "2028-02-29", "2027-01-01", "2027-03-01"},
        {"yearToDate", "2026-11-12", "2026-01-01", "2026-11-12", "2025-01-01", "2025-11-12"},
        {"previousYear", "2026-11-12", "2025-01-01", "2025-12-31", "2024-01-01", "2024-12-31"},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        char json[128];
        fa_range r, before;
        fa_err e;

        snprintf(json, sizeof json, "{\"relativeRange\":\"%s\",\"type\":\"week\"}", t[i].name);
        if (parse(FA_API_INTERNAL, json, t[i].today, &r, &e))
            fail_msg("%s: %s", t[i].name, e.msg);
        check_day(t[i].name, r.from, t[i].from);
        check_day(t[i].name, r.to, t[i].to);
        assert_int_equal(r.unit, FA_WEEK);
        assert_true(r.relative);
        r.name = fa_str_of(t[i].name);
        before = fa_range_previous(&r, day(t[i].today));
        check_day(t[i].name, before.from, t[i].before_from);
        check_day(t[i].name, before.to, t[i].before_to);
    }
}

static void test_absolute(void **state)
{
    static const struct {
        const char *row;
        fa_api api;
        const char *json, *from, *to;
    } t[] = {
        {"v1 ms", FA_API_V1,
         "{\"unixTimeMillSecondsStart\":1775001600000,\"unixTimeMillSecondsEnd\":1777507200000}",
         "2026-04-01", "2026-04-30"},
        {"v1 seconds", FA_API_V1,
         "{\"unixTimeMillSecondsStart\":1775001600,\"unixTimeMillSecondsEnd\":1777507200}",
         "2026-04-01", "2026-04-30"},
        {"v1 last second", FA_API_V1,
         "{\"unixTimeMillSecondsStart\":1775001600000,\"unixTimeMillSecondsEnd\":1777593599000}",
         "2026-04-01", "2026-04-30"},
        {"v1 next midnight", FA_API_V1,
         "{\"unixTimeMillSecondsStart\":1775001600000,\"unixTimeMillSecondsEnd\":1777593600000}",
         "2026-04-01", "2026-05-01"},
        {"v1 midday start", FA_API_V1,
         "{\"unixTimeMillSecondsStart\":1775044800000,\"unixTimeMillSecondsEnd\":1777507200000.0}",
         "2026-04-01", "2026-04-30"},
        {"v2", FA_API_V2,
         "{\"unixTimeMillisecondsStart\":1775001600000,\"unixTimeMillisecondsEnd\":1777507200000}",
         "2026-04-01", "2026-04-30"},
        {"v2 one instant", FA_API_V2,
         "{\"unixTimeMillisecondsStart\":1775001600000,\"unixTimeMillisecondsEnd\":1775001600000}",
         "2026-04-01", "2026-04-01"},
        {"v2 60 days", FA_API_V2,
         "{\"unixTimeMillisecondsStart\":1775001600000,\"unixTimeMillisecondsEnd\":1780185600000}",
         "2026-04-01", "2026-05-31"},
        {"own ms", FA_API_INTERNAL,
         "{\"from\":1775001600000,\"to\":1777593599999,\"type\":\"day\"}", "2026-04-01",
         "2026-04-30"},
        {"own days", FA_API_INTERNAL, "{\"from\":\"2028-02-29\",\"to\":\"2028-03-01\"}",
         "2028-02-29", "2028-03-01"},
        {"cli days", FA_API_CLI, "{\"from\":\"2026-01-01\",\"to\":\"2026-12-31\"}", "2026-01-01",
         "2026-12-31"},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_range r;
        fa_err e;

        if (parse(t[i].api, t[i].json, "2026-11-12", &r, &e))
            fail_msg("%s: %s", t[i].row, e.msg);
        check_day(t[i].row, r.from, t[i].from);
        check_day(t[i].row, r.to, t[i].to);
        assert_int_equal(r.unit, FA_DAY);
        assert_false(r.relative);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *row;
        fa_api api;
        const char *json;
        fa_rc rc;
        const char *field;
    } t[] = {
        {"half", FA_API_V1, "{\"unixTimeMillSecondsStart\":1775001600000}", FA_EINVAL,
         "date.unixTimeMillSecondsEnd"},
        {"blank", FA_API_V1, "{\"unixTimeMillSecondsStart\":\"\",\"unixTimeMillSecondsEnd\":\"\"}",
         FA_EINVAL, "date.unixTimeMillSecondsStart"},
        {"empty", FA_API_V1, "{}", FA_EINVAL, "date.unixTimeMillSecondsStart"},
        {"v2 spelling in v1", FA_API_V1,
         "{\"unixTimeMillisecondsStart\":1775001600000,\"unixTimeMillisecondsEnd\":1777507200000}",
         FA_EINVAL, "date.unixTimeMillisecondsStart"},
        {"v1 spelling in v2", FA_API_V2,
         "{\"unixTimeMillSecondsStart\":1775001600000,\"unixTimeMillSecondsEnd\":1777507200000}",
         FA_EINVAL, "date.unixTimeMillSecondsStart"},
        {"relative in v1", FA_API_V1, "{\"relativeRange\":\"today\"}", FA_EINVAL,
         "date.relativeRange"},
        {"reversed", FA_API_V2,
         "{\"unixTimeMillisecondsStart\":1777507200000,\"unixTimeMillisecondsEnd\":1775001600000}",
         FA_EINVAL, "date"},
        {"90 days and 1 ms", FA_API_V1,
         "{\"unixTimeMillSecondsStart\":1775001600000,\"unixTimeMillSecondsEnd\":1782777600001}",
         FA_EINVAL, "date"},
        {"60 days and 1 ms", FA_API_V2,
         "{\"unixTimeMillisecondsStart\":1775001600000,\"unixTimeMillisecondsEnd\":1780185600001}",
         FA_EDATA, "date"},
        {"negative", FA_API_V2,
         "{\"unixTimeMillisecondsStart\":-1,\"unixTimeMillisecondsEnd\":1777507200000}", FA_EINVAL,
         "date.unixTimeMillisecondsStart"},
        {"far", FA_API_V2,
         "{\"unixTimeMillisecondsStart\":1,\"unixTimeMillisecondsEnd\":9000000000000000000}",
         FA_EINVAL, "date.unixTimeMillisecondsEnd"},
        {"fraction", FA_API_V2,
         "{\"unixTimeMillisecondsStart\":1.5,\"unixTimeMillisecondsEnd\":1777507200000}", FA_EINVAL,
         "date.unixTimeMillisecondsStart"},
        {"huge real", FA_API_V2,
         "{\"unixTimeMillisecondsStart\":1e300,\"unixTimeMillisecondsEnd\":1777507200000}",
         FA_EINVAL, "date.unixTimeMillisecondsStart"},
        {"not an object", FA_API_V2, "[]", FA_EINVAL, "date"},
        {"null", FA_API_INTERNAL, "null", FA_EINVAL, "date"},
        {"unknown range", FA_API_INTERNAL, "{\"relativeRange\":\"nextWeek\"}", FA_EINVAL,
         "date.relativeRange"},
        {"last::0", FA_API_INTERNAL, "{\"relativeRange\":\"last::0::day\"}", FA_EINVAL,
         "date.relativeRange"},
        {"last::x", FA_API_INTERNAL, "{\"relativeRange\":\"last::x::day\"}", FA_EINVAL,
         "date.relativeRange"},
        {"last of no unit", FA_API_INTERNAL, "{\"relativeRange\":\"last::3::\"}", FA_EINVAL,
         "date.relativeRange"},
        {"last cut", FA_API_INTERNAL, "{\"relativeRange\":\"last::3\"}", FA_EINVAL,
         "date.relativeRange"},
        {"last 99999", FA_API_INTERNAL, "{\"relativeRange\":\"last::99999::month\"}", FA_EINVAL,
         "date.relativeRange"},
        {"unit", FA_API_INTERNAL, "{\"relativeRange\":\"today\",\"type\":\"minute\"}", FA_EINVAL,
         "date.type"},
        {"no leap day", FA_API_INTERNAL, "{\"from\":\"2026-02-29\",\"to\":\"2026-03-01\"}",
         FA_EINVAL, "date.from"},
        {"too long", FA_API_INTERNAL, "{\"from\":\"2000-01-01\",\"to\":\"2026-03-01\"}", FA_EINVAL,
         "date"},
        {"reversed days", FA_API_CLI, "{\"from\":\"2026-03-02\",\"to\":\"2026-03-01\"}", FA_EINVAL,
         "date"},
        {"no to", FA_API_CLI, "{\"from\":\"2026-03-02\"}", FA_EINVAL, "date.to"},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_range r;
        fa_err e;
        fa_rc rc = parse(t[i].api, t[i].json, "2026-11-12", &r, &e);

        if (rc != t[i].rc || strcmp(e.field, t[i].field) != 0)
            fail_msg("%s: rc %d field \"%s\" (%s)", t[i].row, (int)rc, e.field, e.msg);
    }
}

static void test_absent(void **state)
{
    fa_range r, absent = {.from = 5, .to = 9, .unit = FA_MONTH};
    fa_err e;

    (void)state;
    assert_int_equal(fa_range_parse(FA_API_V1, NULL, "date", 100, &absent, &r, &e), FA_OK);
    assert_int_equal(r.from, 5);
    assert_int_equal(r.to, 9);
    assert_int_equal(r.unit, FA_MONTH);
    assert_int_equal(fa_range_parse(FA_API_V1, NULL, "date", 100, NULL, &r, &e), FA_EINVAL);
    assert_string_equal(e.field, "date");
}

static void test_previous_of_plain_range(void **state)
{
    fa_range r = {.from = day("2026-10-01"), .to = day("2026-10-31")}, before;

    (void)state;
    before = fa_range_previous(&r, day("2026-11-12"));
    check_day("plain month", before.from, "2026-08-31");
    check_day("plain month", before.to, "2026-09-30");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relative),
        cmocka_unit_test(test_absolute),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_previous_of_plain_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
