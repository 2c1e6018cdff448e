/*
 * query_bill.h - a small random bill, a ledger that holds it, and a slow reference that answers questions
 * from the rows themselves: one row at a time, in 128 bits, sharing nothing with src/query.
 */
#ifndef FA_TEST_QUERY_BILL_H
#define FA_TEST_QUERY_BILL_H

#include "query/query.h"

#include <locale.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

#define NROW 400
#define FIRST_DAY "2026-03-01" /* a Sunday; 75 days of rows follow */
#define NDAY 75

typedef struct bill_row {
    const char *center, *provider, *service, *region, *team, *size, *usage_type, *unit, *currency;
    char resource[16];
    int32_t day;
    int hour;
    fa_i128 cost[4]; /* billed, effective, list, contracted; e18 */
    fa_i128 used;    /* consumed; only with a unit */
} bill_row;

typedef struct bill {
    char dir[256], data[300];
    fa_ledger *l;
    fa_arena a;
    fa_catalog *cat;
    bill_row row[NROW];
    size_t nrow;
    int places;      /* decimals of the amounts */
    bool currencies; /* some rows are in EUR */
    uint32_t seed;
} bill;

static inline void must(fa_rc rc, const fa_err *e)
{
    if (rc)
        fail_msg("rc %d: %s (%s)", (int)rc, e->msg, e->field);
}

static inline uint32_t dice(bill *b, uint32_t n)
{
    b->seed = b->seed * 1664525u + 1013904223u;
    return (b->seed >> 8) % n;
}

static inline const char *pick(bill *b, const char *const *from, uint32_t n)
{
    return from[dice(b, n)];
}

static inline fa_i128 random_amount(bill *b)
{
    fa_i128 v = (fa_i128)dice(b, 16000000) * 16000000 + dice(b, 16000000), unit = FA_E18;

    for (int i = 0; i < b->places; i++)
        unit /= 10;
    if (dice(b, 10) == 0)
        v = dice(b, 7); /* next to nothing */
    return (dice(b, 8) == 0 ? -v : v) * unit;
}

static inline void make_rows(bill *b)
{
    static const char *const providers[][2] = {{"AWS", "AWS"},
                                               {"GCP", "Google Cloud"},
                                               {"Azure", "Microsoft"},
                                               {"Grafana Labs", "Grafana Labs"}};
    static const char *const services[] = {"Compute", "compute",      "Object Store", "=cmd()|calc",
                                           "Grün",    "GRÜN & Söhne", "O'Brien's",    "100%_x"};
    static const char *const regions[] = {NULL, "us-east-1", "us-west-2", "eu-central-1"};
    static const char *const teams[] = {NULL, NULL, "core", "Core", "data", "größe", "a\\b"};
    static const char *const sizes[] = {NULL, "1", "2.5", "10", "-3", "big"};
    static const char *const types[] = {NULL, "BoxUsage:m5", "DataTransfer-Out"};
    static const char *const units[] = {NULL, "Hrs", "GB"};
    int32_t first;

    assert_true(fa_day_parse(FA_STR(FIRST_DAY), &first));
    for (b->nrow = 0; b->nrow < NROW; b->nrow++) {
        bill_row *r = &b->row[b->nrow];
        const char *const *p = providers[dice(b, 4)];

        r->center = p[0];
        r->provider = p[1];
        r->service = pick(b, services, FA_COUNT(services));
        r->region = pick(b, regions, FA_COUNT(regions));
        r->team = pick(b, teams, FA_COUNT(teams));
        r->size = pick(b, sizes, FA_COUNT(sizes));
        r->usage_type = pick(b, types, FA_COUNT(types));
        r->unit = pick(b, units, FA_COUNT(units));
        r->currency = b->currencies && dice(b, 4) == 0 ? "EUR" : "USD";
        snprintf(r->resource, sizeof r->resource, "r-%u", dice(b, 60));
        r->day = first + (int32_t)dice(b, NDAY);
        r->hour = (int)dice(b, 24);
        for (int i = 0; i < 4; i++)
            r->cost[i] = random_amount(b);
        r->used = r->unit ? random_amount(b) : 0;
    }
}

