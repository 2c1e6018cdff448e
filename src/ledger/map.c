/*
 * map.c - a bill file's columns as SQL: raw text or typed columns in, archive columns out.
 *
 * The one idea: one SELECT types every column, hashes the line, marks its first row and adds the
 * row to the tally while the rows stream by; nothing is read twice. A second, slow SELECT exists
 * for the case that something was wrong: it numbers the rows and says which value of which row it
 * was.
 */
#include "ledger/inner.h"

#include <string.h>

static bool is_decimal(fa_str type)
{
    uint64_t digits, scale;

    return fa_take(&type, "DECIMAL(") && fa_take_u64(&type, &digits) && fa_take(&type, ",") &&
           fa_take_u64(&type, &scale) && scale <= 18 && digits - scale <= 20;
}

static bool is_nested(fa_str t)
{
    return fa_str_starts(t, FA_STR("STRUCT")) || fa_str_starts(t, FA_STR("MAP")) ||
           fa_str_ends(t, FA_STR("[]")) || fa_str_starts(t, FA_STR("UNION")) ||
           fa_str_eqz(t, "JSON");
}

/* The column as text, NULL where it is empty. */
static void put_text(fa_buf *b, const fa_bill_file *f, const fa_bill_column *c)
{
    if (f->kind == FA_FILE_CSV) {
        fa_buf_sql_ident(b, c->name);
        return;
    }
    fa_buf_z(b, "nullif(");
    if (is_nested(c->type) && !fa_str_eqz(c->type, "JSON")) {
        fa_buf_z(b, "to_json(");
        fa_buf_sql_ident(b, c->name);
        fa_buf_z(b, ")");
    } else {
        fa_buf_sql_ident(b, c->name);
    }
    fa_buf_z(b, "::VARCHAR, '')");
}

static void put_dec(fa_buf *b, const fa_bill_file *f, const fa_bill_column *c, const fa_tally *t)
{
    if (is_decimal(c->type)) {
        fa_buf_sql_ident(b, c->name);
        fa_buf_z(b, "::DECIMAL(38,18)");
        return;
    }
    fa_buf_fmt(b, "fa_dec(%llu::UBIGINT, ", (unsigned long long)fa_tally_id(t));
    put_text(b, f, c);
    fa_buf_z(b, ")");
}

static void put_time(fa_buf *b, const fa_bill_file *f, const fa_bill_column *c, const fa_tally *t)
{
    /* Typed times go through the same text check: it holds the range of years. */
    fa_buf_fmt(b, "fa_time(%llu::UBIGINT, ", (unsigned long long)fa_tally_id(t));
    if (fa_str_starts(c->type, FA_STR("TIMESTAMP"))) {
        fa_buf_sql_ident(b, c->name);
        fa_buf_z(b, "::TIMESTAMP::VARCHAR");
    } else {
        put_text(b, f, c);
    }
    fa_buf_z(b, ")");
}

static void put_typed(fa_buf *b, const fa_bill_file *f, const fa_bill_column *c, const fa_tally *t)
{
    switch (c->focus ? c->focus->kind : FA_C_TEXT) {
    case FA_C_TIME:
        put_time(b, f, c, t);
        break;
    case FA_C_DEC:
    case FA_C_MEASURE:
        put_dec(b, f, c, t);
        break;
    default:
        put_text(b, f, c);
    }
}

void fa_map_raw(fa_buf *b, const fa_bill_file *f, const char *pipe_path, bool in_order)
{
    if (f->kind == FA_FILE_PARQUET) {
        fa_buf_z(b, "(SELECT *, file_row_number + 1 AS fa_row FROM read_parquet(");
        fa_buf_sql_text(b, fa_str_of(f->path));
        fa_buf_z(b, ", file_row_number = true))");
        return;
    }
    if (in_order)
        fa_buf_z(b, "(SELECT *, row_number() OVER () AS fa_row FROM ");
    fa_buf_z(b, "read_csv(");
    fa_buf_sql_text(b, fa_str_of(pipe_path));
    fa_buf_z(b, ", columns = {");
    for (size_t i = 0; i < f->ncolumn; i++) {
        fa_buf_z(b, i ? ", " : "");
        fa_buf_sql_text(b, f->column[i].name);
        fa_buf_z(b, ": 'VARCHAR'");
    }
    fa_buf_fmt(b,
               "}, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"',"
               " nullstr = ['', 'NULL', 'null', '(null)'], max_line_size = 1200000,"
               " buffer_size = %d, parallel = %s%s)",
               16 << 20, in_order ? "false" : "true",
               f->skip_broken
                   ? ", store_rejects = true, rejects_table = 'fa_rejects', rejects_scan ="
                     " 'fa_reject_scans'"
                   : "");
    if (in_order)
        fa_buf_z(b, ")");
}

