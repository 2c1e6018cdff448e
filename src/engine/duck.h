/* duck.h - private to engine/: what its files share of the DuckDB handle. */
#ifndef FA_ENGINE_DUCK_H
#define FA_ENGINE_DUCK_H

#include "engine/engine.h"

#include <duckdb.h>
#include <pthread.h>

struct fa_conn {
    fa_engine *engine;
    duckdb_connection con;
    int64_t deadline_mono_ms; /* 0: none; read by the watchdog under engine->lock */
    bool running, timed_out, in_transaction;
    fa_conn *next; /* in the pool, or in the list of connections in use */
};

/* One money measure of `daily` in memory, sorted by day. Shared; freed with the last reference. */
typedef struct fa_columns {
    unsigned refs;       /* under fa_engine.lock */
    int32_t first, last; /* days with rows; first > last: none */
    size_t *start;       /* start[day - first] .. start[day - first + 1]: the rows of a day */
    size_t n, bytes;
    uint32_t *line, *rows;
    int64_t *units; /* 1e-10 */
    int32_t *rest;  /* 1e-18; NULL: all zero */
} fa_columns;

struct fa_engine {
    duckdb_database db;
    pthread_mutex_t lock; /* pool, busy list, watchdog */
    pthread_cond_t wake;
    pthread_t watchdog;
    bool has_watchdog, stopping;
    fa_conn *pool, *busy;
    unsigned npool, threads;
    /* columns.c: under lock */
    fa_columns *columns[FA_M__MONEY];
    unsigned columns_asked[FA_M__MONEY]; /* since they were dropped */
    uint64_t columns_epoch;              /* grows with fa_engine_changed */
    size_t columns_bytes, columns_limit;
    /* scan.c: under lock; valid while alias_epoch is columns_epoch + 1 */
    fa_measure alias[FA_M__COUNT];
    uint64_t alias_epoch;
    pthread_mutex_t columns_making; /* one thread reads them from DuckDB, the others wait */
};

/* Answers q from memory. FA_OK and *done false: not a question for it, or no room. */
FA_MUST_CHECK fa_rc fa_columns_scan(fa_engine *g, fa_arena *a, const fa_scan *q, fa_cell **out,
                                    size_t *n, bool *done, fa_err *e);
void fa_columns_drop(fa_engine *g);

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

/* What fa_cell(pointer, day, line_id) looks up: see fa_scan. */
#define FA_CELL_MAGIC 0x46434c4cu
typedef struct fa_cell_map {
    uint32_t magic;
    const fa_scan *scan;
} fa_cell_map;
#define FA_CELL_NONE UINT64_MAX

#endif
