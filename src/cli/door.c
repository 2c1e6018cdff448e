/*
 * door.c - the command door: a command line runs inside the process that holds DIR.
 *
 * DIR/farthing.sock, mode 0600, same user only. Frames both ways: one byte kind, four bytes length
 * (little endian), payload. The client sends one HELLO (version, terminal?, memory, folder, words)
 * and may send CANCEL; it gets OUT and ERR frames as the command writes and one EXIT frame at the
 * end. A client that goes away cancels its command.
 *
 * Threads: one listens and watches the clients, each command has one of its own, at most DOOR_MAX
 * at once; more wait in the socket's queue. A conn is freed by the listening thread only, after its
 * thread ended.
 */
#include "cli/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    DOOR_MAX = 16,
    VERSION = 1,
    HELLO_MAX = 4 << 20, /* past what a command line can be */
    WORDS_MAX = 65536,
    FRAME_MAX = 64 << 10,
    HELLO_MS = 5000,  /* a client says what it wants at once */
    CLOSE_MS = 20000, /* what commands get to end after a cancel */
};

enum { HELLO = 'H', CANCEL = 'C', OUT = 'O', ERR = 'E', EXIT = 'X' };

/* ---- frames ---- */

static bool send_all(int fd, const void *data, size_t n)
{
    const char *p = data;

    while (n) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

static bool send_frame(int fd, char kind, const void *data, size_t n)
{
    unsigned char head[5] = {(unsigned char)kind, (unsigned char)n, (unsigned char)(n >> 8),
                             (unsigned char)(n >> 16), (unsigned char)(n >> 24)};

    return send_all(fd, head, sizeof head) && send_all(fd, data, n);
}

static size_t frame_size(const unsigned char head[5])
{
    return (size_t)head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
}

/* Reads n bytes; until_ms 0: no deadline. *stop (may be NULL) ends the wait for the first byte. */
static bool recv_all(int fd, void *data, size_t n, int64_t until_ms)
{
    char *p = data;

    while (n) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        int64_t left = until_ms ? until_ms - fa_mono_ms() : 1000;
        ssize_t k;

        if (until_ms && left <= 0)
            return false;
        if (poll(&pfd, 1, (int)left) <= 0)
            continue;
        k = recv(fd, p, n, 0);
        if (k < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* ---- the address: sun_path holds 108 bytes, so a long DIR is named through a descriptor of it
 * ---- */

static fa_rc address(const char *dir, struct sockaddr_un *sa, int *dirfd, fa_err *e)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    *dirfd = -1;
    if (snprintf(sa->sun_path, sizeof sa->sun_path, "%s/farthing.sock", dir) <
        (int)sizeof sa->sun_path)
        return FA_OK;
    if ((*dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        return fa_fail(e, errno == ENOENT ? FA_ENOTFOUND : FA_EENV, "could not open \"%s\": %s",
                       dir, strerrordesc_np(errno));
    snprintf(sa->sun_path, sizeof sa->sun_path, "/proc/self/fd/%d/farthing.sock", *dirfd);
    return FA_OK;
}

static bool peer_is(int fd, uid_t wanted)
{
    struct ucred who;
    socklen_t n = sizeof who;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
           (who.uid == 0 || who.uid == wanted);
}

/* ---- server ---- */

struct conn {
    fa_door *door;
    int fd;
    bool used;
    bool heard; /* its HELLO is read: from now on the listening thread watches it; lock */
    bool done;  /* set by its thread as the last thing; lock */
    bool gone;  /* the client went away or cancelled: do not watch it again */
    volatile bool cancel;
    pthread_t thread;
    pthread_mutex_t write; /* frames of two streams do not mix */
};

struct fa_door {
    fa_ledger *l;
    const fa_accounts *_Atomic accounts;
    int fd, wake; /* listening socket, eventfd */
    pthread_t thread;
    pthread_mutex_t lock;
    bool closing;
    struct conn conn[DOOR_MAX];
    struct sockaddr_un addr;
    int dirfd;
};

static void ring(fa_door *d)
{
    uint64_t one = 1;

    if (write(d->wake, &one, sizeof one) < 0)
        fa_log(FA_LOG_WARN, "door_wake_failed", "error=\"%s\"", strerrordesc_np(errno));
}

/* What a FILE of the command writes goes out as frames of one kind. */
struct stream {
    struct conn *c;
    char kind;
};

static ssize_t stream_write(void *cookie, const char *p, size_t n)
{
    struct stream *s = cookie;
    size_t done = 0;

    pthread_mutex_lock(&s->c->write);
    while (done < n) {
        size_t k = n - done < FRAME_MAX ? n - done : FRAME_MAX;

        if (!send_frame(s->c->fd, s->kind, p + done, k)) {
            fa_flag_set(&s->c->cancel);
            break;
        }
        done += k;
    }
    pthread_mutex_unlock(&s->c->write);
    return done == n ? (ssize_t)n : 0; /* 0 is the error of fopencookie */
}

static FILE *stream_open(struct stream *s, int mode)
{
    FILE *f = fopencookie(s, "w", (cookie_io_functions_t){.write = stream_write});

    if (f)
        setvbuf(f, NULL, mode, FRAME_MAX);
    return f;
}

/* The words of a HELLO: version, terminal, memory, folder, then argv. Pointers into the payload. */
struct hello {
    bool is_tty;
    size_t memory;
    const char *cwd;
    char **argv;
    int argc;
};

/* Payload: u8 version, u8 is_tty, u64 memory, then zero-terminated texts. */
static bool hello_parse(char *p, size_t n, struct hello *h, fa_arena *a)
{
    uint64_t memory = 0;
    size_t words = 0;

    if (n < 12 || p[0] != VERSION || p[n - 1] != '\0')
        return false;
    h->is_tty = p[1] != 0;
    for (int i = 7; i >= 0; i--)
        memory = memory << 8 | (unsigned char)p[2 + i];
    h->memory = memory;
    for (size_t i = 10; i < n; i++)
        words += p[i] == '\0';
    if (words < 2 || words > WORDS_MAX || !(h->argv = fa_arena_array(a, words + 1, sizeof(char *))))
        return false;
    h->cwd = p + 10;
    for (char *w = p + 10 + strlen(p + 10) + 1; w < p + n; w += strlen(w) + 1)
        h->argv[h->argc++] = w;
    return true;
}

static int run_command(struct conn *c, const struct hello *h, FILE *out, FILE *err)
{
    fa_cmd_io io = {.out = out,
                    .err = err,
                    .is_tty = h->is_tty,
                    .cwd = h->cwd,
                    .cancel = &c->cancel,
                    .memory_bytes = h->memory,
                    .accounts = c->door->accounts};
    const fa_cmd *cmd = fa_cmd_find(h->argv[0]);
    fa_stay in = {.l = c->door->l};
    fa_globals g;
    fa_err e;
    int64_t start = fa_mono_ms();
    int code, argc = h->argc;

    if (!cmd || !cmd->needs_ledger || cmd->stays) {
        fa_fail(&e, FA_EINVAL, "the command \"%s\" does not run in a server", h->argv[0]);
        return fa_cmd_fail(&io, &e);
    }
    if (fa_globals_take(&argc, h->argv, &g, &e) ||
        (g.account && fa_cli_enter(&io, c->door->l, g.account, &in, &e)))
        return fa_cmd_fail(&io, &e);
    code = cmd->run(cmd, in.l, fa_ledger_dir(in.l), argc, h->argv, &io);
    fa_cli_leave(&io, &in);
    fa_log(FA_LOG_INFO, "command", "name=%s exit=%d ms=%lld", cmd->name, code,
           (long long)(fa_mono_ms() - start));
    return code;
}

static void serve_one(struct conn *c)
{
    struct stream out = {c, OUT}, err = {c, ERR};
    unsigned char head[5], exit_code = 3;
    int64_t until = fa_mono_ms() + HELLO_MS;
    struct hello h = {0};
    FILE *fo = NULL, *fe = NULL;
    fa_arena a;
    size_t n;
    char *p;

    fa_arena_init(&a, 2 * HELLO_MAX);
    if (!recv_all(c->fd, head, sizeof head, until) || head[0] != HELLO ||
        (n = frame_size(head)) > HELLO_MAX || !(p = fa_arena_alloc(&a, n + 1)) ||
        !recv_all(c->fd, p, n, until))
        goto done;
    fo = stream_open(&out, _IOFBF);
    fe = stream_open(&err, _IOLBF);
    if (!fo || !fe)
        goto done;
    if (hello_parse(p, n, &h, &a)) {
        pthread_mutex_lock(&c->door->lock);
        c->heard = true;
        pthread_mutex_unlock(&c->door->lock);
        ring(c->door);
        exit_code = (unsigned char)run_command(c, &h, fo, fe);
    } else {
        fputs("farthing: the server is of another version, in its data directory, stop and start "
              "it\n",
              fe);
    }
done:
    if (fo && fclose(fo) != 0 && exit_code == 0)
        exit_code = 3;
    if (fe)
        fclose(fe);
    send_frame(c->fd, EXIT, &exit_code, 1);
    fa_arena_release(&a);
}

static void *conn_main(void *arg)
{
    struct conn *c = arg;

    serve_one(c);
    pthread_mutex_lock(&c->door->lock);
    c->done = true;
    pthread_mutex_unlock(&c->door->lock);
    ring(c->door);
    return NULL;
}

/* Ends what has ended. true: a place is free. */
static bool reap(fa_door *d)
{
    bool room = false;

    for (size_t i = 0; i < DOOR_MAX; i++) {
        struct conn *c = &d->conn[i];
        bool done;

        pthread_mutex_lock(&d->lock);
        done = c->used && c->done;
        pthread_mutex_unlock(&d->lock);
        if (done) {
            pthread_join(c->thread, NULL);
            pthread_mutex_destroy(&c->write);
            close(c->fd);
            c->used = false;
        }
        room |= !c->used;
    }
    return room;
}

static void admit(fa_door *d)
{
    int fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC);
    struct conn *c = d->conn;

    if (fd < 0)
        return;
    while (c < d->conn + DOOR_MAX && c->used)
        c++;
    if (c == d->conn + DOOR_MAX || !peer_is(fd, geteuid())) {
        fa_log(FA_LOG_WARN, "door_refused", "reason=%s", c == d->conn + DOOR_MAX ? "full" : "user");
        close(fd);
        return;
    }
    memset(c, 0, sizeof *c);
    c->door = d;
    c->fd = fd;
    pthread_mutex_init(&c->write, NULL);
    if (pthread_create(&c->thread, NULL, conn_main, c) != 0) {
        pthread_mutex_destroy(&c->write);
        close(fd);
        return;
    }
    c->used = true;
}

/* Something came from a client whose command runs: its CANCEL, its end, or what no client of ours
 * says. */
static void look_at(struct conn *c)
{
    char kind;
    ssize_t n = recv(c->fd, &kind, 1, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->gone = true;
    if (n <= 0 || kind == CANCEL)
        fa_flag_set(&c->cancel);
}

static void *door_main(void *arg)
{
    fa_door *d = arg;

    for (;;) {
        struct pollfd p[2 + DOOR_MAX];
        struct conn *of[2 + DOOR_MAX];
        nfds_t n = 2;
        bool room = reap(d), closing;
        uint64_t rung;

        pthread_mutex_lock(&d->lock);
        closing = d->closing;
        pthread_mutex_unlock(&d->lock);
        if (closing)
            return NULL;
        p[0] = (struct pollfd){.fd = d->wake, .events = POLLIN};
        p[1] = (struct pollfd){.fd = room ? d->fd : -1, .events = POLLIN};
        for (size_t i = 0; i < DOOR_MAX; i++) {
            bool watch;

            pthread_mutex_lock(&d->lock);
            watch = d->conn[i].used && d->conn[i].heard && !d->conn[i].gone;
            pthread_mutex_unlock(&d->lock);
            if (!watch)
                continue;
            of[n] = &d->conn[i];
            p[n++] = (struct pollfd){.fd = d->conn[i].fd, .events = POLLIN | POLLRDHUP};
        }
        if (poll(p, n, -1) < 0)
            continue;
        if (p[0].revents && read(d->wake, &rung, sizeof rung) < 0)
            continue;
        if (p[1].revents)
            admit(d);
        for (nfds_t i = 2; i < n; i++)
            if (p[i].revents)
                look_at(of[i]);
    }
}

fa_rc fa_door_open(fa_ledger *l, fa_door **out, fa_err *e)
{
    fa_door *d = calloc(1, sizeof *d);
    fa_rc rc;

    *out = NULL;
    if (!d)
        return fa_oom(e);
    d->l = l;
    d->fd = d->wake = d->dirfd = -1;
    pthread_mutex_init(&d->lock, NULL);
    if ((rc = address(fa_ledger_dir(l), &d->addr, &d->dirfd, e)))
        goto fail;
    /* We hold DIR's lock: a socket that is there is what a stopped process left. The mode is set
     * before the name exists, so nobody else can connect at any time. */
    unlink(d->addr.sun_path);
    if ((d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 || fchmod(d->fd, 0600) != 0 ||
        bind(d->fd, (struct sockaddr *)&d->addr, sizeof d->addr) != 0 ||
        chmod(d->addr.sun_path, 0600) != 0 || listen(d->fd, DOOR_MAX) != 0 ||
        (d->wake = eventfd(0, EFD_CLOEXEC)) < 0) {
        rc = fa_fail(e, FA_EENV, "could not open the command door in \"%s\": %s", fa_ledger_dir(l),
                     strerrordesc_np(errno));
        goto fail;
    }
    if (pthread_create(&d->thread, NULL, door_main, d) != 0) {
        rc = fa_fail(e, FA_EENV, "could not start a thread");
        goto fail;
    }
    *out = d;
    return FA_OK;
fail:
    if (d->fd >= 0)
        close(d->fd);
    if (d->wake >= 0)
        close(d->wake);
    if (d->dirfd >= 0)
        close(d->dirfd);
    pthread_mutex_destroy(&d->lock);
    free(d);
    return rc;
}

void fa_door_accounts(fa_door *d, const fa_accounts *all)
{
    d->accounts = all;
}

static bool all_done(fa_door *d)
{
    bool done = true;

    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < DOOR_MAX; i++)
        done &= !d->conn[i].used || d->conn[i].done;
    pthread_mutex_unlock(&d->lock);
    return done;
}

void fa_door_close(fa_door *d)
{
    int64_t until = fa_mono_ms() + CLOSE_MS;

    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->closing = true;
    pthread_mutex_unlock(&d->lock);
    ring(d);
    pthread_join(d->thread, NULL);
    unlink(d->addr.sun_path);
    close(d->fd);
    for (size_t i = 0; i < DOOR_MAX; i++)
        fa_flag_set(&d->conn[i].cancel);
    while (!all_done(d) && fa_mono_ms() < until)
        poll(NULL, 0, 20);
    for (size_t i = 0; i < DOOR_MAX; i++)
        if (d->conn[i].used)
            shutdown(d->conn[i].fd, SHUT_RDWR); /* a client that does not read holds nobody up */
    while (!all_done(d))
        poll(NULL, 0, 20);
    reap(d);
    close(d->wake);
    if (d->dirfd >= 0)
        close(d->dirfd);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ---- client ---- */

static fa_rc say_hello(int fd, int argc, char **argv, const fa_cmd_io *io, fa_err *e)
{
    char fixed[10] = {VERSION, io->is_tty};
    fa_buf b;
    fa_rc rc = FA_OK;

    for (int i = 0; i < 8; i++)
        fixed[2 + i] = (char)((uint64_t)io->memory_bytes >> (8 * i));
    fa_buf_init(&b, HELLO_MAX);
    fa_buf_put(&b, fixed, sizeof fixed);
    fa_buf_put(&b, io->cwd ? io->cwd : "/", strlen(io->cwd ? io->cwd : "/") + 1);
    for (int i = 0; i < argc; i++)
        fa_buf_put(&b, argv[i], strlen(argv[i]) + 1);
    if (b.failed)
        rc = fa_fail(e, FA_EINVAL, "the command line is too long");
    else if (!send_frame(fd, HELLO, b.p, b.n))
        rc = fa_fail(e, FA_EENV, "could not speak to the server: %s", strerrordesc_np(errno));
    fa_buf_release(&b);
    return rc;
}

static fa_rc lost(fa_err *e)
{
    fa_fail(e, FA_EENV, "the server stopped before the command ended");
    return fa_hint(e, "run it again");
}

/* Waits for the next frame; a cancel of ours is passed on once. */
static bool wait_frame(int fd, const fa_cmd_io *io, bool *told)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n;

        if (fa_flag_get(io->cancel) && !*told) {
            *told = true;
            send_frame(fd, CANCEL, "", 0);
        }
        n = poll(&p, 1, 250); /* a signal may come right before the wait */
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

static fa_rc relay(int fd, fa_cmd_io *io, int *exit_code, fa_err *e)
{
    static const char *const names[] = {"standard output", "standard error"};
    unsigned char head[5];
    char data[FRAME_MAX];
    bool told = false;

    while (wait_frame(fd, io, &told)) {
        size_t n;

        if (!recv_all(fd, head, sizeof head, 0) || (n = frame_size(head)) > sizeof data ||
            !recv_all(fd, data, n, 0))
            return lost(e);
        if (head[0] == EXIT && n == 1) {
            *exit_code = (unsigned char)data[0];
            return FA_OK;
        }
        if (head[0] == OUT || head[0] == ERR) {
            FILE *f = head[0] == OUT ? io->out : io->err;

            if (fwrite(data, 1, n, f) != n || fflush(f) != 0)
                return fa_fail(e, FA_EENV, "could not write to %s", names[head[0] == ERR]);
        }
    }
    return lost(e);
}

fa_rc fa_door_forward(const char *dir, int argc, char **argv, fa_cmd_io *io, int *exit_code,
                      fa_err *e)
{
    struct sockaddr_un sa;
    struct stat st;
    int fd = -1, dirfd = -1;
    fa_rc rc;

    if ((rc = address(dir, &sa, &dirfd, e)))
        return rc;
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0) {
        rc = fa_fail(e, FA_EENV, "could not make a socket: %s", strerrordesc_np(errno));
    } else if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0) {
        bool nobody = errno == ENOENT || errno == ECONNREFUSED;

        rc = fa_fail(e, nobody ? FA_ENOTFOUND : FA_EENV, "could not reach the server of \"%s\": %s",
                     dir, strerrordesc_np(errno));
    } else if (stat(dir, &st) != 0 || (!peer_is(fd, st.st_uid) && !peer_is(fd, geteuid()))) {
        rc = fa_fail(e, FA_EFORBIDDEN, "another user's process answers in \"%s\"", dir);
    } else if (!(rc = say_hello(fd, argc, argv, io, e))) {
        rc = relay(fd, io, exit_code, e);
    }
    if (fd >= 0)
        close(fd);
    if (dirfd >= 0)
        close(dirfd);
    return rc;
}
