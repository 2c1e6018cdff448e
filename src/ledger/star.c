/*
 * star.c - the star: line, daily and part in ledger.duckdb, made from the archive.
 *
 * The one idea: every fact of the star follows from the archive's files and the list of live parts
 * in meta.db. Applying a load, rebuilding and recovering after a crash are one and the same thing:
 * take out the parts that are not live, put in those that are.
 */
#include "ledger/inner.h"

#include <jansson.h>
#include <malloc.h>

#include <stdlib.h>
#include <string.h>

#define STAR_VERSION 3

fa_rc fa_execf(fa_conn *c, fa_err *e, const char *fmt, ...)
{
    fa_buf b;
    va_list ap;
    char small[4096];
    int n;
    fa_rc rc;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof small)
        return fa_sql_exec(c, (fa_str){small, (size_t)n}, NULL, 0, NULL, e);
    fa_buf_init(&b, 64 << 20);
    if (n >= 0) {
        char *big = malloc((size_t)n + 1);

        if (!big)
            return fa_oom(e);
        va_start(ap, fmt);
        (void)vsnprintf(big, (size_t)n + 1, fmt, ap);
        va_end(ap);
        fa_buf_put(&b, big, (size_t)n);
        free(big);
    }
    rc = b.failed || n < 0 ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
    fa_buf_release(&b);
    return rc;
}

static fa_rc create_line(fa_conn *c, fa_err *e)
{
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 1 << 16);
    fa_buf_z(&b, "CREATE TABLE IF NOT EXISTS line(line_id UINTEGER NOT NULL, hash UUID NOT NULL,"
                 " CostCenter VARCHAR NOT NULL");
    for (size_t i = 0; i < fa_ncolumns; i++)
        if (fa_columns[i].kind == FA_C_DIM)
            fa_buf_fmt(&b, ", %s VARCHAR", fa_columns[i].name);
    fa_buf_z(&b, ", tags MAP(VARCHAR, VARCHAR), x MAP(VARCHAR, VARCHAR))");
    rc = b.failed ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
    fa_buf_release(&b);
    return rc;
}

/* Money columns first, then quantities; those that fall back may be NULL. */
static fa_rc create_daily(fa_conn *c, fa_err *e)
{
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 1 << 16);
    fa_buf_z(&b, "CREATE TABLE IF NOT EXISTS daily(day DATE NOT NULL, line_id UINTEGER NOT NULL,"
                 " part_id UINTEGER NOT NULL, n UINTEGER NOT NULL");
    for (int m = 0; m < FA_M__COUNT; m++) {
        const char *col = fa_measures[m].col;
        const char *null = (int)fa_measures[m].falls_to == m ? " NOT NULL" : "";

        if (m < FA_M__MONEY)
            fa_buf_fmt(&b, ", %s BIGINT%s, %s_rest INTEGER%s", col, null, col, null);
        else
            fa_buf_fmt(&b, ", %s DECIMAL(38,18)", col);
    }
    fa_buf_z(&b, ")");
    rc = b.failed ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
    fa_buf_release(&b);
    return rc;
}

/* A star of an earlier program is thrown away: it holds nothing that the archive does not, and what is
 * missing of it is made again at opening. */
static fa_rc drop_old(fa_conn *c, int64_t version, fa_err *e)
{
    static const char *const tables[] = {"daily", "line", "part", "star"};

    fa_log(FA_LOG_INFO, "star_upgrade", "from=%lld to=%d", (long long)version, STAR_VERSION);
    for (size_t i = 0; i < FA_COUNT(tables); i++)
        if (fa_execf(c, e, "DROP TABLE IF EXISTS %s", tables[i]))
            return e->rc;
    return fa_execf(c, e, "CREATE TABLE star(version INTEGER NOT NULL)");
}

