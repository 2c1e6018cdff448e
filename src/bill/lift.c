/*
 * lift.c - a provider's format as two tables: the columns it reads and what the archive's are made of.
 *
 * The one idea: "lineItem/UnblendedCost" and "line_item_unblended_cost", "CostInBillingCurrency" and
 * "Kosten (costInBillingCurrency)" are one name once case, signs and the translation are taken off. So
 * a format names each column once, whatever dialect a file speaks; a column that a file lacks is NULL
 * in the SQL, and one that nobody asked for is kept.
 */
#include "bill/inner.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 256

fa_rc fa_bill_notice(fa_bill_match *m, fa_err *e, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    fa_str *grown, line;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    line = fa_arena_dup(m->a, fa_str_of(text));
    grown = fa_arena_array(m->a, m->nnotice + 1, sizeof *grown);
    if (!grown || !line.p)
        return fa_oom(e);
    for (size_t i = 0; i < m->nnotice; i++) /* of many files the same is said once */
        if (fa_str_eq(m->notice[i], line))
            return FA_OK;
    if (m->nnotice)
        memcpy(grown, m->notice, m->nnotice * sizeof *grown);
    grown[m->nnotice++] = line;
    m->notice = grown;
    return FA_OK;
}

/* ---- names ---- */

/* "Kosten (CostInBillingCurrency)", "Kosten [CostInBillingCurrency]": the part in brackets. */
static fa_str english(fa_str name)
{
    char open = name.n && name.p[name.n - 1] == ')'   ? '('
                : name.n && name.p[name.n - 1] == ']' ? '['
                                                      : 0;

    for (size_t i = name.n; open && i-- > 0;)
        if (name.p[i] == open && i + 2 < name.n && i > 0)
            return (fa_str){name.p + i + 1, name.n - i - 2};
    return name;
}

size_t fa_bill_squeeze(fa_str name, char *out, size_t cap)
{
    size_t n = 0;

    name = english(name);
    for (size_t i = 0; i < name.n && n + 1 < cap; i++) {
        unsigned char c = (unsigned char)name.p[i];

        if (isalnum(c) || c >= 0x80)
            out[n++] = (char)tolower(c);
    }
    out[n] = '\0';
    return n;
}

static size_t find_squeezed(const fa_bill_file *f, const char *name, size_t n)
{
    char have[NAME_MAX_BYTES];

    for (size_t i = 0; i < f->ncolumn; i++)
        if (fa_bill_squeeze(f->column[i].name, have, sizeof have) == n &&
            memcmp(have, name, n) == 0)
            return i;
    return SIZE_MAX;
}

size_t fa_bill_find(const fa_bill_file *f, const char *names)
{
    while (*names) {
        size_t n = strcspn(names, "|"), at = find_squeezed(f, names, n);

        if (at != SIZE_MAX)
            return at;
        names += n + (names[n] == '|');
    }
    return SIZE_MAX;
}

bool fa_bill_has(const fa_bill_file *f, const char *names)
{
    return fa_bill_find(f, names) != SIZE_MAX;
}

/* ---- ins ---- */

static fa_rc add_in(fa_bill_file *f, fa_bill_match *m, const fa_in_row *row, fa_err *e)
{
    size_t column = fa_bill_find(f, row->names);
    char *alias;

    if (column == SIZE_MAX && row->must) {
        size_t n = strcspn(row->names, "|");

        (void)fa_fail(e, FA_EDATA,
                      "%.*s: the column %.*s is missing (names are compared without case"
                      " and signs)",
                      FA_FMT(f->name), (int)n, row->names);
        return fa_hint(e, "export the bill again with this column");
    }
    if (column == SIZE_MAX)
        return FA_OK;
    if (!(alias = fa_arena_printf(m->a, "i_%s", row->id)))
        return fa_oom(e);
    f->in[f->nin++] = (fa_bill_in){.alias = fa_str_of(alias),
                                   .column = column,
                                   .kind = row->kind,
                                   .not_null = row->must == FA_CELL_MUST};
    return FA_OK;
}

