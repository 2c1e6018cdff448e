/*
 * split.c - one amount over weights, so that the parts always add up to it (inform.md 0.6).
 *
 * The one idea: floors first, then one unit each to the largest remainders, ties by place. A remainder
 * is amount * weight - floor * sum, which fits its 128 bits whatever the product overflowed, so none is
 * kept; and the unit that separates who gets one more is found byte by byte, highest byte first, so
 * nothing is sorted and nothing allocated.
 */
#include "allocate/allocate.h"

typedef struct split {
    fa_u128 amount, sum;
    const fa_i128 *weight;
    size_t n;
    fa_i128 *out;
} split;

static fa_u128 rest_of(const split *s, size_t i)
{
    return s->amount * (fa_u128)s->weight[i] - (fa_u128)s->out[i] * s->sum;
}

/* How many of those whose bits above `shift` are `high` have each value in the eight bits below. */
static void count_bytes(const split *s, fa_u128 high, int shift, size_t count[256])
{
    for (int i = 0; i < 256; i++)
        count[i] = 0;
    for (size_t i = 0; i < s->n; i++) {
        fa_u128 r = rest_of(s, i) >> (shift - 8);

        if (r >> 8 == high)
            count[(unsigned)r & 255]++;
    }
}

/* One unit more for the `left` largest remainders. */
static void give_rest(const split *s, size_t left)
{
    fa_u128 high = 0, least; /* the leading bytes of the last remainder that gets a unit */
    size_t count[256], equal = left;
    int shift = 8;

    while (s->sum >> (shift - 1) >> 1) /* no remainder is longer than the sum */
        shift += 8;
    for (; shift > 0; shift -= 8) {
        unsigned byte = 255;

        count_bytes(s, high, shift, count);
        while (count[byte] < equal) /* those above all get one */
            equal -= count[byte--];
        high = high << 8 | byte;
        if (count[byte] == equal)
            break;
    }
    least = shift > 0 ? high << (shift - 8) : high;
    if (shift > 0)
        equal = s->n; /* whoever begins so gets one */
    for (size_t i = 0; i < s->n; i++) {
        fa_u128 r = rest_of(s, i);
        bool begins = shift > 0 ? r >> (shift - 8) == high : r == high;

        if (begins && equal) {
            s->out[i]++;
            equal--;
        } else if (!begins && r > least) {
            s->out[i]++;
        }
    }
}

bool fa_split(fa_i128 amount, const fa_i128 *weight, size_t n, fa_i128 *out)
{
    split s = {amount < 0 ? -(fa_u128)amount : (fa_u128)amount, 0, weight, n, out};
    fa_u128 left = s.amount, rest;

    for (size_t i = 0; i < n; i++)
        s.sum += (fa_u128)weight[i];
    if (s.sum == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        fa_u128 q = 0;

        if (weight[i])
            (void)fa_dec_divide(s.amount, (fa_u128)weight[i], s.sum, &q, &rest);
        out[i] = (fa_i128)q;
        left -= q;
    }
    if (left)
        give_rest(&s, (size_t)left);
    for (size_t i = 0; amount < 0 && i < n; i++)
        out[i] = -out[i];
    return true;
}
