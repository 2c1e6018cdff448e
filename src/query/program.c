/*
 * program.c - a question about moving values, compiled: slots, conditions, and the atoms of its lines.
 *
 * The one idea: every condition falls apart into what lines know by themselves, which is selected once for all lines
 * and becomes a bit, and what hangs on a slot, which is asked of parts later. Lines alike in all columns and bits are
 * one atom, and one line of each atom stands for it.
 */
#include "query/reallocate.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 200, BITS_MAX = 1 << 20, PACK = 16 /* bits of one code */ };

/* ---- memo ---- */

void rl_memo_open(rl_memo *m, size_t width)
{
    *m = (rl_memo){.width = width};
    fa_random(&m->seed, sizeof m->seed);
}

void rl_memo_clear(rl_memo *m)
{
    m->n = 0;
    if (m->slot)
        memset(m->slot, 0, m->nslot * sizeof *m->slot);
}

void rl_memo_free(rl_memo *m)
{
    free(m->key);
    free(m->value);
    free(m->slot);
    *m = (rl_memo){0};
}

static bool memo_grow(rl_memo *m)
{
    uint32_t cap = m->cap ? m->cap * 2 : 256;
    uint32_t *key, *value, *slot;

    if (cap > UINT32_MAX / 4 || !(key = realloc(m->key, (size_t)cap * m->width * sizeof *key)))
        return false;
    m->key = key;
    if (!(value = realloc(m->value, cap * sizeof *value)))
        return false;
    m->value = value;
    if (!(slot = calloc((size_t)cap * 2, sizeof *slot)))
        return false;
    free(m->slot);
    m->slot = slot;
    m->nslot = (size_t)cap * 2;
    m->cap = cap;
    for (uint32_t i = 0; i < m->n; i++) {
        size_t at = fa_text_hash(m->key + (size_t)i * m->width, m->width * sizeof *key, m->seed) &
                    (m->nslot - 1);

        while (slot[at])
            at = (at + 1) & (m->nslot - 1);
        slot[at] = i + 1;
    }
    return true;
}

bool rl_memo_find(rl_memo *m, const uint32_t *key, uint32_t **value, bool *fresh)
{
    size_t bytes = m->width * sizeof *key, at;

    if (m->n == m->cap && !memo_grow(m))
        return false;
    at = fa_text_hash(key, bytes, m->seed) & (m->nslot - 1);
    while (m->slot[at]) {
        uint32_t i = m->slot[at] - 1;

        if (memcmp(m->key + (size_t)i * m->width, key, bytes) == 0) {
            *value = &m->value[i];
            *fresh = false;
            return true;
        }
        at = (at + 1) & (m->nslot - 1);
    }
    memcpy(m->key + (size_t)m->n * m->width, key, bytes);
    m->slot[at] = m->n + 1;
    *value = &m->value[m->n++];
    *fresh = true;
    return true;
}

/* ---- which tags move ---- */

static bool tag_moves(const fa_tag *t, const bool *moves)
{
    bool yes = t->nalloc > 0 || t->kind == FA_TAG_RELATIONAL;

    for (size_t i = 0; i < t->ndep; i++)
        yes |= moves[t->dep[i]];
    return yes;
}

static bool *all_moving(const fa_tag_set *s)
{
    size_t n;
    const fa_tag *t = fa_tag_set_all(s, &n);
    bool *moves = calloc(n + 1, sizeof *moves);

    for (size_t i = 0; moves && i < n; i++)
        moves[i] = tag_moves(&t[i], moves);
    return moves;
}

static const fa_tag *tag_of(const fa_key *k)
{
    return k->type == FA_K_VIRTUAL ? k->tag->tag : NULL;
}

static bool key_moves(const rl_program *g, const fa_key *k)
{
    size_t n;
    const fa_tag *t = tag_of(k);

    return t && g->moves[t - fa_tag_set_all(g->set, &n)];
}

static bool filter_moves(const rl_program *g, const fa_filter *f)
{
    if (!f)
        return false;
    if (f->kind == FA_F_LEAF)
        return key_moves(g, f->key);
    for (size_t i = 0; i < f->nkid; i++)
        if (filter_moves(g, f->kid[i]))
            return true;
    return false;
}

static bool plan_moves(const rl_program *g, const fa_plan *p)
{
    for (size_t i = 0; i < p->ndim; i++)
        if (key_moves(g, p->dim[i]))
            return true;
    return filter_moves(g, p->filter) || filter_moves(g, p->scope);
}

static const fa_catalog *catalog_of_filter(const fa_filter *f)
{
    const fa_catalog *c = NULL;

    if (!f)
        return NULL;
    if (f->kind == FA_F_LEAF)
        return f->key->type == FA_K_VIRTUAL ? f->key->tag->catalog : NULL;
    for (size_t i = 0; !c && i < f->nkid; i++)
        c = catalog_of_filter(f->kid[i]);
    return c;
}

