/*
 * feed.c - a CSV file as a stream of checked bytes in a named pipe.
 *
 * The engine's own reader takes a gzip file that ends in the middle for a whole one and never looks
 * at its checksum, so a bill could lose its tail in silence. Here the file is unpacked by its own
 * library on a thread of its own, checked on the way, and the engine reads the plain text from a
 * pipe; it still parses in parallel. The content hash is taken from the same bytes.
 */
#include "bill/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define IN_STEP ((size_t)1 << 18)
#define OUT_STEP ((size_t)1 << 20)
#define LINE_MAX_BYTES ((size_t)1 << 20)
#define BOMB_RATIO 200
#define BOMB_FROM ((int64_t)16 << 20)
#define ZSTD_WINDOW_LOG 27 /* 128 MiB */

struct fa_feed {
    fa_bill_file file;
    char *pipe_path;
    int pipe;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    atomic_int_fast64_t packed;
    crypto_generichash_state hash;
    fa_jsonl *json;            /* NULL: the text goes on as it is */
    fa_buf open_line, records; /* of JSON lines: what has no end yet, what goes into the pipe */
    int64_t json_line;
    bool has_header;
    int64_t unpacked, line;       /* line: number of the line that is open, from 1 */
    size_t line_bytes;            /* of the open line */
    unsigned utf_need;            /* continuation bytes still due */
    unsigned char utf_lo, utf_hi; /* bounds of the next one */
    fa_err err;
};

/* ---- checks on the plain text ---- */

/* One byte of UTF-8 outside ASCII; false: not UTF-8 (Unicode 15, table 3-7). */
static bool utf_step(fa_feed *d, unsigned char c)
{
    if (d->utf_need) {
        if (c < d->utf_lo || c > d->utf_hi)
            return false;
        d->utf_lo = 0x80;
        d->utf_hi = 0xbf;
        d->utf_need--;
        return true;
    }
    d->utf_lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    d->utf_hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    d->utf_need = c >= 0xc2 && c <= 0xdf   ? 1
                  : c >= 0xe0 && c <= 0xef ? 2
                  : c >= 0xf0 && c <= 0xf4 ? 3
                                           : 0;
    return d->utf_need > 0;
}

static fa_rc refuse(fa_feed *d, const char *what)
{
    return fa_fail(&d->err, FA_EDATA, "%.*s: line %lld: %s", FA_FMT(d->file.name),
                   (long long)d->line, what);
}

static fa_rc check_line(fa_feed *d, const unsigned char *p, size_t n)
{
    size_t i = 0;

    d->line_bytes += n;
    if (d->line_bytes > LINE_MAX_BYTES)
        return refuse(d, "the line is longer than 1 MiB");
    if (memchr(p, 0, n))
        return refuse(d, "there is a NUL byte");
    while (i < n) {
        uint64_t w;

        if (!d->utf_need && i + 8 <= n) {
            memcpy(&w, p + i, 8);
            if (!(w & 0x8080808080808080u)) {
                i += 8;
                continue;
            }
        }
        if ((p[i] >= 0x80 || d->utf_need) && !utf_step(d, p[i]))
            return refuse(d, "the text is not UTF-8");
        i++;
    }
    return FA_OK;
}

static fa_rc check_text(fa_feed *d, const char *p, size_t n)
{
    d->unpacked += (int64_t)n;
    if (d->file.pack != FA_PACK_NONE && d->unpacked > BOMB_FROM &&
        d->unpacked / BOMB_RATIO > atomic_load(&d->packed)) {
        (void)refuse(d, "the file unpacks to more than 200 times its size");
        return fa_hint(&d->err,
                       "if the file is what it should be, unpack it and load the plain CSV");
    }
    while (n > 0) {
        const char *nl = memchr(p, '\n', n);
        size_t take = nl ? (size_t)(nl - p) : n;

        if (check_line(d, (const unsigned char *)p, take))
            return d->err.rc;
        if (!nl)
            return FA_OK;
        if (d->utf_need)
            return refuse(d, "the text is not UTF-8");
        d->line++;
        d->line_bytes = 0;
        p += take + 1;
        n -= take + 1;
    }
    return FA_OK;
}

/* ---- the pipe ---- */

static fa_rc write_pipe(fa_feed *d, const char *p, size_t n)
{
    while (n > 0) {
        struct pollfd w = {.fd = d->pipe, .events = POLLOUT};
        ssize_t put;

        if (atomic_load(&d->stop))
            return fa_fail(&d->err, FA_ECANCELLED, "cancelled");
        put = write(d->pipe, p, n);
        if (put > 0) {
            p += put;
            n -= (size_t)put;
        } else if (put < 0 && errno != EAGAIN && errno != EINTR) {
            return fa_fail(&d->err, FA_EENV, "could not write the pipe: %s", strerror(errno));
        } else {
            (void)poll(&w, 1, 100);
        }
    }
    return FA_OK;
}

