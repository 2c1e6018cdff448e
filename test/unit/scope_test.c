/*
 * scope_test.c - the law of row rules (access.md 4.3, T-ACC-10): for every rule D and every question Q, the answer of who is
 * under D equals the administrator's answer to Q AND D, cell by cell; 10,000 random pairs. And the truth table of 4.2.
 *
 * The rule goes through groups and fa_caller_scope; what it is compared with is written out here, where a
 * negative condition says itself that the value must exist.
 */
#include "access/access.h"
#include "query_bill.h"

enum { PAIRS = 10000, PER_RULE = 25 };

typedef struct fixture {
    bill *b;
    fa_arena a;
    fa_caller system, user;
    fa_str team;
} fixture;

static void write_leaf(bill *b, fa_buf *rule, fa_buf *plain)
{
    static const char *const ops[] = {"oneOf",       "notOneOf", "contains",
                                      "notContains", "exists",   "notExists"};
    static const struct {
        const char *center, *key, *type;
    } keys[] = {{"Global", "service", "billing_dimension"},
                {"Global", "region", "billing_dimension"},
                {"AWS", "team", "tag"},
                {"AWS", "service", "billing_dimension"}};
    size_t k = dice(b, FA_COUNT(keys)), o = dice(b, FA_COUNT(ops));
    const bill_row *r = &b->row[dice(b, (uint32_t)b->nrow)];
    const char *value = k == 1 ? r->region : k == 2 ? r->team : r->service;
    fa_buf key = {0}, leaf = {0};

    fa_buf_fmt(&key, "\"costCenter\":\"%s\",\"key\":\"%s\",\"type\":\"%s\"", keys[k].center,
               keys[k].key, keys[k].type);
    fa_buf_fmt(&leaf, "{%s,\"operator\":\"%s\"", key.p, ops[o]);
    if (o < 4) {
        fa_str text = fa_str_of(value && *value ? value : "no such value");

        fa_buf_z(&leaf, ",\"value\":[");
        fa_buf_json(&leaf, o > 1 && text.n > 3 && text.p[0] < 0x7f && text.p[0] > 0 &&
                                   text.p[1] > 0 && text.p[2] > 0
                               ? (fa_str){text.p, 3}
                               : text);
        fa_buf_z(&leaf, "]");
    }
    fa_buf_z(&leaf, "}");
    fa_buf_z(rule, leaf.p);
    if (o == 1 || o == 3)
        fa_buf_fmt(plain, "{\"AND\":[{%s,\"operator\":\"exists\"},%s]}", key.p, leaf.p);
    else
        fa_buf_z(plain, leaf.p);
    fa_buf_release(&key);
    fa_buf_release(&leaf);
}

static void write_filter(bill *b, fa_buf *rule, fa_buf *plain, int depth)
{
    size_t n = 1 + dice(b, 3);
    const char *open = dice(b, 2) ? "{\"AND\":[" : "{\"OR\":[";

    if (depth == 0 || dice(b, 3) == 0) {
        write_leaf(b, rule, plain);
        return;
    }
    fa_buf_z(rule, open);
    fa_buf_z(plain, open);
    for (size_t i = 0; i < n; i++) {
        if (i) {
            fa_buf_c(rule, ',');
            fa_buf_c(plain, ',');
        }
        write_filter(b, rule, plain, depth - 1);
    }
    fa_buf_z(rule, "]}");
    fa_buf_z(plain, "]}");
}

static const fa_filter *parse(fixture *f, fa_arena *a, const char *text)
{
    json_t *j = json_loads(text, 0, NULL);
    const fa_filter *out;
    fa_err e = {0};

    assert_non_null(j);
    must(fa_filter_parse(f->b->cat, a, FA_API_INTERNAL, j, "filter", &out, &e), &e);
    json_decref(j);
    return out;
}

static void set_rule(fixture *f, fa_arena *a, const char *rule)
{
    json_t *j = json_loads(rule, 0, NULL);
    bool on = true;
    fa_team_wish w = {.filter = j, .data_access = &on};
    fa_team t;
    fa_err e = {0};

    must(fa_team_save(f->b->l, a, &f->system, f->team, &w, &t, &e), &e);
    json_decref(j);
}

