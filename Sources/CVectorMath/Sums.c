#include "Internal.h"

CVM_VECTORIZED double cvm_sum(const float *x, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    for (size_t start = 0; start < count; start += cvm_block) {
        size_t end = cvm_block_end(start, count);
        float sum = 0;
        for (size_t i = start; i < end; i++) sum += x[i];
        total += sum;
    }
    return total;
}

CVM_VECTORIZED double cvm_squared_norm(const float *x, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    for (size_t start = 0; start < count; start += cvm_block) {
        size_t end = cvm_block_end(start, count);
        float sum = 0;
        for (size_t i = start; i < end; i++) sum += x[i] * x[i];
        total += sum;
    }
    return total;
}

CVM_VECTORIZED void cvm_add(float *restrict sum, const float *restrict x, size_t count) {
    for (size_t i = 0; i < count; i++) sum[i] += x[i];
}

CVM_VECTORIZED double cvm_add_with_squared_norm(
    float *restrict sum, const float *restrict x, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    for (size_t start = 0; start < count; start += cvm_block) {
        size_t end = cvm_block_end(start, count);
        float squares = 0;
        for (size_t i = start; i < end; i++) {
            sum[i] += x[i];
            squares += x[i] * x[i];
        }
        total += squares;
    }
    return total;
}

CVM_VECTORIZED void cvm_square(float *restrict squares, const float *restrict x, size_t count) {
    for (size_t i = 0; i < count; i++) squares[i] = x[i] * x[i];
}

CVM_VECTORIZED void cvm_multiply(float *restrict x, const float *restrict factors, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] *= factors[i];
}
