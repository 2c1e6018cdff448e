/*
 * jsonl.c - JSON lines, as BigQuery extracts a table, turned into CSV records while they stream.
 *
 * The one idea: nested objects become columns named by their dotted path, lists stay JSON text, and a
 * number is never more than its own characters, so that no amount passes through a double. From there on
 * a JSON file is a CSV file: the same engine, the same errors by row and column. What a later line holds
 * that the first ones did not goes into the last column, x_Other, as a JSON object.
 */
#include "bill/inner.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 24
#define OTHER "x_Other"

struct fa_jsonl {
    fa_map *index; /* path -> column */
    size_t ncolumn;
    fa_buf *cell;
    bool *set;
    fa_buf path, text, other;
    const char *p, *end;
    fa_arena *add_to; /* while columns are being found: unknown paths become columns */
    fa_bill_file *file;
    fa_str *name;
};

/* What Google's export may hold, so that a column is there even if no early line fills it. */
static const char *const google_paths[] = {
    "billing_account_id",
    "service.id",
    "service.description",
    "sku.id",
    "sku.description",
    "usage_start_time",
    "usage_end_time",
    "project.id",
    "project.number",
    "project.name",
    "project.labels",
    "project.ancestry_numbers",
    "project.ancestors",
    "labels",
    "system_labels",
    "tags",
    "location.location",
    "location.country",
    "location.region",
    "location.zone",
    "resource.name",
    "resource.global_name",
    "price.effective_price",
    "price.effective_price_default",
    "price.list_price",
    "price.tier_start_amount",
    "price.unit",
    "price.pricing_unit_quantity",
    "subscription.instance_id",
    "consumption_model.id",
    "consumption_model.description",
    "cost",
    "cost_at_list",
    "cost_at_effective_price_default",
    "cost_at_list_consumption_model",
    "currency",
    "currency_conversion_rate",
    "usage.amount",
    "usage.unit",
    "usage.amount_in_pricing_units",
    "usage.pricing_unit",
    "credits",
    "invoice.month",
    "invoice.publisher_type",
    "cost_type",
    "adjustment_info.id",
    "adjustment_info.description",
    "adjustment_info.mode",
    "adjustment_info.type",
    "transaction_type",
    "seller_name",
    "export_time",
};

bool fa_jsonl_is(fa_str start)
{
    size_t i = fa_str_starts(start, FA_STR("\xef\xbb\xbf")) ? 3 : 0;

    while (i < start.n && isspace((unsigned char)start.p[i]))
        i++;
    return i < start.n && start.p[i] == '{';
}

/* ---- reading one value ---- */

static void skip_space(fa_jsonl *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\r'))
        j->p++;
}

static fa_rc broken(fa_err *e, const char *what)
{
    return fa_fail(e, FA_EDATA, "not a JSON object: %s", what);
}

