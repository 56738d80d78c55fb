// oneDNN's C API, for versions 2 and 3 alike.
//
// The two versions differ in what a memory descriptor is (a struct; an opaque handle) and in how
// primitive descriptors are made (from an operation descriptor; directly). Both differences end here:
// the functions below take and return `cdnn_layout`, an opaque handle that its owner destroys.

#ifndef CDNN_SHIM_H
#define CDNN_SHIM_H

#include <dnnl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// oneDNN plans and runs a primitive for as many threads as OpenMP would give the calling thread.
extern void omp_set_num_threads(int count);
extern int omp_get_max_threads(void);

typedef struct cdnn_layout_handle *cdnn_layout;

// Sliding-window geometry of a convolution, in the order height, width.
typedef struct {
    int64_t kernel[2];
    int64_t strides[2];
    int64_t padding_low[2];
    int64_t padding_high[2];
} cdnn_window;

#if DNNL_VERSION_MAJOR >= 3
#define CDNN_DESC(layout) ((dnnl_memory_desc_t)(layout))
#else
#define CDNN_DESC(layout) ((dnnl_memory_desc_t *)(layout))
#endif

static inline const int64_t *cdnn_no_dilation(void) {
    static const int64_t zeros[2] = {0, 0};
    return zeros;
}

// MARK: Layouts

static inline dnnl_status_t cdnn_layout_create(
    cdnn_layout *layout, int rank, const int64_t *dims, dnnl_format_tag_t tag) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_memory_desc_create_with_tag(
        (dnnl_memory_desc_t *)layout, rank, dims, dnnl_f32, tag);
#else
    dnnl_memory_desc_t *desc = (dnnl_memory_desc_t *)malloc(sizeof(dnnl_memory_desc_t));
    if (!desc) return dnnl_out_of_memory;
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(desc, rank, dims, dnnl_f32, tag);
    if (status != dnnl_success) { free(desc); return status; }
    *layout = (cdnn_layout)desc;
    return dnnl_success;
#endif
}

// A layout by the distances between values along each dimension.
static inline dnnl_status_t cdnn_layout_create_with_strides(
    cdnn_layout *layout, int rank, const int64_t *dims, const int64_t *strides) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_memory_desc_create_with_strides(
        (dnnl_memory_desc_t *)layout, rank, dims, dnnl_f32, strides);
#else
    dnnl_memory_desc_t *desc = (dnnl_memory_desc_t *)malloc(sizeof(dnnl_memory_desc_t));
    if (!desc) return dnnl_out_of_memory;
    dnnl_status_t status = dnnl_memory_desc_init_by_strides(desc, rank, dims, dnnl_f32, strides);
    if (status != dnnl_success) { free(desc); return status; }
    *layout = (cdnn_layout)desc;
    return dnnl_success;
#endif
}

// One of the layouts that a primitive descriptor settled on; an empty one where it has none.
static inline dnnl_status_t cdnn_layout_query(
    cdnn_layout *layout, const_dnnl_primitive_desc_t primitive, dnnl_query_t what) {
#if DNNL_VERSION_MAJOR >= 3
    const_dnnl_memory_desc_t found = dnnl_primitive_desc_query_md(primitive, what, 0);
    return dnnl_memory_desc_clone((dnnl_memory_desc_t *)layout, found);
#else
    const dnnl_memory_desc_t *found = dnnl_primitive_desc_query_md(primitive, what, 0);
    if (!found) return dnnl_invalid_arguments;
    dnnl_memory_desc_t *desc = (dnnl_memory_desc_t *)malloc(sizeof(dnnl_memory_desc_t));
    if (!desc) return dnnl_out_of_memory;
    *desc = *found;
    *layout = (cdnn_layout)desc;
    return dnnl_success;
#endif
}

static inline void cdnn_layout_destroy(cdnn_layout layout) {
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_destroy(CDNN_DESC(layout));
#else
    free(layout);
#endif
}

static inline size_t cdnn_layout_size(cdnn_layout layout) {
    return dnnl_memory_desc_get_size(CDNN_DESC(layout));
}

static inline bool cdnn_layout_equal(cdnn_layout a, cdnn_layout b) {
    return dnnl_memory_desc_equal(CDNN_DESC(a), CDNN_DESC(b)) != 0;
}

static inline dnnl_status_t cdnn_memory_create(
    dnnl_memory_t *memory, cdnn_layout layout, dnnl_engine_t engine, void *data) {
    return dnnl_memory_create(memory, CDNN_DESC(layout), engine, data);
}

// MARK: Primitive descriptors

// The name of the implementation that oneDNN chose.
static inline const char *cdnn_implementation(const_dnnl_primitive_desc_t primitive) {
    const char *name = NULL;
    dnnl_status_t status = dnnl_primitive_desc_query(primitive, dnnl_query_impl_info_str, 0, &name);
    return status == dnnl_success && name ? name : "";
}

