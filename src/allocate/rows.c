/*
 * rows.c - the rows of dictionaries and hierarchies: sorted, checked for contradictions, shared.
 *
 * The one idea: a row says "this source is that from one day to another", so rows of one source may
 * not overlap. Sorted by source and first day, a contradiction stands next to what it contradicts.
 */
#include "allocate/inner.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

fa_tag_rows *fa_rows_ref(fa_tag_rows *r)
{
    if (r)
        atomic_fetch_add(&r->refs, 1);
    return r;
}

void fa_rows_unref(fa_tag_rows *r)
{
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    fa_arena_release(&r->mem);
    free(r);
}

void fa_row_fault_add(fa_row_faults *f, fa_arena *a, size_t line, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    f->all++;
    if (f->n == FA_ROW_FAULTS_MAX)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    f->fault[f->n].line = line;
    f->fault[f->n].message = fa_arena_dup(a, fa_str_of(text));
    f->n++;
}

/* One statement of one level. */
typedef struct said {
    fa_str source, target;
    int32_t from, to;
    size_t line;
} said;

static int cmp_said(const said *x, const said *y, bool fold)
{
    size_t n = x->source.n < y->source.n ? x->source.n : y->source.n;
    int c = !n     ? 0
            : fold ? strncasecmp(x->source.p, y->source.p, n)
                   : memcmp(x->source.p, y->source.p, n);

    if (c == 0)
        c = (x->source.n > y->source.n) - (x->source.n < y->source.n);
    if (c == 0)
        c = (x->from > y->from) - (x->from < y->from);
    return c ? c : (x->line > y->line) - (x->line < y->line);
}

static int by_source(const void *a, const void *b)
{
    return cmp_said(a, b, false);
}

static int by_folded(const void *a, const void *b)
{
    return cmp_said(a, b, true);
}

static void put_span(char *out, size_t size, int32_t from, int32_t to)
{
    fa_buf b = {0};

    if (from == FA_DAY_MIN && to == FA_DAY_MAX) {
        snprintf(out, size, "on all days");
        return;
    }
    if (from != FA_DAY_MIN) {
        fa_buf_z(&b, "from ");
        fa_day_emit(&b, from);
    }
    if (to != FA_DAY_MAX) {
        fa_buf_z(&b, from == FA_DAY_MIN ? "to " : " to ");
        fa_day_emit(&b, to);
    }
    snprintf(out, size, "%s", b.p ? b.p : "");
    fa_buf_release(&b);
}

/* Drops what says the same again (is_tree), names what contradicts. Gives how many are left. */
static size_t settle(said *s, size_t n, bool is_tree, bool fold, fa_arena *a, fa_row_faults *faults)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        said *last = kept ? &s[kept - 1] : NULL;
        char span[64];

        bool same = last && (fold ? fa_str_ieq(last->source, s[i].source)
                                  : fa_str_eq(last->source, s[i].source));

        if (same && is_tree && last->to < FA_DAY_MAX && last->to + 1 == s[i].from &&
            fa_str_eq(last->target, s[i].target)) {
            last->to = s[i].to; /* one stretch of days, however it was written */
        } else if (!same || last->to < s[i].from) {
            s[kept++] = s[i];
        } else if (is_tree && fa_str_eq(last->target, s[i].target)) {
            if (s[i].to > last->to)
                last->to = s[i].to;
        } else {
            put_span(span, sizeof span, last->from, last->to);
            fa_row_fault_add(faults, a, s[i].line, "\"%.*s\" is mapped already %s (line %zu)",
                             (int)(s[i].source.n > 200 ? 200 : s[i].source.n), s[i].source.p, span,
                             last->line);
        }
    }
    return kept;
}

/* Every text once: neighbours share their source, and a value is often that of the row before. */
static fa_rc keep_level(fa_tag_rows *r, size_t level, const said *s, size_t n,
                        crypto_generichash_state *hash, fa_err *e)
{
    fa_dictionary_row *row = fa_arena_array(&r->mem, n + 1, sizeof *row);

    if (!row)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        uint32_t len[2] = {(uint32_t)s[i].source.n, (uint32_t)s[i].target.n};
        int32_t days[2] = {s[i].from, s[i].to};

        row[i].from = s[i].from;
        row[i].to = s[i].to;
        row[i].source = i && fa_str_eq(row[i - 1].source, s[i].source)
                            ? row[i - 1].source
                            : fa_arena_dup(&r->mem, s[i].source);
        row[i].target = i && fa_str_eq(row[i - 1].target, s[i].target)
                            ? row[i - 1].target
                            : fa_arena_dup(&r->mem, s[i].target);
        if (!row[i].source.p || !row[i].target.p)
            return fa_oom(e);
        crypto_generichash_update(hash, (const unsigned char *)len, sizeof len);
        crypto_generichash_update(hash, (const unsigned char *)days, sizeof days);
        crypto_generichash_update(hash, (const unsigned char *)s[i].source.p, s[i].source.n);
        crypto_generichash_update(hash, (const unsigned char *)s[i].target.p, s[i].target.n);
    }
    r->row[level] = row;
    r->n[level] = n;
    return FA_OK;
}

