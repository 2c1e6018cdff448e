/*
 * fair_test.c - FairShare cost in the ledger: random pools beside a split of their own, and what becomes of it when it is
 * cancelled, cut off, damaged, made again and switched off.
 *
 * Expected shares come from fa_split over the rows as they were written, never from the ledger's own SQL.
 */
#include "allocate/allocate.h"
#include "ledger/ledger.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka wants the headers above first */
#include <cmocka.h>

enum { NROW = 600, NRES = 40, NSKU = 5, NHOUR = 3 };

typedef struct row {
    int sku, hour, res;
    fa_i128 cost, net, list, fair, net_fair; /* e18 */
} row;

typedef struct fixture {
    char dir[256], data[300];
    fa_ledger *l;
    fa_arena a;
    row row[NROW];
    uint64_t seed;
} fixture;

static void must(fa_rc rc, const fa_err *e)
{
    if (rc)
        fail_msg("rc %d: %s", (int)rc, e->msg);
}

static void open_data(fixture *f, bool create)
{
    fa_err e = {0};
    fa_ledger_options o = {.dir = f->data, .create = create, .memory_bytes = (size_t)1 << 30};

    must(fa_ledger_open(&o, &f->l, &e), &e);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    const char *tmp = getenv("FARTHING_TMP");

    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "%s/fair.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->data, sizeof f->data, "%s/data", f->dir);
    fa_arena_init(&f->a, 0);
    f->seed = 0x9e3779b97f4a7c15u;
    open_data(f, true);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    fa_err e = {0};

    fa_ledger_close(f->l);
    must(fa_remove_tree(f->dir, &e), &e);
    fa_arena_release(&f->a);
    free(f);
    return 0;
}

static uint64_t dice(fixture *f, uint64_t n)
{
    f->seed ^= f->seed << 13;
    f->seed ^= f->seed >> 7;
    f->seed ^= f->seed << 17;
    return f->seed % n;
}

/* Up to 18 decimals, now and then nothing. */
static fa_i128 amount(fixture *f)
{
    return dice(f, 9) ? (fa_i128)dice(f, 40) * FA_E18 + (fa_i128)dice(f, 1000000000000000000u) : 0;
}

static void put_dec(fa_buf *b, fa_i128 v)
{
    fa_buf_c(b, ',');
    fa_dec_emit(b, v, 18, 0);
}

/* One day with hours; every SKU but the last has hours, a resource may have several rows in one. */
static void make_rows(fixture *f)
{
    for (int i = 0; i < NROW; i++) {
        row *r = &f->row[i];

        r->sku = (int)dice(f, NSKU);
        r->hour = r->sku == NSKU - 1 ? -1 : (int)dice(f, NHOUR);
        r->res = (int)dice(f, NRES);
        r->cost = dice(f, 12) ? amount(f) : -amount(f);
        r->net = dice(f, 12) ? amount(f) : -amount(f);
        r->list = amount(f) + 1;
    }
}

static const char *write_rows(fixture *f)
{
    char *path = fa_arena_printf(&f->a, "%s/bill.csv", f->dir);
    fa_buf b;
    FILE *out;

    fa_buf_init(&b, 0);
    fa_buf_z(&b,
             "x_AmortizedCost,BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,"
             "BillingCurrency,BillingPeriodStart,ChargePeriodStart,ChargePeriodEnd,"
             "ChargeCategory,ProviderName,ServiceName,SkuId,ResourceId,ConsumedUnit\n");
    for (int i = 0; i < NROW; i++) {
        const row *r = &f->row[i];
        int hour = r->hour < 0 ? 0 : r->hour;

        fa_dec_emit(&b, r->cost, 18, 0);
        put_dec(&b, r->cost);
        put_dec(&b, r->net);
        put_dec(&b, r->list);
        put_dec(&b, r->list);
        fa_buf_fmt(&b,
                   ",p,USD,2026-05-01T00:00:00Z,2026-05-03T%02d:00:00Z,2026-05-03T%02d:59:59Z,"
                   "Usage,AWS,Amazon EC2,s%d,i-%02d,Hrs\n",
                   hour, r->hour < 0 ? 23 : hour, r->sku, r->res);
    }
    out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(b.p, 1, b.n, out), b.n);
    assert_int_equal(fclose(out), 0);
    fa_buf_release(&b);
    return path;
}

