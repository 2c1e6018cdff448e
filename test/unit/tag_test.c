/*
 * tag_test.c - documents of virtual tags: what is taken and how it is understood, what is refused and with which
 * field, order of dependency, cycles, rows of dictionaries and hierarchies, limits.
 */
#include "allocate/allocate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID(n) "00000000-0000-4000-8000-0000000000" n
#define LEAF "{\"costCenter\":\"AWS\",\"key\":\"team\",\"type\":\"tag\",\"operator\":\"exists\"}"
#define READS(id)                                                                                  \
    "{\"costCenter\":\"virtualTag\",\"key\":\"" id "\",\"operator\":\"is\",\"value\":\"x\"}"
#define RULE(to, filter) "{\"to\":" to ",\"filters\":" filter "}"
#define RULES(id, name, rules) "{\"id\":\"" id "\",\"name\":\"" name "\",\"rules\":[" rules "]}"
#define MOVES(allocations)                                                                         \
    "[{\"id\":\"" ID("01") "\",\"name\":\"T\",\"allocations\":[" allocations "]}]"

static fa_tag_set *parse(const char *text)
{
    json_error_t where;
    json_t *j = json_loads(text, 0, &where);
    fa_tag_set *s = NULL;
    fa_err e = {0};

    if (!j)
        fail_msg("test's own JSON: %s in %s", where.text, text);
    if (fa_tag_set_parse(j, &s, &e))
        fail_msg("refused: %s (%s)", e.msg, e.field);
    json_decref(j);
    return s;
}

static fa_str str(const char *z)
{
    return fa_str_of(z);
}

static void test_one_rule(void **state)
{
    fa_tag_set *s = parse("[{\"id\":\"" ID(
        "01") "\",\"name\":\" Team \",\"category\":\"Project\",\"defaultValue\":{\"costCenter\":"
              "\"AWS\",\"key\":\"account\",\"type\":\"billing_dimension\"},\"rules\":["
              "{\"to\":\" Pay \",\"filters\":" LEAF
              ",\"timeframe\":{\"from\":86400000,\"to\":172800001}},"
              "{\"to\":{\"costCenter\":\"AWS\",\"key\":\"team\"},\"filters\":{},\"timeframe\":{"
              "\"from\":1}}]}]");
    const fa_tag *t;
    size_t n;

    (void)state;
    t = fa_tag_set_all(s, &n);
    assert_int_equal(n, 1);
    assert_true(fa_str_eqz(t->name, "Team") && fa_str_eqz(t->category, "Project"));
    assert_true(t->dflt.is_key && fa_str_eqz(t->dflt.key.key, "account"));
    assert_int_equal(t->nrule, 2);
    assert_true(!t->rule[0].to.is_key && fa_str_eqz(t->rule[0].to.text, "Pay"));
    /* midnight of day 1 is the first instant: in; midnight of day 2 is before the end, of day 3 is not */
    assert_int_equal(t->rule[0].from, 1);
    assert_int_equal(t->rule[0].to_day, 3);
    assert_true(t->rule[1].to.is_key && fa_str_eqz(t->rule[1].to.key.key, "team"));
    assert_int_equal(t->rule[1].from, 1); /* midnight of day 0 is before 1 ms */
    assert_int_equal(t->rule[1].to_day, FA_DAY_MAX);
    assert_ptr_equal(fa_tag_set_find(s, str(ID("01"))), t);
    assert_ptr_equal(fa_tag_set_find(s, str("tEAM")), t);
    assert_null(fa_tag_set_find(s, str("other")));
    fa_tag_set_put(s);
}

static void test_nothing(void **state)
{
    fa_tag_set *s = parse("[]");
    size_t n = 9;

    (void)state;
    (void)fa_tag_set_all(s, &n);
    assert_int_equal(n, 0);
    fa_tag_set_put(fa_tag_set_ref(s));
    fa_tag_set_put(s);
    s = parse("[" RULES(ID("01"), "T", "") "]");
    assert_true(fa_str_eqz(fa_tag_set_all(s, &n)->dflt.text, "Untagged"));
    fa_tag_set_put(s);
}

