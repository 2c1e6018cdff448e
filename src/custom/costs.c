/*
 * costs.c - the entries as a whole: kept, shown, brought back, and loaded as lines.
 */
#include "custom/inner.h"

#include <stdlib.h>
#include <string.h>

enum { CSV_MAX = 512 << 20, ENTRIES_MAX = 5000 };

fa_str fa_custom_text(const json_t *v)
{
    return (fa_str){json_string_value(v) ? json_string_value(v) : "", json_string_length(v)};
}

json_t *fa_custom_time(int64_t ms)
{
    fa_buf b = {0};
    json_t *j;

    fa_time_iso(&b, ms);
    j = b.failed ? NULL : json_stringn(b.p, b.n);
    fa_buf_release(&b);
    return j;
}

/* ---- rows ---- */

static fa_str dump(fa_arena *a, const json_t *v)
{
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    fa_str s = text ? fa_arena_dup(a, fa_str_of(text)) : (fa_str){NULL, 0};

    free(text);
    return s;
}

static fa_rc put_rows(fa_ledger *l, fa_arena *a, const fa_cost_entry *row, const json_t *body,
                      fa_buf *b, size_t *nrow, fa_err *e)
{
    static const char *const often[] = {"daily", "weekly", "monthly", "yearly"};
    bool is_percent = json_is_string(json_object_get(body, "percent")), recurs = false;
    fa_str cell[FA_FC__COUNT] = {0}, currency, note = fa_custom_text(json_object_get(body, "note")),
           name = fa_custom_text(json_object_get(body, "name"));
    const json_t *dims = json_object_get(body, "dimensions");
    fa_custom_line *line;
    size_t n;
    fa_rc rc = fa_custom_entry_lines(l, a, body, &line, &n, &currency, NULL, e);

    if (rc)
        return rc;
    for (size_t i = 0; i < FA_COUNT(often); i++)
        recurs =
            recurs || fa_str_eqz(fa_custom_text(json_object_get(body, "recurrence")), often[i]);
    cell[FA_FC_DESCRIPTION] =
        note.n ? fa_str_of(fa_arena_printf(a, "%.*s: %.*s", FA_FMT(name), FA_FMT(note))) : name;
    cell[FA_FC_FREQUENCY] = recurs ? FA_STR("Recurring") : FA_STR("One-Time");
    cell[FA_FC_PROVIDER] = FA_STR("Custom Cost");
    cell[FA_FC_SERVICE] = fa_custom_text(json_object_get(body, "service"));
    if (!cell[FA_FC_SERVICE].n)
        cell[FA_FC_SERVICE] = name;
    cell[FA_FC_SERVICE_CATEGORY] = FA_STR("Other");
    cell[FA_FC_RESOURCE] = fa_str_of(fa_arena_printf(a, "custom-cost/%.*s", FA_FMT(row->id)));
    cell[FA_FC_RESOURCE_NAME] = name;
    cell[FA_FC_RESOURCE_TYPE] = is_percent ? FA_STR(FA_PERCENT_TYPE) : FA_STR("Custom cost entry");
    if (json_object_size(dims))
        cell[FA_FC_TAGS] = dump(a, dims);
    for (size_t i = 0; i < n; i++) {
        cell[FA_FC_CATEGORY] = line[i].amount_e18 < 0 ? FA_STR("Credit") : FA_STR("Usage");
        fa_focus_row(b, fa_ledger_account(l), currency, line[i].day, line[i].amount_e18, cell);
    }
    *nrow += n;
    return b->failed ? fa_fail(e, FA_EDATA, "the custom costs are too many to load") : FA_OK;
}