static const fa_in_row *in_row(const fa_lift *t, const char *id, size_t n)
{
    for (size_t i = 0; i < t->nin; i++)
        if (strlen(t->in[i].id) == n && memcmp(t->in[i].id, id, n) == 0)
            return &t->in[i];
    return NULL;
}

static const fa_bill_in *in_of(const fa_bill_file *f, const char *id, size_t n)
{
    for (size_t i = 0; i < f->nin; i++)
        if (f->in[i].alias.n == n + 2 && memcmp(f->in[i].alias.p + 2, id, n) == 0)
            return &f->in[i];
    return NULL;
}

/* ---- outs ---- */

typedef struct expansion {
    fa_buf sql;
    size_t asked, found;
    const fa_bill_in *whole; /* "{id}" and nothing else */
} expansion;

static fa_rc expand(const fa_bill_file *f, const fa_bill_match *m, const fa_lift *t,
                    const char *sql, expansion *x, fa_err *e)
{
    static const char *const null_of[] = {"NULL::VARCHAR",        "NULL::TIMESTAMP",
                                          "NULL::DECIMAL(38,18)", "NULL::VARCHAR",
                                          "NULL::DECIMAL(38,18)", "NULL::DECIMAL(38,18)"};

    for (const char *p = sql; *p;) {
        const char *end;
        const fa_bill_in *in;
        const fa_in_row *row;
        size_t n;
        bool is_question;

        if (*p != '{' || !(islower((unsigned char)p[1]) || p[1] == '?' || p[1] == '$')) {
            fa_buf_c(&x->sql, *p++);
            continue;
        }
        end = strchr(p, '}');
        if (!end)
            return fa_fail(e, FA_EINTERNAL, "a mapping has an open brace: %s", sql);
        is_question = p[1] == '?';
        p += is_question ? 2 : 1;
        n = (size_t)(end - p);
        if (n == 9 && memcmp(p, "$currency", 9) == 0) {
            fa_buf_sql_text(&x->sql, m->hint->currency);
        } else if (!(row = in_row(t, p, n))) {
            return fa_fail(e, FA_EINTERNAL, "a mapping names no column: %.*s", (int)n, p);
        } else {
            in = in_of(f, p, n);
            x->asked++;
            x->found += in != NULL;
            if (is_question)
                fa_buf_z(&x->sql, in ? "true" : "false");
            else if (in)
                fa_buf_str(&x->sql, in->alias);
            else
                fa_buf_z(&x->sql, null_of[row->kind]);
            if (p == sql + 1 && end[1] == '\0')
                x->whole = in;
        }
        p = end + 1;
    }
    return x->sql.failed ? fa_oom(e) : FA_OK;
}

static bool is_line_kind(const fa_column *c)
{
    return c->kind == FA_C_DIM || c->kind == FA_C_TAGS;
}

static fa_rc add_out(fa_bill_file *f, fa_bill_match *m, const fa_lift *t, const fa_out_row *row,
                     fa_err *e)
{
    const char *sql = row->sql;
    bool always = *sql == '!';
    expansion x = {0};
    fa_bill_out o = {.name = fa_str_of(row->name), .column = SIZE_MAX};
    fa_rc rc;

    fa_buf_init(&x.sql, 4 << 20);
    if ((rc = expand(f, m, t, sql + always, &x, e)))
        goto done;
    if (x.asked && !x.found && !always)
        goto done;
    o.focus = fa_column_find(o.name);
    o.in_line = o.focus ? is_line_kind(o.focus) : row->in_line;
    o.expr = fa_buf_dup(&x.sql, m->a);
    if (!o.expr.p) {
        rc = fa_oom(e);
        goto done;
    }
    if (x.whole)
        f->column[x.whole->column].is_read = true;
    for (int k = 0; k < FA_M__COUNT; k++)
        if (fa_measures[k].focus && strcmp(fa_measures[k].focus, row->name) == 0 &&
            (int)fa_measures[k].falls_to != k)
            f->own |= FA_BIT(k);
    f->out[f->nout++] = o;
done:
    fa_buf_release(&x.sql);
    return rc;
}