static inline void put_number(fa_buf *o, fa_i128 v)
{
    fa_dec_emit(o, v, 18, 0);
    fa_buf_c(o, ',');
}

static inline void put_text(fa_buf *o, const char *z)
{
    fa_buf_csv(o, fa_str_of(z), false);
    fa_buf_c(o, ',');
}

static inline void put_bill_row(fa_buf *o, const bill_row *r)
{
    fa_buf tags;
    fa_jw w;

    for (int i = 0; i < 4; i++)
        put_number(o, r->cost[i]);
    put_text(o, r->provider);
    put_text(o, r->service);
    put_text(o, r->region);
    put_text(o, r->usage_type);
    put_text(o, r->unit);
    put_text(o, r->currency);
    put_text(o, r->resource);
    if (r->unit)
        put_number(o, r->used);
    else
        fa_buf_c(o, ',');
    fa_day_emit(o, fa_day_floor(r->day, FA_MONTH));
    fa_buf_c(o, ',');
    fa_day_emit(o, r->day);
    fa_buf_fmt(o, "T%02d:00:00Z,Usage,acct,", r->hour);
    fa_buf_init(&tags, 4096);
    fa_jw_init(&w, &tags);
    fa_jw_obj(&w);
    if (r->team) {
        fa_jw_key(&w, "team");
        fa_jw_z(&w, r->team);
    }
    if (r->size) {
        fa_jw_key(&w, "size");
        fa_jw_z(&w, r->size);
    }
    fa_jw_end_obj(&w);
    fa_buf_csv(o, fa_buf_view(&tags), false);
    fa_buf_c(o, '\n');
    fa_buf_release(&tags);
}

static inline void load_rows_as(bill *b, const char *source)
{
    fa_err e = {0};
    fa_buf o;
    fa_load_result r;
    char path[320];
    const char *paths[] = {path};
    fa_load_request q = {.source = fa_str_of(source), .path = paths, .npath = 1};

    fa_buf_init(&o, 0);
    fa_buf_z(&o, "BilledCost,EffectiveCost,ListCost,ContractedCost,ProviderName,ServiceName,"
                 "RegionId,x_UsageType,"
                 "ConsumedUnit,BillingCurrency,ResourceId,ConsumedQuantity,BillingPeriodStart,"
                 "ChargePeriodStart,ChargeCategory,BillingAccountId,Tags\n");
    for (size_t i = 0; i < b->nrow; i++)
        put_bill_row(&o, &b->row[i]);
    assert_false(o.failed);
    snprintf(path, sizeof path, "%s/bill.csv", b->dir);
    must(fa_file_write_durable(path, fa_buf_view(&o), 0600, &e), &e);
    fa_buf_release(&o);
    must(fa_ledger_load(b->l, &b->a, &q, NULL, &r, &e), &e);
}

static inline void load_rows(bill *b)
{
    load_rows_as(b, "random");
}

/* With FARTHING_TEST_CLUSTER=clickhouse://USER@HOSTS/NAME the cluster answers, from a database of this ledger's own. */
static inline void use_cluster(fa_ledger *l)
{
    const char *to = getenv("FARTHING_TEST_CLUSTER");
    static int n;
    char url[512];
    int64_t rows;
    bool unproven;
    fa_err e = {0};

    if (!to)
        return;
    snprintf(url, sizeof url, "%s_%d_%d", to, (int)getpid(), n++);
    must(fa_ledger_migrate(l, url, NULL, &rows, &unproven, &e), &e);
}