/* ---- what is refused ---- */

static void refuse(const char *row, const char *text, fa_rc want, const char *field,
                   const char *words)
{
    json_t *j = json_loads(text, 0, NULL);
    fa_tag_set *s = NULL;
    fa_err e = {0};
    fa_rc rc;

    if (!j)
        fail_msg("%s: the test's own JSON is wrong: %s", row, text);
    rc = fa_tag_set_parse(j, &s, &e);
    json_decref(j);
    fa_tag_set_put(s);
    if (rc != want || strcmp(e.field, field) != 0 || !strstr(e.msg, words))
        fail_msg("%s: rc %d, field \"%s\", \"%s\"", row, rc, e.field, e.msg);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *row, *text;
        fa_rc rc;
        const char *field, *words;
    } t[] = {
        {"no id", "[{\"name\":\"T\"}]", FA_EINVAL, "[0].id", "missing"},
        {"id", "[{\"id\":\"7\",\"name\":\"T\"}]", FA_EINVAL, "[0].id", "UUID"},
        {"no name", "[{\"id\":\"" ID("01") "\"}]", FA_EINVAL, "[0].name", "missing"},
        {"blank name", "[{\"id\":\"" ID("01") "\",\"name\":\"  \"}]", FA_EINVAL, "[0].name",
         "1 to"},
        {"kind", "[{\"id\":\"" ID("01") "\",\"name\":\"T\",\"kind\":\"x\"}]", FA_EINVAL, "[0].kind",
         "rules, dictionary"},
        {"rules", "[{\"id\":\"" ID("01") "\",\"name\":\"T\",\"rules\":{}}]", FA_EINVAL, "[0].rules",
         "array"},
        {"no to", "[" RULES(ID("01"), "T", "{\"filters\":{}}") "]", FA_EINVAL, "[0].rules[0].to",
         "missing"},
        {"empty to", "[" RULES(ID("01"), "T", RULE("\" \"", "{}")) "]", FA_EINVAL,
         "[0].rules[0].to", "1 to"},
        {"number to", "[" RULES(ID("01"), "T", RULE("5", "{}")) "]", FA_EINVAL, "[0].rules[0].to",
         "text or a key"},
        {"key without key", "[" RULES(ID("01"), "T", RULE("{\"costCenter\":\"AWS\"}", "{}")) "]",
         FA_EINVAL, "[0].rules[0].to.key", "missing"},
        {"no filters", "[" RULES(ID("01"), "T", "{\"to\":\"a\"}") "]", FA_EINVAL,
         "[0].rules[0].filters", "missing"},
        {"filter list", "[" RULES(ID("01"), "T", RULE("\"a\"", "[]")) "]", FA_EINVAL,
         "[0].rules[0].filters", "object"},
        {"group", "[" RULES(ID("01"), "T", RULE("\"a\"", "{\"AND\":5}")) "]", FA_EINVAL,
         "[0].rules[0].filters", "array in AND"},
        {"frame",
         "[" RULES(ID("01"), "T", "{\"to\":\"a\",\"filters\":{},\"timeframe\":{\"to\":5}}") "]",
         FA_EINVAL, "[0].rules[0].timeframe.from", "missing"},
        {"frame text",
         "[" RULES(ID("01"), "T",
                   "{\"to\":\"a\",\"filters\":{},\"timeframe\":{\"from\":\"5\"}}") "]",
         FA_EINVAL, "[0].rules[0].timeframe.from", "milliseconds"},
        {"frame back",
         "[" RULES(ID("01"), "T",
                   "{\"to\":\"a\",\"filters\":{},\"timeframe\":{\"from\":5,\"to\":5}}") "]",
         FA_EDATA, "[0].rules[0].timeframe.to", "later"},
        {"default", "[{\"id\":\"" ID("01") "\",\"name\":\"T\",\"defaultValue\":\"\"}]", FA_EINVAL,
         "[0].defaultValue", "1 to"},
        {"reads none", "[" RULES(ID("01"), "T", RULE("\"a\"", READS(ID("99")))) "]", FA_EDATA,
         "key", "does not exist"},
        {"same id", "[" RULES(ID("01"), "A", "") "," RULES(ID("01"), "B", "") "]", FA_EDATA, "id",
         "same id"},
        {"percent",
         MOVES("{\"name\":\"S\",\"type\":\"fixed\",\"data\":{\"tags\":[{\"key\":\"A\","
               "\"value\":60},{\"key\":\"B\",\"value\":40.1}]}}"),
         FA_EDATA, "[0].allocations[0].data.tags", "100.1 %"},
        {"percent later",
         MOVES("{\"name\":\"S\",\"type\":\"fixed\",\"data\":{\"tags\":[{\"key\":\"A\","
               "\"value\":60},{\"key\":\"B\",\"value\":41,\"from\":\"2026-07-01\"}]}}"),
         FA_EDATA, "[0].allocations[0].data.tags", "101 %"},
        {"percent less than 0",
         MOVES("{\"name\":\"S\",\"type\":\"fixed\",\"data\":{\"tags\":[{\"key\":\"A\","
               "\"value\":-1}]}}"),
         FA_EINVAL, "[0].allocations[0].data.tags[0].value", "0 to 100"},
        {"target twice",
         MOVES("{\"name\":\"S\",\"type\":\"fixed\",\"data\":{\"tags\":[{\"key\":\"A\","
               "\"value\":6},{\"key\":\"A\",\"value\":4}]}}"),
         FA_EDATA, "[0].allocations[0].data.tags", "twice"},
        {"to itself",
         MOVES("{\"name\":\"S\",\"type\":\"even\",\"data\":{\"targets\":[\"A\",\"S\"]}}"), FA_EDATA,
         "[0].allocations[0].data.targets[1]", "whose cost"},
        {"back to a source",
         MOVES("{\"name\":\"S\",\"type\":\"even\"},{\"name\":\"P\",\"type\":\"even\",\"data\":{"
               "\"targets\":[\"S\"]}}"),
         FA_EDATA, "[0].allocations[1]", "P\" -> \"S"},
        {"source twice",
         MOVES("{\"name\":\"S\",\"type\":\"even\"},{\"name\":\"S\",\"type\":\"proportional\"}"),
         FA_EDATA, "[0].allocations[1]", "one active"},
        {"strategy", MOVES("{\"name\":\"S\",\"type\":\"odd\"}"), FA_EINVAL,
         "[0].allocations[0].type", "even, proportional"},
        {"metric", MOVES("{\"name\":\"S\",\"type\":\"metric\",\"data\":{\"kpiCenterId\":\"k\"}}"),
         FA_EINVAL, "[0].allocations[0].data.metricName", "missing"},
        {"join without key",
         MOVES("{\"name\":\"S\",\"type\":\"metric\",\"data\":{\"kpiCenterId\":\"k\","
               "\"metricName\":\"m\",\"joinField\":\"c\"}}"),
         FA_EINVAL, "[0].allocations[0].data.joinKey", "missing"},
        {"carry",
         MOVES("{\"name\":\"S\",\"type\":\"metric\",\"data\":{\"kpiCenterId\":\"k\","
               "\"metricName\":\"m\",\"carryDays\":1.5}}"),
         FA_EINVAL, "[0].allocations[0].data.carryDays", "whole number"},
        {"dictionary", "[{\"id\":\"" ID("01") "\",\"name\":\"T\",\"kind\":\"dictionary\"}]",
         FA_EINVAL, "[0].dictionary", "missing"},
        {"dictionary rows",
         "[{\"id\":\"" ID(
             "01") "\",\"name\":\"T\",\"kind\":\"dictionary\",\"dictionary\":{\"source\":{"
                   "\"costCenter\":\"AWS\",\"key\":\"app\"},\"rows\":[[\"a\",\"x\",null,\"2026-"
                   "06-30\"],[\"b\",\"y\"],[\"a\",\"z\",\"2026-06-30\",null]]}}]",
         FA_EDATA, "dictionary.rows", "line 3"},
        {"two parents",
         "[{\"id\":\"" ID("01") "\",\"name\":\"T\",\"kind\":\"hierarchy\",\"hierarchy\":{"
                                "\"base\":{\"costCenter\":\"AWS\",\"key\":\"app\"},\"levels\":["
                                "{\"id\":\"" ID("02") "\",\"name\":\"D\"},{\"id\":\"" ID(
                                    "03") "\",\"name\":\"V\"}],\"rows\":[[\"a\",\"P\",\"V1\"],["
                                          "\"b\",\"P\",\"V2\"]]}}]",
         FA_EDATA, "hierarchy.rows", "line 2"},
        {"relation",
         "[{\"id\":\"" ID(
             "01") "\",\"name\":\"T\",\"kind\":\"relational\",\"relation\":{\"kpiCenterId\":"
                   "\"k\",\"metricName\":\"m\",\"scope\":{},\"outputs\":[]}}]",
         FA_EINVAL, "[0].relation.outputs", "1 to 8"},
        {"not a list", "{}", FA_EINVAL, "", "array"},
        {"not an object", "[5]", FA_EINVAL, "[0].", "object"},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++)
        refuse(t[i].row, t[i].text, t[i].rc, t[i].field, t[i].words);
}

