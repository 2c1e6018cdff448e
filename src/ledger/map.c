/*
 * map.c - a bill file's columns as SQL: raw text or typed columns in, archive columns out.
 *
 * The one idea: one SELECT types every column, hashes the line, marks its first row and adds the
 * row to the tally while the rows stream by; nothing is read twice. A FOCUS file needs one level of
 * it; a provider's own format has two more, which give each column it computes with a short name and
 * make the archive's columns of them. A second, slow SELECT exists for the case that something was
 * wrong: it numbers the rows and says which value of which row it was.
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
    bool may_be_empty = !c->is_full;

    if (f->kind != FA_FILE_PARQUET) {
        fa_buf_str(b, c->ident);
        return;
    }
    if (may_be_empty)
        fa_buf_z(b, "nullif(");
    if (is_nested(c->type) && !fa_str_eqz(c->type, "JSON"))
        fa_buf_fmt(b, "to_json(%.*s)", FA_FMT(c->ident));
    else
        fa_buf_str(b, c->ident);
    fa_buf_z(b, may_be_empty ? "::VARCHAR, '')" : "::VARCHAR");
}

static void put_dec(fa_buf *b, const fa_bill_file *f, const fa_bill_column *c, const fa_tally *t)
{
    if (is_decimal(c->type)) {
        fa_buf_str(b, c->ident);
        fa_buf_z(b, "::DECIMAL(38,18)");
        return;
    }
    fa_buf_fmt(b, "fa_dec(%llu::UBIGINT, ", (unsigned long long)fa_tally_id(t));
    if (f->has_comma) {
        fa_buf_z(b, "replace(replace(");
        put_text(b, f, c);
        fa_buf_z(b, ", '.', ''), ',', '.'))");
        return;
    }
    put_text(b, f, c);
    fa_buf_z(b, ")");
}

static void put_time(fa_buf *b, const fa_bill_file *f, const fa_bill_column *c, const fa_tally *t)
{
    bool is_typed = fa_str_starts(c->type, FA_STR("TIMESTAMP"));

    /* A typed time that is surely in the range of years is taken as it is; the check of texts, which
     * counts what is wrong, sees the others. */
    if (is_typed)
        fa_buf_fmt(b,
                   "CASE WHEN %.*s::TIMESTAMP BETWEEN TIMESTAMP '2000-01-02' AND TIMESTAMP"
                   " '2099-12-30' THEN %.*s::TIMESTAMP ELSE ",
                   FA_FMT(c->ident), FA_FMT(c->ident));
    fa_buf_fmt(b, "fa_time(%llu::UBIGINT, ", (unsigned long long)fa_tally_id(t));
    if (is_typed) {
        fa_buf_str(b, c->ident);
        fa_buf_z(b, "::TIMESTAMP::VARCHAR");
    } else if (f->dates == FA_DATES_DMY) { /* 31.12.2026, 31/12/2026 00:00 */
        fa_buf_z(b, "regexp_replace(");
        put_text(b, f, c);
        fa_buf_z(b, ", '^(\\d{1,2})[./-](\\d{1,2})[./-](\\d{4})', '\\2/\\1/\\3')");
    } else {
        put_text(b, f, c);
    }
    fa_buf_z(b, is_typed ? ") END" : ")");
}

static fa_in_kind kind_of(const fa_column *focus)
{
    if (!focus)
        return FA_IN_TEXT;
    return focus->kind == FA_C_TIME                                 ? FA_IN_TIME
           : focus->kind == FA_C_DEC || focus->kind == FA_C_MEASURE ? FA_IN_DEC
                                                                    : FA_IN_TEXT;
}

static void put_typed(fa_buf *b, const fa_bill_file *f, const fa_bill_column *c, fa_in_kind kind,
                      const fa_tally *t)
{
    if (kind == FA_IN_TIME)
        put_time(b, f, c, t);
    else if (kind == FA_IN_DEC)
        put_dec(b, f, c, t);
    else if (kind == FA_IN_CREDITS || kind == FA_IN_GIFTS) {
        fa_buf_fmt(b, "fa_credits(%llu::UBIGINT, ", (unsigned long long)fa_tally_id(t));
        put_text(b, f, c);
        fa_buf_z(b, kind == FA_IN_GIFTS ? ", true)" : ", false)");
    } else if (kind == FA_IN_JSON) {
        fa_buf_z(b, "CASE WHEN json_valid(");
        put_text(b, f, c);
        fa_buf_z(b, ") THEN ");
        put_text(b, f, c);
        fa_buf_z(b, " END");
    } else
        put_text(b, f, c);
}

