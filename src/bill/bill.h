/*
 * bill.h - billing formats: what a file's columns mean in FOCUS terms.
 *
 * A format is one file of this folder and one row of fa_bill_formats. The FOCUS column table below
 * is the one list that the mapping, the archive, the line table and the documentation are made
 * from. A format says which columns it reads (`in`, found by name in whatever spelling a file has) and
 * what the archive's columns are made of (`out`, SQL over them); one SELECT then does all of it.
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
    int since;     /* 10: FOCUS 1.0, 11, 12, 13, 14; 0: ours */
    bool required; /* a bill without it cannot be booked: refused */
    bool expected; /* mandatory in FOCUS: its absence is a notice */
    bool not_null; /* a row without it cannot be booked: a bad row */
} fa_column;
extern const fa_column fa_columns[];
extern const size_t fa_ncolumns;
#define FA_LINE_COLUMNS_MAX 200
const fa_column *fa_column_find(fa_str name); /* exact; NULL: not a FOCUS column */

/* ---- a file as it came ---- */
typedef struct fa_bill_column {
    fa_str name;  /* as in the file */
    fa_str ident; /* SQL that reads it from the raw rows */
    fa_str type;  /* DuckDB type name; "VARCHAR" for CSV */
    bool is_read; /* an `in` or a whole `out` carries it; the others are kept under x_ names */
    bool is_full; /* its text is nowhere "": a Parquet file's own statistics say so */
} fa_bill_column;

/* A column that the mapping computes with: one typed reading, given a short name. */
typedef enum {
    FA_IN_TEXT,
    FA_IN_TIME,
    FA_IN_DEC,
    FA_IN_JSON,    /* text that is JSON; anything else is NULL to the mapping */
    FA_IN_CREDITS, /* Google's list of credits: the sum of their amounts */
    FA_IN_GIFTS    /* the same, of those that belong to no commitment */
} fa_in_kind;
typedef struct fa_bill_in {
    fa_str alias; /* "i_un" */
    size_t column;
    fa_in_kind kind;
    bool not_null; /* a row without it cannot be booked */
} fa_bill_in;

/* A column of the archive. */
typedef struct fa_bill_out {
    fa_str name;            /* FOCUS, or x_... */
    const fa_column *focus; /* NULL: unknown to FOCUS, kept */
    bool in_line;           /* part of the line: FOCUS dimensions, tags, and what people group by */
    size_t column;          /* as it stands in the file; SIZE_MAX: made by expr */
    fa_str expr;            /* SQL over the ins, of the type that focus->kind wants, else text */
} fa_bill_out;

typedef enum {
    FA_FILE_CSV,
    FA_FILE_PARQUET,
    FA_FILE_JSONL
} fa_file_kind; /* JSON lines are fed as CSV */
typedef enum { FA_PACK_NONE, FA_PACK_GZIP, FA_PACK_ZSTD, FA_PACK_ZIP } fa_pack;

/* Cost types that a bill lacks and that are answered by their nearest neighbour, as bits. */

typedef struct fa_bill_file {
    const char *path;
    fa_str name; /* for messages: the last part of the path */
    fa_file_kind kind;
    fa_pack pack;
    char delim;
    int64_t bytes;          /* as stored */
    fa_bill_column *column; /* in file order */
    size_t ncolumn;
    fa_bill_in *in;
    size_t nin; /* 0: every out is a column of the file, read by its FOCUS kind */
    fa_bill_out *out;
    size_t nout;
    uint32_t own; /* FA_BIT of the measures with a column of their own; the load adds those of its
                       * other files */
    uint32_t approximated;
    const char *center; /* the cost center of every row; NULL: by the provider's name */
    bool is_view;       /* one of two views of one bill: actual or amortized cost (Azure) */
    bool is_append;     /* adds to what its month has, never replaces it (Oracle, Google) */
    enum { FA_DATES_ISO, FA_DATES_DMY } dates; /* of slashed or dotted dates */
    bool has_comma;                            /* 1.234,56 */
    bool may_be_short;                         /* rows may lack trailing columns */
    bool pad_short;                            /* read again so */
    int64_t rows;                              /* of Parquet; -1: unknown */
    bool skip_broken; /* CSV records of a wrong shape are put aside (--skip-bad), not refused */
} fa_bill_file;

/* Opens PATH, tells its kind and packing by its first bytes, and reads its columns. In the arena.
 * FA_ENOTFOUND, FA_EENV: cannot be read; FA_EDATA: empty, not a table, a wrong delimiter, a
 * duplicate or empty column name, a header that is not UTF-8 or longer than 1 MiB, a truncated
 * archive. */
FA_MUST_CHECK fa_rc fa_bill_open(fa_engine *g, fa_arena *a, const char *path, fa_bill_file *out,
                                 fa_err *e);

/* What the caller knows about a file beside its columns. */
typedef struct fa_bill_hint {
    fa_str format;   /* "focus", "aws-cur-1": asked for; empty: by columns */
    fa_str mapping;  /* JSON (doc/operations.md, "a table of your own"); empty: none */
    fa_str currency; /* the account's, for bills that do not say theirs */
} fa_bill_hint;

/* What a format found out about a file; notices are for people. */
typedef struct fa_bill_match {
    fa_arena *a;
    const fa_bill_hint *hint;
    fa_str version; /* "focus-1.0" */
    fa_str *notice;
    size_t nnotice;
    struct json_t *constants; /* of the mapping, while a file is matched; NULL: none */
} fa_bill_match;
FA_PRINTF(3, 4)
FA_MUST_CHECK fa_rc fa_bill_notice(fa_bill_match *m, fa_err *e, const char *fmt, ...);

typedef struct fa_bill_format {
    const char *name; /* "focus": family; the load's format adds the version */
    const char *doc;
    int (*score)(const fa_bill_file *f); /* 0: not this; the highest of all formats wins */
    /* Fills in, out and the flags of the file; checks what is required. */
    fa_rc (*match)(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e);
} fa_bill_format;
extern const fa_bill_format fa_bill_formats[]; /* ends with a NULL name */

/* By name ("focus", "focus-1.0") when the hint asks for one, else by columns. m->version and notices
 * are set. FA_EDATA: none fits (says what was found). */
FA_MUST_CHECK fa_rc fa_bill_recognise(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e);

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
