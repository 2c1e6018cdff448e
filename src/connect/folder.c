/*
 * folder.c - a folder of this machine that somebody else writes bills into.
 *
 * Only inside the roots the operator named: a page must not become a way to read any file of the server. Links
 * are not followed. A file that was written to a moment ago may still be growing and is left for later.
 */
#include "connect/inner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH = 12 };

static bool within(const char *real, const char *roots)
{
    while (roots && *roots) {
        size_t n = strcspn(roots, ":");
        char root[PATH_MAX], *r;
        bool in = false;

        if (n && n < sizeof root) {
            memcpy(root, roots, n);
            root[n] = '\0';
            if ((r = realpath(root, NULL))) {
                size_t k = strlen(r);

                in = strncmp(real, r, k) == 0 && (real[k] == '\0' || real[k] == '/' || k == 1);
                free(r);
            }
        }
        if (in)
            return true;
        roots += n + (roots[n] == ':');
    }
    return false;
}

static fa_rc folder_open(cn_conn *c, fa_err *e)
{
    fa_str given = cn_config(c, "path");
    char *real = given.p[0] == '/' ? realpath(given.p, NULL) : NULL;
    struct stat st;
    fa_rc rc = FA_OK;

    if (!c->call->folders || !c->call->folders[0]) {
        fa_fail(e, FA_EFORBIDDEN, "no folder of this machine may be watched");
        fa_hint(e, "the operator allows one: farthing serve --watch-folders /srv/bills");
        return fa_at(e, "path");
    }
    if (!real || stat(real, &st) || !S_ISDIR(st.st_mode))
        rc = fa_fail(e, FA_ENOTFOUND,
                     "%.*s is not a folder of this machine (an absolute path is wanted)",
                     FA_FMT(given));
    else if (!within(real, c->call->folders))
        rc =
            fa_fail(e, FA_EFORBIDDEN, "%.*s is not in a folder that may be watched", FA_FMT(given)),
        fa_hint(e, "the operator allows it: farthing serve --watch-folders %.*s", FA_FMT(given));
    else if (access(real, R_OK | X_OK))
        rc = fa_fail(e, FA_EFORBIDDEN, "%.*s cannot be read by the user farthing runs as",
                     FA_FMT(given)),
        fa_hint(e, "missing grant: read and search permission on the folder");
    else
        c->bucket = fa_arena_dup(c->mem, fa_str_of(real));
    free(real);
    if (rc)
        return fa_at(e, "path");
    return c->bucket.p ? FA_OK : fa_oom(e);
}

static int64_t settle_ms(const cn_conn *c)
{
    fa_str s = cn_config(c, "settleSeconds");
    uint64_t n;

    return s.n && fa_take_u64(&s, &n) && n <= 86400 ? (int64_t)n * 1000 : 10000;
}

static fa_rc take(cn_conn *c, cn_list *out, fa_str key, const struct stat *st, fa_err *e)
{
    int64_t modified = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
    cn_object o = {.key = key, .bytes = st->st_size, .md5 = FA_STR(""), .modified_ms = modified};
    fa_rc rc;

    if (fa_now_ms() - modified < settle_ms(c) && modified <= fa_now_ms())
        return FA_OK;
    if ((rc = cn_join(c->mem, &o.etag, e, "%lld-%lld.%09ld", (long long)st->st_size,
                      (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec)))
        return rc;
    return cn_add(c, out, &o, e);
}

static fa_rc walk(cn_conn *c, int fd, fa_str at, int depth, cn_list *out, fa_err *e)
{
    DIR *d = fdopendir(fd);
    const struct dirent *i;
    fa_rc rc = FA_OK;

    if (!d) {
        close(fd);
        return fa_fail(e, FA_EENV, "the folder %.*s cannot be read: %s", FA_FMT(at),
                       strerror(errno));
    }
    while (!rc && (i = readdir(d))) {
        struct stat st;
        fa_str key;
        int sub;

        if (i->d_name[0] == '.' || fstatat(dirfd(d), i->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        if ((rc = cn_join(c->mem, &key, e, "%.*s%s%s", FA_FMT(at), at.n ? "/" : "", i->d_name)))
            break;
        if (S_ISREG(st.st_mode)) {
            rc = take(c, out, key, &st, e);
        } else if (S_ISDIR(st.st_mode) && depth < DEPTH) {
            sub = openat(dirfd(d), i->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            rc = sub >= 0 ? walk(c, sub, key, depth + 1, out, e)
                          : fa_fail(e, FA_EFORBIDDEN, "the folder %.*s cannot be read: %s",
                                    FA_FMT(key), strerror(errno));
        }
    }
    closedir(d);
    return rc;
}

static fa_rc folder_objects(cn_conn *c, cn_list *out, fa_err *e)
{
    int fd = open(c->bucket.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return fa_fail(e, FA_EENV, "the folder %.*s cannot be read: %s", FA_FMT(c->bucket),
                       strerror(errno));
    return walk(c, fd, FA_STR(""), 0, out, e);
}

static fa_rc folder_local(cn_conn *c, fa_arena *a, const cn_object *o, const char **path, fa_err *e)
{
    *path = fa_arena_printf(a, "%.*s/%.*s", FA_FMT(c->bucket), FA_FMT(o->key));
    return *path ? FA_OK : fa_oom(e);
}

static fa_rc folder_refused(const cn_conn *c, const fa_net_response *r, const char *doing,
                            fa_str key, fa_err *e)
{
    (void)c;
    (void)r;
    return fa_fail(e, FA_EINTERNAL, "a folder answers no request to %s %.*s", doing, FA_FMT(key));
}

const cn_store cn_folder = {
    .kind = {"folder",
             "Folder",
             "",
             NULL,
             false,
             {{"path", "Folder", "an absolute path on the server", true, NULL},
              {"settleSeconds", "Wait until unchanged (seconds)", "10 when empty", false, NULL},
              {"layout", "Layout",
               "manifest: only what a manifest names; files: every bill file, as one snapshot",
               false, "auto|manifest|files"}}},
    .open = folder_open,
    .objects = folder_objects,
    .local = folder_local,
    .refused = folder_refused,
};
