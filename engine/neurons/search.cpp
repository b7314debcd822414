#include "engine/neurons/search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/run/passes.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {

// Where a channel's cells of one image lie: cell p at data[p · step].
template <typename T>
struct Channel {
  const T* data;
  int64_t step;
};
template <typename T>
Channel<T> channel_of(const Array& maps, int64_t n, int64_t c) {
  const int64_t channels = maps.shape[1], cells = maps.shape[2] * maps.shape[3];
  if (maps.layout == Layout::planar) return {maps.as<const T>() + (n * channels + c) * cells, 1};
  return {maps.as<const T>() + ((n * blocks(channels) + c / kBlock) * cells) * kBlock + c % kBlock, kBlock};
}

constexpr double kNone = -std::numeric_limits<double>::infinity();

// The largest number of each channel; kNone where there is no number.
template <typename T>
std::vector<double> maxima(const Array& maps) {
  const int64_t channels = maps.shape[1], cells = maps.shape[2] * maps.shape[3];
  std::vector<double> largest(static_cast<size_t>(maps.shape[0] * channels), kNone);
  const int64_t lanes = maps.layout == Layout::planar ? 1 : kBlock, groups = ceil_div(channels, lanes);
  parallel_for(maps.shape[0] * groups, [&](int64_t i) {
    const int64_t n = i / groups, first = i % groups * lanes;
    const T* from = channel_of<T>(maps, n, first).data;
    T top[kBlock];
    std::fill_n(top, kBlock, -std::numeric_limits<T>::infinity());
    if (lanes == 1) {
      for (int64_t p = 0; p < cells; ++p) top[0] = from[p] > top[0] ? from[p] : top[0];
    } else {
      for (int64_t p = 0; p < cells; ++p)
        for (int64_t l = 0; l < kBlock; ++l)
          top[l] = from[p * kBlock + l] > top[l] ? from[p * kBlock + l] : top[l];
    }
    for (int64_t l = 0; l < lanes && first + l < channels; ++l)
      largest[static_cast<size_t>(n * channels + first + l)] = static_cast<double>(top[l]);
  });
  return largest;
}

template <typename T>
int64_t first_place(const Array& maps, int64_t n, int64_t c, double value) {
  const Channel<T> channel = channel_of<T>(maps, n, c);
  int64_t p = 0;
  while (static_cast<double>(channel.data[p * channel.step]) != value) ++p;
  return p;
}

// The one node that reads n, if it reads nothing else of the run.
std::optional<NodeId> only_reader(const Graph& graph, NodeId n) {
  const std::vector<NodeId> readers = graph.consumers(n);
  if (readers.size() != 1 || n == graph.output()) return std::nullopt;
  const Node& reader = graph.node(readers[0]);
  const auto of_run = [&](const Port& p) { return !graph.node(p.node).is_weight(); };
  return std::ranges::count_if(reader.inputs, of_run) == 1 ? std::optional(readers[0]) : std::nullopt;
}

}  // namespace

std::vector<NodeId> filter_layers(const Graph& graph) {
  std::vector<NodeId> layers;
  for (NodeId n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    if (!node.op || node.op->kind().name != "conv2d" || node.shape().rank() != 4) continue;
    NodeId seen = n;
    if (const auto next = only_reader(graph, seen); next && graph.node(*next).op->kind().name == "batch_norm")
      seen = *next;
    if (const auto next = only_reader(graph, seen); next && graph.node(*next).op->function()) seen = *next;
    layers.push_back(seen);
  }
  return layers;
}

std::vector<NodeId> layers_with_places(const Graph& graph, const std::vector<std::string>& names,
                                       const Shape& input) {
  std::vector<NodeId> layers;
  const std::vector<Shape> shapes = graph.shapes(input);
  for (const std::string& name : names) {
    const NodeId n = graph.find(name);
    const Shape& shape = shapes[static_cast<size_t>(n)];
    if (shape.rank() != 4)
      throw UsageError("layer '" + name + "' has no places: its value is " + shape.str() +
                       ", not maps (N, C, H, W)");
    if (std::ranges::count(layers, n)) throw UsageError("layer '" + name + "' is named twice");
    layers.push_back(n);
  }
  return layers;
}

