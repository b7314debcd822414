// layer_norm, rms_norm and group_norm on a GPU.
//
// A group that lies in one piece belongs to a warp, or to a block if it is long; its threads read 16 bytes
// each where it is whole vectors. Over the channels of maps a block takes 32 neighbouring pixels: each of its
// 8 warps has every eighth channel of all 32, so that a warp reads pixels that lie together. Gradients of
// weights are sums over rows, of 32 neighbouring columns a block, or over maps, of a channel a block, both in
// parts (reduce/sums.h).
//
// Floor: 4 bytes read and 4 written an element (the vjp to the input reads 8, those to weight and bias 8 and
// 4). A group is read three times, the second and third time from the L1 cache.
#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/layer_norm/norm.h"
#include "kernels/reduce/sums.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = kSumWarps;    // of a block
constexpr int kMostForAWarp = 1024;  // elements of a group

/// A norm in 32 bits, with the division prepared.
struct DeviceNorm {
  int64_t outer;
  int length, inner, groups, share, kept;
  float eps;
  Divider by_share;
  explicit DeviceNorm(const Norm& n)
      : outer(n.outer),
        length(small(n.length)),
        inner(small(n.inner)),
        groups(small(n.groups)),
        share(small(n.share)),
        kept(n.kept()),
        eps(static_cast<float>(n.eps)),
        by_share(n.share) {}
  LOUPE_DEVICE bool centred() const { return kept == 2; }
  /// The first weight of outer place o, and how far behind it that of element l is.
  LOUPE_DEVICE int first_weight(int64_t o) const {
    return static_cast<int>(o % groups) * by_share.quotient(length);
  }
  LOUPE_DEVICE int weight_of(int l) const { return by_share.quotient(l); }
  LOUPE_DEVICE float r_of(float squares) const {
    return 1.0f / sqrtf(squares / static_cast<float>(length) + eps);
  }
};

struct Statistics {
  float mean = 0, r = 0;
  LOUPE_DEVICE static Statistics read(const DeviceNorm& n, const float* record, int64_t group) {
    return {n.centred() ? record[group * n.kept] : 0.0f, record[(group + 1) * n.kept - 1]};
  }
  LOUPE_DEVICE void write(const DeviceNorm& n, float* record, int64_t group) const {
    if (n.centred()) record[group * n.kept] = mean;
    record[(group + 1) * n.kept - 1] = r;
  }
  LOUPE_DEVICE float normalise(float x) const { return (x - mean) * r; }
};

/// The threads that share a group: a warp, or a block.
template <int Threads>
struct Team {
  static constexpr bool kIsWarp = Threads == kWarp;
  static unsigned blocks(int64_t rows) { return blocks_for(rows, kIsWarp ? kWarps : 1); }
  LOUPE_DEVICE static int64_t row() {
    return kIsWarp ? int64_t{blockIdx.x} * kWarps + warp_id() : int64_t{blockIdx.x};
  }
  LOUPE_DEVICE static int member() { return kIsWarp ? lane_id() : thread_number(); }
  LOUPE_DEVICE static float sum(float value) {
    if constexpr (kIsWarp) return warp_sum(value);
    return block_sum(value);
  }
};

/// Calls body(l) for the first element of each vector that is the thread's.
template <int Threads, int Width, typename Body>
LOUPE_DEVICE void for_own(int length, const Body& body) {
  for (int l = Team<Threads>::member() * Width; l < length; l += Threads * Width) body(l);
}

/// Weights are one for each element, or the same for all of a vector.
template <int Width>
LOUPE_DEVICE Vector<float, Width> weights(const DeviceNorm& n, const float* weight, int first, int l,
                                          float otherwise) {
  Vector<float, Width> w;
  if (weight && n.share == 1) return load_vector<Width>(weight + first + l);
  const float one = weight ? weight[first + n.weight_of(l)] : otherwise;
  for (int i = 0; i < Width; ++i) w[i] = one;
  return w;
}

template <int Threads, int Width>
LOUPE_KERNEL norm_rows_kernel(DeviceNorm n, const float* x, const float* weight, const float* bias, float* y,
                              float* record) {
  using Row = Team<Threads>;
  const int64_t row = Row::row();
  if (row >= n.outer) return;
  x += row * n.length;
  y += row * n.length;
  Statistics s;
  if (n.centred()) {
    float sum = 0;
    for_own<Threads, Width>(n.length, [&](int l) {
      const auto v = load_vector<Width>(x + l);
      for (int i = 0; i < Width; ++i) sum += v[i];
    });
    s.mean = Row::sum(sum) / static_cast<float>(n.length);
  }
  float squares = 0;
  for_own<Threads, Width>(n.length, [&](int l) {
    const auto v = load_vector<Width>(x + l);
    for (int i = 0; i < Width; ++i) squares += (v[i] - s.mean) * (v[i] - s.mean);
  });
  s.r = n.r_of(Row::sum(squares));
  if (record && Row::member() == 0) s.write(n, record, row);
  const int first = n.first_weight(row);
  for_own<Threads, Width>(n.length, [&](int l) {
    auto v = load_vector<Width>(x + l);
    const auto w = weights<Width>(n, weight, first, l, 1), b = weights<Width>(n, bias, first, l, 0);
    for (int i = 0; i < Width; ++i) v[i] = fused(s.normalise(v[i]), w[i], b[i]);
    store_vector(y + l, v);
  });
}

