/*
 * ledger.h - an opened installation: its directory, meta.db, archive and star; loads go in here.
 *
 * DIR/meta.db        store
 * DIR/bills/         immutable Parquet, one folder per load:  bills/<load id>/<n>.parquet
 * DIR/ledger.duckdb  line, daily, part  (rebuildable)
 * DIR/segments/      daily, part by part, as arrays for the scan kernel  (rebuildable)
 * DIR/staging/ rejects/ tmp/   uploads in flight, rows skipped by --skip-bad, spill
 * DIR/lock           flock of the one process that has it open; DIR/farthing.sock its command door
 *
 * Tables of the star, as query/ sees them:
 *   line(line_id UINTEGER, hash UUID, <FOCUS dimension columns VARCHAR, NULL = missing>,
 *        CostCenter VARCHAR  -- display name: AWS, GCP, Azure, Oracle, ...
 *        tags MAP(VARCHAR,VARCHAR), x MAP(VARCHAR,VARCHAR))
 *   daily(day DATE, line_id UINTEGER, part_id UINTEGER, n UINTEGER,
 *         billed BIGINT, billed_rest INTEGER, effective.., list.., contracted..,  -- never NULL
 *         unblended.., amortized.., blended.., fair.., net_fair..,  -- NULL: as the measure they fall back to
 *         consumed DECIMAL(38,18), priced DECIMAL(38,18), normalized DECIMAL(38,18))
 *        read through fa_measures[].units and .rest
 *   part(part_id, load_id, source_id, period DATE, seal UUID)  -- the live ones; the seal is drawn when one goes in
 * Threads: any thread; one load, rebuild or restore at a time (others wait or get FA_ECONFLICT).
 */
#ifndef FA_LEDGER_H
#define FA_LEDGER_H

#include "base/base.h"
#include "engine/engine.h"
#include "store/store.h"

typedef struct fa_ledger fa_ledger;

typedef struct fa_ledger_options {
    const char *dir;
    size_t      memory_bytes; /* 0: 2 GiB */
    unsigned    threads;
    bool        second;       /* this process has one open already: memory is shared with it as it was set */
    bool        create;       /* init: makes the directory and an empty installation; FA_ECONFLICT if there is one */
    int64_t     wait_ms;      /* how long to wait for the lock */
} fa_ledger_options;

/* FA_ECONFLICT: another process has it (the message names its pid). At open, loads in meta.db are
 * compared with the star and what differs is remade; a load found running becomes failed. */
FA_MUST_CHECK fa_rc fa_ledger_open(const fa_ledger_options *o, fa_ledger **out, fa_err *e);
void                fa_ledger_close(fa_ledger *l);
fa_store           *fa_ledger_store(fa_ledger *l);
fa_engine          *fa_ledger_engine(fa_ledger *l);
const char         *fa_ledger_dir(fa_ledger *l);
/* The first account's, for one of the others: people, sessions and keys are there. Itself, where there is one only. */
fa_ledger          *fa_ledger_home(fa_ledger *l);
void                fa_ledger_set_home(fa_ledger *l, fa_ledger *home);
fa_str              fa_ledger_account(fa_ledger *l);   /* account id; lives as long as l */
/* Grows with every change of what is live. The same number before and after a question means that one
 * state was read throughout; else ask again (line ids may have changed). Waits while a change commits. */
uint64_t            fa_ledger_generation(fa_ledger *l);
uint32_t            fa_ledger_lines(fa_ledger *l);      /* highest line_id + 1 */
/* A FROM item (parenthesised SQL with an alias) over the archived bill rows of live parts with a charge
 * day in [from,to]: line_id UINTEGER, day DATE, hour TIMESTAMP, and every archive column (FOCUS names; costs
 * DECIMAL(38,18)). An empty relation of the same shape when there is nothing. */
FA_MUST_CHECK fa_rc fa_ledger_archive_sql(fa_ledger *l, fa_arena *a, int32_t from, int32_t to, fa_str *sql, fa_err *e);
/* Cost centers whose live bills lack this measure and have its nearest neighbour in its place: a bit for each
 * name of fa_ledger_center (billing-formats.md 8, inform.md 3.3). */
#define FA_CENTERS_MAX 5
uint32_t            fa_ledger_approximated(fa_ledger *l, fa_measure m);
const char         *fa_ledger_center(unsigned i); /* i < FA_CENTERS_MAX */
/* FairShare cost (inform.md 3.4): off, or how wide a pool is. Off costs nothing; its two measures then are what they fall
 * back to, and nobody is offered them. */
typedef enum { FA_FAIR_OFF, FA_FAIR_SKU, FA_FAIR_FAMILY, FA_FAIR_SERVICE } fa_fair_width;
fa_fair_width       fa_ledger_fair(fa_ledger *l);
const char         *fa_fair_name(fa_fair_width w); /* "off", "sku", "family", "service" */
bool                fa_fair_find(fa_str name, fa_fair_width *out);
/* First and last day with facts; false: nothing loaded. */
bool                fa_ledger_range(fa_ledger *l, int32_t *first, int32_t *last);

/* ---- progress ---- */
typedef struct fa_progress_state {
    const char *phase;      /* "hash", "archive", "verify", "ledger", "live" */
    int64_t     rows;       /* rows read so far */
    int64_t     bytes, bytes_total; /* of the files; total 0: unknown */
    int64_t     elapsed_ms;
    double      fraction;   /* 0..1 of the whole load */
    double      rows_per_s;
    int64_t     left_ms;    /* -1: unknown */
} fa_progress_state;
typedef struct fa_progress {
    void (*tick)(void *user, const fa_progress_state *s); /* a few times a second; any thread; may be NULL */
    void        *user;
    volatile bool *cancel;                                  /* set it true to stop; may be NULL */
} fa_progress;

