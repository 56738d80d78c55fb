#include "Internal.h"

#include <string.h>

// One vector of channels. On instruction sets with shorter registers the compiler takes several.
typedef float lanes __attribute__((vector_size(cvm_lanes * sizeof(float))));

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("clang loop unroll(full)")

static inline size_t padded_height(const cvm_convolution *s) { return (s->output_height - 1) * s->stride + s->kernel; }
static inline size_t padded_width(const cvm_convolution *s) { return (s->output_width - 1) * s->stride + s->kernel; }
// Floats of one block of channels in a padded image.
static inline size_t plane_count(const cvm_convolution *s) { return padded_height(s) * padded_width(s) * cvm_lanes; }
static inline size_t position_count(const cvm_convolution *s) { return s->output_height * s->output_width; }

// The values that are not zero, listed twice: for each unit, and for each position.
typedef struct {
    int *unit_counts;
    // For each unit room for all positions: where the window begins in a padded plane, and the value.
    int *offsets;
    float *unit_values;
    // For each position the start of its entries: units and values.
    int *position_starts;
    int *units;
    float *position_values;
} nonzero_lists;

static inline size_t rounded(size_t count) { return (count + cvm_lanes - 1) / cvm_lanes * cvm_lanes; }

size_t cvm_nonzeros_size(const cvm_sparse_convolution *s) {
    size_t all = s->units * position_count(&s->geometry);
    return (rounded(s->units) + 4 * rounded(all) + rounded(position_count(&s->geometry) + 1)) * sizeof(float);
}

static inline nonzero_lists lists_in(const void *memory, size_t example, const cvm_sparse_convolution *s) {
    size_t all = rounded(s->units * position_count(&s->geometry));
    int *start = (int *)((char *)memory + example * cvm_nonzeros_size(s));
    nonzero_lists l;
    l.unit_counts = start;
    l.offsets = l.unit_counts + rounded(s->units);
    l.unit_values = (float *)(l.offsets + all);
    l.units = (int *)(l.unit_values + all);
    l.position_values = (float *)(l.units + all);
    l.position_starts = (int *)(l.position_values + all);
    return l;
}

CVM_VECTORIZED void cvm_list_nonzeros(
    void *memory, size_t example, const float *gradient, const cvm_sparse_convolution *s) {
    const cvm_convolution *g = &s->geometry;
    nonzero_lists l = lists_in(memory, example, s);
    size_t positions = position_count(g), row = padded_width(g) * cvm_lanes;
    memset(l.unit_counts, 0, s->units * sizeof(int));
    int found = 0;
    for (size_t position = 0; position < positions; position++) {
        size_t y = position / g->output_width, x = position % g->output_width;
        int offset = (int)(y * g->stride * row + x * g->stride * cvm_lanes);
        l.position_starts[position] = found;
        for (size_t block = 0; block < s->units / cvm_lanes; block++) {
            const float *values = gradient + (block * positions + position) * cvm_lanes;
            unsigned mask = 0;
            for (int lane = 0; lane < cvm_lanes; lane++) mask |= (unsigned)(values[lane] != 0) << lane;
            for (; mask; mask &= mask - 1) {
                int lane = __builtin_ctz(mask);
                size_t unit = block * cvm_lanes + lane;
                size_t entry = unit * positions + l.unit_counts[unit]++;
                l.offsets[entry] = offset;
                l.unit_values[entry] = values[lane];
                l.units[found] = (int)unit;
                l.position_values[found++] = values[lane];
            }
        }
    }
    l.position_starts[positions] = found;
}

size_t cvm_padded_count(const cvm_sparse_convolution *s) {
    return s->channels / cvm_lanes * plane_count(&s->geometry);
}

// Calls `copy` with each row of the image, and its place in the padded image, that some window covers.
#define FOR_EACH_COVERED_ROW(image, padded, s, copy)                                                         \
    do {                                                                                                     \
        const cvm_convolution *g = &(s)->geometry;                                                           \
        size_t width = padded_width(g) - g->left, height = padded_height(g) - g->top;                        \
        size_t columns = width < (size_t)g->width ? width : (size_t)g->width;                                \
        size_t rows = height < (size_t)g->height ? height : (size_t)g->height;                               \
        for (size_t block = 0; block < (s)->channels / cvm_lanes; block++)                                   \
            for (size_t y = 0; y < rows; y++) {                                                              \
                float *outside = (image) + (block * g->height + y) * g->width * cvm_lanes;                   \
                float *inside = (padded) + block * plane_count(g)                                            \
                    + ((y + g->top) * padded_width(g) + g->left) * cvm_lanes;                                \
                size_t size = columns * cvm_lanes * sizeof(float);                                           \
                copy;                                                                                        \
            }                                                                                                \
    } while (0)

void cvm_pad_image(float *padded, const float *image, const cvm_sparse_convolution *s) {
    FOR_EACH_COVERED_ROW((float *)image, padded, s, memcpy(inside, outside, size));
}

void cvm_unpad_image(float *image, const float *padded, const cvm_sparse_convolution *s) {
    memset(image, 0, s->channels * s->geometry.height * s->geometry.width * sizeof(float));
    FOR_EACH_COVERED_ROW(image, (float *)padded, s, memcpy(outside, inside, size));
}

