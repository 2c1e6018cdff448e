/* user.c - people and their roles. An e-mail address is unique in its account whatever its case (the
 * column's NOCASE). */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, email, name, password, state, phone, managed_by, preferences, totp, created_ms,"          \
    " last_login_ms, joined_ms, totp_step"
#define ROLES                                                                                      \
    ", coalesce((SELECT group_concat(role, ' ') FROM user_role r"                                  \
    " WHERE r.account = user.account AND r.user_id = user.id), '')"

#define USER_STATEMENTS(X)                                                                         \
    X(add, "INSERT INTO user (account, " COLUMNS                                                   \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)")               \
    X(update, "UPDATE user SET email = ?3, name = ?4, state = ?5, phone = ?6, managed_by = ?7,"    \
              " preferences = ?8, joined_ms = ?9 WHERE account = ?1 AND id = ?2")                  \
    X(remove, "DELETE FROM user WHERE account = ?1 AND id = ?2")                                   \
    X(by_email, "SELECT " COLUMNS ROLES " FROM user WHERE account = ?1 AND email = ?2")            \
    X(by_id, "SELECT " COLUMNS ROLES " FROM user WHERE account = ?1 AND id = ?2")                  \
    X(set_password, "UPDATE user SET password = ?3 WHERE account = ?1 AND id = ?2")                \
    X(set_totp, "UPDATE user SET totp = ?3, totp_step = -1 WHERE account = ?1 AND id = ?2")        \
    X(take_step, "UPDATE user SET totp_step = ?3"                                                  \
                 " WHERE account = ?1 AND id = ?2 AND totp_step < ?3")                             \
    X(touch_login, "UPDATE user SET last_login_ms = max(last_login_ms, ?3)"                        \
                   " WHERE account = ?1 AND id = ?2")                                              \
    X(list, "SELECT " COLUMNS ROLES " FROM user WHERE account = ?1 ORDER BY email")                \
    X(clear_roles, "DELETE FROM user_role WHERE account = ?1 AND user_id = ?2")                    \
    X(add_role, "INSERT OR IGNORE INTO user_role (account, user_id, role) VALUES (?1, ?2, ?3)")

FA_DB_TABLE(user, USER_STATEMENTS);

static void read_user(fa_db_row *r, void *out)
{
    fa_user *v = out;

    v->id = fa_db_text(r);
    v->email = fa_db_text(r);
    v->name = fa_db_text(r);
    v->password = fa_db_text(r);
    v->state = fa_db_text(r);
    v->phone = fa_db_text(r);
    v->managed_by = fa_db_text(r);
    v->preferences = fa_db_text(r);
    v->totp = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->last_login_ms = fa_db_int(r);
    v->joined_ms = fa_db_int(r);
    v->totp_step = fa_db_int(r);
    v->roles = fa_db_text(r);
}

static fa_rc must_change(fa_rc rc, int64_t changed, fa_err *e)
{
    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such user");
}

static fa_str or (fa_str v, fa_str absent)
{
    return v.n ? v : absent;
}

static fa_rc twice(fa_rc rc, fa_str email, fa_err *e)
{
    if (rc == FA_ECONFLICT)
        fa_fail(e, rc, "there is a user with the e-mail address \"%.*s\" already", FA_FMT(email));
    return rc;
}

static fa_rc put_roles(fa_store *s, fa_str account, fa_str id, fa_str roles, fa_err *e)
{
    fa_str role;
    fa_rc rc = fa_db_run(s, table, ST_clear_roles, NULL, e, "tt", account, id);

    while (!rc && fa_db_word(&roles, &role))
        rc = fa_db_run(s, table, ST_add_role, NULL, e, "ttt", account, id, role);
    return rc;
}

fa_rc fa_user_add(fa_store *s, fa_str account, const fa_user *u, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = twice(fa_db_run(s, table, ST_add, NULL, e, "ttttttttttiiii", account, u->id, u->email,
                         u->name, u->password, or (u->state, FA_STR("active")), u->phone,
                         or (u->managed_by, FA_STR("local")), or (u->preferences, FA_STR("{}")),
                         u->totp, u->created_ms, u->last_login_ms, u->joined_ms, (int64_t)-1),
               u->email, e);
    if (!rc)
        rc = put_roles(s, account, u->id, u->roles, e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_user_update(fa_store *s, fa_str account, const fa_user *u, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc =
        twice(fa_db_run(s, table, ST_update, &changed, e, "tttttttti", account, u->id, u->email,
                        u->name, u->state, u->phone, u->managed_by, u->preferences, u->joined_ms),
              u->email, e);

    return must_change(rc, changed, e);
}

fa_rc fa_user_delete(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_remove, &changed, e, "tt", account, id);

    return must_change(rc, changed, e);
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

fa_rc fa_user_set_roles(fa_store *s, fa_str account, fa_str id, fa_str roles, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = put_roles(s, account, id, roles, e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_user_set_totp(fa_store *s, fa_str account, fa_str id, fa_str totp, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_set_totp, &changed, e, "ttt", account, id, totp);

    return must_change(rc, changed, e);
}

fa_rc fa_user_take_step(fa_store *s, fa_str account, fa_str id, int64_t step, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_take_step, &changed, e, "tti", account, id, step);

    return rc || changed ? rc : fa_fail(e, FA_ECONFLICT, "this code was used already");
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
