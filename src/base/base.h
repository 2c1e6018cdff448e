/*
 * base.h - the building blocks: knows nothing of costs.
 *
 * One public header for the folder. Everything here is small, owned by the caller
 * and bounded. Verbs mean the same everywhere: init/release (caller's struct),
 * new/free (heap), open/close (outside world), parse/emit (text <-> value).
 */
#ifndef FA_BASE_H
#define FA_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FA_COUNT(a)     (sizeof(a) / sizeof((a)[0]))
#define FA_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define FA_MUST_CHECK   __attribute__((warn_unused_result))

/* ---- strings: length carrying, borrowed, not zero-terminated unless said ---- */

typedef struct fa_str {
    const char *p;
    size_t      n;
} fa_str;

#define FA_STR(lit) ((fa_str){ "" lit, sizeof(lit) - 1 })
#define FA_FMT(s)   (int)(s).n, (s).p /* for "%.*s" */

fa_str fa_str_of(const char *z);               /* borrows; NULL gives the empty string */
bool   fa_str_eq(fa_str a, fa_str b);
bool   fa_str_eqz(fa_str a, const char *z);
bool   fa_str_ieq(fa_str a, fa_str b);         /* ASCII case folded */
int    fa_str_cmp(fa_str a, fa_str b);         /* byte order */
bool   fa_str_starts(fa_str s, fa_str prefix);
bool   fa_str_ends(fa_str s, fa_str suffix);
fa_str fa_str_trim(fa_str s);                  /* ASCII white space at both ends */
bool   fa_take_u64(fa_str *s, uint64_t *out);  /* takes leading digits off s; false: none, or past 64 bits */
bool   fa_take(fa_str *s, const char *prefix); /* takes the prefix off s; false: it does not start so */
bool   fa_utf8_valid(fa_str s);                /* strict: no surrogates, no overlong, <= U+10FFFF */

/* ---- arena: memory that dies together ---- */

typedef struct fa_arena {
    struct fa_block *head;
    struct fa_defer *defer; /* what is given back with the memory, the newest first */
    size_t           used, limit; /* bytes; limit 0 means 1 GiB */
    size_t           counted;     /* of its blocks, taken from FA_MEM_QUESTIONS */
    bool             counts;
} fa_arena;

void  fa_arena_init(fa_arena *a, size_t limit);      /* allocates nothing */
void  fa_arena_count(fa_arena *a);                   /* from now on its blocks come out of FA_MEM_QUESTIONS */
void *fa_arena_alloc(fa_arena *a, size_t size);      /* zeroed, 16-byte aligned; NULL at the limit */
void *fa_arena_array(fa_arena *a, size_t n, size_t size); /* overflow checked fa_arena_alloc */
char *fa_arena_dupz(fa_arena *a, fa_str s);          /* zero-terminated copy; NULL at the limit */
fa_str fa_arena_dup(fa_arena *a, fa_str s);          /* copy (also zero-terminated); {NULL,0} at the limit */
FA_PRINTF(2, 3)
char *fa_arena_printf(fa_arena *a, const char *fmt, ...); /* NULL at the limit */
/* Calls fn(arg) when the arena is cleared or released: for what the memory refers to. false: out of memory, not kept. */
FA_MUST_CHECK bool fa_arena_defer(fa_arena *a, void (*fn)(void *arg), void *arg);
void  fa_arena_clear(fa_arena *a);
void  fa_arena_release(fa_arena *a);                 /* safe on a zeroed arena */

/* ---- memory: --memory shared out among those who hold much of it; any thread ---- */

typedef enum {
    FA_MEM_ENGINE,    /* DuckDB, which keeps to it by itself */
    FA_MEM_SCANS,     /* sums of the kernel */
    FA_MEM_KEPT,      /* what is kept from one question for the next */
    FA_MEM_QUESTIONS, /* answers while they are made: counted arenas */
    FA_MEM__COUNT
} fa_mem;

void   fa_memory_set(size_t bytes);      /* --memory; 0: 2 GiB */
void   fa_memory_serve(bool on);         /* a server: many questions beside the engine */
size_t fa_memory_share(fa_mem who);      /* bytes */
bool   fa_memory_take(fa_mem who, size_t bytes); /* false: over the share; nothing is taken */
void   fa_memory_give(fa_mem who, size_t bytes);
size_t fa_memory_used(fa_mem who);

/* ---- errors: a code for the program, words for the person ---- */

