/*
 * query_test.c - random questions over a random bill against the slow reference; rounding; top N; values.
 *
 * Every expected number is added up from the rows in query_bill.h.
 */
#include "query_bill.h"

#include <pthread.h>

static bill *shared; /* amounts of 12 decimals: rests must be spread */
static bill *plain;  /* of 9 decimals: every cell must be exact */
static bill *mixed;  /* two currencies */

static int open_bills(void **state)
{
    (void)state;
    shared = bill_open(12, false, 1);
    plain = bill_open(9, false, 2);
    mixed = bill_open(6, true, 3);
    return 0;
}

static int close_bills(void **state)
{
    (void)state;
    bill_close(shared);
    bill_close(plain);
    bill_close(mixed);
    return 0;
}

/* ---- the reference's answer ---- */

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

static void set_cost(fa_plan *p, size_t at, const char *name, fa_agg agg)
{
    fa_err e = {0};

    must(fa_cost_type_find(fa_str_of(name), FA_FAIR_OFF, &p->measure[at].type, &e), &e);
    p->measure[at].agg = agg;
    if (p->nmeasure <= at)
        p->nmeasure = at + 1;
}

static fa_answer ask(bill *b, const fa_plan *p)
{
    fa_err e = {0};
    fa_answer r;

    must(fa_query_run(b->l, &b->a, p, &r, &e), &e);
    return r;
}

static bool in_group(const bill_row *r, const fa_group *g, const ref_key *const *dim, size_t ndim)
{
    for (size_t i = 0; i < ndim; i++) {
        const char *v = ref_value(r, dim[i]);

        if (!fa_str_eqz(g->value[i], v ? v : ""))
            return false;
    }
    return true;
}

static size_t bucket_of(const fa_plan *p, const bill_row *r)
{
    size_t n = 0;
    int32_t last = INT32_MIN;

    if (p->bucket == FA_ALL)
        return 0;
    if (p->bucket == FA_HOUR)
        return (size_t)(r->day - p->range.from) * 24 + (size_t)r->hour;
    for (int32_t d = p->range.from; d <= r->day; d++) {
        int32_t f = fa_day_floor(d, p->bucket);

        n += f != last;
        last = f;
    }
    return n - 1;
}

static fa_i128 gap(fa_i128 e10, fa_i128 e18)
{
    fa_i128 d = e10 * FA_E8 - e18;

    return d < 0 ? -d : d;
}

typedef struct question {
    const ref_key *dim[3];
    size_t ndim;
    int cost;
    const ref_filter *filter, *scope;
} question;

static bool asked(const question *q, const bill_row *r)
{
    return (!q->filter || ref_match(r, q->filter)) && (!q->scope || ref_match(r, q->scope));
}

/* Sum of rows of one group (NULL: all) and bucket (SIZE_MAX: all); *n counts them. */
static fa_i128 ref_sum(bill *b, const question *q, const fa_plan *p, const fa_group *g,
                       size_t bucket, int32_t from, int32_t to, int64_t *n)
{
    fa_i128 sum = 0;

    *n = 0;
    for (size_t i = 0; i < b->nrow; i++) {
        const bill_row *r = &b->row[i];

        if (r->day < from || r->day > to || !asked(q, r) ||
            (g && !in_group(r, g, q->dim, q->ndim)) ||
            (bucket != SIZE_MAX && bucket_of(p, r) != bucket))
            continue;
        sum += r->cost[q->cost];
        ++*n;
    }
    return sum;
}

static void check_adds_up(const fa_answer *a, size_t nm)
{
    for (size_t m = 0; m < nm; m++) {
        fa_i128 total = 0, before = 0, buckets = 0;

        for (size_t k = 0; k < a->nbucket; k++) {
            fa_i128 sum = 0;

            for (size_t i = 0; i < a->ngroup; i++)
                sum += a->group[i].cell_e10[k * nm + m];
            assert_true(sum == a->total.cell_e10[k * nm + m]);
            buckets += sum;
        }
        for (size_t i = 0; i < a->ngroup; i++) {
            fa_i128 sum = 0;

            for (size_t k = 0; k < a->nbucket; k++)
                sum += a->group[i].cell_e10[k * nm + m];
            assert_true(sum == a->group[i].total_e10[m]);
            total += sum;
            before += a->group[i].previous_e10[m];
        }
        assert_true(total == a->total.total_e10[m]);
        assert_true(buckets == total);
        assert_true(before == a->total.previous_e10[m]);
    }
}

