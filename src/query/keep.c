/*
 * keep.c - what was made for one question and may serve the next: columns, selections, groups.
 *
 * The one idea: one budget for all of it. Each thing is immutable, counted, and found by a digest of everything
 * it depends on (the ledger's generation among it), so nothing is ever invalidated: what is no longer asked for
 * is the first to go when room is needed.
 */
#include "query/inner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NSLOT 16384

/* An entry; all fields under keep_lock. */
typedef struct entry {
    fa_digest key;
    fa_kept *what;
    struct entry *chain; /* of its slot */
    struct entry *newer, *older;
} entry;

static pthread_mutex_t keep_lock = PTHREAD_MUTEX_INITIALIZER;
static entry *slots[NSLOT], *newest, *oldest;
static size_t kept_bytes;

/* ---- digests ---- */

void fa_hash_begin(fa_hash *h, const char *kind)
{
    (void)crypto_generichash_init(h, NULL, 0, sizeof(fa_digest));
    fa_hash_str(h, fa_str_of(kind));
}

void fa_hash_put(fa_hash *h, const void *p, size_t n)
{
    (void)crypto_generichash_update(h, p, n);
}

void fa_hash_u64(fa_hash *h, uint64_t v)
{
    fa_hash_put(h, &v, sizeof v);
}

void fa_hash_str(fa_hash *h, fa_str s)
{
    fa_hash_u64(h, s.n);
    if (s.n)
        fa_hash_put(h, s.p, s.n);
}

fa_digest fa_hash_end(fa_hash *h)
{
    fa_digest d;

    (void)crypto_generichash_final(h, (unsigned char *)d.w, sizeof d);
    return d;
}

/* ---- references ---- */

fa_kept *fa_kept_ref(fa_kept *k)
{
    if (k)
        atomic_fetch_add(&k->refs, 1);
    return k;
}

void fa_kept_put(fa_kept *k)
{
    if (k && atomic_fetch_sub(&k->refs, 1) == 1)
        k->free(k);
}

/* ---- the table ---- */

static entry **slot_of(const fa_digest *key)
{
    return &slots[key->w[0] % NSLOT];
}

static entry *find(const fa_digest *key)
{
    for (entry *x = *slot_of(key); x; x = x->chain)
        if (memcmp(&x->key, key, sizeof *key) == 0)
            return x;
    return NULL;
}

static void unlink_age(entry *x)
{
    if (x->newer)
        x->newer->older = x->older;
    else
        newest = x->older;
    if (x->older)
        x->older->newer = x->newer;
    else
        oldest = x->newer;
    x->newer = x->older = NULL;
}

static void link_newest(entry *x)
{
    x->older = newest;
    if (newest)
        newest->newer = x;
    else
        oldest = x;
    newest = x;
}

/* Out of the table; onto `gone`, which is freed without the lock. */
static void take_out(entry *x, entry **gone)
{
    entry **p = slot_of(&x->key);

    while (*p != x)
        p = &(*p)->chain;
    *p = x->chain;
    unlink_age(x);
    kept_bytes -= x->what->bytes;
    x->what->is_in = false;
    x->chain = *gone;
    *gone = x;
}

/* The oldest give way until the budget holds; the newest stays. */
static void make_room(entry **gone)
{
    while (kept_bytes > fa_memory_share(FA_MEM_KEPT) && oldest != newest)
        take_out(oldest, gone);
}

static void free_gone(entry *gone)
{
    while (gone) {
        entry *next = gone->chain;

        fa_kept_put(gone->what);
        free(gone);
        gone = next;
    }
}

fa_kept *fa_keep_get(const fa_digest *key)
{
    fa_kept *k = NULL;
    entry *x;

    pthread_mutex_lock(&keep_lock);
    if ((x = find(key))) {
        k = fa_kept_ref(x->what);
        unlink_age(x);
        link_newest(x);
    }
    pthread_mutex_unlock(&keep_lock);
    return k;
}

void fa_keep_add(const fa_digest *key, fa_kept *k)
{
    entry *x = calloc(1, sizeof *x), *gone = NULL, *old;

    if (!x)
        return; /* it is only not kept */
    pthread_mutex_lock(&keep_lock);
    if (k->bytes > fa_memory_share(FA_MEM_KEPT) / 2 || k->is_in) { /* too large, or there */
        x->what = NULL;
        x->chain = gone;
        gone = x;
    } else {
        if ((old = find(key)))
            take_out(old, &gone);
        x->key = *key;
        x->what = fa_kept_ref(k);
        x->chain = *slot_of(key);
        *slot_of(key) = x;
        link_newest(x);
        k->is_in = true;
        kept_bytes += k->bytes;
        make_room(&gone);
    }
    pthread_mutex_unlock(&keep_lock);
    free_gone(gone);
}

void fa_keep_grew(fa_kept *k, size_t bytes)
{
    entry *gone = NULL;

    pthread_mutex_lock(&keep_lock);
    k->bytes += bytes;
    if (k->is_in) {
        kept_bytes += bytes;
        make_room(&gone);
    }
    pthread_mutex_unlock(&keep_lock);
    free_gone(gone);
}

void fa_keep_free(void)
{
    entry *gone = NULL;

    pthread_mutex_lock(&keep_lock);
    while (oldest)
        take_out(oldest, &gone);
    pthread_mutex_unlock(&keep_lock);
    free_gone(gone);
}
