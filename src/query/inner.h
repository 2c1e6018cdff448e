/* inner.h - private to query/: columns of lines, selections, group arrays, what is kept of them, exact sums. */
#ifndef FA_QUERY_INNER_H
#define FA_QUERY_INNER_H

#include "query/query.h"

#include "allocate/allocate.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

/* ---- filter.c: SQL over `line`; the reference that select.c is tested against ---- */
void fa_put_filter(fa_buf *b, const fa_filter *f);    /* a condition that is never NULL; NULL f: true */

/* ---- keep.c: what may serve again, under one budget ---- */

typedef struct fa_digest {
    uint64_t w[4];
} fa_digest;
typedef crypto_generichash_state fa_hash;
void fa_hash_begin(fa_hash *h, const char *kind);
void fa_hash_put(fa_hash *h, const void *p, size_t n);
void fa_hash_u64(fa_hash *h, uint64_t v);
void fa_hash_str(fa_hash *h, fa_str s); /* with its length */
fa_digest fa_hash_end(fa_hash *h);

/* First member of everything that is kept: immutable but for what a lock of its own guards, freed with the last
 * reference. */
typedef struct fa_kept {
    atomic_uint refs;
    size_t bytes;                  /* under keep.c's lock once it is in */
    bool is_in;                    /* the same */
    void (*free)(struct fa_kept *);
} fa_kept;
fa_kept *fa_kept_ref(fa_kept *k);
void fa_kept_put(fa_kept *k);                       /* NULL is fine */
fa_kept *fa_keep_get(const fa_digest *key);         /* a reference; NULL: not there */
void fa_keep_add(const fa_digest *key, fa_kept *k); /* takes a reference of its own; replaces; may keep nothing */
void fa_keep_grew(fa_kept *k, size_t bytes);        /* it has become larger */
void fa_keep_free(void);

/* ---- fold.c ---- */
FA_MUST_CHECK fa_rc fa_fold_ready(fa_ledger *l, fa_err *e);
size_t fa_fold(fa_str s, char *to); /* to[] holds twice as many bytes; after fa_fold_ready */
void fa_fold_free(void);
const char *fa_search(const char *p, size_t n, fa_str needle); /* NULL: not there */

/* ---- codes.c: a key's values on all lines ---- */

/* One state of the ledger, and a day: virtual tags may say different things on different days. */
typedef struct fa_lens {
    fa_ledger *l;
    uint64_t generation;
    uint32_t nline;
    int32_t day;
    int64_t deadline_mono_ms;
} fa_lens;
FA_MUST_CHECK fa_rc fa_lens_open(fa_ledger *l, int64_t deadline_mono_ms, fa_lens *out, fa_err *e);
bool fa_lens_late(const fa_lens *v);
FA_MUST_CHECK fa_rc fa_lens_check(const fa_lens *v, fa_err *e); /* FA_ETIMEOUT */
void fa_lens_hash(fa_hash *h, const fa_lens *v, bool with_generation);

