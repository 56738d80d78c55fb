// The few loops over contiguous floats that a training step spends time in and oneDNN does not have.
//
// Every function takes the number of elements; pointers need no alignment; arrays that a function writes
// do not overlap any other. Sums of squares are taken in float over short blocks and in double over the
// blocks, so their relative error stays near 1e-7 whatever the length.

#ifndef CVECTORMATH_H
#define CVECTORMATH_H

#include <stddef.h>
#include <stdint.h>

// MARK: Instruction sets

// Each function is compiled for each of these.
typedef enum { cvm_baseline, cvm_avx2, cvm_avx512 } cvm_instruction_set;

// From here on functions use instructions up to this set, as far as the processor has them; before, the baseline's.
void cvm_use(cvm_instruction_set set);

// The largest set that the processor has.
cvm_instruction_set cvm_largest(void);

// MARK: Sums

// Sum of x[i].
double cvm_sum(const float *x, size_t count);

// Sum of x[i]^2.
double cvm_squared_norm(const float *x, size_t count);

// sum[i] += x[i].
void cvm_add(float *sum, const float *x, size_t count);

// sum[i] += x[i]; returns the sum of x[i]^2. One pass over memory for both.
double cvm_add_with_squared_norm(float *sum, const float *x, size_t count);

// squares[i] = x[i]^2.
void cvm_square(float *squares, const float *x, size_t count);

// MARK: Activations, in place

// x = max(x, 0) with NaN left as it is, and gradient = 0 where the output was not positive.
void cvm_relu(float *x, size_t count);
void cvm_relu_backward(float *gradient, const float *output, size_t count);

// x = tanh(x), and gradient *= 1 - output^2.
void cvm_tanh(float *x, size_t count);
void cvm_tanh_backward(float *gradient, const float *output, size_t count);

// x = 1 / (1 + exp(-x)), and gradient *= output (1 - output).
void cvm_sigmoid(float *x, size_t count);
void cvm_sigmoid_backward(float *gradient, const float *output, size_t count);

// max(x, 0) + slope * min(x, 0); x / (1 + exp(-x)); x times the normal distribution's probability of less than x. The last two have
// their derivatives from the input.
void cvm_leaky_relu(float *x, float slope, size_t count);
void cvm_leaky_relu_backward(float *gradient, const float *output, float slope, size_t count);
void cvm_silu(float *x, size_t count);
void cvm_silu_backward(float *gradient, const float *input, size_t count);
void cvm_gelu(float *x, size_t count);
void cvm_gelu_backward(float *gradient, const float *input, size_t count);

// x[i] *= factors[i].
void cvm_multiply(float *x, const float *factors, size_t count);

// MARK: Dense layers

// destination[row * stride + unit] = source[unit * rows + row] + bias[unit]:
// brings a transposed product into row order.
void cvm_transpose_adding_bias(
    float *destination, size_t stride, const float *source, const float *bias, size_t rows,
    size_t units);

// sums[unit] (+)= sum over rows of matrix[row * stride + unit]; starts from zero unless `accumulate`.
void cvm_column_sums(
    float *sums, const float *matrix, size_t stride, size_t rows, size_t units, int accumulate);

// MARK: Convolutions

// The positions of a square kernel on an image.
typedef struct {
    long height, width;                // of the image
    long output_height, output_width;  // of the output: the number of positions
    long kernel, stride;
    long top, left;                    // zeros before the image's first row and column
} cvm_convolution;

// With the image's pixels x_a, vectors over channels, and the output gradients v_p of the positions, given
// pixel_products[a][b] = x_a . x_b and gradient_products[p][q] = v_p . v_q:
// the squared norm of the weight gradient, the sum over p and q of (u_p . u_q) (v_p . v_q), where u_p is the patch
// of pixels under the kernel at position p.
double cvm_weight_gradient_squared_norm(
    const float *pixel_products, const float *gradient_products, const cvm_convolution *shape);

// Writes the patch under each position as a column: row (c * kernel + r) * kernel + s of `patches`, of which the rows are
// `stride` floats apart, holds the pixels of channel c under place (r, s) of the kernel, zero outside the image. The image
// is [channels, height, width].
void cvm_write_patches(
    float *patches, size_t stride, const float *image, size_t channels, const cvm_convolution *shape);

// The reverse: each pixel of the image becomes the sum of the places of `patches` that stand for it.
void cvm_add_patches(
    float *image, const float *patches, size_t stride, size_t channels, const cvm_convolution *shape);

