/* Page residency of a mapping: how many of its bytes are in the page cache. Linux only. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_PAGES 8192

/*
 * The bytes of [address, address + length) whose pages are in memory, or -errno.
 *
 * address: start of a live mapping, on a page boundary. length: its bytes; the last page counts with the bytes that
 * belong to the mapping. No page is touched. The result may be outdated on return: pages come and go at any time.
 */
int64_t andiron_resident_bytes(uint64_t address, uint64_t length) {
    unsigned char states[CHUNK_PAGES];
    long size = sysconf(_SC_PAGESIZE);
    if (size <= 0) {
        return -EINVAL;
    }
    uint64_t page = (uint64_t)size;
    uint64_t chunk = page * CHUNK_PAGES;
    uint64_t resident = 0;
    for (uint64_t start = 0; start < length; start += chunk) {
        uint64_t bytes = length - start < chunk ? length - start : chunk;
        if (mincore((void *)(uintptr_t)(address + start), (size_t)bytes, (void *)states) != 0) {
            return -(int64_t)errno;
        }
        for (uint64_t offset = 0, index = 0; offset < bytes; offset += page, index++) {
            if (states[index] & 1) {
                resident += bytes - offset < page ? bytes - offset : page;
            }
        }
    }
    return (int64_t)resident;
}
