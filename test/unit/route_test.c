/*
 * route_test.c - the route table as a whole (access.md T-ACC-01): each row says who may, what it
 * answers and what it is for, and no two rows fight over an address.
 */
#include "api/api.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

static void every_row_is_whole(void **state)
{
    (void)state;
    for (const fa_route *r = fa_routes; r->method; r++) {
        if (!r->path || r->path[0] != '/' || !r->fn || !r->doc || !r->doc[0] || !r->codes ||
            (unsigned)r->perm >= FA_PERM__COUNT || !fa_perm_name(r->perm)[0])
            fail_msg("%s %s is not whole", r->method, r->path);
        if (r->perm != FA_PERM_PUBLIC && !(r->flags & (FA_RT_TOKEN | FA_RT_SESSION | FA_RT_SCIM)))
            fail_msg("%s %s: nobody can prove who he is", r->method, r->path);
    }
}

static void only_these_are_public(void **state)
{
    static const char *const open[] = {"POST /api/session",
                                       "POST /api/session/code",
                                       "POST /api/session/link",
                                       "POST /api/session/about",
                                       "POST /api/session/join",
                                       "POST /api/session/forgotten",
                                       "GET /api/session/providers",
                                       "POST /api/session/invitation",
                                       "GET /api/sso/{id}/start",
                                       "GET /api/sso/{id}/callback",
                                       "POST /api/sso/{id}/backchannel",
                                       "GET /api/sso/{id}/metadata",
                                       "POST /api/sso/{id}/acs",
                                       "GET /api/sso/{id}/slo",
                                       "POST /api/sso/{id}/slo",
                                       "POST /frontegg/identity/resources/auth/v1/user",
                                       "POST /frontegg/identity/resources/auth/v1/user/mfa/verify",
                                       "GET /healthz",
                                       "GET /metrics"};
    size_t n = 0;

    (void)state;
    for (const fa_route *r = fa_routes; r->method; r++) {
        bool listed = false;
        char text[200];

        if (r->perm != FA_PERM_PUBLIC)
            continue;
        snprintf(text, sizeof text, "%s %s", r->method, r->path);
        for (size_t i = 0; i < FA_COUNT(open); i++)
            listed = listed || strcmp(open[i], text) == 0;
        if (!listed)
            fail_msg("%s is public", text);
        n++;
    }
    assert_int_equal(n, FA_COUNT(open));
}

static void no_two_rows_are_the_same(void **state)
{
    (void)state;
    for (const fa_route *r = fa_routes; r->method; r++)
        for (const fa_route *s = r + 1; s->method; s++)
            if (strcmp(r->method, s->method) == 0 && strcmp(r->path, s->path) == 0)
                fail_msg("%s %s is there twice", r->method, r->path);
}

static void unsafe_methods_are_never_get(void **state)
{
    (void)state;
    for (const fa_route *r = fa_routes; r->method; r++)
        if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "POST") != 0 &&
            strcmp(r->method, "PUT") != 0 && strcmp(r->method, "PATCH") != 0 &&
            strcmp(r->method, "DELETE") != 0)
            fail_msg("method %s", r->method);
}

/* api.md 3.1, 3.2 */
static void limits_are_those_of_the_contract(void **state)
{
    (void)state;
    for (const fa_route *r = fa_routes; r->method; r++) {
        bool v1 = strncmp(r->path, "/v1/", 4) == 0, v2 = strncmp(r->path, "/v2/", 4) == 0;
        /* one virtual tag, one version, metadata: 100; all else 50 */
        unsigned want = strncmp(r->path, "/v2/virtual-tags/", 17) == 0 &&
                                strcmp(r->path, "/v2/virtual-tags/{id}/versions") != 0
                            ? 100
                            : 50;

        if (v1 && !(r->flags & FA_RT_KEY_LIMIT))
            fail_msg("%s has no key limit", r->path);
        if (v2 && (r->per_minute != want || (r->flags & FA_RT_KEY_LIMIT)))
            fail_msg("%s has %u a minute", r->path, r->per_minute);
        if ((v1 || v2) && (r->flags & FA_RT_SESSION))
            fail_msg("%s takes a cookie", r->path);
        if (strstr(r->path, "generate-query"))
            assert_int_equal(r->per_day, 10000);
    }
}

static void status_codes_come_with_the_flags(void **state)
{
    fa_route r = {.method = "POST",
                  .path = "/x",
                  .perm = FA_PERM_COST_QUERY,
                  .flags = FA_RT_TOKEN | FA_RT_KEY_LIMIT,
                  .codes = "200 400"};
    fa_buf b = {0};

    (void)state;
    fa_route_codes(&r, &b);
    assert_string_equal(b.p, "200 400 401 403 429 500 503 504");
    fa_buf_clear(&b);
    r = (fa_route){.method = "GET", .path = "/x", .flags = FA_RT_INLINE, .codes = "200"};
    fa_route_codes(&r, &b);
    assert_string_equal(b.p, "200");
    fa_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(only_these_are_public),
        cmocka_unit_test(no_two_rows_are_the_same),
        cmocka_unit_test(unsafe_methods_are_never_get),
        cmocka_unit_test(limits_are_those_of_the_contract),
        cmocka_unit_test(status_codes_come_with_the_flags),
    };

    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
