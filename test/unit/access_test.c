/*
 * access_test.c - tokens, sessions, sign-in, passwords, guessing: with the clock in our hand.
 *
 * FARTHING_NOW_MS sets the clock the product reads; fa_guess_* take it as an argument.
 */
#include "access/internal.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

#define NOW 1800000000000LL
#define DAY 86400000LL

typedef struct fixture {
    char dir[256];
    fa_ledger *l;
    fa_arena a;
    fa_caller admin;
    fa_str link;
} fixture;

static void set_now(int64_t ms)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)ms);
    setenv("FARTHING_NOW_MS", text, 1);
}

static void must(fa_rc rc, const fa_err *e)
{
    if (rc)
        fail_msg("rc %d: %s", (int)rc, e->msg);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    const char *tmp = getenv("FARTHING_TMP");
    fa_ledger_options o = {.create = true, .memory_bytes = (size_t)256 << 20};
    char data[300];
    fa_err e = {0};

    assert_non_null(f);
    assert_true(sodium_init() >= 0);
    set_now(NOW);
    snprintf(f->dir, sizeof f->dir, "%s/access.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(data, sizeof data, "%s/data", f->dir);
    o.dir = data;
    must(fa_ledger_open(&o, &f->l, &e), &e);
    fa_arena_init(&f->a, 0);
    f->admin = fa_caller_system(f->l);
    fa_guess_forget();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    fa_err e = {0};

    fa_ledger_close(f->l);
    fa_arena_release(&f->a);
    must(fa_remove_tree(f->dir, &e), &e);
    free(f);
    unsetenv("FARTHING_NOW_MS");
    return 0;
}

/* ---- the calls of every test, from one browser ---- */

static fa_rc check_token(fixture *f, fa_str id, fa_str secret, fa_caller *out, fa_err *e)
{
    return fa_token_check(f->l, &f->a, id, secret, FA_STR("127.0.0.1"), FA_STR("GET /test"), out,
                          e);
}

static fa_rc by_link(fixture *f, fa_str link, fa_str password, fa_str agent, fa_str ip,
                     fa_str *session, fa_err *e)
{
    fa_browser b = {.agent = agent, .ip = ip};
    fa_signed_in in;
    fa_rc rc = fa_signin_link(f->l, &f->a, link, password, &b, &in, e);

    *session = in.session;
    return rc;
}

static fa_rc by_password(fixture *f, fa_str email, fa_str password, fa_str agent, fa_str ip,
                         fa_str *session, fa_err *e)
{
    fa_browser b = {.agent = agent, .ip = ip};
    fa_signed_in in;
    fa_rc rc = fa_signin_password(f->l, &f->a, email, password, &b, &in, e);

    *session = in.session;
    return rc;
}

static fa_rc check_session(fixture *f, fa_str session, fa_caller *out, fa_err *e)
{
    return fa_session_check(f->l, &f->a, session, FA_STR("127.0.0.1"), out, NULL, e);
}

/* ---- roles ---- */

static void roles_follow_the_table(void **state)
{
    (void)state;
    assert_true(fa_role_has(FA_STR("admin"), FA_PERM_TOKENS_ACCOUNT_MANAGE));
    assert_true(fa_role_has(FA_STR("basic"), FA_PERM_VIEWS_MANAGE));
    assert_false(fa_role_has(FA_STR("basic"), FA_PERM_TOKENS_ACCOUNT_MANAGE));
    assert_false(fa_role_has(FA_STR("basic"), FA_PERM_COSTCENTERS_CREATE));
    assert_true(fa_role_has(FA_STR("read-only"), FA_PERM_COST_QUERY));
    assert_false(fa_role_has(FA_STR("read-only"), FA_PERM_COST_EXPORT));
    assert_false(fa_role_has(FA_STR("read-only"), FA_PERM_VIEWS_MANAGE));
    assert_true(fa_role_has(FA_STR("api-token"), FA_PERM_COST_QUERY));
    assert_true(fa_role_has(FA_STR("api-token"), FA_PERM_VIEWS_VIEW));
    assert_false(fa_role_has(FA_STR("api-token"), FA_PERM_VIEWS_MANAGE));
    assert_false(fa_role_has(FA_STR("nobody"), FA_PERM_SELF));
    assert_false(fa_role_exists(FA_STR("Admin")));
}

static void nobody_may_nothing_but_public(void **state)
{
    fa_caller none = {0};

    (void)state;
    assert_true(fa_caller_may(&none, FA_PERM_PUBLIC));
    for (int p = FA_PERM_SELF; p < FA_PERM__COUNT; p++)
        assert_false(fa_caller_may(&none, (fa_perm)p));
}

/* ---- secrets ---- */

static void secrets_have_a_form(void **state)
{
    char one[FA_SECRET_MAX], two[FA_SECRET_MAX], bad[FA_SECRET_MAX];

    (void)state;
    fa_secret_token(one);
    fa_secret_token(two);
    assert_int_equal(strlen(one), 53);
    assert_int_equal(strncmp(one, "fsk_", 4), 0);
    assert_string_not_equal(one, two);
    assert_true(fa_secret_form(fa_str_of(one)));
    memcpy(bad, one, sizeof bad);
    bad[10] = bad[10] == 'A' ? 'B' : 'A';
    assert_false(fa_secret_form(fa_str_of(bad)));
}

/* BLAKE2b-256 of "abc", from Python: hashlib.blake2b(b"abc", digest_size=32). */
static void secrets_are_hashed_with_blake2b(void **state)
{
    char hash[65];

    (void)state;
    fa_secret_hash(FA_STR("abc"), hash);
    assert_string_equal(hash, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

/* ---- tokens ---- */

static fa_new_token make_token(fixture *f, const char *role, int64_t expires)
{
    fa_new_token t;
    fa_err e = {0};

    must(fa_token_create(f->l, &f->a, &f->admin, FA_STR("test"), fa_str_of(role), expires, &t, &e),
         &e);
    return t;
}

static void a_token_opens_and_only_its_own_secret_does(void **state)
{
    fixture *f = *state;
    fa_new_token one = make_token(f, "api-token", -1), two = make_token(f, "admin", -1);
    fa_caller c;
    fa_err e = {0};

    must(check_token(f, one.client_id, one.secret, &c, &e), &e);
    assert_int_equal(c.kind, FA_CALLER_TOKEN);
    assert_true(fa_str_eqz(c.role, "api-token"));
    assert_true(fa_str_eq(c.account, fa_ledger_account(f->l)));
    assert_int_equal(check_token(f, one.client_id, two.secret, &c, &e), FA_EAUTH);
    assert_int_equal(check_token(f, two.client_id, one.secret, &c, &e), FA_EAUTH);
    assert_int_equal(check_token(f, one.client_id, FA_STR(""), &c, &e), FA_EAUTH);
    assert_int_equal(check_token(f, FA_STR("nobody"), one.secret, &c, &e), FA_EAUTH);
    assert_int_equal(c.kind, FA_CALLER_NONE);
}

static void every_refusal_of_a_token_says_the_same(void **state)
{
    fixture *f = *state;
    fa_new_token revoked = make_token(f, "api-token", -1);
    fa_new_token expiring = make_token(f, "api-token", NOW + DAY);
    fa_caller c;
    fa_err wrong = {0}, gone = {0}, old = {0};

    assert_int_equal(check_token(f, revoked.client_id, FA_STR("fsk_x"), &c, &wrong), FA_EAUTH);
    must(fa_token_revoke(fa_ledger_store(f->l), fa_ledger_account(f->l), revoked.id, NOW, &gone),
         &gone);
    assert_int_equal(check_token(f, revoked.client_id, revoked.secret, &c, &gone), FA_EAUTH);
    must(check_token(f, expiring.client_id, expiring.secret, &c, &old), &old);
    set_now(NOW + DAY);
    assert_int_equal(check_token(f, expiring.client_id, expiring.secret, &c, &old), FA_EAUTH);
    assert_string_equal(wrong.msg, gone.msg);
    assert_string_equal(wrong.msg, old.msg);
}

static void a_token_shows_when_it_was_used(void **state)
{
    fixture *f = *state;
    fa_new_token t = make_token(f, "api-token", -1);
    fa_token *list;
    fa_caller c;
    fa_err e = {0};
    size_t n;

    must(fa_token_list(fa_ledger_store(f->l), &f->a, fa_ledger_account(f->l), &list, &n, &e), &e);
    assert_int_equal(n, 1);
    assert_true(list[0].last_used_ms == -1);
    assert_true(list[0].secret_hash.n == 64);
    set_now(NOW + 5000);
    must(check_token(f, t.client_id, t.secret, &c, &e), &e);
    must(fa_token_list(fa_ledger_store(f->l), &f->a, fa_ledger_account(f->l), &list, &n, &e), &e);
    assert_true(list[0].last_used_ms == NOW + 5000);
}

static void a_token_needs_a_description_a_role_and_a_future(void **state)
{
    fixture *f = *state;
    fa_new_token t;
    fa_err e = {0};
    char longer[202];

    memset(longer, 'a', sizeof longer - 1);
    longer[201] = '\0';
    assert_int_equal(
        fa_token_create(f->l, &f->a, &f->admin, FA_STR("  "), FA_STR("admin"), -1, &t, &e),
        FA_EINVAL);
    assert_string_equal(e.field, "description");
    assert_int_equal(
        fa_token_create(f->l, &f->a, &f->admin, fa_str_of(longer), FA_STR("admin"), -1, &t, &e),
        FA_EINVAL);
    assert_int_equal(
        fa_token_create(f->l, &f->a, &f->admin, FA_STR("x"), FA_STR("king"), -1, &t, &e),
        FA_EINVAL);
    assert_string_equal(e.field, "role");
    assert_int_equal(
        fa_token_create(f->l, &f->a, &f->admin, FA_STR("x"), FA_STR("admin"), NOW - 1, &t, &e),
        FA_EINVAL);
}

static void nobody_gives_more_than_he_has(void **state)
{
    fixture *f = *state;
    fa_caller basic = {.kind = FA_CALLER_USER, .roles = FA_STR("basic"), .email = FA_STR("b@x.y")};
    fa_new_token t;
    fa_err e = {0};

    must(fa_roles_perms(f->l, &f->a, basic.roles, &basic.perms, NULL, &e), &e);
    assert_int_equal(fa_token_create(f->l, &f->a, &basic, FA_STR("x"), FA_STR("admin"), -1, &t, &e),
                     FA_EFORBIDDEN);
    must(fa_token_create(f->l, &f->a, &basic, FA_STR("x"), FA_STR("api-token"), -1, &t, &e), &e);
}

/* ---- passwords ---- */

static void passwords_are_argon2id_with_the_agreed_cost(void **state)
{
    fixture *f = *state;
    fa_str stored;
    bool ok, weak;
    fa_err e = {0};

    must(fa_password_hash(&f->a, FA_STR("a fairly long phrase"), &stored, &e), &e);
    assert_true(fa_str_starts(stored, FA_STR("$argon2id$v=19$m=65536,t=3,p=1$")));
    must(fa_password_verify(FA_STR("a fairly long phrase"), stored, &ok, &weak, &e), &e);
    assert_true(ok);
    assert_false(weak);
    must(fa_password_verify(FA_STR("A fairly long phrase"), stored, &ok, &weak, &e), &e);
    assert_false(ok);
    must(fa_password_verify(FA_STR("anything"), (fa_str){0}, &ok, &weak, &e), &e);
    assert_false(ok);
}

static void an_older_hash_is_found_weak(void **state)
{
    char old[crypto_pwhash_STRBYTES];
    bool ok, weak;
    fa_err e = {0};

    (void)state;
    assert_int_equal(crypto_pwhash_str_alg(old, "x", 1, 1, 8u << 20, crypto_pwhash_ALG_ARGON2ID13),
                     0);
    must(fa_password_verify(FA_STR("x"), fa_str_of(old), &ok, &weak, &e), &e);
    assert_true(ok);
    assert_true(weak);
}

static void password_rules(void **state)
{
    static const struct {
        const char *password;
        bool ok;
    } t[] = {
        {"short", false},
        {"fourteen chars", false},
        {"vellum otter quay", true},
        {"zebra-Klavier-7-mond", true},
        {"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4 regnet es noch", true},
        {"passwordpassword", false},
        {"Password1234567!", false},
        {"p@ssw0rd!p@ssw0rd!", false},
        {"qwertyuiopasdfgh", false},
        {"1qaz2wsx3edc4rfv", false},
        {"123456789012345678", false},
        {"aaaaaaaaaaaaaaaa", false},
        {"abcabcabcabcabcabc", false},
        {"letmeinletmein2026", false},
        {"iloveyouforever!!!", false},
        {"correct horse battery staple", false},
        {"farthing-admin-2026", false},
        {"FinoutFinout2026!", false},
        {"83501947264019375582", true}, /* twenty digits: past what is tried by hand */
        {"abcdefghijklmnopqrst", false},
        {"juliette2026corp!", false}, /* name and company of the user */
    };
    const fa_str own[] = {FA_STR("juliette"), FA_STR("corp")};
    fa_err e = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_rc rc = fa_password_rules(fa_str_of(t[i].password), FA_PASSWORD_MIN_CHARS, own, 2, &e);

        if ((rc == FA_OK) != t[i].ok)
            fail_msg("\"%s\": rc %d %s", t[i].password, (int)rc, e.msg);
        if (rc) {
            assert_int_equal(rc, FA_EDATA);
            assert_string_equal(e.field, "password");
        }
    }
}

static void passwords_may_have_256_bytes_and_no_more(void **state)
{
    char text[258];
    fa_err e = {0};

    (void)state;
    for (int i = 0; i < 257; i++)
        text[i] = (char)('!' + (i * 7 + i / 13) % 90);
    text[257] = '\0';
    assert_int_equal(fa_password_rules((fa_str){text, 256}, FA_PASSWORD_MIN_CHARS, NULL, 0, &e),
                     FA_OK);
    assert_int_equal(fa_password_rules((fa_str){text, 257}, FA_PASSWORD_MIN_CHARS, NULL, 0, &e),
                     FA_EDATA);
    text[5] = '\0';
    assert_int_equal(fa_password_rules((fa_str){text, 100}, FA_PASSWORD_MIN_CHARS, NULL, 0, &e),
                     FA_EDATA);
}

static void the_deny_list_is_long_enough(void **state)
{
    (void)state;
    assert_true(fa_password_denied_count() >= 3000);
}

/* ---- guessing, RL-1, RL-2, RL-4 ---- */

static void five_failures_cost_thirty_seconds_then_double(void **state)
{
    static const int64_t delays[] = {30, 60, 120, 240, 480, 900, 900};
    fa_str mail = FA_STR("ann@example.com"), ip = FA_STR("192.0.2.1");
    int64_t now = NOW;

    (void)state;
    for (int i = 0; i < 4; i++)
        fa_guess_failed(mail, FA_STR(""), ip, now += 1000);
    assert_true(fa_guess_wait(mail, FA_STR(""), ip, now) == 0);
    for (size_t i = 0; i < FA_COUNT(delays); i++) {
        fa_guess_failed(mail, FA_STR(""), ip, now);
        assert_true(fa_guess_wait(mail, FA_STR(""), ip, now) == delays[i] * 1000);
        assert_true(fa_guess_wait(mail, FA_STR(""), FA_STR("198.51.100.7"), now) ==
                    delays[i] * 1000);
        assert_true(fa_guess_wait(FA_STR("bob@example.com"), FA_STR(""), ip, now) == 0);
        now += delays[i] * 1000;
        assert_true(fa_guess_wait(mail, FA_STR(""), ip, now) == 0);
    }
}

static void slow_failures_do_not_count_together(void **state)
{
    fa_str mail = FA_STR("ann@example.com"), ip = FA_STR("192.0.2.1");
    int64_t now = NOW;

    (void)state;
    for (int i = 0; i < 20; i++) {
        fa_guess_failed(mail, FA_STR(""), ip, now += 90000);
        assert_true(fa_guess_wait(mail, FA_STR(""), ip, now) == 0);
    }
}

static void success_and_twelve_hours_clear(void **state)
{
    fa_str mail = FA_STR("Ann@Example.com"), ip = FA_STR("192.0.2.1");
    int64_t now = NOW;

    (void)state;
    for (int i = 0; i < 5; i++)
        fa_guess_failed(mail, FA_STR(""), ip, now);
    assert_true(fa_guess_wait(FA_STR("ann@example.com"), FA_STR(""), ip, now) > 0);
    fa_guess_cleared(FA_STR("ann@example.com"), FA_STR(""), ip);
    assert_true(fa_guess_wait(mail, FA_STR(""), ip, now) == 0);
    for (int i = 0; i < 5; i++)
        fa_guess_failed(mail, FA_STR(""), ip, now);
    now += 12 * 3600000LL + 1;
    fa_guess_failed(mail, FA_STR(""), ip, now);
    assert_true(fa_guess_wait(mail, FA_STR(""), ip, now) == 0);
}

static void a_hundred_in_a_row_stop_for_good(void **state)
{
    fa_str mail = FA_STR("ann@example.com");
    int64_t now = NOW;
    char ip[32];

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(ip, sizeof ip, "10.0.%d.1", i);
        fa_guess_failed(mail, FA_STR(""), fa_str_of(ip), now += 900001);
    }
    assert_true(fa_guess_wait(mail, FA_STR(""), FA_STR("192.0.2.9"), now + 300 * DAY) > 0);
}

static void an_address_has_twenty_a_minute(void **state)
{
    fa_str ip = FA_STR("192.0.2.1");
    int64_t now = NOW - NOW % 60000;
    char mail[32];

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_true(fa_guess_wait(FA_STR("x@example.com"), FA_STR(""), ip, now) == 0);
        snprintf(mail, sizeof mail, "u%d@example.com", i);
        fa_guess_failed(fa_str_of(mail), FA_STR(""), ip, now);
    }
    assert_true(fa_guess_wait(FA_STR("x@example.com"), FA_STR(""), ip, now) == 60000);
    assert_true(fa_guess_wait(FA_STR("x@example.com"), FA_STR(""), FA_STR("192.0.2.2"), now) == 0);
    assert_true(fa_guess_wait(FA_STR("x@example.com"), FA_STR(""), ip, now + 60000) == 0);
}

