#define _GNU_SOURCE
#include "CThreads.h"

#if defined(__linux__)
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#endif

int cthreads_affinity_count(void) {
#if defined(__linux__)
    // The set must be as large as the system's own, which is not told beforehand.
    for (int processors = CPU_SETSIZE; processors <= 1 << 20; processors *= 2) {
        cpu_set_t *set = CPU_ALLOC(processors);
        if (!set) return 0;
        size_t size = CPU_ALLOC_SIZE(processors);
        int failed = sched_getaffinity(0, size, set), reason = errno;
        int count = failed ? 0 : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (!failed || reason != EINVAL) return count;
    }
#endif
    return 0;
}