// The gradient of one unit's weights for one block of channels stays in registers while all positions pass.
ALWAYS_INLINE void weight_gradient(
    const int k, float *sum, double *squared_norms, const float *padded, const void *nonzeros, size_t examples,
    const cvm_sparse_convolution *s) {
    const cvm_convolution *g = &s->geometry;
    size_t positions = position_count(g), row = padded_width(g) * cvm_lanes;
    size_t blocks = s->channels / cvm_lanes;
    for (size_t block = 0; block < blocks; block++)
        for (size_t example = 0; example < examples; example++) {
            nonzero_lists l = lists_in(nonzeros, example, s);
            const float *plane = padded + example * cvm_padded_count(s) + block * plane_count(g);
            double norm = 0;
            for (size_t unit = 0; unit < s->units; unit++) {
                lanes gradient[cvm_largest_sparse_kernel * cvm_largest_sparse_kernel];
                UNROLLED for (int i = 0; i < k * k; i++) gradient[i] = (lanes){0};
                const int *offsets = l.offsets + unit * positions;
                const float *values = l.unit_values + unit * positions;
                for (int n = 0; n < l.unit_counts[unit]; n++) {
                    const float *window = plane + offsets[n];
                    float value = values[n];
                    UNROLLED for (int r = 0; r < k; r++) {
                        UNROLLED for (int c = 0; c < k; c++)
                            gradient[r * k + c] += value * ((const lanes *)(window + r * row))[c];
                    }
                }
                lanes *to = (lanes *)(sum + (unit * blocks + block) * k * k * cvm_lanes);
                lanes squares = {0};
                UNROLLED for (int i = 0; i < k * k; i++) {
                    to[i] += gradient[i];
                    squares += gradient[i] * gradient[i];
                }
                float total = 0;
                for (int lane = 0; lane < cvm_lanes; lane++) total += squares[lane];
                norm += total;
            }
            squared_norms[example] += norm;
        }
}

CVM_VECTORIZED void cvm_sparse_weight_gradient(
    float *sum, double *squared_norms, const float *padded, const void *nonzeros, size_t examples,
    const cvm_sparse_convolution *s) {
    switch (s->geometry.kernel) {
    case 1: weight_gradient(1, sum, squared_norms, padded, nonzeros, examples, s); break;
    case 2: weight_gradient(2, sum, squared_norms, padded, nonzeros, examples, s); break;
    case 3: weight_gradient(3, sum, squared_norms, padded, nonzeros, examples, s); break;
    case 4: weight_gradient(4, sum, squared_norms, padded, nonzeros, examples, s); break;
    case 5: weight_gradient(5, sum, squared_norms, padded, nonzeros, examples, s); break;
    }
}

double cvm_sparse_bias_gradient(
    float *sum, const void *nonzeros, size_t example, const cvm_sparse_convolution *s) {
    nonzero_lists l = lists_in(nonzeros, example, s);
    double squared_norm = 0;
    for (size_t unit = 0; unit < s->units; unit++) {
        const float *values = l.unit_values + unit * position_count(&s->geometry);
        float gradient = 0;
        for (int n = 0; n < l.unit_counts[unit]; n++) gradient += values[n];
        sum[unit] += gradient;
        squared_norm += (double)gradient * gradient;
    }
    return squared_norm;
}

void cvm_pack_kernel_rows(float *packed, const float *weights, const cvm_sparse_convolution *s) {
    size_t k = s->geometry.kernel, blocks = s->channels / cvm_lanes, row = k * cvm_lanes;
    for (size_t block = 0; block < blocks; block++)
        for (size_t r = 0; r < k; r++)
            for (size_t unit = 0; unit < s->units; unit++, packed += row)
                memcpy(packed, weights + ((unit * blocks + block) * k + r) * row, row * sizeof(float));
}

// One row of all units' kernels fits the first-level cache; the row of the input gradient under a position stays in
// registers while that position's units pass.
ALWAYS_INLINE void input_gradient(
    const int k, float *padded, const void *nonzeros, size_t example, const float *packed,
    const cvm_sparse_convolution *s) {
    const cvm_convolution *g = &s->geometry;
    nonzero_lists l = lists_in(nonzeros, example, s);
    size_t positions = position_count(g), row = padded_width(g) * cvm_lanes;
    memset(padded, 0, cvm_padded_count(s) * sizeof(float));
    for (size_t block = 0; block < s->channels / cvm_lanes; block++)
        for (int r = 0; r < k; r++) {
            const lanes *weights = (const lanes *)(packed + (block * k + r) * s->units * k * cvm_lanes);
            for (size_t position = 0; position < positions; position++) {
                int start = l.position_starts[position], end = l.position_starts[position + 1];
                if (start == end) continue;
                size_t y = position / g->output_width, x = position % g->output_width;
                lanes *to = (lanes *)(padded + block * plane_count(g) + (y * g->stride + r) * row
                                      + x * g->stride * cvm_lanes);
                lanes gradient[cvm_largest_sparse_kernel];
                UNROLLED for (int c = 0; c < k; c++) gradient[c] = to[c];
                for (int n = start; n < end; n++) {
                    float value = l.position_values[n];
                    const lanes *kernel_row = weights + l.units[n] * k;
                    UNROLLED for (int c = 0; c < k; c++) gradient[c] += value * kernel_row[c];
                }
                UNROLLED for (int c = 0; c < k; c++) to[c] = gradient[c];
            }
        }
}

CVM_VECTORIZED void cvm_sparse_input_gradient(
    float *padded, const void *nonzeros, size_t example, const float *packed, const cvm_sparse_convolution *s) {
    switch (s->geometry.kernel) {
    case 1: input_gradient(1, padded, nonzeros, example, packed, s); break;
    case 2: input_gradient(2, padded, nonzeros, example, packed, s); break;
    case 3: input_gradient(3, padded, nonzeros, example, packed, s); break;
    case 4: input_gradient(4, padded, nonzeros, example, packed, s); break;
    case 5: input_gradient(5, padded, nonzeros, example, packed, s); break;
    }
}
