/*
 * virtual.c - virtual tags as keys: made ready, evaluated on lines (inform.md 4, 5).
 *
 * The one idea: a tag is a column like any other, computed instead of read. Each rule's filter is a selection of lines
 * that is kept by content; the first rule that has a line takes it. What a tag says may change on the first days of its
 * time frames and of those of the tags it reads: between two such days it is one column, kept under a digest of the
 * rules that are active and of what they read. So an edit evaluates the edited rule and passes over the lines once,
 * and two spans of days with the same rules are one column.
 *
 * For reallocation and relational tags (a line's cost in parts): the column gives the source value of each line on
 * the lens's day, fa_key_cuts the days where it changes; a tag's keys are resolved here and nowhere else.
 */
#include "query/inner.h"

#include <stdlib.h>
#include <string.h>

#define UNTAGGED FA_STR("Untagged")
#define READY_BYTES ((size_t)1 << 30)

static const fa_key nothing = {.expr = {"NULL", 4}, .type = FA_K_BILLING};

/* ---- making ready ---- */

const fa_key *fa_key_stored(const fa_catalog *c, fa_arena *a, fa_str center, fa_str key,
                            fa_str type)
{
    const fa_key *k = &nothing;
    fa_err e;

    if (fa_catalog_find(c, a, FA_API_INTERNAL, center, key, type, &k, &e) &&
        fa_catalog_find(c, a, FA_API_V1, center, key, type, &k, &e) &&
        fa_catalog_find(c, a, FA_API_V1, center, key, (fa_str){0}, &k, &e))
        return &nothing;
    /* what was not said to be a tag is none: the set's order knows only those */
    if (k->type == FA_K_VIRTUAL && !fa_str_ieq(center, FA_STR("virtualTag")) &&
        !fa_str_ieq(center, FA_STR("Virtual Tags")) &&
        (center.n || !fa_str_eqz(type, "virtual_tag")))
        return &nothing;
    return k;
}

static const fa_key *stored_key(fa_virtual *t, const fa_tag_key *k)
{
    return fa_key_stored(t->catalog, &t->mem, k->cost_center, k->key, k->type);
}

static fa_to ready_to(fa_virtual *t, const fa_tag_to *to)
{
    if (to->is_key)
        return (fa_to){.key = stored_key(t, &to->key)};
    return (fa_to){.text = fa_str_trim(to->text)};
}

static fa_rc ready_rules(fa_virtual *t, fa_err *e)
{
    const fa_tag *tag = t->tag;
    char path[40];

    t->rule = fa_arena_array(&t->mem, tag->nrule + 1, sizeof *t->rule);
    if (!t->rule)
        return fa_oom(e);
    for (size_t i = 0; i < tag->nrule; i++) {
        const fa_tag_rule *r = &tag->rule[i];

        t->rule[i] = (fa_rule){.to = ready_to(t, &r->to), .from = r->from, .end = r->to_day};
        snprintf(path, sizeof path, "rules[%zu].filters", i);
        if (fa_filter_stored(t->catalog, &t->mem, r->filters, path, &t->rule[i].when, e))
            return e->rc;
        t->nrule++;
    }
    return FA_OK;
}

static fa_rc add_day(fa_virtual *t, size_t *cap, int32_t day, fa_err *e)
{
    if (day == FA_DAY_MIN || day == FA_DAY_MAX)
        return FA_OK;
    if (t->ncut == *cap) {
        size_t more = *cap ? *cap * 2 : 16;
        int32_t *grown = realloc(t->cut, more * sizeof *grown);

        if (!grown)
            return fa_oom(e);
        t->cut = grown;
        *cap = more;
    }
    t->cut[t->ncut++] = day;
    return FA_OK;
}

static fa_rc add_days_of(fa_virtual *t, size_t *cap, const fa_key *k, fa_err *e)
{
    const int32_t *cut;
    size_t n;

    if (!k)
        return FA_OK;
    if (fa_key_cuts(k, &cut, &n, e))
        return e->rc;
    for (size_t i = 0; i < n; i++)
        if (add_day(t, cap, cut[i], e))
            return e->rc;
    return FA_OK;
}

static fa_rc add_days_of_filter(fa_virtual *t, size_t *cap, const fa_filter *f, fa_err *e)
{
    for (size_t i = 0; i < f->nkid; i++)
        if (add_days_of_filter(t, cap, f->kid[i], e))
            return e->rc;
    return f->kind == FA_F_LEAF ? add_days_of(t, cap, f->key, e) : FA_OK;
}

static int by_day(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;

    return (a > b) - (a < b);
}

