#include "engine/neurons/dream_goals.h"

#include <algorithm>
#include <limits>

#include "engine/run/passes.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {

// Where the numbers of one picture's value lie: channel c of cell i at data[c·channel + i·cell].
struct Layout1 {
  int64_t channels = 0, cells = 1, channel = 1, cell = 0;
  explicit Layout1(const Shape& s) {
    if (s.rank() == 4) {
      channels = s[1], cells = s[2] * s[3], channel = cells, cell = 1;
    } else if (s.rank() == 3) {
      cells = s[1], channels = s[2], channel = 1, cell = channels;
    } else {
      channels = s.numel(), channel = 1;
    }
  }
};

// For each cell of `value` the cell of the guide that fits it best, the first of equal ones, whose numbers (cells,
// channels) go to `slope`. Cells are compared in blocks, as many as a vector holds.
template <typename T>
void fit(const T* value, const std::vector<T>& guide, T* slope, const Layout1& at) {
  constexpr int64_t kBlockCells = 16;
  const auto candidates = std::ssize(guide) / at.channels;
  parallel_for(ceil_div(at.cells, kBlockCells), [&](int64_t block) {
    const int64_t first = block * kBlockCells, count = std::min(kBlockCells, at.cells - first);
    std::vector<T> cells(static_cast<size_t>(at.channels * kBlockCells));
    for (int64_t c = 0; c < at.channels; ++c)
      for (int64_t i = 0; i < count; ++i)
        cells[static_cast<size_t>(c * kBlockCells + i)] = value[c * at.channel + (first + i) * at.cell];
    T best[kBlockCells];
    std::fill_n(best, kBlockCells, -std::numeric_limits<T>::infinity());
    int64_t which[kBlockCells] = {};
    for (int64_t j = 0; j < candidates; ++j) {
      T product[kBlockCells] = {};
      for (int64_t c = 0; c < at.channels; ++c) {
        const T g = guide[static_cast<size_t>(j * at.channels + c)];
        const T* row = &cells[static_cast<size_t>(c * kBlockCells)];
        for (int64_t i = 0; i < kBlockCells; ++i) product[i] += g * row[i];
      }
      for (int64_t i = 0; i < kBlockCells; ++i)
        if (product[i] > best[i]) best[i] = product[i], which[i] = j;
    }
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < at.channels; ++c)
        slope[c * at.channel + (first + i) * at.cell] =
            guide[static_cast<size_t>(which[i] * at.channels + c)];
  });
}

template <typename T>
Tensor fitted(const Tensor& value, const std::vector<double>& guide) {
  const Tensor slope(value.dtype(), value.shape());
  fit<T>(value.values<const T>().data(), std::vector<T>(guide.begin(), guide.end()), slope.values<T>().data(),
         Layout1(value.shape()));
  return slope;
}

}  // namespace

DreamGoal layer_goal(NodeId node) {
  return {.node = node, .slope = [](const Tensor& value) { return value; }};
}

DreamGoal direction_goal(NodeId node, const Shape& shape, std::vector<double> v) {
  if (const int64_t channels = Layout1(shape.with(0, 1)).channels; std::ssize(v) != channels)
    throw UsageError("a direction of " + std::to_string(v.size()) + " numbers in a layer of " +
                     std::to_string(channels) + " channels");
  return {.node = node, .slope = [v = std::move(v)](const Tensor& value) {
            const Tensor slope(Dtype::f64, value.shape());
            const Layout1 at(value.shape());
            double* to = slope.values<double>().data();
            for (int64_t c = 0; c < at.channels; ++c)
              for (int64_t i = 0; i < at.cells; ++i)
                to[c * at.channel + i * at.cell] = v[static_cast<size_t>(c)];
            return slope;
          }};
}

DreamGoal guide_goal(Network& net, NodeId node, const Tensor& guide) {
  expect_images(net, guide);
  Execution& pass = net.execution(guide.shape(), {.values = {node}});
  pass.forward(guide);
  const Tensor value = pass.value(node);
  const Layout1 at(value.shape());
  std::vector<double> cells;
  for (int64_t i = 0; i < at.cells; ++i)
    for (int64_t c = 0; c < at.channels; ++c) cells.push_back(value.item(c * at.channel + i * at.cell));
  return {.node = node, .slope = [cells = std::move(cells)](const Tensor& v) {
            return v.dtype() == Dtype::f64 ? fitted<double>(v, cells) : fitted<float>(v, cells);
          }};
}

DreamGoal score_goal(const Graph& graph, std::vector<std::pair<double, Target>> parts) {
  if (parts.empty()) throw UsageError("a dream needs a goal");
  const NodeId node = parts[0].second.node(graph);
  for (const auto& [weight, target] : parts)
    if (target.node(graph) != node) throw UsageError("a dream's goal is of one layer");
  return {.node = node, .by_cells = false, .slope = [parts = std::move(parts)](const Tensor& value) {
            const Tensor result = value.to(Dtype::f64), sum = Tensor::zeros(Dtype::f64, value.shape());
            const auto to = sum.values<double>();
            for (const auto& [weight, target] : parts) {
              const Tensor slope = target.seed(result);
              const auto from = slope.values<const double>();
              for (size_t i = 0; i < to.size(); ++i) to[i] += weight * from[i];
            }
            return sum;
          }};
}

}  // namespace loupe