static void ipv6_counts_by_network(void **state)
{
    int64_t now = NOW - NOW % 60000;

    (void)state;
    for (int i = 0; i < 20; i++)
        fa_guess_failed(FA_STR(""), FA_STR(""), FA_STR("2001:db8:1:2:3:4:5:6"), now);
    assert_true(fa_guess_wait(FA_STR(""), FA_STR(""), FA_STR("2001:db8:1:2:ffff::1"), now) > 0);
    assert_true(fa_guess_wait(FA_STR(""), FA_STR(""), FA_STR("2001:db8:1:3:3:4:5:6"), now) == 0);
}

/* ---- people ---- */

#define GOOD "vellum otter quay"

static fa_str sign_in_first(fixture *f)
{
    fa_str link, session;
    fa_err e = {0};

    must(fa_admin_init(f->l, &f->a, FA_STR("ann@example.com"), &link, &e), &e);
    must(by_link(f, link, FA_STR(GOOD), FA_STR("agent"), FA_STR("127.0.0.1"), &session, &e), &e);
    f->link = link;
    return session;
}

static void the_link_works_once_and_makes_an_administrator(void **state)
{
    fixture *f = *state;
    fa_str session = sign_in_first(f), again;
    fa_caller c;
    fa_err e = {0};

    must(check_session(f, session, &c, &e), &e);
    assert_int_equal(c.kind, FA_CALLER_USER);
    assert_true(fa_str_eqz(c.role, "admin"));
    assert_true(fa_str_eqz(c.email, "ann@example.com"));
    assert_true(fa_caller_may(&c, FA_PERM_TOKENS_ACCOUNT_MANAGE));
    assert_int_equal(by_link(f, f->link, FA_STR(GOOD), FA_STR(""), FA_STR("127.0.0.1"), &again, &e),
                     FA_EAUTH);
}

