/*
 * fair.c - FairShare cost: what identical usage costs when its discounts are spread evenly (inform.md 3.4).
 *
 * The one idea: fair cost follows from what is live and from nothing else, as views do (view.c). Usage that is alike
 * is one pool: payer and currency, hour where the bill has hours and else day, service, region, SKU and unit. A pool's
 * amortized cost is split over its rows by their list cost, in whole units of 1e-18 with the remainders going to the
 * largest, so every pool and every day costs what it cost before. It is worked out from the archive's rows, not from
 * the day sums, because the hours are only there; and across parts, because a delivery that adds to a month, or a
 * second source of the same payer, has rows of pools that are there already.
 *
 *   fair_part(part_id, seal, width)  the parts that were worked out, in which state and how wide
 *   fair_day(part_id, who, day)      the days on which a part has rows in pools of a payer
 *
 * A part whose seal or width differs is stale; its days, before and now, are done again for every part that has rows
 * of the same payer on them. With the switch off the two tables are empty and nothing is read.
 */
#include "ledger/inner.h"

#include <string.h>

#define SETTING FA_STR("fairshare")

static const struct {
    const char *name, *sku; /* SQL over fs_sku; what is alike */
} widths[] = {
    [FA_FAIR_OFF] = {"off", NULL},
    [FA_FAIR_SKU] = {"sku", "sku"},
    [FA_FAIR_FAMILY] = {"family", "family"},
    [FA_FAIR_SERVICE] = {"service", "''"},
};

const char *fa_fair_name(fa_fair_width w)
{
    return widths[w].name;
}

bool fa_fair_find(fa_str name, fa_fair_width *out)
{
    for (size_t i = 0; i < FA_COUNT(widths); i++)
        if (fa_str_eqz(name, widths[i].name)) {
            *out = (fa_fair_width)i;
            return true;
        }
    return false;
}

/* ---- which lines, and how they are alike ---- */

/* Services whose usage takes part: the codes and names a bill may give them. */
#define SERVICES                                                                                   \
    "(VALUES ('amazonec2', 'AmazonEC2'), ('amazon ec2', 'AmazonEC2'),"                             \
    " ('amazon elastic compute cloud', 'AmazonEC2'),"                                              \
    " ('amazon elastic compute cloud - compute', 'AmazonEC2'), ('ec2 - other', 'AmazonEC2'),"      \
    " ('awslambda', 'AWSLambda'), ('aws lambda', 'AWSLambda'), ('amazonecs', 'AmazonECS'),"        \
    " ('amazon elastic container service', 'AmazonECS'),"                                          \
    " ('amazon ec2 container service', 'AmazonECS'), ('aws fargate', 'AmazonECS'),"                \
    " ('amazonrds', 'AmazonRDS'), ('amazon rds', 'AmazonRDS'),"                                    \
    " ('amazon relational database service', 'AmazonRDS'),"                                        \
    " ('amazonelasticache', 'AmazonElastiCache'), ('amazon elasticache', 'AmazonElastiCache'),"    \
    " ('amazondynamodb', 'AmazonDynamoDB'), ('amazon dynamodb', 'AmazonDynamoDB'),"                \
    " ('amazonredshift', 'AmazonRedshift'), ('amazon redshift', 'AmazonRedshift'))"                \
    " AS s(word, service)"

/* Of x_LineItemType, where a bill has it: these are no usage. */
#define NO_USAGE                                                                                   \
    "('RIFee', 'Fee', 'Tax', 'Credit', 'Refund', 'SavingsPlanNegation', "                          \
    "'SavingsPlanRecurringFee',"                                                                   \
    " 'SavingsPlanUpfrontFee', 'EdpDiscount', 'PrivateRateDiscount', 'BundledDiscount',"           \
    " 'RiVolumeDiscount', 'SppDiscount', 'DistributorDiscount', 'Discount',"                       \
    " 'FlatRateSubscription')"

/* Usage of the services: no unused commitment, marketplace, correction or refund. An instance of EC2 is told by its
 * type, which stands in its usage type where it has no column, its system and its tenancy, so that on-demand, reserved
 * and spot hours are alike; other usage by its usage type and operation, or its SKU. */
