/*
 * memory.c - the one bound of the process's memory, shared out.
 *
 * The one idea: whoever holds much memory has a share of --memory and takes it before it holds it, so
 * that the sum of the shares is the ceiling. Who is refused fails alone, and says what would help.
 */
#include "base/base.h"

#include <stdatomic.h>

#define DEFAULT_BYTES ((size_t)2 << 30)

/* In percent; what is left is the program's own. Without a server nothing but the engine is used. */
static const struct {
    unsigned alone, serving;
    const char *what;
} shares[FA_MEM__COUNT] = {
    [FA_MEM_ENGINE] = {70, 50, "the engine"},
    [FA_MEM_SCANS] = {15, 15, "sums"},
    [FA_MEM_KEPT] = {10, 13, "what is kept between questions"},
    [FA_MEM_QUESTIONS] = {18, 18, "questions"},
};

static atomic_size_t total = DEFAULT_BYTES, used[FA_MEM__COUNT];
static atomic_bool serving;
static _Thread_local fa_mem refused = FA_MEM__COUNT;

void fa_memory_set(size_t bytes)
{
    atomic_store(&total, bytes ? bytes : DEFAULT_BYTES);
}

void fa_memory_serve(bool on)
{
    atomic_store(&serving, on);
}

size_t fa_memory_share(fa_mem who)
{
    unsigned percent = atomic_load(&serving) ? shares[who].serving : shares[who].alone;

    return atomic_load(&total) / 100 * percent;
}

bool fa_memory_take(fa_mem who, size_t bytes)
{
    size_t now = atomic_fetch_add(&used[who], bytes) + bytes;

    if (now >= bytes && now <= fa_memory_share(who))
        return true;
    atomic_fetch_sub(&used[who], bytes);
    refused = who;
    return false;
}

void fa_memory_give(fa_mem who, size_t bytes)
{
    atomic_fetch_sub(&used[who], bytes);
}

size_t fa_memory_used(fa_mem who)
{
    return atomic_load(&used[who]);
}

fa_rc fa_memory_why(fa_err *e)
{
    fa_mem who = refused;

    refused = FA_MEM__COUNT;
    if (who == FA_MEM__COUNT)
        return FA_OK;
    (void)fa_fail(e, FA_EENV, "out of memory: %s may hold %zu MiB at once, and this needs more",
                  shares[who].what, fa_memory_share(who) >> 20);
    return fa_hint(e, "ask for fewer groups, fewer days or a coarser granularity, ask again when "
                      "less is going on, or start with a larger --memory");
}