/* The catalog of the tags in a plan; NULL: it has none. */
static const fa_catalog *catalog_of(const fa_plan *p)
{
    const fa_catalog *c = catalog_of_filter(p->filter);

    c = c ? c : catalog_of_filter(p->scope);
    for (size_t i = 0; !c && i < p->ndim; i++)
        c = p->dim[i]->type == FA_K_VIRTUAL ? p->dim[i]->tag->catalog : NULL;
    return c;
}

fa_rc rl_touches(const fa_plan *p, const fa_catalog **out, fa_err *e)
{
    const fa_catalog *c = catalog_of(p);
    rl_program g = {0};

    *out = NULL;
    if (!c)
        return FA_OK;
    g.set = c->tags;
    g.moves = all_moving(g.set);
    if (!g.moves)
        return fa_oom(e);
    if (plan_moves(&g, p))
        *out = c;
    free(g.moves);
    return FA_OK;
}

/* ---- columns and bits ---- */

static bool more(fa_arena *a, void **list, size_t n, size_t *cap, size_t size)
{
    size_t room = *cap ? *cap * 2 : 32;
    void *grown;

    if (n < *cap)
        return true;
    grown = fa_arena_array(a, room, size);
    if (!grown)
        return false;
    if (n)
        memcpy(grown, *list, n * size);
    *list = grown;
    *cap = room;
    return true;
}

static fa_rc column_of(rl_program *g, const fa_key *k, uint32_t *out)
{
    for (uint32_t i = 0; i < g->ncolumn; i++)
        if (g->column[i] == k || (k->type != FA_K_VIRTUAL && g->column[i]->type != FA_K_VIRTUAL &&
                                  fa_str_eq(g->column[i]->expr, k->expr))) {
            *out = i;
            return FA_OK;
        }
    if (!more(g->a, (void **)&g->column, g->ncolumn, &g->column_cap, sizeof(fa_key *)))
        return fa_oom(g->e);
    *out = (uint32_t)g->ncolumn;
    g->column[g->ncolumn++] = k;
    return FA_OK;
}

static fa_rc bit_of(rl_program *g, const fa_filter *f, uint32_t *out)
{
    if (g->nbit == BITS_MAX ||
        !more(g->a, (void **)&g->bit, g->nbit, &g->bit_cap, sizeof(fa_filter *)))
        return fa_oom(g->e);
    *out = (uint32_t)g->nbit;
    g->bit[g->nbit++] = f;
    return FA_OK;
}

/* ---- conditions ---- */

static fa_rc slot_of(rl_program *g, const fa_tag *t, int depth, uint32_t *out);

/* What is known of a leaf's answers, by code: 0 not asked, 1 no, 2 yes. */
typedef struct rl_answers {
    uint8_t *of;
    size_t n;
} rl_answers;

static fa_rc cond_leaf(rl_program *g, const fa_filter *f, int depth, rl_cond *c)
{
    c->kind = RL_LEAF;
    c->leaf = f;
    c->known = fa_arena_alloc(g->a, sizeof *c->known);
    if (!c->known)
        return fa_oom(g->e);
    return slot_of(g, tag_of(f->key), depth, &c->i);
}

static fa_rc cond_of(rl_program *g, const fa_filter *f, int depth, const rl_cond **out);

/* Those of a group that lines know are one bit together. */
static fa_rc cond_group(rl_program *g, const fa_filter *f, int depth, rl_cond *c)
{
    fa_filter *own = fa_arena_alloc(g->a, sizeof *own);
    rl_cond *bit = fa_arena_alloc(g->a, sizeof *bit);

    c->kind = f->kind == FA_F_AND ? RL_AND : RL_OR;
    c->kid = fa_arena_array(g->a, f->nkid + 1, sizeof *c->kid);
    if (!own || !bit || !c->kid)
        return fa_oom(g->e);
    own->kind = f->kind;
    own->kid = fa_arena_array(g->a, f->nkid + 1, sizeof *own->kid);
    if (!own->kid)
        return fa_oom(g->e);
    for (size_t i = 0; i < f->nkid; i++) {
        if (!filter_moves(g, f->kid[i]))
            own->kid[own->nkid++] = f->kid[i];
        else if (cond_of(g, f->kid[i], depth, &c->kid[c->nkid++]))
            return g->e->rc;
    }
    if (own->nkid == 0)
        return FA_OK;
    bit->kind = RL_BIT;
    c->kid[c->nkid++] = bit;
    return bit_of(g, own, &bit->i);
}

static fa_rc cond_of(rl_program *g, const fa_filter *f, int depth, const rl_cond **out)
{
    rl_cond *c = fa_arena_alloc(g->a, sizeof *c);

    if (!c)
        return fa_oom(g->e);
    *out = c;
    if (!f || f->kind == FA_F_TRUE)
        return FA_OK; /* RL_TRUE */
    if (f->kind == FA_F_FALSE) {
        c->kind = RL_FALSE;
        return FA_OK;
    }
    if (!filter_moves(g, f)) {
        c->kind = RL_BIT;
        return bit_of(g, f, &c->i);
    }
    return f->kind == FA_F_LEAF ? cond_leaf(g, f, depth, c) : cond_group(g, f, depth, c);
}

