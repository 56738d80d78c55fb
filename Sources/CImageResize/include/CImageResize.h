#ifndef C_IMAGE_RESIZE_H
#define C_IMAGE_RESIZE_H

#include <stdbool.h>
#include <stdint.h>

/// Fills one plane of bytes, [target_height, target_width], with a part of another, [height, width], by linear interpolation, with a
/// wider filter where it shrinks, so that nothing is passed over (antialiased). The part's left, top, right and bottom are given in
/// units of the plane's width and height.
///
/// Returns false where memory ran out.
bool cir_resize(
    const uint8_t *plane, int width, int height, uint8_t *target, int target_width, int target_height, float left,
    float top, float right, float bottom);

#endif
