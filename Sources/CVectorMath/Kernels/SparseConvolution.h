// Gradients of a convolution from the values of its output gradient that are not zero: what does not depend on the length of a vector.

static inline size_t padded_height(const cvm_convolution *s) { return (s->output_height - 1) * s->stride + s->kernel; }
static inline size_t padded_width(const cvm_convolution *s) { return (s->output_width - 1) * s->stride + s->kernel; }
static inline size_t position_count(const cvm_convolution *s) { return s->output_height * s->output_width; }
static inline size_t rounded(size_t count, size_t unit) { return (count + unit - 1) / unit * unit; }

// Floats of one row of a padded plane.
static inline size_t row_count(const cvm_sparse_convolution *s) { return padded_width(&s->geometry) * s->pixel; }

// Floats of one padded plane. The last window's last vector may reach beyond its pixels.
static inline size_t plane_count(const cvm_sparse_convolution *s) {
    size_t beyond = s->pixel == s->lanes ? 0 : s->lanes;
    return rounded(padded_height(&s->geometry) * row_count(s) + beyond, 16);
}

static size_t vectorized_row_vectors(const cvm_sparse_convolution *s) {
    return (s->geometry.kernel * s->pixel + s->lanes - 1) / s->lanes;
}

static size_t vectorized_padded_count(const cvm_sparse_convolution *s) { return s->planes * plane_count(s); }

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

// From one unit's list to the next: an odd number of cache lines, so that the lists' ends do not compete for one place in the cache.
static inline size_t list_stride(const cvm_sparse_convolution *s) {
    return (rounded(position_count(&s->geometry), 16) / 16 | 1) * 16;
}

static size_t vectorized_nonzeros_size(const cvm_sparse_convolution *s) {
    size_t all = s->units * list_stride(s);
    return (rounded(s->units, 16) + 4 * all + rounded(position_count(&s->geometry) + 1, 16)) * sizeof(float);
}

static inline nonzero_lists lists_in(const void *memory, size_t example, const cvm_sparse_convolution *s) {
    size_t all = s->units * list_stride(s);
    int *start = (int *)((char *)memory + example * vectorized_nonzeros_size(s));
    nonzero_lists l;
    l.unit_counts = start;
    l.offsets = l.unit_counts + rounded(s->units, 16);
    l.unit_values = (float *)(l.offsets + all);
    l.units = (int *)(l.unit_values + all);
    l.position_values = (float *)(l.units + all);
    l.position_starts = (int *)(l.position_values + all);
    return l;
}

// Whether the lists by position are needed: by the input gradient, which images in blocks of channels alone have.
static inline bool lists_by_position(const cvm_sparse_convolution *s) { return s->pixel == s->lanes; }

// Where the window of a position begins in a padded plane.
static inline int window_offset(size_t position, const cvm_sparse_convolution *s) {
    const cvm_convolution *g = &s->geometry;
    size_t y = position / g->output_width, x = position % g->output_width;
    return (int)(y * g->stride * row_count(s) + x * g->stride * s->pixel);
}

static double vectorized_sparse_bias_gradient(
    float *sum, const void *nonzeros, size_t example, const cvm_sparse_convolution *s) {
    nonzero_lists l = lists_in(nonzeros, example, s);
    double squared_norm = 0;
    for (size_t unit = 0; unit < s->units; unit++) {
        const float *values = l.unit_values + unit * list_stride(s);
        float gradient = 0;
        for (int n = 0; n < l.unit_counts[unit]; n++) gradient += values[n];
        sum[unit] += gradient;
        squared_norm += (double)gradient * gradient;
    }
    return squared_norm;
}

// The rows and columns of an image that some window covers.
static inline size_t covered(size_t padded, size_t before, size_t length) {
    return padded - before < length ? padded - before : length;
}

