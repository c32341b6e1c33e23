/* A linear layer whose input is spikes: sums of the rows of a matrix that the spikes pick.
 *
 * x[M, F] holds zeros and one other value. Its spikes are kept as lists of one byte each: x is cut
 * into tiles of BLOCK rows and BLOCK features; count[tile][row] says how many spikes a row has in
 * a tile, index[] holds their features within the tile, in order, and base[b] says where in
 * index[] the lists of the rows' block b start. Tiles of the same rows lie one after another, so
 * that a block's lists are read from front to end.
 *
 * Forward, the rows that are summed are those of the transposed weight, and for the weight's
 * gradient those of the output's gradient, by lists turned round (per feature, the rows). Both
 * copy BLOCK x WIDTH of that matrix side by side, which fits the first-level cache, and sum with
 * the accumulators in registers. Each sum's order is given by the data alone: not by the threads.
 *
 * REAL is float or double.
 */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "marks are packed as little-endian processors keep bytes"
#endif
#include <stdint.h>
#include <string.h>
#if defined(__linux__)
#include <features.h>
#endif

/* Where the compiler could not be told which machine this is for, several forms of the inner
 * loops are compiled and the loader takes the widest that the processor has. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__AVX2__) && !defined(__clang__)
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST
#endif

typedef REAL vec __attribute__((vector_size(64), may_alias));
typedef REAL loose __attribute__((vector_size(64), may_alias, aligned(sizeof(REAL))));

/* Measured on 32 KiB of first-level cache: a tile of 192 rows of 4 vectors is a little more. */
enum { BLOCK = 192, VECS = 4, LANES = 64 / sizeof(REAL), WIDTH = VECS * LANES };

static long least(long a, long b) { return a < b ? a : b; }
static long blocks(long length) { return (length + BLOCK - 1) / BLOCK; }
static long panels(long length) { return (length + WIDTH - 1) / WIDTH; }

/* The first number that is not 0, or 1 where there is none. */
REAL first_spike(const REAL *x, long size)
{
    for (long i = 0; i < size; i += 64) {
        int any = 0;
        for (long k = i; k < least(size, i + 64); k++) any |= x[k] != 0;
        for (long k = i; any && k < least(size, i + 64); k++)
            if (x[k] != 0) return x[k];
    }
    return 1;
}

/* Bit k of a byte of marks is the spike at its k-th place: the places, and how many there are. */
static uint64_t places_of[256];
static uint8_t spikes_of[256];

__attribute__((constructor)) static void fill_tables(void)
{
    for (int marks = 0; marks < 256; marks++)
        for (int k = 0; k < 8; k++)
            if (marks >> k & 1) places_of[marks] |= (uint64_t)k << 8 * spikes_of[marks]++;
}

/* marks[length / 8, rounded up]; returns the number of spikes, or -1 where x has another value. */
WIDEST static long mark_row(const REAL *x, long length, REAL value, uint8_t *marks)
{
    uint8_t spike[BLOCK], other = 0;
    long spikes = 0;
    for (long f = 0; f < length; f++) {
        spike[f] = x[f] != 0;
        other |= spike[f] ^ (x[f] == value);
    }
    if (other) return -1;
    memset(spike + length, 0, (size_t)(-length & 7));
    for (long f = 0; f < length; f += 8) {
        uint64_t eight;
        memcpy(&eight, spike + f, 8);
        marks[f / 8] = (uint8_t)(eight * 0x0102040810204080u >> 56);
        spikes += spikes_of[marks[f / 8]];
    }
    return spikes;
}

/* Marks and counts the spikes. marks[M][blocks(F)][BLOCK / 8], count[blocks(M)][blocks(F)][BLOCK],
 * base[blocks(M) + 1]. Returns how many there are, or -1 where there are more than `most` or x has
 * other values than 0 and `value`. */
long mark_spikes(const REAL *x, long M, long F, REAL value, long most, uint8_t *marks,
                 uint16_t *count, int64_t *base, int threads)
{
    long tiles = blocks(F), total = 0;
    int refused = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : total)
    for (long b = 0; b < blocks(M); b++) {
        long here = 0;
        int stop;
#pragma omp atomic read
        stop = refused;
        if (stop) continue;
        for (long m = b * BLOCK; m < least(M, (b + 1) * BLOCK); m++) {
            for (long t = 0; t < tiles; t++) {
                long n = mark_row(x + m * F + t * BLOCK, least(BLOCK, F - t * BLOCK), value,
                                  marks + (m * tiles + t) * (BLOCK / 8));
                if (n < 0 || total + here + n > most) {
#pragma omp atomic write
                    refused = 1;
                    m = M;
                    break;
                }
                count[(b * tiles + t) * BLOCK + m % BLOCK] = (uint16_t)n;
                here += n;
            }
        }
        base[b + 1] = here;
        total += here;
    }
    if (refused || total > most) return -1;
    base[0] = 0;
    for (long b = 0; b < blocks(M); b++) base[b + 1] += base[b];
    return total;
}

