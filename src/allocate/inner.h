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
fa_tag_rows *fa_rows_ref(fa_tag_rows *r);
void fa_rows_unref(fa_tag_rows *r); /* NULL is fine */

/* One row as it came in: cell[0] the source, then a value for each level. */
typedef struct fa_raw_row {
    fa_str cell[FA_TAG_LEVELS_MAX + 1];
    int32_t from, to; /* inclusive */
    size_t line;      /* for errors */
} fa_raw_row;
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

/* ---- content.c: rows as CSV text, and packed as meta.db keeps them ---- */
/* The shape of a document's rows; nlevel 0: it has none. */
typedef struct fa_rows_shape {
    size_t nlevel;
    bool is_tree, ignore_case;
    fa_str head[FA_TAG_LEVELS_MAX + 1];
} fa_rows_shape;
void fa_rows_shape_of(const json_t *doc, fa_rows_shape *out);
/* CSV text with a header (`,` `;` or tab) -> rows. What is wrong is in `faults`; FA_EDATA then. */
FA_MUST_CHECK fa_rc fa_rows_read(fa_str text, const fa_rows_shape *shape, fa_arena *a, fa_row_faults *faults,
                                 fa_tag_rows **out, fa_err *e);
void fa_rows_write(fa_buf *b, const fa_rows_shape *shape, const fa_tag_rows *r);
void fa_put_cell(fa_buf *b, fa_str s);    /* a cell no spreadsheet takes for a formula; fa_take_cell gives it back */
fa_str fa_take_cell(fa_str s);
char fa_csv_separator(fa_str text);       /* of its first line */
FA_MUST_CHECK fa_rc fa_pack(fa_arena *a, fa_str plain, fa_str *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_unpack(fa_arena *a, fa_str packed, fa_str *out, fa_err *e);
/* Keeps the rows in meta.db, gives their hash; and back. */
FA_MUST_CHECK fa_rc fa_content_keep(fa_ledger *l, fa_arena *a, const fa_rows_shape *shape, const fa_tag_rows *r,
                                    fa_str *hash, fa_err *e);
FA_MUST_CHECK fa_rc fa_content_load(fa_ledger *l, fa_str hash, const fa_rows_shape *shape, fa_tag_rows **out, fa_err *e);

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
    uint64_t content;    /* hash of what decides values; 0: not known yet */
    fa_str stamp;        /* live.c: what the composed document was made of; empty: it is not a live one */
} fa_doc;
FA_MUST_CHECK fa_rc fa_doc_read(fa_arena *a, fa_doc *d, fa_err *e);

/* ---- set.c ---- */
/* A set of documents in any order. Takes a reference of each json and of each rows. */
FA_MUST_CHECK fa_rc fa_tag_set_make(fa_doc *doc, size_t n, fa_tag_set **out, fa_err *e);
/* fa_tag_set_with, and the rows of the document: these, or with keep_rows those it has in `base`. */
FA_MUST_CHECK fa_rc fa_tag_set_with_rows(const fa_tag_set *base, const json_t *document, fa_tag_rows *rows,
                                         bool keep_rows, fa_tag_set **out, fa_err *e);
fa_doc *fa_tag_set_docs(const fa_tag_set *s, size_t *n);
bool fa_is_virtual(fa_str cost_center, fa_str type); /* the cost center of virtual tags in any spelling */
/* Telemetry came, went or changed: what is computed from it has another hash from now on. */
uint64_t fa_telemetry_epoch(void);

/* ---- predefined.c: documents, kept for the life of the program ---- */
FA_MUST_CHECK fa_rc fa_predefined(const json_t **out, fa_err *e);

/* ---- feed.c ---- */
bool fa_feed_name_ok(fa_str s); /* a plain file name */

/* ---- live.c ---- */
/* The document of a version with what its tag says of itself: id, name, folder, access, times. New reference. */
FA_MUST_CHECK fa_rc fa_tag_compose(const fa_tag_row *t, const fa_tag_version *v, json_t **out, fa_err *e);

#endif
