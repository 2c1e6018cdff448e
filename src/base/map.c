/*
 * map.c - a hash map from text to size_t: entries in order of arrival, an index of slots beside
 * them.
 *
 * The hash is SipHash with a key drawn once per process, so no input can be made to collide.
 * Deleting leaves a hole in the entries; growing closes the holes. A walk (fa_map_next) is in order
 * of arrival and survives deletions, not additions.
 */
#include "base/base.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *key; /* owned; NULL: deleted */
    size_t nkey, value;
    uint64_t hash;
};

struct fa_map {
    struct entry *entry;
    size_t nentry, cap, live;
    uint32_t *slot; /* entry number + 1; 0: free. A deleted entry keeps its slot as a tombstone. */
    size_t nslot;   /* a power of two, at least twice cap */
};

/* The process's hash key: written once under the once-lock, read-only after. */
static unsigned char hash_key[crypto_shorthash_KEYBYTES];
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void hash_start(void)
{
    fa_random(hash_key, sizeof hash_key);
}

static uint64_t hash_of(fa_str key)
{
    uint64_t h;

    crypto_shorthash((unsigned char *)&h, (const unsigned char *)(key.n ? key.p : ""), key.n,
                     hash_key);
    return h;
}

fa_map *fa_map_new(void)
{
    pthread_once(&hash_once, hash_start);
    return calloc(1, sizeof(fa_map));
}

void fa_map_free(fa_map *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->nentry; i++)
        free(m->entry[i].key);
    free(m->entry);
    free(m->slot);
    free(m);
}

size_t fa_map_count(const fa_map *m)
{
    return m->live;
}

static struct entry *find(const fa_map *m, fa_str key, uint64_t h)
{
    if (!m->nslot)
        return NULL;
    for (size_t i = h & (m->nslot - 1); m->slot[i]; i = (i + 1) & (m->nslot - 1)) {
        struct entry *en = &m->entry[m->slot[i] - 1];

        if (en->key && en->hash == h && fa_str_eq((fa_str){en->key, en->nkey}, key))
            return en;
    }
    return NULL;
}

bool fa_map_get(const fa_map *m, fa_str key, size_t *value)
{
    struct entry *en = find(m, key, hash_of(key));

    if (en)
        *value = en->value;
    return en != NULL;
}

static void slot_put(fa_map *m, uint64_t h, size_t number)
{
    size_t i = h & (m->nslot - 1);

    while (m->slot[i])
        i = (i + 1) & (m->nslot - 1);
    m->slot[i] = (uint32_t)(number + 1);
}

/* Closes holes and makes room for at least one more entry. */
static bool grow(fa_map *m)
{
    size_t cap = m->cap ? m->cap : 8, k = 0;
    struct entry *entry;
    uint32_t *slot;

    while (cap < m->live + m->live / 2 + 1)
        cap *= 2;
    if (cap >= UINT32_MAX / 2)
        return false;
    if (!(slot = calloc(cap * 2, sizeof *slot)))
        return false;
    if (!(entry = calloc(cap, sizeof *entry))) {
        free(slot);
        return false;
    }
    for (size_t i = 0; i < m->nentry; i++)
        if (m->entry[i].key)
            entry[k++] = m->entry[i];
    free(m->entry);
    free(m->slot);
    m->entry = entry;
    m->slot = slot;
    m->cap = cap;
    m->nslot = cap * 2;
    m->nentry = k;
    for (size_t i = 0; i < k; i++)
        slot_put(m, entry[i].hash, i);
    return true;
}

bool fa_map_add(fa_map *m, fa_str key, size_t value, size_t *out, bool *added)
{
    uint64_t h = hash_of(key);
    struct entry *en = find(m, key, h);
    char *copy;

    if (added)
        *added = !en;
    if (en) {
        *out = en->value;
        return true;
    }
    if (m->nentry == m->cap && !grow(m))
        return false;
    if (!(copy = malloc(key.n + 1)))
        return false;
    if (key.n)
        memcpy(copy, key.p, key.n);
    copy[key.n] = '\0';
    m->entry[m->nentry].key = copy;
    m->entry[m->nentry].nkey = key.n;
    m->entry[m->nentry].value = value;
    m->entry[m->nentry].hash = h;
    slot_put(m, h, m->nentry++);
    m->live++;
    *out = value;
    return true;
}

bool fa_map_set(fa_map *m, fa_str key, size_t value)
{
    struct entry *en = find(m, key, hash_of(key));
    size_t now;

    if (!en)
        return fa_map_add(m, key, value, &now, NULL);
    en->value = value;
    return true;
}

bool fa_map_del(fa_map *m, fa_str key)
{
    struct entry *en = find(m, key, hash_of(key));

    if (!en)
        return false;
    free(en->key);
    en->key = NULL;
    m->live--;
    return true;
}

bool fa_map_next(const fa_map *m, size_t *cursor, fa_str *key, size_t *value)
{
    while (*cursor < m->nentry) {
        const struct entry *en = &m->entry[(*cursor)++];

        if (en->key) {
            *key = (fa_str){en->key, en->nkey};
            *value = en->value;
            return true;
        }
    }
    return false;
}
