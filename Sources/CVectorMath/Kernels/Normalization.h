// Sums over the pixels of each channel, and changes of each channel's values, for blocks of 8 or 16 channels and for channels one after
// the other.

// Calls a function whose last argument is the number of lanes, a constant to the compiler.
#define FOR_CHANNEL_LANES(s, function, ...)           \
    do {                                              \
        if ((s)->lanes == 16)                         \
            function(__VA_ARGS__, s, 16);             \
        else if ((s)->lanes == 8)                     \
            function(__VA_ARGS__, s, 8);              \
        else                                          \
            function(__VA_ARGS__, s, 1);              \
    } while (0)

// Pixels are summed a stripe at a time, so many floats that no vector's sum waits for the one before: whole pixels for each number of
// lanes.
#define STRIPE 64
// So many floats are summed before the sums move to doubles.
#define STRIPES_LENGTH (32 * STRIPE)

// Adds the sums of a stripe's places to those of the lanes that they belong to.
ALWAYS_INLINE void add_stripe(double *sums, const float *stripe, size_t lanes) {
    float folded[16] = {0};
    for (size_t i = 0; i < STRIPE; i++) folded[i % lanes] += stripe[i];
    for (size_t lane = 0; lane < lanes; lane++) sums[lane] += folded[lane];
}

ALWAYS_INLINE void sum_channels(double *sums, const float *x, const cvm_channels *s, size_t lanes) {
#pragma clang fp reassociate(on)
    size_t count = s->pixels * lanes;
    for (size_t plane = 0; plane < s->planes; plane++) {
        const float *values = x + plane * count;
        double *plane_sums = sums + plane * lanes;
        for (size_t lane = 0; lane < lanes; lane++) plane_sums[lane] = 0;
        for (size_t start = 0; start < count; start += STRIPES_LENGTH) {
            size_t end = count - start < STRIPES_LENGTH ? count : start + STRIPES_LENGTH, i = start;
            float stripe[STRIPE] = {0};
            for (; i + STRIPE <= end; i += STRIPE)
                for (size_t k = 0; k < STRIPE; k++) stripe[k] += values[i + k];
            for (size_t k = 0; i < end; i++, k++) stripe[k] += values[i];
            add_stripe(plane_sums, stripe, lanes);
        }
    }
}

ALWAYS_INLINE void sum_channel_squares(
    double *sums, const float *x, const float *centers, const cvm_channels *s, size_t lanes) {
#pragma clang fp reassociate(on)
    size_t count = s->pixels * lanes;
    for (size_t plane = 0; plane < s->planes; plane++) {
        const float *values = x + plane * count;
        double *plane_sums = sums + plane * lanes;
        float center[STRIPE];
        for (size_t k = 0; k < STRIPE; k++) center[k] = centers[plane * lanes + k % lanes];
        for (size_t lane = 0; lane < lanes; lane++) plane_sums[lane] = 0;
        for (size_t start = 0; start < count; start += STRIPES_LENGTH) {
            size_t end = count - start < STRIPES_LENGTH ? count : start + STRIPES_LENGTH, i = start;
            float stripe[STRIPE] = {0};
            for (; i + STRIPE <= end; i += STRIPE)
                for (size_t k = 0; k < STRIPE; k++) {
                    float distance = values[i + k] - center[k];
                    stripe[k] += distance * distance;
                }
            for (size_t k = 0; i < end; i++, k++) stripe[k] += (values[i] - center[k]) * (values[i] - center[k]);
            add_stripe(plane_sums, stripe, lanes);
        }
    }
}

ALWAYS_INLINE void sum_channel_products(
    double *sums, double *products, const float *gradient, const float *x, const float *centers, const cvm_channels *s,
    size_t lanes) {
#pragma clang fp reassociate(on)
    size_t count = s->pixels * lanes;
    for (size_t plane = 0; plane < s->planes; plane++) {
        const float *values = x + plane * count, *gradients = gradient + plane * count;
        double *plane_sums = sums + plane * lanes, *plane_products = products + plane * lanes;
        float center[STRIPE];
        for (size_t k = 0; k < STRIPE; k++) center[k] = centers[plane * lanes + k % lanes];
        for (size_t lane = 0; lane < lanes; lane++) plane_sums[lane] = plane_products[lane] = 0;
        for (size_t start = 0; start < count; start += STRIPES_LENGTH) {
            size_t end = count - start < STRIPES_LENGTH ? count : start + STRIPES_LENGTH, i = start;
            float sum[STRIPE] = {0}, product[STRIPE] = {0};
            for (; i + STRIPE <= end; i += STRIPE)
                for (size_t k = 0; k < STRIPE; k++) {
                    sum[k] += gradients[i + k];
                    product[k] += gradients[i + k] * (values[i + k] - center[k]);
                }
            for (size_t k = 0; i < end; i++, k++) {
                sum[k] += gradients[i];
                product[k] += gradients[i] * (values[i] - center[k]);
            }
            add_stripe(plane_sums, sum, lanes);
            add_stripe(plane_products, product, lanes);
        }
    }
}

