/*
 * reallocate.c - sums per day and atom, split into parts, added into groups (inform.md 6, 7).
 *
 * The one idea: a sum goes through the tags in the order of their dependency and through each tag's entries in their
 * order; every step replaces some parts by their split. Whatever happens, the parts of a sum are the sum: that is
 * checked for each, and an answer that fails it is an internal error and never a number.
 */
#include "query/reallocate.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_CELLS ((size_t)2 << 20)
#define PARTS_MAX ((size_t)4 << 20)
#define MEM_MAX ((size_t)6 << 30)

/* What came of a scan: one day, or hour of one, of one atom. */
typedef struct sum_in {
    int32_t day;
    uint32_t bucket, atom;
    int64_t rows;
    fa_stat stat[FA_MAX_MEASUREMENTS];
} sum_in;

/* A piece of a sum: a stat per measurement, and behind them its key (key_of): the atom, the codes of slots and tuples. */
typedef struct part {
    bool shared; /* it came from another value */
    fa_stat stat[];
} part;

typedef struct parts {
    char *p;
    size_t n, cap;
} parts;

typedef struct run {
    rl_program *g;
    fa_arena *a;
    const fa_buckets *k;
    bool by_rows, before;
    rl_out *o;
    size_t nm, nkey, stride;
    parts now, next;
    fa_i128 *share; /* [nm][room] */
    size_t room;
    fa_cells cells; /* of rl_cell */
    uint32_t serial;
    fa_groups *lines;       /* wanted instead of cells: which lines have a part in the answer */
    const fa_filter *scope; /* of the lines: what is not shown whole is not shown */
    bool *passes;           /* of each atom of the slice */
    rl_memo weighed;        /* (entry, block, day) whose weights are in the report */
    rl_memo carried;        /* (entry, day) */
    fa_err *e;
} run;

/* ---- parts ---- */

static uint32_t *key_of(const run *r, const part *p)
{
    return (uint32_t *)(uintptr_t)(p->stat + r->nm);
}

static part *part_at(const run *r, const parts *v, size_t i)
{
    return (part *)(void *)(v->p + i * r->stride);
}

static part *push_part(run *r, const part *like)
{
    part *p;

    if (r->next.n == r->next.cap) {
        size_t cap = r->next.cap ? r->next.cap * 2 : 64;
        char *grown = cap <= PARTS_MAX ? realloc(r->next.p, cap * r->stride) : NULL;

        if (!grown) {
            (void)fa_fail(r->e, FA_EDATA, "a cost would fall into more than %zu parts", PARTS_MAX);
            (void)fa_hint(r->e, "ask for fewer virtual tags with reallocation at once");
            return NULL;
        }
        r->next.p = grown;
        r->next.cap = cap;
    }
    p = part_at(r, &r->next, r->next.n++);
    memcpy(p, like, r->stride);
    return p;
}

static void swap_parts(run *r)
{
    parts t = r->now;

    r->now = r->next;
    r->next = t;
    r->next.n = 0;
}

/* ---- the report ---- */

static rl_kept *kept_of(run *r, const fa_tag *t, size_t entry)
{
    rl_out *o = r->o;

    for (size_t i = 0; i < o->nkept; i++)
        if (o->kept[i].tag == t && o->kept[i].entry == entry)
            return &o->kept[i];
    if (o->nkept == o->kept_cap) {
        size_t cap = o->kept_cap ? o->kept_cap * 2 : 16;
        rl_kept *more = fa_arena_array(r->a, cap, sizeof *more);

        if (!more)
            return NULL;
        if (o->nkept)
            memcpy(more, o->kept, o->nkept * sizeof *more);
        o->kept = more;
        o->kept_cap = cap;
    }
    o->kept[o->nkept] = (rl_kept){.tag = t, .entry = entry};
    return &o->kept[o->nkept++];
}