/* Rows, and a ledger that has not loaded them. */
static inline bill *bill_new(int places, bool currencies, uint32_t seed)
{
    bill *b = calloc(1, sizeof *b);
    const char *tmp = getenv("FARTHING_TMP");
    fa_err e = {0};
    fa_ledger_options o = {.create = true, .memory_bytes = (size_t)1 << 30};

    assert_non_null(b);
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    b->places = places;
    b->currencies = currencies;
    b->seed = seed;
    snprintf(b->dir, sizeof b->dir, "%s/query.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->data, sizeof b->data, "%s/data", b->dir);
    fa_arena_init(&b->a, 0);
    o.dir = b->data;
    must(fa_ledger_open(&o, &b->l, &e), &e);
    use_cluster(b->l);
    make_rows(b);
    return b;
}

static inline bill *bill_open(int places, bool currencies, uint32_t seed)
{
    bill *b = bill_new(places, currencies, seed);
    fa_err e = {0};

    load_rows(b);
    must(fa_catalog_get(b->l, &b->cat, &e), &e);
    return b;
}

static inline void bill_close(bill *b)
{
    fa_err e = {0};

    fa_catalog_put(b->cat);
    fa_query_cache_free();
    fa_ledger_close(b->l);
    fa_arena_release(&b->a);
    must(fa_remove_tree(b->dir, &e), &e);
    free(b);
}

/* ---- keys, as the reference sees them ---- */

typedef struct ref_key {
    const char *center, *key, *type;
} ref_key;

static const ref_key ref_keys[] = {
    {"Global", "service", "billing_dimension"},
    {"Global", "region", "billing_dimension"},
    {"Global", "cost_center_type", "billing_dimension"},
    {"Global", "team", "tag"},
    {"Global", "size", "tag"},
    {"Global", "usage_type", "billing_enrichment"},
    {"Global", "resource_id", "resource"},
    {"AWS", "region", "billing_dimension"},
    {"AWS", "team", "tag"},
    {"GCP", "service", "billing_dimension"},
    {"Grafana Labs", "service", "billing_dimension"},
};
#define NKEY FA_COUNT(ref_keys)

/* Virtual tags, of the test that has some. */
typedef const char *ref_tag_fn(const bill_row *r, const ref_key *k);
static ref_tag_fn *ref_tag;

/* NULL: missing. */
static inline const char *ref_value(const bill_row *r, const ref_key *k)
{
    if (strcmp(k->center, "virtualTag") == 0)
        return ref_tag(r, k);
    if (strcmp(k->center, "Global") != 0 && strcmp(k->center, r->center) != 0)
        return NULL;
    if (strcmp(k->key, "service") == 0)
        return r->service;
    if (strcmp(k->key, "region") == 0)
        return r->region;
    if (strcmp(k->key, "cost_center_type") == 0)
        return r->center;
    if (strcmp(k->key, "team") == 0)
        return r->team;
    if (strcmp(k->key, "size") == 0)
        return r->size;
    if (strcmp(k->key, "usage_type") == 0)
        return r->usage_type;
    return r->resource;
}

/* ---- filters, as the reference sees them ---- */

typedef struct ref_filter ref_filter;
struct ref_filter {
    const char *op; /* "AND", "OR" or an operator */
    const ref_key *key;
    const char *value[3];
    size_t nvalue, nkid;
    ref_filter *kid[4];
};

static inline bool has_part(const char *s, const char *part)
{
    wchar_t a[256], b[256];

    assert_true(mbstowcs(a, s, 256) != (size_t)-1);
    assert_true(mbstowcs(b, part, 256) != (size_t)-1);
    for (wchar_t *p = a; *p; p++)
        *p = (wchar_t)towlower((wint_t)*p);
    for (wchar_t *p = b; *p; p++)
        *p = (wchar_t)towlower((wint_t)*p);
    return wcsstr(a, b) != NULL;
}

static inline bool is_number(const char *z)
{
    char *end;

    (void)strtod(z, &end);
    return *z && !*end;
}

static inline bool ref_match(const bill_row *r, const ref_filter *f)
{
    const char *v;
    bool any = false;

    if (strcmp(f->op, "AND") == 0 || strcmp(f->op, "OR") == 0) {
        bool is_and = f->op[0] == 'A';

        for (size_t i = 0; i < f->nkid; i++)
            if (ref_match(r, f->kid[i]) != is_and)
                return !is_and;
        return is_and;
    }
    v = ref_value(r, f->key);
    if (strcmp(f->op, "exists") == 0)
        return v != NULL;
    if (strcmp(f->op, "notExists") == 0)
        return v == NULL;
    if (strcmp(f->op, "greaterThan") == 0)
        return v && is_number(v) && strtod(v, NULL) > strtod(f->value[0], NULL);
    if (strcmp(f->op, "lessThan") == 0)
        return v && is_number(v) && strtod(v, NULL) < strtod(f->value[0], NULL);
    for (size_t i = 0; v && i < f->nvalue; i++)
        any |=
            strcasestr(f->op, "contains") ? has_part(v, f->value[i]) : strcmp(v, f->value[i]) == 0;
    return strstr(f->op, "not") || strstr(f->op, "Not") ? !any : any;
}

static inline void ref_json(fa_jw *w, const ref_filter *f)
{
    fa_jw_obj(w);
    if (strcmp(f->op, "AND") == 0 || strcmp(f->op, "OR") == 0) {
        fa_jw_key(w, f->op);
        fa_jw_arr(w);
        for (size_t i = 0; i < f->nkid; i++)
            ref_json(w, f->kid[i]);
        fa_jw_end_arr(w);
    } else {
        fa_jw_key(w, "costCenter");
        fa_jw_z(w, f->key->center);
        fa_jw_key(w, "key");
        fa_jw_z(w, f->key->key);
        fa_jw_key(w, "type");
        fa_jw_z(w, f->key->type);
        fa_jw_key(w, "operator");
        fa_jw_z(w, f->op);
        if (f->nvalue) {
            fa_jw_key(w, "value");
            if (f->nvalue > 1)
                fa_jw_arr(w);
            for (size_t i = 0; i < f->nvalue; i++)
                fa_jw_z(w, f->value[i]);
            if (f->nvalue > 1)
                fa_jw_end_arr(w);
        }
    }
    fa_jw_end_obj(w);
}

static inline const fa_filter *to_filter(bill *b, const ref_filter *f)
{
    fa_err e = {0};
    fa_buf o;
    fa_jw w;
    json_t *j;
    const fa_filter *out;

    fa_buf_init(&o, 0);
    fa_jw_init(&w, &o);
    ref_json(&w, f);
    j = json_loadb(o.p, o.n, 0, NULL);
    assert_non_null(j);
    must(fa_filter_parse(b->cat, &b->a, FA_API_INTERNAL, j, "filters", &out, &e), &e);
    json_decref(j);
    fa_buf_release(&o);
    return out;
}

static const char *const ref_ops[] = {"is",        "isNot",       "notIs",       "oneOf",
                                      "notOneOf",  "contains",    "notContains", "exists",
                                      "notExists", "greaterThan", "lessThan"};

static inline ref_filter *random_filter(bill *b, int depth)
{
    static const char *const values[] = {"Compute", "core", "us-east-1", "GRÜN",    "ö",   "_",
                                         "%",       "'",    "AWS",       "Azure",   "2.5", "r-1",
                                         "\\",      "east", "ße",        "BOXUSAGE"};
    ref_filter *f = fa_arena_alloc(&b->a, sizeof *f);

    assert_non_null(f);
    if (depth > 0 && dice(b, 2)) {
        f->op = dice(b, 2) ? "AND" : "OR";
        f->nkid = dice(b, 4);
        for (size_t i = 0; i < f->nkid; i++)
            f->kid[i] = random_filter(b, depth - 1);
        return f;
    }
    f->op = pick(b, ref_ops, FA_COUNT(ref_ops));
    f->key = &ref_keys[dice(b, NKEY)];
    if (strstr(f->op, "xists"))
        return f;
    if (strstr(f->op, "Than")) {
        static const char *const numbers[] = {"0", "2", "2.5", "-3"};

        f->value[f->nvalue++] = pick(b, numbers, FA_COUNT(numbers));
        return f;
    }
    f->nvalue = 1 + dice(b, 3);
    for (size_t i = 0; i < f->nvalue; i++)
        f->value[i] = pick(b, values, FA_COUNT(values));
    return f;
}

#endif
