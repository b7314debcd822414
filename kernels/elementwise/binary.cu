// Binary ops on a GPU. Forward, and where an operand's gradient sums over outer dimensions only, a thread
// makes a result, and a warp reads neighbours; where neighbours are terms of one sum, a warp makes a result.
#include "kernels/elementwise/binary.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/warp.h"
#include "kernels/elementwise/numbers_device.h"

namespace loupe::LOUPE_TARGET {

namespace {

template <typename Term, typename Offsets>
LOUPE_DEVICE float term_at(const float* g, const float* a, const float* b, const Offsets& at,
                           const Offsets& then) {
  return Term::of(Term::reads_g ? g[at.g + then.g] : 0.0f, Term::reads_a ? a[at.a + then.a] : 0.0f,
                  Term::reads_b ? b[at.b + then.b] : 0.0f);
}

// A plane is all results but for the innermost kept dimension, a cell an index of that.
LOUPE_KERNEL columns_kernel(Cells results, BinarySum s, const float* g, const float* a, const float* b,
                            float* to) {
  int64_t row;
  int cell;
  if (!results.find(row, cell)) return;
  const auto inner = s.kept.dim[s.kept.rank - 1];
  auto at = s.kept.at(row, 1);
  at = {at.g + cell * inner.g, at.a + cell * inner.a, at.b + cell * inner.b};
  const int64_t terms = s.summed.count();
  binary_terms::visit_term(s.kind, s.operand, [&](auto term) {
    using Term = decltype(term);
    float sum = term_at<Term>(g, a, b, at, s.summed.at(0));
    for (int64_t t = 1; t < terms; ++t) sum += term_at<Term>(g, a, b, at, s.summed.at(t));
    to[row * inner.size + cell] = sum;
  });
}

constexpr int kWarps = 8;
LOUPE_KERNEL rows_kernel(int64_t results, BinarySum s, const float* g, const float* a, const float* b,
                         float* to) {
  const int64_t k = int64_t{blockIdx.x} * kWarps + warp_id();
  if (k >= results) return;
  const auto at = s.kept.at(k);
  const int64_t terms = s.summed.count();
  float sum = 0;
  binary_terms::visit_term(s.kind, s.operand, [&](auto term) {
    for (int64_t t = lane_id(); t < terms; t += kWarp)
      sum += term_at<decltype(term)>(g, a, b, at, s.summed.at(t));
  });
  sum = warp_sum(sum);
  if (lane_id() == 0) to[k] = sum;
}

}  // namespace

void binary(Stream stream, BinarySum s, const float* g, const float* a, const float* b, float* to) {
  const int64_t results = s.kept.count();
  if (s.rows)
    return launch({{blocks_for(results, kWarps)}, {kWarps * kWarp}, 0, stream}, rows_kernel, results, s, g, a,
                  b, to);
  const int64_t inner = s.kept.dim[s.kept.rank - 1].size;
  const Cells cells(results / inner, inner);
  launch(cells.launch_in(stream), columns_kernel, cells, s, g, a, b, to);
}

LOUPE_EXPORT(binary);

}  // namespace loupe::LOUPE_TARGET
