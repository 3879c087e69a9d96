/* Mixtures of two Gaussians over a window of integers (FORMAT.md section 6.3). */

#include "range_code.h"

#define HALF_RANGE 12288 /* 6 sigma in 1/2048 */
#define SCALES 304
#define PROBES 4

/* Parameters of all symbols of a pass and the shipped tables. */
typedef struct {
    const int32_t *mean[2];
    const uint16_t *scale[2];
    const int16_t *weight; /* of component 0, 0..256 */
    const int64_t *inverse, *reach; /* [304] */
    const uint32_t *normal;         /* [24577] */
} Mixture;

/* One symbol's law. Places are symbols less `low`, so 0 <= place <= width + 1. */
typedef struct {
    int64_t step[2], start[2]; /* z + HALF_RANGE = (place * step + start) >> 20 */
    uint64_t weight[2];        /* times the free part of 65536 */
    const uint32_t *normal;
    int64_t low, width, centre;
    int parts;
} Law;

static inline int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t greater(int64_t a, int64_t b) { return a > b ? a : b; }

static inline Law law_of(const Mixture *m, int64_t i) {
    Law law;
    int64_t weight = m->weight[i];
    int first = weight == 0 ? 1 : 0, second = weight == 256 ? 0 : 1;
    int64_t mean0 = m->mean[first][i], mean1 = m->mean[second][i];
    int64_t scale0 = lesser(m->scale[first][i], SCALES - 1);
    int64_t scale1 = lesser(m->scale[second][i], SCALES - 1);
    int64_t reach0 = m->reach[scale0], reach1 = m->reach[scale1];
    int64_t centre = (weight * mean0 + (256 - weight) * mean1) >> 16;
    int64_t low = lesser(mean0 - reach0, mean1 - reach1) >> 8;
    int64_t high = -(-greater(mean0 + reach0, mean1 + reach1) >> 8);
    low = greater(low, centre - 1023);
    high = lesser(high, centre + 1024);
    uint64_t free_part = (uint64_t)(TOTAL - (high - low + 1));
    int64_t inverse0 = m->inverse[scale0], inverse1 = m->inverse[scale1];
    int64_t place = low * 256 - 128;
    law.step[0] = inverse0 * 256;
    law.step[1] = inverse1 * 256;
    law.start[0] = (place - mean0) * inverse0 + ((int64_t)HALF_RANGE << 20);
    law.start[1] = (place - mean1) * inverse1 + ((int64_t)HALF_RANGE << 20);
    law.weight[0] = (uint64_t)weight * free_part;
    law.weight[1] = (uint64_t)(256 - weight) * free_part;
    law.parts = first == second ? 1 : 2;
    if (law.parts == 1) law.weight[0] = 256 * free_part;
    law.normal = m->normal;
    law.low = low;
    law.width = high - low;
    law.centre = centre - low;
    return law;
}

static inline uint64_t part_of(const Law *law, int k, int64_t place) {
    int64_t z = (place * law->step[k] + law->start[k]) >> 20;
    z = z < 0 ? 0 : z;
    z = z > 2 * HALF_RANGE ? 2 * HALF_RANGE : z;
    return law->weight[k] * law->normal[z];
}

/* c(place); `parts` is a constant where this is inlined. */
static inline uint32_t cumulative(const Law *law, int parts, int64_t place) {
    uint64_t mass = part_of(law, 0, place);
    if (parts == 2) mass += part_of(law, 1, place);
    uint32_t value = (uint32_t)(mass >> 32) + (uint32_t)place;
    value = place <= 0 ? 0 : value;
    return place > law->width ? TOTAL : value;
}

/* A symbol's place between two boundaries. */
typedef struct {
    int64_t below, above;
    uint32_t low, high;
} Bracket;

static inline Bracket bisect(const Law *law, int parts, Bracket b, uint64_t span, uint32_t offset) {
    while (b.above - b.below > 1) {
        int64_t middle = (b.below + b.above) >> 1;
        uint32_t value = cumulative(law, parts, middle);
        if (fits(span, value, offset)) b.below = middle, b.low = value;
        else b.above = middle, b.high = value;
    }
    return b;
}

/* Four probes around the centre, which depend on the law only, settle most symbols. */
static inline Bracket search(const Law *law, int parts, uint64_t span, uint32_t offset) {
    int64_t stride = law->width < 40 ? 1 : law->width >> 4;
    int64_t first = law->centre - stride;
    uint32_t c[PROBES];
    int inside = 0;
    for (int k = 0; k < PROBES; k++) {
        c[k] = cumulative(law, parts, first + k * stride);
        inside += fits(span, c[k], offset);
    }
    Bracket b = {0, law->width + 1, 0, TOTAL};
    if (inside > 0) b.below = first + (inside - 1) * stride, b.low = c[inside - 1];
    if (inside < PROBES) b.above = first + inside * stride, b.high = c[inside];
    b.below = b.below < 0 ? 0 : b.below;
    b.above = b.above > law->width + 1 ? law->width + 1 : b.above;
    return bisect(law, parts, b, span, offset);
}

/* edges [count]: -1 where the symbol is the lowest of its window, 1 where the highest, else 0. */
PCGS_API void pcgs_decode_mixture(const Lanes *lanes, int64_t begin, int64_t end,
                                  const Mixture *mixture, int32_t *symbols, int8_t *edges) {
    for (int64_t lane = begin; lane < end; lane++) {
        Reader r = resume_lane(lanes, lane);
        for (int64_t i = lanes->bounds[lane]; i < lanes->bounds[lane + 1]; i++) {
            Law law = law_of(mixture, i);
            uint64_t span = span_of(&r);
            Bracket b = law.parts == 1 ? search(&law, 1, span, r.offset)
                                       : search(&law, 2, span, r.offset);
            symbols[i] = (int32_t)(law.low + b.below);
            edges[i] = (int8_t)((b.below == law.width) - (b.below == 0));
            take(&r, span, b.low, b.high);
        }
        keep_lane(&r, lanes, lane);
    }
}

/* Intervals of symbols begin..end-1, clamped to their windows: value below, and value above less
 * 1; beyond: distance past the window's end for symbols at or past it, else -1. */
PCGS_API void pcgs_intervals_mixture(const Mixture *mixture, int64_t begin, int64_t end,
                                     const int32_t *symbols, uint16_t *low, uint16_t *last,
                                     int32_t *beyond) {
    for (int64_t i = begin; i < end; i++) {
        Law law = law_of(mixture, i);
        int64_t place = symbols[i] - law.low;
        beyond[i] = (int32_t)greater(greater(-place, place - law.width), -1);
        place = greater(0, lesser(place, law.width));
        low[i] = (uint16_t)cumulative(&law, law.parts, place);
        last[i] = (uint16_t)(cumulative(&law, law.parts, place + 1) - 1);
    }
}
