/* user.c - people. An e-mail address is unique in its account whatever its case (the column's
 * NOCASE). */
#include "store/db.h"

#define COLUMNS "id, email, name, password, role, disabled, created_ms, last_login_ms"

#define USER_STATEMENTS(X)                                                                         \
    X(add, "INSERT INTO user (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")  \
    X(by_email, "SELECT " COLUMNS " FROM user WHERE account = ?1 AND email = ?2")                  \
    X(by_id, "SELECT " COLUMNS " FROM user WHERE account = ?1 AND id = ?2")                        \
    X(set_password, "UPDATE user SET password = ?3 WHERE account = ?1 AND id = ?2")                \
    X(touch_login, "UPDATE user SET last_login_ms = max(last_login_ms, ?3)"                        \
                   " WHERE account = ?1 AND id = ?2")                                              \
    X(list, "SELECT " COLUMNS " FROM user WHERE account = ?1 ORDER BY email")

FA_DB_TABLE(user, USER_STATEMENTS);

static void read_user(fa_db_row *r, void *out)
{
    fa_user *v = out;

    v->id = fa_db_text(r);
    v->email = fa_db_text(r);
    v->name = fa_db_text(r);
    v->password = fa_db_text(r);
    v->role = fa_db_text(r);
    v->disabled = fa_db_int(r) != 0;
    v->created_ms = fa_db_int(r);
    v->last_login_ms = fa_db_int(r);
}

static fa_rc must_change(fa_rc rc, int64_t changed, fa_err *e)
{
    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such user");
}

fa_rc fa_user_add(fa_store *s, fa_str account, const fa_user *u, fa_err *e)
{
    fa_rc rc =
        fa_db_run(s, table, ST_add, NULL, e, "ttttttiii", account, u->id, u->email, u->name,
                  u->password, u->role, (int64_t)u->disabled, u->created_ms, u->last_login_ms);

    if (rc == FA_ECONFLICT)
        fa_fail(e, rc, "there is a user with the e-mail address \"%.*s\" already",
                FA_FMT(u->email));
    return rc;
}

fa_rc fa_user_by_email(fa_store *s, fa_arena *a, fa_str account, fa_str email, fa_user *out,
                       fa_err *e)
{
    return fa_db_one(s, table, ST_by_email, a, read_user, out, e, "tt", account, email);
}

fa_rc fa_user_by_id(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_user *out, fa_err *e)
{
    return fa_db_one(s, table, ST_by_id, a, read_user, out, e, "tt", account, id);
}

fa_rc fa_user_set_password(fa_store *s, fa_str account, fa_str id, fa_str password, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_set_password, &changed, e, "ttt", account, id, password);

    return must_change(rc, changed, e);
}

fa_rc fa_user_touch_login(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_touch_login, &changed, e, "tti", account, id, now_ms);

    return must_change(rc, changed, e);
}

fa_rc fa_user_list(fa_store *s, fa_arena *a, fa_str account, fa_user **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_user, sizeof **out, out, n, e, "t", account);
}
