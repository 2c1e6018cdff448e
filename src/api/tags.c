/*
 * tags.c - virtual tags for the page (doc/page-api.md "Virtual tags"): the list, documents, versions,
 * folders, graph, where-used; drilldown paths.
 */
#include "api/tags.h"

#include <stdlib.h>
#include <string.h>

static fa_str member(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return (fa_str){json_string_value(v) ? json_string_value(v) : "", json_string_length(v)};
}

/* ---- the list ---- */

/* How many views name each key. */
static fa_rc count_keys(const json_t *v, fa_map *seen, fa_err *e)
{
    const json_t *kid;
    const char *name;
    size_t i;

    if (json_is_object(v) && fa_uuid_valid(member(v, "key")) &&
        !fa_map_set(seen, member(v, "key"), 1))
        return fa_oom(e);
    json_array_foreach(v, i, kid) if (count_keys(kid, seen, e)) return e->rc;
    json_object_foreach((json_t *)(uintptr_t)v, name,
                        kid) if ((json_is_object(kid) || json_is_array(kid)) &&
                                 count_keys(kid, seen, e)) return e->rc;
    return FA_OK;
}

static fa_rc count_views(fa_req *r, fa_map *total, fa_err *e)
{
    fa_view *view;
    size_t n;
    fa_rc rc = fa_view_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &view, &n, e);

    for (size_t i = 0; !rc && i < n; i++) {
        fa_map *seen = fa_map_new();
        json_t *body = NULL;
        size_t cursor = 0, v, was;
        fa_err ignored;
        fa_str key;

        if (!seen)
            return fa_oom(e);
        if (fa_view_body(&view[i], &body, &ignored) == FA_OK)
            rc = count_keys(json_object_get(body, "question"), seen, e);
        while (!rc && fa_map_next(seen, &cursor, &key, &v)) {
            was = 0;
            (void)fa_map_get(total, key, &was);
            if (!fa_map_set(total, key, was + 1))
                rc = fa_oom(e);
        }
        json_decref(body);
        fa_map_free(seen);
    }
    return rc;
}

typedef struct lister {
    fa_req *r;
    fa_jw *w;
    fa_tag_node *node;
    size_t n;
    fa_map *place, *views;
} lister;

static void put_ids(const lister *l, const char *key, const size_t *place, size_t n)
{
    fa_jw_key(l->w, key);
    fa_jw_arr(l->w);
    for (size_t i = 0; i < n; i++)
        fa_jw_str(l->w, l->node[place[i]].id);
    fa_jw_end_arr(l->w);
}

