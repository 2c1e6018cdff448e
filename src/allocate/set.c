/*
 * set.c - documents into a set in order of dependency; the cycle printed when there is one.
 */
#include "allocate/inner.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct fa_tag_set {
    atomic_uint refs;
    fa_arena mem;
    fa_doc *doc; /* json and rows: a reference each */
    size_t ndoc;
    fa_tag *tag;
    size_t n;
    uint64_t hash;
};

/* Where a document stands while the set is ordered. */
enum { WHITE, GREY, BLACK };
typedef struct ordering {
    fa_tag_set *s;
    fa_map *owner; /* id of a key -> place of its document */
    fa_map *at;    /* id of a key -> place in the set */
    char *colour;
    size_t *trail, depth; /* the documents being looked at */
} ordering;

static fa_rc fail_cycle(const ordering *o, size_t again, fa_err *e)
{
    size_t from = 0;
    fa_buf b;

    fa_buf_init(&b, 700);
    while (o->trail[from] != again)
        from++;
    for (size_t i = from; i < o->depth; i++)
        fa_buf_fmt(&b, "%.*s -> ", FA_FMT(o->s->doc[o->trail[i]].name));
    fa_buf_str(&b, o->s->doc[again].name);
    (void)fa_fail(e, FA_EDATA, "virtual tags must not depend on themselves: %s",
                  b.failed ? "a long cycle" : b.p);
    fa_buf_release(&b);
    return fa_hint(e, "take one of these tags out of the rules of another");
}

static fa_rc copy_tags(ordering *o, const fa_doc *d, fa_err *e)
{
    fa_tag_set *s = o->s;
    size_t *dep = fa_arena_array(&s->mem, d->nreads + 1, sizeof *dep);

    if (!dep)
        return fa_oom(e);
    for (size_t i = 0; i < d->nreads; i++)
        (void)fa_map_get(o->at, d->reads[i], &dep[i]); /* it is there: visited before */
    for (size_t i = 0; i < d->ntag; i++) {
        fa_tag *t = &s->tag[s->n];

        *t = d->tag[i];
        t->dep = dep;
        t->ndep = d->nreads;
        if (d->is_tree && i > 0) {
            size_t *one = fa_arena_alloc(&s->mem, sizeof *one);

            if (!one)
                return fa_oom(e);
            *one = s->n - 1;
            t->dep = one;
            t->ndep = 1;
        }
        if (!fa_map_set(o->at, t->id, s->n))
            return fa_oom(e);
        s->n++;
    }
    return FA_OK;
}

static fa_rc visit(ordering *o, size_t place, fa_err *e)
{
    const fa_doc *d = &o->s->doc[place];

    if (o->colour[place] == BLACK)
        return FA_OK;
    if (o->colour[place] == GREY)
        return fail_cycle(o, place, e);
    o->colour[place] = GREY;
    o->trail[o->depth++] = place;
    for (size_t i = 0; i < d->nreads; i++) {
        size_t next;

        if (!fa_map_get(o->owner, d->reads[i], &next)) {
            (void)fa_fail(
                e, FA_EDATA, "\"%.*s\" reads the virtual tag \"%.*s\", which does not exist",
                FA_FMT(d->name), (int)(d->reads[i].n > 100 ? 100 : d->reads[i].n), d->reads[i].p);
            return fa_at(e, "key");
        }
        if (visit(o, next, e))
            return e->rc;
    }
    o->depth--;
    o->colour[place] = BLACK;
    return copy_tags(o, d, e);
}

/* ---- hashes: of what decides a line's value, and of what that reads ---- */

static fa_rc hash_json(crypto_generichash_state *h, const json_t *v, fa_err *e)
{
    char *text =
        v ? json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17))
          : NULL;

    if (v && !text)
        return fa_oom(e);
    crypto_generichash_update(h, (const unsigned char *)(text ? text : "-"),
                              text ? strlen(text) + 1 : 2);
    free(text);
    return FA_OK;
}