static fa_rc first_fault(const fa_row_faults *f, fa_err *e)
{
    if (!f->all)
        return FA_OK;
    return fa_fail(e, FA_EDATA, "line %zu: %.*s%s", f->fault[0].line, FA_FMT(f->fault[0].message),
                   f->all > 1 ? " (and more)" : "");
}

fa_rc fa_tag_rows_make(fa_raw_row *raw, size_t n, size_t nlevel, bool is_tree, bool ignore_case,
                       fa_arena *a, fa_row_faults *faults, fa_tag_rows **out, fa_err *e)
{
    fa_tag_rows *r = calloc(1, sizeof *r);
    said *s = malloc((n + 1) * sizeof *s);
    crypto_generichash_state hash;
    fa_rc rc = r && s ? FA_OK : fa_oom(e);

    *out = NULL;
    if (rc)
        goto done;
    atomic_init(&r->refs, 1);
    r->nlevel = nlevel;
    crypto_generichash_init(&hash, NULL, 0, sizeof r->hash);
    for (size_t level = 0; !rc && level < nlevel; level++) {
        bool fold = ignore_case && level == 0;
        size_t m = 0;

        for (size_t i = 0; i < n; i++)
            if (raw[i].cell[level].n && raw[i].cell[level + 1].n)
                s[m++] = (said){raw[i].cell[level], raw[i].cell[level + 1], raw[i].from, raw[i].to,
                                raw[i].line};
        qsort(s, m, sizeof *s, fold ? by_folded : by_source);
        m = settle(s, m, is_tree, fold, a, faults);
        rc = keep_level(r, level, s, m, &hash, e);
    }
    crypto_generichash_final(&hash, r->hash, sizeof r->hash);
    if (!rc)
        rc = first_fault(faults, e);
done:
    free(s);
    if (rc)
        fa_rows_unref(r);
    else
        *out = r;
    return rc;
}

static bool inline_day(const json_t *v, int32_t open, int32_t *out)
{
    *out = open;
    return !v || json_is_null(v) ||
           (json_is_string(v) &&
            fa_day_parse((fa_str){json_string_value(v), json_string_length(v)}, out));
}

fa_rc fa_tag_rows_inline(const json_t *list, size_t nlevel, bool is_tree, bool ignore_case,
                         fa_tag_rows **out, fa_err *e)
{
    size_t n = json_array_size(list);
    fa_raw_row *raw;
    fa_row_faults *faults;
    fa_arena a;
    fa_rc rc = FA_OK;

    *out = NULL;
    if (!list)
        return FA_OK;
    if (!json_is_array(list) || n > FA_TAG_DICTIONARY_MAX)
        return fa_fail(e, FA_EINVAL, "rows must be an array of at most %d rows",
                       FA_TAG_DICTIONARY_MAX);
    fa_arena_init(&a, 0);
    raw = fa_arena_array(&a, n + 1, sizeof *raw);
    faults = fa_arena_alloc(&a, sizeof *faults);
    if (!raw || !faults)
        rc = fa_oom(e);
    for (size_t i = 0; !rc && i < n; i++) {
        const json_t *row = json_array_get(list, i);

        raw[i].line = i + 1;
        for (size_t k = 0; k <= nlevel; k++) {
            const json_t *v = json_array_get(row, k);

            if (json_is_string(v))
                raw[i].cell[k] = fa_str_trim((fa_str){json_string_value(v), json_string_length(v)});
            else if (v && !json_is_null(v))
                rc = fa_fail(e, FA_EINVAL, "row %zu: a cell must be a text", i + 1);
        }
        if (!rc && (!json_is_array(row) ||
                    !inline_day(json_array_get(row, nlevel + 1), FA_DAY_MIN, &raw[i].from) ||
                    !inline_day(json_array_get(row, nlevel + 2), FA_DAY_MAX, &raw[i].to)))
            rc = fa_fail(e, FA_EINVAL,
                         "row %zu: must be an array of texts, then two days YYYY-MM-DD or null",
                         i + 1);
    }
    if (!rc)
        rc = fa_tag_rows_make(raw, n, nlevel, is_tree, ignore_case, &a, faults, out, e);
    fa_arena_release(&a);
    return rc;
}
