#include "CMPI.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define HANDLE int
#define NAMED(name) integer_##name
#include "Calls.h"
#undef HANDLE
#undef NAMED
#define HANDLE void *
#define NAMED(name) pointer_##name
#include "Calls.h"
#undef HANDLE
#undef NAMED

struct cmpi_library {
    int has_integers, thread_level;
    integer_functions integer;
    pointer_functions pointer;
    int integer_world, integer_byte;
    void *pointer_world, *pointer_byte;
};

// Global, because Open MPI loads parts of itself that look for its symbols among those of the process.
void *cmpi_open(const char *name) { return dlopen(name, RTLD_NOW | RTLD_GLOBAL); }

const char *cmpi_error(void) {
    const char *error = dlerror();
    return error ? error : "";
}

int cmpi_version(void *opened, char *text) {
    int (*version)(char *, int *) = (int (*)(char *, int *))dlsym(opened, "MPI_Get_library_version");
    int length = 0;
    text[0] = 0;
    return version ? version(text, &length) : -1;
}

cmpi_library *cmpi_bind(void *opened, cmpi_family family) {
    cmpi_library *library = calloc(1, sizeof *library);
    if (!library) return NULL;
    int found;
    switch (family) {
    case CMPI_MPICH:
        library->has_integers = 1;
        library->thread_level = CMPI_MPICH_THREAD_FUNNELED;
        library->integer_world = CMPI_MPICH_COMM_WORLD;
        library->integer_byte = CMPI_MPICH_BYTE;
        found = integer_find(opened, &library->integer);
        break;
    case CMPI_OPEN_MPI:
        library->thread_level = CMPI_OPEN_MPI_THREAD_FUNNELED;
        library->pointer_world = dlsym(opened, CMPI_OPEN_MPI_COMM_WORLD);
        library->pointer_byte = dlsym(opened, CMPI_OPEN_MPI_BYTE);
        found = library->pointer_world && library->pointer_byte && pointer_find(opened, &library->pointer);
        break;
    case CMPI_STANDARD:
        library->thread_level = CMPI_STANDARD_THREAD_FUNNELED;
        library->pointer_world = (void *)(uintptr_t)CMPI_STANDARD_COMM_WORLD;
        library->pointer_byte = (void *)(uintptr_t)CMPI_STANDARD_BYTE;
        found = pointer_find(opened, &library->pointer);
        break;
    default: found = 0;
    }
    if (found) return library;
    free(library);
    return NULL;
}

int cmpi_initialize(const cmpi_library *library, int *rank, int *count) {
    return library->has_integers
        ? integer_initialize(&library->integer, library->integer_world, library->thread_level, rank, count)
        : pointer_initialize(&library->pointer, library->pointer_world, library->thread_level, rank, count);
}

int cmpi_finalize(const cmpi_library *library) {
    return library->has_integers ? library->integer.Finalize() : library->pointer.Finalize();
}

int cmpi_abort(const cmpi_library *library, int code) {
    return library->has_integers ? library->integer.Abort(library->integer_world, code)
                                 : library->pointer.Abort(library->pointer_world, code);
}

int cmpi_gather(
    const cmpi_library *library, const void *own, int count, void *all, const int *counts, const int *offsets) {
    return library->has_integers
        ? library->integer.Allgatherv(
              own, count, library->integer_byte, all, counts, offsets, library->integer_byte, library->integer_world)
        : library->pointer.Allgatherv(
              own, count, library->pointer_byte, all, counts, offsets, library->pointer_byte, library->pointer_world);
}

int cmpi_exchange(
    const cmpi_library *library, const void *parts, const int *counts, const int *offsets, void *received,
    const int *received_counts, const int *received_offsets) {
    return library->has_integers
        ? library->integer.Alltoallv(
              parts, counts, offsets, library->integer_byte, received, received_counts, received_offsets,
              library->integer_byte, library->integer_world)
        : library->pointer.Alltoallv(
              parts, counts, offsets, library->pointer_byte, received, received_counts, received_offsets,
              library->pointer_byte, library->pointer_world);
}

int cmpi_broadcast(const cmpi_library *library, void *bytes, int count, int from) {
    return library->has_integers
        ? library->integer.Bcast(bytes, count, library->integer_byte, from, library->integer_world)
        : library->pointer.Bcast(bytes, count, library->pointer_byte, from, library->pointer_world);
}
