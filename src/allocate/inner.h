/*
 * inner.h - private to allocate/: a document on its way into a set, and the rows kept apart from it.
 */
#ifndef FA_ALLOCATE_INNER_H
#define FA_ALLOCATE_INNER_H

#include "allocate/allocate.h"

#include <stdatomic.h>

#define FA_TAG_LEVELS_MAX 8      /* levels of a mapping hierarchy, outputs of a relational tag */
#define FA_TAG_TEXT_MAX   1000   /* bytes of a value or a name of a value */
#define FA_TAG_NAME_MAX   200    /* bytes of a tag's name */
#define FA_TAG_SHARES_MAX 1000   /* percentages of one entry */

/* ---- rows.c: the rows of a dictionary or a hierarchy, one table per level ---- */
typedef struct fa_tag_rows {
    atomic_uint refs;
    fa_arena mem;
    size_t nlevel, n[FA_TAG_LEVELS_MAX];
    fa_dictionary_row *row[FA_TAG_LEVELS_MAX]; /* by source, then from */
    unsigned char hash[16];                    /* of all rows */
} fa_tag_rows;
fa_tag_rows *fa_tag_rows_ref(fa_tag_rows *r);
void fa_tag_rows_put(fa_tag_rows *r); /* NULL is fine */

/* One row as it came in: cell[0] the source, then a value for each level. */
typedef struct fa_raw_row {
    fa_str cell[FA_TAG_LEVELS_MAX + 1];
    int32_t from, to; /* inclusive */
    size_t line;      /* for errors */
} fa_raw_row;
typedef struct fa_row_fault {
    size_t line;
    fa_str message;
} fa_row_fault;
#define FA_ROW_FAULTS_MAX 100
typedef struct fa_row_faults {
    fa_row_fault fault[FA_ROW_FAULTS_MAX];
    size_t n, all; /* kept, found */
} fa_row_faults;
FA_PRINTF(4, 5)
void fa_row_fault_add(fa_row_faults *f, fa_arena *a, size_t line, const char *fmt, ...);
/* Takes the rows (copies their texts). is_tree: one parent per value and day on each level, the same said twice is
 * fine; else a source may stand once per day. What is wrong is added to `faults`; FA_EDATA then, with the first of
 * them. Sorts `raw`. */
FA_MUST_CHECK fa_rc fa_tag_rows_make(fa_raw_row *raw, size_t n, size_t nlevel, bool is_tree, bool ignore_case,
                                     fa_arena *a, fa_row_faults *faults, fa_tag_rows **out, fa_err *e);
/* The rows written into a document: [[source, target.., from|null, to|null], ..]; *out NULL: there are none. */
FA_MUST_CHECK fa_rc fa_tag_rows_inline(const json_t *list, size_t nlevel, bool is_tree, bool ignore_case,
                                       fa_tag_rows **out, fa_err *e);

/* ---- parse.c: one document ---- */
typedef struct fa_doc {
    const json_t *json;  /* borrowed */
    fa_tag_rows *rows;   /* may be NULL; a reference */
    const char *at;      /* before every field of an error: "" or "[3]." */
    fa_str id, name;
    fa_tag *tag;         /* the keys it gives */
    size_t ntag;
    fa_str *reads;       /* ids of the tags it reads */
    size_t nreads, cap;
    bool is_tree;        /* a hierarchy: each key reads the one before it */
} fa_doc;
FA_MUST_CHECK fa_rc fa_doc_read(fa_arena *a, fa_doc *d, fa_err *e);

/* ---- set.c ---- */
/* A set of documents in any order. Takes a reference of each json and of each rows. */
FA_MUST_CHECK fa_rc fa_tag_set_make(fa_doc *doc, size_t n, fa_tag_set **out, fa_err *e);
bool fa_is_virtual(fa_str cost_center, fa_str type); /* the cost center of virtual tags in any spelling */
/* Telemetry came, went or changed: what is computed from it has another hash from now on. */
uint64_t fa_telemetry_epoch(void);

#endif
