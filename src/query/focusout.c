/*
 * focusout.c - bill rows as a valid FOCUS 1.2 file.
 *
 * The one idea: the archive's rows are FOCUS already but for what their providers got wrong. One
 * SELECT puts right what the rules of 1.2 ask of a row (validate/) without touching an amount: a
 * price that does not fit its cost is left out, a missing name is taken from its nearest neighbour,
 * a category that is none becomes Other. A commitment's fee whose unused share stands on the same
 * row becomes two rows, a purchase and an unused commitment, as FOCUS has it. What a provider wrote
 * beside FOCUS keeps its column under an x_ name. Sums of every cost column stay equal, digit by
 * digit: a cost that is absent is written as 0.
 */
#include "query/inner.h"

#include "bill/bill.h"
#include "validate/validate.h"

#include <string.h>
#include <unistd.h>

#define SQL_BYTES ((size_t)64 << 20)
#define TRIES 3

/* What FOCUS 1.2 asks of a column beyond what the archive has: SQL over the layer below. */
typedef struct fix {
    const char *column, *expr;
} fix;

/* First layer: words that must be one of a list. fa_services is the table of put_services. */
static const fix words[] = {
    {"ChargeCategory", "CASE WHEN ChargeCategory IN ('Usage', 'Purchase', 'Tax', 'Credit',"
                       " 'Adjustment') THEN ChargeCategory ELSE 'Usage' END"},
    {"ChargeClass", "CASE WHEN ChargeClass = 'Correction' THEN 'Correction' END"},
    {"ProviderName", "coalesce(ProviderName, ServiceProviderName, CostCenterName)"},
    {"ServiceName", "coalesce(ServiceName, 'Other')"},
    {"ServiceCategory", "CASE WHEN ServiceCategory IN (SELECT category FROM fa_services) THEN"
                        " ServiceCategory ELSE 'Other' END"},
};
/* Second: what follows from those. */
static const fix rows[] = {
    {"InvoiceIssuerName", "coalesce(InvoiceIssuerName, ProviderName)"},
    {"PublisherName", "coalesce(PublisherName, ProviderName)"},
    {"BillingAccountId", "coalesce(BillingAccountId, 'unknown')"},
    {"BillingPeriodEnd", "coalesce(BillingPeriodEnd, (BillingPeriodStart + INTERVAL 1 MONTH))"},
    {"ChargePeriodEnd", "coalesce(ChargePeriodEnd, (ChargePeriodStart + INTERVAL 1 DAY))"},
    {"ChargeDescription", "coalesce(ChargeDescription, ServiceName)"},
    {"ChargeFrequency",
     "CASE lower(ChargeFrequency) WHEN 'one-time' THEN 'One-Time' WHEN 'recurring' THEN 'Recurring'"
     " WHEN 'usage-based' THEN CASE WHEN ChargeCategory = 'Purchase' THEN 'One-Time' ELSE"
     " 'Usage-Based' END ELSE CASE WHEN ChargeCategory = 'Usage' THEN 'Usage-Based' ELSE 'One-Time'"
     " END END"},
    {"PricingQuantity",
     "CASE WHEN ChargeCategory = 'Tax' THEN NULL WHEN PricingQuantity IS NULL AND ChargeCategory IN"
     " ('Usage', 'Purchase') AND ChargeClass IS NULL THEN coalesce(ConsumedQuantity, 1) ELSE"
     " PricingQuantity END"},
    {"PricingCategory",
     "CASE WHEN ChargeCategory = 'Tax' THEN NULL WHEN PricingCategory IN ('Standard', 'Dynamic',"
     " 'Committed', 'Other') THEN PricingCategory WHEN ChargeCategory IN ('Usage', 'Purchase') AND"
     " ChargeClass IS NULL THEN 'Other' END"},
    {"BilledCost", "coalesce(BilledCost, 0)"},
    {"EffectiveCost", "coalesce(EffectiveCost, 0)"},
    {"ListCost", "coalesce(ListCost, 0)"},
    {"ContractedCost", "coalesce(ContractedCost, 0)"},
};
/* Third: what has to fit the quantity. */
#define FITS(price, cost)                                                                          \
    "CASE WHEN " price " >= 0 AND (PricingQuantity IS NULL OR abs(" price                          \
    "::DOUBLE * PricingQuantity::DOUBLE - " cost "::DOUBLE) <= 1e-9) THEN " price " END"
