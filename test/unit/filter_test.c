/*
 * filter_test.c - the filter object: every operator on missing and present values, groups, refusals; and
 * how keys are resolved and written.
 *
 * Which rows a filter lets through is compared with the reference in query_bill.h, and by hand for the
 * rules of api.md 6.2.
 */
#include "query_bill.h"

static bill *b;

static int open_bill(void **state)
{
    (void)state;
    b = bill_open(9, false, 11);
    return 0;
}

static int close_bill(void **state)
{
    (void)state;
    bill_close(b);
    return 0;
}

static fa_i128 total_of(const fa_filter *f, int64_t *rows)
{
    fa_plan p = {.bucket = FA_ALL, .filter = f, .nmeasure = 1};
    fa_err e = {0};
    fa_answer a;

    must(fa_cost_type_find(FA_STR("unblendedCost"), FA_FAIR_OFF, &p.measure[0].type, &e), &e);
    assert_true(fa_day_parse(FA_STR(FIRST_DAY), &p.range.from));
    p.range.to = p.range.from + NDAY;
    must(fa_query_run(b->l, &b->a, &p, &a, &e), &e);
    *rows = a.rows;
    return a.total.total_e10[0] * FA_E8;
}

static void check(const char *row, const ref_filter *f)
{
    fa_i128 want = 0, got;
    int64_t n = 0, rows;

    for (size_t i = 0; i < b->nrow; i++)
        if (ref_match(&b->row[i], f)) {
            want += b->row[i].cost[0];
            n++;
        }
    got = total_of(to_filter(b, f), &rows);
    if (rows != n || got != want)
        fail_msg("%s: %lld rows, want %lld", row, (long long)rows, (long long)n);
}

/* ---- meaning ---- */

static void test_operators(void **state)
{
    static const char *const values[] = {"Compute", "core", "Core", "us-", "ö",  "GRÜN",
                                         "%",       "_",    "'",    "\\",  "2.5"};

    (void)state;
    for (size_t k = 0; k < NKEY; k++)
        for (size_t o = 0; o < FA_COUNT(ref_ops); o++)
            for (size_t v = 0; v < FA_COUNT(values); v++) {
                ref_filter f = {.op = ref_ops[o], .key = &ref_keys[k]};
                char row[96];

                if (strstr(f.op, "Than") && !is_number(values[v]))
                    continue;
                if (!strstr(f.op, "xists"))
                    f.value[f.nvalue++] = values[v];
                snprintf(row, sizeof row, "%s/%s %s %s", f.key->center, f.key->key, f.op,
                         values[v]);
                check(row, &f);
            }
}

static void test_nested(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++) {
        char row[32];

        snprintf(row, sizeof row, "random %d", i);
        check(row, random_filter(b, 5));
    }
}

/* A record that lacks the key: positive operators are false, negative ones true. */
static void test_missing(void **state)
{
    static const struct {
        const char *op, *value;
        bool is_true;
    } t[] = {
        {"is", "\"x\"", false},        {"is", "\"\"", false},        {"oneOf", "[\"\"]", false},
        {"oneOf", "[]", false},        {"contains", "\"\"", false},  {"exists", NULL, false},
        {"greaterThan", "0", false},   {"lessThan", "0", false},     {"isNot", "\"x\"", true},
        {"notIs", "\"\"", true},       {"notOneOf", "[\"\"]", true}, {"notOneOf", "[]", true},
        {"notContains", "\"\"", true}, {"notExists", NULL, true},    {"not", "\"x\"", true},
        {"equals", "\"x\"", false},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        char json[256];
        json_t *j;
        fa_err e = {0};
        const fa_filter *f;
        int64_t rows;

        snprintf(json, sizeof json,
                 "{\"costCenter\":\"Global\",\"key\":\"nobody has "
                 "this\",\"type\":\"tag\",\"operator\":\"%s\"%s%s}",
                 t[i].op, t[i].value ? ",\"value\":" : "", t[i].value ? t[i].value : "");
        j = json_loads(json, 0, NULL);
        assert_non_null(j);
        must(fa_filter_parse(b->cat, &b->a, FA_API_V2, j, "filters", &f, &e), &e);
        (void)total_of(f, &rows);
        if (rows != (t[i].is_true ? NROW : 0))
            fail_msg("%s: %lld rows", json, (long long)rows);
        json_decref(j);
    }
}

