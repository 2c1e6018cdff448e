/*
 * tagsv.c - virtual tags for programs: V1 (api.md 7.5, 7.6), V2 with versions (8.3 to 8.5), the internal form (9.7).
 */
#include "api/tags.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- envelopes ---- */

static void v2_begin(fa_jw *w, fa_req *r, fa_res *o)
{
    fa_jw_init(w, &o->body);
    fa_jw_obj(w);
    put_z(w, "requestId", r->request_id);
}

static void put_object(fa_req *r, fa_jw *w, tag_form form, const tag_ctx *x, const json_t *doc)
{
    fa_jw_obj(w);
    tag_out(r, w, form, x, doc);
    fa_jw_end_obj(w);
}

/* The answer that shows one tag. */
static fa_rc answer(fa_req *r, fa_res *o, tag_form form, const json_t *doc, bool with_request_id,
                    fa_err *e)
{
    tag_ctx x;
    fa_jw w;

    if (tag_ctx_get(r, &x, e))
        return e->rc;
    if (form == FORM_V2) {
        v2_begin(&w, r, o);
        fa_jw_key(&w, "data");
        put_object(r, &w, form, &x, doc);
        fa_jw_end_obj(&w);
    } else {
        fa_jw_init(&w, &o->body);
        fa_jw_obj(&w);
        tag_out(r, &w, form, &x, doc);
        if (with_request_id)
            put_z(&w, "requestId", r->request_id);
        fa_jw_end_obj(&w);
    }
    tag_ctx_put(&x);
    return FA_OK;
}

/* ---- lists ---- */

/* The tags people made, by name: what is live, and the staged content of those that never were. */
static fa_rc put_all(fa_req *r, fa_jw *w, tag_form form, const tag_ctx *x,
                     void (*put)(fa_req *, fa_jw *, tag_form, const tag_ctx *, const json_t *),
                     fa_err *e)
{
    fa_tag_row *row;
    size_t n;
    fa_rc rc = fa_tag_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &row, &n, e);

    for (size_t i = 0; !rc && i < n; i++) {
        const json_t *live = row[i].live.n ? fa_tag_set_document(x->set, row[i].id) : NULL;
        json_t *own = NULL;
        fa_tag_row again;
        fa_acl acl;

        if ((rc = fa_acl_get(r->ledger, r->mem, FA_STR("virtual_tag"), row[i].id, &acl, e)))
            return rc;
        if (!fa_acl_may_read(&acl, r->caller))
            continue;
        if (!live && (rc = fa_tag_open(r->ledger, r->mem, row[i].id, &again, &own, e))) {
            if (rc == FA_ENOTFOUND) /* deleted in this moment */
                rc = FA_OK;
            continue;
        }
        put(r, w, form, x, live ? live : own);
        json_decref(own);
    }
    return rc;
}