fa_rc fa_star_create(fa_conn *c, fa_err *e)
{
    int64_t version;
    fa_err none;

    if (fa_execf(c, e, "CREATE TABLE IF NOT EXISTS star(version INTEGER NOT NULL)") ||
        fa_fair_create(c, e))
        return e->rc;
    if (fa_sql_i64(c, FA_STR("SELECT max(version) FROM star"), NULL, 0, &version, &none) == FA_OK) {
        if (version == STAR_VERSION)
            return FA_OK;
        if (version > STAR_VERSION)
            return fa_fail(e, FA_EDATA, "the ledger has version %lld of the star, this program %d",
                           (long long)version, STAR_VERSION);
        if (drop_old(c, version, e))
            return e->rc;
    }
    if (create_line(c, e) || create_daily(c, e) ||
        fa_execf(
            c, e,
            "CREATE TABLE IF NOT EXISTS part(part_id UINTEGER NOT NULL, load_id BIGINT NOT NULL,"
            " source_id BIGINT NOT NULL, period DATE NOT NULL, mask UTINYINT NOT NULL DEFAULT 0, "
            "seal UUID NOT NULL DEFAULT "
            "uuid())") ||
        fa_execf(c, e, "INSERT INTO star VALUES (%d)", STAR_VERSION))
        return e->rc;
    return FA_OK;
}

typedef struct range_row {
    int64_t lines, first, last;
    bool has;
} range_row;

static fa_rc take_range(void *user, const fa_batch *b, fa_err *e)
{
    range_row *r = user;

    (void)e;
    r->lines = b->col[0].i64[0];
    r->has = !(b->col[1].null && b->col[1].null[0]);
    if (r->has) {
        r->first = b->col[1].i64[0];
        r->last = b->col[2].i64[0];
    }
    return FA_OK;
}

static const char *const center_names[FA_CENTERS_MAX] = {"AWS", "Azure", "GCP", "Oracle",
                                                         "Custom Cost"};

const char *fa_ledger_center(unsigned i)
{
    return i < FA_CENTERS_MAX ? center_names[i] : "";
}

uint32_t fa_ledger_approximated(fa_ledger *l, fa_measure m)
{
    uint32_t out = 0;

    pthread_mutex_lock(&l->state);
    for (unsigned i = 0; i < FA_CENTERS_MAX; i++)
        out |= (l->approximated[i] >> m & 1) << i;
    pthread_mutex_unlock(&l->state);
    return out;
}

/* What the live loads say of themselves. A record that cannot be read says nothing. */
static void refresh_approximated(fa_ledger *l)
{
    uint32_t bits[FA_CENTERS_MAX] = {0};
    fa_arena a;
    fa_part *live;
    size_t n;
    fa_err e;

    fa_arena_init(&a, 64 << 20);
    if (fa_part_live(l->store, &a, l->account, &live, &n, &e))
        n = 0;
    for (size_t i = 0; i < n; i++) {
        fa_load load;
        json_t *detail;
        const char *center;

        if ((i && live[i].load_id == live[i - 1].load_id) ||
            fa_load_get(l->store, &a, l->account, live[i].load_id, &load, &e))
            continue;
        detail = json_loadb(load.detail.p ? load.detail.p : "", load.detail.n, 0, NULL);
        center = json_string_value(json_object_get(detail, "center"));
        for (unsigned k = 0; center && k < FA_CENTERS_MAX; k++)
            if (strcmp(center, center_names[k]) == 0)
                bits[k] |= (uint32_t)json_integer_value(json_object_get(detail, "approximated"));
        json_decref(detail);
    }
    fa_arena_release(&a);
    pthread_mutex_lock(&l->state);
    memcpy(l->approximated, bits, sizeof bits);
    pthread_mutex_unlock(&l->state);
}