typedef enum {
    FA_OK,
    FA_EINVAL,     /* malformed request or wrong use                 400, exit 2 */
    FA_EAUTH,      /* who are you                                    401, exit 1 */
    FA_EFORBIDDEN, /* you may not                                    403, exit 1 */
    FA_ENOTFOUND,  /* no such thing                                  404, exit 1 */
    FA_ECONFLICT,  /* somebody else holds or has it                  409, exit 1 */
    FA_EGONE,      /* was here, is no more                           410, exit 1 */
    FA_ETOOBIG,    /* request body over its bound                    413, exit 2 */
    FA_EDATA,      /* well-formed but refused: bad row, broken rule  422, exit 1 */
    FA_EFAILED,    /* a thing this depends on failed before          424, exit 1 */
    FA_ELIMIT,     /* too many, too fast                             429, exit 1 */
    FA_ECANCELLED, /* the caller asked to stop                       499, exit 1 */
    FA_EINTERNAL,  /* our bug                                        500, exit 3 */
    FA_EENV,       /* disk, memory, network                          503, exit 3 */
    FA_ETIMEOUT,   /* the deadline passed                            504, exit 3 */
    FA__RC_COUNT
} fa_rc;

typedef struct fa_err {
    fa_rc rc;
    char  msg[1024];  /* for the caller: what and where; lower case start, no full stop */
    char  hint[320];  /* what to do about it; may be empty */
    char  field[160]; /* path of the offending JSON field, may be empty: "filters.AND[2].operator" */
    char  trail[320]; /* for the log: where in the code, outermost first */
} fa_err;

typedef struct fa_rc_info {
    int         http;
    int         exit_code;
    const char *name; /* "BAD_REQUEST": the `error` member of an API answer */
} fa_rc_info;

const fa_rc_info *fa_rc_get(fa_rc rc); /* never NULL */

/* Sets *e (e may be NULL) and returns rc. Keeps nothing of an earlier error. */
FA_PRINTF(3, 4)
fa_rc fa_fail(fa_err *e, fa_rc rc, const char *fmt, ...);
FA_PRINTF(2, 3)
fa_rc fa_hint(fa_err *e, const char *fmt, ...); /* adds a hint; returns e->rc */
fa_rc fa_at(fa_err *e, const char *field);      /* sets the field path; returns e->rc */
fa_rc fa_in(fa_err *e, const char *where);      /* adds to the trail; returns e->rc */
fa_rc fa_oom(fa_err *e);                        /* FA_EENV "out of memory", with the share that was refused to this thread */
fa_rc fa_memory_why(fa_err *e);                 /* that share as an error, once; FA_OK: none was refused */
#ifdef __clang_analyzer__ /* it reads one file at a time and cannot see that these never give FA_OK */
#define fa_fail(e, rc, ...) ((void)fa_fail(e, rc, __VA_ARGS__), (rc))
#define fa_oom(e)           ((void)fa_oom(e), FA_EENV)
#endif

/* ---- buf: one growing output with a ceiling ---- */

typedef struct fa_buf {
    char  *p; /* owned; always zero-terminated when not NULL */
    size_t n, cap, limit;
    bool   failed; /* an append did not fit or malloc failed: the content is incomplete */
} fa_buf;

void fa_buf_init(fa_buf *b, size_t limit); /* limit 0 means 1 GiB; allocates nothing */
void fa_buf_put(fa_buf *b, const void *p, size_t n);
void fa_buf_str(fa_buf *b, fa_str s);
void fa_buf_z(fa_buf *b, const char *z);
void fa_buf_c(fa_buf *b, char c);
FA_PRINTF(2, 3)
void fa_buf_fmt(fa_buf *b, const char *fmt, ...);
void fa_buf_json(fa_buf *b, fa_str s); /* quoted JSON string; invalid UTF-8 becomes U+FFFD */
void fa_buf_csv(fa_buf *b, fa_str s, bool guard); /* RFC 4180; guard: formula injection rule FX of security.md */
void fa_buf_url(fa_buf *b, fa_str s);  /* percent-encoded component */
void fa_buf_sql_text(fa_buf *b, fa_str s);  /* 'quoted', quotes doubled, NUL dropped */
void fa_buf_sql_ident(fa_buf *b, fa_str s); /* "quoted", quotes doubled, NUL dropped */
/* A copy of the content in the arena; {NULL, 0} when an append failed or the arena is full. */
fa_str fa_buf_dup(const fa_buf *b, fa_arena *a);
fa_str fa_buf_view(const fa_buf *b);   /* borrowed until the next append */
void fa_buf_clear(fa_buf *b);          /* keeps memory and limit */
void fa_buf_release(fa_buf *b);        /* safe on a zeroed buf */

