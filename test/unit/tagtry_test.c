/*
 * tagtry_test.c - the worked examples of inform.md 4 to 6 and 5.8, previews and explanations.
 *
 * Expected numbers are the specification's; those of random previews are added up over the rows of query_bill.h.
 */
#include "query_bill.h"

#define ID(n) "00000000-0000-4000-8000-0000000000" n
#define TAG(id) "{\"costCenter\":\"virtualTag\",\"key\":\"" id "\",\"type\":\"virtual_tag\"}"

/* ---- a bill of a few lines ---- */

typedef struct small {
    char dir[256], data[300];
    fa_ledger *l;
    fa_arena a;
    fa_catalog *cat;
} small;

/* rows: "provider,service,account,day,cost,meter,tags" without quotes in them but the tags' own, doubled. */
static void open_small(small *b, const char *const *row, size_t n)
{
    const char *tmp = getenv("FARTHING_TMP");
    fa_err e = {0};
    fa_ledger_options o = {.create = true, .memory_bytes = (size_t)1 << 30};
    char path[320];
    const char *paths[] = {path};
    fa_load_request q = {.source = FA_STR("s"), .path = paths, .npath = 1};
    fa_load_result r;
    fa_buf out;

    *b = (small){0};
    snprintf(b->dir, sizeof b->dir, "%s/try.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->data, sizeof b->data, "%s/data", b->dir);
    snprintf(path, sizeof path, "%s/bill.csv", b->dir);
    fa_arena_init(&b->a, 0);
    o.dir = b->data;
    must(fa_ledger_open(&o, &b->l, &e), &e);
    use_cluster(b->l);
    fa_buf_init(&out, 0);
    fa_buf_z(&out,
             "ProviderName,ServiceName,SubAccountId,ChargePeriodStart,BilledCost,SkuMeter,Tags,"
             "EffectiveCost,ListCost,ContractedCost,BillingCurrency,BillingPeriodStart,"
             "ChargeCategory,BillingAccountId\n");
    for (size_t i = 0; i < n; i++) {
        const char *day = strstr(row[i], "2026-");

        fa_buf_fmt(&out, "%s,0,0,0,USD,%.8s01,Usage,acct\n", row[i], day);
    }
    must(fa_file_write_durable(path, fa_buf_view(&out), 0600, &e), &e);
    fa_buf_release(&out);
    must(fa_ledger_load(b->l, &b->a, &q, NULL, &r, &e), &e);
}

static void close_small(small *b)
{
    fa_err e = {0};

    fa_catalog_put(b->cat);
    fa_query_cache_free();
    fa_ledger_close(b->l);
    fa_arena_release(&b->a);
    must(fa_remove_tree(b->dir, &e), &e);
}

static json_t *read_json(const char *text)
{
    json_error_t where;
    json_t *j = json_loads(text, 0, &where);

    if (!j)
        fail_msg("test's own JSON: %s at %d of %s", where.text, where.position, text);
    return j;
}

static void use(small *b, const char *documents)
{
    json_t *j = read_json(documents);
    fa_tag_set *s;
    fa_err e = {0};

    fa_catalog_put(b->cat);
    must(fa_tag_set_parse(j, &s, &e), &e);
    must(fa_catalog_with(b->l, s, &b->cat, &e), &e);
    fa_tag_set_put(s);
    json_decref(j);
}

static const fa_key *key_of(small *b, const char *tag)
{
    const fa_key *k;
    fa_err e = {0};

    must(fa_catalog_find(b->cat, &b->a, FA_API_V2, FA_STR("Virtual Tags"), fa_str_of(tag),
                         FA_STR("virtual_tag"), &k, &e),
         &e);
    return k;
}

static fa_plan whole_year(void)
{
    fa_plan p = {.bucket = FA_ALL, .nmeasure = 1};
    fa_err e = {0};

    must(fa_cost_type_find(FA_STR("unblendedCost"), FA_FAIR_OFF, &p.measure[0].type, &e), &e);
    assert_true(fa_day_parse(FA_STR("2026-01-01"), &p.range.from));
    p.range.to = p.range.from + 364;
    return p;
}

/* want: "Pay 10, Platform 20", values by cost. */
static void check_values(small *b, const char *tag, const char *want)
{
    fa_plan p = whole_year();
    fa_answer r;
    fa_err e = {0};
    fa_buf o;

    p.dim[p.ndim++] = key_of(b, tag);
    must(fa_query_run(b->l, &b->a, &p, &r, &e), &e);
    fa_buf_init(&o, 0);
    for (size_t i = 0; i < r.ngroup; i++) {
        fa_buf_fmt(&o, "%s%.*s ", i ? ", " : "", FA_FMT(r.group[i].value[0]));
        fa_dec_emit(&o, r.group[i].total_e10[0], 10, 0);
    }
    assert_string_equal(o.p ? o.p : "", want);
    fa_buf_release(&o);
}

/* ---- inform.md 5.2 ---- */

static const char *const team_rows[] = {
    "AWS,EC2,111,2026-06-10,10,,\"{\"\"team\"\":\"\"Pay\"\"}\"", "AWS,EC2,111,2026-06-10,20,,",
    "AWS,EKS,222,2026-06-30,5,,\"{\"\"namespace\"\":\"\"ads-web\"\"}\"",
    "AWS,EKS,222,2026-07-01,5,,\"{\"\"namespace\"\":\"\"ads-web\"\"}\""};

#define TEAM                                                                                       \
    "{\"id\":\"" ID(                                                                               \
        "01") "\",\"name\":\"Team\",\"defaultValue\":\"Untagged\",\"rules\":["                     \
              "{\"to\":{\"costCenter\":\"AWS\",\"key\":\"team\",\"type\":\"tag\"},\"filters\":"    \
              "{\"costCenter\":\"AWS\",\"key\":\"team\",\"type\":\"tag\",\"operator\":\"exists\"}" \
              "},"                                                                                 \
              "{\"to\":\"Platform\",\"filters\":{\"costCenter\":\"AWS\",\"key\":\"aws_account_"    \
              "id\","                                                                              \
              "\"type\":\"billing_dimension\",\"operator\":\"oneOf\",\"value\":[\"111\"]}},"       \
              "{\"to\":\"Ads\",\"filters\":{\"costCenter\":\"Global\",\"key\":\"namespace\","      \
              "\"type\":"                                                                          \
              "\"tag\",\"operator\":\"contains\",\"value\":\"ads\"},\"timeframe\":{\"from\":"      \
              "1782864000000}}"                                                                    \
              "]}"

static void test_team(void **state)
{
    small b;
    fa_plan p = whole_year();
    fa_answer r;
    fa_err e = {0};

    (void)state;
    open_small(&b, team_rows, FA_COUNT(team_rows));
    use(&b, "[" TEAM "]");
    check_values(&b, "Team", "Platform 20, Pay 10, Ads 5, Untagged 5");
    check_values(&b, "tEAM", "Platform 20, Pay 10, Ads 5, Untagged 5");
    p.dim[p.ndim++] = key_of(&b, ID("01")); /* by day and by hour: the slice changes on 1 July */
    for (p.bucket = FA_DAY;; p.bucket = FA_HOUR) {
        assert_true(fa_day_parse(FA_STR("2026-06-29"), &p.range.from));
        p.range.to = p.range.from + 4;
        must(fa_query_run(b.l, &b.a, &p, &r, &e), &e);
        assert_int_equal(r.ngroup, 2);
        assert_string_equal(r.group[0].value[0].p, "Ads");
        assert_true(r.group[0].cell_e10[p.bucket == FA_HOUR ? 48 : 2] == 5 * FA_E10);
        assert_true(r.group[1].cell_e10[p.bucket == FA_HOUR ? 24 : 1] == 5 * FA_E10);
        if (p.bucket == FA_HOUR)
            break;
    }
    close_small(&b);
}

/* Without the first rule the account's rule has all 30. */
static void test_order(void **state)
{
    small b;

    (void)state;
    open_small(&b, team_rows, FA_COUNT(team_rows));
    use(&b,
        "[{\"id\":\"" ID("01") "\",\"name\":\"T\",\"rules\":[{\"to\":\" Platform \",\"filters\":"
                               "{\"costCenter\":\"AWS\",\"key\":\"aws_account_id\",\"type\":"
                               "\"billing_dimension\","
                               "\"operator\":\"is\",\"value\":\"111\"}}]}]");
    check_values(&b, "T", "Platform 30, Untagged 10");
    close_small(&b);
}

/* A key that is missing gives the default, and the rule still has the line; a default that is missing, Untagged. */
static void test_missing(void **state)
{
    small b;

    (void)state;
    open_small(&b, team_rows, FA_COUNT(team_rows));
    use(&b, "[{\"id\":\"" ID(
                "01") "\",\"name\":\"T\",\"defaultValue\":\"None\",\"rules\":["
                      "{\"to\":{\"costCenter\":\"AWS\",\"key\":\"team\",\"type\":\"tag\"},"
                      "\"filters\":{}},"
                      "{\"to\":\"Never\",\"filters\":{}}]},"
                      "{\"id\":\"" ID(
                          "02") "\",\"name\":\"U\",\"defaultValue\":{\"costCenter\":\"AWS\","
                                "\"key\":\"team\",\"type\":\"tag\"},\"rules\":[]},"
                                "{\"id\":\"" ID("03") "\",\"name\":\"Gone\",\"defaultValue\":{"
                                                      "\"costCenter\":\"AWS\","
                                                      "\"key\":\"x_NoSuchColumn\",\"type\":"
                                                      "\"billing_dimension\"},\"rules\":[]}]");
    check_values(&b, "T", "None 30, Pay 10");
    check_values(&b, "U", "Untagged 30, Pay 10");
    check_values(&b, "Gone", "Untagged 40");
    close_small(&b);
}

/* ---- section 4: Team -> Squad -> Chargeback; an edit of Team reaches all three ---- */

#define CHAIN                                                                                      \
    "{\"id\":\"" ID(                                                                               \
        "03") "\",\"name\":\"Chargeback\",\"rules\":[{\"to\":\"CC-7\",\"filters\":"                \
              "{\"costCenter\":\"virtualTag\",\"key\":\"" ID(                                      \
                  "02") "\",\"type\":\"virtual_tag\","                                             \
                        "\"operator\":\"is\",\"value\":\"Squad Pay\"}}]},"                         \
                        "{\"id\":\"" ID("02") "\",\"name\":\"Squad\",\"defaultValue\":" TAG(       \
                            ID("01")) ",\"rules\":["                                               \
                                      "{\"to\":\"Squad "                                           \
                                      "Pay\",\"filters\":{\"costCenter\":\"virtualTag\",\"key\":"  \
                                      "\"" ID("01") "\","                                          \
                                                    "\"type\":\"virtual_tag\",\"operator\":"       \
                                                    "\"is\",\"value\":\"Pay\"}}]}"

static void test_chain(void **state)
{
    small b;

    (void)state;
    open_small(&b, team_rows, FA_COUNT(team_rows));
    use(&b, "[" CHAIN "," TEAM "]");
    check_values(&b, "Squad", "Platform 20, Squad Pay 10, Ads 5, Untagged 5");
    check_values(&b, "Chargeback", "Untagged 30, CC-7 10");
    use(&b, "[" CHAIN ",{\"id\":\"" ID("01") "\",\"name\":\"Team\",\"defaultValue\":\"Pay\","
                                             "\"rules\":[]}]");
    check_values(&b, "Team", "Pay 40");
    check_values(&b, "Squad", "Squad Pay 40");
    check_values(&b, "Chargeback", "CC-7 40");
    close_small(&b);
}

/* ---- limits of issue and specification: 1,000 rules, 10,000 values, chains more than ten deep ---- */

static void test_limits(void **state)
{
    static const char *const rows[] = {"AWS,EC2,1,2026-06-30,70,,\"{\"\"squad\"\":\"\"s7\"\"}\"",
                                       "AWS,EC2,1,2026-07-01,30,,\"{\"\"squad\"\":\"\"s999\"\"}\"",
                                       "AWS,EC2,1,2026-07-01,5,,\"{\"\"squad\"\":\"\"s9999\"\"}\"",
                                       "AWS,EC2,1,2026-07-01,2,,"};
    const char *leaf =
        "{\"costCenter\":\"Global\",\"key\":\"squad\",\"type\":\"tag\",\"operator\":";
    small b;
    fa_buf o;

    (void)state;
    open_small(&b, rows, FA_COUNT(rows));
    fa_buf_init(&o, 0);
    fa_buf_z(&o, "[{\"id\":\"" ID("01") "\",\"name\":\"Many\",\"rules\":[");
    for (int i = 0; i < 1000; i++)
        fa_buf_fmt(&o, "%s{\"to\":\"v%d\",\"filters\":%s\"is\",\"value\":\"s%d\"}}", i ? "," : "",
                   i, leaf, i);
    fa_buf_z(
        &o, "]},{\"id\":\"" ID("02") "\",\"name\":\"Wide\",\"rules\":[{\"to\":\"in\",\"filters\":");
    fa_buf_fmt(&o, "%s\"oneOf\",\"value\":[", leaf);
    for (int i = 0; i < 10000; i++)
        fa_buf_fmt(&o, "%s\"s%d\"", i ? "," : "", i);
    fa_buf_z(&o, "]}}]}");
    for (int i = 3; i < 16; i++) /* each takes the one before it, and the first takes Many */
        fa_buf_fmt(
            &o,
            ",{\"id\":\"00000000-0000-4000-8000-0000000000%02d\",\"name\":\"C%d\",\"rules\":[],"
            "\"defaultValue\":{\"costCenter\":\"virtualTag\",\"key\":"
            "\"00000000-0000-4000-8000-0000000000%02d\",\"type\":\"virtual_tag\"}}",
            i, i, i == 3 ? 1 : i - 1);
    fa_buf_z(&o, "]");
    assert_false(o.failed);
    use(&b, o.p);
    check_values(&b, "Many", "v7 70, v999 30, Untagged 7");
    check_values(&b, "Wide", "in 105, Untagged 2");
    check_values(&b, "C15", "v7 70, v999 30, Untagged 7");
    fa_buf_release(&o);
    close_small(&b);
}

/* ---- 5.9: a dictionary with dates; 6: a mapping hierarchy ---- */

static void test_dictionary(void **state)
{
    static const char *const rows[] = {"AWS,EC2,1,2026-06-30,10,,\"{\"\"app\"\":\"\"app-1\"\"}\"",
                                       "AWS,EC2,1,2026-07-01,12,,\"{\"\"app\"\":\"\"app-1\"\"}\"",
                                       "AWS,EC2,1,2026-07-01,3,,\"{\"\"app\"\":\"\"app-9\"\"}\"",
                                       "AWS,EC2,1,2026-07-02,1,,",
                                       "AWS,EC2,1,2026-07-02,2,,\"{\"\"app\"\":\"\"APP-1\"\"}\""};
    static const char doc[] =
        "[{\"id\":\"" ID("01") "\",\"name\":\"Owner\",\"kind\":\"dictionary\",\"dictionary\":{"
                               "\"source\":{\"costCenter\":\"Global\",\"key\":\"app\",\"type\":"
                               "\"tag\"},\"ignoreCase\":%s,"
                               "\"rows\":[[\"app-1\",\"Pay\",null,\"2026-06-30\"],[\"app-1\","
                               "\"Ads\",\"2026-07-01\",null]]}"
                               "}]";
    char text[sizeof doc + 8];
    small b;

    (void)state;
    open_small(&b, rows, FA_COUNT(rows));
    snprintf(text, sizeof text, doc, "false");
    use(&b, text);
    check_values(&b, "Owner", "Ads 12, Pay 10, Untagged 6");
    snprintf(text, sizeof text, doc, "true");
    use(&b, text);
    check_values(&b, "Owner", "Ads 14, Pay 10, Untagged 4");
    close_small(&b);
}

static void test_hierarchy(void **state)
{
    static const char *const rows[] = {"AWS,EC2,1,2026-06-30,70,,\"{\"\"squad\"\":\"\"A\"\"}\"",
                                       "AWS,EC2,1,2026-07-01,30,,\"{\"\"squad\"\":\"\"B\"\"}\""};
    small b;

    (void)state;
    open_small(&b, rows, FA_COUNT(rows));
    use(&b, "[{\"id\":\"" ID(
                "01") "\",\"name\":\"Org\",\"kind\":\"hierarchy\",\"hierarchy\":{\"base\":"
                      "{\"costCenter\":\"Global\",\"key\":\"squad\",\"type\":\"tag\"},\"levels\":[{"
                      "\"id\":\"" ID("02") "\",\"name\":\"Department\"},{\"id\":\"" ID(
                          "03") "\",\"name\":\"VP\"}],\"rows\":["
                                "[\"A\",\"Payments\",\"VP1\",null,null]]}}]");
    check_values(&b, "Department", "Payments 70, Untagged 30");
    check_values(&b, "VP", "VP1 70, Untagged 30");
    close_small(&b);
}

/* ---- 5.8: the taxonomy that every account has ---- */

static void test_taxonomy(void **state)
{
    static const char *const rows[] = {
        "AWS,Amazon Bedrock,1,2026-06-30,7,Claude3.5Sonnet-input-tokens,",
        "Microsoft,Azure OpenAI,1,2026-06-30,4,gpt-4o output tokens,",
        "AWS,EC2,1,2026-06-30,5,BoxUsage,"};
    small b;
    fa_err e = {0};

    (void)state;
    open_small(&b, rows, FA_COUNT(rows));
    must(fa_catalog_get(b.l, &b.cat, &e), &e);
    check_values(&b, "AI/Model Brand", "Claude 7, Untagged 5, GPT 4");
    check_values(&b, "AI/Model Family", "Claude 3.5 7, Untagged 5, GPT-4o 4");
    check_values(&b, "AI/Token Type", "input 7, Untagged 5, output 4");
    check_values(&b, "FOCUS/Service Name", "Amazon Bedrock 7, EC2 5, Azure OpenAI 4");
    check_values(&b, "FOCUS/Provider", "AWS 12, Microsoft 4");
    close_small(&b);
}

/* ---- previews ---- */

/* 5.4: the account's rule alone would match 30 but gets 20: 10 are shadowed. */
static void test_preview(void **state)
{
    small b;
    fa_plan p = whole_year();
    fa_try_preview r;
    fa_err e = {0};
    json_t *j = read_json(TEAM);

    (void)state;
    open_small(&b, team_rows, FA_COUNT(team_rows));
    use(&b,
        "[{\"id\":\"" ID("01") "\",\"name\":\"Team\",\"rules\":[{\"to\":\"Platform\",\"filters\":"
                               "{\"costCenter\":\"AWS\",\"key\":\"aws_account_id\",\"type\":"
                               "\"billing_dimension\","
                               "\"operator\":\"is\",\"value\":\"111\"}}]}]");
    must(fa_tag_try(b.l, &b.a, b.cat, j, (fa_str){0}, &p, &r, &e), &e);
    assert_true(r.total_e10 == 40 * FA_E10 && r.unmatched_e10 == 5 * FA_E10 && r.has_live);
    assert_string_equal(r.currency.p, "USD");
    assert_int_equal(r.nuse, 3);
    assert_true(r.use[0].matched_e10 == 10 * FA_E10 && r.use[0].shadowed_e10 == 0);
    assert_true(r.use[1].matched_e10 == 20 * FA_E10 && r.use[1].shadowed_e10 == 10 * FA_E10);
    assert_true(r.use[2].matched_e10 == 5 * FA_E10 && r.use[2].rows == 1 && !r.use[2].is_dead);
    assert_int_equal(r.nvalue, 4);
    assert_string_equal(r.value[0].value.p, "Platform");
    assert_true(r.value[0].cost_e10 == 20 * FA_E10 && r.value[0].live_e10 == 30 * FA_E10);
    assert_int_equal(r.nmove, 2);
    assert_string_equal(r.move[0].from.p, "Platform");
    assert_string_equal(r.move[0].to.p, "Pay");
    assert_true(r.move[0].cost_e10 == 10 * FA_E10 && r.move[1].cost_e10 == 5 * FA_E10);
    assert_true(r.nsample > 0);
    json_decref(j);
    /* before July the third rule is dead; a new tag has no live version and needs no name */
    p.range.to = p.range.from + 150;
    j = read_json(TEAM);
    (void)json_object_del(j, "id");
    (void)json_object_del(j, "name");
    must(fa_tag_try(b.l, &b.a, b.cat, j, (fa_str){0}, &p, &r, &e), &e);
    assert_true(!r.has_live && r.nmove == 0 && r.use[2].is_dead && r.use[0].is_dead);
    json_decref(j);
    close_small(&b);
}

static void test_preview_refused(void **state)
{
    static const struct {
        const char *doc, *field;
        fa_rc rc;
    } t[] = {
        {"{\"rules\":[{\"to\":\"x\",\"filters\":{\"costCenter\":\"AWS\",\"key\":\"nope\","
         "\"operator\":"
         "\"exists\"}}]}",
         "rules[0].filters.key", FA_EINVAL},
        {"{\"rules\":[{\"to\":\"x\",\"filters\":{\"AND\":[{\"costCenter\":\"AWS\",\"key\":\"team\","
         "\"type\":\"tag\",\"operator\":\"like\",\"value\":\"x\"}]}}]}",
         "rules[0].filters.AND[0].operator", FA_EINVAL},
        {"{\"rules\":[{\"to\":{\"costCenter\":\"AWS\",\"key\":\"nope\"},\"filters\":{}}]}",
         "rules[0].to.key", FA_EINVAL},
        {"{\"defaultValue\":{\"costCenter\":\"Nowhere\",\"key\":\"x\"},\"rules\":[]}",
         "defaultValue.costCenter", FA_EINVAL},
        {"{\"id\":\"" ID("01") "\",\"rules\":[{\"to\":" TAG(ID("01")) ",\"filters\":{}}]}", "",
         FA_EDATA},
    };
    small b;
    fa_plan p = whole_year();

    (void)state;
    open_small(&b, team_rows, FA_COUNT(team_rows));
    use(&b, "[" TEAM "]");
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        json_t *j = read_json(t[i].doc);
        fa_err e = {0};
        fa_try_preview r;
        fa_rc rc = fa_tag_try(b.l, &b.a, b.cat, j, (fa_str){0}, &p, &r, &e);

        if (rc != t[i].rc || strcmp(e.field, t[i].field) != 0)
            fail_msg("%s: rc %d, field \"%s\" (%s)", t[i].doc, (int)rc, e.field, e.msg);
        json_decref(j);
    }
    close_small(&b);
}

