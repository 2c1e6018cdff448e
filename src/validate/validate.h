/*
 * validate.h - does a file keep the rules of FOCUS 1.2?
 *
 * The rules are the FOCUS Foundation's own model (focus-1.2.json, MIT licence, copied from
 * focus_validator), compiled into tables at build time. A rule is a condition and a requirement over
 * one row; all of them are asked in one pass over the file. A rule about a column that came with a
 * later version than the file's is not asked, nor is one that holds only for providers with some
 * ability (an applicability criterion) unless the caller says that the provider has it.
 */
#ifndef FA_VALIDATE_H
#define FA_VALIDATE_H

#include "base/base.h"
#include "engine/engine.h"

typedef struct fa_validate_request {
    const char *path;  /* CSV (plain, gzip, zstd) or Parquet */
    int version;       /* 10, 11, 12; 0: told by the file's columns */
    fa_str criteria;   /* names of applicability criteria, separated by commas; "all": every one */
    int64_t deadline_mono_ms;
} fa_validate_request;

typedef struct fa_breach {
    const char *rule;  /* "ContractedCost-C-003-M" */
    fa_str column;
    bool must;         /* else: should */
    const char *text;  /* the rule's own words */
    int64_t rows;      /* rows that break it; of a missing column all rows */
    int64_t row;       /* the first such row, counted from 1 without the header; 0: the file as a whole */
    fa_str value;      /* the column's value there; empty: none */
} fa_breach;

typedef struct fa_validation {
    int version;
    int64_t rows;
    size_t rules;      /* asked */
    size_t unasked;    /* about later columns, abilities not claimed, absent columns */
    size_t unchecked;  /* nothing a machine could look at */
    fa_breach *breach; size_t nbreach; /* in the model's order */
    size_t nmust;      /* broken rules that say MUST */
} fa_validation;

/* All in the arena. FA_EDATA: not a table, or broken on the way; FA_EINVAL: an unknown criterion;
 * FA_ENOTFOUND, FA_EENV: cannot be read. */
FA_MUST_CHECK fa_rc fa_validate(fa_engine *g, fa_arena *a, const fa_validate_request *q,
                                fa_validation *out, fa_err *e);
/* Each ServiceSubcategory of FOCUS with its ServiceCategory: {category, subcategory}; ends with NULL. */
extern const char *const fa_focus_services[][2];
/* The names of the criteria, for the help text; ends with NULL. */
extern const char *const fa_validate_criteria[];

#endif
