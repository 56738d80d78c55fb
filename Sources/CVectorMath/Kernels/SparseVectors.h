// The loops over vectors of LANES floats: included once for each length.

#define NAME(name) JOIN(JOIN(name, _), LANES)
#define VECTOR NAME(vector)

// Aligned as floats are: a window over interleaved channels begins anywhere.
typedef float VECTOR __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));

// From an output gradient in blocks of LANES channels.
static void NAME(list_nonzeros)(
    void *memory, size_t example, const float *gradient, const cvm_padded_convolution *s) {
    size_t positions = position_count(&s->geometry);
    nonzero_lists l = lists_in(memory, example, s);
    int found = 0;
    for (size_t position = 0; position < positions; position++) {
        l.position_starts[position] = found;
        for (size_t first = 0; first < s->units; first += LANES) {
            const float *values = gradient + first * positions + position * LANES;
            for (int part = 0; part < LANES; part += 8)
                found += append_nonzeros(l.units + found, l.position_values + found, values + part, (int)first + part);
        }
    }
    l.position_starts[positions] = found;
    sort_by_unit(&l, s);
}

// Some rows of the gradient of one unit's weights for one plane: they stay in registers while all positions pass.
ALWAYS_INLINE void NAME(gradient_rows)(
    const int rows, const int vectors, float *sum, VECTOR *squares, const float *plane, size_t row,
    const nonzero *entries, int count, const VECTOR *inside) {
    VECTOR gradient[CVM_ACCUMULATORS];
    UNROLLED for (int i = 0; i < rows * vectors; i++) gradient[i] = (VECTOR){0};
    for (int n = 0; n < count; n++) {
        const float *window = plane + entries[n].offset;
        float value = entries[n].value;
        UNROLLED for (int r = 0; r < rows; r++) {
            UNROLLED for (int v = 0; v < vectors; v++)
                gradient[r * vectors + v] += value * ((const VECTOR *)(window + r * row))[v];
        }
    }
    VECTOR *to = (VECTOR *)sum;
    VECTOR total = *squares;
    UNROLLED for (int r = 0; r < rows; r++) {
        UNROLLED for (int v = 0; v < vectors; v++) {
            VECTOR part = gradient[r * vectors + v];
            // The last vector of a row may have gone on into the pixels behind the window.
            if (v == vectors - 1) part *= *inside;
            to[r * vectors + v] += part;
            total += part * part;
        }
    }
    *squares = total;
}

#define GRADIENT_ROWS(rows, vectors)                                                                         \
    case rows * 8 + vectors:                                                                                 \
        if (rows * vectors <= CVM_ACCUMULATORS)                                                              \
            NAME(gradient_rows)(rows, vectors, to, &squares, from, row, entries, count, &inside);            \
        break;
#define GRADIENT_ROWS_OF(vectors)                                                                            \
    GRADIENT_ROWS(1, vectors)                                                                                \
    GRADIENT_ROWS(2, vectors)                                                                                \
    GRADIENT_ROWS(3, vectors)                                                                                \
    GRADIENT_ROWS(4, vectors)                                                                                \
    GRADIENT_ROWS(5, vectors)

// Adds one unit's gradient for one plane and returns its squared norm.
static float NAME(add_unit)(
    float *to, const float *plane, const nonzero *entries, int count, const cvm_padded_convolution *s) {
    int k = (int)s->geometry.kernel, vectors = (int)vectorized_row_vectors(s);
    size_t row = row_count(s);
    VECTOR squares = {0}, inside;
    for (int lane = 0; lane < LANES; lane++)
        inside[lane] = (size_t)((vectors - 1) * LANES + lane) < k * s->pixel ? 1 : 0;
    // As few groups of rows as registers allow, of sizes as equal as possible.
    int most = CVM_ACCUMULATORS / vectors < 5 ? CVM_ACCUMULATORS / vectors : 5;
    int groups = (k + most - 1) / most, size = (k + groups - 1) / groups;
    for (int r = 0; r < k; r += size) {
        int rows = k - r < size ? k - r : size;
        const float *from = plane + r * row;
        switch (rows * 8 + vectors) {
            GRADIENT_ROWS_OF(1)
            GRADIENT_ROWS_OF(2)
            GRADIENT_ROWS_OF(3)
            GRADIENT_ROWS_OF(4)
            GRADIENT_ROWS_OF(5)
        }
        to += rows * vectors * LANES;
    }
    float total = 0;
    for (int lane = 0; lane < LANES; lane++) total += squares[lane];
    return total;
}