static const char sku_sql[] =
    "CREATE TEMP TABLE fs_sku AS SELECT line_id, hash, who, service, region, unit, is_od, size,"
    " CASE WHEN instance IS NOT NULL THEN concat_ws(chr(31), instance, system, tenancy)"
    " WHEN usage_type <> '' THEN concat_ws(chr(31), usage_type, operation)"
    " ELSE concat_ws(chr(31), coalesce(SkuId, ''), coalesce(SkuMeter, '')) END AS sku,"
    " CASE WHEN instance IS NOT NULL"
    " THEN concat_ws(chr(31), split_part(instance, '.', 1), system, tenancy)"
    " WHEN usage_type <> '' THEN concat_ws(chr(31), CASE WHEN size = '' THEN usage_type"
    " ELSE usage_type[:length(usage_type) - length(size) - 1] END, operation)"
    " ELSE concat_ws(chr(31), coalesce(SkuId, ''), coalesce(SkuMeter, '')) END AS family"
    " FROM (SELECT *, CASE WHEN instance IS NOT NULL THEN split_part(instance, '.', 2)"
    " ELSE regexp_extract(usage_type, ':[a-z0-9.-]+[.]([0-9]*[a-z]+)$', 1) END AS size"
    " FROM (SELECT line_id, hash, SkuId, SkuMeter, service,"
    " concat_ws(chr(31), coalesce(BillingAccountId, ''), coalesce(BillingCurrency, '')) AS who,"
    " coalesce(RegionId, '') AS region, lower(coalesce(ConsumedUnit, PricingUnit, '')) AS unit,"
    " coalesce(PricingCategory, 'Standard') = 'Standard' AND CommitmentDiscountId IS NULL"
    " OR coalesce(x['x_LineItemType'], '') = 'SavingsPlanCoveredUsage' AS is_od,"
    " coalesce(x['x_UsageType'], '') AS usage_type, coalesce(x['x_Operation'], '') AS operation,"
    " CASE WHEN service = 'AmazonEC2' THEN nullif(coalesce(x['x_InstanceType'],"
    " regexp_extract(x['x_UsageType'],"
    " '(?:BoxUsage|SpotUsage|DedicatedUsage|HostBoxUsage|Reservation):([a-z0-9-]+[.][a-z0-9-]+)$',"
    " 1)), '') END AS instance,"
    " lower(coalesce(x['x_OperatingSystem'], CASE WHEN x['x_Operation'] IS NULL OR"
    " regexp_matches(x['x_Operation'], '^RunInstances(:SV[0-9]+)?$') THEN 'linux'"
    " ELSE x['x_Operation'] END)) AS system,"
    " lower(coalesce(x['x_Tenancy'], CASE WHEN contains(x['x_UsageType'], 'DedicatedUsage')"
    " THEN 'dedicated' WHEN contains(x['x_UsageType'], 'HostBoxUsage') THEN 'host' ELSE 'shared'"
    " END)) AS tenancy"
    " FROM line JOIN " SERVICES " ON s.word = lower(coalesce(x['x_ServiceCode'], ServiceName))"
    " WHERE CostCenter = 'AWS' AND ChargeCategory = 'Usage' AND coalesce(ChargeClass, '') = ''"
    " AND coalesce(CommitmentDiscountStatus, '') <> 'Unused'"
    " AND NOT contains(lower(coalesce(PublisherName, '')), 'marketplace')"
    " AND coalesce(x['x_LineItemType'], '') NOT IN " NO_USAGE "))";

/* How many of the smallest make one of this size. */
#define FACTOR                                                                                     \
    "(CASE size WHEN 'nano' THEN 0.25 WHEN 'micro' THEN 0.5 WHEN 'small' THEN 1 WHEN 'medium' "    \
    "THEN"                                                                                         \
    " 2 WHEN 'large' THEN 4 WHEN 'xlarge' THEN 8 ELSE CASE WHEN regexp_matches(size,"              \
    " '^[0-9]{1,3}xlarge$') THEN 8 * regexp_extract(size, '^[0-9]+')::INTEGER ELSE 1 END"          \
    " END)::DECIMAL(38,18)"

