/* Range coder of .pcgs streams (FORMAT.md section 5): torchac's arithmetic code, lane by lane.
 * Plain C99, no allocation, no global state, no libc calls. Every read is bounded. */

#include <stdint.h>

#if defined(_WIN32)
#define PCGS_API __declspec(dllexport)
#else
#define PCGS_API __attribute__((visibility("default")))
#endif

#define PCGS_ABI 2
#define TOTAL 65536

static inline int leading_zeros(uint32_t x) { return x ? __builtin_clz(x) : 32; }

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

static void encode_lane(BitWriter *w, const int64_t *below, const int64_t *above, int64_t count) {
    uint32_t low = 0, high = 0xFFFFFFFFu;
    int64_t pending = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t span = (uint64_t)high - low + 1;
        high = (uint32_t)(low - 1 + ((span * (uint64_t)above[i]) >> 16));
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
    int last = low >= 0x40000000u;
    put_bits(w, (uint32_t)last, 1);
    put_repeated(w, !last, pending + 1);
    if (w->filled > 0) put_bits(w, 0, 8 - w->filled);
}

/* Returns the bytes written, or -1 when `capacity` is too small. sizes: [lanes]. */
PCGS_API int64_t pcgs_encode(const int64_t *below, const int64_t *above, int64_t count,
                             int64_t lane_length, uint8_t *out, int64_t capacity, int64_t *sizes) {
    BitWriter w = {out, 0, capacity, 0, 0};
    for (int64_t begin = 0, lane = 0; begin < count; begin += lane_length, lane++) {
        int64_t start = w.size;
        int64_t length = count - begin < lane_length ? count - begin : lane_length;
        encode_lane(&w, below + begin, above + begin, length);
        sizes[lane] = w.size - start;
    }
    return w.size <= capacity ? w.size : -1;
}

/* ---- reading ---- */

typedef struct {
    const uint8_t *data, *end;
    uint64_t cache; /* top `filled` bits are valid; zeros follow the end */
    int filled;
    uint32_t low, high, offset;
} Reader;

static inline uint32_t get_bits(Reader *r, int count) { /* 0 <= count <= 32 */
    if (count == 0) return 0;
    while (r->filled <= 56) {
        if (r->data < r->end) r->cache |= (uint64_t)*r->data++ << (56 - r->filled);
        r->filled += 8;
    }
    uint32_t bits = (uint32_t)(r->cache >> (64 - count));
    r->cache <<= count;
    r->filled -= count;
    return bits;
}

static void start_lane(Reader *r, const uint8_t *data, int64_t size) {
    r->data = data;
    r->end = data + size;
    r->cache = 0;
    r->filled = 0;
    r->low = 0;
    r->high = 0xFFFFFFFFu;
    r->offset = get_bits(r, 32);
}

static inline uint64_t span_of(const Reader *r) { return (uint64_t)r->high - r->low + 1; }

static inline void take(Reader *r, uint64_t span, int64_t below, int64_t above) {
    uint32_t moved = (uint32_t)((span * (uint64_t)below) >> 16);
    uint32_t high = (uint32_t)(r->low - 1 + ((span * (uint64_t)above) >> 16));
    uint32_t low = r->low + moved;
    int same = leading_zeros(low ^ high);
    if (same == 32) same = 31;
    low <<= same;
    high = (high << same) | ((1u << same) - 1);
    int middle = leading_zeros(~((low << 1) & ~(high << 1)));
    if (middle == 32) middle = 0;
    r->low = (low << middle) & 0x7FFFFFFFu;
    r->high = (high << middle) | ((1u << middle) - 1) | 0x80000000u;
    int shift = same + middle;
    if (shift > 31) shift = 31;
    r->offset = ((r->offset - moved) << shift) | get_bits(r, shift);
}

#define FITS(span, c, offset) (((span) * (uint64_t)(c)) >> 16 <= (uint64_t)(offset))