typedef struct fa_codes {
    fa_kept kept;
    uint32_t nline, n;  /* lines; texts, of which [0] is "no value" */
    uint32_t *code;     /* [nline] */
    char *heap;         /* text i is heap[at[i]] .. heap[at[i + 1] - 2], then a NUL */
    size_t *at, heap_cap;
    uint32_t *hash, *slot, cap, last; /* the dictionary */
    size_t nslot;
    uint64_t seed;
    uint64_t generation, print; /* columns of `line`: when, and of which lines */
    /* made when first needed, under the lock, then immutable */
    pthread_mutex_t lock;
    char *folded;       /* the texts in lower case, laid out alike */
    size_t *fold_at;
    uint32_t *post, *post_at; /* the lines of text i are post[post_at[i]] .. post[post_at[i + 1] - 1] */
    fa_i128 *number;    /* e18 */
    uint64_t *is_number;
    bool has_numbers;
} fa_codes;
fa_codes *fa_codes_new(uint32_t nline); /* one reference, no line has a value; NULL: out of memory */
FA_MUST_CHECK bool fa_codes_add(fa_codes *c, fa_str s, uint32_t *code); /* while it is being made */
void fa_codes_seal(fa_codes *c);
uint32_t fa_codes_find(const fa_codes *c, fa_str s); /* UINT32_MAX: no line has it */
FA_MUST_CHECK fa_rc fa_codes_fold(fa_ledger *l, fa_codes *c, fa_err *e);
FA_MUST_CHECK fa_rc fa_codes_postings(fa_codes *c, fa_err *e);
FA_MUST_CHECK fa_rc fa_codes_numbers(const fa_lens *v, fa_codes *c, fa_err *e);
static inline fa_str fa_codes_text(const fa_codes *c, uint32_t code)
{
    return (fa_str){c->heap + c->at[code], c->at[code + 1] - c->at[code] - 1};
}
static inline void fa_codes_put(fa_codes *c)
{
    if (c)
        fa_kept_put(&c->kept);
}
/* Columns of `line`, read together where they are missing. A reference each. */
FA_MUST_CHECK fa_rc fa_codes_get(const fa_lens *v, const fa_key *const *k, size_t n, fa_codes **out, fa_err *e);
/* The column of any key, on the lens's day. */
FA_MUST_CHECK fa_rc fa_codes_of(const fa_lens *v, const fa_key *k, fa_codes **out, fa_err *e);
/* First days on which the key may say something else than the day before, ascending; as long-lived as the key. */
FA_MUST_CHECK fa_rc fa_key_cuts(const fa_key *k, const int32_t **out, size_t *n, fa_err *e);
/* What the key says on the lens's day: equal on equal lines when equal. */
void fa_key_hash(fa_hash *h, const fa_lens *v, const fa_key *k);

/* ---- virtual.c: virtual tags on lines ---- */
typedef struct fa_to {
    const fa_key *key; /* NULL: the text */
    fa_str text;
} fa_to;
typedef struct fa_rule {
    const fa_filter *when;
    fa_to to;
    int32_t from, end; /* from <= day < end; open as FA_DAY_MIN, FA_DAY_MAX */
} fa_rule;
/* A tag of a catalog. Its keys are resolved when it is first asked for. */
typedef struct fa_virtual {
    const fa_tag *tag;
    const fa_catalog *catalog;
    pthread_mutex_t lock;
    bool is_ready;        /* under the lock; from then on only sign changes */
    fa_arena mem;
    fa_rule *rule;
    size_t nrule;
    fa_to dflt;
    const fa_key *source; /* of a dictionary; else NULL */
    int32_t *cut;
    size_t ncut;
    fa_digest *sign;      /* [ncut + 1]: what it says in each slice, under the lock */
    bool *has_sign;
} fa_virtual;
void fa_virtual_init(fa_virtual *t, const fa_catalog *c, const fa_tag *tag);
void fa_virtual_release(fa_virtual *t);
FA_MUST_CHECK fa_rc fa_virtual_ready(fa_virtual *t, fa_err *e);
/* rule[line]: the first active rule that has it on the lens's day, or FA_NO_RULE. */
FA_MUST_CHECK fa_rc fa_virtual_match(const fa_lens *v, fa_virtual *t, uint32_t *rule, fa_err *e);
/* A key as a stored document spells it, old spellings too. What leads nowhere now is a key without values. */
const fa_key *fa_key_stored(const fa_catalog *c, fa_arena *a, fa_str center, fa_str key, fa_str type);
/* A stored filter: as fa_filter_parse, keys as fa_key_stored. */
FA_MUST_CHECK fa_rc fa_filter_stored(const fa_catalog *c, fa_arena *a, const json_t *j, const char *path,
                                     const fa_filter **out, fa_err *e);

/* ---- preview.c ---- */
json_t *fa_draft_complete(const json_t *document); /* with an id and a name; NULL: no object, or no memory */
fa_str fa_draft_key(const json_t *d, fa_str key);  /* the id of the key that is asked for; empty: the first */

