/* place.c - the other accounts of the installation, and who is a member of which. */
#include "store/db.h"

#define COLUMNS "id, name, created_by, created_ms"

#define PLACE_STATEMENTS(X)                                                                        \
    X(add, "INSERT INTO account_place (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5)")         \
    X(rename, "UPDATE account_place SET name = ?3 WHERE account = ?1 AND id = ?2")                 \
    X(list, "SELECT " COLUMNS " FROM account_place WHERE account = ?1 ORDER BY name")              \
    X(find, "SELECT " COLUMNS " FROM account_place WHERE account = ?1 AND (id = ?2 OR name = ?2)"  \
            " ORDER BY id = ?2 DESC LIMIT 1")                                                      \
    X(of_user, "SELECT p.id, p.name, p.created_by, p.created_ms FROM account_place p"              \
               " JOIN account_member m ON m.account = p.account AND m.place = p.id"                \
               " WHERE p.account = ?1 AND m.user_id = ?2 ORDER BY p.name")                         \
    X(join, "INSERT INTO account_member (account, place, user_id) VALUES (?1, ?2, ?3)"             \
            " ON CONFLICT DO NOTHING")                                                             \
    X(leave, "DELETE FROM account_member WHERE account = ?1 AND place = ?2 AND user_id = ?3")

FA_DB_TABLE(place, PLACE_STATEMENTS);

static void read_place(fa_db_row *r, void *out)
{
    fa_place *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
}

fa_rc fa_place_add(fa_store *s, fa_str account, const fa_place *v, fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "tttti", account, v->id, v->name, v->created_by,
                     v->created_ms);
}

fa_rc fa_place_rename(fa_store *s, fa_str account, fa_str id, fa_str name, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_rename, &changed, e, "ttt", account, id, name);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such account");
}

fa_rc fa_place_list(fa_store *s, fa_arena *a, fa_str account, fa_place **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_place, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_place_find(fa_store *s, fa_arena *a, fa_str account, fa_str id_or_name, fa_place *out,
                    fa_err *e)
{
    fa_err none = {0};
    fa_rc rc = fa_db_one(s, table, ST_find, a, read_place, out, &none, "tt", account, id_or_name);

    if (rc == FA_ENOTFOUND)
        return fa_fail(e, rc, "no such account");
    return rc ? fa_fail(e, rc, "%s", none.msg) : FA_OK;
}

fa_rc fa_place_of_user(fa_store *s, fa_arena *a, fa_str account, fa_str user, fa_place **out,
                       size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_of_user, a, read_place, sizeof **out, out, n, e, "tt", account,
                     user);
}

fa_rc fa_place_join(fa_store *s, fa_str account, fa_str id, fa_str user, fa_err *e)
{
    return fa_db_run(s, table, ST_join, NULL, e, "ttt", account, id, user);
}

fa_rc fa_place_leave(fa_store *s, fa_str account, fa_str id, fa_str user, fa_err *e)
{
    return fa_db_run(s, table, ST_leave, NULL, e, "ttt", account, id, user);
}
