// From a search to pictures: tapes of the pictures, ways back, tiles, strips.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "engine/file/file.h"
#include "engine/image/resize.h"
#include "engine/neurons/ways_back.h"
#include "engine/run/passes.h"
#include "kernels/common/parallel.h"
#include "kernels/common/suggest.h"
#include "tools/loupe/command.h"
#include "tools/loupe/features/drawn.h"
#include "tools/loupe/features/features.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/search/tiles.h"
#include "tools/loupe/text.h"

namespace loupe {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kFilters = 64;           // that are drawn together
constexpr int64_t kTapeBytes = 768 << 20;  // of pictures' tapes in memory
constexpr double kSprite = 0.6;            // a sprite's size, of a strip's
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Shown {
  Tensor x;
  Image picture;
  Tape tape;
  int64_t bytes() const { return x.bytes() + std::ssize(picture.rgb) + tape.bytes(); }
};

// Pictures with their tapes, each read and run once, as far as they go into memory.
class Pictures {
 public:
  explicit Pictures(Search& s) : search_(s) {}

  // All of them; some that were there before may go.
  void bring(const std::vector<std::string>& names) {
    int64_t more = 0;
    for (const std::string& name : names) more += shown_.contains(name) ? 0 : typical_;
    if (bytes_ + more > kTapeBytes) shown_.clear(), bytes_ = 0;
    for (const std::string& name : names) {
      if (shown_.contains(name)) continue;
      Shown one{.x = search_.read(name), .picture = {}, .tape = {}};
      one.picture = to_image(one.x, search_.network.preprocessing);
      one.tape = Tape::record(search_.network, one.x, search_.layers);
      bytes_ += typical_ = one.bytes();
      shown_.emplace(name, std::move(one));
    }
  }
  int64_t typical() const { return typical_; }
  const Shown& at(const std::string& name) const { return shown_.at(name); }

 private:
  Search& search_;
  std::map<std::string, Shown> shown_;
  int64_t bytes_ = 0, typical_ = 8 << 20;
};

// A filter's hits, and the tiles of its rows.
struct Filter {
  size_t channel;
  std::vector<const Hit*> hits;
  std::vector<Image> tiles = {};    // patches, then a row each way
  std::optional<Image> drawn = {};  // the strip, by an earlier run
};

struct Place {
  Filter* filter;
  size_t hit;
};

class Layer {
 public:
  Layer(Search& s, NodeId layer, Pictures& pictures, Features& all)
      : search_(s), layer_(layer), pictures_(pictures), all_(all) {}

  // The tiles of these places, whose pictures are there.
  void draw(std::span<const Place> places, std::span<const Shape> shapes) {
    for (size_t w = 0; w < all_.ways.size(); ++w) {
      const auto start = Clock::now();
      const std::vector<Reconstruction> made = back(places, shapes, all_.ways[w].rule);
      all_.ways[w].seconds += since(start);
      const auto drawing = Clock::now();
      parallel_for(std::ssize(places), [&](int64_t i) {
        const auto& [filter, k] = places[static_cast<size_t>(i)];
        filter->tiles[(w + 1) * filter->hits.size() + k] =
            fitted(reconstruction_picture(made[static_cast<size_t>(i)], filter->hits[k]->crop), kTile);
      });
      all_.encoding += since(drawing);
    }
    const auto drawing = Clock::now();
    parallel_for(std::ssize(places), [&](int64_t i) {
      const auto& [filter, k] = places[static_cast<size_t>(i)];
      const Hit& hit = *filter->hits[k];
      filter->tiles[k] = fitted(cut(pictures_.at(hit.image).picture, hit.crop), kTile);
    });
    all_.encoding += since(drawing);
  }

  bool on_windows() const { return on_windows_; }

