/*
 * upload.c - a big body goes to a file in DIR/staging while it arrives, never to memory.
 *
 * Each upload has a folder of its own; a job that takes the file removes the folder, and so does
 * this file when nobody took it.
 */
#include "http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define KEEP_FREE ((uint64_t)512 << 20)
enum { NAME_BYTES = 120 };

static fa_rc room_for(const char *dir, uint64_t need, fa_err *e)
{
    struct statvfs v;
    uint64_t have;

    if (statvfs(dir, &v))
        return fa_fail(e, FA_EENV, "could not ask for the free space of the data directory");
    have = (uint64_t)v.f_bavail * v.f_frsize;
    if (have < KEEP_FREE || have - KEEP_FREE < 2 * need)
        return fa_fail(e, FA_EENV, "not enough free space on the disk for this file");
    return FA_OK;
}

/* The file keeps the name the browser gave, made harmless: people see it in the list of loads. */
static char *safe_name(fa_arena *a, fa_str name)
{
    char *out;

    for (size_t i = name.n; i > 0; i--)
        if (name.p[i - 1] == '/' || name.p[i - 1] == '\\') {
            name = (fa_str){name.p + i, name.n - i};
            break;
        }
    if (name.n > NAME_BYTES) /* the end matters: .csv.gz */
        name = (fa_str){name.p + name.n - NAME_BYTES, NAME_BYTES};
    if (!name.n || !fa_utf8_valid(name))
        name = FA_STR("bill");
    if (!(out = fa_arena_dupz(a, name)))
        return NULL;
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f || strchr("*?[]{}\"'`$|&;<>:", *p))
            *p = '_';
    if (*out == '.')
        *out = '_';
    return out;
}

fa_rc fa_upload_open(fa_wire *w, fa_err *e)
{
    const char *dir = fa_ledger_dir(w->req.ledger);
    char *name = safe_name(&w->mem, fa_req_query(&w->req, "name"));
    char id[37];
    fa_rc rc = FA_OK;

    if (w->late) /* into its own folder, although it is not open yet */
        rc = fa_account_dir(w->server->ledger, &w->mem, fa_str_of(w->at), &dir, e);
    if (rc || (rc = room_for(dir, w->content_length, e)))
        return rc;
    fa_uuid_v4(id);
    w->stage_dir = fa_arena_printf(&w->mem, "%s/staging/up-%s", dir, id);
    w->stage_path =
        name && w->stage_dir ? fa_arena_printf(&w->mem, "%s/%s", w->stage_dir, name) : NULL;
    if (!w->stage_dir || !w->stage_path)
        return fa_oom(e);
    w->req.body_file = w->stage_path;
    if ((rc = fa_mkdirs(w->stage_dir, 0700, e)))
        return rc;
    w->fd = open(w->stage_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (w->fd < 0)
        return fa_fail(e, FA_EENV, "could not create a staging file: %s", strerror(errno));
    return FA_OK;
}

fa_rc fa_upload_write(fa_wire *w, const char *p, size_t n, fa_err *e)
{
    while (n) {
        ssize_t k = write(w->fd, p, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return fa_fail(e, FA_EENV, "could not write the staging file: %s", strerror(errno));
        p += k;
        n -= (size_t)k;
    }
    return FA_OK;
}

void fa_upload_drop(fa_wire *w)
{
    fa_err e = {0};

    if (w->fd >= 0 && close(w->fd))
        fa_log(FA_LOG_WARN, "staging_close_failed", "error=%s", strerror(errno));
    w->fd = -1;
    /* req.body_file is cleared by the handler that takes the file */
    if (w->stage_dir && w->req.body_file && fa_remove_tree(w->stage_dir, &e))
        fa_log(FA_LOG_WARN, "unstage_failed", "error=%s", e.msg);
    w->stage_dir = NULL;
}
