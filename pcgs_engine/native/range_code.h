/* State of the range code of one lane (FORMAT.md section 5.1), shared by the files that decode.
 * Plain C99, no allocation, no global state, no libc calls. Every read is bounded. */

#ifndef PCGS_RANGE_CODE_H
#define PCGS_RANGE_CODE_H

#include <stdint.h>

#if defined(_WIN32)
#define PCGS_API __declspec(dllexport)
#else
#define PCGS_API __attribute__((visibility("default")))
#endif

#define TOTAL 65536

/* Lanes between two passes; arrays of the caller, one entry a lane. A thread owns some lanes. */
typedef struct {
    const uint8_t *data;
    const int64_t *starts;  /* [lanes + 1] bytes in data */
    uint32_t *low, *high, *offset;
    int64_t *position;      /* bits read, 32 at the start */
    const int64_t *bounds;  /* [lanes + 1] symbols of this pass */
} Lanes;

typedef struct {
    const uint8_t *data, *end;
    uint64_t cache; /* the top `filled` bits are valid; zeros follow the end */
    int64_t position;
    int filled;
    uint32_t low, high, offset;
} Reader;

static inline int leading_zeros(uint32_t x) { return x ? __builtin_clz(x) : 32; }

static inline void refill(Reader *r) { /* afterwards 56 bits or more are valid */
    if (r->end - r->data >= 8) {
        uint64_t word;
        __builtin_memcpy(&word, r->data, 8);
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        r->cache |= word >> r->filled;
        r->data += (63 - r->filled) >> 3;
        r->filled |= 56;
        return;
    }
    while (r->filled < 56) {
        if (r->data < r->end) r->cache |= (uint64_t)*r->data++ << (56 - r->filled);
        r->filled += 8;
    }
}

static inline Reader resume_lane(const Lanes *lanes, int64_t lane) {
    Reader r;
    const uint8_t *begin = lanes->data + lanes->starts[lane];
    int64_t size = lanes->starts[lane + 1] - lanes->starts[lane];
    r.position = lanes->position[lane];
    r.end = begin + size;
    r.data = r.position >> 3 < size ? begin + (r.position >> 3) : r.end;
    r.cache = 0;
    r.filled = 0;
    refill(&r);
    r.cache <<= r.position & 7;
    r.filled -= (int)(r.position & 7);
    r.low = lanes->low[lane];
    r.high = lanes->high[lane];
    r.offset = lanes->offset[lane];
    return r;
}

static inline void keep_lane(const Reader *r, const Lanes *lanes, int64_t lane) {
    lanes->position[lane] = r->position;
    lanes->low[lane] = r->low;
    lanes->high[lane] = r->high;
    lanes->offset[lane] = r->offset;
}

static inline uint64_t span_of(const Reader *r) { return (uint64_t)r->high - r->low + 1; }

/* Whether the symbol is at or above the one that starts at c. */
static inline int fits(uint64_t span, uint32_t c, uint32_t offset) {
    return (span * (uint64_t)c) >> 16 <= (uint64_t)offset;
}

static inline void take(Reader *r, uint64_t span, uint32_t below, uint32_t above) {
    uint32_t moved = (uint32_t)((span * (uint64_t)below) >> 16);
    uint32_t high = (uint32_t)(r->low - 1 + ((span * (uint64_t)above) >> 16));
    uint32_t low = r->low + moved;
    uint32_t offset = r->offset - moved;
    int same = leading_zeros(low ^ high);
    if (same == 32) same = 31; /* impossible intervals only: stay defined */
    low <<= same;
    high = (high << same) | ((1u << same) - 1);
    int middle = leading_zeros(~((low << 1) & ~(high << 1)));
    if (middle == 32) middle = 0;
    r->low = (low << middle) & 0x7FFFFFFFu;
    r->high = (high << middle) | ((1u << middle) - 1) | 0x80000000u;
    int shift = same + middle;
    if (shift > 31) shift = 31;
    if (r->filled < 32) refill(r);
    /* Two shifts: 32 - 0 would be one too many. */
    r->offset = (offset << shift) | (uint32_t)((r->cache >> 32) >> (32 - shift));
    r->cache <<= shift;
    r->filled -= shift;
    r->position += shift;
}

#endif