static fa_rc list(fa_req *r, fa_res *o, tag_form form, fa_err *e)
{
    tag_ctx x;
    fa_jw w;
    fa_rc rc = tag_ctx_get(r, &x, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    if (form == FORM_V1)
        put_str(&w, "accountId", r->caller->account);
    put_z(&w, "requestId", r->request_id);
    if (form == FORM_V2) {
        fa_jw_key(&w, "data");
        fa_jw_obj(&w);
    }
    fa_jw_key(&w, "virtualTags");
    fa_jw_arr(&w);
    rc = put_all(r, &w, form, &x, put_object, e);
    fa_jw_end_arr(&w);
    if (form == FORM_V2)
        fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    tag_ctx_put(&x);
    return rc;
}

fa_rc api_v1_tags(fa_req *r, fa_res *o, fa_err *e)
{
    return list(r, o, FORM_V1, e);
}

fa_rc api_v2_tags(fa_req *r, fa_res *o, fa_err *e)
{
    return list(r, o, FORM_V2, e);
}

/* ---- one ---- */

static fa_rc get(fa_req *r, fa_res *o, tag_form form, fa_err *e)
{
    fa_tag_row row;
    json_t *doc;
    fa_rc rc = tag_may_read(r, r->arg[0], e);

    if (rc || (rc = fa_tag_open(r->ledger, r->mem, r->arg[0], &row, &doc, e)))
        return rc;
    rc = answer(r, o, form, doc, false, e);
    json_decref(doc);
    return rc;
}

fa_rc api_v1_tag(fa_req *r, fa_res *o, fa_err *e)
{
    return get(r, o, FORM_V1, e);
}

fa_rc api_v2_tag(fa_req *r, fa_res *o, fa_err *e)
{
    return get(r, o, FORM_V2, e);
}

static bool is_false(fa_str s)
{
    return fa_str_ieq(s, FA_STR("false")) || fa_str_eqz(s, "0");
}

static fa_rc live_asked(const fa_req *r, bool *out, fa_err *e)
{
    fa_str s = fa_req_query(r, "setAsLive");

    *out = !is_false(s);
    if (!s.n || is_false(s) || fa_str_ieq(s, FA_STR("true")) || fa_str_eqz(s, "1"))
        return FA_OK;
    fa_fail(e, FA_EINVAL, "setAsLive must be true or false");
    return fa_at(e, "setAsLive");
}

/* Only rules go over these APIs (api.md 7.5, 8.3): a tag that is more than its rules is left alone. */
static fa_rc only_rules(fa_req *r, tag_form form, fa_err *e)
{
    fa_tag_row row;
    json_t *doc;
    fa_str kind;
    fa_rc rc;

    if (form == FORM_INTERNAL)
        return FA_OK;
    if ((rc = fa_tag_open(r->ledger, r->mem, r->arg[0], &row, &doc, e)))
        return rc;
    kind = fa_str_of(json_string_value(json_object_get(doc, "kind")));
    if (!fa_str_eqz(kind, "rules") || json_array_size(json_object_get(doc, "allocations")))
        rc = fa_fail(e, FA_EDATA,
                     "this virtual tag reallocates or is no tag of rules; it can only be changed "
                     "in the page");
    json_decref(doc);
    return rc;
}

static fa_rc save(fa_req *r, fa_res *o, tag_form form, bool is_new, fa_err *e)
{
    fa_tag_edit edit = {.by = r->caller->email, .set_live = true, .keep_allocations = !is_new};
    const json_t *meta = json_object_get(r->json, "versionMetadata");
    json_t *in = NULL, *out = NULL;
    tag_making making;
    fa_tag_row row;
    tag_ctx x;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = tag_ctx_get(r, &x, e)))
        return rc;
    if (!is_new) {
        edit.id = r->arg[0];
        if ((rc = fa_tag_open(r->ledger, r->mem, edit.id, &row, &out, e)) ||
            (rc = tag_may_write(r, edit.id, e)))
            goto done;
        json_decref(out);
        out = NULL;
    }
    if (form == FORM_V2) {
        if (meta && !json_is_null(meta) && !json_is_object(meta)) {
            fa_fail(e, FA_EINVAL, "versionMetadata must be an object");
            rc = fa_at(e, "versionMetadata");
        } else {
            rc = in_text(meta, "changeDescription", false, &edit.change, e);
        }
        if (rc || (rc = live_asked(r, &edit.set_live, e)))
            goto done;
    }
    if ((rc = tag_in(r, form, &x, r->json, &in, e)) ||
        (rc = fa_tag_check_feeds(r->ledger, in, edit.id, e)) ||
        (!is_new && (rc = only_rules(r, form, e))))
        goto done;
    if (form == FORM_INTERNAL) /* what it does not send stays */
        edit.keep_allocations = !is_new && !json_object_get(in, "allocations");
    edit.doc = in;
    making = (tag_making){r, json_object_get(r->json, "acl"), form == FORM_V2};
    edit.made = tag_made;
    edit.user = &making;
    rc = fa_tag_save(r->ledger, r->mem, &edit, &row, &out, e);