static void test_everything(void **state)
{
    static const struct {
        const char *json;
        int64_t rows;
    } t[] = {{"null", NROW},
             {"{}", NROW},
             {"{\"AND\":[]}", NROW},
             {"{\"OR\":[]}", 0},
             {"{\"AND\":[{}]}", NROW},
             {"{\"AND\":[{\"OR\":[]}]}", 0},
             {"{\"OR\":[{\"OR\":[]},{\"AND\":[]}]}", NROW},
             {"{\"key\":\"cost_center_type\",\"operator\":\"oneOf\",\"value\":[\"amazon-cur\","
              "\"gcp\",\"azure\","
              "\"Grafana Labs\"]}",
              NROW},
             {"{\"key\":\"size\",\"type\":\"tag\",\"operator\":\"oneOf\",\"value\":[1,2.5,10,-3,"
              "\"big\"]}",
              -1}};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        json_t *j = json_loads(t[i].json, JSON_DECODE_ANY, NULL);
        fa_err e = {0};
        const fa_filter *f;
        int64_t rows, want = t[i].rows;

        must(fa_filter_parse(b->cat, &b->a, FA_API_INTERNAL, j, "filters", &f, &e), &e);
        (void)total_of(f, &rows);
        for (size_t k = 0; t[i].rows < 0 && k < b->nrow; k++)
            want += (k == 0) + (b->row[k].size != NULL); /* all sizes are listed */
        if (rows != want)
            fail_msg("%s: %lld rows, want %lld", t[i].json, (long long)rows, (long long)want);
        json_decref(j);
    }
}

/* ---- refusals ---- */

#define LEAF "\"costCenter\":\"AWS\",\"key\":\"region\",\"type\":\"billing_dimension\""

static void test_refused(void **state)
{
    static const struct {
        const char *json;
        fa_api api;
        fa_rc rc;
        const char *field;
    } t[] = {
        {"[]", FA_API_V2, FA_EINVAL, "filters"},
        {"\"x\"", FA_API_V2, FA_EINVAL, "filters"},
        {"{\"and\":[]}", FA_API_V2, FA_EINVAL, "filters.and"},
        {"{\"or\":[]}", FA_API_V1, FA_EINVAL, "filters.or"},
        {"{\"filter\":{}}", FA_API_V1, FA_EINVAL, "filters.filter"},
        {"{\"AND\":{}}", FA_API_V2, FA_EINVAL, "filters.AND"},
        {"{\"AND\":[],\"OR\":[]}", FA_API_V2, FA_EINVAL, "filters"},
        {"{\"AND\":[]," LEAF "}", FA_API_V2, FA_EINVAL, "filters"},
        {"{\"AND\":[{\"OR\":[{},3]}]}", FA_API_V2, FA_EINVAL, "filters.AND[0].OR[1]"},
        {"{" LEAF "}", FA_API_V2, FA_EINVAL, "filters.operator"},
        {"{" LEAF ",\"operator\":\"like\",\"value\":\"x\"}", FA_API_V2, FA_EINVAL,
         "filters.operator"},
        {"{" LEAF ",\"operator\":3,\"value\":\"x\"}", FA_API_V2, FA_EINVAL, "filters.operator"},
        {"{" LEAF ",\"operator\":\"is\"}", FA_API_V2, FA_EINVAL, "filters.value"},
        {"{" LEAF ",\"operator\":\"is\",\"value\":null}", FA_API_V2, FA_EINVAL, "filters.value"},
        {"{" LEAF ",\"operator\":\"is\",\"value\":{}}", FA_API_V2, FA_EINVAL, "filters.value"},
        {"{" LEAF ",\"operator\":\"oneOf\",\"value\":[\"a\",[]]}", FA_API_V2, FA_EINVAL,
         "filters.value[1]"},
        {"{" LEAF ",\"operator\":\"greaterThan\",\"value\":\"a\"}", FA_API_V2, FA_EINVAL,
         "filters.value"},
        {"{" LEAF ",\"operator\":\"greaterThan\",\"value\":[1,2]}", FA_API_V2, FA_EINVAL,
         "filters.value"},
        {"{" LEAF ",\"operator\":\"lessThan\",\"value\":1e30}", FA_API_V2, FA_EINVAL,
         "filters.value"},
        {"{\"key\":\"region\",\"operator\":\"exists\"}", FA_API_V2, FA_EINVAL,
         "filters.costCenter"},
        {"{\"costCenter\":\"AWS\",\"operator\":\"exists\"}", FA_API_V2, FA_EINVAL, "filters.key"},
        {"{\"costCenter\":\"AWS\",\"key\":\"\",\"operator\":\"exists\"}", FA_API_V2, FA_EINVAL,
         "filters.key"},
        {"{\"costCenter\":\"AWS\",\"key\":\"nope\",\"type\":\"billing_dimension\",\"operator\":"
         "\"exists\"}",
         FA_API_V2, FA_EDATA, "filters.key"},
        {"{\"costCenter\":\"AWS\",\"key\":\"nope\",\"operator\":\"exists\"}", FA_API_V1, FA_EINVAL,
         "filters.key"},
        {"{\"costCenter\":\"Mars\",\"key\":\"region\",\"operator\":\"exists\"}", FA_API_V1,
         FA_EINVAL, "filters.costCenter"},
        {"{\"costCenter\":\"AWS\",\"key\":\"region\",\"type\":\"colour\",\"operator\":\"exists\"}",
         FA_API_V2, FA_EINVAL, "filters.type"},
        {"{\"AND\":[{},{\"costCenter\":\"AWS\",\"key\":\"nope\",\"type\":\"col\",\"operator\":"
         "\"exists\"}]}",
         FA_API_V2, FA_EDATA, "filters.AND[1].key"},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        json_t *j = json_loads(t[i].json, JSON_DECODE_ANY, NULL);
        fa_err e = {0};
        const fa_filter *f;
        fa_rc rc;

        assert_non_null(j);
        rc = fa_filter_parse(b->cat, &b->a, t[i].api, j, "filters", &f, &e);
        if (rc != t[i].rc || strcmp(e.field, t[i].field) != 0)
            fail_msg("%s: rc %d field \"%s\" (%s)", t[i].json, (int)rc, e.field, e.msg);
        json_decref(j);
    }
}

