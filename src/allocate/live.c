/*
 * live.c - the live tags of the account as one set, read from meta.db when something has changed.
 */
#include "allocate/inner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The latest set, shared by whoever asks; under its lock. `version` grows with every change. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fa_tag_set *latest;
static char latest_account[64];
static const fa_ledger *latest_ledger;
static uint64_t version = 1, latest_version, latest_epoch;

void fa_tags_changed(void)
{
    pthread_mutex_lock(&lock);
    version++;
    pthread_mutex_unlock(&lock);
}

void fa_tags_cache_free(void)
{
    pthread_mutex_lock(&lock);
    fa_tag_set_put(latest);
    latest = NULL;
    pthread_mutex_unlock(&lock);
}

static json_t *json_str(fa_str s)
{
    return json_stringn(s.n ? s.p : "", s.n);
}

static json_t *json_time(int64_t ms)
{
    fa_buf b = {0};
    json_t *j;

    fa_time_iso(&b, ms);
    j = b.failed ? NULL : json_stringn(b.p, b.n);
    fa_buf_release(&b);
    return j;
}

fa_rc fa_tag_compose(const fa_tag_row *t, const fa_tag_version *v, json_t **out, fa_err *e)
{
    json_t *doc = json_loadb(v->document.p, v->document.n, 0, NULL);
    json_t *acl = json_loadb(t->acl.p, t->acl.n, 0, NULL);

    *out = NULL;
    if (!json_is_object(doc) || !json_is_object(acl)) {
        json_decref(doc);
        json_decref(acl);
        return fa_fail(e, FA_EDATA, "the virtual tag \"%.*s\" in meta.db is damaged",
                       FA_FMT(t->name));
    }
    /* a staged version may have another name; what is live is called as the tag */
    if ((!fa_str_eq(v->id, t->staged) && json_object_set_new(doc, "name", json_str(t->name))) ||
        json_object_set_new(doc, "id", json_str(t->id)) ||
        json_object_set_new(doc, "folderId",
                            t->folder_id.n ? json_str(t->folder_id) : json_null()) ||
        json_object_set(doc, "acl", acl) ||
        json_object_set_new(doc, "createdBy", json_str(t->created_by)) ||
        json_object_set_new(doc, "updatedBy", json_str(t->updated_by)) ||
        json_object_set_new(doc, "createdAt", json_time(t->created_ms)) ||
        json_object_set_new(doc, "updatedAt", json_time(t->updated_ms))) {
        json_decref(acl);
        json_decref(doc);
        return fa_oom(e);
    }
    json_decref(acl);
    *out = doc;
    return FA_OK;
}

static const fa_doc *doc_of(const fa_tag_set *old, fa_str id)
{
    size_t n = 0;
    const fa_doc *d = old ? fa_tag_set_docs(old, &n) : NULL;

    for (size_t i = 0; i < n; i++)
        if (fa_str_eq(d[i].id, id))
            return &d[i];
    return NULL;
}

/* Everything a composed document is made of. */
static fa_str stamp_of(fa_arena *a, const fa_tag_row *t)
{
    char *z = fa_arena_printf(a, "%.*s\n%.*s\n%.*s\n%.*s\n%.*s\n%lld\n%d", FA_FMT(t->live),
                              FA_FMT(t->name), FA_FMT(t->folder_id), FA_FMT(t->acl),
                              FA_FMT(t->updated_by), (long long)t->updated_ms,
                              fa_str_eq(t->live, t->staged));

    return fa_str_of(z);
}

/* What the last set has already is taken from there: a change of one rule reads one document, and unpacks no rows. */
static fa_rc read_one(fa_ledger *l, fa_arena *a, const fa_tag_set *old, const fa_tag_row *t,
                      fa_doc *d, fa_err *e)
{
    const fa_doc *was = doc_of(old, t->id);
    fa_str stamp = stamp_of(a, t);
    fa_rows_shape shape;
    fa_tag_version v;
    json_t *doc = NULL;
    char hex[33] = "";
    fa_rc rc;

    if (was && stamp.n && fa_str_eq(was->stamp, stamp)) {
        *d = (fa_doc){.json = json_incref((json_t *)(uintptr_t)was->json),
                      .rows = fa_rows_ref(was->rows),
                      .content = was->content,
                      .stamp = stamp,
                      .at = ""};
        return FA_OK;
    }
    *d = (fa_doc){.at = "", .stamp = stamp};
    if ((rc = fa_tag_version_get(fa_ledger_store(l), a, fa_ledger_account(l), t->id, t->live, &v,
                                 e)) ||
        (rc = fa_tag_compose(t, &v, &doc, e)))
        return rc;
    d->json = doc;
    fa_rows_shape_of(doc, &shape);
    if (!shape.nlevel || !v.rows_hash.n)
        return FA_OK;
    if (was && was->rows)
        fa_hex(hex, was->rows->hash, sizeof was->rows->hash);
    if (fa_str_eqz(v.rows_hash, hex) && was->rows->nlevel == shape.nlevel)
        d->rows = fa_rows_ref(was->rows);
    else
        rc = fa_content_load(l, v.rows_hash, &shape, &d->rows, e);
    return rc;
}