done:
    tag_ctx_put(&x);
    json_decref(in);
    if (!rc) {
        o->status = is_new && form == FORM_V1 ? 201 : 200;
        rc = answer(r, o, form, out, !is_new && form == FORM_V1, e);
    }
    json_decref(out);
    return tag_fail(form, rc, e);
}

fa_rc api_v1_tag_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, FORM_V1, true, e);
}

fa_rc api_v1_tag_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, FORM_V1, false, e);
}

fa_rc api_v2_tag_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, FORM_V2, true, e);
}

fa_rc api_v2_tag_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, FORM_V2, false, e);
}

fa_rc api_vt_post(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, FORM_INTERNAL, true, e);
}

fa_rc api_vt_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save(r, o, FORM_INTERNAL, false, e);
}

fa_rc api_vt_get(fa_req *r, fa_res *o, fa_err *e)
{
    return get(r, o, FORM_INTERNAL, e);
}

fa_rc api_v1_tag_delete(fa_req *r, fa_res *o, fa_err *e)
{
    tag_use *use;
    size_t n;

    o->status = 204;
    return tag_fail(FORM_V1, tag_delete(r, r->arg[0], true, &use, &n, e), e);
}

fa_rc api_v2_tag_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_tag_row row;
    json_t *doc;
    tag_use *use;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_tag_open(r->ledger, r->mem, r->arg[0], &row, &doc, e);

    if (rc)
        return rc;
    json_decref(doc);
    if ((rc = tag_delete(r, r->arg[0], true, &use, &n, e)))
        return tag_fail(FORM_V2, rc, e);
    v2_begin(&w, r, o);
    fa_jw_key(&w, "data");
    fa_jw_obj(&w);
    put_str(&w, "id", row.id);
    put_str(&w, "name", row.name);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

/* ---- the internal list: a bare array, only the fields asked for ---- */

static void put_asked(fa_req *r, fa_jw *w, tag_form form, const tag_ctx *x, const json_t *doc)
{
    fa_buf whole = {0};
    json_t *all, *v;
    const char *name;
    fa_jw one;

    if (!fa_req_has_query(r, "fields")) {
        put_object(r, w, form, x, doc);
        return;
    }
    fa_jw_init(&one, &whole);
    put_object(r, &one, form, x, doc);
    all = whole.failed ? NULL : json_loadb(whole.p, whole.n, 0, NULL);
    fa_jw_obj(w);
    json_object_foreach(all, name, v) if (in_fields(r, name)) put_json(w, name, v);
    fa_jw_end_obj(w);
    json_decref(all);
    fa_buf_release(&whole);
}