static fa_rc cond_json(rl_program *g, const json_t *j, const char *path, int depth,
                       const rl_cond **out)
{
    const fa_filter *f = NULL;

    if (fa_filter_stored(g->cat, g->a, j, path, &f, g->e))
        return g->e->rc;
    return cond_of(g, f, depth, out);
}

/* ---- where texts come from ---- */

static fa_rc ref_of_key(rl_program *g, const fa_key *k, int depth, rl_ref *out)
{
    if (key_moves(g, k)) {
        out->kind = RL_SLOT;
        return slot_of(g, tag_of(k), depth, &out->i);
    }
    out->kind = RL_COLUMN;
    return column_of(g, k, &out->i);
}

static fa_rc ref_of_name(rl_program *g, const fa_tag_key *k, int depth, rl_ref *out)
{
    return ref_of_key(g, fa_key_stored(g->cat, g->a, k->cost_center, k->key, k->type), depth, out);
}

static fa_rc ref_of(rl_program *g, const fa_tag_to *to, int depth, rl_ref *out)
{
    if (to->is_key)
        return ref_of_name(g, &to->key, depth, out);
    *out = (rl_ref){.kind = RL_TEXT, .text = fa_str_trim(to->text)};
    return FA_OK;
}

static fa_rc join_of(rl_program *g, fa_str field, const fa_tag_key *k, int depth,
                     const rl_ref **out)
{
    rl_ref *r;

    *out = NULL;
    if (!field.n)
        return FA_OK;
    r = fa_arena_alloc(g->a, sizeof *r);
    if (!r)
        return fa_oom(g->e);
    *out = r;
    return ref_of_name(g, k, depth, r);
}

/* ---- slots ---- */

static fa_rc slot_rules(rl_program *g, const fa_tag *t, int depth, rl_slot *s)
{
    s->rule = fa_arena_array(g->a, t->nrule + 1, sizeof *s->rule);
    if (!s->rule)
        return fa_oom(g->e);
    for (size_t i = 0; i < t->nrule; i++) {
        rl_rule *r = &s->rule[s->nrule];

        if (t->rule[i].to_day <= g->from || t->rule[i].from > g->to)
            continue; /* on no day that is asked for */
        r->from = t->rule[i].from;
        r->to_day = t->rule[i].to_day;
        if (cond_json(g, t->rule[i].filters, "rules.filters", depth, &r->cond) ||
            ref_of(g, &t->rule[i].to, depth, &r->to))
            return g->e->rc;
        s->nrule++;
    }
    return FA_OK;
}

static bool reads_moving(const rl_program *g, const fa_tag *t)
{
    for (size_t i = 0; i < t->ndep; i++)
        if (g->moves[t->dep[i]])
            return true;
    return false;
}

const fa_key *rl_key(const rl_program *g, const fa_tag *t)
{
    return fa_key_stored(g->cat, g->a, FA_STR("virtualTag"), t->id, FA_STR("virtual_tag"));
}

static fa_rc slot_column(rl_program *g, const fa_tag *t, rl_slot *s)
{
    s->is_column = true;
    s->raw.kind = RL_COLUMN;
    return column_of(g, rl_key(g, t), &s->raw.i);
}

static bool by_cost(const fa_allocation *a)
{
    return a->kind == FA_ALLOC_PROPORTIONAL || (a->kind == FA_ALLOC_EVEN && a->ntarget == 0);
}

static fa_rc slot_entries(rl_program *g, const fa_tag *t, int depth, rl_slot *s)
{
    size_t n = g->limited == t && g->limit < t->nalloc ? g->limit : t->nalloc;

    s->entry = fa_arena_array(g->a, n + 1, sizeof *s->entry);
    if (!s->entry)
        return fa_oom(g->e);
    s->nentry = n;
    for (size_t i = 0; i < n; i++) {
        rl_entry *n_ = &s->entry[i];

        n_->a = &t->alloc[i];
        n_->by_currency = by_cost(n_->a);
        if (!fa_codes_add(s->text, n_->a->source, &n_->source))
            return fa_oom(g->e);
        if (n_->a->kind == FA_ALLOC_METRIC &&
            join_of(g, n_->a->join_field, &n_->a->join_key, depth, &n_->join))
            return g->e->rc;
    }
    return FA_OK;
}

static fa_rc relation_of(rl_program *g, const fa_tag *t, int depth, rl_slot *s)
{
    rl_relation *r;

    for (size_t i = 0; i < g->nrelation; i++)
        if (fa_str_eq(g->relation[i].id, t->relation)) {
            s->relation = &g->relation[i];
            return FA_OK;
        }
    r = &g->relation[g->nrelation];
    *r = (rl_relation){.id = t->relation, .tag = t, .tuple = fa_codes_new(0)};
    if (!r->tuple)
        return fa_oom(g->e);
    g->nrelation++;
    s->relation = r;
    s->opens = true;
    if (cond_json(g, t->scope, "relation.scope", depth, &r->scope))
        return g->e->rc;
    return join_of(g, t->join_field, &t->join_key, depth, &r->join);
}

