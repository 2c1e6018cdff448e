/*
 * bill_fuzz.c - any bytes as a bill: kind, packing, header, recognition, and the checked stream.
 *
 * The input is a file in memory. Whatever it holds, opening it ends in columns or an error with words, and
 * the stream ends; nothing is read past an end, nothing hangs.
 */
#include "bill/bill.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static fa_engine *engine;
static char pipe_path[64];

/* What the engine does with the pipe: reads it to its end. */
static void *drain(void *arg)
{
    char buf[65536];
    int fd = open(pipe_path, O_RDONLY | O_CLOEXEC);

    (void)arg;
    if (fd < 0)
        return NULL;
    while (read(fd, buf, sizeof buf) > 0)
        ;
    close(fd);
    return NULL;
}

static void feed(const fa_bill_file *f)
{
    pthread_t reader;
    fa_feed *d;
    fa_err e;
    char hash[65];

    if (fa_feed_open(f, pipe_path, &d, &e))
        abort();
    if (pthread_create(&reader, NULL, drain, NULL))
        abort();
    if (fa_feed_close(d, false, hash, &e) && !e.msg[0])
        abort(); /* an error says why */
    pthread_join(reader, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fa_engine_options o = {.memory_bytes = (size_t)256 << 20, .threads = 1};
    fa_arena a;
    fa_bill_file f;
    fa_err e = {0};
    static const fa_bill_hint hint = {.currency = FA_STR("USD")};
    fa_bill_match match = {.hint = &hint};
    char path[64];
    int fd;

    if (!engine) {
        if (fa_engine_open(&o, &engine, &e))
            abort();
        snprintf(pipe_path, sizeof pipe_path, "/tmp/bill_fuzz.%ld.pipe", (long)getpid());
    }
    fd = memfd_create("bill", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    fa_arena_init(&a, 64 << 20);
    match.a = &a;
    if (fa_bill_open(engine, &a, path, &f, &e) == FA_OK) {
        if (f.ncolumn == 0)
            abort();
        if (fa_bill_recognise(engine, &f, &match, &e) && !e.msg[0])
            abort();
        if (f.kind != FA_FILE_PARQUET)
            feed(&f);
    } else if (!e.msg[0]) {
        abort();
    }
    fa_arena_release(&a);
    close(fd);
    return 0;
}
