// receptive-field.html.
#include <algorithm>
#include <cmath>

#include "kernels/conv2d/conv2d.h"
#include "models/models.h"
#include "tools/loupe/lessons/receptive_field/field.h"
#include "tools/loupe/page/html.h"

namespace loupe {
namespace {

using json = nlohmann::ordered_json;

constexpr const char* kBody = R"(
<section class=controls aria-label="What to study"><p><label>picture <input id=side type=number min=1 max=1024> pixels square</label
><label>network <select id=preset></select></label><button id=more>one layer more</button><button id=fewer>one less</button></p>
<p class=small><span id=whose></span> <span id=wrong class=wrong-line role=status></span></p></section>
<section><h2>1. How it grows</h2><p>A window of k cells, j pixels apart, each of which sees r pixels, sees r + d·(k − 1)·j: dilation d spreads
it. Its neighbour, s cells further, begins s·j pixels further. The first begins p·j pixels to the left of what the first cell below it
sees:</p><p><b>r′ = r + d·(k − 1)·j &nbsp; j′ = j·s &nbsp; offset′ = offset − p·j</b></p>
<p>Change k, s, p and d:</p><div class=scroll><table class=facts id=layers></table></div></section>
<section><h2>2. What one cell sees</h2><p>Cell i begins at pixel offset + j·i, and sees r. Point at a cell of the last maps:</p>
<div class=maps><figure><figcaption id=mapsText></figcaption><div id=cells></div></figure
><figure><figcaption id=pixelsText></figcaption><div id=pixels></div></figure></div><p id=cell></p></section>
<section id=heeding><h2>3. Seeing is not heeding</h2><p id=half></p></section>)";

json pair(Pair p) { return {p.h, p.w}; }

json example(const std::string& name, const std::vector<FieldLayer>& layers) {
  json e{{"name", name}, {"chain", json::array()}, {"fields", json::array()}};
  for (const FieldLayer& l : layers) {
    e["chain"].push_back({{"name", l.name},
                          {"op", l.op},
                          {"k", pair(l.window.kernel)},
                          {"s", pair(l.window.stride)},
                          {"p", pair(l.window.padding)},
                          {"d", pair(l.window.dilation)}});
    const ReceptiveField& f = l.field;
    e["fields"].push_back({pair(f.size), {f.stride_h, f.stride_w}, {f.offset_h, f.offset_w}});
  }
  return e;
}

bool follows(const ReceptiveField& before, const FieldLayer& l) {
  const Window& w = l.window;
  const auto axis = [](int64_t r, double j, double offset, int64_t k, int64_t s, int64_t p, int64_t d,
                       int64_t size, double stride, double begin) {
    return static_cast<double>(r) + static_cast<double>(d * (k - 1)) * j == static_cast<double>(size) &&
           j * static_cast<double>(s) == stride && offset - static_cast<double>(p) * j == begin;
  };
  return axis(before.size.h, before.stride_h, before.offset_h, w.kernel.h, w.stride.h, w.padding.h,
              w.dilation.h, l.field.size.h, l.field.stride_h, l.field.offset_h) &&
         axis(before.size.w, before.stride_w, before.offset_w, w.kernel.w, w.stride.w, w.padding.w,
              w.dilation.w, l.field.size.w, l.field.stride_w, l.field.offset_w);
}

// As far as each layer is reckoned from the one before it.
std::vector<FieldLayer> chain_of(const std::vector<FieldLayer>& layers) {
  std::vector<FieldLayer> chain;
  for (const FieldLayer& l : layers) {
    if (l.field.whole || !follows(chain.empty() ? ReceptiveField{} : chain.back().field, l)) break;
    chain.push_back(l);
  }
  return chain;
}

json of_model(const std::string& name) {
  const Graph graph = models::build(name, {}).graph;
  const std::vector<ReceptiveField> fields = receptive_fields(graph);
  NodeId last = 0;
  for (NodeId n = 0; n < graph.size(); ++n)
    if (graph.node(n).op && !fields[static_cast<size_t>(n)].whole && graph.node(n).shape().rank() == 4)
      last = n;
  return example(name, chain_of(layers_up_to(graph, last, fields)));
}

// Windows that no network has: rectangles, strides longer than them, dilation.
json of_windows(int64_t seed) {
  Graph graph;
  NodeId n = graph.input("input", {1, 1, 4096, 4096});
  for (int64_t i = 0; i < 5; ++i) {
    const auto turn = [&](int64_t step, int64_t count) {
      return (seed * 7 + i * 5 + step * (i + seed)) % count;
    };
    const Pair kernel(1 + turn(1, 5), 1 + turn(2, 4));
    n = graph.add("layer " + std::to_string(i + 1),
                  conv2d({.out_channels = 1,
                          .kernel = kernel,
                          .stride = Pair(1 + turn(3, 3), 1 + turn(1, 4)),
                          .padding = Pair(turn(2, 4), turn(3, 3)),
                          .dilation = Pair(1 + turn(5, 3), 1 + turn(4, 2)),
                          .bias = false}),
                  {n});
  }
  json e =
      example("made up, no. " + std::to_string(seed + 1), layers_up_to(graph, n, receptive_fields(graph)));
  e["hidden"] = true;
  return e;
}

// The gradient's size, square roots so that what is small shows: white on black.
Image picture_of(const Tensor& squares) {
  const Shape& s = squares.shape();
  Image image{s[1], s[0], {}};
  image.rgb.resize(static_cast<size_t>(squares.numel() * 3));
  double top = 0;
  for (int64_t i = 0; i < squares.numel(); ++i) top = std::max(top, squares.item(i));
  for (int64_t i = 0; i < squares.numel(); ++i) {
    const double v = top > 0 ? std::pow(squares.item(i) / top, 0.25) : 0;
    std::fill_n(image.rgb.begin() + 3 * i, 3, static_cast<uint8_t>(std::lround(255 * v)));
  }
  return image;
}

}  // namespace

LessonPage receptive_field_page(const FieldLesson& l) {
  const std::vector<FieldLayer> chain = chain_of(l.layers);
  const bool whole = chain.size() == l.layers.size();
  LessonPage page{
      .name = "receptive-field",
      .title = "What a cell sees",
      .lead =
          "The square of pixels that a cell of a layer depends on grows from layer to layer. Change the "
          "layers: everything follows.",
      .body = kBody,
      .data = {{"device", l.device}, {"tolerance", 0}, {"input", {l.input[2], l.input[3]}}},
      .scripts = {"receptive_field.js", "receptive_field_page.js"}};
  json& data = page.data;
  data["examples"].push_back(
      example(l.model + " up to " + (whole || chain.empty() ? l.layer : chain.back().name), chain));
  for (const char* name : {"zoo", "alexnet", "vgg16", "squeezenet1_1"})
    if (name != l.model) data["examples"].push_back(of_model(name));
  for (int64_t i = 0; i < 8; ++i) data["examples"].push_back(of_windows(i));
  const auto box = [](const Box& b) { return json{b.top, b.left, b.bottom, b.right}; };
  data["whole"] = whole;
  data["layer"] = l.layer;
  data["cell"] = {l.y, l.x};
  data["field"] = box(l.field);
  data["gradient"] = box(l.seen);
  data["within_half"] = l.within_half;
  data["picture"] = data_url(encode_png(picture_of(l.squares)));
  return page;
}

}  // namespace loupe