static fa_rc make_slot(rl_program *g, const fa_tag *t, int depth, rl_slot *s)
{
    if (!(s->text = fa_codes_new(0)))
        return fa_oom(g->e);
    if (ref_of(g, &t->dflt, depth, &s->dflt))
        return g->e->rc;
    if (!t->dflt.is_key && !fa_codes_add(s->text, fa_str_trim(t->dflt.text), &s->dflt_code))
        return fa_oom(g->e);
    if (t->kind == FA_TAG_RELATIONAL && relation_of(g, t, depth, s))
        return g->e->rc;
    if (!reads_moving(g, t)) {
        if (slot_column(g, t, s))
            return g->e->rc;
    } else if (t->kind == FA_TAG_DICTIONARY) {
        if (ref_of_name(g, &t->source, depth, &s->raw))
            return g->e->rc;
    } else if (slot_rules(g, t, depth, s)) {
        return g->e->rc;
    }
    return slot_entries(g, t, depth, s);
}

static fa_rc fail_cycle(rl_program *g, const rl_program *p, const fa_tag *t)
{
    (void)fa_fail(g->e, FA_EDATA,
                  "the virtual tag \"%.*s\" is split by %s, and that asks for the tag",
                  FA_FMT(t->name), p->why);
    return fa_hint(g->e, "a view must not depend on the tag whose telemetry it feeds");
}

static bool same_subject(const fa_tag *x, const fa_tag *y)
{
    return x == y || (x && x->kind == FA_TAG_RELATIONAL && y->kind == FA_TAG_RELATIONAL &&
                      fa_str_eq(x->relation, y->relation));
}

/* A tag whose own weights are being worked out may be asked for only as it is before their entry. */
static fa_rc check_asker(rl_program *g, const fa_tag *t)
{
    int depth = 0;

    for (const rl_program *p = g; p; p = p->asker) {
        if (++depth > 32)
            return fa_fail(g->e, FA_EDATA, "weights hang on weights more than 32 deep");
        if (same_subject(p->subject, t) && g->limited != t)
            return fail_cycle(g, p, t);
    }
    return FA_OK;
}

static fa_rc slot_of(rl_program *g, const fa_tag *t, int depth, uint32_t *out)
{
    rl_slot s = {.tag = t};
    size_t n;

    for (uint32_t i = 0; i < g->nslot; i++)
        if (g->slot[i].tag == t) {
            *out = i;
            return FA_OK;
        }
    if (depth > DEPTH_MAX)
        return fa_fail(g->e, FA_EDATA, "virtual tags hang on each other more than %d deep",
                       DEPTH_MAX);
    s.place = (size_t)(t - fa_tag_set_all(g->set, &n));
    if (check_asker(g, t) || make_slot(g, t, depth + 1, &s)) {
        fa_codes_put(s.text);
        return g->e->rc;
    }
    *out = (uint32_t)g->nslot; /* behind all that it reads */
    g->slot[g->nslot++] = s;
    return FA_OK;
}

/* ---- the whole ---- */

/* Where nothing of the lines can be told, everything is possible: conditions only ever widen. */
static const fa_filter *widen(rl_program *g, const fa_filter *f)
{
    static const fa_filter all = {.kind = FA_F_TRUE};
    fa_filter *w;

    if (!f || !filter_moves(g, f))
        return f;
    if (f->kind == FA_F_LEAF)
        return &all;
    w = fa_arena_alloc(g->a, sizeof *w);
    if (!w)
        return NULL;
    *w = *f;
    w->kid = fa_arena_array(g->a, f->nkid + 1, sizeof *w->kid);
    if (!w->kid)
        return NULL;
    for (size_t i = 0; i < f->nkid; i++)
        w->kid[i] = widen(g, f->kid[i]);
    return w;
}

static bool asks_currency(const rl_program *g)
{
    for (size_t i = 0; i < g->nslot; i++)
        for (size_t k = 0; k < g->slot[i].nentry; k++)
            if (g->slot[i].entry[k].by_currency)
                return true;
    return false;
}

static fa_rc own_column(rl_program *g, const char *expr, uint32_t *out)
{
    fa_key *k = fa_arena_alloc(g->a, sizeof *k);

    if (!k)
        return fa_oom(g->e);
    k->expr = fa_str_of(expr);
    return column_of(g, k, out);
}

static fa_rc add_text(rl_program *g, const char *expr)
{
    rl_ref *r = &g->text[g->ntext++];

    r->kind = RL_COLUMN;
    return own_column(g, expr, &r->i);
}

/* Dimensions, units in the order of the measures, currency: as compile.c lays them out. */
static fa_rc make_texts(rl_program *g)
{
    const fa_plan *p = g->p;
    bool cost = false;

    for (size_t i = 0; i < p->ndim; i++)
        if (ref_of_key(g, p->dim[i], 0, &g->text[g->ntext++]))
            return g->e->rc;
    g->ndim = p->ndim;
    for (int m = 0; m < FA_M__COUNT; m++) {
        bool asked = false;

        for (size_t i = 0; i < p->nmeasure; i++)
            asked |= (int)p->measure[i].type->measure == m;
        if (asked && fa_measures[m].unit) {
            g->nunit++;
            if (add_text(g, fa_measures[m].unit))
                return g->e->rc;
        }
    }
    for (size_t i = 0; i < p->nmeasure; i++)
        cost |= !p->measure[i].type->is_usage;
    if (cost)
        return add_text(g, fa_money_expr(p));
    g->text[g->ntext++] = (rl_ref){.kind = RL_TEXT, .text = FA_STR("")};
    return FA_OK;
}

