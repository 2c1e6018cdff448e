/*
 * lookup.c - what the SQL of a provider's mapping may call beside functions.c: names looked up in fixed
 * tables, tags of every dialect merged into one JSON object, and products that stay exact.
 */
#include "engine/duck.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- fa_lookup(table, key) ---- */

#define TABLES_MAX 16
#define KEY_MAX 400

static struct {
    const char *name;
    const fa_lookup_row *row;
    size_t n;
} tables[TABLES_MAX];
static size_t ntable;

void fa_lookup_table(const char *name, const fa_lookup_row *row, size_t n)
{
    if (ntable == TABLES_MAX)
        abort(); /* a table more than the program has: a mistake of ours */
    tables[ntable].name = name;
    tables[ntable].row = row;
    tables[ntable++].n = n;
}

static const fa_lookup_row *find_row(size_t table, fa_str key)
{
    size_t lo = 0, hi = tables[table].n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = fa_str_cmp(key, tables[table].row[mid].key);

        if (c == 0)
            return &tables[table].row[mid];
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

static void set_null(duckdb_vector out, idx_t r)
{
    duckdb_vector_ensure_validity_writable(out);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(out), r);
}

typedef struct texts {
    const duckdb_string_t *text;
    const uint64_t *mask;
} texts;

static texts text_arg(duckdb_data_chunk chunk, idx_t i)
{
    duckdb_vector v = duckdb_data_chunk_get_vector(chunk, i);

    return (texts){duckdb_vector_get_data(v), duckdb_vector_get_validity(v)};
}

static fa_str text_at(texts t, idx_t r)
{
    return duck_valid(t.mask, r) ? duck_text(&t.text[r]) : (fa_str){"", 0};
}

static void run_lookup(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    texts name = text_arg(chunk, 0), key = text_arg(chunk, 1);
    char lower[KEY_MAX];
    size_t t = 0;

    for (idx_t r = 0; r < rows; r++) {
        fa_str k = fa_str_trim(text_at(key, r));
        const fa_lookup_row *row = NULL;

        if (r == 0) {
            while (t < ntable && !fa_str_eqz(text_at(name, 0), tables[t].name))
                t++;
            if (t == ntable) {
                duckdb_scalar_function_set_error(info, "no such table of names");
                return;
            }
        }
        if (k.n && k.n <= sizeof lower) {
            for (size_t i = 0; i < k.n; i++)
                lower[i] = (char)tolower((unsigned char)k.p[i]);
            row = find_row(t, (fa_str){lower, k.n});
        }
        if (row)
            duckdb_vector_assign_string_element_len(out, r, row->value.p, row->value.n);
        else
            set_null(out, r);
    }
}

/* ---- fa_merge(how, text, how, text, ...): one JSON object of tags ----
 *
 * how is a letter, a colon and a prefix or key:
 *   o:PREFIX  a JSON object; its keys get the prefix
 *   u:        AWS CUR 2.0: user_Team is Team, aws_createdBy is aws:createdBy
 *   l:PREFIX  a JSON list of {key, value}, also as Parquet nests lists
 *   a:        Azure: an object whose braces may be missing
 *   p:KEY     a text, the value of this key
 * A text that is not what `how` says adds nothing: the mapping keeps the raw column beside it. Of equal
 * keys the last stays. NULL: no tag at all. */

#define TAGS_MAX 65536

static bool put_tag(json_t *to, const char *prefix, const char *key, json_t *value)
{
    char name[1024];
    json_t *text;
    bool ok;

    if (!key || !*key || !value || json_is_null(value) ||
        (json_is_string(value) && json_string_length(value) == 0))
        return true;
    if (json_is_string(value)) {
        text = json_incref(value);
    } else {
        char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

        text = dump ? json_string(dump) : NULL;
        free(dump);
    }
    (void)snprintf(name, sizeof name, "%s%s", prefix, key);
    ok = text && json_object_set(to, name, text) == 0;
    json_decref(text);
    return ok;
}

static bool put_object(json_t *to, const char *prefix, json_t *from, bool is_aws)
{
    const char *key;
    json_t *value;

    json_object_foreach(from, key, value)
    {
        const char *p = prefix, *k = key;

        if (is_aws && strncmp(k, "user_", 5) == 0)
            k += 5;
        else if (is_aws && strncmp(k, "user:", 5) == 0)
            k += 5;
        else if (is_aws && strncmp(k, "aws_", 4) == 0) {
            p = "aws:";
            k += 4;
        }
        if (!put_tag(to, p, k, value))
            return false;
    }
    return true;
}