static fa_rc make_lines(fa_conn *c, fa_fair_width w, fa_err *e)
{
    if (fa_sql_exec(c, fa_str_of(sku_sql), NULL, 0, NULL, e) ||
        fa_execf(c, e,
                 "CREATE TEMP TABLE fs_pool AS SELECT row_number() OVER () AS pool, * FROM (SELECT"
                 " DISTINCT who, service, region, unit, %s AS alike FROM fs_sku)",
                 widths[w].sku))
        return e->rc;
    return fa_execf(c, e,
                    "CREATE TEMP TABLE fs_line AS SELECT line_id, hash, pool, s.who, is_od, %s AS"
                    " factor FROM fs_sku AS s JOIN fs_pool AS p ON p.who = s.who AND p.service ="
                    " s.service AND p.region = s.region AND p.unit = s.unit AND p.alike = %s",
                    w == FA_FAIR_SKU ? "1::DECIMAL(38,18)" : FACTOR, widths[w].sku);
}

/* ---- which days are to be done ---- */

#define GONE                                                                                       \
    "(part_id IN (SELECT part_id FROM fs_stale) OR part_id NOT IN (SELECT part_id FROM part))"

static fa_rc find_stale(fa_conn *c, fa_fair_width w, int64_t *n, fa_err *e)
{
    if (fa_execf(c, e,
                 "CREATE TEMP TABLE fs_stale AS SELECT part_id FROM part AS p WHERE NOT EXISTS"
                 " (SELECT 1 FROM fair_part AS f WHERE f.part_id = p.part_id AND f.seal = p.seal"
                 " AND f.width = '%s')",
                 widths[w].name))
        return e->rc;
    return fa_sql_i64(c,
                      FA_STR("SELECT (SELECT count(*) FROM fs_stale) + (SELECT count(*) FROM"
                             " fair_part WHERE part_id NOT IN (SELECT part_id FROM part))"),
                      NULL, 0, n, e);
}

static fa_rc find_days(fa_conn *c, fa_err *e)
{
    if (fa_execf(c, e,
                 "CREATE TEMP TABLE fs_new AS SELECT DISTINCT part_id, who, day FROM daily JOIN"
                 " fs_line USING (line_id) WHERE part_id IN (SELECT part_id FROM fs_stale)") ||
        fa_execf(c, e,
                 "CREATE TEMP TABLE fs_dirty AS SELECT who, day FROM fs_new UNION SELECT who, day"
                 " FROM fair_day WHERE " GONE) ||
        fa_execf(c, e, "DELETE FROM fair_day WHERE " GONE) ||
        fa_execf(c, e, "DELETE FROM fair_part WHERE " GONE) ||
        fa_execf(c, e, "INSERT INTO fair_day SELECT part_id, who, day FROM fs_new"))
        return e->rc;
    return fa_execf(c, e,
                    "CREATE TEMP TABLE fs_touched AS SELECT DISTINCT part_id, load_id, period, day"
                    " FROM fair_day JOIN fs_dirty USING (who, day) JOIN part USING (part_id)");
}

/* ---- one month ---- */

/* What stands for list cost where a bill gave none: the unblended cost under that name is no price list's. */
#define NO_LIST                                                                                    \
    "(coalesce(PricingCategory, '') IN ('Committed', 'Dynamic') AND ListUnitPrice IS NULL"         \
    " AND ListCost = coalesce(x_UnblendedCost, BilledCost))"
#define BASE                                                                                       \
    "CASE WHEN ListCost > 0 AND NOT " NO_LIST " THEN ListCost"                                     \
    " WHEN ContractedCost > 0 AND NOT " NO_LIST " THEN ContractedCost"                             \
    " WHEN is_od AND coalesce(x_UnblendedCost, BilledCost) > 0"                                    \
    " THEN coalesce(x_UnblendedCost, BilledCost) END"

/* The two costs that are shared. */
static const char *const costs[] = {"gross", "net"};

