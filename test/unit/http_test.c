/*
 * http_test.c - the texts of a request: paths, query strings, cookies, and the limits.
 */
#include "http/internal.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

static void paths(void **state)
{
    static const struct {
        const char *raw, *want; /* NULL: refused */
    } t[] = {
        {"/", "/"},
        {"/v1/view", "/v1/view"},
        {"/v1//view", "/v1/view"},
        {"/v1/view/", "/v1/view"},
        {"//v1///view//", "/v1/view"},
        {"/values/Virtual%20Tags/x", "/values/Virtual Tags/x"},
        {"/values/a%2Bb+c", "/values/a+b+c"},
        {"/caf%C3%A9", "/caf\xc3\xa9"},
        {"/%2525", "/%25"}, /* once, not twice */
        {"", NULL},
        {"v1/view", NULL},
        {"http://host/v1", NULL},
        {"*", NULL},
        {"/a/../b", NULL},
        {"/a/%2e%2e/b", NULL},
        {"/a/.%2E/b", NULL},
        {"/a/./b", NULL},
        {"/a%2fb", NULL},
        {"/a%2Fb", NULL},
        {"/a%00b", NULL},
        {"/a\\b", NULL},
        {"/a%5cb", NULL},
        {"/a%0d%0ab", NULL},
        {"/a%7f", NULL},
        {"/a%", NULL},
        {"/a%2", NULL},
        {"/a%zz", NULL},
        {"/a%ff", NULL},       /* not UTF-8 */
        {"/a%c0%af", NULL},    /* an overlong slash */
        {"/a%ed%a0%80", NULL}, /* a surrogate */
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_arena a;
        fa_err e = {0};
        fa_str out;
        fa_rc rc;

        fa_arena_init(&a, 1 << 20);
        rc = fa_path_parse(&a, fa_str_of(t[i].raw), &out, &e);
        if ((rc == FA_OK) != (t[i].want != NULL) || (!rc && !fa_str_eqz(out, t[i].want)))
            fail_msg("\"%s\": rc %d, \"%.*s\"", t[i].raw, (int)rc, FA_FMT(out));
        fa_arena_release(&a);
    }
}

static void patterns(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool ok;
        const char *first, *second;
    } t[] = {
        {"/v1/view", "/v1/view", true, NULL, NULL},
        {"/v1/view", "/v1/views", false, NULL, NULL},
        {"/v1/view", "/v1/vie", false, NULL, NULL},
        {"/a/{x}/status", "/a/12/status", true, "12", NULL},
        {"/a/{x}/status", "/a/12/34/status", false, NULL, NULL},
        {"/a/{x}/status", "/a//status", false, NULL, NULL},
        {"/a/{x}", "/a/", false, NULL, NULL},
        {"/v/{cc}/{key+}", "/v/Virtual Tags/a", true, "Virtual Tags", "a"},
        {"/v/{cc}/{key+}", "/v/AWS/app.kubernetes.io/name", true, "AWS", "app.kubernetes.io/name"},
        {"/v/{cc}/{key+}", "/v/AWS", false, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_str arg[4] = {{0}};
        bool ok = fa_path_match(t[i].pattern, fa_str_of(t[i].path), arg);

        if (ok != t[i].ok || (t[i].first && !fa_str_eqz(arg[0], t[i].first)) ||
            (t[i].second && !fa_str_eqz(arg[1], t[i].second)))
            fail_msg("%s against %s: %d \"%.*s\" \"%.*s\"", t[i].pattern, t[i].path, ok,
                     FA_FMT(arg[0]), FA_FMT(arg[1]));
    }
}

