/*
 * net_test.c - outgoing requests: whom they may reach, what they bound, what they try again.
 *
 * The other side is a thread of this program that answers each connection with the next line of a script.
 */
#include "net/net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

typedef struct peer {
    const char *const *answer; /* sent as it is; NULL ends; "" closes without a word */
    int fd, port, served;
    char seen[8][4096]; /* the requests' heads */
    pthread_t thread;
} peer;

static void *peer_run(void *arg)
{
    peer *p = arg;

    for (int i = 0; p->answer[i]; i++) {
        int c = accept(p->fd, NULL, NULL);
        size_t n = 0;
        char *head = p->seen[i % 8];

        if (c < 0)
            return NULL;
        while (n < sizeof p->seen[0] - 1) {
            ssize_t k = read(c, head + n, sizeof p->seen[0] - 1 - n);

            if (k <= 0)
                break;
            n += (size_t)k;
            head[n] = '\0';
            if (strstr(head, "\r\n\r\n"))
                break;
        }
        p->served++;
        for (const char *q = p->answer[i]; *q;) {
            ssize_t k = write(c, q, strlen(q));

            if (k <= 0)
                break;
            q += k;
        }
        shutdown(c, SHUT_WR);
        close(c);
    }
    return NULL;
}

static void peer_start(peer *p, const char *const *answer)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;

    *p = (peer){.answer = answer};
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(p->fd >= 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(p->fd, 8), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&a, &n), 0);
    p->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, peer_run, p), 0);
}

static void peer_stop(peer *p)
{
    shutdown(p->fd, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->fd);
}

static fa_net *net_for(const peer *p)
{
    char allow[64];
    fa_net_config c = {.allow = allow, .retry_ms = 1};
    fa_net *n;
    fa_err e = {0};

    snprintf(allow, sizeof allow, "127.0.0.1:%d", p->port);
    if (fa_net_open(&c, &n, &e))
        fail_msg("%s", e.msg);
    return n;
}

static const char *url_of(const peer *p, char out[200], const char *path)
{
    snprintf(out, 200, "http://127.0.0.1:%d%s", p->port, path);
    return out;
}

/* ---- the guard ---- */

static void what_carries_a_secret_goes_home(void **state)
{
    static const struct {
        const char *url;
        bool ok;
    } t[] = {
        {"https://storage.googleapis.com/b", true},
        {"https://googleapis.com/", true},
        {"https://STORAGE.GOOGLEAPIS.COM./", true},
        {"https://a.core.windows.net/", true},
        {"https://minio.house:9000/", true}, /* the operator named it */
        {"https://10.1.2.3:9000/", true},
        {"https://evilgoogleapis.com/", false},
        {"https://googleapis.com.evil.example/", false},
        {"https://evil.example/googleapis.com", false},
        {"https://evil.example/?googleapis.com", false},
        {"https://googleapis.com@evil.example/", false},
        {"https://evil.example\\.googleapis.com/", false},
        {"https://.googleapis.com.evil/", false},
    };
    fa_net *n;
    fa_err e = {0};

    (void)state;
    assert_int_equal(fa_net_open(&(fa_net_config){.allow = "minio.house:9000, 10.0.0.0/8"}, &n, &e),
                     FA_OK);
    for (size_t i = 0; i < FA_COUNT(t); i++)
        if ((fa_net_at_home(n, t[i].url, "googleapis.com|core.windows.net", &e) == FA_OK) !=
            t[i].ok)
            fail_msg("%s", t[i].url);
    fa_net_close(n);
}

static void only_public_https_is_called(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "http://example.com/",
        "https://example.com:8443/",
        "https://user@example.com/",
        "https://user:pw@example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "http://169.254.169.254/",
        "https://[fe80::1%25eth0]/",
        "https://example.com\\@127.0.0.1/",
        "https://exam ple.com/",
        "https://example.com/\r\nX: y",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://8.8.8.8/",
        "javascript:alert(1)",
    };
    static const char *const good[] = {"https://example.com/", "https://example.com:443/a?b=c",
                                       "HTTPS://Example.COM/",
                                       "https://s3.eu-west-1.amazonaws.com/b"};
    fa_net *n;
    fa_err e = {0};

    (void)state;
    assert_int_equal(fa_net_open(&(fa_net_config){0}, &n, &e), FA_OK);
    for (size_t i = 0; i < FA_COUNT(bad); i++)
        if (fa_net_check(n, bad[i], &e) != FA_EINVAL)
            fail_msg("%s is let through", bad[i]);
    for (size_t i = 0; i < FA_COUNT(good); i++)
        if (fa_net_check(n, good[i], &e))
            fail_msg("%s: %s", good[i], e.msg);
    fa_net_close(n);
}