static fa_rc read_load(fa_ledger *l, fa_conn *c, fa_arena *a, int64_t load_id, int32_t from,
                       int32_t to, fa_err *e)
{
    fa_str files;
    fa_buf b;
    fa_rc rc = fa_archive_files(l, a, load_id, &files, e);

    if (rc)
        return rc;
    fa_buf_init(&b, 16 << 20);
    fa_buf_z(&b, "INSERT INTO fs_row SELECT part_id, day, line_id, pool, slot");
    for (size_t i = 0; i < FA_COUNT(costs); i++)
        fa_buf_fmt(
            &b,
            ", sum(%s) FILTER (%s >= 0), sum(%s) FILTER (%s < 0), sum(base) FILTER (%s >= 0),"
            " sum(used) FILTER (base IS NULL AND %s >= 0), max(CASE WHEN used > 0 THEN"
            " fa_muldiv(base, 1::DECIMAL(38,18), used) END) FILTER (%s >= 0)",
            costs[i], costs[i], costs[i], costs[i], costs[i], costs[i], costs[i]);
    fa_buf_z(&b, " FROM (SELECT t.part_id, fa_day AS day, fs_line.line_id, pool,"
                 " CASE WHEN ChargePeriodEnd <= ChargePeriodStart + INTERVAL 1 HOUR THEN"
                 " epoch_ms(date_trunc('hour', ChargePeriodStart)) ELSE -1 END AS slot,"
                 " coalesce(x_AmortizedCost, EffectiveCost) AS gross, EffectiveCost AS net, " BASE
                 " AS base, fa_muldiv(greatest(coalesce(ConsumedQuantity, PricingQuantity, 0), 0),"
                 " factor, 1::DECIMAL(38,18)) AS used FROM (");
    fa_archive_shape(&b);
    fa_buf_fmt(
        &b,
        " UNION ALL BY NAME SELECT * FROM read_parquet(%.*s, union_by_name = true)) AS r JOIN"
        " fs_line ON fs_line.hash = r.fa_line JOIN fs_touched AS t ON t.load_id = %lld AND t.day ="
        " r.fa_day AND t.period = date_trunc('month', r.BillingPeriodStart) SEMI JOIN fs_dirty ON"
        " fs_dirty.who = fs_line.who AND fs_dirty.day = r.fa_day WHERE fa_day BETWEEN DATE"
        " '1970-01-01' + %d AND DATE '1970-01-01' + %d) GROUP BY ALL",
        FA_FMT(files), (long long)load_id, from, to);
    rc = b.failed ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
    fa_buf_release(&b);
    return rc;
}

/* The lines of a pool with one of the two costs: x_in of the rows that take part (NULL: none does), x_out of the negative
 * ones, which keep what they are. Weights are base_i, usage by the dearest price of the pool where a row has none; then
 * floors, and one unit more for the largest remainders; equal ones in the order of the resources. A pool without any
 * weight keeps what it has. */
#define SPLIT(x)                                                                                   \
    "CREATE TEMP TABLE fs_" x " AS SELECT part_id, day, line_id, pool, slot,"                      \
    " coalesce(" x "_in, 0) + coalesce(" x "_out, 0) AS cost, CASE WHEN " x "_in IS NULL OR"       \
    " coalesce(whole_weight, 0) <= 0 THEN coalesce(" x "_in, 0) ELSE floor_share +"                \
    " CASE WHEN place <= left_units THEN 0.000000000000000001::DECIMAL(38,18) ELSE 0 END END +"    \
    " coalesce(" x "_out, 0) AS share FROM (SELECT *, (whole - sum(floor_share) OVER w)"           \
    "::DECIMAL(38,18) * 1000000000000000000::DECIMAL(19,0) AS left_units,"                         \
    " row_number() OVER (PARTITION BY day, slot, pool, " x "_in IS NULL ORDER BY rest DESC,"       \
    " ResourceId NULLS FIRST, SubAccountId NULLS FIRST, line.hash, part_id) AS place"              \
    " FROM (SELECT *, fa_share(whole, weight, whole_weight) AS floor_share,"                       \
    " fa_share_rest(whole, weight, whole_weight) AS rest FROM (SELECT *,"                          \
    " sum(" x "_in) OVER w AS whole, sum(weight) OVER w AS whole_weight FROM (SELECT *,"           \
    " CASE WHEN " x "_in IS NOT NULL THEN coalesce(" x "_base, 0) + coalesce(fa_muldiv(" x         \
    "_free,"                                                                                       \
    " max(" x "_price) OVER w, 1::DECIMAL(38,18)), 0) END AS weight FROM fs_row"                   \
    " WINDOW w AS (PARTITION BY day, slot, pool)) WINDOW w AS (PARTITION BY day, slot, pool)))"    \
    " JOIN line USING (line_id) WINDOW w AS (PARTITION BY day, slot, pool))"

