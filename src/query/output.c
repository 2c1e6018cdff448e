/*
 * output.c - an answer for people (table), spreadsheets (CSV) and programs (JSON).
 *
 * The one idea: amounts are always written from the same exact integers, with at least two decimals
 * and every further one that is there; a text of the bill is never taken for a formula by a
 * spreadsheet.
 */
#include "query/inner.h"

#include <string.h>

#define WIDE_BUCKETS                                                                               \
    7 /* so many periods stand side by side in a table; more stand below each other */

static void put_day_text(fa_buf *b, const fa_plan *p, const fa_answer *r, size_t i)
{
    fa_day_emit(b, r->bucket[i]);
    if (p->bucket == FA_HOUR)
        fa_buf_fmt(b, "T%02d:00:00Z", (int)(r->bucket_ms[i] / 3600000 % 24));
}

/* ---- JSON ---- */

static void put_money(fa_jw *w, fa_i128 v)
{
    fa_buf b;

    fa_buf_init(&b, 256);
    fa_dec_emit(&b, v, 10, 2);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

/* One amount, or a list of them when the plan has several measurements. */
static void put_amounts(fa_jw *w, const fa_plan *p, const fa_i128 *v, const bool *none)
{
    if (p->nmeasure != 1)
        fa_jw_arr(w);
    for (size_t m = 0; m < p->nmeasure; m++)
        if (none[m])
            fa_jw_null(w);
        else
            put_money(w, v[m]);
    if (p->nmeasure != 1)
        fa_jw_end_arr(w);
}

static void put_sums(fa_jw *w, const fa_plan *p, const fa_answer *r, const fa_group *g,
                     const bool *none)
{
    static const bool all[FA_MAX_MEASUREMENTS] = {true, true, true, true, true};

    fa_jw_key(w, "total");
    put_amounts(w, p, g->total_e10, none);
    fa_jw_key(w, "previous");
    put_amounts(w, p, g->previous_e10, p->previous ? none : all);
    if (r->is_cut) {
        fa_jw_key(w, "compared");
        put_amounts(w, p, g->compared_e10, none);
    }
    fa_jw_key(w, "cells");
    fa_jw_arr(w);
    for (size_t i = 0; i < r->nbucket; i++)
        put_amounts(w, p, g->cell_e10 + i * p->nmeasure, none);
    fa_jw_end_arr(w);
}

/* {"direct","shared"} of what put_sums wrote. */
static void put_parts(fa_jw *w, const fa_plan *p, const fa_group *g, const bool *none)
{
    fa_i128 direct[FA_MAX_MEASUREMENTS];

    if (!p->shared)
        return;
    for (size_t m = 0; m < p->nmeasure; m++)
        direct[m] = g->total_e10[m] - g->shared_e10[m];
    fa_jw_key(w, "direct");
    put_amounts(w, p, direct, none);
    fa_jw_key(w, "shared");
    put_amounts(w, p, g->shared_e10, none);
}

static void put_range(fa_jw *w, const char *name, const fa_range *r)
{
    fa_buf b;

    fa_buf_init(&b, 64);
    fa_jw_key(w, name);
    fa_jw_obj(w);
    fa_day_emit(&b, r->from);
    fa_jw_key(w, "from");
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_clear(&b);
    fa_day_emit(&b, r->to);
    fa_jw_key(w, "to");
    fa_jw_str(w, fa_buf_view(&b));
    fa_jw_key(w, "days");
    fa_jw_int(w, (int64_t)r->to - r->from + 1);
    fa_jw_end_obj(w);
    fa_buf_release(&b);
}

static void put_buckets(fa_jw *w, const fa_plan *p, const fa_answer *r)
{
    fa_buf b;

    fa_buf_init(&b, 64);
    fa_jw_key(w, "buckets");
    fa_jw_arr(w);
    for (size_t i = 0; i < r->nbucket; i++) {
        fa_buf_clear(&b);
        put_day_text(&b, p, r, i);
        fa_jw_str(w, fa_buf_view(&b));
    }
    fa_jw_end_arr(w);
    fa_buf_release(&b);
}

static bool has_usage(const fa_plan *p)
{
    for (size_t m = 0; m < p->nmeasure; m++)
        if (p->measure[m].type->is_usage)
            return true;
    return false;
}

static void put_group(fa_jw *w, const fa_plan *p, const fa_answer *r, const fa_group *g)
{
    static const bool none[FA_MAX_MEASUREMENTS] = {false};

    fa_jw_obj(w);
    fa_jw_key(w, "values");
    fa_jw_arr(w);
    for (size_t d = 0; d < p->ndim; d++)
        fa_jw_str(w, g->value[d]);
    fa_jw_end_arr(w);
    if (has_usage(p)) {
        fa_jw_key(w, "unit");
        fa_jw_str(w, g->unit);
    }
    if (r->mixed_currencies) {
        fa_jw_key(w, "currency");
        fa_jw_str(w, g->currency);
    }
    put_sums(w, p, r, g, none);
    put_parts(w, p, g, none);
    fa_jw_key(w, "isOthers");
    fa_jw_bool(w, g->is_others);
    fa_jw_key(w, "others");
    fa_jw_int(w, (int64_t)g->nothers);
    fa_jw_end_obj(w);
}

/* A total over several units or currencies does not exist. */
static void no_total(const fa_plan *p, const fa_answer *r, bool none[FA_MAX_MEASUREMENTS])
{
    for (size_t m = 0; m < FA_MAX_MEASUREMENTS; m++)
        none[m] = m < p->nmeasure &&
                  (p->measure[m].type->is_usage ? r->mixed_units : r->mixed_currencies);
}

void fa_answer_members(fa_jw *w, const fa_plan *p, const fa_answer *r)
{
    bool none[FA_MAX_MEASUREMENTS];

    fa_jw_key(w, "question");
    fa_plan_json(w, p);
    put_range(w, "range", &r->range);
    if (p->previous) {
        put_range(w, "previous", &r->previous);
    } else {
        fa_jw_key(w, "previous");
        fa_jw_null(w);
    }
    if (r->is_cut) {
        const fa_range whole = {.from = r->range.from, .to = p->complete_to};

        put_range(w, "compared", &whole);
    }
    fa_jw_key(w, "currency");
    fa_jw_str(w, r->currency);
    fa_jw_key(w, "converted");
    fa_jw_arr(w);
    for (size_t i = 0; i < r->nconverted; i++)
        fa_jw_str(w, r->converted[i]);
    fa_jw_end_arr(w);
    put_buckets(w, p, r);
    fa_jw_key(w, "groups");
    fa_jw_arr(w);
    for (size_t i = 0; i < r->ngroup; i++)
        put_group(w, p, r, &r->group[i]);
    fa_jw_end_arr(w);
    no_total(p, r, none);
    fa_jw_key(w, "total");
    fa_jw_obj(w);
    if (has_usage(p)) {
        fa_jw_key(w, "unit");
        fa_jw_str(w, r->total.unit);
    }
    put_sums(w, p, r, &r->total, none);
    put_parts(w, p, &r->total, none);
    fa_jw_end_obj(w);
    fa_jw_key(w, "groupCount");
    fa_jw_int(w, (int64_t)r->ngroup_all);
    fa_jw_key(w, "rows");
    fa_jw_int(w, r->rows);
    fa_jw_key(w, "approximated");
    fa_jw_arr(w);
    for (unsigned i = 0; i < FA_CENTERS_MAX; i++)
        if (r->approximated >> i & 1)
            fa_jw_z(w, fa_ledger_center(i));
    fa_jw_end_arr(w);
    fa_jw_key(w, "knownTo");
    if (r->known_to == INT32_MIN) {
        fa_jw_null(w);
    } else {
        fa_buf b;

        fa_buf_init(&b, 64);
        fa_day_emit(&b, r->known_to);
        fa_jw_str(w, fa_buf_view(&b));
        fa_buf_release(&b);
    }
}

void fa_answer_json(fa_jw *w, const fa_plan *p, const fa_answer *r)
{
    fa_jw_obj(w);
    fa_answer_members(w, p, r);
    fa_jw_end_obj(w);
}

/* ---- CSV ---- */

static void csv_head(fa_buf *b, const fa_plan *p, size_t m, const char *what)
{
    fa_buf_c(b, ',');
    if (p->nmeasure > 1) {
        char z[128];

        snprintf(z, sizeof z, "%s %s", what, p->measure[m].type->ui);
        fa_buf_csv(b, fa_str_of(z), true);
    } else {
        fa_buf_csv(b, fa_str_of(what), true);
    }
}

static void csv_header(fa_buf *b, const fa_plan *p, const fa_answer *r)
{
    fa_buf day;

    fa_buf_init(&day, 64);
    for (size_t d = 0; d < p->ndim; d++) {
        fa_buf_z(b, d ? "," : "");
        fa_buf_csv(b, p->dim[d]->display, true);
    }
    if (p->ndim == 0)
        fa_buf_z(b, "Name");
    if (has_usage(p))
        fa_buf_z(b, ",Unit");
    for (size_t i = 0; p->bucket != FA_ALL && i < r->nbucket; i++) {
        fa_buf_clear(&day);
        put_day_text(&day, p, r, i);
        for (size_t m = 0; m < p->nmeasure; m++)
            csv_head(b, p, m, day.p ? day.p : "");
    }
    for (size_t m = 0; m < p->nmeasure; m++)
        csv_head(b, p, m, "Total");
    for (size_t m = 0; p->shared && m < p->nmeasure; m++) {
        csv_head(b, p, m, "Direct");
        csv_head(b, p, m, "Shared");
    }
    for (size_t m = 0; r->is_cut && m < p->nmeasure; m++)
        csv_head(b, p, m, "Total of complete days");
    for (size_t m = 0; p->previous && m < p->nmeasure; m++)
        csv_head(b, p, m, "Previous");
    fa_buf_z(b, "\r\n");
    fa_buf_release(&day);
}

static void csv_amount(fa_buf *b, fa_i128 v, bool none)
{
    fa_buf_c(b, ',');
    if (!none)
        fa_dec_emit(b, v, 10, 2);
}

static void csv_row(fa_buf *b, const fa_plan *p, const fa_answer *r, const fa_group *g,
                    bool is_total)
{
    bool none[FA_MAX_MEASUREMENTS] = {false};

    if (is_total)
        no_total(p, r, none);
    for (size_t d = 0; d < p->ndim; d++) {
        fa_buf_z(b, d ? "," : "");
        fa_buf_csv(b, is_total ? (d ? (fa_str){"", 0} : FA_STR("Total")) : g->value[d], true);
    }
    if (p->ndim == 0)
        fa_buf_z(b, is_total ? "Total" : "");
    if (has_usage(p)) {
        fa_buf_c(b, ',');
        fa_buf_csv(b, g->unit, true);
    }
    for (size_t i = 0; p->bucket != FA_ALL && i < r->nbucket; i++)
        for (size_t m = 0; m < p->nmeasure; m++)
            csv_amount(b, g->cell_e10[i * p->nmeasure + m], none[m]);
    for (size_t m = 0; m < p->nmeasure; m++)
        csv_amount(b, g->total_e10[m], none[m]);
    for (size_t m = 0; p->shared && m < p->nmeasure; m++) {
        csv_amount(b, g->total_e10[m] - g->shared_e10[m], none[m]);
        csv_amount(b, g->shared_e10[m], none[m]);
    }
    for (size_t m = 0; r->is_cut && m < p->nmeasure; m++)
        csv_amount(b, g->compared_e10[m], none[m]);
    for (size_t m = 0; p->previous && m < p->nmeasure; m++)
        csv_amount(b, g->previous_e10[m], none[m]);
    fa_buf_z(b, "\r\n");
}

void fa_answer_csv(fa_buf *b, const fa_plan *p, const fa_answer *r)
{
    csv_header(b, p, r);
    for (size_t i = 0; i < r->ngroup && (p->ndim || r->mixed_units); i++)
        csv_row(b, p, r, &r->group[i], false);
    csv_row(b, p, r, &r->total, true);
}

/* ---- text ---- */

typedef struct sheet {
    fa_arena mem;
    fa_str *text; /* [rows * cols] */
    size_t rows, cols, cap;
    size_t left; /* columns of text in front */
    int places;  /* decimals of every amount */
} sheet;

static size_t width_of(fa_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static fa_str *new_row(sheet *t)
{
    if (t->rows == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        fa_str *more = fa_arena_array(&t->mem, cap * t->cols, sizeof *more);

        if (!more)
            return NULL;
        if (t->rows)
            memcpy(more, t->text, t->rows * t->cols * sizeof *more);
        t->text = more;
        t->cap = cap;
    }
    return &t->text[t->rows++ * t->cols];
}

/* Control characters would move the cursor. */
static fa_str plain(sheet *t, fa_str s)
{
    char *z = fa_arena_dupz(&t->mem, s);

    for (size_t i = 0; z && i < s.n; i++)
        if ((unsigned char)z[i] < 0x20 || z[i] == 0x7f)
            z[i] = '?';
    return (fa_str){z, z ? s.n : 0};
}

static fa_str amount(sheet *t, fa_i128 v)
{
    fa_buf b;
    fa_str out;

    fa_buf_init(&b, 256);
    fa_dec_emit(&b, v, 10, t->places);
    out = fa_arena_dup(&t->mem, fa_buf_view(&b));
    fa_buf_release(&b);
    return out;
}

static fa_str change(sheet *t, fa_i128 now, fa_i128 before)
{
    fa_i128 size = before < 0 ? -before : before, diff = now - before;
    fa_u128 up = diff < 0 ? -(fa_u128)diff : (fa_u128)diff;
    fa_buf b;
    fa_str out;

    if (before == 0)
        return now == 0 ? FA_STR("0.00 %") : FA_STR("new");
    up = (up * 10000 + (fa_u128)size / 2) / (fa_u128)size;
    fa_buf_init(&b, 128);
    fa_buf_z(&b, diff > 0 ? "+" : diff < 0 ? "-" : "");
    fa_dec_emit(&b, (fa_i128)up, 2, 2);
    fa_buf_z(&b, " %");
    out = fa_arena_dup(&t->mem, fa_buf_view(&b));
    fa_buf_release(&b);
    return out;
}

static void need_places(sheet *t, fa_i128 v)
{
    int n = 10;

    while (n > t->places && v % 10 == 0) {
        v /= 10;
        n--;
    }
    if (n > t->places)
        t->places = n;
}

static void find_places(sheet *t, const fa_plan *p, const fa_answer *r)
{
    t->places = 2;
    for (size_t i = 0; i <= r->ngroup; i++) {
        const fa_group *g = i < r->ngroup ? &r->group[i] : &r->total;

        for (size_t m = 0; m < p->nmeasure; m++) {
            need_places(t, g->total_e10[m]);
            need_places(t, g->previous_e10[m]);
        }
        for (size_t k = 0; k < r->nbucket * p->nmeasure; k++)
            need_places(t, g->cell_e10[k]);
    }
}

static size_t put_names(sheet *t, const fa_plan *p, const fa_group *g, fa_str *row, size_t at,
                        bool is_total, bool filler)
{
    for (size_t d = 0; d < p->ndim; d++)
        row[at + d] = is_total        ? (d ? (fa_str){"", 0} : FA_STR("Total"))
                      : g->is_others  ? (d ? (fa_str){"", 0} : FA_STR("Others"))
                      : g->value[d].n ? plain(t, g->value[d])
                                      : FA_STR("(no value)");
    at += p->ndim;
    if (p->ndim == 0 && filler)
        row[at++] = is_total ? FA_STR("Total") : (fa_str){"", 0};
    if (has_usage(p))
        row[at++] = plain(t, g->unit);
    return at;
}

static size_t put_head(sheet *t, const fa_plan *p, fa_str *row, size_t at, bool filler)
{
    for (size_t d = 0; d < p->ndim; d++)
        row[at++] = plain(t, p->dim[d]->display);
    if (p->ndim == 0 && filler)
        row[at++] = (fa_str){"", 0};
    if (has_usage(p))
        row[at++] = FA_STR("Unit");
    return at;
}

static fa_str bucket_name(sheet *t, const fa_plan *p, const fa_answer *r, size_t i)
{
    fa_buf b;
    fa_str out;

    fa_buf_init(&b, 64);
    put_day_text(&b, p, r, i);
    out = fa_arena_dup(&t->mem, fa_buf_view(&b));
    fa_buf_release(&b);
    return out;
}

/* Groups down, periods and sums across. */
static bool fill_wide(sheet *t, const fa_plan *p, const fa_answer *r)
{
    size_t nb = r->nbucket > 1 ? r->nbucket : 0, nm = p->nmeasure;
    size_t names = (p->ndim ? p->ndim : 1) + has_usage(p), at;
    fa_str *row;

    t->left = names;
    t->cols = names + nm * (nb + 1 + (p->previous ? 2 : 0));
    if (!(row = new_row(t)))
        return false;
    at = put_head(t, p, row, 0, true);
    for (size_t m = 0; m < nm; m++) {
        for (size_t i = 0; i < nb; i++)
            row[at++] = bucket_name(t, p, r, i);
        row[at++] = fa_str_of(nm > 1 ? p->measure[m].type->ui : "Total");
        if (p->previous) {
            row[at++] = FA_STR("Previous");
            row[at++] = FA_STR("Change");
        }
    }
    for (size_t i = p->ndim || r->mixed_units ? 0 : r->ngroup; i <= r->ngroup; i++) {
        const fa_group *g = i < r->ngroup ? &r->group[i] : &r->total;
        bool none[FA_MAX_MEASUREMENTS] = {false};

        if (i == r->ngroup)
            no_total(p, r, none);
        if (!(row = new_row(t)))
            return false;
        at = put_names(t, p, g, row, 0, i == r->ngroup, true);
        for (size_t m = 0; m < nm; m++) {
            for (size_t k = 0; k < nb; k++)
                row[at++] = none[m] ? FA_STR("-") : amount(t, g->cell_e10[k * nm + m]);
            row[at++] = none[m] ? FA_STR("-") : amount(t, g->total_e10[m]);
            if (p->previous) {
                row[at++] = none[m] ? FA_STR("-") : amount(t, g->previous_e10[m]);
                row[at++] = none[m] ? FA_STR("-") : change(t, g->total_e10[m], g->previous_e10[m]);
            }
        }
    }
    return true;
}

/* A line for each period and group that has rows; the total at the end. */
static bool fill_long(sheet *t, const fa_plan *p, const fa_answer *r)
{
    size_t nm = p->nmeasure, names = 1 + p->ndim + has_usage(p), at;
    fa_str *row;

    t->left = names;
    t->cols = names + nm;
    if (!(row = new_row(t)))
        return false;
    row[0] = p->bucket == FA_HOUR ? FA_STR("Hour") : FA_STR("From");
    at = put_head(t, p, row, 1, false);
    for (size_t m = 0; m < nm; m++)
        row[at++] = fa_str_of(p->measure[m].type->ui);
    for (size_t k = 0; k <= r->nbucket; k++)
        for (size_t i = k < r->nbucket ? 0 : r->ngroup;
             i < (k < r->nbucket ? r->ngroup : r->ngroup + 1); i++) {
            const fa_group *g = i < r->ngroup ? &r->group[i] : &r->total;
            bool none[FA_MAX_MEASUREMENTS] = {false};

            if (i < r->ngroup && !g->has[k])
                continue;
            if (i == r->ngroup)
                no_total(p, r, none);
            if (!(row = new_row(t)))
                return false;
            row[0] = k < r->nbucket ? bucket_name(t, p, r, k) : FA_STR("Total");
            at = put_names(t, p, g, row, 1, false, false);
            for (size_t d = 0; i == r->ngroup && d < p->ndim; d++)
                row[1 + d] = (fa_str){"", 0};
            for (size_t m = 0; m < nm; m++)
                row[at++] =
                    none[m] ? FA_STR("-")
                            : amount(t, k < r->nbucket ? g->cell_e10[k * nm + m] : g->total_e10[m]);
        }
    return true;
}

static void put_sheet(fa_buf *b, const sheet *t)
{
    size_t wide[512];

    for (size_t c = 0; c < t->cols && c < FA_COUNT(wide); c++) {
        wide[c] = 0;
        for (size_t i = 0; i < t->rows; i++) {
            size_t n = width_of(t->text[i * t->cols + c]);

            if (n > wide[c])
                wide[c] = n;
        }
    }
    for (size_t i = 0; i < t->rows; i++) {
        for (size_t c = 0; c < t->cols && c < FA_COUNT(wide); c++) {
            fa_str s = t->text[i * t->cols + c];
            size_t pad = wide[c] - width_of(s);

            fa_buf_z(b, c ? "  " : "");
            for (size_t k = 0; c >= t->left && k < pad; k++)
                fa_buf_c(b, ' ');
            fa_buf_str(b, s);
            for (size_t k = 0; c < t->left && k < pad && c + 1 < t->cols; k++)
                fa_buf_c(b, ' ');
        }
        fa_buf_c(b, '\n');
    }
}

void fa_answer_text(fa_buf *b, const fa_plan *p, const fa_answer *r)
{
    sheet t = {0};
    bool ok;

    fa_arena_init(&t.mem, (size_t)1 << 30);
    for (size_t m = 0; m < p->nmeasure; m++)
        fa_buf_fmt(b, "%s%s", m ? ", " : "", p->measure[m].type->ui);
    fa_buf_z(b, ", ");
    fa_day_emit(b, r->range.from);
    fa_buf_z(b, " to ");
    fa_day_emit(b, r->range.to);
    if (r->currency.n)
        fa_buf_fmt(b, ", %.*s", FA_FMT(plain(&t, r->currency)));
    for (size_t i = 0; i < r->nconverted; i++)
        fa_buf_fmt(b, "%s%.*s", i ? ", " : " converted from ", FA_FMT(plain(&t, r->converted[i])));
    fa_buf_fmt(b, ", %lld bill rows\n\n", (long long)r->rows);
    find_places(&t, p, r);
    ok = r->nbucket <= WIDE_BUCKETS ? fill_wide(&t, p, r) : fill_long(&t, p, r);
    if (ok)
        put_sheet(b, &t);
    else
        b->failed = true;
    fa_arena_release(&t.mem);
}