static void NAME(weight_gradient)(
    float *sum, double *squared_norms, const float *padded, const void *nonzeros, size_t examples,
    const cvm_padded_convolution *s) {
    size_t unit_count = s->geometry.kernel * vectorized_row_vectors(s) * LANES;
    for (size_t plane = 0; plane < s->planes; plane++)
        for (size_t example = 0; example < examples; example++) {
            nonzero_lists l = lists_in(nonzeros, example, s);
            const float *from = padded + example * vectorized_padded_count(s) + plane * plane_count(s);
            double norm = 0;
            for (size_t unit = 0; unit < s->units; unit++)
                norm += NAME(add_unit)(
                    sum + (unit * s->planes + plane) * unit_count, from, l.unit_entries + l.unit_starts[unit],
                    l.unit_starts[unit + 1] - l.unit_starts[unit], s);
            squared_norms[example] += norm;
        }
}

// Some rows of the input gradient under each position stay in registers while the position's units pass.
ALWAYS_INLINE void NAME(window_rows)(
    const int k, const int rows, float *padded, const nonzero_lists *l, const float *packed,
    const cvm_padded_convolution *s) {
    const cvm_convolution *g = &s->geometry;
    size_t positions = position_count(g), row = row_count(s);
    for (size_t position = 0; position < positions; position++) {
        int start = l->position_starts[position], end = l->position_starts[position + 1];
        if (start == end) continue;
        size_t y = position / g->output_width, x = position % g->output_width;
        float *window = padded + y * g->stride * row + x * g->stride * LANES;
        VECTOR gradient[CVM_ACCUMULATORS];
        UNROLLED for (int r = 0; r < rows; r++) {
            UNROLLED for (int c = 0; c < k; c++) gradient[r * k + c] = ((const VECTOR *)(window + r * row))[c];
        }
        for (int n = start; n < end; n++) {
            float value = l->position_values[n];
            const VECTOR *weights = (const VECTOR *)packed + (size_t)l->units[n] * k;
            UNROLLED for (int r = 0; r < rows; r++) {
                UNROLLED for (int c = 0; c < k; c++) gradient[r * k + c] += value * weights[r * s->units * k + c];
            }
        }
        UNROLLED for (int r = 0; r < rows; r++) {
            UNROLLED for (int c = 0; c < k; c++) ((VECTOR *)(window + r * row))[c] = gradient[r * k + c];
        }
    }
}

#define WINDOW_ROWS(k, rows)                                                                                 \
    case k * 8 + rows:                                                                                       \
        if (k * rows <= CVM_ACCUMULATORS) NAME(window_rows)(k, rows, to, &l, weights, s);                    \
        break;

// Examples innermost: a group of them reads the same rows of kernels.
static void NAME(input_gradient)(
    float *padded, const void *nonzeros, size_t examples, const float *packed, const cvm_padded_convolution *s) {
    int k = (int)s->geometry.kernel;
    memset(padded, 0, examples * vectorized_padded_count(s) * sizeof(float));
    // So many rows of all units' kernels as fit the first-level cache, with as many sums as the processor adds to at a time.
    size_t row_size = s->units * k * LANES;
    int most = CVM_ACCUMULATORS / k < 3 ? CVM_ACCUMULATORS / k : 3;
    while (most > 1 && (most * row_size * sizeof(float) > 24 << 10 || most > k)) most--;
    for (size_t plane = 0; plane < s->planes; plane++)
        for (int r = 0; r < k; r += most) {
            const float *weights = packed + (plane * k + r) * row_size;
            for (size_t example = 0; example < examples; example++) {
                nonzero_lists l = lists_in(nonzeros, example, s);
                float *to = padded + example * vectorized_padded_count(s) + plane * plane_count(s) + r * row_count(s);
                switch (k * 8 + (k - r < most ? k - r : most)) {
                    WINDOW_ROWS(1, 1)
                    WINDOW_ROWS(2, 1)
                    WINDOW_ROWS(2, 2)
                    WINDOW_ROWS(3, 1)
                    WINDOW_ROWS(3, 2)
                    WINDOW_ROWS(3, 3)
                    WINDOW_ROWS(4, 1)
                    WINDOW_ROWS(4, 2)
                    WINDOW_ROWS(4, 3)
                    WINDOW_ROWS(5, 1)
                    WINDOW_ROWS(5, 2)
                    WINDOW_ROWS(5, 3)
                }
            }
        }
}

#undef WINDOW_ROWS
#undef GRADIENT_ROWS_OF
#undef GRADIENT_ROWS
#undef VECTOR
#undef NAME
