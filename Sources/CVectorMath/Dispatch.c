#include "Functions.h"

#include <stdbool.h>

// What came with AVX2 on all but a few processors, of which oneDNN says nothing.
static bool follows_avx2(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

static bool follows_avx512(void) {
#if defined(__x86_64__)
    return follows_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#else
    return false;
#endif
}

cvm_instruction_set cvm_largest(void) {
    return follows_avx512() ? cvm_avx512 : follows_avx2() ? cvm_avx2 : cvm_baseline;
}

static const cvm_functions *used = &cvm_baseline_functions;

void cvm_use(cvm_instruction_set set) {
    const cvm_functions *table = &cvm_baseline_functions;
#if defined(__x86_64__)
    if (set >= cvm_avx2 && follows_avx2()) table = &cvm_avx2_functions;
    if (set >= cvm_avx512 && follows_avx512()) table = &cvm_avx512_functions;
#else
    (void)set;
#endif
    __atomic_store_n(&used, table, __ATOMIC_RELEASE);
}

#define CVM_FORWARD(result, name, parameters, arguments)                                                     \
    result cvm_##name parameters { return __atomic_load_n(&used, __ATOMIC_ACQUIRE)->name arguments; }

CVM_FUNCTIONS(CVM_FORWARD)
