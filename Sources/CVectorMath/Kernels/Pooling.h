// Values of an image, padding of blocks included.
static inline size_t image_count(const cvm_pooling *s) {
    return s->planes * s->geometry.height * s->geometry.width * s->lanes;
}

// Runs the statements for each window of each plane, with its number `window`, the rows and columns of it inside the image, and
// `covered`, the number of its pixels there.
#define FOR_EACH_WINDOW(s, ...)                                                                              \
    const cvm_convolution *g = &(s)->geometry;                                                               \
    size_t window = 0;                                                                                       \
    for (size_t plane = 0; plane < (s)->planes; plane++)                                                     \
        for (long y = 0; y < g->output_height; y++) {                                                        \
            span rows = within(y * g->stride - g->top, g->kernel, g->height);                                \
            for (long x = 0; x < g->output_width; x++, window++) {                                           \
                span columns = within(x * g->stride - g->left, g->kernel, g->width);                         \
                long covered = (rows.end - rows.begin) * (columns.end - columns.begin);                      \
                (void)covered;                                                                               \
                __VA_ARGS__                                                                                  \
            }                                                                                                \
        }

// Within the above: runs the statements for each pixel of the window, with its number `pixel` among all planes' and its place
// `number` in the window.
#define FOR_EACH_PIXEL(s, ...)                                                                               \
    for (long r = rows.begin; r < rows.end; r++)                                                             \
        for (long c = columns.begin; c < columns.end; c++) {                                                 \
            size_t pixel = (plane * g->height + r) * g->width + c;                                           \
            long number = (r - y * g->stride + g->top) * g->kernel + c - x * g->stride + g->left;            \
            (void)number;                                                                                    \
            __VA_ARGS__                                                                                      \
        }

// The part of a window from `first` on that lies inside an image's side.
static inline span within(long first, long size, long length) {
    span result = {first < 0 ? 0 : first, first + size < length ? first + size : length};
    return result;
}

#define LANES 8
#include "PoolingVectors.h"
#undef LANES
#define LANES 16
#include "PoolingVectors.h"
#undef LANES

// Layouts other than blocks, a channel at a time: `lanes` floats lie between its pixels.

static void max_pool_strided(float *output, uint16_t *places, const float *input, const cvm_pooling *s) {
    for (size_t lane = 0; lane < s->lanes; lane++) {
        FOR_EACH_WINDOW(s, {
            float best = 0;
            long place = -1;
            FOR_EACH_PIXEL(s, {
                float value = input[pixel * s->lanes + lane];
                if (place < 0 || value > best || value != value) {
                    best = value;
                    place = number;
                }
            })
            output[window * s->lanes + lane] = best;
            places[window * s->lanes + lane] = (uint16_t)place;
        })
    }
}

static void max_pool_backward_strided(
    float *input_gradient, const uint16_t *places, const float *output_gradient, const cvm_pooling *s) {
    memset(input_gradient, 0, image_count(s) * sizeof(float));
    for (size_t lane = 0; lane < s->lanes; lane++) {
        FOR_EACH_WINDOW(s, {
            long place = places[window * s->lanes + lane];
            long r = y * g->stride - g->top + place / g->kernel;
            long c = x * g->stride - g->left + place % g->kernel;
            size_t pixel = (plane * g->height + r) * g->width + c;
            input_gradient[pixel * s->lanes + lane] += output_gradient[window * s->lanes + lane];
            (void)columns;
        })
    }
}

static void average_pool_strided(float *output, const float *input, const cvm_pooling *s) {
    for (size_t lane = 0; lane < s->lanes; lane++) {
        FOR_EACH_WINDOW(s, {
            float sum = 0;
            FOR_EACH_PIXEL(s, { sum += input[pixel * s->lanes + lane]; })
            output[window * s->lanes + lane] = sum * (1.0f / covered);
        })
    }
}

static void average_pool_backward_strided(
    float *input_gradient, const float *output_gradient, const cvm_pooling *s) {
    memset(input_gradient, 0, image_count(s) * sizeof(float));
    for (size_t lane = 0; lane < s->lanes; lane++) {
        FOR_EACH_WINDOW(s, {
            float part = output_gradient[window * s->lanes + lane] * (1.0f / covered);
            FOR_EACH_PIXEL(s, { input_gradient[pixel * s->lanes + lane] += part; })
        })
    }
}

#define FOR_LANES(s, name) ((s)->lanes == 8 ? name##_8 : (s)->lanes == 16 ? name##_16 : name##_strided)

static void vectorized_max_pool(float *output, uint16_t *places, const float *input, const cvm_pooling *s) {
    FOR_LANES(s, max_pool)(output, places, input, s);
}

static void vectorized_max_pool_backward(
    float *input_gradient, const uint16_t *places, const float *output_gradient, const cvm_pooling *s) {
    FOR_LANES(s, max_pool_backward)(input_gradient, places, output_gradient, s);
}

static void vectorized_average_pool(float *output, const float *input, const cvm_pooling *s) {
    FOR_LANES(s, average_pool)(output, input, s);
}

static void vectorized_average_pool_backward(
    float *input_gradient, const float *output_gradient, const cvm_pooling *s) {
    FOR_LANES(s, average_pool_backward)(input_gradient, output_gradient, s);
}
