// Pooling of images in blocks of LANES channels: included once for each length.

#define NAME(name) JOIN(JOIN(name, _), LANES)
#define VECTOR NAME(pooled)
#define INTEGERS NAME(integers)
#define PLACES NAME(places)

typedef float VECTOR __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));
typedef int INTEGERS __attribute__((vector_size(LANES * sizeof(int)), aligned(sizeof(int))));
typedef uint16_t PLACES __attribute__((vector_size(LANES * sizeof(uint16_t)), aligned(sizeof(uint16_t))));

static void NAME(max_pool)(float *output, uint16_t *places, const float *input, const cvm_pooling *s) {
    FOR_EACH_WINDOW(s, {
        INTEGERS place = {0};
        VECTOR best;
        bool is_first = true;
        FOR_EACH_PIXEL(s, {
            VECTOR x = *(const VECTOR *)(input + pixel * LANES);
            // What is not a number is larger than all that is: it must not get lost.
            INTEGERS larger = is_first ? (INTEGERS){0} - 1 : (x > best) | (x != x);
            best = (VECTOR)((larger & (INTEGERS)x) | (~larger & (INTEGERS)best));
            place = (larger & (int)number) | (~larger & place);
            is_first = false;
        })
        *(VECTOR *)(output + window * LANES) = best;
        *(PLACES *)(places + window * LANES) = __builtin_convertvector(place, PLACES);
    })
}

static void NAME(max_pool_backward)(
    float *input_gradient, const uint16_t *places, const float *output_gradient, const cvm_pooling *s) {
    memset(input_gradient, 0, image_count(s) * sizeof(float));
    FOR_EACH_WINDOW(s, {
        INTEGERS place = __builtin_convertvector(*(const PLACES *)(places + window * LANES), INTEGERS);
        INTEGERS gradient = *(const INTEGERS *)(output_gradient + window * LANES);
        FOR_EACH_PIXEL(s, {
            VECTOR *to = (VECTOR *)(input_gradient + pixel * LANES);
            *to += (VECTOR)(gradient & (place == (int)number));
        })
    })
}

static void NAME(average_pool)(float *output, const float *input, const cvm_pooling *s) {
    FOR_EACH_WINDOW(s, {
        VECTOR sum = {0};
        FOR_EACH_PIXEL(s, { sum += *(const VECTOR *)(input + pixel * LANES); })
        *(VECTOR *)(output + window * LANES) = sum * (1.0f / covered);
    })
}

static void NAME(average_pool_backward)(float *input_gradient, const float *output_gradient, const cvm_pooling *s) {
    memset(input_gradient, 0, image_count(s) * sizeof(float));
    FOR_EACH_WINDOW(s, {
        VECTOR part = *(const VECTOR *)(output_gradient + window * LANES) * (1.0f / covered);
        FOR_EACH_PIXEL(s, { *(VECTOR *)(input_gradient + pixel * LANES) += part; })
    })
}

#undef PLACES
#undef INTEGERS
#undef VECTOR
#undef NAME