static void query_strings(void **state)
{
    static const struct {
        const char *query, *name;
        size_t nth;
        const char *want; /* NULL: absent */
    } t[] = {
        {"a=1&b=2", "b", 0, "2"},
        {"a=1&b=2", "c", 0, NULL},
        {"a=1&a=2", "a", 1, "2"},
        {"a=1&a=2", "a", 2, NULL},
        {"a", "a", 0, ""},
        {"a=", "a", 0, ""},
        {"aa=1", "a", 0, NULL},
        {"x=a+b%20c", "x", 0, "a b c"},
        {"x=%c3%a9", "x", 0, "\xc3\xa9"},
        {"x=%zz", "x", 0, NULL},
        {"x=%00", "x", 0, NULL},
        {"x=%ff", "x", 0, NULL},
        {"&&x=1", "x", 0, "1"},
        {"", "x", 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_arena a;
        fa_str v;
        bool ok;

        fa_arena_init(&a, 1 << 20);
        ok = fa_query_get(&a, fa_str_of(t[i].query), t[i].name, t[i].nth, &v);
        if (ok != (t[i].want != NULL) || (ok && !fa_str_eqz(v, t[i].want)))
            fail_msg("%s of \"%s\": %d \"%.*s\"", t[i].name, t[i].query, ok, FA_FMT(v));
        fa_arena_release(&a);
    }
}

static void cookies(void **state)
{
    (void)state;
    assert_true(fa_str_eqz(fa_cookie_find(FA_STR("a=1; __Host-s=x; b=2"), "__Host-s"), "x"));
    assert_true(fa_str_eqz(fa_cookie_find(FA_STR("__Host-s=x=y"), "__Host-s"), "x=y"));
    assert_int_equal(fa_cookie_find(FA_STR("x__Host-s=x"), "__Host-s").n, 0);
    assert_int_equal(fa_cookie_find(FA_STR("__Host-s"), "__Host-s").n, 0);
    assert_int_equal(fa_cookie_find(FA_STR(""), "__Host-s").n, 0);
}

static void gzip_is_asked_for(void **state)
{
    (void)state;
    assert_true(fa_accepts_gzip(FA_STR("gzip, deflate")));
    assert_true(fa_accepts_gzip(FA_STR("br;q=1.0, GZIP;q=0.8")));
    assert_false(fa_accepts_gzip(FA_STR("gzip;q=0")));
    assert_false(fa_accepts_gzip(FA_STR("deflate, br")));
    assert_false(fa_accepts_gzip(FA_STR("")));
    assert_false(fa_accepts_gzip(FA_STR("xgzip")));
}

static void json_depth(void **state)
{
    (void)state;
    assert_true(fa_json_depth_ok(FA_STR("{\"a\":[1,2,{\"b\":[]}]}"), 4));
    assert_false(fa_json_depth_ok(FA_STR("{\"a\":[1,2,{\"b\":[]}]}"), 3));
    assert_true(fa_json_depth_ok(FA_STR("[\"[[[[[[\\\"[[[[\"]"), 1));
}

static void addresses_to_listen_on(void **state)
{
    static const struct {
        const char *text, *host; /* NULL: refused */
        int port;
    } t[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"[::1]:0", "::1", 0},
        {"localhost:65535", "localhost", 65535},
        {"127.0.0.1", NULL, 0},
        {":80", NULL, 0},
        {"::1:80", NULL, 0},
        {"host:65536", NULL, 0},
        {"host:-1", NULL, 0},
        {"host:8o", NULL, 0},
        {"", NULL, 0},
        {"host:", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_str host = {0};
        int port = 0;
        bool ok = fa_listen_parse(fa_str_of(t[i].text), &host, &port);

        if (ok != (t[i].host != NULL) ||
            (ok && (!fa_str_eqz(host, t[i].host) || port != t[i].port)))
            fail_msg("\"%s\": %d \"%.*s\" %d", t[i].text, ok, FA_FMT(host), port);
    }
}

static void five_of_a_key_and_no_sixth(void **state)
{
    fa_limits *l = fa_limits_new();

    (void)state;
    assert_non_null(l);
    for (int i = 0; i < 5; i++)
        assert_true(fa_key_enter(l, FA_STR("one"), 5));
    assert_false(fa_key_enter(l, FA_STR("one"), 5));
    assert_true(fa_key_enter(l, FA_STR("two"), 5));
    fa_key_leave(l, FA_STR("one"));
    assert_true(fa_key_enter(l, FA_STR("one"), 5));
    assert_false(fa_key_enter(l, FA_STR("one"), 5));
    for (int i = 0; i < 5; i++)
        fa_key_leave(l, FA_STR("one"));
    assert_true(fa_key_enter(l, FA_STR("one"), 5));
    fa_limits_free(l);
}

static fa_rc one(fa_req *r, fa_res *o, fa_err *e)
{
    (void)r;
    (void)o;
    (void)e;
    return FA_OK;
}

static fa_rc two(fa_req *r, fa_res *o, fa_err *e)
{
    return one(r, o, e);
}

static void windows_are_utc_minutes_and_days(void **state)
{
    const int64_t minute = 1800000000000LL; /* 2027-01-15T08:00:00Z */
    fa_route r = {.fn = one, .per_minute = 50, .per_day = 120};
    fa_route alias = {.fn = one, .per_minute = 50, .per_day = 120};
    fa_route other = {.fn = two, .per_minute = 50};
    fa_limits *l = fa_limits_new();
    fa_window w;

    (void)state;
    assert_non_null(l);
    for (unsigned i = 0; i < 50; i++) {
        w = fa_rate_count(l, FA_STR("acc"), i % 2 ? &r : &alias, minute + 15000);
        assert_false(w.over);
        assert_int_equal(w.left, 49 - i);
        assert_int_equal(w.reset_s, 45);
    }
    w = fa_rate_count(l, FA_STR("acc"), &r, minute + 59999);
    assert_true(w.over);
    assert_int_equal(w.reset_s, 1);
    assert_false(fa_rate_count(l, FA_STR("acc"), &other, minute).over);
    assert_false(fa_rate_count(l, FA_STR("other"), &r, minute).over);
    for (int i = 0; i < 50; i++)
        assert_false(fa_rate_count(l, FA_STR("acc"), &r, minute + 60000).over);
    for (int i = 0; i < 20; i++)
        assert_false(fa_rate_count(l, FA_STR("acc"), &r, minute + 120000).over);
    w = fa_rate_count(l, FA_STR("acc"), &r, minute + 120000);
    assert_true(w.over);
    assert_int_equal(w.limit, 120);
    assert_int_equal(w.reset_s, 16 * 3600 - 120);
    assert_false(fa_rate_count(l, FA_STR("acc"), &r, minute + 86400000).over);
    fa_limits_free(l);
}

static void what_is_zipped_comes_back(void **state)
{
    static char text[100000];
    char *small;
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + (i / 7) % 26);
    assert_true(fa_gzip(text, sizeof text, 4, &small, &n));
    assert_true(n < sizeof text);
    assert_int_equal((unsigned char)small[0], 0x1f);
    assert_int_equal((unsigned char)small[1], 0x8b);
    free(small);
    assert_false(fa_gzip("x", 1, 4, &small, &n));
}

static void error_bodies(void **state)
{
    fa_err e = {0};
    fa_buf b = {0};

    (void)state;
    fa_fail(&e, FA_EINVAL, "no such operator: \"like\"");
    fa_at(&e, "filters.AND[2].operator");
    fa_error_body(&b, FA_ENV_V2, "0f6a0000-0000-4000-8000-000000000000", "BAD_REQUEST", &e);
    assert_string_equal(
        b.p, "{\"requestId\":\"0f6a0000-0000-4000-8000-000000000000\",\"error\":\"BAD_REQUEST\","
             "\"message\":\"filters.AND[2].operator: no such operator: \\\"like\\\"\","
             "\"field\":\"filters.AND[2].operator\"}");
    fa_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(patterns),
        cmocka_unit_test(query_strings),
        cmocka_unit_test(cookies),
        cmocka_unit_test(gzip_is_asked_for),
        cmocka_unit_test(json_depth),
        cmocka_unit_test(addresses_to_listen_on),
        cmocka_unit_test(five_of_a_key_and_no_sixth),
        cmocka_unit_test(windows_are_utc_minutes_and_days),
        cmocka_unit_test(what_is_zipped_comes_back),
        cmocka_unit_test(error_bodies),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
