/*
 * engine.h - the only door to facts.
 *
 * Two kinds of call: scan() answers the typed question "sum these measures per bucket and group of
 * lines" and is what queries use; sql() is for ledger/ and query/, which own the analytic SQL.
 * Behind the door today: DuckDB in process (engine/duckdb.c).
 *
 * Threads: a fa_engine may be used from any thread. A fa_conn belongs to one thread at a time; get
 * one per job with fa_conn_get and give it back. fa_conn_interrupt may come from another thread.
 * Memory:  DuckDB's own ceiling holds for all connections together; scans take theirs from FA_MEM_SCANS.
 */
#ifndef FA_ENGINE_H
#define FA_ENGINE_H

#include "base/base.h"

typedef struct fa_engine fa_engine;
typedef struct fa_conn fa_conn;

/* ---- measures of `daily`: one row each; the ledger, the compiler and the docs read this table ----
 *
 * The first four and the quantities stand in every bill. The others are told apart from them by some
 * providers only: a bill that does not (every FOCUS bill) leaves their columns NULL in `daily`, where
 * they cost nothing, and `units`/`rest` fall back to the measure they are then equal to. Whoever reads
 * `daily` reads through `units` and `rest` and nothing else. Segments keep such a measure as its difference
 * to what it falls back to, which is zero there and takes no room. */
typedef enum {
    FA_M_BILLED,    /* net unblended; money: BIGINT of 1e-10 and INTEGER rest of 1e-18 */
    FA_M_EFFECTIVE, /* net amortized */
    FA_M_LIST,
    FA_M_CONTRACTED,
    FA_M_UNBLENDED,     /* falls back to billed */
    FA_M_AMORTIZED,     /* falls back to effective */
    FA_M_BLENDED,       /* falls back to unblended */
    FA_M_FAIRSHARE,     /* made in the star, no column of the bill; falls back to amortized */
    FA_M_NET_FAIRSHARE, /* as above; falls back to effective */
    FA_M_CONSUMED,
    FA_M_PRICED,     /* quantities: DECIMAL(38,18) */
    FA_M_NORMALIZED, /* falls back to priced */
    FA_M__COUNT
} fa_measure;
/* Money of one row must stay below this many currency units, so that a day of a line fits 64 bits
 * of 1e-10. */
#define FA_MONEY_MAX 900000000
#define FA_M__MONEY 9 /* the first so many are money */
#define FA_BIT(m) (1u << (m)) /* in a set of measures */

typedef struct fa_measure_info {
    const char *focus; /* "BilledCost": the archive's column and the control total's name; NULL: the
                        * star makes it */
    const char *name;  /* how a person calls it, for messages */
    const char *col;   /* "billed": the column of daily; its rest column is "billed_rest" */
    const char *units; /* SQL over daily: whole 1e-10 units, or the quantity */
    const char *rest;  /* SQL over daily: the rest; NULL for quantities */
    const char *unit;  /* for quantities, SQL over line that gives the unit; else NULL */
    fa_measure falls_to; /* what it is equal to when a bill lacks it; itself: every bill has it */
} fa_measure_info;
extern const fa_measure_info fa_measures[FA_M__COUNT];

/* Threads of DuckDB where so many bytes are its own: as many as there are cores, but each has what a thread wants to hold. */
unsigned fa_engine_threads(size_t memory_bytes);

typedef struct fa_engine_options {
    const char *path;     /* ledger.duckdb; NULL: in memory */
    const char *temp_dir; /* spill files */
    const char *segments; /* folder of the segments, made when missing; NULL: none are kept */
    size_t memory_bytes;  /* ceiling of DuckDB; 0: its share of the process's memory */
    unsigned threads;     /* 0: all cores */
} fa_engine_options;

/* FA_EENV: cannot be opened or is damaged (the caller remakes the file from the archive). */
FA_MUST_CHECK fa_rc fa_engine_open(const fa_engine_options *o, fa_engine **out, fa_err *e);
void fa_engine_close(fa_engine *g);
/* `daily` has changed and its transaction has committed: segments are looked up anew. */
void fa_engine_changed(fa_engine *g);

/* ---- segments: the parts of `daily` as files the kernel reads (segment.h) ----
 * They follow from `part(part_id, seal)` and `daily`; whoever changes rows of a part draws it a new seal. One that is missing or damaged is made again by
 * itself; meanwhile DuckDB answers for its part. None is ever needed for being right. */
/* Makes those that are missing and takes away those whose part has gone. */
FA_MUST_CHECK fa_rc fa_engine_segments_make(fa_engine *g, const volatile bool *cancel, fa_err *e);
/* Reads every segment whole, against its sums. A damaged one, and one that was made and has gone, is told
 * of and made again. tell may be NULL; anything but FA_OK from it stops. */
typedef fa_rc fa_segment_tell(void *user, const char *path, const char *what, fa_err *e);
FA_MUST_CHECK fa_rc fa_engine_segments_check(fa_engine *g, const volatile bool *cancel,
                                             fa_segment_tell *tell, void *user, fa_err *e);