/* Shared rows: tables [rows, width] cumulative, index [count]. */
PCGS_API void pcgs_decode_tables(const uint8_t *data, const int64_t *sizes, int64_t count,
                                 int64_t lane_length, const int64_t *tables, int64_t width,
                                 const int64_t *index, int64_t *symbols) {
    Reader r;
    for (int64_t begin = 0, lane = 0; begin < count; begin += lane_length, lane++) {
        int64_t end = count - begin < lane_length ? count : begin + lane_length;
        start_lane(&r, data, sizes[lane]);
        data += sizes[lane];
        for (int64_t i = begin; i < end; i++) {
            const int64_t *row = tables + index[i] * width;
            uint64_t span = span_of(&r);
            int64_t low = 0, high = width - 1;
            while (high - low > 1) {
                int64_t middle = (low + high) >> 1;
                if (FITS(span, row[middle], r.offset)) low = middle;
                else high = middle;
            }
            symbols[i] = low;
            take(&r, span, row[low], row[low + 1]);
        }
    }
}

PCGS_API void pcgs_decode_trits(const uint8_t *data, const int64_t *sizes, int64_t count,
                                int64_t lane_length, const int64_t *first, const int64_t *second,
                                int64_t *symbols) {
    Reader r;
    for (int64_t begin = 0, lane = 0; begin < count; begin += lane_length, lane++) {
        int64_t end = count - begin < lane_length ? count : begin + lane_length;
        start_lane(&r, data, sizes[lane]);
        data += sizes[lane];
        for (int64_t i = begin; i < end; i++) {
            uint64_t span = span_of(&r);
            int above = FITS(span, first[i], r.offset), last = FITS(span, second[i], r.offset);
            symbols[i] = above + last;
            take(&r, span, last ? second[i] : above ? first[i] : 0,
                 last ? TOTAL : above ? second[i] : first[i]);
        }
    }
}

typedef struct {
    int64_t mean[2], inverse[2], weight, low, high;
    const uint32_t *normal;
    int64_t half_range;
} Window;

static inline int64_t cumulative(const Window *m, int64_t symbol) {
    if (symbol <= m->low) return 0;
    int64_t mass = 0;
    for (int k = 0; k < 2; k++) {
        int64_t weight = k ? 256 - m->weight : m->weight;
        if (weight == 0) continue;
        int64_t z = ((symbol * 256 - 128 - m->mean[k]) * m->inverse[k]) >> 20;
        if (z < -m->half_range) z = -m->half_range;
        if (z > m->half_range) z = m->half_range;
        mass += weight * (int64_t)m->normal[z + m->half_range];
    }
    return ((mass * (TOTAL - (m->high - m->low + 1))) >> 32) + (symbol - m->low);
}

/* mean, inverse: [2, count]; weight of component 0: [count]; normal: [2 half_range + 1]. */
PCGS_API void pcgs_decode_mixture(const uint8_t *data, const int64_t *sizes, int64_t count,
                                  int64_t lane_length, const int64_t *mean, const int64_t *inverse,
                                  const int64_t *weight, const int64_t *low, const int64_t *high,
                                  const uint32_t *normal, int64_t half_range, int64_t *symbols) {
    Reader r;
    for (int64_t begin = 0, lane = 0; begin < count; begin += lane_length, lane++) {
        int64_t end = count - begin < lane_length ? count : begin + lane_length;
        start_lane(&r, data, sizes[lane]);
        data += sizes[lane];
        for (int64_t i = begin; i < end; i++) {
            Window m = {{mean[i], mean[count + i]},
                        {inverse[i], inverse[count + i]},
                        weight[i], low[i], high[i], normal, half_range};
            uint64_t span = span_of(&r);
            int64_t below = m.low, above = m.high + 1, c_below = 0, c_above = TOTAL;
            while (above - below > 1) {
                int64_t middle = (below + above) >> 1, value = cumulative(&m, middle);
                if (FITS(span, value, r.offset)) below = middle, c_below = value;
                else above = middle, c_above = value;
            }
            symbols[i] = below;
            take(&r, span, c_below, c_above);
        }
    }
}
