/* setting.c - small texts of an account, by name. */
#include "store/db.h"

#define SETTING_STATEMENTS(X)                                                                      \
    X(get, "SELECT value FROM setting WHERE account = ?1 AND name = ?2")                           \
    X(put, "INSERT INTO setting (account, name, value) VALUES (?1, ?2, ?3)"                        \
           " ON CONFLICT (account, name) DO UPDATE SET value = ?3")

FA_DB_TABLE(setting, SETTING_STATEMENTS);

static void read_value(fa_db_row *r, void *out)
{
    *(fa_str *)out = fa_db_text(r);
}

fa_rc fa_setting_get(fa_store *s, fa_arena *a, fa_str account, fa_str name, fa_str *out, fa_err *e)
{
    fa_err none;
    fa_rc rc = fa_db_one(s, table, ST_get, a, read_value, out, &none, "tt", account, name);

    if (rc == FA_ENOTFOUND) {
        *out = FA_STR("");
        return FA_OK;
    }
    if (rc && e)
        *e = none;
    return rc;
}

fa_rc fa_setting_put(fa_store *s, fa_str account, fa_str name, fa_str value, fa_err *e)
{
    return fa_db_run(s, table, ST_put, NULL, e, "ttt", account, name, value);
}