fa_rc fa_star_refresh(fa_ledger *l, fa_err *e)
{
    fa_conn *c = NULL;
    range_row r = {0};
    fa_rc rc = fa_conn_get(l->engine, &c, e);

    if (!rc)
        rc = fa_sql_query(c,
                          FA_STR("SELECT (SELECT coalesce(max(line_id)::BIGINT + 1, 0) FROM line),"
                                 " min(day), max(day) FROM daily"),
                          NULL, 0, take_range, &r, e);
    fa_conn_put(c);
    refresh_approximated(l);
    fa_fair_refresh(l);
    fa_engine_changed(l->engine);
    pthread_mutex_lock(&l->state);
    if (rc) { /* what is committed is committed: nobody may wait for ever */
        l->generation = (l->generation | 1) + 1;
        pthread_cond_broadcast(&l->settled);
        pthread_mutex_unlock(&l->state);
        return rc;
    }
    l->generation = (l->generation | 1) + 1;
    pthread_cond_broadcast(&l->settled);
    l->lines = (uint32_t)r.lines;
    l->has_range = r.has;
    l->first_day = (int32_t)r.first;
    l->last_day = (int32_t)r.last;
    pthread_mutex_unlock(&l->state);
    return FA_OK;
}

void fa_star_segments(fa_ledger *l, const fa_progress *p)
{
    fa_err e;

    if (fa_engine_segments_make(l->engine, p ? p->cancel : NULL, &e) && e.rc != FA_ECANCELLED)
        fa_log(FA_LOG_WARN, "segments_make", "error=%s", e.msg);
}

fa_rc fa_star_commit(fa_ledger *l, fa_conn *c, fa_err *e)
{
    pthread_mutex_lock(&l->state);
    l->generation |= 1;
    pthread_mutex_unlock(&l->state);
    return fa_execf(c, e, "COMMIT");
}

/* ---- staging a load ---- */

/* The unknown columns of this load's archive that are part of its lines, from the load's detail. */
static fa_rc x_columns(fa_ledger *l, fa_arena *a, int64_t load_id, fa_str **out, size_t *n,
                       fa_err *e)
{
    fa_load load;
    json_t *detail = NULL, *list, *v;
    size_t i;
    fa_rc rc = fa_load_get(l->store, a, l->account, load_id, &load, e);

    *n = 0;
    *out = NULL;
    if (rc)
        return rc;
    detail = json_loadb(load.detail.p ? load.detail.p : "", load.detail.n, 0, NULL);
    list = json_object_get(detail, "lineColumns");
    if (json_array_size(list) > 0) {
        *out = fa_arena_array(a, json_array_size(list), sizeof **out);
        if (!*out)
            rc = fa_oom(e);
        else
            json_array_foreach(list, i, v)(*out)[(*n)++] =
                fa_arena_dup(a, (fa_str){json_string_value(v), json_string_length(v)});
    }
    json_decref(detail);
    return rc;
}

static fa_rc add_name(void *user, const fa_batch *b, fa_err *e)
{
    fa_map *have = user;

    for (size_t r = 0; r < b->rows; r++)
        if (!fa_map_set(have, b->col[0].text[r], 1))
            return fa_oom(e);
    return FA_OK;
}

/* The columns that some file of an archive has. */
static fa_rc archive_names(fa_conn *c, fa_str files, fa_map **out, fa_err *e)
{
    fa_buf b;
    fa_rc rc;

    if (!(*out = fa_map_new()))
        return fa_oom(e);
    fa_buf_init(&b, 16 << 20);
    fa_buf_fmt(&b,
               "SELECT column_name FROM (DESCRIBE SELECT * FROM read_parquet(%.*s,"
               " union_by_name = true))",
               FA_FMT(files));
    rc = b.failed ? fa_oom(e) : fa_sql_query(c, fa_buf_view(&b), NULL, 0, add_name, *out, e);
    fa_buf_release(&b);
    return rc;
}

static bool has_measure(const fa_map *have, int m)
{
    size_t v;

    return fa_measures[m].focus && fa_map_get(have, fa_str_of(fa_measures[m].focus), &v);
}

