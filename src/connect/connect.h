/*
 * connect.h - where bills lie: object stores, exports, folders; tested, planned, fetched, loaded.
 *
 * A kind of connection is one file and one row of fa_connect_kinds: the form a person fills in, how requests
 * are signed, what its refusals mean. Everything else is the same for all: a listing becomes deliveries (a
 * manifest's files of one billing period, or plain files), a delivery is downloaded completely into DIR/fetch,
 * in parallel, resumed where it broke off, checked, and only then loaded as one. What was taken is
 * remembered, so a run without news changes nothing.
 *
 * A secret is the JSON of its credential (vault/), held for the time of a call.
 * Threads: any; one run of a connection at a time is the caller's part.
 */
#ifndef FA_CONNECT_H
#define FA_CONNECT_H

#include "base/base.h"
#include "ledger/ledger.h"
#include "net/net.h"

typedef struct fa_connect_field {
    const char *name, *label, *hint;
    bool        required;
    const char *choices; /* "auto|manifest|files"; NULL: a text */
} fa_connect_field;

typedef struct fa_connect_kind {
    const char *name, *label, *center;  /* "s3", "Amazon S3", cost center it usually holds */
    const char *credentials;            /* kinds of the vault it takes, "key_pair|aws_role"; NULL: none */
    bool        credential_required;
    fa_connect_field field[10];         /* ends with a NULL name */
} fa_connect_kind;
const fa_connect_kind *fa_connect_kind_at(size_t i); /* NULL: no more */
const fa_connect_kind *fa_connect_kind_find(fa_str name);

/* Fields known, required ones there, no control characters, at most 1,000 bytes; e->field names one. */
FA_MUST_CHECK fa_rc fa_connect_config_check(const fa_connect_kind *k, fa_str config, fa_err *e);
/* The id a role's trust policy asks for: one per account, made at first use, no secret. */
FA_MUST_CHECK fa_rc fa_connect_external_id(fa_ledger *l, fa_arena *a, fa_str *out, fa_err *e);

typedef struct fa_connect_call {
    fa_ledger  *ledger;
    fa_net     *net;
    const char *folders;       /* roots the operator allows watched folders in, ':' between them; NULL: none */
    fa_str      kind, config, secret;
    fa_str      connection_id; /* empty: not saved yet */
    fa_str      source;
    const volatile bool *cancel;
    bool        quick;         /* somebody waits for the answer: two tries, not eight */
} fa_connect_call;

/* "Test connection": what was tried, in order; the first that failed is the last. */
typedef struct fa_connect_check { fa_str what, message, hint; bool ok; } fa_connect_check;
typedef struct fa_connect_report {
    bool   ok;
    fa_connect_check check[8];
    size_t ncheck;
    fa_str format;             /* recognised by its columns; empty: not */
    fa_str *column;            /* of the newest file, and three rows of it */
    size_t ncolumn;
    fa_str *cell[3];
    size_t nrow;
    int64_t deliveries, bytes; /* that a run would take */
} fa_connect_report;
/* FA_OK with report->ok false: something is missing. Errors are our own (memory, cancelled). */
FA_MUST_CHECK fa_rc fa_connect_test(const fa_connect_call *c, fa_arena *a, fa_connect_report *out, fa_err *e);

typedef struct fa_connect_result {
    int64_t deliveries, files, bytes, rows, last_load; /* taken in this run */
    int64_t waiting;                                   /* deliveries held back: not complete */
    char    note[400];                                 /* why, or empty */
} fa_connect_result;
/* Takes what is new. Deliveries that were loaded before an error stay. */
FA_MUST_CHECK fa_rc fa_connect_run(const fa_connect_call *c, const fa_progress *p, fa_connect_result *out, fa_err *e);
/* Removes what a run had fetched and not loaded. */
void fa_connect_forget(fa_ledger *l, fa_str connection_id);

/* ---- schedules: "minute hour day month weekday" in UTC, or @hourly @daily @weekly @monthly ---- */
FA_MUST_CHECK fa_rc fa_schedule_check(fa_str text, fa_err *e);
/* The first moment after `after_ms` that fits; -1: never (an empty schedule, 30 February). */
int64_t fa_schedule_next(fa_str text, int64_t after_ms);

#endif