/* ---- order and cycles ---- */

static void test_cycles(void **state)
{
    (void)state;
    refuse("itself", "[" RULES(ID("01"), "Team", RULE("\"a\"", READS(ID("01")))) "]", FA_EDATA, "",
           "Team -> Team");
    refuse(
        "three",
        "[" RULES(
            ID("01"), "Team",
            RULE("{\"costCenter\":\"Virtual Tags\",\"key\":\"" ID("02") "\"}",
                 "{}")) "," RULES(ID("02"), "Squad",
                                  RULE(
                                      "\"a\"",
                                      "{\"OR\":[" LEAF ",{\"AND\":[" READS(ID(
                                          "03")) "]}]}")) ","
                                                          "{\"id\":\"" ID(
                                                              "03") "\",\"name\":\"Chargeback\","
                                                                    "\"defaultValue\":{"
                                                                    "\"costCenter\":\"virtualTag\","
                                                                    "\"key\":\"" ID("01") "\"}}]",
        FA_EDATA, "", "Team -> Squad -> Chargeback -> Team");
    refuse("a way into a circle",
           "[" RULES(ID("01"), "In", RULE("\"a\"", READS(ID("02")))) "," RULES(
               ID("02"), "X",
               RULE("\"a\"", READS(ID("03")))) "," RULES(ID("03"), "Y",
                                                         RULE("\"a\"", READS(ID("02")))) "]",
           FA_EDATA, "", ": X -> Y -> X");
}

