// The calls for one type of handles: included with HANDLE, the type, and NAMED(name), which makes a name of its own for it.

#define POINTER(name, arguments) int (*name) arguments;
typedef struct { CMPI_FUNCTIONS(POINTER, HANDLE, HANDLE) } NAMED(functions);
#undef POINTER

static int NAMED(find)(void *opened, NAMED(functions) *functions) {
#define FIND(name, arguments) \
    if (!(functions->name = (int(*) arguments)dlsym(opened, "MPI_" #name))) return 0;
    CMPI_FUNCTIONS(FIND, HANDLE, HANDLE)
#undef FIND
    return 1;
}

static int NAMED(initialize)(
    const NAMED(functions) *functions, HANDLE world, int thread_level, int *rank, int *count) {
    int provided, error;
    if ((error = functions->Init_thread(NULL, NULL, thread_level, &provided))) return error;
    if ((error = functions->Comm_rank(world, rank))) return error;
    return functions->Comm_size(world, count);
}
