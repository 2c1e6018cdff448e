/*
 * virtual_test.c - virtual tags on lines: the worked examples of inform.md 4 and 5, and random tags over random bills.
 *
 * The reference evaluates tags a row at a time over the rows in query_bill.h, in 128 bits, and shares nothing with
 * src/query: a rule's filter is ref_match(), the first that holds gives the value.
 */
#include "query_bill.h"

#include "query/inner.h"

#define NTAG 4
#define MAX_RULE 5
#define DAY_MS 86400000LL

/* ---- tags, as the reference sees them ---- */

typedef struct ref_to {
    const char *text;
    const ref_key *key; /* NULL: the text */
} ref_to;
typedef struct ref_rule {
    ref_filter *when;
    ref_to to;
    int32_t from, end; /* from <= day < end; 0: open */
} ref_rule;
typedef struct ref_row {
    const char *source, *target;
    int32_t from, to; /* inclusive; 0: open */
} ref_row;
typedef struct ref_vtag {
    char id[40], name[16];
    ref_key key;
    ref_rule rule[MAX_RULE];
    size_t nrule;
    ref_to dflt;
    const ref_key *source; /* a dictionary */
    bool fold;
    ref_row row[8];
    size_t nrow;
    const char *value[NROW]; /* of each row of the bill */
} ref_vtag;

static bill *now; /* whose rows are looked at */
static ref_vtag tags[NTAG];
static size_t ntags;

static const char *tag_of(const bill_row *r, const ref_key *k)
{
    for (size_t i = 0; i < ntags; i++)
        if (&tags[i].key == k)
            return tags[i].value[r - now->row];
    fail_msg("no tag %s", k->key);
    return NULL;
}

static const char *give(const bill_row *r, const ref_to *to)
{
    return to->key ? ref_value(r, to->key) : to->text;
}

static bool on(int32_t day, int32_t from, int32_t end)
{
    return (!from || from <= day) && (!end || day < end);
}

static const char *look_up(const ref_vtag *t, const bill_row *r)
{
    const char *source = ref_value(r, t->source);

    for (size_t i = 0; source && i < t->nrow; i++)
        if ((t->fold ? strcasecmp(source, t->row[i].source) : strcmp(source, t->row[i].source)) ==
                0 &&
            on(r->day, t->row[i].from, t->row[i].to ? t->row[i].to + 1 : 0))
            return t->row[i].target;
    return NULL;
}

static const char *label(const ref_vtag *t, const bill_row *r)
{
    const char *v = t->source ? look_up(t, r) : NULL;

    for (size_t i = 0; i < t->nrule; i++)
        if (on(r->day, t->rule[i].from, t->rule[i].end) && ref_match(r, t->rule[i].when)) {
            v = give(r, &t->rule[i].to);
            break;
        }
    if (!v)
        v = give(r, &t->dflt);
    return v ? v : "Untagged";
}

static void label_all(bill *b)
{
    now = b;
    ref_tag = tag_of;
    for (size_t i = 0; i < ntags; i++)
        for (size_t k = 0; k < b->nrow; k++)
            tags[i].value[k] = label(&tags[i], &b->row[k]);
}

/* ---- as documents ---- */

static void put_key(fa_jw *w, const ref_key *k)
{
    fa_jw_obj(w);
    fa_jw_key(w, "costCenter");
    fa_jw_z(w, k->center);
    fa_jw_key(w, "key");
    fa_jw_z(w, k->key);
    fa_jw_key(w, "type");
    fa_jw_z(w, k->type);
    fa_jw_end_obj(w);
}

static void put_to(fa_jw *w, const char *name, const ref_to *to)
{
    fa_jw_key(w, name);
    if (to->key)
        put_key(w, to->key);
    else
        fa_jw_z(w, to->text);
}

