#if defined(__x86_64__)

// Of the 16 registers of eight floats, those that hold sums.
#define CVM_ACCUMULATORS 15
#define CVM_PERMUTES
#define CVM_TABLE cvm_avx2_functions

#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2,popcnt"))), apply_to = function)
#include "../Kernels/All.h"
#pragma clang attribute pop

#endif
