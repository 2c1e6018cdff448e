/*
 * custom.h - costs that no integration brings: entered by form, or read from files of a custom cost center.
 *
 * They become ordinary lines: FOCUS rows are made and loaded through the ledger under sources of their own (cost center
 * "Custom Cost"), so control totals, check, rebuild and restatement hold for them as for any bill.
 *   "Custom Cost"                       the entries with an amount
 *   "Custom Cost percentages"           x % of what a filter selects, made anew whenever the bill changes
 *   "Custom Cost/<center>/<file>"       one file of a center: the unit that replaces and is replaced
 * Threads: any; one change at a time. Memory: results in the arena; a json_t belongs to who gets it.
 */
#ifndef FA_CUSTOM_H
#define FA_CUSTOM_H

#include "allocate/allocate.h"
#include "base/base.h"
#include "ledger/ledger.h"
#include "query/query.h"
#include <jansson.h>

#define FA_CUSTOM_DAY_MIN 10957 /* 2000-01-01 */
#define FA_CUSTOM_DAY_MAX 47846 /* 2100-12-31 */

/* ---- entries (inform.md 12) ----
 * {name, service, amount (text), currency, recurrence: once daily weekly monthly yearly, start, end|null,
 *  spread: "on-date"|"amortize", dimensions: {key: value}, note, percent (text, then no amount), filters, costType} */
typedef struct fa_custom_line { int32_t day; fa_i128 amount_e18; } fa_custom_line;
/* What an entry costs on which days; percentages ask the bill. FA_EINVAL with the field, FA_EDATA. `body` is checked and
 * written in its normal form to *normal (new reference; may be NULL). */
FA_MUST_CHECK fa_rc fa_custom_entry_lines(fa_ledger *l, fa_arena *a, const json_t *body, fa_custom_line **out, size_t *n,
                                          fa_str *currency, json_t **normal, fa_err *e);
/* All that are there: [{id, .., createdBy, createdAt, updatedBy, updatedAt}]. New reference. */
FA_MUST_CHECK fa_rc fa_custom_entries(fa_ledger *l, fa_arena *a, json_t **out, fa_err *e);
/* Every state of one, newest first: [{n, by, at, entry|null}]. FA_ENOTFOUND. */
FA_MUST_CHECK fa_rc fa_custom_entry_states(fa_ledger *l, fa_arena *a, fa_str id, json_t **out, fa_err *e);
/* Makes (id empty), changes or (body NULL) deletes one, and loads what follows from it. When the load fails, all is as
 * before. */
FA_MUST_CHECK fa_rc fa_custom_entry_save(fa_ledger *l, fa_arena *a, fa_str id, const json_t *body, fa_str by, json_t **out,
                                         fa_err *e);
/* The state before the last change again; *out NULL: it was not there. */
FA_MUST_CHECK fa_rc fa_custom_entry_undo(fa_ledger *l, fa_arena *a, fa_str id, fa_str by, json_t **out, fa_err *e);
/* Loads anew what follows from the entries: for open ends as days go by, and for percentages of a changed bill. What is
 * the same already is left alone. */
FA_MUST_CHECK fa_rc fa_custom_refresh(fa_ledger *l, fa_err *e);

/* ---- custom cost centers (integrations.md 12) ---- */
/* [{id, name, kind: "csv"|"focus", mapping: {column: target}, error|null, files, days, rows, lastFileAt|null}] */
FA_MUST_CHECK fa_rc fa_custom_centers(fa_ledger *l, fa_arena *a, json_t **out, fa_err *e);
FA_MUST_CHECK fa_rc fa_custom_center_save(fa_ledger *l, fa_arena *a, fa_str id, const json_t *body, fa_str by, json_t **out,
                                          fa_err *e);
/* With every line of its files. */
FA_MUST_CHECK fa_rc fa_custom_center_remove(fa_ledger *l, fa_arena *a, fa_str id, fa_err *e);
/* [{name, rows, firstDay, lastDay, createdBy, createdAt, removed, loads:[{id, state, rows, at}]}] */
FA_MUST_CHECK fa_rc fa_custom_files(fa_ledger *l, fa_arena *a, fa_str center, json_t **out, fa_err *e);
/* Reads a file of a center (id or name) and, unless `dry`, loads it. *out: {rows, currency totals per day, columns,
 * unchanged, loadId}. FA_EDATA names line and column; nothing has changed then. */
FA_MUST_CHECK fa_rc fa_custom_file_load(fa_ledger *l, fa_arena *a, fa_str center, fa_str name, const char *path, bool dry,
                                        fa_str by, fa_str mark, json_t **out, fa_err *e);
FA_MUST_CHECK fa_rc fa_custom_file_remove(fa_ledger *l, fa_arena *a, fa_str center, fa_str name, fa_err *e);
/* The content before the one that counts now. */
FA_MUST_CHECK fa_rc fa_custom_file_undo(fa_ledger *l, fa_arena *a, fa_str center, fa_str name, fa_err *e);
/* Loads what is new or changed in DIR/drop/custom-costs/<center>/. Errors are kept with the center and logged. */
void fa_custom_drop(fa_ledger *l);

#endif
