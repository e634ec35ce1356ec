/* Estimates, quantiles, minimum mutator utilisation. */
#include "kernel/lab/bench.h"

#include <math.h>
#include <stdlib.h>

/* Student's t for 95 %, two-sided, by degrees of freedom; beyond, the normal's. */
static double student(unsigned freedom)
{
    static const double t[] = {0,     12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                               2.262, 2.228,  2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110,
                               2.101, 2.093,  2.086};
    return freedom < sizeof t / sizeof *t ? t[freedom] : 1.96;
}

Estimate estimate(const double *values, unsigned count)
{
    double sum = 0, squares = 0;
    for (unsigned i = 0; i < count; i++)
        sum += values[i];
    double mean = count ? sum / count : 0;
    for (unsigned i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    if (count < 2)
        return (Estimate){mean, 0};
    return (Estimate){mean, student(count - 1) * sqrt(squares / (count - 1) / count)};
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double quantile(double *values, size_t count, double share)
{
    if (!count)
        return 0;
    qsort(values, count, sizeof *values, compare_doubles);
    size_t rank = (size_t)ceil(share * (double)count);
    return values[rank ? rank - 1 : 0];
}

static uint64_t overlap(const MeasuredPause *pause, uint64_t start, uint64_t end)
{
    uint64_t from = pause->at > start ? pause->at : start;
    uint64_t to = pause->at + pause->time < end ? pause->at + pause->time : end;
    return to > from ? to - from : 0;
}

/* A worst window begins with a pause or ends with one. */
double least_utilisation(const MeasuredPause *pauses, size_t count, uint64_t total, uint64_t window)
{
    uint64_t worst = 0;
    if (window > total)
        window = total ? total : 1;
    for (size_t i = 0, first = 0; i < count; i++) {
        uint64_t inside = 0, start = pauses[i].at;
        for (size_t j = i; j < count && pauses[j].at < start + window; j++)
            inside += overlap(&pauses[j], start, start + window);
        if (inside > worst)
            worst = inside;
        uint64_t end = pauses[i].at + pauses[i].time;
        uint64_t begin = end > window ? end - window : 0;
        inside = 0;
        while (pauses[first].at + pauses[first].time <= begin && first < i)
            first++;
        for (size_t j = first; j <= i; j++)
            inside += overlap(&pauses[j], begin, end);
        if (inside > worst)
            worst = inside;
    }
    return worst >= window ? 0 : 1 - (double)worst / (double)window;
}
