/*
 * client.c - the server's side of the verifier: starts it, asks it one thing, takes its answer.
 *
 * A process of its own for each question: what one message does to it, the next one never meets. Four at once, eight
 * more may wait a little, ten seconds each, and an answer is believed only as far as its form goes.
 */
#include "saml/saml.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE = 4, WAITING = 8, WAIT_S = 3, DEADLINE_MS = 10000, FRAME_MAX = 1 << 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t room = PTHREAD_COND_INITIALIZER;
static int running, waiting;
static char program[PATH_MAX];

void fa_saml_program_set(const char *path)
{
    snprintf(program, sizeof program, "%s", path ? path : "");
}

/* Beside the program that runs. */
static fa_rc find_program(char out[PATH_MAX], fa_err *e)
{
    ssize_t n;
    char *slash;

    if (program[0]) {
        snprintf(out, PATH_MAX, "%s", program);
        return FA_OK;
    }
    n = readlink("/proc/self/exe", out, PATH_MAX - 32);
    if (n <= 0)
        return fa_fail(e, FA_EENV, "where this program is cannot be told: %s", strerror(errno));
    out[n] = '\0';
    slash = strrchr(out, '/');
    memcpy(slash ? slash + 1 : out, "farthing-saml", sizeof "farthing-saml");
    if (access(out, X_OK) == 0)
        return FA_OK;
    fa_fail(e, FA_EENV, "the SAML verifier is not installed");
    return fa_hint(e, "put farthing-saml beside farthing: \"%.200s\"", out);
}

/* ---- places ---- */

static fa_rc place_take(fa_err *e)
{
    struct timespec until;
    int r = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&lock);
    waiting++;
    while (running >= AT_ONCE && waiting <= WAITING && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&room, &lock, &until);
    waiting--;
    r = running < AT_ONCE ? 0 : -1;
    if (!r)
        running++;
    pthread_mutex_unlock(&lock);
    return r ? fa_fail(e, FA_ELIMIT, "too many are signing in at once, try again") : FA_OK;
}

static void place_give(void)
{
    pthread_mutex_lock(&lock);
    running--;
    pthread_cond_signal(&room);
    pthread_mutex_unlock(&lock);
}

/* ---- the process ---- */

static fa_rc start(const char *path, int theirs, pid_t *pid, fa_err *e)
{
    char *argv[] = {(char[]){"farthing-saml"}, (char[]){"--serve-one"}, NULL};
    char *envp[] = {NULL}; /* nothing of ours: keys may be in there */
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    int r;

    if (posix_spawn_file_actions_init(&files))
        return fa_oom(e);
    if (posix_spawnattr_init(&how)) {
        posix_spawn_file_actions_destroy(&files);
        return fa_oom(e);
    }
    sigemptyset(&none);
    sigfillset(&all);
    if ((r = posix_spawnattr_setsigmask(&how, &none)) ||
        (r = posix_spawnattr_setsigdefault(&how, &all)) ||
        (r = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)) ||
        (r = posix_spawn_file_actions_adddup2(&files, theirs, 0)) ||
        (r = posix_spawn_file_actions_adddup2(&files, theirs, 1)) ||
        (r = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0)) ||
        (r = posix_spawn_file_actions_addclosefrom_np(&files, 3)) ||
        (r = posix_spawn(pid, path, &files, &how, argv, envp)))
        fa_fail(e, FA_EENV, "the SAML verifier could not be started: %s", strerror(r));
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return r ? FA_EENV : FA_OK;
}