static void put_entry(const lister *l, const fa_tag_row *row, const json_t *doc,
                      const fa_tag_node *node)
{
    size_t used = node ? node->nusers : 0, views = 0;
    fa_jw *w = l->w;

    for (size_t k = 0; node && k < node->nkey; k++)
        if (fa_map_get(l->views, node->key[k].id, &views))
            used += views;
    fa_jw_obj(w);
    put_str(w, "id", member(doc, "id"));
    put_str(w, "name", member(doc, "name"));
    put_str(w, "kind", member(doc, "kind"));
    put_bool(w, "predefined", !row);
    put_json(w, "folderId",
             json_is_string(json_object_get(doc, "folderId")) ? json_object_get(doc, "folderId")
                                                              : NULL);
    put_str(w, "category", member(doc, "category"));
    put_int(w, "ruleCount", (int64_t)json_array_size(json_object_get(doc, "rules")));
    put_int(w, "allocationCount", (int64_t)json_array_size(json_object_get(doc, "allocations")));
    fa_jw_key(w, "keys");
    fa_jw_arr(w);
    for (size_t k = 0; node && k < node->nkey; k++) {
        fa_jw_obj(w);
        put_str(w, "id", node->key[k].id);
        put_str(w, "name", node->key[k].name);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    put_ids(l, "dependsOn", node ? node->reads : NULL, node ? node->nreads : 0);
    put_int(w, "usedBy", (int64_t)used);
    put_bool(w, "hasLive", !row || row->live.n > 0);
    put_bool(w, "hasStaged", row && row->staged.n > 0);
    put_int(w, "rows", node ? (int64_t)node->nrow : 0);
    if (row && row->feed_error.n)
        put_str(w, "error", row->feed_error);
    else
        put_z(w, "error", NULL);
    put_str(w, "createdBy", member(doc, "createdBy"));
    put_str(w, "createdAt", member(doc, "createdAt"));
    put_str(w, "updatedBy", member(doc, "updatedBy"));
    put_str(w, "updatedAt", member(doc, "updatedAt"));
    fa_jw_end_obj(w);
}

static fa_rc put_list(lister *l, fa_err *e)
{
    fa_tag_row *row;
    size_t n, at;
    fa_rc rc =
        fa_tag_list(fa_ledger_store(l->r->ledger), l->r->mem, l->r->caller->account, &row, &n, e);

    for (size_t i = 0; !rc && i < n; i++) {
        json_t *own = NULL;
        fa_tag_row again;
        fa_acl acl;

        if ((rc = fa_acl_get(l->r->ledger, l->r->mem, FA_STR("virtual_tag"), row[i].id, &acl, e)))
            return rc;
        if (!fa_acl_may_read(&acl, l->r->caller))
            continue;
        if (row[i].live.n && fa_map_get(l->place, row[i].id, &at)) {
            put_entry(l, &row[i], l->node[at].doc, &l->node[at]);
            continue;
        }
        rc = fa_tag_open(l->r->ledger, l->r->mem, row[i].id, &again, &own, e);
        if (rc == FA_ENOTFOUND) {
            rc = FA_OK; /* deleted in this moment */
        } else if (!rc) {
            put_entry(l, &again, own, NULL);
            json_decref(own);
        }
    }
    for (size_t i = 0; !rc && i < l->n; i++)
        if (json_is_true(json_object_get(l->node[i].doc, "predefined")))
            put_entry(l, NULL, l->node[i].doc, &l->node[i]);
    return rc;
}

static fa_rc put_folders(fa_req *r, fa_jw *w, fa_err *e)
{
    fa_tag_folder *f;
    size_t n;
    fa_rc rc =
        fa_tag_folder_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &f, &n, e);

    if (rc)
        return rc;
    fa_jw_key(w, "folders");
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(w);
        put_str(w, "id", f[i].id);
        put_str(w, "name", f[i].name);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    return FA_OK;
}

fa_rc api_tags(fa_req *r, fa_res *o, fa_err *e)
{
    fa_tag_set *set = NULL;
    fa_jw w;
    lister l = {.r = r, .w = &w, .place = fa_map_new(), .views = fa_map_new()};
    fa_rc rc = l.place && l.views ? FA_OK : fa_oom(e);

    if (rc || (rc = fa_tags_live(r->ledger, &set, e)) ||
        (rc = fa_tag_graph(set, r->mem, &l.node, &l.n, e)) || (rc = count_views(r, l.views, e)))
        goto done;
    for (size_t i = 0; !rc && i < l.n; i++)
        if (!fa_map_set(l.place, l.node[i].id, i))
            rc = fa_oom(e);
    if (rc)
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "tags");
    fa_jw_arr(&w);
    rc = put_list(&l, e);
    fa_jw_end_arr(&w);
    if (!rc)
        rc = put_folders(r, &w, e);
    fa_jw_end_obj(&w);
done:
    fa_tag_set_put(set);
    fa_map_free(l.place);
    fa_map_free(l.views);
    return rc;
}

/* ---- one document ---- */

