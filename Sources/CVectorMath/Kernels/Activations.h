// exp(x) for |x| <= 87 to about two units in the last place, in a form that compilers vectorise:
// 2^k times the Taylor polynomial of the remaining |r| <= log(2) / 2.
static inline float exponential(float x) {
    float k = floorf(x * 1.44269504f + 0.5f);
    // log(2) in two parts, so that the difference keeps its low bits.
    float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    float polynomial =
        1.0f + r * (1.0f + r * (0.5f + r * (0.166666667f + r * (0.0416666667f + r * (0.00833333333f + r * 0.00138888889f)))));
    int32_t bits = ((int32_t)k + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return polynomial * scale;
}

static inline float clamped(float x, float bound) {
    return x > bound ? bound : (x < -bound ? -bound : x);
}

static void vectorized_relu(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = x[i] < 0 ? 0 : x[i];
}

static void vectorized_relu_backward(
    float *restrict gradient, const float *restrict output, size_t count) {
    for (size_t i = 0; i < count; i++) gradient[i] = output[i] > 0 ? gradient[i] : 0;
}

static void vectorized_tanh(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float value = x[i];
        float square = value * value;
        // The quotient of exponentials cancels near zero, where the series is exact to rounding.
        float series = value * (1.0f + square * (-0.333333333f + square * (0.133333333f + square * (-0.0539682540f + square * 0.0218694885f))));
        float e = exponential(2.0f * clamped(value, 9.5f));
        float quotient = (e - 1.0f) / (e + 1.0f);
        x[i] = square < 0.04f ? series : quotient;
    }
}

static void vectorized_tanh_backward(
    float *restrict gradient, const float *restrict output, size_t count) {
    for (size_t i = 0; i < count; i++) gradient[i] *= 1.0f - output[i] * output[i];
}

static void vectorized_sigmoid(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = 1.0f / (1.0f + exponential(-clamped(x[i], 87.0f)));
}

static void vectorized_sigmoid_backward(
    float *restrict gradient, const float *restrict output, size_t count) {
    for (size_t i = 0; i < count; i++) gradient[i] *= output[i] * (1.0f - output[i]);
}

static void vectorized_leaky_relu(float *x, float slope, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = x[i] < 0 ? slope * x[i] : x[i];
}

static void vectorized_leaky_relu_backward(
    float *restrict gradient, const float *restrict output, float slope, size_t count) {
    for (size_t i = 0; i < count; i++) gradient[i] *= output[i] > 0 ? 1.0f : slope;
}

static void vectorized_silu(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = x[i] / (1.0f + exponential(-clamped(x[i], 87.0f)));
}

static void vectorized_silu_backward(float *restrict gradient, const float *restrict input, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float sigmoid = 1.0f / (1.0f + exponential(-clamped(input[i], 87.0f)));
        gradient[i] *= sigmoid * (1.0f + input[i] * (1.0f - sigmoid));
    }
}

// The normal distribution's probability of less than x, to 1e-7: Abramowitz and Stegun 1964, 7.1.26, for the error function of
// x / sqrt(2); and its density at x.
static inline float normal_probability(float x, float *density) {
    float bounded = clamped(x, 13.0f), magnitude = bounded < 0 ? -bounded : bounded;
    float t = 1.0f / (1.0f + 0.3275911f * 0.707106781f * magnitude);
    float polynomial =
        t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    float e = exponential(-0.5f * bounded * bounded);
    float tail = 0.5f * polynomial * e;
    *density = 0.398942280f * e;
    return x < 0 ? tail : 1.0f - tail;
}

static void vectorized_gelu(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float density;
        float probability = normal_probability(x[i], &density);
        // A probability that is rounded to zero must meet no number that makes up for it.
        x[i] = (x[i] < -13.0f ? -13.0f : x[i]) * probability;
    }
}

static void vectorized_gelu_backward(float *restrict gradient, const float *restrict input, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float density;
        float probability = normal_probability(input[i], &density);
        gradient[i] *= probability + clamped(input[i], 13.0f) * density;
    }
}
