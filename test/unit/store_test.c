/*
 * store_test.c - meta.db against a fresh file each: the statements, the rules, threads, reopening.
 *
 * Includes the private db.h to walk the statement tables: a statement about an account's data that
 * does not bind the account first is a leak between tenants, and is found here.
 */
#include "store/db.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ACC FA_STR("11111111-1111-4111-8111-111111111111")
#define OTHER FA_STR("22222222-2222-4222-8222-222222222222")
#define HASH FA_STR("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")
#define HASH2 FA_STR("10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")

/* A folder, a store in it, an arena, the last error: what each test gets. */
struct bed {
    char dir[64], path[128];
    fa_store *s;
    fa_arena a;
    fa_err e;
};

#define OK(bed, call)                                                                              \
    do {                                                                                           \
        fa_rc rc_ = (call);                                                                        \
        if (rc_)                                                                                   \
            fail_msg("%s: %s (%s)", #call, (bed)->e.msg, (bed)->e.trail);                          \
    } while (0)

static int set_up(void **state)
{
    struct bed *t = calloc(1, sizeof *t);
    fa_account acc = {ACC, FA_STR("Acme"), FA_STR("USD"), FA_STR("netAmortizedCost"), 5};

    assert_non_null(t);
    snprintf(t->dir, sizeof t->dir, "/tmp/fa_store_XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->path, sizeof t->path, "%s/meta.db", t->dir);
    OK(t, fa_store_open(t->path, &t->s, &t->e));
    OK(t, fa_account_put(t->s, &acc, &t->e));
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *t = *state;

    fa_store_close(t->s);
    fa_arena_release(&t->a);
    OK(t, fa_remove_tree(t->dir, &t->e));
    free(t);
    return 0;
}

static void reopen(struct bed *t)
{
    fa_store_close(t->s);
    OK(t, fa_store_open(t->path, &t->s, &t->e));
}

static void add_user(struct bed *t, const char *id, const char *email)
{
    fa_user u = {.id = fa_str_of(id),
                 .email = fa_str_of(email),
                 .name = FA_STR("A"),
                 .roles = FA_STR("admin"),
                 .created_ms = 1,
                 .last_login_ms = -1};

    OK(t, fa_user_add(t->s, ACC, &u, &t->e));
}

static void test_statements(void **state)
{
    struct bed *t = *state;
    sqlite3 *db = fa_db_handle(t->s);
    size_t n = 0;

    OK(t, fa_store_prepare_all(t->s, &t->e));
    for (size_t i = 0; i < FA_DB__NOUNS; i++) {
        const fa_db_table *tab = fa_db_tables[i];

        assert_int_equal(tab->noun, i);
        for (size_t k = 0; k < tab->n; k++, n++) {
            const char *sql = tab->st[k].sql;
            sqlite3_stmt *st = NULL;

            if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
                fail_msg("%s.%s: %s", tab->name, tab->st[k].name, sqlite3_errmsg(db));
            for (size_t m = 0; m < k; m++)
                assert_string_not_equal(tab->st[k].name, tab->st[m].name);
            if (tab->noun != FA_DB_NOUN_account) {
                const char *first = sqlite3_bind_parameter_name(st, 1);
                bool insert = strncmp(sql, "INSERT", 6) == 0;

                if (!first || strcmp(first, "?1") != 0 ||
                    !strstr(sql, insert ? "(account," : "account = ?1") ||
                    (insert && !strstr(sql, "VALUES (?1,") && !strstr(sql, "account = ?1")))
                    fail_msg("%s.%s does not bind the account first", tab->name, tab->st[k].name);
            }
            sqlite3_finalize(st);
        }
    }
    assert_true(n > 30);
}

static int64_t pragma(struct bed *t, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t v;

    assert_int_equal(sqlite3_prepare_v2(fa_db_handle(t->s), sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static void test_settings_of_the_file(void **state)
{
    struct bed *t = *state;
    struct stat st;

    assert_int_equal(pragma(t, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(t, "PRAGMA foreign_keys"), 1);
    assert_int_equal(pragma(t, "PRAGMA trusted_schema"), 0);
    assert_int_equal(pragma(t, "PRAGMA cell_size_check"), 1);
    assert_int_equal(pragma(t, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    assert_int_equal(pragma(t, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main'"
                               " AND NOT strict AND name NOT LIKE 'sqlite_%'"),
                     0);
    assert_int_equal(stat(t->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    OK(t, fa_store_check(t->s, &t->e));
}

static void test_account_and_setting(void **state)
{
    struct bed *t = *state;
    fa_account acc;
    fa_str v;

    OK(t, fa_account_first(t->s, &t->a, &acc, &t->e));
    assert_true(fa_str_eqz(acc.name, "Acme") && fa_str_eqz(acc.currency, "USD"));
    acc.name = FA_STR("Acme Ltd");
    OK(t, fa_account_put(t->s, &acc, &t->e));
    OK(t, fa_setting_get(t->s, &t->a, ACC, FA_STR("x"), &v, &t->e));
    assert_int_equal(v.n, 0);
    OK(t, fa_setting_put(t->s, ACC, FA_STR("x"), FA_STR("1"), &t->e));
    OK(t, fa_setting_put(t->s, ACC, FA_STR("x"), FA_STR("2"), &t->e));
    reopen(t);
    OK(t, fa_setting_get(t->s, &t->a, ACC, FA_STR("x"), &v, &t->e));
    assert_true(fa_str_eqz(v, "2"));
    OK(t, fa_setting_get(t->s, &t->a, OTHER, FA_STR("x"), &v, &t->e));
    assert_int_equal(v.n, 0);
    OK(t, fa_account_first(t->s, &t->a, &acc, &t->e));
    assert_true(fa_str_eqz(acc.name, "Acme Ltd"));
    assert_int_equal(acc.created_ms, 5);
    assert_int_equal(fa_setting_put(t->s, OTHER, FA_STR("x"), FA_STR("1"), &t->e), FA_ENOTFOUND);
}

static void test_users(void **state)
{
    struct bed *t = *state;
    fa_user u, *list;
    size_t n;

    add_user(t, "u1", "Ann@Example.com");
    add_user(t, "u2", "bob@example.com");
    u = (fa_user){.id = FA_STR("u3"), .email = FA_STR("ann@EXAMPLE.com"), .roles = FA_STR("basic")};
    assert_int_equal(fa_user_add(t->s, ACC, &u, &t->e), FA_ECONFLICT);
    OK(t, fa_user_by_email(t->s, &t->a, ACC, FA_STR("ANN@example.COM"), &u, &t->e));
    assert_true(fa_str_eqz(u.id, "u1") && fa_str_eqz(u.email, "Ann@Example.com"));
    assert_true(fa_str_eqz(u.state, "active") && u.password.n == 0 && u.last_login_ms == -1);
    OK(t, fa_user_set_password(t->s, ACC, FA_STR("u1"), FA_STR("$argon2id$"), &t->e));
    OK(t, fa_user_touch_login(t->s, ACC, FA_STR("u1"), 77, &t->e));
    OK(t, fa_user_by_id(t->s, &t->a, ACC, FA_STR("u1"), &u, &t->e));
    assert_true(fa_str_eqz(u.password, "$argon2id$") && u.last_login_ms == 77);
    assert_int_equal(fa_user_by_id(t->s, &t->a, OTHER, FA_STR("u1"), &u, &t->e), FA_ENOTFOUND);
    assert_int_equal(fa_user_set_password(t->s, OTHER, FA_STR("u1"), FA_STR("x"), &t->e),
                     FA_ENOTFOUND);
    OK(t, fa_user_list(t->s, &t->a, ACC, &list, &n, &t->e));
    assert_int_equal(n, 2);
    assert_true(fa_str_eqz(list[0].id, "u1") && fa_str_eqz(list[1].id, "u2"));
    OK(t, fa_user_list(t->s, &t->a, OTHER, &list, &n, &t->e));
    assert_int_equal(n, 0);
}

static void test_signin(void **state)
{
    struct bed *t = *state;
    fa_str id;

    add_user(t, "u1", "a@b.c");
    OK(t, fa_signin_add(t->s, ACC, FA_STR("u1"), HASH, FA_STR("link"), 1, 1000, &t->e));
    OK(t, fa_signin_add(t->s, ACC, FA_STR("u1"), HASH2, FA_STR("link"), 1, 1000, &t->e));
    assert_int_equal(
        fa_signin_add(t->s, ACC, FA_STR("nobody"), HASH, FA_STR("link"), 1, 1000, &t->e),
        FA_ECONFLICT);
    assert_int_equal(fa_signin_take(t->s, &t->a, ACC, HASH, 1000, &id, &t->e), FA_EAUTH); /* late */
    assert_int_equal(fa_signin_take(t->s, &t->a, OTHER, HASH, 10, &id, &t->e), FA_EAUTH);
    OK(t, fa_signin_take(t->s, &t->a, ACC, HASH, 999, &id, &t->e));
    assert_true(fa_str_eqz(id, "u1"));
    reopen(t);
    assert_int_equal(fa_signin_take(t->s, &t->a, ACC, HASH, 10, &id, &t->e), FA_EAUTH); /* twice */
    OK(t, fa_signin_take(t->s, &t->a, ACC, HASH2, 10, &id, &t->e));
}

static void test_sessions(void **state)
{
    struct bed *t = *state;
    fa_session v = {HASH, FA_STR("u1"), FA_STR("Firefox"), FA_STR("::1"), 10, 10, 100}, got;

    add_user(t, "u1", "a@b.c");
    OK(t, fa_session_add(t->s, ACC, &v, &t->e));
    OK(t, fa_session_touch(t->s, ACC, HASH, 50, &t->e));
    OK(t, fa_session_touch(t->s, ACC, HASH, 40, &t->e)); /* never back */
    OK(t, fa_session_get(t->s, &t->a, ACC, HASH, &got, &t->e));
    assert_true(got.seen_ms == 50 && got.expires_ms == 100 && fa_str_eqz(got.ip, "::1"));
    assert_int_equal(fa_session_get(t->s, &t->a, OTHER, HASH, &got, &t->e), FA_ENOTFOUND);
    v.hash = HASH2;
    v.created_ms = 101;
    v.expires_ms = 200;
    OK(t, fa_session_add(t->s, ACC, &v, &t->e)); /* sweeps the first one out */
    assert_int_equal(fa_session_get(t->s, &t->a, ACC, HASH, &got, &t->e), FA_ENOTFOUND);
    OK(t, fa_session_end(t->s, ACC, HASH, &t->e));
    OK(t, fa_session_end_all(t->s, OTHER, FA_STR("u1"), &t->e));
    OK(t, fa_session_get(t->s, &t->a, ACC, HASH2, &got, &t->e));
    OK(t, fa_session_end_all(t->s, ACC, FA_STR("u1"), &t->e));
    assert_int_equal(fa_session_get(t->s, &t->a, ACC, HASH2, &got, &t->e), FA_ENOTFOUND);
}

static void test_tokens(void **state)
{
    struct bed *t = *state;
    fa_token v = {.id = FA_STR("t1"),
                  .client_id = FA_STR("c1"),
                  .secret_hash = HASH,
                  .description = FA_STR("ci"),
                  .roles = FA_STR("api-token"),
                  .created_by = FA_STR("u1"),
                  .created_ms = 1,
                  .expires_ms = -1,
                  .revoked_ms = -1,
                  .last_used_ms = -1};
    fa_token got, *list;
    size_t n;

    OK(t, fa_token_add(t->s, ACC, &v, &t->e));
    assert_int_equal(fa_token_add(t->s, ACC, &v, &t->e), FA_ECONFLICT);
    v.id = FA_STR("t2");
    v.client_id = FA_STR("c2");
    v.created_ms = 2;
    OK(t, fa_token_add(t->s, ACC, &v, &t->e));
    OK(t, fa_token_touch(t->s, ACC, FA_STR("t1"), 9, FA_STR("10.0.0.1"), FA_STR("GET /x"), &t->e));
    OK(t, fa_token_revoke(t->s, ACC, FA_STR("c1"), 20, &t->e));
    OK(t, fa_token_revoke(t->s, ACC, FA_STR("t1"), 30, &t->e));
    OK(t, fa_token_by_client(t->s, &t->a, ACC, FA_STR("c1"), &got, &t->e));
    assert_true(got.revoked_ms == 20 && got.last_used_ms == 9 && got.expires_ms == -1);
    assert_int_equal(fa_token_by_client(t->s, &t->a, OTHER, FA_STR("c1"), &got, &t->e),
                     FA_ENOTFOUND);
    assert_int_equal(fa_token_revoke(t->s, OTHER, FA_STR("c2"), 20, &t->e), FA_ENOTFOUND);
    OK(t, fa_token_list(t->s, &t->a, ACC, &list, &n, &t->e));
    assert_int_equal(n, 2);
    assert_true(fa_str_eqz(list[0].id, "t2") && list[0].revoked_ms == -1);
}

static int64_t add_load(struct bed *t, int64_t source_id, const char *state)
{
    fa_load l = {.source_id = source_id,
                 .format = FA_STR("focus-1.0"),
                 .state = fa_str_of(state),
                 .files = FA_STR("[]"),
                 .detail = FA_STR("{}"),
                 .content_hash = HASH,
                 .rows = 3,
                 .started_ms = 1,
                 .finished_ms = -1};
    int64_t id = 0;

    OK(t, fa_load_add(t->s, ACC, &l, &id, &t->e));
    return id;
}

static void add_part(struct bed *t, int64_t load, int64_t source, int32_t period)
{
    fa_part p = {.load_id = load, .source_id = source, .period = period, .rows = 3};
    int64_t id;

    OK(t, fa_part_add(t->s, ACC, &p, &id, &t->e));
}

/* The live parts as "load:period load:period", in the order of their ids. */
static const char *live(struct bed *t)
{
    fa_part *p;
    size_t n;
    fa_buf b = {0};
    const char *text;

    OK(t, fa_part_live(t->s, &t->a, ACC, &p, &n, &t->e));
    for (size_t i = 0; i < n; i++)
        fa_buf_fmt(&b, "%s%lld:%d", i ? " " : "", (long long)p[i].load_id, p[i].period);
    text = fa_arena_dupz(&t->a, fa_buf_view(&b));
    fa_buf_release(&b);
    return text;
}

static const char *state_of(struct bed *t, int64_t load)
{
    fa_load l;

    OK(t, fa_load_get(t->s, &t->a, ACC, load, &l, &t->e));
    return fa_arena_dupz(&t->a, l.state);
}

static void set_state(struct bed *t, int64_t load, const char *state)
{
    fa_load l;

    OK(t, fa_load_get(t->s, &t->a, ACC, load, &l, &t->e));
    l.state = fa_str_of(state);
    OK(t, fa_load_update(t->s, ACC, &l, &t->e));
}

/* Goes live as the ledger does it: both changes in one transaction. */
static void go_live(struct bed *t, int64_t load)
{
    OK(t, fa_store_begin(t->s, &t->e));
    OK(t, fa_part_go_live(t->s, ACC, load, &t->e));
    set_state(t, load, "live");
    OK(t, fa_store_commit(t->s, &t->e));
}

static void test_go_live(void **state)
{
    struct bed *t = *state;
    fa_source aws, gcp, again, *sources;
    fa_part *parts;
    int64_t a, b, c, g, empty;
    fa_load l;
    size_t n;

    OK(t, fa_source_ensure(t->s, &t->a, ACC, FA_STR("AWS"), &aws, &t->e));
    OK(t, fa_source_ensure(t->s, &t->a, ACC, FA_STR("gcp"), &gcp, &t->e));
    OK(t, fa_source_ensure(t->s, &t->a, ACC, FA_STR("aws"), &again, &t->e));
    assert_int_equal(again.id, aws.id); /* one source, or a bill would count twice */
    OK(t, fa_source_list(t->s, &t->a, ACC, &sources, &n, &t->e));
    assert_int_equal(n, 2);

    a = add_load(t, aws.id, "running");
    add_part(t, a, aws.id, 100);
    add_part(t, a, aws.id, 200);
    g = add_load(t, gcp.id, "running");
    add_part(t, g, gcp.id, 100);
    empty = add_load(t, gcp.id, "live");
    assert_string_equal(live(t), "");
    go_live(t, a);
    go_live(t, g);
    assert_string_equal(live(t), "1:100 1:200 2:100");

    b = add_load(t, aws.id, "running"); /* restates the second period, brings a third */
    add_part(t, b, aws.id, 200);
    add_part(t, b, aws.id, 300);
    go_live(t, b);
    assert_string_equal(live(t), "1:100 2:100 4:200 4:300");
    assert_string_equal(state_of(t, a), "live"); /* one of its parts still is */
    assert_string_equal(state_of(t, g), "live"); /* same period, another source */

    c = add_load(t, aws.id, "running"); /* restates the first */
    add_part(t, c, aws.id, 100);
    go_live(t, c);
    assert_string_equal(live(t), "2:100 4:200 4:300 5:100");
    assert_string_equal(state_of(t, a), "replaced");
    assert_string_equal(state_of(t, b), "live");
    assert_string_equal(state_of(t, empty), "live"); /* has no part that could be replaced */
    go_live(t, c);                                   /* again: nothing changes */
    assert_string_equal(live(t), "2:100 4:200 4:300 5:100");

    go_live(t, a); /* the undo of both restatements */
    assert_string_equal(live(t), "1:100 1:200 2:100 4:300");
    assert_string_equal(state_of(t, a), "live");
    assert_string_equal(state_of(t, b), "live");
    assert_string_equal(state_of(t, c), "replaced");
    OK(t, fa_part_of_load(t->s, &t->a, ACC, b, &parts, &n, &t->e));
    assert_int_equal(n, 2);
    assert_true(parts[0].period == 200 && !parts[0].live && parts[1].live && parts[1].rows == 3);

    OK(t, fa_load_live_with_hash(t->s, &t->a, ACC, aws.id, HASH, &l, &t->e));
    assert_int_equal(l.id, b);
    assert_true(fa_str_eqz(l.source, "AWS"));
    assert_int_equal(fa_load_live_with_hash(t->s, &t->a, ACC, aws.id, HASH2, &l, &t->e),
                     FA_ENOTFOUND);
    assert_int_equal(fa_load_live_with_hash(t->s, &t->a, OTHER, aws.id, HASH, &l, &t->e),
                     FA_ENOTFOUND);
}

static void test_go_live_rolled_back(void **state)
{
    struct bed *t = *state;
    fa_source src;
    int64_t a, b;

    OK(t, fa_source_ensure(t->s, &t->a, ACC, FA_STR("s"), &src, &t->e));
    a = add_load(t, src.id, "running");
    add_part(t, a, src.id, 100);
    go_live(t, a);
    b = add_load(t, src.id, "running");
    add_part(t, b, src.id, 100);
    OK(t, fa_store_begin(t->s, &t->e));
    OK(t, fa_part_go_live(t->s, ACC, b, &t->e));
    assert_string_equal(live(t), "2:100");
    fa_store_rollback(t->s);
    fa_store_rollback(t->s); /* no transaction: nothing happens */
    assert_string_equal(live(t), "1:100");
    assert_string_equal(state_of(t, a), "live");
    assert_int_equal(fa_store_commit(t->s, &t->e), FA_EINTERNAL);

    assert_int_equal(setenv("FARTHING_FAULT", "store.commit:1:fail", 1), 0);
    OK(t, fa_store_begin(t->s, &t->e));
    OK(t, fa_part_go_live(t->s, ACC, b, &t->e));
    assert_int_equal(fa_store_commit(t->s, &t->e), FA_EENV);
    assert_int_equal(unsetenv("FARTHING_FAULT"), 0);
    assert_string_equal(live(t), "1:100");
    reopen(t);
    assert_string_equal(live(t), "1:100");
}

static void test_loads(void **state)
{
    struct bed *t = *state;
    fa_source src, two;
    fa_load l, *list;
    int64_t id;
    size_t n;

    OK(t, fa_source_ensure(t->s, &t->a, ACC, FA_STR("one"), &src, &t->e));
    OK(t, fa_source_ensure(t->s, &t->a, ACC, FA_STR("two"), &two, &t->e));
    id = add_load(t, src.id, "running");
    add_load(t, two.id, "live");
    add_load(t, src.id, "live");
    OK(t, fa_load_list(t->s, &t->a, ACC, 0, 10, &list, &n, &t->e));
    assert_true(n == 3 && list[0].id == 3 && list[2].id == 1);
    OK(t, fa_load_list(t->s, &t->a, ACC, src.id, 10, &list, &n, &t->e));
    assert_true(n == 2 && list[0].id == 3 && list[1].id == 1);
    OK(t, fa_load_list(t->s, &t->a, ACC, 0, 1, &list, &n, &t->e));
    assert_int_equal(n, 1);
    OK(t, fa_load_get(t->s, &t->a, ACC, id, &l, &t->e));
    l.state = FA_STR("failed");
    l.error = FA_STR("row 7");
    l.rejected = 2;
    l.finished_ms = 9;
    OK(t, fa_load_update(t->s, ACC, &l, &t->e));
    reopen(t);
    OK(t, fa_load_get(t->s, &t->a, ACC, id, &l, &t->e));
    assert_true(fa_str_eqz(l.state, "failed") && fa_str_eqz(l.error, "row 7"));
    assert_true(l.rows == 3 && l.rejected == 2 && l.finished_ms == 9 && l.source_id == src.id);
    l.state = FA_STR("nonsense");
    assert_int_equal(fa_load_update(t->s, ACC, &l, &t->e), FA_EINVAL);
    l.state = FA_STR("live");
    assert_int_equal(fa_load_update(t->s, OTHER, &l, &t->e), FA_ENOTFOUND);
    assert_int_equal(fa_load_get(t->s, &t->a, OTHER, id, &l, &t->e), FA_ENOTFOUND);
    l.source_id = 99;
    assert_int_equal(fa_load_add(t->s, ACC, &l, &id, &t->e), FA_ENOTFOUND);
}

static void test_totals(void **state)
{
    struct bed *t = *state;
    const fa_total in[] = {
        {FA_STR("ledger"), FA_STR("USD"), FA_STR("BilledCost"), 10, 3, FA_STR("1.5")},
        {FA_STR("file"), FA_STR("USD"), FA_STR("BilledCost"), 11, 3,
         FA_STR("1.500000000000000001")},
        {FA_STR("file"), FA_STR("EUR"), FA_STR(""), 10, 3, FA_STR("0")},
        {FA_STR("archive"), FA_STR("USD"), FA_STR("BilledCost"), 10, 3, FA_STR("-7")},
    };
    fa_total *out;
    fa_source src;
    int64_t id;
    size_t n;

    OK(t, fa_source_ensure(t->s, &t->a, ACC, FA_STR("one"), &src, &t->e));
    id = add_load(t, src.id, "running");
    OK(t, fa_total_add(t->s, ACC, id, in, FA_COUNT(in), &t->e));
    OK(t, fa_total_add(t->s, ACC, id, in, FA_COUNT(in), &t->e));
    OK(t, fa_total_list(t->s, &t->a, ACC, id, &out, &n, &t->e));
    assert_int_equal(n, 4);
    assert_true(fa_str_eqz(out[0].step, "file") && fa_str_eqz(out[0].currency, "EUR"));
    assert_true(fa_str_eqz(out[1].sum, "1.500000000000000001") && out[1].day == 11);
    assert_true(fa_str_eqz(out[2].step, "archive") && fa_str_eqz(out[2].sum, "-7"));
    assert_true(fa_str_eqz(out[3].step, "ledger") && out[3].values == 3);
    assert_int_equal(fa_total_add(t->s, ACC, 99, in, 1, &t->e), FA_ENOTFOUND);
    OK(t, fa_total_list(t->s, &t->a, OTHER, id, &out, &n, &t->e));
    assert_int_equal(n, 0);
}

static void test_views(void **state)
{
    struct bed *t = *state;
    fa_view v = {FA_STR("v1"), FA_STR("By Team"), FA_STR("{}"), FA_STR("u1"), 1, 1}, got, *list;
    size_t n;

    OK(t, fa_view_put(t->s, ACC, &v, &t->e));
    v.body = FA_STR("{\"x\":\"\\u0000\"}");
    v.created_by = FA_STR("u2");
    v.created_ms = v.updated_ms = 2;
    OK(t, fa_view_put(t->s, ACC, &v, &t->e));
    OK(t, fa_view_get(t->s, &t->a, ACC, FA_STR("v1"), &got, &t->e));
    assert_true(fa_str_eq(got.body, v.body) && got.created_ms == 1 && got.updated_ms == 2);
    assert_true(fa_str_eqz(got.created_by, "u1"));
    v.id = FA_STR("v2");
    v.name = FA_STR("BY TEAM");
    assert_int_equal(fa_view_put(t->s, ACC, &v, &t->e), FA_ECONFLICT);
    v.name = FA_STR("a");
    OK(t, fa_view_put(t->s, ACC, &v, &t->e));
    v.name = FA_STR("by team");
    assert_int_equal(fa_view_put(t->s, ACC, &v, &t->e), FA_ECONFLICT);
    OK(t, fa_view_list(t->s, &t->a, ACC, &list, &n, &t->e));
    assert_true(n == 2 && fa_str_eqz(list[0].id, "v2"));
    assert_int_equal(fa_view_delete(t->s, OTHER, FA_STR("v1"), &t->e), FA_ENOTFOUND);
    OK(t, fa_view_delete(t->s, ACC, FA_STR("v1"), &t->e));
    assert_int_equal(fa_view_delete(t->s, ACC, FA_STR("v1"), &t->e), FA_ENOTFOUND);
    assert_int_equal(fa_view_get(t->s, &t->a, ACC, FA_STR("v1"), &got, &t->e), FA_ENOTFOUND);
}

static void test_cost_queries(void **state)
{
    struct bed *t = *state;
    fa_cost_query v = {.id = FA_STR("q1"),
                       .state = FA_STR("queued"),
                       .request = FA_STR("{}"),
                       .created_ms = 100,
                       .completed_ms = -1},
                  got;

    OK(t, fa_cost_query_put(t->s, ACC, &v, &t->e));
    OK(t, fa_cost_query_purge(t->s, ACC, 1000, 50, &t->e)); /* still queued: kept */
    v.state = FA_STR("completed");
    v.result = FA_STR("{\"a\":1}\n");
    v.rows = 1;
    v.completed_ms = 200;
    OK(t, fa_cost_query_put(t->s, ACC, &v, &t->e));
    OK(t, fa_cost_query_get(t->s, &t->a, ACC, FA_STR("q1"), false, &got, &t->e));
    assert_true(fa_str_eqz(got.state, "completed") && got.result.n == 0 && got.rows == 1);
    OK(t, fa_cost_query_purge(t->s, ACC, 200, 100, &t->e)); /* neither is older */
    OK(t, fa_cost_query_get(t->s, &t->a, ACC, FA_STR("q1"), true, &got, &t->e));
    assert_true(fa_str_eqz(got.result, "{\"a\":1}\n") && got.created_ms == 100);
    OK(t, fa_cost_query_purge(t->s, OTHER, 900, 900, &t->e));
    OK(t, fa_cost_query_purge(t->s, ACC, 201, 100, &t->e)); /* the result goes, the id stays */
    OK(t, fa_cost_query_get(t->s, &t->a, ACC, FA_STR("q1"), true, &got, &t->e));
    assert_true(got.result.n == 0 && fa_str_eqz(got.state, "completed"));
    OK(t, fa_cost_query_purge(t->s, ACC, 201, 101, &t->e));
    assert_int_equal(fa_cost_query_get(t->s, &t->a, ACC, FA_STR("q1"), true, &got, &t->e),
                     FA_ENOTFOUND);
}

enum { EACH = 300 };

/* Counts up in a setting inside transactions; a lost update shows in the end. */
static void *count_up(void *arg)
{
    struct bed *t = arg;
    fa_arena a = {0};
    fa_err e;

    for (int i = 0; i < EACH; i++) {
        fa_str v;
        char next[24];

        if (fa_store_begin(t->s, &e) || fa_setting_get(t->s, &a, ACC, FA_STR("n"), &v, &e))
            return "failed";
        snprintf(next, sizeof next, "%d", (v.n ? (int)strtol(v.p, NULL, 10) : 0) + 1);
        if (fa_setting_put(t->s, ACC, FA_STR("n"), fa_str_of(next), &e) ||
            fa_store_commit(t->s, &e))
            return "failed";
        fa_arena_clear(&a);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct bed *t = *state;
    pthread_t one, two;
    void *r1, *r2;
    fa_str v;

    assert_int_equal(pthread_create(&one, NULL, count_up, t), 0);
    assert_int_equal(pthread_create(&two, NULL, count_up, t), 0);
    pthread_join(one, &r1);
    pthread_join(two, &r2);
    assert_null(r1);
    assert_null(r2);
    OK(t, fa_setting_get(t->s, &t->a, ACC, FA_STR("n"), &v, &t->e));
    assert_true(fa_str_eqz(v, "600"));
}

static void test_backup(void **state)
{
    struct bed *t = *state;
    char copy[160], wal[176];
    fa_store *s = NULL;
    fa_str v;

    OK(t, fa_setting_put(t->s, ACC, FA_STR("x"), FA_STR("kept"), &t->e));
    snprintf(copy, sizeof copy, "%s/copy.db", t->dir);
    OK(t, fa_store_backup(t->s, copy, &t->e));
    OK(t, fa_store_backup(t->s, copy, &t->e)); /* replaces */
    snprintf(wal, sizeof wal, "%s-wal", copy);
    assert_int_equal(access(wal, F_OK), -1);
    OK(t, fa_setting_put(t->s, ACC, FA_STR("x"), FA_STR("later"), &t->e));
    OK(t, fa_store_open(copy, &s, &t->e));
    OK(t, fa_store_check(s, &t->e));
    OK(t, fa_setting_get(s, &t->a, ACC, FA_STR("x"), &v, &t->e));
    assert_true(fa_str_eqz(v, "kept"));
    fa_store_close(s);
}

static void test_refused_files(void **state)
{
    struct bed *t = *state;
    fa_store *s = NULL;
    char path[160];
    sqlite3 *db;

    assert_int_equal(sqlite3_exec(fa_db_handle(t->s), "PRAGMA user_version = 99", NULL, NULL, NULL),
                     SQLITE_OK);
    fa_store_close(t->s);
    t->s = NULL;
    assert_int_equal(fa_store_open(t->path, &s, &t->e), FA_EENV);
    assert_null(s);
    assert_non_null(strstr(t->e.msg, "version 99"));
    assert_non_null(strstr(t->e.msg, "up to "));

    snprintf(path, sizeof path, "%s/text.db", t->dir);
    OK(t, fa_file_write_durable(
              path, FA_STR("this is not a database, it is a text, quite a long one"), 0600, &t->e));
    assert_int_equal(fa_store_open(path, &s, &t->e), FA_EENV);

    snprintf(path, sizeof path, "%s/foreign.db", t->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE theirs(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(fa_store_open(path, &s, &t->e), FA_EENV);
    assert_non_null(strstr(t->e.msg, "another program"));

    snprintf(path, sizeof path, "%s/no/such/folder/meta.db", t->dir);
    assert_int_equal(fa_store_open(path, &s, &t->e), FA_EENV);
    fa_store_close(NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_statements),
        TEST(test_settings_of_the_file),
        TEST(test_account_and_setting),
        TEST(test_users),
        TEST(test_signin),
        TEST(test_sessions),
        TEST(test_tokens),
        TEST(test_go_live),
        TEST(test_go_live_rolled_back),
        TEST(test_loads),
        TEST(test_totals),
        TEST(test_views),
        TEST(test_cost_queries),
        TEST(test_threads),
        TEST(test_backup),
        TEST(test_refused_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