/* ---- a ClickHouse cluster instead of segments (clickhouse.c): address as in cluster.h ----
 * From here on segments_make places parts there and scans ask there. url NULL: segments again. */
FA_MUST_CHECK fa_rc fa_engine_cluster(fa_engine *g, const char *url, const char *password, fa_err *e);
FA_MUST_CHECK fa_rc fa_engine_cluster_setup(fa_engine *g, fa_err *e); /* tables on every replica */
/* Every day's bill rows and sums of every measure are DuckDB's. *rows: bill rows compared. */
FA_MUST_CHECK fa_rc fa_engine_cluster_prove(fa_engine *g, int32_t first, int32_t last, int64_t *rows, fa_err *e);

typedef struct fa_engine_stats {
    uint64_t scans_kernel, scans_mixed, scans_duckdb; /* answered by segments, by both, by DuckDB */
    uint64_t segments, segment_bytes, segments_missing; /* as last looked up */
    uint64_t segments_made, segments_damaged;
} fa_engine_stats;
void fa_engine_stats_get(fa_engine *g, fa_engine_stats *out);
FA_MUST_CHECK fa_rc fa_engine_memory(fa_engine *g, size_t bytes,
                                     fa_err *e); /* another ceiling for DuckDB */
FA_MUST_CHECK fa_rc fa_conn_get(fa_engine *g, fa_conn **out, fa_err *e);
void fa_conn_put(fa_conn *c); /* back to the pool; rolls back an open transaction; NULL is fine */
void fa_conn_interrupt(fa_conn *c); /* the running statement ends with FA_ECANCELLED */
/* A statement that runs past the deadline ends with FA_ETIMEOUT. 0: none. Cleared by fa_conn_put.
 */
void fa_conn_deadline(fa_conn *c, int64_t mono_ms);
double fa_conn_progress(fa_conn *c); /* 0..100 of the running statement, -1 unknown; any thread */

/* ---- SQL ---- */
typedef struct fa_param {
    enum { FA_P_TEXT, FA_P_INT, FA_P_NULL } kind;
    fa_str text;
    int64_t num;
} fa_param;

/* Runs one statement that returns nothing of interest. *changed (may be NULL) gets the row count.
 */
FA_MUST_CHECK fa_rc fa_sql_exec(fa_conn *c, fa_str sql, const fa_param *p, size_t np,
                                int64_t *changed, fa_err *e);

/* A batch of rows, column-wise, valid during the sink call only. */
typedef enum {
    FA_T_TEXT,
    FA_T_I64,
    FA_T_I128 /* integers past 64 bit, and decimals as e18 */,
    FA_T_BOOL
} fa_coltype;
typedef struct fa_col {
    fa_coltype type;
    const bool *null;   /* NULL: no nulls in this batch */
    const fa_str *text; /* FA_T_TEXT; dates and times come as ISO text when the SQL casts them */
    const int64_t
        *i64; /* FA_T_I64: every integer up to 64 bit, DATE as days, TIMESTAMP as epoch ms */
    const fa_i128 *i128; /* FA_T_I128: HUGEINT as is; DECIMAL(p,s) scaled to 1e-18 */
    const bool *b;
    const char *name;
} fa_col;
typedef struct fa_batch {
    size_t rows, cols;
    const fa_col *col;
} fa_batch;
/* Return FA_OK to go on; anything else stops and becomes the call's result (fill e). */
typedef fa_rc fa_sink(void *user, const fa_batch *b, fa_err *e);
FA_MUST_CHECK fa_rc fa_sql_query(fa_conn *c, fa_str sql, const fa_param *p, size_t np,
                                 fa_sink *sink, void *user, fa_err *e);
/* The same for answers of any size: they are never held as a whole, sink takes them as they are made. The connection can be
 * asked nothing else meanwhile. */
FA_MUST_CHECK fa_rc fa_sql_stream(fa_conn *c, fa_str sql, fa_sink *sink, void *user, fa_err *e);
/* First column of the first row as an integer; FA_ENOTFOUND when there is no row or it is null. */
FA_MUST_CHECK fa_rc fa_sql_i64(fa_conn *c, fa_str sql, const fa_param *p, size_t np, int64_t *out,
                               fa_err *e);

