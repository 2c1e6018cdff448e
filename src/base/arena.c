/*
 * arena.c - memory that dies together: a chain of blocks, the newest first.
 *
 * Blocks grow from 4 KiB to 1 MiB so that a small request stays small; what does not fit a block
 * gets one of its own. calloc gives the zeroes (fresh pages are free of charge).
 */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_FIRST = 4096, BLOCK_MAX = 1 << 20, ALIGN = 16 };

struct fa_block {
    struct fa_block *next;
    size_t size, used; /* of the bytes after the header */
};
_Static_assert(sizeof(struct fa_block) <= 32, "header fits two alignments");
#define HEADER ((size_t)32)

static size_t limit_of(const fa_arena *a)
{
    return a->limit ? a->limit : (size_t)1 << 30;
}

void fa_arena_init(fa_arena *a, size_t limit)
{
    *a = (fa_arena){.limit = limit};
}

void fa_arena_count(fa_arena *a)
{
    a->counts = true;
}

/* The memory of a block; small ones, of which each question has a few, are not worth counting. */
static struct fa_block *take_block(fa_arena *a, size_t size)
{
    bool counts = a->counts && size > BLOCK_MAX / 4;
    struct fa_block *b;

    if (counts && !fa_memory_take(FA_MEM_QUESTIONS, size))
        return NULL;
    if (!(b = calloc(1, size))) {
        if (counts)
            fa_memory_give(FA_MEM_QUESTIONS, size);
    } else if (counts) {
        a->counted += size;
    }
    return b;
}

static struct fa_block *block_new(fa_arena *a, size_t need)
{
    size_t size = a->head ? a->head->size * 2 : BLOCK_FIRST;
    struct fa_block *b;

    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (size < need)
        size = need;
    if (!(b = take_block(a, HEADER + size)))
        return NULL;
    b->size = size;
    if (a->head && need > BLOCK_MAX / 2) { /* a big single: keep the roomy block in front */
        b->next = a->head->next;
        a->head->next = b;
    } else {
        b->next = a->head;
        a->head = b;
    }
    return b;
}

void *fa_arena_alloc(fa_arena *a, size_t size)
{
    struct fa_block *b = a->head;
    size_t room;

    if (size > limit_of(a))
        return NULL;
    size = size ? (size + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
    if (__builtin_add_overflow(a->used, size, &room) || room > limit_of(a))
        return NULL;
    if ((!b || b->size - b->used < size) && !(b = block_new(a, size)))
        return NULL;

    char *p = (char *)b + HEADER + b->used;

    b->used += size;
    a->used = room;
    return p;
}

void *fa_arena_array(fa_arena *a, size_t n, size_t size)
{
    size_t bytes;

    return __builtin_mul_overflow(n, size, &bytes) ? NULL : fa_arena_alloc(a, bytes);
}

char *fa_arena_dupz(fa_arena *a, fa_str s)
{
    size_t n;
    char *p = __builtin_add_overflow(s.n, 1, &n) ? NULL : fa_arena_alloc(a, n);

    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

fa_str fa_arena_dup(fa_arena *a, fa_str s)
{
    char *p = fa_arena_dupz(a, s);

    return p ? (fa_str){p, s.n} : (fa_str){NULL, 0};
}

char *fa_arena_printf(fa_arena *a, const char *fmt, ...)
{
    va_list ap;
    int n;
    char *p;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !(p = fa_arena_alloc(a, (size_t)n + 1)))
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

struct fa_defer {
    struct fa_defer *next;
    void (*fn)(void *arg);
    void *arg;
};

bool fa_arena_defer(fa_arena *a, void (*fn)(void *arg), void *arg)
{
    struct fa_defer *d = fa_arena_alloc(a, sizeof *d);

    if (!d)
        return false;
    *d = (struct fa_defer){a->defer, fn, arg};
    a->defer = d;
    return true;
}

void fa_arena_release(fa_arena *a)
{
    for (const struct fa_defer *d = a->defer; d; d = d->next)
        d->fn(d->arg);
    a->defer = NULL;
    for (struct fa_block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    fa_memory_give(FA_MEM_QUESTIONS, a->counted);
    a->head = NULL;
    a->used = a->counted = 0;
}

void fa_arena_clear(fa_arena *a)
{
    fa_arena_release(a);
}