/* 31 conditions are one too many for version 2, not for the page. */
static void test_check(void **state)
{
    small b;
    fa_buf o;
    json_t *j;
    fa_err e = {0};

    (void)state;
    open_small(&b, team_rows, FA_COUNT(team_rows));
    use(&b, "[" TEAM "]");
    fa_buf_init(&o, 0);
    fa_buf_z(&o, "{\"rules\":[{\"to\":\"x\",\"filters\":{}},{\"to\":\"y\",\"filters\":{\"OR\":[");
    for (int i = 0; i < 31; i++)
        fa_buf_fmt(
            &o,
            "%s{\"costCenter\":\"AWS\",\"key\":\"team\",\"type\":\"tag\",\"operator\":\"is\","
            "\"value\":\"%d\"}",
            i ? "," : "", i);
    fa_buf_z(&o, "]}}]}");
    j = read_json(o.p);
    assert_int_equal(fa_tag_check(b.cat, FA_API_V2, j, &e), FA_EDATA);
    assert_string_equal(e.field, "rules[1].filters.OR[30]");
    must(fa_tag_check(b.cat, FA_API_INTERNAL, j, &e), &e);
    json_decref(j);
    fa_buf_release(&o);
    close_small(&b);
}

/* ---- which rule it was ---- */

static void test_explain(void **state)
{
    small b;
    fa_plan p = whole_year();
    fa_try_cause *c;
    size_t n;
    fa_err e = {0};

    (void)state;
    open_small(&b, team_rows, FA_COUNT(team_rows));
    use(&b, "[" TEAM "]");
    must(fa_tag_explain(b.l, &b.a, key_of(&b, "Team"), &p, &c, &n, &e), &e);
    assert_int_equal(n, 4);
    assert_true(c[0].rule == 1 && c[0].cost_e10 == 20 * FA_E10 && c[0].rows == 1);
    assert_true(fa_str_eqz(c[0].to->text, "Platform"));
    assert_true(c[1].rule == 0 && c[1].cost_e10 == 10 * FA_E10 && c[1].to->is_key);
    assert_true(c[2].rule == 2 && c[2].cost_e10 == 5 * FA_E10);
    assert_true(c[3].rule == FA_NO_RULE && c[3].cost_e10 == 5 * FA_E10);
    assert_true(fa_str_eqz(c[3].to->text, "Untagged"));
    close_small(&b);
}