static void put_rules(fa_jw *w, const ref_vtag *t)
{
    fa_jw_key(w, "rules");
    fa_jw_arr(w);
    for (size_t i = 0; i < t->nrule; i++) {
        const ref_rule *r = &t->rule[i];

        fa_jw_obj(w);
        put_to(w, "to", &r->to);
        fa_jw_key(w, "filters");
        ref_json(w, r->when);
        if (r->from) {
            fa_jw_key(w, "timeframe");
            fa_jw_obj(w);
            fa_jw_key(w, "from");
            fa_jw_int(w, r->from * DAY_MS);
            if (r->end) {
                fa_jw_key(w, "to");
                fa_jw_int(w, r->end * DAY_MS);
            }
            fa_jw_end_obj(w);
        }
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

static void put_day(fa_jw *w, int32_t day)
{
    fa_buf b;

    if (!day) {
        fa_jw_null(w);
        return;
    }
    fa_buf_init(&b, 64);
    fa_day_emit(&b, day);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_dictionary(fa_jw *w, const ref_vtag *t)
{
    fa_jw_key(w, "dictionary");
    fa_jw_obj(w);
    fa_jw_key(w, "source");
    put_key(w, t->source);
    fa_jw_key(w, "ignoreCase");
    fa_jw_bool(w, t->fold);
    fa_jw_key(w, "rows");
    fa_jw_arr(w);
    for (size_t i = 0; i < t->nrow; i++) {
        fa_jw_arr(w);
        fa_jw_z(w, t->row[i].source);
        fa_jw_z(w, t->row[i].target);
        put_day(w, t->row[i].from);
        put_day(w, t->row[i].to);
        fa_jw_end_arr(w);
    }
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

static json_t *documents(void)
{
    fa_buf o;
    fa_jw w;
    json_t *j;

    fa_buf_init(&o, 0);
    fa_jw_init(&w, &o);
    fa_jw_arr(&w);
    for (size_t i = 0; i < ntags; i++) {
        fa_jw_obj(&w);
        fa_jw_key(&w, "id");
        fa_jw_z(&w, tags[i].id);
        fa_jw_key(&w, "name");
        fa_jw_z(&w, tags[i].name);
        fa_jw_key(&w, "kind");
        fa_jw_z(&w, tags[i].source ? "dictionary" : "rules");
        put_to(&w, "defaultValue", &tags[i].dflt);
        if (tags[i].source)
            put_dictionary(&w, &tags[i]);
        else
            put_rules(&w, &tags[i]);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    j = json_loadb(o.p, o.n, 0, NULL);
    assert_non_null(j);
    fa_buf_release(&o);
    return j;
}

/* The bill's catalog gets these tags. */
static void use_tags(bill *b, const json_t *list)
{
    fa_tag_set *s;
    fa_err e = {0};

    fa_catalog_put(b->cat);
    b->cat = NULL;
    must(fa_tag_set_parse(list, &s, &e), &e);
    must(fa_catalog_with(b->l, s, &b->cat, &e), &e);
    fa_tag_set_put(s);
}

static void use_ref_tags(bill *b)
{
    json_t *j = documents();

    use_tags(b, j);
    json_decref(j);
    label_all(b);
}

/* ---- random tags ---- */

static int32_t first_day(void)
{
    int32_t d;

    assert_true(fa_day_parse(FA_STR(FIRST_DAY), &d));
    return d;
}

static void use_keys(bill *b, ref_filter *f, size_t n)
{
    for (size_t i = 0; i < f->nkid; i++)
        use_keys(b, f->kid[i], n);
    if (f->key && n && dice(b, 3) == 0)
        f->key = &tags[dice(b, (uint32_t)n)].key;
}

/* A filter that may read the first n tags. */
static ref_filter *tag_filter(bill *b, int depth, size_t n)
{
    ref_filter *f = random_filter(b, depth);

    use_keys(b, f, n);
    return f;
}

static const ref_key *any_key(bill *b, size_t n)
{
    return n && dice(b, 3) == 0 ? &tags[dice(b, (uint32_t)n)].key : &ref_keys[dice(b, NKEY)];
}

static ref_to random_to(bill *b, size_t n)
{
    static const char *const texts[] = {"Pay", "Ads", "core", "Core", "größe", "Untagged", "2.5"};

    if (dice(b, 3) == 0)
        return (ref_to){.key = any_key(b, n)};
    return (ref_to){.text = pick(b, texts, FA_COUNT(texts))};
}

static void random_dictionary(bill *b, ref_vtag *t, size_t n)
{
    static const char *const sources[] = {"Compute", "core", "data", "us-east-1", "r-1",
                                          "Grün",    "AWS",  "Pay",  "2.5"};
    size_t from = dice(b, 4);

    t->source = any_key(b, n);
    t->fold = dice(b, 2);
    for (size_t i = from; i < from + 1 + dice(b, 5); i++) {
        int32_t cut = first_day() + (int32_t)dice(b, NDAY);

        t->row[t->nrow++] = (ref_row){.source = sources[i], .target = i % 2 ? "One" : "Two"};
        if (dice(b, 3) || t->nrow == FA_COUNT(t->row))
            continue;
        t->row[t->nrow - 1].to = cut;
        t->row[t->nrow++] = (ref_row){.source = sources[i], .target = "Three", .from = cut + 1};
    }
}

static void random_tags(bill *b)
{
    ntags = 1 + dice(b, NTAG);
    for (size_t i = 0; i < ntags; i++) {
        ref_vtag *t = &tags[i];

        memset(t, 0, sizeof *t);
        snprintf(t->id, sizeof t->id, "00000000-0000-4000-8000-0000000000%02zu", i);
        snprintf(t->name, sizeof t->name, "Tag %zu", i);
        t->key = (ref_key){"virtualTag", t->id, "virtual_tag"};
        t->dflt = dice(b, 3) ? (ref_to){.text = "Untagged"} : random_to(b, i);
        if (dice(b, 4) == 0) {
            random_dictionary(b, t, i);
            continue;
        }
        t->nrule = dice(b, MAX_RULE + 1);
        for (size_t k = 0; k < t->nrule; k++) {
            ref_rule *r = &t->rule[k];

            *r = (ref_rule){.when = tag_filter(b, 2, i), .to = random_to(b, i)};
            if (dice(b, 4) == 0) {
                r->from = first_day() + (int32_t)dice(b, NDAY) - 5;
                r->end = dice(b, 2) ? r->from + 1 + (int32_t)dice(b, 30) : 0;
            }
        }
    }
}

/* ---- random questions ---- */

typedef struct question {
    const ref_key *dim[3];
    size_t ndim;
    int cost;
    const ref_filter *filter, *scope;
} question;

static const char *const cost_names[] = {"unblendedCost", "netAmortizedCost", "listCost",
                                         "contractedCost"};

static const fa_key *find(bill *b, const ref_key *k)
{
    const fa_key *out;
    fa_err e = {0};

    must(fa_catalog_find(b->cat, &b->a, FA_API_V2, fa_str_of(k->center), fa_str_of(k->key),
                         fa_str_of(k->type), &out, &e),
         &e);
    return out;
}

static void random_question(bill *b, question *q, fa_plan *p)
{
    static const fa_bucket buckets[] = {FA_DAY, FA_WEEK, FA_MONTH, FA_QUARTER, FA_ALL};
    fa_err e = {0};

    memset(q, 0, sizeof *q);
    memset(p, 0, sizeof *p);
    p->range.from = first_day() + (int32_t)dice(b, 40);
    p->range.to = p->range.from + (int32_t)dice(b, 45);
    p->bucket = buckets[dice(b, FA_COUNT(buckets))];
    q->ndim = p->ndim = dice(b, 4);
    for (size_t i = 0; i < q->ndim; i++) {
        q->dim[i] = dice(b, 2) ? &tags[dice(b, (uint32_t)ntags)].key : &ref_keys[dice(b, NKEY)];
        p->dim[i] = find(b, q->dim[i]);
    }
    q->cost = (int)dice(b, 4);
    must(fa_cost_type_find(fa_str_of(cost_names[q->cost]), FA_FAIR_OFF, &p->measure[0].type, &e),
         &e);
    p->nmeasure = 1;
    if (dice(b, 2)) {
        q->filter = tag_filter(b, 2, ntags);
        p->filter = to_filter(b, q->filter);
    }
    if (dice(b, 4) == 0) {
        q->scope = tag_filter(b, 1, ntags);
        p->scope = to_filter(b, q->scope);
    }
    p->previous = dice(b, 3) == 0;
}

static bool asked(const question *q, const bill_row *r)
{
    return (!q->filter || ref_match(r, q->filter)) && (!q->scope || ref_match(r, q->scope));
}

static fa_group *group_of(const fa_answer *a, const question *q, const bill_row *r)
{
    for (size_t i = 0; i < a->ngroup; i++) {
        size_t d = 0;

        for (; d < q->ndim; d++) {
            const char *v = ref_value(r, q->dim[d]);

            if (!fa_str_eqz(a->group[i].value[d], v ? v : ""))
                break;
        }
        if (d == q->ndim)
            return &a->group[i];
    }
    return NULL;
}

static size_t bucket_of(const fa_plan *p, const fa_answer *a, const bill_row *r)
{
    size_t n = 0;

    if (p->bucket == FA_HOUR)
        return (size_t)(r->day - p->range.from) * 24 + (size_t)r->hour;
    while (n + 1 < a->nbucket && a->bucket[n + 1] <= r->day)
        n++;
    return n;
}

static fa_i128 gap(fa_i128 e10, fa_i128 e18)
{
    fa_i128 d = e10 * FA_E8 - e18;

    return d < 0 ? -d : d;
}

/* Sums of the reference beside the answer's cells: [groups * buckets], of groups now and before, and the total. */
static void check_answer(bill *b, const question *q, const fa_plan *p, const fa_answer *a)
{
    size_t n = a->ngroup * a->nbucket + 1;
    fa_i128 *cell = calloc(n, sizeof *cell), *sum = calloc(a->ngroup + 1, sizeof *sum),
            *before = calloc(a->ngroup + 1, sizeof *before), total = 0, all = 0;
    fa_i128 close = b->places > 10 ? 4 * FA_E8 : 0;
    int64_t rows = 0;

    assert_true(cell && sum && before);
    for (size_t i = 0; i < b->nrow; i++) {
        const bill_row *r = &b->row[i];
        bool is_now = r->day >= p->range.from && r->day <= p->range.to;
        bool is_before = p->previous && r->day >= a->previous.from && r->day <= a->previous.to;
        fa_group *g;

        if ((!is_now && !is_before) || !asked(q, r))
            continue;
        g = group_of(a, q, r);
        if (!g)
            fail_msg("row %zu has no group", i);
        if (is_before)
            before[g - a->group] += r->cost[q->cost];
        if (!is_now)
            continue;
        rows++;
        total += r->cost[q->cost];
        sum[g - a->group] += r->cost[q->cost];
        cell[(size_t)(g - a->group) * a->nbucket + bucket_of(p, a, r)] += r->cost[q->cost];
    }
    assert_int_equal(a->rows, rows);
    assert_true(a->total.total_e10[0] == fa_dec_round(total, 10));
    for (size_t i = 0; i < a->ngroup; i++) {
        all += a->group[i].total_e10[0];
        assert_true(gap(a->group[i].total_e10[0], sum[i]) <= close);
        if (p->previous)
            assert_true(gap(a->group[i].previous_e10[0], before[i]) <= close);
        for (size_t k = 0; k < a->nbucket; k++)
            assert_true(gap(a->group[i].cell_e10[k], cell[i * a->nbucket + k]) <= close);
    }
    assert_true(all == a->total.total_e10[0]); /* labels never change totals */
    free(cell);
    free(sum);
    free(before);
}

static fa_answer ask(bill *b, const fa_plan *p)
{
    fa_err e = {0};
    fa_answer r;

    must(fa_query_run(b->l, &b->a, p, &r, &e), &e);
    return r;
}

#define SETS 240
#define QUESTIONS 44

static void test_random(void **state)
{
    bill *bills[] = {bill_open(12, false, 21), bill_open(9, false, 22)};
    size_t cases = 0;

    (void)state;
    for (int set = 0; set < SETS; set++) {
        bill *b = bills[set % 2];

        random_tags(b);
        use_ref_tags(b);
        for (int i = 0; i < QUESTIONS; i++, cases++) {
            question q;
            fa_plan p;
            fa_answer a;

            random_question(b, &q, &p);
            if (i < 3) { /* bill rows answer */
                p.bucket = FA_HOUR;
                p.range.to = p.range.from + (int32_t)dice(b, 5);
            }
            a = ask(b, &p);
            check_answer(b, &q, &p, &a);
        }
        fa_arena_clear(&b->a);
    }
    assert_true(cases >= 10000);
    bill_close(bills[0]);
    bill_close(bills[1]);
}

/* ---- rule order ---- */

/* Two rules change places: only lines that both match may have another value. */
static void test_swap(void **state)
{
    bill *b = bill_open(9, false, 31);

    (void)state;
    for (int i = 0; i < 120; i++) {
        ref_vtag *t;
        ref_rule swap;
        const char *before[NROW];
        size_t k, last;

        do {
            random_tags(b);
            last = ntags - 1;
            t = &tags[last];
        } while (t->nrule < 2);
        label_all(b);
        memcpy(before, t->value, sizeof before);
        k = dice(b, (uint32_t)t->nrule - 1);
        swap = t->rule[k];
        t->rule[k] = t->rule[k + 1];
        t->rule[k + 1] = swap;
        use_ref_tags(b);
        for (size_t r = 0; r < b->nrow; r++) { /* of the reference */
            const bill_row *row = &b->row[r];
            bool both = ref_match(row, t->rule[k].when) && ref_match(row, t->rule[k + 1].when);

            assert_true(both || strcmp(before[r], t->value[r]) == 0);
        }
        for (int n = 0; n < 4; n++) { /* and what is answered is the reference's */
            question q;
            fa_plan p;
            fa_answer a;

            random_question(b, &q, &p);
            q.dim[0] = &t->key;
            p.dim[0] = find(b, &t->key);
            q.ndim = p.ndim = 1;
            a = ask(b, &p);
            check_answer(b, &q, &p, &a);
        }
        fa_arena_clear(&b->a);
    }
    bill_close(b);
}

/* ---- order of loading ---- */

static void load_part(bill *b, size_t from, size_t step, const char *source)
{
    bill_row kept[NROW];
    size_t n = b->nrow;

    memcpy(kept, b->row, sizeof kept);
    b->nrow = 0;
    for (size_t i = from; i < n; i += step)
        b->row[b->nrow++] = kept[i];
    load_rows_as(b, source);
    memcpy(b->row, kept, sizeof kept);
    b->nrow = n;
}

/* The same rows as two deliveries, one after the other either way. */
static void test_load_order(void **state)
{
    bill *x = bill_new(12, false, 41), *y = bill_new(12, false, 41);
    fa_err e = {0};

    (void)state;
    load_part(x, 0, 2, "even");
    load_part(x, 1, 2, "odd");
    load_part(y, 1, 2, "odd");
    load_part(y, 0, 2, "even");
    must(fa_catalog_get(x->l, &x->cat, &e), &e);
    must(fa_catalog_get(y->l, &y->cat, &e), &e);
    for (int i = 0; i < 60; i++) {
        question q;
        fa_plan p;
        fa_answer a, c;

        random_tags(x);
        use_ref_tags(x);
        for (int n = 0; n < 6; n++) {
            json_t *j = documents();

            random_question(x, &q, &p);
            a = ask(x, &p);
            check_answer(x, &q, &p, &a);
            use_tags(y, j);
            json_decref(j);
            for (size_t d = 0; d < p.ndim; d++)
                p.dim[d] = find(y, q.dim[d]);
            p.filter = q.filter ? to_filter(y, q.filter) : NULL;
            p.scope = q.scope ? to_filter(y, q.scope) : NULL;
            c = ask(y, &p);
            assert_int_equal(a.ngroup, c.ngroup);
            for (size_t g = 0; g < a.ngroup; g++) {
                assert_true(a.group[g].total_e10[0] == c.group[g].total_e10[0]);
                for (size_t d = 0; d < p.ndim; d++)
                    assert_true(fa_str_eq(a.group[g].value[d], c.group[g].value[d]));
                assert_memory_equal(a.group[g].cell_e10, c.group[g].cell_e10,
                                    a.nbucket * sizeof *a.group[g].cell_e10);
            }
        }
        fa_arena_clear(&x->a);
        fa_arena_clear(&y->a);
    }
    bill_close(x);
    bill_close(y);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_swap),
        cmocka_unit_test(test_load_order),
    };

    return cmocka_run_group_tests(all, NULL, NULL);
}