 private:
  // Units of pictures of one size go together.
  std::vector<Reconstruction> back(std::span<const Place> places, std::span<const Shape> shapes,
                                   const Rule& rule) {
    std::vector<Reconstruction> all(places.size());
    for (const Shape& shape : shapes) {
      std::vector<UnitPlace> units;
      std::vector<size_t> which;
      for (size_t i = 0; i < places.size(); ++i) {
        const Hit& hit = *places[i].filter->hits[places[i].hit];
        const Shown& shown = pictures_.at(hit.image);
        if (shown.x.shape() != shape) continue;
        units.push_back({&shown.tape, static_cast<int64_t>(places[i].filter->channel), hit.y, hit.x});
        which.push_back(i);
      }
      std::vector<Reconstruction> some = back_of_size(units, which, places, shape, rule);
      for (size_t i = 0; i < which.size(); ++i) all[which[i]] = std::move(some[i]);
    }
    return all;
  }

  std::vector<Reconstruction> back_of_size(std::span<const UnitPlace> units, std::span<const size_t> which,
                                           std::span<const Place> places, const Shape& shape,
                                           const Rule& rule) {
    if (on_windows_) try {
        auto& ways = ways_[shape.str()];
        if (!ways) ways = std::make_unique<WaysBack>(search_.network, shape, layer_);
        return ways->run(units, rule);
      } catch (const UsageError&) {  // an op that sees all of its maps, or needs more than masks and switches
        on_windows_ = false;
      }
    std::vector<Reconstruction> some;
    for (size_t i = 0; i < units.size(); ++i) {
      const Hit& hit = *places[which[i]].filter->hits[places[which[i]].hit];
      const Target target = Target::unit(units[i].channel, {{units[i].y, units[i].x}}).of(layer_);
      some.push_back({input_signal(search_.network, pictures_.at(hit.image).x, target, rule, {}).row(0)});
    }
    return some;
  }

  Search& search_;
  NodeId layer_;
  Pictures& pictures_;
  Features& all_;
  bool on_windows_ = true;
  std::map<std::string, std::unique_ptr<WaysBack>> ways_;  // by the picture's size
};

// So many filters of a layer: their places picture by picture, as many pictures at once as go into memory.
void draw_filters(Layer& layer, Pictures& pictures, std::vector<Filter>& filters) {
  std::vector<Place> places;
  for (Filter& f : filters)
    for (size_t k = 0; k < f.hits.size() && !f.drawn; ++k) places.push_back({&f, k});
  const auto name = [](const Place& p) { return p.filter->hits[p.hit]->image; };
  std::ranges::stable_sort(places, {}, name);
  for (size_t begin = 0; begin < places.size();) {
    std::vector<std::string> names;
    size_t end = begin;
    for (; end < places.size(); ++end) {
      if (!names.empty() && names.back() == name(places[end])) continue;
      if ((std::ssize(names) + 1) * pictures.typical() > kTapeBytes && !names.empty()) break;
      names.push_back(name(places[end]));
    }
    pictures.bring(names);
    std::vector<Shape> shapes;
    for (const std::string& n : names)
      if (const Shape& s = pictures.at(n).x.shape(); !std::ranges::count(shapes, s)) shapes.push_back(s);
    layer.draw(std::span(places).subspan(begin, end - begin), shapes);
    begin = end;
  }
}

// Writes strips that are new; the sprites of all.
void write_filters(std::vector<Filter>& filters, const Drawn& drawn, size_t layer,
                   std::vector<std::string>& sprites) {
  std::vector<std::vector<uint8_t>> pngs(filters.size()), jpegs(filters.size());
  parallel_for(std::ssize(filters), [&](int64_t i) {
    const Filter& f = filters[static_cast<size_t>(i)];
    if (f.hits.empty()) return;
    const Image strip = f.drawn ? *f.drawn : tiled(f.tiles, std::ssize(f.hits), kTile);
    if (!f.drawn) pngs[static_cast<size_t>(i)] = encode_png(strip);
    const auto smaller = [](int64_t n) {
      return std::max<int64_t>(1, std::lround(static_cast<double>(n) * kSprite));
    };
    jpegs[static_cast<size_t>(i)] =
        encode_jpeg(resize(strip, smaller(strip.width), smaller(strip.height)), 72);
  });
  for (size_t i = 0; i < filters.size(); ++i) {
    if (!pngs[i].empty()) write_file(drawn.file(layer, filters[i].channel), pngs[i]);
    sprites.push_back(base64(jpegs[i]));
  }
}

}  // namespace

