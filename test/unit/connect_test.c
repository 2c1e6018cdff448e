/*
 * connect_test.c - schedules, and the configurations of connections.
 */
#include "connect/connect.h"
#include "job/job.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

static int64_t at(int year, int month, int day, int hour, int minute)
{
    return ((int64_t)fa_day_of(year, month, day) * 1440 + hour * 60 + minute) * 60000;
}

static void a_schedule_says_when(void **state)
{
    static const struct {
        const char *text;
        int from[5], want[5]; /* want[0] 0: never */
    } t[] = {
        {"15 */6 * * *", {2026, 11, 24, 0, 14}, {2026, 11, 24, 0, 15}},
        {"15 */6 * * *", {2026, 11, 24, 0, 15}, {2026, 11, 24, 6, 15}},
        {"15 */6 * * *", {2026, 11, 24, 18, 16}, {2026, 11, 25, 0, 15}},
        {"0 0 29 2 *", {2026, 3, 1, 0, 0}, {2028, 2, 29, 0, 0}},
        {"0 0 30 2 *", {2026, 3, 1, 0, 0}, {0}},
        {"0 4 * * 1", {2026, 11, 24, 5, 0}, {2026, 11, 30, 4, 0}},
        {"0 4 * * 7", {2026, 11, 24, 5, 0}, {2026, 11, 29, 4, 0}},
        {"0 4 * * 0", {2026, 11, 24, 5, 0}, {2026, 11, 29, 4, 0}},
        {"0 4 1 * 1", {2026, 11, 24, 5, 0}, {2026, 11, 30, 4, 0}},
        {"0 4 1 * 1", {2026, 11, 30, 5, 0}, {2026, 12, 1, 4, 0}},
        {"0,30 9-10 * * *", {2026, 12, 31, 10, 30}, {2027, 1, 1, 9, 0}},
        {"59 23 31 12 *", {2026, 12, 31, 23, 59}, {2027, 12, 31, 23, 59}},
        {"5/20 * * * *", {2026, 1, 1, 0, 6}, {2026, 1, 1, 0, 25}},
        {"@hourly", {2026, 1, 1, 0, 0}, {2026, 1, 1, 1, 0}},
        {"@daily", {2026, 1, 1, 4, 0}, {2026, 1, 2, 4, 0}},
        {"@monthly", {2026, 1, 6, 0, 0}, {2026, 2, 5, 4, 0}},
        {"", {2026, 1, 1, 0, 0}, {0}},
        {"nonsense", {2026, 1, 1, 0, 0}, {0}},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        const int *f = t[i].from, *w = t[i].want;
        int64_t got = fa_schedule_next(fa_str_of(t[i].text), at(f[0], f[1], f[2], f[3], f[4]));

        if (got != (w[0] ? at(w[0], w[1], w[2], w[3], w[4]) : -1))
            fail_msg("row %zu \"%s\": %lld", i, t[i].text, (long long)got);
    }
}

static void a_wrong_schedule_is_refused(void **state)
{
    static const char *const bad[] = {"60 * * * *",   "* 24 * * *",  "* * 0 * *",   "* * 32 * *",
                                      "* * * 13 *",   "* * * * 8",   "* * * *",     "* * * * * *",
                                      "1-70 * * * *", "5-1 * * * *", "*/0 * * * *", "a * * * *",
                                      "1,, * * * *",  "1, * * * *",  "@yearly",     "-1 * * * *"};
    static const char *const good[] = {
        "", " ", "@daily", "* * * * *", "0-59/7 0,12 1-31 1-12 0-7", " 1  2 3 4 5 "};

    fa_err e = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(bad); i++)
        if (fa_schedule_check(fa_str_of(bad[i]), &e) != FA_EINVAL)
            fail_msg("\"%s\" is taken", bad[i]);
    for (size_t i = 0; i < FA_COUNT(good); i++)
        if (fa_schedule_check(fa_str_of(good[i]), &e))
            fail_msg("\"%s\" is refused", good[i]);
}

/* Jitter is a connection's own, always the same, and never longer than five minutes or a tenth of the pace. */
static void jitter_is_bounded_and_steady(void **state)
{
    int64_t now = at(2026, 11, 24, 0, 0);
    int different = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        char id[37];
        int64_t daily, often;

        fa_uuid_v4(id);
        daily = fa_job_next(FA_STR("0 4 * * *"), fa_str_of(id), now) -
                fa_schedule_next(FA_STR("0 4 * * *"), now);
        often = fa_job_next(FA_STR("* * * * *"), fa_str_of(id), now) -
                fa_schedule_next(FA_STR("* * * * *"), now);
        assert_in_range(daily, 0, 299999);
        assert_in_range(often, 0, 6000);
        assert_int_equal(daily, fa_job_next(FA_STR("0 4 * * *"), fa_str_of(id), now) -
                                    fa_schedule_next(FA_STR("0 4 * * *"), now));
        different += daily > 1000;
    }
    assert_true(different > 150);
    assert_int_equal(fa_job_next(FA_STR(""), FA_STR("x"), now), -1);
}

static void a_configuration_is_checked_by_its_form(void **state)
{
    static const struct {
        const char *kind, *config, *field; /* field NULL: good */
    } t[] = {
        {"s3", "{\"bucket\":\"b\",\"region\":\"eu-west-1\"}", NULL},
        {"s3", "{\"region\":\"eu-west-1\"}", "bucket"},
        {"s3", "{\"bucket\":\"\",\"region\":\"eu-west-1\"}", "bucket"},
        {"s3", "{\"bucket\":1,\"region\":\"eu-west-1\"}", "bucket"},
        {"s3", "{\"bucket\":\"a\\u0007b\",\"region\":\"eu-west-1\"}", "bucket"},
        {"s3", "{\"bucket\":\"b\",\"region\":\"eu-west-1\",\"endpoint\":\"x\"}", "config"},
        {"s3", "{\"bucket\":\"b\",\"region\":\"eu-west-1\",\"layout\":\"guess\"}", "layout"},
        {"s3", "[]", "config"},
        {"s3", "", "config"},
        {"azure", "{\"account\":\"a\",\"container\":\"c\",\"auth\":\"password\"}", "auth"},
        {"azure", "{\"account\":\"a\",\"container\":\"c\",\"auth\":\"identity\"}", NULL},
        {"bigquery", "{\"project\":\"p\",\"dataset\":\"d\"}", "table"},
        {"oracle", "{\"region\":\"eu-frankfurt-1\",\"prefix\":\"FOCUS Reports\"}", NULL},
        {"folder", "{\"path\":\"/srv\"}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        const fa_connect_kind *k = fa_connect_kind_find(fa_str_of(t[i].kind));
        fa_err e = {0};
        fa_rc rc;

        assert_non_null(k);
        rc = fa_connect_config_check(k, fa_str_of(t[i].config), &e);
        if ((rc == FA_OK) != !t[i].field || (t[i].field && strcmp(e.field, t[i].field) != 0))
            fail_msg("%s %s: \"%s\" %s", t[i].kind, t[i].config, e.field, e.msg);
    }
    assert_null(fa_connect_kind_find(FA_STR("ftp")));
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_schedule_says_when),
        cmocka_unit_test(a_wrong_schedule_is_refused),
        cmocka_unit_test(jitter_is_bounded_and_steady),
        cmocka_unit_test(a_configuration_is_checked_by_its_form),
    };

    return cmocka_run_group_tests(t, NULL, NULL);
}
