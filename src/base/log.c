/*
 * log.c - one line per event to standard error, key=value, in one write(2) so that lines of threads
 * and processes never mix.
 *
 * A log line is data from outside too: control characters are escaped, a line has a bound, and what
 * does not fit is cut and marked. The least level is one atomic; the fault point's count has a
 * lock.
 */
#include "base/base.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

static atomic_int least_level = FA_LOG_INFO;
static const char *const level_name[] = {"debug", "info", "warn", "error"};

void fa_log_set(fa_log_level least)
{
    atomic_store(&least_level, (int)least);
}

static void escaped(fa_buf *b, const char *z)
{
    for (; *z; z++) {
        unsigned char c = (unsigned char)*z;

        if (c == '\n')
            fa_buf_z(b, "\\n");
        else if (c < 0x20 || c == 0x7f)
            fa_buf_fmt(b, "\\x%02x", c);
        else
            fa_buf_c(b, (char)c);
    }
}

static void write_all(const char *p, size_t n)
{
    while (n) {
        ssize_t k = write(STDERR_FILENO, p, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return; /* nobody to tell */
        p += k;
        n -= (size_t)k;
    }
}

void fa_log(fa_log_level level, const char *event, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    va_list ap;
    fa_buf b;
    int n;
    int saved = errno;

    if ((int)level < atomic_load(&least_level) || (unsigned)level >= FA_COUNT(level_name))
        return;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fa_buf_init(&b, (size_t)8 * LINE_MAX_BYTES);
    fa_buf_z(&b, "time=");
    fa_time_iso(&b, fa_now_ms());
    fa_buf_fmt(&b, " level=%s event=%s", level_name[level], event);
    if (n > 0) {
        fa_buf_c(&b, ' ');
        escaped(&b, text);
        if ((size_t)n >= sizeof text)
            fa_buf_z(&b, " cut=true");
    }
    fa_buf_c(&b, '\n');
    if (!b.failed)
        write_all(b.p, b.n);
    fa_buf_release(&b);
    errno = saved;
}

/* How often the point named in FARTHING_FAULT was reached; starts again when the variable changes.
 */
static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static char fault_spec[128];
static long fault_hits;

bool fa_fault(const char *name)
{
    const char *spec = getenv("FARTHING_FAULT");
    size_t n = strlen(name);
    bool fail = false, now;
    long at = 1;

    if (!spec || strncmp(spec, name, n) != 0 || (spec[n] != '\0' && spec[n] != ':'))
        return false;
    if (spec[n] == ':') {
        char *end;

        at = strtol(spec + n + 1, &end, 10);
        fail = strcmp(end, ":fail") == 0;
    }
    pthread_mutex_lock(&fault_lock);
    if (strcmp(fault_spec, spec) != 0) {
        snprintf(fault_spec, sizeof fault_spec, "%s", spec);
        fault_hits = 0;
    }
    now = ++fault_hits == at;
    pthread_mutex_unlock(&fault_lock);
    if (now && !fail)
        raise(SIGKILL);
    return now;
}