static fa_rc make_weights(rl_program *g)
{
    for (size_t i = 0; i < g->nslot; i++) {
        if (g->slot[i].opens && rl_relation_weights(g, g->slot[i].relation))
            return g->e->rc;
        for (size_t k = 0; k < g->slot[i].nentry; k++)
            if (rl_entry_weights(g, &g->slot[i], k))
                return g->e->rc;
    }
    return FA_OK;
}

fa_rc rl_compile(rl_program *g)
{
    fa_filter *both;
    size_t ntag;

    fa_arena_init(&g->slice_mem, 0);
    g->currency = g->factor = UINT32_MAX;
    g->moves = all_moving(g->set);
    (void)fa_tag_set_all(g->set, &ntag);
    g->slot = fa_arena_array(g->a, ntag + 1, sizeof *g->slot);
    g->relation = fa_arena_array(g->a, ntag + 1, sizeof *g->relation);
    both = fa_arena_alloc(g->a, sizeof *both);
    if (!g->moves || !g->slot || !g->relation || !both)
        return fa_oom(g->e);
    if (make_texts(g) || cond_of(g, g->p->filter, 0, &g->filter) ||
        cond_of(g, g->p->scope, 0, &g->scope) || make_weights(g))
        return g->e->rc;
    if (g->p->edp && column_of(g, g->p->edp->factor, &g->factor))
        return g->e->rc;
    if ((asks_currency(g) || fa_money_on(g->p)) && own_column(g, fa_money_expr(g->p), &g->currency))
        return g->e->rc;
    both->kind = FA_F_AND;
    both->kid = fa_arena_array(g->a, 2, sizeof *both->kid);
    if (!both->kid)
        return fa_oom(g->e);
    if (g->p->filter)
        both->kid[both->nkid++] = widen(g, g->p->filter);
    if (g->p->scope)
        both->kid[both->nkid++] = widen(g, g->p->scope);
    for (size_t i = 0; i < both->nkid; i++)
        if (!both->kid[i])
            return fa_oom(g->e);
    g->possible = both;
    for (size_t i = 0; i < g->nrelation; i++)
        g->relation[i].place = (uint32_t)(g->nslot + i);
    g->slot_memo = fa_arena_array(g->a, g->nslot + 1, sizeof *g->slot_memo);
    if (!g->slot_memo)
        return fa_oom(g->e);
    for (size_t i = 0; i < g->nslot; i++)
        rl_memo_open(&g->slot_memo[i], 1 + i + g->nrelation);
    rl_memo_open(&g->group_memo, 1 + g->nslot + g->nrelation);
    return FA_OK;
}

void rl_program_close(rl_program *g)
{
    for (size_t i = 0; i < g->nslot; i++) {
        for (size_t k = 0; k < g->slot[i].nentry; k++)
            fa_codes_put(g->slot[i].entry[k].w.group);
        fa_codes_put(g->slot[i].text);
        if (g->slot_memo)
            rl_memo_free(&g->slot_memo[i]);
    }
    for (size_t i = 0; i < g->nrelation; i++) {
        fa_codes_put(g->relation[i].tuple);
        fa_codes_put(g->relation[i].w.group);
    }
    rl_memo_free(&g->group_memo);
    free(g->moves);
    fa_arena_release(&g->slice_mem);
}

/* ---- slices ---- */

typedef struct cuts {
    rl_program *g;
    int32_t *day;
    size_t n, cap;
} cuts;

static fa_rc add_cut(cuts *c, int32_t day)
{
    if (day <= c->g->from || day > c->g->to)
        return FA_OK;
    if (!more(c->g->a, (void **)&c->day, c->n, &c->cap, sizeof *c->day))
        return fa_oom(c->g->e);
    c->day[c->n++] = day;
    return FA_OK;
}

static fa_rc cut_key(cuts *c, const fa_key *k)
{
    const int32_t *day;
    size_t n;

    if (fa_key_cuts(k, &day, &n, c->g->e))
        return c->g->e->rc;
    for (size_t i = 0; i < n; i++)
        if (add_cut(c, day[i]))
            return c->g->e->rc;
    return FA_OK;
}

static fa_rc cut_filter(cuts *c, const fa_filter *f)
{
    if (!f)
        return FA_OK;
    for (size_t i = 0; i < f->nkid; i++)
        if (cut_filter(c, f->kid[i]))
            return c->g->e->rc;
    return f->kind == FA_F_LEAF ? cut_key(c, f->key) : FA_OK;
}

