// Pooling of images in blocks of LANES channels: included once for each length.

#define NAME(name) JOIN(JOIN(name, _), LANES)
#define VECTOR NAME(pooled)
#define INTEGERS NAME(integers)
#define PLACES NAME(places)

typedef float VECTOR __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));
typedef int INTEGERS __attribute__((vector_size(LANES * sizeof(int)), aligned(sizeof(int))));
typedef uint16_t PLACES __attribute__((vector_size(LANES * sizeof(uint16_t)), aligned(sizeof(uint16_t))));

ALWAYS_INLINE void NAME(max_window)(
    const long rows, const long columns, const float *image, const pooling_window *w, float *output, uint16_t *places) {
    const VECTOR *pixels = (const VECTOR *)(image + w->pixel * LANES);
    VECTOR best = pixels[0];
    INTEGERS place = (INTEGERS){0} + (int)w->place;
    for (long r = 0; r < rows; r++)
        for (long c = r == 0; c < columns; c++) {
            VECTOR x = pixels[r * w->row + c];
            // What is not a number is larger than all that is: it must not get lost.
            INTEGERS larger = (x > best) | (x != x);
            best = (VECTOR)((larger & (INTEGERS)x) | (~larger & (INTEGERS)best));
            place = (larger & (int)(w->place + r * w->kernel + c)) | (~larger & place);
        }
    ((VECTOR *)output)[w->window] = best;
    ((PLACES *)places)[w->window] = __builtin_convertvector(place, PLACES);
}

ALWAYS_INLINE void NAME(max_window_backward)(
    const long rows, const long columns, float *image, const pooling_window *w, const float *output_gradient,
    const uint16_t *places) {
    VECTOR *pixels = (VECTOR *)(image + w->pixel * LANES);
    INTEGERS place = __builtin_convertvector(((const PLACES *)places)[w->window], INTEGERS);
    INTEGERS gradient = ((const INTEGERS *)output_gradient)[w->window];
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < columns; c++)
            pixels[r * w->row + c] += (VECTOR)(gradient & (place == (int)(w->place + r * w->kernel + c)));
}

ALWAYS_INLINE void NAME(average_window)(
    const long rows, const long columns, const float *image, const pooling_window *w, float *output) {
    const VECTOR *pixels = (const VECTOR *)(image + w->pixel * LANES);
    VECTOR sum = {0};
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < columns; c++) sum += pixels[r * w->row + c];
    ((VECTOR *)output)[w->window] = sum * (1.0f / (rows * columns));
}

ALWAYS_INLINE void NAME(average_window_backward)(
    const long rows, const long columns, float *image, const pooling_window *w, const float *output_gradient) {
    VECTOR *pixels = (VECTOR *)(image + w->pixel * LANES);
    VECTOR part = ((const VECTOR *)output_gradient)[w->window] * (1.0f / (rows * columns));
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < columns; c++) pixels[r * w->row + c] += part;
}

static void NAME(max_pool)(float *output, uint16_t *places, const float *input, const cvm_pooling *s) {
    FOR_EACH_WINDOW(s, NAME(max_window), input, &w, output, places);
}

static void NAME(max_pool_backward)(
    float *input_gradient, const uint16_t *places, const float *output_gradient, const cvm_pooling *s) {
    memset(input_gradient, 0, image_count(s) * sizeof(float));
    FOR_EACH_WINDOW(s, NAME(max_window_backward), input_gradient, &w, output_gradient, places);
}

static void NAME(average_pool)(float *output, const float *input, const cvm_pooling *s) {
    FOR_EACH_WINDOW(s, NAME(average_window), input, &w, output);
}

static void NAME(average_pool_backward)(float *input_gradient, const float *output_gradient, const cvm_pooling *s) {
    memset(input_gradient, 0, image_count(s) * sizeof(float));
    FOR_EACH_WINDOW(s, NAME(average_window_backward), input_gradient, &w, output_gradient);
}

#undef PLACES
#undef INTEGERS
#undef VECTOR
#undef NAME
