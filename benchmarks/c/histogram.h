/* Latencies in nanoseconds, in buckets of at most 1.6 % width; constant memory whatever is recorded. */

#ifndef WS4PY_BENCH_HISTOGRAM_H
#define WS4PY_BENCH_HISTOGRAM_H

#include <stdint.h>

#define STEPS 64   /* buckets for each doubling */
#define OCTAVES 40 /* up to some hours */

struct histogram {
    uint64_t count;
    uint64_t buckets[STEPS * OCTAVES];
};

void record(struct histogram *histogram, uint64_t nanoseconds, uint64_t times);

/* The value below which this share (0 to 1) lies, in microseconds; 0 when nothing was recorded. */
double quantile(const struct histogram *histogram, double share);

#endif
