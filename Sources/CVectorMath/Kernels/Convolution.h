typedef struct {
    long begin, end;
} span;

// The positions along a side at which kernel row (or column) `offset` lies inside the image.
static inline span inside(long offset, long padding, long stride, long length, long positions) {
    long first = padding - offset;
    span result = {first > 0 ? (first + stride - 1) / stride : 0, 0};
    long last = length - 1 + padding - offset;
    result.end = last < 0 ? 0 : last / stride + 1;
    if (result.end > positions) result.end = positions;
    return result;
}

static double vectorized_weight_gradient_squared_norm(
    const float *pixel_products, const float *gradient_products, const cvm_convolution *s) {
#pragma clang fp reassociate(on)
    long pixels = s->height * s->width, positions = s->output_height * s->output_width;
    double total = 0;
    for (long r = 0; r < s->kernel; r++) {
        span rows = inside(r, s->top, s->stride, s->height, s->output_height);
        for (long c = 0; c < s->kernel; c++) {
            span columns = inside(c, s->left, s->stride, s->width, s->output_width);
            // From a position to the pixel under this place of the kernel.
            long shift = (r - s->top) * s->width + c - s->left;
            float sum = 0;
            for (long py = rows.begin; py < rows.end; py++)
                for (long px = columns.begin; px < columns.end; px++) {
                    const float *pixel_row =
                        pixel_products + (py * s->stride * s->width + px * s->stride + shift) * pixels;
                    const float *gradient_row =
                        gradient_products + (py * s->output_width + px) * positions;
                    for (long qy = rows.begin; qy < rows.end; qy++) {
                        const float *x = pixel_row + qy * s->stride * s->width + shift;
                        const float *v = gradient_row + qy * s->output_width;
                        for (long qx = columns.begin; qx < columns.end; qx++)
                            sum += x[qx * s->stride] * v[qx];
                    }
                }
            total += sum;
        }
    }
    return total;
}

static void vectorized_write_patches(
    float *restrict patches, size_t stride, const float *restrict image, size_t channels,
    const cvm_convolution *s) {
    for (size_t channel = 0; channel < channels; channel++) {
        const float *plane = image + channel * s->height * s->width;
        for (long r = 0; r < s->kernel; r++) {
            span rows = inside(r, s->top, s->stride, s->height, s->output_height);
            for (long c = 0; c < s->kernel; c++, patches += stride) {
                span columns = inside(c, s->left, s->stride, s->width, s->output_width);
                memset(patches, 0, s->output_height * s->output_width * sizeof(float));
                for (long y = rows.begin; y < rows.end; y++) {
                    const float *from = plane + (y * s->stride + r - s->top) * s->width + c - s->left;
                    for (long x = columns.begin; x < columns.end; x++)
                        patches[y * s->output_width + x] = from[x * s->stride];
                }
            }
        }
    }
}

// The transpose of write_patches: what several patches hold of a pixel is added up.
static void vectorized_add_patches(
    float *restrict image, const float *restrict patches, size_t stride, size_t channels,
    const cvm_convolution *s) {
    memset(image, 0, channels * s->height * s->width * sizeof(float));
    for (size_t channel = 0; channel < channels; channel++) {
        float *plane = image + channel * s->height * s->width;
        for (long r = 0; r < s->kernel; r++) {
            span rows = inside(r, s->top, s->stride, s->height, s->output_height);
            for (long c = 0; c < s->kernel; c++, patches += stride) {
                span columns = inside(c, s->left, s->stride, s->width, s->output_width);
                for (long y = rows.begin; y < rows.end; y++) {
                    float *to = plane + (y * s->stride + r - s->top) * s->width + c - s->left;
                    for (long x = columns.begin; x < columns.end; x++)
                        to[x * s->stride] += patches[y * s->output_width + x];
                }
            }
        }
    }
}

static void vectorized_copy_rows(
    float *restrict destination, size_t destination_stride, const float *restrict source,
    size_t source_stride, size_t rows, size_t columns) {
    for (size_t row = 0; row < rows; row++)
        memcpy(
            destination + row * destination_stride, source + row * source_stride,
            columns * sizeof(float));
}