static rl_moved *moved_of(run *r, const fa_tag *t, size_t entry, fa_str target)
{
    rl_out *o = r->o;

    for (size_t i = 0; i < o->nmoved; i++)
        if (o->moved[i].tag == t && o->moved[i].entry == entry &&
            fa_str_eq(o->moved[i].target, target))
            return &o->moved[i];
    if (o->nmoved == o->moved_cap) {
        size_t cap = o->moved_cap ? o->moved_cap * 2 : 64;
        rl_moved *more = fa_arena_array(r->a, cap, sizeof *more);

        if (!more)
            return NULL;
        if (o->nmoved)
            memcpy(more, o->moved, o->nmoved * sizeof *more);
        o->moved = more;
        o->moved_cap = cap;
    }
    o->moved[o->nmoved] = (rl_moved){.tag = t,
                                     .entry = entry,
                                     .source = t->alloc[entry].source,
                                     .target = fa_arena_dup(r->a, target)};
    return o->moved[o->nmoved].target.p ? &o->moved[o->nmoved++] : NULL;
}

/* An entry that splits, and what is said of it. */
typedef struct step {
    const rl_slot *slot;
    size_t entry;
    const rl_block *block;
    const rl_weights *w;
    uint32_t place, source; /* where the code stands, and the value that moves */
    int32_t day;
    bool report;
} step;

static fa_rc report_stay(run *r, const step *s, fa_i128 amount)
{
    rl_kept *k = kept_of(r, s->slot->tag, s->entry);

    if (!k)
        return fa_oom(r->e);
    k->entered += amount;
    k->stayed += amount;
    return FA_OK;
}

/* Weights count once for each day and join value, however many sums are split by them. */
static fa_rc report_split(run *r, const step *s, fa_i128 amount, const fa_i128 *share)
{
    const rl_ratio *q = &s->block->r;
    const fa_i128 *w = q->w[r->g->p->measure[0].type->measure];
    uint32_t key[3] = {(uint32_t)s->entry, (uint32_t)(s->block - s->w->block), (uint32_t)s->day};
    rl_kept *k = kept_of(r, s->slot->tag, s->entry);
    uint32_t *value;
    bool first, day_first;

    if (!k || !rl_memo_find(&r->weighed, key, &value, &first))
        return fa_oom(r->e);
    k->entered += amount;
    key[1] = 0;
    if (s->block->day != RL_ANY_DAY && s->block->day < s->day) {
        if (!rl_memo_find(&r->carried, key, &value, &day_first))
            return fa_oom(r->e);
        k->carried_days += day_first;
    }
    for (uint32_t i = 0; i < q->n; i++) {
        rl_moved *m;

        if (!q->target[i] || q->target[i] == s->source || !w[i])
            continue;
        m = moved_of(r, s->slot->tag, s->entry, fa_codes_text(s->slot->text, q->target[i]));
        if (!m)
            return fa_oom(r->e);
        m->amount += share[i];
        k->moved += share[i];
        if (first && q->unit_e18)
            m->weight_e18 += w[i] * q->unit_e18;
    }
    return FA_OK;
}

/* ---- splitting ---- */

static fa_rc make_room(run *r, size_t n)
{
    fa_i128 *grown;

    if (n <= r->room)
        return FA_OK;
    grown = realloc(r->share, r->nm * n * sizeof *grown);
    if (!grown)
        return fa_oom(r->e);
    r->share = grown;
    r->room = n;
    return FA_OK;
}

/* The least and greatest row of a share, by the same ratio, where anybody asks for them. */
static void scale(const run *r, fa_stat *to, const fa_stat *from, fa_i128 share, fa_i128 w,
                  fa_i128 sum)
{
    *to = (fa_stat){.sum = share, .n = from->n};
    if (!r->by_rows)
        return;
    to->min = fa_dec_muldiv(from->min, w, sum);
    to->max = fa_dec_muldiv(from->max, w, sum);
}

static void add_stat(fa_stat *to, const fa_stat *from)
{
    to->sum += from->sum;
    to->min += from->min;
    to->max += from->max;
    to->n = from->n > to->n ? from->n : to->n;
}

