// t-SNE's loops over pairs: lanes are the columns of a tile, 16 at a time. A tile's forces on its columns wait in the
// L1 cache, 4 KiB, while those on two rows are in registers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sne/sne.cpu.cpp"
#include <algorithm>

#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "kernels/common/row-inl.h"
#include "kernels/sne/sne.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE Block divide(float a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Div(hn::Set(D(), a), b.v[i]);
  return r;
}
/// c − a·b, rounded once.
HWY_INLINE Block less_product(const Block& a, const Block& b, const Block& c) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::NegMulAdd(a.v[i], b.v[i], c.v[i]);
  return r;
}
/// b, but 0 where it is less than `least`, which is positive.
HWY_INLINE Block unless_below(float least, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::IfThenElseZero(hn::Ge(b.v[i], hn::Set(D(), least)), b.v[i]);
  return r;
}
/// exp(−beta·t), 0 where that is below 1e-43 or so; beta and t are 0 or more.
HWY_INLINE Block gaussian(const Block& beta, const Block& t) {
  Block r;
  for (int i = 0; i < kVectors; ++i)
    r.v[i] = hn::Exp(D(), hn::Max(hn::Neg(hn::Mul(beta.v[i], t.v[i])), hn::Set(D(), -200.0f)));
  return r;
}

// 16 points as the kernel reads them: (dims, 16); those that are missing repeat the last one.
void pack_points(const float* b, int64_t count, int64_t dims, float* to) {
  for (int64_t k = 0; k < dims; ++k)
    for (int64_t j = 0; j < kBlock; ++j) to[k * kBlock + j] = b[std::min(j, count - 1) * dims + k];
}

template <int kRows>
void distances_of_rows(const float* a, const float* packed, int64_t dims, int64_t columns, float* to) {
  Block sum[kRows];
  for (Block& s : sum) s = fill(0.0f);
  for (int64_t k = 0; k < dims; ++k) {
    const Block b = load(packed + k * kBlock);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const Block d = subtract(fill(a[r * dims + k]), b);
      sum[r] = fma(d, d, sum[r]);
    }
  }
  for (int r = 0; r < kRows; ++r) store(only(sum[r], columns), to + r * kSneBlock);
}

void Distances(const float* a, int64_t rows, const float* b, int64_t columns, int64_t dims, float* scratch,
               float* tile) {
  std::fill_n(tile + rows * kSneBlock, (kSneBlock - rows) * kSneBlock, 0.0f);
  for (int64_t j = 0; j < kSneBlock; j += kBlock) {
    const int64_t count = std::min(kBlock, columns - j);
    if (count <= 0) {
      for (int64_t i = 0; i < rows; ++i) store(fill(0.0f), tile + i * kSneBlock + j);
      continue;
    }
    pack_points(b + j * dims, count, dims, scratch);
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4)
      distances_of_rows<4>(a + i * dims, scratch, dims, count, tile + i * kSneBlock + j);
    for (; i < rows; ++i) distances_of_rows<1>(a + i * dims, scratch, dims, count, tile + i * kSneBlock + j);
  }
}

GaussianSums Sums(const float* distances, int64_t count, float beta, float least) {
  constexpr int64_t kLine = 1024;  // so many are added up in float32
  const Block b = fill(beta), origin = fill(least);
  GaussianSums all;
  for (int64_t begin = 0; begin < count; begin += kLine) {
    Block weight = fill(0.0f), first = fill(0.0f), second = fill(0.0f);
    for_blocks(std::min(kLine, count - begin), [&](int64_t i, int64_t n) {
      const Block t = subtract(load_part(distances + begin + i, n), origin);
      const Block w = only(gaussian(b, t), n), wt = mul(w, t);
      weight = add(weight, w);
      first = add(first, wt);
      second = fma(wt, t, second);
    });
    all.weight += static_cast<double>(total(weight));
    all.first += static_cast<double>(total(first));
    all.second += static_cast<double>(total(second));
  }
  return all;
}

// Less than this is 0: it is nothing beside the others, and products with numbers that are denormal take a hundred
// times as long.
constexpr float kNoAffinity = 1e-30f;

void Affinities(const SneGaussians& rows, const SneGaussians& columns, bool diagonal, float* tile) {
  for (int64_t i = 0; i < rows.count; ++i) {
    const Block beta = fill(rows.beta[i]), least = fill(rows.least[i]), scale = fill(rows.scale[i]);
    for (int64_t j = 0; j < columns.count; j += kBlock) {
      float* at = tile + i * kSneBlock + j;
      const Block d = load(at);
      const Block there = mul(scale, gaussian(beta, subtract(d, least)));
      const Block back = mul(load(columns.scale + j),
                             gaussian(load(columns.beta + j), subtract(d, load(columns.least + j))));
      store(only(unless_below(kNoAffinity, add(there, back)), std::min(kBlock, columns.count - j)), at);
    }
    if (diagonal) tile[i * kSneBlock + i] = 0;
  }
}

