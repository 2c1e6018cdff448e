/*
 * segment.h - private to engine/: one part of `daily` as an immutable file of plain arrays.
 *
 * DIR/p<part>-<seal>.seg, little endian, every section on a 64-byte boundary:
 *   header       what is below, with a sum over itself; sections by number
 *   FA_SEG_START uint64[days + 1]: the rows of day first + i are start[i] .. start[i + 1]
 *   FA_SEG_TOTAL fa_i128[days][1 + measures]: bill rows and exact sums (1e-18) of each day
 *   block 0      the rows by day and line: line ids, bill rows, then each column of fa_seg_column
 *   block 1      the same rows added up over all days, by line: the month's rollup; may be absent
 * A column is an integer of 0 to 8 or 16 bytes per row (0: all zero), to be multiplied by `factor`.
 * The seal is drawn when a part goes into the star, so a file can never be taken for another state
 * of it. Files are written beside, synced and renamed; a reader's mapping outlives the unlink.
 */
#ifndef FA_ENGINE_SEGMENT_H
#define FA_ENGINE_SEGMENT_H

#include "engine/duck.h"

#include <stdatomic.h>
#include <sys/stat.h>

#define FA_SEG_VERSION 2
#define FA_SEG_COLS (2 * FA_M__MONEY + (FA_M__COUNT - FA_M__MONEY)) /* money and rest, quantities */
enum { FA_SEG_START, FA_SEG_TOTAL, FA_SEG_BLOCKS, FA_SEG_LINE = 0, FA_SEG_N = 1, FA_SEG_COL = 2 };
#define FA_SEG_BLOCK(b) (FA_SEG_BLOCKS + (b) * (FA_SEG_COL + FA_SEG_COLS))
#define FA_SEG_SECTIONS FA_SEG_BLOCK(2)

typedef struct fa_seg_section {
    uint64_t offset, bytes, sum; /* bytes without the padding; sum over them and it */
    uint64_t factor;             /* of a column: multiplier */
    uint64_t max, max_high;      /* greatest stored magnitude, 128 bits */
    uint64_t width;              /* bytes per row */
} fa_seg_section;

typedef struct fa_seg_header {
    char magic[8];
    uint64_t sum; /* of the header with this field 0 */
    uint32_t version, header_bytes;
    uint64_t file_bytes, columns; /* columns: hash of the names of fa_seg_column, in order */
    uint8_t seal[16];
    uint32_t part, line_max;
    int32_t first, last; /* days; first > last: no rows */
    uint64_t rows[2];    /* of the blocks; rows[1] 0 when there is no rollup */
    fa_seg_section section[FA_SEG_SECTIONS];
} fa_seg_header;

/* What a column of a block holds: one row of a table made from fa_measures. A measure that falls back to
 * another is kept as the difference to it: the sum is that of the column and of those down the chain. */
typedef struct fa_seg_column {
    fa_measure measure;
    bool is_rest;
    uint64_t unit; /* e18 in one: 1e8 for money, 1 for rests and quantities */
    char name[40]; /* in daily */
    char sql[300]; /* over daily */
} fa_seg_column;
const fa_seg_column *fa_seg_columns(void); /* FA_SEG_COLS of them */

typedef struct fa_segment {
    atomic_uint refs;
    char *path;
    uint32_t part;
    const uint8_t *map;
    size_t bytes;
    int fd;
    struct timespec changed;            /* of the file, when its sums were looked at */
    atomic_uchar seen[FA_SEG_SECTIONS]; /* 0 not checked, 1 as written */
    atomic_bool bad;
    fa_seg_header h; /* a copy: the file may be cut at any time */
} fa_segment;

/* A part as the star names it. */
typedef struct fa_seg_part {
    uint32_t id;
    uint8_t seal[16];
} fa_seg_part;

char *fa_seg_path(const char *dir, const fa_seg_part *p); /* malloc; NULL: out of memory */
/* One reference. FA_ENOTFOUND: no such file; FA_EDATA: not what was written (header, size). */
FA_MUST_CHECK fa_rc fa_segment_open(const char *dir, const fa_seg_part *p, fa_segment **out,
                                    fa_err *e);
void fa_segment_unref(fa_segment *s);
/* Compares a section with its sum, once while the file stays unchanged. FA_EDATA: it differs, or
 * the disk does not give it; the segment is bad from then on. */
FA_MUST_CHECK fa_rc fa_segment_verify(fa_segment *s, unsigned section, fa_err *e);
/* False: the file was written to or cut since its sums were looked at; the sums are forgotten. */
bool fa_segment_unchanged(fa_segment *s);
/* Writes p from `daily`, durable under its name. FA_ENOTFOUND: the part has left the star. */
FA_MUST_CHECK fa_rc fa_segment_write(fa_conn *c, const char *dir, const fa_seg_part *p, fa_err *e);

static inline const void *fa_segment_data(const fa_segment *s, unsigned section)
{
    return s->map + s->h.section[section].offset;
}

/* Runs f(arg) with the reading of mapped files guarded: false when the disk did not give a page
 * (SIGBUS); f then ended in the middle, so it may hold no lock and own nothing. */
bool fa_guarded(void (*f)(void *), void *arg);

/* ---- segments.c: which there are ---- */
typedef struct fa_seg_set {
    unsigned refs; /* under fa_engine.lock */
    fa_segment **segment;
    size_t n;
    uint32_t *missing; /* parts that have no good segment: DuckDB answers for them */
    size_t nmissing;
} fa_seg_set;
FA_MUST_CHECK fa_rc fa_seg_set_get(fa_engine *g, fa_seg_set **out, fa_err *e); /* NULL: none kept */
void fa_seg_set_put(fa_engine *g, fa_seg_set *s);
void fa_seg_set_drop(fa_engine *g);
/* The parts of the star in the order of their ids; malloc'd. */
FA_MUST_CHECK fa_rc fa_seg_parts(fa_engine *g, fa_seg_part **out, size_t *n, fa_err *e);
void fa_seg_wanted(fa_engine *g); /* something is missing: the thread looks */
void fa_seg_bad(fa_engine *g, fa_segment *s, const fa_err *why); /* says so; it is made again */
FA_MUST_CHECK fa_rc fa_seg_start(fa_engine *g, fa_err *e);       /* the thread that makes them */
void fa_seg_stop(fa_engine *g);

#endif