static bool put_list(json_t *to, const char *prefix, json_t *from)
{
    json_t *item;
    size_t i;

    if (json_is_object(from) && json_object_get(from, "list"))
        from = json_object_get(from, "list");
    json_array_foreach(from, i, item)
    {
        json_t *in = json_object_get(item, "element");

        if (json_is_object(in))
            item = in;
        if (!put_tag(to, prefix, json_string_value(json_object_get(item, "key")),
                     json_object_get(item, "value")))
            return false;
    }
    return true;
}

static json_t *load_braced(fa_str s)
{
    fa_buf b;
    json_t *j;

    s = fa_str_trim(s);
    if (s.n == 0 || s.p[0] != '"')
        return json_loadb(s.p, s.n, 0, NULL);
    fa_buf_init(&b, TAGS_MAX + 16);
    fa_buf_c(&b, '{');
    fa_buf_str(&b, s);
    fa_buf_c(&b, '}');
    j = b.failed ? NULL : json_loadb(b.p, b.n, 0, NULL);
    fa_buf_release(&b);
    return j;
}

/* false: out of memory */
static bool merge_one(json_t *to, fa_str how, fa_str text)
{
    char prefix[KEY_MAX];
    json_t *j = NULL;
    bool ok;

    if (text.n == 0 || how.n < 2 || how.n - 2 >= sizeof prefix || text.n > TAGS_MAX)
        return true;
    memcpy(prefix, how.p + 2, how.n - 2);
    prefix[how.n - 2] = '\0';
    if (how.p[0] == 'p') {
        if (!(j = json_stringn(text.p, text.n)))
            return true; /* not UTF-8: cannot be, the feed has checked */
        ok = put_tag(to, "", prefix, j);
    } else {
        j = how.p[0] == 'a' ? load_braced(text) : json_loadb(text.p, text.n, 0, NULL);
        ok = how.p[0] == 'l' ? put_list(to, prefix, j) : put_object(to, prefix, j, how.p[0] == 'u');
    }
    json_decref(j);
    return ok;
}

static void run_merge(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk),
          cols = duckdb_data_chunk_get_column_count(chunk) / 2 * 2;
    texts *arg = calloc(cols + 1, sizeof *arg);

    if (!arg) {
        duckdb_scalar_function_set_error(info, "out of memory");
        return;
    }
    for (idx_t c = 0; c < cols; c++)
        arg[c] = text_arg(chunk, c);
    for (idx_t r = 0; r < rows; r++) {
        json_t *all = json_object();
        bool ok = all != NULL;
        char *text = NULL;

        for (idx_t c = 0; ok && c < cols; c += 2)
            ok = merge_one(all, text_at(arg[c], r), text_at(arg[c + 1], r));
        if (ok && json_object_size(all))
            ok = (text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS)) != NULL;
        json_decref(all);
        if (!ok)
            duckdb_scalar_function_set_error(info, "out of memory");
        if (text)
            duckdb_vector_assign_string_element_len(out, r, text, strlen(text));
        else
            set_null(out, r);
        free(text);
    }
    free(arg);
}

/* ---- fa_muldiv(a, b, c): a x b / c, rounded half away from zero to 1e-18 ---- */

/* |a| x |b| / |c| in 256 bits; false: past 128. */
static bool wide_muldiv(fa_u128 a, fa_u128 b, fa_u128 c, fa_u128 *out)
{
    const fa_u128 low = UINT64_MAX;
    fa_u128 ll = (a & low) * (b & low), lh = (a & low) * (b >> 64), hl = (a >> 64) * (b & low),
            hh = (a >> 64) * (b >> 64), mid = (ll >> 64) + (lh & low) + (hl & low);
    fa_u128 lo = (ll & low) | mid << 64, hi = hh + (lh >> 64) + (hl >> 64) + (mid >> 64);
    fa_u128 rem = hi, q = 0;

    if (hi >= c)
        return false;
    for (int i = 127; i >= 0; i--) {
        bool carry = rem >> 127;

        rem = rem << 1 | (lo >> i & 1);
        q <<= 1;
        if (carry || rem >= c) {
            rem -= c;
            q |= 1;
        }
    }
    if (rem >= c - rem)
        q++;
    *out = q;
    return true;
}