static void check_answer(bill *b, const question *q, const fa_plan *p, const fa_answer *a)
{
    fa_i128 close = b->places > 10 ? 4 * FA_E8 : 0;
    int64_t n, rows, seen = 0;
    fa_i128 all = ref_sum(b, q, p, NULL, SIZE_MAX, p->range.from, p->range.to, &rows);
    size_t shown = 0;

    assert_true(a->total.total_e10[0] == fa_dec_round(all, 10));
    assert_int_equal(a->rows, rows);
    for (size_t i = 0; i < a->ngroup; i++) {
        const fa_group *g = &a->group[i];
        fa_i128 sum = ref_sum(b, q, p, g, SIZE_MAX, p->range.from, p->range.to, &n);

        assert_true(gap(g->total_e10[0], sum) <= close);
        seen += n;
        shown += n > 0;
        if (i)
            assert_true(g->total_e10[0] <= a->group[i - 1].total_e10[0] + 2);
        for (size_t k = 0; k < a->nbucket; k++) {
            sum = ref_sum(b, q, p, g, k, p->range.from, p->range.to, &n);
            assert_true(gap(g->cell_e10[k], sum) <= close);
            assert_int_equal(g->has[k], n > 0);
        }
        sum = ref_sum(b, q, p, g, SIZE_MAX, a->previous.from, a->previous.to, &n);
        assert_true(!p->previous || gap(g->previous_e10[0], sum) <= close);
    }
    assert_int_equal(seen, rows);
    if (!p->previous)
        assert_int_equal(shown, a->ngroup);
    check_adds_up(a, p->nmeasure);
}

static void random_plan(bill *b, question *q, fa_plan *p)
{
    static const fa_bucket buckets[] = {FA_DAY, FA_WEEK, FA_MONTH, FA_QUARTER, FA_ALL};
    int32_t first;

    memset(q, 0, sizeof *q);
    memset(p, 0, sizeof *p);
    assert_true(fa_day_parse(FA_STR(FIRST_DAY), &first));
    p->range.from = first + (int32_t)dice(b, 40);
    p->range.to = p->range.from + (int32_t)dice(b, 45);
    p->bucket = buckets[dice(b, FA_COUNT(buckets))];
    q->ndim = p->ndim = dice(b, 4);
    for (size_t i = 0; i < q->ndim; i++) {
        q->dim[i] = &ref_keys[dice(b, NKEY)];
        p->dim[i] = find(b, q->dim[i]);
    }
    q->cost = (int)dice(b, 4);
    set_cost(p, 0, cost_names[q->cost], FA_AGG_SUM);
    if (dice(b, 3)) {
        q->filter = random_filter(b, 3);
        p->filter = to_filter(b, q->filter);
    }
    if (dice(b, 4) == 0) {
        q->scope = random_filter(b, 1);
        p->scope = to_filter(b, q->scope);
    }
    p->previous = dice(b, 2);
}

static void test_random(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        bill *b = i % 2 ? shared : plain;
        question q;
        fa_plan p;
        fa_answer a;

        random_plan(b, &q, &p);
        a = ask(b, &p);
        check_answer(b, &q, &p, &a);
        a = ask(b, &p); /* from the cache */
        check_answer(b, &q, &p, &a);
    }
}

static void test_top(void **state)
{
    (void)state;
    for (int i = 0; i < 120; i++) {
        bill *b = i % 2 ? shared : plain;
        question q;
        fa_plan p;
        fa_answer full, cut;
        fa_i128 rest = 0;
        size_t n;

        random_plan(b, &q, &p);
        p.previous = true;
        full = ask(b, &p);
        p.top = 1 + dice(b, 6);
        p.others = true;
        cut = ask(b, &p);
        n = full.ngroup < p.top ? full.ngroup : p.top;
        assert_int_equal(cut.ngroup_all, full.ngroup);
        assert_int_equal(cut.ngroup, n + (full.ngroup > p.top));
        assert_true(cut.total.total_e10[0] == full.total.total_e10[0]);
        for (size_t k = 0; k < n; k++) {
            assert_true(gap(cut.group[k].total_e10[0], full.group[k].total_e10[0] * FA_E8) <=
                        2 * FA_E8);
            for (size_t d = 0; d < p.ndim; d++)
                assert_true(fa_str_eq(cut.group[k].value[d], full.group[k].value[d]));
        }
        for (size_t k = n; k < full.ngroup; k++)
            rest += full.group[k].total_e10[0];
        if (full.ngroup > p.top) {
            assert_true(cut.group[n].is_others);
            assert_string_equal(cut.group[n].value[0].p, "Others");
            assert_int_equal(cut.group[n].nothers, full.ngroup - n);
            assert_true(gap(cut.group[n].total_e10[0], rest * FA_E8) <= 40 * FA_E8);
        }
        check_adds_up(&cut, 1);
        p.others = false;
        cut = ask(b, &p);
        assert_int_equal(cut.ngroup, n);
        assert_true(cut.total.total_e10[0] == full.total.total_e10[0]);
    }
}