static fa_rc cut_slot(cuts *c, const rl_slot *s)
{
    for (size_t i = 0; i < s->nrule; i++)
        if (add_cut(c, s->rule[i].from) || add_cut(c, s->rule[i].to_day))
            return c->g->e->rc;
    for (size_t i = 0; !s->is_column && s->tag->kind == FA_TAG_DICTIONARY && i < s->tag->nrow; i++)
        if (add_cut(c, s->tag->row[i].from) ||
            (s->tag->row[i].to != FA_DAY_MAX && add_cut(c, s->tag->row[i].to + 1)))
            return c->g->e->rc;
    return FA_OK;
}

static int by_day(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;

    return (a > b) - (a < b);
}

fa_rc rl_cuts(rl_program *g, int32_t **out, size_t *n)
{
    cuts c = {.g = g};
    size_t kept = 0;

    for (size_t i = 0; i < g->ncolumn; i++)
        if (cut_key(&c, g->column[i]))
            return g->e->rc;
    for (size_t i = 0; i < g->nbit; i++)
        if (cut_filter(&c, g->bit[i]))
            return g->e->rc;
    if (cut_filter(&c, g->possible))
        return g->e->rc;
    for (size_t i = 0; i < g->nslot; i++)
        if (cut_slot(&c, &g->slot[i]))
            return g->e->rc;
    if (!more(g->a, (void **)&c.day, c.n, &c.cap, sizeof *c.day))
        return fa_oom(g->e);
    c.day[c.n++] = g->from;
    qsort(c.day, c.n, sizeof *c.day, by_day);
    for (size_t i = 0; i < c.n; i++)
        if (!kept || c.day[i] != c.day[kept - 1])
            c.day[kept++] = c.day[i];
    *out = c.day;
    *n = kept;
    return FA_OK;
}

/* ---- atoms ---- */

/* Splits atoms by one more code of the lines. */
static fa_rc refine(rl_program *g, const uint32_t *code, uint32_t ncode)
{
    fa_level level = {0};
    fa_rc rc = fa_refine(code, ncode, g->v.nline, g->line, g->natom, &level, g->e);

    g->natom = level.n;
    fa_level_free(&level);
    return rc ? rc : fa_lens_check(&g->v, g->e);
}

static fa_rc read_columns(rl_program *g)
{
    g->codes = fa_arena_array(&g->slice_mem, g->ncolumn + 1, sizeof *g->codes);
    if (!g->codes)
        return fa_oom(g->e);
    for (size_t i = 0; i < g->ncolumn; i++)
        if (fa_codes_of(&g->v, g->column[i], &g->codes[i], g->e))
            return g->e->rc;
    return FA_OK;
}

static fa_rc read_bits(rl_program *g)
{
    size_t npack = (g->nbit + PACK - 1) / PACK;

    g->pack = fa_arena_array(&g->slice_mem, npack + 1, sizeof *g->pack);
    if (!g->pack)
        return fa_oom(g->e);
    for (size_t i = 0; i < npack; i++)
        if (!(g->pack[i] = calloc((size_t)g->v.nline + 1, sizeof **g->pack)))
            return fa_oom(g->e);
    for (size_t i = 0; i < g->nbit; i++) {
        uint32_t *to = g->pack[i / PACK], bit = (uint32_t)1 << (i % PACK);
        fa_sel *s = NULL;

        if (fa_select(&g->v, g->bit[i], &s, g->e))
            return g->e->rc;
        for (uint32_t k = 0; s->bits && k < g->v.nline; k++)
            to[k] |= s->bits[k >> 6] >> (k & 63) & 1 ? bit : 0;
        for (uint32_t k = 0; !s->bits && k < s->count; k++)
            to[s->line[k]] |= bit;
        fa_sel_put(s);
    }
    return FA_OK;
}

static fa_rc make_atoms(rl_program *g)
{
    fa_sel *s = NULL;

    g->line = malloc(((size_t)g->v.nline + 1) * sizeof *g->line);
    if (!g->line)
        return fa_oom(g->e);
    memset(g->line, 0xff, ((size_t)g->v.nline + 1) * sizeof *g->line);
    if (fa_select(&g->v, g->possible, &s, g->e))
        return g->e->rc;
    fa_sel_fill(s, g->line, 0);
    fa_sel_put(s);
    g->natom = 1;
    for (size_t i = 0; i < g->ncolumn; i++)
        if (refine(g, g->codes[i]->code, g->codes[i]->n))
            return g->e->rc;
    for (size_t i = 0; i < (g->nbit + PACK - 1) / PACK; i++)
        if (refine(g, g->pack[i], (uint32_t)1 << PACK))
            return g->e->rc;
    g->rep = malloc(((size_t)g->natom + 1) * sizeof *g->rep);
    if (!g->rep)
        return fa_oom(g->e);
    for (uint32_t i = g->v.nline; i-- > 0;)
        if (g->line[i] != FA_NO_GROUP)
            g->rep[g->line[i]] = i;
    return FA_OK;
}

