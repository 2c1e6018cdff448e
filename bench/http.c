/*
 * http.c - asks one POST again and again over kept connections and says how long the answers took.
 *
 *   bench_http PORT PATH BODY HEADER-FILE CONNECTIONS SECONDS
 *   bench_http PORT @FILE "" HEADER-FILE CONNECTIONS SECONDS
 *
 * FILE has a question a line, "name TAB path TAB body": every connection asks them in turn, each beginning with
 * another, and goes through all of them at least once. With "x30" for SECONDS there are thirty rounds: every
 * connection asks one question, all at once, and what a round takes is its slowest answer. HEADER-FILE holds header
 * lines (the two credentials: not on the command line, where anybody could read them). Every connection has a thread;
 * the first answer of each is not counted. Prints a JSON object for each question, or one for the rounds.
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

enum {
    CONNECTIONS_MAX = 64,
    ANSWERS_MAX = 1 << 20,
    HEAD_MAX = 64 << 10,
    QUESTIONS_MAX = 32,
    LINE_MAX_BYTES = 1 << 20
};

typedef struct question {
    char name[32];
    char *request;
    size_t nrequest;
} question;

typedef struct sample {
    double ms;
    long long bytes;
    int question;
} sample;

typedef struct client {
    pthread_t thread;
    const question *question;
    int nquestion, at; /* at: the next one */
    int port;
    double seconds, until_ms; /* counted from the first answer on */
    int rounds;               /* instead of seconds */
    pthread_barrier_t *start; /* of each round */
    sample *took;
    bool closing; /* the server ends this connection after so many requests: dial again */
    size_t n;
    long long bytes; /* of the last answer */
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
    c->bytes = left;
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

/* One question, over a new connection where the server ended the last. false with c->error. */
static bool ask_once(client *c, int *fd, const question *q)
{
    if (c->closing || *fd < 0) {
        if (*fd >= 0)
            close(*fd);
        c->closing = false;
        if ((*fd = dial(c->port)) < 0) {
            snprintf(c->error, sizeof c->error, "could not connect: %s", strerror(errno));
            return false;
        }
    }
    if (!send_all(*fd, q->request, q->nrequest)) {
        snprintf(c->error, sizeof c->error, "could not send: %s", strerror(errno));
        return false;
    }
    return answer(c, *fd);
}

static void *ask_rounds(void *arg)
{
    client *c = arg;
    int fd = -1;

    for (int r = 0; r <= c->rounds; r++) {
        double start;

        (void)pthread_barrier_wait(c->start);
        start = now_ms();
        if (!ask_once(c, &fd, &c->question[c->at])) { /* the others would wait for this one */
            fprintf(stderr, "bench_http: %s\n", c->error);
            exit(1);
        }
        if (r)
            c->took[c->n++] = (sample){now_ms() - start, c->bytes, c->at};
    }
    close(fd);
    return NULL;
}

static void *ask(void *arg)
{
    client *c = arg;
    int fd = -1;

    for (bool warm = false;
         c->n < ANSWERS_MAX && (!warm || now_ms() < c->until_ms || c->n < (size_t)c->nquestion);) {
        const question *q = &c->question[c->at];
        double start = now_ms();

        if (!ask_once(c, &fd, q))
            break;
        if (warm)
            c->took[c->n++] = (sample){now_ms() - start, c->bytes, c->at};
        else
            c->until_ms = now_ms() + c->seconds * 1e3;
        c->at = (c->at + 1) % c->nquestion;
        warm = true;
    }
    if (fd >= 0)
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

/* What one question's answers took, whoever asked it. */
static int report(const client *c, int n, int which, const char *name, double seconds, double *all)
{
    size_t total = 0;
    long long bytes = 0;

    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < c[i].n; k++)
            if (c[i].took[k].question == which) {
                all[total++] = c[i].took[k].ms;
                bytes = c[i].took[k].bytes;
            }
    if (!total) {
        fputs("bench_http: no answer in time\n", stderr);
        return 3;
    }
    qsort(all, total, sizeof *all, by_value);
    printf(
        "{\"name\":\"%s\",\"requests\":%zu,\"connections\":%d,\"per_second\":%.1f,\"p50_ms\":%.3f,"
        "\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"answer_bytes\":%lld}\n",
        name, total, n, (double)total / seconds, all[total / 2], all[total * 95 / 100],
        all[total * 99 / 100], all[total - 1], bytes);
    return 0;
}