static void random_question(fixture *f, fa_arena *a, fa_plan *p)
{
    static const fa_bucket buckets[] = {FA_ALL, FA_DAY, FA_WEEK, FA_MONTH};
    bill *b = f->b;
    const fa_cost_type *type;
    fa_buf q = {0}, same = {0};
    int32_t first;
    size_t n;
    const fa_key *keys = fa_catalog_keys(b->cat, &n);
    fa_err e = {0};

    assert_true(fa_day_parse(FA_STR(FIRST_DAY), &first));
    must(fa_cost_type_find(dice(b, 2) ? FA_STR("netAmortizedCost") : FA_STR("unblendedCost"),
                           FA_FAIR_OFF, &type, &e),
         &e);
    *p = (fa_plan){.range = {.from = first + (int32_t)dice(b, 20), .unit = FA_DAY},
                   .bucket = buckets[dice(b, FA_COUNT(buckets))],
                   .nmeasure = 1,
                   .previous = dice(b, 4) == 0,
                   .others = true};
    p->range.to = p->range.from + (int32_t)dice(b, 50);
    p->measure[0].type = type;
    if (dice(b, 2))
        p->dim[p->ndim++] = &keys[dice(b, (uint32_t)n)];
    if (dice(b, 2)) {
        write_filter(b, &q, &same, 1);
        p->filter = parse(f, a, q.p);
    }
    fa_buf_release(&q);
    fa_buf_release(&same);
}

static void equal_groups(const fa_answer *x, const fa_group *g, const fa_group *h)
{
    assert_true(g->total_e10[0] == h->total_e10[0] && g->previous_e10[0] == h->previous_e10[0]);
    for (size_t i = 0; i < x->nbucket; i++)
        assert_true(g->cell_e10[i] == h->cell_e10[i] && g->has[i] == h->has[i]);
    for (size_t i = 0; i < FA_MAX_DIMS; i++)
        assert_true(fa_str_eq(g->value[i], h->value[i]));
}

static void the_law(void **state)
{
    fixture *f = *state;
    fa_buf rule = {0}, plain = {0};
    size_t nonempty = 0;

    for (int i = 0; i < PAIRS; i++) {
        fa_arena a = {0};
        fa_answer mine, whole;
        fa_err e = {0};
        fa_plan p;

        if (i % PER_RULE == 0) {
            fa_buf_clear(&rule);
            fa_buf_clear(&plain);
            write_filter(f->b, &rule, &plain, 2);
            set_rule(f, &a, rule.p);
        }
        random_question(f, &a, &p);
        must(fa_caller_scope(f->b->l, &a, &f->user, &p.scope, &e), &e);
        must(fa_query_run(f->b->l, &a, &p, &mine, &e), &e);
        p.scope = NULL;
        must(fa_filter_and(&a, p.filter, parse(f, &a, plain.p), &p.filter, &e), &e);
        must(fa_query_run(f->b->l, &a, &p, &whole, &e), &e);
        assert_int_equal(mine.ngroup, whole.ngroup);
        assert_int_equal(mine.rows, whole.rows);
        for (size_t g = 0; g < mine.ngroup; g++)
            equal_groups(&mine, &mine.group[g], &whole.group[g]);
        equal_groups(&mine, &mine.total, &whole.total);
        nonempty += mine.rows > 0;
        fa_arena_release(&a);
    }
    assert_true(nonempty > PAIRS / 4); /* the test tests something */
    fa_buf_release(&rule);
    fa_buf_release(&plain);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    fa_str id, secret, name = FA_STR("ruled");
    fa_team_wish w = {.name = &name};
    fa_team t;
    fa_err e = {0};

    assert_non_null(f);
    f->b = bill_open(12, false, 11);
    f->system = fa_caller_system(f->b->l);
    must(fa_admin_init(f->b->l, &f->a, FA_STR("ann@example.com"), &secret, &e), &e);
    must(fa_user_invite(f->b->l, &f->a, &f->system, FA_STR("u@example.com"), FA_STR("U"),
                        FA_STR(""), FA_STR("basic"), &id, &secret, &e),
         &e);
    must(fa_team_save(f->b->l, &f->a, &f->system, FA_STR(""), &w, &t, &e), &e);
    f->team = t.id;
    must(fa_team_join(f->b->l, &f->a, &f->system, t.id, id, true, &e), &e);
    must(fa_data_access_set(f->b->l, &f->a, &f->system, true, &e), &e);
    must(fa_caller_user(f->b->l, &f->a, id, &f->user, &e), &e);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    fa_arena_release(&f->a);
    bill_close(f->b);
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_law)};

    fa_log_set(FA_LOG_ERROR);
    return cmocka_run_group_tests(tests, setup, teardown);
}