/* So many groups and days that the scan is cut into pieces: the answer is the same. */
static void test_pieces(void **state)
{
    static const ref_key *const dims[] = {&ref_keys[6], &ref_keys[0], &ref_keys[3]};
    bill *b = shared;
    fa_plan p = {.bucket = FA_DAY, .ndim = 3, .others = true, .previous = true};
    fa_answer whole, pieces;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        p.dim[i] = find(b, dims[i]);
    set_cost(&p, 0, cost_names[0], FA_AGG_SUM);
    assert_true(fa_day_parse(FA_STR(FIRST_DAY), &p.range.to));
    p.range.from = p.range.to;
    p.range.to += NDAY;
    whole = ask(b, &p);
    p.range.from -= 20000;
    assert_true(whole.ngroup * 20000 > (size_t)4 << 20);
    for (p.top = 0; p.top <= 5; p.top += 5) {
        pieces = ask(b, &p);
        assert_true(pieces.total.total_e10[0] == whole.total.total_e10[0]);
        assert_int_equal(pieces.ngroup_all, whole.ngroup);
        for (size_t k = 0; k < NDAY; k++)
            assert_true(gap(pieces.total.cell_e10[20000 + k], whole.total.cell_e10[k] * FA_E8) <=
                        FA_E8);
        for (size_t i = 0; i < (p.top ? p.top : whole.ngroup); i++)
            for (size_t k = 0; k < NDAY; k++)
                assert_true(gap(pieces.group[i].cell_e10[20000 + k],
                                whole.group[i].cell_e10[k] * FA_E8) <= 2 * FA_E8);
        check_adds_up(&pieces, 1);
    }
}

/* inform.md 0.7: A 50, B 30, C 15, D 5; two groups and Others 20, the total 100 either way. */
static void test_order(void **state)
{
    bill *b = plain;
    question q = {.dim = {&ref_keys[2]}, .ndim = 1};
    fa_plan p = {.dim = {find(b, &ref_keys[2])}, .ndim = 1, .bucket = FA_ALL};
    fa_answer a;

    (void)state;
    p.range = (fa_range){.from = b->row[0].day - 200, .to = b->row[0].day + 200};
    set_cost(&p, 0, "unblendedCost", FA_AGG_SUM);
    a = ask(b, &p);
    check_answer(b, &q, &p, &a);
    assert_int_equal(a.ngroup, 4);
    for (size_t i = 1; i < a.ngroup; i++)
        assert_true(a.group[i - 1].total_e10[0] >= a.group[i].total_e10[0]);
    assert_string_equal(a.currency.p, "USD");
}

/* ---- buckets ---- */

static void check_day(int32_t got, const char *want)
{
    int32_t d;

    assert_true(fa_day_parse(fa_str_of(want), &d));
    assert_int_equal(got, d);
}

static void test_buckets(void **state)
{
    fa_plan p = {.bucket = FA_WEEK};
    fa_answer a;

    (void)state;
    set_cost(&p, 0, "unblendedCost", FA_AGG_SUM);
    assert_true(fa_day_parse(FA_STR("2026-03-04"), &p.range.from)); /* a Wednesday */
    p.range.to = p.range.from + 11;
    a = ask(plain, &p);
    assert_int_equal(a.nbucket, 2);
    check_day(a.bucket[0], "2026-03-04");
    check_day(a.bucket[1], "2026-03-09");
    check_day(fa_ms_day(a.bucket_ms[0]), "2026-03-02");
    p.bucket = FA_MONTH;
    p.range.to = p.range.from + 40;
    a = ask(plain, &p);
    assert_int_equal(a.nbucket, 2);
    check_day(fa_ms_day(a.bucket_ms[0]), "2026-03-01");
    check_day(a.bucket[1], "2026-04-01");
    p.bucket = FA_QUARTER;
    a = ask(plain, &p);
    assert_int_equal(a.nbucket, 2);
    check_day(fa_ms_day(a.bucket_ms[0]), "2026-01-01");
    p.bucket = FA_ALL;
    a = ask(plain, &p);
    assert_int_equal(a.nbucket, 1);
    check_day(a.bucket[0], "2026-03-04");
}

/* ---- bill rows: hours, averages, least, greatest ---- */