template <int Threads, int Width>
LOUPE_KERNEL norm_rows_vjp_kernel(DeviceNorm n, const float* x, const float* weight, const float* record,
                                  const float* gy, float* gx) {
  using Row = Team<Threads>;
  const int64_t row = Row::row();
  if (row >= n.outer) return;
  x += row * n.length;
  gy += row * n.length;
  gx += row * n.length;
  const Statistics s = Statistics::read(n, record, row);
  const int first = n.first_weight(row);
  float sum = 0, products = 0;
  for_own<Threads, Width>(n.length, [&](int l) {
    const auto v = load_vector<Width>(x + l), g = load_vector<Width>(gy + l),
               w = weights<Width>(n, weight, first, l, 1);
    for (int i = 0; i < Width; ++i) {
      sum += g[i] * w[i];
      products += g[i] * w[i] * s.normalise(v[i]);
    }
  });
  sum = n.centred() ? Row::sum(sum) / static_cast<float>(n.length) : 0.0f;
  products = Row::sum(products) / static_cast<float>(n.length);
  for_own<Threads, Width>(n.length, [&](int l) {
    auto v = load_vector<Width>(x + l);
    const auto g = load_vector<Width>(gy + l), w = weights<Width>(n, weight, first, l, 1);
    for (int i = 0; i < Width; ++i) v[i] = s.r * (g[i] * w[i] - fused(s.normalise(v[i]), products, sum));
    store_vector(gx + l, v);
  });
}

/// Maps: 32 pixels a block, counted through all images; threadIdx.y is the share of the channels.
struct Pixel {
  bool exists;
  int64_t group, start;  // its number; its channel 0
  int lane, share;
  LOUPE_DEVICE explicit Pixel(const DeviceNorm& n)
      : group(int64_t{blockIdx.x} * kWarp + threadIdx.x),
        lane(static_cast<int>(threadIdx.x)),
        share(static_cast<int>(threadIdx.y)) {
    exists = group < n.outer * n.inner;
    start = group / n.inner * n.length * n.inner + group % n.inner;
  }
  /// Σ term(l) over the channels, for each pixel. `part` is used for one sum alone.
  template <typename Term>
  LOUPE_DEVICE float sum(const DeviceNorm& n, float (&part)[kWarps][kWarp], const Term& term) const {
    float value = 0;
    for (int l = share; exists && l < n.length; l += kWarps) value += term(l);
    part[share][lane] = value;
    sync_threads();
    value = 0;
    for (int i = 0; i < kWarps; ++i) value += part[i][lane];
    return value;
  }
};
struct PixelParts {
  float first[kWarps][kWarp], second[kWarps][kWarp];
};

LOUPE_KERNEL norm_maps_kernel(DeviceNorm n, const float* x, const float* weight, const float* bias, float* y,
                              float* record) {
  auto& part = shared_storage<PixelParts>();
  const Pixel me(n);
  const int64_t step = n.inner;
  x += me.start;
  y += me.start;
  Statistics s;
  if (n.centred())
    s.mean = me.sum(n, part.first, [&](int l) { return x[l * step]; }) / static_cast<float>(n.length);
  s.r =
      n.r_of(me.sum(n, part.second, [&](int l) { return (x[l * step] - s.mean) * (x[l * step] - s.mean); }));
  if (!me.exists) return;
  if (record && me.share == 0) s.write(n, record, me.group);
  for (int l = me.share; l < n.length; l += kWarps)
    y[l * step] = fused(s.normalise(x[l * step]), weight ? weight[l] : 1.0f, bias ? bias[l] : 0.0f);
}

LOUPE_KERNEL norm_maps_vjp_kernel(DeviceNorm n, const float* x, const float* weight, const float* record,
                                  const float* gy, float* gx) {
  auto& part = shared_storage<PixelParts>();
  const Pixel me(n);
  const int64_t step = n.inner;
  x += me.start;
  gy += me.start;
  gx += me.start;
  Statistics s;
  if (me.exists) s = Statistics::read(n, record, me.group);
  const auto h = [&](int l) { return gy[l * step] * (weight ? weight[l] : 1.0f); };
  float sum = 0;
  if (n.centred()) sum = me.sum(n, part.first, h) / static_cast<float>(n.length);
  const float products = me.sum(n, part.second, [&](int l) { return h(l) * s.normalise(x[l * step]); }) /
                         static_cast<float>(n.length);
  for (int l = me.share; me.exists && l < n.length; l += kWarps)
    gx[l * step] = s.r * (h(l) - fused(s.normalise(x[l * step]), products, sum));
}

