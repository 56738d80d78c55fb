// Gradients of a convolution from the values of its output gradient that are not zero: what does not depend on the length of a vector.

static size_t vectorized_row_vectors(const cvm_padded_convolution *s) {
    return (s->geometry.kernel * s->pixel + s->lanes - 1) / s->lanes;
}

// One value that is not zero: where its window begins in a padded plane, and the value.
typedef struct {
    int offset;
    float value;
} nonzero;

// The values that are not zero, listed twice.
typedef struct {
    // For each unit the start of its entries.
    int *unit_starts;
    nonzero *unit_entries;
    // For each position the start of its entries: units and values.
    int *position_starts;
    int *units;
    float *position_values;
} nonzero_lists;

// Room for all values, and for those that are not kept behind the last.
static inline size_t list_room(const cvm_padded_convolution *s) {
    return rounded(s->units * position_count(&s->geometry), 16) + 16;
}

static inline size_t starts_room(size_t count) { return rounded(count + 1, 16); }

static size_t vectorized_nonzeros_size(const cvm_padded_convolution *s) {
    size_t starts = starts_room(s->units) + starts_room(position_count(&s->geometry));
    return (starts + 4 * list_room(s)) * sizeof(float);
}

static inline nonzero_lists lists_in(const void *memory, size_t example, const cvm_padded_convolution *s) {
    size_t all = list_room(s);
    nonzero_lists l;
    l.unit_starts = (int *)((char *)memory + example * vectorized_nonzeros_size(s));
    l.position_starts = l.unit_starts + starts_room(s->units);
    l.units = l.position_starts + starts_room(position_count(&s->geometry));
    l.position_values = (float *)(l.units + all);
    l.unit_entries = (nonzero *)(l.position_values + all);
    return l;
}

// Where the window of a position begins in a padded plane.
static inline int window_offset(size_t position, const cvm_padded_convolution *s) {
    const cvm_convolution *g = &s->geometry;
    size_t y = position / g->output_width, x = position % g->output_width;
    return (int)(y * g->stride * row_count(s) + x * g->stride * s->pixel);
}

// Writes the nonzero ones of eight values, the first of which is unit `first`'s, and their units; more may be written behind them.
// Returns their number.
#if defined(CVM_PERMUTES)
// Without a branch: which ones are zero is not to be foretold, and a processor that guesses loses more time than this takes.
ALWAYS_INLINE int append_nonzeros(int *units, float *kept, const float *values, int first) {
    __m256 all = _mm256_loadu_ps(values);
    unsigned bits = (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(all, _mm256_setzero_ps(), _CMP_NEQ_UQ));
    // A byte for each value that is kept: its number.
    uint64_t chosen = _pext_u64(0x0706050403020100, _pdep_u64(bits, 0x0101010101010101) * 0xff);
    __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)chosen));
    _mm256_storeu_ps(kept, _mm256_permutevar8x32_ps(all, lanes));
    _mm256_storeu_si256((__m256i *)units, _mm256_add_epi32(lanes, _mm256_set1_epi32(first)));
    return __builtin_popcount(bits);
}
#else
ALWAYS_INLINE int append_nonzeros(int *units, float *kept, const float *values, int first) {
    int found = 0;
    for (int lane = 0; lane < 8; lane++) {
        units[found] = first + lane;
        kept[found] = values[lane];
        found += values[lane] != 0;
    }
    return found;
}
#endif

// Makes the lists by unit from those by position.
static inline void sort_by_unit(const nonzero_lists *l, const cvm_padded_convolution *s) {
    size_t positions = position_count(&s->geometry);
    int *starts = l->unit_starts, found = l->position_starts[positions];
    memset(starts, 0, (s->units + 1) * sizeof(int));
    for (int n = 0; n < found; n++) starts[l->units[n]]++;
    int end = 0;
    for (size_t unit = 0; unit <= s->units; unit++) {
        end += starts[unit];
        starts[unit] = end;
    }
    // From behind, so that each unit's end becomes its start.
    for (size_t position = positions; position-- > 0;) {
        int offset = window_offset(position, s);
        for (int n = l->position_starts[position + 1]; n-- > l->position_starts[position];)
            l->unit_entries[--starts[l->units[n]]] = (nonzero){offset, l->position_values[n]};
    }
}

static double vectorized_sparse_bias_gradient(
    float *sum, const void *nonzeros, size_t example, const cvm_padded_convolution *s) {
    nonzero_lists l = lists_in(nonzeros, example, s);
    double squared_norm = 0;
    for (size_t unit = 0; unit < s->units; unit++) {
        float gradient = 0;
        for (int n = l.unit_starts[unit]; n < l.unit_starts[unit + 1]; n++) gradient += l.unit_entries[n].value;
        sum[unit] += gradient;
        squared_norm += (double)gradient * gradient;
    }
    return squared_norm;
}

static void vectorized_pack_kernel_rows(float *packed, const float *weights, const cvm_padded_convolution *s) {
    size_t k = s->geometry.kernel, row = vectorized_row_vectors(s) * s->lanes;
    for (size_t plane = 0; plane < s->planes; plane++)
        for (size_t r = 0; r < k; r++)
            for (size_t unit = 0; unit < s->units; unit++, packed += row)
                memcpy(packed, weights + ((unit * s->planes + plane) * k + r) * row, row * sizeof(float));
}

#define LANES 8
#include "SparseVectors.h"
#undef LANES
#define LANES 16
#include "SparseVectors.h"
#undef LANES

// From an output gradient with channels first; by unit alone.
static void list_plain_nonzeros(
    void *memory, size_t example, const float *gradient, const cvm_padded_convolution *s) {
    size_t positions = position_count(&s->geometry);
    nonzero_lists l = lists_in(memory, example, s);
    int found = 0;
    for (size_t unit = 0; unit < s->units; unit++) {
        l.unit_starts[unit] = found;
        for (size_t position = 0; position < positions; position++, gradient++)
            if (*gradient != 0) l.unit_entries[found++] = (nonzero){window_offset(position, s), *gradient};
    }
    l.unit_starts[s->units] = found;
}

static void vectorized_list_nonzeros(
    void *nonzeros, size_t example, const float *gradient, const cvm_padded_convolution *s) {
    switch (s->unit_block) {
    case 1: list_plain_nonzeros(nonzeros, example, gradient, s); break;
    case 8: list_nonzeros_8(nonzeros, example, gradient, s); break;
    case 16: list_nonzeros_16(nonzeros, example, gradient, s); break;
    }
}

static void vectorized_sparse_weight_gradient(
    float *sum, double *squared_norms, const float *padded, const void *nonzeros, size_t examples,
    const cvm_padded_convolution *s) {
    (s->lanes == 8 ? weight_gradient_8 : weight_gradient_16)(sum, squared_norms, padded, nonzeros, examples, s);
}

static void vectorized_sparse_input_gradient(
    float *padded, const void *nonzeros, size_t examples, const float *packed, const cvm_padded_convolution *s) {
    (s->lanes == 8 ? input_gradient_8 : input_gradient_16)(padded, nonzeros, examples, packed, s);
}
