// Pictures in PNG and JPEG format, by libpng, libjpeg-turbo and libexif.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a file says of its picture before it is decoded.
typedef struct {
    int64_t width;
    int64_t height;
    // 1 for grey, 3 for colour.
    int channels;
    // How the picture is to be turned, 1 to 8 as EXIF has it; 1 as it is.
    int orientation;
    bool is_jpeg;
} cpc_header;

enum { cpc_message_size = 256 };

// Reads the header of a file in memory.
//
// Returns: whether it is one of a picture that can be decoded; if not, message says why.
bool cpc_read_header(const uint8_t *bytes, size_t count, cpc_header *header, char *message);

// Decodes a file whose header was read: height rows of width pixels of so many channels, a byte for each. What is transparent is put on
// white.
//
// Returns: whether the picture is whole; if not, message says why.
bool cpc_decode(const uint8_t *bytes, size_t count, const cpc_header *header, uint8_t *pixels, char *message);

// Encodes rows of pixels as a PNG file.
//
// Returns: the number of bytes, of which at most capacity are written; 0 where it is not possible.
size_t cpc_encode_png(
    const uint8_t *pixels, uint32_t width, uint32_t height, int channels, uint8_t *bytes, size_t capacity);
