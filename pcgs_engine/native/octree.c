/* Split tree of anchor positions (FORMAT.md section 7.1), both directions: the same walk asks a
 * coder for every bit; the decoder reads it, the encoder looks it up and notes its interval.
 * Plain C99, no allocation, no global state, no libc calls. Every read is bounded. */

#include "range_code.h"

#define MAX_LANES 256
#define FULL 729  /* 3^6 states of the six neighbours */
#define SIZE1 1280
#define SIZE2 1792
#define SIZE4 256
#define SIZE (SIZE1 + SIZE2 + FULL + SIZE4)
#define KINDS 8
#define SETS 7
#define INPUTS 4
#define YOUNG 3
#define COUNT_START 3
#define COUNT_STEP 5
#define COUNT_LIMIT 5115
#define WEIGHT_START 15729 /* 0.24 */
#define SHORTEST 16
enum { BOTH, SIDE, LEFT, RIGHT, RIGHT_BOTH, COARSE, FINE, YOUTH };
enum { FINAL, SINGLE, MANY };

static void start_lane(Reader *r, const uint8_t *data, int64_t size) {
    *r = (Reader){data, data + size, 0, 0, 0, 0, 0xFFFFFFFFu, 0};
    refill(r);
    r->offset = (uint32_t)(r->cache >> 32);
    r->cache <<= 32;
    r->filled -= 32;
}

/* One bit; `split` = 65536 P(0). */
static inline int read_bit(Reader *r, uint32_t split) {
    uint64_t span = span_of(r);
    int bit = fits(span, split, r->offset);
    take(r, span, bit ? split : 0, bit ? TOTAL : split);
    return bit;
}

/* What the contexts of a node are made of. */
typedef struct {
    int32_t item, around; /* index in the items; base-3 states of the neighbours */
    int32_t history, lattice; /* last three outcomes; lattices it may lie on or lies on */
} View;

typedef struct {
    View view;
    int32_t parent, side;
    int32_t near[6]; /* items below and above along x, y, z; -1 for none */
} Node;

typedef struct {
    int64_t code;
    int32_t first, last; /* encoder: range of points */
    uint8_t state, history, young, lattice;
} Item;

typedef struct {
    int encode, lanes, rate;
    Reader lane[MAX_LANES];
    uint16_t (*count)[2];
    const int32_t *stretch, *squash;
    int64_t weight[KINDS * SETS][INPUTS];
    int32_t context[MAX_LANES][INPUTS], input[MAX_LANES][INPUTS], set[MAX_LANES], error[MAX_LANES];
    uint8_t bit[MAX_LANES];
    uint8_t side_count[FULL], axis2[FULL], axis3[FULL], present[FULL], many[FULL], occupied[FULL];
    uint16_t *below, *last; /* [capacity, lanes] */
    int64_t capacity, steps;
    int active;
    uint8_t *raw;
    int64_t raw_size, raw_at;
} Coder;

static void neighbour_tables(Coder *c) {
    for (int i = 0; i < FULL; i++) {
        int state[6], rest = i;
        for (int k = 5; k >= 0; k--, rest /= 3) state[k] = rest % 3;
        int present = 0, many = 0, occupied = 0;
        for (int k = 0; k < 6; k++) {
            present += state[k] > 0;
            many += state[k] > 1;
            occupied = occupied * 2 + (state[k] > 0);
        }
        int axis = (state[0] > 0) + (state[1] > 0);
        c->present[i] = (uint8_t)present;
        c->many[i] = (uint8_t)many;
        c->occupied[i] = (uint8_t)occupied;
        c->side_count[i] = (uint8_t)(present - axis);
        c->axis2[i] = (uint8_t)((state[0] > 0) + 2 * (state[1] > 0));
        c->axis3[i] = (uint8_t)(state[0] + 3 * state[1]);
    }
}

static inline void contexts_of(const Coder *c, int kind, int height, const View *n, int32_t *out) {
    int a = n->around, place = height * 4 + n->lattice;
    if (kind == SIDE || kind == YOUTH) {
        out[0] = place * 9 + c->axis3[a];
        out[1] = ((n->history & 15) * 9 + c->axis3[a]) * 5 + c->side_count[a];
        out[3] = c->occupied[a] * 4 + n->lattice;
    } else {
        out[0] = (place * 5 + c->side_count[a]) * 4 + c->axis2[a];
        out[1] = (n->history * 4 + n->lattice) * 7 + c->present[a];
        out[3] = place * 4 + (c->many[a] < 3 ? c->many[a] : 3);
    }
    out[2] = a;
    out[0] += kind * SIZE;
    out[1] += kind * SIZE + SIZE1;
    out[2] += kind * SIZE + SIZE1 + SIZE2;
    out[3] += kind * SIZE + SIZE1 + SIZE2 + FULL;
}

