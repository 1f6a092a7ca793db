/* Float32 and Float64 for the host and for user programs. The kernel's code has no floating point
 * registers, so getters and setters everywhere else carry the bit patterns. */
#pragma once

#include <stdint.h>

static inline float wire_float_from_bits(uint32_t bits)
{
    float value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint32_t wire_float_bits(float value)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline double wire_double_from_bits(uint64_t bits)
{
    double value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint64_t wire_double_bits(double value)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}