static const fix prices[] = {
    {"PricingUnit", "CASE WHEN PricingQuantity IS NOT NULL THEN coalesce(PricingUnit, ConsumedUnit,"
                    " 'Units') END"},
    {"ListUnitPrice", FITS("ListUnitPrice", "ListCost")},
    {"ContractedUnitPrice", FITS("ContractedUnitPrice", "ContractedCost")},
};
/* The unused share of a commitment that stood on its fee. */
#define UNUSED                                                                                     \
    "ChargeCategory = 'Purchase' AND CommitmentDiscountId IS NOT NULL AND EffectiveCost <> 0"
static const fix fee[] = {{"EffectiveCost", "CASE WHEN " UNUSED " THEN 0 ELSE EffectiveCost END"}};
static const fix unused[] = {
    {"ChargeCategory", "'Usage'"},
    {"ChargeFrequency", "'Usage-Based'"},
    {"CommitmentDiscountStatus", "'Unused'"},
    {"PricingCategory", "'Committed'"},
    {"BilledCost", "0"},
    {"ListCost", "0"},
    {"ContractedCost", "0"},
    {"ListUnitPrice", "NULL"},
    {"ContractedUnitPrice", "NULL"},
    {"ConsumedQuantity", "NULL"},
    {"ConsumedUnit", "NULL"},
};

static void put_fixes(fa_buf *b, const char *from, const fix *f, size_t n, const char *as)
{
    fa_buf_fmt(b, ", %s AS (SELECT * REPLACE (", as);
    for (size_t i = 0; i < n; i++) {
        const fa_column *c = fa_column_find(fa_str_of(f[i].column));
        bool number = c && (c->kind == FA_C_DEC || c->kind == FA_C_MEASURE);

        fa_buf_fmt(b, "%s(%s)::%s AS %s", i ? ", " : "", f[i].expr,
                   number                      ? "DECIMAL(38,18)"
                   : c && c->kind == FA_C_TIME ? "TIMESTAMP"
                                               : "VARCHAR",
                   f[i].column);
    }
    fa_buf_fmt(b, ") FROM %s AS b)", from);
}

static void put_services(fa_buf *b)
{
    fa_buf_z(b, "fa_services AS (SELECT * FROM (VALUES ");
    for (size_t i = 0; fa_focus_services[i][0]; i++) {
        fa_buf_z(b, i ? ", (" : "(");
        fa_buf_sql_text(b, fa_str_of(fa_focus_services[i][0]));
        fa_buf_z(b, ", ");
        fa_buf_sql_text(b, fa_str_of(fa_focus_services[i][1]));
        fa_buf_c(b, ')');
    }
    fa_buf_z(b, ") AS s(category, subcategory))");
}

/* Each service has one category, the one most of its rows have, and one subcategory of that. */
static void put_one_category(fa_buf *b)
{
    fa_buf_z(
        b,
        ", fa_one AS (SELECT ServiceName AS name, arg_min(ServiceCategory, (-n, "
        "ServiceCategory)) AS category FROM (SELECT ServiceName, ServiceCategory, count(*) AS n"
        " FROM fa_words GROUP BY ALL) GROUP BY ServiceName), fa_sub AS (SELECT o.name, o.category,"
        " coalesce(arg_min(c.sub, (-c.n, c.sub)), 'Other (' || o.category || ')') AS sub FROM "
        "fa_one AS o LEFT JOIN (SELECT w.ServiceName, s.category, w.ServiceSubcategory AS sub, "
        "count(*) AS n FROM fa_words AS w JOIN fa_services AS s ON s.subcategory = "
        "w.ServiceSubcategory GROUP BY ALL) AS c ON c.ServiceName = o.name AND c.category = "
        "o.category GROUP BY o.name, o.category), fa_named AS (SELECT w.* REPLACE (s.category "
        "AS ServiceCategory, s.sub AS ServiceSubcategory) FROM fa_words AS w JOIN fa_sub AS s "
        "ON s.name = w.ServiceName)");
}

/* "lineItem/UsageType" -> "x_lineItemUsageType"; a name that is taken, in any case, gets a number. */
static void put_x_name(fa_buf *b, fa_map *taken, fa_str name)
{
    fa_buf clean, low;
    bool added = false;
    size_t many, n;

    fa_buf_init(&clean, 4096);
    if (!fa_str_starts(name, FA_STR("x_")))
        fa_buf_z(&clean, "x_");
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            c == '_' || c >= 0x80)
            fa_buf_c(&clean, (char)c);
    }
    fa_buf_init(&low, 4096);
    n = clean.n;
    for (size_t no = 2; !added && !clean.failed && !low.failed; no++) {
        fa_buf_clear(&low);
        for (size_t i = 0; i < clean.n; i++)
            fa_buf_c(&low,
                     clean.p[i] >= 'A' && clean.p[i] <= 'Z' ? (char)(clean.p[i] + 32) : clean.p[i]);
        if (!fa_map_add(taken, fa_buf_view(&low), 1, &many, &added))
            low.failed = true;
        if (!added) {
            clean.n = n;
            fa_buf_fmt(&clean, "_%zu", no);
        }
    }
    fa_buf_sql_ident(b, fa_buf_view(&clean));
    b->failed = b->failed || clean.failed || low.failed;
    fa_buf_release(&clean);
    fa_buf_release(&low);
}