static void end_step(Coder *c) {
    int n = c->active;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < INPUTS; k++)
            c->count[c->context[i][k]][c->bit[i]] += COUNT_STEP;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < INPUTS; k++) {
            uint16_t *pair = c->count[c->context[i][k]];
            if (pair[0] + pair[1] > COUNT_LIMIT) {
                pair[0] = (uint16_t)((pair[0] + 1) >> 1);
                pair[1] = (uint16_t)((pair[1] + 1) >> 1);
            }
            c->weight[c->set[i]][k] += ((int64_t)c->input[i][k] * c->error[i]) >> c->rate;
        }
    }
    c->steps++;
    c->active = 0;
}

static int code_bit(Coder *c, int kind, int height, const View *node, int known) {
    int lane = c->active++;
    int32_t *context = c->context[lane];
    contexts_of(c, kind, height, node, context);
    int set = c->set[lane] = kind * SETS + c->present[node->around];
    int64_t sum = 0;
    for (int k = 0; k < INPUTS; k++) {
        const uint16_t *pair = c->count[context[k]];
        uint32_t total = (uint32_t)pair[0] + pair[1];
        c->input[lane][k] = c->stretch[((uint32_t)pair[1] << 12) / total];
        sum += c->weight[set][k] * c->input[lane][k];
    }
    sum >>= 16;
    if (sum < -2047) sum = -2047;
    if (sum > 2047) sum = 2047;
    int32_t one = c->squash[sum + 2048]; /* 65536 P(1) */
    int bit = known;
    if (!c->encode) {
        bit = read_bit(&c->lane[lane], (uint32_t)(TOTAL - one));
    } else if (c->steps < c->capacity) {
        int64_t at = c->steps * c->lanes + lane;
        if (bit) c->below[at] = (uint16_t)(TOTAL - one);
        else c->last[at] = (uint16_t)(TOTAL - one - 1);
    }
    c->bit[lane] = (uint8_t)bit;
    c->error[lane] = (bit << 16) - one;
    if (c->active == c->lanes) end_step(c);
    return bit;
}

static void end_pass(Coder *c) {
    if (c->active) end_step(c);
}

static int64_t raw_bits(Coder *c, int width, int64_t known) {
    int64_t value = 0;
    for (int i = width - 1; i >= 0; i--, c->raw_at++) {
        int64_t byte = c->raw_at >> 3;
        int shift = 7 - (int)(c->raw_at & 7);
        if (c->encode) {
            if (byte < c->raw_size) c->raw[byte] |= (uint8_t)((known >> i & 1) << shift);
        } else {
            value = value << 1 | (byte < c->raw_size ? c->raw[byte] >> shift & 1 : 0);
        }
    }
    return c->encode ? known : value;
}

/* States of the six neighbours, along the split axis first. */
static void look_around(const Item *items, int shift, Node *node) {
    int around = 0, axis = 2 - (shift - 1) % 3;
    for (int k = 0; k < 3; k++, axis = axis == 2 ? 0 : axis + 1) {
        for (int up = 0; up < 2; up++) {
            int32_t at = node->near[2 * axis + up];
            around = around * 3 + (at < 0 ? 0 : items[at].state == MANY ? 2 : 1);
        }
    }
    node->view.around = around;
}

/* The neighbours of a new node are children of its parent's neighbours. */
static void inherit(const Node *parents, int32_t (*child)[2], int shift, Node *node) {
    const Node *parent = &parents[node->parent];
    int side = node->side, axis = 2 - (shift - 1) % 3;
    for (int k = 0; k < 6; k++) {
        int32_t at = parent->near[k];
        int there = k >> 1 == axis ? !side : side;
        if (k >> 1 == axis && (k & 1) == !side) at = parent->view.item; /* the sibling */
        node->near[k] = at < 0 ? -1 : child[at][there];
    }
}

