/*
 * inner.h - private to cli/: options of a command line, the progress bar, paths of the caller.
 */
#ifndef FA_CLI_INNER_H
#define FA_CLI_INNER_H

#include "cli/cli.h"

/* ---- options: one row each; "--name VALUE" or "--name=VALUE" ---- */
typedef enum {
    FA_OPT_FLAG, /* bool *: no value */
    FA_OPT_TEXT, /* const char **: must not be empty */
    FA_OPT_NUM,  /* int64_t *: 0..max */
    FA_OPT_DAY,  /* int32_t *: 2026-11-13 */
} fa_opt_kind;

typedef struct fa_opt {
    const char *name; /* without the dashes */
    fa_opt_kind kind;
    void *to; /* keeps its value when the option is not given */
    bool required;
    int64_t max; /* FA_OPT_NUM; 0: no bound */
} fa_opt;

/* Fills what the options name and moves the other words to rest[], which holds argc entries. Gives
 * 0, or 2 after telling what is wrong. "--" ends the options. */
int fa_opts_take(const fa_cmd *c, fa_cmd_io *io, int argc, char **argv, const fa_opt *opt,
                 size_t nopt, char **rest, int *nrest);
/* "512MiB", "2GiB", "2g", "1073741824" -> bytes. false: not a size, or past SIZE_MAX. */
bool fa_size_parse(fa_str s, size_t *out);

/* The path as the caller meant it: relative ones against the caller's folder. NULL: out of memory.
 */
const char *fa_cmd_path(fa_arena *a, const fa_cmd_io *io, const char *path);

/* ---- progress on the caller's standard error: a bar on a terminal, else a line every few seconds
 * ---- */
typedef struct fa_bar fa_bar;
/* verb: "loading". *p is filled for the call that works. NULL: out of memory, *p stays usable
 * (silent). */
fa_bar *fa_bar_new(fa_cmd_io *io, const char *verb, fa_progress *p);
void fa_bar_free(fa_bar *b); /* clears the bar; NULL is fine */

/* One state as a line of text, without end of line; bar: with the drawn bar. For the test. */
void fa_bar_text(fa_buf *out, const char *verb, const fa_progress_state *s, bool bar);

#endif
