/*
 * select.c - which lines a filter lets through.
 *
 * The one idea: a condition is asked once of each distinct text of its key; the texts that hold lead to their lines,
 * and lines are combined 64 at a time. What was selected is kept by content, so the rule of a tag that was not edited
 * is not evaluated again. The same filter as SQL (filter.c) is the reference: a test holds the two together.
 */
#include "query/inner.h"

#include <stdlib.h>
#include <string.h>

static size_t words(uint32_t nline)
{
    return (size_t)nline / 64 + 1;
}

/* No line past the last. */
static void cut_tail(uint64_t *bits, uint32_t nline)
{
    bits[nline / 64] &= ((uint64_t)1 << (nline & 63)) - 1;
}

static void set_all(uint64_t *bits, uint32_t nline)
{
    memset(bits, 0xff, words(nline) * sizeof *bits);
    cut_tail(bits, nline);
}

static void invert(uint64_t *bits, uint32_t nline)
{
    for (size_t i = 0; i < words(nline); i++)
        bits[i] = ~bits[i];
    cut_tail(bits, nline);
}

static inline void set_bit(uint64_t *bits, uint32_t i)
{
    bits[i >> 6] |= (uint64_t)1 << (i & 63);
}

/* ---- what is kept ---- */

static void free_sel(fa_kept *k)
{
    fa_sel *s = (fa_sel *)k;

    free(s->bits);
    free(s->line);
    free(s);
}

/* Takes the bits over; few lines become a list. */
fa_sel *fa_sel_of(uint64_t *bits, uint32_t nline)
{
    fa_sel *s = calloc(1, sizeof *s);
    size_t count = 0, at = 0;

    if (!s) {
        free(bits);
        return NULL;
    }
    atomic_init(&s->kept.refs, 1);
    s->kept.free = free_sel;
    s->nline = nline;
    s->bits = bits;
    for (size_t i = 0; i < words(nline); i++)
        count += (size_t)__builtin_popcountll(bits[i]);
    s->count = (uint32_t)count;
    s->kept.bytes = sizeof *s + words(nline) * sizeof *bits;
    if (count > nline / 32 || !(s->line = malloc((count + 1) * sizeof *s->line)))
        return s;
    for (size_t i = 0; i < words(nline); i++)
        for (uint64_t w = bits[i]; w; w &= w - 1)
            s->line[at++] = (uint32_t)(i * 64 + (size_t)__builtin_ctzll(w));
    free(s->bits);
    s->bits = NULL;
    s->kept.bytes = sizeof *s + count * sizeof *s->line;
    return s;
}

void fa_sel_or(const fa_sel *s, uint64_t *bits)
{
    if (s->bits)
        for (size_t i = 0; i < words(s->nline); i++)
            bits[i] |= s->bits[i];
    else
        for (uint32_t i = 0; i < s->count; i++)
            set_bit(bits, s->line[i]);
}

void fa_sel_and(const fa_sel *s, uint64_t *bits, uint64_t *scratch)
{
    const uint64_t *other = s->bits;

    if (!other) {
        memset(scratch, 0, words(s->nline) * sizeof *scratch);
        fa_sel_or(s, scratch);
        other = scratch;
    }
    for (size_t i = 0; i < words(s->nline); i++)
        bits[i] &= other[i];
}

void fa_sel_fill(const fa_sel *s, uint32_t *line, uint32_t value)
{
    if (s->bits) {
        for (size_t i = 0; i < words(s->nline); i++)
            for (uint64_t w = s->bits[i]; w; w &= w - 1)
                line[i * 64 + (size_t)__builtin_ctzll(w)] = value;
        return;
    }
    for (uint32_t i = 0; i < s->count; i++)
        line[s->line[i]] = value;
}

/* ---- a condition, asked of texts ---- */

static void find_texts(const fa_codes *c, const fa_filter *f, uint64_t *codes)
{
    for (size_t i = 0; i < f->nvalue; i++) {
        uint32_t code = fa_codes_find(c, f->value[i]);

        if (code != UINT32_MAX)
            set_bit(codes, code);
    }
}

