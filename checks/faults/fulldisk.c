/* A preloaded library that fails writes below the folder in FULLDISK while that has a file `filler`; `filler` itself stays writable. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_full(int file) {
    const char *folder = getenv("FULLDISK");
    char filler[4096], link[64], path[4096];
    if (folder == NULL) return 0;
    snprintf(filler, sizeof filler, "%s/filler", folder);
    if (access(filler, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = '\0';
    return strncmp(path, folder, strlen(folder)) == 0 && strcmp(path, filler) != 0;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "pwrite64");
    if (is_full(file)) {
        errno = ENOSPC;
        return -1;
    }
    return real(file, bytes, count, offset);
}
