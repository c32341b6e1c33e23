"""What stands above the loops in the C text: types, functions, and the arrays of a pass."""

import math

PRELUDE = """\
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef REAL real;
#define FN(name) NAME
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#if __GLIBC_PREREQ(2, 35) && defined(_OPENMP)
#define VECTORS __attribute__((simd("notinbranch")))
VECTORS real FN(atan)(real); VECTORS real FN(cos)(real); VECTORS real FN(cosh)(real);
VECTORS real FN(erf)(real); VECTORS real FN(expm1)(real); VECTORS real FN(log)(real);
VECTORS real FN(log1p)(real); VECTORS real FN(pow)(real, real); VECTORS real FN(sin)(real);
VECTORS real FN(sinh)(real); VECTORS real FN(tanh)(real);
#endif
#endif

struct arguments {
FIELDS
};
"""

# Written out, as a call would keep the compiler from vectorising where there is no vector library.
# Reduction by ln 2 in two parts; what is left is at most ln(2) / 2 in absolute value.
EXP = {
    "float": """\
static inline real fast_exp(real x) {
  real y = x < -104.0f ? -104.0f : x, n, p;
  y = y > 89.0f ? 89.0f : y;
  real shifted = y * 1.44269504088896341f + 12582912.0f;  /* rounds to a whole number */
  int32_t bits;
  memcpy(&bits, &shifted, 4);
  bits -= 0x4B400000;
  n = shifted - 12582912.0f;
  y = (y - n * 0.693359375f) + n * 2.12194440e-4f;
  p = 1.9875691500e-4f;
  p = p * y + 1.3981999507e-3f;
  p = p * y + 8.3334519073e-3f;
  p = p * y + 4.1665795894e-2f;
  p = p * y + 1.6666665459e-1f;
  p = p * y + 5.0000001201e-1f;
  p = p * (y * y) + y + 1.0f;
  int32_t half = bits >> 1, a = (half + 127) << 23, b = (bits - half + 127) << 23;
  real left, right;
  memcpy(&left, &a, 4);
  memcpy(&right, &b, 4);
  return p * left * right;
}
""",
    "double": """\
static inline real fast_exp(real x) {
  real y = x < -746.0 ? -746.0 : x, n, p;
  y = y > 711.0 ? 711.0 : y;
  real shifted = y * 1.4426950408889634074 + 6755399441055744.0;  /* rounds to a whole number */
  int64_t bits;
  memcpy(&bits, &shifted, 8);
  bits -= 0x4338000000000000;
  n = shifted - 6755399441055744.0;
  y = (y - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
  p = 1.0 / 6227020800.0;
TAYLOR  int64_t half = bits >> 1, a = (half + 1023) << 52, b = (bits - half + 1023) << 52;
  real left, right;
  memcpy(&left, &a, 8);
  memcpy(&right, &b, 8);
  return p * left * right;
}
""".replace(
        "TAYLOR",
        "".join(f"  p = p * y + 1.0 / {math.factorial(n)}.0;\n" for n in range(12, -1, -1)),
    ),
}

ITEMS = {
    "float32": "typedef float item;\n#define LOAD(v) (v)\n#define STORE(v) (v)\n",
    "float64": "typedef double item;\n#define LOAD(v) (v)\n#define STORE(v) (v)\n",
    "bfloat16": """\
typedef uint16_t item;
static inline float LOAD(item v) {
  uint32_t bits = (uint32_t)v << 16;
  float wide;
  memcpy(&wide, &bits, 4);
  return wide;
}
static inline item STORE(float wide) {  /* to the nearest, ties to even */
  uint32_t bits;
  memcpy(&bits, &wide, 4);
  uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  return (item)(wide != wide ? 0x7FC0 : rounded);
}
""",
}

DTYPES = tuple(ITEMS)