static uint64_t end_hash(crypto_generichash_state *h)
{
    unsigned char out[crypto_generichash_BYTES];
    uint64_t v;

    crypto_generichash_final(h, out, sizeof out);
    memcpy(&v, out, sizeof v);
    return v;
}

static bool reads_telemetry(const fa_tag *t)
{
    bool yes = t->kind == FA_TAG_RELATIONAL;

    for (size_t i = 0; i < t->nalloc; i++)
        yes = yes || t->alloc[i].kind == FA_ALLOC_METRIC;
    return yes;
}

/* Of one document; long ones are only looked at when they are new. */
static fa_rc hash_doc(fa_doc *d, fa_err *e)
{
    static const char *const members[] = {"kind",     "defaultValue", "rules",     "allocations",
                                          "relation", "hierarchy",    "dictionary"};
    crypto_generichash_state h;

    if (d->content)
        return FA_OK;
    crypto_generichash_init(&h, NULL, 0, crypto_generichash_BYTES);
    for (size_t m = 0; m < FA_COUNT(members); m++)
        if (hash_json(&h, json_object_get(d->json, members[m]), e))
            return e->rc;
    if (d->rows)
        crypto_generichash_update(&h, d->rows->hash, sizeof d->rows->hash);
    d->content = end_hash(&h) | 1;
    return FA_OK;
}

static fa_rc hash_tags(fa_tag_set *s, const ordering *o, fa_err *e)
{
    crypto_generichash_state all;

    crypto_generichash_init(&all, NULL, 0, crypto_generichash_BYTES);
    for (size_t i = 0; i < s->n; i++) {
        fa_tag *t = &s->tag[i];
        uint64_t own[3] = {0, t->component, reads_telemetry(t) ? fa_telemetry_epoch() : 0};
        crypto_generichash_state h;
        size_t place = 0;

        (void)fa_map_get(o->owner, t->id, &place);
        if (hash_doc(&s->doc[place], e))
            return e->rc;
        own[0] = s->doc[place].content;
        crypto_generichash_init(&h, NULL, 0, crypto_generichash_BYTES);
        crypto_generichash_update(&h, (const unsigned char *)own, sizeof own);
        for (size_t d = 0; d < t->ndep; d++)
            crypto_generichash_update(&h, (const unsigned char *)&s->tag[t->dep[d]].hash,
                                      sizeof t->hash);
        t->hash = end_hash(&h);
        crypto_generichash_update(&all, (const unsigned char *)t->id.p, t->id.n);
        crypto_generichash_update(&all, (const unsigned char *)t->name.p, t->name.n);
        crypto_generichash_update(&all, (const unsigned char *)&t->hash, sizeof t->hash);
    }
    s->hash = end_hash(&all);
    return FA_OK;
}

/* ---- making one ---- */

static fa_rc own_keys(ordering *o, size_t *total, fa_err *e)
{
    fa_tag_set *s = o->s;

    for (size_t i = 0; i < s->ndoc; i++)
        for (size_t k = 0; k < s->doc[i].ntag; k++) {
            size_t was;
            bool added;

            if (!fa_map_add(o->owner, s->doc[i].tag[k].id, i, &was, &added))
                return fa_oom(e);
            if (!added) {
                (void)fa_fail(e, FA_EDATA, "\"%.*s\" and \"%.*s\" have the same id",
                              FA_FMT(s->doc[was].name), FA_FMT(s->doc[i].name));
                return fa_at(e, "id");
            }
            ++*total;
        }
    return FA_OK;
}

static fa_rc order(fa_tag_set *s, fa_err *e)
{
    ordering o = {.s = s, .owner = fa_map_new(), .at = fa_map_new()};
    size_t total = 0;
    fa_rc rc = FA_OK;

    o.colour = fa_arena_array(&s->mem, s->ndoc + 1, 1);
    o.trail = fa_arena_array(&s->mem, s->ndoc + 1, sizeof *o.trail);
    if (!o.owner || !o.at || !o.colour || !o.trail)
        rc = fa_oom(e);
    if (!rc)
        rc = own_keys(&o, &total, e);
    if (!rc && !(s->tag = fa_arena_array(&s->mem, total + 1, sizeof *s->tag)))
        rc = fa_oom(e);
    for (size_t i = 0; !rc && i < s->ndoc; i++)
        rc = visit(&o, i, e);
    if (!rc)
        rc = hash_tags(s, &o, e);
    fa_map_free(o.owner);
    fa_map_free(o.at);
    return rc;
}

