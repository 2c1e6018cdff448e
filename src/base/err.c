/*
 * err.c - errors: the one table from code to HTTP status, exit code and wire name, and the words.
 *
 * Texts are formatted before the old error is overwritten, so a caller may quote e->msg in a new
 * message, and are cut at a character boundary so that what reaches JSON is valid UTF-8.
 */
#include "base/base.h"

#include <string.h>

static const fa_rc_info infos[FA__RC_COUNT] = {
    [FA_OK] = {200, 0, "OK"},
    [FA_EINVAL] = {400, 2, "BAD_REQUEST"},
    [FA_EAUTH] = {401, 1, "UNAUTHORIZED"},
    [FA_EFORBIDDEN] = {403, 1, "FORBIDDEN"},
    [FA_ENOTFOUND] = {404, 1, "NOT_FOUND"},
    [FA_ECONFLICT] = {409, 1, "CONFLICT"},
    [FA_EGONE] = {410, 1, "GONE"},
    [FA_ETOOBIG] = {413, 2, "PAYLOAD_TOO_LARGE"},
    [FA_EDATA] = {422, 1, "UNPROCESSABLE_ENTITY"},
    [FA_EFAILED] = {424, 1, "FAILED_DEPENDENCY"},
    [FA_ELIMIT] = {429, 1, "TOO_MANY_REQUESTS"},
    [FA_ECANCELLED] = {499, 1, "CANCELLED"},
    [FA_EINTERNAL] = {500, 3, "INTERNAL_SERVER_ERROR"},
    [FA_EENV] = {503, 3, "SERVICE_UNAVAILABLE"},
    [FA_ETIMEOUT] = {504, 3, "TIMEOUT"},
};

const fa_rc_info *fa_rc_get(fa_rc rc)
{
    return &infos[(unsigned)rc < FA__RC_COUNT ? rc : FA_EINTERNAL];
}

/* Drops a character that the cut at the buffer's end split in two. */
static void whole_characters(char *z, size_t size)
{
    size_t n = strlen(z), k = n;

    if (n + 1 < size)
        return;
    while (k > 0 && n - k < 4 && ((unsigned char)z[k - 1] & 0xc0) == 0x80)
        k--;
    if (k > 0 && !fa_utf8_valid((fa_str){z + k - 1, n - (k - 1)}))
        z[k - 1] = '\0';
}

FA_PRINTF(3, 0)
static void put(char *out, size_t size, const char *fmt, va_list ap)
{
    char tmp[sizeof((fa_err *)0)->msg];

    if (vsnprintf(tmp, size < sizeof tmp ? size : sizeof tmp, fmt, ap) < 0)
        tmp[0] = '\0';
    whole_characters(tmp, size);
    memcpy(out, tmp, strlen(tmp) + 1);
}

fa_rc(fa_fail)(fa_err *e, fa_rc rc, const char *fmt, ...)
{
    va_list ap;
    char msg[sizeof e->msg];

    if (!e)
        return rc;
    va_start(ap, fmt);
    put(msg, sizeof msg, fmt, ap);
    va_end(ap);
    e->rc = rc;
    memcpy(e->msg, msg, strlen(msg) + 1);
    e->hint[0] = e->field[0] = e->trail[0] = '\0';
    return rc;
}

fa_rc fa_hint(fa_err *e, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return FA_EINTERNAL;
    va_start(ap, fmt);
    put(e->hint, sizeof e->hint, fmt, ap);
    va_end(ap);
    return e->rc;
}

fa_rc fa_at(fa_err *e, const char *field)
{
    if (!e)
        return FA_EINTERNAL;
    snprintf(e->field, sizeof e->field, "%s", field);
    whole_characters(e->field, sizeof e->field);
    return e->rc;
}

fa_rc fa_in(fa_err *e, const char *where)
{
    char inner[sizeof e->trail];

    if (!e)
        return FA_EINTERNAL;
    memcpy(inner, e->trail, sizeof inner);
    snprintf(e->trail, sizeof e->trail, "%.60s%s%.240s", where, inner[0] ? " < " : "", inner);
    return e->rc;
}

fa_rc(fa_oom)(fa_err *e)
{
    fa_rc rc = fa_memory_why(e);

    return rc ? rc : fa_fail(e, FA_EENV, "out of memory");
}