static void test_order(void **state)
{
    fa_tag_set *s = parse("[" RULES(
        ID("03"), "C",
        RULE("\"a\"", READS(ID("02"))) "," RULE(
            "\"b\"", READS(ID("01")))) "," RULES(ID("02"), "B",
                                                 RULE("\"a\"", READS(ID("01")))) "," RULES(ID("01"),
                                                                                           "A",
                                                                                           "") "]");
    const fa_tag *t;
    size_t n;

    (void)state;
    t = fa_tag_set_all(s, &n);
    assert_int_equal(n, 3);
    assert_true(fa_str_eqz(t[0].name, "A") && fa_str_eqz(t[1].name, "B") &&
                fa_str_eqz(t[2].name, "C"));
    assert_int_equal(t[0].ndep, 0);
    assert_int_equal(t[1].ndep, 1);
    assert_int_equal(t[1].dep[0], 0);
    assert_int_equal(t[2].ndep, 2);
    fa_tag_set_put(s);
}

/* 250 tags, each reading the one before: no limit on how deep a chain is below the number of tags. */
static void test_chain(void **state)
{
    json_t *all = json_array();
    char id[37], before[37], name[16];
    fa_tag_set *s = NULL;
    const fa_tag *t;
    fa_err e = {0};
    size_t n;

    (void)state;
    for (int i = 249; i >= 0; i--) {
        json_t *rules = json_array();

        snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", i);
        snprintf(before, sizeof before, "00000000-0000-4000-8000-%012d", i - 1);
        snprintf(name, sizeof name, "T%d", i);
        if (i)
            json_array_append_new(rules, json_pack("{s:s,s:{s:s,s:s,s:s}}", "to", "a", "filters",
                                                   "costCenter", "virtualTag", "key", before,
                                                   "operator", "exists"));
        json_array_append_new(all,
                              json_pack("{s:s,s:s,s:o}", "id", id, "name", name, "rules", rules));
    }
    assert_int_equal(fa_tag_set_parse(all, &s, &e), FA_OK);
    t = fa_tag_set_all(s, &n);
    assert_int_equal(n, 250);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(strtol(t[i].name.p + 1, NULL, 10), i);
    fa_tag_set_put(s);
    json_decref(all);
}