fa_rc fa_tag_set_make(fa_doc *doc, size_t n, fa_tag_set **out, fa_err *e)
{
    fa_tag_set *s = calloc(1, sizeof *s);
    fa_rc rc = FA_OK;

    *out = NULL;
    if (!s)
        return fa_oom(e);
    atomic_init(&s->refs, 1);
    fa_arena_init(&s->mem, 0);
    if (n > FA_TAGS_MAX)
        rc = fa_fail(e, FA_EDATA, "an account can have at most %d virtual tags", FA_TAGS_MAX);
    else if (!(s->doc = fa_arena_array(&s->mem, n + 1, sizeof *s->doc)))
        rc = fa_oom(e);
    for (size_t i = 0; !rc && i < n; i++) {
        fa_doc *d = &s->doc[s->ndoc++];

        *d = (fa_doc){.json = json_incref((json_t *)(uintptr_t)doc[i].json),
                      .rows = fa_rows_ref(doc[i].rows),
                      .content = doc[i].content,
                      .at = doc[i].at};
        if (!(rc = fa_doc_read(&s->mem, d, e)) && doc[i].stamp.n &&
            !(d->stamp = fa_arena_dup(&s->mem, doc[i].stamp)).p)
            rc = fa_oom(e);
        d->at = "";
    }
    if (!rc)
        rc = order(s, e);
    if (rc)
        fa_tag_set_put(s);
    else
        *out = s;
    return rc;
}

fa_tag_set *fa_tag_set_ref(fa_tag_set *s)
{
    if (s)
        atomic_fetch_add(&s->refs, 1);
    return s;
}

void fa_tag_set_put(fa_tag_set *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->ndoc; i++) {
        json_decref((json_t *)(uintptr_t)s->doc[i].json);
        fa_rows_unref(s->doc[i].rows);
    }
    fa_arena_release(&s->mem);
    free(s);
}

fa_rc fa_tag_set_parse(const json_t *documents, fa_tag_set **out, fa_err *e)
{
    size_t n = json_array_size(documents);
    fa_arena a;
    fa_doc *doc;
    fa_rc rc = FA_OK;

    *out = NULL;
    if (!json_is_array(documents))
        return fa_fail(e, FA_EINVAL, "the virtual tags must be an array");
    fa_arena_init(&a, 0);
    if (!(doc = fa_arena_array(&a, n + 1, sizeof *doc)))
        rc = fa_oom(e);
    for (size_t i = 0; !rc && i < n; i++) {
        doc[i].json = json_array_get(documents, i);
        doc[i].at = fa_arena_printf(&a, "[%zu].", i);
        if (!doc[i].at)
            rc = fa_oom(e);
    }
    if (!rc)
        rc = fa_tag_set_make(doc, n, out, e);
    fa_arena_release(&a);
    return rc;
}

/* The id of a document: 1,000 are looked at in less time than a map of them takes to make. */
static bool has_id(const json_t *doc, fa_str id)
{
    const json_t *v = json_object_get(doc, "id");

    return json_is_string(v) &&
           fa_str_eq((fa_str){json_string_value(v), json_string_length(v)}, id);
}