/* ---- select.c: lines that a filter lets through ---- */
typedef struct fa_sel {
    fa_kept kept;
    uint32_t nline, count;
    uint64_t *bits; /* [nline / 64 + 1]; NULL: few lines, as a list */
    uint32_t *line; /* [count] */
} fa_sel;
FA_MUST_CHECK fa_rc fa_select(const fa_lens *v, const fa_filter *f, fa_sel **out, fa_err *e); /* NULL f: all */
void fa_filter_hash(fa_hash *h, const fa_lens *v, const fa_filter *f);
fa_sel *fa_sel_of(uint64_t *bits, uint32_t nline); /* takes the bits; NULL: out of memory, they are freed */
void fa_sel_or(const fa_sel *s, uint64_t *bits);
void fa_sel_and(const fa_sel *s, uint64_t *bits, uint64_t *scratch);
void fa_sel_fill(const fa_sel *s, uint32_t *line, uint32_t value); /* line[i] = value where selected */
static inline void fa_sel_put(fa_sel *s)
{
    if (s)
        fa_kept_put(&s->kept);
}

/* ---- groups.c: tuples of texts to dense numbers ---- */

#define FA_MAX_TEXTS (FA_MAX_DIMS + 4)
/* From `from` on, to the day before the next slice, line[line_id] is the group or FA_NO_GROUP. */
typedef struct fa_slice {
    int32_t from;         /* of the first: open */
    const uint32_t *line; /* one of the groups' arrays */
} fa_slice;
/* Groups are distinct tuples (dimensions, units, factor, currency); a core is a group without the last two. */
typedef struct fa_groups {
    fa_kept kept;
    uint64_t seed;
    size_t ndim, nunit, ntext;    /* ntext = ndim + nunit + has_factor + 1 (currency) */
    bool has_factor;              /* the text before the currency is the factor of edp.c */
    fa_codes *col[FA_MAX_TEXTS]; /* the texts by code; only the dictionary is used */
    uint32_t *tuple;              /* [n * ntext] */
    uint32_t *hash, *slot;
    uint32_t n, cap;
    size_t nslot;
    uint32_t *core, *core_group;  /* core[group]; a group of each core */
    uint32_t ncore, nline;
    fa_slice *slice;
    size_t nslice;
    uint32_t **array;             /* [narray][nline] */
    size_t narray;
} fa_groups;

uint32_t fa_text_hash(const void *p, size_t n, uint64_t seed);
fa_groups *fa_groups_new(size_t ndim, size_t nunit, bool factor); /* one reference; NULL: out of memory */
static inline void fa_groups_put(fa_groups *g)
{
    if (g)
        fa_kept_put(&g->kept);
}
FA_MUST_CHECK bool fa_groups_add(fa_groups *g, const uint32_t *tuple, uint32_t *group);
FA_MUST_CHECK bool fa_groups_seal(fa_groups *g); /* fills core, core_group and bytes */
static inline fa_str fa_groups_text(const fa_groups *g, uint32_t group, size_t i)
{
    return fa_codes_text(g->col[i], g->tuple[(size_t)group * g->ntext + i]);
}

/* ---- refine.c: groups of lines split further ---- */
/* The groups of one level: each is one of the level before and a code. */
typedef struct fa_level {
    uint32_t *parent, *code;
    uint32_t n, cap;
} fa_level;
/* (group, code) to the group of the next level: a table where it is small, else hashed. */
typedef struct fa_pairs {
    uint32_t *table; /* [groups * codes], or slots of places + 1 */
    uint64_t *key;   /* of each place; NULL: the table is direct */
    size_t nslot;
    uint64_t seed;
    uint32_t cap, ncode;
} fa_pairs;
FA_MUST_CHECK bool fa_pairs_open(fa_pairs *o, uint32_t groups, uint32_t codes); /* close it either way */
FA_MUST_CHECK bool fa_pair(fa_pairs *o, fa_level *l, uint32_t group, uint32_t code, uint32_t *out);
void fa_pairs_close(fa_pairs *o);
void fa_level_free(fa_level *l);
/* line[] goes from `groups` groups to those of l, a fresh level, by code[line]; FA_NO_GROUP stays. */
FA_MUST_CHECK fa_rc fa_refine(const uint32_t *code, uint32_t ncode, uint32_t nline, uint32_t *line, uint32_t groups,
                              fa_level *l, fa_err *e);