/* The parts of p by the step's ratio; what has no weight, or is the source's own, stays in one part. */
static fa_rc split_part(run *r, const part *p, const step *s)
{
    const rl_ratio *q = &s->block->r;
    fa_i128 sum[FA_MAX_MEASUREMENTS] = {0};
    fa_stat rest[FA_MAX_MEASUREMENTS] = {{0}};
    const fa_i128 *w[FA_MAX_MEASUREMENTS];
    bool stays = false, any = false;
    part *t = NULL;

    if (make_room(r, q->n))
        return r->e->rc;
    for (size_t m = 0; m < r->nm; m++) {
        w[m] = q->w[r->g->p->measure[m].type->measure];
        for (uint32_t i = 0; w[m] && i < q->n; i++)
            sum[m] += w[m][i];
        if (!w[m] || !fa_split(p->stat[m].sum, w[m], q->n, r->share + m * r->room)) {
            w[m] = NULL;
            rest[m] = p->stat[m];
            stays = true;
        }
        any |= w[m] != NULL;
    }
    if (s->report &&
        (w[0] ? report_split(r, s, p->stat[0].sum, r->share) : report_stay(r, s, p->stat[0].sum)))
        return r->e->rc;
    for (uint32_t i = 0; any && i < q->n; i++) {
        bool own = q->target[i] == 0 || q->target[i] == s->source, weighs = false;

        for (size_t m = 0; m < r->nm; m++)
            weighs |= w[m] && w[m][i];
        if (!weighs)
            continue;
        stays |= own;
        if (!own && !(t = push_part(r, p)))
            return r->e->rc;
        for (size_t m = 0; m < r->nm; m++) {
            fa_stat piece;

            if (w[m] && w[m][i])
                scale(r, &piece, &p->stat[m], r->share[m * r->room + i], w[m][i], sum[m]);
            else
                piece = (fa_stat){0};
            if (own)
                add_stat(&rest[m], &piece);
            else
                t->stat[m] = piece;
        }
        if (own)
            continue;
        key_of(r, t)[s->place] = q->target[i];
        t->shared = true;
    }
    if (!stays)
        return FA_OK;
    if (!(t = push_part(r, p)))
        return r->e->rc;
    memcpy(t->stat, rest, r->nm * sizeof *rest);
    return FA_OK;
}

static fa_str join_text(const run *r, const rl_ref *join, const part *p)
{
    return join ? rl_text(r->g, join, key_of(r, p)[0], key_of(r, p) + 1) : (fa_str){"", 0};
}

/* Amounts that are converted have none of their own. */
static fa_str currency_of(const run *r, uint32_t atom)
{
    const rl_ref c = {.kind = RL_COLUMN, .i = r->g->currency};

    return fa_money_on(r->g->p) ? (fa_str){"", 0} : rl_text(r->g, &c, atom, NULL);
}

static fa_rc keep_part(run *r, const part *p)
{
    return push_part(r, p) ? FA_OK : r->e->rc;
}

/* A preview asks for the values as they are without the relation. */
static bool is_before(const rl_program *g, const rl_relation *q)
{
    return g->limited && g->limit == 0 && fa_str_eq(g->limited->relation, q->id);
}

/* inform.md 6: what is in scope falls into tuples. */
static fa_rc split_tuples(run *r, const rl_slot *slot, int32_t day)
{
    const rl_relation *q = slot->relation;
    step s = {.slot = slot, .w = &q->w, .place = 1 + q->place, .day = day};

    for (size_t i = 0; i < r->now.n; i++) {
        const part *p = part_at(r, &r->now, i);
        bool yes;

        if (rl_test(r->g, q->scope, key_of(r, p)[0], key_of(r, p) + 1, &yes))
            return r->e->rc;
        yes = yes && !is_before(r->g, q); /* as it is before */
        s.block = yes ? rl_weights_find(&q->w, join_text(r, q->join, p), day) : NULL;
        if (s.block ? split_part(r, p, &s) : keep_part(r, p))
            return r->e->rc;
    }
    swap_parts(r);
    return FA_OK;
}