/* A column as the file shows it: times and amounts in FOCUS's formats. */
static void put_out(fa_buf *b, const fa_column *c, bool csv)
{
    if (csv && c->kind == FA_C_TIME)
        fa_buf_fmt(b, "strftime(%s, '%%Y-%%m-%%dT%%H:%%M:%%SZ')", c->name);
    else if (csv && (c->kind == FA_C_DEC || c->kind == FA_C_MEASURE))
        fa_buf_fmt(b, "rtrim(rtrim(%s::VARCHAR, '0'), '.')", c->name);
    else
        fa_buf_z(b, c->name);
    fa_buf_fmt(b, " AS %s", c->name);
}

typedef struct columns {
    fa_arena *a;
    fa_str *name;
    size_t n, cap;
} columns;

static fa_rc take_column(void *user, const fa_batch *b, fa_err *e)
{
    columns *k = user;

    for (size_t r = 0; r < b->rows; r++) {
        fa_str name = b->col[0].text[r];

        if (fa_column_find(name) || fa_str_starts(name, FA_STR("fa_")) ||
            fa_str_eqz(name, "line_id") || fa_str_eqz(name, "day") || fa_str_eqz(name, "hour"))
            continue;
        if (k->n == k->cap) {
            size_t cap = k->cap ? k->cap * 2 : 64;
            fa_str *more = fa_arena_array(k->a, cap, sizeof *more);

            if (!more)
                return fa_oom(e);
            if (k->n)
                memcpy(more, k->name, k->n * sizeof *more);
            k->name = more;
            k->cap = cap;
        }
        k->name[k->n] = fa_arena_dup(k->a, name);
        if (!k->name[k->n++].p)
            return fa_oom(e);
    }
    return FA_OK;
}

static fa_rc other_columns(fa_conn *c, fa_arena *a, fa_str bill, columns *out, fa_err *e)
{
    fa_buf b;
    fa_rc rc;

    *out = (columns){.a = a};
    fa_buf_init(&b, SQL_BYTES);
    fa_buf_fmt(&b, "SELECT column_name FROM (DESCRIBE SELECT * FROM %.*s)", FA_FMT(bill));
    rc = b.failed ? fa_oom(e) : fa_sql_query(c, fa_buf_view(&b), NULL, 0, take_column, out, e);
    fa_buf_release(&b);
    return rc;
}

/* FOCUS columns first, by name, then the provider's own; two that would have one name keep a number. */
static void put_list(fa_buf *b, const columns *x, bool csv)
{
    fa_map *taken = fa_map_new();
    bool first = true;

    for (size_t i = 0; i < fa_ncolumns; i++) {
        if (fa_columns[i].since > 12)
            continue;
        fa_buf_z(b, first ? "" : ", ");
        first = false;
        put_out(b, &fa_columns[i], csv);
    }
    b->failed = b->failed || !taken;
    for (size_t i = 0; taken && i < x->n; i++) {
        fa_buf_z(b, ", ");
        fa_buf_sql_ident(b, x->name[i]);
        if (csv)
            fa_buf_z(b, "::VARCHAR");
        fa_buf_z(b, " AS ");
        put_x_name(b, taken, x->name[i]);
    }
    fa_map_free(taken);
}

/* AWS bills usage that a savings plan covers at its on-demand price and takes it off again on a row of
 * its own; in FOCUS it was never billed (billing-formats.md 3.2). Both go only where they cancel out. */
static const char *put_negations(fa_buf *b, const columns *x)
{
    for (size_t i = 0; i < x->n; i++)
        if (fa_str_eqz(x->name[i], "x_LineItemType")) {
            fa_buf_z(b,
                     ", fa_sp AS (SELECT coalesce(sum(BilledCost), 0) = 0 AS z FROM fa_rows WHERE "
                     "x_LineItemType IN ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')), "
                     "fa_net AS (SELECT fa_rows.* REPLACE ((CASE WHEN z AND x_LineItemType = "
                     "'SavingsPlanCoveredUsage' THEN 0 ELSE BilledCost END)::DECIMAL(38,18) AS "
                     "BilledCost) FROM fa_rows, fa_sp WHERE NOT (z AND x_LineItemType IS NOT "
                     "DISTINCT FROM 'SavingsPlanNegation'))");
            return "fa_net";
        }
    return "fa_rows";
}