void fa_map_raw(fa_buf *b, const fa_bill_file *f, const char *pipe_path, bool in_order)
{
    char delim = f->kind == FA_FILE_JSONL ? ',' : f->delim;

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
        fa_str ident = f->column[i].ident; /* "quoted": the struct's key in the same spelling */

        fa_buf_z(b, i ? ", " : "");
        fa_buf_str(b, ident);
        fa_buf_z(b, ": 'VARCHAR'");
    }
    fa_buf_z(b, "}, header = true, auto_detect = false, delim = ");
    fa_buf_sql_text(b, (fa_str){&delim, 1});
    fa_buf_fmt(b,
               ", quote = '\"', escape = '\"',"
               " nullstr = ['', 'NULL', 'null', '(null)'], max_line_size = 1200000,"
               " buffer_size = %d, parallel = %s%s%s)",
               16 << 20, in_order || f->pad_short ? "false" : "true",
               f->pad_short ? ", null_padding = true" : "",
               f->skip_broken
                   ? ", store_rejects = true, rejects_table = 'fa_rejects', rejects_scan ="
                     " 'fa_reject_scans'"
                   : "");
    if (in_order)
        fa_buf_z(b, ")");
}

static const fa_bill_out *find_out(const fa_bill_file *f, const char *name)
{
    for (size_t i = 0; i < f->nout; i++)
        if (fa_str_eqz(f->out[i].name, name))
            return &f->out[i];
    return NULL;
}

/* Line columns in the order of their names, so that the order of a file's columns says nothing. */
static size_t line_columns(const fa_bill_file *f, const fa_bill_out **out)
{
    size_t n = 0;

    for (size_t i = 0; i < f->nout; i++) {
        size_t k;

        if (!f->out[i].in_line)
            continue;
        for (k = n++; k > 0 && fa_str_cmp(out[k - 1]->name, f->out[i].name) > 0; k--)
            out[k] = out[k - 1];
        out[k] = &f->out[i];
    }
    return n;
}

fa_rc fa_map_line_names(fa_arena *a, const fa_bill_file *f, fa_str **out, size_t *n, fa_err *e)
{
    const fa_bill_out **c = fa_arena_array(a, f->nout + 1, sizeof *c);
    fa_str *name = fa_arena_array(a, f->nout + 1, sizeof *name);

    if (!c || !name)
        return fa_oom(e);
    *n = line_columns(f, c);
    for (size_t i = 0; i < *n; i++)
        name[i] = c[i]->name;
    *out = name;
    return FA_OK;
}

size_t fa_map_measures(const fa_bill_file *f, fa_measure out[FA_M__COUNT])
{
    size_t n = 0;

    for (int m = 0; m < FA_M__COUNT; m++)
        if ((int)fa_measures[m].falls_to == m || f->own & FA_BIT(m))
            out[n++] = (fa_measure)m;
    return n;
}

/* Measures that must be there and are no column of this file: NULL, or what they fall back to when
 * another file of the load tells them apart. */
static void put_absent(fa_buf *b, const fa_bill_file *f)
{
    fa_measure m[FA_M__COUNT];
    size_t n = fa_map_measures(f, m);

    for (size_t i = 0; i < n; i++) {
        fa_measure to = m[i];

        if (find_out(f, fa_measures[m[i]].focus))
            continue;
        while (fa_measures[to].falls_to != to && !find_out(f, fa_measures[to].focus))
            to = fa_measures[to].falls_to;
        if (find_out(f, fa_measures[to].focus))
            fa_buf_fmt(b, ", %s AS %s", fa_measures[to].focus, fa_measures[m[i]].focus);
        else
            fa_buf_fmt(b, ", NULL::DECIMAL(38,18) AS %s", fa_measures[m[i]].focus);
    }
}

static void put_outs(fa_buf *b, const fa_bill_file *f, const fa_tally *t)
{
    for (size_t i = 0; i < f->nout; i++) {
        const fa_bill_out *o = &f->out[i];

        fa_buf_z(b, i ? ", " : "");
        if (o->column != SIZE_MAX)
            put_typed(b, f, &f->column[o->column], f->nin ? FA_IN_TEXT : kind_of(o->focus), t);
        else
            fa_buf_str(b, o->expr);
        fa_buf_z(b, " AS ");
        fa_buf_sql_ident(b, o->name);
    }
}

/* FROM item: the raw rows, and beside them what the mapping computes with. */
static void put_ins(fa_buf *b, const fa_bill_file *f, const char *pipe_path, const fa_tally *t,
                    fa_str skip_rows, bool in_order)
{
    if (f->nin) {
        fa_buf_z(b, "(SELECT *");
        for (size_t i = 0; i < f->nin; i++) {
            fa_buf_z(b, ", ");
            put_typed(b, f, &f->column[f->in[i].column], f->in[i].kind, t);
            fa_buf_fmt(b, " AS %.*s", FA_FMT(f->in[i].alias));
        }
        fa_buf_z(b, " FROM ");
    }
    fa_map_raw(b, f, pipe_path, in_order);
    if (skip_rows.n)
        fa_buf_fmt(b, " WHERE fa_row NOT IN (%.*s)", FA_FMT(skip_rows));
    if (f->nin)
        fa_buf_z(b, ")");
}

