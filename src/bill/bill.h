/*
 * bill.h - billing formats: what a file's columns mean in FOCUS terms.
 *
 * A format is one file of this folder and one row of fa_bill_formats. The FOCUS column table below
 * is the one list that the mapping, the archive, the line table and the documentation are made
 * from.
 */
#ifndef FA_BILL_H
#define FA_BILL_H

#include "base/base.h"
#include "engine/engine.h"

typedef enum {
    FA_C_DIM,     /* text of a line: what is bought, by whom, for what */
    FA_C_TEXT,    /* text that makes every row its own, or repeats each month: archive only */
    FA_C_TIME,    /* TIMESTAMP, archive only */
    FA_C_DEC,     /* DECIMAL(38,18), archive only: prices, quantities of another scale */
    FA_C_MEASURE, /* DECIMAL(38,18) and a measure of daily */
    FA_C_TAGS     /* JSON object */
} fa_column_kind;

typedef struct fa_column {
    const char *name; /* FOCUS */
    fa_column_kind kind;
    int since;     /* 10: FOCUS 1.0, 11, 12 */
    bool required; /* a bill without it cannot be booked: refused */
    bool expected; /* mandatory in FOCUS: its absence is a notice */
    bool not_null; /* a row without it cannot be booked: a bad row */
} fa_column;
extern const fa_column fa_columns[];
extern const size_t fa_ncolumns;
const fa_column *fa_column_find(fa_str name); /* exact; NULL: not a FOCUS column */

/* ---- a file as it came ---- */
typedef struct fa_bill_column {
    fa_str name;            /* as in the file */
    fa_str type;            /* DuckDB type name; "VARCHAR" for CSV */
    const fa_column *focus; /* NULL: unknown to FOCUS, kept */
    bool in_line;           /* an unknown column that is part of the line (see focus.c) */
} fa_bill_column;

typedef enum { FA_FILE_CSV, FA_FILE_PARQUET } fa_file_kind;
typedef enum { FA_PACK_NONE, FA_PACK_GZIP, FA_PACK_ZSTD } fa_pack;

typedef struct fa_bill_file {
    const char *path;
    fa_str name; /* for messages: the last part of the path */
    fa_file_kind kind;
    fa_pack pack;
    int64_t bytes;          /* as stored */
    fa_bill_column *column; /* in file order */
    size_t ncolumn;
    int64_t rows;           /* of Parquet; -1: unknown */
    bool skip_broken; /* CSV records of a wrong shape are put aside (--skip-bad), not refused */
} fa_bill_file;

/* Opens PATH, tells its kind and packing by its first bytes, and reads its columns. In the arena.
 * FA_ENOTFOUND, FA_EENV: cannot be read; FA_EDATA: empty, not a table, a wrong delimiter, a
 * duplicate or empty column name, a header that is not UTF-8 or longer than 1 MiB, a truncated
 * archive. */
FA_MUST_CHECK fa_rc fa_bill_open(fa_engine *g, fa_arena *a, const char *path, fa_bill_file *out,
                                 fa_err *e);

typedef struct fa_bill_format {
    const char *name; /* "focus": family; the load's format adds the version */
    const char *doc;
    int (*score)(const fa_bill_file *f); /* 0: not this; the highest of all formats wins */
    /* Fills column[].focus and .in_line, checks required columns. *version: "focus-1.0". Notices
     * appended. */
    fa_rc (*match)(fa_engine *g, fa_arena *a, fa_bill_file *f, fa_str *version, fa_str **notice,
                   size_t *nnotice, fa_err *e);
} fa_bill_format;
extern const fa_bill_format fa_bill_formats[]; /* ends with a NULL name */

/* By name ("focus", "focus-1.0") when `want` is not empty, else by columns. FA_EDATA: none fits
 * (says what was found). */
FA_MUST_CHECK fa_rc fa_bill_recognise(fa_engine *g, fa_arena *a, fa_bill_file *f, fa_str want,
                                      fa_str *version, fa_str **notice, size_t *nnotice, fa_err *e);

/* SQL text over a provider name column that gives the cost center's public name. */
const char *fa_cost_center_sql(void);

/* ---- a file as a stream of checked bytes ---- */

/* Unpacks a CSV file into a named pipe for the engine to read, on a thread of its own, checking on
 * the way: the archive's own checksum and end, NUL bytes, UTF-8, lines over 1 MiB, and expansion
 * (200 times the packed size once 16 MiB are out). */
typedef struct fa_feed fa_feed;
FA_MUST_CHECK fa_rc fa_feed_open(const fa_bill_file *f, const char *pipe_path, fa_feed **out,
                                 fa_err *e);
int64_t fa_feed_bytes(const fa_feed *d); /* packed bytes read so far; any thread */
/* Ends the thread. FA_OK: the whole file went through and was sound. `abandon`: the reader has
 * stopped. */
FA_MUST_CHECK fa_rc fa_feed_close(fa_feed *d, bool abandon, char hash_hex[65], fa_err *e);

/* BLAKE2b-256 of a file's bytes as 64 hex. tick may be NULL; *cancel ends it with FA_ECANCELLED. */
FA_MUST_CHECK fa_rc fa_bill_hash(const char *path, char hex[65], volatile bool *cancel, fa_err *e);

#endif