/* index[] of the spikes that mark_spikes found. */
void list_spikes(long M, long F, const uint8_t *marks, const uint16_t *count, const int64_t *base,
                 uint8_t *index, int threads)
{
    long tiles = blocks(F);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long b = 0; b < blocks(M); b++) {
        uint8_t *next = index + base[b];
        for (long t = 0; t < tiles; t++) {
            for (long m = b * BLOCK; m < least(M, (b + 1) * BLOCK); m++) {
                const uint8_t *marked = marks + (m * tiles + t) * (BLOCK / 8);
                long bytes = (least(BLOCK, F - t * BLOCK) + 7) / 8, n = 0;
                uint8_t list[BLOCK + 8];
                for (long k = 0; k < bytes; k++) {
                    uint64_t eight = places_of[marked[k]] + k * 0x0808080808080808u;
                    memcpy(list + n, &eight, 8);
                    n += spikes_of[marked[k]];
                }
                memcpy(next, list, (size_t)n);
                next += n;
            }
        }
    }
}

/* The same spikes per feature: count_of[blocks(M)][F], rows[] within the block, in order. */
void turn_lists(long M, long F, const uint16_t *count, const int64_t *base, const uint8_t *index,
                uint16_t *count_of, uint8_t *rows, uint32_t *place, int threads)
{
    long tiles = blocks(F);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long b = 0; b < blocks(M); b++) {
        const uint8_t *list = index + base[b];
        uint16_t *of = count_of + b * F;
        uint32_t *next = place + b * F, sum = 0;
        long height = least(BLOCK, M - b * BLOCK);
        memset(of, 0, sizeof(uint16_t) * (size_t)F);
        for (long t = 0; t < tiles; t++)
            for (long m = 0; m < height; m++)
                for (long n = count[(b * tiles + t) * BLOCK + m]; n > 0; n--)
                    of[t * BLOCK + *list++]++;
        for (long f = 0; f < F; f++) {
            next[f] = sum;
            sum += of[f];
        }
        list = index + base[b];
        for (long t = 0; t < tiles; t++)
            for (long m = 0; m < height; m++)
                for (long n = count[(b * tiles + t) * BLOCK + m]; n > 0; n--)
                    rows[base[b] + next[t * BLOCK + *list++]++] = (uint8_t)m;
    }
}

/* sums[l] = start[l] + the rows of `tile` that list l names, for WIDTH columns; sums[l] and
 * start[l] are `stride` and `start_stride` apart. Returns where the lists end. */
WIDEST static const uint8_t *sum_rows(long lists, const uint16_t *count, const uint8_t *list,
                                      const vec *tile, const REAL *start, long start_stride,
                                      REAL *sums, long stride)
{
    for (long l = 0; l < lists; l++, start += start_stride, sums += stride) {
        const uint8_t *end = list + count[l];
        vec even[VECS], odd[VECS]; /* two sums: an addition need not wait for the one before */
        for (int v = 0; v < VECS; v++) {
            even[v] = ((const loose *)start)[v];
            odd[v] = (vec){0};
        }
        for (; list + 1 < end; list += 2) {
            const vec *a = tile + VECS * list[0], *b = tile + VECS * list[1];
            for (int v = 0; v < VECS; v++) even[v] += a[v];
            for (int v = 0; v < VECS; v++) odd[v] += b[v];
        }
        if (list < end) {
            const vec *a = tile + VECS * *list++;
            for (int v = 0; v < VECS; v++) even[v] += a[v];
        }
        for (int v = 0; v < VECS; v++) ((loose *)sums)[v] = even[v] + odd[v];
    }
    return list;
}

/* packed[F][WIDTH] = value * weight[N, F] from column `column` on, turned; columns past N are 0.
 * By way of a block of odd width: rows of the weight are often a power of two apart, and would
 * all take the same few lines of the cache. */