/* ---- random previews, against the rows ---- */

#define NRULE 4
typedef struct draft {
    ref_filter *when[NRULE];
    const char *to[NRULE];
    int32_t from[NRULE]; /* 0: open */
    size_t n;
} draft;

static int winner(const draft *d, const bill_row *r)
{
    for (size_t i = 0; i < d->n; i++)
        if ((!d->from[i] || d->from[i] <= r->day) && ref_match(r, d->when[i]))
            return (int)i;
    return -1;
}

static const char *value_of(const draft *d, const bill_row *r)
{
    int w = winner(d, r);

    return w < 0 ? "Untagged" : d->to[w];
}

static void random_draft(bill *b, draft *d)
{
    static const char *const values[] = {"Pay", "Ads", "Core", "Untagged"};

    d->n = dice(b, NRULE + 1);
    for (size_t i = 0; i < d->n; i++) {
        d->when[i] = random_filter(b, 2);
        d->to[i] = pick(b, values, FA_COUNT(values));
        d->from[i] = dice(b, 3) ? 0 : b->row[dice(b, NROW)].day;
    }
}

static json_t *document(const draft *d)
{
    fa_buf o;
    fa_jw w;
    json_t *j;

    fa_buf_init(&o, 0);
    fa_jw_init(&w, &o);
    fa_jw_obj(&w);
    fa_jw_key(&w, "id");
    fa_jw_z(&w, ID("01"));
    fa_jw_key(&w, "name");
    fa_jw_z(&w, "T");
    fa_jw_key(&w, "rules");
    fa_jw_arr(&w);
    for (size_t i = 0; i < d->n; i++) {
        fa_jw_obj(&w);
        fa_jw_key(&w, "to");
        fa_jw_z(&w, d->to[i]);
        fa_jw_key(&w, "filters");
        ref_json(&w, d->when[i]);
        if (d->from[i]) {
            fa_jw_key(&w, "timeframe");
            fa_jw_obj(&w);
            fa_jw_key(&w, "from");
            fa_jw_int(&w, d->from[i] * (int64_t)86400000);
            fa_jw_end_obj(&w);
        }
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    j = read_json(o.p);
    fa_buf_release(&o);
    return j;
}

typedef struct expected {
    fa_i128 matched[NRULE], shadowed[NRULE], unmatched, total;
    int64_t rows[NRULE];
} expected;

static void check_value(bill *b, const fa_plan *p, const draft *was, const draft *is,
                        const fa_try_value *v)
{
    fa_i128 now = 0, live = 0;

    for (size_t i = 0; i < b->nrow; i++) {
        const bill_row *r = &b->row[i];

        if (r->day < p->range.from || r->day > p->range.to)
            continue;
        if (fa_str_eqz(v->value, value_of(is, r)))
            now += r->cost[0];
        if (fa_str_eqz(v->value, value_of(was, r)))
            live += r->cost[0];
    }
    assert_true(v->cost_e10 * FA_E8 == now && v->live_e10 * FA_E8 == live);
}

static void check_move(bill *b, const fa_plan *p, const draft *was, const draft *is,
                       const fa_try_move *m)
{
    fa_i128 cost = 0;

    for (size_t i = 0; i < b->nrow; i++) {
        const bill_row *r = &b->row[i];

        if (r->day >= p->range.from && r->day <= p->range.to &&
            fa_str_eqz(m->from, value_of(was, r)) && fa_str_eqz(m->to, value_of(is, r)))
            cost += r->cost[0];
    }
    assert_true(!fa_str_eq(m->from, m->to) && m->cost_e10 * FA_E8 == cost);
}

static void expect(bill *b, const fa_plan *p, const draft *d, expected *x)
{
    memset(x, 0, sizeof *x);
    for (size_t i = 0; i < b->nrow; i++) {
        const bill_row *r = &b->row[i];
        int w = winner(d, r);

        if (r->day < p->range.from || r->day > p->range.to)
            continue;
        x->total += r->cost[0];
        if (w < 0) {
            x->unmatched += r->cost[0];
            continue;
        }
        x->matched[w] += r->cost[0];
        x->rows[w]++;
        for (size_t k = (size_t)w + 1; k < d->n; k++)
            if ((!d->from[k] || d->from[k] <= r->day) && ref_match(r, d->when[k]))
                x->shadowed[k] += r->cost[0];
    }
}

static void test_random(void **state)
{
    bill *b = bill_open(9, false, 51);
    fa_plan p = whole_year();
    fa_err e = {0};

    (void)state;
    for (int i = 0; i < 250; i++) {
        draft was, is;
        json_t *live, *j, *list = json_array();
        fa_tag_set *s;
        fa_try_preview r;
        expected x;

        random_draft(b, &was);
        random_draft(b, &is);
        if (is.n && was.n && dice(b, 2)) /* often one rule is edited */
            is.when[0] = was.when[0];
        live = document(&was);
        j = document(&is);
        json_array_append_new(list, live);
        must(fa_tag_set_parse(list, &s, &e), &e);
        fa_catalog_put(b->cat);
        must(fa_catalog_with(b->l, s, &b->cat, &e), &e);
        fa_tag_set_put(s);
        p.range.from = b->row[dice(b, NROW)].day;
        p.range.to = p.range.from + (int32_t)dice(b, 60);
        must(fa_tag_try(b->l, &b->a, b->cat, j, (fa_str){0}, &p, &r, &e), &e);
        expect(b, &p, &is, &x);
        assert_true(r.total_e10 * FA_E8 == x.total && r.unmatched_e10 * FA_E8 == x.unmatched);
        assert_int_equal(r.nuse, is.n);
        for (size_t k = 0; k < is.n; k++) {
            assert_true(r.use[k].matched_e10 * FA_E8 == x.matched[k]);
            assert_true(r.use[k].shadowed_e10 * FA_E8 == x.shadowed[k]);
            assert_int_equal(r.use[k].rows, x.rows[k]);
            assert_int_equal(r.use[k].is_dead, x.rows[k] == 0);
        }
        for (size_t k = 0; k < r.nvalue; k++)
            check_value(b, &p, &was, &is, &r.value[k]);
        for (size_t k = 0; k < r.nmove; k++)
            check_move(b, &p, &was, &is, &r.move[k]);
        json_decref(j);
        json_decref(list);
        fa_arena_clear(&b->a);
    }
    bill_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_dictionary),
        cmocka_unit_test(test_hierarchy),
        cmocka_unit_test(test_taxonomy),
        cmocka_unit_test(test_preview),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_preview_refused),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
