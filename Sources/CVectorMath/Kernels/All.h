// Every function of Functions.h for one instruction set, with the table of them. The file that includes this sets the target of
// the compiler, CVM_TABLE, CVM_ACCUMULATORS, the number of vectors that stay in registers while a loop adds to them, and CVM_PERMUTES
// where there are instructions to gather some of a vector's values.

#include "../Functions.h"
#include "Internal.h"

#include "Activations.h"
#include "Convolution.h"
#include "Dense.h"
#include "Normalization.h"
#include "PaddedImages.h"
#include "DirectConvolution.h"
#include "Pooling.h"
#include "SparseConvolution.h"
#include "Sums.h"
#include "Updates.h"

#define CVM_ENTRY(result, name, parameters, arguments) .name = vectorized_##name,
const cvm_functions CVM_TABLE = {CVM_FUNCTIONS(CVM_ENTRY)};
