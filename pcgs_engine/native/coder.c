/* Range coder of .pcgs streams (FORMAT.md section 5): torchac's arithmetic code, lane by lane;
 * tables and trits. Plain C99, no allocation, no global state, no libc calls, bounded reads. */

#include "range_code.h"

#define PCGS_ABI 3

PCGS_API int32_t pcgs_abi(void) { return PCGS_ABI; }

/* ---- writing ---- */

typedef struct {
    uint8_t *out;
    int64_t size, capacity;
    uint64_t cache; /* low `filled` bits are waiting */
    int filled;
} BitWriter;

static inline void put_bits(BitWriter *w, uint32_t bits, int count) {
    w->cache = (w->cache << count) | bits;
    w->filled += count;
    while (w->filled >= 8) {
        w->filled -= 8;
        if (w->size < w->capacity) w->out[w->size] = (uint8_t)(w->cache >> w->filled);
        w->size++;
    }
}

static void put_repeated(BitWriter *w, int bit, int64_t count) {
    while (count > 0) {
        int now = count > 24 ? 24 : (int)count;
        put_bits(w, bit ? (1u << now) - 1 : 0, now);
        count -= now;
    }
}

static void encode_lane(BitWriter *w, const uint16_t *below, const uint16_t *last, int64_t count) {
    uint32_t low = 0, high = 0xFFFFFFFFu;
    int64_t pending = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t span = (uint64_t)high - low + 1;
        high = (uint32_t)(low - 1 + ((span * ((uint64_t)last[i] + 1)) >> 16));
        low = (uint32_t)(low + ((span * (uint64_t)below[i]) >> 16));
        int same = leading_zeros(low ^ high);
        if (same == 32) same = 31; /* impossible intervals only: stay defined */
        if (same > 0) {
            uint32_t bits = low >> (32 - same);
            int first = (int)(bits >> (same - 1)) & 1;
            put_bits(w, (uint32_t)first, 1);
            put_repeated(w, !first, pending);
            put_bits(w, bits & ((1u << (same - 1)) - 1), same - 1);
            pending = 0;
            low <<= same;
            high = (high << same) | ((1u << same) - 1);
        }
        int middle = leading_zeros(~((low << 1) & ~(high << 1)));
        if (middle > 0 && middle < 32) {
            pending += middle;
            low = (low << middle) & 0x7FFFFFFFu;
            high = (high << middle) | ((1u << middle) - 1) | 0x80000000u;
        }
    }
    int last_bit = low >= 0x40000000u;
    put_bits(w, (uint32_t)last_bit, 1);
    put_repeated(w, !last_bit, pending + 1);
    if (w->filled > 0) put_bits(w, 0, 8 - w->filled);
}

/* Cumulative values below each symbol and, less 1, above it; bounds [lanes + 1] symbols of each
 * lane; sizes [lanes]. Codes lanes begin..end-1; returns the bytes, -1 where out is too small. */
PCGS_API int64_t pcgs_encode(const uint16_t *below, const uint16_t *last, const int64_t *bounds,
                             int64_t begin, int64_t end, uint8_t *out, int64_t capacity,
                             int64_t *sizes) {
    BitWriter w = {out, 0, capacity, 0, 0};
    for (int64_t lane = begin; lane < end; lane++) {
        int64_t start = w.size, first = bounds[lane];
        w.cache = 0;
        w.filled = 0;
        encode_lane(&w, below + first, last + first, bounds[lane + 1] - first);
        sizes[lane] = w.size - start;
    }
    return w.size <= capacity ? w.size : -1;
}

/* ---- reading ---- */

/* Shared rows: tables [rows, width] cumulative, 0 first and 65536 last; index [count]. */
PCGS_API void pcgs_decode_tables(const Lanes *lanes, int64_t begin, int64_t end,
                                 const int32_t *tables, int64_t width, const int32_t *index,
                                 int32_t *symbols) {
    for (int64_t lane = begin; lane < end; lane++) {
        Reader r = resume_lane(lanes, lane);
        for (int64_t i = lanes->bounds[lane]; i < lanes->bounds[lane + 1]; i++) {
            const int32_t *row = tables + (int64_t)index[i] * width;
            uint64_t span = span_of(&r);
            int64_t low = 0, high = width - 1;
            while (high - low > 1) {
                int64_t middle = (low + high) >> 1;
                int up = fits(span, (uint32_t)row[middle], r.offset);
                low = up ? middle : low;
                high = up ? high : middle;
            }
            symbols[i] = (int32_t)low;
            take(&r, span, (uint32_t)row[low], (uint32_t)row[low + 1]);
        }
        keep_lane(&r, lanes, lane);
    }
}

/* Inner boundaries of a trit from its logits' distances below the largest (section 6.4). */
static inline void trit_law(const uint16_t *below, const uint32_t *powers, uint32_t *c) {
    uint32_t p[3];
    for (int k = 0; k < 3; k++) p[k] = powers[below[k] < 511 ? below[k] : 511];
    uint32_t total = p[0] + p[1] + p[2];
    c[0] = 1 + p[0] * (uint32_t)(TOTAL - 3) / total; /* below 2^32 */
    c[1] = 2 + (uint32_t)((uint64_t)(p[0] + p[1]) * (TOTAL - 3) / total);
}

/* below [count, 3]; powers [512] round(2^16 exp(-i / 32)). */
PCGS_API void pcgs_decode_trits(const Lanes *lanes, int64_t begin, int64_t end,
                                const uint16_t *below, const uint32_t *powers, int32_t *symbols) {
    for (int64_t lane = begin; lane < end; lane++) {
        Reader r = resume_lane(lanes, lane);
        for (int64_t i = lanes->bounds[lane]; i < lanes->bounds[lane + 1]; i++) {
            uint32_t c[2];
            trit_law(below + 3 * i, powers, c);
            uint64_t span = span_of(&r);
            int above = fits(span, c[0], r.offset), last = fits(span, c[1], r.offset);
            symbols[i] = above + last;
            uint32_t low = above ? c[0] : 0, high = above ? c[1] : c[0];
            take(&r, span, last ? c[1] : low, last ? TOTAL : high);
        }
        keep_lane(&r, lanes, lane);
    }
}

/* Intervals of trit symbols begin..end-1: value below, and value above less 1. */
PCGS_API void pcgs_intervals_trits(const uint16_t *below, const uint32_t *powers, int64_t begin,
                                   int64_t end, const int32_t *symbols, uint16_t *low,
                                   uint16_t *last) {
    for (int64_t i = begin; i < end; i++) {
        uint32_t c[2];
        trit_law(below + 3 * i, powers, c);
        low[i] = (uint16_t)(symbols[i] == 0 ? 0 : c[symbols[i] != 1]);
        last[i] = (uint16_t)((symbols[i] == 0 ? c[0] : symbols[i] == 1 ? c[1] : TOTAL) - 1);
    }
}