static void test_hours(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        bill *b = i % 2 ? shared : plain;
        question q;
        fa_plan p;
        fa_answer a;

        random_plan(b, &q, &p);
        p.bucket = FA_HOUR;
        p.range.to = p.range.from + (int32_t)dice(b, 4);
        a = ask(b, &p);
        assert_int_equal(a.nbucket, (size_t)(p.range.to - p.range.from + 1) * 24);
        check_answer(b, &q, &p, &a);
    }
}

static fa_i128 ref_agg(bill *b, const question *q, const fa_plan *p, const fa_group *g,
                       size_t bucket, fa_agg agg)
{
    fa_i128 sum = 0, min = 0, max = 0, n = 0, half;

    for (size_t i = 0; i < b->nrow; i++) {
        const bill_row *r = &b->row[i];
        fa_i128 v = r->cost[q->cost];

        if (r->day < p->range.from || r->day > p->range.to || !asked(q, r) ||
            (g && !in_group(r, g, q->dim, q->ndim)) ||
            (bucket != SIZE_MAX && bucket_of(p, r) != bucket))
            continue;
        min = n == 0 || v < min ? v : min;
        max = n == 0 || v > max ? v : max;
        sum += v;
        n++;
    }
    if (n == 0)
        return 0;
    if (agg != FA_AGG_AVG)
        return fa_dec_round(agg == FA_AGG_MIN ? min : max, 10);
    half = n * FA_E8;
    return sum < 0 ? -((-2 * sum + half) / (2 * half)) : (2 * sum + half) / (2 * half);
}

static void test_aggregates(void **state)
{
    static const fa_agg aggs[] = {FA_AGG_AVG, FA_AGG_MIN, FA_AGG_MAX};

    (void)state;
    for (int i = 0; i < 30; i++) {
        bill *b = i % 2 ? shared : plain;
        question q;
        fa_plan p;
        fa_answer a;

        random_plan(b, &q, &p);
        p.previous = false;
        for (size_t m = 0; m < 3; m++)
            set_cost(&p, m, cost_names[q.cost], aggs[m]);
        a = ask(b, &p);
        for (size_t m = 0; m < 3; m++) {
            assert_true(a.total.total_e10[m] == ref_agg(b, &q, &p, NULL, SIZE_MAX, aggs[m]));
            for (size_t k = 0; k < a.ngroup; k++) {
                const fa_group *g = &a.group[k];

                assert_true(g->total_e10[m] == ref_agg(b, &q, &p, g, SIZE_MAX, aggs[m]));
                for (size_t c = 0; c < a.nbucket; c++)
                    assert_true(g->cell_e10[c * 3 + m] == ref_agg(b, &q, &p, g, c, aggs[m]));
            }
        }
    }
}

/* ---- currencies and units ---- */

static void test_currencies(void **state)
{
    bill *b = mixed;
    fa_plan p = {.bucket = FA_DAY};
    fa_err e = {0};
    fa_answer a;
    json_t *j =
        json_loads("{\"key\":\"BillingCurrency\",\"operator\":\"is\",\"value\":\"EUR\"}", 0, NULL);
    fa_i128 euros = 0;

    (void)state;
    set_cost(&p, 0, "unblendedCost", FA_AGG_SUM);
    assert_true(fa_day_parse(FA_STR(FIRST_DAY), &p.range.from));
    p.range.to = p.range.from + NDAY;
    assert_int_equal(fa_query_run(b->l, &b->a, &p, &a, &e), FA_EDATA);
    assert_non_null(strstr(e.msg, "EUR and USD"));
    p.bucket = FA_HOUR;
    assert_int_equal(fa_query_run(b->l, &b->a, &p, &a, &e), FA_EDATA);
    p.bucket = FA_DAY;
    must(fa_filter_parse(b->cat, &b->a, FA_API_INTERNAL, j, "filters", &p.filter, &e), &e);
    a = ask(b, &p);
    for (size_t i = 0; i < b->nrow; i++)
        if (strcmp(b->row[i].currency, "EUR") == 0)
            euros += b->row[i].cost[0];
    assert_true(a.total.total_e10[0] * FA_E8 == euros);
    assert_string_equal(a.currency.p, "EUR");
    json_decref(j);
    p.filter = NULL;
    set_cost(&p, 0, "usageAmount", FA_AGG_SUM); /* usage has no currency */
    a = ask(b, &p);
    assert_int_equal(a.ngroup, 2);
}