/* All entries of one kind as one load. */
static fa_rc load_kind(fa_ledger *l, bool percent, fa_err *e)
{
    fa_cost_entry *row;
    size_t n, nrow = 0;
    fa_arena a;
    fa_load load;
    fa_buf b;
    fa_rc rc;

    fa_arena_init(&a, 0);
    fa_buf_init(&b, CSV_MAX);
    fa_focus_header(&b);
    rc = fa_cost_entry_list(fa_ledger_store(l), &a, fa_ledger_account(l), &row, &n, e);
    for (size_t i = 0; !rc && i < n; i++) {
        json_t *body = row[i].body.n ? json_loadb(row[i].body.p, row[i].body.n, 0, NULL) : NULL;

        if (body && json_is_string(json_object_get(body, "percent")) == percent)
            rc = put_rows(l, &a, &row[i], body, &b, &nrow, e);
        json_decref(body);
    }
    if (!rc)
        rc = fa_custom_load(l, &a, percent ? FA_STR(FA_PERCENT_SOURCE) : FA_STR(FA_CUSTOM_SOURCE),
                            fa_buf_view(&b), nrow > 0, &load, e);
    fa_buf_release(&b);
    fa_arena_release(&a);
    return rc;
}

static fa_rc refresh(fa_ledger *l, fa_err *e)
{
    fa_rc rc = load_kind(l, false, e);

    return rc ? rc
              : load_kind(l, true,
                          e); /* after the amounts: they may be part of what a percentage selects */
}

fa_rc fa_custom_refresh(fa_ledger *l, fa_err *e)
{
    fa_rc rc;

    fa_custom_lock();
    rc = refresh(l, e);
    fa_custom_unlock();
    return rc;
}

/* ---- shown ---- */

static fa_rc shown(fa_ledger *l, fa_arena *a, const fa_cost_entry *row, json_t **out, fa_err *e)
{
    json_t *o = json_loadb(row->body.p, row->body.n, 0, NULL);
    fa_cost_entry first;
    fa_rc rc =
        o ? fa_cost_entry_first(fa_ledger_store(l), a, fa_ledger_account(l), row->id, &first, e)
          : fa_fail(e, FA_EDATA, "the entry \"%.*s\" in meta.db is damaged", FA_FMT(row->id));

    if (!rc &&
        (json_object_set_new(o, "id", json_stringn(row->id.p, row->id.n)) ||
         json_object_set_new(o, "createdBy",
                             json_stringn(first.created_by.p, first.created_by.n)) ||
         json_object_set_new(o, "createdAt", fa_custom_time(first.created_ms)) ||
         json_object_set_new(o, "updatedBy", json_stringn(row->created_by.p, row->created_by.n)) ||
         json_object_set_new(o, "updatedAt", fa_custom_time(row->created_ms))))
        rc = fa_oom(e);
    if (rc)
        json_decref(o);
    else
        *out = o;
    return rc;
}

fa_rc fa_custom_entries(fa_ledger *l, fa_arena *a, json_t **out, fa_err *e)
{
    fa_cost_entry *row;
    size_t n;
    fa_rc rc = fa_cost_entry_list(fa_ledger_store(l), a, fa_ledger_account(l), &row, &n, e);

    *out = NULL;
    if (rc || !(*out = json_array()))
        return rc ? rc : fa_oom(e);
    for (size_t i = 0; !rc && i < n; i++) {
        json_t *one = NULL;

        if (row[i].body.n && !(rc = shown(l, a, &row[i], &one, e)) &&
            json_array_append_new(*out, one))
            rc = fa_oom(e);
    }
    if (rc) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

static fa_rc states_of(fa_ledger *l, fa_arena *a, fa_str id, fa_cost_entry **row, size_t *n,
                       fa_err *e)
{
    fa_rc rc = fa_cost_entry_states(fa_ledger_store(l), a, fa_ledger_account(l), id, row, n, e);

    return rc || *n ? rc : fa_fail(e, FA_ENOTFOUND, "no such entry");
}

fa_rc fa_custom_entry_states(fa_ledger *l, fa_arena *a, fa_str id, json_t **out, fa_err *e)
{
    fa_cost_entry *row;
    size_t n;
    fa_rc rc = states_of(l, a, id, &row, &n, e);

    *out = NULL;
    if (rc || !(*out = json_array()))
        return rc ? rc : fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        json_t *body =
            row[i].body.n ? json_loadb(row[i].body.p, row[i].body.n, 0, NULL) : json_null();

        json_array_append_new(
            *out, json_pack("{s:I,s:o,s:o,s:o}", "n", (json_int_t)row[i].n, "by",
                            json_stringn(row[i].created_by.p, row[i].created_by.n), "at",
                            fa_custom_time(row[i].created_ms), "entry", body ? body : json_null()));
    }
    return FA_OK;
}

