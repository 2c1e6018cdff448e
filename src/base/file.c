/*
 * file.c - files that are there after a power cut: write to a temporary name, fsync, rename, fsync
 * the directory. A failed fsync is an error and is never tried again (the kernel may have dropped
 * the page).
 */
#include "base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TREE_DEPTH = 64 };

static fa_rc fail_errno(fa_err *e, const char *what, const char *path)
{
    int err = errno;
    fa_rc rc = err == ENOENT || err == ENOTDIR ? FA_ENOTFOUND
               : err == EEXIST                 ? FA_ECONFLICT
                                               : FA_EENV;

    rc = fa_fail(e, rc, "could not %s \"%s\": %s", what, path, strerrordesc_np(err));
    if (e && err == ENOSPC)
        fa_hint(e, "free some space on that disk and try again");
    return rc;
}

/* The folder of path into out[PATH_MAX]. */
static fa_rc parent_of(const char *path, char *out, fa_err *e)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n >= PATH_MAX)
        return fa_fail(e, FA_EINVAL, "path too long: \"%.100s...\"", path);
    if (n == 0) {
        memcpy(out, ".", 2);
    } else {
        memcpy(out, path, n);
        out[n] = '\0';
    }
    return FA_OK;
}

static fa_rc sync_parent(const char *path, fa_err *e)
{
    char dir[PATH_MAX];
    fa_rc rc = parent_of(path, dir, e);

    return rc ? rc : fa_fsync_path(dir, e);
}

fa_rc fa_mkdirs(const char *path, unsigned mode, fa_err *e)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    struct stat st;

    if (n == 0 || n >= sizeof part)
        return fa_fail(e, FA_EINVAL, "could not create a folder: path empty or too long");
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, (mode_t)mode) == 0) {
            fa_rc rc = sync_parent(part, e);

            if (rc)
                return rc;
        } else if (errno != EEXIST) {
            return fail_errno(e, "create the folder", part);
        } else if (stat(part, &st) != 0 || !S_ISDIR(st.st_mode)) {
            return fa_fail(e, FA_ECONFLICT,
                           "could not create the folder \"%s\": a file is in the way", part);
        }
        part[i] = path[i];
    }
    return FA_OK;
}

fa_rc fa_fsync_path(const char *path, fa_err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    fa_rc rc = FA_OK;

    if (fd < 0)
        return fail_errno(e, "open", path);
    if (fsync(fd) != 0)
        rc = fail_errno(e, "sync", path);
    close(fd);
    return rc;
}

fa_rc fa_rename_durable(const char *from, const char *to, fa_err *e)
{
    char a[PATH_MAX], b[PATH_MAX];
    fa_rc rc;

    if ((rc = parent_of(from, a, e)) || (rc = parent_of(to, b, e)))
        return rc;
    if (rename(from, to) != 0)
        return fail_errno(e, "rename to", to);
    if ((rc = fa_fsync_path(b, e)))
        return rc;
    return strcmp(a, b) == 0 ? FA_OK : fa_fsync_path(a, e);
}

fa_rc fa_file_read(const char *path, size_t limit, fa_buf *out, fa_err *e)
{
    char chunk[65536];
    size_t total = 0;
    ssize_t k;
    fa_rc rc = FA_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return fail_errno(e, "open", path);
    while ((k = read(fd, chunk, sizeof chunk)) != 0) {
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            rc = fail_errno(e, "read", path);
            goto done;
        }
        total += (size_t)k;
        if (limit && total > limit) {
            rc = fa_fail(e, FA_ETOOBIG, "\"%s\" is larger than %zu bytes", path, limit);
            goto done;
        }
        fa_buf_put(out, chunk, (size_t)k);
    }
    if (out->failed)
        rc = fa_oom(e);
done:
    close(fd);
    return rc;
}

static bool write_all(int fd, fa_str s)
{
    while (s.n) {
        ssize_t k = write(fd, s.p, s.n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return false;
        s.p += k;
        s.n -= (size_t)k;
    }
    return true;
}

fa_rc fa_file_write_durable(const char *path, fa_str content, unsigned mode, fa_err *e)
{
    char tmp[PATH_MAX];
    unsigned char salt[6];
    char hex[2 * sizeof salt + 1];
    int fd = -1;
    fa_rc rc = FA_OK;

    fa_random(salt, sizeof salt);
    fa_hex(hex, salt, sizeof salt);
    if (snprintf(tmp, sizeof tmp, "%s.tmp-%s", path, hex) >= (int)sizeof tmp)
        return fa_fail(e, FA_EINVAL, "path too long: \"%.100s...\"", path);
    if ((fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode)) < 0)
        return fail_errno(e, "create", tmp);
    if (fchmod(fd, (mode_t)mode) != 0 || !write_all(fd, content) || fsync(fd) != 0)
        rc = fail_errno(e, "write", path);
    if (close(fd) != 0 && !rc)
        rc = fail_errno(e, "write", path);
    if (!rc)
        rc = fa_rename_durable(tmp, path, e);
    if (rc)
        unlink(tmp);
    return rc;
}

/* Empties the folder behind fd (which is closed). path is for messages only. */
static fa_rc empty_dir(int fd, const char *path, int depth, fa_err *e)
{
    DIR *d;
    struct dirent *de;
    fa_rc rc = FA_OK;

    if (depth > TREE_DEPTH || !(d = fdopendir(fd))) {
        close(fd);
        return fa_fail(e, FA_EENV, "could not remove \"%s\": nested too deep or unreadable", path);
    }
    while (!rc && (errno = 0, de = readdir(d))) {
        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, de->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM) {
            rc = fail_errno(e, "remove what is in", path);
            break;
        }
        int sub = openat(fd, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (sub < 0)
            rc = fail_errno(e, "open what is in", path);
        else if (!(rc = empty_dir(sub, path, depth + 1, e)) &&
                 unlinkat(fd, de->d_name, AT_REMOVEDIR) != 0)
            rc = fail_errno(e, "remove what is in", path);
    }
    closedir(d);
    return rc;
}

fa_rc fa_remove_tree(const char *path, fa_err *e)
{
    int fd;
    fa_rc rc;

    if (unlink(path) == 0 || errno == ENOENT)
        return FA_OK;
    if (errno != EISDIR && errno != EPERM)
        return fail_errno(e, "remove", path);
    if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return errno == ENOENT ? FA_OK : fail_errno(e, "open", path);
    if ((rc = empty_dir(fd, path, 0, e)))
        return rc;
    if (rmdir(path) != 0 && errno != ENOENT)
        return fail_errno(e, "remove", path);
    return FA_OK;
}
