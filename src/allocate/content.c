/*
 * content.c - rows of dictionaries and hierarchies as CSV: read with every wrong line named, written,
 * packed into meta.db.
 */
#include "allocate/inner.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { CONTENT_MAX = 512 << 20, LEVEL = 3 };

/* ---- shape ---- */

static fa_str text_of(const json_t *v)
{
    return (fa_str){json_string_value(v), json_string_length(v)};
}

void fa_rows_shape_of(const json_t *doc, fa_rows_shape *out)
{
    fa_str kind = text_of(json_object_get(doc, "kind"));
    const json_t *o, *levels, *v;
    size_t i;

    *out = (fa_rows_shape){0};
    if (fa_str_eqz(kind, "dictionary")) {
        o = json_object_get(doc, "dictionary");
        out->nlevel = 1;
        out->head[0] = FA_STR("source");
        out->head[1] = FA_STR("destination");
    } else if (fa_str_eqz(kind, "hierarchy")) {
        o = json_object_get(doc, "hierarchy");
        levels = json_object_get(o, "levels");
        out->is_tree = true;
        out->head[0] = FA_STR("base");
        json_array_foreach(levels, i, v) if (i < FA_TAG_LEVELS_MAX) out->head[++out->nlevel] =
            text_of(json_object_get(v, "name"));
    } else {
        return;
    }
    out->ignore_case = json_is_true(json_object_get(o, "ignoreCase"));
}

/* ---- cells ---- */

static bool is_trigger(char c)
{
    return c && strchr("=+-@\t\r\n", c);
}

void fa_put_cell(fa_buf *b, fa_str s)
{
    size_t quotes = 0;

    while (quotes < s.n && s.p[quotes] == '\'')
        quotes++;
    if (quotes && quotes < s.n && is_trigger(s.p[quotes])) { /* it would lose one when read back */
        fa_buf more = {0};

        fa_buf_c(&more, '\'');
        fa_buf_str(&more, s);
        fa_buf_csv(b, fa_buf_view(&more), false);
        b->failed |= more.failed;
        fa_buf_release(&more);
        return;
    }
    fa_buf_csv(b, s, true);
}

fa_str fa_take_cell(fa_str s)
{
    size_t quotes = 0;

    while (quotes < s.n && s.p[quotes] == '\'')
        quotes++;
    if (quotes && quotes < s.n && is_trigger(s.p[quotes]))
        return (fa_str){s.p + 1, s.n - 1};
    return s;
}

char fa_csv_separator(fa_str text)
{
    static const char candidates[] = ",;\t";
    size_t best = 0, most = 0;

    for (size_t c = 0; c < 3; c++) {
        size_t n = 0;

        for (size_t i = 0; i < text.n && text.p[i] != '\n'; i++)
            n += text.p[i] == candidates[c];
        if (n > most) {
            most = n;
            best = c;
        }
    }
    return candidates[best];
}

/* ---- reading ---- */

typedef struct reading {
    const fa_rows_shape *shape;
    fa_arena *a;
    fa_row_faults *faults;
    fa_raw_row *row;
    size_t n, cap;
} reading;

static bool take_day(reading *r, fa_csv *c, size_t at, int32_t open, int32_t *out)
{
    fa_str s = at < c->n ? fa_str_trim(c->cell[at]) : (fa_str){0};

    *out = open;
    if (!s.n || fa_day_parse(s, out))
        return true;
    fa_row_fault_add(r->faults, r->a, (size_t)c->line,
                     "\"%.*s\" is no day; days are written YYYY-MM-DD", (int)(s.n > 40 ? 40 : s.n),
                     s.p);
    return false;
}

/* A dictionary's row needs its value; a tree's may end early, but not have a gap. */
static bool has_gap(reading *r, const fa_raw_row *row)
{
    const fa_rows_shape *s = r->shape;

    if (!s->is_tree && !row->cell[1].n) {
        fa_row_fault_add(r->faults, r->a, row->line, "\"%.*s\" has no destination",
                         (int)(row->cell[0].n > 200 ? 200 : row->cell[0].n), row->cell[0].p);
        return true;
    }
    for (size_t k = 1; k < s->nlevel; k++)
        if (!row->cell[k].n && row->cell[k + 1].n) {
            fa_row_fault_add(r->faults, r->a, row->line,
                             "a value of \"%.*s\" stands behind an empty \"%.*s\"",
                             FA_FMT(s->head[k + 1]), FA_FMT(s->head[k]));
            return true;
        }
    return false;
}

