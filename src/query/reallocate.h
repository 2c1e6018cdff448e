/*
 * reallocate.h - private to query/: questions that touch a virtual tag whose cost moves (inform.md 6, 7).
 *
 * Never row by row. Lines are sorted into atoms: an atom is what matters of a line (values of the tags before they
 * move, join values, the other keys asked for, the truth of the conditions that do not depend on what moves). A scan
 * sums per day and atom; each sum is split into parts by the day's weights, in whole units of 1e-18 so that the parts
 * always are the sum; what depends on the moved values is then asked of the parts.
 *
 * rl_program   (program.c)  a question compiled: slots, conditions, the atoms of one slice of days
 * rl_weights   (weights.c)  how the amounts of one entry are split, by day and join value
 * rl_run       (reallocate.c) sums, splits, groups
 */
#ifndef FA_QUERY_REALLOCATE_H
#define FA_QUERY_REALLOCATE_H

#include "query/money.h"

#define RL_ANY_DAY INT32_MIN

/* ---- weights.c ---- */

/* How one amount is split, in order of the targets' texts. */
typedef struct rl_ratio {
    uint32_t n;
    const uint32_t *target;        /* codes of the tag's texts, or of tuples */
    const fa_i128 *w[FA_M__COUNT]; /* by measure; NULL: it has none and stays */
    int32_t day;                   /* the day it was measured: earlier than asked when carried forward */
    fa_i128 unit_e18;              /* what a weight of 1 stands for in the telemetry's unit; 0: nothing measured */
} rl_ratio;
typedef struct rl_block {
    uint32_t group;
    int32_t day;
    rl_ratio r;
} rl_block;
/* Ratios by group (a join value, a currency; "" where there is none) and day. */
typedef struct rl_weights {
    fa_codes *group;
    rl_block *block; /* by group, day */
    size_t n, *first; /* the blocks of group g are [first[g], first[g + 1]) */
    int carry;       /* days the last ratio is carried forward */
} rl_weights;
const rl_block *rl_weights_find(const rl_weights *w, fa_str group, int32_t day); /* NULL: not known, it stays */

/* What weights are made of, in any order. */
typedef struct rl_record {
    uint32_t group, target;
    int32_t day;
    fa_i128 amount[FA_M__COUNT]; /* [0] only, unless there are measures */
} rl_record;
typedef struct rl_records {
    fa_arena *a;
    fa_codes *group;
    rl_record *r;
    size_t n, cap;
    uint32_t measures; /* bit set of those with weights of their own; 0: one weight for all */
    bool is_metric;
} rl_records;
FA_MUST_CHECK fa_rc rl_records_add(rl_records *o, fa_str group, int32_t day, uint32_t target, const fa_i128 *amount,
                                   fa_err *e);
/* texts: of the targets. Negative amounts weigh nothing; a day without any weight has no ratio. Takes o->group over. */
FA_MUST_CHECK fa_rc rl_weights_make(rl_records *o, const fa_codes *texts, int carry, rl_weights *out, fa_err *e);

/* The question of the view behind a megabill-ratio, by day. FA_EDATA: it is gone. */
/* A saved question as the plan that feeds a telemetry. */
FA_MUST_CHECK fa_rc rl_question_plan(fa_ledger *l, fa_arena *a, const fa_catalog *c, const json_t *question, fa_plan *q, fa_err *e);
FA_MUST_CHECK fa_rc rl_view_plan(fa_ledger *l, fa_arena *a, const fa_catalog *c, const fa_telemetry *t, fa_plan *q,
                                 fa_err *e);

/* ---- program.c ---- */

/* Where a text comes from. */
typedef struct rl_ref {
    enum { RL_NONE, RL_TEXT, RL_COLUMN, RL_SLOT } kind;
    uint32_t i; /* column or slot */
    fa_str text;
} rl_ref;

/* A condition: leaves ask a slot, bits are what lines know by themselves. */
typedef struct rl_cond {
    enum { RL_TRUE, RL_FALSE, RL_AND, RL_OR, RL_BIT, RL_LEAF } kind;
    const struct rl_cond **kid;
    size_t nkid;
    uint32_t i;             /* bit or slot */
    const fa_filter *leaf;
    struct rl_answers *known; /* of the leaf, by code */
} rl_cond;

typedef struct rl_rule {
    const rl_cond *cond;
    rl_ref to;
    int32_t from, to_day; /* from <= day < to_day */
} rl_rule;

typedef struct rl_entry {
    const fa_allocation *a;
    uint32_t source;          /* code */
    const rl_ref *join;       /* NULL: none */
    bool by_currency;         /* the group of its weights is the currency */
    rl_weights w;
} rl_entry;

/* A tag in the question whose values move, or hang on such values. */
typedef struct rl_slot {
    const fa_tag *tag;
    size_t place;             /* in the set */
    bool is_column;           /* before it moves, its value is a column of the lines */
    rl_ref raw;               /* is_column; a dictionary's source else */
    rl_rule *rule;
    size_t nrule;
    rl_ref dflt;
    uint32_t dflt_code;
    fa_codes *text;           /* its values */
    uint32_t *of_column, nof; /* code of the column -> code, in this slice; UINT32_MAX: not seen yet */
    rl_entry *entry;
    size_t nentry;
    struct rl_relation *relation; /* an output of it */
    bool opens;               /* the first of its outputs */
} rl_slot;

typedef struct rl_relation {
    fa_str id;
    uint32_t place;           /* of its tuple in a part, behind the slots */
    const rl_cond *scope;
    const fa_tag *tag;        /* any of its outputs */
    const rl_ref *join;
    rl_weights w;
    fa_codes *tuple;          /* texts with 0x1f between; code 0: not split */
} rl_relation;

