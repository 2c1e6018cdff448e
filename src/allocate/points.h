/* points.h - private to allocate/: points on their way into the store. */
#ifndef FA_ALLOCATE_POINTS_H
#define FA_ALLOCATE_POINTS_H

#include "allocate/allocate.h"

#define FA_TELEMETRY_FIELDS_MAX 10
#define FA_KEY_SEP '\x1f' /* between the values of a key */

/* day.c: the date formats of telemetry files (integrations.md 14) */
bool fa_date_format_known(fa_str format);
bool fa_date_parse(fa_str format, fa_str s, int32_t *day);

FA_MUST_CHECK fa_rc fa_telemetry_store(fa_ledger *l, fa_arena *a, fa_telemetry *t, fa_err *e); /* as it is */

/* A batch of points for one file of a telemetry; all in the arena. */
typedef struct fa_incoming {
    fa_ledger *l;
    fa_arena *a;
    const fa_telemetry *t;
    fa_intake *out;
    fa_telemetry_point *point;
    size_t n, cap;
    fa_err *e;
} fa_incoming;
FA_PRINTF(2, 3) fa_rc fa_incoming_warn(fa_incoming *in, const char *fmt, ...);
FA_PRINTF(3, 4) fa_rc fa_incoming_reject(fa_incoming *in, int64_t line, const char *fmt, ...);
/* value: 1 + nadditional texts. The amount's text is checked; a bad one is a reject. */
FA_MUST_CHECK fa_rc fa_incoming_add(fa_incoming *in, int64_t line, fa_str metric, int32_t day, const fa_str *value,
                                    fa_str amount);
/* Writes what differs from what the file owns in [from,to], in one transaction, and marks the days that
 * changed. only_given: what is owned and not given stays. hash: of the content, empty: none. */
FA_MUST_CHECK fa_rc fa_incoming_write(fa_incoming *in, fa_str file, fa_str hash, int32_t from, int32_t to,
                                      bool only_given);

#endif