static void a_refused_password_leaves_the_link_good(void **state)
{
    fixture *f = *state;
    fa_str link, session;
    fa_err e = {0};

    must(fa_admin_init(f->l, &f->a, FA_STR("ann@example.com"), &link, &e), &e);
    assert_int_equal(
        by_link(f, link, FA_STR("short"), FA_STR(""), FA_STR("127.0.0.1"), &session, &e), FA_EDATA);
    assert_string_equal(e.field, "password");
    must(by_link(f, link, FA_STR(GOOD), FA_STR(""), FA_STR("127.0.0.1"), &session, &e), &e);
}

static void a_link_ends_after_seven_days(void **state)
{
    fixture *f = *state;
    fa_str link, session;
    fa_err e = {0};

    must(fa_admin_init(f->l, &f->a, FA_STR("ann@example.com"), &link, &e), &e);
    set_now(NOW + 7 * DAY + 1);
    assert_int_equal(by_link(f, link, FA_STR(GOOD), FA_STR(""), FA_STR("127.0.0.1"), &session, &e),
                     FA_EAUTH);
}

static void password_sign_in(void **state)
{
    fixture *f = *state;
    fa_err wrong = {0}, unknown = {0}, e = {0};
    fa_str session;
    fa_caller c;

    sign_in_first(f);
    must(by_password(f, FA_STR(" Ann@example.com "), FA_STR(GOOD), FA_STR(""), FA_STR("127.0.0.1"),
                     &session, &e),
         &e);
    must(check_session(f, session, &c, &e), &e);
    assert_int_equal(by_password(f, FA_STR("ann@example.com"), FA_STR("x"), FA_STR(""),
                                 FA_STR("127.0.0.1"), &session, &wrong),
                     FA_EAUTH);
    assert_int_equal(by_password(f, FA_STR("bob@example.com"), FA_STR(GOOD), FA_STR(""),
                                 FA_STR("127.0.0.1"), &session, &unknown),
                     FA_EAUTH);
    assert_string_equal(wrong.msg, unknown.msg);
}