static int report_all(const client *c, int n, double seconds)
{
    size_t total = 0;
    double *all;
    int rc = 0;

    for (int i = 0; i < n; i++) {
        if (c[i].error[0]) {
            fprintf(stderr, "bench_http: %s\n", c[i].error);
            return 1;
        }
        total += c[i].n;
    }
    if (!(all = malloc((total + 1) * sizeof *all))) {
        fputs("bench_http: out of memory\n", stderr);
        return 3;
    }
    for (int k = 0; !rc && k < c[0].nquestion; k++)
        rc = report(c, n, k, c[0].question[k].name, seconds, all);
    free(all);
    return rc;
}

static int report_rounds(const client *c, int n, int rounds)
{
    double *slowest = calloc((size_t)rounds, sizeof *slowest);

    if (!slowest) {
        fputs("bench_http: out of memory\n", stderr);
        return 3;
    }
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < n; i++)
            slowest[r] = c[i].took[r].ms > slowest[r] ? c[i].took[r].ms : slowest[r];
    qsort(slowest, (size_t)rounds, sizeof *slowest, by_value);
    printf("{\"name\":\"\",\"requests\":%d,\"connections\":%d,\"p50_ms\":%.3f,\"p95_ms\":%.3f,"
           "\"max_ms\":%.3f}\n",
           rounds, n, slowest[rounds / 2], slowest[rounds * 95 / 100], slowest[rounds - 1]);
    free(slowest);
    return 0;
}

/* Fills list from a file of questions; 0 when it cannot be read or is not one. */
static int read_questions(const char *file, const char *headers, question *list)
{
    static char line[LINE_MAX_BYTES];
    FILE *f = fopen(file, "r");
    int n = 0;

    while (f && n < QUESTIONS_MAX && fgets(line, sizeof line, f)) {
        char *path = strchr(line, '\t'), *body = path ? strchr(path + 1, '\t') : NULL;

        line[strcspn(line, "\n")] = 0;
        if (!body || (size_t)(path - line) >= sizeof list[n].name) {
            n = 0;
            break;
        }
        *path++ = *body++ = 0;
        memcpy(list[n].name, line, strlen(line) + 1);
        if (!(list[n].request = make_request(path, body, headers))) {
            n = 0;
            break;
        }
        list[n].nrequest = strlen(list[n].request);
        n++;
    }
    if (f)
        fclose(f);
    return n;
}

int main(int argc, char **argv)
{
    client c[CONNECTIONS_MAX] = {0};
    question list[QUESTIONS_MAX] = {0};
    int n = argc == 7 ? atoi(argv[5]) : 0, nlist = 0;
    int rounds = argc == 7 && argv[6][0] == 'x' ? atoi(argv[6] + 1) : 0;
    double seconds = argc == 7 && !rounds ? strtod(argv[6], NULL) : 0;
    pthread_barrier_t start;

    if (argc != 7 || n < 1 || n > CONNECTIONS_MAX || rounds < 0 || rounds >= ANSWERS_MAX ||
        (seconds <= 0 && !rounds)) {
        fputs("use: bench_http PORT PATH|@FILE BODY HEADER-FILE CONNECTIONS SECONDS|xROUNDS\n",
              stderr);
        return 2;
    }
    if (pthread_barrier_init(&start, NULL, (unsigned)n)) {
        fputs("bench_http: no barrier\n", stderr);
        return 3;
    }
    if (argv[2][0] == '@') {
        nlist = read_questions(argv[2] + 1, argv[4], list);
    } else if ((list[0].request = make_request(argv[2], argv[3], argv[4]))) {
        list[0].nrequest = strlen(list[0].request);
        nlist = 1;
    }
    if (!nlist) {
        fprintf(stderr, "bench_http: \"%s\" or \"%s\" could not be read\n", argv[4], argv[2]);
        return 3;
    }
    for (int i = 0; i < n; i++) {
        c[i].port = atoi(argv[1]);
        c[i].question = list;
        c[i].nquestion = nlist;
        c[i].at = i % nlist;
        c[i].seconds = seconds;
        c[i].rounds = rounds;
        c[i].start = &start;
        c[i].took = malloc(ANSWERS_MAX * sizeof *c[i].took);
        if (!c[i].took || pthread_create(&c[i].thread, NULL, rounds ? ask_rounds : ask, &c[i]))
            return 3;
    }
    for (int i = 0; i < n; i++)
        pthread_join(c[i].thread, NULL);
    return rounds ? report_rounds(c, n, rounds) : report_all(c, n, seconds);
}
