// Points that are pictures, in a layer of a network.
#include <algorithm>
#include <cmath>

#include "engine/run/passes.h"
#include "kernels/common/parallel.h"
#include "tools/loupe/embed/embed.h"
#include "tools/loupe/identity.h"
#include "tools/loupe/search/search.h"
#include "tools/loupe/search/tiles.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

constexpr int64_t kMost = 80'000;  // pictures of which the page has small ones

// The side of a small picture: all of them together are some twelve million pixels, or less.
int64_t tile_side(int64_t count) {
  return count > kMost
             ? 0
             : std::clamp<int64_t>(
                   std::llround(std::sqrt(12e6 / static_cast<double>(std::max<int64_t>(1, count)))), 12, 64);
}

// A value (n, …) as vectors (n, D).
Tensor rows_of(const Tensor& value, bool all_places) {
  const Shape& s = value.shape();
  const int64_t n = s[0], each = value.numel() / n;
  const Tensor flat = value.to(Dtype::f32).reshape({n, each});
  if (all_places || s.rank() < 3) return flat;
  // Maps (n, C, H, W): over what comes after the channels. Tokens (n, T, D): over what comes before the numbers.
  const bool maps = s.rank() != 3;
  const int64_t kept = maps ? s[1] : s[2], places = each / kept;
  Tensor mean(Dtype::f32, {n, kept});
  parallel_for(n * kept, [&](int64_t i) {
    const auto from = row_of(flat, i / kept);
    double sum = 0;
    for (int64_t p = 0; p < places; ++p)
      sum +=
          static_cast<double>(from[static_cast<size_t>(maps ? i % kept * places + p : p * kept + i % kept)]);
    mean.values<float>()[static_cast<size_t>(i)] = static_cast<float>(sum / static_cast<double>(places));
  });
  return mean;
}

class Looking {
 public:
  Looking(const PointsChoice& c, ImageModel network, PictureList pictures)
      : choice_(c), network_(std::move(network)), list_(std::move(pictures)), side_(tile_side(list_.size())) {
    const Graph& graph = network_.graph();
    node_ = c.layer.empty() ? graph.node(graph.output()).inputs.at(0).node : graph.find(c.layer);
  }

  Points look(const Watch& watch) {
    points_.settings = identity_of(network_, choice_.preprocessing.orientation());
    const std::string layer = network_.graph().node(node_).name;
    points_.settings.emplace_back("layer", layer);
    points_.settings.emplace_back("places", choice_.places);
    for (int64_t begin = 0; begin < list_.size(); begin += kStretch) {
      in_stacks(read(begin, std::min(list_.size(), begin + kStretch)),
                [&](const Tensor& x, std::span<const std::string> names) { add(x, names, layer); });
      watch("pictures in " + layer, static_cast<double>(begin) / static_cast<double>(list_.size()));
    }
    if (rows_.empty())
      throw Error("nothing could be read: of " + with_commas(std::ssize(points_.skipped)) +
                  " files the first is '" + points_.skipped[0].first + "': " + points_.skipped[0].second);
    points_.vectors = stack_rows(rows_);
    points_.what = "pictures in the layer " + layer + " of " + network_.name();
    if (std::ranges::all_of(points_.labels, [](const std::string& l) { return l.empty(); }))
      points_.labels.clear();
    points_.vectors = as_floats(points_.vectors, "the layer " + layer);
    return std::move(points_);
  }

 private:
  std::vector<ReadPicture> read(int64_t begin, int64_t end) {
    std::vector<ReadPicture> stretch(static_cast<size_t>(end - begin));
    for (int64_t i = begin; i < end; ++i) stretch[static_cast<size_t>(i - begin)].name = list_.name(i);
    parallel_for(end - begin, [&](int64_t i) {
      ReadPicture& r = stretch[static_cast<size_t>(i)];
      try {
        r.x = list_.read(r.name, network_.preprocessing, choice_.preprocessing.orientation());
        network_.graph().shapes(r.x.shape());  // throws where a layer does not fit
      } catch (const std::exception& e) {
        r.why = one_line(e.what());
      }
    });
    for (const ReadPicture& r : stretch)
      if (!r.why.empty()) points_.skipped.emplace_back(r.name, r.why);
    return stretch;
  }

  void add(const Tensor& x, std::span<const std::string> names, const std::string& layer) {
    Execution& pass = network_.network.execution(x.shape(), Purpose{.values = {node_}});
    pass.forward(x);
    rows_.push_back(rows_of(pass.value(node_), choice_.places == "all"));
    if (rows_.back().shape()[1] != rows_[0].shape()[1])
      throw UsageError("pictures of several sizes have vectors of several lengths in the layer " + layer +
                       ": say --places mean, or --size HxW");
    const size_t first = points_.pictures.size();
    if (side_ > 0) points_.pictures.resize(first + names.size());
    parallel_for(side_ > 0 ? std::ssize(names) : 0, [&](int64_t i) {
      points_.pictures[first + static_cast<size_t>(i)] =
          fitted(to_image(x.slice(i, i + 1), network_.preprocessing), side_);
    });
    for (const std::string& name : names) {
      points_.words.push_back(valid_utf8(name));
      points_.labels.push_back(valid_utf8(list_.label(name)));
    }
  }

  const PointsChoice& choice_;
  ImageModel network_;
  PictureList list_;
  int64_t side_;
  NodeId node_;
  std::vector<Tensor> rows_ = {};
  Points points_ = {};
};

}  // namespace

Points picture_points(const PointsChoice& c, const Watch& watch) {
  const int64_t drawn = c.zoo.empty() ? 0 : parse_whole("--zoo", c.zoo, 1, 10'000'000);
  const auto seed = static_cast<uint64_t>(parse_whole("--zoo-seed", c.pictures_seed, 0, INT64_MAX));
  if (c.places != "mean" && c.places != "all")
    throw UsageError("--places takes mean or all, not '" + c.places + "'");
  c.preprocessing.check();
  c.model.check_name();
  c.weights.check(c.model.model);
  PictureList pictures(c.folder, drawn, seed, c.except);
  const auto size = c.preprocessing.input_size();
  Model model = c.model.build(size ? size->first : 0, size ? size->second : 0, c.weights.file);
  model.preprocessing = c.preprocessing.applied(model.preprocessing);
  ImageModel network = load_and_say(c.model.model, std::move(model), c.weights, c.device.open(), c.device);
  return Looking(c, std::move(network), std::move(pictures)).look(watch);
}

}  // namespace loupe
