/*
 * groups.c - texts and tuples of texts become dense numbers.
 *
 * The one idea: a question's group-by gives each line a tuple of texts; the distinct tuples get
 * numbers 0, 1, 2, ... and the scan only ever sees those. Hashes are keyed per array, so that a
 * bill's texts cannot be chosen to collide.
 */
#include "query/inner.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t a, uint64_t b)
{
    fa_u128 m = (fa_u128)a * b;

    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint32_t hash_bytes(const void *p, size_t n, uint64_t seed)
{
    const unsigned char *s = p;
    uint64_t h = seed ^ mix(n + 0x9e3779b97f4a7c15u, seed | 1), w;

    for (; n >= 8; s += 8, n -= 8) {
        memcpy(&w, s, 8);
        h = mix(h ^ w, (seed * 0xd6e8feb86659fd93u) | 1) + 0x2545f4914f6cdd1du;
    }
    w = 0;
    if (n)
        memcpy(&w, s, n);
    h = mix(h ^ w, 0xe7037ed1a0b428dbu ^ seed);
    h = mix(h ^ 0x8ebc6af09c88c6e3u, h | 1) ^ h >> 29;
    return (uint32_t)(h ^ h >> 32);
}

static bool grow(void **p, uint32_t cap, size_t size)
{
    void *q = realloc(*p, cap * size);

    if (!q)
        return false;
    *p = q;
    return true;
}

/* Slots hold place + 1; 0 is free. Makes the table at least twice as large as `cap`. */
static bool rehash(uint32_t **slot, size_t *nslot, const uint32_t *hash, uint32_t n, uint32_t cap)
{
    size_t size = 64;
    uint32_t *fresh;

    while (size < (size_t)cap * 2)
        size *= 2;
    fresh = calloc(size, sizeof *fresh);
    if (!fresh)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        size_t at = hash[i] & (size - 1);

        while (fresh[at])
            at = (at + 1) & (size - 1);
        fresh[at] = i + 1;
    }
    free(*slot);
    *slot = fresh;
    *nslot = size;
    return true;
}

static bool dict_add(fa_dict *d, fa_arena *mem, uint64_t seed, fa_str s, uint32_t *code)
{
    uint32_t h;
    size_t at;

    if (d->n && fa_str_eq(d->text[d->last], s)) {
        *code = d->last;
        return true;
    }
    if (d->n == d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : 64;

        if (cap < d->cap || !grow((void **)&d->text, cap, sizeof *d->text) ||
            !grow((void **)&d->hash, cap, sizeof *d->hash) ||
            !rehash(&d->slot, &d->nslot, d->hash, d->n, cap))
            return false;
        d->cap = cap;
    }
    h = hash_bytes(s.p, s.n, seed);
    for (at = h & (d->nslot - 1); d->slot[at]; at = (at + 1) & (d->nslot - 1)) {
        uint32_t i = d->slot[at] - 1;

        if (d->hash[i] == h && fa_str_eq(d->text[i], s)) {
            *code = d->last = i;
            return true;
        }
    }
    d->text[d->n] = fa_arena_dup(mem, s);
    if (!d->text[d->n].p)
        return false;
    d->hash[d->n] = h;
    d->slot[at] = d->n + 1;
    *code = d->last = d->n++;
    return true;
}

/* ---- groups ---- */

fa_groups *fa_groups_new(size_t ndim, size_t nunit)
{
    fa_groups *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    atomic_init(&g->refs, 1);
    fa_arena_init(&g->mem, 0);
    fa_random(&g->seed, sizeof g->seed);
    g->ndim = ndim;
    g->nunit = nunit;
    g->ntext = ndim + nunit + 1;
    return g;
}

void fa_groups_put(fa_groups *g)
{
    if (!g || atomic_fetch_sub(&g->refs, 1) != 1)
        return;
    for (size_t i = 0; i < FA_COUNT(g->dict); i++) {
        free(g->dict[i].text);
        free(g->dict[i].hash);
        free(g->dict[i].slot);
    }
    free(g->tuple);
    free(g->hash);
    free(g->slot);
    free(g->core);
    free(g->core_group);
    free(g->line);
    free(g->sorted);
    fa_arena_release(&g->mem);
    free(g);
}

/* Finds or adds the tuple t. */
static bool tuple_add(fa_groups *g, const uint32_t *t, uint32_t *group)
{
    size_t bytes = g->ntext * sizeof *t, at;
    uint32_t h = hash_bytes(t, bytes, g->seed);

    if (g->n == g->cap) {
        uint32_t cap = g->cap ? g->cap * 2 : 64;

        if (cap < g->cap || !grow((void **)&g->tuple, cap, bytes) ||
            !grow((void **)&g->hash, cap, sizeof *g->hash) ||
            !rehash(&g->slot, &g->nslot, g->hash, g->n, cap))
            return false;
        g->cap = cap;
    }
    for (at = h & (g->nslot - 1); g->slot[at]; at = (at + 1) & (g->nslot - 1)) {
        uint32_t i = g->slot[at] - 1;

        if (g->hash[i] == h && memcmp(g->tuple + (size_t)i * g->ntext, t, bytes) == 0) {
            *group = i;
            return true;
        }
    }
    memcpy(g->tuple + (size_t)g->n * g->ntext, t, bytes);
    g->hash[g->n] = h;
    g->slot[at] = g->n + 1;
    *group = g->n++;
    return true;
}

bool fa_groups_add(fa_groups *g, const fa_str *text, uint32_t *group)
{
    uint32_t t[FA_MAX_TEXTS];

    for (size_t i = 0; i < g->ntext; i++)
        if (!dict_add(&g->dict[i], &g->mem, g->seed, text[i], &t[i]))
            return false;
    return tuple_add(g, t, group);
}

/* Groups that differ by their currency alone share a core. */
static bool fill_cores(fa_groups *g)
{
    fa_groups *cores;
    bool ok = true;

    if (g->dict[g->ntext - 1].n <= 1) {
        for (uint32_t i = 0; i < g->n; i++)
            g->core[i] = g->core_group[i] = i;
        g->ncore = g->n;
        return true;
    }
    cores = fa_groups_new(g->ndim, g->nunit);
    for (uint32_t i = 0; cores && ok && i < g->n; i++) {
        uint32_t t[FA_MAX_TEXTS], core;

        memcpy(t, g->tuple + (size_t)i * g->ntext, g->ntext * sizeof *t);
        t[g->ntext - 1] = 0;
        ok = tuple_add(cores, t, &core);
        if (ok) {
            if (core + 1 == cores->n && core == g->ncore) {
                g->core_group[core] = i;
                g->ncore++;
            }
            g->core[i] = core;
        }
    }
    ok = ok && cores;
    fa_groups_put(cores);
    return ok;
}

bool fa_groups_seal(fa_groups *g)
{
    size_t room = g->n ? g->n : 1;

    g->core = calloc(room, sizeof *g->core);
    g->core_group = calloc(room, sizeof *g->core_group);
    if (!g->core || !g->core_group || !fill_cores(g))
        return false;
    g->bytes = sizeof *g + g->mem.used + (size_t)g->nline * sizeof *g->line +
               (size_t)g->cap * (g->ntext + 1) * sizeof *g->tuple + g->nslot * sizeof *g->slot +
               room * 2 * sizeof *g->core + g->nsorted * sizeof *g->sorted;
    for (size_t i = 0; i < g->ntext; i++)
        g->bytes += g->dict[i].cap * (sizeof(fa_str) + 4) + g->dict[i].nslot * 4;
    return true;
}