static fa_rc many(size_t rules, size_t tags, fa_err *e)
{
    json_t *all = json_array();
    fa_tag_set *s = NULL;
    fa_rc rc;

    for (size_t k = 0; k < tags; k++) {
        json_t *list = json_array();
        char id[37], name[16];

        snprintf(id, sizeof id, "00000000-0000-4000-8000-%012zu", k);
        snprintf(name, sizeof name, "T%zu", k);
        for (size_t i = 0; i < rules; i++)
            json_array_append_new(list, json_pack("{s:s,s:{}}", "to", "a", "filters"));
        json_array_append_new(all,
                              json_pack("{s:s,s:s,s:o}", "id", id, "name", name, "rules", list));
    }
    rc = fa_tag_set_parse(all, &s, e);
    fa_tag_set_put(s);
    json_decref(all);
    return rc;
}

static void test_limits(void **state)
{
    fa_err e = {0};

    (void)state;
    assert_int_equal(many(1000, 1, &e), FA_OK);
    assert_int_equal(many(1001, 1, &e), FA_EDATA);
    assert_string_equal(e.field, "[0].rules");
    assert_non_null(strstr(e.msg, "1001 rules"));
    assert_int_equal(many(0, FA_TAGS_MAX, &e), FA_OK);
    assert_int_equal(many(0, FA_TAGS_MAX + 1, &e), FA_EDATA);
}

/* ---- reallocation ---- */

static void test_allocations(void **state)
{
    fa_tag_set *s = parse(MOVES(
        "{\"name\":\"Support\",\"type\":\"fixed\",\"active\":true,\"data\":{\"tags\":[{\"key\":"
        "\"A\",\"value\":33.333333333,\"to\":\"2026-06-30\"},"
        "{\"key\":\"A\",\"value\":\"50\",\"from\":\"2026-07-01\"},{\"key\":\"B\",\"value\":50}]}},"
        "{\"name\":\"Off\",\"type\":\"even\",\"active\":false,\"data\":{\"targets\":[\"A\"]}},"
        "{\"name\":\"P\",\"type\":\"metric\",\"data\":{\"kpiCenterId\":\"k\",\"metricName\":\"m\","
        "\"field\":\"ns\",\"joinField\":\"c\","
        "\"joinKey\":{\"costCenter\":\"Kubernetes\",\"key\":\"cluster\"},\"carryDays\":0}},"
        "{\"name\":\"Q\",\"type\":\"proportional\",\"data\":{\"targets\":[\"A\",\"B\"],"
        "\"filters\":" LEAF "}}"));
    const fa_tag *t;
    size_t n;

    (void)state;
    t = fa_tag_set_all(s, &n);
    assert_int_equal(t->nalloc, 3);
    assert_int_equal(t->alloc[0].nshare, 3);
    assert_int_equal(t->alloc[0].share[0].percent_e9, 33333333333);
    assert_int_equal(t->alloc[0].share[0].from, FA_DAY_MIN);
    assert_int_equal(t->alloc[0].share[1].percent_e9, 50000000000);
    assert_int_equal(t->alloc[0].share[1].from - t->alloc[0].share[0].to, 1);
    assert_int_equal(t->alloc[1].kind, FA_ALLOC_METRIC);
    assert_int_equal(t->alloc[1].carry_days, 0);
    assert_true(fa_str_eqz(t->alloc[1].join_key.key, "cluster"));
    assert_int_equal(t->alloc[2].ntarget, 2);
    assert_non_null(t->alloc[2].basis);
    fa_tag_set_put(s);
}