static void the_sixth_try_has_to_wait(void **state)
{
    fixture *f = *state;
    fa_str session, mail = FA_STR("ann@example.com"), ip = FA_STR("127.0.0.1");
    fa_err e = {0};

    sign_in_first(f);
    for (int i = 0; i < 5; i++)
        assert_int_equal(by_password(f, mail, FA_STR("wrong"), FA_STR(""), ip, &session, &e),
                         FA_EAUTH);
    assert_int_equal(by_password(f, mail, FA_STR(GOOD), FA_STR(""), ip, &session, &e), FA_ELIMIT);
    assert_true(fa_signin_wait(mail, ip) == 30000);
    set_now(NOW + 30000);
    must(by_password(f, mail, FA_STR(GOOD), FA_STR(""), ip, &session, &e), &e);
}

static void a_session_ends_idle_and_old(void **state)
{
    fixture *f = *state;
    fa_str session = sign_in_first(f);
    fa_caller c;
    fa_err e = {0};
    int64_t now;

    for (now = NOW; now < NOW + DAY; now += 59 * 60000LL) { /* in use: stays */
        set_now(now);
        must(check_session(f, session, &c, &e), &e);
    }
    set_now(NOW + DAY);
    assert_int_equal(check_session(f, session, &c, &e), FA_EAUTH);
    must(by_password(f, FA_STR("ann@example.com"), FA_STR(GOOD), FA_STR(""), FA_STR("127.0.0.1"),
                     &session, &e),
         &e);
    set_now(NOW + DAY + 61 * 60000LL);
    assert_int_equal(check_session(f, session, &c, &e), FA_EAUTH);
}