/* One entry: the parts that have its source value by then. */
static fa_rc split_entry(run *r, size_t slot, size_t entry, int32_t day)
{
    const rl_slot *t = &r->g->slot[slot];
    const rl_entry *n = &t->entry[entry];
    step s = {.slot = t,
              .entry = entry,
              .w = &n->w,
              .place = (uint32_t)(1 + slot),
              .source = n->source,
              .day = day,
              .report = r->o->with_report && !r->before && !r->g->asker};
    bool any = false;

    for (size_t i = 0; i < r->now.n && !any; i++)
        any = key_of(r, part_at(r, &r->now, i))[s.place] == n->source;
    if (!any)
        return FA_OK;
    for (size_t i = 0; i < r->now.n; i++) {
        const part *p = part_at(r, &r->now, i);

        s.block = NULL;
        if (key_of(r, p)[s.place] == n->source) {
            fa_str group =
                n->by_currency ? currency_of(r, key_of(r, p)[0]) : join_text(r, n->join, p);

            s.block = rl_weights_find(&n->w, group, day);
            if (!s.block && s.report && report_stay(r, &s, p->stat[0].sum))
                return r->e->rc;
        }
        if (s.block ? split_part(r, p, &s) : keep_part(r, p))
            return r->e->rc;
    }
    swap_parts(r);
    return FA_OK;
}

static fa_rc split_sum(run *r, const sum_in *in)
{
    rl_program *g = r->g;
    part *p;

    r->next.n = 0;
    if (r->next.cap == 0 && !(r->next.p = realloc(r->next.p, 64 * r->stride)))
        return fa_oom(r->e);
    r->next.cap = r->next.cap ? r->next.cap : 64;
    p = part_at(r, &r->next, r->next.n++);
    memset(p, 0, r->stride);
    memcpy(p->stat, in->stat, r->nm * sizeof *in->stat);
    key_of(r, p)[0] = in->atom;
    swap_parts(r);
    for (size_t s = 0; s < g->nslot; s++) {
        if (g->slot[s].opens && split_tuples(r, &g->slot[s], in->day))
            return r->e->rc;
        for (size_t i = 0; i < r->now.n; i++) {
            p = part_at(r, &r->now, i);
            if (rl_value(g, s, key_of(r, p)[0], key_of(r, p) + 1, &key_of(r, p)[1 + s]))
                return r->e->rc;
        }
        for (size_t n = 0; n < g->slot[s].nentry; n++)
            if (split_entry(r, s, n, in->day))
                return r->e->rc;
    }
    return FA_OK;
}

/* The parts are the sum, or there is no answer. */
static fa_rc check_sum(const run *r, const sum_in *in)
{
    for (size_t m = 0; m < r->nm; m++) {
        fa_i128 sum = 0;

        for (size_t i = 0; i < r->now.n; i++)
            sum += part_at(r, &r->now, i)->stat[m].sum;
        if (sum != in->stat[m].sum)
            return fa_fail(r->e, FA_EINTERNAL,
                           "the parts of a reallocated cost do not add up to it");
    }
    return FA_OK;
}

/* ---- groups ---- */

/* The group of a part; FA_NO_GROUP: the filter or a row rule leaves it out. */
static fa_rc group_of(run *r, const part *p, uint32_t *out)
{
    rl_program *g = r->g;
    fa_groups *to = r->o->g;
    uint32_t tuple[FA_MAX_TEXTS], *value;
    bool fresh, yes = true;

    if (!rl_memo_find(&g->group_memo, key_of(r, p), &value, &fresh))
        return fa_oom(r->e);
    if (fresh) {
        *value = FA_NO_GROUP;
        if (rl_test(g, g->filter, key_of(r, p)[0], key_of(r, p) + 1, &yes) ||
            (yes && rl_test(g, g->scope, key_of(r, p)[0], key_of(r, p) + 1, &yes)))
            return r->e->rc;
        for (size_t i = 0; yes && i < g->ntext; i++)
            if (!fa_codes_add(to->col[i],
                              rl_text(g, &g->text[i], key_of(r, p)[0], key_of(r, p) + 1),
                              &tuple[i]))
                return fa_oom(r->e);
        if (yes && !fa_groups_add(to, tuple, value))
            return fa_oom(r->e);
    }
    *out = *value;
    return FA_OK;
}

