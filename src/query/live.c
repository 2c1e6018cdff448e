/*
 * live.c - the lines that have facts, and the values of a key on them.
 *
 * The one idea: lines that only a replaced load knows stay in `line` and are offered to nobody. Which lines have facts
 * is read once per generation; a key's values are the texts on those lines, sorted once and kept.
 */
#include "query/reallocate.h"

#include <stdlib.h>
#include <string.h>

#define LIVE_DAYS 40 /* days of facts read at once: bounds what the engine holds */

typedef struct marks {
    uint64_t *bits;
    uint32_t nline;
} marks;

static fa_rc mark_lines(void *user, const fa_batch *b, fa_err *e)
{
    marks *m = user;

    (void)e;
    for (size_t r = 0; r < b->rows; r++) {
        uint64_t line = (uint64_t)b->col[0].i64[r];

        if (line < m->nline)
            m->bits[line >> 6] |= (uint64_t)1 << (line & 63);
    }
    return FA_OK;
}

static fa_rc read_live(const fa_lens *v, int32_t from, int32_t to, marks *m, fa_err *e)
{
    fa_conn *c = NULL;
    char sql[160];
    fa_rc rc = fa_conn_get(fa_ledger_engine(v->l), &c, e);

    if (!rc)
        fa_conn_deadline(c, v->deadline_mono_ms);
    for (int64_t day = from; !rc && day <= to; day += LIVE_DAYS) {
        int64_t last = day + LIVE_DAYS - 1 < to ? day + LIVE_DAYS - 1 : to;

        snprintf(sql, sizeof sql,
                 "SELECT line_id FROM daily WHERE day BETWEEN DATE '1970-01-01' + %d AND DATE"
                 " '1970-01-01' + %d",
                 (int)day, (int)last);
        rc = fa_sql_query(c, fa_str_of(sql), NULL, 0, mark_lines, m, e);
    }
    fa_conn_put(c);
    return rc;
}

fa_rc fa_live(const fa_lens *v, int32_t from, int32_t to, fa_sel **out, fa_err *e)
{
    fa_hash h;
    fa_digest key;
    marks m = {.nline = v->nline};
    int32_t first, last;

    *out = NULL;
    if (!fa_ledger_range(v->l, &first, &last)) {
        first = 1;
        last = 0;
    }
    from = from > first ? from : first;
    to = to < last ? to : last;
    fa_hash_begin(&h, "live");
    fa_lens_hash(&h, v, true);
    fa_hash_u64(&h, (uint64_t)from);
    fa_hash_u64(&h, (uint64_t)to);
    key = fa_hash_end(&h);
    if ((*out = (fa_sel *)fa_keep_get(&key)))
        return FA_OK;
    m.bits = calloc((size_t)v->nline / 64 + 1, sizeof *m.bits);
    if (!m.bits)
        return fa_oom(e);
    if (read_live(v, from, to, &m, e)) {
        free(m.bits);
        return e->rc;
    }
    if (!(*out = fa_sel_of(m.bits, v->nline)))
        return fa_oom(e);
    if (fa_ledger_generation(v->l) == v->generation)
        fa_keep_add(&key, &(*out)->kept);
    return FA_OK;
}

/* ---- the values of a key ---- */

static void free_values(fa_kept *k)
{
    fa_values *o = (fa_values *)k;

    free(o->text);
    fa_codes_put(o->texts);
    free(o);
}