static void test_units(void **state)
{
    bill *b = plain;
    fa_plan p = {.bucket = FA_ALL, .dim = {find(b, &ref_keys[2])}, .ndim = 1};
    fa_err e = {0};
    fa_answer a;

    (void)state;
    set_cost(&p, 0, "usageAmount", FA_AGG_SUM);
    assert_true(fa_day_parse(FA_STR(FIRST_DAY), &p.range.from));
    p.range.to = p.range.from + NDAY;
    a = ask(b, &p);
    assert_true(a.mixed_units);
    assert_int_equal(a.ngroup, 8); /* four cost centers, two units each */
    for (size_t i = 0; i < a.ngroup; i++) {
        fa_i128 sum = 0;

        for (size_t k = 0; k < b->nrow; k++)
            if (fa_str_eqz(a.group[i].value[0], b->row[k].center) && b->row[k].unit &&
                fa_str_eqz(a.group[i].unit, b->row[k].unit))
                sum += b->row[k].used;
        assert_true(a.group[i].total_e10[0] * FA_E8 == sum);
    }
    p.top = 3;
    assert_int_equal(fa_query_run(b->l, &b->a, &p, &a, &e), FA_EDATA);
    assert_non_null(strstr(e.msg, "GB"));
}

/* ---- values ---- */

static int by_bytes(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static size_t ref_values(bill *b, const ref_key *k, const ref_filter *scope, const char *search,
                         const char **out)
{
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < b->nrow; i++) {
        const char *v = ref_value(&b->row[i], k);

        if (v && (!scope || ref_match(&b->row[i], scope)) && has_part(v, search))
            out[n++] = v;
    }
    qsort(out, n, sizeof *out, by_bytes);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(out[kept - 1], out[i]) != 0)
            out[kept++] = out[i];
    return kept;
}

static void test_values(void **state)
{
    static const char *const searches[] = {"", "co", "ö", "GRÜN", "R-1", "zzz", "%"};
    bill *b = plain;
    const char *want[NROW];

    (void)state;
    for (size_t i = 0; i < NKEY; i++)
        for (size_t s = 0; s < FA_COUNT(searches); s++) {
            const ref_filter *scope = dice(b, 2) ? random_filter(b, 1) : NULL;
            size_t nwant = ref_values(b, &ref_keys[i], scope, searches[s], want), n, at = 0;
            fa_str after = {0};
            fa_err e = {0};

            do { /* in pages of seven */
                fa_value *v;

                must(fa_query_values(b->l, &b->a, find(b, &ref_keys[i]),
                                     scope ? to_filter(b, scope) : NULL, fa_str_of(searches[s]),
                                     after, 7, NULL, &v, &n, &e),
                     &e);
                for (size_t k = 0; k < n; k++) {
                    assert_true(at < nwant);
                    assert_string_equal(v[k].value.p, want[at++]);
                    assert_false(v[k].has_cost);
                    after = v[k].value;
                }
            } while (n == 7);
            assert_int_equal(at, nwant);
        }
}

static void test_values_by_cost(void **state)
{
    bill *b = plain;
    const fa_key *k = find(b, &ref_keys[0]);
    fa_plan p = {.bucket = FA_DAY};
    fa_value *v, *page;
    size_t n, npage;
    fa_err e = {0};

    (void)state;
    set_cost(&p, 0, "listCost", FA_AGG_SUM);
    assert_true(fa_day_parse(FA_STR(FIRST_DAY), &p.range.from));
    p.range.to = p.range.from + 20;
    must(fa_query_values(b->l, &b->a, k, NULL, (fa_str){0}, (fa_str){0}, 0, &p, &v, &n, &e), &e);
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++) {
        fa_i128 sum = 0;

        for (size_t r = 0; r < b->nrow; r++)
            if (b->row[r].day <= p.range.to && fa_str_eqz(v[i].value, b->row[r].service))
                sum += b->row[r].cost[2];
        assert_true(v[i].has_cost && v[i].cost_e18 == sum);
        assert_true(i == 0 || v[i - 1].cost_e18 >= v[i].cost_e18);
    }
    must(fa_query_values(b->l, &b->a, k, NULL, (fa_str){0}, v[2].value, 3, &p, &page, &npage, &e),
         &e);
    assert_int_equal(npage, 3);
    assert_true(fa_str_eq(page[0].value, v[3].value));
}

/* ---- rows ---- */