/* ---- deliveries with a manifest ---- */
typedef struct fa_manifest {
    const char *manifest;    /* its path */
    const char *export_name; /* "": not said */
    const char *view;        /* "actual", "amortized"; NULL: not a view */
    int32_t     period;      /* first day of the billing month; INT32_MIN: not said */
    int64_t     made_ms;     /* when the provider made it */
    char      **path;        /* of the listed files; NULL: not there */
    int64_t    *rows;        /* as the manifest says; -1: it does not */
    size_t      n;
    const char *lacks;       /* why it is not complete; NULL: it is */
} fa_manifest;
/* PATH is a manifest, or a folder: those of AWS (legacy, Data Exports) and Azure below it. Of one export and
 * month the newest only. *n 0: there is none. */
FA_MUST_CHECK fa_rc fa_manifests_find(fa_arena *a, const char *path, fa_manifest **out, size_t *n, fa_err *e);

/* ---- load ---- */
typedef struct fa_load_request {
    fa_str       source;    /* name; 1..200 bytes of printable UTF-8 */
    fa_str       format;    /* empty: recognise by columns */
    fa_str       mapping;   /* JSON of bill/generic.c; empty: none */
    const char *const *path; /* files, or folders (their files, sorted, not recursive, dot files left out) */
    size_t       npath;
    int64_t      skip_bad;  /* rows that may be skipped; 0: none */
    const fa_manifest *delivery; /* instead of path; NULL: a path that leads to a single one is one */
} fa_load_request;

typedef struct fa_load_result {
    fa_load   load;       /* as kept in meta.db; load.state is "live" or "unchanged" */
    fa_total *total;      /* steps file, archive, ledger; per currency, column and day */
    size_t    ntotal;
    fa_part  *part;
    size_t    npart;
    fa_str    reject_file; /* path; empty: nothing was skipped */
    fa_str   *notice;
    size_t    nnotice;
    fa_restatement *change; /* of months that were there before */
    size_t    nchange;
} fa_load_result;

/* FA_EDATA: a file was refused; e->msg names file, row, column, value and reason. Nothing changed then. */
FA_MUST_CHECK fa_rc fa_ledger_load(fa_ledger *l, fa_arena *a, const fa_load_request *q, const fa_progress *p,
                                   fa_load_result *out, fa_err *e);
/* A load with its totals, as JSON: what `load --json` prints and GET /api/loads/{id} answers. */
void fa_load_result_json(fa_jw *w, const fa_load_result *r, bool with_days);
FA_MUST_CHECK fa_rc fa_ledger_load_result(fa_ledger *l, fa_arena *a, int64_t load_id, fa_load_result *out, fa_err *e);
/* Loads the archive of an earlier load again as the live one (undo of a bad restatement). */
FA_MUST_CHECK fa_rc fa_ledger_relive(fa_ledger *l, int64_t load_id, fa_err *e);

/* What the live months come to: BilledCost by source, month, currency, invoice ("" none) and charge category. */
typedef struct fa_invoiced {
    int64_t source_id;
    int32_t period;
    fa_str  currency, invoice, category;
    int64_t rows;
    fa_i128 billed_e18;
} fa_invoiced;
FA_MUST_CHECK fa_rc fa_ledger_invoiced(fa_ledger *l, fa_arena *a, int64_t deadline_mono_ms, fa_invoiced **out, size_t *n,
                                       fa_err *e);

/* Takes out every month of a source but those of keep_load (0: all): what a new delivery no longer has. The archive
 * stays and can be made live again. A source that is not there is fine. */
FA_MUST_CHECK fa_rc fa_ledger_retire(fa_ledger *l, fa_str source, int64_t keep_load, fa_err *e);

/* ---- prove, remake, keep, bring back ---- */
typedef struct fa_finding { fa_str what, where, hint; } fa_finding;
/* FA_OK with *n == 0: everything holds. Findings live in the arena. */
FA_MUST_CHECK fa_rc fa_ledger_check(fa_ledger *l, fa_arena *a, const fa_progress *p, fa_finding **out, size_t *n, fa_err *e);
/* Switches FairShare, or makes its pools wider or narrower: every pool is worked out anew from the archive while
 * readers see the state before. Nothing has changed when it fails or is cancelled. */
FA_MUST_CHECK fa_rc fa_ledger_fair_set(fa_ledger *l, fa_fair_width w, const fa_progress *p, fa_err *e);
FA_MUST_CHECK fa_rc fa_ledger_rebuild(fa_ledger *l, const fa_progress *p, fa_err *e);
/* Facts go to the ClickHouse cluster at `url` and questions ask there; NULL: back to DuckDB alone. The control
 * totals of every day are proven before anything is switched. *rows: bill rows they hold for. *unproven (of a way
 * back): the cluster does not answer any more; nothing is lost, `daily` never left DuckDB. Password: see operations.md. */
FA_MUST_CHECK fa_rc fa_ledger_migrate(fa_ledger *l, const char *url, const fa_progress *p, int64_t *rows, bool *unproven, fa_err *e);
FA_MUST_CHECK fa_rc fa_ledger_backup(fa_ledger *l, const char *to_file, const fa_progress *p, fa_err *e);
FA_MUST_CHECK fa_rc fa_ledger_restore(const char *dir, const char *from_file, const fa_progress *p, fa_err *e); /* into an absent or empty DIR */

#endif
