/*
 * vault_test.c - secrets at rest: what opens where, what a change does, and that nothing leaks.
 */
#include "vault/vault.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

#define CANARY "c4n4ry-SECRET-value"

typedef struct fixture {
    char dir[64], key[128], other[128];
    fa_store *s;
    fa_arena a;
    fa_str account;
} fixture;

static void must(fa_rc rc, const fa_err *e)
{
    if (rc)
        fail_msg("%s", e->msg);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char path[128];
    fa_err e = {0};
    fa_account acc = {FA_STR("acc-1"), FA_STR("A"), FA_STR("USD"), FA_STR("netAmortizedCost"), 1};

    if (!f)
        return -1;
    snprintf(f->dir, sizeof f->dir, "/tmp/farthing-vault.XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(path, sizeof path, "%s/data", f->dir);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/data/meta.db", f->dir);
    snprintf(f->key, sizeof f->key, "%s/one.key", f->dir);
    snprintf(f->other, sizeof f->other, "%s/two.key", f->dir);
    must(fa_store_open(path, &f->s, &e), &e);
    must(fa_account_put(f->s, &acc, &e), &e);
    must(fa_vault_key_make(f->key, &e), &e);
    must(fa_vault_key_make(f->other, &e), &e);
    must(fa_vault_keys_load(f->key, f->dir, &e) == FA_EENV ? FA_OK : FA_EINTERNAL,
         &e); /* inside dir */
    snprintf(path, sizeof path, "%s/data", f->dir);
    must(fa_vault_keys_load(f->key, path, &e), &e);
    f->account = FA_STR("acc-1");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    fa_err e = {0};

    fa_vault_keys_forget();
    fa_store_close(f->s);
    fa_arena_release(&f->a);
    must(fa_remove_tree(f->dir, &e), &e);
    free(f);
    return 0;
}

static void what_was_sealed_opens_in_its_place(void **state)
{
    static const char *const values[] = {"", "x", CANARY, "{\"k\":\"\xc3\xbc\"}"};
    fixture *f = *state;
    fa_err e = {0};

    for (size_t i = 0; i < FA_COUNT(values); i++) {
        fa_str sealed;
        fa_secret clear;

        must(fa_vault_seal(f->s, &f->a, f->account, "credential/1/value", fa_str_of(values[i]),
                           &sealed, &e),
             &e);
        assert_null(strstr(sealed.p, "SECRET"));
        must(fa_vault_unseal(f->s, f->account, "credential/1/value", sealed, &clear, &e), &e);
        assert_int_equal(clear.n, strlen(values[i]));
        assert_memory_equal(clear.p, values[i], clear.n);
        fa_secret_free(&clear);
        assert_int_equal(
            fa_vault_unseal(f->s, f->account, "credential/2/value", sealed, &clear, &e), FA_EDATA);
        assert_null(clear.p);
    }
}

static void any_changed_character_is_refused(void **state)
{
    fixture *f = *state;
    fa_err e = {0};
    fa_str sealed;
    fa_secret clear;

    must(fa_vault_seal(f->s, &f->a, f->account, "p", FA_STR(CANARY), &sealed, &e), &e);
    for (size_t i = 0; i < sealed.n; i++) {
        char *own = fa_arena_dupz(&f->a, sealed);

        own[i] = own[i] == 'A' ? 'B' : 'A';
        if (fa_vault_unseal(f->s, f->account, "p", fa_str_of(own), &clear, &e) == FA_OK)
            fail_msg("character %zu of %zu changed, and it opened", i, sealed.n);
    }
    for (size_t n = 0; n < sealed.n; n++)
        if (fa_vault_unseal(f->s, f->account, "p", (fa_str){sealed.p, n}, &clear, &e) == FA_OK)
            fail_msg("cut to %zu, and it opened", n);
}

static void a_rotation_keeps_every_secret(void **state)
{
    fixture *f = *state;
    fa_err e = {0};
    fa_credential c;
    fa_secret clear;
    char data[128];
    size_t n;

    snprintf(data, sizeof data, "%s/data", f->dir);
    for (int i = 0; i < 20; i++) {
        char name[20];

        snprintf(name, sizeof name, "secret %d", i);
        must(fa_credential_put(f->s, &f->a, f->account, fa_str_of(name), FA_STR("api_key"),
                               FA_STR("me"), FA_STR("{\"key\":\"" CANARY "\"}"), -1, &c, &e),
             &e);
    }
    must(fa_vault_rotate(f->s, f->account, f->other, data, &n, &e), &e);
    assert_int_equal(n, 20);
    fa_vault_keys_forget();
    assert_int_equal(fa_credential_reveal(f->s, &f->a, f->account, c.id, "test", &clear, &e),
                     FA_EENV);
    must(fa_vault_keys_load(f->key, data, &e), &e); /* the old key opens nothing now */
    assert_int_equal(fa_credential_reveal(f->s, &f->a, f->account, c.id, "test", &clear, &e),
                     FA_EENV);
    assert_null(strstr(e.msg, "SECRET"));
    fa_vault_keys_forget();
    must(fa_vault_keys_load(f->other, data, &e), &e);
    must(fa_credential_reveal(f->s, &f->a, f->account, c.id, "test", &clear, &e), &e);
    assert_string_equal(clear.p, "{\"key\":\"" CANARY "\"}");
    fa_secret_free(&clear);
}