static json_t *leaves(size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:i}", "costCenter", "AWS", "key",
                                              "region", "type", "billing_dimension", "operator",
                                              "is", "value", (int)i));
    return json_pack("{s:o}", "AND", list);
}

static void test_limits(void **state)
{
    static const struct {
        fa_api api;
        size_t n;
        fa_rc rc;
    } t[] = {{FA_API_V2, 30, FA_OK},
             {FA_API_V2, 31, FA_EDATA},
             {FA_API_V1, 31, FA_OK},
             {FA_API_INTERNAL, 1000, FA_OK},
             {FA_API_INTERNAL, 1001, FA_EDATA}};
    fa_err e = {0};
    const fa_filter *f;
    json_t *j;

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        j = leaves(t[i].n);
        assert_int_equal(fa_filter_parse(b->cat, &b->a, t[i].api, j, "filters", &f, &e), t[i].rc);
        json_decref(j);
    }
    for (int depth = 31; depth <= 32; depth++) {
        j = json_object();
        for (int i = 0; i < depth; i++)
            j = json_pack("{s:[o]}", i % 2 ? "AND" : "OR", j);
        assert_int_equal(fa_filter_parse(b->cat, &b->a, FA_API_V1, j, "filters", &f, &e),
                         depth < 32 ? FA_OK : FA_EINVAL);
        json_decref(j);
    }
    j = json_array();
    for (int i = 0; i < 10001; i++)
        json_array_append_new(j, json_string("x"));
    j = json_pack("{s:s,s:s,s:s,s:o}", "costCenter", "AWS", "key", "region", "operator", "oneOf",
                  "value", j);
    assert_int_equal(fa_filter_parse(b->cat, &b->a, FA_API_V1, j, "filters", &f, &e), FA_EDATA);
    json_array_remove(json_object_get(j, "value"), 0);
    assert_int_equal(fa_filter_parse(b->cat, &b->a, FA_API_V1, j, "filters", &f, &e), FA_OK);
    json_decref(j);
}

/* ---- JSON out ---- */

static void test_round_trip(void **state)
{
    static const fa_api apis[] = {FA_API_V1, FA_API_V2, FA_API_INTERNAL};

    (void)state;
    for (int i = 0; i < 100; i++)
        for (size_t k = 0; k < FA_COUNT(apis); k++) {
            const ref_filter *ref = random_filter(b, 2);
            const fa_filter *f = to_filter(b, ref), *again;
            fa_buf o;
            fa_jw w;
            json_t *j;
            fa_err e = {0};
            int64_t rows, rows2;

            fa_buf_init(&o, 0);
            fa_jw_init(&w, &o);
            fa_filter_json(&w, apis[k], f);
            j = json_loadb(o.p, o.n, 0, NULL);
            assert_non_null(j);
            must(fa_filter_parse(b->cat, &b->a, apis[k], j, "filters", &again, &e), &e);
            assert_true(total_of(f, &rows) == total_of(again, &rows2));
            assert_int_equal(rows, rows2);
            json_decref(j);
            fa_buf_release(&o);
        }
}