/* Is there one first row of each line? Usually; a load of very many lines stops remembering which it has seen, and a
 * file that was read twice may have marked rows twice. */
static fa_rc has_single_firsts(fa_conn *c, fa_str files, bool *out, fa_err *e)
{
    fa_buf b;
    fa_rc rc;
    int64_t twice = 0;

    fa_buf_init(&b, 16 << 20);
    fa_buf_fmt(&b,
               "SELECT (count(*) - count(DISTINCT fa_line))::BIGINT FROM read_parquet(%.*s,"
               " union_by_name = true) WHERE fa_first",
               FA_FMT(files));
    rc = b.failed ? fa_oom(e) : fa_sql_i64(c, fa_buf_view(&b), NULL, 0, &twice, e);
    fa_buf_release(&b);
    *out = !rc && twice == 0;
    return rc;
}

/* Inserts the lines that the star does not have yet: the first rows of each, by the archive's own
 * mark. */
static fa_rc insert_lines(fa_ledger *l, fa_conn *c, fa_arena *a, int64_t load_id, fa_str files,
                          const fa_map *have, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_buf b;
    fa_str *x;
    size_t nx, has;
    bool is_single;

    fa_buf_init(&b, 16 << 20);
    if ((rc = x_columns(l, a, load_id, &x, &nx, e)) ||
        (rc = has_single_firsts(c, files, &is_single, e)))
        goto done;
    fa_buf_z(&b,
             "INSERT INTO line SELECT ((SELECT coalesce(max(line_id)::BIGINT + 1, 0) FROM line) +"
             " row_number() OVER () - 1)::UINTEGER, fa_line, ");
    fa_buf_z(&b, fa_cost_center_sql());
    for (size_t i = 0; i < fa_ncolumns; i++)
        if (fa_columns[i].kind == FA_C_DIM)
            fa_buf_fmt(&b, ", %s", fa_columns[i].name);
    fa_buf_z(&b, ", json_transform(CASE WHEN Tags IS NULL THEN NULL ELSE coalesce(fa_tags(Tags),"
                 " error('" FA_BAD_TAGS "')) END, '\"MAP(VARCHAR,VARCHAR)\"'), ");
    if (nx == 0)
        fa_buf_z(&b, "NULL");
    else
        fa_buf_z(&b, "map_from_entries(list_filter([");
    for (size_t i = 0; i < nx; i++) {
        fa_buf_z(&b, i ? ", {k: " : "{k: ");
        fa_buf_sql_text(&b, x[i]);
        fa_buf_z(&b, ", v: ");
        fa_buf_sql_ident(&b, x[i]);
        fa_buf_z(&b, "}");
    }
    if (nx)
        fa_buf_z(&b, "], lambda s: s.v IS NOT NULL))");
    fa_buf_z(&b, " FROM (SELECT fa_line");
    for (size_t i = 0; i < fa_ncolumns; i++) {
        const fa_column *k = &fa_columns[i];

        if (k->kind == FA_C_DIM || k->kind == FA_C_TAGS)
            fa_buf_fmt(
                &b, fa_map_get(have, fa_str_of(k->name), &has) ? ", %s" : ", NULL::VARCHAR AS %s",
                k->name);
    }
    for (size_t i = 0; i < nx; i++) {
        fa_buf_z(&b, ", ");
        fa_buf_sql_ident(&b, x[i]);
    }
    fa_buf_fmt(
        &b,
        " FROM read_parquet(%.*s, union_by_name = true) WHERE fa_first AND fa_line NOT IN (SELECT"
        " hash FROM line)%s)",
        FA_FMT(files), is_single ? "" : " QUALIFY row_number() OVER (PARTITION BY fa_line) = 1");
    rc = b.failed ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
done:
    fa_buf_release(&b);
    return rc;
}

