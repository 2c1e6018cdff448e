/*
 * cells.c - cells that are found by their bucket and group, and grow in number.
 *
 * The one idea: an entry of any type begins with its bucket and its group, so one table serves the sums of bill
 * rows, of parts that were moved, and of amounts in another currency.
 */
#include "query/inner.h"

#include <string.h>

void *fa_cells_at(const fa_cells *t, size_t i)
{
    return t->p + i * t->stride;
}

static size_t slot_of(const fa_cells *t, uint32_t bucket, uint32_t group)
{
    uint64_t h = ((uint64_t)bucket << 32 | group) * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(h >> 20) & (t->nslot - 1);

    while (t->slot[at]) {
        const uint32_t *head = fa_cells_at(t, t->slot[at] - 1);

        if (head[0] == bucket && head[1] == group)
            break;
        at = (at + 1) & (t->nslot - 1);
    }
    return at;
}

static bool grow(fa_cells *t)
{
    size_t cap = t->cap ? t->cap * 2 : 1024;
    char *p = cap <= UINT32_MAX / 4 ? fa_arena_array(t->a, cap, t->stride) : NULL;
    uint32_t *slot = p ? fa_arena_array(t->a, cap * 2, sizeof *slot) : NULL;

    if (!slot)
        return false;
    if (t->n)
        memcpy(p, t->p, t->n * t->stride);
    t->p = p;
    t->slot = slot;
    t->nslot = cap * 2;
    t->cap = cap;
    for (size_t i = 0; i < t->n; i++) {
        const uint32_t *head = fa_cells_at(t, i);

        t->slot[slot_of(t, head[0], head[1])] = (uint32_t)i + 1;
    }
    return true;
}

void *fa_cells_get(fa_cells *t, uint32_t bucket, uint32_t group)
{
    uint32_t *head;
    size_t at;

    if (t->n == t->cap && !grow(t))
        return NULL;
    at = slot_of(t, bucket, group);
    if (t->slot[at])
        return fa_cells_at(t, t->slot[at] - 1);
    head = fa_cells_at(t, t->n);
    memset(head, 0, t->stride);
    head[0] = bucket;
    head[1] = group;
    t->slot[at] = (uint32_t)++t->n;
    return head;
}