/* The reader must have taken everything before our end closes, or the pipe forgets it. */
static void drain(fa_feed *d)
{
    int left = 1;

    while (!atomic_load(&d->stop) && ioctl(d->pipe, FIONREAD, &left) == 0 && left > 0)
        (void)poll(NULL, 0, 1);
}

/* ---- JSON lines ---- */

static fa_rc put_json(fa_feed *d, fa_str line)
{
    char what[sizeof d->err.msg];

    d->json_line++;
    if (d->json_line == 1 && fa_str_starts(line, FA_STR("\xef\xbb\xbf")))
        line = (fa_str){line.p + 3, line.n - 3};
    if (fa_str_trim(line).n == 0)
        return FA_OK;
    if (fa_jsonl_line(d->json, line, &d->records, &d->err) != FA_EDATA)
        return d->err.rc;
    (void)snprintf(what, sizeof what, "%s", d->err.msg);
    return fa_fail(&d->err, FA_EDATA, "%.*s: line %lld: %s", FA_FMT(d->file.name),
                   (long long)d->json_line, what);
}

/* Whole lines become records; is_end: what is left is the last line. */
static fa_rc pass_json(fa_feed *d, const char *p, size_t n, bool is_end)
{
    fa_rc rc;

    fa_buf_clear(&d->records);
    d->err.rc = FA_OK;
    if (!d->has_header)
        fa_jsonl_header(d->json, &d->records);
    d->has_header = true;
    while (n > 0 || (is_end && d->open_line.n)) {
        const char *nl = memchr(p, '\n', n);
        size_t take = nl ? (size_t)(nl - p) : n;
        fa_str line = {p, take};

        if (d->open_line.n || (!nl && !is_end)) {
            fa_buf_put(&d->open_line, p, take);
            line = fa_buf_view(&d->open_line);
        }
        if (!nl && !is_end)
            break;
        if (d->open_line.failed)
            return fa_oom(&d->err);
        if ((rc = put_json(d, line)))
            return rc;
        fa_buf_clear(&d->open_line);
        p += take + (nl != NULL);
        n -= take + (nl != NULL);
    }
    return write_pipe(d, d->records.p ? d->records.p : "", d->records.n);
}

static fa_rc pass_on(fa_feed *d, const char *p, size_t n)
{
    if (check_text(d, p, n))
        return d->err.rc;
    return d->json ? pass_json(d, p, n, false) : write_pipe(d, p, n);
}

/* ---- unpacking ---- */

static fa_rc read_raw(fa_feed *d, int fd, char *buf, size_t *n)
{
    ssize_t got;

    do
        got = read(fd, buf, IN_STEP);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return fa_fail(&d->err, FA_EENV, "could not read \"%s\": %s", d->file.path,
                       strerror(errno));
    *n = (size_t)got;
    atomic_fetch_add(&d->packed, got);
    crypto_generichash_update(&d->hash, (const unsigned char *)buf, *n);
    return FA_OK;
}

static fa_rc cut_off(fa_feed *d)
{
    (void)fa_fail(&d->err, FA_EDATA,
                  "%.*s: the archive ends in the middle (after line %lld): the file is truncated",
                  FA_FMT(d->file.name), (long long)d->line);
    return fa_hint(&d->err, "fetch the file again; nothing of it was loaded");
}

static fa_rc feed_gzip(fa_feed *d, int fd, char *in, char *out)
{
    z_stream z = {0};
    size_t n = 0;
    bool open_member = false;
    fa_rc rc;

    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return fa_oom(&d->err);
    while (!(rc = read_raw(d, fd, in, &n)) && n > 0) {
        z.next_in = (Bytef *)in;
        z.avail_in = (uInt)n;
        do {
            int zr;

            z.next_out = (Bytef *)out;
            z.avail_out = (uInt)OUT_STEP;
            zr = inflate(&z, Z_NO_FLUSH);
            open_member = zr != Z_STREAM_END;
            if (zr != Z_OK && zr != Z_STREAM_END && zr != Z_BUF_ERROR) {
                rc = fa_fail(&d->err, FA_EDATA,
                             "%.*s: the gzip archive is damaged after line %lld%s%s",
                             FA_FMT(d->file.name), (long long)d->line, z.msg ? ": " : "",
                             z.msg ? z.msg : "");
                goto done;
            }
            if ((rc = pass_on(d, out, OUT_STEP - z.avail_out)))
                goto done;
            if (zr == Z_STREAM_END && inflateReset(&z) != Z_OK) {
                rc = fa_oom(&d->err);
                goto done;
            }
            if (zr == Z_BUF_ERROR)
                break;
        } while (z.avail_in > 0 || z.avail_out == 0);
    }
    if (!rc && open_member)
        rc = cut_off(d);
done:
    inflateEnd(&z);
    return rc;
}

