/*
 * result.c - a load as people and programs see it: its record with the control totals of each step.
 */
#include "ledger/inner.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

fa_rc fa_ledger_load_result(fa_ledger *l, fa_arena *a, int64_t load_id, fa_load_result *out,
                            fa_err *e)
{
    json_t *detail, *list, *v;
    size_t i;

    memset(out, 0, sizeof *out);
    if (fa_load_get(l->store, a, l->account, load_id, &out->load, e) ||
        fa_total_list(l->store, a, l->account, load_id, &out->total, &out->ntotal, e) ||
        fa_part_of_load(l->store, a, l->account, load_id, &out->part, &out->npart, e) ||
        fa_restatement_list(l->store, a, l->account, load_id, &out->change, &out->nchange, e))
        return e->rc;
    detail = json_loadb(out->load.detail.p ? out->load.detail.p : "", out->load.detail.n, 0, NULL);
    list = json_object_get(detail, "notices");
    if (json_array_size(list) > 0) {
        out->notice = fa_arena_array(a, json_array_size(list), sizeof *out->notice);
        json_array_foreach(list, i, v) if (out->notice) out->notice[out->nnotice++] =
            fa_arena_dup(a, (fa_str){json_string_value(v), json_string_length(v)});
    }
    v = json_object_get(detail, "rejectFile");
    if (json_string_length(v) > 0)
        out->reject_file = fa_arena_dup(a, fa_str_of(json_string_value(v)));
    json_decref(detail);
    return FA_OK;
}

/* One currency and column over all days, at each step. */
typedef struct sum_row {
    fa_str currency, column;
    int64_t values;
    fa_i128 step[3];
    bool has[3];
} sum_row;

static const char *const steps[] = {"file", "archive", "ledger"};

static int step_of(fa_str name)
{
    for (int i = 0; i < 3; i++)
        if (fa_str_eqz(name, steps[i]))
            return i;
    return -1;
}

static size_t sum_totals(const fa_load_result *r, sum_row *sum, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < r->ntotal; i++) {
        const fa_total *t = &r->total[i];
        int step = step_of(t->step);
        fa_i128 v = 0;
        size_t k = 0;

        if (step < 0 || !fa_dec_parse(t->sum, false, &v, NULL))
            continue;
        while (k < n &&
               !(fa_str_eq(sum[k].currency, t->currency) && fa_str_eq(sum[k].column, t->column)))
            k++;
        if (k == n) {
            if (n == cap)
                continue;
            sum[n++] = (sum_row){.currency = t->currency, .column = t->column};
        }
        sum[k].step[step] += v;
        sum[k].has[step] = true;
        if (step == 0)
            sum[k].values += t->values;
    }
    return n;
}

