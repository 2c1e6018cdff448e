/*
 * feeds.c - does a view that feeds a telemetry read the tag the telemetry feeds? (inform.md 7.8)
 *
 * The one idea: tags depend on the tags they read and on those that the views of their telemetry read; documents
 * alone cannot be cyclic, so any cycle goes through a view and is named by it.
 */
#include "query/reallocate.h"

#include <stdlib.h>

enum { WHITE, GREY, BLACK };

typedef struct walk {
    fa_ledger *l;
    fa_arena *a;
    const fa_catalog *c;
    const fa_tag *tag;
    size_t n;
    char *colour;
    fa_str view; /* has `question` instead of the one it was saved with; empty: none has */
    const json_t *question;
    fa_err *e;
} walk;

static fa_rc visit(walk *w, size_t at, const fa_telemetry *by);

static fa_rc visit_key(walk *w, const fa_key *k, const fa_telemetry *by)
{
    return k->type == FA_K_VIRTUAL ? visit(w, (size_t)(k->tag->tag - w->tag), by) : FA_OK;
}

static fa_rc visit_filter(walk *w, const fa_filter *f, const fa_telemetry *by)
{
    if (!f)
        return FA_OK;
    for (size_t i = 0; i < f->nkid; i++)
        if (visit_filter(w, f->kid[i], by))
            return w->e->rc;
    return f->kind == FA_F_LEAF ? visit_key(w, f->key, by) : FA_OK;
}

/* What the view of a telemetry reads; one that is gone or cannot be read any more reads nothing. */
static fa_rc visit_view(walk *w, fa_str telemetry)
{
    fa_telemetry t;
    fa_err none = {0};
    fa_plan p;

    if (!telemetry.n || fa_telemetry_get(w->l, w->a, telemetry, &t, &none) ||
        !fa_str_eqz(t.type, "megabill-ratio") ||
        (w->view.n && fa_str_eq(w->view, t.view_id)
             ? rl_question_plan(w->l, w->a, w->c, w->question, &p, &none)
             : rl_view_plan(w->l, w->a, w->c, &t, &p, &none)))
        return FA_OK;
    for (size_t i = 0; i < p.ndim; i++)
        if (visit_key(w, p.dim[i], &t))
            return w->e->rc;
    return visit_filter(w, p.filter, &t);
}

static fa_rc visit(walk *w, size_t at, const fa_telemetry *by)
{
    const fa_tag *t = &w->tag[at];

    if (w->colour[at] == BLACK)
        return FA_OK;
    if (w->colour[at] == GREY) {
        (void)fa_fail(
            w->e, FA_EDATA,
            "the view that feeds the telemetry \"%.*s\" depends on the virtual tag \"%.*s\","
            " which is split by it",
            FA_FMT(by ? by->name : FA_STR("?")), FA_FMT(t->name));
        return fa_at(w->e, "allocations");
    }
    w->colour[at] = GREY;
    for (size_t i = 0; i < t->ndep; i++)
        if (visit(w, t->dep[i], by))
            return w->e->rc;
    if (visit_view(w, t->telemetry))
        return w->e->rc;
    for (size_t i = 0; i < t->nalloc; i++)
        if (t->alloc[i].kind == FA_ALLOC_METRIC && visit_view(w, t->alloc[i].telemetry))
            return w->e->rc;
    w->colour[at] = BLACK;
    return FA_OK;
}

static bool has_feeds(const json_t *document)
{
    return json_object_get(document, "relation") ||
           json_array_size(json_object_get(document, "allocations")) > 0;
}

static fa_rc visit_all(walk *w, const fa_catalog *c)
{
    fa_rc rc;

    w->c = c;
    w->tag = fa_tag_set_all(c->tags, &w->n);
    w->colour = fa_arena_alloc(w->a, w->n + 1);
    rc = w->colour ? FA_OK : fa_oom(w->e);
    for (size_t i = 0; !rc && i < w->n; i++)
        rc = visit(w, i, NULL);
    return rc;
}

fa_rc fa_tag_check_feeds(fa_ledger *l, const json_t *document, fa_str id, fa_err *e)
{
    json_t *d = has_feeds(document) ? fa_draft_complete(document) : NULL;
    fa_catalog *live = NULL, *draft = NULL;
    fa_tag_set *set = NULL;
    fa_arena a;
    walk w = {.l = l, .a = &a, .e = e};
    fa_rc rc = FA_OK;

    fa_arena_init(&a, 0);
    if (!d)
        goto done;
    if (id.n && json_object_set_new(d, "id", json_stringn(id.p, id.n))) {
        rc = fa_oom(e);
        goto done;
    }
    if ((rc = fa_catalog_get(l, &live, e)) || (rc = fa_tag_set_with(live->tags, d, &set, e)) ||
        (rc = fa_catalog_with(l, set, &draft, e)))
        goto done;
    rc = visit_all(&w, draft);
done:
    fa_catalog_put(draft);
    fa_catalog_put(live);
    fa_tag_set_put(set);
    fa_arena_release(&a);
    json_decref(d);
    return rc;
}

fa_rc fa_view_check_feeds(fa_ledger *l, fa_str view, const json_t *question, fa_err *e)
{
    fa_catalog *live = NULL;
    fa_arena a;
    walk w = {.l = l, .a = &a, .view = view, .question = question, .e = e};
    fa_rc rc;

    fa_arena_init(&a, 0);
    if (!(rc = fa_catalog_get(l, &live, e)) && (rc = visit_all(&w, live)))
        rc = fa_at(e, "question");
    fa_catalog_put(live);
    fa_arena_release(&a);
    return rc;
}
