/*
 * moves.c - the preview of a draft's reallocation (doc/page-api.md, Virtual tags).
 */
#include "api/tags.h"

#include <string.h>

static const char *const kinds[] = {[FA_ALLOC_EVEN] = "even",
                                    [FA_ALLOC_PROPORTIONAL] = "proportional",
                                    [FA_ALLOC_METRIC] = "metric",
                                    [FA_ALLOC_FIXED] = "fixed"};

static void put_number(fa_jw *w, const char *key, fa_i128 v, int scale, int places)
{
    fa_buf b;

    fa_buf_init(&b, 128);
    fa_dec_emit(&b, v, scale, places);
    put_str(w, key, fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_values(fa_jw *w, const fa_moves *v)
{
    fa_jw_key(w, "values");
    fa_jw_arr(w);
    for (size_t i = 0; i < v->nvalue; i++) {
        fa_jw_obj(w);
        put_str(w, "value", v->value[i].value);
        put_money(w, "before", v->value[i].before_e10);
        put_money(w, "after", v->value[i].after_e10);
        put_money(w, "direct", v->value[i].direct_e10);
        put_money(w, "shared", v->value[i].shared_e10);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

static void put_row(fa_jw *w, const fa_move_row *r)
{
    fa_jw_obj(w);
    put_str(w, "value", r->value);
    if (r->has_weight)
        put_number(w, "weight", r->weight_e18, 18, 0);
    else
        put_z(w, "weight", NULL);
    put_number(w, "percent", fa_dec_round(r->share_e10 * 100 * FA_E8, 6), 6, 2);
    put_money(w, "cost", r->cost_e10);
    if (r->has_weight)
        put_money(w, "unitCost", r->unit_cost_e10);
    else
        put_z(w, "unitCost", NULL);
    fa_jw_end_obj(w);
}

/* One entry of the document; n NULL: it is switched off and does nothing. */
static void put_entry(fa_jw *w, const json_t *stored, const fa_move_entry *n)
{
    const json_t *type = json_object_get(stored, "type"), *name = json_object_get(stored, "name");

    fa_jw_obj(w);
    put_str(w, "name", n ? n->source : fa_str_of(json_string_value(name)));
    put_z(w, "type", n ? kinds[n->kind] : json_string_value(type));
    put_bool(w, "active", n != NULL);
    put_money(w, "moved", n ? n->moved_e10 : 0);
    put_money(w, "notReallocated", n ? n->stayed_e10 : 0);
    put_int(w, "carriedDays", n ? (int64_t)n->carried_days : 0);
    fa_jw_key(w, "rows");
    fa_jw_arr(w);
    for (size_t i = 0; n && i < n->nrow; i++)
        put_row(w, &n->row[i]);
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

static void put_entries(fa_jw *w, const json_t *document, const fa_moves *v)
{
    const json_t *list = json_object_get(document, "allocations");
    size_t at = 0;

    fa_jw_key(w, "entries");
    fa_jw_arr(w);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        bool active = !json_is_false(json_object_get(one, "active"));

        put_entry(w, one, active && at < v->nentry ? &v->entry[at] : NULL);
        at += active;
    }
    fa_jw_end_arr(w);
}

/* For a sankey: an edge per source and target. */
static void put_links(fa_jw *w, const fa_moves *v)
{
    fa_jw_key(w, "links");
    fa_jw_arr(w);
    for (size_t i = 0; i < v->nentry; i++)
        for (size_t k = 0; k < v->entry[i].nrow; k++) {
            fa_jw_obj(w);
            put_str(w, "source", v->entry[i].source);
            put_str(w, "target", v->entry[i].row[k].value);
            put_money(w, "cost", v->entry[i].row[k].cost_e10);
            fa_jw_end_obj(w);
        }
    fa_jw_end_arr(w);
}

static void put_moves(fa_jw *w, const json_t *document, const fa_moves *v)
{
    fa_jw_obj(w);
    fa_jw_key(w, "range");
    fa_jw_obj(w);
    put_day(w, "from", v->range.from);
    put_day(w, "to", v->range.to);
    fa_jw_end_obj(w);
    put_str(w, "currency", v->currency);
    fa_jw_key(w, "total");
    fa_jw_obj(w);
    put_money(w, "before", v->before_e10);
    put_money(w, "after", v->after_e10);
    put_money(w, "difference", v->after_e10 - v->before_e10);
    fa_jw_end_obj(w);
    put_values(w, v);
    put_entries(w, document, v);
    put_links(w, v);
    fa_jw_end_obj(w);
}

/* The range and cost type of the preview, as in a question; the caller's row rules hold. */
static fa_rc preview_plan(fa_req *r, const fa_catalog *c, fa_plan *p, fa_err *e)
{
    fa_rc rc = fa_question_plan(r->ledger, r->mem, c, r->json, p, e);

    if (rc)
        return rc;
    if (p->measure[0].type->is_usage) {
        (void)fa_fail(e, FA_EINVAL, "a preview counts a cost type");
        return fa_at(e, "costType");
    }
    p->deadline_mono_ms = r->deadline_mono_ms;
    return fa_caller_scope(r->ledger, r->mem, r->caller, &p->scope, e);
}

fa_rc api_tag_moves(fa_req *r, fa_res *o, fa_err *e)
{
    const json_t *body = json_object_get(r->json, "document");
    json_t *doc = NULL;
    fa_moves moves;
    fa_plan p;
    tag_ctx x;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)))
        return rc;
    if (!json_is_object(body)) {
        (void)fa_fail(e, FA_EINVAL, "document must be an object");
        return fa_at(e, "document");
    }
    if ((rc = tag_ctx_get(r, &x, e)))
        return rc;
    if (!(rc = tag_in(r, FORM_PAGE, &x, body, &doc, e)) &&
        json_object_get(body, "id")) /* read-only in a document, but which tag it is a draft of */
        rc = json_object_set(doc, "id", json_object_get(body, "id")) ? fa_oom(e) : FA_OK;
    if (!rc && !(rc = preview_plan(r, x.c, &p, e)))
        rc = fa_tag_moves(r->ledger, r->mem, doc, &p, &moves, e);
    if (!rc) {
        fa_jw_init(&w, &o->body);
        put_moves(&w, doc, &moves);
    }
    tag_ctx_put(&x);
    json_decref(doc);
    return rc;
}