static void test_spelling(void **state)
{
    json_t *j = json_loads("{\"costCenter\":\"amazon-cur\",\"key\":\"finrichment_usage_type\","
                           "\"type\":\"finrichment\","
                           "\"operator\":\"not\",\"value\":\"x\"}",
                           0, NULL);
    static const struct {
        fa_api api;
        const char *want;
    } t[] = {
        {FA_API_V1, "{\"costCenter\":\"AWS\",\"key\":\"f_usage_type\",\"operator\":\"notOneOf\","
                    "\"value\":[\"x\"]}"},
        {FA_API_V2, "{\"costCenter\":\"AWS\",\"key\":\"usage_type\",\"type\":\"billing_"
                    "enrichment\",\"operator\":"
                    "\"notOneOf\",\"value\":[\"x\"]}"},
        {FA_API_INTERNAL,
         "{\"costCenter\":\"amazon-cur\",\"key\":\"usage_type\",\"type\":\"finrichment\",\"path\":"
         "\"AWS/Usage Type\",\"operator\":\"notOneOf\",\"value\":[\"x\"]}"},
    };
    const fa_filter *f;
    fa_err e = {0};

    (void)state;
    must(fa_filter_parse(b->cat, &b->a, FA_API_INTERNAL, j, "filters", &f, &e), &e);
    json_decref(j);
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_buf o;
        fa_jw w;

        fa_buf_init(&o, 0);
        fa_jw_init(&w, &o);
        fa_filter_json(&w, t[i].api, f);
        assert_string_equal(o.p, t[i].want);
        fa_buf_release(&o);
    }
}

/* ---- keys ---- */

static void test_resolve(void **state)
{
    static const struct {
        fa_api api;
        const char *center, *key, *type;
        fa_rc rc;
        const char *want_center, *want_key;
        fa_key_type want_type;
    } t[] = {
        {FA_API_V1, "AWS", "region", "", FA_OK, "AWS", "region", FA_K_BILLING},
        {FA_API_V1, "aws", "f_usage_type", "", FA_OK, "AWS", "usage_type", FA_K_ENRICHMENT},
        {FA_API_V1, "AWS", "team", "", FA_OK, "AWS", "team", FA_K_TAG},
        {FA_API_V1, "Global", "ServiceName", "", FA_OK, "Global", "service", FA_K_BILLING},
        {FA_API_V1, "AWS", "YW1hem9uLWN1cjpyZWdpb24", "", FA_OK, "AWS", "region", FA_K_BILLING},
        {FA_API_V1, "AWS", "YW1hem9uLWN1cjpyZWdpb24=", "", FA_OK, "AWS", "region", FA_K_BILLING},
        {FA_API_V1, "GCP", "YW1hem9uLWN1cjpyZWdpb24", "", FA_EINVAL, NULL, NULL, FA_K_TAG},
        {FA_API_V1, "AWS", "absent", "", FA_EINVAL, NULL, NULL, FA_K_TAG},
        {FA_API_V1, "Virtual Tags", "2e290000-0000-4000-8000-000000000000", "", FA_EINVAL, NULL,
         NULL, FA_K_TAG},
        {FA_API_V2, "AWS", "usage_type", "billing_enrichment", FA_OK, "AWS", "usage_type",
         FA_K_ENRICHMENT},
        {FA_API_V2, "AWS", "region", "tag", FA_OK, "AWS", "region",
         FA_K_TAG}, /* a tag without data */
        {FA_API_V2, "AWS", "region", "", FA_OK, "AWS", "region", FA_K_BILLING},
        {FA_API_V2, "AWS", "region", "resource", FA_EINVAL, NULL, NULL, FA_K_TAG},
        {FA_API_V2, "Azure", "subscription_id", "billing_dimension", FA_OK, "Azure",
         "subscription_id", FA_K_BILLING}, /* no data, still a key */
        {FA_API_V2, "AWS", "aws_account_name", "tag", FA_OK, "AWS", "aws_account_name", FA_K_TAG},
        {FA_API_V2, "Global", "payer_account_id", "billing_dimension", FA_OK, "Global",
         "payer_account_id", FA_K_BILLING},
        {FA_API_V2, "Global", "billing_account_id", "billing_dimension", FA_OK, "Global",
         "payer_account_id", FA_K_BILLING},
        {FA_API_V2, "Mars", "region", "", FA_EINVAL, NULL, NULL, FA_K_TAG},
        {FA_API_V2, "AWS", "region", "colour", FA_EINVAL, NULL, NULL, FA_K_TAG},
        {FA_API_INTERNAL, "amazon-cur", "region", "col", FA_OK, "AWS", "region", FA_K_BILLING},
        {FA_API_INTERNAL, "amazon-cur", "resource_id", "col", FA_OK, "AWS", "resource_id",
         FA_K_RESOURCE},
        {FA_API_INTERNAL, "", "service", "", FA_OK, "Global", "service", FA_K_BILLING},
        {FA_API_INTERNAL, "grafana labs", "service", "col", FA_OK, "Grafana Labs", "service",
         FA_K_BILLING},
        {FA_API_CLI, "", "ServiceName", "", FA_OK, "Global", "service", FA_K_BILLING},
        {FA_API_CLI, "", "servicename", "", FA_OK, "Global", "service", FA_K_BILLING},
        {FA_API_CLI, "", "service", "", FA_OK, "Global", "service", FA_K_BILLING},
        {FA_API_CLI, "", "tag:team", "", FA_OK, "Global", "team", FA_K_TAG},
        {FA_API_CLI, "", "team", "", FA_OK, "Global", "team", FA_K_TAG},
        {FA_API_CLI, "", "AWS:region", "", FA_OK, "AWS", "region", FA_K_BILLING},
        {FA_API_CLI, "", "AWS:tag:team", "", FA_OK, "AWS", "team", FA_K_TAG},
        {FA_API_CLI, "", "tag:never seen", "", FA_OK, "Global", "never seen", FA_K_TAG},
        {FA_API_CLI, "", "x_UsageType", "", FA_OK, "Global", "usage_type", FA_K_ENRICHMENT},
        {FA_API_CLI, "", "never seen", "", FA_EINVAL, NULL, NULL, FA_K_TAG},
        {FA_API_CLI, "", "", "", FA_EINVAL, NULL, NULL, FA_K_TAG},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        const fa_key *k;
        fa_err e = {0};
        fa_rc rc = fa_catalog_find(b->cat, &b->a, t[i].api, fa_str_of(t[i].center),
                                   fa_str_of(t[i].key), fa_str_of(t[i].type), &k, &e);

        if (rc != t[i].rc ||
            (!rc && (!fa_str_eqz(k->cost_center, t[i].want_center) ||
                     !fa_str_eqz(k->key, t[i].want_key) || k->type != t[i].want_type)))
            fail_msg("%s/%s (%s): rc %d, %s", t[i].center, t[i].key, t[i].type, (int)rc, e.msg);
    }
}