static fa_rc put_copy(fa_lens *v, fa_arena *a, const fa_plan *p, const fa_groups *g, fa_conn *c,
                      bool csv, const char *path, fa_buf *b, fa_err *e)
{
    fa_str bill;
    columns x;

    if (fa_ledger_archive_sql(v->l, a, p->range.from, p->range.to, &bill, e) ||
        other_columns(c, a, bill, &x, e))
        return e->rc;
    fa_buf_z(b, "COPY (WITH ");
    put_services(b);
    fa_buf_fmt(b, ", fa_rows AS MATERIALIZED (SELECT bill.*, %s AS CostCenterName",
               fa_cost_center_sql());
    if (fa_put_bill_rows(a, g, p, bill, b, e))
        return e->rc;
    fa_buf_z(b, ")");
    put_fixes(b, put_negations(b, &x), words, FA_COUNT(words), "fa_words");
    put_one_category(b);
    put_fixes(b, "fa_named", rows, FA_COUNT(rows), "fa_fixed");
    put_fixes(b, "fa_fixed", prices, FA_COUNT(prices), "fa_priced");
    put_fixes(b, "fa_priced", fee, FA_COUNT(fee), "fa_fees");
    fa_buf_z(b, ", fa_over AS (SELECT * FROM fa_priced WHERE " UNUSED ")");
    put_fixes(b, "fa_over", unused, FA_COUNT(unused), "fa_unused");
    fa_buf_z(b, " SELECT ");
    put_list(b, &x, csv);
    fa_buf_z(
        b, " FROM (SELECT *, false AS fa_second FROM fa_fees UNION ALL BY NAME SELECT *, true AS "
           "fa_second FROM fa_unused) ORDER BY ChargePeriodStart, fa_line, fa_second, BilledCost, "
           "EffectiveCost) TO ");
    fa_buf_sql_text(b, fa_str_of(path));
    fa_buf_z(b, csv ? " (FORMAT csv, HEADER true, NULLSTR '')"
                    : " (FORMAT parquet, COMPRESSION zstd)");
    return b->failed ? fa_oom(e) : FA_OK;
}

static fa_rc copy_once(fa_lens *v, fa_arena *a, const fa_plan *p, bool csv, const char *path,
                       int64_t *nrow, fa_err *e)
{
    fa_rc rc;
    fa_conn *c = NULL;
    fa_groups *g = NULL;
    fa_buf sql;

    fa_buf_init(&sql, SQL_BYTES);
    if ((rc = fa_groups_of_rows(v, p, p->range.from, p->range.to, &g, e)) ||
        (rc = fa_conn_get(fa_ledger_engine(v->l), &c, e)))
        goto done;
    fa_conn_deadline(c, p->deadline_mono_ms);
    if (!(rc = put_copy(v, a, p, g, c, csv, path, &sql, e)))
        rc = fa_sql_exec(c, fa_buf_view(&sql), NULL, 0, nrow, e);
done:
    fa_conn_put(c);
    fa_groups_put(g);
    fa_buf_release(&sql);
    return rc;
}

fa_rc fa_query_focus(fa_ledger *l, fa_arena *a, const fa_plan *p, bool csv, const char *path,
                     int64_t *nrow, fa_err *e)
{
    fa_plan plain = *p; /* which rows: what is measured and grouped by changes nothing */
    fa_err scratch = {0};
    fa_rc rc = FA_OK;
    bool fresh = false;

    e = e ? e : &scratch;
    *nrow = 0;
    plain.ndim = plain.nmeasure = 0;
    for (int i = 0; i < TRIES && !rc && !fresh; i++) {
        fa_lens v;

        if ((rc = fa_lens_open(l, p->deadline_mono_ms, &v, e)))
            break;
        rc = copy_once(&v, a, &plain, csv, path, nrow, e);
        fresh = fa_ledger_generation(l) == v.generation;
        if (rc && !fresh && rc != FA_ECANCELLED && rc != FA_ETIMEOUT && i + 1 < TRIES)
            rc = FA_OK;
    }
    if (rc)
        (void)unlink(path);
    return rc;
}
