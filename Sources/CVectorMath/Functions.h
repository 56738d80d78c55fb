// The functions that are compiled once for each instruction set, declared once: F(result, name, parameters, arguments).
//
// What CVectorMath.h declares as cvm_sum is the static function `vectorized_sum` of Kernels/, compiled by each file of InstructionSets/, and a
// line of Dispatch.c that calls the one in use.

#ifndef CVECTORMATH_FUNCTIONS_H
#define CVECTORMATH_FUNCTIONS_H

#include "CVectorMath.h"

#define CVM_FUNCTIONS(F)                                                                                     \
    F(double, sum, (const float *x, size_t count), (x, count))                                               \
    F(double, squared_norm, (const float *x, size_t count), (x, count))                                      \
    F(void, add, (float *sum, const float *x, size_t count), (sum, x, count))                                \
    F(double, add_with_squared_norm, (float *sum, const float *x, size_t count), (sum, x, count))            \
    F(void, square, (float *squares, const float *x, size_t count), (squares, x, count))                     \
    F(void, multiply, (float *x, const float *factors, size_t count), (x, factors, count))                   \
    F(void, relu, (float *x, size_t count), (x, count))                                                      \
    F(void, relu_backward, (float *gradient, const float *output, size_t count), (gradient, output, count))  \
    F(void, tanh, (float *x, size_t count), (x, count))                                                      \
    F(void, tanh_backward, (float *gradient, const float *output, size_t count), (gradient, output, count))  \
    F(void, sigmoid, (float *x, size_t count), (x, count))                                                   \
    F(void, sigmoid_backward, (float *gradient, const float *output, size_t count),                          \
      (gradient, output, count))                                                                             \
    F(void, leaky_relu, (float *x, float slope, size_t count), (x, slope, count))                            \
    F(void, leaky_relu_backward, (float *gradient, const float *output, float slope, size_t count),          \
      (gradient, output, slope, count))                                                                      \
    F(void, silu, (float *x, size_t count), (x, count))                                                      \
    F(void, silu_backward, (float *gradient, const float *input, size_t count), (gradient, input, count))    \
    F(void, gelu, (float *x, size_t count), (x, count))                                                      \
    F(void, gelu_backward, (float *gradient, const float *input, size_t count), (gradient, input, count))    \
    F(void, transpose_adding_bias,                                                                           \
      (float *destination, size_t stride, const float *source, const float *bias, size_t rows, size_t units), \
      (destination, stride, source, bias, rows, units))                                                      \
    F(void, column_sums,                                                                                     \
      (float *sums, const float *matrix, size_t stride, size_t rows, size_t units, int accumulate),          \
      (sums, matrix, stride, rows, units, accumulate))                                                       \
    F(double, scale_with_squared_norm, (float *gradient, float scale, size_t count),                         \
      (gradient, scale, count))                                                                              \
    F(double, squared_distance, (const float *x, float center, size_t count), (x, center, count))            \
    F(void, normalize,                                                                                       \
      (float *y, const float *x, float mean, float inverse, const float *weight, const float *bias,          \
       size_t count),                                                                                        \
      (y, x, mean, inverse, weight, bias, count))                                                            \
    F(cvm_normalization_sums, normalize_sums,                                                                \
      (float *weight_sum, float *bias_sum, const float *gradient, const float *x, float mean, float inverse, \
       const float *weight, size_t count),                                                                   \
      (weight_sum, bias_sum, gradient, x, mean, inverse, weight, count))                                     \
    F(void, normalize_backward,                                                                              \
      (float *result, const float *gradient, const float *x, float mean, float inverse, const float *weight, \
       float gradient_mean, float product_mean, size_t count),                                               \
      (result, gradient, x, mean, inverse, weight, gradient_mean, product_mean, count))                      \
    F(void, approach, (float *average, const float *values, float weight, size_t count),                     \
      (average, values, weight, count))                                                                      \
    F(double, descend,                                                                                       \
      (float *weights, const float *gradient_sum, float scale, float learning_rate, float weight_decay,      \
       size_t count),                                                                                        \
      (weights, gradient_sum, scale, learning_rate, weight_decay, count))                                    \
    F(double, descend_with_momentum,                                                                         \
      (float *weights, float *velocity, const float *gradient_sum, float scale, float learning_rate,         \
       float weight_decay, float beta, int nesterov, size_t count),                                          \
      (weights, velocity, gradient_sum, scale, learning_rate, weight_decay, beta, nesterov, count))          \
    F(void, follow_velocity,                                                                                 \
      (float *weights, float *velocity, float learning_rate, float weight_decay, size_t count),              \
      (weights, velocity, learning_rate, weight_decay, count))                                               \
    F(double, descend_by_adam,                                                                               \
      (float *weights, float *first_moment, float *second_moment, const float *gradient_sum, float scale,    \
       const cvm_adam *constants, size_t count),                                                             \
      (weights, first_moment, second_moment, gradient_sum, scale, constants, count))                         \
    F(void, channel_sums, (double *sums, const float *x, const cvm_channels *shape), (sums, x, shape))       \
    F(void, channel_squares,                                                                                 \
      (double *sums, const float *x, const float *centers, const cvm_channels *shape),                       \
      (sums, x, centers, shape))                                                                             \
    F(void, channel_products,                                                                                \
      (double *sums, double *products, const float *gradient, const float *x, const float *centers,          \
       const cvm_channels *shape),                                                                           \
      (sums, products, gradient, x, centers, shape))                                                         \
    F(void, scale_channels,                                                                                  \
      (float *y, const float *x, const float *centers, const float *factors, const float *shifts,            \
       const cvm_channels *shape),                                                                           \
      (y, x, centers, factors, shifts, shape))                                                               \
    F(void, combine_channels,                                                                                \
      (float *result, const float *gradient, const float *x, const float *centers,                           \
       const float *gradient_factors, const float *value_factors, const float *shifts,                       \
       const cvm_channels *shape),                                                                           \
      (result, gradient, x, centers, gradient_factors, value_factors, shifts, shape))                        \
    F(double, weight_gradient_squared_norm,                                                                  \
      (const float *pixel_products, const float *gradient_products, const cvm_convolution *shape),           \
      (pixel_products, gradient_products, shape))                                                            \
    F(void, write_patches,                                                                                   \
      (float *patches, size_t stride, const float *image, size_t channels, const cvm_convolution *shape),    \
      (patches, stride, image, channels, shape))                                                             \
    F(void, add_patches,                                                                                     \
      (float *image, const float *patches, size_t stride, size_t channels, const cvm_convolution *shape),    \
      (image, patches, stride, channels, shape))                                                             \
    F(void, copy_rows,                                                                                       \
      (float *destination, size_t destination_stride, const float *source, size_t source_stride,             \
       size_t rows, size_t columns),                                                                         \
      (destination, destination_stride, source, source_stride, rows, columns))                               \
    F(void, max_pool, (float *output, uint16_t *places, const float *input, const cvm_pooling *shape),       \
      (output, places, input, shape))                                                                        \
    F(void, max_pool_backward,                                                                               \
      (float *input_gradient, const uint16_t *places, const float *output_gradient,                          \
       const cvm_pooling *shape),                                                                            \
      (input_gradient, places, output_gradient, shape))                                                      \
    F(void, average_pool, (float *output, const float *input, const cvm_pooling *shape),                     \
      (output, input, shape))                                                                                \
    F(void, average_pool_backward,                                                                           \
      (float *input_gradient, const float *output_gradient, const cvm_pooling *shape),                       \
      (input_gradient, output_gradient, shape))                                                              \
    F(size_t, nonzeros_size, (const cvm_padded_convolution *shape), (shape))                                 \
    F(void, list_nonzeros,                                                                                   \
      (void *nonzeros, size_t example, const float *gradient, const cvm_padded_convolution *shape),          \
      (nonzeros, example, gradient, shape))                                                                  \
    F(size_t, padded_count, (const cvm_padded_convolution *shape), (shape))                                  \
    F(void, pad_image, (float *padded, const float *image, const cvm_padded_convolution *shape),             \
      (padded, image, shape))                                                                                \
    F(void, unpad_image, (float *image, const float *padded, const cvm_padded_convolution *shape),           \
      (image, padded, shape))                                                                                \
    F(void, direct_weight_gradient,                                                                          \
      (float *weights, float *biases, const float *padded, const float *gradient,                            \
       const cvm_padded_convolution *shape),                                                                 \
      (weights, biases, padded, gradient, shape))                                                            \
    F(size_t, row_vectors, (const cvm_padded_convolution *shape), (shape))                                   \
    F(void, sparse_weight_gradient,                                                                          \
      (float *sum, double *squared_norms, const float *padded, const void *nonzeros, size_t examples,        \
       const cvm_padded_convolution *shape),                                                                 \
      (sum, squared_norms, padded, nonzeros, examples, shape))                                               \
    F(double, sparse_bias_gradient,                                                                          \
      (float *sum, const void *nonzeros, size_t example, const cvm_padded_convolution *shape),               \
      (sum, nonzeros, example, shape))                                                                       \
    F(void, pack_kernel_rows, (float *packed, const float *weights, const cvm_padded_convolution *shape),    \
      (packed, weights, shape))                                                                              \
    F(void, sparse_input_gradient,                                                                           \
      (float *padded, const void *nonzeros, size_t examples, const float *packed_weights,                    \
       const cvm_padded_convolution *shape),                                                                 \
      (padded, nonzeros, examples, packed_weights, shape))

#define CVM_POINTER(result, name, parameters, arguments) result(*name) parameters;
typedef struct {
    CVM_FUNCTIONS(CVM_POINTER)
} cvm_functions;

// One table for each file of InstructionSets/.
extern const cvm_functions cvm_baseline_functions, cvm_avx2_functions, cvm_avx512_functions;

#endif