// Copies a matrix whose rows are apart by one stride to one whose rows are apart by another.
void cvm_copy_rows(
    float *destination, size_t destination_stride, const float *source, size_t source_stride, size_t rows,
    size_t columns);

// MARK: Pooling
//
// Over the part of each window that lies inside the image. An image is [planes, height, width, lanes]: in blocks of 8 or 16
// channels, or channels first (lanes 1), or last (planes 1).

typedef struct {
    cvm_convolution geometry;  // its kernel is the window
    size_t planes, lanes;
} cvm_pooling;

// The largest value of each window, the first of equal ones, and its place in the window, row by row. What is not a number is larger
// than all that is.
void cvm_max_pool(float *output, uint16_t *places, const float *input, const cvm_pooling *shape);

// Hands each window's gradient to the pixel in its place.
void cvm_max_pool_backward(
    float *input_gradient, const uint16_t *places, const float *output_gradient, const cvm_pooling *shape);

// The mean of each window, and its gradient.
void cvm_average_pool(float *output, const float *input, const cvm_pooling *shape);
void cvm_average_pool_backward(
    float *input_gradient, const float *output_gradient, const cvm_pooling *shape);

// MARK: Convolutions of padded images
//
// An image comes in blocks of channels, [planes, height, width, lanes], or, where it has fewer channels than a vector has lanes,
// channels first, [pixel, height, width]. Output gradients are in blocks of channels, [blocks, height, width, unit_block], or
// channels first; these only for sparse gradients against few channels. Values in blocks that belong to no channel are zero.
// Padded images are [planes, rows, columns, pixel]: zeros around the image, down to the last window's end.

typedef struct {
    cvm_convolution geometry;
    size_t units;       // channels of the output
    size_t unit_block;  // channels of the output that lie side by side: 8, 16, or 1 where channels come first
    size_t lanes;       // floats of a vector: 8 or 16
    size_t planes;      // of a padded image: blocks of channels, or one
    size_t pixel;       // floats of one pixel in a plane: `lanes`, or all channels
} cvm_padded_convolution;

// The floats of a padded image.
size_t cvm_padded_count(const cvm_padded_convolution *shape);

// Copies an image into a padded one, whose border is left as it is.
void cvm_pad_image(float *padded, const float *image, const cvm_padded_convolution *shape);

// Copies the inside of a padded image in blocks of channels out; zero where no window reaches.
void cvm_unpad_image(float *image, const float *padded, const cvm_padded_convolution *shape);

// The weight gradient of one example against an image of few channels, in the order [units / unit_block, channels, kernel, kernel,
// unit_block], for kernels up to cvm_largest_direct_kernel; and that of the biases.
enum { cvm_largest_direct_kernel = 7 };
void cvm_direct_weight_gradient(
    float *weights, float *biases, const float *padded, const float *gradient,
    const cvm_padded_convolution *shape);

// MARK: Convolutions whose output gradients are mostly zero
//
// A maximum over windows hands its gradient to one value of each window, so at most one in four values of the output
// gradient before a 2x2 pooling differs from zero. These functions take the others as given: their time is proportional to
// the values that differ.

enum { cvm_largest_row_vectors = 5 };

// The vectors that hold one row of a window, at most cvm_largest_row_vectors.
size_t cvm_row_vectors(const cvm_padded_convolution *shape);

// The bytes that lists of one example's values take.
size_t cvm_nonzeros_size(const cvm_padded_convolution *shape);

// Lists the values of an output gradient that differ from zero, in memory for several examples.
void cvm_list_nonzeros(void *nonzeros, size_t example, const float *gradient, const cvm_padded_convolution *shape);

// For each of some padded images, one after the other: adds the weight gradient to `sum`, in the order [units, planes, kernel,
// row_vectors, lanes], where a row of the kernel has its pixels side by side, and its squared norm to squared_norms[example].
void cvm_sparse_weight_gradient(
    float *sum, double *squared_norms, const float *padded, const void *nonzeros, size_t examples,
    const cvm_padded_convolution *shape);

// sum[unit] += the bias gradient of one example; returns its squared norm.
double cvm_sparse_bias_gradient(
    float *sum, const void *nonzeros, size_t example, const cvm_padded_convolution *shape);

// Brings weights from the order of the weight gradient into the one that the input gradient reads:
// [planes, kernel, units, row_vectors, lanes].
void cvm_pack_kernel_rows(float *packed, const float *weights, const cvm_padded_convolution *shape);