static void put_version_ids(fa_jw *w, const fa_tag_row *row)
{
    if (row->live.n)
        put_str(w, "liveVersion", row->live);
    else
        put_z(w, "liveVersion", NULL);
    if (row->staged.n)
        put_str(w, "stagedVersion", row->staged);
    else
        put_z(w, "stagedVersion", NULL);
    put_bool(w, "predefined", fa_tag_is_predefined(row->id));
    if (row->feed_error.n)
        put_str(w, "error", row->feed_error);
}

static fa_rc answer(fa_req *r, fa_res *o, const fa_tag_row *row, const json_t *doc, fa_err *e)
{
    tag_ctx x;
    fa_jw w;

    if (tag_ctx_get(r, &x, e))
        return e->rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    tag_out(r, &w, FORM_PAGE, &x, doc);
    put_version_ids(&w, row);
    fa_jw_end_obj(&w);
    tag_ctx_put(&x);
    return FA_OK;
}

static fa_rc answer_now(fa_req *r, fa_res *o, fa_str id, fa_err *e)
{
    fa_tag_row row;
    json_t *doc;
    fa_rc rc = fa_tag_open(r->ledger, r->mem, id, &row, &doc, e);

    if (!rc)
        rc = answer(r, o, &row, doc, e);
    json_decref(doc);
    return rc;
}

fa_rc api_tag_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc = tag_may_read(r, r->arg[0], e);

    return rc ? rc : answer_now(r, o, r->arg[0], e);
}

/* Who may change tags may not always change how cost is reallocated (access.md 1.3). `was` NULL: a new tag. */
static fa_rc may_reallocate(const fa_req *r, const json_t *was, const json_t *now, fa_err *e)
{
    const json_t *a = json_object_get(was, "allocations"), *b = json_object_get(now, "allocations");

    if (fa_caller_may(r->caller, FA_PERM_REALLOC_EDIT) ||
        (!json_array_size(a) && !json_array_size(b)) || (a && b && json_equal(a, b)))
        return FA_OK;
    (void)fa_fail(e, FA_EFORBIDDEN, "changing the reallocation needs the permission %s",
                  fa_perm_name(FA_PERM_REALLOC_EDIT));
    return fa_at(e, "allocations");
}

static fa_rc save(fa_req *r, fa_res *o, fa_str id, fa_err *e)
{
    fa_str live = fa_req_query(r, "setAsLive");
    fa_tag_edit edit = {.id = id, .by = r->caller->email, .set_live = !fa_str_eqz(live, "false")};
    json_t *in = NULL, *out = NULL;
    tag_making making = {.r = r};
    fa_tag_row row;
    tag_ctx x;
    fa_rc rc;

    if ((rc = in_object(r, e)) ||
        (rc = in_text(r->json, "changeDescription", false, &edit.change, e)) ||
        (rc = in_text(r->json, "basedOn", false, &edit.based_on, e)) ||
        (rc = tag_ctx_get(r, &x, e)))
        return rc;
    if (id.n) /* an unknown tag is 404 before its document is judged */
        rc = fa_tag_open(r->ledger, r->mem, id, &row, &out, e);
    if (!rc && id.n && !(rc = tag_may_write(r, id, e)))
        rc = tag_set_acl(r, id, json_object_get(r->json, "acl"), e);
    if (!rc && !(rc = tag_in(r, FORM_PAGE, &x, r->json, &in, e)))
        rc = may_reallocate(r, out, in, e);
    json_decref(out);
    out = NULL;
    if (!rc)
        rc = fa_tag_check_feeds(r->ledger, in, id, e);
    tag_ctx_put(&x);
    edit.doc = in;
    making.acl = json_object_get(r->json, "acl");
    edit.made = tag_made;
    edit.user = &making;
    if (!rc && !(rc = fa_tag_save(r->ledger, r->mem, &edit, &row, &out, e)))
        rc = answer(r, o, &row, out, e);
    o->status = id.n ? 200 : 201;
    json_decref(in);
    json_decref(out);
    return rc;
}

fa_rc api_tag_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, (fa_str){0}, e);
}

fa_rc api_tag_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, r->arg[0], e);
}

