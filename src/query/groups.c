/*
 * groups.c - tuples of texts become dense numbers.
 *
 * The one idea: a question's group-by gives each line a tuple of codes; the distinct tuples get numbers 0, 1, 2, ...
 * and the scan only ever sees those. Hashes are keyed per array, so that a bill's texts cannot be chosen to collide.
 */
#include "query/inner.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t a, uint64_t b)
{
    fa_u128 m = (fa_u128)a * b;

    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint32_t fa_text_hash(const void *p, size_t n, uint64_t seed)
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

static void free_groups(fa_kept *k)
{
    fa_groups *g = (fa_groups *)k;

    for (size_t i = 0; i < FA_COUNT(g->col); i++)
        fa_codes_put(g->col[i]);
    for (size_t i = 0; i < g->narray; i++)
        free(g->array[i]);
    free(g->array);
    free(g->slice);
    free(g->tuple);
    free(g->hash);
    free(g->slot);
    free(g->core);
    free(g->core_group);
    free(g);
}

fa_groups *fa_groups_new(size_t ndim, size_t nunit, bool factor)
{
    fa_groups *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    atomic_init(&g->kept.refs, 1);
    g->kept.free = free_groups;
    fa_random(&g->seed, sizeof g->seed);
    g->ndim = ndim;
    g->nunit = nunit;
    g->has_factor = factor;
    g->ntext = ndim + nunit + factor + 1;
    return g;
}

bool fa_groups_add(fa_groups *g, const uint32_t *t, uint32_t *group)
{
    size_t bytes = g->ntext * sizeof *t, at;
    uint32_t h = fa_text_hash(t, bytes, g->seed);

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

/* Groups that differ by their factor and currency alone share a core. */
static bool fill_cores(fa_groups *g)
{
    size_t last = g->ntext - 1 - g->has_factor; /* the first of those */
    fa_groups *cores;
    bool ok = true, same = true;

    for (uint32_t i = 1; i < g->n && same; i++)
        same = memcmp(&g->tuple[(size_t)i * g->ntext + last], &g->tuple[last],
                      (g->ntext - last) * sizeof *g->tuple) == 0;
    if (same) {
        for (uint32_t i = 0; i < g->n; i++)
            g->core[i] = g->core_group[i] = i;
        g->ncore = g->n;
        return true;
    }
    cores = fa_groups_new(g->ndim, g->nunit, g->has_factor);
    for (uint32_t i = 0; cores && ok && i < g->n; i++) {
        uint32_t t[FA_MAX_TEXTS], core;

        memcpy(t, g->tuple + (size_t)i * g->ntext, g->ntext * sizeof *t);
        memset(&t[last], 0, (g->ntext - last) * sizeof *t);
        ok = fa_groups_add(cores, t, &core);
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
    g->kept.bytes = sizeof *g + g->narray * g->nline * sizeof **g->array +
                    (size_t)g->cap * (g->ntext + 1) * sizeof *g->tuple +
                    g->nslot * sizeof *g->slot + room * 2 * sizeof *g->core +
                    g->nslice * sizeof *g->slice;
    return true;
}
