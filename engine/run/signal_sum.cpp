#include "engine/run/signal_sum.h"

#include <algorithm>

#include "engine/tensor/transfer.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {
std::optional<NodeId> only_reader(const Graph& graph, NodeId n, std::string_view kind) {
  const std::vector<NodeId> readers = graph.consumers(n);
  if (readers.size() != 1) return std::nullopt;
  const Node& reader = graph.node(readers[0]);
  if (!reader.op || reader.op->kind().name != kind || reader.inputs[0].node != n) return std::nullopt;
  for (size_t i = 1; i < reader.inputs.size(); ++i)
    if (!graph.node(reader.inputs[i].node).is_weight()) return std::nullopt;
  return readers[0];
}

// sums += Σ_r weights[r]·rows[r], of the rows that count.
template <typename T>
void add_rows(std::vector<double>& sums, const T* rows, std::span<const int64_t> which,
              std::span<const double> weights) {
  constexpr int64_t kChunk = 1 << 13;
  const auto size = static_cast<int64_t>(sums.size());
  parallel_for(ceil_div(size, kChunk), [&](int64_t chunk) {
    const int64_t begin = chunk * kChunk, end = std::min(size, begin + kChunk);
    double* to = sums.data();
    for (const int64_t r : which) {
      const T* from = rows + r * size;
      const double weight = weights[static_cast<size_t>(r)];
      for (int64_t i = begin; i < end; ++i) to[i] += weight * static_cast<double>(from[i]);
    }
  });
}
}  // namespace

std::optional<NodeId> affine_beginning(const Graph& graph, NodeId before) {
  const std::vector<NodeId> inputs = graph.inputs();
  if (inputs.size() != 1) return std::nullopt;
  const auto first = only_reader(graph, inputs[0], "conv2d");
  if (!first || *first >= before) return std::nullopt;
  const auto norm = only_reader(graph, *first, "batch_norm");
  return norm && *norm < before ? norm : first;
}

SignalSum::SignalSum(Network& net, const Shape& one, int64_t images, NodeId at, NodeId target,
                     const Rule& rule)
    : net_(net), one_(one.with(0, 1)), at_(at), node_(at), sums_(static_cast<size_t>(images)) {
  // A device's signals come down to the host, and there are more of them behind the first layer.
  in_place_ = !net.queue().module;
  const Graph& graph = net.graph();
  if (in_place_ && at == graph.inputs().at(0)) {
    const auto end = affine_beginning(graph, target);
    const bool own_rows =
        end && (rule.find(graph.node(*end)) || rule.find(graph.node(graph.consumers(at)[0])));
    if (end && !own_rows) node_ = *end;
  }
  in_place_ = node_ != at;
}

void SignalSum::add(Execution& pass, std::span<const int64_t> images, std::span<const double> weights) {
  Tensor planar;
  if (in_place_) {
    like_ = pass.gradient_in_place(node_);
  } else {
    planar = pass.gradient(node_);
    like_ = planar.array();
  }
  const int64_t row = like_.bytes() / dtype_bytes(like_.dtype) / like_.shape[0];
  for (size_t r = 0; r < images.size();) {
    std::vector<int64_t> which;
    const int64_t image = images[r];
    for (; r < images.size() && images[r] == image; ++r)
      if (weights[r] != 0) which.push_back(static_cast<int64_t>(r));
    std::vector<double>& sums = sums_.at(static_cast<size_t>(image));
    sums.resize(static_cast<size_t>(row));
    with_float_type(like_.dtype,
                    [&]<typename T>(T) { add_rows<T>(sums, like_.as<const T>(), which, weights); });
  }
}

Tensor SignalSum::total() {
  const Shape row = like_.shape.with(0, 1);
  std::vector<Tensor> totals;
  for (const std::vector<double>& sums : sums_) {
    if (!in_place_) {
      totals.push_back(Tensor::from(sums, row));
      continue;
    }
    Tensor signal;
    with_float_type(like_.dtype, [&]<typename T>(T) {
      std::vector<T> rounded(sums.begin(), sums.end());
      signal = download(net_.queue(),
                        Array{reinterpret_cast<std::byte*>(rounded.data()), like_.dtype, row, like_.layout});
    });
    Execution& beginning = net_.execution(one_, {.from = node_, .gradients = {at_}});
    beginning.forward(Tensor::zeros(Dtype::f32, one_));  // which input it is does not matter
    beginning.backward(signal);
    totals.push_back(beginning.gradient(at_).to(Dtype::f64));
  }
  return stack_rows(totals);
}

}  // namespace loupe