/* Key of fixed width to a number. */
typedef struct rl_memo {
    uint32_t *key, *value, *slot, n, cap;
    size_t width, nslot;
    uint64_t seed;
} rl_memo;
void rl_memo_open(rl_memo *m, size_t width);
void rl_memo_clear(rl_memo *m);
void rl_memo_free(rl_memo *m);
FA_MUST_CHECK bool rl_memo_find(rl_memo *m, const uint32_t *key, uint32_t **value, bool *fresh);

typedef struct rl_program {
    fa_lens v;
    const fa_catalog *cat;
    const fa_tag_set *set;
    fa_arena *a;              /* as long as the program */
    fa_arena slice_mem;       /* as long as a slice */
    const fa_plan *p;
    int32_t from, to;
    const fa_tag *limited;    /* this tag has its first `limit` entries only */
    size_t limit;
    const struct rl_program *asker; /* this one computes weights for it: those of `subject` */
    const fa_tag *subject;
    const char *why;          /* what gives the weights, for the error of a cycle */
    fa_err *e;

    bool *moves;              /* of each tag of the set: it, or what it reads, moves */
    rl_slot *slot;
    size_t nslot, slot_cap;
    rl_relation *relation;
    size_t nrelation;
    const rl_cond *filter, *scope;
    rl_ref text[FA_MAX_TEXTS]; /* dimensions, units, currency */
    size_t ndim, nunit, ntext;
    uint32_t currency;        /* column; UINT32_MAX: nobody asks for it */
    uint32_t factor;          /* column of the plan's discounts; UINT32_MAX: it has none */

    /* of the lines */
    const fa_key **column;
    size_t ncolumn, column_cap;
    const fa_filter **bit;
    size_t nbit, bit_cap;
    const fa_filter *possible; /* what the filter and the scope let through whatever the slots say */

    /* of the slice at hand */
    int32_t day;
    fa_codes **codes;         /* [ncolumn] */
    uint32_t **pack;          /* 16 bits each: [(nbit + 15) / 16][nline] */
    uint32_t *line;           /* atom of each line, or FA_NO_GROUP */
    uint32_t natom, *rep;     /* a line of each atom */
    rl_memo *slot_memo, group_memo; /* [nslot]; the last */
} rl_program;

/* Does the plan touch what moves? Then *out is the catalog of its tags, else NULL. */
FA_MUST_CHECK fa_rc rl_touches(const fa_plan *p, const fa_catalog **out, fa_err *e);
const fa_key *rl_key(const rl_program *g, const fa_tag *t); /* the key of a tag */
FA_MUST_CHECK fa_rc rl_compile(rl_program *g);
/* First days of the slices of [from,to], ascending, from first. */
FA_MUST_CHECK fa_rc rl_cuts(rl_program *g, int32_t **out, size_t *n);
FA_MUST_CHECK fa_rc rl_slice_open(rl_program *g, int32_t day);
void rl_slice_close(rl_program *g);
void rl_program_close(rl_program *g);
/* Of an atom and the codes of a part. */
fa_str rl_text(const rl_program *g, const rl_ref *r, uint32_t atom, const uint32_t *code);
FA_MUST_CHECK fa_rc rl_test(rl_program *g, const rl_cond *c, uint32_t atom, const uint32_t *code, bool *yes);
/* The value of a slot before it moves; codes of the slots before it are known. */
FA_MUST_CHECK fa_rc rl_value(rl_program *g, size_t slot, uint32_t atom, const uint32_t *code, uint32_t *out);

/* ---- reallocate.c ---- */

typedef struct rl_cell {
    uint32_t bucket, group;
    int64_t rows;
    uint32_t seen;                          /* 1 + the sum whose rows were counted last */
    fa_stat stat[FA_MAX_MEASUREMENTS];
    fa_i128 shared[FA_MAX_MEASUREMENTS];    /* of stat.sum: what came from another value */
} rl_cell;
/* What one entry did, by target; for previews. */
typedef struct rl_moved {
    const fa_tag *tag;
    size_t entry;             /* place in the tag's list */
    fa_str target, source;
    fa_i128 amount, weight_e18;
} rl_moved;
typedef struct rl_kept {
    const fa_tag *tag;
    size_t entry;
    fa_i128 entered, moved, stayed; /* entered: the source had; stayed: there was no ratio */
    size_t carried_days;
} rl_kept;
typedef struct rl_out {
    fa_groups *g;             /* of now and before; sealed by rl_finish */
    rl_cell *now, *before;    /* before: bucket 0 */
    size_t nnow, nbefore;
    int64_t rows;             /* of now, each counted once */
    bool with_report;         /* fill what follows */
    rl_moved *moved;
    size_t nmoved, moved_cap;
    rl_kept *kept;
    size_t nkept, kept_cap;
} rl_out;
FA_MUST_CHECK fa_rc rl_begin(rl_out *o, const fa_plan *p, fa_err *e);
FA_MUST_CHECK fa_rc rl_run(const rl_program *about, fa_arena *a, const fa_buckets *k, bool by_rows, bool before,
                           rl_out *o);
FA_MUST_CHECK fa_rc rl_finish(rl_out *o, fa_err *e);
/* The values of a key after everything moved, added to `texts`. */
FA_MUST_CHECK fa_rc rl_texts(fa_lens *v, const fa_key *key, const fa_filter *scope, const fa_catalog *c, int32_t from,
                             int32_t to, fa_codes *texts, fa_err *e);
/* The weights of an entry or a relation for the program's days. */
FA_MUST_CHECK fa_rc rl_entry_weights(rl_program *g, rl_slot *s, size_t entry);
FA_MUST_CHECK fa_rc rl_relation_weights(rl_program *g, rl_relation *r);

#endif