static void signing_out_ends_it(void **state)
{
    fixture *f = *state;
    fa_str session = sign_in_first(f);
    fa_caller c;
    fa_err e = {0};

    must(check_session(f, session, &c, &e), &e);
    must(fa_signout(f->l, &c, &e), &e);
    assert_int_equal(check_session(f, session, &c, &e), FA_EAUTH);
}

static void changing_the_password_ends_the_other_sessions(void **state)
{
    fixture *f = *state;
    fa_str mine = sign_in_first(f), other;
    fa_caller c, x;
    fa_err e = {0};

    must(by_password(f, FA_STR("ann@example.com"), FA_STR(GOOD), FA_STR(""), FA_STR("127.0.0.1"),
                     &other, &e),
         &e);
    must(check_session(f, mine, &c, &e), &e);
    assert_int_equal(
        fa_password_change(f->l, &f->a, &c, FA_STR("wrong"), FA_STR("quince umbra lathe"), &e),
        FA_EDATA);
    assert_string_equal(e.field, "current");
    assert_int_equal(fa_password_change(f->l, &f->a, &c, FA_STR(GOOD), FA_STR("short"), &e),
                     FA_EDATA);
    assert_string_equal(e.field, "next");
    must(fa_password_change(f->l, &f->a, &c, FA_STR(GOOD), FA_STR("quince umbra lathe"), &e), &e);
    must(check_session(f, mine, &x, &e), &e);
    assert_int_equal(check_session(f, other, &x, &e), FA_EAUTH);
}