/* ---- dictionaries, hierarchies, relations ---- */

static void test_dictionary(void **state)
{
    fa_tag_set *s = parse("[{\"id\":\"" ID(
        "01") "\",\"name\":\"App\",\"kind\":\"dictionary\",\"dictionary\":{\"ignoreCase\":true,"
              "\"source\":{\"costCenter\":"
              "\"AWS\",\"key\":\"app\"},\"rows\":[[\"App-1\",\"Ads\",\"2026-07-01\",null],[\"app-"
              "1\",\"Pay\",null,\"2026-06-30\"],[\"app-0\",\"Zoo\"],[\"\",\"None\"]]}}]");
    const fa_tag *t;
    size_t n;

    (void)state;
    t = fa_tag_set_all(s, &n);
    assert_int_equal(t->kind, FA_TAG_DICTIONARY);
    assert_true(t->ignore_case);
    assert_int_equal(t->nrow, 3); /* a blank source maps nothing */
    assert_true(fa_str_eqz(t->row[0].source, "app-0"));
    assert_true(fa_str_eqz(t->row[1].target, "Pay") && fa_str_eqz(t->row[2].target, "Ads"));
    assert_int_equal(t->row[1].to + 1, t->row[2].from);
    fa_tag_set_put(s);
}

static void test_hierarchy(void **state)
{
    fa_tag_set *s = parse("[{\"id\":\"" ID(
        "01") "\",\"name\":\"Org\",\"kind\":\"hierarchy\",\"hierarchy\":{"
              "\"base\":{\"costCenter\":\"virtualTag\",\"key\":\"" ID(
                  "09") "\"},"
                        "\"levels\":[{\"id\":\"" ID(
                            "02") "\",\"name\":\"Department\"},{\"id\":"
                                  "\"" ID("03") "\",\"name\":\"VP\"}],"
                                                "\"rows\":[[\"A\","
                                                "\"Payments\",\"VP1\"],["
                                                "\"C\",\"Payments\",\"VP1\"]"
                                                ",[\"B\",\"\",\"\"]]}}"
                                                "," RULES(ID("09"), "Squad", "") "]");
    const fa_tag *t;
    size_t n;

    (void)state;
    t = fa_tag_set_all(s, &n);
    assert_int_equal(n, 3);
    assert_true(fa_str_eqz(t[0].name, "Squad") && fa_str_eqz(t[1].name, "Department") &&
                fa_str_eqz(t[2].name, "VP"));
    assert_int_equal(t[1].nrow, 2);
    assert_int_equal(t[2].nrow, 1); /* Payments -> VP1, said twice */
    assert_true(fa_str_eqz(t[2].row[0].source, "Payments") &&
                fa_str_eqz(t[2].row[0].target, "VP1"));
    assert_true(fa_str_eqz(t[2].source.key, ID("02")));
    assert_int_equal(t[1].dep[0], 0);
    assert_int_equal(t[2].dep[0], 1);
    fa_tag_set_put(s);
}