static void put_sum(fa_jw *w, const char *key, fa_i128 v)
{
    fa_buf b;

    fa_buf_init(&b, 128);
    fa_dec_emit(&b, v, 18, 0);
    fa_jw_key(w, key);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_totals(fa_jw *w, const fa_load_result *r)
{
    size_t cap = 256 * (FA_M__COUNT + 1), n;
    sum_row *sum = calloc(cap, sizeof *sum);

    fa_jw_key(w, "totals");
    fa_jw_arr(w);
    n = sum ? sum_totals(r, sum, cap) : 0;
    for (size_t i = 0; i < n; i++) {
        const sum_row *s = &sum[i];
        bool equal = true;

        if (s->column.n == 0)
            continue;
        fa_jw_obj(w);
        fa_jw_key(w, "currency");
        fa_jw_str(w, s->currency);
        fa_jw_key(w, "column");
        fa_jw_str(w, s->column);
        fa_jw_key(w, "values");
        fa_jw_int(w, s->values);
        for (int k = 0; k < 3; k++) {
            if (s->has[k])
                put_sum(w, steps[k], s->step[k]);
            equal &= s->has[k] && s->step[k] == s->step[0];
        }
        fa_jw_key(w, "equal");
        fa_jw_bool(w, equal);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    free(sum);
}

/* Rows and money per day and currency, from the ledger's step. */
static void put_days(fa_jw *w, const fa_load_result *r)
{
    bool open = false;
    const fa_total *last = NULL;
    fa_buf b;

    fa_buf_init(&b, 64);
    fa_jw_key(w, "days");
    fa_jw_arr(w);
    for (size_t i = 0; i < r->ntotal; i++) {
        const fa_total *t = &r->total[i];

        if (!fa_str_eqz(t->step, "ledger"))
            continue;
        if (!last || last->day != t->day || !fa_str_eq(last->currency, t->currency)) {
            if (open)
                fa_jw_end_obj(w);
            fa_jw_obj(w);
            open = true;
            fa_buf_clear(&b);
            fa_day_emit(&b, t->day);
            fa_jw_key(w, "day");
            fa_jw_str(w, fa_buf_view(&b));
            fa_jw_key(w, "currency");
            fa_jw_str(w, t->currency);
        }
        last = t;
        if (t->column.n == 0) {
            fa_jw_key(w, "rows");
            fa_jw_int(w, t->values);
        } else {
            fa_jw_keys(w, t->column);
            fa_jw_str(w, t->sum);
        }
    }
    if (open)
        fa_jw_end_obj(w);
    fa_jw_end_arr(w);
    fa_buf_release(&b);
}

static void put_periods(fa_jw *w, const fa_load_result *r)
{
    bool live = false;

    fa_jw_key(w, "periods");
    fa_jw_arr(w);
    for (size_t i = 0; i < r->npart; i++) {
        fa_buf b;

        fa_buf_init(&b, 64);
        fa_day_emit(&b, r->part[i].period);
        fa_jw_str(w, (fa_str){b.p ? b.p : "", b.n >= 7 ? 7 : 0});
        fa_buf_release(&b);
        live |= r->part[i].live;
    }
    fa_jw_end_arr(w);
    fa_jw_key(w, "live");
    fa_jw_bool(w, live);
}

static void put_changes(fa_jw *w, const fa_load_result *r)
{
    fa_jw_key(w, "madeAt");
    if (r->load.made_ms >= 0)
        fa_jw_time(w, r->load.made_ms);
    else
        fa_jw_null(w);
    fa_jw_key(w, "restatements");
    fa_jw_arr(w);
    for (size_t i = 0; i < r->nchange; i++) {
        const fa_restatement *c = &r->change[i];
        fa_i128 before = 0, after = 0;
        fa_buf b;

        fa_buf_init(&b, 64);
        fa_day_emit(&b, c->period);
        fa_jw_obj(w);
        fa_jw_key(w, "period");
        fa_jw_str(w, (fa_str){b.p ? b.p : "", b.n >= 7 ? 7 : 0});
        fa_buf_release(&b);
        fa_jw_key(w, "currency");
        fa_jw_str(w, c->currency);
        fa_jw_key(w, "column");
        fa_jw_str(w, c->column);
        fa_jw_key(w, "before");
        fa_jw_str(w, c->before);
        fa_jw_key(w, "after");
        fa_jw_str(w, c->after);
        if (fa_dec_parse(c->before, false, &before, NULL) &&
            fa_dec_parse(c->after, false, &after, NULL))
            put_sum(w, "difference", after - before);
        fa_jw_key(w, "closed");
        fa_jw_bool(w, c->closed);
        fa_jw_key(w, "at");
        fa_jw_time(w, c->at_ms);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

void fa_load_result_json(fa_jw *w, const fa_load_result *r, bool with_days)
{
    const fa_load *l = &r->load;
    json_t *files = json_loadb(l->files.p ? l->files.p : "", l->files.n, 0, NULL), *v;
    size_t i;

    fa_jw_obj(w);
    fa_jw_key(w, "id");
    fa_jw_int(w, l->id);
    fa_jw_key(w, "source");
    fa_jw_str(w, l->source);
    fa_jw_key(w, "format");
    fa_jw_str(w, l->format);
    fa_jw_key(w, "state");
    fa_jw_str(w, l->state);
    fa_jw_key(w, "error");
    if (l->error.n)
        fa_jw_str(w, l->error);
    else
        fa_jw_null(w);
    fa_jw_key(w, "files");
    fa_jw_arr(w);
    json_array_foreach(files, i, v)
    {
        fa_jw_obj(w);
        fa_jw_key(w, "name");
        fa_jw_z(w, json_string_value(json_object_get(v, "name")));
        fa_jw_key(w, "bytes");
        fa_jw_int(w, json_integer_value(json_object_get(v, "bytes")));
        fa_jw_key(w, "rows");
        fa_jw_int(w, json_integer_value(json_object_get(v, "rows")));
        fa_jw_end_obj(w);
    }
    json_decref(files);
    fa_jw_end_arr(w);
    fa_jw_key(w, "rows");
    fa_jw_int(w, l->rows);
    fa_jw_key(w, "rejected");
    fa_jw_int(w, l->rejected);
    fa_jw_key(w, "startedAt");
    fa_jw_time(w, l->started_ms);
    fa_jw_key(w, "finishedAt");
    fa_jw_time(w, l->finished_ms);
    put_periods(w, r);
    fa_jw_key(w, "hasRejects");
    fa_jw_bool(w, r->reject_file.n > 0);
    fa_jw_key(w, "rejectFile");
    if (r->reject_file.n)
        fa_jw_str(w, r->reject_file);
    else
        fa_jw_null(w);
    put_totals(w, r);
    if (with_days)
        put_days(w, r);
    put_changes(w, r);
    fa_jw_key(w, "notices");
    fa_jw_arr(w);
    for (i = 0; i < r->nnotice; i++)
        fa_jw_str(w, r->notice[i]);
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}
