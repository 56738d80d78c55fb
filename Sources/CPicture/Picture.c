#include "CPicture.h"

#include <libexif/exif-data.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

static bool refuse(char *message, const char *reason) {
    snprintf(message, cpc_message_size, "%s", reason);
    return false;
}

// Starts to read a PNG file; values of 16 bits without a word on their meaning are taken as those of 8 bits are.
static bool begin_png(const uint8_t *bytes, size_t count, png_image *image, char *message) {
    memset(image, 0, sizeof *image);
    image->version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_memory(image, bytes, count)) return refuse(message, image->message);
    image->flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    return true;
}

static bool read_png_header(const uint8_t *bytes, size_t count, cpc_header *header, char *message) {
    png_image image;
    if (!begin_png(bytes, count, &image, message)) return false;
    *header = (cpc_header){
        .width = image.width, .height = image.height, .channels = image.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1,
        .orientation = 1};
    png_image_free(&image);
    return true;
}

static bool decode_png(const uint8_t *bytes, size_t count, const cpc_header *header, uint8_t *pixels, char *message) {
    png_image image;
    if (!begin_png(bytes, count, &image, message)) return false;
    if (image.width != header->width || image.height != header->height) {
        png_image_free(&image);
        return refuse(message, "it changed while it was read");
    }
    int channels = header->channels;
    if (!(image.format & PNG_FORMAT_FLAG_ALPHA)) {
        image.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
        return png_image_finish_read(&image, NULL, pixels, 0, NULL) || refuse(message, image.message);
    }
    image.format = channels == 3 ? PNG_FORMAT_RGBA : PNG_FORMAT_GA;
    size_t pixel_count = (size_t)header->width * (size_t)header->height;
    uint8_t *values = malloc(PNG_IMAGE_SIZE(image));
    if (!values) {
        png_image_free(&image);
        return refuse(message, "memory ran out");
    }
    bool is_read = png_image_finish_read(&image, NULL, values, 0, NULL) || refuse(message, image.message);
    for (size_t pixel = 0; is_read && pixel < pixel_count; pixel++) {
        const uint8_t *value = values + pixel * (channels + 1);
        int alpha = value[channels];
        for (int c = 0; c < channels; c++)
            pixels[pixel * channels + c] = (uint8_t)((value[c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    free(values);
    return is_read;
}

static int jpeg_orientation(const uint8_t *bytes, size_t count) {
    ExifData *data = exif_data_new_from_data(bytes, count > UINT32_MAX ? UINT32_MAX : (unsigned)count);
    if (!data) return 1;
    ExifEntry *entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    int orientation = 1;
    if (entry && entry->format == EXIF_FORMAT_SHORT && entry->components >= 1 && entry->size >= 2)
        orientation = exif_get_short(entry->data, exif_data_get_byte_order(data));
    exif_data_unref(data);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

static bool read_jpeg_header(const uint8_t *bytes, size_t count, cpc_header *header, char *message) {
    tjhandle handle = tjInitDecompress();
    if (!handle) return refuse(message, "memory ran out");
    int width, height, subsampling, colors;
    bool is_read = tjDecompressHeader3(handle, bytes, count, &width, &height, &subsampling, &colors) == 0;
    if (!is_read) refuse(message, tjGetErrorStr2(handle));
    tjDestroy(handle);
    if (!is_read) return false;
    if (colors == TJCS_CMYK || colors == TJCS_YCCK) return refuse(message, "its colours are those of a printer (CMYK)");
    *header = (cpc_header){
        .width = width, .height = height, .channels = colors == TJCS_GRAY ? 1 : 3,
        .orientation = jpeg_orientation(bytes, count), .is_jpeg = true};
    return true;
}

// Whether a file ends with the marker of a picture's end, zeros after it aside.
static bool has_jpeg_end(const uint8_t *bytes, size_t count) {
    while (count > 0 && bytes[count - 1] == 0) count--;
    return count >= 2 && bytes[count - 2] == 0xff && bytes[count - 1] == 0xd9;
}

static bool decode_jpeg(const uint8_t *bytes, size_t count, const cpc_header *header, uint8_t *pixels, char *message) {
    tjhandle handle = tjInitDecompress();
    if (!handle) return refuse(message, "memory ran out");
    int status = tjDecompress2(
        handle, bytes, count, pixels, (int)header->width, 0, (int)header->height,
        header->channels == 3 ? TJPF_RGB : TJPF_GRAY, TJFLAG_ACCURATEDCT);
    // A warning says that a part of the picture is made up, but for bytes too many between its parts; of several the first is told, so
    // the file must have an end as well.
    bool is_whole = status == 0 || (tjGetErrorCode(handle) == TJERR_WARNING &&
                                    strstr(tjGetErrorStr2(handle), "extraneous bytes") && has_jpeg_end(bytes, count));
    if (!is_whole) refuse(message, tjGetErrorStr2(handle));
    tjDestroy(handle);
    return is_whole;
}

bool cpc_read_header(const uint8_t *bytes, size_t count, cpc_header *header, char *message) {
    static const uint8_t png[] = {0x89, 'P', 'N', 'G'}, jpeg[] = {0xff, 0xd8, 0xff};
    if (count > sizeof png && memcmp(bytes, png, sizeof png) == 0) return read_png_header(bytes, count, header, message);
    if (count > sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
        return read_jpeg_header(bytes, count, header, message);
    return refuse(message, "it is neither a PNG nor a JPEG file");
}

bool cpc_decode(const uint8_t *bytes, size_t count, const cpc_header *header, uint8_t *pixels, char *message) {
    return header->is_jpeg ? decode_jpeg(bytes, count, header, pixels, message)
                           : decode_png(bytes, count, header, pixels, message);
}

size_t cpc_encode_png(
    const uint8_t *pixels, uint32_t width, uint32_t height, int channels, uint8_t *bytes, size_t capacity) {
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = height;
    image.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    png_alloc_size_t count = capacity;
    return png_image_write_to_memory(&image, bytes, &count, 0, pixels, 0, NULL) ? count : 0;
}