Image reconstruction_picture(const Reconstruction& r, const std::array<int32_t, 4>& crop) {
  Image out{crop[3] - crop[1], crop[2] - crop[0], {}};
  out.rgb.assign(static_cast<size_t>(out.width * out.height * 3), 128);
  const Tensor v = r.values.to(Dtype::f32);
  const std::span<const float> values = v.values<const float>();
  const Shape& s = v.shape();
  std::vector<float> sizes;
  for (const float x : values)
    if (x != 0) sizes.push_back(std::abs(x));
  if (sizes.empty()) return out;
  const auto most =
      sizes.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(sizes.size() - 1) * 0.995);
  std::ranges::nth_element(sizes, most);
  const float scale = 127 / *most;
  for (int64_t y = 0; y < s[1]; ++y)
    for (int64_t x = 0; x < s[2]; ++x) {
      const int64_t to_y = r.y + y - crop[0], to_x = r.x + x - crop[1];
      if (to_y < 0 || to_x < 0 || to_y >= out.height || to_x >= out.width) continue;
      for (int64_t c = 0; c < 3; ++c) {
        const float value = values[static_cast<size_t>(((s[0] == 3 ? c : 0) * s[1] + y) * s[2] + x)];
        out.pixel(to_y, to_x)[c] =
            static_cast<uint8_t>(std::lround(std::clamp(128 + value * scale, 0.f, 255.f)));
      }
    }
  return out;
}

std::vector<Way> ways_named(const std::string& list) {
  const std::vector<Way> known{{"deconvnet", deconvnet_rule()},
                               {"guided_backprop", guided_backprop_rule()},
                               {"gradient", gradient_rule()}};
  const std::vector<std::string> names{"deconvnet", "guided_backprop", "gradient"};
  std::vector<Way> ways;
  for (const std::string& name : split_commas(list)) {
    const auto found = std::ranges::find(known, name, &Way::name);
    if (found == known.end())
      throw UsageError("--method has no way back '" + name + "'" + did_you_mean(name, names) +
                       "; there are " + join(names));
    ways.push_back(*found);
  }
  if (ways.empty()) throw UsageError("--method takes some of " + join(names));
  return ways;
}

Features draw_features(Search& s, std::vector<Way> ways, const fs::path& folder, ProgressBar& bar,
                       bool again) {
  Features all{.ways = std::move(ways)};
  Pictures pictures(s);
  size_t done = 0, count = 0;
  for (const LayerHits& l : s.index.layers) count += l.channels.size();
  const OnInterrupt watch;
  const Drawn drawn(folder, s, all.ways);
  bar.begin("running backwards");
  for (size_t l = 0; l < s.layers.size(); ++l) {
    const LayerHits& hits = s.index.layers[l];
    FilterLayer& made = all.layers.emplace_back(FilterLayer{hits.layer});
    if (!again && strips_are_there(s, l, all.ways, folder)) {
      done += hits.channels.size();
      continue;
    }
    Layer layer(s, s.layers[l], pictures, all);
    for (size_t begin = 0; begin < hits.channels.size(); begin += kFilters) {
      std::vector<Filter> filters;
      for (size_t c = begin; c < std::min(hits.channels.size(), begin + kFilters); ++c) {
        Filter& f = filters.emplace_back(Filter{c, {}});
        for (const Hit& h : hits.channels[c]) f.hits.push_back(&h);
        f.tiles.resize(f.hits.size() * (all.ways.size() + 1));
      }
      parallel_for(std::ssize(filters), [&](int64_t i) {
        Filter& f = filters[static_cast<size_t>(i)];
        f.drawn = drawn.strip(l, f.channel);
      });
      draw_filters(layer, pictures, filters);
      const auto start = Clock::now();
      write_filters(filters, drawn, l, made.sprites);
      all.encoding += since(start);
      done += filters.size();
      bar.update(static_cast<double>(done) / static_cast<double>(count));
      if (OnInterrupt::came()) {
        bar.clear();
        throw Interrupted("stopped after " + with_commas(static_cast<int64_t>(done)) +
                          " filters; the same command goes on from there");
      }
    }
    made.on_windows = layer.on_windows();
  }
  bar.clear();
  return all;
}

}  // namespace loupe
