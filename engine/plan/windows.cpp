#include "engine/plan/windows.h"

#include <algorithm>
#include <limits>

#include "kernels/patch/patch.h"

namespace loupe {

namespace {

// More of a layer than this is not worth the copies.
constexpr double kMost = 0.9;

// What may have changed along one axis of a layer, for one place: [begin, end).
struct Span {
  int64_t begin = std::numeric_limits<int64_t>::max(), end = 0;
  void join(const Span& s) { begin = std::min(begin, s.begin), end = std::max(end, s.end); }
};

// Of every place, where its part of a layer begins along one axis; all parts have one size.
struct Parts1d {
  int64_t size = 0;
  std::vector<int64_t> begin = {};
  friend bool operator==(const Parts1d&, const Parts1d&) = default;
};

// One axis of a layer.
struct Axis {
  int64_t map = 0;
  std::vector<Span> changed = {};  // a place
  Parts1d parts = {};
};

struct Layer {
  enum class State : uint8_t { same, window, whole } state = State::same;
  std::array<Axis, 2> axis = {};
  std::optional<OnWindow> how = {};
};

// What an op reads of an operand: a rectangle of its maps.
struct Need {
  Parts1d h, w;
  double outside;
  bool mixes = true;  // cells with others: what lies beyond the maps counts
  int64_t row = 0;    // of `places`
  NodeId node = -1;   // of the new graph
  bool matches(const Need& n) const { return h == n.h && w == n.w && outside == n.outside; }
};

// Cells of a tile change together.
void widen(Axis& a, int64_t tile) {
  for (Span& s : a.changed)
    if (s.begin < s.end) s = {s.begin / tile * tile, std::min(round_up(s.end, tile), a.map)};
}

// Windows of one size that hold what changed and begin at multiples of `tile`. They may hang over the far edge
// of the maps by less than a tile.
Parts1d parts_of(const Axis& a, int64_t tile) {
  Parts1d p{.size = std::min<int64_t>(2, a.map)};  // what computes single cells need not compute maps alike
  for (const Span& s : a.changed)
    if (s.begin < s.end) p.size = std::max(p.size, s.end - s.begin);
  p.size = round_up(p.size, tile);
  for (const Span& s : a.changed)
    p.begin.push_back(std::min(s.begin < s.end ? s.begin : 0, round_up(a.map, tile) - p.size));
  return p;
}

// The outputs that read one of the cells [s.begin, s.end).
Span seen(const Span& s, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, int64_t outputs) {
  if (s.begin >= s.end) return {};
  const int64_t first = s.begin + padding - (kernel - 1) * dilation;
  return {std::max<int64_t>(0, first <= 0 ? 0 : ceil_div(first, stride)),
          std::min(outputs, (s.end - 1 + padding) / stride + 1)};
}

class Builder {
 public:
  Builder(const Graph& graph, const Shape& input, NodeId result, std::span<const Rect> rects, Backend backend,
          const KernelOptions& kernels)
      : old_(graph), result_(result), rects_(rects), backend_(backend), kernels_(kernels) {
    const std::vector<NodeId> inputs = graph.inputs();
    if (inputs.size() != 1) throw UsageError("windows are of graphs with one input");
    input_ = inputs[0];
    types_ = graph.types(std::vector<Shape>{input});
  }

  WindowGraph build() {
    find_needed();
    layers_.resize(at(old_.size()));
    needs_.resize(at(old_.size()));
    begin_at_input();
    for (NodeId n = 0; n <= result_; ++n)
      if (needed_[at(n)] && old_.node(n).op) look_at(n);
    for (NodeId n = 0; n <= result_; ++n)
      if (needed_[at(n)] && layers_[at(n)].state != Layer::State::same && old_.node(n).op) note_needs(n);
    if (layers_[at(result_)].state == Layer::State::window) need_whole(result_);
    emit();
    return std::move(made_);
  }