/* A pool's weights are those of its resources: the ledger splits over lines. by_sku false: one pool of all SKUs. */
static void share_pool(fixture *f, int sku, int hour, bool by_sku, bool net)
{
    fa_i128 weight[NRES * NSKU] = {0}, out[NRES * NSKU], whole = 0;
    bool any = false;

    for (int i = 0; i < NROW; i++) {
        const row *r = &f->row[i];
        fa_i128 own = net ? r->net : r->cost;

        if (r->hour != hour || (by_sku && r->sku != sku) || own < 0)
            continue;
        weight[r->res * NSKU + r->sku] += r->list;
        whole += own;
        any = true;
    }
    if (!any)
        return;
    assert_true(fa_split(whole, weight, NRES * NSKU, out));
    for (int i = 0; i < NROW;
         i++) { /* the first row of a line gets all of it, the others nothing */
        row *r = &f->row[i];
        size_t at = (size_t)(r->res * NSKU + r->sku);

        if (r->hour != hour || (by_sku && r->sku != sku) || (net ? r->net : r->cost) < 0)
            continue;
        *(net ? &r->net_fair : &r->fair) = out[at];
        out[at] = 0;
    }
}

static void share_all(fixture *f, bool by_sku)
{
    for (int i = 0; i < NROW; i++) {
        f->row[i].fair = f->row[i].cost;
        f->row[i].net_fair = f->row[i].net;
    }
    for (int hour = -1; hour < NHOUR; hour++)
        for (int sku = 0; sku < (by_sku ? NSKU : 1); sku++)
            for (int net = 0; net < 2; net++)
                share_pool(f, sku, hour, by_sku, net);
}

typedef struct seen {
    uint32_t group[NRES * NSKU * 2 + 8];
    size_t n;
} seen;

static fa_rc take_line(void *user, const fa_batch *b, fa_err *e)
{
    seen *s = user;

    (void)e;
    for (size_t r = 0; r < b->rows; r++) {
        assert_true(s->n < FA_COUNT(s->group));
        assert_int_equal(b->col[0].i64[r], (int64_t)s->n);
        s->group[s->n++] = (uint32_t)b->col[1].i64[r];
    }
    return FA_OK;
}

/* What each resource costs, by the kernel and by DuckDB. */
static void assert_shares(fixture *f)
{
    const fa_measure m[] = {FA_M_FAIRSHARE, FA_M_NET_FAIRSHARE, FA_M_AMORTIZED, FA_M_EFFECTIVE};
    fa_i128 want[NRES][4] = {0};
    seen lines = {.n = 0};
    fa_err e = {0};
    fa_conn *c;

    for (int i = 0; i < NROW; i++) {
        const row *r = &f->row[i];
        const fa_i128 own[] = {r->fair, r->net_fair, r->cost, r->net};

        for (int k = 0; k < 4; k++)
            want[r->res][k] += own[k];
    }
    must(fa_conn_get(fa_ledger_engine(f->l), &c, &e), &e);
    must(fa_sql_query(c,
                      FA_STR("SELECT line_id::BIGINT, ResourceId[3:]::BIGINT FROM line ORDER BY"
                             " line_id"),
                      NULL, 0, take_line, &lines, &e),
         &e);
    fa_conn_put(c);
    for (int plain = 0; plain < 2; plain++) {
        fa_scan q = {.from = 0,
                     .to = 40000,
                     .group = lines.group,
                     .nline = (uint32_t)lines.n,
                     .plain = plain};
        fa_cell *cell;
        size_t n;

        for (size_t k = 0; k < FA_COUNT(m); k++)
            q.measures |= FA_BIT(m[k]);
        must(fa_engine_scan(fa_ledger_engine(f->l), &f->a, &q, &cell, &n, &e), &e);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < FA_COUNT(m); k++)
                if (cell[i].sum[m[k]] != want[cell[i].group][k])
                    fail_msg("%s of i-%02u, plain %d", fa_measures[m[k]].name, cell[i].group,
                             plain);
    }
}

