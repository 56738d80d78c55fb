#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("clang loop unroll(full)")
#define JOIN_EXPANDED(a, b) a##b
#define JOIN(a, b) JOIN_EXPANDED(a, b)

// Floats summed before the sum moves to a double.
enum { block_length = 512 };

static inline size_t block_end(size_t start, size_t count) {
    return count - start < block_length ? count : start + block_length;
}