// Calls `copy` with each row of the image in blocks of channels, and its place in the padded image, that some window covers.
#define FOR_EACH_COVERED_ROW(image, padded, s, copy)                                                         \
    do {                                                                                                     \
        const cvm_convolution *g = &(s)->geometry;                                                           \
        size_t columns = covered(padded_width(g), g->left, g->width);                                        \
        size_t rows = covered(padded_height(g), g->top, g->height);                                          \
        for (size_t plane = 0; plane < (s)->planes; plane++)                                                 \
            for (size_t y = 0; y < rows; y++) {                                                              \
                float *outside = (image) + (plane * g->height + y) * g->width * (s)->lanes;                  \
                float *inside = (padded) + plane * plane_count(s) + (y + g->top) * row_count(s)              \
                    + g->left * (s)->lanes;                                                                  \
                size_t size = columns * (s)->lanes * sizeof(float);                                          \
                copy;                                                                                        \
            }                                                                                                \
    } while (0)

// From channels first to channels side by side.
static void interleave_image(float *padded, const float *image, const cvm_sparse_convolution *s) {
    const cvm_convolution *g = &s->geometry;
    size_t columns = covered(padded_width(g), g->left, g->width), rows = covered(padded_height(g), g->top, g->height);
    for (size_t channel = 0; channel < s->pixel; channel++)
        for (size_t y = 0; y < rows; y++) {
            const float *from = image + (channel * g->height + y) * g->width;
            float *to = padded + (y + g->top) * row_count(s) + g->left * s->pixel + channel;
            for (size_t x = 0; x < columns; x++) to[x * s->pixel] = from[x];
        }
}

static void vectorized_pad_image(float *padded, const float *image, const cvm_sparse_convolution *s) {
    if (s->pixel == s->lanes)
        FOR_EACH_COVERED_ROW((float *)image, padded, s, memcpy(inside, outside, size));
    else
        interleave_image(padded, image, s);
}

static void vectorized_unpad_image(float *image, const float *padded, const cvm_sparse_convolution *s) {
    memset(image, 0, s->planes * s->lanes * s->geometry.height * s->geometry.width * sizeof(float));
    FOR_EACH_COVERED_ROW(image, (float *)padded, s, memcpy(outside, inside, size));
}

static void vectorized_pack_kernel_rows(float *packed, const float *weights, const cvm_sparse_convolution *s) {
    size_t k = s->geometry.kernel, row = vectorized_row_vectors(s) * s->lanes;
    for (size_t plane = 0; plane < s->planes; plane++)
        for (size_t r = 0; r < k; r++)
            for (size_t unit = 0; unit < s->units; unit++, packed += row)
                memcpy(packed, weights + ((unit * s->planes + plane) * k + r) * row, row * sizeof(float));
}

#define LANES 8
#include "SparseVectors.h"
#undef LANES
#define LANES 16
#include "SparseVectors.h"
#undef LANES

// From an output gradient with channels first; by unit alone.
static void list_plain_nonzeros(
    void *memory, size_t example, const float *gradient, const cvm_sparse_convolution *s) {
    size_t positions = position_count(&s->geometry), stride = list_stride(s);
    nonzero_lists l = lists_in(memory, example, s);
    for (size_t unit = 0; unit < s->units; unit++) {
        const float *values = gradient + unit * positions;
        int found = 0;
        for (size_t position = 0; position < positions; position++) {
            if (values[position] == 0) continue;
            l.offsets[unit * stride + found] = window_offset(position, s);
            l.unit_values[unit * stride + found++] = values[position];
        }
        l.unit_counts[unit] = found;
    }
}

static void vectorized_list_nonzeros(
    void *nonzeros, size_t example, const float *gradient, const cvm_sparse_convolution *s) {
    switch (s->unit_block) {
    case 1: list_plain_nonzeros(nonzeros, example, gradient, s); break;
    case 8: list_nonzeros_8(nonzeros, example, gradient, s); break;
    case 16: list_nonzeros_16(nonzeros, example, gradient, s); break;
    }
}

static void vectorized_sparse_weight_gradient(
    float *sum, double *squared_norms, const float *padded, const void *nonzeros, size_t examples,
    const cvm_sparse_convolution *s) {
    (s->lanes == 8 ? weight_gradient_8 : weight_gradient_16)(sum, squared_norms, padded, nonzeros, examples, s);
}

static void vectorized_sparse_input_gradient(
    float *padded, const void *nonzeros, size_t examples, const float *packed, const cvm_sparse_convolution *s) {
    (s->lanes == 8 ? input_gradient_8 : input_gradient_16)(padded, nonzeros, examples, packed, s);
}