std::array<int32_t, 4> seen_by_cell(const ReceptiveField& field, int64_t y, int64_t x, int64_t height,
                                    int64_t width) {
  const auto axis = [&](int64_t cell, double offset, double stride, int64_t size, int64_t extent) {
    if (field.whole) return std::pair<int32_t, int32_t>(0, static_cast<int32_t>(extent));
    const auto begin = static_cast<int64_t>(std::llround(offset + static_cast<double>(cell) * stride));
    // A cell that sees padding alone still has the nearest pixel, so that there is something to show.
    const int64_t low = std::clamp<int64_t>(begin, 0, extent - 1);
    return std::pair(static_cast<int32_t>(low),
                     static_cast<int32_t>(std::clamp<int64_t>(begin + size, low + 1, extent)));
  };
  const auto [y0, y1] = axis(y, field.offset_h, field.stride_h, field.size.h, height);
  const auto [x0, x1] = axis(x, field.offset_w, field.stride_w, field.size.w, width);
  return {y0, x0, y1, x1};
}

UnitSearch::UnitSearch(Network& network, std::vector<NodeId> layers, int64_t top,
                       std::vector<LayerHits> found)
    : network_(network), layers_(std::move(layers)), top_(top), found_(std::move(found)) {
  const Graph& graph = network_.graph();
  const std::vector<ReceptiveField> fields = receptive_fields(graph);
  for (const NodeId n : layers_) fields_.push_back(fields[static_cast<size_t>(n)]);
  if (found_.empty())
    for (const NodeId n : layers_)
      found_.push_back(
          {graph.node(n).name, std::vector<std::vector<Hit>>(static_cast<size_t>(graph.node(n).shape()[1]))});
  for (size_t l = 0; l < layers_.size(); ++l)
    if (found_.size() != layers_.size() || found_[l].layer != graph.node(layers_[l]).name ||
        std::ssize(found_[l].channels) != graph.node(layers_[l]).shape()[1])
      throw UsageError("these lists are of other layers");
}

void UnitSearch::add(const Tensor& pictures, std::span<const std::string> names) {
  expect_images(network_, pictures);
  if (std::ssize(names) != pictures.shape()[0]) throw UsageError("each picture needs a name");
  Purpose purpose;
  for (const NodeId n : layers_) purpose.values.emplace_back(n);
  purpose.passing = !network_.queue().module;
  const Pair input(pictures.shape()[2], pictures.shape()[3]);
  in_batches(network_, pictures.shape().with(0, 1), std::ssize(names), purpose, {},
             [&](int64_t begin, int64_t end) {
               Execution& pass = network_.execution(pictures.shape().with(0, end - begin), purpose);
               const Tensor x = pictures.slice(begin, end);
               const auto some = names.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
               // While they are in the caches; and no memory is held for all of them at once.
               if (purpose.passing)
                 return pass.forward(x, [&](size_t l, const Array& maps) { look_at(l, maps, some, input); });
               pass.forward(x);
               for (size_t l = 0; l < layers_.size(); ++l)
                 look_at(l, pass.value(layers_[l]).array(), some, input);
             });
}

void UnitSearch::look_at(size_t layer, const Array& maps, std::span<const std::string> names, Pair input) {
  const bool is_double = maps.dtype == Dtype::f64;
  const std::vector<double> largest = is_double ? maxima<double>(maps) : maxima<float>(maps);
  const int64_t channels = maps.shape[1], width = maps.shape[3];
  for (int64_t n = 0; n < maps.shape[0]; ++n)
    for (int64_t c = 0; c < channels; ++c) {
      const double score = largest[static_cast<size_t>(n * channels + c)];
      std::vector<Hit>& hits = found_[layer].channels[static_cast<size_t>(c)];
      const std::string& name = names[static_cast<size_t>(n)];
      if (score == kNone || !comes_in(hits, score, name, top_)) continue;
      const int64_t p =
          is_double ? first_place<double>(maps, n, c, score) : first_place<float>(maps, n, c, score);
      insert(hits,
             {.score = score,
              .image = name,
              .y = static_cast<int32_t>(p / width),
              .x = static_cast<int32_t>(p % width),
              .crop = seen_by_cell(fields_[layer], p / width, p % width, input.h, input.w)},
             top_);
    }
}

}  // namespace loupe
