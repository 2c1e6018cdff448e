/*
 * jw.c - JSON out: commas and nesting are kept here, so a caller only says what it means.
 *
 * Misuse (nesting past 63, more ends than begins) marks the buffer failed: the text is then known
 * to be incomplete instead of unbalanced.
 */
#include "base/base.h"

void fa_jw_init(fa_jw *w, fa_buf *b)
{
    *w = (fa_jw){.b = b};
    w->first[0] = true;
}

/* A value or a key is about to begin: the comma before it, unless it follows a key. */
static void lead(fa_jw *w)
{
    if (w->after_key)
        w->after_key = false;
    else if (w->first[w->depth])
        w->first[w->depth] = false;
    else if (w->depth > 0)
        fa_buf_c(w->b, ',');
}

static void begin(fa_jw *w, char c)
{
    lead(w);
    if (w->depth + 1 >= (int)FA_COUNT(w->first)) {
        w->b->failed = true;
        return;
    }
    fa_buf_c(w->b, c);
    w->first[++w->depth] = true;
}

static void end(fa_jw *w, char c)
{
    if (w->depth == 0 || w->after_key) {
        w->b->failed = true;
        return;
    }
    w->depth--;
    fa_buf_c(w->b, c);
}

void fa_jw_obj(fa_jw *w)
{
    begin(w, '{');
}

void fa_jw_arr(fa_jw *w)
{
    begin(w, '[');
}

void fa_jw_end_obj(fa_jw *w)
{
    end(w, '}');
}

void fa_jw_end_arr(fa_jw *w)
{
    end(w, ']');
}

void fa_jw_keys(fa_jw *w, fa_str key)
{
    lead(w);
    fa_buf_json(w->b, key);
    fa_buf_c(w->b, ':');
    w->after_key = true;
}

void fa_jw_key(fa_jw *w, const char *key)
{
    fa_jw_keys(w, fa_str_of(key));
}

void fa_jw_str(fa_jw *w, fa_str s)
{
    lead(w);
    fa_buf_json(w->b, s);
}

void fa_jw_raw(fa_jw *w, fa_str json)
{
    lead(w);
    fa_buf_str(w->b, json);
}

void fa_jw_null(fa_jw *w)
{
    fa_jw_raw(w, FA_STR("null"));
}

void fa_jw_z(fa_jw *w, const char *z)
{
    if (z)
        fa_jw_str(w, fa_str_of(z));
    else
        fa_jw_null(w);
}

void fa_jw_int(fa_jw *w, int64_t v)
{
    lead(w);
    fa_buf_fmt(w->b, "%lld", (long long)v);
}

void fa_jw_bool(fa_jw *w, bool v)
{
    fa_jw_raw(w, v ? FA_STR("true") : FA_STR("false"));
}

void fa_jw_dec(fa_jw *w, fa_i128 v, int scale)
{
    lead(w);
    fa_dec_emit(w->b, v, scale, 0);
}

void fa_jw_time(fa_jw *w, int64_t epoch_ms)
{
    if (epoch_ms < 0) {
        fa_jw_null(w);
        return;
    }
    lead(w);
    fa_buf_c(w->b, '"');
    fa_time_iso(w->b, epoch_ms);
    fa_buf_c(w->b, '"');
}