// Forces of a tile on kRows rows from `i` on, and on its columns. Returns Σ q.
template <int kRows, bool kDiagonal>
double forces_of_rows(const float* affinities, const SnePoints& rows, const SnePoints& columns, int64_t i,
                      const SneForces& to_rows, const SneForces& to_columns) {
  Block x[kRows], y[kRows], ax[kRows], ay[kRows], rx[kRows], ry[kRows], sum = fill(0.0f);
  for (int r = 0; r < kRows; ++r) {
    x[r] = fill(rows.x[i + r]), y[r] = fill(rows.y[i + r]);
    ax[r] = ay[r] = rx[r] = ry[r] = fill(0.0f);
  }
  for (int64_t j = 0; j < columns.count; j += kBlock) {
    const Block xj = load(columns.x + j), yj = load(columns.y + j);
    Block cax, cay, crx, cry;
    if (!kDiagonal) {
      cax = load(to_columns.attract_x + j), cay = load(to_columns.attract_y + j);
      crx = load(to_columns.repel_x + j), cry = load(to_columns.repel_y + j);
    }
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
      const Block dx = subtract(x[r], xj), dy = subtract(y[r], yj);
      Block q = divide(1.0f, fma(dy, dy, fma(dx, dx, fill(1.0f))));
      if (columns.count - j < kBlock) q = only(q, columns.count - j);
      if (kDiagonal && (i + r) / kBlock * kBlock == j)
        q = select(static_cast<uint16_t>(1u << (i + r) % kBlock), fill(0.0f), q);
      const Block p = mul(load(affinities + (i + r) * kSneBlock + j), q), q2 = mul(q, q);
      sum = add(sum, q);
      ax[r] = fma(p, dx, ax[r]), ay[r] = fma(p, dy, ay[r]);
      rx[r] = fma(q2, dx, rx[r]), ry[r] = fma(q2, dy, ry[r]);
      if (!kDiagonal) {
        cax = less_product(p, dx, cax), cay = less_product(p, dy, cay);
        crx = less_product(q2, dx, crx), cry = less_product(q2, dy, cry);
      }
    }
    if (!kDiagonal) {
      store(cax, to_columns.attract_x + j), store(cay, to_columns.attract_y + j);
      store(crx, to_columns.repel_x + j), store(cry, to_columns.repel_y + j);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    to_rows.attract_x[i + r] = total(ax[r]), to_rows.attract_y[i + r] = total(ay[r]);
    to_rows.repel_x[i + r] = total(rx[r]), to_rows.repel_y[i + r] = total(ry[r]);
  }
  return static_cast<double>(total(sum));
}

template <bool kDiagonal>
double forces(const float* affinities, const SnePoints& rows, const SnePoints& columns,
              const SneForces& to_rows, const SneForces& to_columns) {
  if (!kDiagonal)
    for (float* to : {to_columns.attract_x, to_columns.attract_y, to_columns.repel_x, to_columns.repel_y})
      std::fill_n(to, kSneBlock, 0.0f);
  double sum = 0;
  int64_t i = 0;
  for (; i + 2 <= rows.count; i += 2)
    sum += forces_of_rows<2, kDiagonal>(affinities, rows, columns, i, to_rows, to_columns);
  if (i < rows.count) sum += forces_of_rows<1, kDiagonal>(affinities, rows, columns, i, to_rows, to_columns);
  return sum;
}

double Forces(const float* affinities, const SnePoints& rows, const SnePoints& columns, bool diagonal,
              const SneForces& to_rows, const SneForces& to_columns) {
  return diagonal ? forces<true>(affinities, rows, columns, to_rows, to_columns)
                  : forces<false>(affinities, rows, columns, to_rows, to_columns);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
namespace {
HWY_EXPORT(Distances);
HWY_EXPORT(Sums);
HWY_EXPORT(Affinities);
HWY_EXPORT(Forces);
}  // namespace

void sne_distances(const float* a, int64_t rows, const float* b, int64_t columns, int64_t dims,
                   float* scratch, float* tile) {
  HWY_DYNAMIC_DISPATCH(Distances)(a, rows, b, columns, dims, scratch, tile);
}
GaussianSums sne_gaussian_sums(const float* distances, int64_t count, float beta, float least) {
  return HWY_DYNAMIC_DISPATCH(Sums)(distances, count, beta, least);
}
void sne_affinities(const SneGaussians& rows, const SneGaussians& columns, bool diagonal, float* tile) {
  HWY_DYNAMIC_DISPATCH(Affinities)(rows, columns, diagonal, tile);
}
double sne_forces(const float* affinities, const SnePoints& rows, const SnePoints& columns, bool diagonal,
                  const SneForces& to_rows, const SneForces& to_columns) {
  return HWY_DYNAMIC_DISPATCH(Forces)(affinities, rows, columns, diagonal, to_rows, to_columns);
}
}  // namespace loupe::cpu
#endif