static void the_file_holds_no_secret(void **state)
{
    fixture *f = *state;
    fa_err e = {0};
    fa_credential c;
    fa_buf b = {0};
    char path[128];
    static const char *const files[] = {"meta.db", "meta.db-wal"};

    must(fa_credential_put(f->s, &f->a, f->account, FA_STR("n"), FA_STR("basic"), FA_STR("me"),
                           FA_STR("{\"password\":\"" CANARY "\",\"user\":\"u\"}"), -1, &c, &e),
         &e);
    for (size_t i = 0; i < FA_COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/data/%s", f->dir, files[i]);
        must(fa_file_read(path, 64 << 20, &b, &e), &e);
        assert_null(memmem(b.p, b.n, CANARY, sizeof CANARY - 1));
        assert_null(memmem(b.p, b.n, "c4n4ry", 6));
        fa_buf_clear(&b);
    }
    fa_buf_release(&b);
}

static void fields_are_checked(void **state)
{
    static const struct {
        const char *kind, *value, *field;
    } t[] = {
        {"nope", "{}", "kind"},
        {"api_key", "[]", "value"},
        {"api_key", "{}", "key"},
        {"api_key", "{\"key\":\"\"}", "key"},
        {"api_key", "{\"key\":1}", "key"},
        {"api_key", "{\"key\":\"a\",\"more\":\"b\"}", "value"},
        {"api_key", "{\"key\":\"a\",\"key\":\"b\"}", "value"},
        {"key_pair", "{\"accessKeyId\":\"a\"}", "secretAccessKey"},
        {"basic", "{\"user\":\"a\"}", "password"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_err e = {0};
        fa_credential c;

        if (fa_credential_put(f->s, &f->a, f->account, FA_STR("n"), fa_str_of(t[i].kind),
                              FA_STR("me"), fa_str_of(t[i].value), -1, &c, &e) != FA_EINVAL ||
            strcmp(e.field, t[i].field) != 0)
            fail_msg("%s %s: field \"%s\", %s", t[i].kind, t[i].value, e.field, e.msg);
    }
}

static void what_is_used_stays(void **state)
{
    fixture *f = *state;
    fa_err e = {0};
    fa_credential c, d;
    fa_credential_use u = {
        .what = FA_STR("connection"), .object_id = FA_STR("x"), .object_name = FA_STR("Our AWS")};
    char one[9];

    must(fa_credential_put(f->s, &f->a, f->account, FA_STR("n"), FA_STR("api_key"), FA_STR("me"),
                           FA_STR("{\"key\":\"a\"}"), -1, &c, &e),
         &e);
    assert_int_equal(fa_credential_put(f->s, &f->a, f->account, FA_STR("N"), FA_STR("api_key"),
                                       FA_STR("me"), FA_STR("{\"key\":\"b\"}"), -1, &d, &e),
                     FA_ECONFLICT);
    u.credential_id = c.id;
    must(fa_credential_set_use(f->s, f->account, &u, &e), &e);
    assert_int_equal(fa_credential_delete(f->s, &f->a, f->account, c.id, &e), FA_ECONFLICT);
    assert_non_null(strstr(e.msg, "Our AWS"));
    u.credential_id = (fa_str){0};
    must(fa_credential_set_use(f->s, f->account, &u, &e), &e);
    must(fa_credential_renew(f->s, &f->a, f->account, c.id, FA_STR("m"), FA_STR("{\"key\":\"b\"}"),
                             -1, &d, &e),
         &e);
    assert_true(d.rotated_ms >= 0 && !fa_str_eq(c.fingerprint, d.fingerprint));
    must(fa_vault_fingerprint(f->s, f->account, FA_STR("{\"key\":\"b\"}"), one, &e), &e);
    assert_true(fa_str_eqz(d.fingerprint, one));
    must(fa_credential_delete(f->s, &f->a, f->account, c.id, &e), &e);
    assert_int_equal(fa_credential_delete(f->s, &f->a, f->account, c.id, &e), FA_ENOTFOUND);
}

static void a_bad_key_file_is_refused(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        bool ok;
    } t[] = {
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n", 0400, true},
        {"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 0400, true},
        {"0123456789abcdef0123456789abcdef", 0400, true},
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg", 0400, false},
        {"short", 0400, false},
        {"", 0400, false},
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 0440, false},
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 0604, false},
    };
    fixture *f = *state;

    for (size_t i = 0; i < FA_COUNT(t); i++) {
        char path[128], data[128];
        fa_err e = {0};
        int fd;

        snprintf(path, sizeof path, "%s/bad%zu.key", f->dir, i);
        snprintf(data, sizeof data, "%s/data", f->dir);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        assert_true(fd >= 0 &&
                    write(fd, t[i].text, strlen(t[i].text)) == (ssize_t)strlen(t[i].text));
        assert_int_equal(fchmod(fd, t[i].mode), 0);
        close(fd);
        fa_vault_keys_forget();
        if ((fa_vault_keys_load(path, data, &e) == FA_OK) != t[i].ok)
            fail_msg("key file %zu: %s", i, e.msg);
        if (t[i].text[0])
            assert_null(strstr(e.msg, t[i].text));
    }
}

static void no_other_process_looks_in(void **state)
{
    struct rlimit core = {1, 1};

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_cur, 0);
    assert_int_equal(core.rlim_max, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
#endif
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest t[] = {
        T(what_was_sealed_opens_in_its_place),
        T(any_changed_character_is_refused),
        T(a_rotation_keeps_every_secret),
        T(the_file_holds_no_secret),
        T(fields_are_checked),
        T(what_is_used_stays),
        T(a_bad_key_file_is_refused),
        T(no_other_process_looks_in),
    };

    return cmocka_run_group_tests(t, NULL, NULL);
}
