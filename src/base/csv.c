/*
 * csv.c - records of RFC 4180 out of a text in memory: quotes, doubled quotes, line breaks inside.
 *
 * The one idea: a cell borrows its bytes from the text; only one with doubled quotes is copied.
 */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

enum { CELLS_MAX = 10000 };

void fa_csv_init(fa_csv *c, fa_str text)
{
    *c = (fa_csv){.rest = text, .next = 1, .sep = ','};
    (void)fa_take(&c->rest, "\xef\xbb\xbf");
    fa_arena_init(&c->mem, 0);
}

void fa_csv_release(fa_csv *c)
{
    free(c->cell);
    fa_arena_release(&c->mem);
    *c = (fa_csv){0};
}

static fa_rc add_cell(fa_csv *c, fa_str s, fa_err *e)
{
    if (c->n == CELLS_MAX)
        return fa_fail(e, FA_EDATA, "line %lld has more than %d cells", (long long)c->line,
                       CELLS_MAX);
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16;
        fa_str *more = realloc(c->cell, cap * sizeof *more);

        if (!more)
            return fa_oom(e);
        c->cell = more;
        c->cap = cap;
    }
    c->cell[c->n++] = s;
    return FA_OK;
}

/* The end of a record at p: its length, 0 when there is none. */
static size_t line_end(fa_str rest)
{
    if (rest.n && rest.p[0] == '\n')
        return 1;
    if (rest.n > 1 && rest.p[0] == '\r' && rest.p[1] == '\n')
        return 2;
    return rest.n == 1 && rest.p[0] == '\r' ? 1 : 0;
}

static void skip(fa_csv *c, size_t n)
{
    c->rest.p += n;
    c->rest.n -= n;
}

static fa_str take_plain(fa_csv *c)
{
    size_t n = 0;

    while (n < c->rest.n && c->rest.p[n] != c->sep && c->rest.p[n] != '\n' &&
           !line_end((fa_str){c->rest.p + n, c->rest.n - n}))
        n++;
    skip(c, n);
    return (fa_str){c->rest.p - n, n};
}

/* Behind the opening quote. */
static fa_rc take_quoted(fa_csv *c, fa_str *out, fa_err *e)
{
    size_t n = 0, doubled = 0, at = 0;
    const char *p = c->rest.p;
    char *copy;

    for (;; n++) {
        if (n >= c->rest.n)
            return fa_fail(e, FA_EDATA, "line %lld opens a quote that is not closed",
                           (long long)c->line);
        if (p[n] == '\n')
            c->next++;
        if (p[n] != '"')
            continue;
        if (n + 1 >= c->rest.n || p[n + 1] != '"')
            break;
        doubled++;
        n++;
    }
    *out = (fa_str){p, n};
    skip(c, n + 1);
    if (doubled) {
        copy = fa_arena_alloc(&c->mem, n);
        if (!copy)
            return fa_oom(e);
        for (size_t i = 0; i < n; i++) {
            copy[at++] = p[i];
            i += p[i] == '"';
        }
        *out = (fa_str){copy, at};
    }
    if (c->rest.n && c->rest.p[0] != c->sep && !line_end(c->rest))
        return fa_fail(e, FA_EDATA, "line %lld has text behind a closing quote",
                       (long long)c->line);
    return FA_OK;
}

static void skip_blank(fa_csv *c)
{
    size_t n;

    while ((n = line_end(c->rest)) > 0) {
        skip(c, n);
        c->next++;
    }
}

fa_rc fa_csv_next(fa_csv *c, bool *more, fa_err *e)
{
    fa_arena_clear(&c->mem);
    c->n = 0;
    skip_blank(c);
    c->line = c->next;
    *more = c->rest.n > 0;
    while (*more) {
        fa_str s;
        size_t n;

        if (c->rest.n && c->rest.p[0] == '"') {
            skip(c, 1);
            if (take_quoted(c, &s, e))
                return e->rc;
        } else {
            s = take_plain(c);
        }
        if (add_cell(c, s, e))
            return e->rc;
        if (c->rest.n && c->rest.p[0] == c->sep) {
            skip(c, 1);
            continue;
        }
        n = line_end(c->rest);
        skip(c, n);
        c->next += n > 0;
        break;
    }
    return FA_OK;
}