/* ---- compile.c ---- */
/* line[] is 0 where the plan's filter and scope let the line through, else FA_NO_GROUP. */
FA_MUST_CHECK fa_rc fa_select_plan(const fa_lens *v, const fa_plan *p, uint32_t *line, fa_err *e);
/* The days on which a plan's keys begin to say something else, and what they say. */
typedef struct fa_days {
    int32_t *from;
    fa_digest *what;
    size_t n, cap;
} fa_days;
/* id: of all that the plan asks of lines in [from,to]. v->day is left anywhere. */
FA_MUST_CHECK fa_rc fa_days_of(fa_lens *v, const fa_plan *p, int32_t from, int32_t to, fa_days *out, fa_digest *id,
                               fa_err *e);
void fa_days_free(fa_days *d);
/* Group arrays good for [from,to]: kept, or made. Give back with fa_groups_put. */
FA_MUST_CHECK fa_rc fa_groups_of_plan(fa_lens *v, const fa_plan *p, int32_t from, int32_t to, fa_groups **out,
                                      fa_err *e);
/* For bill rows: as above, and where the filter touches values that move, the lines with a part in the answer; row rules
 * then are asked of what the lines are before. */
FA_MUST_CHECK fa_rc fa_groups_of_rows(fa_lens *v, const fa_plan *p, int32_t from, int32_t to, fa_groups **out,
                                      fa_err *e);
/* The slice at or after i that has days of [from,to], and which; SIZE_MAX: no more. */
size_t fa_slice_of(const fa_groups *g, size_t i, int32_t from, int32_t to, int32_t *first, int32_t *last);
void fa_catalog_cache_free(void);

/* ---- live.c ---- */
FA_MUST_CHECK fa_rc fa_live(const fa_lens *v, int32_t from, int32_t to, fa_sel **out, fa_err *e); /* lines with facts */
typedef struct fa_values {
    fa_kept kept;
    fa_codes *texts;
    fa_str *text; /* sorted by bytes */
    size_t n;
} fa_values;
FA_MUST_CHECK fa_rc fa_values_of(fa_lens *v, const fa_key *k, const fa_filter *scope, fa_values **out, fa_err *e);
static inline void fa_values_put(fa_values *o)
{
    if (o)
        fa_kept_put(&o->kept);
}

/* ---- archive.c: sums, least, greatest and counts of bill rows ---- */
typedef struct fa_stat {
    fa_i128 sum, min, max;
    int64_t n; /* values */
} fa_stat;
/* ---- cells.c: entries that begin with their bucket and group (two uint32_t), found by them ---- */
typedef struct fa_cells {
    fa_arena *a;
    size_t    stride; /* of an entry: sizeof its type */
    char     *p;      /* [n] entries, in the order in which they came */
    uint32_t *slot;
    size_t    n, cap, nslot;
} fa_cells;
void *fa_cells_get(fa_cells *t, uint32_t bucket, uint32_t group); /* new ones are zero but for the two; NULL: out of memory */
void *fa_cells_at(const fa_cells *t, size_t i);

typedef struct fa_stat_cell {
    uint32_t bucket, group;
    int64_t rows;
    fa_stat stat[FA_MAX_MEASUREMENTS];
} fa_stat_cell;
typedef struct fa_buckets {
    int32_t from, to;
    fa_bucket kind;
    size_t n;
    const uint32_t *of_day; /* [to - from + 1]; not for hours */
} fa_buckets;
void fa_stat_add(fa_stat *to, const fa_stat *from);
fa_i128 fa_stat_e10(const fa_stat *s, fa_agg agg); /* rounded half away from zero */
/* The cells of bill rows on the buckets' days, by the groups' numbers. */
FA_MUST_CHECK fa_rc fa_archive_read(fa_ledger *l, fa_arena *a, const fa_plan *p, const fa_buckets *k,
                                    const fa_groups *g, fa_stat_cell **out, size_t *n, fa_err *e);

/* ---- rows.c ---- */
/* " FROM bill WHERE (...)": the bill rows that the groups let through, with what it needs in the arena, which
 * must outlive the statement. */
FA_MUST_CHECK fa_rc fa_put_bill_rows(fa_arena *a, const fa_groups *g, const fa_plan *p, fa_str bill, fa_buf *b,
                                     fa_err *e);

/* ---- round.c ---- */
/* Rounds cells of one measure from 1e-18 to 1e-10 in place: the total once, half away from zero, and the
 * rest spread by largest remainder so that cells add up to groups, buckets and the total. */
