#include "CImageResize.h"

#define STB_IMAGE_RESIZE_STATIC
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-function"
#include <stb/stb_image_resize.h>
#pragma clang diagnostic pop

bool cir_resize(
    const uint8_t *plane, int width, int height, uint8_t *target, int target_width, int target_height, float left,
    float top, float right, float bottom) {
    return stbir_resize_region(
        plane, width, height, 0, target, target_width, target_height, 0, STBIR_TYPE_UINT8, 1, STBIR_ALPHA_CHANNEL_NONE, 0,
        STBIR_EDGE_CLAMP, STBIR_EDGE_CLAMP, STBIR_FILTER_TRIANGLE, STBIR_FILTER_TRIANGLE, STBIR_COLORSPACE_LINEAR, NULL,
        left, top, right, bottom);
}