static fa_rc add_parts(run *r, const sum_in *in)
{
    bool any = false;

    r->serial++;
    for (size_t i = 0; i < r->now.n; i++) {
        const part *p = part_at(r, &r->now, i);
        uint32_t group;
        rl_cell *c;

        if (group_of(r, p, &group))
            return r->e->rc;
        if (group == FA_NO_GROUP)
            continue;
        any = true;
        if (r->lines) {
            r->passes[in->atom] = true;
            break;
        }
        if (!(c = fa_cells_get(&r->cells, in->bucket, group)))
            return fa_oom(r->e);
        if (c->seen != r->serial)
            c->rows += in->rows;
        c->seen = r->serial;
        for (size_t m = 0; m < r->nm; m++) {
            fa_stat_add(&c->stat[m], &p->stat[m]);
            if (p->shared)
                c->shared[m] += p->stat[m].sum;
        }
    }
    if (any && !r->before)
        r->o->rows += in->rows;
    return FA_OK;
}

static fa_rc take_sum(run *r, sum_in *in)
{
    const rl_program *g = r->g;

    if (g->factor != UINT32_MAX) { /* discounts come before anything moves */
        const fa_codes *c = g->codes[g->factor];

        fa_edp_stats(g->p, in->stat, fa_edp_factor(fa_codes_text(c, c->code[g->rep[in->atom]])));
    }
    if (split_sum(r, in) || check_sum(r, in) || add_parts(r, in))
        return r->e->rc;
    return r->serial % 256 ? FA_OK : fa_lens_check(&r->g->v, r->e);
}

/* ---- sums ---- */

static uint32_t bucket_of(const run *r, int32_t day, uint32_t hour)
{
    if (r->k->kind == FA_HOUR)
        return (uint32_t)(day - r->k->from) * 24 + hour;
    return r->k->of_day[day - r->k->from];
}

/* What came of a scan or of bill rows; one of the two. */
typedef struct source {
    const fa_cell *cell;
    const fa_stat_cell *rows;
    size_t n;
    int32_t from;
    bool hours;
    const fa_stat *stat; /* [n * nm]: in the question's currency; NULL: as they are */
} source;

static void sum_of(const run *r, const source *o, size_t i, sum_in *in)
{
    uint32_t bucket = o->rows ? o->rows[i].bucket : o->cell[i].bucket;

    in->day = o->from + (int32_t)(o->hours ? bucket / 24 : bucket);
    in->bucket = bucket_of(r, in->day, o->hours ? bucket % 24 : 0);
    in->atom = o->rows ? o->rows[i].group : o->cell[i].group;
    in->rows = o->rows ? o->rows[i].rows : o->cell[i].rows;
    if (o->stat)
        memcpy(in->stat, o->stat + i * r->nm, r->nm * sizeof *in->stat);
    else if (o->rows)
        memcpy(in->stat, o->rows[i].stat, sizeof in->stat);
    for (size_t m = 0; !o->stat && !o->rows && m < r->nm; m++)
        in->stat[m] = (fa_stat){.sum = o->cell[i].sum[r->g->p->measure[m].type->measure],
                                .n = o->cell[i].rows};
}

/* All sums of these days in the question's currency. */
static fa_rc convert(run *r, fa_arena *mem, source *o)
{
    const rl_program *g = r->g;
    const fa_codes *texts = g->codes[g->currency];
    fa_money_item *it = fa_arena_array(mem, o->n + 1, sizeof *it);
    fa_stat *stat = fa_arena_array(mem, o->n * r->nm + 1, sizeof *stat);

    if (!it || !stat)
        return fa_oom(r->e);
    for (size_t i = 0; i < o->n; i++) {
        sum_in in = {0};

        sum_of(r, o, i, &in);
        memcpy(stat + i * r->nm, in.stat, r->nm * sizeof *stat);
        it[i] =
            (fa_money_item){in.day, texts->code[g->rep[in.atom]], (uint32_t)i, stat + i * r->nm};
    }
    o->stat = stat;
    return fa_money_items(g->p, mem, it, o->n, texts, r->e);
}