static fa_rc take_row(reading *r, fa_csv *c, fa_err *e)
{
    const fa_rows_shape *s = r->shape;
    fa_raw_row row = {.line = (size_t)c->line};
    bool ok = true;

    if (c->n > s->nlevel + 3)
        fa_row_fault_add(r->faults, r->a, row.line, "has %zu cells; at most %zu are understood",
                         c->n, s->nlevel + 3);
    for (size_t k = 0; k <= s->nlevel; k++) {
        fa_str cell = k < c->n ? fa_str_trim(fa_take_cell(c->cell[k])) : (fa_str){"", 0};

        if (cell.n > FA_TAG_TEXT_MAX || !fa_utf8_valid(cell)) {
            fa_row_fault_add(r->faults, r->a, row.line,
                             "cell %zu is not UTF-8 text of at most %d bytes", k + 1,
                             FA_TAG_TEXT_MAX);
            ok = false;
        } else if (!(row.cell[k] = fa_arena_dup(r->a, cell)).p) {
            return fa_oom(e);
        }
    }
    ok = take_day(r, c, s->nlevel + 1, FA_DAY_MIN, &row.from) &&
         take_day(r, c, s->nlevel + 2, FA_DAY_MAX, &row.to) && ok;
    if (!ok || !row.cell[0].n) /* a blank source maps nothing */
        return FA_OK;
    if (row.to < row.from) {
        fa_row_fault_add(r->faults, r->a, row.line, "ends before it begins");
        return FA_OK;
    }
    if (has_gap(r, &row))
        return FA_OK;
    if (r->n == FA_TAG_DICTIONARY_MAX)
        return fa_fail(e, FA_EDATA, "there are more than %d rows", FA_TAG_DICTIONARY_MAX);
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 1024;
        fa_raw_row *more = realloc(r->row, cap * sizeof *more);

        if (!more)
            return fa_oom(e);
        r->row = more;
        r->cap = cap;
    }
    r->row[r->n++] = row;
    return FA_OK;
}

fa_rc fa_rows_read(fa_str text, const fa_rows_shape *shape, fa_arena *a, fa_row_faults *faults,
                   fa_tag_rows **out, fa_err *e)
{
    reading r = {.shape = shape, .a = a, .faults = faults};
    fa_csv c;
    bool more = false;
    fa_rc rc;

    *out = NULL;
    fa_csv_init(&c, text);
    c.sep = fa_csv_separator(c.rest);
    if ((rc = fa_csv_next(&c, &more, e)))
        goto done;
    if (!more || c.n < shape->nlevel + 1) {
        fa_row_fault_add(faults, a, 1, "the header needs %zu columns: %.*s, %.*s%s",
                         shape->nlevel + 1, FA_FMT(shape->head[0]), FA_FMT(shape->head[1]),
                         shape->nlevel > 1 ? ", .." : "");
        rc = fa_fail(e, FA_EDATA, "line 1: %.*s", FA_FMT(faults->fault[0].message));
        goto done;
    }
    while (!(rc = fa_csv_next(&c, &more, e)) && more && !(rc = take_row(&r, &c, e)))
        ;
    if (rc == FA_EDATA && !faults->all)
        fa_row_fault_add(faults, a, (size_t)c.line, "%s", e ? e->msg : "cannot be read");
    if (!rc)
        rc = fa_tag_rows_make(r.row, r.n, shape->nlevel, shape->is_tree, shape->ignore_case, a,
                              faults, out, e);
done:
    free(r.row);
    fa_csv_release(&c);
    return rc;
}

/* ---- writing ---- */

/* One line: the cells of levels 0 to `level`, and its days. */
static void put_line(fa_buf *b, const fa_rows_shape *s, size_t level, const fa_str *cell,
                     int64_t from, int64_t to)
{
    for (size_t k = 0; k <= s->nlevel; k++) {
        if (k)
            fa_buf_c(b, ',');
        if (k <= level)
            fa_put_cell(b, cell[k]);
    }
    fa_buf_c(b, ',');
    if (from != FA_DAY_MIN)
        fa_day_emit(b, (int32_t)from);
    fa_buf_c(b, ',');
    if (to != FA_DAY_MAX)
        fa_day_emit(b, (int32_t)to);
    fa_buf_z(b, "\r\n");
}