static void names_of_local_networks_are_refused(void **state)
{
    fa_arena a;
    fa_net *n;
    fa_net_response r;
    fa_err e = {0};
    static const char *const to[] = {"https://localhost/", "https://localhost./x"};

    (void)state;
    fa_arena_init(&a, 0);
    assert_int_equal(fa_net_open(&(fa_net_config){0}, &n, &e), FA_OK);
    for (size_t i = 0; i < FA_COUNT(to); i++) {
        fa_net_request q = {.url = to[i]};

        assert_int_equal(fa_net_send(n, &a, &q, &r, &e), FA_EINVAL);
        assert_non_null(strstr(e.msg, "private"));
        assert_non_null(strstr(e.hint, "--allow-host"));
    }
    fa_net_close(n);
    fa_arena_release(&a);
}

static void the_operators_list_is_exact(void **state)
{
    static const struct {
        const char *allow, *url;
        bool ok;
    } t[] = {
        {"127.0.0.1:9000", "http://127.0.0.1:9000/x", true},
        {"127.0.0.1:9000", "http://127.0.0.1:9001/x", false},
        {"127.0.0.1:9000", "http://localhost:9000/x", false},
        {"minio.local", "http://minio.local:1/x", true},
        {"minio.local", "http://MINIO.local/x", true},
        {"minio.local", "http://minio.local.evil.com/x", false},
        {" a.b , [::1]:80", "http://[::1]/", true},
        {"::1", "http://[::1]:8080/", true},
        {"10.0.0.0/8", "http://10.1.2.3:9000/", true},
        {"10.0.0.0/8", "http://11.1.2.3:9000/", false},
        {"127.0.0.0/30", "http://127.0.0.3/", true},
        {"127.0.0.0/30", "http://127.0.0.4/", false},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_net *n;
        fa_err e = {0};

        if (fa_net_open(&(fa_net_config){.allow = t[i].allow}, &n, &e))
            fail_msg("%s: %s", t[i].allow, e.msg);
        if ((fa_net_check(n, t[i].url, &e) == FA_OK) != t[i].ok)
            fail_msg("%s with %s", t[i].url, t[i].allow);
        fa_net_close(n);
    }
}

static void a_malformed_list_is_refused(void **state)
{
    static const char *const bad[] = {"a b", "host:0", "host:x", "10.0.0.0/33",
                                      "x/8", "*",      "u@h",    "10.0.0.0/"};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(bad); i++) {
        fa_net *n;
        fa_err e = {0};

        if (fa_net_open(&(fa_net_config){.allow = bad[i]}, &n, &e) != FA_EINVAL)
            fail_msg("\"%s\" is taken", bad[i]);
    }
}

/* ---- answers ---- */

