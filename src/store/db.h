/*
 * db.h - private to store/: named statements, and the three ways to run one.
 *
 * A noun's file lists its statements in an X-macro and declares the table with FA_DB_TABLE; store.c
 * prepares every statement of every table once. Arguments are bound by a format: 't' fa_str, 'b' fa_str of bytes, 'i'
 * int64_t. A row is read column by column, in order, by the noun's reader; texts go to the arena.
 *
 * Threads: each call takes the handle's recursive mutex for its length.
 */
#ifndef FA_STORE_DB_H
#define FA_STORE_DB_H

#include "store/store.h"
#include <sqlite3.h>

/* One noun a line, so that two who add one do not meet. */
/* clang-format off */
#define FA_DB_NOUNS(X) \
    X(account) \
    X(setting) \
    X(user) \
    X(signin) \
    X(session) \
    X(token) \
    X(source) \
    X(load) \
    X(part) \
    X(total) \
    X(view) \
    X(invoice) \
    X(cost_query) \
    X(credential) \
    X(connection) \
    X(job) \
    X(tag) \
    X(custom) \
    X(telemetry) \
    X(restatement) \
    X(role) \
    X(team) \
    X(join_link) \
    X(rate) \
    X(recovery) \
    X(challenge) \
    X(device) \
    X(idp) \
    X(once) \
    X(scim) \
    X(acl) \
    X(mail) \
    X(place) \
    X(audit)
/* clang-format on */

typedef enum {
#define X(noun) FA_DB_NOUN_##noun,
    FA_DB_NOUNS(X)
#undef X
        FA_DB__NOUNS
} fa_db_noun;

typedef struct fa_db_statement {
    const char *name, *sql;
} fa_db_statement;

typedef struct fa_db_table {
    fa_db_noun noun;
    const char *name;
    size_t n;
    const fa_db_statement *st;
} fa_db_table;

#define FA_DB_ID(name, sql) ST_##name,
#define FA_DB_ROW(name, sql) {#name, sql},
#define FA_DB_TABLE(noun, LIST)                                                                    \
    enum { LIST(FA_DB_ID) ST__COUNT };                                                             \
    static const fa_db_statement noun##_statements[ST__COUNT] = {LIST(FA_DB_ROW)};                 \
    const fa_db_table fa_db_##noun = {FA_DB_NOUN_##noun, #noun, ST__COUNT, noun##_statements};     \
    static const fa_db_table *const table = &fa_db_##noun

#define X(noun) extern const fa_db_table fa_db_##noun;
FA_DB_NOUNS(X)
#undef X
extern const fa_db_table *const fa_db_tables[FA_DB__NOUNS];

/* One row being read. */
typedef struct fa_db_row {
    sqlite3_stmt *st;
    fa_arena *a;
    int col;
    bool oom;
} fa_db_row;
fa_str fa_db_text(fa_db_row *r); /* the next column */
int64_t fa_db_int(fa_db_row *r);
fa_str fa_db_blob(fa_db_row *r); /* bytes, not text */
typedef void fa_db_read(fa_db_row *r, void *out);

/* Runs to the end; *changed (may be NULL) gets the number of rows it touched. */
FA_MUST_CHECK fa_rc fa_db_run(fa_store *s, const fa_db_table *t, int id, int64_t *changed,
                              fa_err *e, const char *fmt, ...);
/* The first row into out. FA_ENOTFOUND: there is none, with the words "no such <noun>". */
FA_MUST_CHECK fa_rc fa_db_one(fa_store *s, const fa_db_table *t, int id, fa_arena *a,
                              fa_db_read *read, void *out, fa_err *e, const char *fmt, ...);
/* All rows as an array of `size` bytes each in the arena; *out is not NULL even for none. */
FA_MUST_CHECK fa_rc fa_db_all(fa_store *s, const fa_db_table *t, int id, fa_arena *a,
                              fa_db_read *read, size_t size, void *out, size_t *n, fa_err *e,
                              const char *fmt, ...);
bool fa_db_word(fa_str *list,
                fa_str *word);      /* takes the next word off a list with spaces between */
int64_t fa_db_last_id(fa_store *s); /* of the last insert; inside fa_db_lock */
/* fa_store_enter and fa_store_leave under this folder's prefix. */
#define fa_db_enter fa_store_enter
#define fa_db_leave fa_store_leave
sqlite3 *fa_db_handle(fa_store *s);

#endif