/* The first text at or past `from` that ends behind the offset `at`. */
static uint32_t text_at(const fa_codes *c, uint32_t from, size_t at)
{
    uint32_t lo = from, hi = from, step = 1;

    while (hi < c->n && c->fold_at[hi + 1] <= at) { /* near ones first */
        lo = hi + 1;
        hi = c->n - hi > step ? hi + step : c->n;
        step *= 2;
    }
    if (hi > c->n - 1)
        hi = c->n - 1;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (c->fold_at[mid + 1] <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* All texts lie behind each other with a NUL between, which no needle has: one search through all of them. */
static void search_texts(const fa_codes *c, fa_str needle, uint64_t *codes)
{
    const char *p = c->folded + c->fold_at[1], *end = c->folded + c->fold_at[c->n];
    uint32_t code = 1;

    if (c->n <= 1)
        return;
    if (needle.n == 0) {
        for (uint32_t i = 1; i < c->n; i++)
            set_bit(codes, i);
        return;
    }
    while (p < end && (p = fa_search(p, (size_t)(end - p), needle))) {
        code = text_at(c, code, (size_t)(p - c->folded));
        set_bit(codes, code);
        if (++code >= c->n)
            break;
        p = c->folded + c->fold_at[code];
    }
}

static fa_rc contain_texts(const fa_lens *v, fa_codes *c, const fa_filter *f, uint64_t *codes,
                           fa_err *e)
{
    if (fa_codes_fold(v->l, c, e))
        return e->rc;
    for (size_t i = 0; i < f->nvalue; i++) {
        char *low = malloc(f->value[i].n * 2 + 1);

        if (!low)
            return fa_oom(e);
        search_texts(c, (fa_str){low, fa_fold(f->value[i], low)}, codes);
        free(low);
        if (fa_lens_check(v, e))
            return e->rc;
    }
    return FA_OK;
}

static fa_rc compare_texts(const fa_lens *v, fa_codes *c, const fa_filter *f, uint64_t *codes,
                           fa_err *e)
{
    fa_i128 limit;

    if (!fa_dec_parse(f->value[0], false, &limit, NULL))
        return fa_fail(e, FA_EINTERNAL, "a number of the filter is none");
    if (fa_codes_numbers(v, c, e))
        return e->rc;
    for (uint32_t i = 1; i < c->n; i++)
        if ((c->is_number[i >> 6] >> (i & 63) & 1) &&
            (f->op == FA_OP_GREATER ? c->number[i] > limit : c->number[i] < limit))
            set_bit(codes, i);
    return FA_OK;
}

static bool is_negative(fa_op op)
{
    return op == FA_OP_NOT_ONE_OF || op == FA_OP_NOT_CONTAINS || op == FA_OP_NOT_EXISTS;
}

/* The texts for which the positive form of the operator holds. */
static fa_rc ask_texts(const fa_lens *v, fa_codes *c, const fa_filter *f, uint64_t *codes,
                       fa_err *e)
{
    switch (f->op) {
    case FA_OP_ONE_OF:
    case FA_OP_NOT_ONE_OF:
        find_texts(c, f, codes);
        return FA_OK;
    case FA_OP_CONTAINS:
    case FA_OP_NOT_CONTAINS:
        return contain_texts(v, c, f, codes, e);
    case FA_OP_EXISTS:
    case FA_OP_NOT_EXISTS:
        for (uint32_t i = 1; i < c->n; i++)
            set_bit(codes, i);
        return FA_OK;
    default:
        return compare_texts(v, c, f, codes, e);
    }
}

/* ---- from texts to lines ---- */

/* Few lines are found through their texts, many by looking at every line's text. */
static void mark_lines(const fa_codes *c, const uint64_t *codes, uint64_t *bits)
{
    size_t lines = 0;

    for (size_t i = 0; i <= c->n / 64; i++)
        for (uint64_t w = codes[i]; w; w &= w - 1) {
            size_t code = i * 64 + (size_t)__builtin_ctzll(w);

            lines += c->post_at[code + 1] - c->post_at[code];
        }
    if (lines < c->nline / 8) {
        for (size_t i = 0; i <= c->n / 64; i++)
            for (uint64_t w = codes[i]; w; w &= w - 1) {
                size_t code = i * 64 + (size_t)__builtin_ctzll(w);

                for (uint32_t k = c->post_at[code]; k < c->post_at[code + 1]; k++)
                    set_bit(bits, c->post[k]);
            }
        return;
    }
    for (uint32_t i = 0; i < c->nline; i += 64) {
        uint32_t n = c->nline - i < 64 ? c->nline - i : 64;
        uint64_t w = 0;

        for (uint32_t k = 0; k < n; k++) {
            uint32_t code = c->code[i + k];

            w |= (codes[code >> 6] >> (code & 63) & 1) << k;
        }
        bits[i / 64] = w;
    }
}

static fa_rc select_leaf(const fa_lens *v, const fa_filter *f, uint64_t *bits, fa_err *e)
{
    fa_codes *c = NULL;
    uint64_t *codes = NULL;
    fa_rc rc = fa_codes_of(v, f->key, &c, e);

    memset(bits, 0, words(v->nline) * sizeof *bits);
    if (rc)
        return rc;
    codes = calloc((size_t)c->n / 64 + 1, sizeof *codes);
    if (!codes)
        rc = fa_oom(e);
    else if (!(rc = ask_texts(v, c, f, codes, e)) && !(rc = fa_codes_postings(c, e))) {
        mark_lines(c, codes, bits);
        if (is_negative(f->op))
            invert(bits, v->nline);
    }
    free(codes);
    fa_codes_put(c);
    return rc;
}

/* ---- groups of conditions ---- */

static fa_rc select_into(const fa_lens *v, const fa_filter *f, uint64_t *bits, fa_err *e);

static fa_rc select_group(const fa_lens *v, const fa_filter *f, uint64_t *bits, fa_err *e)
{
    bool is_and = f->kind == FA_F_AND;
    uint64_t *scratch = malloc(words(v->nline) * sizeof *scratch);
    fa_rc rc = scratch ? FA_OK : fa_oom(e);

    if (is_and)
        set_all(bits, v->nline);
    else
        memset(bits, 0, words(v->nline) * sizeof *bits);
    for (size_t i = 0; i < f->nkid && !rc; i++) {
        fa_sel *s = NULL;

        if (f->kid[i]->kind == FA_F_LEAF) { /* kept by itself: conditions come again */
            if ((rc = fa_select(v, f->kid[i], &s, e)))
                break;
            if (is_and)
                fa_sel_and(s, bits, scratch);
            else
                fa_sel_or(s, bits);
            fa_sel_put(s);
            continue;
        }
        if ((rc = select_into(v, f->kid[i], scratch, e)))
            break;
        for (size_t w = 0; w < words(v->nline); w++)
            bits[w] = is_and ? bits[w] & scratch[w] : bits[w] | scratch[w];
    }
    free(scratch);
    return rc;
}

static fa_rc select_into(const fa_lens *v, const fa_filter *f, uint64_t *bits, fa_err *e)
{
    if (fa_lens_check(v, e))
        return e->rc;
    switch (f ? f->kind : FA_F_TRUE) {
    case FA_F_TRUE:
        set_all(bits, v->nline);
        return FA_OK;
    case FA_F_FALSE:
        memset(bits, 0, words(v->nline) * sizeof *bits);
        return FA_OK;
    case FA_F_LEAF:
        return select_leaf(v, f, bits, e);
    default:
        return select_group(v, f, bits, e);
    }
}

/* ---- by content ---- */

void fa_filter_hash(fa_hash *h, const fa_lens *v, const fa_filter *f)
{
    fa_hash_u64(h, f ? (uint64_t)f->kind : FA_F_TRUE);
    if (!f)
        return;
    if (f->kind == FA_F_LEAF) {
        fa_key_hash(h, v, f->key);
        fa_hash_u64(h, f->op);
        fa_hash_u64(h, f->nvalue);
        for (size_t i = 0; i < f->nvalue; i++)
            fa_hash_str(h, f->value[i]);
        return;
    }
    fa_hash_u64(h, f->nkid);
    for (size_t i = 0; i < f->nkid; i++)
        fa_filter_hash(h, v, f->kid[i]);
}

fa_rc fa_select(const fa_lens *v, const fa_filter *f, fa_sel **out, fa_err *e)
{
    fa_hash h;
    fa_digest key;
    uint64_t *bits;

    fa_hash_begin(&h, "selection");
    fa_lens_hash(&h, v, true);
    fa_filter_hash(&h, v, f);
    key = fa_hash_end(&h);
    if ((*out = (fa_sel *)fa_keep_get(&key)))
        return FA_OK;
    bits = malloc(words(v->nline) * sizeof *bits);
    if (!bits)
        return fa_oom(e);
    if (select_into(v, f, bits, e)) {
        free(bits);
        return e->rc;
    }
    if (!(*out = fa_sel_of(bits, v->nline)))
        return fa_oom(e);
    if (fa_ledger_generation(v->l) == v->generation)
        fa_keep_add(&key, &(*out)->kept);
    return FA_OK;
}
