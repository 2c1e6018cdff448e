/* job.h - private to ledger/: one load under way, as load.c and place.c share it. */
#ifndef FA_LEDGER_JOB_H
#define FA_LEDGER_JOB_H

#include "ledger/inner.h"

typedef struct load_job {
    fa_ledger *l;
    fa_arena *a; /* lives as long as the result */
    const fa_load_request *q;
    const fa_progress *p;
    fa_load load;
    fa_bill_file *file;
    char (*hash)[65], (*archive_hash)[65];
    int64_t *file_rows;
    size_t nfile;
    fa_bill_hint hint;
    fa_bill_match match; /* and the notices of the load */
    uint32_t own, approximated;
    fa_tally *tally;
    fa_conn *conn;
    char *work_dir; /* bills/.<id> */
    fa_str reject_file;
    const fa_manifest *delivery; /* NULL: files without a manifest */
    fa_str scope, payer;         /* of the parts it becomes */
    bool keeps_mapping;
    int64_t again; /* rows that were there already */
    int64_t bytes_total, bytes_done;
    /* watched by the ticker */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ticking, stop_ticking;
    pthread_t ticker;
    const char *phase;
    fa_feed *feed;
    fa_bill_file *reading;
    int64_t rows_before; /* of the files before it */
    int64_t started_mono_ms;
} load_job;

/* ---- place.c: what a load is made of and where it goes; each in the order of load.c ---- */
/* Sets delivery; FA_EDATA: it is not complete and is held back. */
FA_MUST_CHECK fa_rc fa_load_find_delivery(load_job *j, fa_err *e);
/* Takes out of j->file what is there already: twins, and files that add and were read before. */
FA_MUST_CHECK fa_rc fa_load_leave_out_known(load_job *j, fa_err *e);
FA_MUST_CHECK fa_rc fa_load_is_older(load_job *j, bool *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_load_place_parts(load_job *j, fa_err *e);
/* *nfile 0: no row of it is new. */
FA_MUST_CHECK fa_rc fa_load_only_new_rows(load_job *j, const fa_tally_row **file, size_t *nfile,
                                          fa_err *e);

#endif
