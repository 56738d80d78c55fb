#define _GNU_SOURCE
#include "CThreads.h"

#if defined(__linux__)
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#endif

int cthreads_affinity(int *processors, int capacity) {
#if defined(__linux__)
    // The set must be as large as the system's own, which is not told beforehand.
    for (int size = CPU_SETSIZE; size <= 1 << 20; size *= 2) {
        cpu_set_t *set = CPU_ALLOC(size);
        if (!set) return 0;
        size_t bytes = CPU_ALLOC_SIZE(size);
        int failed = sched_getaffinity(0, bytes, set), reason = errno;
        int count = failed ? 0 : CPU_COUNT_S(bytes, set);
        for (int number = 0, found = 0; !failed && number < size && found < capacity; number++) {
            if (CPU_ISSET_S(number, bytes, set)) processors[found++] = number;
        }
        CPU_FREE(set);
        if (!failed || reason != EINVAL) return count;
    }
#else
    (void)processors;
    (void)capacity;
#endif
    return 0;
}
