// Norms of groups that lie in one piece, on the CPU: a task is a group, which stays in the cache while it is
// read three times.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/layer_norm/norm.cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "hwy/highway.h"
#include "kernels/common/parallel.h"
#include "kernels/layer_norm/norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

constexpr int64_t kLine = 64;  // rows whose gradients are summed before they join the total

// The weights (or biases) of a run of elements: one for each, one for all of them, or none: `otherwise`.
struct Scale {
  const float* at;
  bool same;
  float otherwise;
  HWY_INLINE Block operator()(int64_t i, int64_t count) const {
    if (!at) return fill(otherwise);
    return same ? fill(*at) : load_part(at + i, count);
  }
};

// The runs of a group whose weights are read in one way: the whole group, or its channels where those share a
// weight.
template <typename Body>
HWY_INLINE void for_runs(const Norm& n, const Body& body) {
  const int64_t run = n.share > 1 ? n.share : n.length;
  for (int64_t l = 0; l < n.length; l += run) body(l, run);
}
HWY_INLINE Scale scale_of(const Norm& n, const float* weight, int64_t o, int64_t l, float otherwise) {
  return {weight ? weight + n.weight_of(o, l) : nullptr, n.share > 1, otherwise};
}

void NormRows(const Norm& n, const float* x, const float* weight, const float* bias, float* y,
              float* record) {
  parallel_for(n.outer, [=](int64_t o) {
    const float* row = x + o * n.length;
    Statistics s;
    if (n.centred)
      s.mean = sum_of(n.length, [=](int64_t i, int64_t count) { return load_part(row + i, count); }) /
               static_cast<float>(n.length);
    s.r = one_over_deviation(n, sum_of(n.length, [=](int64_t i, int64_t count) {
                               const Block d = subtract(load_part(row + i, count), fill(s.mean));
                               return only(mul(d, d), count);
                             }));
    s.write(n, record, o);
    for_runs(n, [&](int64_t l, int64_t run) {
      const Scale w = scale_of(n, weight, o, l, 1), b = scale_of(n, bias, o, l, 0);
      float* out = y + o * n.length + l;
      for_blocks(run, [=](int64_t i, int64_t count) {
        store_part(fma(s.normalise(load_part(row + l + i, count)), w(i, count), b(i, count)), out + i, count);
      });
    });
  });
}

void NormRowsVjpInput(const Norm& n, const float* x, const float* weight, const float* record,
                      const float* gy, float* gx) {
  parallel_for(n.outer, [=](int64_t o) {
    const Statistics s = Statistics::read(n, record, o);
    const float *row = x + o * n.length, *signal = gy + o * n.length;
    float sum = 0, products = 0;
    for_runs(n, [&](int64_t l, int64_t run) {
      const Scale w = scale_of(n, weight, o, l, 1);
      const auto h = [=](int64_t i, int64_t count) {
        return mul(load_part(signal + l + i, count), w(i, count));
      };
      if (n.centred) sum += sum_of(run, [=](int64_t i, int64_t count) { return only(h(i, count), count); });
      products += sum_of(run, [=](int64_t i, int64_t count) {
        return only(mul(h(i, count), s.normalise(load_part(row + l + i, count))), count);
      });
    });
    const Block mean = fill(sum / static_cast<float>(n.length)),
                tilt = fill(products / static_cast<float>(n.length));
    for_runs(n, [&](int64_t l, int64_t run) {
      const Scale w = scale_of(n, weight, o, l, 1);
      for_blocks(run, [=](int64_t i, int64_t count) {
        const Block h = mul(load_part(signal + l + i, count), w(i, count));
        const Block down = fma(s.normalise(load_part(row + l + i, count)), tilt, mean);
        store_part(mul(fill(s.r), subtract(h, down)), gx + o * n.length + l + i, count);
      });
    });
  });
}

// Σ term(start, count, o) over the groups that share weights: element l of every `groups`-th one.
template <typename Term>
void sum_weights(const Norm& n, float* g, const Term& term) {
  if (n.share > 1) {  // one weight for a run of elements in each image
    return parallel_for(n.weights(), [=](int64_t w) {
      const int64_t group = w * n.share / n.length, l = w * n.share % n.length;
      float sum = 0;
      for (int64_t o = group; o < n.outer; o += n.groups)
        sum += sum_of(n.share, [&](int64_t i, int64_t count) {
          return only(term(o * n.length + l + i, count, o), count);
        });
      g[w] = sum;
    });
  }
  const int64_t row_blocks = blocks(n.length);
  parallel_for(n.groups * row_blocks, [=](int64_t task) {
    const int64_t group = task / row_blocks, l = task % row_blocks * kBlock,
                  count = std::min(kBlock, n.length - l);
    Block sum = fill(0.0f);
    for (int64_t begin = group; begin < n.outer; begin += kLine * n.groups) {
      Block line = fill(0.0f);
      for (int64_t o = begin; o < std::min(n.outer, begin + kLine * n.groups); o += n.groups)
        line = add(line, term(o * n.length + l, count, o));
      sum = add(sum, line);
    }
    store_part(sum, g + group * n.length + l, count);
  });
}

void NormRowsVjpWeight(const Norm& n, const float* x, const float* record, const float* gy, float* gweight) {
  sum_weights(n, gweight, [=](int64_t start, int64_t count, int64_t o) {
    return mul(load_part(gy + start, count),
               Statistics::read(n, record, o).normalise(load_part(x + start, count)));
  });
}

void NormRowsVjpBias(const Norm& n, const float* gy, float* gbias) {
  sum_weights(n, gbias, [=](int64_t start, int64_t count, int64_t) { return load_part(gy + start, count); });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe {
HWY_EXPORT(NormRows);
HWY_EXPORT(NormRowsVjpInput);
HWY_EXPORT(NormRowsVjpWeight);
HWY_EXPORT(NormRowsVjpBias);

namespace cpu {

namespace {
void expect_rows(const Norm& n) {
  if (n.inner != 1)
    throw Error("norms on the cpu are of groups that lie in one piece, or of blocked channels");
}
}  // namespace

void norm(const Norm& n, const float* x, const float* weight, const float* bias, float* y, float* record) {
  expect_rows(n);
  HWY_DYNAMIC_DISPATCH(NormRows)(n, x, weight, bias, y, record);
}
void norm_vjp_input(const Norm& n, const float* x, const float* weight, const float* record, const float* gy,
                    float* gx) {
  expect_rows(n);
  HWY_DYNAMIC_DISPATCH(NormRowsVjpInput)(n, x, weight, record, gy, gx);
}
void norm_vjp_weight(const Norm& n, const float* x, const float* record, const float* gy, float* gweight) {
  expect_rows(n);
  HWY_DYNAMIC_DISPATCH(NormRowsVjpWeight)(n, x, record, gy, gweight);
}
void norm_vjp_bias(const Norm& n, const float* gy, float* gbias) {
  expect_rows(n);
  HWY_DYNAMIC_DISPATCH(NormRowsVjpBias)(n, gy, gbias);
}

}  // namespace cpu
}  // namespace loupe
#endif
