static double vectorized_sum(const float *x, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    for (size_t start = 0; start < count; start += block_length) {
        size_t end = block_end(start, count);
        float sum = 0;
        for (size_t i = start; i < end; i++) sum += x[i];
        total += sum;
    }
    return total;
}

static double vectorized_squared_norm(const float *x, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    for (size_t start = 0; start < count; start += block_length) {
        size_t end = block_end(start, count);
        float sum = 0;
        for (size_t i = start; i < end; i++) sum += x[i] * x[i];
        total += sum;
    }
    return total;
}

static void vectorized_add(float *restrict sum, const float *restrict x, size_t count) {
    for (size_t i = 0; i < count; i++) sum[i] += x[i];
}

static double vectorized_add_with_squared_norm(
    float *restrict sum, const float *restrict x, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    for (size_t start = 0; start < count; start += block_length) {
        size_t end = block_end(start, count);
        float squares = 0;
        for (size_t i = start; i < end; i++) {
            sum[i] += x[i];
            squares += x[i] * x[i];
        }
        total += squares;
    }
    return total;
}

static void vectorized_square(float *restrict squares, const float *restrict x, size_t count) {
    for (size_t i = 0; i < count; i++) squares[i] = x[i] * x[i];
}

static void vectorized_multiply(float *restrict x, const float *restrict factors, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] *= factors[i];
}