static const char *const month_sql[] = {
    SPLIT("gross"),
    SPLIT("net"),
    "UPDATE daily SET fair = fa_units(f.gross), fair_rest = fa_rest(f.gross), net_fair ="
    " fa_units(f.net), net_fair_rest = fa_rest(f.net) FROM (SELECT part_id, day, line_id, g.gross,"
    " n.net FROM (SELECT part_id, day, line_id, sum(share)::DECIMAL(38,18) AS gross FROM fs_gross"
    " GROUP BY ALL) AS g JOIN (SELECT part_id, day, line_id, sum(share)::DECIMAL(38,18) AS net"
    " FROM fs_net GROUP BY ALL) AS n USING (part_id, day, line_id)) AS f WHERE daily.part_id ="
    " f.part_id AND daily.day = f.day AND daily.line_id = f.line_id",
};

#define MONEY "DECIMAL(38,18)"

static fa_rc do_month(fa_ledger *l, fa_conn *c, fa_arena *a, int32_t from, int32_t to,
                      const int64_t *load, size_t nload, fa_err *e)
{
    int64_t wrong;

    if (fa_execf(c, e,
                 "CREATE TEMP TABLE fs_row(part_id UINTEGER, day DATE, line_id UINTEGER, pool"
                 " BIGINT, slot BIGINT, gross_in " MONEY ", gross_out " MONEY ", gross_base " MONEY
                 ", gross_free " MONEY ", gross_price " MONEY ", net_in " MONEY ", net_out " MONEY
                 ", net_base " MONEY ", net_free " MONEY ", net_price " MONEY ")"))
        return e->rc;
    for (size_t i = 0; i < nload; i++)
        if (read_load(l, c, a, load[i], from, to, e))
            return e->rc;
    for (size_t i = 0; i < FA_COUNT(month_sql); i++)
        if (fa_sql_exec(c, fa_str_of(month_sql[i]), NULL, 0, NULL, e))
            return e->rc;
    if (fa_sql_i64(c,
                   FA_STR("SELECT count(*) FROM (SELECT 1 FROM (SELECT 1 AS kind, * FROM fs_gross"
                          " UNION ALL SELECT 2, * FROM fs_net) GROUP BY kind, day, slot, pool"
                          " HAVING sum(share) <> sum(cost))"),
                   NULL, 0, &wrong, e))
        return e->rc;
    if (wrong)
        return fa_fail(e, FA_EINTERNAL, "the shares of %lld FairShare pools do not add up to them",
                       (long long)wrong);
    return fa_execf(c, e, "DROP TABLE fs_row") || fa_execf(c, e, "DROP TABLE fs_gross") ||
                   fa_execf(c, e, "DROP TABLE fs_net")
               ? e->rc
               : FA_OK;
}

/* ---- all months that have such days ---- */

typedef struct month_list {
    fa_arena *a;
    struct {
        int32_t from, to;
        int64_t load;
    } * row; /* a month and a load that has days of it */
    size_t n, cap;
} month_list;

static fa_rc add_month(void *user, const fa_batch *b, fa_err *e)
{
    month_list *m = user;

    for (size_t r = 0; r < b->rows; r++) {
        if (m->n == m->cap) {
            size_t cap = m->cap ? m->cap * 2 : 64;
            void *grown = fa_arena_array(m->a, cap, sizeof *m->row);

            if (!grown)
                return fa_oom(e);
            if (m->n)
                memcpy(grown, m->row, m->n * sizeof *m->row);
            m->row = grown;
            m->cap = cap;
        }
        m->row[m->n].from = (int32_t)b->col[0].i64[r];
        m->row[m->n].to = (int32_t)b->col[1].i64[r];
        m->row[m->n++].load = b->col[2].i64[r];
    }
    return FA_OK;
}

static fa_rc do_months(fa_ledger *l, fa_conn *c, fa_arena *a, const fa_progress *p, fa_err *e)
{
    month_list m = {.a = a};
    int64_t *load;

    if (fa_sql_query(c,
                     FA_STR("SELECT DISTINCT date_trunc('month', day)::DATE, last_day(day),"
                            " load_id FROM fs_touched ORDER BY ALL"),
                     NULL, 0, add_month, &m, e))
        return e->rc;
    if (!(load = fa_arena_array(a, m.n + 1, sizeof *load)))
        return fa_oom(e);
    for (size_t i = 0, k; i < m.n; i = k) {
        fa_progress_state s = {
            .phase = "fairshare", .fraction = 0.9 * (double)i / (double)m.n, .left_ms = -1};

        if (fa_cancelled(p))
            return fa_fail(e, FA_ECANCELLED, "cancelled");
        if (p && p->tick)
            p->tick(p->user, &s);
        for (k = i; k < m.n && m.row[k].from == m.row[i].from; k++)
            load[k - i] = m.row[k].load;
        if (do_month(l, c, a, m.row[i].from, m.row[i].to, load, k - i, e))
            return e->rc;
    }
    return FA_OK;
}