/* Moves n bytes one way before the deadline; false: it did not come to that. */
static bool move(int fd, char *p, size_t n, bool out, int64_t until)
{
    while (n) {
        struct pollfd f = {.fd = fd, .events = out ? POLLOUT : POLLIN};
        int64_t left = until - fa_mono_ms();
        ssize_t k;

        if (left <= 0)
            return false;
        if (poll(&f, 1, (int)left) < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        k = out ? send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) : recv(fd, p, n, MSG_DONTWAIT);
        if (k < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

static bool talk(int fd, const char *text, size_t n, fa_arena *a, fa_str *answer)
{
    int64_t until = fa_mono_ms() + DEADLINE_MS;
    unsigned char head[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                             (unsigned char)(n >> 8), (unsigned char)n};
    char *to;

    if (!move(fd, (char *)head, 4, true, until) ||
        !move(fd, (char *)(uintptr_t)text, n, true, until) ||
        !move(fd, (char *)head, 4, false, until))
        return false;
    n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (!n || n > FRAME_MAX || !(to = fa_arena_alloc(a, n + 1)) || !move(fd, to, n, false, until))
        return false;
    *answer = (fa_str){to, n};
    return true;
}

/* Ends it, whatever it does, and says how it ended when that was not by itself. */
static void reap(pid_t pid, bool good)
{
    int status = 0;
    pid_t r;

    if (!good)
        kill(pid, SIGKILL);
    do
        r = waitpid(pid, &status, 0);
    while (r < 0 && errno == EINTR);
    if (r == pid && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        fa_log(FA_LOG_ERROR, "saml_verifier_died", "signal=%d", WTERMSIG(status));
    else if (r == pid && WIFEXITED(status) && WEXITSTATUS(status) != 0)
        fa_log(FA_LOG_ERROR, "saml_verifier_failed", "exit=%d", WEXITSTATUS(status));
}

static fa_rc ask(fa_arena *a, const char *text, size_t n, fa_str *answer, fa_err *e)
{
    char path[PATH_MAX];
    int fd[2];
    pid_t pid;
    bool good;
    fa_rc rc;

    if ((rc = find_program(path, e)) || (rc = place_take(e)))
        return rc;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0) {
        rc = fa_fail(e, FA_EENV, "no socket for the SAML verifier: %s", strerror(errno));
        place_give();
        return rc;
    }
    rc = start(path, fd[1], &pid, e);
    close(fd[1]);
    if (!rc) {
        good = talk(fd[0], text, n, a, answer);
        /* one that has crashed has closed its end: then its own signal is worth telling */
        reap(pid, good || recv(fd[0], path, 1, MSG_PEEK | MSG_DONTWAIT) == 0);
        if (!good)
            rc = fa_fail(e, FA_EENV, "the SAML verifier gave no answer");
    }
    close(fd[0]);
    place_give();
    return rc;
}

/* ---- questions and answers ---- */

static fa_str text_of(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return json_is_string(v) ? (fa_str){json_string_value(v), json_string_length(v)} : FA_STR("");
}

static void let_go(void *j)
{
    json_decref(j);
}

/* Why it was refused, as the caller's error. */
static fa_rc refusal(const json_t *j, fa_err *e)
{
    int64_t rc = json_integer_value(json_object_get(j, "rc"));
    fa_str word = text_of(j, "word"), msg = text_of(j, "message");
    char field[40];

    if (rc <= 0 || rc >= FA__RC_COUNT)
        rc = FA_EINTERNAL;
    fa_fail(e, (fa_rc)rc, "%.*s", (int)(msg.n > 600 ? 600 : msg.n), msg.p);
    if (!word.n)
        return (fa_rc)rc;
    snprintf(field, sizeof field, "%.*s", (int)(word.n > 39 ? 39 : word.n), word.p);
    return fa_at(e, field);
}

/* Takes q. *out: the answer's object, as long as the arena lives. */
static fa_rc question(fa_arena *a, json_t *q, json_t **out, fa_err *e)
{
    char *text = q ? json_dumps(q, JSON_COMPACT) : NULL;
    size_t n = text ? strlen(text) : 0;
    fa_str answer = {0};
    json_t *j;
    fa_rc rc;

    json_decref(q);
    if (!text)
        return fa_fail(e, FA_EDATA, "a text is not UTF-8, or memory is out");
    if (n > FRAME_MAX)
        rc = fa_fail(e, FA_ETOOBIG, "the message is too large");
    else
        rc = ask(a, text, n, &answer, e);
    sodium_memzero(text, n); /* our key may be in it */
    free(text);
    if (rc)
        return rc;
    j = json_loadb(answer.p, answer.n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(j) || !json_is_integer(json_object_get(j, "rc"))) {
        json_decref(j);
        return fa_fail(e, FA_EINTERNAL, "the SAML verifier's answer is not readable");
    }
    if (!fa_arena_defer(a, let_go, j)) {
        json_decref(j);
        return fa_oom(e);
    }
    if (json_integer_value(json_object_get(j, "rc")) != 0)
        return refusal(j, e);
    *out = json_object_get(j, "out");
    return json_is_object(*out) ? FA_OK
                                : fa_fail(e, FA_EINTERNAL, "the SAML verifier says nothing");
}

static json_t *str(fa_str s)
{
    return json_stringn(s.p ? s.p : "", s.n);
}

static json_t *put_sp(const fa_saml_sp *sp, bool key)
{
    return json_pack("{s:o*, s:o*, s:o*, s:o*, s:o*}", "entityId", str(sp->entity_id), "acs",
                     str(sp->acs_url), "slo", str(sp->slo_url), "cert", str(sp->cert), "key",
                     str(key ? sp->key : FA_STR("")));
}

static json_t *put_idp(const fa_saml_idp *idp)
{
    json_t *certs = json_array();

    for (size_t i = 0; certs && i < idp->ncert; i++)
        if (json_array_append_new(certs, str(idp->cert[i].der)))
            return NULL;
    return json_pack("{s:o*, s:o*, s:o*, s:o}", "entityId", str(idp->entity_id), "sso",
                     str(idp->sso_url), "slo", str(idp->slo_url), "certs", certs);
}

static json_t *begin(const char *op, const fa_saml_sp *sp, bool key, const fa_saml_idp *idp)
{
    return json_pack("{s:s, s:I, s:o, s:o}", "op", op, "now", (json_int_t)fa_now_ms(), "sp",
                     put_sp(sp, key), "idp", put_idp(idp));
}

static bool add(json_t *q, const char *name, fa_str s)
{
    return q && !json_object_set_new(q, name, str(s));
}

static fa_rc incomplete(json_t *q, fa_err *e)
{
    json_decref(q);
    return fa_fail(e, FA_EDATA, "a text is not UTF-8, or memory is out");
}

static void take_cert(const json_t *o, fa_saml_cert *c)
{
    *c = (fa_saml_cert){.der = text_of(o, "der"),
                        .subject = text_of(o, "subject"),
                        .fingerprint = text_of(o, "fingerprint"),
                        .key = text_of(o, "key"),
                        .from_ms = json_integer_value(json_object_get(o, "from")),
                        .to_ms = json_integer_value(json_object_get(o, "to"))};
}

fa_rc fa_saml_idp_read(fa_arena *a, fa_str xml, fa_saml_idp *out, fa_err *e)
{
    const json_t *list;
    json_t *o;
    fa_rc rc = question(a,
                        json_pack("{s:s, s:I, s:o*}", "op", "metadata", "now",
                                  (json_int_t)fa_now_ms(), "xml", str(xml)),
                        &o, e);

    if (rc)
        return rc;
    list = json_object_get(o, "certs");
    *out = (fa_saml_idp){.entity_id = text_of(o, "entityId"),
                         .sso_url = text_of(o, "sso"),
                         .slo_url = text_of(o, "slo")};
    for (; out->ncert < json_array_size(list) && out->ncert < FA_SAML_CERTS; out->ncert++)
        take_cert(json_array_get(list, out->ncert), &out->cert[out->ncert]);
    return FA_OK;
}

static fa_rc take_request(fa_arena *a, json_t *q, fa_saml_request *out, fa_err *e)
{
    json_t *o;
    fa_rc rc = question(a, q, &o, e);

    if (!rc)
        *out = (fa_saml_request){text_of(o, "url"), text_of(o, "id")};
    return rc;
}

fa_rc fa_saml_authn(fa_arena *a, const fa_saml_sp *sp, const fa_saml_idp *idp, fa_str id,
                    fa_str name_format, fa_str relay, bool again, fa_saml_request *out, fa_err *e)
{
    json_t *q = begin("authn", sp, true, idp);

    if (!add(q, "id", id) || !add(q, "nameFormat", name_format) || !add(q, "relay", relay) ||
        json_object_set_new(q, "again", json_boolean(again)))
        return incomplete(q, e);
    return take_request(a, q, out, e);
}

/* ---- responses ---- */

static fa_rc take_attributes(fa_arena *a, const json_t *list, fa_saml_claims *c, fa_err *e)
{
    size_t n = json_array_size(list);

    if (n && !(c->attribute = fa_arena_array(a, n, sizeof *c->attribute)))
        return fa_oom(e);
    for (; c->n < n; c->n++) {
        const json_t *o = json_array_get(list, c->n), *values = json_object_get(o, "values");
        fa_saml_attribute *t = &c->attribute[c->n];

        *t = (fa_saml_attribute){.name = text_of(o, "name"), .friendly = text_of(o, "friendly")};
        if (json_array_size(values) &&
            !(t->value = fa_arena_array(a, json_array_size(values), sizeof *t->value)))
            return fa_oom(e);
        for (; t->n < json_array_size(values); t->n++) {
            const json_t *v = json_array_get(values, t->n);

            t->value[t->n] = (fa_str){json_string_value(v), json_string_length(v)};
        }
    }
    return FA_OK;
}

fa_rc fa_saml_response(fa_arena *a, const fa_saml_sp *sp, const fa_saml_idp *idp, fa_str message,
                       fa_str expect, fa_saml_claims *out, fa_err *e)
{
    json_t *q, *o;
    fa_rc rc;

    *out = (fa_saml_claims){0};
    if (message.n > FA_SAML_XML_MAX / 3 * 4 + 4) {
        fa_fail(e, FA_EAUTH, "the message is larger than %d bytes", FA_SAML_XML_MAX);
        return fa_at(e, "too_large");
    }
    q = begin("response", sp, true, idp);
    if (!add(q, "message", message) || !add(q, "expect", expect)) {
        json_decref(q);
        fa_fail(e, FA_EAUTH, "the message is not base64");
        return fa_at(e, "not_base64");
    }
    if ((rc = question(a, q, &o, e)))
        return rc;
    out->assertion_id = text_of(o, "id");
    out->expires_ms = json_integer_value(json_object_get(o, "expires"));
    out->name_id = text_of(o, "nameId");
    out->name_format = text_of(o, "nameFormat");
    out->name_qualifier = text_of(o, "nameQualifier");
    out->sp_name_qualifier = text_of(o, "spNameQualifier");
    out->session_index = text_of(o, "sessionIndex");
    out->session_ends_ms = json_integer_value(json_object_get(o, "sessionEnds"));
    out->signed_in_ms = json_integer_value(json_object_get(o, "signedIn"));
    out->encrypted = json_is_true(json_object_get(o, "encrypted"));
    out->response_signed = json_is_true(json_object_get(o, "responseSigned"));
    if (!out->assertion_id.n || !out->name_id.n || out->expires_ms <= 0)
        return fa_fail(e, FA_EINTERNAL, "the SAML verifier's answer is not complete");
    return take_attributes(a, json_object_get(o, "attributes"), out, e);
}

const fa_saml_attribute *fa_saml_attribute_find(const fa_saml_claims *c, fa_str name)
{
    for (size_t i = 0; i < c->n; i++)
        if (fa_str_eq(c->attribute[i].name, name))
            return &c->attribute[i];
    for (size_t i = 0; name.n && i < c->n; i++)
        if (fa_str_eq(c->attribute[i].friendly, name))
            return &c->attribute[i];
    return NULL;
}

/* ---- signing out ---- */

fa_rc fa_saml_logout(fa_arena *a, const fa_saml_sp *sp, const fa_saml_idp *idp, fa_str id,
                     const fa_saml_subject *who, fa_str relay, fa_saml_request *out, fa_err *e)
{
    json_t *q = begin("logout", sp, true, idp);

    if (!add(q, "id", id) || !add(q, "relay", relay) ||
        json_object_set_new(q, "who",
                            json_pack("{s:o*, s:o*, s:o*, s:o*, s:o*}", "nameId", str(who->name_id),
                                      "nameFormat", str(who->name_format), "nameQualifier",
                                      str(who->name_qualifier), "spNameQualifier",
                                      str(who->sp_name_qualifier), "sessionIndex",
                                      str(who->session_index))))
        return incomplete(q, e);
    return take_request(a, q, out, e);
}

fa_rc fa_saml_logout_read(fa_arena *a, const fa_saml_sp *sp, const fa_saml_idp *idp, fa_str query,
                          fa_str message, fa_saml_logout_in *out, fa_err *e)
{
    json_t *q = begin("logout_read", sp, false, idp), *o;
    const json_t *list;
    fa_rc rc;

    *out = (fa_saml_logout_in){0};
    if (!add(q, "query", query) || !add(q, "message", message)) {
        json_decref(q);
        fa_fail(e, FA_EAUTH, "the message is not base64");
        return fa_at(e, "not_base64");
    }
    if ((rc = question(a, q, &o, e)))
        return rc;
    out->request = json_is_true(json_object_get(o, "request"));
    out->id = text_of(o, "id");
    out->in_response_to = text_of(o, "inResponseTo");
    out->success = json_is_true(json_object_get(o, "success"));
    out->name_id = text_of(o, "nameId");
    list = json_object_get(o, "sessions");
    if (json_array_size(list) &&
        !(out->session_index = fa_arena_array(a, json_array_size(list), sizeof(fa_str))))
        return fa_oom(e);
    for (; out->n < json_array_size(list); out->n++) {
        const json_t *v = json_array_get(list, out->n);

        out->session_index[out->n] = (fa_str){json_string_value(v), json_string_length(v)};
    }
    return FA_OK;
}

fa_rc fa_saml_logout_answer(fa_arena *a, const fa_saml_sp *sp, const fa_saml_idp *idp, fa_str id,
                            fa_str in_response_to, bool success, fa_str relay, fa_saml_request *out,
                            fa_err *e)
{
    json_t *q = begin("logout_answer", sp, true, idp);
    fa_buf b = {0};

    fa_time_iso(&b, fa_now_ms());
    if (b.failed || !add(q, "instant", fa_buf_view(&b)) || !add(q, "id", id) ||
        !add(q, "inResponseTo", in_response_to) || !add(q, "relay", relay) ||
        json_object_set_new(q, "success", json_boolean(success))) {
        fa_buf_release(&b);
        return incomplete(q, e);
    }
    fa_buf_release(&b);
    return take_request(a, q, out, e);
}
