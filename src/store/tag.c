/*
 * tag.c - virtual tags, their versions and folders, and the rows of dictionaries by content.
 *
 * A tag that was deleted keeps its row for an hour with its name free for others; then it goes with
 * all its versions. Rows that no version names go with the last that did.
 */
#include "store/db.h"

#define TAG_COLUMNS                                                                                \
    "id, name, folder_id, live, staged, acl, metadata, feed_mark, feed_error, created_by,"         \
    " created_ms, updated_by, updated_ms, deleted_ms"
#define VERSION_COLUMNS "tag_id, id, change, rows_hash, created_by, created_ms"

#define TAG_STATEMENTS(X)                                                                          \
    X(put, "INSERT INTO tag (account, " TAG_COLUMNS ")"                                            \
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"            \
           " ON CONFLICT (account, id) DO UPDATE SET name = ?3, folder_id = ?4, live = ?5,"        \
           " staged = ?6, acl = ?7, metadata = ?8, feed_mark = ?9, feed_error = ?10,"              \
           " updated_by = ?13, updated_ms = ?14, deleted_ms = ?15")                                \
    X(get, "SELECT " TAG_COLUMNS " FROM tag WHERE account = ?1 AND id = ?2")                       \
    X(list, "SELECT " TAG_COLUMNS " FROM tag WHERE account = ?1 AND deleted_ms < 0"                \
            " ORDER BY name COLLATE NOCASE, id")                                                   \
    X(drop, "DELETE FROM tag WHERE account = ?1 AND id = ?2")                                      \
    X(purge, "DELETE FROM tag WHERE account = ?1 AND deleted_ms >= 0 AND deleted_ms < ?2")         \
    X(version_add, "INSERT INTO tag_version (account, " VERSION_COLUMNS ", document)"              \
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                     \
    X(version_text, "UPDATE tag_version SET document = ?4 WHERE account = ?1 AND tag_id = ?2"      \
                    " AND id = ?3")                                                                \
    X(version_get, "SELECT " VERSION_COLUMNS ", document FROM tag_version WHERE account = ?1"      \
                   " AND tag_id = ?2 AND id = ?3")                                                 \
    X(version_list, "SELECT " VERSION_COLUMNS ", '' FROM tag_version WHERE account = ?1"           \
                    " AND tag_id = ?2 ORDER BY created_ms DESC, rowid DESC")                       \
    X(version_trim,                                                                                \
      "DELETE FROM tag_version WHERE account = ?1 AND tag_id = ?2 AND id NOT IN"                   \
      " (SELECT live FROM tag WHERE account = ?1 AND id = ?2 UNION SELECT staged"                  \
      " FROM tag WHERE account = ?1 AND id = ?2) AND (created_ms < ?4 OR id NOT IN"                \
      " (SELECT v.id FROM tag_version v JOIN tag t ON t.account = v.account"                       \
      " AND t.id = v.tag_id WHERE v.account = ?1 AND v.tag_id = ?2 ORDER BY"                       \
      " v.id IN (t.live, t.staged) DESC, v.created_ms DESC, v.rowid DESC LIMIT ?3))")              \
    X(folder_put, "INSERT INTO tag_folder (account, id, name, created_ms) VALUES (?1, ?2, ?3, ?4)" \
                  " ON CONFLICT (account, id) DO UPDATE SET name = ?3")                            \
    X(folder_list, "SELECT id, name, created_ms FROM tag_folder WHERE account = ?1 ORDER BY name") \
    X(folder_drop, "DELETE FROM tag_folder WHERE account = ?1 AND id = ?2")                        \
    X(folder_empty, "UPDATE tag SET folder_id = '' WHERE account = ?1 AND folder_id = ?2")         \
    X(rows_add, "INSERT INTO tag_rows (account, hash, n, body) VALUES (?1, ?2, ?3, ?4)"            \
                " ON CONFLICT (account, hash) DO NOTHING")                                         \
    X(rows_get, "SELECT hash, n, body FROM tag_rows WHERE account = ?1 AND hash = ?2")             \
    X(rows_count, "SELECT hash, n, zeroblob(0) FROM tag_rows WHERE account = ?1 AND hash = ?2")    \
    X(rows_trim, "DELETE FROM tag_rows WHERE account = ?1 AND hash NOT IN (SELECT rows_hash"       \
                 " FROM tag_version WHERE account = ?1)")

FA_DB_TABLE(tag, TAG_STATEMENTS);

static void read_tag(fa_db_row *r, void *out)
{
    fa_tag_row *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->folder_id = fa_db_text(r);
    v->live = fa_db_text(r);
    v->staged = fa_db_text(r);
    v->acl = fa_db_text(r);
    v->metadata = fa_db_text(r);
    v->feed_mark = fa_db_text(r);
    v->feed_error = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->updated_by = fa_db_text(r);
    v->updated_ms = fa_db_int(r);
    v->deleted_ms = fa_db_int(r);
}

static void read_version(fa_db_row *r, void *out)
{
    fa_tag_version *v = out;

    v->tag_id = fa_db_text(r);
    v->id = fa_db_text(r);
    v->change = fa_db_text(r);
    v->rows_hash = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->document = fa_db_text(r);
}

static void read_folder(fa_db_row *r, void *out)
{
    fa_tag_folder *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->created_ms = fa_db_int(r);
}

static void read_rows(fa_db_row *r, void *out)
{
    fa_tag_content *v = out;

    v->hash = fa_db_text(r);
    v->n = fa_db_int(r);
    v->body = fa_db_blob(r);
}

/* ---- tags ---- */

fa_rc fa_tag_put(fa_store *s, fa_str account, const fa_tag_row *v, fa_err *e)
{
    fa_rc rc = fa_db_run(s, table, ST_put, NULL, e, "tttttttttttitii", account, v->id, v->name,
                         v->folder_id, v->live, v->staged, v->acl, v->metadata, v->feed_mark,
                         v->feed_error, v->created_by, v->created_ms, v->updated_by, v->updated_ms,
                         v->deleted_ms);

    if (rc != FA_ECONFLICT)
        return rc;
    fa_fail(e, rc, "there is a virtual tag named \"%.*s\" already", FA_FMT(v->name));
    return fa_at(e, "name");
}

fa_rc fa_tag_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_tag_row *out, fa_err *e)
{
    fa_rc rc = fa_db_one(s, table, ST_get, a, read_tag, out, e, "tt", account, id);

    return rc == FA_ENOTFOUND ? fa_fail(e, rc, "no such virtual tag") : rc;
}

