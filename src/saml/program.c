/*
 * program.c - farthing-saml: the verifier as a program of its own.
 *
 * Reads a length (four bytes, the high one first) and so many bytes of JSON from standard input, writes an answer of
 * the same form to standard output, and ends. It is started by the server, not by people.
 */
#include "saml/inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_all(void *p, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t k = read(0, (char *)p + got, n - got);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        got += (size_t)k;
    }
    return true;
}

static bool write_all(const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = write(1, (const char *)p + done, n - done);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        done += (size_t)k;
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned char head[4];
    fa_buf answer;
    size_t n;
    char *text;
    fa_err e;

    if (argc != 2 || strcmp(argv[1], "--serve-one") != 0) {
        static const char use[] =
            "farthing-saml is started by farthing, see \"farthing help serve\"\n";

        return write(2, use, sizeof use - 1) < 0 ? 3 : 2;
    }
    if (fa_verifier_start(&e) || fa_saml_sandbox(&e))
        _exit(3);
    if (!read_all(head, sizeof head))
        _exit(2);
    n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (!n || n > FA_SAML_FRAME_MAX || !(text = malloc(n)) || !read_all(text, n))
        _exit(2);
    fa_buf_init(&answer, FA_SAML_FRAME_MAX);
    fa_verifier_answer((fa_str){text, n}, &answer);
    if (answer.failed)
        _exit(3);
    head[0] = (unsigned char)(answer.n >> 24);
    head[1] = (unsigned char)(answer.n >> 16);
    head[2] = (unsigned char)(answer.n >> 8);
    head[3] = (unsigned char)answer.n;
    if (!write_all(head, sizeof head) || !write_all(answer.p, answer.n))
        _exit(3);
    _exit(0); /* nothing to save, and the sandbox has no use for what libraries do at their end */
}
