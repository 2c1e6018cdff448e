/*
 * input.c - JSON in with the field's name in every error, JSON out in one word per member.
 */
#include "api/internal.h"

#include <string.h>

fa_rc in_object(const fa_req *r, fa_err *e)
{
    return json_is_object(r->json)
               ? FA_OK
               : fa_fail(e, FA_EINVAL, "the request body must be a JSON object");
}

fa_rc in_text(const json_t *o, const char *field, bool required, fa_str *out, fa_err *e)
{
    const json_t *v = json_object_get(o, field);

    *out = (fa_str){0};
    if (!required && (!v || json_is_null(v)))
        return FA_OK;
    if (!json_is_string(v)) {
        fa_fail(e, FA_EINVAL, v ? "must be a string" : "is missing");
        return fa_at(e, field);
    }
    *out = (fa_str){json_string_value(v), json_string_length(v)};
    return FA_OK;
}

fa_rc in_list(fa_arena *a, const json_t *o, const char *field, bool required, fa_str *out,
              fa_err *e)
{
    const json_t *v = json_object_get(o, field), *item;
    fa_buf b = {0};
    fa_rc rc = FA_OK;
    size_t i;

    *out = FA_STR("");
    if (!required && (!v || json_is_null(v)))
        return FA_OK;
    if (!json_is_array(v) || json_array_size(v) > 1000) {
        fa_fail(e, FA_EINVAL, v ? "must be an array of at most 1,000 texts" : "is missing");
        return fa_at(e, field);
    }
    json_array_foreach(v, i, item)
    {
        fa_str s = {json_string_value(item), json_string_length(item)};

        if (!json_is_string(item) || !s.n || s.n > 200 || memchr(s.p, ' ', s.n)) {
            fa_buf_release(&b);
            fa_fail(e, FA_EINVAL, "must be an array of texts without spaces");
            return fa_at(e, field);
        }
        fa_buf_fmt(&b, "%s%.*s", b.n ? " " : "", FA_FMT(s));
    }
    if (b.n) {
        *out = fa_buf_dup(&b, a);
        rc = out->p ? FA_OK : fa_oom(e);
    }
    fa_buf_release(&b);
    return rc;
}

void put_words(fa_jw *w, fa_str list)
{
    fa_str word;

    fa_jw_arr(w);
    while (fa_list_next(&list, &word))
        fa_jw_str(w, word);
    fa_jw_end_arr(w);
}

fa_rc in_int(const json_t *o, const char *field, int64_t least, int64_t most, int64_t absent,
             int64_t *out, fa_err *e)
{
    const json_t *v = json_object_get(o, field);

    *out = absent;
    if (!v || json_is_null(v))
        return FA_OK;
    *out = json_integer_value(v);
    if (json_is_integer(v) && *out >= least && *out <= most)
        return FA_OK;
    fa_fail(e, FA_EINVAL, "must be a whole number from %lld to %lld", (long long)least,
            (long long)most);
    return fa_at(e, field);
}

fa_rc in_query_int(const fa_req *r, const char *name, int64_t least, int64_t most, int64_t absent,
                   int64_t *out, fa_err *e)
{
    fa_str s = fa_req_query(r, name);
    int64_t v = 0;
    bool ok = s.n > 0 && s.n < 18;

    *out = absent;
    if (!fa_req_has_query(r, name))
        return FA_OK;
    for (size_t i = 0; ok && i < s.n; i++) {
        ok = s.p[i] >= '0' && s.p[i] <= '9';
        v = v * 10 + (s.p[i] - '0');
    }
    if (!ok || v < least || v > most) {
        fa_fail(e, FA_EINVAL, "must be a whole number from %lld to %lld", (long long)least,
                (long long)most);
        return fa_at(e, name);
    }
    *out = v;
    return FA_OK;
}

void put_str(fa_jw *w, const char *key, fa_str v)
{
    fa_jw_key(w, key);
    fa_jw_str(w, v);
}

void put_z(fa_jw *w, const char *key, const char *v)
{
    fa_jw_key(w, key);
    fa_jw_z(w, v);
}

void put_int(fa_jw *w, const char *key, int64_t v)
{
    fa_jw_key(w, key);
    fa_jw_int(w, v);
}

void put_bool(fa_jw *w, const char *key, bool v)
{
    fa_jw_key(w, key);
    fa_jw_bool(w, v);
}

void put_time(fa_jw *w, const char *key, int64_t ms)
{
    fa_jw_key(w, key);
    fa_jw_time(w, ms);
}

void put_day(fa_jw *w, const char *key, int32_t day)
{
    fa_buf b = {0};

    fa_jw_key(w, key);
    if (day == INT32_MIN) {
        fa_jw_null(w);
        return;
    }
    fa_day_emit(&b, day);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

void put_money(fa_jw *w, const char *key, fa_i128 v_e10)
{
    fa_buf b = {0};

    if (key)
        fa_jw_key(w, key);
    fa_dec_emit(&b, v_e10, 10, 2);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

fa_rc out_attachment(fa_req *r, fa_res *o, const char *type, const char *file, fa_err *e)
{
    char *value = fa_arena_printf(r->mem, "attachment; filename=\"%s\"", file);

    if (!value)
        return fa_oom(e);
    o->type = type;
    return fa_res_header(r, o, "Content-Disposition", value, e);
}

/* `fields` comes repeated or as one comma-separated value; unknown names are ignored; none: all. */
bool in_fields(const fa_req *r, const char *name)
{
    fa_str v;

    if (!fa_req_has_query(r, "fields"))
        return true;
    for (size_t nth = 0; fa_req_query_nth(r, "fields", nth, &v); nth++)
        for (size_t i = 0; i <= v.n;) {
            size_t end = i;

            while (end < v.n && v.p[end] != ',')
                end++;
            if (fa_str_eqz(fa_str_trim((fa_str){v.p + i, end - i}), name))
                return true;
            i = end + 1;
        }
    return false;
}