/* What a file's own measure lacks in a row is what it falls back to. */
static void put_filled(fa_buf *b, const fa_bill_file *f)
{
    bool any = false;

    fa_buf_z(b, "SELECT *");
    for (int m = 0; m < FA_M__COUNT; m++) {
        fa_measure to = fa_measures[m].falls_to;

        if ((int)to == m || !(f->own & FA_BIT(m)))
            continue;
        fa_buf_fmt(b, "%scoalesce(%s", any ? ", " : " REPLACE (", fa_measures[m].focus);
        for (;; to = fa_measures[to].falls_to) {
            if (fa_measures[to].falls_to == to || f->own & FA_BIT(to))
                fa_buf_fmt(b, ", %s", fa_measures[to].focus);
            if (fa_measures[to].falls_to == to)
                break;
        }
        fa_buf_fmt(b, ") AS %s", fa_measures[m].focus);
        any = true;
    }
    fa_buf_z(b, any ? ") FROM (" : " FROM (");
}

fa_rc fa_map_select(fa_arena *a, const fa_bill_file *f, const char *pipe_path, const fa_tally *t,
                    fa_str skip_rows, fa_str *sql, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_buf b;
    const fa_bill_out **line = fa_arena_array(a, f->nout + 1, sizeof *line);
    unsigned long long id = (unsigned long long)fa_tally_id(t);
    fa_measure m[FA_M__COUNT];
    size_t nline, nm = fa_map_measures(f, m);

    if (!line)
        return fa_oom(e);
    nline = line_columns(f, line);
    fa_buf_init(&b, 8 << 20);
    fa_buf_fmt(&b,
               "SELECT *, fa_first(%llu::UBIGINT, fa_line) AS fa_first, fa_tally(%llu::UBIGINT,"
               " CASE WHEN BillingPeriodStart IS NOT NULL THEN ChargePeriodStart::DATE END, "
               "BillingCurrency",
               id, id);
    for (size_t i = 0; i < nm; i++)
        fa_buf_fmt(&b, ", %s", fa_measures[m[i]].focus);
    fa_buf_z(&b, ") AS fa_day FROM (");
    if (f->own)
        put_filled(&b, f);
    if (f->nin)
        fa_buf_z(&b, "SELECT *");
    else {
        fa_buf_z(&b, "SELECT ");
        put_outs(&b, f, t);
        put_absent(&b, f);
    }
    fa_buf_fmt(&b, ", fa_line(%llu::UBIGINT", id);
    for (size_t i = 0; i < nline; i++) {
        fa_buf_z(&b, ", ");
        if (f->nin)
            fa_buf_sql_ident(&b, line[i]->name);
        else if (line[i]->column != SIZE_MAX)
            put_text(&b, f, &f->column[line[i]->column]);
        else
            fa_buf_str(&b, line[i]->expr);
    }
    fa_buf_z(&b, ") AS fa_line FROM ");
    if (f->nin) {
        fa_buf_z(&b, "(SELECT ");
        put_outs(&b, f, t);
        put_absent(&b, f);
        fa_buf_z(&b, " FROM ");
    }
    put_ins(&b, f, pipe_path, t, skip_rows, skip_rows.n > 0 || f->skip_broken);
    fa_buf_z(&b, f->nin ? "))" : ")");
    if (f->own)
        fa_buf_z(&b, ")");
    *sql = fa_buf_dup(&b, a);
    if (!sql->p)
        rc = fa_oom(e);
    fa_buf_release(&b);
    return rc;
}

/* ---- bad rows ---- */

typedef struct bad_case {
    fa_str column;           /* what the message calls it */
    const fa_bill_column *c; /* its text; NULL: the out `expr` */
    fa_str expr;
    const fa_column *focus;
    fa_in_kind kind;
    const char *reason;
} bad_case;

static void put_case_text(fa_buf *b, const fa_bill_file *f, const bad_case *k)
{
    if (k->c) {
        put_text(b, f, k->c);
        return;
    }
    fa_buf_z(b, "(");
    fa_buf_str(b, k->expr);
    fa_buf_z(b, ")::VARCHAR");
}

