#include "CPicture.h"

#include <libexif/exif-data.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

static bool refuse(char *message, const char *reason) {
    snprintf(message, cpc_message_size, "%s", reason);
    return false;
}

// Where libpng reads from and what it says; its errors jump.
typedef struct {
    const uint8_t *bytes;
    size_t count;
    char *message;
    jmp_buf jump;
} png_source;

static void read_png_bytes(png_structp png, png_bytep target, size_t count) {
    png_source *source = png_get_io_ptr(png);
    if (count > source->count) png_error(png, "it is cut short");
    memcpy(target, source->bytes, count);
    source->bytes += count;
    source->count -= count;
}

static void keep_png_error(png_structp png, png_const_charp text) {
    png_source *source = png_get_error_ptr(png);
    refuse(source->message, text);
    longjmp(source->jump, 1);
}

static void ignore_png_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

// Has libpng give the pixels as the file stores them, a byte for each value: palettes and fewer bits expanded, of 16 bits the upper eight,
// transparency as a channel of its own. Gamma and colour profiles are left alone, as Pillow and torchvision do: what is trained here and what
// another program feeds an exported network are the same numbers then.
static void begin_png(png_structp png, png_infop info, png_source *source) {
    png_set_read_fn(png, source, read_png_bytes);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_read_info(png, info);
    png_set_expand(png);
    png_set_strip_16(png);
}

// Reads a PNG file in memory by a function that goes on where libpng has read the header.
//
// Returns: whether that came to its end; if not, message says why.
static bool read_png(
    const uint8_t *bytes, size_t count, char *message, void (*go_on)(png_structp, png_infop, void *), void *context) {
    png_source source = {bytes, count, message};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, keep_png_error, ignore_png_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool is_read = info != NULL;
    if (!is_read) refuse(message, "memory ran out");
    if (is_read && setjmp(source.jump)) {
        is_read = false;
    } else if (is_read) {
        begin_png(png, info, &source);
        go_on(png, info, context);
    }
    png_destroy_read_struct(&png, &info, NULL);
    return is_read;
}

static void fill_png_header(png_structp png, png_infop info, void *context) {
    *(cpc_header *)context = (cpc_header){
        .width = png_get_image_width(png, info), .height = png_get_image_height(png, info),
        .channels = png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR ? 3 : 1, .orientation = 1};
}

static bool read_png_header(const uint8_t *bytes, size_t count, cpc_header *header, char *message) {
    return read_png(bytes, count, message, fill_png_header, header);
}

// Puts pixels on white by their last channel, which is how much they cover, and leaves it out.
static void put_on_white(const uint8_t *values, size_t pixel_count, int channels, uint8_t *pixels) {
    for (size_t pixel = 0; pixel < pixel_count; pixel++) {
        const uint8_t *value = values + pixel * (channels + 1);
        int alpha = value[channels];
        for (int c = 0; c < channels; c++)
            pixels[pixel * channels + c] = (uint8_t)((value[c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
}

// What decoding works with; the memory is freed by who made it, since libpng's errors jump over whatever decodes.
typedef struct {
    const cpc_header *header;
    uint8_t *pixels;
    uint8_t *values;
    png_bytep *rows;
} png_work;

static void fill_png_pixels(png_structp png, png_infop info, void *context) {
    png_work *work = context;
    const cpc_header *header = work->header;
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_image_width(png, info) != header->width || png_get_image_height(png, info) != header->height)
        png_error(png, "it changed while it was read");
    size_t row_size = png_get_rowbytes(png, info), height = (size_t)header->height;
    bool has_alpha = png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA;
    if (row_size != (size_t)header->width * (size_t)(header->channels + has_alpha))
        png_error(png, "it changed while it was read");
    work->values = has_alpha ? malloc(row_size * height) : work->pixels;
    work->rows = malloc(height * sizeof *work->rows);
    if (!work->values || !work->rows) png_error(png, "memory ran out");
    for (size_t row = 0; row < height; row++) work->rows[row] = work->values + row * row_size;
    png_read_image(png, work->rows);
    png_read_end(png, NULL);
    if (has_alpha) put_on_white(work->values, (size_t)header->width * height, header->channels, work->pixels);
}

static bool decode_png(const uint8_t *bytes, size_t count, const cpc_header *header, uint8_t *pixels, char *message) {
    png_work work = {header, pixels, NULL, NULL};
    bool is_read = read_png(bytes, count, message, fill_png_pixels, &work);
    free(work.rows);
    if (work.values != pixels) free(work.values);
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