static fa_rc take_source(run *r, fa_arena *mem, source *o)
{
    if (fa_money_on(r->g->p) && convert(r, mem, o))
        return r->e->rc;
    for (size_t i = 0; i < o->n; i++) {
        sum_in in = {0};

        sum_of(r, o, i, &in);
        if (take_sum(r, &in))
            return r->e->rc;
    }
    return FA_OK;
}

/* Bill rows: for hours, averages, least and greatest. */
static fa_rc read_rows(run *r, fa_arena *mem, int32_t from, int32_t to, const uint32_t *of_day)
{
    rl_program *g = r->g;
    bool hours = r->k->kind == FA_HOUR;
    fa_slice slice = {INT32_MIN, g->line};
    fa_groups atoms = {.n = g->natom, .nline = g->v.nline, .slice = &slice, .nslice = 1};
    fa_buckets k = {from, to, hours ? FA_HOUR : FA_DAY, (size_t)(to - from + 1) * (hours ? 24 : 1),
                    of_day};
    source o = {.from = from, .hours = hours};
    fa_stat_cell *cell;

    if (fa_archive_read(g->v.l, mem, g->p, &k, &atoms, &cell, &o.n, r->e))
        return r->e->rc;
    o.rows = cell;
    return o.n ? take_source(r, mem, &o) : FA_OK;
}

static fa_rc scan_days(run *r, fa_arena *mem, int32_t from, int32_t to, const uint32_t *of_day)
{
    rl_program *g = r->g;
    fa_scan q = {.from = from,
                 .to = to,
                 .group = g->line,
                 .nline = g->v.nline,
                 .bucket = of_day,
                 .deadline_mono_ms = g->p->deadline_mono_ms};
    source o = {.from = from};
    fa_cell *cell;

    for (size_t m = 0; m < r->nm; m++)
        q.measures |= 1u << g->p->measure[m].type->measure;
    if (fa_engine_scan(fa_ledger_engine(g->v.l), mem, &q, &cell, &o.n, r->e))
        return r->e->rc;
    o.cell = cell;
    return take_source(r, mem, &o);
}

/* The days of one slice, a few at a time. */
static fa_rc run_slice(run *r, int32_t from, int32_t to)
{
    size_t per = SCAN_CELLS / ((size_t)r->g->natom + 1) + 1;
    fa_arena mem;
    fa_rc rc = FA_OK;

    fa_arena_init(&mem, MEM_MAX);
    while (!rc && from <= to) {
        int32_t last = (int64_t)to - from + 1 > (int64_t)per ? from + (int32_t)per - 1 : to;
        size_t days = (size_t)(last - from) + 1;
        uint32_t *of_day = fa_arena_array(&mem, days, sizeof *of_day);

        for (size_t i = 0; of_day && i < days; i++)
            of_day[i] = (uint32_t)i;
        rc = !of_day      ? fa_oom(r->e)
             : r->by_rows ? read_rows(r, &mem, from, last, of_day)
                          : scan_days(r, &mem, from, last, of_day);
        fa_arena_clear(&mem);
        from = last + 1;
    }
    fa_arena_release(&mem);
    return rc;
}

/* A slice of the lines whose atom has a part in the answer on any of its days, and that the row rules show whole. */
static fa_rc keep_lines(run *r, int32_t from, const fa_filter *scope)
{
    fa_groups *o = r->lines;
    rl_program *g = r->g;
    uint32_t *line = malloc(((size_t)g->v.nline + 1) * sizeof *line);
    fa_sel *seen = NULL;

    if (!line)
        return fa_oom(r->e);
    o->array[o->narray++] = line;
    o->slice[o->nslice++] = (fa_slice){from, line};
    memset(line, 0xff, ((size_t)g->v.nline + 1) * sizeof *line);
    if (fa_select(&g->v, scope, &seen, r->e))
        return r->e->rc;
    fa_sel_fill(seen, line, 0);
    fa_sel_put(seen);
    for (uint32_t i = 0; i < g->v.nline; i++)
        if (g->line[i] == FA_NO_GROUP || !r->passes[g->line[i]])
            line[i] = FA_NO_GROUP;
    return FA_OK;
}

