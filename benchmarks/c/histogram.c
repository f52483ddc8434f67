#include "histogram.h"

static unsigned bucket_of(uint64_t value)
{
    if (value < STEPS)
        return (unsigned)value;
    unsigned octave = (unsigned)(63 - __builtin_clzll(value)) - 5; /* 64 = 2^6 begins octave 1 */
    unsigned bucket = octave * STEPS + (unsigned)((value >> (octave - 1)) - STEPS);
    return bucket < STEPS * OCTAVES ? bucket : STEPS * OCTAVES - 1;
}

static double middle_of(unsigned bucket)
{
    if (bucket < STEPS)
        return bucket;
    unsigned octave = bucket / STEPS;
    return ((double)(bucket % STEPS + STEPS) + 0.5) * (double)(1ull << (octave - 1));
}

void record(struct histogram *histogram, uint64_t nanoseconds, uint64_t times)
{
    histogram->buckets[bucket_of(nanoseconds)] += times;
    histogram->count += times;
}

double quantile(const struct histogram *histogram, double share)
{
    uint64_t seen = 0, wanted = (uint64_t)(share * (double)histogram->count);
    if (!histogram->count)
        return 0;
    for (unsigned i = 0; i < STEPS * OCTAVES; i++) {
        seen += histogram->buckets[i];
        if (seen > wanted)
            return middle_of(i) / 1000;
    }
    return 0;
}
