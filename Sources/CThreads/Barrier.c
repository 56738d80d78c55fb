#define _GNU_SOURCE
#include "CThreads.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <time.h>
#endif

enum { cache_line = 64 };

// Turns of the loop in which a waiting thread looks whether it may go on: some tenths of a millisecond, and next to nothing.
enum { most_spins = 20000, least_spins = 32 };

struct cthreads_barrier {
    // Counts how often all have come; threads sleep on it.
    _Alignas(cache_line) uint32_t generation;
    _Alignas(cache_line) uint32_t arrived;
    _Alignas(cache_line) uint32_t sleepers;
    _Alignas(cache_line) uint32_t spins;
    uint32_t count;
};

cthreads_barrier *cthreads_barrier_create(unsigned count) {
    cthreads_barrier *barrier = aligned_alloc(cache_line, sizeof(cthreads_barrier));
    if (barrier) *barrier = (cthreads_barrier){.spins = most_spins, .count = count};
    return barrier;
}

void cthreads_barrier_destroy(cthreads_barrier *barrier) { free(barrier); }

// Tells the core that this is a spin loop.
static inline void pause_core(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Sleeps unless the value has changed, until it is woken or for no reason.
static void sleep_while(uint32_t *word, uint32_t value) {
#if defined(__linux__)
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
#else
    (void)word, (void)value;
    nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
#endif
}

static void wake_all(uint32_t *word) {
#if defined(__linux__)
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
#else
    (void)word;
#endif
}

// Whether the others came while this thread spun. The next one spins twice as long where they did, half as long where not.
static int spin(cthreads_barrier *barrier, uint32_t phase) {
    uint32_t limit = __atomic_load_n(&barrier->spins, __ATOMIC_RELAXED);
    for (uint32_t turn = 0; turn < limit; turn++) {
        if (__atomic_load_n(&barrier->generation, __ATOMIC_ACQUIRE) != phase) {
            uint32_t longer = 2 * limit < most_spins ? 2 * limit : most_spins;
            if (longer > limit) __atomic_store_n(&barrier->spins, longer, __ATOMIC_RELAXED);
            return 1;
        }
        pause_core();
    }
    __atomic_store_n(&barrier->spins, limit / 2 > least_spins ? limit / 2 : least_spins, __ATOMIC_RELAXED);
    return 0;
}

void cthreads_barrier_wait(cthreads_barrier *barrier) {
    uint32_t phase = __atomic_load_n(&barrier->generation, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == barrier->count) {
        __atomic_store_n(&barrier->arrived, 0, __ATOMIC_RELAXED);
        // Sequentially consistent, as is the sleepers' side: either the last to arrive sees a sleeper, or the sleeper sees the
        // new generation.
        __atomic_add_fetch(&barrier->generation, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&barrier->sleepers, __ATOMIC_SEQ_CST) > 0) wake_all(&barrier->generation);
        return;
    }
    if (spin(barrier, phase)) return;
    __atomic_add_fetch(&barrier->sleepers, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&barrier->generation, __ATOMIC_SEQ_CST) == phase)
        sleep_while(&barrier->generation, phase);
    __atomic_sub_fetch(&barrier->sleepers, 1, __ATOMIC_SEQ_CST);
}
