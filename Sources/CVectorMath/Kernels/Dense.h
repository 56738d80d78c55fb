// Units and rows in one square tile of a transposition: both sides of a tile stay in L1.
enum { tile = 16 };

static void vectorized_transpose_adding_bias(
    float *restrict destination, size_t stride, const float *restrict source,
    const float *restrict bias, size_t rows, size_t units) {
    for (size_t row0 = 0; row0 < rows; row0 += tile) {
        size_t row1 = rows - row0 < tile ? rows : row0 + tile;
        for (size_t unit0 = 0; unit0 < units; unit0 += tile) {
            size_t unit1 = units - unit0 < tile ? units : unit0 + tile;
            for (size_t row = row0; row < row1; row++)
                for (size_t unit = unit0; unit < unit1; unit++)
                    destination[row * stride + unit] = source[unit * rows + row] + bias[unit];
        }
    }
}

static void vectorized_column_sums(
    float *restrict sums, const float *restrict matrix, size_t stride, size_t rows, size_t units,
    int accumulate) {
    if (!accumulate) memset(sums, 0, units * sizeof(float));
    for (size_t row = 0; row < rows; row++)
        for (size_t unit = 0; unit < units; unit++) sums[unit] += matrix[row * stride + unit];
}

static double vectorized_scale_with_squared_norm(float *gradient, float scale, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    for (size_t start = 0; start < count; start += block_length) {
        size_t end = block_end(start, count);
        float squares = 0;
        for (size_t i = start; i < end; i++) {
            gradient[i] *= scale;
            squares += gradient[i] * gradient[i];
        }
        total += squares;
    }
    return total;
}
