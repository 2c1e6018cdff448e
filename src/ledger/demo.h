/*
 * demo.h - the demo account: a bill of a company that does not exist, at any size, and some views
 * of it.
 *
 * The same rows, seed and last day give the same bill rows on any machine and number of threads
 * (their order inside a file is not promised). 13 months (395 days) end with `last`; hourly lines
 * in the last 35 days, daily ones before. One file per billing month.
 *
 * Threads: any. Memory: the engine of its own keeps to the bound given; files and results in the
 * arena.
 */
#ifndef FA_LEDGER_DEMO_H
#define FA_LEDGER_DEMO_H

#include "ledger/ledger.h"

#define FA_DEMO_ROWS_MAX 100000000

typedef enum { FA_DEMO_PARQUET, FA_DEMO_CSV, FA_DEMO_CSV_GZ, FA_DEMO__FORMATS } fa_demo_format;
const char *
fa_demo_ending(fa_demo_format f); /* "parquet", "csv", "csv.gz": file ending and name for people */

typedef struct fa_demo {
    int64_t rows; /* 1..FA_DEMO_ROWS_MAX: exactly so many come out */
    uint32_t seed;
    int32_t last; /* the last day with rows */
} fa_demo;

typedef struct fa_demo_place {
    const char *dir; /* is made when absent; files YYYY-MM.<ending> of the same name are replaced */
    fa_demo_format format;
    size_t memory_bytes; /* 0: the engine's share of --memory */
    unsigned threads;    /* 0: all cores */
} fa_demo_place;

/* Writes the month files and gives their paths, oldest first. FA_EINVAL rows out of bounds; FA_EENV
 * disk, memory; FA_ECANCELLED. The phase of progress is "making". */
FA_MUST_CHECK fa_rc fa_demo_write(fa_arena *a, const fa_demo *d, const fa_demo_place *to,
                                  const fa_progress *p, const char *const **path, size_t *npath,
                                  fa_err *e);
/* The bill as source "demo" of the ledger, and the views. Done before with the same d and still
 * live: out->load.state is "unchanged" and nothing is written. */
FA_MUST_CHECK fa_rc fa_demo_load(fa_ledger *l, fa_arena *a, const fa_demo *d, const fa_progress *p,
                                 fa_load_result *out, fa_err *e);

#endif
