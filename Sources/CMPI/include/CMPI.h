// The few functions of MPI that move bytes, of a library that is found at run time.

#ifndef CMPI_H
#define CMPI_H

// What is assumed of every library: the functions with their arguments, for its types of communicators C and of datatypes D. A test
// compiles this against the headers of the libraries that there are.
#define CMPI_FUNCTIONS(FUNCTION, C, D) \
    FUNCTION(Init_thread, (int *, char ***, int, int *)) \
    FUNCTION(Finalize, (void)) \
    FUNCTION(Abort, (C, int)) \
    FUNCTION(Comm_rank, (C, int *)) \
    FUNCTION(Comm_size, (C, int *)) \
    FUNCTION(Allgatherv, (const void *, int, D, void *, const int *, const int *, D, C)) \
    FUNCTION(Alltoallv, (const void *, const int *, const int *, D, void *, const int *, const int *, D, C)) \
    FUNCTION(Bcast, (void *, int, D, int, C))

// MPICH and what has its binary interface: Intel MPI, MVAPICH, Cray MPICH. Handles are integers.
#define CMPI_MPICH_COMM_WORLD 0x44000000
#define CMPI_MPICH_BYTE 0x4c00010d
#define CMPI_MPICH_THREAD_FUNNELED 1

// Open MPI: handles are the addresses of these symbols.
#define CMPI_OPEN_MPI_COMM_WORLD "ompi_mpi_comm_world"
#define CMPI_OPEN_MPI_BYTE "ompi_mpi_byte"
#define CMPI_OPEN_MPI_THREAD_FUNNELED 1

// The binary interface of the standard itself, since MPI 5.0: handles are pointers with these values.
#define CMPI_STANDARD_COMM_WORLD 0x101
#define CMPI_STANDARD_BYTE 0x247
#define CMPI_STANDARD_THREAD_FUNNELED 1024

typedef enum { CMPI_OPEN_MPI, CMPI_MPICH, CMPI_STANDARD } cmpi_family;

// A library, and what it needs to be told in every call.
typedef struct cmpi_library cmpi_library;

// Opens a library by its file's path or name; null where there is none, `cmpi_error` says why.
void *cmpi_open(const char *name);
const char *cmpi_error(void);

// What a library calls itself, MPI_Get_library_version, which may be asked before anything else; zero on success. There is room for 8,192
// bytes.
int cmpi_version(void *opened, char *text);

// The functions of an opened library; null where it lacks one, or there is no memory.
cmpi_library *cmpi_bind(void *opened, cmpi_family family);

// All of these are to be called from one thread, and return MPI's error codes, zero on success.

int cmpi_initialize(const cmpi_library *library, int *rank, int *count);
int cmpi_finalize(const cmpi_library *library);
int cmpi_abort(const cmpi_library *library, int code);
// From every rank `count` bytes to all; `counts` and `offsets` are those of all ranks' parts.
int cmpi_gather(
    const cmpi_library *library, const void *own, int count, void *all, const int *counts, const int *offsets);
// To every rank a part, and from every rank one.
int cmpi_exchange(
    const cmpi_library *library, const void *parts, const int *counts, const int *offsets, void *received,
    const int *received_counts, const int *received_offsets);
int cmpi_broadcast(const cmpi_library *library, void *bytes, int count, int from);

#endif
