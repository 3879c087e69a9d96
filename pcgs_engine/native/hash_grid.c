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

static inline int64_t row_of(const GridLevel *level, const int64_t *vertex) {
    int64_t r = level->resolution;
    if (level->dense) {
        int64_t plane = vertex[0] + vertex[1] * r;
        return level->start + (level->dimensions == 3 ? plane + vertex[2] * r * r : plane);
    }
    uint32_t key = (uint32_t)vertex[0] ^ (uint32_t)vertex[1] * 2654435761u;
    if (level->dimensions == 3) key ^= (uint32_t)vertex[2] * 805459861u;
    /* Hashed levels have a power of two of entries. */
    return level->start + (int64_t)(key & (uint32_t)(level->entries - 1));
}

/* The point relative to the box, 0..size on each axis; reciprocal 1 / max(size, 1). */
static void level_features(const Grid *grid, const GridLevel *level, const int64_t *point,
                           const double *reciprocal, int16_t *out) {
    int64_t cell[3], part[3][2], total[FEATURES] = {0}, sum = 0;
    int dimensions = (int)level->dimensions, corners = 1 << dimensions;
    for (int k = 0; k < dimensions; k++) {
        int64_t axis = level->axes[k], size = grid->size[axis] > 0 ? grid->size[axis] : 1;
        int64_t scaled = point[axis] * (level->resolution - 2) * 256;
        /* The quotient is below 2^24, so the estimate is off by one at most. */
        int64_t place = (int64_t)((double)scaled * reciprocal[axis]);
        int64_t rest = scaled - place * size;
        place += (rest >= size) - (rest < 0) + 128;
        cell[k] = place >> 8;
        part[k][1] = place & 255;
        part[k][0] = 256 - part[k][1];
    }
    for (int corner = 0; corner < corners; corner++) {
        int64_t vertex[3], weight = 1;
        int inside = 1;
        for (int k = 0; k < dimensions; k++) {
            int upper = corner >> k & 1;
            vertex[k] = cell[k] + upper;
            weight *= part[k][upper];
            inside &= vertex[k] > 0 && vertex[k] < level->resolution - 1;
        }
        if (!inside) continue;
        const int8_t *signs = grid->signs + row_of(level, vertex) * grid->width;
        for (int64_t f = 0; f < grid->width; f++) total[f] += weight * signs[f];
        sum += weight;
    }
    int64_t whole = dimensions == 3 ? (int64_t)1 << 24 : (int64_t)1 << 16;
    for (int64_t f = 0; f < grid->width; f++) {
        if (sum == whole) out[f] = (int16_t)((total[f] * 1024 + sum) >> (dimensions * 8 + 1));
        else out[f] = (int16_t)(sum ? floor_div(total[f] * 1024 + sum, 2 * sum) : 0);
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
        for (int64_t level = 0; inside && level < grid->count; level++)
            level_features(grid, grid->levels + level, point, reciprocal, row + level * grid->width);
    }
}