fa_rc rl_slice_open(rl_program *g, int32_t day)
{
    g->day = g->v.day = day;
    for (size_t i = 0; i < g->nslot; i++) {
        rl_memo_clear(&g->slot_memo[i]);
        g->slot[i].of_column = NULL;
    }
    rl_memo_clear(&g->group_memo);
    if (read_columns(g) || read_bits(g))
        return g->e->rc;
    for (size_t i = 0; i < g->nslot; i++) {
        rl_slot *s = &g->slot[i];

        if (!s->is_column)
            continue;
        s->nof = g->codes[s->raw.i]->n;
        s->of_column = fa_arena_array(&g->slice_mem, (size_t)s->nof + 1, sizeof *s->of_column);
        if (!s->of_column)
            return fa_oom(g->e);
        memset(s->of_column, 0xff, s->nof * sizeof *s->of_column);
    }
    return make_atoms(g);
}

void rl_slice_close(rl_program *g)
{
    for (size_t i = 0; g->codes && i < g->ncolumn; i++)
        fa_codes_put(g->codes[i]);
    for (size_t i = 0; g->pack && i < (g->nbit + PACK - 1) / PACK; i++)
        free(g->pack[i]);
    free(g->line);
    free(g->rep);
    g->codes = NULL;
    g->pack = NULL;
    g->line = g->rep = NULL;
    fa_arena_clear(&g->slice_mem);
}

/* ---- asking ---- */

fa_str rl_text(const rl_program *g, const rl_ref *r, uint32_t atom, const uint32_t *code)
{
    switch (r->kind) {
    case RL_TEXT:
        return r->text;
    case RL_COLUMN:
        return fa_codes_text(g->codes[r->i], g->codes[r->i]->code[g->rep[atom]]);
    case RL_SLOT:
        return fa_codes_text(g->slot[r->i].text, code[r->i]);
    default:
        return (fa_str){"", 0};
    }
}

static fa_rc contains(rl_program *g, const fa_filter *f, fa_str text, bool *yes)
{
    char *low = malloc(text.n * 2 + 1), *part = NULL;
    fa_rc rc = low ? fa_fold_ready(g->v.l, g->e) : fa_oom(g->e);
    size_t n = rc ? 0 : fa_fold(text, low);

    *yes = false;
    for (size_t i = 0; !rc && text.n && !*yes && i < f->nvalue; i++) {
        char *grown = realloc(part, f->value[i].n * 2 + 1);

        if (!grown) {
            rc = fa_oom(g->e);
            break;
        }
        part = grown;
        *yes = f->value[i].n == 0 ||
               fa_search(low, n, (fa_str){part, fa_fold(f->value[i], part)}) != NULL;
    }
    free(low);
    free(part);
    return rc;
}

static bool compares(const fa_filter *f, fa_str text)
{
    fa_i128 limit, v;

    if (!fa_dec_parse(f->value[0], false, &limit, NULL) || !fa_dec_parse(text, false, &v, NULL))
        return false;
    return f->op == FA_OP_GREATER ? v > limit : v < limit;
}

static fa_rc ask_text(rl_program *g, const fa_filter *f, fa_str text, bool *yes)
{
    bool one = false;
    fa_rc rc;

    switch (f->op) {
    case FA_OP_EXISTS:
    case FA_OP_NOT_EXISTS:
        *yes = (text.n > 0) == (f->op == FA_OP_EXISTS);
        return FA_OK;
    case FA_OP_ONE_OF:
    case FA_OP_NOT_ONE_OF:
        for (size_t i = 0; text.n && i < f->nvalue; i++)
            one |= fa_str_eq(f->value[i], text);
        *yes = one == (f->op == FA_OP_ONE_OF);
        return FA_OK;
    case FA_OP_CONTAINS:
    case FA_OP_NOT_CONTAINS:
        rc = contains(g, f, text, &one);
        *yes = one == (f->op == FA_OP_CONTAINS);
        return rc;
    default:
        *yes = compares(f, text);
        return FA_OK;
    }
}

static fa_rc test_leaf(rl_program *g, const rl_cond *c, uint32_t code, bool *yes)
{
    rl_answers *k = c->known;

    if (code >= k->n) {
        size_t n = code + 64 + code / 2;
        uint8_t *of = fa_arena_array(g->a, n, sizeof *of);

        if (!of)
            return fa_oom(g->e);
        if (k->n)
            memcpy(of, k->of, k->n);
        k->of = of;
        k->n = n;
    }
    if (!k->of[code]) {
        if (ask_text(g, c->leaf, fa_codes_text(g->slot[c->i].text, code), yes))
            return g->e->rc;
        k->of[code] = *yes ? 2 : 1;
    }
    *yes = k->of[code] == 2;
    return FA_OK;
}

fa_rc rl_test(rl_program *g, const rl_cond *c, uint32_t atom, const uint32_t *code, bool *yes)
{
    bool is_and = c->kind == RL_AND;

    switch (c->kind) {
    case RL_TRUE:
    case RL_FALSE:
        *yes = c->kind == RL_TRUE;
        return FA_OK;
    case RL_BIT:
        *yes = g->pack[c->i / PACK][g->rep[atom]] >> (c->i % PACK) & 1;
        return FA_OK;
    case RL_LEAF:
        return test_leaf(g, c, code[c->i], yes);
    default:
        break;
    }
    *yes = is_and;
    for (size_t i = 0; i < c->nkid && *yes == is_and; i++)
        if (rl_test(g, c->kid[i], atom, code, yes))
            return g->e->rc;
    return FA_OK;
}