// The input gradients of some examples, padded and one after the other, for images in blocks of channels.
void cvm_sparse_input_gradient(
    float *padded, const void *nonzeros, size_t examples, const float *packed_weights,
    const cvm_padded_convolution *shape);

// MARK: Updates

// gradient[i] *= scale; returns the sum of the scaled squares.
double cvm_scale_with_squared_norm(float *gradient, float scale, size_t count);

// An image by its channels: `planes` blocks of `lanes` channels (16, 8 or 1), in each of which the channels of a pixel lie side by side.
// What stands for a channel below is an array of planes * lanes, with those of the padding.
typedef struct {
    size_t planes, pixels, lanes;
} cvm_channels;

// The sum over a channel's pixels; of the squares of their distances from a center; and of a gradient, and its products with those
// distances.
void cvm_channel_sums(double *sums, const float *x, const cvm_channels *shape);
void cvm_channel_squares(double *sums, const float *x, const float *centers, const cvm_channels *shape);
void cvm_channel_products(
    double *sums, double *products, const float *gradient, const float *x, const float *centers,
    const cvm_channels *shape);

// y = (x - center) * factor + shift, by channel.
void cvm_scale_channels(
    float *y, const float *x, const float *centers, const float *factors, const float *shifts,
    const cvm_channels *shape);

// result = gradient * gradient_factor + (x - center) * value_factor + shift, by channel.
void cvm_combine_channels(
    float *result, const float *gradient, const float *x, const float *centers, const float *gradient_factors,
    const float *value_factors, const float *shifts, const cvm_channels *shape);

// The sum of (x[i] - center)^2.
double cvm_squared_distance(const float *x, float center, size_t count);

// y[i] = (x[i] - mean) * inverse * weight[i] + bias[i]
void cvm_normalize(
    float *y, const float *x, float mean, float inverse, const float *weight, const float *bias, size_t count);

// Sums over an example's values, with n[i] = (x[i] - mean) * inverse and the output's gradient g.
typedef struct {
    // Of weight[i] * g[i], and of weight[i] * g[i] * n[i].
    double gradient, product;
    // Of (g[i] * n[i])^2, and of g[i]^2.
    double weight_norm, bias_norm;
} cvm_normalization_sums;

// weight_sum[i] += g[i] * n[i]; bias_sum[i] += g[i]
cvm_normalization_sums cvm_normalize_sums(
    float *weight_sum, float *bias_sum, const float *gradient, const float *x, float mean, float inverse,
    const float *weight, size_t count);

// result[i] = (weight[i] * g[i] - gradient_mean - n[i] * product_mean) * inverse
void cvm_normalize_backward(
    float *result, const float *gradient, const float *x, float mean, float inverse, const float *weight,
    float gradient_mean, float product_mean, size_t count);

// average[i] += weight * (values[i] - average[i])
void cvm_approach(float *average, const float *values, float weight, size_t count);

// Gradient descent with weight decay, from a gradient that is still a sum over examples:
// g = scale * gradient_sum[i]; weights[i] -= learning_rate * (g + weight_decay * weights[i]).
// Returns the sum of g^2.
double cvm_descend(
    float *weights, const float *gradient_sum, float scale, float learning_rate, float weight_decay,
    size_t count);

// The same with momentum: g = scale * gradient_sum[i] + weight_decay * weights[i]; velocity[i] = beta * velocity[i] + g;
// weights[i] -= learning_rate * velocity[i], or Nesterov's: learning_rate * (g + beta * velocity[i]).
// Returns the sum of the squares of scale * gradient_sum[i].
double cvm_descend_with_momentum(
    float *weights, float *velocity, const float *gradient_sum, float scale, float learning_rate,
    float weight_decay, float beta, int nesterov, size_t count);

// What is left of it where a product has put beta * velocity[i] + g without the weight decay into the velocity already.
void cvm_follow_velocity(float *weights, float *velocity, float learning_rate, float weight_decay, size_t count);

// The constants of a step of Adam.
typedef struct {
    float first_decay, second_decay, epsilon;
    // The learning rate divided by 1 - first_decay^t, and 1 / (1 - second_decay^t).
    float rate, second_correction;
    // The weight decay that is added to the gradient, and what the weights are multiplied by: one of the two does nothing.
    float added_decay, kept;
} cvm_adam;

// A step of Adam. Returns the sum of the squares of scale * gradient_sum[i].
double cvm_descend_by_adam(
    float *weights, float *first_moment, float *second_moment, const float *gradient_sum, float scale,
    const cvm_adam *constants, size_t count);

#endif