static void an_address_must_be_one(void **state)
{
    static const char *const bad[] = {"", "ann", "@x", "ann@", "a b@x.y", "a@b@c", "a\"@x.y"};
    fixture *f = *state;
    fa_str link;
    fa_err e = {0};

    for (size_t i = 0; i < FA_COUNT(bad); i++)
        assert_int_equal(fa_admin_init(f->l, &f->a, fa_str_of(bad[i]), &link, &e), FA_EINVAL);
    must(fa_admin_init(f->l, &f->a, FA_STR("ann@example.com"), &link, &e), &e);
    assert_int_equal(fa_admin_init(f->l, &f->a, FA_STR("ANN@example.com"), &link, &e),
                     FA_ECONFLICT);
}

/* SE-1, SK-1: what is in the file cannot be used. */
static void no_secret_is_in_the_database(void **state)
{
    fixture *f = *state;
    fa_str session = sign_in_first(f);
    fa_new_token t = make_token(f, "api-token", -1);
    static const char *const files[] = {"meta.db", "meta.db-wal"};
    const fa_str secrets[] = {session, t.secret, f->link, FA_STR(GOOD)};
    char path[400];
    fa_err e = {0};

    for (size_t i = 0; i < FA_COUNT(files); i++) {
        fa_buf b = {0};

        snprintf(path, sizeof path, "%s/data/%s", f->dir, files[i]);
        if (fa_file_read(path, 64 << 20, &b, &e) == FA_OK)
            for (size_t k = 0; k < FA_COUNT(secrets); k++)
                assert_null(memmem(b.p, b.n, secrets[k].p, secrets[k].n));
        fa_buf_release(&b);
    }
}

