/* Loaded before the C library: counts the calls of a program that touch files below a folder, lists them, and lets one
   of them fail, or move fewer bytes than were asked for.

   HVM_FAULT_UNDER  the folder
   HVM_FAULT_LOG    gets a line for each call: kind, number of that kind, path, offset, length, what was done
   HVM_FAULT        "KIND NUMBER HOW": HOW is "errno N", "from N" (this call and all later ones fail), "each N" (this
                    call and every second one after it: all that try again succeed), "short N" (at most N bytes), "all-short N" (this call and all later ones), or "end" (nothing is moved) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN, READ, WRITE, SYNC, TRUNCATE, RENAME, REMOVE, KINDS };
static const char *const NAMES[KINDS] = { "open", "read", "write", "sync", "truncate", "rename", "remove" };
static atomic_long counts[KINDS];
static char under[4096], how[16];
static int wanted = -1, log_file = -1;
static long number, value;

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("HVM_FAULT_UNDER"), *list = getenv("HVM_FAULT_LOG"), *fault = getenv("HVM_FAULT");
    char kind[16];
    if (folder) snprintf(under, sizeof under, "%s", folder);
    if (list) log_file = syscall(SYS_openat, AT_FDCWD, list, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fault && sscanf(fault, "%15s %ld %15s %ld", kind, &number, how, &value) >= 3)
        for (int i = 0; i < KINDS; i++)
            if (!strcmp(NAMES[i], kind)) wanted = i;
}

/* 0: as usual; -1: it fails with errno set; else the most bytes plus 1. */
static long judge(enum kind kind, const char *path, long long offset, size_t length) {
    char line[8192];
    const char *done = "";
    long verdict = 0;
    size_t depth = strlen(under);
    if (!depth || strncmp(path, under, depth)) return 0;
    long count = atomic_fetch_add(&counts[kind], 1) + 1;
    int all = !strcmp(how, "from") || !strcmp(how, "all-short");
    int hit = all ? count >= number : !strcmp(how, "each") ? count >= number && (count - number) % 2 == 0 : count == number;
    if ((int)kind == wanted && hit) {
        done = "INJECTED";
        verdict = strstr(how, "short") ? value + 1 : strcmp(how, "end") ? -1 : 1;
    }
    int size = snprintf(line, sizeof line, "%s\t%ld\t%s\t%lld\t%zu\t%s\n", NAMES[kind], count, path, offset, length, done);
    if (log_file >= 0 && syscall(SYS_write, log_file, line, (size_t)size) < 0) abort();
    if (verdict < 0) errno = (int)value;
    return verdict;
}

static long judge_file(enum kind kind, int file, long long offset, size_t *length) {
    char link[64], path[4096];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    long size = readlink(link, path, sizeof path - 1);
    errno = before;
    if (size < 0) return 0;
    path[size] = 0;
    long verdict = judge(kind, path, offset, length ? *length : 0);
    if (verdict > 0 && length && *length > (size_t)verdict - 1) *length = verdict - 1;
    return verdict;
}

static long judge_path(enum kind kind, int folder, const char *path) {
    char whole[8192], base[4096], link[64];
    if (path[0] == '/') return judge(kind, path, 0, 0);
    snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
    long size = readlink(link, base, sizeof base - 1);
    if (size < 0) return 0;
    base[size] = 0;
    snprintf(whole, sizeof whole, "%s/%s", base, path);
    return judge(kind, whole, 0, 0);
}

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        NEXT(name); \
        va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
        return judge_path(OPEN, AT_FDCWD, path) < 0 ? -1 : next(path, flags, mode); \
    }
OPENS(open)
OPENS(open64)
#define OPENS_AT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        NEXT(name); \
        va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
        return judge_path(OPEN, folder, path) < 0 ? -1 : next(folder, path, flags, mode); \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

#define MOVES(name, kind, type) \
    ssize_t name(int file, type bytes, size_t length) { \
        NEXT(name); \
        long verdict = judge_file(kind, file, -1, &length); \
        return verdict < 0 ? -1 : verdict == 1 ? 0 : next(file, bytes, length); \
    }
MOVES(read, READ, void *)
MOVES(write, WRITE, const void *)
#define MOVES_AT(name, kind, type, place) \
    ssize_t name(int file, type bytes, size_t length, place offset) { \
        NEXT(name); \
        long verdict = judge_file(kind, file, offset, &length); \
        return verdict < 0 ? -1 : verdict == 1 ? 0 : next(file, bytes, length, offset); \
    }
MOVES_AT(pread, READ, void *, off_t)
MOVES_AT(pread64, READ, void *, off64_t)
MOVES_AT(pwrite, WRITE, const void *, off_t)
MOVES_AT(pwrite64, WRITE, const void *, off64_t)

#define SYNCS(name) \
    int name(int file) { NEXT(name); return judge_file(SYNC, file, 0, 0) < 0 ? -1 : next(file); }
SYNCS(fsync)
SYNCS(fdatasync)
#define CUTS(name, type) \
    int name(int file, type length) { NEXT(name); return judge_file(TRUNCATE, file, length, 0) < 0 ? -1 : next(file, length); }
CUTS(ftruncate, off_t)
CUTS(ftruncate64, off64_t)
int rename(const char *from, const char *to) {
    NEXT(rename);
    return judge_path(RENAME, AT_FDCWD, to) < 0 ? -1 : next(from, to);
}
int unlink(const char *path) {
    NEXT(unlink);
    return judge_path(REMOVE, AT_FDCWD, path) < 0 ? -1 : next(path);
}