static const fa_bill_column *find_focus(const fa_bill_file *f, const char *name)
{
    for (size_t i = 0; i < f->ncolumn; i++)
        if (f->column[i].focus && fa_str_eqz(f->column[i].name, name))
            return &f->column[i];
    return NULL;
}

static bool in_line(const fa_bill_column *c)
{
    return c->focus ? c->focus->kind == FA_C_DIM || c->focus->kind == FA_C_TAGS : c->in_line;
}

/* Line columns in the order of their names, so that the order of a file's columns says nothing. */
static size_t line_columns(const fa_bill_file *f, const fa_bill_column **out)
{
    size_t n = 0;

    for (size_t i = 0; i < f->ncolumn; i++) {
        size_t k;

        if (!in_line(&f->column[i]))
            continue;
        for (k = n++; k > 0 && fa_str_cmp(out[k - 1]->name, f->column[i].name) > 0; k--)
            out[k] = out[k - 1];
        out[k] = &f->column[i];
    }
    return n;
}

fa_rc fa_map_line_names(fa_arena *a, const fa_bill_file *f, fa_str **out, size_t *n, fa_err *e)
{
    const fa_bill_column **c = fa_arena_array(a, f->ncolumn + 1, sizeof *c);
    fa_str *name = fa_arena_array(a, f->ncolumn + 1, sizeof *name);

    if (!c || !name)
        return fa_oom(e);
    *n = line_columns(f, c);
    for (size_t i = 0; i < *n; i++)
        name[i] = c[i]->name;
    *out = name;
    return FA_OK;
}

fa_rc fa_map_select(fa_arena *a, const fa_bill_file *f, const char *pipe_path, const fa_tally *t,
                    fa_str skip_rows, fa_str *sql, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_buf b;
    const fa_bill_column **line = fa_arena_array(a, f->ncolumn + 1, sizeof *line);
    unsigned long long id = (unsigned long long)fa_tally_id(t);
    size_t nline;

    if (!line)
        return fa_oom(e);
    nline = line_columns(f, line);
    fa_buf_init(&b, 8 << 20);
    fa_buf_fmt(&b,
               "SELECT *, fa_first(%llu::UBIGINT, fa_line) AS fa_first, fa_tally(%llu::UBIGINT,"
               " CASE WHEN BillingPeriodStart IS NOT NULL THEN ChargePeriodStart::DATE END, "
               "BillingCurrency",
               id, id);
    for (int m = 0; m < FA_M__COUNT; m++)
        fa_buf_fmt(&b, ", %s", fa_measures[m].focus);
    fa_buf_z(&b, ") AS fa_day FROM (SELECT ");
    for (size_t i = 0; i < f->ncolumn; i++) {
        put_typed(&b, f, &f->column[i], t);
        fa_buf_z(&b, " AS ");
        fa_buf_sql_ident(&b, f->column[i].name);
        fa_buf_z(&b, ", ");
    }
    for (int m = 0; m < FA_M__COUNT; m++)
        if (!find_focus(f, fa_measures[m].focus)) /* the archive always has all measures */
            fa_buf_fmt(&b, "NULL::DECIMAL(38,18) AS %s, ", fa_measures[m].focus);
    fa_buf_fmt(&b, "fa_line(%llu::UBIGINT", id);
    for (size_t i = 0; i < nline; i++) {
        fa_buf_z(&b, ", ");
        put_text(&b, f, line[i]);
    }
    fa_buf_z(&b, ") AS fa_line FROM ");
    fa_map_raw(&b, f, pipe_path, skip_rows.n > 0 || f->skip_broken);
    if (skip_rows.n)
        fa_buf_fmt(&b, " WHERE fa_row NOT IN (%.*s)", FA_FMT(skip_rows));
    fa_buf_z(&b, ")");
    *sql = fa_buf_dup(&b, a);
    if (!sql->p)
        rc = fa_oom(e);
    fa_buf_release(&b);
    return rc;
}