ALWAYS_INLINE void scale_channels(
    float *restrict y, const float *restrict x, const float *centers, const float *factors, const float *shifts,
    const cvm_channels *s, size_t lanes) {
    for (size_t plane = 0; plane < s->planes; plane++) {
        size_t first = plane * s->pixels * lanes;
        const float *center = centers + plane * lanes, *factor = factors + plane * lanes, *shift = shifts + plane * lanes;
        for (size_t p = 0; p < s->pixels; p++)
            for (size_t lane = 0; lane < lanes; lane++) {
                size_t i = first + p * lanes + lane;
                y[i] = (x[i] - center[lane]) * factor[lane] + shift[lane];
            }
    }
}

ALWAYS_INLINE void combine_channels(
    float *restrict result, const float *restrict gradient, const float *restrict x, const float *centers,
    const float *gradient_factors, const float *value_factors, const float *shifts, const cvm_channels *s, size_t lanes) {
    for (size_t plane = 0; plane < s->planes; plane++) {
        size_t first = plane * s->pixels * lanes, c = plane * lanes;
        for (size_t p = 0; p < s->pixels; p++)
            for (size_t lane = 0; lane < lanes; lane++) {
                size_t i = first + p * lanes + lane;
                result[i] = gradient[i] * gradient_factors[c + lane] +
                            (x[i] - centers[c + lane]) * value_factors[c + lane] + shifts[c + lane];
            }
    }
}

static void vectorized_channel_sums(double *sums, const float *x, const cvm_channels *s) {
    FOR_CHANNEL_LANES(s, sum_channels, sums, x);
}

static void vectorized_channel_squares(double *sums, const float *x, const float *centers, const cvm_channels *s) {
    FOR_CHANNEL_LANES(s, sum_channel_squares, sums, x, centers);
}

static void vectorized_channel_products(
    double *sums, double *products, const float *gradient, const float *x, const float *centers, const cvm_channels *s) {
    FOR_CHANNEL_LANES(s, sum_channel_products, sums, products, gradient, x, centers);
}

static void vectorized_scale_channels(
    float *y, const float *x, const float *centers, const float *factors, const float *shifts, const cvm_channels *s) {
    FOR_CHANNEL_LANES(s, scale_channels, y, x, centers, factors, shifts);
}

static void vectorized_combine_channels(
    float *result, const float *gradient, const float *x, const float *centers, const float *gradient_factors,
    const float *value_factors, const float *shifts, const cvm_channels *s) {
    FOR_CHANNEL_LANES(
        s, combine_channels, result, gradient, x, centers, gradient_factors, value_factors, shifts);
}

// Layer normalisation: over all values of an example.

static double vectorized_squared_distance(const float *x, float center, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    for (size_t start = 0; start < count; start += block_length) {
        size_t end = block_end(start, count);
        float sum = 0;
        for (size_t i = start; i < end; i++) sum += (x[i] - center) * (x[i] - center);
        total += sum;
    }
    return total;
}

static void vectorized_normalize(
    float *restrict y, const float *restrict x, float mean, float inverse, const float *weight, const float *bias,
    size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
}

static cvm_normalization_sums vectorized_normalize_sums(
    float *restrict weight_sum, float *restrict bias_sum, const float *restrict gradient, const float *restrict x,
    float mean, float inverse, const float *restrict weight, size_t count) {
#pragma clang fp reassociate(on)
    cvm_normalization_sums total = {0, 0, 0, 0};
    for (size_t start = 0; start < count; start += block_length) {
        size_t end = block_end(start, count);
        float gradients = 0, products = 0, weight_squares = 0, bias_squares = 0;
        for (size_t i = start; i < end; i++) {
            float g = gradient[i], product = g * (x[i] - mean) * inverse;
            weight_sum[i] += product;
            bias_sum[i] += g;
            gradients += weight[i] * g;
            products += weight[i] * product;
            weight_squares += product * product;
            bias_squares += g * g;
        }
        total.gradient += gradients;
        total.product += products;
        total.weight_norm += weight_squares;
        total.bias_norm += bias_squares;
    }
    return total;
}

static void vectorized_normalize_backward(
    float *restrict result, const float *restrict gradient, const float *restrict x, float mean, float inverse,
    const float *restrict weight, float gradient_mean, float product_mean, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float normalized = (x[i] - mean) * inverse;
        result[i] = (weight[i] * gradient[i] - gradient_mean - normalized * product_mean) * inverse;
    }
}
