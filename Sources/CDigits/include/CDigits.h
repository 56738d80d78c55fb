/// The files of the digits that come with the package, as they are in Resources. They are embedded by the C compiler, since a Swift array
/// literal of 44,000 numbers takes it ten seconds where this takes none.
#pragma once

#include <stddef.h>

/// A file in memory that lasts as long as the program.
typedef struct {
    const void *_Nonnull bytes;
    size_t count;
} cabs_embedded_file;

/// The images, in MNIST's format, compressed by gzip.
cabs_embedded_file cabs_digit_images(void);

/// The labels, in MNIST's format, compressed by gzip.
cabs_embedded_file cabs_digit_labels(void);