/* ---- the value of a slot ---- */

static int cmp_source(const fa_tag *t, fa_str x, fa_str y)
{
    int c;

    if (!t->ignore_case)
        return fa_str_cmp(x, y);
    c = strncasecmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    return c ? c : (x.n > y.n) - (x.n < y.n);
}

/* Rows are by source, then from. */
static bool dictionary_find(const fa_tag *t, fa_str source, int32_t day, fa_str *out)
{
    size_t lo = 0, hi = t->nrow;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (cmp_source(t, t->row[mid].source, source) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; source.n && lo < t->nrow && cmp_source(t, t->row[lo].source, source) == 0; lo++)
        if (t->row[lo].from <= day && day <= t->row[lo].to) {
            *out = fa_str_trim(t->row[lo].target);
            return true;
        }
    return false;
}

/* The first rule that holds; a missing value of another key is the default, and consumes (inform.md 5.2). */
static fa_rc rules_text(rl_program *g, const rl_slot *s, uint32_t atom, const uint32_t *code,
                        fa_str *out)
{
    for (size_t i = 0; i < s->nrule; i++) {
        bool yes;

        if (g->day < s->rule[i].from ||
            (s->rule[i].to_day != FA_DAY_MAX && g->day >= s->rule[i].to_day))
            continue;
        if (rl_test(g, s->rule[i].cond, atom, code, &yes))
            return g->e->rc;
        if (yes) {
            *out = fa_str_trim(rl_text(g, &s->rule[i].to, atom, code));
            return FA_OK;
        }
    }
    return FA_OK;
}

static bool tuple_part(const rl_slot *s, const uint32_t *code, fa_str *out)
{
    uint32_t tuple = code[s->relation->place];
    fa_str t = fa_codes_text(s->relation->tuple, tuple);

    if (!tuple)
        return false;
    for (size_t i = 0;; i++) {
        const char *sep = t.n ? memchr(t.p, '\x1f', t.n) : NULL;
        size_t n = sep ? (size_t)(sep - t.p) : t.n;

        if (i == s->tag->component) {
            *out = (fa_str){t.p, n};
            return true;
        }
        t = sep ? (fa_str){sep + 1, t.n - n - 1} : (fa_str){"", 0};
    }
}

static fa_rc find_value(rl_program *g, const rl_slot *s, uint32_t atom, const uint32_t *code,
                        fa_str *out)
{
    *out = (fa_str){"", 0};
    if (s->relation && tuple_part(s, code, out)) {
        *out = fa_str_trim(*out);
    } else if (s->is_column) {
        *out = rl_text(g, &s->raw, atom, code);
        return FA_OK;
    } else if (s->tag->kind == FA_TAG_DICTIONARY) {
        (void)dictionary_find(s->tag, rl_text(g, &s->raw, atom, code), g->day, out);
    } else if (rules_text(g, s, atom, code, out)) {
        return g->e->rc;
    }
    if (!out->n)
        *out = fa_str_trim(rl_text(g, &s->dflt, atom, code));
    if (!out->n)
        *out = FA_STR("Untagged");
    return FA_OK;
}

static fa_rc column_value(rl_program *g, rl_slot *s, uint32_t atom, uint32_t *out)
{
    const fa_codes *c = g->codes[s->raw.i];
    uint32_t was = c->code[g->rep[atom]];

    if (s->of_column[was] == UINT32_MAX &&
        !fa_codes_add(s->text, fa_codes_text(c, was), &s->of_column[was]))
        return fa_oom(g->e);
    *out = s->of_column[was];
    return FA_OK;
}

fa_rc rl_value(rl_program *g, size_t slot, uint32_t atom, const uint32_t *code, uint32_t *out)
{
    rl_slot *s = &g->slot[slot];
    rl_memo *m = &g->slot_memo[slot];
    uint32_t key[1024], *value;
    fa_str text;
    bool fresh;

    if (s->is_column && (!s->relation || !code[s->relation->place]))
        return column_value(g, s, atom, out);
    if (m->width > FA_COUNT(key))
        return fa_fail(g->e, FA_EDATA, "too many virtual tags hang on each other");
    key[0] = atom;
    memcpy(key + 1, code, slot * sizeof *code);
    memcpy(key + 1 + slot, code + g->nslot, g->nrelation * sizeof *code);
    if (!rl_memo_find(m, key, &value, &fresh))
        return fa_oom(g->e);
    if (fresh) {
        char *copy;
        bool ok;

        *value = 0;
        if (find_value(g, s, atom, code, &text))
            return g->e->rc;
        copy = malloc(text.n + 1); /* the text may be of a dictionary that grows */
        if (!copy)
            return fa_oom(g->e);
        memcpy(copy, text.p, text.n);
        ok = fa_codes_add(s->text, (fa_str){copy, text.n}, value);
        free(copy);
        if (!ok)
            return fa_oom(g->e);
    }
    *out = *value;
    return FA_OK;
}
