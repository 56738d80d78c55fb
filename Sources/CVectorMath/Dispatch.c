#include "Functions.h"

#include <stdbool.h>

static const cvm_functions *used = &cvm_baseline_functions;

void cvm_use(cvm_instruction_set set) {
    const cvm_functions *table = &cvm_baseline_functions;
#if defined(__x86_64__)
    // oneDNN speaks of AVX2 without saying anything of what came with it on all but a few processors.
    bool follows = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    if (set >= cvm_avx2 && follows) table = &cvm_avx2_functions;
    if (set >= cvm_avx512 && follows && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        table = &cvm_avx512_functions;
#else
    (void)set;
#endif
    __atomic_store_n(&used, table, __ATOMIC_RELEASE);
}

#define CVM_FORWARD(result, name, parameters, arguments)                                                     \
    result cvm_##name parameters { return __atomic_load_n(&used, __ATOMIC_ACQUIRE)->name arguments; }

CVM_FUNCTIONS(CVM_FORWARD)