static void test_rows(void **state)
{
    bill *b = shared;
    question q;
    fa_plan p;
    fa_buf o;
    fa_jw w;
    fa_err e = {0};
    json_t *j, *rows, *columns;
    size_t want = 0, at = SIZE_MAX, cost = SIZE_MAX;
    fa_i128 sum = 0, ref = 0;

    (void)state;
    do {
        random_plan(b, &q, &p);
        want = 0;
        ref = 0;
        for (size_t i = 0; i < b->nrow; i++)
            if (b->row[i].day >= p.range.from && b->row[i].day <= p.range.to &&
                asked(&q, &b->row[i])) {
                want++;
                ref += b->row[i].cost[0];
            }
    } while (want < 20);
    fa_buf_init(&o, 0);
    fa_jw_init(&w, &o);
    must(fa_query_rows(b->l, &b->a, &p, 1000, &w, &e), &e);
    j = json_loadb(o.p, o.n, 0, NULL);
    assert_non_null(j);
    rows = json_object_get(j, "rows");
    columns = json_object_get(j, "columns");
    assert_int_equal(json_array_size(rows), want);
    assert_true(json_is_false(json_object_get(j, "more")));
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const char *name = json_string_value(json_array_get(columns, i));

        at = strcmp(name, "ChargePeriodStart") == 0 ? i : at;
        cost = strcmp(name, "BilledCost") == 0 ? i : cost;
        assert_null(strstr(name, "fa_"));
    }
    for (size_t i = 0; i < want; i++) {
        const json_t *row = json_array_get(rows, i);
        fa_i128 v;

        assert_true(
            fa_dec_parse(fa_str_of(json_string_value(json_array_get(row, cost))), false, &v, NULL));
        sum += v;
        if (i)
            assert_true(strcmp(json_string_value(json_array_get(json_array_get(rows, i - 1), at)),
                               json_string_value(json_array_get(row, at))) >= 0);
    }
    assert_true(sum == ref);
    json_decref(j);
    fa_buf_clear(&o);
    fa_jw_init(&w, &o);
    must(fa_query_rows(b->l, &b->a, &p, 5, &w, &e), &e);
    assert_non_null(strstr(o.p, "\"more\":true"));
    fa_buf_release(&o);
}

/* ---- output ---- */

static void test_output(void **state)
{
    bill *b = plain;
    fa_plan p = {.bucket = FA_MONTH, .dim = {find(b, &ref_keys[0])}, .ndim = 1, .previous = true};
    fa_answer a;
    fa_buf o;
    fa_jw w;
    json_t *j;
    const char *line;
    fa_i128 total;

    (void)state;
    set_cost(&p, 0, "unblendedCost", FA_AGG_SUM);
    assert_true(fa_day_parse(FA_STR(FIRST_DAY), &p.range.from));
    p.range.to = p.range.from + NDAY;
    a = ask(b, &p);
    fa_buf_init(&o, 0);
    fa_answer_csv(&o, &p, &a);
    assert_true(fa_str_starts(
        fa_buf_view(&o), FA_STR("Services,2026-03-01,2026-04-01,2026-05-01,Total,Previous\r\n")));
    assert_non_null(strstr(o.p, "\r\n'=cmd()|calc,") ? o.p : strstr(o.p, "\r\n\"'=cmd()|calc\","));
    line = strstr(o.p, "\r\nTotal,");
    assert_non_null(line);
    fa_buf_clear(&o);
    fa_answer_text(&o, &p, &a);
    assert_non_null(strstr(o.p, "Grün"));
    assert_non_null(strstr(o.p, "\nTotal "));
    fa_buf_clear(&o);
    fa_jw_init(&w, &o);
    fa_answer_json(&w, &p, &a);
    j = json_loadb(o.p, o.n, 0, NULL);
    assert_non_null(j);
    assert_true(fa_dec_parse(
        fa_str_of(json_string_value(json_object_get(json_object_get(j, "total"), "total"))), false,
        &total, NULL));
    assert_true(total == a.total.total_e10[0] * FA_E8);
    assert_int_equal(json_array_size(json_object_get(j, "groups")), 8);
    assert_string_equal(json_string_value(json_object_get(j, "currency")), "USD");
    assert_int_equal(json_integer_value(json_object_get(j, "rows")), NROW);
    json_decref(j);
    fa_buf_clear(&o);
    p.bucket = FA_DAY;
    a = ask(b, &p);
    fa_answer_text(&o, &p, &a);
    assert_non_null(strstr(o.p, "2026-03-02"));
    p.ndim = 0;
    a = ask(b, &p);
    fa_buf_clear(&o);
    fa_answer_csv(&o, &p, &a);
    assert_non_null(strstr(o.p, "\r\nTotal,"));
    fa_buf_release(&o);
}

/* ---- the page's question ---- */

