/* inner.h - private to ledger/: the handle, and what its files ask of each other. */
#ifndef FA_LEDGER_INNER_H
#define FA_LEDGER_INNER_H

#include "bill/bill.h"
#include "ledger/ledger.h"

#include <pthread.h>
#include <stdatomic.h>

struct fa_ledger {
    char *dir;
    fa_ledger *home; /* NULL: itself */
    int lock_fd;
    unsigned threads;
    fa_store *store;
    fa_engine *engine;
    fa_arena mem; /* account id */
    fa_str account;
    uint64_t line_seed;
    pthread_mutex_t write; /* one load, rebuild or relive at a time */
    pthread_mutex_t state; /* the fields below */
    pthread_cond_t settled;
    uint64_t generation; /* odd while the star commits: a reader waits, so that what it reads before
                          * and after with the same number is one state */
    uint32_t lines;
    bool has_range;
    int32_t first_day, last_day;
    fa_fair_width fair;
    uint32_t approximated[FA_CENTERS_MAX]; /* FA_BIT of measures, beside fa_ledger_center */
};

/* ---- star.c: the tables of ledger.duckdb ---- */
FA_MUST_CHECK fa_rc fa_star_create(fa_conn *c,
                                   fa_err *e); /* if not there; FA_EDATA: another schema version */
FA_MUST_CHECK fa_rc fa_star_refresh(fa_ledger *l,
                                    fa_err *e); /* lines, range from the tables; generation even */
FA_MUST_CHECK fa_rc fa_star_commit(fa_ledger *l, fa_conn *c,
                                   fa_err *e); /* COMMIT; generation odd until fa_star_refresh */
/* Segments of what is live now. One that cannot be made is logged: DuckDB answers for its part. */
void fa_star_segments(fa_ledger *l, const fa_progress *p);
/* Puts the parts of one load (files of its archive) into line, daily and part, and takes out the
 * parts of `gone`. Inside the caller's transaction. */
typedef struct fa_star_load {
    int64_t load_id, source_id;
    const fa_part *part;
    size_t npart;
    const int64_t *gone;
    size_t ngone;
} fa_star_load;
FA_MUST_CHECK fa_rc fa_star_stage(fa_ledger *l, fa_conn *c, int64_t load_id,
                                  fa_err *e); /* temp table nd; new lines */
FA_MUST_CHECK fa_rc fa_star_periods(fa_conn *c, fa_arena *a, fa_part **out, size_t *n,
                                    fa_err *e); /* of nd: period and rows */
FA_MUST_CHECK fa_rc fa_star_apply(fa_ledger *l, fa_conn *c, const fa_star_load *s, fa_err *e);
/* Exact totals of parts in the star, per currency and day, as `step` rows. parts: ids, n 0: all. */
FA_MUST_CHECK fa_rc fa_star_totals(fa_conn *c, fa_arena *a, const fa_part *part, size_t npart,
                                   fa_tally_row **out, size_t *n, fa_err *e);
/* Compares meta.db's live parts with the star's and remakes what differs from the archive. */
FA_MUST_CHECK fa_rc fa_star_reconcile(fa_ledger *l, const fa_progress *p, fa_err *e);

/* In the error of fa_star_stage when a row's Tags are not a JSON object. */
#define FA_BAD_TAGS "fa-bad-tags"

/* ---- view.c: actual and amortized cost of one month ---- */
/* Brings the star's parts to what the views that are live make of them. Inside the caller's transaction. */
FA_MUST_CHECK fa_rc fa_view_settle(fa_ledger *l, fa_conn *c, const fa_part *live, size_t n,
                                   fa_err *e);
FA_MUST_CHECK fa_rc fa_view_mask(fa_conn *c, int64_t part_id, int *mask,
                                 fa_err *e); /* 0: the part is whole */
bool fa_view_has(int mask, int m);           /* does this measure count? */
void fa_view_mask_totals(fa_tally_row *row, size_t n, int mask);
/* "actual" or "amortized", by what was asked, the path, or the archived rows. */
FA_MUST_CHECK fa_rc fa_view_find(fa_conn *c, fa_str hint, const char *path, fa_str archive,
                                 fa_str *view, fa_err *e);

/* ---- fair.c: FairShare cost, where the account has it on ---- */
FA_MUST_CHECK fa_rc fa_fair_create(fa_conn *c, fa_err *e);
/* Brings the FairShare columns of daily to what is live. Inside the caller's transaction. */
FA_MUST_CHECK fa_rc fa_fair_settle(fa_ledger *l, fa_conn *c, const fa_progress *p, fa_err *e);
void fa_fair_refresh(fa_ledger *l);
/* What is wrong with them, in words; empty: nothing. */
FA_MUST_CHECK fa_rc fa_fair_check(fa_ledger *l, fa_conn *c, char *what, size_t room, fa_err *e);

/* ---- restate.c: what a delivery changes of months that were there ---- */
typedef struct fa_restate fa_restate;
FA_MUST_CHECK fa_rc fa_restate_begin(fa_ledger *l, fa_conn *c, fa_arena *a, int64_t source_id,
                                     const fa_part *part, size_t n, fa_restate **out, fa_err *e);
/* Keeps the differences in meta.db, inside the caller's transaction there. */
FA_MUST_CHECK fa_rc fa_restate_end(fa_ledger *l, fa_conn *c, fa_arena *a, const fa_restate *before,
                                   const fa_load *load, fa_err *e);

