#include "CDigits.h"

// Clang knows #embed in every C, and says that it came with C23.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char images[] = {
#embed "Resources/digits-images-idx3-ubyte.gz"
};

static const unsigned char labels[] = {
#embed "Resources/digits-labels-idx1-ubyte.gz"
};

cabs_embedded_file cabs_digit_images(void) { return (cabs_embedded_file){images, sizeof images}; }

cabs_embedded_file cabs_digit_labels(void) { return (cabs_embedded_file){labels, sizeof labels}; }