/* The days on which this tag, or one it reads, may begin to say something else. */
static fa_rc ready_days(fa_virtual *t, fa_err *e)
{
    size_t cap = 0, kept = 0;

    for (size_t i = 0; i < t->nrule; i++) {
        const fa_rule *r = &t->rule[i];

        if (add_day(t, &cap, r->from, e) || add_day(t, &cap, r->end, e) ||
            add_days_of(t, &cap, r->to.key, e) || add_days_of_filter(t, &cap, r->when, e))
            return e->rc;
    }
    for (size_t i = 0; i < t->tag->nrow; i++) {
        const fa_dictionary_row *r = &t->tag->row[i];

        if (add_day(t, &cap, r->from, e) ||
            add_day(t, &cap, r->to == FA_DAY_MAX ? r->to : r->to + 1, e))
            return e->rc;
    }
    if (add_days_of(t, &cap, t->dflt.key, e) || add_days_of(t, &cap, t->source, e))
        return e->rc;
    if (t->ncut)
        qsort(t->cut, t->ncut, sizeof *t->cut, by_day);
    for (size_t i = 0; i < t->ncut; i++)
        if (kept == 0 || t->cut[kept - 1] != t->cut[i])
            t->cut[kept++] = t->cut[i];
    t->ncut = kept;
    t->sign = calloc(kept + 1, sizeof *t->sign);
    t->has_sign = calloc(kept + 1, sizeof *t->has_sign);
    return t->sign && t->has_sign ? FA_OK : fa_oom(e);
}

static void unready(fa_virtual *t)
{
    fa_arena_release(&t->mem);
    free(t->cut);
    free(t->sign);
    free(t->has_sign);
    t->cut = NULL;
    t->sign = NULL;
    t->has_sign = NULL;
    t->ncut = t->nrule = 0;
    t->is_ready = false;
}

