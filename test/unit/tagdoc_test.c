/*
 * tagdoc_test.c - documents in meta.db: versions, staging, restoring, deleting, rows, metadata; rules as CSV.
 *
 * An empty installation each; what comes out is compared with what was put in, never with itself.
 */
#include "allocate/allocate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BY FA_STR("ann@example.com")

struct bed {
    char dir[64];
    fa_ledger *l;
    fa_arena a;
    fa_err e;
};

static int set_up(void **state)
{
    struct bed *t = calloc(1, sizeof *t);
    fa_ledger_options o = {.memory_bytes = 256 << 20, .threads = 1, .create = true};

    assert_non_null(t);
    snprintf(t->dir, sizeof t->dir, "/tmp/fa_tagdoc_XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    o.dir = t->dir;
    if (fa_ledger_open(&o, &t->l, &t->e))
        fail_msg("%s", t->e.msg);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *t = *state;

    fa_tags_cache_free();
    fa_ledger_close(t->l);
    fa_arena_release(&t->a);
    assert_int_equal(fa_remove_tree(t->dir, &t->e), FA_OK);
    free(t);
    return 0;
}

#define OK(t, call)                                                                                \
    do {                                                                                           \
        if (call)                                                                                  \
            fail_msg("%s: %s (%s)", #call, (t)->e.msg, (t)->e.field);                              \
    } while (0)

static json_t *doc_of(const char *name, const char *to)
{
    return json_pack("{s:s,s:[{s:s,s:{s:s,s:s,s:s,s:[s]}}]}", "name", name, "rules", "to", to,
                     "filters", "costCenter", "AWS", "key", "team", "operator", "oneOf", "value",
                     to);
}

/* Saves; gives the id in the arena. */
static fa_str save(struct bed *t, fa_str id, json_t *doc, bool live, fa_rc want)
{
    fa_tag_edit x = {.id = id, .doc = doc, .set_live = live, .by = BY, .change = FA_STR("why")};
    fa_tag_row row = {0};
    fa_rc rc = fa_tag_save(t->l, &t->a, &x, &row, NULL, &t->e);

    json_decref(doc);
    if (rc != want)
        fail_msg("rc %d, want %d: %s", rc, want, t->e.msg);
    return row.id;
}

static const fa_tag *live(struct bed *t, const char *name, fa_tag_set **keep)
{
    fa_tag_set_put(*keep);
    OK(t, fa_tags_live(t->l, keep, &t->e));
    return fa_tag_set_find(*keep, fa_str_of(name));
}

static void test_versions(void **state)
{
    struct bed *t = *state;
    fa_tag_set *s = NULL;
    fa_tag_version *v;
    fa_tag_row row;
    json_t *doc;
    fa_str id, first;
    size_t n;

    assert_null(live(t, "Team", &s));
    id = save(t, (fa_str){0}, doc_of("Team", "a"), true, FA_OK);
    assert_true(fa_str_eqz(live(t, "team", &s)->rule[0].to.text, "a"));
    OK(t, fa_tag_version_list(fa_ledger_store(t->l), &t->a, fa_ledger_account(t->l), id, &v, &n,
                              &t->e));
    assert_int_equal(n, 1);
    first = v[0].id;

    /* staged: nothing changes for anybody */
    (void)save(t, id, doc_of("Team 2", "b"), false, FA_OK);
    assert_true(fa_str_eqz(live(t, "Team", &s)->rule[0].to.text, "a"));
    assert_null(live(t, "Team 2", &s));
    OK(t, fa_tag_open(t->l, &t->a, id, &row, &doc, &t->e));
    assert_string_equal(json_string_value(json_object_get(doc, "name")), "Team");
    json_decref(doc);

    /* published: the staged content and its name */
    OK(t, fa_tag_publish(t->l, &t->a, id, row.staged, BY, &row, &doc, &t->e));
    json_decref(doc);
    assert_int_equal(row.staged.n, 0);
    assert_true(fa_str_eqz(live(t, "Team 2", &s)->rule[0].to.text, "b"));

    /* restored: a new version with the old content; the name stays */
    OK(t, fa_tag_publish(t->l, &t->a, id, first, BY, &row, &doc, &t->e));
    json_decref(doc);
    assert_true(fa_str_eqz(live(t, "Team 2", &s)->rule[0].to.text, "a"));
    OK(t, fa_tag_version_list(fa_ledger_store(t->l), &t->a, fa_ledger_account(t->l), id, &v, &n,
                              &t->e));
    assert_int_equal(n, 3);
    assert_true(fa_str_eq(v[0].id, row.live) && fa_str_starts(v[0].change, FA_STR("Restored")));
    fa_tag_set_put(s);
}

/* 100 are kept: the live one and the staged one always, then the newest. */
static void test_hundred_versions(void **state)
{
    struct bed *t = *state;
    fa_str id = save(t, (fa_str){0}, doc_of("Team", "live"), true, FA_OK);
    fa_tag_set *s = NULL;
    fa_tag_version *v;
    size_t n, lives = 0;

    for (int i = 0; i < 105; i++)
        (void)save(t, id, doc_of("Team", "later"), false, FA_OK);
    OK(t, fa_tag_version_list(fa_ledger_store(t->l), &t->a, fa_ledger_account(t->l), id, &v, &n,
                              &t->e));
    assert_int_equal(n, 100);
    for (size_t i = 0; i < n; i++) {
        json_t *doc;
        fa_tag_row row;
        fa_tag_version one;

        OK(t, fa_tag_open_version(t->l, &t->a, id, v[i].id, &row, &one, &doc, &t->e));
        lives += fa_str_eq(row.live, v[i].id);
        json_decref(doc);
    }
    assert_int_equal(lives, 1);
    assert_true(fa_str_eqz(live(t, "Team", &s)->rule[0].to.text, "live"));
    fa_tag_set_put(s);
}

static void test_names_and_deletion(void **state)
{
    struct bed *t = *state;
    fa_str team = save(t, (fa_str){0}, doc_of("Team", "a"), true, FA_OK);
    json_t *reader = json_pack("{s:s,s:{s:s,s:s}}", "name", "Reader", "defaultValue", "costCenter",
                               "virtualTag", "key", "");
    fa_tag_set *s = NULL;
    fa_str by_reader;

    (void)save(t, (fa_str){0}, doc_of("tEAM", "a"), true, FA_ECONFLICT);
    assert_string_equal(t->e.field, "name");
    (void)save(t, (fa_str){0}, doc_of("focus/sku", "a"), true, FA_ECONFLICT);
    json_object_set_new(json_object_get(reader, "defaultValue"), "key",
                        json_stringn(team.p, team.n));
    by_reader = save(t, (fa_str){0}, reader, true, FA_OK);
    assert_int_equal(fa_tag_delete(t->l, &t->a, team, false, &t->e), FA_ECONFLICT);
    assert_non_null(strstr(t->e.msg, "\"Reader\""));
    OK(t, fa_tag_delete(t->l, &t->a, by_reader, false, &t->e));
    OK(t, fa_tag_delete(t->l, &t->a, team, false, &t->e));
    assert_null(live(t, "Team", &s));
    assert_int_equal(fa_tag_delete(t->l, &t->a, team, false, &t->e), FA_ENOTFOUND);
    assert_int_equal(fa_tag_undelete(t->l, &t->a, by_reader, &t->e),
                     FA_EDATA); /* what it reads is not there */
    OK(t, fa_tag_undelete(t->l, &t->a, team, &t->e));
    OK(t, fa_tag_undelete(t->l, &t->a, by_reader, &t->e));
    assert_non_null(live(t, "Reader", &s));
    OK(t, fa_tag_rename(t->l, &t->a, team, FA_STR(" Crew "), BY, &t->e));
    assert_non_null(live(t, "Crew", &s));
    assert_int_equal(fa_tag_rename(t->l, &t->a, team, FA_STR("reader"), BY, &t->e), FA_ECONFLICT);
    assert_int_equal(
        fa_tag_delete(t->l, &t->a, FA_STR("f0c05000-0000-4000-8000-000000000001"), true, &t->e),
        FA_EFORBIDDEN);
    fa_tag_set_put(s);
}

/* A cycle is refused whoever closes it, and nothing of it is kept. */
static void test_cycle_changes_nothing(void **state)
{
    struct bed *t = *state;
    fa_str a = save(t, (fa_str){0}, doc_of("A", "a"), true, FA_OK);
    json_t *b = doc_of("B", "b"), *back = doc_of("A", "a");
    fa_tag_version *v;
    fa_str id;
    size_t n;

    json_object_set_new(b, "defaultValue",
                        json_pack("{s:s,s:s}", "costCenter", "virtualTag", "key", a.p));
    id = save(t, (fa_str){0}, b, true, FA_OK);
    json_object_set_new(back, "defaultValue",
                        json_pack("{s:s,s:s}", "costCenter", "virtualTag", "key", id.p));
    (void)save(t, a, back, true, FA_EDATA);
    assert_non_null(strstr(t->e.msg, "A -> B -> A"));
    OK(t, fa_tag_version_list(fa_ledger_store(t->l), &t->a, fa_ledger_account(t->l), a, &v, &n,
                              &t->e));
    assert_int_equal(n, 1);
}

static void test_rows(void **state)
{
    struct bed *t = *state;
    json_t *doc = json_pack("{s:s,s:s,s:{s:{s:s,s:s}}}", "name", "App", "kind", "dictionary",
                            "dictionary", "source", "costCenter", "AWS", "key", "app");
    fa_str id = save(t, (fa_str){0}, doc, true, FA_OK), first;
    fa_row_faults *f = fa_arena_alloc(&t->a, sizeof *f);
    fa_tag_set *s = NULL;
    fa_rows_result r;
    fa_buf csv = {0};

    /* the worked example of inform.md 5.9 */
    OK(t, fa_tag_rows_put(t->l, &t->a, id,
                          FA_STR("\xef\xbb\xbfsource;destination;from;to\napp-1;Pay;;2026-06-"
                                 "30\r\napp-1;Ads;2026-07-01;\n\"a;b\";\"=x \"\"q\"\"\";;\n"),
                          BY, FA_STR(""), f, &r, &t->e));
    assert_int_equal(r.rows, 3);
    assert_false(r.unchanged);
    first = r.version;
    assert_int_equal(live(t, "App", &s)->nrow, 3);
    assert_true(fa_str_eqz(live(t, "App", &s)->row[0].target, "=x \"q\""));
    /* what it writes says the same when read again */
    OK(t, fa_tag_rows_csv(t->l, &t->a, id, &csv, &t->e));
    assert_non_null(strstr(csv.p, "app-1,Pay,,2026-06-30\r\n"));
    OK(t, fa_tag_rows_put(t->l, &t->a, id, fa_buf_view(&csv), BY, FA_STR(""), f, &r, &t->e));
    assert_true(r.unchanged);
    /* overlap: refused with the line, the old rows stay live */
    assert_int_equal(
        fa_tag_rows_put(
            t->l, &t->a, id,
            FA_STR("s,d,from,to\napp-1,Pay\napp-2,X,2026-13-01\napp-1,Ads,2026-07-01,\nb,\n"), BY,
            FA_STR(""), f, &r, &t->e),
        FA_EDATA);
    assert_int_equal(f->n, 3);
    assert_int_equal(f->fault[0].line, 3);
    assert_int_equal(f->fault[1].line, 5);
    assert_int_equal(f->fault[2].line, 4);
    assert_int_equal(live(t, "App", &s)->nrow, 3);
    OK(t, fa_tag_rows_put(t->l, &t->a, id, FA_STR("s,d\n"), BY, FA_STR(""), f, &r, &t->e));
    assert_int_equal(live(t, "App", &s)->nrow, 0);
    {
        fa_tag_row row;

        OK(t, fa_tag_publish(t->l, &t->a, id, first, BY, &row, &doc, &t->e));
        json_decref(doc);
    }
    assert_int_equal(live(t, "App", &s)->nrow, 3); /* restored with its rows */
    assert_int_equal(fa_tag_rows_put(t->l, &t->a, id, FA_STR(""), BY, FA_STR(""), f, &r, &t->e),
                     FA_EDATA);
    assert_int_equal(f->n, 1);
    fa_buf_release(&csv);
    fa_tag_set_put(s);
}

static void test_check(void **state)
{
    struct bed *t = *state;
    json_t *doc =
        json_pack("{s:s,s:s,s:{s:{s:s,s:s},s:[[s,s]]}}", "name", "App", "kind", "dictionary",
                  "dictionary", "source", "costCenter", "AWS", "key", "app", "rows", "a", "b");
    fa_str id = save(t, (fa_str){0}, doc, true, FA_OK);
    fa_tag_set *s = NULL;
    fa_finding *f;
    fa_tag_row row;
    size_t n;

    assert_int_equal(live(t, "App", &s)->nrow, 1); /* rows in a document are kept as its rows */
    OK(t, fa_tags_check(t->l, &t->a, &f, &n, &t->e));
    assert_int_equal(n, 0);
    OK(t, fa_tag_get(fa_ledger_store(t->l), &t->a, fa_ledger_account(t->l), id, &row, &t->e));
    row.live = FA_STR("00000000-0000-4000-8000-000000000000");
    OK(t, fa_tag_put(fa_ledger_store(t->l), fa_ledger_account(t->l), &row, &t->e));
    OK(t, fa_tags_check(t->l, &t->a, &f, &n, &t->e));
    assert_int_equal(n, 1);
    assert_non_null(strstr(f[0].what.p, "live version is missing"));
    fa_tag_set_put(s);
}

static void test_tree_rows(void **state)
{
    struct bed *t = *state;
    json_t *doc = json_pack("{s:s,s:s,s:{s:{s:s,s:s},s:[{s:s},{s:s}]}}", "name", "Org", "kind",
                            "hierarchy", "hierarchy", "base", "costCenter", "AWS", "key", "squad",
                            "levels", "name", "Department", "name", "VP");
    fa_str id = save(t, (fa_str){0}, doc, true, FA_OK);
    fa_row_faults *f = fa_arena_alloc(&t->a, sizeof *f);
    fa_tag_set *s = NULL;
    fa_rows_result r;
    fa_buf csv = {0};
    const fa_tag *vp;

    OK(t, fa_tag_rows_put(t->l, &t->a, id,
                          FA_STR("squad,dep,vp,from,to\nA,Pay,V1,,2026-06-30\nA,Pay,V2,2026-07-01,"
                                 "\nC,Pay,V1,2026-06-01,2026-06-30\nD,Ads,,,\n"),
                          BY, FA_STR(""), f, &r, &t->e));
    vp = live(t, "VP", &s);
    assert_int_equal(vp->nrow, 2);
    assert_true(fa_str_eqz(vp->row[0].target, "V1") && fa_str_eqz(vp->row[1].target, "V2"));
    assert_int_equal(live(t, "Department", &s)->nrow, 3); /* A is of Pay on all days */
    OK(t, fa_tag_rows_csv(t->l, &t->a, id, &csv, &t->e));
    OK(t, fa_tag_rows_put(t->l, &t->a, id, fa_buf_view(&csv), BY, FA_STR(""), f, &r, &t->e));
    if (!r.unchanged)
        fail_msg("the rows changed: %s", csv.p);
    assert_int_equal(
        fa_tag_rows_put(t->l, &t->a, id, FA_STR("s,d,v\nA,,V1\n"), BY, FA_STR(""), f, &r, &t->e),
        FA_EDATA);
    assert_int_equal(f->fault[0].line, 2);
    fa_buf_release(&csv);
    fa_tag_set_put(s);
}

static void test_metadata(void **state)
{
    struct bed *t = *state;
    fa_str id = save(t, (fa_str){0}, doc_of("Team", "a"), true, FA_OK);
    json_t *put = json_loads("{\"App "
                             "Team\":{\"groups\":[\"d704e672-b33c-4fda-b4fc-bde7a8774de4\"],"
                             "\"customMetadata\":{\"owner\":\"Dave\",\"x\":\"1\"}},\"B\":{}}",
                             0, NULL);
    json_t *more = json_loads("{\"App "
                              "Team\":{\"mergeValuesAndMetadata\":true,\"groups\":[\"d704e672-b33c-"
                              "4fda-b4fc-bde7a8774de4\",\"770e4021-08f3-48d9-bdc1-ae9a8fd07cea\"],"
                              "\"customMetadata\":{\"owner\":\"Eve\"}},\"B\":null}",
                              0, NULL);
    json_t *want =
        json_loads("{\"App "
                   "Team\":{\"groups\":[\"d704e672-b33c-4fda-b4fc-bde7a8774de4\",\"770e4021-08f3-"
                   "48d9-bdc1-ae9a8fd07cea\"],\"customMetadata\":{\"owner\":\"Eve\",\"x\":\"1\"}}}",
                   0, NULL);
    json_t *dotted = json_loads("{\"a.b\":{}}", 0, NULL), *got;

    OK(t, fa_tag_metadata_put(t->l, &t->a, id, put, false, BY, &got, &t->e));
    assert_true(json_equal(got, put));
    json_decref(got);
    OK(t, fa_tag_metadata_put(t->l, &t->a, id, more, false, BY, &got, &t->e));
    assert_true(json_equal(got, want));
    json_decref(got);
    assert_int_equal(fa_tag_metadata_put(t->l, &t->a, id, dotted, false, BY, &got, &t->e),
                     FA_EINVAL);
    OK(t, fa_tag_metadata(t->l, &t->a, id, &got, &t->e));
    assert_true(json_equal(got, want));
    json_decref(got);
    json_decref(put);
    json_decref(more);
    json_decref(want);
    json_decref(dotted);
}

/* ---- rules as CSV ---- */

static uint32_t rng = 12345;

static uint32_t below(uint32_t n)
{
    rng = rng * 1664525 + 1013904223;
    return (rng >> 8) % n;
}

static json_t *any_text(void)
{
    static const char *const t[] = {
        "plain",  "a|b",         "back\\slash", "\\e",        "\\#1",        "=1+1",
        "'=x",    "''@",         "-5",          "",           "ümlaut 日本", "q\"uote",
        "co,mma", "line\nbreak", "{brace",      "\"quoted\"", "a:b",         "tag:x"};

    return json_string(t[below(FA_COUNT(t))]);
}

static json_t *any_filter(int depth)
{
    uint32_t kind = below(depth > 3 ? 6 : 10);
    json_t *list = json_array(), *leaf;

    if (kind == 0 && below(2)) {
        json_decref(list);
        return json_object();
    }
    if (kind >= 6) {
        for (uint32_t n = below(4); n; n--)
            json_array_append_new(list, any_filter(depth + 1));
        return json_pack("{s:o}", kind & 1 ? "AND" : "OR", list);
    }
    json_decref(list);
    leaf = json_pack("{s:s,s:o,s:s}", "costCenter", below(2) ? "AWS" : "Virtual Tags", "key",
                     any_text(), "operator", "oneOf");
    if (below(2))
        json_object_set_new(leaf, "type", json_string("tag"));
    if (!json_string_length(json_object_get(leaf, "key")))
        json_object_set_new(leaf, "key", json_string("k"));
    if (below(5) == 0)
        return leaf;
    if (below(3) == 0) {
        json_object_set_new(leaf, "value",
                            below(3)   ? any_text()
                            : below(2) ? json_integer(7)
                                       : json_true());
        return leaf;
    }
    list = json_array();
    for (uint32_t n = below(4); n; n--)
        json_array_append_new(list, below(6) ? any_text() : json_real(1.5));
    json_object_set_new(leaf, "value", list);
    return leaf;
}

static void test_rules_round_trip(void **state)
{
    struct bed *t = *state;
    fa_row_faults *f = fa_arena_alloc(&t->a, sizeof *f);

    for (int i = 0; i < 2000; i++) {
        json_t *rules = json_array(), *doc = json_object(), *back = NULL;
        fa_buf csv = {0};

        for (uint32_t n = below(6); n; n--) {
            json_t *rule = json_pack(
                "{s:o,s:o}", "to",
                below(3) ? any_text() : json_pack("{s:s,s:s}", "costCenter", "AWS", "key", "a,\"b"),
                "filters", any_filter(0));

            if (json_is_string(json_object_get(rule, "to")) &&
                !json_string_length(json_object_get(rule, "to")))
                json_object_set_new(rule, "to", json_string("x"));
            if (below(3) == 0)
                json_object_set_new(rule, "timeframe",
                                    below(2) ? json_pack("{s:I,s:I}", "from",
                                                         (json_int_t)1767225600000LL, "to",
                                                         (json_int_t)1767225600001LL)
                                             : json_pack("{s:I,s:I}", "from", (json_int_t)-86400000,
                                                         "to", (json_int_t)1767225600000LL));
            if (below(4) == 0)
                json_object_set_new(rule, "disableRename", json_true());
            json_array_append_new(rules, rule);
        }
        json_object_set_new(doc, "rules", rules);
        fa_rules_csv(&csv, doc);
        if (fa_rules_from_csv(fa_buf_view(&csv), &t->a, f, &back, &t->e))
            fail_msg("%s in:\n%s", t->e.msg, csv.p);
        if (!json_equal(rules, back))
            fail_msg("case %d: %s\n is not %s\n of\n%s", i, json_dumps(rules, JSON_COMPACT),
                     json_dumps(back, JSON_COMPACT), csv.p);
        json_decref(back);
        json_decref(doc);
        fa_buf_release(&csv);
    }
}

static void test_rules_faults(void **state)
{
    struct bed *t = *state;
    static const char head[] = "rank,value,costCenter,keyPath,operator,values,logic,from,to\n";
    static const struct {
        const char *row, *text;
        size_t line;
    } bad[] = {
        {"rank", "x,a,AWS,team,exists,,,,", 2},
        {"rank back", "2,a,AWS,team,exists,,,,\n1,b,AWS,team,exists,,,,", 3},
        {"no value", "1,,AWS,team,exists,,,,", 2},
        {"no key", "1,a,AWS,,exists,,,,", 2},
        {"day", "1,a,AWS,team,exists,,,2026-02-30,", 2},
        {"two and no logic", "1,a,AWS,team,exists,,,,\n1,a,AWS,app,exists,,,,", 3},
        {"logic", "1,a,AWS,team,exists,,XOR,,", 2},
        {"logic jumps", "1,a,AWS,team,exists,,AND/3#OR,,", 2},
        {"JSON value", "1,{oops,AWS,team,exists,,,,", 2},
    };
    fa_row_faults *f = fa_arena_alloc(&t->a, sizeof *f);

    for (size_t i = 0; i < FA_COUNT(bad); i++) {
        char text[300];
        json_t *rules = NULL;

        snprintf(text, sizeof text, "%s%s\n", head, bad[i].text);
        if (fa_rules_from_csv(fa_str_of(text), &t->a, f, &rules, &t->e) != FA_EDATA ||
            f->fault[0].line != bad[i].line)
            fail_msg("%s: %zu faults, line %zu, %s", bad[i].row, f->n, f->fault[0].line, t->e.msg);
        json_decref(rules);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_versions),
        TEST(test_hundred_versions),
        TEST(test_names_and_deletion),
        TEST(test_cycle_changes_nothing),
        TEST(test_rows),
        TEST(test_check),
        TEST(test_tree_rows),
        TEST(test_metadata),
        TEST(test_rules_round_trip),
        TEST(test_rules_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
