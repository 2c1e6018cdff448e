/*
 * args.c - command lines: the options of a command as a table, the global ones taken out before.
 *
 * A word that begins with "--" is never taken for the value of the option before it, so a forgotten
 * value is found; "--name=--value" says it on purpose.
 */
#include "cli/inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int fa_cmd_fail(fa_cmd_io *io, const fa_err *e)
{
    fprintf(io->err, "farthing: %s", e->msg);
    if (e->field[0] && !strstr(e->msg, e->field))
        fprintf(io->err, ", at %s", e->field);
    if (e->hint[0])
        fprintf(io->err, ", %s", e->hint);
    fputc('\n', io->err);
    fflush(io->err);
    return fa_rc_get(e->rc)->exit_code;
}

int fa_cmd_usage(const fa_cmd *c, fa_cmd_io *io, const char *fmt, ...)
{
    va_list ap;

    fprintf(io->err, "farthing: %s: ", c->name);
    va_start(ap, fmt);
    vfprintf(io->err, fmt, ap);
    va_end(ap);
    fprintf(io->err, ", see \"farthing %s --help\"\nusage: farthing %s\n", c->name, c->usage);
    fflush(io->err);
    return 2;
}

const char *fa_cmd_path(fa_arena *a, const fa_cmd_io *io, const char *path)
{
    if (path[0] == '/' || !io->cwd || !io->cwd[0])
        return fa_arena_dupz(a, fa_str_of(path));
    return fa_arena_printf(a, "%s/%s", io->cwd, path);
}

static bool num_parse(fa_str s, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, s.p[i] - '0', out))
            return false;
    return s.n > 0;
}

bool fa_size_parse(fa_str s, size_t *out)
{
    static const struct {
        fa_str unit;
        int64_t bytes;
    } units[] = {
        {FA_STR(""), 1},
        {FA_STR("B"), 1},
        {FA_STR("K"), 1LL << 10},
        {FA_STR("KB"), 1000},
        {FA_STR("KiB"), 1LL << 10},
        {FA_STR("M"), 1LL << 20},
        {FA_STR("MB"), 1000000},
        {FA_STR("MiB"), 1LL << 20},
        {FA_STR("G"), 1LL << 30},
        {FA_STR("GB"), 1000000000},
        {FA_STR("GiB"), 1LL << 30},
        {FA_STR("T"), 1LL << 40},
        {FA_STR("TB"), 1000000000000},
        {FA_STR("TiB"), 1LL << 40},
    };
    size_t n = 0;
    int64_t v;

    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    if (!num_parse((fa_str){s.p, n}, &v))
        return false;
    for (size_t i = 0; i < FA_COUNT(units); i++)
        if (fa_str_ieq((fa_str){s.p + n, s.n - n}, units[i].unit))
            return !__builtin_mul_overflow(v, units[i].bytes, out);
    return false;
}

/* The value of "--name" at argv[*i] when it is that option: 1 yes, 0 another word, -1 value
 * missing. */
static int take_value(int argc, char **argv, int *i, const char *name, const char **value)
{
    const char *word = argv[*i] + 2;
    size_t n = strlen(name);

    if (strncmp(word, name, n) != 0 || (word[n] != '\0' && word[n] != '='))
        return 0;
    if (word[n] == '=')
        *value = word + n + 1;
    else if (*i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0)
        *value = argv[++*i];
    else
        return -1;
    return 1;
}

fa_rc fa_globals_take(int *argc, char **argv, fa_globals *out, fa_err *e)
{
    int kept = 0, n = *argc;

    *out = (fa_globals){0};
    for (int i = 0; i < n; i++) {
        const char *value = NULL;
        int got;

        if (i == 0 || strncmp(argv[i], "--", 2) != 0) {
            argv[kept++] = argv[i];
            continue;
        }
        if (argv[i][2] == '\0') {
            while (i < n)
                argv[kept++] = argv[i++];
            break;
        }
        if (strcmp(argv[i], "--help") == 0) {
            out->help = true;
        } else if ((got = take_value(n, argv, &i, "data", &value))) {
            if (got < 0 || !*value)
                return fa_fail(e, FA_EINVAL, "--data needs a folder");
            out->dir = value;
        } else if ((got = take_value(n, argv, &i, "account", &value))) {
            if (got < 0 || !*value)
                return fa_fail(e, FA_EINVAL, "--account needs a name or an id");
            out->account = value;
        } else if ((got = take_value(n, argv, &i, "memory", &value))) {
            if (got < 0 || !fa_size_parse(fa_str_of(value), &out->memory_bytes) ||
                out->memory_bytes < (size_t)64 << 20)
                return fa_fail(e, FA_EINVAL,
                               "--memory needs a size of at least 64MiB, such as 512MiB or 2GiB");
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    return FA_OK;
}

/* Puts a value where the option wants it: NULL, or what it needs. */
static const char *store(const fa_opt *o, const char *value)
{
    int64_t n;

    switch (o->kind) {
    case FA_OPT_FLAG:
        *(bool *)o->to = true;
        return NULL;
    case FA_OPT_TEXT:
        if (!*value)
            return "a value";
        *(const char **)o->to = value;
        return NULL;
    case FA_OPT_NUM:
        if (!num_parse(fa_str_of(value), &n) || (o->max && n > o->max))
            return "a whole number";
        *(int64_t *)o->to = n;
        return NULL;
    case FA_OPT_DAY:
        return fa_day_parse(fa_str_of(value), o->to) ? NULL : "a day such as 2026-11-13";
    }
    return "another kind of value";
}

/* The option at argv[*i]: 0 taken, else the exit code after telling. */
static int take_option(const fa_cmd *c, fa_cmd_io *io, int argc, char **argv, int *i,
                       const fa_opt *opt, size_t nopt, uint64_t *seen)
{
    for (size_t k = 0; k < nopt; k++) {
        const char *value = NULL, *wants, *word = argv[*i];
        int got = 1;

        if (opt[k].kind == FA_OPT_FLAG) {
            if (strcmp(word + 2, opt[k].name) != 0)
                continue;
        } else if ((got = take_value(argc, argv, i, opt[k].name, &value)) == 0) {
            continue;
        }
        if (got < 0)
            return fa_cmd_usage(c, io, "%s needs a value", word);
        if (*seen & (1u << k))
            return fa_cmd_usage(c, io, "--%s is given twice", opt[k].name);
        *seen |= 1u << k;
        if ((wants = store(&opt[k], value)))
            return fa_cmd_usage(c, io, "--%s needs %s, \"%s\" is none", opt[k].name, wants, value);
        return 0;
    }
    return fa_cmd_usage(c, io, "there is no option \"%s\"", argv[*i]);
}

int fa_opts_take(const fa_cmd *c, fa_cmd_io *io, int argc, char **argv, const fa_opt *opt,
                 size_t nopt, char **rest, int *nrest)
{
    uint64_t seen = 0;
    bool plain = false;

    *nrest = 0;
    for (int i = 1; i < argc; i++) {
        int code;

        if (plain || strncmp(argv[i], "--", 2) != 0)
            rest[(*nrest)++] = argv[i];
        else if (argv[i][2] == '\0')
            plain = true;
        else if ((code = take_option(c, io, argc, argv, &i, opt, nopt, &seen)))
            return code;
    }
    for (size_t k = 0; k < nopt; k++)
        if (opt[k].required && !(seen & (1u << k)))
            return fa_cmd_usage(c, io, "--%s is missing", opt[k].name);
    return 0;
}