static size_t first_of(const fa_tag_rows *r, size_t level, fa_str source)
{
    size_t low = 0, high = r->n[level];

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (fa_str_cmp(r->row[level][mid].source, source) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* What cell[level] belongs to on the days from..to, a line for every stretch of days. */
static void put_tree(fa_buf *b, const fa_rows_shape *s, const fa_tag_rows *r, size_t level,
                     fa_str *cell, int64_t from, int64_t to)
{
    for (size_t i = level < r->nlevel ? first_of(r, level, cell[level]) : 0;
         level < r->nlevel && i < r->n[level] && fa_str_eq(r->row[level][i].source, cell[level]);
         i++) {
        const fa_dictionary_row *row = &r->row[level][i];
        int64_t first = row->from > from ? row->from : from, last = row->to < to ? row->to : to;

        if (first > last)
            continue;
        if (first > from)
            put_line(b, s, level, cell, from, first - 1);
        cell[level + 1] = row->target;
        put_tree(b, s, r, level + 1, cell, first, last);
        from = last + 1;
    }
    if (from <= to)
        put_line(b, s, level, cell, from, to);
}

void fa_rows_write(fa_buf *b, const fa_rows_shape *s, const fa_tag_rows *r)
{
    for (size_t k = 0; k <= s->nlevel; k++) {
        fa_buf_z(b, k ? "," : "");
        fa_put_cell(b, s->head[k]);
    }
    fa_buf_z(b, ",from,to\r\n");
    for (size_t i = 0; r && r->nlevel && i < r->n[0]; i++) {
        fa_str cell[FA_TAG_LEVELS_MAX + 1] = {r->row[0][i].source, r->row[0][i].target};

        put_tree(b, s, r, 1, cell, r->row[0][i].from, r->row[0][i].to);
    }
}

/* ---- packing ---- */

fa_rc fa_pack(fa_arena *a, fa_str plain, fa_str *out, fa_err *e)
{
    size_t room = ZSTD_compressBound(plain.n), n;
    char *p = fa_arena_alloc(a, room + 1);

    if (!p)
        return fa_oom(e);
    n = ZSTD_compress(p, room, plain.p, plain.n, LEVEL);
    if (ZSTD_isError(n))
        return fa_fail(e, FA_EINTERNAL, "could not pack rows: %s", ZSTD_getErrorName(n));
    *out = (fa_str){p, n};
    return FA_OK;
}

fa_rc fa_unpack(fa_arena *a, fa_str packed, fa_str *out, fa_err *e)
{
    unsigned long long size = ZSTD_getFrameContentSize(packed.p, packed.n);
    size_t n;
    char *p;

    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > CONTENT_MAX)
        return fa_fail(e, FA_EDATA, "the rows of a virtual tag in meta.db are damaged");
    if (!(p = fa_arena_alloc(a, (size_t)size + 1)))
        return fa_oom(e);
    n = ZSTD_decompress(p, (size_t)size, packed.p, packed.n);
    if (ZSTD_isError(n) || n != size)
        return fa_fail(e, FA_EDATA, "the rows of a virtual tag in meta.db are damaged");
    *out = (fa_str){p, n};
    return FA_OK;
}

fa_rc fa_content_keep(fa_ledger *l, fa_arena *a, const fa_rows_shape *shape, const fa_tag_rows *r,
                      fa_str *hash, fa_err *e)
{
    fa_tag_content v = {.n = (int64_t)r->n[0]};
    char hex[33];
    fa_buf b;
    fa_rc rc;

    fa_hex(hex, r->hash, sizeof r->hash);
    *hash = v.hash = fa_arena_dup(a, fa_str_of(hex));
    fa_buf_init(&b, CONTENT_MAX);
    fa_rows_write(&b, shape, r);
    if (b.failed || !hash->p)
        rc = fa_fail(e, FA_ETOOBIG, "the rows are too many to keep");
    else if (!(rc = fa_pack(a, fa_buf_view(&b), &v.body, e)))
        rc = fa_tag_content_add(fa_ledger_store(l), fa_ledger_account(l), &v, e);
    fa_buf_release(&b);
    return rc;
}

fa_rc fa_content_load(fa_ledger *l, fa_str hash, const fa_rows_shape *shape, fa_tag_rows **out,
                      fa_err *e)
{
    fa_tag_content v;
    fa_row_faults *faults;
    fa_arena a;
    fa_str plain;
    fa_rc rc;

    *out = NULL;
    if (!hash.n || !shape->nlevel)
        return FA_OK;
    fa_arena_init(&a, (size_t)4 << 30);
    faults = fa_arena_alloc(&a, sizeof *faults);
    if (!faults)
        rc = fa_oom(e);
    else if (!(rc = fa_tag_content_get(fa_ledger_store(l), &a, fa_ledger_account(l), hash, true, &v,
                                       e)) &&
             !(rc = fa_unpack(&a, v.body, &plain, e)))
        rc = fa_rows_read(plain, shape, &a, faults, out, e);
    fa_arena_release(&a);
    return rc;
}