/* nd: per billing month, day and line the sums of what the archive has; s0, s1, ... are the measures. */
static fa_rc sum_days(fa_conn *c, fa_str files, const fa_map *have, fa_err *e)
{
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 16 << 20);
    fa_buf_z(&b,
             "CREATE TEMP TABLE nd AS SELECT date_trunc('month', BillingPeriodStart)::DATE AS p,"
             " fa_day AS day, fa_line AS h, count(*)::UINTEGER AS n");
    for (int m = 0; m < FA_M__COUNT; m++)
        if (has_measure(have, m))
            fa_buf_fmt(&b, ", sum(%s) AS s%d", fa_measures[m].focus, m);
        else if ((int)fa_measures[m].falls_to == m)
            fa_buf_fmt(&b, ", NULL::DECIMAL(38,18) AS s%d", m);
    fa_buf_fmt(&b, " FROM read_parquet(%.*s, union_by_name = true) GROUP BY p, day, h",
               FA_FMT(files));
    rc = b.failed ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
    fa_buf_release(&b);
    return rc;
}

fa_rc fa_star_stage(fa_ledger *l, fa_conn *c, int64_t load_id, fa_err *e)
{
    fa_rc rc;
    fa_arena a;
    fa_str files;
    fa_map *have = NULL;

    fa_arena_init(&a, 64 << 20);
    if ((rc = fa_archive_files(l, &a, load_id, &files, e)) ||
        (rc = archive_names(c, files, &have, e)) ||
        (rc = fa_execf(c, e, "DROP TABLE IF EXISTS temp.nd")) || (rc = sum_days(c, files, have, e)))
        goto done;
    (void)malloc_trim(0); /* the archive's index is read by each statement anew */
    rc = insert_lines(l, c, &a, load_id, files, have, e);
done:
    fa_map_free(have);
    fa_arena_release(&a);
    return rc;
}

typedef struct period_list {
    fa_arena *a;
    fa_part *part;
    size_t n;
} period_list;

static fa_rc add_period(void *user, const fa_batch *b, fa_err *e)
{
    period_list *p = user;

    for (size_t r = 0; r < b->rows; r++) {
        if (p->n % 64 == 0) {
            fa_part *grown = fa_arena_array(p->a, p->n + 64, sizeof *grown);

            if (!grown)
                return fa_oom(e);
            if (p->n)
                memcpy(grown, p->part, p->n * sizeof *grown);
            p->part = grown;
        }
        p->part[p->n++] = (fa_part){.period = (int32_t)b->col[0].i64[r], .rows = b->col[1].i64[r]};
    }
    return FA_OK;
}

fa_rc fa_star_periods(fa_conn *c, fa_arena *a, fa_part **out, size_t *n, fa_err *e)
{
    period_list p = {.a = a};
    fa_rc rc = fa_sql_query(c, FA_STR("SELECT p, sum(n)::BIGINT FROM nd GROUP BY p ORDER BY p"),
                            NULL, 0, add_period, &p, e);

    *out = p.part;
    *n = p.n;
    return rc;
}

/* The measures of nd as columns of daily. */
static fa_rc put_nd_measures(fa_conn *c, fa_buf *b, fa_err *e)
{
    fa_map *have = fa_map_new();
    fa_rc rc;
    char name[16];
    size_t v;

    if (!have)
        return fa_oom(e);
    rc = fa_sql_query(c, FA_STR("SELECT column_name FROM (DESCRIBE SELECT * FROM nd)"), NULL, 0,
                      add_name, have, e);
    for (int m = 0; m < FA_M__COUNT && !rc; m++) {
        const char *col = fa_measures[m].col;

        snprintf(name, sizeof name, "s%d", m);
        if (!fa_map_get(have, fa_str_of(name), &v))
            continue;
        if (m >= FA_M__MONEY)
            fa_buf_fmt(b, ", s%d AS %s", m, col);
        else if ((int)fa_measures[m].falls_to == m)
            fa_buf_fmt(b, ", fa_units(s%d) AS %s, fa_rest(s%d) AS %s_rest", m, col, m, col);
        else
            fa_buf_fmt(b,
                       ", CASE WHEN s%d IS NOT NULL THEN fa_units(s%d) END AS %s, CASE WHEN s%d IS"
                       " NOT NULL THEN fa_rest(s%d) END AS %s_rest",
                       m, m, col, m, m, col);
    }
    fa_map_free(have);
    return rc;
}

