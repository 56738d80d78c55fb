// Images with zeros around them, so that every window lies inside.

static inline size_t padded_height(const cvm_convolution *s) { return (s->output_height - 1) * s->stride + s->kernel; }
static inline size_t padded_width(const cvm_convolution *s) { return (s->output_width - 1) * s->stride + s->kernel; }
static inline size_t position_count(const cvm_convolution *s) { return s->output_height * s->output_width; }
static inline size_t rounded(size_t count, size_t unit) { return (count + unit - 1) / unit * unit; }

// Floats of one row of a padded plane.
static inline size_t row_count(const cvm_padded_convolution *s) { return padded_width(&s->geometry) * s->pixel; }

// Floats of one padded plane. The last window's last vector may reach beyond its pixels.
static inline size_t plane_count(const cvm_padded_convolution *s) {
    size_t beyond = s->pixel == s->lanes ? 0 : s->lanes;
    return rounded(padded_height(&s->geometry) * row_count(s) + beyond, 16);
}

static size_t vectorized_padded_count(const cvm_padded_convolution *s) { return s->planes * plane_count(s); }

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
static void interleave_image(float *padded, const float *image, const cvm_padded_convolution *s) {
    const cvm_convolution *g = &s->geometry;
    size_t columns = covered(padded_width(g), g->left, g->width), rows = covered(padded_height(g), g->top, g->height);
    for (size_t channel = 0; channel < s->pixel; channel++)
        for (size_t y = 0; y < rows; y++) {
            const float *from = image + (channel * g->height + y) * g->width;
            float *to = padded + (y + g->top) * row_count(s) + g->left * s->pixel + channel;
            for (size_t x = 0; x < columns; x++) to[x * s->pixel] = from[x];
        }
}

static void vectorized_pad_image(float *padded, const float *image, const cvm_padded_convolution *s) {
    if (s->pixel == s->lanes)
        FOR_EACH_COVERED_ROW((float *)image, padded, s, memcpy(inside, outside, size));
    else
        interleave_image(padded, image, s);
}

static void vectorized_unpad_image(float *image, const float *padded, const cvm_padded_convolution *s) {
    memset(image, 0, s->planes * s->lanes * s->geometry.height * s->geometry.width * sizeof(float));
    FOR_EACH_COVERED_ROW(image, (float *)padded, s, memcpy(outside, inside, size));
}