FA_MUST_CHECK fa_rc fa_round_cells(fa_arena *tmp, fa_group *g, size_t ng, size_t nbucket, size_t nm, size_t m,
                                   fa_group *total, fa_err *e);
/* x[n] at 1e-18 to 1e-10 so that they add up to `total_e10`. */
FA_MUST_CHECK fa_rc fa_round_parts(fa_arena *tmp, fa_i128 *x, size_t n, fa_i128 total_e10, fa_err *e);

/* ---- key.c ---- */
typedef struct fa_key_own {
    const char *center, *key, *display;
    fa_key_type type;
} fa_key_own;
typedef struct fa_key_row {
    const char *column;   /* of line: FOCUS name, or of the x map */
    const char *key, *display;
    fa_key_type type;
    const char *expr;     /* NULL: the column */
    const char *also;     /* another name it answers to */
    fa_key_own own[4];    /* what a cost center calls it */
} fa_key_row;
extern const fa_key_row fa_key_rows[];
extern const size_t fa_nkey_rows;
extern const fa_key_row fa_key_x_rows[]; /* x columns that have a key name of their own */
extern const size_t fa_nkey_x_rows;
typedef struct fa_center {
    const char *name, *id;
} fa_center;
extern const fa_center fa_centers[];
extern const size_t fa_ncenters;
const fa_center *fa_center_find(fa_str any);
bool fa_key_type_parse(fa_str name, fa_key_type *out);

/* ---- catalog.c ---- */
typedef struct fa_entry_names {
    fa_str also[3]; /* FOCUS name, the Global key, another name */
} fa_entry_names;
struct fa_catalog {
    atomic_uint refs;
    fa_arena mem;
    fa_catalog *base;       /* without virtual tags, which its keys are borrowed from; NULL: this is one */
    fa_tag_set *tags;       /* of a catalog with a base */
    fa_virtual *tag;        /* [ntag] beside the set's */
    size_t ntag;
    fa_key *key;            /* listed ones first */
    fa_entry_names *names;  /* beside key */
    size_t nlisted, n, cap;
    fa_str *center, *center_id; /* [0] is Global */
    size_t ncenter;
    fa_str account;
    uint64_t generation;
    fa_fair_width fair;
    fa_edp_settings edp; /* and what is made of it; of a catalog with a base */
    fa_str edp_text;
    json_t *edp_filters;
    fa_virtual edp_tag;
    fa_key edp_key;
    bool has_edp;
};

/* ---- edp.c: discounts that no bill shows ---- */
typedef struct fa_edp {
    const fa_key *factor; /* NULL: this plan has none */
    uint32_t measures;
    fa_catalog *held;
} fa_edp;
FA_MUST_CHECK fa_rc fa_edp_text(fa_ledger *l, fa_arena *a, fa_str *out, fa_err *e); /* the setting as it stands */
FA_MUST_CHECK fa_rc fa_edp_attach(fa_catalog *c, fa_str text, fa_err *e);
void fa_edp_detach(fa_catalog *c);
/* What holds for a plan: whoever runs it sets plan.edp to it while it has a factor. End it either way. */
FA_MUST_CHECK fa_rc fa_edp_begin(fa_ledger *l, const fa_plan *p, fa_edp *out, fa_err *e);
void fa_edp_end(fa_edp *x);
int64_t fa_edp_factor(fa_str text); /* of the factor's column */
fa_i128 fa_edp_times(const fa_plan *p, fa_measure m, fa_i128 x, int64_t factor);
void fa_edp_stats(const fa_plan *p, fa_stat *stat, int64_t factor); /* of the plan's measurements */
void fa_edp_cells(const fa_plan *p, const fa_groups *g, fa_cell *cell, size_t n);
void fa_edp_stat_cells(const fa_plan *p, const fa_groups *g, fa_stat_cell *cell, size_t n);

/* A tag of a cost center, in the arena; FA_EENV out of memory. */
FA_MUST_CHECK fa_rc fa_key_tag(fa_arena *a, fa_str center, fa_str center_id, fa_str tag, fa_key *out, fa_err *e);

#endif
