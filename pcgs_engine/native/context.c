/* Float32 arithmetic of the context model, the same bits as numpy's (FORMAT.md sections 6.2, 8.2).
 * Single IEEE operations only: build with -ffp-contract=off and without fast-math. */

#include "range_code.h"

#define EXACT 8388608.0f /* 2^23: from here on every float32 is an integer */
#define LIMIT 1023.0f    /* of hidden units */
#define SCALES 304
#define LOGISTIC_RANGE 255.0f

/* Round half to even without a call to libm. */
static inline float round_even(float x) {
    float size = __builtin_fabsf(x);
    float rounded = (size + EXACT) - EXACT;
    rounded = size < EXACT ? rounded : size;
    return __builtin_copysignf(rounded, x);
}

/* sums [n, width] in place: clamp(round(activation((sums + bias) * multiplier))). */
PCGS_API void pcgs_requantize(float *sums, const float *bias, const float *multiplier,
                              int64_t leaky, int64_t begin, int64_t end, int64_t width) {
    float slope = leaky ? 0.01f : 0.0f;
    for (int64_t i = begin; i < end; i++) {
        float *row = sums + i * width;
        for (int64_t k = 0; k < width; k++) {
            float y = (row[k] + bias[k]) * multiplier[k];
            y = y < 0.0f ? y * slope : y;
            y = round_even(y);
            y = y < -LIMIT ? -LIMIT : y;
            row[k] = y > LIMIT ? LIMIT : y;
        }
    }
}

static inline int32_t mean_of(float mean, float inverse) {
    float units = mean * inverse;
    units = units < -EXACT ? -EXACT : units;
    units = units > EXACT ? EXACT : units;
    return (int32_t)round_even(units);
}

static inline uint16_t scale_of(float scale, float inverse) {
    float sigma = __builtin_fabsf(scale) * (inverse * (1.0f / 256.0f));
    int32_t bits;
    __builtin_memcpy(&bits, &sigma, 4);
    bits = (bits >> 19) - ((127 - 7) << 4);
    bits = bits < 0 ? 0 : bits;
    return (uint16_t)(bits > SCALES - 1 ? SCALES - 1 : bits);
}

/* Outputs of one network: row i starts at i * stride; mean, scale and logit of `width` channels. */
typedef struct {
    const float *mean, *scale, *logit;
    int64_t stride;
} Outputs;

/* One Gaussian for each of rows begin..end-1 and `width` channels; inverse [n] is 256 / step. */
PCGS_API void pcgs_gaussian_parameters(const Outputs *net, const float *inverse, int64_t begin,
                                       int64_t end, int64_t width, int32_t *mean,
                                       uint16_t *scale) {
    for (int64_t i = begin; i < end; i++) {
        const float *means = net->mean + i * net->stride, *scales = net->scale + i * net->stride;
        for (int64_t k = 0; k < width; k++) {
            mean[i * width + k] = mean_of(means[k], inverse[i]);
            scale[i * width + k] = scale_of(scales[k], inverse[i]);
        }
    }
}

/* Weights of the first of two networks from their logits; logistic [511]. */
PCGS_API void pcgs_mixture_weights(const Outputs *first, const Outputs *second,
                                   const int16_t *logistic, int64_t begin, int64_t end,
                                   int64_t width, int16_t *weight) {
    for (int64_t i = begin; i < end; i++) {
        const float *one = first->logit + i * first->stride;
        const float *two = second->logit + i * second->stride;
        for (int64_t k = 0; k < width; k++) {
            float gap = round_even((one[k] - two[k]) * 16.0f);
            gap = gap > -LOGISTIC_RANGE ? gap : -LOGISTIC_RANGE; /* NaN too */
            gap = gap > LOGISTIC_RANGE ? LOGISTIC_RANGE : gap;
            weight[i * width + k] = logistic[(int32_t)gap + (int32_t)LOGISTIC_RANGE];
        }
    }
}