static fa_rc slice_of_lines(run *r, int32_t from, int32_t to)
{
    fa_rc rc;

    r->passes = calloc((size_t)r->g->natom + 1, sizeof *r->passes);
    if (!r->passes)
        return fa_oom(r->e);
    rc = run_slice(r, from, to);
    if (!rc)
        rc = keep_lines(r, from, r->scope);
    free(r->passes);
    r->passes = NULL;
    return rc;
}

static fa_rc room_for_lines(run *r, size_t n)
{
    fa_groups *o = r->lines;

    if (!o)
        return FA_OK;
    o->nline = r->g->v.nline;
    o->n = 1;
    o->array = calloc(n + 1, sizeof *o->array);
    o->slice = calloc(n + 1, sizeof *o->slice);
    return o->array && o->slice ? FA_OK : fa_oom(r->e);
}

static fa_rc run_slices(run *r)
{
    rl_program *g = r->g;
    int32_t *from;
    size_t n;
    fa_rc rc = FA_OK;

    if (rl_compile(g) || rl_cuts(g, &from, &n) || room_for_lines(r, n))
        return r->e->rc;
    r->nkey = 1 + g->nslot + g->nrelation;
    r->stride =
        (sizeof(part) + r->nm * sizeof(fa_stat) + r->nkey * sizeof(uint32_t) + 15) / 16 * 16;
    for (size_t i = 0; !rc && i < n; i++) {
        int32_t last = i + 1 < n ? from[i + 1] - 1 : g->to;

        rc = rl_slice_open(g, from[i]);
        if (!rc)
            rc = r->lines ? slice_of_lines(r, from[i], last) : run_slice(r, from[i], last);
        rl_slice_close(g);
    }
    return rc;
}

static fa_rc run_program(run *r, const rl_program *about)
{
    rl_program g = *about;
    fa_arena mem;
    fa_rc rc;

    fa_arena_init(&mem, MEM_MAX);
    g.a = &mem;
    g.from = r->k->from;
    g.to = r->k->to;
    r->g = &g;
    r->nm = g.p->nmeasure;
    r->e = g.e;
    rl_memo_open(&r->weighed, 3);
    rl_memo_open(&r->carried, 3);
    rc = run_slices(r);
    free(r->now.p);
    free(r->next.p);
    free(r->share);
    rl_memo_free(&r->weighed);
    rl_memo_free(&r->carried);
    rl_program_close(&g);
    fa_arena_release(&mem);
    return rc;
}

fa_rc rl_run(const rl_program *about, fa_arena *a, const fa_buckets *k, bool by_rows, bool before,
             rl_out *o)
{
    run r = {.a = a,
             .k = k,
             .by_rows = by_rows,
             .before = before,
             .o = o,
             .cells = {.a = a, .stride = sizeof(rl_cell)}};
    fa_rc rc = run_program(&r, about);

    *(before ? &o->before : &o->now) = (rl_cell *)(void *)r.cells.p;
    *(before ? &o->nbefore : &o->nnow) = r.cells.n;
    return rc;
}

/* ---- other questions ---- */

/* A plan about the whole of its days that measures what every bill has. */
static fa_rc whole_plan(fa_plan *q, fa_arena *a, fa_buckets *k, fa_err *e)
{
    size_t days = (size_t)((int64_t)q->range.to - q->range.from + 1);
    uint32_t *zero = fa_arena_array(a, days, sizeof *zero);

    q->bucket = FA_ALL;
    q->nmeasure = 1;
    q->measure[0].agg = FA_AGG_SUM;
    *k = (fa_buckets){q->range.from, q->range.to, FA_ALL, 1, zero};
    return zero ? fa_cost_type_find(FA_STR("netAmortizedCost"), FA_FAIR_OFF, &q->measure[0].type, e)
                : fa_oom(e);
}

/* Weights are those of a question in the account's currency; a rate that is missing takes nothing out of a list. */
static fa_rc lenient_money(const fa_lens *v, fa_arena *a, fa_plan *q, fa_money *m, fa_err *e)
{
    if (fa_money_open(v->l, a, q, m, e))
        return e->rc;
    m->lenient = true;
    q->money = m;
    return FA_OK;
}