fa_rc fa_tag_set_with_rows(const fa_tag_set *base, const json_t *document, fa_tag_rows *rows,
                           bool keep_rows, fa_tag_set **out, fa_err *e)
{
    const json_t *id = json_object_get(document, "id");
    fa_str key = {json_string_value(id), json_string_length(id)};
    size_t n = base ? base->ndoc : 0, at = n;
    fa_arena a;
    fa_doc *doc;
    fa_rc rc;

    *out = NULL;
    fa_arena_init(&a, 0);
    if (!(doc = fa_arena_array(&a, n + 1, sizeof *doc))) {
        fa_arena_release(&a);
        return fa_oom(e);
    }
    for (size_t i = 0; i < n; i++) {
        doc[i] = (fa_doc){.json = base->doc[i].json,
                          .rows = base->doc[i].rows,
                          .content = base->doc[i].content,
                          .at = ""};
        if (key.n && has_id(base->doc[i].json, key))
            at = i;
    }
    if (keep_rows && at < n)
        rows = base->doc[at].rows;
    doc[at] = (fa_doc){.json = document, .rows = rows, .at = ""};
    rc = fa_tag_set_make(doc, at < n ? n : n + 1, out, e);
    fa_arena_release(&a);
    return rc;
}

fa_rc fa_tag_set_with(const fa_tag_set *base, const json_t *document, fa_tag_set **out, fa_err *e)
{
    return fa_tag_set_with_rows(base, document, NULL, true, out, e);
}

/* ---- looking ---- */

fa_doc *fa_tag_set_docs(const fa_tag_set *s, size_t *n)
{
    *n = s->ndoc;
    return s->doc;
}

const json_t *fa_tag_set_document(const fa_tag_set *s, fa_str id)
{
    for (size_t i = 0; i < s->ndoc; i++)
        if (fa_str_eq(s->doc[i].id, id))
            return s->doc[i].json;
    return NULL;
}

const fa_tag *fa_tag_set_all(const fa_tag_set *s, size_t *n)
{
    *n = s->n;
    return s->tag;
}

const fa_tag *fa_tag_set_find(const fa_tag_set *s, fa_str id)
{
    for (size_t i = 0; i < s->n; i++)
        if (fa_str_eq(s->tag[i].id, id))
            return &s->tag[i];
    for (size_t i = 0; i < s->n; i++)
        if (fa_str_ieq(s->tag[i].name, id))
            return &s->tag[i];
    return NULL;
}

uint64_t fa_tag_set_hash(const fa_tag_set *s)
{
    return s->hash;
}

fa_rc fa_tag_graph(const fa_tag_set *s, fa_arena *a, fa_tag_node **out, size_t *n, fa_err *e)
{
    fa_tag_node *node = fa_arena_array(a, s->ndoc + 1, sizeof *node);
    fa_map *owner = fa_map_new();
    fa_rc rc = node && owner ? FA_OK : fa_oom(e);

    for (size_t i = 0; !rc && i < s->ndoc; i++) {
        const fa_doc *d = &s->doc[i];

        node[i] = (fa_tag_node){
            .id = d->id, .name = d->name, .doc = d->json, .key = d->tag, .nkey = d->ntag};
        node[i].nrow = d->rows ? d->rows->n[0] : 0;
        node[i].reads = fa_arena_array(a, d->nreads + 1, sizeof *node[i].reads);
        node[i].users = fa_arena_array(a, s->ndoc + 1, sizeof *node[i].users);
        if (!node[i].reads || !node[i].users)
            rc = fa_oom(e);
        for (size_t k = 0; !rc && k < d->ntag; k++)
            if (!fa_map_set(owner, d->tag[k].id, i))
                rc = fa_oom(e);
    }
    for (size_t i = 0; !rc && i < s->ndoc; i++)
        for (size_t k = 0; k < s->doc[i].nreads; k++) {
            size_t to = 0;
            bool there = false;

            (void)fa_map_get(owner, s->doc[i].reads[k], &to);
            for (size_t m = 0; m < node[i].nreads; m++)
                there = there || node[i].reads[m] == to;
            if (there)
                continue;
            node[i].reads[node[i].nreads++] = to;
            node[to].users[node[to].nusers++] = i;
        }
    fa_map_free(owner);
    *out = node;
    *n = rc ? 0 : s->ndoc;
    return rc;
}

/* ---- telemetry ---- */

static _Atomic(uint64_t) epoch;

void fa_telemetry_touch(void)
{
    atomic_fetch_add(&epoch, 1);
}

uint64_t fa_telemetry_epoch(void)
{
    return atomic_load(&epoch);
}
