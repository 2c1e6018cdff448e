/* inner.h - private to bill/: what its files ask of each other. */
#ifndef FA_BILL_INNER_H
#define FA_BILL_INNER_H

#include "bill/bill.h"

#include <stdio.h>

/* ---- file.c ---- */
FA_MUST_CHECK fa_rc fa_bill_add_column(fa_arena *a, fa_bill_file *f, fa_str name, fa_str type,
                                       fa_err *e);
FA_MUST_CHECK fa_rc fa_bill_wrong_delim(const fa_bill_file *f, fa_err *e);
typedef struct fa_zip_entry {
    unsigned flags;
    uint32_t crc; /* of the local header; a descriptor behind the data has it when flags & 8 */
    long data;
} fa_zip_entry;
FA_MUST_CHECK fa_rc fa_zip_enter(const fa_bill_file *f, FILE *in,
                                 fa_zip_entry *out /* may be NULL */, fa_err *e);

/* ---- jsonl.c: JSON lines as CSV records ---- */
bool fa_jsonl_is(fa_str start);
/* Columns are the dotted paths of what the first lines hold and of what Google's export may hold, and
 * last x_Other for what comes later. */
FA_MUST_CHECK fa_rc fa_jsonl_columns(fa_arena *a, fa_bill_file *f, fa_str start, fa_err *e);
typedef struct fa_jsonl fa_jsonl;
FA_MUST_CHECK fa_rc fa_jsonl_new(const fa_bill_file *f, fa_jsonl **out, fa_err *e);
void fa_jsonl_free(fa_jsonl *j);
/* One line (without its end) as one CSV record in *out. FA_EDATA: what is wrong, without the place. */
FA_MUST_CHECK fa_rc fa_jsonl_line(fa_jsonl *j, fa_str line, fa_buf *out, fa_err *e);
void fa_jsonl_header(const fa_jsonl *j, fa_buf *out);

/* ---- lift.c: a format as two tables ---- */
typedef struct fa_in_row {
    const char *id;
    const char *names; /* what it may be called, "a|b": compared without case, signs and spaces */
    fa_in_kind kind;
    enum {
        FA_MAY,
        FA_COLUMN_MUST,
        FA_CELL_MUST
    } must; /* a file without it is refused; a row as well */
} fa_in_row;
/* SQL of an out: {id} is the in, or NULL of its type when the file lacks it; {?id} is true or false:
 * does the file have it; {$currency} the account's currency as a text. A row that names only ins which
 * the file lacks is left out, unless it begins with '!'. */
typedef struct fa_out_row {
    const char *name;
    const char *sql;
    bool in_line; /* for x_ columns; FOCUS dimensions are in the line anyway */
} fa_out_row;
typedef struct fa_lift {
    const fa_in_row *in;
    size_t nin;
    const fa_out_row *out;
    size_t nout;
    const char *tags; /* SQL of the Tags column, as it is; NULL: none */
} fa_lift;
FA_MUST_CHECK fa_rc fa_bill_lift(fa_bill_file *f, fa_bill_match *m, const fa_lift *t, fa_err *e);
/* Columns whose names begin with the prefix, as SQL of a Tags column whose keys are what follows it; NULL: there are none. */
FA_MUST_CHECK fa_rc fa_bill_tag_columns(fa_bill_file *f, fa_bill_match *m, const char *prefix, const char **sql, fa_err *e);
/* The column that answers to one of the names; SIZE_MAX: none. */
size_t fa_bill_find(const fa_bill_file *f, const char *names);
bool fa_bill_has(const fa_bill_file *f, const char *names);
/* A name without case, signs and spaces; of a translated header the English in brackets. */
size_t fa_bill_squeeze(fa_str name, char *out, size_t cap);
/* The columns that no in has read, under x_ names; fa_bill_lift ends with it. */
FA_MUST_CHECK fa_rc fa_bill_keep_rest(fa_bill_file *f, fa_bill_match *m, fa_err *e);

/* ---- generic.c ---- */
/* Does the mapping give this column a constant? */
bool fa_bill_is_set(const fa_bill_match *m, const char *column);
/* Archive columns that the mapping gives as constants and the file has not. */
FA_MUST_CHECK fa_rc fa_bill_set_constants(fa_bill_file *f, fa_bill_match *m, fa_err *e);

/* ---- tables.c ---- */
void fa_bill_tables_make(void); /* any thread, any number of times */

/* ---- the formats ---- */
int fa_score_focus(const fa_bill_file *f), fa_score_aws(const fa_bill_file *f),
    fa_score_azure(const fa_bill_file *f), fa_score_google(const fa_bill_file *f),
    fa_score_oracle(const fa_bill_file *f), fa_score_anycost(const fa_bill_file *f);
typedef fa_rc fa_match_fn(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e);
fa_match_fn fa_match_focus, fa_match_aws, fa_match_azure, fa_match_google, fa_match_oracle,
    fa_match_anycost, fa_match_generic;

#endif