#define WITH(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

/* ---- second factor, addresses, access lists ---- */

/* RFC 6238 appendix B, SHA-1; of its eight digits the last six */
static void codes_are_those_of_the_rfc(void **state)
{
    static const struct {
        int64_t seconds;
        uint32_t code;
    } t[] = {{59, 287082},       {1111111109, 81804},  {1111111111, 50471},
             {1234567890, 5924}, {2000000000, 279037}, {20000000000, 353130}};
    static const unsigned char seed[] = "12345678901234567890";

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++)
        assert_int_equal(fa_totp_code(seed, 20, t[i].seconds / 30), t[i].code);
}

static void addresses_are_in_networks(void **state)
{
    static const struct {
        const char *ip, *list;
        bool in;
    } t[] = {{"10.1.2.3", "10.0.0.0/8", true},
             {"11.1.2.3", "10.0.0.0/8", false},
             {"10.1.2.3", "192.168.0.0/16 10.1.2.3", true},
             {"10.1.2.4", "10.1.2.3", false},
             {"192.0.2.129", "192.0.2.128/25", true},
             {"192.0.2.127", "192.0.2.128/25", false},
             {"1.2.3.4", "0.0.0.0/0", true},
             {"2001:db8::1", "2001:db8::/32", true},
             {"2001:db9::1", "2001:db8::/32", false},
             {"::ffff:10.1.1.1", "10.0.0.0/8", true},
             {"10.1.1.1", "::/0", false},
             {"nonsense", "0.0.0.0/0", false},
             {"10.1.1.1", "", false}};
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0/8",  "x",
                                      "::/129",      "10.0.0.0/", "10.0.0.0/8x"};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++)
        if (fa_ip_in(fa_str_of(t[i].ip), fa_str_of(t[i].list)) != t[i].in)
            fail_msg("%s in \"%s\"", t[i].ip, t[i].list);
    for (size_t i = 0; i < FA_COUNT(bad); i++)
        assert_false(fa_ip_list_ok(fa_str_of(bad[i])));
}

