/* invoice.c - providers' invoices as they were entered: one row for a number in a billing month. */
#include "store/db.h"

#define COLUMNS "source_id, period, currency, number, amount, note, entered_by, entered_ms"

#define INVOICE_STATEMENTS(X)                                                                      \
    X(put,                                                                                         \
      "INSERT INTO invoice (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"     \
      " ON CONFLICT (account, source_id, period, currency, number)"                                \
      " DO UPDATE SET amount = ?6, note = ?7, entered_by = ?8, entered_ms = ?9")                   \
    X(list, "SELECT " COLUMNS " FROM invoice WHERE account = ?1"                                   \
            " ORDER BY source_id, period, currency, number")                                       \
    X(drop, "DELETE FROM invoice WHERE account = ?1 AND source_id = ?2 AND period = ?3"            \
            " AND currency = ?4 AND number = ?5")

FA_DB_TABLE(invoice, INVOICE_STATEMENTS);

static void read_invoice(fa_db_row *r, void *out)
{
    fa_invoice *v = out;

    v->source_id = fa_db_int(r);
    v->period = (int32_t)fa_db_int(r);
    v->currency = fa_db_text(r);
    v->number = fa_db_text(r);
    v->amount = fa_db_text(r);
    v->note = fa_db_text(r);
    v->entered_by = fa_db_text(r);
    v->entered_ms = fa_db_int(r);
}

fa_rc fa_invoice_put(fa_store *s, fa_str account, const fa_invoice *v, fa_err *e)
{
    return fa_db_run(s, table, ST_put, NULL, e, "tiittttti", account, v->source_id,
                     (int64_t)v->period, v->currency, v->number, v->amount, v->note, v->entered_by,
                     v->entered_ms);
}

fa_rc fa_invoice_list(fa_store *s, fa_arena *a, fa_str account, fa_invoice **out, size_t *n,
                      fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_invoice, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_invoice_delete(fa_store *s, fa_str account, const fa_invoice *v, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_drop, &changed, e, "tiitt", account, v->source_id,
                         (int64_t)v->period, v->currency, v->number);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such invoice");
}