/* ---- reading bills: functions that SQL of a load may call; each load has one tally ----
 *
 * fa_dec(T UBIGINT, VARCHAR) -> DECIMAL(38,18)   NULL for NULL; not a number: NULL and T counts a
 * bad value fa_time(T UBIGINT, VARCHAR) -> TIMESTAMP       ISO 8601 with or without zone; as above;
 * 2000..2100 only fa_tally(T UBIGINT, DATE, VARCHAR currency, DECIMAL(38,18), ...) -> DATE
 * gives the day back and adds the row to T's sums per (day, currency); which measures the decimals
 * are is set by fa_tally_measures fa_line(T UBIGINT, VARCHAR,
 * ...) -> UUID       keyed 128-bit hash over (column, text) of the texts that are not NULL; the
 * columns' names and the key are set by fa_tally_lines fa_first(T UBIGINT, UUID) -> BOOLEAN true
 * for a line's first row since fa_tally_new; may also be true later when there are too many lines
 * to remember fa_units(DECIMAL(38,18)) -> BIGINT             whole 1e-10 units, floored; an error
 * past 64 bits fa_rest(DECIMAL(38,18)) -> INTEGER             what fa_units leaves, 0..99,999,999
 * units of 1e-18 fa_tags(VARCHAR) -> VARCHAR                    a JSON object of texts: keys
 * sorted, null and empty values dropped, the last of equal keys kept, other values as text; NULL:
 * not an object T is fa_tally_id of a live tally; the functions that take it are volatile, so none
 * is folded or called twice. */
/* Tables of names for fa_lookup('name', key) -> text; keys in lower case, sorted by bytes. Set before the
 * first load and never changed; borrowed. Also for mappings: fa_merge(how, text, ...) -> JSON object of
 * tags and fa_muldiv(a, b, c) -> a x b / c; fa_share, fa_share_rest(a, b, c) -> its floor and what that leaves (lookup.c). */
typedef struct fa_lookup_row {
    fa_str key, value;
} fa_lookup_row;
void fa_lookup_table(const char *name, const fa_lookup_row *row, size_t n);

typedef struct fa_tally fa_tally;
typedef struct fa_tally_row {
    int32_t day;
    fa_str currency; /* owned by the tally */
    int64_t rows;
    int64_t values[FA_M__COUNT]; /* non-null */
    fa_i128 sum_e18[FA_M__COUNT];
} fa_tally_row;
fa_tally *fa_tally_new(fa_engine *g); /* NULL: out of memory */
void fa_tally_free(fa_tally *t);
uint64_t fa_tally_id(const fa_tally *t);
/* What fa_line hashes: the names of its text arguments in order, and the installation's key. */
FA_MUST_CHECK fa_rc fa_tally_lines(fa_tally *t, uint64_t seed, const fa_str *name, size_t n,
                                   fa_err *e);
/* What fa_tally's decimals are, in order. */
void fa_tally_measures(fa_tally *t, const fa_measure *m, size_t n);
/* A file went well: its sums stay. A file must be read again: what came since the last keep is
 * forgotten. */
FA_MUST_CHECK fa_rc fa_tally_keep(fa_tally *t, fa_err *e);
void fa_tally_rewind(fa_tally *t);
int64_t
fa_tally_rows(const fa_tally *t); /* rows so far; any thread: this is the progress of a load */
int64_t fa_tally_bad(const fa_tally *t); /* values that were not numbers or times, rows without day
                                          * or currency, amounts past FA_MONEY_MAX */
int64_t fa_tally_rounded(const fa_tally *t); /* amounts with digits past 1e-18 */
bool fa_tally_overflow(const fa_tally *t);
/* All rows, by currency and day; borrowed until the tally is used again or freed. */
FA_MUST_CHECK fa_rc fa_tally_result(fa_tally *t, const fa_tally_row **out, size_t *n, fa_err *e);

/* ---- scan: the typed question to `daily` ---- */
#define FA_NO_GROUP UINT32_MAX
typedef struct fa_scan {
    int32_t from, to; /* days, inclusive */
    const uint32_t
        *group;     /* group[line_id]: FA_NO_GROUP leaves the line out; NULL: all in group 0 */
    uint32_t nline; /* entries of group; lines past it are left out */
    const uint32_t *bucket;   /* bucket[day - from]; NULL: all in bucket 0 */
    uint32_t measures;        /* bit set: 1u << fa_measure */
    int64_t deadline_mono_ms; /* 0: none */
    bool plain;               /* DuckDB answers, never the segments: for the differential test */
} fa_scan;
typedef struct fa_cell {
    uint32_t bucket, group;
    fa_i128 sum[FA_M__COUNT]; /* e18; 0 for measures not asked */
    int64_t rows;             /* bill rows behind it */
} fa_cell;
/* Cells that have at least one row, in no order; in the arena. Answered from segments (kernel.c) for
 * the parts that have one, by DuckDB for the others; both give the same digits. FA_EENV: over the memory of
 * queries; FA_ETIMEOUT: past the deadline. */
FA_MUST_CHECK fa_rc fa_engine_scan(fa_engine *g, fa_arena *a, const fa_scan *q, fa_cell **out,
                                   size_t *n, fa_err *e);

/* What SQL may ask of a scan's arrays: fa_cell(ID, day, line_id) gives bucket << 32 | group of a fact, FA_CELL_NONE
 * where it is left out or its day is out of range. ID (UBIGINT) is the address of a map that outlives the statement. */
#define FA_CELL_MAGIC 0x46434c4cu
#define FA_CELL_NONE UINT64_MAX
typedef struct fa_cell_map {
    uint32_t magic;
    const fa_scan *scan;
} fa_cell_map;

#endif