/* Tags read earlier ones only, so the locks are always taken in one order. */
fa_rc fa_virtual_ready(fa_virtual *t, fa_err *e)
{
    fa_rc rc = FA_OK;
    char why[600];

    pthread_mutex_lock(&t->lock);
    if (!t->is_ready) {
        fa_arena_init(&t->mem, READY_BYTES);
        t->dflt = ready_to(t, &t->tag->dflt);
        if (t->tag->kind == FA_TAG_DICTIONARY)
            t->source = stored_key(t, &t->tag->source);
        if (!(rc = ready_rules(t, e)))
            rc = ready_days(t, e);
        t->is_ready = !rc;
        if (rc) {
            unready(t);
            snprintf(why, sizeof why, "%.500s", e->msg);
            (void)fa_fail(e, rc, "the virtual tag \"%.*s\": %s", FA_FMT(t->tag->name), why);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

void fa_virtual_init(fa_virtual *t, const fa_catalog *c, const fa_tag *tag)
{
    *t = (fa_virtual){.tag = tag, .catalog = c};
    pthread_mutex_init(&t->lock, NULL);
}

void fa_virtual_release(fa_virtual *t)
{
    if (t->is_ready)
        unready(t);
    pthread_mutex_destroy(&t->lock);
}

/* ---- what a key says on a day ---- */

fa_rc fa_key_cuts(const fa_key *k, const int32_t **out, size_t *n, fa_err *e)
{
    *out = NULL;
    *n = 0;
    if (k->type != FA_K_VIRTUAL)
        return FA_OK;
    if (fa_virtual_ready(k->tag, e))
        return e->rc;
    *out = k->tag->cut;
    *n = k->tag->ncut;
    return FA_OK;
}

static size_t slice_at(const fa_virtual *t, int32_t day)
{
    size_t lo = 0, hi = t->ncut;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (t->cut[mid] <= day)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool is_active(const fa_rule *r, int32_t day)
{
    return r->from <= day && (r->end == FA_DAY_MAX || day < r->end);
}

static void hash_to(fa_hash *h, const fa_lens *v, const fa_to *to)
{
    fa_hash_u64(h, to->key != NULL);
    if (to->key)
        fa_key_hash(h, v, to->key);
    else
        fa_hash_str(h, to->text);
}

static fa_digest make_sign(const fa_lens *v, const fa_virtual *t, size_t slice)
{
    fa_hash h;

    fa_hash_begin(&h, "tag");
    hash_to(&h, v, &t->dflt);
    for (size_t i = 0; i < t->nrule; i++)
        if (is_active(&t->rule[i], v->day)) {
            fa_filter_hash(&h, v, t->rule[i].when);
            hash_to(&h, v, &t->rule[i].to);
        }
    if (t->source) { /* a million rows are not hashed again */
        fa_hash_str(&h, t->tag->id);
        fa_hash_u64(&h, t->tag->hash);
        fa_hash_u64(&h, t->tag->nrow);
        fa_hash_u64(&h, slice);
        fa_key_hash(&h, v, t->source);
    }
    return fa_hash_end(&h);
}

void fa_key_hash(fa_hash *h, const fa_lens *v, const fa_key *k)
{
    fa_virtual *t = k->tag;
    fa_digest d;
    fa_err e;
    size_t i;

    if (k->type != FA_K_VIRTUAL) {
        fa_hash_str(h, k->expr);
        return;
    }
    if (fa_virtual_ready(
            t, &e)) { /* like nothing else: what is made of it fails and is not found again */
        fa_random(&d, sizeof d);
        fa_hash_put(h, &d, sizeof d);
        return;
    }
    pthread_mutex_lock(&t->lock);
    i = slice_at(t, v->day);
    if (!t->has_sign[i]) {
        t->sign[i] = make_sign(v, t, i);
        t->has_sign[i] = true;
    }
    d = t->sign[i];
    pthread_mutex_unlock(&t->lock);
    fa_hash_put(h, &d, sizeof d);
}

/* ---- the first rule that has a line ---- */

fa_rc fa_virtual_match(const fa_lens *v, fa_virtual *t, uint32_t *rule, fa_err *e)
{
    size_t nword = (size_t)v->nline / 64 + 1, left = v->nline;
    uint64_t *open = malloc(nword * sizeof *open);
    fa_rc rc = open ? fa_virtual_ready(t, e) : fa_oom(e);

    if (!rc)
        memset(open, 0xff, nword * sizeof *open);
    memset(rule, 0xff, (size_t)v->nline * sizeof *rule);
    for (size_t i = 0; i < t->nrule && !rc && left; i++) {
        fa_sel *s = NULL;

        if (!is_active(&t->rule[i], v->day))
            continue;
        if ((rc = fa_lens_check(v, e)) || (rc = fa_select(v, t->rule[i].when, &s, e)))
            break;
        for (uint32_t k = 0; !s->bits && k < s->count; k++) {
            uint32_t line = s->line[k];
            uint64_t bit = (uint64_t)1 << (line & 63);

            if (open[line >> 6] & bit) {
                open[line >> 6] &= ~bit;
                rule[line] = (uint32_t)i;
                left--;
            }
        }
        for (size_t w = 0; s->bits && w < nword; w++) {
            uint64_t won = s->bits[w] & open[w];

            open[w] &= ~won;
            left -= (size_t)__builtin_popcountll(won);
            for (; won; won &= won - 1)
                rule[w * 64 + (size_t)__builtin_ctzll(won)] = (uint32_t)i;
        }
        fa_sel_put(s);
    }
    free(open);
    return rc;
}

/* ---- values ---- */

/* Where a rule's values come from, as codes of the tag's column. */
typedef struct giver {
    uint32_t code; /* of a text */
    fa_codes *key; /* or the column of a key */
    uint32_t *to;  /* and for each of its texts the code here; 0: not looked at, or blank */
    bool *seen;
} giver;

static void close_giver(giver *g)
{
    fa_codes_put(g->key);
    free(g->to);
    free(g->seen);
}

static fa_rc open_giver(const fa_lens *v, const fa_to *to, fa_codes *c, giver *g, fa_err *e)
{
    *g = (giver){0};
    if (!to->key)
        return fa_codes_add(c, to->text, &g->code) ? FA_OK : fa_oom(e);
    if (fa_codes_of(v, to->key, &g->key, e))
        return e->rc;
    g->to = calloc((size_t)g->key->n + 1, sizeof *g->to);
    g->seen = calloc((size_t)g->key->n + 1, sizeof *g->seen);
    return g->to && g->seen ? FA_OK : fa_oom(e);
}

/* *code 0: the line has no value for the key. */
static bool give(giver *g, fa_codes *c, uint32_t line, uint32_t *code)
{
    uint32_t text;

    if (!g->key) {
        *code = g->code;
        return true;
    }
    text = g->key->code[line];
    if (!g->seen[text]) {
        if (!fa_codes_add(c, fa_str_trim(fa_codes_text(g->key, text)), &g->to[text]))
            return false;
        g->seen[text] = true;
    }
    *code = g->to[text];
    return true;
}

/* Opens the giver of a rule when its first line comes. */
static fa_rc value_of(const fa_lens *v, const fa_virtual *t, giver *g, bool *is_open, uint32_t rule,
                      uint32_t line, fa_codes *c, uint32_t *code, fa_err *e)
{
    *code = 0;
    if (!is_open[rule]) {
        is_open[rule] = true;
        if (open_giver(v, rule < t->nrule ? &t->rule[rule].to : &t->dflt, c, &g[rule], e))
            return e->rc;
    }
    return give(&g[rule], c, line, code) ? FA_OK : fa_oom(e);
}

/* A value that is missing becomes the default, the default when missing "Untagged": a tag always has a value. */
static fa_rc fill_rules(const fa_lens *v, fa_virtual *t, fa_codes *c, fa_err *e)
{
    uint32_t *rule = malloc(((size_t)v->nline + 1) * sizeof *rule), untagged, dflt;
    giver *g = calloc(t->nrule + 1, sizeof *g);
    bool *is_open = calloc(t->nrule + 1, sizeof *is_open);
    fa_rc rc = rule && g && is_open ? fa_virtual_match(v, t, rule, e) : fa_oom(e);

    dflt = (uint32_t)t->nrule;
    for (uint32_t i = 0; i < v->nline && !rc; i++) {
        uint32_t code = 0;

        if (rule[i] != FA_NO_RULE)
            rc = value_of(v, t, g, is_open, rule[i], i, c, &code, e);
        if (!rc && !code)
            rc = value_of(v, t, g, is_open, dflt, i, c, &code, e);
        if (!rc && !code) {
            if (!fa_codes_add(c, UNTAGGED, &untagged))
                rc = fa_oom(e);
            code = untagged;
        }
        c->code[i] = code;
    }
    for (size_t i = 0; g && is_open && i <= t->nrule; i++)
        if (is_open[i])
            close_giver(&g[i]);
    free(g);
    free(is_open);
    free(rule);
    return rc;
}

static int compare_source(fa_str a, fa_str b, bool fold)
{
    size_t n = a.n < b.n ? a.n : b.n;

    if (!fold)
        return fa_str_cmp(a, b);
    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];

        x = (unsigned char)(x >= 'A' && x <= 'Z' ? x + 32 : x);
        y = (unsigned char)(y >= 'A' && y <= 'Z' ? y + 32 : y);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.n > b.n) - (a.n < b.n);
}

/* The target of a source on a day; empty: none. */
static fa_str look_up(const fa_tag *t, fa_str source, int32_t day)
{
    size_t lo = 0, hi = t->nrow;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (compare_source(t->row[mid].source, source, t->ignore_case) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < t->nrow && compare_source(t->row[lo].source, source, t->ignore_case) == 0; lo++)
        if (t->row[lo].from <= day && day <= t->row[lo].to)
            return fa_str_trim(t->row[lo].target);
    return (fa_str){"", 0};
}

static fa_rc fill_dictionary(const fa_lens *v, fa_virtual *t, fa_codes *c, fa_err *e)
{
    fa_codes *from = NULL;
    uint32_t *to = NULL, code = 0;
    giver dflt = {0};
    fa_rc rc = fa_codes_of(v, t->source, &from, e);

    if (!rc && !(to = calloc((size_t)from->n + 1, sizeof *to)))
        rc = fa_oom(e);
    if (!rc)
        rc = open_giver(v, &t->dflt, c, &dflt, e);
    for (uint32_t i = 1; !rc && i < from->n; i++)
        if (!fa_codes_add(c, look_up(t->tag, fa_codes_text(from, i), v->day), &to[i]))
            rc = fa_oom(e);
    for (uint32_t i = 0; !rc && i < v->nline; i++) {
        code = to[from->code[i]];
        if ((!code && !give(&dflt, c, i, &code)) || (!code && !fa_codes_add(c, UNTAGGED, &code)))
            rc = fa_oom(e);
        c->code[i] = code;
    }
    close_giver(&dflt);
    free(to);
    fa_codes_put(from);
    return rc;
}

static fa_rc tag_column(const fa_lens *v, const fa_key *k, fa_codes **out, fa_err *e)
{
    fa_virtual *t = k->tag;
    fa_hash h;
    fa_digest key;
    fa_codes *c;
    fa_rc rc;

    *out = NULL;
    if (fa_virtual_ready(t, e))
        return e->rc;
    fa_hash_begin(&h, "tagged");
    fa_lens_hash(&h, v, true);
    fa_key_hash(&h, v, k);
    key = fa_hash_end(&h);
    if ((*out = (fa_codes *)fa_keep_get(&key)))
        return FA_OK;
    if (!(c = fa_codes_new(v->nline)))
        return fa_oom(e);
    rc = t->source ? fill_dictionary(v, t, c, e) : fill_rules(v, t, c, e);
    if (rc) {
        fa_codes_put(c);
        return rc;
    }
    fa_codes_seal(c);
    if (fa_ledger_generation(v->l) == v->generation)
        fa_keep_add(&key, &c->kept);
    *out = c;
    return FA_OK;
}

fa_rc fa_codes_of(const fa_lens *v, const fa_key *k, fa_codes **out, fa_err *e)
{
    return k->type == FA_K_VIRTUAL ? tag_column(v, k, out, e) : fa_codes_get(v, &k, 1, out, e);
}