static size_t findings(fixture *f)
{
    fa_err e = {0};
    fa_finding *found;
    size_t n;

    must(fa_ledger_check(f->l, &f->a, NULL, &found, &n, &e), &e);
    return n;
}

static void load(fixture *f, const char *path)
{
    fa_load_request q = {.source = FA_STR("aws"), .path = &path, .npath = 1};
    fa_load_result r;
    fa_err e = {0};

    must(fa_ledger_load(f->l, &f->a, &q, NULL, &r, &e), &e);
}

static void set(fixture *f, fa_fair_width w)
{
    fa_err e = {0};

    must(fa_ledger_fair_set(f->l, w, NULL, &e), &e);
    assert_int_equal(fa_ledger_fair(f->l), w);
}

static void test_random_pools(void **state)
{
    fixture *f = *state;

    for (int round = 0; round < 3; round++) {
        make_rows(f);
        load(f, write_rows(
                    f)); /* the first without FairShare, the others restate the month with it on */
        set(f, FA_FAIR_SKU);
        share_all(f, true);
        assert_shares(f);
        assert_int_equal(findings(f), 0);
    }
    set(f, FA_FAIR_SERVICE);
    share_all(f, false);
    assert_shares(f);
    set(f, FA_FAIR_OFF);
    for (int i = 0; i < NROW; i++) {
        f->row[i].fair = f->row[i].cost;
        f->row[i].net_fair = f->row[i].net;
    }
    assert_shares(f);
    assert_int_equal(findings(f), 0);
}

static void test_cancelled_and_cut_off(void **state)
{
    fixture *f = *state;
    volatile bool cancel = true;
    fa_progress p = {.cancel = &cancel};
    fa_err e = {0};

    make_rows(f);
    load(f, write_rows(f));
    set(f, FA_FAIR_SKU);
    share_all(f, true);
    assert_int_equal(fa_ledger_fair_set(f->l, FA_FAIR_SERVICE, &p, &e), FA_ECANCELLED);
    assert_int_equal(fa_ledger_fair(f->l), FA_FAIR_SKU);
    assert_shares(f);
    assert_int_equal(findings(f), 0);
    /* the setting was written and the process died before the star was: opening goes on from there */
    must(fa_setting_put(fa_ledger_store(f->l), fa_ledger_account(f->l), FA_STR("fairshare"),
                        FA_STR("service"), &e),
         &e);
    fa_ledger_close(f->l);
    open_data(f, false);
    assert_int_equal(fa_ledger_fair(f->l), FA_FAIR_SERVICE);
    share_all(f, false);
    assert_shares(f);
    assert_int_equal(findings(f), 0);
}

static void test_damage_is_found(void **state)
{
    static const char *const harm[] = {
        "UPDATE daily SET fair = fair + 1 WHERE rowid = (SELECT min(rowid) FROM daily)",
        ("UPDATE daily SET net_fair = NULL, net_fair_rest = NULL WHERE rowid = (SELECT min(rowid)"
         " FROM daily WHERE net_fair <> effective)"),
        "DELETE FROM fair_part",
    };
    fixture *f = *state;

    make_rows(f);
    load(f, write_rows(f));
    set(f, FA_FAIR_FAMILY);
    share_all(f, true); /* these SKUs have no family: each is its own */
    assert_shares(f);
    for (size_t i = 0; i < FA_COUNT(harm); i++) {
        fa_err e = {0};
        fa_conn *c;

        must(fa_conn_get(fa_ledger_engine(f->l), &c, &e), &e);
        must(fa_sql_exec(c, fa_str_of(harm[i]), NULL, 0, NULL, &e), &e);
        fa_conn_put(c);
        assert_true(findings(f) > 0);
        must(fa_ledger_rebuild(f->l, NULL, &e), &e);
        assert_int_equal(findings(f), 0);
        assert_shares(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_pools, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled_and_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_found, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