static void predefined_doc(const json_t *json, const fa_tag_set *old, fa_doc *d)
{
    const json_t *id = json_object_get(json, "id");
    const fa_doc *was = doc_of(old, (fa_str){json_string_value(id), json_string_length(id)});

    *d = (fa_doc){.json = json_incref((json_t *)(uintptr_t)json),
                  .content = was && was->json == json ? was->content : 0,
                  .at = ""};
}

static fa_rc read_all(fa_ledger *l, const fa_tag_set *old, fa_tag_set **out, fa_err *e)
{
    fa_tag_row *row;
    fa_doc *doc = NULL;
    size_t n = 0, have = 0;
    const json_t *made;
    fa_arena a;
    fa_rc rc;

    fa_arena_init(&a, 0);
    if ((rc = fa_predefined(&made, e)) ||
        (rc = fa_tag_list(fa_ledger_store(l), &a, fa_ledger_account(l), &row, &n, e)))
        goto done;
    if (!(doc = fa_arena_array(&a, n + json_array_size(made) + 1, sizeof *doc)))
        rc = fa_oom(e);
    for (size_t i = 0; !rc && i < n; i++)
        if (row[i].live.n)
            rc = read_one(l, &a, old, &row[i], &doc[have++], e);
    for (size_t i = 0; !rc && i < json_array_size(made); i++)
        predefined_doc(json_array_get(made, i), old, &doc[have++]);
    if (!rc)
        rc = fa_tag_set_make(doc, have, out, e);
    for (size_t i = 0; i < have; i++) {
        json_decref((json_t *)(uintptr_t)doc[i].json);
        fa_rows_unref(doc[i].rows);
    }
done:
    fa_arena_release(&a);
    return rc;
}

/* The set of `seen` if it is still that; else what can be used again of an older one. */
static fa_tag_set *look(fa_ledger *l, uint64_t epoch, uint64_t *seen, fa_tag_set **old)
{
    fa_tag_set *found = NULL;

    *old = NULL;
    pthread_mutex_lock(&lock);
    *seen = version;
    if (latest && latest_ledger == l && fa_str_eqz(fa_ledger_account(l), latest_account)) {
        if (latest_version == version && latest_epoch == epoch)
            found = fa_tag_set_ref(latest);
        else
            *old = fa_tag_set_ref(latest);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* false: something changed while it was read. */
static bool keep(fa_ledger *l, fa_tag_set *made, uint64_t seen, uint64_t epoch)
{
    bool same;

    pthread_mutex_lock(&lock);
    same = version == seen;
    if (same && made) {
        fa_tag_set_put(latest);
        latest = fa_tag_set_ref(made);
        latest_ledger = l;
        snprintf(latest_account, sizeof latest_account, "%.*s", FA_FMT(fa_ledger_account(l)));
        latest_version = seen;
        latest_epoch = epoch;
    }
    pthread_mutex_unlock(&lock);
    return same;
}

/* A writer raises the version while it still holds the store: who reads the new version reads what was committed,
 * and who was reading meanwhile reads again. */
fa_rc fa_tags_live(fa_ledger *l, fa_tag_set **out, fa_err *e)
{
    for (;;) {
        fa_tag_set *old, *made = NULL;
        uint64_t seen, epoch = fa_telemetry_epoch();
        fa_rc rc;

        if ((*out = look(l, epoch, &seen, &old)))
            return FA_OK;
        rc = read_all(l, old, &made, e);
        fa_tag_set_put(old);
        if (keep(l, made, seen, epoch)) {
            *out = made;
            return rc;
        }
        fa_tag_set_put(made);
    }
}