static int hex4(const char *p)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];

        if (!isxdigit(c))
            return -1;
        v = v * 16 + (isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

static void put_utf8(fa_buf *b, unsigned c)
{
    if (c < 0x80) {
        fa_buf_c(b, (char)c);
    } else if (c < 0x800) {
        fa_buf_c(b, (char)(0xc0 | c >> 6));
        fa_buf_c(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        fa_buf_c(b, (char)(0xe0 | c >> 12));
        fa_buf_c(b, (char)(0x80 | (c >> 6 & 0x3f)));
        fa_buf_c(b, (char)(0x80 | (c & 0x3f)));
    } else {
        fa_buf_c(b, (char)(0xf0 | c >> 18));
        fa_buf_c(b, (char)(0x80 | (c >> 12 & 0x3f)));
        fa_buf_c(b, (char)(0x80 | (c >> 6 & 0x3f)));
        fa_buf_c(b, (char)(0x80 | (c & 0x3f)));
    }
}

/* \uXXXX at j->p, which stands behind the u. */
static fa_rc take_unicode(fa_jsonl *j, fa_buf *out, fa_err *e)
{
    int c = j->end - j->p >= 4 ? hex4(j->p) : -1;

    if (c <= 0)
        return broken(e, "a \\u escape is wrong");
    j->p += 4;
    if (c >= 0xd800 && c < 0xdc00) {
        int low = j->end - j->p >= 6 && j->p[0] == '\\' && j->p[1] == 'u' ? hex4(j->p + 2) : -1;

        if (low < 0xdc00 || low > 0xdfff)
            return broken(e, "half a surrogate pair");
        j->p += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c <= 0xdfff) {
        return broken(e, "half a surrogate pair");
    }
    put_utf8(out, (unsigned)c);
    return FA_OK;
}

/* A string's text, appended to out. */
static fa_rc take_string(fa_jsonl *j, fa_buf *out, fa_err *e)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    if (j->p == j->end || *j->p != '"')
        return broken(e, "a quote is due");
    for (j->p++; j->p < j->end && *j->p != '"';) {
        const char *which;

        if (*j->p != '\\') {
            fa_buf_c(out, *j->p++);
            continue;
        }
        if (++j->p == j->end)
            break;
        if (*j->p == 'u') {
            j->p++;
            if (take_unicode(j, out, e))
                return e->rc;
            continue;
        }
        which = strchr(from, *j->p);
        if (!which || !*which)
            return broken(e, "an escape is wrong");
        fa_buf_c(out, to[which - from]);
        j->p++;
    }
    if (j->p == j->end)
        return broken(e, "a quote is never closed: the line is cut off");
    j->p++;
    return out->failed ? fa_oom(e) : FA_OK;
}

/* Passes over any value; its text is what lies between. */
static fa_rc skip_value(fa_jsonl *j, int depth, fa_err *e)
{
    char open = j->p < j->end ? *j->p : 0, close = open == '{' ? '}' : ']';

    if (depth > DEPTH_MAX)
        return broken(e, "nested too deeply");
    if (open == '"') {
        fa_buf_clear(&j->text);
        return take_string(j, &j->text, e);
    }
    if (open != '{' && open != '[') {
        const char *start = j->p;

        while (j->p < j->end && !strchr(",}] \t\r", *j->p))
            j->p++;
        return j->p > start ? FA_OK : broken(e, "a value is missing");
    }
    j->p++;
    skip_space(j);
    if (j->p < j->end && *j->p == close) {
        j->p++;
        return FA_OK;
    }
    for (;;) {
        if (open == '{') {
            fa_buf_clear(&j->text);
            if (take_string(j, &j->text, e))
                return e->rc;
            skip_space(j);
            if (j->p == j->end || *j->p++ != ':')
                return broken(e, "a colon is due");
            skip_space(j);
        }
        if (skip_value(j, depth + 1, e))
            return e->rc;
        skip_space(j);
        if (j->p == j->end)
            return broken(e, "a bracket is never closed: the line is cut off");
        if (*j->p == close) {
            j->p++;
            return FA_OK;
        }
        if (*j->p++ != ',')
            return broken(e, "a comma is due");
        skip_space(j);
    }
}

static bool is_scalar(fa_str raw)
{
    return raw.n && (isdigit((unsigned char)raw.p[0]) || raw.p[0] == '-' ||
                     fa_str_eqz(raw, "true") || fa_str_eqz(raw, "false"));
}

/* ---- an object's members into cells ---- */

static bool column_of(fa_jsonl *j, size_t *at, fa_err *e)
{
    fa_str path = fa_buf_view(&j->path);

    if (fa_map_get(j->index, path, at))
        return true;
    if (!j->add_to)
        return false;
    *at = j->file->ncolumn;
    return fa_bill_add_column(j->add_to, j->file, path, FA_STR("VARCHAR"), e) == FA_OK &&
           fa_map_set(j->index, path, *at);
}

static void put_other(fa_jsonl *j, fa_str raw)
{
    fa_buf_c(&j->other, j->other.n ? ',' : '{');
    fa_buf_json(&j->other, fa_buf_view(&j->path));
    fa_buf_c(&j->other, ':');
    fa_buf_str(&j->other, raw);
}

static fa_rc take_leaf(fa_jsonl *j, fa_err *e)
{
    const char *start = j->p;
    bool is_text = *start == '"';
    fa_str raw;
    size_t at;

    if (skip_value(j, 1, e))
        return e->rc;
    raw = (fa_str){start, (size_t)(j->p - start)};
    if (fa_str_eqz(raw, "null") || fa_str_eqz(raw, "[]") || fa_str_eqz(raw, "\"\""))
        return FA_OK;
    if (!is_text && *start != '[' && !is_scalar(raw))
        return broken(e, "a value is neither text, number, true, false nor null");
    e->rc = FA_OK;
    if (!column_of(j, &at, e)) {
        if (j->add_to)
            return e->rc ? e->rc : fa_oom(e);
        put_other(j, raw);
        return FA_OK;
    }
    if (j->add_to)
        return FA_OK;
    fa_buf_clear(&j->cell[at]);
    fa_buf_str(&j->cell[at], is_text ? fa_buf_view(&j->text) : raw);
    j->set[at] = true;
    return FA_OK;
}

static fa_rc take_object(fa_jsonl *j, int depth, fa_err *e)
{
    size_t base = j->path.n;

    if (j->p == j->end || *j->p++ != '{')
        return broken(e, "an open brace is due");
    if (depth > DEPTH_MAX)
        return broken(e, "nested too deeply");
    skip_space(j);
    if (j->p < j->end && *j->p == '}') {
        j->p++;
        return FA_OK;
    }
    for (;;) {
        fa_rc rc;

        j->path.n = base;
        if (base)
            fa_buf_c(&j->path, '.');
        if (take_string(j, &j->path, e))
            return e->rc;
        skip_space(j);
        if (j->p == j->end || *j->p++ != ':')
            return broken(e, "a colon is due");
        skip_space(j);
        if (j->p == j->end)
            return broken(e, "the line is cut off");
        rc = *j->p == '{' ? take_object(j, depth + 1, e) : take_leaf(j, e);
        if (rc)
            return rc;
        skip_space(j);
        if (j->p == j->end)
            return broken(e, "a brace is never closed: the line is cut off");
        if (*j->p == '}') {
            j->p++;
            j->path.n = base;
            return FA_OK;
        }
        if (*j->p++ != ',')
            return broken(e, "a comma is due");
        skip_space(j);
    }
}

static fa_rc take_line(fa_jsonl *j, fa_str line, fa_err *e)
{
    j->p = line.p;
    j->end = line.p + line.n;
    fa_buf_clear(&j->path);
    fa_buf_clear(&j->other);
    skip_space(j);
    if (take_object(j, 0, e))
        return e->rc;
    skip_space(j);
    return j->p == j->end ? FA_OK : broken(e, "something stands behind the object");
}

/* ---- the file's columns ---- */

static fa_rc new_jsonl(fa_jsonl **out, fa_err *e)
{
    fa_jsonl *j = calloc(1, sizeof *j);

    *out = NULL;
    if (!j || !(j->index = fa_map_new())) {
        free(j);
        return fa_oom(e);
    }
    fa_buf_init(&j->path, 1 << 16);
    fa_buf_init(&j->text, 4 << 20);
    fa_buf_init(&j->other, 4 << 20);
    *out = j;
    return FA_OK;
}

static fa_rc add_google(fa_jsonl *j, fa_err *e)
{
    for (size_t i = 0; i < FA_COUNT(google_paths); i++) {
        size_t at;

        fa_buf_clear(&j->path);
        fa_buf_z(&j->path, google_paths[i]);
        e->rc = FA_OK;
        if (!column_of(j, &at, e))
            return e->rc ? e->rc : fa_oom(e);
    }
    return FA_OK;
}

fa_rc fa_jsonl_columns(fa_arena *a, fa_bill_file *f, fa_str start, fa_err *e)
{
    fa_jsonl *j;
    fa_rc rc = new_jsonl(&j, e);
    size_t lines = 0, seen;

    if (rc)
        return rc;
    f->kind = FA_FILE_JSONL;
    j->file = f;
    j->add_to = a;
    if (fa_str_starts(start, FA_STR("\xef\xbb\xbf")))
        start = (fa_str){start.p + 3, start.n - 3};
    while (!rc && start.n) {
        const char *nl = memchr(start.p, '\n', start.n);
        fa_str line = {start.p, nl ? (size_t)(nl - start.p) : start.n};
        bool is_last = !nl;

        start = (fa_str){line.p + line.n + !is_last, start.n - line.n - !is_last};
        if (fa_str_trim(line).n == 0)
            continue;
        lines++;
        if (take_line(j, line, e)) {
            if (is_last && lines > 1)
                break; /* the sample ends in it; if the file does, the feed says so */
            rc = fa_fail(e, FA_EDATA, "%.*s: line %zu: %s", FA_FMT(f->name), lines,
                         fa_arena_dupz(a, fa_str_of(e->msg)));
        }
    }
    if (!rc && fa_map_get(j->index, FA_STR("usage_start_time"), &seen))
        rc = add_google(j, e);
    if (!rc)
        rc = fa_bill_add_column(a, f, FA_STR(OTHER), FA_STR("VARCHAR"), e);
    fa_jsonl_free(j);
    return rc;
}

/* ---- the stream ---- */

fa_rc fa_jsonl_new(const fa_bill_file *f, fa_jsonl **out, fa_err *e)
{
    fa_jsonl *j;

    if (new_jsonl(out, e))
        return e->rc;
    j = *out;
    j->ncolumn = f->ncolumn;
    j->cell = calloc(f->ncolumn + 1, sizeof *j->cell);
    j->set = calloc(f->ncolumn + 1, sizeof *j->set);
    j->name = calloc(f->ncolumn + 1, sizeof *j->name);
    if (!j->cell || !j->set || !j->name)
        goto oom;
    for (size_t i = 0; i < f->ncolumn; i++) {
        fa_buf_init(&j->cell[i], 4 << 20);
        j->name[i] = f->column[i].name;
        if (!fa_map_set(j->index, f->column[i].name, i))
            goto oom;
    }
    return FA_OK;
oom:
    fa_jsonl_free(j);
    *out = NULL;
    return fa_oom(e);
}

void fa_jsonl_free(fa_jsonl *j)
{
    if (!j)
        return;
    for (size_t i = 0; j->cell && i < j->ncolumn; i++)
        fa_buf_release(&j->cell[i]);
    free(j->cell);
    free(j->set);
    free(j->name);
    fa_map_free(j->index);
    fa_buf_release(&j->path);
    fa_buf_release(&j->text);
    fa_buf_release(&j->other);
    free(j);
}

void fa_jsonl_header(const fa_jsonl *j, fa_buf *out)
{
    for (size_t i = 0; i < j->ncolumn; i++) {
        if (i)
            fa_buf_c(out, ',');
        fa_buf_csv(out, j->name[i], false);
    }
    fa_buf_c(out, '\n');
}

fa_rc fa_jsonl_line(fa_jsonl *j, fa_str line, fa_buf *out, fa_err *e)
{
    memset(j->set, 0, j->ncolumn * sizeof *j->set);
    if (take_line(j, line, e))
        return e->rc;
    if (j->other.n) {
        fa_buf_c(&j->other, '}');
        fa_buf_clear(&j->cell[j->ncolumn - 1]);
        fa_buf_str(&j->cell[j->ncolumn - 1], fa_buf_view(&j->other));
        j->set[j->ncolumn - 1] = true;
    }
    for (size_t i = 0; i < j->ncolumn; i++) {
        if (i)
            fa_buf_c(out, ',');
        if (j->set[i])
            fa_buf_csv(out, fa_buf_view(&j->cell[i]), false);
    }
    fa_buf_c(out, '\n');
    return out->failed ? fa_oom(e) : FA_OK;
}
