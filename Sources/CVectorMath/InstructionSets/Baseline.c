// Of the 16 registers of four floats, those that hold sums of 8.
#define CVM_ACCUMULATORS 7
#define CVM_TABLE cvm_baseline_functions

#include "../Kernels/All.h"
