#if defined(__x86_64__)

// Of the 32 registers, those that hold sums.
#define CVM_ACCUMULATORS 28
#define CVM_PERMUTES
#define CVM_TABLE cvm_avx512_functions

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,bmi2,popcnt"))), apply_to = function)
#include "../Kernels/All.h"
#pragma clang attribute pop

#endif