/* Adds the texts of lines that the scope lets through and that have facts between the days. */
static fa_rc add_texts(const fa_lens *v, const fa_key *k, const fa_filter *scope, int32_t from,
                       int32_t to, fa_values *o, fa_err *e)
{
    fa_codes *c = NULL;
    fa_sel *s = NULL, *live = NULL;
    uint64_t *bits = NULL, *scratch = NULL;
    size_t nword = (size_t)v->nline / 64 + 1;
    bool *has = NULL, ok = true;
    uint32_t code;
    fa_rc rc;

    if ((rc = fa_codes_of(v, k, &c, e)) || (rc = fa_select(v, scope, &s, e)) ||
        (rc = fa_live(v, from, to, &live, e)))
        goto done;
    bits = calloc(nword, sizeof *bits);
    scratch = malloc(nword * sizeof *scratch);
    has = calloc((size_t)c->n + 1, sizeof *has);
    if (!bits || !scratch || !has) {
        rc = fa_oom(e);
        goto done;
    }
    fa_sel_or(s, bits);
    fa_sel_and(live, bits, scratch);
    for (size_t i = 0; i < nword; i++)
        for (uint64_t w = bits[i]; w; w &= w - 1)
            has[c->code[i * 64 + (size_t)__builtin_ctzll(w)]] = true;
    for (uint32_t i = 1; i < c->n && ok; i++)
        if (has[i])
            ok = fa_codes_add(o->texts, fa_codes_text(c, i), &code);
    if (!ok)
        rc = fa_oom(e);
done:
    free(bits);
    free(scratch);
    free(has);
    fa_codes_put(c);
    fa_sel_put(s);
    fa_sel_put(live);
    return rc;
}

static int by_text(const void *x, const void *y)
{
    return fa_str_cmp(*(const fa_str *)x, *(const fa_str *)y);
}

/* moving: the catalog, where values move and there may be ones that no line has; else NULL. */
static fa_rc make_values(fa_lens *v, const fa_key *k, const fa_filter *scope, const fa_days *d,
                         const fa_catalog *moving, int32_t first, int32_t last, fa_values *o,
                         fa_err *e)
{
    if (!(o->texts = fa_codes_new(0)))
        return fa_oom(e);
    if (moving && rl_texts(v, k, scope, moving, first, last, o->texts, e))
        return e->rc;
    for (size_t i = 0; !moving && i < d->n; i++) {
        v->day = d->from[i];
        if (add_texts(v, k, scope, d->from[i], i + 1 < d->n ? d->from[i + 1] - 1 : FA_DAY_MAX, o,
                      e))
            return e->rc;
    }
    o->n = o->texts->n - 1;
    o->text = calloc(o->n + 1, sizeof *o->text);
    if (!o->text)
        return fa_oom(e);
    for (size_t i = 0; i < o->n; i++)
        o->text[i] = fa_codes_text(o->texts, (uint32_t)i + 1);
    if (o->n)
        qsort(o->text, o->n, sizeof *o->text, by_text);
    fa_codes_seal(o->texts);
    o->kept.bytes = sizeof *o + o->texts->kept.bytes + o->n * sizeof *o->text;
    return FA_OK;
}

fa_rc fa_values_of(fa_lens *v, const fa_key *k, const fa_filter *scope, fa_values **out, fa_err *e)
{
    fa_plan p = {.dim = {k}, .ndim = 1, .scope = scope};
    fa_rates *rates = NULL;
    fa_days d = {0};
    fa_hash h;
    fa_digest key;
    fa_values *o = NULL;
    const fa_catalog *moving;
    int32_t first = 0, last = -1;
    fa_rc rc;

    *out = NULL;
    (void)fa_ledger_range(v->l, &first, &last);
    if ((rc = rl_touches(&p, &moving, e)) || (rc = fa_days_of(v, &p, first, last, &d, &key, e)))
        goto done;
    fa_hash_begin(&h, "values");
    fa_hash_put(&h, &key, sizeof key);
    if (moving) { /* what moves hangs on documents, telemetry and rates */
        if ((rc = fa_rates_get(v->l, &rates, e)))
            goto done;
        fa_hash_u64(&h, fa_rates_version(rates));
        fa_hash_str(&h, k->key);
        fa_hash_u64(&h, fa_tag_set_hash(moving->tags));
    }
    key = fa_hash_end(&h);
    if ((*out = (fa_values *)fa_keep_get(&key)))
        goto done;
    if (!(o = calloc(1, sizeof *o))) {
        rc = fa_oom(e);
        goto done;
    }
    atomic_init(&o->kept.refs, 1);
    o->kept.free = free_values;
    if ((rc = make_values(v, k, scope, &d, moving, first, last, o, e)))
        goto done;
    if (fa_ledger_generation(v->l) == v->generation)
        fa_keep_add(&key, &o->kept);
    *out = o;
    o = NULL;
done:
    fa_rates_put(rates);
    fa_values_put(o);
    fa_days_free(&d);
    return rc;
}
