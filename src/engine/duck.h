/* duck.h - private to engine/: what its files share of the DuckDB handle. */
#ifndef FA_ENGINE_DUCK_H
#define FA_ENGINE_DUCK_H

#include "engine/engine.h"

#include <duckdb.h>
#include <pthread.h>
#include <stdatomic.h>

struct fa_conn {
    fa_engine *engine;
    duckdb_connection con;
    int64_t deadline_mono_ms; /* 0: none; read by the watchdog under engine->lock */
    bool running, timed_out, in_transaction;
    fa_conn *next; /* in the pool, or in the list of connections in use */
};

struct fa_engine {
    duckdb_database db;
    pthread_mutex_t lock; /* pool, busy list, watchdog */
    pthread_cond_t wake;
    pthread_t watchdog;
    bool has_watchdog, stopping;
    fa_conn *pool, *busy;
    unsigned npool, threads;
    /* segments.c */
    char *segments; /* the folder; NULL: none */
    pthread_cond_t scan_done;
    struct fa_seg_set *set;      /* under lock; NULL: to be looked up */
    uint64_t set_epoch;          /* grows with fa_engine_changed and each segment made */
    pthread_mutex_t set_opening; /* one thread looks them up, the others wait */
    pthread_mutex_t making;      /* one makes, sweeps or checks at a time */
    pthread_t maker;
    bool has_maker, make_wanted;
    pthread_cond_t make_wake;
    volatile bool maker_stop;
    fa_engine_stats stats; /* under lock */
    _Atomic(struct fa_cluster *) cluster; /* clickhouse.c; NULL: DuckDB and segments */
    struct fa_cluster *retired[16];       /* under lock */
    size_t nretired;
};

/* kernel.c: answers q from segments. *done false: not a question for it. Parts it has no segment of
 * are left to `rest`, which adds cells to what it is given. */
typedef struct fa_parts {
    const uint32_t *id;
    size_t n;
} fa_parts;
typedef fa_rc fa_scan_rest(fa_engine *g, fa_arena *a, const fa_scan *q, const fa_parts *parts,
                           fa_cell **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_kernel_scan(fa_engine *g, fa_arena *a, const fa_scan *q, fa_scan_rest *rest,
                                   fa_cell **out, size_t *n, bool *done, fa_err *e);

typedef struct fa_function_row {
    const char *name;
    duckdb_scalar_function_t fn;
    duckdb_type out;
    duckdb_type arg[4];  /* ends with INVALID */
    duckdb_type varargs; /* INVALID: none */
    bool pure;           /* same arguments, same answer */
} fa_function_row;
extern const fa_function_row fa_lookup_functions[]; /* lookup.c */
extern const size_t fa_nlookup_functions;
/* DuckDB hands work from thread to thread with atomics that ThreadSanitizer cannot see, so that each of
 * our functions it calls would seem to race with the thread that asked. What happens before what is
 * said by hand; other builds have none of it. */
#if defined(__SANITIZE_THREAD__)
extern char fa_duck_fence;
void __tsan_acquire(void *at);
void __tsan_release(void *at);
#define FA_DUCK_TAKES() __tsan_acquire(&fa_duck_fence)
#define FA_DUCK_GIVES() __tsan_release(&fa_duck_fence)
#else
#define FA_DUCK_TAKES() ((void)0)
#define FA_DUCK_GIVES() ((void)0)
#endif

/* Registers fa_dec, fa_time, fa_tally, fa_line and fa_cell. */
FA_MUST_CHECK fa_rc fa_duck_functions(duckdb_connection con, fa_err *e);
/* Rows of one chunk of a vector are valid where the mask says; NULL mask: all. */
static inline bool duck_valid(const uint64_t *mask, idx_t row)
{
    return !mask || (mask[row >> 6] >> (row & 63) & 1);
}
static inline fa_str duck_text(const duckdb_string_t *s)
{
    uint32_t n = s->value.inlined.length;

    return (fa_str){n <= 12 ? s->value.inlined.inlined : s->value.pointer.ptr, n};
}
static inline fa_i128 duck_i128(duckdb_hugeint h)
{
    return (fa_i128)((fa_u128)(uint64_t)h.upper << 64 | h.lower);
}
static inline duckdb_hugeint duck_huge(fa_i128 v)
{
    return (duckdb_hugeint){.lower = (uint64_t)v, .upper = (int64_t)(v >> 64)};
}

#endif