static void pack_weight(const REAL *weight, long F, long N, long column, REAL value, REAL *packed)
{
    REAL block[WIDTH][LANES + 1] = {{0}};
    long wide = least(WIDTH, N - column);
    for (long first = 0; first < F; first += LANES) {
        long some = least(LANES, F - first);
        for (long n = 0; n < wide; n++)
            for (long k = 0; k < some; k++)
                block[n][k] = value * weight[(column + n) * F + first + k];
        for (long k = 0; k < some; k++)
            for (long n = 0; n < WIDTH; n++) packed[(first + k) * WIDTH + n] = block[n][k];
    }
}

/* out[M, N] = bias[N] + x[M, F] weight[N, F]^T; bias may be NULL. The weight is taken `group`
 * panels of WIDTH columns at a time. Scratch, aligned to 64 bytes: packed[group * F * WIDTH]. */
void forward(long M, long F, long N, const uint16_t *count, const int64_t *base,
             const uint8_t *index, REAL value, const REAL *weight, const REAL *bias, REAL *out,
             REAL *packed, long group, int threads)
{
    long tiles = blocks(F);
#pragma omp parallel num_threads(threads)
    for (long first = 0; first < panels(N); first += group) {
        long last = least(panels(N), first + group);
#pragma omp for schedule(static)
        for (long p = first; p < last; p++)
            pack_weight(weight, F, N, p * WIDTH, value, packed + (p - first) * F * WIDTH);
#pragma omp for collapse(2) schedule(dynamic, 4)
        for (long b = 0; b < blocks(M); b++) {
            for (long p = first; p < last; p++) {
                long height = least(BLOCK, M - b * BLOCK), wide = least(WIDTH, N - p * WIDTH);
                REAL start[WIDTH] = {0}, edge[BLOCK * WIDTH];
                REAL *sums = wide == WIDTH ? out + b * BLOCK * N + p * WIDTH : edge;
                long stride = wide == WIDTH ? N : WIDTH;
                const uint8_t *list = index + base[b];
                if (bias) memcpy(start, bias + p * WIDTH, sizeof(REAL) * (size_t)wide);
                for (long t = 0; t < tiles; t++) {
                    const REAL *tile = packed + ((p - first) * F + t * BLOCK) * WIDTH;
                    list = sum_rows(height, count + (b * tiles + t) * BLOCK, list,
                                    (const vec *)tile, t ? sums : start, t ? stride : 0, sums,
                                    stride);
                }
                if (wide == WIDTH) continue;
                for (long m = 0; m < height; m++)
                    memcpy(out + (b * BLOCK + m) * N + p * WIDTH, edge + m * WIDTH,
                           sizeof(REAL) * (size_t)wide);
            }
        }
    }
}

/* tile[rows][WIDTH] = value * grad[rows, N] from column `column` on; adds the rows to `total`. */
WIDEST static void pack_gradient(const REAL *grad, long rows, long N, long column, REAL value,
                                 REAL *tile, REAL *total)
{
    long wide = least(WIDTH, N - column);
    REAL sum[WIDTH] = {0};
    for (long m = 0; m < rows; m++, tile += WIDTH) {
        const REAL *from = grad + m * N + column;
        if (wide == WIDTH) { /* a length that the compiler knows */
            for (long n = 0; n < WIDTH; n++) sum[n] += from[n];
            for (long n = 0; n < WIDTH; n++) tile[n] = value * from[n];
        } else {
            for (long n = 0; n < wide; n++) sum[n] += from[n];
            for (long n = 0; n < wide; n++) tile[n] = value * from[n];
            for (long n = wide; n < WIDTH; n++) tile[n] = 0;
        }
    }
    for (long n = 0; n < WIDTH; n++) total[n] += sum[n];
}

/* grad_weight[N, F] = grad[M, N]^T x[M, F] and, unless NULL, grad_bias[N] = the sum over M, by the
 * lists that turn_lists made. */
