/* Hash features of anchor positions in integers (FORMAT.md section 8.1). */

#include "range_code.h"

#define FEATURES 8 /* most features of a level */

/* One resolution of the grid. */
typedef struct {
    int64_t axes[3];
    int64_t dimensions; /* 2 or 3 */
    int64_t resolution, start, entries;
    int64_t dense;
} GridLevel;

/* The box in 1/256 lattice cells, the signs, the levels. */
typedef struct {
    int64_t low[3], size[3];
    const int8_t *signs; /* [rows, width] */
    int64_t width, count;
    const GridLevel *levels; /* [count] */
} Grid;

static inline int64_t floor_div(int64_t a, int64_t b) { /* b > 0 */
    int64_t quotient = a / b;
    return quotient - (a % b < 0);
}

/* What lies on both sides of a point on one axis: weights and parts of the row. */
typedef struct {
    int32_t weight[2];
    uint32_t key[2];
} Sides;

static inline Sides sides_of(const GridLevel *level, int k, int64_t place) {
    static const uint32_t primes[3] = {1u, 2654435761u, 805459861u};
    uint32_t r = (uint32_t)level->resolution, cell = (uint32_t)(place >> 8);
    uint32_t factor = primes[k];
    if (level->dense) factor = k == 0 ? 1 : k == 1 ? r : r * r;
    int32_t upper = (int32_t)(place & 255);
    Sides s;
    /* Vertices on the border have weight 0; 0 <= cell <= r - 2, so both rows exist. */
    s.weight[0] = cell > 0 ? 256 - upper : 0;
    s.weight[1] = cell + 1 < r - 1 ? upper : 0;
    s.key[0] = cell * factor;
    s.key[1] = s.key[0] + factor;
    return s;
}

static inline int64_t row_of(const GridLevel *level, int dimensions, const Sides *s, int corner) {
    uint32_t x = s[0].key[corner & 1], y = s[1].key[corner >> 1 & 1];
    uint32_t z = dimensions == 3 ? s[2].key[corner >> 2 & 1] : 0;
    /* Hashed levels have a power of two of entries. */
    return level->start + (level->dense ? x + y + z : (x ^ y ^ z) & (uint32_t)(level->entries - 1));
}

/* The point relative to the box, 0..size on each axis; reciprocal 1 / max(size, 1). */
static inline void level_features(const Grid *grid, const GridLevel *level, int dimensions,
                                  int64_t width, const int64_t *point, const double *reciprocal,
                                  int16_t *out) {
    Sides sides[3];
    int32_t total[FEATURES] = {0}, sum = 0; /* at most 2^24 */
    if (width > FEATURES) width = FEATURES;
    for (int k = 0; k < dimensions; k++) {
        int64_t axis = level->axes[k], size = grid->size[axis] > 0 ? grid->size[axis] : 1;
        int64_t scaled = point[axis] * (level->resolution - 2) * 256;
        /* The quotient is below 2^24, so the estimate is off by one at most. */
        int64_t place = (int64_t)((double)scaled * reciprocal[axis]);
        int64_t rest = scaled - place * size;
        sides[k] = sides_of(level, k, place + (rest >= size) - (rest < 0) + 128);
    }
    for (int corner = 0; corner < 1 << dimensions; corner++) {
        int32_t weight = sides[0].weight[corner & 1] * sides[1].weight[corner >> 1 & 1];
        if (dimensions == 3) weight *= sides[2].weight[corner >> 2 & 1];
        const int8_t *signs = grid->signs + row_of(level, dimensions, sides, corner) * width;
        for (int64_t f = 0; f < width; f++) total[f] += weight * signs[f];
        sum += weight;
    }
    int64_t whole = (int64_t)1 << 8 * dimensions;
    for (int64_t f = 0; f < width; f++) {
        int64_t units = (int64_t)total[f] * 1024 + sum;
        if (sum == whole) out[f] = (int16_t)(units >> (dimensions * 8 + 1));
        else out[f] = (int16_t)(sum ? floor_div(units, 2 * (int64_t)sum) : 0);
    }
}

/* Features of anchors begin..end-1: lattice [N, 3], out [N, count * width]. */
PCGS_API void pcgs_hash_features(const Grid *grid, const int32_t *lattice, int64_t begin,
                                 int64_t end, int16_t *out) {
    double reciprocal[3];
    for (int axis = 0; axis < 3; axis++)
        reciprocal[axis] = 1.0 / (double)(grid->size[axis] > 0 ? grid->size[axis] : 1);
    for (int64_t i = begin; i < end; i++) {
        int64_t point[3];
        int inside = 1;
        for (int axis = 0; axis < 3; axis++) {
            point[axis] = (int64_t)lattice[3 * i + axis] * 256 - grid->low[axis];
            inside &= point[axis] >= 0 && point[axis] <= grid->size[axis];
        }
        int16_t *row = out + i * grid->count * grid->width;
        for (int64_t k = 0; k < grid->count * grid->width; k++) row[k] = 0;
        for (int64_t k = 0; inside && k < grid->count; k++) {
            const GridLevel *level = grid->levels + k;
            int16_t *own = row + k * grid->width;
            /* Constants in the usual cases let the compiler unroll. */
            if (grid->width != 4)
                level_features(grid, level, (int)level->dimensions, grid->width, point, reciprocal, own);
            else if (level->dimensions == 3)
                level_features(grid, level, 3, 4, point, reciprocal, own);
            else
                level_features(grid, level, 2, 4, point, reciprocal, own);
        }
    }
}