static void test_question(void **state)
{
    static const char text[] =
        "{\"date\":{\"relativeRange\":\"currentMonth\",\"type\":\"day\"},\"costType\":\"listCost\","
        "\"granularity\":\"week\",\"groupBy\":[{\"costCenter\":\"Global\",\"key\":\"team\","
        "\"type\":\"tag\"}],"
        "\"filters\":{\"AND\":[{\"costCenter\":\"AWS\",\"key\":\"region\",\"type\":\"billing_"
        "dimension\","
        "\"operator\":\"oneOf\",\"value\":[\"us-east-1\"]}]},\"previous\":true,\"top\":8,"
        "\"others\":true}";
    bill *b = plain;
    fa_plan p, again;
    fa_err e = {0};
    fa_buf o, o2;
    fa_jw w;
    json_t *j = json_loads(text, 0, NULL);
    int32_t today;

    (void)state;
    assert_true(fa_day_parse(FA_STR("2026-04-12"), &today));
    must(fa_plan_parse(b->cat, &b->a, j, today, FA_STR("unblendedCost"), &p, &e), &e);
    json_decref(j);
    assert_int_equal(p.bucket, FA_WEEK);
    assert_string_equal(p.measure[0].type->name, "listCost");
    assert_int_equal(p.top, 8);
    assert_true(p.previous && p.others);
    assert_int_equal(p.range.to, today);
    fa_buf_init(&o, 0);
    fa_buf_init(&o2, 0);
    fa_jw_init(&w, &o);
    fa_plan_json(&w, &p);
    j = json_loadb(o.p, o.n, 0, NULL);
    assert_non_null(j);
    must(fa_plan_parse(b->cat, &b->a, j, today, FA_STR("unblendedCost"), &again, &e), &e);
    json_decref(j);
    fa_jw_init(&w, &o2);
    fa_plan_json(&w, &again);
    assert_true(fa_str_eq(fa_buf_view(&o), fa_buf_view(&o2)));
    must(fa_plan_parse(b->cat, &b->a, NULL, today, FA_STR("unblendedCost"), &p, &e), &e);
    assert_int_equal(p.range.from, today - 29);
    assert_string_equal(p.measure[0].type->name, "unblendedCost");
    fa_buf_release(&o);
    fa_buf_release(&o2);
}

static void test_question_refused(void **state)
{
    static const struct {
        const char *json, *field;
        fa_rc rc;
    } t[] = {
        {"{\"costType\":\"cheapCost\"}", "costType", FA_EINVAL},
        {"{\"costType\":\"fairShareCost\"}", "costType", FA_EDATA},
        {"{\"granularity\":\"minute\"}", "granularity", FA_EINVAL},
        {"{\"groupBy\":{}}", "groupBy", FA_EINVAL},
        {"{\"groupBy\":[{\"costCenter\":\"Global\",\"key\":\"nope\"}]}", "groupBy[0].key",
         FA_EINVAL},
        {"{\"groupBy\":[{\"costCenter\":\"Nowhere\",\"key\":\"service\"}]}",
         "groupBy[0].costCenter", FA_EINVAL},
        {"{\"groupBy\":[{\"key\":\"service\",\"type\":\"colour\"}]}", "groupBy[0].type", FA_EINVAL},
        {"{\"top\":-1}", "top", FA_EINVAL},
        {"{\"others\":1}", "others", FA_EINVAL},
        {"{\"date\":{\"from\":\"x\"}}", "date.from", FA_EINVAL},
        {"{\"filters\":{\"AND\":[{}, {\"key\":\"service\"}]}}", "filters.AND[1].operator",
         FA_EINVAL},
        {"[]", "", FA_EINVAL},
    };
    bill *b = plain;

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        json_t *j = json_loads(t[i].json, 0, NULL);
        fa_err e = {0};
        fa_plan p;
        fa_rc rc = fa_plan_parse(b->cat, &b->a, j, 20000, (fa_str){0}, &p, &e);

        if (rc != t[i].rc || strcmp(e.field, t[i].field) != 0)
            fail_msg("%s: rc %d field \"%s\" (%s)", t[i].json, (int)rc, e.field, e.msg);
        json_decref(j);
    }
}

/* ---- after a load ---- */

static void test_next_generation(void **state)
{
    bill *b = bill_open(9, false, 7);
    question q;
    fa_plan p;
    fa_answer a;
    fa_err e = {0};

    (void)state;
    random_plan(b, &q, &p);
    a = ask(b, &p);
    check_answer(b, &q, &p, &a);
    make_rows(b); /* every period is restated with other rows */
    load_rows(b);
    fa_catalog_put(b->cat);
    must(fa_catalog_get(b->l, &b->cat, &e), &e);
    for (int i = 0; i < 20; i++) {
        random_plan(b, &q, &p);
        a = ask(b, &p);
        check_answer(b, &q, &p, &a);
    }
    bill_close(b);
}