static bool muldiv(fa_i128 a, fa_i128 b, fa_i128 c, fa_i128 *out)
{
    bool negative = (a < 0) ^ (b < 0) ^ (c < 0);
    fa_u128 ua = a < 0 ? -(fa_u128)a : (fa_u128)a, ub = b < 0 ? -(fa_u128)b : (fa_u128)b,
            uc = c < 0 ? -(fa_u128)c : (fa_u128)c, p, q;

    if (uc == 0)
        return false;
    if (!__builtin_mul_overflow(ua, ub, &p)) {
        q = p / uc;
        q += p % uc >= uc - p % uc;
    } else if (!wide_muldiv(ua, ub, uc, &q)) {
        return false;
    }
    if (q >> 126)
        return false;
    *out = negative ? -(fa_i128)q : (fa_i128)q;
    return true;
}

static void run_muldiv(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    duckdb_hugeint *to = duckdb_vector_get_data(out);
    const duckdb_hugeint *x[3];
    const uint64_t *mask[3];

    (void)info;
    for (idx_t c = 0; c < 3; c++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(chunk, c);

        x[c] = duckdb_vector_get_data(v);
        mask[c] = duckdb_vector_get_validity(v);
    }
    for (idx_t r = 0; r < rows; r++) {
        fa_i128 v = 0;
        bool has = duck_valid(mask[0], r) && duck_valid(mask[1], r) && duck_valid(mask[2], r);

        if (!has || !muldiv(duck_i128(x[0][r]), duck_i128(x[1][r]), duck_i128(x[2][r]), &v))
            set_null(out, r);
        to[r] = duck_huge(v);
    }
}

/* ---- fa_share(a, b, c) and fa_share_rest(a, b, c): a x b / c floored, and what that leaves (inform.md 0.6) ----
 * None may be negative. */

static void run_division(duckdb_data_chunk chunk, duckdb_vector out, bool rest)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    duckdb_hugeint *to = duckdb_vector_get_data(out);
    const duckdb_hugeint *x[3];
    const uint64_t *mask[3];

    for (idx_t c = 0; c < 3; c++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(chunk, c);

        x[c] = duckdb_vector_get_data(v);
        mask[c] = duckdb_vector_get_validity(v);
    }
    for (idx_t r = 0; r < rows; r++) {
        fa_u128 q = 0, left = 0;
        bool ok = duck_valid(mask[0], r) && duck_valid(mask[1], r) && duck_valid(mask[2], r);

        if (ok) {
            fa_i128 a = duck_i128(x[0][r]), b = duck_i128(x[1][r]), c = duck_i128(x[2][r]);

            ok = a >= 0 && b >= 0 && c > 0 &&
                 fa_dec_divide((fa_u128)a, (fa_u128)b, (fa_u128)c, &q, &left) && q >> 126 == 0;
        }
        if (!ok)
            set_null(out, r);
        to[r] = duck_huge(ok ? (fa_i128)(rest ? left : q) : 0);
    }
}

static void run_share(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    (void)info;
    run_division(chunk, out, false);
}

static void run_share_rest(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    (void)info;
    run_division(chunk, out, true);
}

const fa_function_row fa_lookup_functions[] = {
    {"fa_lookup",
     run_lookup,
     DUCKDB_TYPE_VARCHAR,
     {DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_VARCHAR},
     DUCKDB_TYPE_INVALID,
     true},
    {"fa_merge", run_merge, DUCKDB_TYPE_VARCHAR, {0}, DUCKDB_TYPE_VARCHAR, true},
    {"fa_muldiv",
     run_muldiv,
     DUCKDB_TYPE_DECIMAL,
     {DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_DECIMAL},
     DUCKDB_TYPE_INVALID,
     true},
    {"fa_share",
     run_share,
     DUCKDB_TYPE_DECIMAL,
     {DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_DECIMAL},
     DUCKDB_TYPE_INVALID,
     true},
    {"fa_share_rest",
     run_share_rest,
     DUCKDB_TYPE_DECIMAL,
     {DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_DECIMAL},
     DUCKDB_TYPE_INVALID,
     true},
};
const size_t fa_nlookup_functions = FA_COUNT(fa_lookup_functions);
