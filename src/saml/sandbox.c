/*
 * sandbox.c - from here on this process can compute, read its question and write its answer, and nothing else.
 *
 * Limits of memory, time, files and size first; then no new privileges; then a seccomp filter that kills at the first
 * system call that is not in its table (security.md SA-7). The table holds what an allocator, a clock and a source of
 * randomness need: no file can be opened, no socket made, no memory made executable, no other process touched.
 */
#include "saml/saml.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { MEMORY = 512 << 20, CPU_SECONDS = 5 };

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* A sanitized program looks at /proc and maps its shadow: it is bounded in time only. */
static fa_rc limits(fa_err *e)
{
    static const struct {
        int what;
        rlim_t most;
    } limit[] = {
        {RLIMIT_CPU, CPU_SECONDS}, {RLIMIT_CORE, 0},   {RLIMIT_AS, MEMORY},
        {RLIMIT_FSIZE, 0},         {RLIMIT_NOFILE, 0}, {RLIMIT_STACK, 8 << 20},
    };

    for (size_t i = 0; i < (SANITIZED ? 2 : FA_COUNT(limit)); i++)
        if (setrlimit(limit[i].what, &(struct rlimit){limit[i].most, limit[i].most}) < 0)
            return fa_fail(e, FA_EENV, "could not set limits: %s", strerror(errno));
    return FA_OK;
}

#define NR offsetof(struct seccomp_data, nr)
#define LOW(i) (offsetof(struct seccomp_data, args) + 8 * (i)) /* the low half: little-endian */
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(at))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define IF_EQ(v, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(v), (yes), (no))
#define IF_ANY(v, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (unsigned)(v), (yes), (no))
#define ALLOW(call) IF_EQ(SYS_##call, 0, 1), ANSWER(SECCOMP_RET_ALLOW)
/* allowed when the low half of an argument is / has none of */
#define ALLOW_ARG(call, i, v)                                                                      \
    IF_EQ(SYS_##call, 0, 4), LOAD(LOW(i)), IF_EQ(v, 0, 1), ANSWER(SECCOMP_RET_ALLOW),              \
        ANSWER(SECCOMP_RET_KILL_PROCESS)
#define ALLOW_WITHOUT(call, i, v)                                                                  \
    IF_EQ(SYS_##call, 0, 4), LOAD(LOW(i)), IF_ANY(v, 1, 0), ANSWER(SECCOMP_RET_ALLOW),             \
        ANSWER(SECCOMP_RET_KILL_PROCESS)

static fa_rc filter(fa_err *e)
{
#ifdef ARCH
    static struct sock_filter code[] = {
        LOAD(offsetof(struct seccomp_data, arch)),
        IF_EQ(ARCH, 1, 0),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
        LOAD(NR),
        ALLOW(exit_group),
        ALLOW(exit),
        ALLOW(brk),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(madvise),
        ALLOW(futex),
        ALLOW(getrandom),
        ALLOW(clock_gettime),
        ALLOW(gettimeofday),
#ifdef SYS_time
        ALLOW(time),
#endif
        ALLOW(getpid),
        ALLOW(gettid),
        ALLOW(rt_sigreturn),
        ALLOW(rt_sigprocmask),
        ALLOW_ARG(read, 0, 0),
        ALLOW_ARG(write, 0, 1),
        ALLOW_WITHOUT(mprotect, 2, PROT_EXEC),
        /* memory of nobody's file: the descriptor is -1 */
        IF_EQ(SYS_mmap, 0, 7),
        LOAD(LOW(2)),
        IF_ANY(PROT_EXEC, 4, 0),
        LOAD(LOW(4)),
        IF_EQ(0xffffffffu, 0, 2),
        ANSWER(SECCOMP_RET_ALLOW),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {.len = FA_COUNT(code), .filter = code};

    if (!SANITIZED && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return fa_fail(e, FA_EENV, "could not set the seccomp filter: %s", strerror(errno));
    return FA_OK;
#else
    return fa_fail(e, FA_EENV, "there is no sandbox for this processor");
#endif
}

fa_rc fa_saml_sandbox(fa_err *e)
{
    fa_rc rc;

    if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fa_fail(e, FA_EENV, "could not give up privileges: %s", strerror(errno));
    rc = limits(e);
    return rc ? rc : filter(e);
}