/* T-ACC-04: every pair of types, for each kind of person; written from access.md 5 */
static void access_lists_decide(void **state)
{
    const fa_caller owner = {.kind = FA_CALLER_USER,
                             .id = FA_STR("o"),
                             .user_id = FA_STR("o"),
                             .roles = FA_STR("basic")};
    const fa_caller admin = {.kind = FA_CALLER_USER,
                             .id = FA_STR("a"),
                             .user_id = FA_STR("a"),
                             .roles = FA_STR("basic admin")};
    const fa_caller listed = {.kind = FA_CALLER_USER,
                              .id = FA_STR("l"),
                              .user_id = FA_STR("l"),
                              .roles = FA_STR("basic")};
    const fa_caller member = {.kind = FA_CALLER_USER,
                              .id = FA_STR("m"),
                              .user_id = FA_STR("m"),
                              .roles = FA_STR("basic"),
                              .teams = FA_STR("x g")};
    const fa_caller other = {.kind = FA_CALLER_USER,
                             .id = FA_STR("z"),
                             .user_id = FA_STR("z"),
                             .roles = FA_STR("basic"),
                             .teams = FA_STR("x")};
    const fa_caller nobody = {0};
    static const fa_acl_type types[] = {FA_ACL_PUBLIC, FA_ACL_SHARED, FA_ACL_PRIVATE};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++) {
            fa_acl v = {.owner = FA_STR("o"),
                        .read = {types[i], FA_STR("l"), FA_STR("g")},
                        .write = {types[k], FA_STR("l"), FA_STR("g")}};
            bool read = types[i] != FA_ACL_PRIVATE, write = types[k] != FA_ACL_PRIVATE;

            assert_true(fa_acl_may_read(&v, &owner) && fa_acl_may_write(&v, &owner));
            assert_true(fa_acl_may_read(&v, &admin) && fa_acl_may_write(&v, &admin));
            assert_true(fa_acl_may_read(&v, &listed) == read &&
                        fa_acl_may_write(&v, &listed) == write);
            assert_true(fa_acl_may_read(&v, &member) == read &&
                        fa_acl_may_write(&v, &member) == write);
            assert_true(fa_acl_may_read(&v, &other) == (types[i] == FA_ACL_PUBLIC));
            assert_true(fa_acl_may_write(&v, &other) == (types[k] == FA_ACL_PUBLIC));
            assert_false(fa_acl_may_read(&v, &nobody) || fa_acl_may_write(&v, &nobody));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_follow_the_table),
        cmocka_unit_test(nobody_may_nothing_but_public),
        cmocka_unit_test(secrets_have_a_form),
        cmocka_unit_test(secrets_are_hashed_with_blake2b),
        WITH(a_token_opens_and_only_its_own_secret_does),
        WITH(every_refusal_of_a_token_says_the_same),
        WITH(a_token_shows_when_it_was_used),
        WITH(a_token_needs_a_description_a_role_and_a_future),
        WITH(nobody_gives_more_than_he_has),
        WITH(passwords_are_argon2id_with_the_agreed_cost),
        cmocka_unit_test(an_older_hash_is_found_weak),
        cmocka_unit_test(password_rules),
        cmocka_unit_test(codes_are_those_of_the_rfc),
        cmocka_unit_test(addresses_are_in_networks),
        cmocka_unit_test(access_lists_decide),
        cmocka_unit_test(passwords_may_have_256_bytes_and_no_more),
        cmocka_unit_test(the_deny_list_is_long_enough),
        WITH(five_failures_cost_thirty_seconds_then_double),
        WITH(slow_failures_do_not_count_together),
        WITH(success_and_twelve_hours_clear),
        WITH(a_hundred_in_a_row_stop_for_good),
        WITH(an_address_has_twenty_a_minute),
        WITH(ipv6_counts_by_network),
        WITH(the_link_works_once_and_makes_an_administrator),
        WITH(a_refused_password_leaves_the_link_good),
        WITH(a_link_ends_after_seven_days),
        WITH(password_sign_in),
        WITH(the_sixth_try_has_to_wait),
        WITH(a_session_ends_idle_and_old),
        WITH(signing_out_ends_it),
        WITH(changing_the_password_ends_the_other_sessions),
        WITH(an_address_must_be_one),
        WITH(no_secret_is_in_the_database),
    };

    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
