/*
 * saml_test.c - the SAML verifier from inside: its sandbox, what becomes a tree, times to the second, certificates.
 *
 * Messages of a real identity provider and forged ones are in test/peer/saml_test.py.
 */
#include "saml/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

/* ---- the sandbox ---- */

static void try_open(void)
{
    (void)!open("/etc/passwd", O_RDONLY);
}

static void try_socket(void)
{
    (void)socket(AF_INET, SOCK_STREAM, 0);
}

static void try_exec(void)
{
    (void)execl("/bin/true", "true", (char *)NULL);
}

static void try_fork(void)
{
    (void)fork();
}

static void try_code(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static void try_kill(void)
{
    (void)kill(getppid(), 0);
}

static void try_ptrace(void)
{
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void try_unlink(void)
{
    (void)unlink("/tmp/farthing-saml-nothing");
}

static void try_read_other(void)
{
    char c;

    (void)!read(5, &c, 1);
}

static void work(void)
{
    char *p = malloc(1 << 20);
    unsigned char b[16];

    if (!p)
        _exit(1);
    memset(p, 1, 1 << 20);
    free(p);
    fa_random(b, sizeof b);
    (void)fa_now_ms();
}

/* How a child ends that tries something behind the sandbox: the signal, or 0 when it went on. */
static int ending(void (*attempt)(void))
{
    int status = 0;
    fa_err e;
    pid_t pid = fork();

    if (pid == 0) {
        if (fa_saml_sandbox(&e))
            _exit(99);
        attempt();
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    assert_int_equal(WEXITSTATUS(status), 0);
    return 0;
}

static void the_sandbox_kills_at_the_first_step_outside(void **state)
{
    void (*const bad[])(void) = {try_open, try_socket, try_exec,   try_fork,      try_code,
                                 try_kill, try_ptrace, try_unlink, try_read_other};

    (void)state;
    if (SANITIZED)
        skip(); /* a sanitized program could not live in it */
    fa_random(&(char){0}, 1);
    assert_int_equal(ending(work), 0);
    for (size_t i = 0; i < FA_COUNT(bad); i++)
        assert_int_equal(ending(bad[i]), SIGSYS);
}

/* ---- trees ---- */

static const char *read_word(const char *xml)
{
    static char word[160];
    xmlDoc *doc = NULL;
    fa_err e = {0};
    fa_rc rc = fa_tree_read(fa_str_of(xml), false, &doc, &e);

    xmlFreeDoc(doc);
    snprintf(word, sizeof word, "%s", rc ? e.field : "");
    assert_true(!rc == (doc != NULL));
    return word;
}

static void what_is_dangerous_never_becomes_a_tree(void **state)
{
    static const struct {
        const char *xml, *word;
    } row[] = {
        {"<a/>", ""},
        {"<a b='1'>x &amp; &#65;</a>", ""},
        {"<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>", ""},
        {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>", "encoding"},
        {"<?xml version=\"1.1\"?><a/>", "not_xml"},
        {"", "not_xml"},
        {"<a>", "not_xml"},
        {"<a/><b/>", "not_xml"},
        {"<a b='1' b='2'/>", "not_xml"},
        {"<p:a/>", "not_xml"},
        {"<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>", "not_xml"},
        {"<a>&b;</a>", "not_xml"},
        {"<!DOCTYPE a><a/>", "doctype"},
        {"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "doctype"},
        {"<a><!-- c --></a>", "comment"},
        {"<a><![CDATA[x]]></a>", "cdata"},
        {"<a><?p?></a>", "instruction"},
        {"<a ID='1'><b ID='1'/></a>", "id"},
        {"<a ID='1'><b Id='1'/></a>", "id"},
        {"<a xml:id='1'/>", "id"},
        {"<a ID=''/>", "id"},
        {"<a xmlns='x'/>", "namespace"},
        {"<a xmlns:b='1'/>", "namespace"},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(row); i++)
        if (strcmp(read_word(row[i].xml), row[i].word) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", row[i].xml, read_word(row[i].xml), row[i].word);
    assert_string_equal(read_word("\xff<a/>"), "encoding");
}

static void bounds_are_what_they_say(void **state)
{
    fa_buf b;
    xmlDoc *doc;
    fa_err e;

    (void)state;
    for (int depth = FA_SAML_DEPTH_MAX; depth <= FA_SAML_DEPTH_MAX + 1; depth++) {
        fa_buf_init(&b, 0);
        for (int i = 0; i < depth; i++)
            fa_buf_z(&b, "<a>");
        for (int i = 0; i < depth; i++)
            fa_buf_z(&b, "</a>");
        assert_string_equal(read_word(b.p), depth > FA_SAML_DEPTH_MAX ? "too_deep" : "");
        fa_buf_release(&b);
    }
    for (int n = FA_SAML_NODES_MAX - 1; n <= FA_SAML_NODES_MAX; n++) {
        fa_buf_init(&b, 0);
        fa_buf_z(&b, "<a>");
        for (int i = 0; i < n; i++)
            fa_buf_z(&b, "<b/>");
        fa_buf_z(&b, "</a>");
        assert_string_equal(read_word(b.p), n == FA_SAML_NODES_MAX ? "too_many_nodes" : "");
        fa_buf_release(&b);
    }
    fa_buf_init(&b, 0);
    fa_buf_z(&b, "<a>");
    while (b.n < FA_SAML_XML_MAX - 4)
        fa_buf_c(&b, ' ');
    fa_buf_z(&b, "</a>");
    assert_int_equal(b.n, FA_SAML_XML_MAX);
    assert_string_equal(read_word(b.p), "");
    fa_buf_c(&b, '\n');
    assert_string_equal(read_word(b.p), "too_large");
    fa_buf_release(&b);
    /* metadata may have comments, and nothing else more */
    assert_int_equal(fa_tree_read(FA_STR("<a><!-- c --></a>"), true, &doc, &e), FA_OK);
    xmlFreeDoc(doc);
    assert_int_equal(fa_tree_read(FA_STR("<a><?c?></a>"), true, &doc, &e), FA_EAUTH);
}

static void times_are_utc(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: not a time */
    } row[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-25T03:04:05Z", 1795575845000},
        {"2026-11-25T03:04:05.5Z", 1795575845500},
        {"2026-11-25T03:04:05.123456789Z", 1795575845123},
        {"2024-02-29T23:59:59Z", 1709251199000},
        {"2023-02-29T00:00:00Z", -1},
        {"2026-11-25T24:00:00Z", -1},
        {"2026-11-25T03:04:05", -1},
        {"2026-11-25T03:04:05+01:00", -1},
        {"2026-11-25T03:04:05.Z", -1},
        {"2026-11-25 03:04:05Z", -1},
        {"2026-11-25T03:04:0xZ", -1},
        {"", -1},
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < FA_COUNT(row); i++) {
        bool ok = fa_tree_time(fa_str_of(row[i].text), &ms);

        if (ok != (row[i].ms >= 0) || (ok && ms != row[i].ms))
            fail_msg("%s", row[i].text);
    }
}

static void base64_is_strict(void **state)
{
    static const char *const good[][2] = {
        {"", ""},          {"Zg==", "f"},        {"Zm8=", "fo"},
        {"Zm9v", "foo"},   {"Zm9vYg==", "foob"}, {"Zm9v\nYmFy", "foobar"},
        {" Z g = = ", "f"}}; /* RFC 4648, 10 */
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zm8", "Zg===", "=", "Zg==Zg==", "Z-8=", "Zm9v="};
    fa_arena a = {0};
    fa_str out;

    (void)state;
    for (size_t i = 0; i < FA_COUNT(good); i++) {
        assert_true(fa_base64(&a, fa_str_of(good[i][0]), &out));
        assert_true(fa_str_eqz(out, good[i][1]));
    }
    for (size_t i = 0; i < FA_COUNT(bad); i++)
        if (fa_base64(&a, fa_str_of(bad[i]), &out))
            fail_msg("%s", bad[i]);
    fa_arena_release(&a);
}

/* ---- the clock's skew, to the millisecond ---- */

static fa_rc claims_at(int64_t now, fa_err *e)
{
    static const char xml[] =
        "<saml:Assertion xmlns:saml=\"" NS_SAML "\" ID=\"_a\" Version=\"2.0\" "
        "IssueInstant=\"2026-11-25T00:00:00Z\"><saml:Issuer>urn:i</saml:Issuer><saml:Subject>"
        "<saml:NameID>n</saml:NameID><saml:SubjectConfirmation "
        "Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"><saml:SubjectConfirmationData "
        "Recipient=\"https://s/acs\" NotOnOrAfter=\"2026-11-25T00:05:00Z\" "
        "InResponseTo=\"_r\"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions "
        "NotBefore=\"2026-11-25T00:00:00Z\" NotOnOrAfter=\"2026-11-25T00:05:00Z\">"
        "<saml:AudienceRestriction><saml:Audience>https://other</saml:Audience>"
        "<saml:Audience>https://s</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
        "<saml:AuthnStatement AuthnInstant=\"2026-11-25T00:00:00Z\"/></saml:Assertion>";
    json_t *q = json_pack("{s:I, s:s, s:{s:s, s:s}, s:{s:s}}", "now", (json_int_t)now, "expect",
                          "_r", "sp", "entityId", "https://s", "acs", "https://s/acs", "idp",
                          "entityId", "urn:i"),
           *out = json_object();
    fa_rc rc = fa_claims_read(fa_str_of(xml), q, out, e);

    if (!rc) {
        assert_string_equal(json_string_value(json_object_get(out, "nameId")), "n");
        assert_int_equal(json_integer_value(json_object_get(out, "expires")), 1795565100000);
    }
    json_decref(out);
    json_decref(q);
    return rc;
}

static void clocks_may_be_sixty_seconds_apart(void **state)
{
    const int64_t from = 1795564800000 /* 2026-11-25T00:00:00Z */, to = from + 300000;
    fa_err e = {0};

    (void)state;
    assert_int_equal(claims_at(from, &e), FA_OK);
    assert_int_equal(claims_at(from - 60000, &e), FA_OK);
    assert_int_equal(claims_at(from - 60001, &e), FA_EAUTH);
    assert_string_equal(e.field, "not_yet");
    assert_int_equal(claims_at(to - 1, &e), FA_OK);
    assert_int_equal(claims_at(to + 59999, &e), FA_OK);
    assert_int_equal(claims_at(to + 60000, &e), FA_EAUTH);
    assert_string_equal(e.field, "expired");
}

/* ---- our own key pair ---- */

static void a_key_pair_of_ours_is_a_certificate_that_can_be_pinned(void **state)
{
    fa_str key, cert;
    fa_saml_cert c;
    fa_saml_idp idp = {0};
    fa_arena a = {0};
    fa_err e = {0};
    fa_buf two = {0}, metadata = {0};
    xmlDoc *doc;

    (void)state;
    assert_int_equal(fa_saml_key_make(&a, "Farthing: a & b", &key, &cert, &e), FA_OK);
    assert_true(fa_str_starts(key, FA_STR("-----BEGIN PRIVATE KEY-----")));
    assert_int_equal(fa_saml_cert_read(&a, cert, &c, &e), FA_OK);
    assert_true(fa_str_eqz(c.subject, "CN=Farthing: a & b"));
    assert_true(fa_str_eqz(c.key, "RSA 3072"));
    assert_int_equal((c.to_ms - c.from_ms) / 86400000, 3650);
    fa_buf_fmt(&two, "%.*s\n\n-----BEGIN CERTIFICATE-----\n%.*s\n-----END CERTIFICATE-----\n",
               FA_FMT(cert), FA_FMT(cert));
    assert_int_equal(fa_saml_certs_read(&a, fa_buf_view(&two), &idp, &e), FA_OK);
    assert_int_equal(idp.ncert, 1); /* the same one twice */
    assert_int_equal(fa_saml_certs_read(&a, FA_STR("  "), &idp, &e), FA_EDATA);
    fa_saml_metadata(&metadata, &(fa_saml_sp){.entity_id = FA_STR("https://s/?a&b\"<"),
                                              .acs_url = FA_STR("https://s/acs"),
                                              .slo_url = FA_STR("https://s/slo"),
                                              .cert = cert});
    assert_int_equal(fa_tree_read(fa_buf_view(&metadata), false, &doc, &e), FA_OK);
    assert_true(
        fa_str_eqz(fa_tree_attribute(xmlDocGetRootElement(doc), "entityID"), "https://s/?a&b\"<"));
    xmlFreeDoc(doc);
    fa_buf_release(&metadata);
    fa_buf_release(&two);
    fa_arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sandbox_kills_at_the_first_step_outside),
        cmocka_unit_test(what_is_dangerous_never_becomes_a_tree),
        cmocka_unit_test(bounds_are_what_they_say),
        cmocka_unit_test(times_are_utc),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(clocks_may_be_sixty_seconds_apart),
        cmocka_unit_test(a_key_pair_of_ours_is_a_certificate_that_can_be_pinned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