 private:
  static size_t at(int64_t i) { return static_cast<size_t>(i); }
  const Shape& shape(const Port& p) const { return types_[at(p.node)][at(p.output)].shape; }
  std::vector<Shape> operand_shapes(NodeId n) const {
    std::vector<Shape> in;
    for (const Port& p : old_.node(n).inputs) in.push_back(shape(p));
    return in;
  }
  Layer& layer(NodeId n) { return layers_[at(n)]; }
  bool changes(NodeId n) { return layer(n).state != Layer::State::same; }

  void find_needed() {
    needed_.assign(at(old_.size()), false);
    needed_[at(result_)] = true;
    for (NodeId n = result_; n >= 0; --n)
      if (needed_[at(n)])
        for (const Port& p : old_.node(n).inputs) needed_[at(p.node)] = true;
  }

  void begin_at_input() {
    const Shape& x = shape(input_);
    if (x.rank() != 4) throw UsageError("windows are of images (1, C, H, W), not " + x.str());
    Layer& l = layer(input_);
    l.state = Layer::State::window;
    l.axis[0].map = x[2];
    l.axis[1].map = x[3];
    for (const Rect& r : rects_) {
      if (r.h < 1 || r.w < 1 || r.y < 0 || r.x < 0 || r.y + r.h > x[2] || r.x + r.w > x[3])
        throw UsageError("a rectangle of " + Pair(r.h, r.w).str() + " pixels at (" + std::to_string(r.y) +
                         ", " + std::to_string(r.x) + ") leaves an image of " + Pair(x[2], x[3]).str());
      l.axis[0].changed.push_back({r.y, r.y + r.h});
      l.axis[1].changed.push_back({r.x, r.x + r.w});
    }
    for (Axis& a : l.axis) a.parts = parts_of(a, 1);
  }

  // Whether the op computes a window, and which.
  void look_at(NodeId n) {
    Layer& l = layer(n);
    const Node& node = old_.node(n);
    const auto from_input = [&](const Port& p) { return changes(p.node); };
    if (std::ranges::none_of(node.inputs, from_input)) return;
    l.state = Layer::State::whole;
    made_.whole_macs += node.op->macs(operand_shapes(n));
    const std::vector<Shape> in = operand_shapes(n);
    const auto how = node.op->on_window(in);
    const auto geometry = node.op->window();
    if (!how || !geometry || node.types.size() != 1 || shape(n).rank() != 4) return;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool part = i < 64 && (how->maps >> i & 1) != 0;
      const auto state = layer(node.inputs[i].node).state;
      if (part ? state != Layer::State::window || in[i][2] != in[0][2] || in[i][3] != in[0][3]
               : state != Layer::State::same)
        return;
    }
    l.how = how;
    spread(n, *geometry);
    const Pair tile = node.op->prepare(backend_, Direction::forward, in, kernels_).tile;
    if (tile.h < 1 || tile.w < 1) return;
    for (int d = 0; d < 2; ++d) {
      Axis& a = l.axis[at(d)];
      widen(a, d == 0 ? tile.h : tile.w);
      a.parts = parts_of(a, d == 0 ? tile.h : tile.w);
    }
    if (is_cellwise(*geometry)) take_over_parts(n);
    const auto part = [](const Axis& a) {
      return static_cast<double>(a.parts.size) / static_cast<double>(a.map);
    };
    const bool sums = node.op->macs(in) > 0;
    if (sums && part(l.axis[0]) * part(l.axis[1]) > kMost) return;
    if (!same_kernel(n, *geometry, tile)) return;
    l.state = Layer::State::window;
  }

  // From the operands' changes to the op's.
  void spread(NodeId n, const Window& g) {
    Layer& l = layer(n);
    const Shape& y = shape(n);
    for (int d = 0; d < 2; ++d) {
      const auto pick = [d](Pair p) { return d == 0 ? p.h : p.w; };
      Axis& a = l.axis[at(d)];
      a.map = y[2 + d];
      a.changed.assign(rects_.size(), {});
      for (size_t i = 0; i < old_.node(n).inputs.size(); ++i) {
        const Layer& from = layer(old_.node(n).inputs[i].node);
        if (from.state != Layer::State::window) continue;
        for (size_t r = 0; r < rects_.size(); ++r)
          a.changed[r].join(seen(from.axis[at(d)].changed[r], pick(g.kernel), pick(g.stride), pick(g.padding),
                                 pick(g.dilation), a.map));
      }
    }
  }