fa_rc fa_star_apply(fa_ledger *l, fa_conn *c, const fa_star_load *s, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_buf b;

    (void)l;
    fa_buf_init(&b, 16 << 20);
    for (size_t i = 0; i < s->ngone; i++)
        if ((rc =
                 fa_execf(c, e, "DELETE FROM daily WHERE part_id = %lld", (long long)s->gone[i])) ||
            (rc = fa_execf(c, e, "DELETE FROM part WHERE part_id = %lld", (long long)s->gone[i])))
            goto done;
    if (s->npart == 0)
        goto done;
    /* each time a part goes in it gets a seal: what segments are named by */
    fa_buf_z(&b, "INSERT INTO part(part_id, load_id, source_id, period) SELECT * FROM (VALUES ");
    for (size_t i = 0; i < s->npart; i++)
        fa_buf_fmt(&b, "%s(%lld::UINTEGER, %lld::BIGINT, %lld::BIGINT, DATE '1970-01-01' + %d)",
                   i ? ", " : "", (long long)s->part[i].id, (long long)s->load_id,
                   (long long)s->source_id, s->part[i].period);
    fa_buf_z(&b, ")");
    if ((rc = b.failed ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e)))
        goto done;
    /* only these parts: another period of the same load may be in the star already */
    fa_buf_clear(&b);
    fa_buf_z(&b, "INSERT INTO daily BY NAME SELECT day, line.line_id, fresh.part_id, nd.n");
    if ((rc = put_nd_measures(c, &b, e)))
        goto done;
    fa_buf_z(&b,
             " FROM nd JOIN line ON line.hash = nd.h JOIN (SELECT part_id, period FROM part WHERE"
             " part_id IN (");
    for (size_t i = 0; i < s->npart; i++)
        fa_buf_fmt(&b, "%s%lld", i ? ", " : "", (long long)s->part[i].id);
    fa_buf_z(&b, ")) AS fresh ON fresh.period = nd.p ORDER BY day");
    rc = b.failed ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
done:
    fa_buf_release(&b);
    return rc;
}

/* ---- totals ---- */

typedef struct total_list {
    fa_arena *a;
    fa_tally_row *row;
    size_t n, cap;
    bool is_exact; /* money comes as one exact column, not as units and rest */
} total_list;

static fa_rc add_total(void *user, const fa_batch *b, fa_err *e)
{
    total_list *t = user;

    for (size_t r = 0; r < b->rows; r++) {
        fa_tally_row *o;
        size_t col = 3;

        if (t->n == t->cap) {
            size_t cap = t->cap ? t->cap * 2 : 256;
            fa_tally_row *grown = fa_arena_array(t->a, cap, sizeof *grown);

            if (!grown)
                return fa_oom(e);
            if (t->n)
                memcpy(grown, t->row, t->n * sizeof *grown);
            t->row = grown;
            t->cap = cap;
        }
        o = &t->row[t->n++];
        o->currency = fa_arena_dup(t->a, b->col[0].text[r]);
        if (!o->currency.p)
            return fa_oom(e);
        o->day = b->col[1].null && b->col[1].null[r] ? INT32_MIN : (int32_t)b->col[1].i64[r];
        o->rows = b->col[2].i64[r];
        for (int m = 0; m < FA_M__COUNT; m++) {
            if (!fa_measures[m].focus)
                continue;
            o->sum_e18[m] = b->col[col].null && b->col[col].null[r] ? 0 : b->col[col].i128[r];
            if (m < FA_M__MONEY && !t->is_exact) {
                o->sum_e18[m] = o->sum_e18[m] * FA_E8 + b->col[col + 1].i128[r];
                o->values[m] = -1; /* the star does not keep which values were null */
                col += 2;
            } else {
                o->values[m] = t->is_exact ? b->col[col + 1].i64[r] : -1;
                col += t->is_exact ? 2 : 1;
            }
        }
    }
    return FA_OK;
}