/* ---- exact decimals: 128-bit integers of 1e-18 ("e18") and 1e-10 ("e10") units ---- */

typedef __int128          fa_i128;
typedef unsigned __int128 fa_u128;

#define FA_E18 ((fa_i128)1000000000000000000LL)
#define FA_E10 ((fa_i128)10000000000LL)
#define FA_E8  ((fa_i128)100000000LL) /* e18 = e10 * E8 */

/* Parses "-1,234.50", "$10.00 ", "35.2E-7", "(none)" is not a number. Thousands commas and one leading
 * currency sign are taken only when `loose`. *rounded (may be NULL) is set when digits past 1e-18 were
 * dropped (half away from zero). false: not a number, or its magnitude is 1e20 or more. */
bool fa_dec_parse(fa_str s, bool loose, fa_i128 *out_e18, bool *rounded);
/* Writes v / 10^scale with at least `min_places` decimals, trailing zeros past that cut. "-0" never. */
void fa_dec_emit(fa_buf *b, fa_i128 v, int scale, int min_places);
/* v at 10^-18 rounded once to 10^-places, half away from zero; the result is in units of 10^-places. */
fa_i128 fa_dec_round(fa_i128 v_e18, int places);
/* a*b/c with a 256-bit intermediate, floored toward minus infinity; c > 0. */
fa_i128 fa_dec_muldiv(fa_i128 a, fa_i128 b, fa_i128 c);
/* a*b/c and its remainder; c > 0. false: the quotient has no 128-bit form. */
bool fa_dec_divide(fa_u128 a, fa_u128 b, fa_u128 c, fa_u128 *quotient, fa_u128 *rest);

/* ---- csv in: RFC 4180 records out of a text in memory ---- */

typedef struct fa_csv {
    fa_str   rest;       /* what was not read */
    int64_t  line, next; /* first line of the record (1 is the first); line behind it */
    char     sep;        /* ',' unless changed after fa_csv_init */
    fa_str  *cell;       /* of the record: borrowed from the text or from `mem`, until the next call */
    size_t   n, cap;
    fa_arena mem;
} fa_csv;
void fa_csv_init(fa_csv *c, fa_str text); /* a byte order mark is skipped */
/* The next record; blank lines are skipped. *more false: the end. FA_EDATA: a quote that is not closed or
 * text behind one (names the line), or more than 10,000 cells. */
FA_MUST_CHECK fa_rc fa_csv_next(fa_csv *c, bool *more, fa_err *e);
void fa_csv_release(fa_csv *c);

/* ---- dates: a day is an int32 of days since 1970-01-01 UTC ---- */

typedef enum { FA_HOUR, FA_DAY, FA_WEEK, FA_MONTH, FA_QUARTER, FA_YEAR, FA_ALL, FA__BUCKET_COUNT } fa_bucket;

int32_t fa_day_of(int year, int month, int day); /* proleptic Gregorian; arguments must be valid */
void    fa_day_civil(int32_t day, int *year, int *month, int *mday);
int     fa_month_days(int year, int month);
bool    fa_day_parse(fa_str s, int32_t *out);    /* "2026-11-13" and nothing else; leap days checked */
void    fa_day_emit(fa_buf *b, int32_t day);     /* "2026-11-13" */
int32_t fa_day_floor(int32_t day, fa_bucket k);  /* first day of its bucket; weeks start on Monday */
int32_t fa_day_next(int32_t day, fa_bucket k);   /* first day of the bucket after the one holding day */
int32_t fa_day_add_months(int32_t day, int n);   /* clamps to the month's last day */
int64_t fa_now_ms(void);                         /* wall clock, epoch ms; FARTHING_NOW_MS overrides for tests */
int64_t fa_mono_ms(void);                        /* monotonic */
void    fa_time_iso(fa_buf *b, int64_t epoch_ms);/* 2026-05-01T09:30:00.000Z */
static inline int32_t fa_ms_day(int64_t ms) { return (int32_t)((ms - (ms < 0 ? 86399999 : 0)) / 86400000); }

/* ---- hash map: fa_str keys (copied) to a size_t value ---- */