static void an_answer_has_status_headers_body(void **state)
{
    static const char *const say[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag:  \"abc\" \r\nx-Thing: 1\r\n\r\nhello",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", NULL};
    peer p;
    fa_arena a;
    fa_net_response r;
    fa_err e = {0};
    char url[200];
    const char *const headers[] = {"Authorization: Bearer s3cr3t-canary"};
    fa_net_request q = {.header = headers, .nheader = 1};
    fa_net *n;

    (void)state;
    fa_arena_init(&a, 0);
    peer_start(&p, say);
    n = net_for(&p);
    q.url = url_of(&p, url, "/a?sig=s3cr3t-canary#frag");
    assert_int_equal(fa_net_send(n, &a, &q, &r, &e), FA_OK);
    assert_int_equal(r.status, 200);
    assert_true(fa_str_eqz(r.body, "hello"));
    assert_true(fa_str_eqz(fa_net_header(&r, "etag"), "\"abc\""));
    assert_true(fa_str_eqz(fa_net_header(&r, "X-THING"), "1"));
    assert_null(fa_net_header(&r, "thing").p);
    assert_int_equal(fa_net_judge(&r, "it", &e), FA_OK);
    assert_int_equal(fa_net_send(n, &a, &q, &r, &e), FA_OK);
    assert_int_equal(r.status, 404);
    assert_true(fa_str_eqz(r.body, "nope"));
    assert_int_equal(fa_net_judge(&r, "it", &e), FA_ENOTFOUND);
    peer_stop(&p);
    assert_non_null(strstr(p.seen[0], "GET /a?sig=s3cr3t-canary HTTP/1.1"));
    assert_non_null(strstr(p.seen[0], "Authorization: Bearer s3cr3t-canary"));
    fa_net_close(n);
    fa_arena_release(&a);
}

static fa_rc one(const char *const *say, fa_net_request *q, fa_net_response *r, fa_arena *a,
                 int *served, fa_err *e)
{
    peer p;
    char url[200];
    fa_net *n;
    fa_rc rc;

    peer_start(&p, say);
    n = net_for(&p);
    q->url = url_of(&p, url, "/x");
    rc = fa_net_send(n, a, q, r, e);
    peer_stop(&p);
    *served = p.served;
    fa_net_close(n);
    return rc;
}

static void what_may_pass_is_tried_again(void **state)
{
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
#define SLOW "HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
#define FINE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SHORT "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf"
#define NO "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"
    static const struct {
        const char *name, *method;
        const char *say[5];
        int status, served;
        fa_rc rc;
    } t[] = {
        {"503 then fine", NULL, {BUSY, FINE}, 200, 2, FA_OK},
        {"429 with Retry-After", NULL, {SLOW, SLOW, FINE}, 200, 3, FA_OK},
        {"cut off", NULL, {SHORT, FINE}, 200, 2, FA_OK},
        {"nothing said", NULL, {"", FINE}, 200, 2, FA_OK},
        {"403 is final", NULL, {NO, FINE}, 403, 1, FA_OK},
        {"a POST goes once", "POST", {BUSY, FINE}, 503, 1, FA_OK},
        {"three tries", NULL, {BUSY, BUSY, BUSY}, 503, 3, FA_OK},
        {"cut off for good", NULL, {SHORT, SHORT, SHORT}, 0, 3, FA_EENV},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_arena a;
        fa_net_response r;
        fa_err e = {0};
        fa_net_request q = {.method = t[i].method, .tries = t[i].method ? 0 : 3};
        int served = 0;
        fa_rc rc;

        fa_arena_init(&a, 0);
        rc = one(t[i].say, &q, &r, &a, &served, &e);
        if (rc != t[i].rc || served != t[i].served || (!rc && r.status != t[i].status))
            fail_msg("%s: rc %d, status %d, %d calls (%s)", t[i].name, rc, r.status, served, e.msg);
        fa_arena_release(&a);
    }
}

static void a_body_stays_within_its_bound(void **state)
{
    static const char *const say[] = {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
                                      NULL},
                             *const error[] = {
                                 "HTTP/1.1 400 No\r\nContent-Length: 10\r\n\r\n0123456789", NULL};
    fa_arena a;
    fa_net_response r;
    fa_err e = {0};
    fa_net_request q = {.max_body = 9};
    int served;

    (void)state;
    fa_arena_init(&a, 0);
    assert_int_equal(one(say, &q, &r, &a, &served, &e), FA_ETOOBIG);
    q.max_body = 10;
    assert_int_equal(one(say, &q, &r, &a, &served, &e), FA_OK);
    q.max_body = 4;
    assert_int_equal(one(error, &q, &r, &a, &served, &e), FA_OK);
    assert_int_equal(r.status, 400);
    assert_true(r.cut && fa_str_eqz(r.body, "0123"));
    fa_arena_release(&a);
}

static void a_file_takes_only_the_wanted_status(void **state)
{
    static const char *const part[] = {"HTTP/1.1 206 Part\r\nContent-Length: 3\r\n\r\nabc", NULL},
                             *const whole[] = {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nxyz",
                                               NULL};
    char path[] = "/tmp/farthing-net.XXXXXX", got[16] = {0};
    int fd = mkstemp(path), served;
    fa_arena a;
    fa_net_response r;
    fa_err e = {0};
    fa_net_request q = {.sink_fd = fd, .sink_at = 2, .sink_status = 206, .sink_max = 3};

    (void)state;
    assert_true(fd > 0);
    fa_arena_init(&a, 0);
    assert_int_equal(write(fd, "12", 2), 2);
    assert_int_equal(one(part, &q, &r, &a, &served, &e), FA_OK);
    assert_int_equal(r.bytes, 3);
    assert_int_equal(one(whole, &q, &r, &a, &served, &e), FA_OK);
    assert_int_equal(r.bytes, 0);
    assert_int_equal(pread(fd, got, sizeof got, 0), 5);
    assert_string_equal(got, "12abc");
    q.sink_max = 2;
    assert_int_equal(one(part, &q, &r, &a, &served, &e), FA_ETOOBIG);
    close(fd);
    unlink(path);
    fa_arena_release(&a);
}

static void redirects_stay_on_the_host(void **state)
{
    static const char *const
        same[] = {"HTTP/1.1 302 Go\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", FINE, NULL},
        *const other[] =
            {"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n", NULL},
        *const meta[] = {
            "HTTP/1.1 307 Go\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
            NULL};
    const char *const secret[] = {"authorization: x"};
    fa_arena a;
    fa_net_response r;
    fa_err e = {0};
    fa_net_request q = {0};
    int served;

    (void)state;
    fa_arena_init(&a, 0);
    assert_int_equal(one(same, &q, &r, &a, &served, &e),
                     FA_OK); /* not asked for: the 302 is the answer */
    assert_int_equal(r.status, 302);
    q.redirects = 3;
    assert_int_equal(one(same, &q, &r, &a, &served, &e), FA_OK);
    assert_int_equal(r.status, 200);
    assert_int_equal(one(other, &q, &r, &a, &served, &e), FA_EINVAL);
    assert_int_equal(one(meta, &q, &r, &a, &served, &e), FA_EINVAL);
    q.header = secret;
    q.nheader = 1;
    assert_int_equal(one(same, &q, &r, &a, &served, &e), FA_OK);
    assert_int_equal(r.status, 302);
    q.redirect_with_credentials = true;
    assert_int_equal(one(same, &q, &r, &a, &served, &e), FA_OK);
    assert_int_equal(r.status, 200);
    fa_arena_release(&a);
}

static void a_cancelled_request_is_not_sent(void **state)
{
    static const char *const say[] = {NULL};
    volatile bool cancel = true;
    fa_arena a;
    fa_net_response r;
    fa_err e = {0};
    fa_net_request q = {.cancel = &cancel};
    int served;

    (void)state;
    fa_arena_init(&a, 0);
    assert_int_equal(one(say, &q, &r, &a, &served, &e), FA_ECANCELLED);
    assert_int_equal(served, 0);
    fa_arena_release(&a);
}

static void a_signed_request_names_its_scope(void **state)
{
    static const char *const say[] = {FINE, NULL};
    const fa_net_sign sign = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", "tok-1", "eu-central-1",
                              "s3"};
    peer p;
    fa_arena a;
    fa_net_response r;
    fa_err e = {0};
    char url[200];
    fa_net_request q = {.sign = &sign};
    fa_net *n;

    (void)state;
    fa_arena_init(&a, 0);
    peer_start(&p, say);
    n = net_for(&p);
    q.url = url_of(&p, url, "/b/k%3D1?list-type=2");
    assert_int_equal(fa_net_send(n, &a, &q, &r, &e), FA_OK);
    peer_stop(&p);
    assert_non_null(strstr(p.seen[0], "Credential=AKIDEXAMPLE/"));
    assert_non_null(strstr(p.seen[0], "/eu-central-1/s3/aws4_request"));
    assert_non_null(strstr(p.seen[0], "x-amz-security-token: tok-1"));
    assert_non_null(strcasestr(p.seen[0], "x-amz-content-sha256"));
    assert_null(strstr(p.seen[0], "wJalrXUtnFEMI"));
    fa_net_close(n);
    fa_arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(only_public_https_is_called),
        cmocka_unit_test(what_carries_a_secret_goes_home),
        cmocka_unit_test(names_of_local_networks_are_refused),
        cmocka_unit_test(the_operators_list_is_exact),
        cmocka_unit_test(a_malformed_list_is_refused),
        cmocka_unit_test(an_answer_has_status_headers_body),
        cmocka_unit_test(what_may_pass_is_tried_again),
        cmocka_unit_test(a_body_stays_within_its_bound),
        cmocka_unit_test(a_file_takes_only_the_wanted_status),
        cmocka_unit_test(redirects_stay_on_the_host),
        cmocka_unit_test(a_cancelled_request_is_not_sent),
        cmocka_unit_test(a_signed_request_names_its_scope),
    };

    return cmocka_run_group_tests(t, NULL, NULL);
}
