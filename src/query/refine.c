/*
 * refine.c - groups of lines are split by one more thing that is known of each line.
 *
 * The one idea: a group and a code make a group of the next level, numbered as it comes; each group knows what it was
 * made of, so that the way back tells everything that is known of its lines.
 */
#include "query/inner.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_MAX ((uint64_t)1 << 22) /* entries of a direct table */

static bool add_level(fa_level *l, uint32_t parent, uint32_t code, uint32_t *out)
{
    if (l->n == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 256;
        uint32_t *p = realloc(l->parent, cap * sizeof *p), *q;

        if (p)
            l->parent = p;
        q = p ? realloc(l->code, cap * sizeof *q) : NULL;
        if (!q)
            return false;
        l->code = q;
        l->cap = cap;
    }
    l->parent[l->n] = parent;
    l->code[l->n] = code;
    *out = l->n++;
    return true;
}

bool fa_pairs_open(fa_pairs *o, uint32_t groups, uint32_t codes)
{
    uint64_t n = (uint64_t)groups * codes;

    *o = (fa_pairs){0};
    o->ncode = codes;
    fa_random(&o->seed, sizeof o->seed);
    if (n <= TABLE_MAX) {
        o->table = malloc((n ? n : 1) * sizeof *o->table);
        if (o->table)
            memset(o->table, 0xff, n * sizeof *o->table);
        return o->table != NULL;
    }
    o->nslot = (size_t)1 << 16;
    o->cap = (uint32_t)o->nslot / 2;
    o->table = calloc(o->nslot, sizeof *o->table);
    o->key = malloc(o->cap * sizeof *o->key);
    return o->table && o->key;
}

static size_t pair_slot(const fa_pairs *o, uint64_t key)
{
    size_t at = fa_text_hash(&key, sizeof key, o->seed) & (o->nslot - 1);

    while (o->table[at] && o->key[o->table[at] - 1] != key)
        at = (at + 1) & (o->nslot - 1);
    return at;
}

static bool grow_pairs(fa_pairs *o, uint32_t n)
{
    uint32_t *old = o->table;
    uint64_t *key = realloc(o->key, (size_t)o->cap * 2 * sizeof *key);

    if (key)
        o->key = key;
    if (!key || o->cap > UINT32_MAX / 8)
        return false;
    if (!(o->table = calloc(o->nslot * 2, sizeof *o->table))) {
        o->table = old;
        return false;
    }
    o->nslot *= 2;
    o->cap *= 2;
    for (uint32_t i = 0; i < n; i++)
        o->table[pair_slot(o, key[i])] = i + 1;
    free(old);
    return true;
}

bool fa_pair(fa_pairs *o, fa_level *l, uint32_t group, uint32_t code, uint32_t *out)
{
    uint64_t key = (uint64_t)group * o->ncode + code;
    size_t at;

    if (!o->key) {
        if (o->table[key] == UINT32_MAX && !add_level(l, group, code, &o->table[key]))
            return false;
        *out = o->table[key];
        return true;
    }
    at = pair_slot(o, key);
    if (o->table[at]) {
        *out = o->table[at] - 1;
        return true;
    }
    if (l->n == o->cap) {
        if (!grow_pairs(o, l->n))
            return false;
        at = pair_slot(o, key);
    }
    o->key[l->n] = key;
    if (!add_level(l, group, code, out))
        return false;
    o->table[at] = *out + 1;
    return true;
}

void fa_pairs_close(fa_pairs *o)
{
    free(o->table);
    free(o->key);
}

void fa_level_free(fa_level *l)
{
    free(l->parent);
    free(l->code);
}

fa_rc fa_refine(const uint32_t *code, uint32_t ncode, uint32_t nline, uint32_t *line,
                uint32_t groups, fa_level *l, fa_err *e)
{
    fa_pairs o;
    bool ok = fa_pairs_open(&o, groups, ncode);

    for (uint32_t i = 0; ok && i < nline; i++)
        if (line[i] != FA_NO_GROUP)
            ok = fa_pair(&o, l, line[i], code[i], &line[i]);
    fa_pairs_close(&o);
    return ok ? FA_OK : fa_oom(e);
}
