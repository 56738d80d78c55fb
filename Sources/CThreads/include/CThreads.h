// What threads need of the system that Swift does not reach.

#ifndef CTHREADS_H
#define CTHREADS_H

// The number of processors that the calling thread may run on; zero where the system does not tell. The first of their own numbers are written
// down, as many as there is room for.
int cthreads_affinity(int *processors, int capacity);

// A point that a number of threads must all reach before any goes on.
//
// A step has such points every few microseconds, so a waiting thread spins before it sleeps: as long as spinning has been worth it. Where
// the threads have no core each, the one that spins keeps the others from coming; then it soon sleeps at once.

typedef struct cthreads_barrier cthreads_barrier;

// A barrier for so many threads, at least one; null where there is no memory.
cthreads_barrier *cthreads_barrier_create(unsigned count);

// No thread may be waiting any more.
void cthreads_barrier_destroy(cthreads_barrier *barrier);

// Returns when all threads have come. What they wrote before is seen by all after.
void cthreads_barrier_wait(cthreads_barrier *barrier);

#endif
