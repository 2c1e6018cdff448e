/*
 * fold.c - lower case of every letter, as the engine has it.
 *
 * The one idea: `contains` ignores case, and what that means is the engine's lower(), letter by letter. The pairs
 * are asked for once per process and kept as a table, so that texts can be folded without asking again.
 */
#include "query/inner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PLANES 0x20000u /* letters with case are in the first two planes */
#define PAGE 256u
#define PAIRS(from, to)                                                                            \
    "SELECT i, k FROM (SELECT i, unicode(lower(chr(i::INTEGER)))::BIGINT AS k FROM range(" from    \
    ", " to ") AS t(i)) WHERE i <> k"

/* page[c / 256][c % 256] is the lower case of c; a page without capitals is NULL. */
static pthread_mutex_t fold_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t *page[PLANES / PAGE];
static bool is_made;

static fa_rc take_pairs(void *user, const fa_batch *b, fa_err *e)
{
    (void)user;
    for (size_t r = 0; r < b->rows; r++) {
        uint32_t from = (uint32_t)b->col[0].i64[r], to = (uint32_t)b->col[1].i64[r];
        uint32_t **p = &page[from / PAGE];

        if (!*p) {
            if (!(*p = malloc(PAGE * sizeof **p)))
                return fa_oom(e);
            for (uint32_t i = 0; i < PAGE; i++)
                (*p)[i] = from / PAGE * PAGE + i;
        }
        (*p)[from % PAGE] = to;
    }
    return FA_OK;
}

static void drop_pages(void)
{
    for (size_t i = 0; i < FA_COUNT(page); i++) {
        free(page[i]);
        page[i] = NULL;
    }
    is_made = false;
}

fa_rc fa_fold_ready(fa_ledger *l, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_conn *c = NULL;

    pthread_mutex_lock(&fold_lock);
    if (!is_made) {
        rc = fa_conn_get(fa_ledger_engine(l), &c, e);
        if (!rc) /* surrogates, between the two, are no letters */
            rc = fa_sql_query(c, FA_STR(PAIRS("1", "55296")), NULL, 0, take_pairs, NULL, e);
        if (!rc)
            rc = fa_sql_query(c, FA_STR(PAIRS("57344", "131072")), NULL, 0, take_pairs, NULL, e);
        fa_conn_put(c);
        if (rc)
            drop_pages();
        is_made = !rc;
    }
    pthread_mutex_unlock(&fold_lock);
    return rc;
}

void fa_fold_free(void)
{
    pthread_mutex_lock(&fold_lock);
    drop_pages();
    pthread_mutex_unlock(&fold_lock);
}

/* ---- UTF-8; texts of the ledger and of JSON are valid ---- */

static size_t decode(const unsigned char *s, size_t n, uint32_t *out)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t c = len == 1 ? s[0] : s[0] & (0xffu >> (len + 1));

    if (len > n)
        len = n;
    for (size_t i = 1; i < len; i++)
        c = c << 6 | (s[i] & 0x3f);
    *out = c;
    return len;
}

static size_t encode(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t fa_fold(fa_str s, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n;) {
        unsigned char b = (unsigned char)s.p[i];
        uint32_t c;

        if (b < 0x80) {
            to[n++] = (char)(b >= 'A' && b <= 'Z' ? b + 32 : b);
            i++;
            continue;
        }
        i += decode((const unsigned char *)s.p + i, s.n - i, &c);
        if (c < PLANES && page[c / PAGE])
            c = page[c / PAGE][c % PAGE];
        n += encode(c, to + n);
    }
    return n;
}

const char *fa_search(const char *p, size_t n, fa_str needle)
{
    return memmem(p, n, needle.p, needle.n);
}
