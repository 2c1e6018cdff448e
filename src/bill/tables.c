/*
 * tables.c - the names of providers in FOCUS terms (src/bill/map), as tables that SQL can look up.
 *
 * Made once from the CSV files that are part of the binary. A damaged one is a mistake of the build: the
 * table is then shorter, and services fall into "Other".
 */
#include "base/embed.h"
#include "bill/inner.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

extern const fa_embedded fa_bill_tables[];

/* A table is columns of a file: the key, perhaps a second part of it behind a bar, and the value. */
static const struct {
    const char *name, *file;
    int key, key2, value;
} specs[] = {
    {"aws_category", "aws_categories.csv", 0, -1, 1},
    {"azure_category", "azure_categories.csv", 0, -1, 1},
    {"google_category", "google_categories.csv", 0, -1, 1},
    {"azure_region", "azure_regions.csv", 0, -1, 1},
    {"azure_region_name", "azure_regions.csv", 0, -1, 2},
    {"azure_service", "azure_services.csv", 0, 1, 2},
    {"azure_service_category", "azure_services.csv", 0, 1, 3},
    {"azure_service_subcategory", "azure_services.csv", 0, 1, 4},
    {"azure_block", "azure_units.csv", 0, -1, 2},
    {"azure_unit", "azure_units.csv", 0, -1, 3},
};

static fa_arena mem;

/* One record's fields from *at on; false: the text has ended. */
static bool take_record(fa_str text, size_t *at, fa_buf *field, fa_str out[16], size_t *n)
{
    bool quoted = false, end = false;

    *n = 0;
    if (*at >= text.n)
        return false;
    while (!end && *n < 16) {
        fa_buf_clear(field);
        for (;; ++*at) {
            char c = *at < text.n ? text.p[*at] : '\n';

            if (c == '"')
                quoted = !quoted;
            else if (!quoted && (c == ',' || c == '\n'))
                break;
            else if (c != '\r')
                fa_buf_c(field, c);
        }
        end = *at >= text.n || text.p[*at] == '\n';
        ++*at;
        out[(*n)++] = fa_buf_dup(field, &mem);
    }
    return true;
}

static int cmp_row(const void *x, const void *y)
{
    return fa_str_cmp(((const fa_lookup_row *)x)->key, ((const fa_lookup_row *)y)->key);
}

static fa_str key_of(const fa_str *field, size_t n, int key, int key2)
{
    fa_str a = fa_str_trim(field[key]),
           b = key2 >= 0 && (size_t)key2 < n ? field[key2] : FA_STR("");
    char *z = key2 >= 0 ? fa_arena_printf(&mem, "%.*s|%.*s", FA_FMT(a), FA_FMT(b))
                        : fa_arena_dupz(&mem, a);

    for (char *p = z; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return fa_str_of(z);
}

static void make_table(size_t spec, fa_str text)
{
    fa_lookup_row *row = fa_arena_array(&mem, text.n / 4 + 1, sizeof *row);
    fa_str field[16];
    fa_buf b;
    size_t at = 0, n, rows = 0, kept = 0;

    fa_buf_init(&b, 1 << 16);
    if (fa_str_starts(text, FA_STR("\xef\xbb\xbf")))
        at = 3;
    (void)take_record(text, &at, &b, field, &n); /* the header */
    while (row && rows < text.n / 4 && take_record(text, &at, &b, field, &n)) {
        if (n <= (size_t)specs[spec].value || !field[specs[spec].value].n)
            continue;
        row[rows].key = key_of(field, n, specs[spec].key, specs[spec].key2);
        row[rows++].value = field[specs[spec].value];
    }
    fa_buf_release(&b);
    if (!row)
        return;
    qsort(row, rows, sizeof *row, cmp_row);
    for (size_t i = 0; i < rows; i++) /* "1" and "1 " are one unit */
        if (kept == 0 || !fa_str_eq(row[kept - 1].key, row[i].key))
            row[kept++] = row[i];
    fa_lookup_table(specs[spec].name, row, kept);
}

static void make_tables(void)
{
    fa_arena_init(&mem, 32 << 20);
    for (size_t i = 0; i < FA_COUNT(specs); i++)
        for (const fa_embedded *f = fa_bill_tables; f->name; f++)
            if (strcmp(f->name, specs[i].file) == 0)
                make_table(i, (fa_str){(const char *)f->data, f->n});
}

void fa_bill_tables_make(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, make_tables);
}