/* ---- settle ---- */

static fa_rc drop_tables(fa_conn *c, fa_err *e)
{
    static const char *const tables[] = {"fs_stale", "fs_sku",     "fs_pool", "fs_line",  "fs_new",
                                         "fs_dirty", "fs_touched", "fs_row",  "fs_gross", "fs_net"};

    for (size_t i = 0; i < FA_COUNT(tables); i++)
        if (fa_execf(c, e, "DROP TABLE IF EXISTS temp.%s", tables[i]))
            return e->rc;
    return FA_OK;
}

static fa_rc switch_off(fa_conn *c, fa_err *e)
{
    int64_t n;

    if (fa_sql_i64(c, FA_STR("SELECT count(*) FROM fair_part"), NULL, 0, &n, e) || !n)
        return n ? e->rc : FA_OK;
    return fa_execf(c, e,
                    "UPDATE daily SET fair = NULL, fair_rest = NULL, net_fair = NULL,"
                    " net_fair_rest = NULL WHERE fair IS NOT NULL OR net_fair IS NOT NULL") ||
                   fa_execf(c, e,
                            "UPDATE part SET seal = uuid() WHERE part_id IN (SELECT part_id FROM"
                            " fair_day)") ||
                   fa_execf(c, e, "DELETE FROM fair_part") || fa_execf(c, e, "DELETE FROM fair_day")
               ? e->rc
               : FA_OK;
}

static fa_rc settle_as(fa_ledger *l, fa_conn *c, fa_fair_width w, const fa_progress *p, fa_err *e)
{
    fa_arena a;
    int64_t stale = 0;
    fa_rc rc;

    if (w == FA_FAIR_OFF)
        return switch_off(c, e);
    fa_arena_init(&a, 256 << 20);
    if ((rc = drop_tables(c, e)) || (rc = find_stale(c, w, &stale, e)) || !stale)
        goto done;
    if ((rc = make_lines(c, w, e)) || (rc = find_days(c, e)) || (rc = do_months(l, c, &a, p, e)) ||
        /* another state of these parts: segments of the old one are of no use */
        (rc = fa_execf(c, e,
                       "UPDATE part SET seal = uuid() WHERE part_id IN (SELECT part_id FROM"
                       " fs_touched)")) ||
        (rc = fa_execf(
             c, e, "DELETE FROM fair_part WHERE part_id IN (SELECT part_id FROM fs_touched)")) ||
        (rc = fa_execf(c, e,
                       "INSERT INTO fair_part SELECT part_id, seal, '%s' FROM part WHERE part_id"
                       " NOT IN (SELECT part_id FROM fair_part)",
                       widths[w].name)))
        goto done;
    rc = drop_tables(c, e);
done:
    fa_arena_release(&a);
    return rc;
}

static fa_rc read_width(fa_ledger *l, fa_fair_width *out, fa_err *e)
{
    fa_arena a;
    fa_str text;
    fa_rc rc;

    *out = FA_FAIR_OFF;
    fa_arena_init(&a, 1 << 20);
    rc = fa_setting_get(l->store, &a, l->account, SETTING, &text, e);
    if (!rc && text.n && !fa_fair_find(text, out))
        rc = fa_fail(e, FA_EDATA, "the setting \"fairshare\" is \"%.*s\"", FA_FMT(text));
    fa_arena_release(&a);
    return rc;
}

fa_rc fa_fair_settle(fa_ledger *l, fa_conn *c, const fa_progress *p, fa_err *e)
{
    fa_fair_width w;

    return read_width(l, &w, e) ? e->rc : settle_as(l, c, w, p, e);
}

fa_rc fa_fair_create(fa_conn *c, fa_err *e)
{
    return fa_execf(c, e,
                    "CREATE TABLE IF NOT EXISTS fair_part(part_id UINTEGER NOT NULL, seal UUID NOT"
                    " NULL, width VARCHAR NOT NULL)") ||
                   fa_execf(c, e,
                            "CREATE TABLE IF NOT EXISTS fair_day(part_id UINTEGER NOT NULL, who"
                            " VARCHAR NOT NULL, day DATE NOT NULL)")
               ? e->rc
               : FA_OK;
}

