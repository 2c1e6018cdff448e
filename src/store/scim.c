/* scim.c - clients that provision users and groups, and what they call them. */
#include "store/db.h"

#define COLUMNS "id, name, hash, old_hash, old_until_ms, created_by, created_ms, used_ms"

#define SCIM_STATEMENTS(X)                                                                         \
    X(add, "INSERT INTO scim_client (account, " COLUMNS                                            \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                        \
    X(rotate, "UPDATE scim_client SET old_hash = hash, hash = ?3, old_until_ms = ?4"               \
              " WHERE account = ?1 AND id = ?2")                                                   \
    X(by_hash, "SELECT " COLUMNS " FROM scim_client WHERE account = ?1"                            \
               " AND (hash = ?2 OR (old_hash = ?2 AND old_until_ms > ?3))")                        \
    X(get, "SELECT " COLUMNS " FROM scim_client WHERE account = ?1 AND id = ?2")                   \
    X(list, "SELECT " COLUMNS " FROM scim_client WHERE account = ?1 ORDER BY name")                \
    X(touch, "UPDATE scim_client SET used_ms = max(used_ms, ?3) WHERE account = ?1 AND id = ?2")   \
    X(remove, "DELETE FROM scim_client WHERE account = ?1 AND id = ?2")                            \
    X(ref_put, "INSERT INTO scim_ref (account, kind, id, external_id, updated_ms)"                 \
               " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (account, kind, id)"                      \
               " DO UPDATE SET external_id = ?4, updated_ms = ?5")                                 \
    X(refs, "SELECT id, external_id, updated_ms FROM scim_ref WHERE account = ?1 AND kind = ?2"    \
            " ORDER BY id")                                                                        \
    X(ref_drop, "DELETE FROM scim_ref WHERE account = ?1 AND kind = ?2 AND id = ?3")

FA_DB_TABLE(scim, SCIM_STATEMENTS);

static void read_client(fa_db_row *r, void *out)
{
    fa_scim_client *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->hash = fa_db_text(r);
    v->old_hash = fa_db_text(r);
    v->old_until_ms = fa_db_int(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->used_ms = fa_db_int(r);
}

static void read_ref(fa_db_row *r, void *out)
{
    fa_scim_ref *v = out;

    v->id = fa_db_text(r);
    v->external_id = fa_db_text(r);
    v->updated_ms = fa_db_int(r);
}

static fa_rc must_change(fa_rc rc, int64_t changed, fa_err *e)
{
    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such provisioning client");
}

fa_rc fa_scim_client_add(fa_store *s, fa_str account, const fa_scim_client *v, fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "tttttitii", account, v->id, v->name, v->hash,
                     v->old_hash, v->old_until_ms, v->created_by, v->created_ms, v->used_ms);
}

fa_rc fa_scim_client_rotate(fa_store *s, fa_str account, fa_str id, fa_str hash,
                            int64_t old_until_ms, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_rotate, &changed, e, "ttti", account, id, hash, old_until_ms);

    return must_change(rc, changed, e);
}

fa_rc fa_scim_client_by_hash(fa_store *s, fa_arena *a, fa_str account, fa_str hash, int64_t now_ms,
                             fa_scim_client *out, fa_err *e)
{
    return fa_db_one(s, table, ST_by_hash, a, read_client, out, e, "tti", account, hash, now_ms);
}

fa_rc fa_scim_client_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_scim_client *out,
                         fa_err *e)
{
    fa_rc rc = fa_db_one(s, table, ST_get, a, read_client, out, e, "tt", account, id);

    return rc == FA_ENOTFOUND ? must_change(FA_OK, 0, e) : rc;
}

fa_rc fa_scim_client_list(fa_store *s, fa_arena *a, fa_str account, fa_scim_client **out, size_t *n,
                          fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_client, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_scim_client_touch(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_touch, NULL, e, "tti", account, id, now_ms);
}

fa_rc fa_scim_client_delete(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_remove, &changed, e, "tt", account, id);

    return must_change(rc, changed, e);
}

fa_rc fa_scim_ref_put(fa_store *s, fa_str account, fa_str kind, const fa_scim_ref *v, fa_err *e)
{
    return fa_db_run(s, table, ST_ref_put, NULL, e, "tttti", account, kind, v->id, v->external_id,
                     v->updated_ms);
}

fa_rc fa_scim_ref_list(fa_store *s, fa_arena *a, fa_str account, fa_str kind, fa_scim_ref **out,
                       size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_refs, a, read_ref, sizeof **out, out, n, e, "tt", account, kind);
}

fa_rc fa_scim_ref_drop(fa_store *s, fa_str account, fa_str kind, fa_str id, fa_err *e)
{
    return fa_db_run(s, table, ST_ref_drop, NULL, e, "ttt", account, kind, id);
}