static int lattice_of(int64_t code, int shift, const int *widths) {
    int result = 0;
    for (int k = 0; k < 2; k++) {
        int64_t known = widths[k] > shift ? code & (((int64_t)1 << widths[k]) - 1) : 0;
        result = result * 2 + (known == 0);
    }
    return result;
}

typedef struct {
    Coder coder;
    const int64_t *codes;
    Item *items, *fresh;
    Node *nodes, *next;
    View *born;
    int32_t (*child)[2];
    uint8_t *outcome; /* bit 0 left exists, 1 right exists, 2 left is many, 3 right is many */
    int64_t *finishing;
    int64_t count, asked;
    int depth, widths[2];
} Walk;

static int64_t middle_of(const Walk *w, const Item *item, int shift) {
    int64_t low = item->first, high = item->last, pivot = item->code | (int64_t)1 << (shift - 1);
    while (low < high) {
        int64_t middle = (low + high) >> 1;
        if (w->codes[middle] < pivot) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Lattice bits of the points that became single, then how much of them is still to come. */
static void settle(Walk *w, int height, int rest, int64_t born) {
    Coder *c = &w->coder;
    for (int k = 0; k < 2; k++) {
        if (w->widths[k] == 0) continue;
        for (int64_t i = 0; i < born; i++) {
            Item *item = &w->fresh[w->born[i].item];
            if (item->lattice || !(w->born[i].lattice >> (1 - k) & 1)) continue;
            int known = 0;
            if (c->encode)
                known = (w->codes[item->first] & (((int64_t)1 << w->widths[k]) - 1)) == 0;
            if (code_bit(c, COARSE + k, height, &w->born[i], known))
                item->lattice = (uint8_t)(k + 1);
        }
        end_pass(c);
    }
    for (int64_t i = 0; i < born; i++) {
        Item *item = &w->fresh[w->born[i].item];
        int left = rest - (item->lattice ? w->widths[item->lattice - 1] : 0);
        item->young = (uint8_t)(left < 0 ? 0 : left < YOUNG ? left : YOUNG);
        item->state = item->young ? SINGLE : FINAL;
    }
}

static void finish_raw(Walk *w, int rest, int64_t finishing) {
    for (int group = 0; group < 3; group++) {
        int zeros = group ? w->widths[group - 1] : 0;
        for (int64_t i = 0; i < finishing; i++) {
            Item *item = &w->fresh[w->finishing[i]];
            if (item->lattice != group) continue;
            int64_t known = 0;
            if (w->coder.encode)
                known = (w->codes[item->first] & (((int64_t)1 << rest) - 1)) >> zeros;
            item->code |= raw_bits(&w->coder, rest - zeros, known) << zeros;
            item->state = FINAL;
        }
    }
}

static int is_many(const Walk *w, int64_t node) {
    return w->items[w->nodes[node].view.item].state == MANY;
}

/* Asks for the outcome of every node. */
static void split_nodes(Walk *w, int shift, int height) {
    Coder *c = &w->coder;
    for (int64_t i = 0; i < w->asked; i++) {
        if (!is_many(w, i)) continue;
        const View *view = &w->nodes[i].view;
        int known = 0, both = 1;
        if (c->encode) {
            const Item *item = &w->items[view->item];
            int64_t cut = middle_of(w, item, shift);
            int64_t left = cut - item->first, right = item->last - cut;
            known = (left > 0) | (right > 0) << 1 | (left > 1) << 2 | (right > 1) << 3;
        }
        if (shift > 1) both = code_bit(c, BOTH, height, view, (known & 3) == 3);
        w->outcome[i] = (uint8_t)(c->encode ? known : both ? 3 : 0);
    }
    end_pass(c);
    for (int64_t i = 0; i < w->asked; i++) {
        if (!is_many(w, i) || (w->outcome[i] & 3) == 3) continue;
        int right = code_bit(c, SIDE, height, &w->nodes[i].view, w->outcome[i] >> 1 & 1);
        w->outcome[i] = right ? 10 : 5;
    }
    end_pass(c);
    for (int right = 0; right < 2 && shift > 1; right++) {
        for (int64_t i = 0; i < w->asked; i++) {
            if (!is_many(w, i) || (w->outcome[i] & 3) != 3) continue;
            int kind = !right ? LEFT : w->outcome[i] & 4 ? RIGHT_BOTH : RIGHT;
            int known = w->outcome[i] >> (2 + right) & 1;
            if (code_bit(c, kind, height, &w->nodes[i].view, known))
                w->outcome[i] |= (uint8_t)(4 << right);
        }
        end_pass(c);
    }
    for (int64_t i = 0; i < w->asked; i++) {
        const View *view = &w->nodes[i].view;
        if (is_many(w, i)) continue;
        int known = c->encode ? (int)(w->codes[w->items[view->item].first] >> (shift - 1) & 1) : 0;
        w->outcome[i] = (uint8_t)code_bit(c, YOUTH, height, view, known);
    }
    end_pass(c);
}

typedef struct {
    int64_t made, born, finishing, grown;
} Growth;

static void add_child(Walk *w, Growth *g, int64_t node, int right, int shift, int64_t cut) {
    const View *view = &w->nodes[node].view;
    const Item *item = &w->items[view->item];
    int outcome = w->outcome[node];
    int now = (outcome & 3) < 3 ? 0 : (outcome & 12) == 12 ? 3 : 1;
    Item *next = &w->fresh[g->made];
    *next = *item;
    next->history = (uint8_t)((item->history << 2 | now) & 63);
    if (right) next->code |= (int64_t)1 << (shift - 1), next->first = (int32_t)cut;
    else next->last = (int32_t)cut;
    if (!(outcome >> (2 + right) & 1)) {
        int lattice = lattice_of(next->code, shift - 1, w->widths);
        next->state = SINGLE;
        w->born[g->born++] = (View){(int32_t)g->made, view->around, next->history, lattice};
    }
    w->child[view->item][right] = (int32_t)g->made;
    Node *grown = &w->next[g->grown++];
    grown->view.item = (int32_t)g->made++;
    grown->parent = (int32_t)node;
    grown->side = right;
}

/* One level: splits the nodes of `shift` undecided bits. Returns the new number of items or -1. */
static int64_t split_level(Walk *w, int64_t items, int shift) {
    Coder *c = &w->coder;
    int height = shift < SHORTEST ? shift - 1 : SHORTEST - 1;
    for (int64_t i = 0; i < w->asked; i++) {
        View *view = &w->nodes[i].view;
        const Item *item = &w->items[view->item];
        view->history = item->history;
        view->lattice =
            item->state == MANY ? lattice_of(item->code, shift, w->widths) : item->lattice;
        look_around(w->items, shift, &w->nodes[i]);
    }
    split_nodes(w, shift, height);
    Growth g = {0, 0, 0, 0};
    for (int64_t i = 0, at = 0; i < items; i++) {
        const Item *item = &w->items[i];
        w->child[i][0] = w->child[i][1] = -1;
        if (item->state == MANY) {
            if (g.made + 1 + ((w->outcome[at] & 3) == 3) > w->count) return -1;
            int64_t cut = c->encode ? middle_of(w, item, shift) : 0;
            for (int right = 0; right < 2; right++)
                if (w->outcome[at] >> right & 1) add_child(w, &g, at, right, shift, cut);
            at++;
            continue;
        }
        if (g.made + 1 > w->count) return -1;
        Item *next = &w->fresh[g.made];
        *next = *item;
        if (item->state == SINGLE) {
            next->code |= (int64_t)w->outcome[at] << (shift - 1);
            if (--next->young == 0) w->finishing[g.finishing++] = g.made;
            else w->next[g.grown++] = (Node){{(int32_t)g.made, 0, 0, 0}, (int32_t)at,
                                             w->outcome[at], {0, 0, 0, 0, 0, 0}};
            at++;
        }
        w->child[i][next->code >> (shift - 1) & 1] = (int32_t)g.made++;
    }
    settle(w, height, shift - 1, g.born);
    finish_raw(w, shift - 1, g.finishing);
    Node *nodes = w->next;
    int64_t asked = 0;
    for (int64_t i = 0; i < g.grown; i++) {
        if (w->fresh[nodes[i].view.item].state == FINAL) continue;
        nodes[asked] = nodes[i];
        inherit(w->nodes, w->child, shift, &nodes[asked++]);
    }
    Item *fresh = w->items;
    w->items = w->fresh;
    w->fresh = fresh;
    w->next = w->nodes;
    w->nodes = nodes;
    w->asked = asked;
    return g.made;
}

static int64_t walk_tree(Walk *w) {
    int64_t items = 1;
    Item root = {0, 0, (int32_t)w->count, MANY, 21, 0, 0};
    w->items[0] = w->fresh[0] = root;
    w->asked = 1;
    w->nodes[0] = (Node){{0, 0, 0, 0}, 0, 0, {-1, -1, -1, -1, -1, -1}};
    if (w->count == 1) {
        w->born[0] = (View){0, 0, 21, lattice_of(0, w->depth, w->widths)};
        settle(w, SHORTEST - 1, w->depth, 1);
        w->items[0] = w->fresh[0];
        w->asked = w->items[0].state != FINAL;
    }
    for (int shift = w->depth; shift > 0 && items > 0 && w->asked > 0; shift--)
        items = split_level(w, items, shift);
    return items;
}

PCGS_API int64_t pcgs_octree_scratch(int64_t count) {
    return (int64_t)sizeof(Walk) + KINDS * SIZE * 4 +
           (count + 1) * (int64_t)(2 * sizeof(Item) + 2 * sizeof(Node) + sizeof(View) + 17) + 64;
}

static Walk *prepare(uint8_t *scratch, int64_t count, const int64_t *shape, const int32_t *curves) {
    Walk *w = (Walk *)scratch;
    Coder *c = &w->coder;
    int64_t room = count + 1;
    uint8_t *at = scratch + ((sizeof(Walk) + 7) & ~(uint64_t)7);
    w->items = (Item *)at;
    w->fresh = w->items + room;
    w->finishing = (int64_t *)(w->fresh + room);
    w->nodes = (Node *)(w->finishing + room);
    w->next = w->nodes + room;
    w->born = (View *)(w->next + room);
    w->child = (int32_t(*)[2])(w->born + room);
    c->count = (uint16_t(*)[2])(w->child + room);
    w->outcome = (uint8_t *)(c->count + KINDS * SIZE);
    for (int i = 0; i < KINDS * SIZE; i++) c->count[i][0] = c->count[i][1] = COUNT_START;
    w->count = count;
    w->depth = (int)shape[0];
    w->widths[0] = (int)shape[1];
    w->widths[1] = (int)shape[2];
    c->lanes = (int)shape[3];
    c->rate = (int)shape[4];
    c->stretch = curves;
    c->squash = curves + 4096;
    for (int i = 0; i < KINDS * SETS; i++)
        for (int k = 0; k < INPUTS; k++) c->weight[i][k] = WEIGHT_START;
    c->steps = c->raw_at = c->active = 0;
    neighbour_tables(c);
    return w;
}

/* shape: undecided bits of the root (multiple of 3, <= 63), two lattice widths, lanes (<= 256),
 * learning shift. curves: stretch [4096], squash [4096]. scratch: pcgs_octree_scratch bytes,
 * aligned to 8. Returns the raw bits read, or -1 when these are not `count` points. */
PCGS_API int64_t pcgs_octree_decode(const uint8_t *lanes, const int64_t *sizes, uint8_t *raw,
                                    int64_t raw_size, int64_t count, const int64_t *shape,
                                    const int32_t *curves, uint8_t *scratch, int64_t *codes) {
    Walk *w = prepare(scratch, count, shape, curves);
    Coder *c = &w->coder;
    c->encode = 0;
    w->codes = codes;
    c->raw = raw;
    c->raw_size = raw_size;
    for (int i = 0; i < c->lanes; i++) {
        start_lane(&c->lane[i], lanes, sizes[i]);
        lanes += sizes[i];
    }
    if (walk_tree(w) != count) return -1;
    for (int64_t i = 0; i < count; i++) codes[i] = w->items[i].code;
    return c->raw_at;
}

/* below, last: [capacity, lanes], filled with 0 and 65535: what lanes without a bit in a step code.
 * Returns the steps needed, which may be above the capacity; or -1 for codes that do not rise. */
PCGS_API int64_t pcgs_octree_encode(const int64_t *codes, int64_t count, const int64_t *shape,
                                    const int32_t *curves, uint8_t *scratch, uint16_t *below,
                                    uint16_t *last, int64_t capacity, uint8_t *raw,
                                    int64_t raw_size, int64_t *raw_used) {
    Walk *w = prepare(scratch, count, shape, curves);
    Coder *c = &w->coder;
    c->encode = 1;
    w->codes = codes;
    c->below = below;
    c->last = last;
    c->capacity = capacity;
    c->raw = raw;
    c->raw_size = raw_size;
    if (walk_tree(w) != count) return -1;
    *raw_used = c->raw_at;
    return c->steps;
}