static void test_relation(void **state)
{
    fa_tag_set *s = parse("[{\"id\":\"" ID(
        "01") "\",\"name\":\"DB\",\"kind\":\"relational\",\"defaultValue\":\"none\",\"rules\":"
              "[" RULE("\"x\"", LEAF) "],"
                                      "\"relation\":{\"kpiCenterId\":\"k\",\"metricName\":\"m\","
                                      "\"joinField\":\"db\",\"joinKey\":{\"costCenter\":\"AWS\","
                                      "\"key\":\"resource_id\"},"
                                      "\"scope\":" LEAF ",\"outputs\":[{\"id\":\"" ID(
                                          "02") "\",\"name\":\"Team\",\"field\":\"team\"},{\"id\":"
                                                "\"" ID("03") "\",\"name\":\"Svc\",\"field\":"
                                                              "\"service\"}]}}]");
    const fa_tag *t;
    size_t n;

    (void)state;
    t = fa_tag_set_all(s, &n);
    assert_int_equal(n, 2);
    assert_true(fa_str_eqz(t[1].relation, ID("01")) && t[1].component == 1 && t[1].nfield == 2);
    assert_true(fa_str_eqz(t[1].field[0], "team") && fa_str_eqz(t[1].field[1], "service"));
    assert_true(fa_str_eqz(t[0].dflt.text, "none") && t[0].nrule == 1);
    assert_true(t[0].hash != t[1].hash);
    fa_tag_set_put(s);
}

/* ---- hashes and drafts ---- */

static void test_hashes(void **state)
{
    fa_tag_set *a = parse("[" RULES(ID("01"), "A", RULE("\"x\"", LEAF)) "," RULES(
        ID("02"), "B", RULE("\"a\"", READS(ID("01")))) "," RULES(ID("03"), "C", "") "]");
    json_t *draft = json_loads(RULES(ID("01"), "A", RULE("\"y\"", LEAF)), 0, NULL);
    json_t *renamed = json_loads(RULES(ID("01"), "A2", RULE("\"x\"", LEAF)), 0, NULL);
    json_t *circle = json_loads(RULES(ID("01"), "A", RULE("\"y\"", READS(ID("02")))), 0, NULL);
    json_t *more = json_loads(RULES(ID("04"), "D", RULE("\"y\"", READS(ID("02")))), 0, NULL);
    fa_tag_set *b = NULL, *c = NULL, *d = NULL;
    fa_err e = {0};
    size_t n;

    (void)state;
    assert_int_equal(fa_tag_set_with(a, draft, &b, &e), FA_OK);
    assert_int_equal(fa_tag_set_with(a, renamed, &c, &e), FA_OK);
    json_decref(draft);
    json_decref(renamed);
    /* what a tag reads is part of what decides its values */
    assert_true(fa_tag_set_find(a, str("A"))->hash != fa_tag_set_find(b, str("A"))->hash);
    assert_true(fa_tag_set_find(a, str("B"))->hash != fa_tag_set_find(b, str("B"))->hash);
    assert_true(fa_tag_set_find(a, str("C"))->hash == fa_tag_set_find(b, str("C"))->hash);
    assert_true(fa_tag_set_hash(a) != fa_tag_set_hash(b));
    /* a name decides nothing */
    assert_true(fa_tag_set_find(a, str("A"))->hash == fa_tag_set_find(c, str("A2"))->hash);
    assert_true(fa_tag_set_hash(a) != fa_tag_set_hash(c));
    assert_int_equal(fa_tag_set_with(a, circle, &d, &e), FA_EDATA);
    assert_non_null(strstr(e.msg, "A -> B -> A"));
    assert_null(d);
    assert_int_equal(fa_tag_set_with(NULL, more, &d, &e), FA_EDATA);
    assert_int_equal(fa_tag_set_with(a, more, &d, &e), FA_OK);
    (void)fa_tag_set_all(d, &n);
    assert_int_equal(n, 4);
    json_decref(circle);
    json_decref(more);
    fa_tag_set_put(a);
    fa_tag_set_put(b);
    fa_tag_set_put(c);
    fa_tag_set_put(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_rule),   cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_cycles),
        cmocka_unit_test(test_order),      cmocka_unit_test(test_chain),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_dictionary), cmocka_unit_test(test_hierarchy),
        cmocka_unit_test(test_relation),   cmocka_unit_test(test_hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