  // What works cell by cell takes its operands' windows as they are, and can be folded into what made them.
  static bool is_cellwise(const Window& g) {
    return g.kernel == Pair(1) && g.stride == Pair(1) && g.padding == Pair(0);
  }
  void take_over_parts(NodeId n) {
    const Layer* from = nullptr;
    for (const Port& p : old_.node(n).inputs) {
      const Layer& l = layer(p.node);
      if (l.state != Layer::State::window) continue;
      if (from && (l.axis[0].parts != from->axis[0].parts || l.axis[1].parts != from->axis[1].parts)) return;
      from = &l;
    }
    for (size_t d = 0; d < 2; ++d) layer(n).axis[d].parts = from->axis[d].parts;
  }

  // The part of an operand's maps that a window sees.
  static Parts1d seen_by(const Parts1d& p, int64_t kernel, int64_t stride, int64_t padding,
                         int64_t dilation) {
    Parts1d part{.size = (p.size - 1) * stride + (kernel - 1) * dilation + 1};
    for (const int64_t b : p.begin) part.begin.push_back(b * stride - padding);
    return part;
  }
  static std::array<Parts1d, 2> seen_by(const Layer& l, const Window& g) {
    return {seen_by(l.axis[0].parts, g.kernel.h, g.stride.h, g.padding.h, g.dilation.h),
            seen_by(l.axis[1].parts, g.kernel.w, g.stride.w, g.padding.w, g.dilation.w)};
  }

  // Whether the window is computed as the whole is.
  bool same_kernel(NodeId n, const Window& g, Pair tile) {
    const Layer& l = layer(n);
    const std::array<Parts1d, 2> part = seen_by(l, g);
    std::vector<Shape> in = operand_shapes(n);
    for (size_t i = 0; i < in.size(); ++i)
      if (i < 64 && (l.how->maps >> i & 1) != 0) in[i] = in[i].with(2, part[0].size).with(3, part[1].size);
    const OpPtr& op = l.how->op ? l.how->op : old_.node(n).op;
    return op->prepare(backend_, Direction::forward, in, kernels_).tile == tile;
  }

  // ---- which rectangles of an operand are read

  void note_needs(NodeId n) {
    const Node& node = old_.node(n);
    const Layer& l = layer(n);
    if (l.state == Layer::State::whole) {
      for (const Port& p : node.inputs)
        if (layer(p.node).state == Layer::State::window) need_whole(p.node);
      return;
    }
    for (const Port& p : node.inputs)
      if (changes(p.node)) need(p.node, need_of(n));
  }

  Need need_of(NodeId n) {
    const Window geometry = *old_.node(n).op->window();
    std::array<Parts1d, 2> part = seen_by(layer(n), geometry);
    return {.h = std::move(part[0]),
            .w = std::move(part[1]),
            .outside = layer(n).how->outside,
            .mixes = !is_cellwise(geometry)};
  }

  void need_whole(NodeId n) {
    const Layer& l = layer(n);
    const std::vector<int64_t> zeros(rects_.size(), 0);
    need(n, {.h = {l.axis[0].map, zeros}, .w = {l.axis[1].map, zeros}, .outside = 0});
  }

  void need(NodeId n, Need wanted) {
    if (is_window(n, wanted)) return;
    for (const Need& known : needs_[at(n)])
      if (known.matches(wanted)) return;
    wanted.row = made_.rows++;
    needs_[at(n)].push_back(std::move(wanted));
  }

  // The window as it lies, without anything beyond the maps.
  bool is_window(NodeId n, const Need& wanted) {
    const auto inside = [](const Axis& a) {
      return std::ranges::all_of(a.parts.begin, [&](int64_t b) { return b + a.parts.size <= a.map; });
    };
    const Layer& l = layer(n);
    return wanted.h == l.axis[0].parts && wanted.w == l.axis[1].parts &&
           (!wanted.mixes || (inside(l.axis[0]) && inside(l.axis[1])));
  }

  // ---- the new graph

