/* inner.h - private to custom/: FOCUS rows being written, and getting them into the ledger. */
#ifndef FA_CUSTOM_INNER_H
#define FA_CUSTOM_INNER_H

#include "custom/custom.h"

#define FA_CUSTOM_SOURCE  "Custom Cost"
#define FA_PERCENT_SOURCE "Custom Cost percentages"
#define FA_PERCENT_TYPE   "Custom cost percentage" /* ResourceType of their lines: how they are kept out of each other */

/* The columns of what we write besides money, days and the account. */
typedef enum {
    FA_FC_DESCRIPTION, FA_FC_CATEGORY, FA_FC_FREQUENCY, FA_FC_PROVIDER, FA_FC_SERVICE, FA_FC_SERVICE_CATEGORY, FA_FC_REGION,
    FA_FC_SUB_ACCOUNT, FA_FC_SUB_ACCOUNT_NAME, FA_FC_RESOURCE, FA_FC_RESOURCE_NAME, FA_FC_RESOURCE_TYPE, FA_FC_SKU,
    FA_FC_QUANTITY, FA_FC_UNIT, FA_FC_TAGS, FA_FC__COUNT
} fa_focus_cell;
const char *fa_focus_name(fa_focus_cell c);  /* "ServiceName" */
void fa_focus_header(fa_buf *b);
void fa_focus_row(fa_buf *b, fa_str account, fa_str currency, int32_t day, fa_i128 amount_e18, const fa_str cell[FA_FC__COUNT]);

/* Loads the text as all there is of `source`; without a row, nothing of it counts any more. */
FA_MUST_CHECK fa_rc fa_custom_load(fa_ledger *l, fa_arena *a, fa_str source, fa_str csv, bool has_rows, fa_load *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_custom_load_file(fa_ledger *l, fa_arena *a, fa_str source, const char *path, fa_load *out, fa_err *e);
/* A text of JSON, empty when it is none, borrowed; and a moment as JSON, NULL: out of memory. (costs.c) */
fa_str fa_custom_text(const json_t *v);
json_t *fa_custom_time(int64_t ms);
void fa_custom_lock(void);
void fa_custom_unlock(void);

#endif
