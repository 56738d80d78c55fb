#ifndef CVECTORMATH_INTERNAL_H
#define CVECTORMATH_INTERNAL_H

#include "CVectorMath.h"

// Compiles a loop once per instruction set and picks one when the program is loaded. ThreadSanitizer
// is not yet running at that time and would crash in the resolver, so it gets the baseline alone.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CVM_NO_CLONES
#endif
#endif
#if defined(__x86_64__) && defined(__linux__) && !defined(CVM_NO_CLONES)
#define CVM_VECTORIZED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CVM_VECTORIZED
#endif

// Floats summed before the sum moves to a double.
enum { cvm_block = 512 };

static inline size_t cvm_block_end(size_t start, size_t count) {
    return count - start < cvm_block ? count : start + cvm_block;
}

#endif
