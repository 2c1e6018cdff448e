/*
 * dec.c - exact decimals in 128-bit integers: text in, text out, round once, a*b/c.
 *
 * Nothing here knows a float. Parsing looks at the text twice: first its shape, then its digits
 * with their power of ten, so that any number of digits is taken and only what lies past 1e-18 is
 * rounded.
 */
#include "base/base.h"

#include <string.h>

static const uint64_t pow10_u64[20] = {1u,
                                       10u,
                                       100u,
                                       1000u,
                                       10000u,
                                       100000u,
                                       1000000u,
                                       10000000u,
                                       100000000u,
                                       1000000000u,
                                       10000000000u,
                                       100000000000u,
                                       1000000000000u,
                                       10000000000000u,
                                       100000000000000u,
                                       1000000000000000u,
                                       10000000000000000u,
                                       100000000000000000u,
                                       1000000000000000000u,
                                       10000000000000000000u};

enum { SCALE = 18, DIGITS_MAX = 38 };

/* 10^n, n in 0..38 */
static fa_u128 pow10_u128(int n)
{
    return n <= 19 ? pow10_u64[n] : (fa_u128)pow10_u64[19] * pow10_u64[n - 19];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Where the parts of a number are. */
struct shape {
    const char *whole, *whole_end, *frac, *frac_end;
    size_t nwhole; /* digits, commas not counted */
    int exponent;
    bool negative;
};

static bool take_sign(const char **p, const char *end, bool *negative)
{
    if (*p == end || (**p != '-' && **p != '+'))
        return false;
    *negative = **p == '-';
    (*p)++;
    return true;
}

static void take_currency(const char **p, const char *end)
{
    static const fa_str signs[] = {FA_STR("$"), FA_STR("\xe2\x82\xac"), FA_STR("\xc2\xa3"),
                                   FA_STR("\xc2\xa5"), FA_STR("\xe2\x82\xb9")};
    fa_str rest = {*p, (size_t)(end - *p)};

    for (size_t i = 0; i < FA_COUNT(signs); i++) {
        if (fa_str_starts(rest, signs[i])) {
            *p += signs[i].n;
            while (*p < end && **p == ' ')
                (*p)++;
            return;
        }
    }
}

/* Digits with commas between groups of three: "1,234" yes, "1,23" no (it may be a decimal comma).
 */
static bool take_whole(const char **p, const char *end, bool commas, struct shape *out)
{
    size_t group = 0;
    bool seen = false;

    out->whole = *p;
    for (; *p < end; (*p)++) {
        if (is_digit(**p)) {
            group++;
            out->nwhole++;
        } else if (commas && **p == ',') {
            if (group == 0 || (seen ? group != 3 : group > 3))
                return false;
            seen = true;
            group = 0;
        } else {
            break;
        }
    }
    out->whole_end = *p;
    return !seen || group == 3;
}

static bool take_exponent(const char **p, const char *end, int *exponent)
{
    bool negative = false;
    int v = 0;

    if (*p == end || (**p | 0x20) != 'e')
        return true;
    (*p)++;
    take_sign(p, end, &negative);
    if (*p == end)
        return false;
    for (; *p < end && is_digit(**p); (*p)++)
        if (v < 100000000) /* far past any bound: enough to say "huge" or "nothing" */
            v = v * 10 + (**p - '0');
    *exponent = negative ? -v : v;
    return true;
}

static bool take_shape(fa_str s, bool loose, struct shape *out)
{
    const char *p = s.p, *end = s.p + s.n;
    bool sign;

    *out = (struct shape){0};
    sign = take_sign(&p, end, &out->negative);
    if (loose) {
        take_currency(&p, end);
        if (!sign)
            take_sign(&p, end, &out->negative);
    }
    if (!take_whole(&p, end, loose, out))
        return false;
    out->frac = out->frac_end = p;
    if (p < end && *p == '.') {
        out->frac = ++p;
        while (p < end && is_digit(*p))
            p++;
        out->frac_end = p;
    }
    if (out->nwhole == 0 && out->frac == out->frac_end)
        return false;
    return take_exponent(&p, end, &out->exponent) && p == end;
}

/* One digit of weight 10^power goes into *v (units of 1e-18); false: past the bound. */
static bool add_digit(fa_u128 *v, char c, int64_t power, bool *up, bool *lost)
{
    unsigned d = (unsigned)(c - '0');

    if (power >= -SCALE) {
        if (*v >= pow10_u128(DIGITS_MAX - 1))
            return false;
        *v = *v * 10 + d;
    } else {
        *up = *up || (power == -SCALE - 1 && d >= 5);
        *lost = *lost || d != 0;
    }
    return true;
}

static bool parse_slow(const struct shape *s, fa_u128 *out, bool *lost)
{
    fa_u128 v = 0;
    bool up = false;
    int64_t power = (int64_t)s->nwhole - 1 + s->exponent;

    for (const char *p = s->whole; p < s->whole_end; p++)
        if (*p != ',' && !add_digit(&v, *p, power--, &up, lost))
            return false;
    for (const char *p = s->frac; p < s->frac_end; p++)
        if (!add_digit(&v, *p, power--, &up, lost))
            return false;
    /* The last digit weighs 10^(power+1); bring it to units of 1e-18. */
    if (power + 1 > -SCALE && v) {
        int64_t up_by = power + 1 + SCALE;

        if (up_by > DIGITS_MAX || v >= pow10_u128((int)(DIGITS_MAX - up_by)))
            return false;
        v *= pow10_u128((int)up_by);
    }
    v += up;
    *out = v;
    return v < pow10_u128(DIGITS_MAX);
}

bool fa_dec_parse(fa_str text, bool loose, fa_i128 *out_e18, bool *rounded)
{
    struct shape s;
    fa_u128 v = 0;
    bool lost = false;
    size_t nfrac;

    text = fa_str_trim(text);
    if (rounded)
        *rounded = false;
    if (text.n == 0 || !take_shape(text, loose, &s))
        return false;
    nfrac = (size_t)(s.frac_end - s.frac);
    if (s.exponent == 0 && s.nwhole + nfrac <= SCALE &&
        s.nwhole == (size_t)(s.whole_end - s.whole)) {
        uint64_t w = 0; /* nearly every amount: at most 18 digits, one multiplication */

        for (const char *p = s.whole; p < s.whole_end; p++)
            w = w * 10 + (uint64_t)(*p - '0');
        for (const char *p = s.frac; p < s.frac_end; p++)
            w = w * 10 + (uint64_t)(*p - '0');
        v = (fa_u128)w * pow10_u64[SCALE - nfrac];
    } else if (!parse_slow(&s, &v, &lost)) {
        return false;
    }
    if (rounded)
        *rounded = lost;
    *out_e18 = s.negative ? -(fa_i128)v : (fa_i128)v;
    return true;
}

void fa_dec_emit(fa_buf *b, fa_i128 v, int scale, int min_places)
{
    char digits[48] = {0};
    int n = 0, cut = 0;
    fa_u128 u = v < 0 ? -(fa_u128)v : (fa_u128)v;

    while (u || n <= scale) { /* least digit first; at least one before the point */
        digits[n++] = (char)('0' + (int)(u % 10));
        u /= 10;
        if (n == (int)sizeof digits)
            break;
    }
    while (cut < scale && scale - cut > min_places && digits[cut] == '0')
        cut++;
    if (v < 0)
        fa_buf_c(b, '-');
    for (int i = n - 1; i >= scale; i--)
        fa_buf_c(b, digits[i]);
    if (scale - cut > 0 || min_places > 0)
        fa_buf_c(b, '.');
    for (int i = scale - 1; i >= cut; i--)
        fa_buf_c(b, digits[i]);
    for (int i = scale; i < min_places; i++)
        fa_buf_c(b, '0');
}

fa_i128 fa_dec_round(fa_i128 v_e18, int places)
{
    fa_i128 unit, q, r;

    if (places >= SCALE)
        return v_e18 * (fa_i128)pow10_u128(places - SCALE);
    unit = (fa_i128)pow10_u128(SCALE - places);
    q = v_e18 / unit;
    r = v_e18 % unit;
    if ((r < 0 ? -r : r) * 2 >= unit)
        q += v_e18 < 0 ? -1 : 1;
    return q;
}

/* |a|*|b| as hi:lo */
static void mul_wide(fa_u128 a, fa_u128 b, fa_u128 *hi, fa_u128 *lo)
{
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64), b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    fa_u128 p00 = (fa_u128)a0 * b0, p01 = (fa_u128)a0 * b1, p10 = (fa_u128)a1 * b0;
    fa_u128 mid = (p00 >> 64) + (uint64_t)p01 + (uint64_t)p10;

    *lo = (mid << 64) | (uint64_t)p00;
    *hi = (fa_u128)a1 * b1 + (p01 >> 64) + (p10 >> 64) + (mid >> 64);
}