/* ---- append.c ---- */
/* Takes rows out of the load's new archive files that the source's live loads, or an earlier of these
 * files, have already. *again: how many. */
FA_MUST_CHECK fa_rc fa_append_only_new(fa_ledger *l, fa_conn *c, fa_arena *a, int64_t source_id,
                                       char *const *fresh, size_t n, int64_t *again, fa_err *e);

/* ---- migrate.c: the engine that meta.db says answers ---- */
FA_MUST_CHECK fa_rc fa_ledger_engine_of(fa_ledger *l, fa_arena *a, fa_err *e);
/* FARTHING_ENGINE=duckdb: DuckDB alone answers, the reference that segments and a cluster are held to, and the way to
 * numbers while a cluster is away. */
FA_MUST_CHECK fa_rc fa_ledger_only_duckdb(bool *out, fa_err *e);

/* ---- archive.c ---- */
void fa_archive_format(fa_buf *b); /* the options of a COPY that writes an archive file */
char *fa_archive_dir(fa_ledger *l, fa_arena *a, int64_t load_id); /* DIR/bills/<id> */
/* A relation of no rows with every archive column in its type, for UNION ALL BY NAME. */
void fa_archive_shape(fa_buf *b);
/* SQL list ['…','…'] of a load's archive files; FA_EDATA when one is missing. */
FA_MUST_CHECK fa_rc fa_archive_files(fa_ledger *l, fa_arena *a, int64_t load_id, fa_str *sql_list,
                                     fa_err *e);
FA_MUST_CHECK fa_rc fa_archive_totals(fa_conn *c, fa_arena *a, fa_str sql_list,
                                      int32_t period /* INT32_MIN: all */, fa_tally_row **out,
                                      size_t *n, fa_err *e);

/* ---- map.c: a file's columns as SQL ---- */
/* The relation of the file with every column in its archive type, ending in fa_line, fa_first and
 * fa_day. */
FA_MUST_CHECK fa_rc fa_map_select(fa_arena *a, const fa_bill_file *f, const char *pipe_path,
                                  const fa_tally *t, fa_str skip_rows, fa_str *sql, fa_err *e);
/* The measures of a file's rows, in the order of fa_tally's arguments. */
size_t fa_map_measures(const fa_bill_file *f, fa_measure out[FA_M__COUNT]);
/* Names of fa_line's text arguments, in the order of fa_map_select. */
FA_MUST_CHECK fa_rc fa_map_line_names(fa_arena *a, const fa_bill_file *f, fa_str **out, size_t *n,
                                      fa_err *e);
/* A statement that lists bad rows: (row BIGINT from 1, column, value, reason, whole row as JSON),
 * at most `limit`. */
FA_MUST_CHECK fa_rc fa_map_bad_rows(fa_arena *a, const fa_bill_file *f, const char *pipe_path,
                                    const fa_tally *scratch, int64_t limit, fa_str *sql, fa_err *e);
/* FROM item over the raw rows (text as delivered) with their number as fa_row. */
void fa_map_raw(fa_buf *b, const fa_bill_file *f, const char *pipe_path, bool in_order);

/* ---- totals ---- */
/* Tally rows as fa_total rows of one step (column "" counts rows; then each measure that every bill has
 * or that `own` names). */
FA_MUST_CHECK fa_rc fa_totals_of(fa_arena *a, const char *step, const fa_tally_row *row, size_t n,
                                 uint32_t own, fa_total **out, size_t *nout, fa_err *e);
/* Says which total differs first, as FA_EDATA; FA_OK when all are equal. */
FA_MUST_CHECK fa_rc fa_totals_compare(const char *a_name, const fa_tally_row *a, size_t na,
                                      const char *b_name, const fa_tally_row *b, size_t nb,
                                      fa_err *e);

/* One statement from printf text. */
FA_PRINTF(3, 4) FA_MUST_CHECK fa_rc fa_execf(fa_conn *c, fa_err *e, const char *fmt, ...);
static inline bool fa_cancelled(const fa_progress *p)
{
    return p && fa_flag_get(p->cancel);
}

/* ---- envelope.c: a backup's bytes, sealed when the vault has a master key ---- */
typedef struct fa_envelope fa_envelope;
/* *out is the caller's to free, also after an error. f and path are borrowed. */
FA_MUST_CHECK fa_rc fa_envelope_write(FILE *f, const char *path, fa_envelope **out, fa_err *e);
FA_MUST_CHECK fa_rc fa_envelope_put(fa_envelope *v, const void *p, size_t n, fa_err *e);
FA_MUST_CHECK fa_rc fa_envelope_close(fa_envelope *v, fa_err *e); /* the last chunk; the file is still open */
/* FA_EENV: sealed with a master key that is not at hand. */
FA_MUST_CHECK fa_rc fa_envelope_read(FILE *f, const char *path, fa_envelope **out, fa_err *e);
size_t fa_envelope_get(fa_envelope *v, void *p, size_t n); /* as fread: fewer at the end, or where it is damaged */
bool   fa_envelope_whole(fa_envelope *v);  /* reads what is left: it ends as it was ended */
bool   fa_envelope_sealed(const fa_envelope *v);
void   fa_envelope_free(fa_envelope *v);   /* NULL is fine */

#endif