/* Every listed key is found again by what we print of it, in each API. */
static void test_keys_round_trip(void **state)
{
    size_t n;
    const fa_key *keys = fa_catalog_keys(b->cat, &n);

    (void)state;
    assert_true(n > 40);
    for (size_t i = 0; i < n; i++) {
        const fa_key *k;
        fa_err e = {0};

        must(fa_catalog_find(b->cat, &b->a, FA_API_V1, keys[i].cost_center, keys[i].key_v1,
                             (fa_str){0}, &k, &e),
             &e);
        assert_ptr_equal(k, &keys[i]);
        must(fa_catalog_find(b->cat, &b->a, FA_API_V2, keys[i].cost_center, keys[i].key,
                             fa_str_of(fa_key_type_name(keys[i].type, FA_API_V2)), &k, &e),
             &e);
        assert_ptr_equal(k, &keys[i]);
        must(fa_catalog_find(b->cat, &b->a, FA_API_INTERNAL, keys[i].cost_center_id, keys[i].key,
                             fa_str_of(fa_key_type_name(keys[i].type, FA_API_INTERNAL)), &k, &e),
             &e);
        assert_ptr_equal(k, &keys[i]);
    }
}

static void test_centers(void **state)
{
    static const char *const t[][2] = {
        {"aws", "AWS"},
        {"AMAZON-CUR", "AWS"},
        {"gcp", "GCP"},
        {"global", "Global"},
        {"KUBERNETES", "Kubernetes"},
        {"virtualTag", "Virtual Tags"},
        {"Databricks", "databricks"},
        {"mars", ""},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++)
        if (!fa_str_eqz(fa_cost_center_public(&b->a, fa_str_of(t[i][0])), t[i][1]))
            fail_msg("%s", t[i][0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operators),  cmocka_unit_test(test_nested),
        cmocka_unit_test(test_missing),    cmocka_unit_test(test_everything),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_spelling),
        cmocka_unit_test(test_resolve),    cmocka_unit_test(test_keys_round_trip),
        cmocka_unit_test(test_centers),
    };

    return cmocka_run_group_tests(tests, open_bill, close_bill);
}