/* (top:low) / v and in *top the remainder, for top < v and v with its highest bit set */
static uint64_t div_step(fa_u128 *top, uint64_t low, fa_u128 v)
{
    uint64_t v1 = (uint64_t)(v >> 64), v0 = (uint64_t)v;
    fa_u128 q, r;

    if ((uint64_t)(*top >> 64) >= v1) {
        q = UINT64_MAX;
        r = *top - ((fa_u128)v1 << 64) + v1;
    } else {
        q = *top / v1;
        r = *top % v1;
    }
    while (r >> 64 == 0 && q * v0 > (r << 64 | low)) { /* twice at most */
        q--;
        r += v1;
    }
    *top = (*top << 64 | low) - q * v;
    return (uint64_t)q;
}

static int high_zeros(fa_u128 v)
{
    uint64_t hi = (uint64_t)(v >> 64);

    return hi ? __builtin_clzll(hi) : 64 + __builtin_clzll((uint64_t)v);
}

/* hi:lo / c for hi < c (Knuth's algorithm D in digits of 64 bits); *rest gets the remainder */
static fa_u128 div_wide(fa_u128 hi, fa_u128 lo, fa_u128 c, fa_u128 *rest)
{
    int up = high_zeros(c);
    fa_u128 top = up ? hi << up | lo >> (128 - up) : hi, q;

    lo <<= up;
    c <<= up;
    q = (fa_u128)div_step(&top, (uint64_t)(lo >> 64), c) << 64;
    q |= div_step(&top, (uint64_t)lo, c);
    *rest = top >> up;
    return q;
}

bool fa_dec_divide(fa_u128 a, fa_u128 b, fa_u128 c, fa_u128 *quotient, fa_u128 *rest)
{
    fa_u128 hi, lo;

    mul_wide(a, b, &hi, &lo);
    if (hi >= c)
        return false;
    if (hi == 0) {
        *quotient = lo / c;
        *rest = lo % c;
    } else {
        *quotient = div_wide(hi, lo, c, rest);
    }
    return true;
}

fa_i128 fa_dec_muldiv(fa_i128 a, fa_i128 b, fa_i128 c)
{
    const fa_u128 most = ~(fa_u128)0 >> 1;
    bool negative = (a < 0) != (b < 0);
    fa_u128 q, rest;

    if (!fa_dec_divide(a < 0 ? -(fa_u128)a : (fa_u128)a, b < 0 ? -(fa_u128)b : (fa_u128)b,
                       (fa_u128)c, &q, &rest)) {
        q = most; /* the quotient has no 128-bit form: as far as it goes */
        rest = 0;
    }
    if (negative && rest)
        q++;
    if (q > most)
        q = most;
    return negative ? -(fa_i128)q : (fa_i128)q;
}