static bool has_out(const fa_bill_file *f, fa_str name)
{
    for (size_t i = 0; i < f->nout; i++)
        if (fa_str_ieq(f->out[i].name, name))
            return true;
    return false;
}

fa_rc fa_bill_keep_rest(fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    for (size_t i = 0; i < f->ncolumn; i++) {
        const fa_bill_column *c = &f->column[i];
        fa_str name = c->name;
        bool is_x = fa_str_starts(name, FA_STR("x_"));

        if (c->is_read)
            continue;
        if (!is_x)
            name = fa_str_of(fa_arena_printf(m->a, "x_%.*s", FA_FMT(name)));
        while (name.p && has_out(f, name))
            name = fa_str_of(fa_arena_printf(m->a, "%.*s_", FA_FMT(name)));
        if (!name.p)
            return fa_oom(e);
        f->out[f->nout++] = (fa_bill_out){.name = name, .column = i};
    }
    return FA_OK;
}

fa_rc fa_bill_lift(fa_bill_file *f, fa_bill_match *m, const fa_lift *t, fa_err *e)
{
    f->in = fa_arena_array(m->a, t->nin + 1, sizeof *f->in);
    f->out = fa_arena_array(m->a, t->nout + f->ncolumn + fa_ncolumns + 2, sizeof *f->out);
    if (!f->in || !f->out)
        return fa_oom(e);
    for (size_t i = 0; i < t->nin; i++)
        if (add_in(f, m, &t->in[i], e))
            return e->rc;
    if (f->nin == 0)
        return fa_fail(e, FA_EDATA, "%.*s: no column of this format was found", FA_FMT(f->name));
    for (size_t i = 0; i < t->nout; i++)
        if (add_out(f, m, t, &t->out[i], e))
            return e->rc;
    if (t->tags)
        f->out[f->nout++] = (fa_bill_out){.name = FA_STR("Tags"),
                                          .focus = fa_column_find(FA_STR("Tags")),
                                          .in_line = true,
                                          .column = SIZE_MAX,
                                          .expr = fa_str_of(t->tags)};
    return fa_bill_set_constants(f, m, e) ? e->rc : fa_bill_keep_rest(f, m, e);
}

fa_rc fa_bill_tag_columns(fa_bill_file *f, fa_bill_match *m, const char *prefix, const char **sql,
                          fa_err *e)
{
    size_t skip = strlen(prefix);
    bool any = false;
    fa_str text;
    fa_buf b;

    fa_buf_init(&b, 8 << 20);
    fa_buf_z(&b, "fa_merge(");
    for (size_t i = 0; i < f->ncolumn; i++) {
        fa_bill_column *c = &f->column[i];
        char *how;

        if (!fa_str_starts(c->name, fa_str_of(prefix)) || c->name.n == skip)
            continue;
        how = fa_arena_printf(m->a, "p:%.*s", (int)(c->name.n - skip), c->name.p + skip);
        if (!how) {
            fa_buf_release(&b);
            return fa_oom(e);
        }
        fa_buf_z(&b, any ? ", " : "");
        fa_buf_sql_text(&b, fa_str_of(how));
        fa_buf_fmt(&b, ", %.*s::VARCHAR", FA_FMT(c->ident));
        c->is_read = true;
        any = true;
    }
    fa_buf_z(&b, ")");
    text = fa_buf_dup(&b, m->a);
    fa_buf_release(&b);
    *sql = any ? text.p : NULL;
    return text.p ? FA_OK : fa_oom(e);
}