fa_rc api_vt_list(fa_req *r, fa_res *o, fa_err *e)
{
    tag_ctx x;
    fa_jw w;
    fa_rc rc = tag_ctx_get(r, &x, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_arr(&w);
    rc = put_all(r, &w, FORM_INTERNAL, &x, put_asked, e);
    fa_jw_end_arr(&w);
    tag_ctx_put(&x);
    return rc;
}

/* ---- versions ---- */

typedef struct page {
    int64_t from, to, size;
    bool asc;
    fa_str after; /* id of the last version shown; empty: from the start */
} page;

/* A cursor carries the question, so that repeating the other parameters is neither needed nor harmful. */
static char *cursor_of(fa_arena *a, const page *p, fa_str last)
{
    char *plain = fa_arena_printf(a, "%lld,%lld,%lld,%d,%.*s", (long long)p->from, (long long)p->to,
                                  (long long)p->size, p->asc, FA_FMT(last));
    size_t n = plain ? strlen(plain) : 0,
           room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *out = plain ? fa_arena_alloc(a, room) : NULL;

    return out ? sodium_bin2base64(out, room, (const unsigned char *)plain, n,
                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING)
               : NULL;
}

static bool cursor_read(fa_arena *a, fa_str s, page *p)
{
    char *plain = fa_arena_alloc(a, s.n + 1);
    long long from, to, size;
    int asc, at = 0;
    size_t n = 0;

    if (!plain || s.n > 400 ||
        sodium_base642bin((unsigned char *)plain, s.n, s.p, s.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    plain[n] = '\0';
    if (sscanf(plain, "%lld,%lld,%lld,%d,%n", &from, &to, &size, &asc, &at) != 4 || at == 0 ||
        size < 1 || size > 100 || !fa_uuid_valid(fa_str_of(plain + at)))
        return false;
    *p = (page){from, to, size, asc == 1, fa_str_of(plain + at)};
    return true;
}

static fa_rc read_page(fa_req *r, page *p, fa_err *e)
{
    fa_str cursor = fa_req_query(r, "cursor"), dir = fa_req_query(r, "sortDirection");
    page own = {0, INT64_MAX, 50, false, {0}};
    const int64_t most = 253402300799999LL;
    bool differs;
    fa_rc rc;

    if (cursor.n && !cursor_read(r->mem, cursor, &own)) {
        fa_fail(e, FA_EINVAL, "the cursor is not one of this server");
        return fa_at(e, "cursor");
    }
    *p = own;
    if ((rc = in_query_int(r, "from", 0, most, own.from, &p->from, e)) ||
        (rc = in_query_int(r, "to", 0, most, own.to, &p->to, e)) ||
        (rc = in_query_int(r, "pageSize", 1, 100, own.size, &p->size, e)))
        return rc;
    if (dir.n) {
        if (!fa_str_eqz(dir, "asc") && !fa_str_eqz(dir, "desc")) {
            fa_fail(e, FA_EINVAL, "sortDirection must be asc or desc");
            return fa_at(e, "sortDirection");
        }
        p->asc = fa_str_eqz(dir, "asc");
    }
    differs = p->from != own.from || p->to != own.to || p->size != own.size || p->asc != own.asc;
    if (cursor.n && differs) {
        fa_fail(e, FA_EINVAL, "the cursor belongs to a question with other parameters");
        return fa_at(e, "cursor");
    }
    if (p->from > p->to) {
        fa_fail(e, FA_EINVAL, "from must not be later than to");
        return fa_at(e, "from");
    }
    return FA_OK;
}

static void put_version(fa_jw *w, const fa_tag_row *row, const fa_tag_version *v)
{
    put_str(w, "id", v->id);
    put_str(w, "createdBy", v->created_by);
    put_time(w, "createdAt", v->created_ms);
    put_bool(w, "isLive", fa_str_eq(v->id, row->live));
    put_str(w, "changeDescription", v->change);
}

/* Is there a tag of this id that has versions? A predefined one has none. */
static fa_rc tag_row(fa_req *r, fa_tag_row *row, fa_err *e)
{
    json_t *doc;
    fa_rc rc = tag_may_read(r, r->arg[0], e);

    if (!rc && !(rc = fa_tag_open(r->ledger, r->mem, r->arg[0], row, &doc, e)))
        json_decref(doc);
    return rc;
}

fa_rc api_v2_versions(fa_req *r, fa_res *o, fa_err *e)
{
    fa_tag_version *v;
    fa_tag_row row;
    size_t n, shown = 0, kept = 0;
    fa_str last = {0};
    bool started;
    page p;
    fa_jw w;
    fa_rc rc;

    if ((rc = read_page(r, &p, e)) || (rc = tag_row(r, &row, e)) ||
        (rc = fa_tag_version_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, row.id,
                                  &v, &n, e)))
        return rc;
    for (size_t i = 0; i < n; i++)
        if (v[i].created_ms >= p.from && v[i].created_ms <= p.to)
            v[kept++] = v[i];
    for (size_t i = 0; p.asc && i < kept / 2; i++) {
        fa_tag_version t = v[i];

        v[i] = v[kept - 1 - i];
        v[kept - 1 - i] = t;
    }
    started = !p.after.n;
    v2_begin(&w, r, o);
    fa_jw_key(&w, "data");
    fa_jw_arr(&w);
    for (n = 0; n < kept && shown < (size_t)p.size; n++) {
        if (!started) {
            started = fa_str_eq(v[n].id, p.after);
            continue;
        }
        fa_jw_obj(&w);
        put_version(&w, &row, &v[n]);
        fa_jw_end_obj(&w);
        last = v[n].id;
        shown++;
    }
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "pagination");
    fa_jw_obj(&w);
    put_z(&w, "nextCursor", n < kept ? cursor_of(r->mem, &p, last) : NULL);
    put_bool(&w, "hasMore", n < kept);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_v2_version(fa_req *r, fa_res *o, fa_err *e)
{
    fa_tag_version v;
    fa_tag_row row;
    json_t *doc = NULL;
    tag_ctx x;
    fa_jw w;
    fa_rc rc;

    if ((rc = tag_may_read(r, r->arg[0], e)) ||
        (rc = fa_tag_open_version(r->ledger, r->mem, r->arg[0], r->arg[1], &row, &v, &doc, e)))
        return rc;
    if ((rc = tag_ctx_get(r, &x, e)))
        goto done;
    v2_begin(&w, r, o);
    fa_jw_key(&w, "data");
    fa_jw_obj(&w);
    put_version(&w, &row, &v);
    fa_jw_key(&w, "versionData");
    fa_jw_obj(&w);
    tag_out_rules(r, &w, FORM_V2, &x, doc);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    tag_ctx_put(&x);
done:
    json_decref(doc);
    return rc;
}

/* ---- value metadata ---- */

fa_rc api_v1_meta(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *map;
    fa_jw w;
    fa_rc rc = tag_may_read(r, r->arg[0], e);

    if (!rc)
        rc = fa_tag_metadata(r->ledger, r->mem, r->arg[0], &map, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "requestId", r->request_id);
    put_json(&w, "metadata", map);
    fa_jw_end_obj(&w);
    json_decref(map);
    return FA_OK;
}

fa_rc api_v1_meta_put(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *map;
    fa_jw w;
    fa_rc rc = tag_may_write(r, r->arg[0], e);

    if (!rc)
        rc = fa_tag_metadata_put(r->ledger, r->mem, r->arg[0], r->json, false, r->caller->email,
                                 &map, e);

    if (rc)
        return tag_fail(FORM_V1, rc, e);
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "requestId", r->request_id);
    put_json(&w, "metadata", map);
    fa_jw_key(&w, "request");
    fa_jw_obj(&w);
    put_str(&w, "virtualTagId", r->arg[0]);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    json_decref(map);
    return FA_OK;
}

/* An unknown tag is 400 here: 404 is not in the list of these routes (api.md 8.5). */
static fa_rc meta_fail(fa_rc rc, fa_err *e)
{
    return e->rc = rc == FA_ENOTFOUND || rc == FA_EDATA ? FA_EINVAL : rc;
}

static void put_v2_meta(fa_req *r, fa_res *o, const json_t *map, bool with_id)
{
    fa_jw w;

    v2_begin(&w, r, o);
    fa_jw_key(&w, "data");
    fa_jw_obj(&w);
    put_json(&w, "metadata", map);
    if (with_id)
        put_str(&w, "virtualTagId", r->arg[0]);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
}

fa_rc api_v2_meta(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *map;
    fa_rc rc = tag_may_read(r, r->arg[0], e);

    if (!rc)
        rc = fa_tag_metadata(r->ledger, r->mem, r->arg[0], &map, e);

    if (rc)
        return meta_fail(rc, e);
    put_v2_meta(r, o, map, false);
    json_decref(map);
    return FA_OK;
}

fa_rc api_v2_meta_put(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *map;
    fa_rc rc = tag_may_write(r, r->arg[0], e);

    if (!rc)
        rc = fa_tag_metadata_put(r->ledger, r->mem, r->arg[0], r->json, false, r->caller->email,
                                 &map, e);

    if (rc)
        return meta_fail(rc, e);
    put_v2_meta(r, o, map, true);
    json_decref(map);
    return FA_OK;
}