  void emit() {
    made_.graph = old_;
    const Shape& x = shape(input_);
    const Layer& first = layer(input_);
    made_.size = {first.axis[0].parts.size, first.axis[1].parts.size};
    for (size_t r = 0; r < rects_.size(); ++r)
      made_.origins.emplace_back(first.axis[0].parts.begin[r], first.axis[1].parts.begin[r]);
    made_.rows = std::max<int64_t>(made_.rows, 1);
    made_.table.assign(rects_.size() * at(made_.rows) * 4, 0);
    made_.windows = made_.graph.input("(windows)", Shape{1, x[1], made_.size.h, made_.size.w});
    made_.places = made_.graph.input("(places)", {1, made_.rows, 4}, Dtype::i32);
    now_.assign(at(old_.size()), -1);
    now_[at(input_)] = made_.windows;
    cut(input_);
    for (NodeId n = 0; n <= result_; ++n)
      if (needed_[at(n)] && changes(n) && old_.node(n).op) emit(n);
    made_.result = layer(result_).state == Layer::State::window ? whole(result_) : now_[at(result_)];
    made_.graph.set_output(made_.result);
  }

  void emit(NodeId n) {
    const Node& node = old_.node(n);
    const Layer& l = layer(n);
    const bool window = l.state == Layer::State::window;
    std::vector<Port> operands;
    for (const Port& p : node.inputs) {
      if (!changes(p.node))
        operands.push_back(p);
      else if (window)
        operands.push_back(part_of(p.node, need_of(n)));
      else
        operands.push_back({whole(p.node), p.output});
    }
    const OpPtr& op = window && l.how->op ? l.how->op : node.op;
    std::vector<Shape> shapes;
    now_[at(n)] = made_.graph.add(node.name + (window ? " (window)" : " (whole)"), op, operands);
    for (const Port& p : operands) shapes.push_back(made_.graph.node(p.node).types[at(p.output)].shape);
    made_.macs += op->macs(shapes);
    made_.layers += window;
    cut(n);
  }

  // At once, so that what reads them can be fused with what comes before it.
  void cut(NodeId n) {
    const Layer& l = layer(n);
    for (Need& need : needs_[at(n)]) {
      const Patch attributes{need.h.size, need.w.size, need.row, need.outside};
      need.node = made_.graph.add(old_.node(n).name + " (part " + std::to_string(need.row) + ")",
                                  patch(attributes), {now_[at(n)], n, made_.places});
      for (size_t r = 0; r < rects_.size(); ++r) {
        int32_t* to = made_.table.data() + (r * at(made_.rows) + at(need.row)) * 4;
        to[0] = static_cast<int32_t>(l.axis[0].parts.begin[r]);
        to[1] = static_cast<int32_t>(l.axis[1].parts.begin[r]);
        to[2] = static_cast<int32_t>(need.h.begin[r]);
        to[3] = static_cast<int32_t>(need.w.begin[r]);
      }
    }
  }

  NodeId part_of(NodeId n, const Need& wanted) {
    if (is_window(n, wanted)) return now_[at(n)];
    return std::ranges::find_if(needs_[at(n)], [&](const Need& k) { return k.matches(wanted); })->node;
  }
  NodeId whole(NodeId n) {
    if (layer(n).state == Layer::State::whole) return now_[at(n)];
    const std::vector<int64_t> zeros(rects_.size(), 0);
    return part_of(n, {.h = {layer(n).axis[0].map, zeros}, .w = {layer(n).axis[1].map, zeros}, .outside = 0});
  }

  const Graph& old_;
  NodeId result_, input_ = -1;
  std::span<const Rect> rects_;
  Backend backend_;
  const KernelOptions& kernels_;
  std::vector<std::vector<Type>> types_;
  std::vector<bool> needed_;
  std::vector<Layer> layers_;
  std::vector<std::vector<Need>> needs_;
  std::vector<NodeId> now_;  // by old node: what is computed for each place
  WindowGraph made_{};
};

}  // namespace

WindowGraph window_graph(const Graph& graph, const Shape& input, NodeId result, std::span<const Rect> rects,
                         Backend backend, const KernelOptions& kernels) {
  return Builder(graph, input, result, rects, backend, kernels).build();
}

}  // namespace loupe