/// What a weight's gradient adds up: gy · x̂, or gy for a bias (x is null).
LOUPE_DEVICE float term_of(const DeviceNorm& n, const float* x, const float* record, const float* gy,
                           int64_t at, int64_t group) {
  return x ? gy[at] * Statistics::read(n, record, group).normalise(x[at]) : gy[at];
}

/// Rows with a weight for each element: the columns of a matrix.
LOUPE_KERNEL norm_rows_vjp_weight_kernel(DeviceNorm n, ColumnSums s, const float* x, const float* record,
                                         const float* gy, float* to) {
  const auto column = static_cast<int>(s.column());
  const int group = column / n.length;
  s.sum(to, [&](int64_t row) {
    return term_of(n, x, record, gy, row * s.columns + column, row * n.groups + group);
  });
}

/// Maps, or groups whose channels share a weight.
LOUPE_KERNEL norm_maps_vjp_weight_kernel(DeviceNorm n, ChannelSums s, const float* x, const float* record,
                                         const float* gy, float* to) {
  const auto group = static_cast<int>(int64_t{s.channel()} * n.share / n.length);
  const float sum = s.sum<1>([&](float& total, const auto& p) {
    const int64_t of = n.inner > 1 ? p.image * n.inner + p.pixel : p.image * n.groups + group;
    total += term_of(n, x, record, gy, p.at, of);
  });
  if (thread_number() == 0) to[blockIdx.x] = sum;
}

bool whole_vectors(const Norm& n) { return n.length % 4 == 0 && (n.share == 1 || n.share % 4 == 0); }

Launch over_maps(Stream stream, const Norm& n) {
  return {{blocks_for(n.outer * n.inner, kWarp)}, {kWarp, kWarps}, 0, stream};
}
template <int Threads>
Launch over_rows(Stream stream, const Norm& n) {
  return {{Team<Threads>::blocks(n.outer)}, {kSumThreads}, 0, stream};
}

}  // namespace

void norm(Stream stream, Norm n, const float* x, const float* weight, const float* bias, float* y,
          float* record) {
  const DeviceNorm d(n);
  if (n.inner > 1) return launch(over_maps(stream, n), norm_maps_kernel, d, x, weight, bias, y, record);
  if (n.length <= kMostForAWarp)
    launch(over_rows<kWarp>(stream, n),
           whole_vectors(n) ? norm_rows_kernel<kWarp, 4> : norm_rows_kernel<kWarp, 1>, d, x, weight, bias, y,
           record);
  else
    launch(over_rows<kSumThreads>(stream, n),
           whole_vectors(n) ? norm_rows_kernel<kSumThreads, 4> : norm_rows_kernel<kSumThreads, 1>, d, x,
           weight, bias, y, record);
}

void norm_vjp_input(Stream stream, Norm n, const float* x, const float* weight, const float* record,
                    const float* gy, float* gx) {
  const DeviceNorm d(n);
  if (n.inner > 1) return launch(over_maps(stream, n), norm_maps_vjp_kernel, d, x, weight, record, gy, gx);
  if (n.length <= kMostForAWarp)
    launch(over_rows<kWarp>(stream, n),
           whole_vectors(n) ? norm_rows_vjp_kernel<kWarp, 4> : norm_rows_vjp_kernel<kWarp, 1>, d, x, weight,
           record, gy, gx);
  else
    launch(over_rows<kSumThreads>(stream, n),
           whole_vectors(n) ? norm_rows_vjp_kernel<kSumThreads, 4> : norm_rows_vjp_kernel<kSumThreads, 1>, d,
           x, weight, record, gy, gx);
}

void norm_vjp_weight(Stream stream, Norm n, Parts parts, const float* x, const float* record, const float* gy,
                     float* g, float* scratch) {
  const DeviceNorm d(n);
  in_parts(stream, parts, n.weights(), g, scratch, [&](int64_t first, int64_t count, float* to) {
    if (n.has_channels()) {
      const ChannelSums s(parts, first, n.weights(), 1);
      return launch(s.launch_in(stream, count), norm_maps_vjp_weight_kernel, d, s, x, record, gy, to);
    }
    const ColumnSums s(parts, first, n.weights());
    launch(s.launch_in(stream, count), norm_rows_vjp_weight_kernel, d, s, x, record, gy, to);
  });
}

LOUPE_EXPORT(norm);
LOUPE_EXPORT(norm_vjp_input);
LOUPE_EXPORT(norm_vjp_weight);

}  // namespace loupe::LOUPE_TARGET