/* 409 with what stands in the way. */
static void put_blockers(fa_req *r, fa_res *o, const tag_use *use, size_t n, const fa_err *e)
{
    fa_jw w;

    o->status = 409;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "requestId", r->request_id);
    put_z(&w, "error", fa_rc_get(FA_ECONFLICT)->name);
    put_z(&w, "message", e->msg);
    fa_jw_key(&w, "blockers");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_z(&w, "type", use[i].type);
        put_str(&w, "id", use[i].id);
        put_str(&w, "name", use[i].name);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
}

fa_rc api_tag_delete(fa_req *r, fa_res *o, fa_err *e)
{
    tag_use *use;
    size_t n;
    fa_rc rc = tag_delete(r, r->arg[0], false, &use, &n, e);

    o->status = 204;
    if (rc != FA_ECONFLICT || !n)
        return rc;
    put_blockers(r, o, use, n, e);
    return FA_OK;
}

fa_rc api_tag_undelete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc = tag_may_write(r, r->arg[0], e);

    if (!rc)
        rc = fa_tag_undelete(r->ledger, r->mem, r->arg[0], e);

    return rc ? rc : answer_now(r, o, r->arg[0], e);
}

/* ---- copies ---- */

/* New ids for the outputs and levels of a copy. */
static void forget_ids(json_t *part, const char *list)
{
    json_t *v;
    size_t i;

    json_array_foreach(json_object_get(part, list), i, v) json_object_del(v, "id");
}

static fa_rc copy_name(fa_req *r, fa_str of, fa_str *out, fa_err *e)
{
    fa_tag_row *row;
    size_t n;
    fa_rc rc = fa_tag_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &row, &n, e);

    if (of.n > 180)
        of.n = 180;
    while (of.n && !fa_utf8_valid(of))
        of.n--;
    for (size_t k = 1; !rc && k <= n + 1; k++) {
        char *name = k == 1 ? fa_arena_printf(r->mem, "%.*s (copy)", FA_FMT(of))
                            : fa_arena_printf(r->mem, "%.*s (copy %zu)", FA_FMT(of), k);
        bool taken = false;

        if (!name)
            return fa_oom(e);
        for (size_t i = 0; i < n; i++)
            taken = taken || fa_str_ieq(row[i].name, fa_str_of(name));
        *out = fa_str_of(name);
        if (!taken)
            break;
    }
    return rc;
}

fa_rc api_tag_duplicate(fa_req *r, fa_res *o, fa_err *e)
{
    tag_making making = {.r = r};
    fa_tag_edit edit = {
        .by = r->caller->email, .set_live = true, .made = tag_made, .user = &making};
    json_t *doc = NULL, *out = NULL;
    fa_tag_row row;
    fa_str name = {0};
    fa_buf rows = {0};
    fa_rc rc;

    if ((rc = tag_may_read(r, r->arg[0], e)) ||
        (r->json && (rc = in_text(r->json, "name", false, &name, e))) ||
        (rc = fa_tag_open(r->ledger, r->mem, r->arg[0], &row, &doc, e)))
        return rc;
    forget_ids(json_object_get(doc, "relation"), "outputs");
    forget_ids(json_object_get(doc, "hierarchy"), "levels");
    json_object_del(doc, "acl");
    if (!name.n && (rc = copy_name(r, member(doc, "name"), &name, e)))
        goto done;
    json_object_set_new(doc, "name", json_stringn(name.p, name.n));
    edit.change = fa_str_of(fa_arena_printf(r->mem, "Copy of %.*s", FA_FMT(row.name)));
    edit.doc = doc;
    if (json_object_get(doc, "dictionary") || json_object_get(doc, "hierarchy"))
        rc = fa_tag_rows_csv(r->ledger, r->mem, r->arg[0], &rows, e);
    if (!rc)
        rc = fa_tag_save(r->ledger, r->mem, &edit, &row, &out, e);
    if (!rc && rows.n) {
        fa_row_faults *faults = fa_arena_alloc(r->mem, sizeof *faults);
        fa_rows_result result;

        rc = faults ? fa_tag_rows_put(r->ledger, r->mem, row.id, fa_buf_view(&rows), edit.by,
                                      edit.change, faults, &result, e)
                    : fa_oom(e);
    }
    if (!rc)
        rc = answer_now(r, o, row.id, e);
    o->status = 201;
done:
    fa_buf_release(&rows);
    json_decref(doc);
    json_decref(out);
    return rc;
}

