// Values of an image, padding of blocks included.
static inline size_t image_count(const cvm_pooling *s) {
    return s->planes * s->geometry.height * s->geometry.width * s->lanes;
}

// One window, as far as it lies inside the image.
typedef struct {
    // Its number among all planes' windows, and that of its first pixel among all planes' pixels.
    size_t window, pixel;
    // Pixels from one row of the image to the next, and the window's size.
    long row, kernel;
    // The first pixel's place in the whole window.
    long place;
} pooling_window;

// The part of a window from `first` on that lies inside an image's side.
static inline span within(long first, long size, long length) {
    span result = {first < 0 ? 0 : first, first + size < length ? first + size : length};
    return result;
}

static inline pooling_window window_at(
    const cvm_convolution *g, size_t window, size_t plane, long y, long x, span rows, span columns) {
    return (pooling_window){
        .window = window,
        .pixel = (plane * g->height + rows.begin) * g->width + columns.begin,
        .row = g->width,
        .kernel = g->kernel,
        .place = (rows.begin - y * g->stride + g->top) * g->kernel + columns.begin - x * g->stride + g->left,
    };
}

// Calls the function with the numbers of rows and columns of each window inside the image, and the arguments, in which `w` is the
// window. The usual sizes are constants to the compiler.
#define FOR_EACH_WINDOW(s, function, ...)                                                                    \
    do {                                                                                                     \
        const cvm_convolution *g = &(s)->geometry;                                                           \
        size_t window = 0;                                                                                   \
        for (size_t plane = 0; plane < (s)->planes; plane++)                                                 \
            for (long y = 0; y < g->output_height; y++) {                                                    \
                span rows = within(y * g->stride - g->top, g->kernel, g->height);                            \
                for (long x = 0; x < g->output_width; x++, window++) {                                       \
                    span columns = within(x * g->stride - g->left, g->kernel, g->width);                     \
                    pooling_window w = window_at(g, window, plane, y, x, rows, columns);                     \
                    long height = rows.end - rows.begin, width = columns.end - columns.begin;                \
                    if (height == 2 && width == 2)                                                           \
                        function(2, 2, __VA_ARGS__);                                                         \
                    else if (height == 3 && width == 3)                                                      \
                        function(3, 3, __VA_ARGS__);                                                         \
                    else                                                                                     \
                        function(height, width, __VA_ARGS__);                                                \
                }                                                                                            \
            }                                                                                                \
    } while (0)

#define LANES 8
#include "PoolingVectors.h"
#undef LANES
#define LANES 16
#include "PoolingVectors.h"
#undef LANES

// Layouts other than blocks, a channel at a time: `lanes` floats lie between its pixels.

ALWAYS_INLINE void max_window_strided(
    long rows, long columns, const float *image, const pooling_window *w, float *output, uint16_t *places, size_t lanes) {
    const float *pixels = image + w->pixel * lanes;
    float best = pixels[0];
    long place = w->place;
    for (long r = 0; r < rows; r++)
        for (long c = r == 0; c < columns; c++) {
            float x = pixels[(r * w->row + c) * lanes];
            if (x > best || x != x) {
                best = x;
                place = w->place + r * w->kernel + c;
            }
        }
    output[w->window * lanes] = best;
    places[w->window * lanes] = (uint16_t)place;
}

ALWAYS_INLINE void max_window_backward_strided(
    long rows, long columns, float *image, const pooling_window *w, const float *output_gradient, const uint16_t *places,
    size_t lanes) {
    (void)rows, (void)columns;
    long place = places[w->window * lanes];
    long r = place / w->kernel - w->place / w->kernel, c = place % w->kernel - w->place % w->kernel;
    image[(w->pixel + r * w->row + c) * lanes] += output_gradient[w->window * lanes];
}

ALWAYS_INLINE void average_window_strided(
    long rows, long columns, const float *image, const pooling_window *w, float *output, size_t lanes) {
    float sum = 0;
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < columns; c++) sum += image[(w->pixel + r * w->row + c) * lanes];
    output[w->window * lanes] = sum * (1.0f / (rows * columns));
}

ALWAYS_INLINE void average_window_backward_strided(
    long rows, long columns, float *image, const pooling_window *w, const float *output_gradient, size_t lanes) {
    float part = output_gradient[w->window * lanes] * (1.0f / (rows * columns));
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < columns; c++) image[(w->pixel + r * w->row + c) * lanes] += part;
}

static void max_pool_strided(float *output, uint16_t *places, const float *input, const cvm_pooling *s) {
    for (size_t lane = 0; lane < s->lanes; lane++)
        FOR_EACH_WINDOW(s, max_window_strided, input + lane, &w, output + lane, places + lane, s->lanes);
}

static void max_pool_backward_strided(
    float *input_gradient, const uint16_t *places, const float *output_gradient, const cvm_pooling *s) {
    memset(input_gradient, 0, image_count(s) * sizeof(float));
    for (size_t lane = 0; lane < s->lanes; lane++)
        FOR_EACH_WINDOW(
            s, max_window_backward_strided, input_gradient + lane, &w, output_gradient + lane, places + lane, s->lanes);
}

static void average_pool_strided(float *output, const float *input, const cvm_pooling *s) {
    for (size_t lane = 0; lane < s->lanes; lane++)
        FOR_EACH_WINDOW(s, average_window_strided, input + lane, &w, output + lane, s->lanes);
}

static void average_pool_backward_strided(
    float *input_gradient, const float *output_gradient, const cvm_pooling *s) {
    memset(input_gradient, 0, image_count(s) * sizeof(float));
    for (size_t lane = 0; lane < s->lanes; lane++)
        FOR_EACH_WINDOW(
            s, average_window_backward_strided, input_gradient + lane, &w, output_gradient + lane, s->lanes);
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