static void put_condition(fa_buf *b, const fa_bill_file *f, const bad_case *k, const fa_tally *t)
{
    if (strcmp(k->reason, "is empty") == 0) {
        put_case_text(b, f, k);
        fa_buf_z(b, " IS NULL");
        return;
    }
    if (k->focus && k->focus->kind == FA_C_TAGS) {
        fa_buf_z(b, "(");
        put_case_text(b, f, k);
        fa_buf_z(b, " IS NOT NULL AND fa_tags(");
        put_case_text(b, f, k);
        fa_buf_z(b, ") IS NULL)");
        return;
    }
    if (strstr(k->reason, "range")) {
        fa_buf_z(b, "(abs(");
        if (k->c)
            put_dec(b, f, k->c, t);
        else
            fa_buf_str(b, k->expr);
        fa_buf_fmt(b, ") >= %d)", FA_MONEY_MAX);
        return;
    }
    fa_buf_z(b, "(");
    put_text(b, f, k->c);
    fa_buf_z(b, " IS NOT NULL AND ");
    put_typed(b, f, k->c, k->kind, t);
    fa_buf_z(b, " IS NULL)");
}

static bool is_money(const fa_column *c)
{
    for (int m = 0; m < FA_M__MONEY; m++)
        if (c && fa_measures[m].focus && strcmp(fa_measures[m].focus, c->name) == 0)
            return true;
    return false;
}

static const char *const not_time = "is not a date and time between 2000 and 2100";
static const char *const not_number = "is not a number of at most 20 digits before the point";

/* Columns that a FOCUS file gives as they are. */
static size_t direct_cases(const fa_bill_file *f, const fa_bill_out *o, bad_case *out)
{
    const fa_bill_column *c = &f->column[o->column];
    bad_case k = {.column = c->name, .c = c, .focus = o->focus, .kind = kind_of(o->focus)};
    size_t n = 0;

    if (!o->focus)
        return 0;
    if (o->focus->not_null) {
        k.reason = "is empty";
        out[n++] = k;
    }
    if (k.kind != FA_IN_TEXT) {
        k.reason = k.kind == FA_IN_TIME ? not_time : not_number;
        out[n++] = k;
    }
    return n;
}

/* What is made of several columns: only its value can be judged. */
static size_t made_cases(const fa_bill_out *o, bad_case *out)
{
    bad_case k = {.column = o->name, .expr = o->expr, .focus = o->focus};

    if (!o->focus || !o->focus->not_null)
        return 0;
    k.reason = "is empty";
    out[0] = k;
    return 1;
}

static size_t bad_cases(const fa_bill_file *f, bad_case *out)
{
    size_t n = 0;

    for (size_t i = 0; i < f->nin; i++) {
        const fa_bill_in *in = &f->in[i];
        const fa_bill_column *c = &f->column[in->column];
        bad_case k = {.column = c->name, .c = c, .kind = in->kind};

        if (in->kind != FA_IN_TEXT && in->kind != FA_IN_JSON) {
            k.reason = in->kind == FA_IN_TIME  ? not_time
                       : in->kind == FA_IN_DEC ? not_number
                                               : "is not a list of credits with their amounts";
            out[n++] = k;
        }
        if (in->not_null) {
            k.reason = "is empty";
            out[n++] = k;
        }
    }
    for (size_t i = 0; i < f->nout; i++) {
        const fa_bill_out *o = &f->out[i];
        bool direct = o->column != SIZE_MAX;
        bad_case k = {.column = direct ? f->column[o->column].name : o->name,
                      .c = direct ? &f->column[o->column] : NULL,
                      .expr = o->expr,
                      .focus = o->focus};

        n += !direct ? made_cases(o, &out[n]) : f->nin ? 0 : direct_cases(f, o, &out[n]);
        if (is_money(o->focus)) {
            k.reason = "is past the fixed-point range of 900,000,000";
            out[n++] = k;
        }
        if (o->focus && o->focus->kind == FA_C_TAGS) {
            k.reason = "is not a JSON object";
            out[n++] = k;
        }
    }
    return n;
}

fa_rc fa_map_bad_rows(fa_arena *a, const fa_bill_file *f, const char *pipe_path,
                      const fa_tally *scratch, int64_t limit, fa_str *sql, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_buf b;
    bad_case *k = fa_arena_array(a, f->nout * 4 + f->nin * 2 + 1, sizeof *k);
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
        fa_buf_sql_text(&b, k[i].column);
        fa_buf_z(&b, ", 'v': ");
        put_case_text(&b, f, &k[i]);
        fa_buf_z(&b, ", 'r': ");
        fa_buf_sql_text(&b, fa_str_of(k[i].reason));
        fa_buf_z(&b, "}");
    }
    fa_buf_z(&b, " END AS w FROM ");
    put_ins(&b, f, pipe_path, scratch, FA_STR(""), true);
    fa_buf_fmt(&b, " AS record) WHERE w IS NOT NULL ORDER BY fa_row LIMIT %lld", (long long)limit);
    *sql = fa_buf_dup(&b, a);
    if (!sql->p)
        rc = fa_oom(e);
    fa_buf_release(&b);
    return rc;
}