static fa_rc feed_zstd(fa_feed *d, int fd, char *in, char *out)
{
    ZSTD_DCtx *z = ZSTD_createDCtx();
    size_t n = 0, left = 1;
    fa_rc rc;

    if (!z)
        return fa_oom(&d->err);
    ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    while (!(rc = read_raw(d, fd, in, &n)) && n > 0) {
        ZSTD_inBuffer zin = {in, n, 0};
        bool more = true;

        while (zin.pos < zin.size || more) {
            ZSTD_outBuffer zout = {out, OUT_STEP, 0};

            left = ZSTD_decompressStream(z, &zout, &zin);
            if (ZSTD_isError(left)) {
                rc = fa_fail(&d->err, FA_EDATA,
                             "%.*s: the zstd archive is damaged after line %lld: %s",
                             FA_FMT(d->file.name), (long long)d->line, ZSTD_getErrorName(left));
                goto done;
            }
            if ((rc = pass_on(d, out, zout.pos)))
                goto done;
            more = zout.pos == zout.size;
        }
    }
    if (!rc && left != 0)
        rc = cut_off(d);
done:
    ZSTD_freeDCtx(z);
    return rc;
}

/* Behind the data of a zip entry: its checksum, if the header had none, and no second file. */
static fa_rc check_zip_end(fa_feed *d, const fa_zip_entry *z, uLong crc, const unsigned char *p,
                           size_t n)
{
    uint32_t want = z->crc;

    if (z->flags & 8) {
        if (n >= 4 && memcmp(p, "PK\x07\x08", 4) == 0) {
            p += 4;
            n -= 4;
        }
        if (n < 12)
            return cut_off(d);
        want = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    if ((uint32_t)crc != want)
        return fa_fail(&d->err, FA_EDATA, "%.*s: the zip archive is damaged: its checksum differs",
                       FA_FMT(d->file.name));
    for (size_t i = 0; i + 4 <= n && i <= 20; i++)
        if (memcmp(p + i, "PK\x03\x04", 4) == 0) {
            (void)fa_fail(&d->err, FA_EDATA, "%.*s: there is more than one file in the archive",
                          FA_FMT(d->file.name));
            return fa_hint(&d->err, "unpack it and load the files in it");
        }
    return FA_OK;
}

static fa_rc feed_zip(fa_feed *d, int fd, char *in, char *out)
{
    fa_zip_entry entry;
    z_stream z = {0};
    uLong crc = crc32(0, NULL, 0);
    FILE *head = fopen(d->file.path, "rbe");
    unsigned char tail[64];
    size_t n = 0, ntail = 0;
    int64_t skip;
    bool is_end = false;
    fa_rc rc = head ? fa_zip_enter(&d->file, head, &entry, &d->err)
                    : fa_fail(&d->err, FA_EENV, "could not open \"%s\": %s", d->file.path,
                              strerror(errno));

    if (head)
        fclose(head);
    if (rc)
        return rc;
    skip = entry.data;
    if (inflateInit2(&z, -15) != Z_OK)
        return fa_oom(&d->err);
    while (!(rc = read_raw(d, fd, in, &n)) && n > 0) {
        size_t from = skip < (int64_t)n ? (size_t)skip : n;

        skip -= (int64_t)from;
        z.next_in = (Bytef *)in + from;
        z.avail_in = (uInt)(n - from);
        z.avail_out = 1;
        while (!is_end && (z.avail_in > 0 || z.avail_out == 0)) {
            int zr;

            z.next_out = (Bytef *)out;
            z.avail_out = (uInt)OUT_STEP;
            zr = inflate(&z, Z_NO_FLUSH);
            if (zr != Z_OK && zr != Z_STREAM_END && zr != Z_BUF_ERROR) {
                rc = fa_fail(&d->err, FA_EDATA, "%.*s: the zip archive is damaged after line %lld",
                             FA_FMT(d->file.name), (long long)d->line);
                goto done;
            }
            crc = crc32(crc, (Bytef *)out, (uInt)(OUT_STEP - z.avail_out));
            if ((rc = pass_on(d, out, OUT_STEP - z.avail_out)))
                goto done;
            is_end = zr == Z_STREAM_END;
            if (zr == Z_BUF_ERROR)
                break;
        }
        for (; is_end && z.avail_in > 0 && ntail < sizeof tail; z.avail_in--)
            tail[ntail++] = *z.next_in++;
    }
    if (!rc)
        rc = is_end ? check_zip_end(d, &entry, crc, tail, ntail) : cut_off(d);
done:
    inflateEnd(&z);
    return rc;
}

static fa_rc feed_plain(fa_feed *d, int fd, char *in)
{
    size_t n = 0;
    fa_rc rc;

    while (!(rc = read_raw(d, fd, in, &n)) && n > 0)
        if ((rc = pass_on(d, in, n)))
            break;
    return rc;
}

static void *run_feed(void *arg)
{
    fa_feed *d = arg;
    char *in = malloc(IN_STEP), *out = malloc(OUT_STEP);
    int fd = open(d->file.path, O_RDONLY | O_CLOEXEC);
    fa_rc rc;

    if (fd < 0)
        rc = fa_fail(&d->err, FA_EENV, "could not open \"%s\": %s", d->file.path, strerror(errno));
    else if (!in || !out)
        rc = fa_oom(&d->err);
    else if (d->file.pack == FA_PACK_GZIP)
        rc = feed_gzip(d, fd, in, out);
    else if (d->file.pack == FA_PACK_ZSTD)
        rc = feed_zstd(d, fd, in, out);
    else if (d->file.pack == FA_PACK_ZIP)
        rc = feed_zip(d, fd, in, out);
    else
        rc = feed_plain(d, fd, in);
    if (!rc && d->utf_need)
        rc = refuse(d, "the text is not UTF-8");
    if (!rc && d->json)
        rc = pass_json(d, "", 0, true);
    if (rc && rc != FA_ECANCELLED) {
        fa_err first = d->err;

        (void)write_pipe(d, "\n", 1); /* wakes a reader that has not seen a byte yet */
        d->err = first;
    }
    drain(d);
    if (fd >= 0)
        close(fd);
    close(d->pipe); /* the reader sees the end */
    d->pipe = -1;
    free(in);
    free(out);
    return NULL;
}

static void release(fa_feed *d)
{
    fa_jsonl_free(d->json);
    fa_buf_release(&d->open_line);
    fa_buf_release(&d->records);
    free(d->pipe_path);
    free(d);
}

fa_rc fa_feed_open(const fa_bill_file *f, const char *pipe_path, fa_feed **out, fa_err *e)
{
    fa_feed *d = calloc(1, sizeof *d);
    fa_rc rc = FA_OK;

    *out = NULL;
    if (!d)
        return fa_oom(e);
    d->file = *f;
    d->pipe = -1;
    d->line = 1;
    crypto_generichash_init(&d->hash, NULL, 0, 32);
    fa_buf_init(&d->open_line, 2 * LINE_MAX_BYTES);
    fa_buf_init(&d->records, 64 << 20);
    if (!(d->pipe_path = strdup(pipe_path))) {
        rc = fa_oom(e);
        goto done;
    }
    if (f->kind == FA_FILE_JSONL && (rc = fa_jsonl_new(f, &d->json, e)))
        goto done;
    if (mkfifo(pipe_path, 0600) != 0 ||
        (d->pipe = open(pipe_path, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0) {
        rc = fa_fail(e, FA_EENV, "could not make the pipe \"%s\": %s", pipe_path, strerror(errno));
        goto done;
    }
    (void)fcntl(d->pipe, F_SETPIPE_SZ, 1 << 20); /* the default size works too */
    if (pthread_create(&d->thread, NULL, run_feed, d)) {
        rc = fa_fail(e, FA_EENV, "could not start a thread");
        goto done;
    }
    d->started = true;
    *out = d;
    d = NULL;
done:
    if (d) {
        if (d->pipe >= 0) {
            close(d->pipe);
            (void)unlink(pipe_path);
        }
        release(d);
    }
    return rc;
}

int64_t fa_feed_bytes(const fa_feed *d)
{
    return atomic_load_explicit(&d->packed, memory_order_relaxed);
}

fa_rc fa_feed_close(fa_feed *d, bool abandon, char hash_hex[65], fa_err *e)
{
    unsigned char sum[32];
    fa_rc rc;

    if (abandon)
        atomic_store(&d->stop, true);
    pthread_join(d->thread, NULL);
    rc = d->err.rc;
    if (rc && e)
        *e = d->err;
    crypto_generichash_final(&d->hash, sum, sizeof sum);
    fa_hex(hash_hex, sum, sizeof sum);
    (void)unlink(d->pipe_path);
    release(d);
    return rc;
}
