// The weight gradient of one example for blocks of LANES output channels: included once for each length.

#define NAME(name) JOIN(JOIN(name, _), LANES)
#define VECTOR NAME(direct)

typedef float VECTOR __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));

// The gradient of some rows of the kernel for one input channel stays in registers while all positions pass.
ALWAYS_INLINE void NAME(direct_rows)(
    const int rows, const int k, float *weights, const float *image, const float *gradient,
    const cvm_padded_convolution *s) {
    const cvm_convolution *g = &s->geometry;
    size_t row = row_count(s);
    VECTOR sums[rows * k];
    UNROLLED for (int i = 0; i < rows * k; i++) sums[i] = (VECTOR){0};
    for (long y = 0; y < g->output_height; y++)
        for (long x = 0; x < g->output_width; x++, gradient += LANES) {
            const float *window = image + y * g->stride * row + x * g->stride * s->pixel;
            VECTOR value = *(const VECTOR *)gradient;
            UNROLLED for (int r = 0; r < rows; r++) {
                UNROLLED for (int c = 0; c < k; c++) sums[r * k + c] += value * window[r * row + c * s->pixel];
            }
        }
    UNROLLED for (int i = 0; i < rows * k; i++) ((VECTOR *)weights)[i] = sums[i];
}

#define DIRECT_ROWS(rows, k)                                                                                 \
    case rows * 8 + k: NAME(direct_rows)(rows, k, weights, from, gradient, s); break;

static void NAME(direct_weight_gradient)(
    float *weights, float *biases, const float *padded, const float *gradient, const cvm_padded_convolution *s) {
    size_t positions = position_count(&s->geometry);
    int k = (int)s->geometry.kernel;
    // As many rows as leave registers for what is multiplied.
    int most = k < 4 ? k : 12 / k;
    for (size_t first = 0; first < s->units; first += LANES, gradient += positions * LANES) {
        for (size_t channel = 0; channel < s->pixel; channel++)
            for (int r = 0; r < k; r += most) {
                int rows = k - r < most ? k - r : most;
                const float *from = padded + r * row_count(s) + channel;
                switch (rows * 8 + k) {
                    DIRECT_ROWS(1, 1)
                    DIRECT_ROWS(2, 2)
                    DIRECT_ROWS(3, 3)
                    DIRECT_ROWS(3, 4)
                    DIRECT_ROWS(1, 4)
                    DIRECT_ROWS(2, 5)
                    DIRECT_ROWS(1, 5)
                    DIRECT_ROWS(2, 6)
                    DIRECT_ROWS(1, 7)
                }
                weights += rows * k * LANES;
            }
        VECTOR sum = {0};
        for (size_t position = 0; position < positions; position++) sum += ((const VECTOR *)gradient)[position];
        for (size_t lane = 0; lane < LANES && first + lane < s->units; lane++) biases[first + lane] = sum[lane];
    }
}

#undef DIRECT_ROWS
#undef VECTOR
#undef NAME