/* ---- changed ---- */

/* Adds the state and loads what follows; a load that fails takes the state back by another one. */
static fa_rc apply(fa_ledger *l, fa_arena *a, fa_str id, fa_str body, fa_str by, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    fa_cost_entry v = {.id = id, .body = body, .created_by = by, .created_ms = fa_now_ms()}, *was;
    fa_err later;
    size_t n;
    fa_rc rc;

    if ((rc = fa_cost_entry_states(s, a, account, id, &was, &n, e)) ||
        (rc = fa_cost_entry_add(s, account, &v, e)) || !(rc = refresh(l, e)))
        return rc;
    v.body = n ? was[0].body : FA_STR("");
    if (fa_cost_entry_add(s, account, &v, &later) || refresh(l, &later))
        fa_log(FA_LOG_ERROR, "custom_cost", "entry=%.*s error=%s action=retried-at-next-refresh",
               FA_FMT(id), later.msg);
    return rc;
}

static fa_rc give(fa_ledger *l, fa_arena *a, fa_str id, json_t **out, fa_err *e)
{
    fa_cost_entry *row;
    size_t n;
    fa_rc rc = states_of(l, a, id, &row, &n, e);

    *out = NULL;
    return rc || !row[0].body.n ? rc : shown(l, a, &row[0], out, e);
}

static fa_rc save(fa_ledger *l, fa_arena *a, fa_str id, const json_t *body, fa_str by, json_t **out,
                  fa_err *e)
{
    fa_cost_entry *row;
    fa_custom_line *line;
    json_t *normal = NULL;
    fa_str text = FA_STR(""), currency;
    char fresh[37];
    size_t n;
    fa_rc rc;

    if (id.n) {
        if ((rc = states_of(l, a, id, &row, &n, e)))
            return rc;
        if (!row[0].body.n)
            return fa_fail(e, FA_ENOTFOUND, "no such entry");
    } else {
        if ((rc = fa_cost_entry_list(fa_ledger_store(l), a, fa_ledger_account(l), &row, &n, e)))
            return rc;
        if (n >= ENTRIES_MAX)
            return fa_fail(
                e, FA_EDATA,
                "there are %d entries already; bring more as a file of a custom cost center",
                ENTRIES_MAX);
        fa_uuid_v4(fresh);
        id = fa_arena_dup(a, fa_str_of(fresh));
    }
    if (body) {
        if ((rc = fa_custom_entry_lines(l, a, body, &line, &n, &currency, &normal, e))) {
            json_decref(normal);
            return rc;
        }
        text = dump(a, normal);
        json_decref(normal);
        if (!text.p)
            return fa_oom(e);
    }
    if ((rc = apply(l, a, id, text, by, e)))
        return rc;
    return give(l, a, id, out, e);
}

fa_rc fa_custom_entry_save(fa_ledger *l, fa_arena *a, fa_str id, const json_t *body, fa_str by,
                           json_t **out, fa_err *e)
{
    fa_rc rc;

    *out = NULL;
    fa_custom_lock();
    rc = save(l, a, id, body, by, out, e);
    fa_custom_unlock();
    return rc;
}

/* Undo twice is redo: the state before the last is always the one that is brought back. */
fa_rc fa_custom_entry_undo(fa_ledger *l, fa_arena *a, fa_str id, fa_str by, json_t **out, fa_err *e)
{
    fa_cost_entry *row;
    size_t n;
    fa_rc rc;

    *out = NULL;
    fa_custom_lock();
    if (!(rc = states_of(l, a, id, &row, &n, e)) &&
        !(rc = apply(l, a, id, n > 1 ? row[1].body : FA_STR(""), by, e)))
        rc = give(l, a, id, out, e);
    fa_custom_unlock();
    return rc;
}