// Returns the status of `expression`, which makes a primitive descriptor with `attributes`: scratch memory is
// always the caller's.
#define CDNN_RETURN_WITH_ATTRIBUTES(expression)                                                   \
    dnnl_primitive_attr_t attributes = NULL;                                                      \
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);                               \
    if (status != dnnl_success) return status;                                                    \
    status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);      \
    if (status == dnnl_success) status = (expression);                                            \
    dnnl_primitive_attr_destroy(attributes);                                                      \
    return status

#if DNNL_VERSION_MAJOR < 3
// The same from an operation descriptor that `initialized` has just filled in.
#define CDNN_RETURN_FROM_OPERATION(initialized, hint)                                             \
    dnnl_status_t filled = (initialized);                                                         \
    if (filled != dnnl_success) return filled;                                                    \
    CDNN_RETURN_WITH_ATTRIBUTES(                                                                  \
        dnnl_primitive_desc_create(result, &operation, attributes, engine, hint))
#endif

static inline dnnl_status_t cdnn_convolution_forward(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, cdnn_layout source, cdnn_layout weights,
    cdnn_layout bias, cdnn_layout destination, const cdnn_window *window) {
#if DNNL_VERSION_MAJOR >= 3
    CDNN_RETURN_WITH_ATTRIBUTES(dnnl_convolution_forward_primitive_desc_create(
        result, engine, dnnl_forward_training, dnnl_convolution_direct, CDNN_DESC(source),
        CDNN_DESC(weights), CDNN_DESC(bias), CDNN_DESC(destination), window->strides,
        cdnn_no_dilation(), window->padding_low, window->padding_high, attributes));
#else
    dnnl_convolution_desc_t operation;
    CDNN_RETURN_FROM_OPERATION(
        dnnl_dilated_convolution_forward_desc_init(
            &operation, dnnl_forward_training, dnnl_convolution_direct, CDNN_DESC(source),
            CDNN_DESC(weights), CDNN_DESC(bias), CDNN_DESC(destination), window->strides,
            cdnn_no_dilation(), window->padding_low, window->padding_high),
        NULL);
#endif
}

static inline dnnl_status_t cdnn_convolution_backward_data(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, cdnn_layout source_gradient,
    cdnn_layout weights, cdnn_layout destination_gradient, const cdnn_window *window,
    const_dnnl_primitive_desc_t forward) {
#if DNNL_VERSION_MAJOR >= 3
    CDNN_RETURN_WITH_ATTRIBUTES(dnnl_convolution_backward_data_primitive_desc_create(
        result, engine, dnnl_convolution_direct, CDNN_DESC(source_gradient), CDNN_DESC(weights),
        CDNN_DESC(destination_gradient), window->strides, cdnn_no_dilation(), window->padding_low,
        window->padding_high, forward, attributes));
#else
    dnnl_convolution_desc_t operation;
    CDNN_RETURN_FROM_OPERATION(
        dnnl_dilated_convolution_backward_data_desc_init(
            &operation, dnnl_convolution_direct, CDNN_DESC(source_gradient), CDNN_DESC(weights),
            CDNN_DESC(destination_gradient), window->strides, cdnn_no_dilation(),
            window->padding_low, window->padding_high),
        forward);
#endif
}

static inline dnnl_status_t cdnn_convolution_backward_weights(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, cdnn_layout source,
    cdnn_layout weights_gradient, cdnn_layout bias_gradient, cdnn_layout destination_gradient,
    const cdnn_window *window, const_dnnl_primitive_desc_t forward) {
#if DNNL_VERSION_MAJOR >= 3
    CDNN_RETURN_WITH_ATTRIBUTES(dnnl_convolution_backward_weights_primitive_desc_create(
        result, engine, dnnl_convolution_direct, CDNN_DESC(source), CDNN_DESC(weights_gradient),
        CDNN_DESC(bias_gradient), CDNN_DESC(destination_gradient), window->strides,
        cdnn_no_dilation(), window->padding_low, window->padding_high, forward, attributes));
#else
    dnnl_convolution_desc_t operation;
    CDNN_RETURN_FROM_OPERATION(
        dnnl_dilated_convolution_backward_weights_desc_init(
            &operation, dnnl_convolution_direct, CDNN_DESC(source), CDNN_DESC(weights_gradient),
            CDNN_DESC(bias_gradient), CDNN_DESC(destination_gradient), window->strides,
            cdnn_no_dilation(), window->padding_low, window->padding_high),
        forward);
#endif
}

static inline dnnl_status_t cdnn_reorder(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, cdnn_layout source,
    cdnn_layout destination) {
    CDNN_RETURN_WITH_ATTRIBUTES(dnnl_reorder_primitive_desc_create(
        result, CDNN_DESC(source), engine, CDNN_DESC(destination), engine, attributes));
}

#endif
