/* inner.h - private to query/: SQL text of filters, group arrays and their cache, exact sums. */
#ifndef FA_QUERY_INNER_H
#define FA_QUERY_INNER_H

#include "query/query.h"

#include <stdatomic.h>

/* ---- filter.c: SQL over `line` ---- */
void fa_put_value(fa_buf *b, const fa_key *k);        /* the key's value, NULL when missing or empty */
void fa_put_filter(fa_buf *b, const fa_filter *f);    /* a condition that is never NULL; NULL f: true */

/* ---- groups.c: texts to dense numbers ---- */

/* Distinct texts in the order they came; each has the number of its place. */
typedef struct fa_dict {
    fa_str *text;
    uint32_t *hash, *slot;
    uint32_t n, cap, last;
    size_t nslot;
} fa_dict;

#define FA_MAX_TEXTS (FA_MAX_DIMS + 3)
/* Groups are distinct tuples (dimensions, units, currency); a core is a group without its currency. */
typedef struct fa_groups {
    atomic_uint refs;
    fa_arena mem;                /* texts */
    uint64_t seed;
    size_t ndim, nunit, ntext;   /* ntext = ndim + nunit + 1 (currency) */
    fa_dict dict[FA_MAX_TEXTS];
    uint32_t *tuple;             /* [n * ntext] */
    uint32_t *hash, *slot;
    uint32_t n, cap;
    size_t nslot;
    uint32_t *core, *core_group; /* core[group]; a group of each core */
    uint32_t ncore;
    uint32_t *line, nline;       /* line[line_id]: group or FA_NO_GROUP */
    uint32_t nlive;              /* lines with a group */
    fa_str *sorted;              /* for value lists only: texts of dict[0] that have facts, in byte order */
    size_t nsorted;
    size_t bytes;
} fa_groups;

fa_groups *fa_groups_new(size_t ndim, size_t nunit); /* one reference; NULL: out of memory */
void fa_groups_put(fa_groups *g);                    /* NULL is fine */
FA_MUST_CHECK bool fa_groups_add(fa_groups *g, const fa_str *text, uint32_t *group);
FA_MUST_CHECK bool fa_groups_seal(fa_groups *g);     /* fills core, core_group and bytes */
static inline fa_str fa_groups_text(const fa_groups *g, uint32_t group, size_t i)
{
    return g->dict[i].text[g->tuple[(size_t)group * g->ntext + i]];
}

/* ---- compile.c ---- */
/* The texts of a plan's groups as a select list: dimensions, units, currency. Returns how many units. */
size_t fa_put_texts(fa_buf *b, const fa_plan *p);
void fa_put_where(fa_buf *b, const fa_plan *p);
size_t fa_plan_units(const fa_plan *p);
/* From the cache or from `line`; give back with fa_groups_put. */
FA_MUST_CHECK fa_rc fa_groups_of_plan(fa_ledger *l, const fa_plan *p, fa_groups **out, fa_err *e);
FA_MUST_CHECK fa_rc fa_groups_live(fa_ledger *l, fa_groups **out, fa_err *e); /* line[] is 0 where there are facts */
FA_MUST_CHECK fa_rc fa_groups_values(fa_ledger *l, const fa_key *k, const fa_filter *scope, int64_t deadline_mono_ms,
                                     fa_groups **out, fa_err *e);
/* false: lines came after the group array was made; ask again. */
FA_MUST_CHECK fa_rc fa_groups_fresh(fa_ledger *l, const fa_groups *g, bool *fresh, fa_err *e);
void fa_groups_cache_free(void);
void fa_catalog_cache_free(void);

/* ---- archive.c: sums, least, greatest and counts of bill rows ---- */
typedef struct fa_stat {
    fa_i128 sum, min, max;
    int64_t n; /* values */
} fa_stat;
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
FA_MUST_CHECK fa_rc fa_archive_read(fa_ledger *l, fa_arena *a, const fa_plan *p, const fa_buckets *k, fa_groups *g,
                                    fa_stat_cell **out, size_t *n, fa_err *e);

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
    fa_key *key;            /* listed ones first */
    fa_entry_names *names;  /* beside key */
    size_t nlisted, n, cap;
    fa_str *center, *center_id; /* [0] is Global */
    size_t ncenter;
    fa_str account;
    uint64_t generation;
};
/* A tag of a cost center, in the arena; FA_EENV out of memory. */
FA_MUST_CHECK fa_rc fa_key_tag(fa_arena *a, fa_str center, fa_str center_id, fa_str tag, fa_key *out, fa_err *e);

#endif