/* ---- bad rows ---- */

typedef struct bad_case {
    const fa_bill_column *c;
    const char *reason;
} bad_case;

static void put_condition(fa_buf *b, const fa_bill_file *f, const bad_case *k, const fa_tally *t)
{
    const fa_column *fc = k->c->focus;

    if (strcmp(k->reason, "is empty") == 0) {
        put_text(b, f, k->c);
        fa_buf_z(b, " IS NULL");
        return;
    }
    if (fc->kind == FA_C_TAGS) {
        fa_buf_z(b, "(");
        put_text(b, f, k->c);
        fa_buf_z(b, " IS NOT NULL AND fa_tags(");
        put_text(b, f, k->c);
        fa_buf_z(b, ") IS NULL)");
        return;
    }
    if (strstr(k->reason, "range") && fc->kind == FA_C_MEASURE) {
        fa_buf_z(b, "(abs(");
        put_dec(b, f, k->c, t);
        fa_buf_fmt(b, ") >= %d)", FA_MONEY_MAX);
        return;
    }
    fa_buf_z(b, "(");
    put_text(b, f, k->c);
    fa_buf_z(b, " IS NOT NULL AND ");
    if (fc->kind == FA_C_TIME)
        put_time(b, f, k->c, t);
    else
        put_dec(b, f, k->c, t);
    fa_buf_z(b, " IS NULL)");
}

static bool is_money(const fa_column *c)
{
    for (int m = 0; m < FA_M__MONEY; m++)
        if (strcmp(fa_measures[m].focus, c->name) == 0)
            return true;
    return false;
}

static size_t bad_cases(const fa_bill_file *f, bad_case *out)
{
    size_t n = 0;

    for (size_t i = 0; i < f->ncolumn; i++) {
        const fa_bill_column *c = &f->column[i];

        if (!c->focus)
            continue;
        if (c->focus->not_null)
            out[n++] = (bad_case){c, "is empty"};
        if (c->focus->kind == FA_C_TIME)
            out[n++] = (bad_case){c, "is not a date and time between 2000 and 2100"};
        if (c->focus->kind == FA_C_DEC || c->focus->kind == FA_C_MEASURE)
            out[n++] = (bad_case){c, "is not a number of at most 20 digits before the point"};
        if (c->focus->kind == FA_C_MEASURE && is_money(c->focus))
            out[n++] = (bad_case){c, "is past the fixed-point range of 900,000,000"};
        if (c->focus->kind == FA_C_TAGS)
            out[n++] = (bad_case){c, "is not a JSON object"};
    }
    return n;
}

fa_rc fa_map_bad_rows(fa_arena *a, const fa_bill_file *f, const char *pipe_path,
                      const fa_tally *scratch, int64_t limit, fa_str *sql, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_buf b;
    bad_case *k = fa_arena_array(a, f->ncolumn * 3 + 1, sizeof *k);
    size_t n;

    if (!k)
        return fa_oom(e);
    n = bad_cases(f, k);
    fa_buf_init(&b, 8 << 20);
    fa_buf_z(
        &b, "SELECT fa_row::BIGINT, w.c, left(w.v, 200), w.r, to_json(record)::VARCHAR FROM (SELECT"
            " fa_row, record, CASE");
    for (size_t i = 0; i < n; i++) {
        fa_buf_z(&b, " WHEN ");
        put_condition(&b, f, &k[i], scratch);
        fa_buf_z(&b, " THEN {'c': ");
        fa_buf_sql_text(&b, k[i].c->name);
        fa_buf_z(&b, ", 'v': ");
        put_text(&b, f, k[i].c);
        fa_buf_z(&b, ", 'r': ");
        fa_buf_sql_text(&b, fa_str_of(k[i].reason));
        fa_buf_z(&b, "}");
    }
    fa_buf_z(&b, " END AS w FROM ");
    fa_map_raw(&b, f, pipe_path, true);
    fa_buf_fmt(&b, " AS record) WHERE w IS NOT NULL ORDER BY fa_row LIMIT %lld", (long long)limit);
    *sql = fa_buf_dup(&b, a);
    if (!sql->p)
        rc = fa_oom(e);
    fa_buf_release(&b);
    return rc;
}