typedef struct fa_map fa_map;
fa_map *fa_map_new(void);                        /* NULL: out of memory. Keyed hash, attacker-safe. */
void    fa_map_free(fa_map *m);
size_t  fa_map_count(const fa_map *m);
bool    fa_map_get(const fa_map *m, fa_str key, size_t *value);
/* Inserts (key, value) unless present; *out gets the value now stored; *added (may be NULL) says which. */
FA_MUST_CHECK bool fa_map_add(fa_map *m, fa_str key, size_t value, size_t *out, bool *added);
FA_MUST_CHECK bool fa_map_set(fa_map *m, fa_str key, size_t value);
bool    fa_map_del(fa_map *m, fa_str key);
bool    fa_map_next(const fa_map *m, size_t *cursor, fa_str *key, size_t *value); /* start with *cursor = 0 */

/* ---- JSON out: a writer over a buf that cannot produce unbalanced text ---- */

typedef struct fa_jw {
    fa_buf *b;
    int     depth;
    bool    first[64];
    bool    after_key;
} fa_jw;

void fa_jw_init(fa_jw *w, fa_buf *b);
void fa_jw_obj(fa_jw *w);
void fa_jw_arr(fa_jw *w);
void fa_jw_end_obj(fa_jw *w);
void fa_jw_end_arr(fa_jw *w);
void fa_jw_key(fa_jw *w, const char *key);
void fa_jw_keys(fa_jw *w, fa_str key);
void fa_jw_str(fa_jw *w, fa_str s);
void fa_jw_z(fa_jw *w, const char *z);           /* NULL writes null */
void fa_jw_int(fa_jw *w, int64_t v);
void fa_jw_bool(fa_jw *w, bool v);
void fa_jw_null(fa_jw *w);
void fa_jw_dec(fa_jw *w, fa_i128 v, int scale);  /* a JSON number with every digit */
void fa_jw_raw(fa_jw *w, fa_str json);           /* one already-valid JSON value */
void fa_jw_time(fa_jw *w, int64_t epoch_ms);     /* quoted ISO; < 0 writes null */

/* ---- ids, randomness, hex ---- */

void fa_uuid_v4(char out[37]);                   /* canonical lower-case text, zero-terminated */
bool fa_uuid_valid(fa_str s);
void fa_random(void *p, size_t n);
void fa_hex(char *out, const void *p, size_t n); /* out holds 2n+1 */
bool fa_const_eq(fa_str a, fa_str b);            /* constant time in the content */

/* ---- log: one line per event, key=value, to standard error ---- */

typedef enum { FA_LOG_DEBUG, FA_LOG_INFO, FA_LOG_WARN, FA_LOG_ERROR } fa_log_level;
void fa_log_set(fa_log_level least);
/* event: a constant word; then printf text of key=value pairs. Control characters are escaped. */
FA_PRINTF(3, 4)
void fa_log(fa_log_level level, const char *event, const char *fmt, ...);

/* ---- files ---- */

FA_MUST_CHECK fa_rc fa_mkdirs(const char *path, unsigned mode, fa_err *e);
FA_MUST_CHECK fa_rc fa_fsync_path(const char *path, fa_err *e);   /* a file or a directory */
FA_MUST_CHECK fa_rc fa_rename_durable(const char *from, const char *to, fa_err *e); /* rename + fsync of both directories */
FA_MUST_CHECK fa_rc fa_file_read(const char *path, size_t limit, fa_buf *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_file_write_durable(const char *path, fa_str content, unsigned mode, fa_err *e); /* temp, fsync, rename */
FA_MUST_CHECK fa_rc fa_remove_tree(const char *path, fa_err *e);  /* no error when absent; never follows links */

/* ---- a flag one thread sets and another looks at: "stop what you do" ---- */

static inline bool fa_flag_get(const volatile bool *f) { return f && __atomic_load_n(f, __ATOMIC_RELAXED); } /* NULL: false */
static inline void fa_flag_set(volatile bool *f) { __atomic_store_n(f, true, __ATOMIC_RELAXED); }

/* ---- a fault point for the crash and fault tests; nothing in a release build without the variable ----
 * FARTHING_FAULT="name" or "name:N": the N-th time the point is reached the process kills itself with
 * SIGKILL (default), or "name:N:fail" makes the call return true so that the caller fails as if by EIO. */
bool fa_fault(const char *name);

#endif