fa_rc fa_star_totals(fa_conn *c, fa_arena *a, const fa_part *part, size_t npart, fa_tally_row **out,
                     size_t *n, fa_err *e)
{
    fa_buf b;
    total_list t = {.a = a};
    fa_rc rc;

    fa_buf_init(&b, 16 << 20);
    fa_buf_z(&b, "SELECT coalesce(BillingCurrency, ''), day, sum(n)::BIGINT");
    for (int m = 0; m < FA_M__COUNT; m++)
        if (!fa_measures[m].focus)
            continue;
        else if (m < FA_M__MONEY)
            fa_buf_fmt(&b, ", sum(%s)::HUGEINT, coalesce(sum(%s_rest), 0)::HUGEINT",
                       fa_measures[m].col, fa_measures[m].col);
        else
            fa_buf_fmt(&b, ", sum(%s)", fa_measures[m].col);
    fa_buf_z(&b, " FROM daily JOIN (SELECT line_id, BillingCurrency FROM line) USING (line_id)");
    for (size_t i = 0; i < npart; i++)
        fa_buf_fmt(&b, "%s%lld", i ? ", " : " WHERE part_id IN (", (long long)part[i].id);
    fa_buf_z(&b, npart ? ") GROUP BY 1, 2 ORDER BY 1, 2" : " GROUP BY 1, 2 ORDER BY 1, 2");
    rc = b.failed ? fa_oom(e) : fa_sql_query(c, fa_buf_view(&b), NULL, 0, add_total, &t, e);
    fa_buf_release(&b);
    *out = t.row;
    *n = t.n;
    return rc;
}

fa_rc fa_archive_totals(fa_conn *c, fa_arena *a, fa_str sql_list, int32_t period,
                        fa_tally_row **out, size_t *n, fa_err *e)
{
    fa_buf b;
    total_list t = {.a = a, .is_exact = true};
    fa_map *have = NULL;
    fa_rc rc;

    fa_buf_init(&b, 16 << 20);
    if ((rc = archive_names(c, sql_list, &have, e)))
        goto done;
    fa_buf_z(&b, "SELECT coalesce(BillingCurrency, ''), fa_day, count(*)");
    for (int m = 0; m < FA_M__COUNT; m++)
        if (has_measure(have, m))
            fa_buf_fmt(&b, ", sum(%s), count(%s)", fa_measures[m].focus, fa_measures[m].focus);
        else if (fa_measures[m].focus)
            fa_buf_z(&b, ", NULL::DECIMAL(38,18), 0::BIGINT");
    fa_buf_fmt(&b, " FROM read_parquet(%.*s, union_by_name = true)", FA_FMT(sql_list));
    if (period != INT32_MIN)
        fa_buf_fmt(&b, " WHERE date_trunc('month', BillingPeriodStart) = DATE '1970-01-01' + %d",
                   period);
    fa_buf_z(&b, " GROUP BY 1, 2 ORDER BY 1, 2");
    rc = b.failed ? fa_oom(e) : fa_sql_query(c, fa_buf_view(&b), NULL, 0, add_total, &t, e);
done:
    fa_map_free(have);
    fa_buf_release(&b);
    *out = t.row;
    *n = t.n;
    return rc;
}

/* ---- recovery ---- */

typedef struct id_list {
    fa_arena *a;
    int64_t *id;
    size_t n, cap;
} id_list;