static void test_empty(void **state)
{
    char dir[256], data[300];
    const char *tmp = getenv("FARTHING_TMP");
    fa_ledger_options o = {.create = true, .dir = data};
    fa_err e = {0};
    fa_ledger *l;
    fa_catalog *c;
    fa_arena a;
    fa_plan p = {.bucket = FA_DAY, .range = {.from = 20000, .to = 20010}, .previous = true};
    fa_answer r;
    const fa_key *k;
    fa_value *v;
    size_t n;
    fa_buf out;
    fa_jw w;

    (void)state;
    snprintf(dir, sizeof dir, "%s/query.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(data, sizeof data, "%s/data", dir);
    fa_arena_init(&a, 0);
    must(fa_ledger_open(&o, &l, &e), &e);
    use_cluster(l);
    must(fa_catalog_get(l, &c, &e), &e);
    must(
        fa_catalog_find(c, &a, FA_API_CLI, (fa_str){0}, FA_STR("ServiceName"), (fa_str){0}, &k, &e),
        &e);
    p.dim[0] = k;
    p.ndim = 1;
    set_cost(&p, 0, "netAmortizedCost", FA_AGG_SUM);
    must(fa_query_run(l, &a, &p, &r, &e), &e);
    assert_int_equal(r.ngroup, 0);
    assert_int_equal(r.nbucket, 11);
    assert_int_equal(r.known_to, INT32_MIN);
    assert_true(r.total.total_e10[0] == 0);
    p.bucket = FA_HOUR;
    must(fa_query_run(l, &a, &p, &r, &e), &e);
    assert_int_equal(r.rows, 0);
    must(fa_query_values(l, &a, k, NULL, (fa_str){0}, (fa_str){0}, 0, NULL, &v, &n, &e), &e);
    assert_int_equal(n, 0);
    fa_buf_init(&out, 0);
    fa_jw_init(&w, &out);
    must(fa_query_rows(l, &a, &p, 10, &w, &e), &e);
    fa_buf_clear(&out);
    fa_answer_text(&out, &p, &r);
    fa_buf_release(&out);
    fa_catalog_put(c);
    fa_query_cache_free();
    fa_ledger_close(l);
    fa_arena_release(&a);
    must(fa_remove_tree(dir, &e), &e);
}

/* ---- many at once ---- */

#define NTHREAD 4
#define NPLAN 12

typedef struct caller {
    const fa_plan *p;
    const fa_i128 *want;
    int wrong;
} caller;

static void *call(void *arg)
{
    caller *c = arg;

    for (int i = 0; i < NPLAN * 4; i++) {
        fa_arena a;
        fa_answer r;
        fa_catalog *cat;
        fa_err e;

        fa_arena_init(&a, 0);
        if (fa_catalog_get(plain->l, &cat, &e) ||
            fa_query_run(plain->l, &a, &c->p[i % NPLAN], &r, &e) ||
            r.total.total_e10[0] != c->want[i % NPLAN])
            c->wrong++;
        else
            fa_catalog_put(cat);
        if (i % 10 == 9)
            fa_query_cache_free();
        fa_arena_release(&a);
    }
    return NULL;
}

static void test_threads(void **state)
{
    fa_plan p[NPLAN];
    fa_i128 want[NPLAN];
    pthread_t thread[NTHREAD];
    caller c[NTHREAD];

    (void)state;
    for (int i = 0; i < NPLAN; i++) {
        question q;

        random_plan(plain, &q, &p[i]);
        want[i] = ask(plain, &p[i]).total.total_e10[0];
    }
    for (int i = 0; i < NTHREAD; i++) {
        c[i] = (caller){p, want, 0};
        assert_int_equal(pthread_create(&thread[i], NULL, call, &c[i]), 0);
    }
    for (int i = 0; i < NTHREAD; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(c[i].wrong, 0);
    }
}

static void test_deadline(void **state)
{
    fa_plan p = {.bucket = FA_DAY, .range = {.from = 0, .to = 30000}};
    fa_err e = {0};
    fa_answer a;
    fa_rc rc;

    (void)state;
    set_cost(&p, 0, "listCost", FA_AGG_SUM);
    p.deadline_mono_ms = fa_mono_ms() - 1000;
    rc = fa_query_run(plain->l, &plain->a, &p, &a, &e);
    assert_true(rc == FA_OK || rc == FA_ETIMEOUT); /* a small bill may be faster than the clock */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_top),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_aggregates),
        cmocka_unit_test(test_currencies),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_values_by_cost),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_question),
        cmocka_unit_test(test_question_refused),
        cmocka_unit_test(test_next_generation),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_deadline),
    };

    return cmocka_run_group_tests(tests, open_bills, close_bills);
}
