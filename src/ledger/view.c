/*
 * view.c - two views of one bill: Azure's actual and amortized cost of the same month.
 *
 * The one idea: each export alone is a whole bill, so its cost stands in all measures. Where both views of
 * a source's month are live, the actual one gives the billed measures, list cost and quantities, and the
 * amortized one the effective measures; the other half of each is nothing. Which half counts follows from
 * what is live and from nothing else, so it does not matter which export came first.
 */
#include "ledger/inner.h"

#include <string.h>

enum { FA_WHOLE, FA_ONLY_BILLED, FA_ONLY_EFFECTIVE };

bool fa_view_has(int mask, int m)
{
    bool effective = m == FA_M_EFFECTIVE || m == FA_M_AMORTIZED || m == FA_M_FAIRSHARE ||
                     m == FA_M_NET_FAIRSHARE;

    return mask == FA_WHOLE || (mask == FA_ONLY_EFFECTIVE) == effective;
}

void fa_view_mask_totals(fa_tally_row *row, size_t n, int mask)
{
    for (size_t i = 0; i < n; i++)
        for (int m = 0; m < FA_M__COUNT; m++)
            if (!fa_view_has(mask, m)) {
                row[i].sum_e18[m] = 0;
                row[i].values[m] = -1;
            }
}

/* What of a part counts among these live ones. */
static int wanted(const fa_part *p, const fa_part *live, size_t n)
{
    bool actual = fa_str_eqz(p->scope, "actual"), amortized = fa_str_eqz(p->scope, "amortized");

    for (size_t i = 0; i < n && (actual || amortized); i++)
        if (live[i].source_id == p->source_id && live[i].period == p->period &&
            fa_str_eqz(live[i].scope, actual ? "amortized" : "actual"))
            return actual ? FA_ONLY_BILLED : FA_ONLY_EFFECTIVE;
    return FA_WHOLE;
}

static fa_rc put_mask(fa_conn *c, const fa_part *p, int mask, fa_err *e)
{
    fa_buf b;
    fa_rc rc;
    bool any = false;

    fa_buf_init(&b, 1 << 14);
    fa_buf_z(&b, "UPDATE daily SET ");
    for (int m = 0; m < FA_M__COUNT; m++) {
        const char *zero = (int)fa_measures[m].falls_to == m && m < FA_M__MONEY ? "0" : "NULL";

        if (fa_view_has(mask, m))
            continue;
        fa_buf_fmt(&b, "%s%s = %s", any ? ", " : "", fa_measures[m].col, zero);
        if (m < FA_M__MONEY)
            fa_buf_fmt(&b, ", %s_rest = %s", fa_measures[m].col, zero);
        any = true;
    }
    fa_buf_fmt(&b, " WHERE part_id = %lld", (long long)p->id);
    rc = b.failed ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
    fa_buf_release(&b);
    if (!rc) /* another state of the part: segments of the old one are of no use */
        rc = fa_execf(c, e, "UPDATE part SET mask = %d, seal = uuid() WHERE part_id = %lld", mask,
                      (long long)p->id);
    return rc;
}

fa_rc fa_view_mask(fa_conn *c, int64_t part_id, int *mask, fa_err *e)
{
    fa_param p = {.kind = FA_P_INT, .num = part_id};
    int64_t v = FA_WHOLE;
    fa_rc rc = fa_sql_i64(c, FA_STR("SELECT mask FROM part WHERE part_id = ?"), &p, 1, &v, e);

    *mask = (int)v;
    return rc == FA_ENOTFOUND ? FA_OK : rc;
}

fa_rc fa_view_settle(fa_ledger *l, fa_conn *c, const fa_part *live, size_t n, fa_err *e)
{
    for (size_t i = 0; i < n; i++) {
        int have, want = wanted(&live[i], live, n);

        if (!live[i].scope.n || fa_str_starts(live[i].scope, FA_STR("load:")))
            continue;
        if (fa_view_mask(c, live[i].id, &have, e))
            return e->rc;
        if (have != want &&
            have != FA_WHOLE) { /* what was taken away comes back from the archive */
            fa_star_load again = {live[i].load_id, live[i].source_id, &live[i], 1, &live[i].id, 1};

            if (fa_star_stage(l, c, live[i].load_id, e) || fa_star_apply(l, c, &again, e))
                return e->rc;
        }
        if (have != want && want != FA_WHOLE && put_mask(c, &live[i], want, e))
            return e->rc;
    }
    return FA_OK;
}

/* ---- which view a file is ---- */

static bool speaks(const char *path, const char *word)
{
    return path && strcasestr(path, word) != NULL;
}

/* The path says it, or the rows do: only amortized cost has unused commitments and charged usage under
 * one. Without either the two are the same, and actual is what it is called. */
fa_rc fa_view_find(fa_conn *c, fa_str hint, const char *path, fa_str archive, fa_str *view,
                   fa_err *e)
{
    int64_t n = 0;
    fa_buf b;
    fa_rc rc;

    *view = FA_STR("actual");
    if (hint.n && (fa_str_ends(hint, FA_STR("amortized")) || fa_str_ends(hint, FA_STR("actual")))) {
        if (fa_str_ends(hint, FA_STR("amortized")))
            *view = FA_STR("amortized");
        return FA_OK;
    }
    if (speaks(path, "amortized") != speaks(path, "actual")) {
        if (speaks(path, "amortized"))
            *view = FA_STR("amortized");
        return FA_OK;
    }
    fa_buf_init(&b, 16 << 20);
    fa_buf_fmt(
        &b,
        "SELECT count(*) FROM (SELECT x_ChargeType AS t, x_PricingModel AS p, BilledCost AS b FROM"
        " read_parquet(%.*s, union_by_name = true) UNION ALL BY NAME SELECT NULL::VARCHAR AS t,"
        " NULL::VARCHAR AS p WHERE false) WHERE lower(t) IN ('unusedreservation',"
        " 'unusedsavingsplan') OR (lower(t) = 'usage' AND replace(lower(p), ' ', '') IN"
        " ('reservation', 'savingsplan') AND b <> 0)",
        FA_FMT(archive));
    rc = b.failed ? fa_oom(e) : fa_sql_i64(c, fa_buf_view(&b), NULL, 0, &n, e);
    fa_buf_release(&b);
    if (rc == FA_EDATA ||
        rc == FA_EINTERNAL) /* an export without these columns has no commitments to show */
        return FA_OK;
    if (!rc && n)
        *view = FA_STR("amortized");
    return rc;
}