/* ---- names and folders ---- */

fa_rc api_tag_name(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str name;
    fa_rc rc;

    o->status = 204;
    if ((rc = tag_may_write(r, r->arg[0], e)) || (rc = in_object(r, e)) ||
        (rc = in_text(r->json, "name", true, &name, e)))
        return rc;
    return fa_tag_rename(r->ledger, r->mem, r->arg[0], name, r->caller->email, e);
}

fa_rc api_tag_folder(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str id;
    fa_rc rc;

    o->status = 204;
    if ((rc = tag_may_write(r, r->arg[0], e)) || (rc = in_object(r, e)) ||
        (rc = in_text(r->json, "folderId", false, &id, e)))
        return rc;
    return fa_tag_move(r->ledger, r->mem, r->arg[0], id, e);
}

static fa_rc folder_save(fa_req *r, fa_res *o, fa_str id, fa_err *e)
{
    fa_tag_folder f;
    fa_str name;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", true, &name, e)) ||
        (rc = fa_tag_folder_save(r->ledger, r->mem, id, name, &f, e)))
        return rc;
    o->status = id.n ? 200 : 201;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "id", f.id);
    put_str(&w, "name", f.name);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_tag_folder_post(fa_req *r, fa_res *o, fa_err *e)
{
    return folder_save(r, o, (fa_str){0}, e);
}

fa_rc api_tag_folder_put(fa_req *r, fa_res *o, fa_err *e)
{
    return folder_save(r, o, r->arg[0], e);
}

fa_rc api_tag_folder_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc = fa_tag_folder_drop(fa_ledger_store(r->ledger), r->caller->account, r->arg[0], e);

    o->status = 204;
    fa_tags_changed();
    return rc;
}

/* ---- versions ---- */

static void put_version(fa_jw *w, const fa_tag_row *row, const fa_tag_version *v)
{
    put_str(w, "id", v->id);
    put_str(w, "createdBy", v->created_by);
    put_time(w, "createdAt", v->created_ms);
    put_bool(w, "isLive", fa_str_eq(v->id, row->live));
    put_bool(w, "isStaged", fa_str_eq(v->id, row->staged));
    put_str(w, "changeDescription", v->change);
}

