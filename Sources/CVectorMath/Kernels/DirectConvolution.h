// The weight gradient of one example against an image of few channels, whatever the output gradient.

#define LANES 8
#include "DirectVectors.h"
#undef LANES
#define LANES 16
#include "DirectVectors.h"
#undef LANES

static void vectorized_direct_weight_gradient(
    float *weights, float *biases, const float *padded, const float *gradient, const cvm_padded_convolution *s) {
    (s->unit_block == 8 ? direct_weight_gradient_8 : direct_weight_gradient_16)(weights, biases, padded, gradient, s);
}
