/*
 * http.c - asks one POST again and again over kept connections and says how long the answers took.
 *
 *   bench_http PORT PATH BODY HEADER-FILE CONNECTIONS SECONDS
 *
 * HEADER-FILE holds header lines (the two credentials: not on the command line, where anybody could
 * read them). Every connection has a thread; the first answer of each is not counted. Prints one
 * JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, ANSWERS_MAX = 4 << 20, HEAD_MAX = 64 << 10 };

typedef struct client {
    pthread_t thread;
    const char *request;
    size_t nrequest;
    int port;
    double seconds, until_ms; /* counted from the first answer on */
    double *took_ms;
    bool closing; /* the server ends this connection after so many requests: dial again */
    size_t n;
    long long bytes;
    char error[256];
} client;

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* Reads one answer whole. false with c->error when it is not a 200 with a length. */
static bool answer(client *c, int fd)
{
    char head[HEAD_MAX], drop[HEAD_MAX];
    size_t n = 0, body;
    char *end = NULL, *length;
    long long left;

    while (!end) {
        ssize_t k = n < sizeof head - 1 ? recv(fd, head + n, sizeof head - 1 - n, 0) : 0;

        if (k <= 0) {
            snprintf(c->error, sizeof c->error, "the connection ended: %s", strerror(errno));
            return false;
        }
        n += (size_t)k;
        head[n] = 0;
        end = strstr(head, "\r\n\r\n");
    }
    if (strncmp(head, "HTTP/1.1 200", 12) != 0) {
        snprintf(c->error, sizeof c->error, "%.200s", head);
        return false;
    }
    c->closing = strcasestr(head, "\r\nconnection: close\r\n") != NULL;
    length = strcasestr(head, "\r\ncontent-length:");
    if (!length || length > end) {
        snprintf(c->error, sizeof c->error, "an answer without content-length");
        return false;
    }
    left = strtoll(length + 17, NULL, 10);
    c->bytes += left;
    body = n - (size_t)(end + 4 - head);
    for (left -= (long long)body; left > 0;) {
        ssize_t k = recv(fd, drop, left < (long long)sizeof drop ? (size_t)left : sizeof drop, 0);

        if (k <= 0) {
            snprintf(c->error, sizeof c->error, "the connection ended inside an answer");
            return false;
        }
        left -= k;
    }
    return true;
}

static void *ask(void *arg)
{
    client *c = arg;
    int fd = dial(c->port);

    if (fd < 0) {
        snprintf(c->error, sizeof c->error, "could not connect: %s", strerror(errno));
        return NULL;
    }
    for (bool warm = false; (!warm || now_ms() < c->until_ms) && c->n < ANSWERS_MAX;) {
        double start = now_ms();

        if (c->closing) {
            close(fd);
            c->closing = false;
            if ((fd = dial(c->port)) < 0) {
                snprintf(c->error, sizeof c->error, "could not connect: %s", strerror(errno));
                return NULL;
            }
        }
        if (!send_all(fd, c->request, c->nrequest)) {
            snprintf(c->error, sizeof c->error, "could not send: %s", strerror(errno));
            break;
        }
        if (!answer(c, fd))
            break;
        if (warm)
            c->took_ms[c->n++] = now_ms() - start;
        else
            c->until_ms = now_ms() + c->seconds * 1e3;
        warm = true;
    }
    close(fd);
    return NULL;
}

static char *make_request(const char *path, const char *body, const char *header_file)
{
    char headers[4096] = "", *request;
    FILE *f = fopen(header_file, "r");
    size_t n = 0;

    if (!f)
        return NULL;
    while (n < sizeof headers - 3 && fgets(headers + n, (int)(sizeof headers - n - 2), f)) {
        n += strcspn(headers + n, "\r\n");
        headers[n++] = '\r';
        headers[n++] = '\n';
        headers[n] = 0;
    }
    fclose(f);
    if (asprintf(&request,
                 "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                 "application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
                 path, headers, strlen(body), body) < 0)
        return NULL;
    return request;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int report(client *c, int n, double seconds)
{
    size_t total = 0;
    long long bytes = 0;
    double *all;

    for (int i = 0; i < n; i++) {
        if (c[i].error[0]) {
            fprintf(stderr, "bench_http: %s\n", c[i].error);
            return 1;
        }
        total += c[i].n;
        bytes += c[i].bytes;
    }
    all = malloc((total + 1) * sizeof *all);
    if (!all || !total) {
        fprintf(stderr, "bench_http: %s\n", all ? "no answer in time" : "out of memory");
        return 3;
    }
    total = 0;
    for (int i = 0; i < n; i++) {
        memcpy(all + total, c[i].took_ms, c[i].n * sizeof *all);
        total += c[i].n;
    }
    qsort(all, total, sizeof *all, by_value);
    printf("{\"requests\":%zu,\"connections\":%d,\"per_second\":%.1f,\"p50_ms\":%.3f,\"p95_ms\":%."
           "3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"answer_bytes\":%lld}\n",
           total, n, (double)total / seconds, all[total / 2], all[total * 95 / 100],
           all[total * 99 / 100], all[total - 1], bytes / (long long)(total + (size_t)n));
    free(all);
    return 0;
}

int main(int argc, char **argv)
{
    client c[CONNECTIONS_MAX] = {0};
    int n = argc == 7 ? atoi(argv[5]) : 0;
    double seconds = argc == 7 ? strtod(argv[6], NULL) : 0;
    char *request;

    if (argc != 7 || n < 1 || n > CONNECTIONS_MAX || seconds <= 0) {
        fputs("use: bench_http PORT PATH BODY HEADER-FILE CONNECTIONS SECONDS\n", stderr);
        return 2;
    }
    request = make_request(argv[2], argv[3], argv[4]);
    if (!request) {
        fprintf(stderr, "bench_http: \"%s\" could not be read\n", argv[4]);
        return 3;
    }
    for (int i = 0; i < n; i++) {
        c[i].port = atoi(argv[1]);
        c[i].request = request;
        c[i].nrequest = strlen(request);
        c[i].seconds = seconds;
        c[i].took_ms = malloc(ANSWERS_MAX * sizeof(double));
        if (!c[i].took_ms || pthread_create(&c[i].thread, NULL, ask, &c[i]))
            return 3;
    }
    for (int i = 0; i < n; i++)
        pthread_join(c[i].thread, NULL);
    return report(c, n, seconds);
}
