/*
 * guard_test.c - whom Farthing may speak to, against names that lie: every reserved network, names with several
 * addresses, names that answer differently the second time, and some thousand tricky addresses.
 *
 * getaddrinfo is this program's own: it answers for *.test from the table below, and counts.
 */
#include "net/inner.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

static const struct {
    const char *name, *first[3], *later[3];
} names[] = {
    {"public.test", {"93.184.216.34"}, {"93.184.216.34"}},
    {"loop.test", {"127.0.0.1"}, {"127.0.0.1"}},
    {"mixed.test", {"93.184.216.34", "10.0.0.1"}, {"93.184.216.34", "10.0.0.1"}},
    {"mixed6.test", {"2606:2800:220:1::1", "::1"}, {"2606:2800:220:1::1", "::1"}},
    {"mapped.test", {"::ffff:169.254.169.254"}, {"::ffff:169.254.169.254"}},
    {"rebind.test", {"93.184.216.34"}, {"127.0.0.1"}},
    {"meta.test", {"169.254.169.254"}, {"169.254.169.254"}},
};
static int asked;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    struct addrinfo *list = NULL;

    (void)service;
    (void)hints;
    *out = NULL;
    for (size_t i = 0; i < FA_COUNT(names); i++) {
        const char *const *ip = asked ? names[i].later : names[i].first;

        if (!node || strcmp(node, names[i].name) != 0)
            continue;
        asked++;
        for (int k = 0; k < 3 && ip[k]; k++) {
            struct {
                struct addrinfo info;
                struct sockaddr_storage at;
            } *a = calloc(1, sizeof *a);
            net_addr n;

            assert_non_null(a);
            assert_true(net_addr_parse(ip[k], &n));
            a->info.ai_family = n.family;
            a->info.ai_addr = (struct sockaddr *)&a->at;
            a->at.ss_family = (sa_family_t)n.family;
            if (n.family == AF_INET)
                memcpy(&((struct sockaddr_in *)(void *)&a->at)->sin_addr, n.ip, 4);
            else
                memcpy(&((struct sockaddr_in6 *)(void *)&a->at)->sin6_addr, n.ip, 16);
            a->info.ai_next = list;
            list = &a->info;
        }
        *out = list;
        return 0;
    }
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;

        free(list);
        list = next;
    }
}

/* The first and last address of every network of security.md SS-2, and their neighbours outside. */
static void every_reserved_network_is_refused(void **state)
{
    static const char *const bad[] = {"0.0.0.0",
                                      "0.255.255.255",
                                      "10.0.0.0",
                                      "10.255.255.255",
                                      "100.64.0.0",
                                      "100.127.255.255",
                                      "127.0.0.0",
                                      "127.255.255.255",
                                      "169.254.0.0",
                                      "169.254.169.254",
                                      "169.254.255.255",
                                      "172.16.0.0",
                                      "172.31.255.255",
                                      "192.0.0.0",
                                      "192.0.0.255",
                                      "192.0.2.1",
                                      "192.88.99.1",
                                      "192.168.0.0",
                                      "192.168.255.255",
                                      "198.18.0.0",
                                      "198.19.255.255",
                                      "198.51.100.7",
                                      "203.0.113.7",
                                      "224.0.0.0",
                                      "239.255.255.255",
                                      "240.0.0.0",
                                      "255.255.255.255",
                                      "::",
                                      "::1",
                                      "::ffff:0:0",
                                      "::ffff:127.0.0.1",
                                      "::ffff:10.1.2.3",
                                      "::ffff:169.254.169.254",
                                      "64:ff9b::10.0.0.1",
                                      "64:ff9b::127.0.0.1",
                                      "100::1",
                                      "2001::1",
                                      "2001:1ff:ffff::1",
                                      "2001:db8::1",
                                      "2002:7f00:1::",
                                      "2002:a00:1::1",
                                      "fc00::1",
                                      "fdff:ffff::1",
                                      "fe80::1",
                                      "febf::1",
                                      "fec0::1",
                                      "ff00::",
                                      "ff02::1",
                                      "::127.0.0.1",
                                      "::10.0.0.1"};
    static const char *const good[] = {
        "1.1.1.1",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.1",       "169.253.255.255", "169.255.0.0",    "172.15.255.255",
        "172.32.0.0",      "192.0.1.0",       "192.167.255.255", "192.169.0.0",    "198.17.255.255",
        "198.20.0.0",      "223.255.255.255", "2606:4700::1",    "2a00::1",        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1"};
    net_addr a;

    (void)state;
    for (size_t i = 0; i < FA_COUNT(bad); i++) {
        assert_true(net_addr_parse(bad[i], &a));
        if (!net_addr_denied(&a))
            fail_msg("%s is let through", bad[i]);
    }
    for (size_t i = 0; i < FA_COUNT(good); i++) {
        assert_true(net_addr_parse(good[i], &a));
        if (net_addr_denied(&a))
            fail_msg("%s is refused", good[i]);
    }
}

static fa_rc send_to(const char *url, fa_err *e)
{
    fa_net *n;
    fa_arena a;
    fa_net_response r;
    fa_net_request q = {.url = url, .tries = 1, .connect_ms = 200, .total_ms = 400};
    fa_rc rc;

    fa_arena_init(&a, 0);
    asked = 0;
    assert_int_equal(fa_net_open(&(fa_net_config){0}, &n, e), FA_OK);
    rc = fa_net_send(n, &a, &q, &r, e);
    fa_net_close(n);
    fa_arena_release(&a);
    return rc;
}

static void one_bad_address_of_several_is_enough(void **state)
{
    static const char *const to[] = {"https://loop.test/", "https://mixed.test/",
                                     "https://mixed6.test/", "https://mapped.test/",
                                     "https://meta.test/latest/meta-data/"};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(to); i++) {
        fa_err e = {0};

        if (send_to(to[i], &e) != FA_EINVAL || !strstr(e.msg, "private"))
            fail_msg("%s: %s", to[i], e.msg);
    }
}

