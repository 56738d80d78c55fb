// That the constants and signatures of Sources/CMPI are those of an MPI's header: compiled with each MPI's mpicc by scripts/test-mpi, and
// run where addresses are to be compared.

#include "CMPI.h"

#include <dlfcn.h>
#include <mpi.h>
#include <stdio.h>

#define SAME(name, arguments) static int(*assumed_##name) arguments = MPI_##name;
CMPI_FUNCTIONS(SAME, MPI_Comm, MPI_Datatype)

static int(*assumed_Get_library_version)(char *, int *) = MPI_Get_library_version;

int main(void) {
    (void)assumed_Get_library_version;
#define USED(name, arguments) (void)assumed_##name;
    CMPI_FUNCTIONS(USED, , )
#if defined(OPEN_MPI)
    _Static_assert(MPI_THREAD_FUNNELED == CMPI_OPEN_MPI_THREAD_FUNNELED, "thread level");
    _Static_assert(MPI_MAX_LIBRARY_VERSION_STRING <= 8192, "length of a version");
    if ((void *)MPI_COMM_WORLD != dlsym(RTLD_DEFAULT, CMPI_OPEN_MPI_COMM_WORLD)) return puts("MPI_COMM_WORLD differs"), 1;
    if ((void *)MPI_BYTE != dlsym(RTLD_DEFAULT, CMPI_OPEN_MPI_BYTE)) return puts("MPI_BYTE differs"), 1;
#elif defined(MPICH_VERSION)
    _Static_assert(MPI_THREAD_FUNNELED == CMPI_MPICH_THREAD_FUNNELED, "thread level");
    _Static_assert(MPI_MAX_LIBRARY_VERSION_STRING <= 8192, "length of a version");
    _Static_assert(sizeof(MPI_Comm) == sizeof(int) && sizeof(MPI_Datatype) == sizeof(int), "handles");
    if ((int)MPI_COMM_WORLD != CMPI_MPICH_COMM_WORLD) return puts("MPI_COMM_WORLD differs"), 1;
    if ((int)MPI_BYTE != CMPI_MPICH_BYTE) return puts("MPI_BYTE differs"), 1;
#elif defined(MPI_ABI_VERSION)
    _Static_assert(MPI_THREAD_FUNNELED == CMPI_STANDARD_THREAD_FUNNELED, "thread level");
    if ((long)MPI_COMM_WORLD != CMPI_STANDARD_COMM_WORLD) return puts("MPI_COMM_WORLD differs"), 1;
    if ((long)MPI_BYTE != CMPI_STANDARD_BYTE) return puts("MPI_BYTE differs"), 1;
#else
#error "an MPI that is not known"
#endif
    return 0;
}