fa_rc api_tag_versions(fa_req *r, fa_res *o, fa_err *e)
{
    fa_tag_version *v;
    fa_tag_row row;
    json_t *doc;
    size_t n;
    fa_jw w;
    fa_rc rc = tag_may_read(r, r->arg[0], e);

    if (rc)
        return rc;
    rc = fa_tag_open(r->ledger, r->mem, r->arg[0], &row, &doc, e);

    json_decref(doc);
    if (rc || (rc = fa_tag_version_list(fa_ledger_store(r->ledger), r->mem, r->caller->account,
                                        row.id, &v, &n, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "versions");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_version(&w, &row, &v[i]);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_tag_version(fa_req *r, fa_res *o, fa_err *e)
{
    fa_tag_version v;
    fa_tag_row row;
    json_t *doc;
    tag_ctx x;
    fa_jw w;
    fa_rc rc = tag_may_read(r, r->arg[0], e);

    if (rc)
        return rc;
    rc = fa_tag_open_version(r->ledger, r->mem, r->arg[0], r->arg[1], &row, &v, &doc, e);

    if (rc || (rc = tag_ctx_get(r, &x, e))) {
        json_decref(doc);
        return rc;
    }
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_version(&w, &row, &v);
    fa_jw_key(&w, "document");
    fa_jw_obj(&w);
    tag_out(r, &w, FORM_PAGE, &x, doc);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    tag_ctx_put(&x);
    json_decref(doc);
    return FA_OK;
}

fa_rc api_tag_publish(fa_req *r, fa_res *o, fa_err *e)
{
    fa_tag_row row;
    json_t *doc;
    fa_rc rc = tag_may_write(r, r->arg[0], e);

    if (rc || (rc = fa_tag_publish(r->ledger, r->mem, r->arg[0], r->arg[1], r->caller->email, &row,
                                   &doc, e)))
        return rc;
    rc = answer(r, o, &row, doc, e);
    json_decref(doc);
    return rc;
}

/* ---- graph and where-used ---- */

/* The longest way from each node to one that reads nothing; the set has no cycle. */
static size_t depth_of(const fa_tag_node *node, size_t at, size_t *known)
{
    size_t deepest = 0;

    if (known[at] != SIZE_MAX)
        return known[at];
    for (size_t i = 0; i < node[at].nreads; i++) {
        size_t d = depth_of(node, node[at].reads[i], known) + 1;

        if (d > deepest)
            deepest = d;
    }
    return known[at] = deepest;
}

static const char *position_of(const fa_tag_node *n)
{
    if (n->nusers)
        return n->nreads ? "bridge" : "source";
    return n->nreads ? "output" : "isolated";
}

fa_rc api_tag_graph(fa_req *r, fa_res *o, fa_err *e)
{
    fa_tag_set *set = NULL;
    fa_tag_node *node;
    size_t n, depth = 0, *known;
    fa_jw w;
    fa_rc rc = fa_tags_live(r->ledger, &set, e);

    if (rc || (rc = fa_tag_graph(set, r->mem, &node, &n, e)))
        goto done;
    if (!(known = fa_arena_array(r->mem, n + 1, sizeof *known))) {
        rc = fa_oom(e);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        known[i] = SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        depth = depth_of(node, i, known) > depth ? known[i] : depth;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "nodes");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_str(&w, "id", node[i].id);
        put_str(&w, "name", node[i].name);
        put_str(&w, "kind", member(node[i].doc, "kind"));
        put_bool(&w, "predefined", json_is_true(json_object_get(node[i].doc, "predefined")));
        put_z(&w, "position", position_of(&node[i]));
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "edges");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < node[i].nreads; k++) {
            fa_jw_obj(&w);
            put_str(&w, "from", node[i].id);
            put_str(&w, "to", node[node[i].reads[k]].id);
            fa_jw_end_obj(&w);
        }
    fa_jw_end_arr(&w);
    put_int(&w, "depth", (int64_t)depth);
    fa_jw_end_obj(&w);
done:
    fa_tag_set_put(set);
    return rc;
}

fa_rc api_tag_usage(fa_req *r, fa_res *o, fa_err *e)
{
    fa_tag_set *set = NULL;
    fa_tag_node *node;
    fa_tag_row row;
    json_t *doc = NULL;
    tag_use *use;
    size_t n, nuse;
    fa_jw w;
    fa_rc rc;

    if ((rc = tag_may_read(r, r->arg[0], e)) ||
        (rc = fa_tag_open(r->ledger, r->mem, r->arg[0], &row, &doc, e)) ||
        (rc = fa_tags_live(r->ledger, &set, e)) || (rc = fa_tag_graph(set, r->mem, &node, &n, e)) ||
        (rc = tag_uses(r, node, n, r->arg[0], &use, &nuse, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "uses");
    fa_jw_arr(&w);
    for (size_t i = 0; i < nuse; i++) {
        fa_jw_obj(&w);
        put_z(&w, "type", use[i].type);
        put_str(&w, "id", use[i].id);
        put_str(&w, "name", use[i].name);
        put_bool(&w, "blocks", use[i].blocks);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
done:
    json_decref(doc);
    fa_tag_set_put(set);
    return rc;
}

/* ---- rows, rules as CSV, metadata ---- */

/* 422 with the line of every fault. */
static void put_faults(fa_req *r, fa_res *o, const fa_row_faults *f, const fa_err *e)
{
    fa_jw w;

    o->status = 422;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "requestId", r->request_id);
    put_z(&w, "error", fa_rc_get(FA_EDATA)->name);
    put_z(&w, "message", e->msg);
    fa_jw_key(&w, "errors");
    fa_jw_arr(&w);
    for (size_t i = 0; i < f->n; i++) {
        fa_jw_obj(&w);
        put_int(&w, "line", (int64_t)f->fault[i].line);
        put_str(&w, "message", f->fault[i].message);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    put_int(&w, "errorCount", (int64_t)f->all);
    fa_jw_end_obj(&w);
}

fa_rc api_tag_rows_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_row_faults *faults = fa_arena_alloc(r->mem, sizeof *faults);
    fa_rows_result result;
    fa_arena own;
    fa_buf text;
    fa_jw w;
    fa_rc rc;

    if (!faults)
        return fa_oom(e);
    fa_arena_init(&own, (size_t)4 << 30); /* a million rows are more than a request may have */
    fa_buf_init(&text, (size_t)256 << 20);
    if (!(rc = tag_may_write(r, r->arg[0], e)) &&
        !(rc = fa_file_read(r->body_file, (size_t)256 << 20, &text, e)))
        rc = fa_tag_rows_put(r->ledger, &own, r->arg[0], fa_buf_view(&text), r->caller->email,
                             FA_STR("Rows uploaded"), faults, &result, e);
    if (rc == FA_EDATA && faults->n) {
        put_faults(r, o, faults, e);
        rc = FA_OK;
    } else if (!rc) {
        fa_jw_init(&w, &o->body);
        fa_jw_obj(&w);
        put_int(&w, "rows", (int64_t)result.rows);
        put_str(&w, "version", result.version);
        put_bool(&w, "unchanged", result.unchanged);
        fa_jw_end_obj(&w);
    }
    fa_buf_release(&text);
    fa_arena_release(&own);
    return rc;
}

fa_rc api_tag_rows_csv(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc = tag_may_read(r, r->arg[0], e);

    if (!rc)
        rc = fa_tag_rows_csv(r->ledger, r->mem, r->arg[0], &o->body, e);

    return rc ? rc : out_attachment(r, o, "text/csv; charset=utf-8", "dictionary.csv", e);
}

fa_rc api_tag_rules_csv(fa_req *r, fa_res *o, fa_err *e)
{
    fa_tag_row row;
    json_t *doc;
    fa_rc rc = tag_may_read(r, r->arg[0], e);

    if (rc)
        return rc;
    rc = fa_tag_open(r->ledger, r->mem, r->arg[0], &row, &doc, e);

    if (!rc)
        fa_rules_csv(&o->body, doc);
    json_decref(doc);
    return rc ? rc : out_attachment(r, o, "text/csv; charset=utf-8", "rules.csv", e);
}

static void put_rule_text(fa_jw *w, const char *key, const json_t *rule)
{
    char *text = rule ? json_dumps(rule, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    put_z(w, key, text);
    free(text);
}

/* Rule by rule: what was in this place, and what is now. */
static void put_diff(fa_jw *w, const json_t *was, const json_t *now)
{
    size_t nwas = json_array_size(was), nnow = json_array_size(now), changed = 0;

    fa_jw_key(w, "diff");
    fa_jw_obj(w);
    fa_jw_key(w, "rules");
    fa_jw_arr(w);
    for (size_t i = 0; i < nwas || i < nnow; i++) {
        const json_t *a = json_array_get(was, i), *b = json_array_get(now, i);

        if (a && b && json_equal(a, b))
            continue;
        changed += a && b;
        fa_jw_obj(w);
        put_int(w, "rule", (int64_t)i);
        put_rule_text(w, "was", a);
        put_rule_text(w, "now", b);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    put_int(w, "added", (int64_t)(nnow > nwas ? nnow - nwas : 0));
    put_int(w, "removed", (int64_t)(nwas > nnow ? nwas - nnow : 0));
    put_int(w, "changed", (int64_t)changed);
    fa_jw_end_obj(w);
}

static fa_rc import_rules(fa_req *r, fa_res *o, json_t *doc, json_t *rules, fa_err *e)
{
    fa_tag_edit edit = {
        .id = r->arg[0], .by = r->caller->email, .change = FA_STR("Rules imported from CSV")};
    json_t *was = json_incref(json_object_get(doc, "rules")), *in = NULL, *out = NULL;
    fa_tag_row row;
    tag_ctx x;
    fa_jw w;
    fa_rc rc = tag_ctx_get(r, &x, e);

    if (rc)
        goto done;
    json_object_set(doc, "rules", rules);
    if (!(rc = tag_in(r, FORM_PAGE, &x, doc, &in, e))) {
        edit.doc = in;
        rc = fa_tag_save(r->ledger, r->mem, &edit, &row, &out, e);
    }
    if (!rc) {
        fa_jw_init(&w, &o->body);
        fa_jw_obj(&w);
        put_str(&w, "version", row.staged);
        fa_jw_key(&w, "document");
        fa_jw_obj(&w);
        tag_out(r, &w, FORM_PAGE, &x, out);
        put_version_ids(&w, &row);
        fa_jw_end_obj(&w);
        put_diff(&w, was, json_object_get(out, "rules"));
        fa_jw_end_obj(&w);
    }
    tag_ctx_put(&x);
done:
    json_decref(was);
    json_decref(in);
    json_decref(out);
    return rc;
}

fa_rc api_tag_rules_import(fa_req *r, fa_res *o, fa_err *e)
{
    fa_row_faults *faults = fa_arena_alloc(r->mem, sizeof *faults);
    json_t *doc = NULL, *rules = NULL;
    fa_tag_row row;
    fa_buf text;
    fa_rc rc;

    fa_buf_init(&text, 64 << 20);
    if (!faults)
        return fa_oom(e);
    if (!(rc = tag_may_write(r, r->arg[0], e)) &&
        !(rc = fa_file_read(r->body_file, 64 << 20, &text, e)) &&
        !(rc = fa_tag_open(r->ledger, r->mem, r->arg[0], &row, &doc, e)) &&
        !(rc = fa_rules_from_csv(fa_buf_view(&text), r->mem, faults, &rules, e)))
        rc = import_rules(r, o, doc, rules, e);
    if (rc == FA_EDATA && faults->n) {
        put_faults(r, o, faults, e);
        rc = FA_OK;
    }
    json_decref(rules);
    json_decref(doc);
    fa_buf_release(&text);
    return rc;
}

static void put_metadata(fa_res *o, const json_t *map)
{
    fa_jw w;

    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_json(&w, "metadata", map);
    fa_jw_end_obj(&w);
}

fa_rc api_tag_meta(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *map;
    fa_rc rc = tag_may_read(r, r->arg[0], e);

    if (rc || (rc = fa_tag_metadata(r->ledger, r->mem, r->arg[0], &map, e)))
        return rc;
    put_metadata(o, map);
    json_decref(map);
    return rc;
}

fa_rc api_tag_meta_put(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *map = NULL;
    fa_rc rc;

    if ((rc = tag_may_write(r, r->arg[0], e)) || (rc = in_object(r, e)))
        return rc;
    rc = fa_tag_metadata_put(r->ledger, r->mem, r->arg[0], json_object_get(r->json, "metadata"),
                             true, r->caller->email, &map, e);
    if (!rc)
        put_metadata(o, map);
    json_decref(map);
    return rc;
}