static void a_name_is_resolved_once(void **state)
{
    fa_err e = {0};

    (void)state;
    /* the second answer would be this machine: it is never asked for, whatever the first leads to */
    assert_int_not_equal(send_to("https://rebind.test/", &e), FA_OK);
    assert_int_equal(asked, 1);
    assert_null(strstr(e.msg, "127.0.0.1"));
}

/* Each wrapping of each host that is not for us, in each spelling: none may pass the look at the address itself. */
static void tricky_addresses_are_refused(void **state)
{
    static const char *const host[] = {"127.0.0.1",
                                       "127.1",
                                       "127.0.1",
                                       "2130706433",
                                       "0x7f000001",
                                       "0x7f.0.0.1",
                                       "0177.0.0.1",
                                       "017700000001",
                                       "127.0.0.1.",
                                       "[::1]",
                                       "[::ffff:127.0.0.1]",
                                       "[0:0:0:0:0:0:0:1]",
                                       "[::ffff:7f00:1]",
                                       "169.254.169.254",
                                       "0xa9fea9fe",
                                       "2852039166",
                                       "0251.0376.0251.0376",
                                       "[fd00:ec2::254]",
                                       "[fe80::1]",
                                       "10.0.0.1",
                                       "0x0a000001",
                                       "192.168.1.1",
                                       "[fc00::1]",
                                       "0.0.0.0",
                                       "0",
                                       "[::]",
                                       "user@example.com",
                                       "user:pw@example.com",
                                       "@example.com",
                                       "example.com:8443",
                                       "example.com:80",
                                       "example.com:22",
                                       "example.com:0",
                                       "example.com:65536",
                                       "example.com:-1",
                                       "example.com:443x",
                                       "exa mple.com",
                                       "example.com%00.evil",
                                       "[fe80::1%25eth0]",
                                       "1.1.1.1",
                                       "8.8.8.8",
                                       "[2606:4700::1111]"};
    static const char *const around[] = {"https://%s/",        "https://%s",
                                         "https://%s/a?b=c#d", "HTTPS://%s/",
                                         "https:\\\\%s/",      "https://%s\\@example.com/",
                                         "http://%s/",         " https://%s/",
                                         "https://%s/ ",       "https://%s/\r\nHost: x",
                                         "ftp://%s/",          "https://a@%s/",
                                         "file://%s/",         "gopher://%s/"};
    fa_net *n;
    fa_err e = {0};
    int tried = 0;

    (void)state;
    assert_int_equal(fa_net_open(&(fa_net_config){0}, &n, &e), FA_OK);
    for (size_t i = 0; i < FA_COUNT(host); i++)
        for (size_t k = 0; k < FA_COUNT(around); k++) {
            char url[300];
            const char *at = strstr(around[k], "%s");

            snprintf(url, sizeof url, "%.*s%s%s", (int)(at - around[k]), around[k], host[i],
                     at + 2);
            tried++;
            if (fa_net_check(n, url, &e) == FA_OK)
                fail_msg("%s is let through", url);
        }
    assert_true(tried > 500);
    fa_net_close(n);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(every_reserved_network_is_refused),
        cmocka_unit_test(one_bad_address_of_several_is_enough),
        cmocka_unit_test(a_name_is_resolved_once),
        cmocka_unit_test(tricky_addresses_are_refused),
    };

    return cmocka_run_group_tests(t, NULL, NULL);
}