static fa_rc add_id(void *user, const fa_batch *b, fa_err *e)
{
    id_list *l = user;

    for (size_t r = 0; r < b->rows; r++) {
        if (l->n == l->cap) {
            size_t cap = l->cap ? l->cap * 2 : 256;
            int64_t *grown = fa_arena_array(l->a, cap, sizeof *grown);

            if (!grown)
                return fa_oom(e);
            if (l->n)
                memcpy(grown, l->id, l->n * sizeof *grown);
            l->id = grown;
            l->cap = cap;
        }
        l->id[l->n++] = b->col[0].i64[r];
    }
    return FA_OK;
}

static bool has_id(const int64_t *id, size_t n, int64_t x)
{
    for (size_t i = 0; i < n; i++)
        if (id[i] == x)
            return true;
    return false;
}

/* One load's missing parts from its archive, in one transaction. */
static fa_rc restore_load(fa_ledger *l, fa_conn *c, const fa_part *part, size_t n, fa_err *e)
{
    fa_star_load s = {part[0].load_id, part[0].source_id, part, n, NULL, 0};
    fa_rc rc;

    fa_log(FA_LOG_WARN, "ledger_restore", "load=%lld parts=%zu reason=differs-from-meta",
           (long long)part[0].load_id, n);
    if ((rc = fa_execf(c, e, "BEGIN")) || (rc = fa_star_stage(l, c, s.load_id, e)) ||
        (rc = fa_star_apply(l, c, &s, e)))
        return rc;
    return fa_star_commit(l, c, e);
}

fa_rc fa_star_reconcile(fa_ledger *l, const fa_progress *p, fa_err *e)
{
    fa_rc rc;
    fa_arena a;
    fa_conn *c = NULL;
    fa_part *live, *missing;
    size_t nlive, i = 0;
    id_list have = {.a = &a};

    fa_arena_init(&a, 64 << 20);
    if ((rc = fa_part_live(l->store, &a, l->account, &live, &nlive, e)) ||
        (rc = fa_conn_get(l->engine, &c, e)) ||
        (rc = fa_sql_query(c, FA_STR("SELECT part_id::BIGINT FROM part"), NULL, 0, add_id, &have,
                           e)))
        goto done;
    for (size_t k = 0; k < have.n; k++) {
        bool is_live = false;

        for (size_t m = 0; m < nlive; m++)
            is_live |= live[m].id == have.id[k];
        if (is_live)
            continue;
        fa_log(FA_LOG_WARN, "ledger_drop", "part=%lld reason=not-live", (long long)have.id[k]);
        if ((rc = fa_execf(c, e, "BEGIN")) ||
            (rc =
                 fa_execf(c, e, "DELETE FROM daily WHERE part_id = %lld", (long long)have.id[k])) ||
            (rc = fa_execf(c, e, "DELETE FROM part WHERE part_id = %lld", (long long)have.id[k])) ||
            (rc = fa_star_commit(l, c, e)))
            goto done;
    }
    if (!(missing = fa_arena_array(&a, nlive + 1, sizeof *missing))) {
        rc = fa_oom(e);
        goto done;
    }
    while (i < nlive) {
        size_t n = 0, k = i;

        for (; k < nlive && live[k].load_id == live[i].load_id; k++)
            if (!has_id(have.id, have.n, live[k].id))
                missing[n++] = live[k];
        if (fa_cancelled(p)) {
            rc = fa_fail(e, FA_ECANCELLED, "cancelled");
            goto done;
        }
        if (n && (rc = restore_load(l, c, missing, n, e)))
            goto done;
        i = k;
    }
    if ((rc = fa_execf(c, e, "BEGIN")) || (rc = fa_view_settle(l, c, live, nlive, e)) ||
        (rc = fa_fair_settle(l, c, p, e)))
        goto done;
    rc = fa_star_commit(l, c, e);
done:
    fa_conn_put(c);
    fa_arena_release(&a);
    return rc;
}