fa_rc fa_tag_list(fa_store *s, fa_arena *a, fa_str account, fa_tag_row **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_tag, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_tag_drop(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_drop, &changed, e, "tt", account, id);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such virtual tag");
}

fa_rc fa_tag_purge(fa_store *s, fa_str account, int64_t before_ms, fa_err *e)
{
    fa_rc rc = fa_db_run(s, table, ST_purge, NULL, e, "ti", account, before_ms);

    return rc ? rc : fa_db_run(s, table, ST_rows_trim, NULL, e, "t", account);
}

/* ---- versions ---- */

fa_rc fa_tag_version_add(fa_store *s, fa_str account, const fa_tag_version *v, fa_err *e)
{
    return fa_db_run(s, table, ST_version_add, NULL, e, "ttttttit", account, v->tag_id, v->id,
                     v->change, v->rows_hash, v->created_by, v->created_ms, v->document);
}

fa_rc fa_tag_version_text(fa_store *s, fa_str account, fa_str tag_id, fa_str id, fa_str document,
                          fa_err *e)
{
    return fa_db_run(s, table, ST_version_text, NULL, e, "tttt", account, tag_id, id, document);
}

fa_rc fa_tag_version_get(fa_store *s, fa_arena *a, fa_str account, fa_str tag_id, fa_str id,
                         fa_tag_version *out, fa_err *e)
{
    fa_rc rc =
        fa_db_one(s, table, ST_version_get, a, read_version, out, e, "ttt", account, tag_id, id);

    return rc == FA_ENOTFOUND ? fa_fail(e, rc, "no such version of this virtual tag") : rc;
}

fa_rc fa_tag_version_list(fa_store *s, fa_arena *a, fa_str account, fa_str tag_id,
                          fa_tag_version **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_version_list, a, read_version, sizeof **out, out, n, e, "tt",
                     account, tag_id);
}

fa_rc fa_tag_version_trim(fa_store *s, fa_str account, fa_str tag_id, size_t most,
                          int64_t before_ms, fa_err *e)
{
    int64_t gone = 0;
    fa_rc rc = fa_db_run(s, table, ST_version_trim, &gone, e, "ttii", account, tag_id,
                         (int64_t)most, before_ms);

    return rc || !gone ? rc : fa_db_run(s, table, ST_rows_trim, NULL, e, "t", account);
}

/* ---- folders ---- */

fa_rc fa_tag_folder_put(fa_store *s, fa_str account, const fa_tag_folder *v, fa_err *e)
{
    fa_rc rc =
        fa_db_run(s, table, ST_folder_put, NULL, e, "ttti", account, v->id, v->name, v->created_ms);

    if (rc != FA_ECONFLICT)
        return rc;
    fa_fail(e, rc, "there is a folder named \"%.*s\" already", FA_FMT(v->name));
    return fa_at(e, "name");
}

fa_rc fa_tag_folder_list(fa_store *s, fa_arena *a, fa_str account, fa_tag_folder **out, size_t *n,
                         fa_err *e)
{
    return fa_db_all(s, table, ST_folder_list, a, read_folder, sizeof **out, out, n, e, "t",
                     account);
}

fa_rc fa_tag_folder_drop(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    bool opened;
    int64_t changed = 0;
    fa_rc rc = fa_db_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_db_run(s, table, ST_folder_drop, &changed, e, "tt", account, id)) && !changed)
        rc = fa_fail(e, FA_ENOTFOUND, "no such folder");
    if (!rc)
        rc = fa_db_run(s, table, ST_folder_empty, NULL, e, "tt", account, id);
    return fa_db_leave(s, opened, rc, e);
}

/* ---- rows ---- */

fa_rc fa_tag_content_add(fa_store *s, fa_str account, const fa_tag_content *v, fa_err *e)
{
    return fa_db_run(s, table, ST_rows_add, NULL, e, "ttib", account, v->hash, v->n, v->body);
}

fa_rc fa_tag_content_get(fa_store *s, fa_arena *a, fa_str account, fa_str hash, bool with_body,
                         fa_tag_content *out, fa_err *e)
{
    return fa_db_one(s, table, with_body ? ST_rows_get : ST_rows_count, a, read_rows, out, e, "tt",
                     account, hash);
}