static fa_rc lines_of(fa_lens *v, const fa_plan *p, const fa_catalog *c, int32_t from, int32_t to,
                      fa_groups **out, fa_err *e)
{
    fa_plan q = *p;
    fa_money money = {0};
    rl_program about = {.v = *v, .cat = c, .set = c->tags, .p = &q, .e = e};
    fa_arena mem;
    fa_buckets k;
    rl_out o = {0};
    run r = {.a = &mem, .k = &k, .o = &o, .scope = p->scope};
    fa_rc rc;

    q.scope = NULL;
    q.ndim = 0;
    q.range.from = from;
    q.range.to = to;
    fa_arena_init(&mem, MEM_MAX);
    r.lines = fa_groups_new(0, 0, false);
    rc = r.lines ? whole_plan(&q, &mem, &k, e) : fa_oom(e);
    if (!rc && !(rc = lenient_money(v, &mem, &q, &money, e)) && !(rc = rl_begin(&o, &q, e)))
        rc = run_program(&r, &about);
    fa_money_close(&money);
    fa_groups_put(o.g);
    fa_arena_release(&mem);
    if (rc)
        fa_groups_put(r.lines);
    else
        *out = r.lines;
    return rc;
}

fa_rc fa_groups_of_rows(fa_lens *v, const fa_plan *p, int32_t from, int32_t to, fa_groups **out,
                        fa_err *e)
{
    const fa_plan filtered = {.filter = p->filter};
    const fa_catalog *c;

    *out = NULL;
    if (rl_touches(&filtered, &c, e))
        return e->rc;
    return c ? lines_of(v, p, c, from, to, out, e) : fa_groups_of_plan(v, p, from, to, out, e);
}

fa_rc rl_texts(fa_lens *v, const fa_key *key, const fa_filter *scope, const fa_catalog *c,
               int32_t from, int32_t to, fa_codes *texts, fa_err *e)
{
    fa_plan q = {.dim = {key}, .ndim = 1, .scope = scope, .range = {.from = from, .to = to}};
    rl_program about = {.v = *v, .cat = c, .set = c->tags, .p = &q, .e = e};
    fa_money money = {0};
    rl_out o = {0};
    fa_arena mem;
    fa_buckets k;
    uint32_t code;
    fa_rc rc;

    if (from > to)
        return FA_OK;
    fa_arena_init(&mem, MEM_MAX);
    rc = whole_plan(&q, &mem, &k, e);
    if (!rc && !(rc = lenient_money(v, &mem, &q, &money, e)) && !(rc = rl_begin(&o, &q, e)))
        rc = rl_run(&about, &mem, &k, false, false, &o);
    fa_money_close(&money);
    for (size_t i = 0; !rc && i < o.nnow; i++)
        if (!fa_codes_add(texts, fa_groups_text(o.g, o.now[i].group, 0), &code))
            rc = fa_oom(e);
    fa_groups_put(o.g);
    fa_arena_release(&mem);
    return rc;
}

/* ---- the groups of an answer ---- */

static size_t units_of(const fa_plan *p)
{
    size_t n = 0;

    for (int m = 0; m < FA_M__COUNT; m++) {
        bool asked = false;

        for (size_t i = 0; i < p->nmeasure; i++)
            asked |= (int)p->measure[i].type->measure == m;
        n += asked && fa_measures[m].unit;
    }
    return n;
}

fa_rc rl_begin(rl_out *o, const fa_plan *p, fa_err *e)
{
    o->g = fa_groups_new(p->ndim, units_of(p), false);
    if (!o->g)
        return fa_oom(e);
    for (size_t i = 0; i < o->g->ntext; i++)
        if (!(o->g->col[i] = fa_codes_new(0)))
            return fa_oom(e);
    return FA_OK;
}

fa_rc rl_finish(rl_out *o, fa_err *e)
{
    for (size_t i = 0; i < o->g->ntext; i++)
        fa_codes_seal(o->g->col[i]);
    return fa_groups_seal(o->g) ? FA_OK : fa_oom(e);
}
