/*
 * bar.c - how far a load or a rebuild is: redrawn in place on a terminal, a plain line now and then
 * else.
 *
 * Ticks come from any thread, so the bar has a lock. It is cleared at the end: what stays on the
 * screen is the result.
 */
#include "cli/inner.h"

#include <pthread.h>
#include <stdlib.h>

enum { WIDTH = 24, REDRAW_MS = 100, LINE_MS = 3000 };

struct fa_bar {
    pthread_mutex_t lock;
    fa_cmd_io *io;
    const char *verb;
    int64_t last_ms;
    bool drawn;
};

/* 1234567 as "1,234,567" */
static void put_count(fa_buf *b, int64_t n)
{
    char digits[24];
    int k = snprintf(digits, sizeof digits, "%lld", (long long)n);

    for (int i = 0; i < k; i++) {
        if (i && (k - i) % 3 == 0)
            fa_buf_c(b, ',');
        fa_buf_c(b, digits[i]);
    }
}

void fa_bar_text(fa_buf *out, const char *verb, const fa_progress_state *s, bool bar)
{
    double f = s->fraction < 0 ? 0 : s->fraction > 1 ? 1 : s->fraction;
    int full = (int)(f * WIDTH);

    fa_buf_fmt(out, "%s: %s", verb, s->phase ? s->phase : "");
    if (bar) {
        fa_buf_z(out, " [");
        for (int i = 0; i < WIDTH; i++)
            fa_buf_c(out, i < full ? '#' : '.');
        fa_buf_c(out, ']');
    }
    fa_buf_fmt(out, " %d%%", (int)(f * 100));
    if (s->rows > 0) {
        fa_buf_z(out, "  ");
        put_count(out, s->rows);
        fa_buf_z(out, " rows");
    }
    if (s->rows_per_s >= 1) {
        fa_buf_z(out, "  ");
        put_count(out, (int64_t)s->rows_per_s);
        fa_buf_z(out, " rows/s");
    }
    if (s->left_ms >= 0) {
        long long left = (s->left_ms + 999) / 1000;

        if (left >= 3600)
            fa_buf_fmt(out, "  %lld:%02lld:%02lld left", left / 3600, left / 60 % 60, left % 60);
        else
            fa_buf_fmt(out, "  %lld:%02lld left", left / 60, left % 60);
    }
}

static void tick(void *user, const fa_progress_state *s)
{
    fa_bar *b = user;
    fa_buf line;
    int64_t now = fa_mono_ms();

    pthread_mutex_lock(&b->lock);
    if (now - b->last_ms >= (b->io->is_tty ? REDRAW_MS : LINE_MS)) {
        b->last_ms = now;
        fa_buf_init(&line, 1024);
        fa_bar_text(&line, b->verb, s, b->io->is_tty);
        if (b->io->is_tty)
            fprintf(b->io->err, "\r\033[K%.*s", FA_FMT(fa_buf_view(&line)));
        else
            fprintf(b->io->err, "%.*s\n", FA_FMT(fa_buf_view(&line)));
        fflush(b->io->err);
        b->drawn = true;
        fa_buf_release(&line);
    }
    pthread_mutex_unlock(&b->lock);
}

fa_bar *fa_bar_new(fa_cmd_io *io, const char *verb, fa_progress *p)
{
    fa_bar *b = calloc(1, sizeof *b);

    *p = (fa_progress){.cancel = io->cancel};
    if (!b)
        return NULL;
    pthread_mutex_init(&b->lock, NULL);
    b->io = io;
    b->verb = verb;
    b->last_ms = fa_mono_ms() - (io->is_tty ? REDRAW_MS : 0);
    p->tick = tick;
    p->user = b;
    return b;
}

void fa_bar_free(fa_bar *b)
{
    if (!b)
        return;
    if (b->drawn && b->io->is_tty) {
        fputs("\r\033[K", b->io->err);
        fflush(b->io->err);
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}
