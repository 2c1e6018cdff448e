/*
 * feed.c - dictionaries that are read by themselves: a file of the drop folder when it changes, an
 * address once a day (inform.md 5.9, 5.10).
 *
 * The one idea: what was read last is kept with the tag, so a pass that finds nothing new does
 * nothing. A read that fails or is refused keeps the rows that are live and says why.
 */
#include "allocate/inner.h"

#include "net/net.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FEED_MAX = 256 << 20, HOUR_MS = 3600000 };

static fa_str text_of(const json_t *v)
{
    return (fa_str){json_string_value(v) ? json_string_value(v) : "", json_string_length(v)};
}

bool fa_feed_name_ok(fa_str s)
{
    if (!s.n || s.n > 200 || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == '/' || s.p[i] == '\\')
            return false;
    return true;
}

/* What the tag remembers; its other members may have changed meanwhile and stay. */
static void remember(fa_ledger *l, fa_arena *a, fa_str id, fa_str mark, const char *error)
{
    fa_store *s = fa_ledger_store(l);
    fa_tag_row t;
    fa_err e;

    if (fa_store_begin(s, &e))
        return;
    if (fa_tag_get(s, a, fa_ledger_account(l), id, &t, &e) == FA_OK) {
        t.feed_mark = mark;
        t.feed_error = fa_str_of(error);
        if (fa_tag_put(s, fa_ledger_account(l), &t, &e) == FA_OK && fa_store_commit(s, &e) == FA_OK)
            return;
    }
    fa_store_rollback(s);
    fa_log(FA_LOG_ERROR, "dictionary", "tag=%.*s error=%s", FA_FMT(id), e.msg);
}

static fa_rc take(fa_ledger *l, fa_arena *a, const fa_tag_row *t, fa_str text, const char *what,
                  fa_err *e)
{
    fa_row_faults *faults = fa_arena_alloc(a, sizeof *faults);
    fa_rows_result r;
    fa_rc rc = faults ? fa_tag_rows_put(l, a, t->id, text, FA_STR("farthing@localhost"),
                                        fa_str_of(what), faults, &r, e)
                      : fa_oom(e);

    if (!rc && !r.unchanged)
        fa_log(FA_LOG_INFO, "dictionary", "tag=%.*s rows=%zu", FA_FMT(t->id), r.rows);
    if (rc)
        fa_log(FA_LOG_WARN, "dictionary", "tag=%.*s error=%s action=rows-stay", FA_FMT(t->id),
               e->msg);
    return rc;
}

static void feed_file(fa_ledger *l, fa_arena *a, const fa_tag_row *t, fa_str name)
{
    char *path = fa_feed_name_ok(name) ? fa_arena_printf(a, "%s/drop/dictionaries/%.*s",
                                                         fa_ledger_dir(l), FA_FMT(name))
                                       : NULL;
    char *mark;
    struct stat st;
    fa_buf text;
    fa_err e = {0};

    if (!path || lstat(path, &st) || !S_ISREG(st.st_mode) ||
        fa_now_ms() / 1000 - (int64_t)st.st_mtime < 2)
        return; /* not there, or still being written */
    mark = fa_arena_printf(a, "file %.*s %lld.%09ld %lld", FA_FMT(name),
                           (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_size);
    if (!mark || fa_str_eqz(t->feed_mark, mark))
        return;
    fa_buf_init(&text, FEED_MAX);
    if (fa_file_read(path, FEED_MAX, &text, &e) == FA_OK &&
        take(l, a, t, fa_buf_view(&text), "Rows of the drop folder", &e) == FA_OK)
        remember(l, a, t->id, fa_str_of(mark), "");
    else
        remember(l, a, t->id, fa_str_of(mark), e.msg);
    fa_buf_release(&text);
}

/* Once a day; after a failure once an hour. */
static void feed_url(fa_ledger *l, fa_net *net, fa_arena *a, const fa_tag_row *t, fa_str url)
{
    int64_t now = fa_now_ms();
    char *z = fa_arena_dupz(a, url);
    char *done =
        z ? fa_arena_printf(a, "url %s day %lld", z, (long long)(now / (24LL * HOUR_MS))) : NULL;
    char *failed = z ? fa_arena_printf(a, "url %s hour %lld", z, (long long)(now / HOUR_MS)) : NULL;
    fa_net_request q = {.url = z, .max_body = FEED_MAX, .redirects = 3};
    fa_net_response r;
    fa_err e = {0};

    if (!net || !done || !failed || fa_str_eqz(t->feed_mark, done) ||
        fa_str_eqz(t->feed_mark, failed))
        return;
    if (fa_net_send(net, a, &q, &r, &e) == FA_OK &&
        fa_net_judge(&r, "the dictionary", &e) == FA_OK &&
        take(l, a, t, r.body, "Rows of the address", &e) == FA_OK)
        remember(l, a, t->id, fa_str_of(done), "");
    else
        remember(l, a, t->id, fa_str_of(failed), e.msg);
}

void fa_tag_feeds(fa_ledger *l, struct fa_net *net, const volatile bool *stop)
{
    fa_tag_set *set = NULL;
    fa_tag_row *row;
    fa_arena list, one;
    size_t n = 0;
    fa_err e = {0};

    fa_arena_init(&list, 0);
    if (fa_tags_live(l, &set, &e) ||
        fa_tag_list(fa_ledger_store(l), &list, fa_ledger_account(l), &row, &n, &e))
        fa_log(FA_LOG_WARN, "dictionary", "error=%s", e.msg);
    for (size_t i = 0; i < n && !fa_flag_get(stop); i++) {
        const json_t *doc = fa_tag_set_document(set, row[i].id),
                     *feed = json_object_get(json_object_get(doc, "dictionary"), "feed");
        fa_str type;

        if (!feed)
            feed = json_object_get(json_object_get(doc, "hierarchy"), "feed");
        type = text_of(json_object_get(feed, "type"));
        fa_arena_init(&one, (size_t)4 << 30);
        if (fa_str_eqz(type, "file"))
            feed_file(l, &one, &row[i], text_of(json_object_get(feed, "file")));
        else if (fa_str_eqz(type, "url"))
            feed_url(l, net, &one, &row[i], text_of(json_object_get(feed, "url")));
        fa_arena_release(&one);
    }
    fa_tag_set_put(set);
    fa_arena_release(&list);
}