void weight_gradient(long M, long F, long N, const uint16_t *count_of, const int64_t *base,
                     const uint8_t *rows, REAL value, const REAL *grad, REAL *grad_weight,
                     REAL *grad_bias, int threads)
{
    enum { SHARE = 512 }; /* features whose sums a thread keeps, in its second-level cache */
    long parts = (F + SHARE - 1) / SHARE;
    while (parts * panels(N) < 2 * threads && parts < F) parts++;
    long share = (F + parts - 1) / parts;
#pragma omp parallel for collapse(2) num_threads(threads) schedule(dynamic, 1)
    for (long p = 0; p < panels(N); p++) {
        for (long part = 0; part < parts; part++) {
            vec tile[BLOCK * VECS], kept[SHARE * VECS];
            REAL *sums = (REAL *)kept, total[WIDTH] = {0};
            long first = least(F, part * share), last = least(F, first + share);
            long wide = least(WIDTH, N - p * WIDTH);
            memset(sums, 0, sizeof(REAL) * (size_t)((last - first) * WIDTH));
            for (long b = 0; b < blocks(M); b++) {
                const uint16_t *of = count_of + b * F;
                const uint8_t *list = rows + base[b];
                for (long f = 0; f < first; f++) list += of[f];
                pack_gradient(grad + b * BLOCK * N, least(BLOCK, M - b * BLOCK), N, p * WIDTH,
                              value, (REAL *)tile, total);
                sum_rows(last - first, of + first, list, tile, sums, WIDTH, sums, WIDTH);
            }
            for (long from = first; from < last; from += LANES)
                for (long n = 0; n < wide; n++)
                    for (long f = from; f < least(last, from + LANES); f++)
                        grad_weight[(p * WIDTH + n) * F + f] = sums[(f - first) * WIDTH + n];
            if (grad_bias && part == 0)
                memcpy(grad_bias + p * WIDTH, total, sizeof(REAL) * (size_t)wide);
        }
    }
}

/* How many of mem[size] lie from `low` to `high`. */
long count_within(const REAL *mem, long size, REAL low, REAL high, int threads)
{
    long total = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : total)
    for (long i = 0; i < size; i += 4096) {
        int some = 0;
        for (long k = i; k < least(size, i + 4096); k++) some += mem[k] >= low && mem[k] <= high;
        total += some;
    }
    return total;
}

/* The sum over N of one row with each of four others. */
WIDEST static void four_dots(const REAL *one, const REAL *const other[4], long N, REAL *sums)
{
    vec sum[4] = {{0}};
    long n = 0;
    for (; n + LANES <= N; n += LANES) {
        vec a = *(const loose *)(one + n);
        for (int k = 0; k < 4; k++) sum[k] += a * *(const loose *)(other[k] + n);
    }
    for (int k = 0; k < 4; k++) {
        REAL total = 0;
        for (int lane = 0; lane < (int)LANES; lane++) total += sum[k][lane];
        for (long rest = n; rest < N; rest++) total += one[rest] * other[k][rest];
        sums[k] = total;
    }
}

/* out[M, F] = grad[M, N] turned[F, N]^T where mem[M, F] lies from `low` to `high`, else 0. Tiles of
 * few features: their rows of `turned` stay in the second-level cache while rows of grad pass. */
WIDEST void input_gradient(long M, long F, long N, const REAL *mem, REAL low, REAL high,
                           const REAL *grad, const REAL *turned, REAL *out, int threads)
{
    long tile = least(F, 32 + (long)(128 * 1024 / (sizeof(REAL) * (size_t)N)));
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (long b = 0; b < blocks(M); b++) {
        for (long first = 0; first < F; first += tile) {
            long wide = least(tile, F - first);
            for (long m = b * BLOCK; m < least(M, (b + 1) * BLOCK); m++) {
                const REAL *near = mem + m * F + first;
                REAL *to = out + m * F + first, sums[4];
                const REAL *rows[4];
                long places[4], found = 0;
                for (long f = 0; f < wide; f += 64) {
                    long some = least(64, wide - f);
                    uint8_t within[64] = {0};
                    memset(to + f, 0, sizeof(REAL) * (size_t)some);
                    for (long k = 0; k < some; k++)
                        within[k] = near[f + k] >= low && near[f + k] <= high;
                    for (long k = 0; k < some; k += 8) {
                        uint64_t eight;
                        memcpy(&eight, within + k, 8);
                        for (; eight; eight &= eight - 1) {
                            places[found] = f + k + __builtin_ctzll(eight) / 8;
                            rows[found] = turned + (first + places[found]) * N;
                            if (++found < 4) continue;
                            four_dots(grad + m * N, rows, N, sums);
                            for (found = 0; found < 4; found++) to[places[found]] = sums[found];
                            found = 0;
                        }
                    }
                }
                if (!found) continue;
                for (long k = found; k < 4; k++) rows[k] = rows[0];
                four_dots(grad + m * N, rows, N, sums);
                for (long k = 0; k < found; k++) to[places[k]] = sums[k];
            }
        }
    }
}