void fa_fair_refresh(fa_ledger *l)
{
    fa_fair_width w;
    fa_err e;

    if (read_width(l, &w, &e))
        w = FA_FAIR_OFF;
    pthread_mutex_lock(&l->state);
    l->fair = w;
    pthread_mutex_unlock(&l->state);
}

fa_fair_width fa_ledger_fair(fa_ledger *l)
{
    fa_fair_width w;

    pthread_mutex_lock(&l->state);
    w = l->fair;
    pthread_mutex_unlock(&l->state);
    return w;
}

/* The setting and the star change together: the setting first, so that a crash between the two is mended at opening
 * as that of a load is. */
fa_rc fa_ledger_fair_set(fa_ledger *l, fa_fair_width w, const fa_progress *p, fa_err *e)
{
    fa_conn *c = NULL;
    fa_err later;
    fa_rc rc;

    pthread_mutex_lock(&l->write);
    if ((rc = fa_conn_get(l->engine, &c, e)) || (rc = fa_execf(c, e, "BEGIN")) ||
        (rc = settle_as(l, c, w, p, e)) ||
        (rc = fa_setting_put(l->store, l->account, SETTING, fa_str_of(widths[w].name), e)))
        goto done;
    rc = fa_star_commit(l, c, e);
done:
    fa_conn_put(c);
    if (fa_star_refresh(l, &later) && !rc) {
        *e = later;
        rc = e->rc;
    }
    if (!rc)
        fa_star_segments(l, p);
    pthread_mutex_unlock(&l->write);
    return rc;
}

/* ---- the rule, asked of what is there ---- */

fa_rc fa_fair_check(fa_ledger *l, fa_conn *c, char *what, size_t room, fa_err *e)
{
    fa_fair_width w;
    int64_t n = 0;
    fa_rc rc;

    what[0] = '\0';
    if ((rc = read_width(l, &w, e)))
        return rc;
    if (w == FA_FAIR_OFF) {
        if (!(rc = fa_sql_i64(c,
                              FA_STR("SELECT count(*) FROM daily WHERE fair IS NOT NULL OR"
                                     " net_fair IS NOT NULL"),
                              NULL, 0, &n, e)) &&
            n)
            snprintf(what, room, "%lld facts have a FairShare cost though it is off", (long long)n);
        return rc;
    }
    if ((rc = drop_tables(c, e)) || (rc = find_stale(c, w, &n, e)))
        return rc;
    if (n) {
        snprintf(what, room, "the FairShare cost of %lld parts is not that of what is live",
                 (long long)n);
        return drop_tables(c, e);
    }
    if ((rc = make_lines(c, w, e)) ||
        (rc = fa_sql_i64(
             c,
             FA_STR(
                 "SELECT count(*) FROM (SELECT 1 FROM (SELECT day, pool,"
                 " coalesce(amortized, effective)::HUGEINT * 100000000 + coalesce(amortized_rest,"
                 " effective_rest) AS a, coalesce(fair, amortized, effective)::HUGEINT *"
                 " 100000000 + coalesce(fair_rest, amortized_rest, effective_rest) AS fa,"
                 " effective::HUGEINT * 100000000 + effective_rest AS n, coalesce(net_fair,"
                 " effective)::HUGEINT * 100000000 + coalesce(net_fair_rest, effective_rest) AS"
                 " fn FROM daily JOIN fs_line USING (line_id)) GROUP BY day, pool HAVING sum(a)"
                 " <> sum(fa) OR sum(n) <> sum(fn))"),
             NULL, 0, &n, e)))
        return rc;
    if (n)
        snprintf(what, room, "%lld FairShare pools do not cost on a day what their lines cost",
                 (long long)n);
    if (!n &&
        !(rc = fa_sql_i64(c,
                          FA_STR("SELECT count(*) FROM daily WHERE (fair IS NOT NULL OR"
                                 " net_fair IS NOT NULL) AND line_id NOT IN (SELECT line_id"
                                 " FROM fs_line)"),
                          NULL, 0, &n, e)) &&
        n)
        snprintf(what, room, "%lld facts outside any pool have a FairShare cost", (long long)n);
    return rc ? rc : drop_tables(c, e);
}
