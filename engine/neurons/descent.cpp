#include "engine/neurons/descent.h"

#include <algorithm>

#include "engine/tensor/transfer.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

// At a window's edge a pool's cell that lies outside every cone may have its largest value outside the window. No signal
// comes to it: its switch may point to any cell that is there.
void keep_inside(const Maps& switches, const Window& pool, Pair map) {
  struct Axis {
    int64_t kernel, dilation, cells;
    std::vector<int64_t> first;  // by cell: where its window begins
    bool reaches_out(int64_t cell) const {
      return first[at(cell)] < 0 || first[at(cell)] + (kernel - 1) * dilation >= cells;
    }
    int64_t inside(int64_t cell, int64_t k) const {
      while (k < kernel - 1 && first[at(cell)] + k * dilation < 0) ++k;
      while (k > 0 && first[at(cell)] + k * dilation >= cells) --k;
      return k;
    }
  };
  const auto axis = [](int64_t count, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                       int64_t cells) {
    Axis a{kernel, dilation, cells, {}};
    for (int64_t i = 0; i < count; ++i) a.first.push_back(i * stride - padding);
    return a;
  };
  const Axis rows =
                 axis(switches.size.h, pool.kernel.h, pool.stride.h, pool.padding.h, pool.dilation.h, map.h),
             columns =
                 axis(switches.size.w, pool.kernel.w, pool.stride.w, pool.padding.w, pool.dilation.w, map.w);
  for (int64_t y = 0; y < switches.size.h; ++y)
    for (int64_t x = 0; x < switches.size.w; ++x) {
      if (!rows.reaches_out(y) && !columns.reaches_out(x)) continue;
      for (int64_t p = 0; p < switches.planes; ++p) {
        auto* k = reinterpret_cast<uint8_t*>(switches.at(p, y, x));
        for (int64_t lane = 0; lane < switches.cell; ++lane)
          k[lane] = static_cast<uint8_t>(rows.inside(y, k[lane] / pool.kernel.w) * pool.kernel.w +
                                         columns.inside(x, k[lane] % pool.kernel.w));
      }
    }
}

// Where a record of a batch is written: in its place, or beside it where the plan wants it in another form.
struct RecordPlace {
  NodeId node, old;
  Array array;                      // in its place
  Tensor beside = {};               // or (N, C, h, w)
  std::optional<Window> pool = {};  // of a max-pool, whose operand is of that size
  Pair below = 0;
  Maps maps(int64_t image) const { return maps_of(beside.defined() ? beside.array() : array, image); }
};

// The same numbers in that layout.
void lay_out(OwnArray& signal, Layout layout) {
  if (signal.array.layout == layout) return;
  OwnArray other(signal.array.dtype, signal.array.shape, layout);
  convert(signal.array, other.array);
  signal = other;
}

}  // namespace

// Cuts the units' windows out of their pictures' tapes. Of a batch that is not full, the places after its last unit are
// its once more.
void WaysBack::Descent::fill_tape(const Step& step, std::span<const UnitPlace> units) const {
  const Stage& s = *step.stage;
  Execution& pass = *step.pass;
  const bool device = network_.queue().module != nullptr;
  std::vector<RecordPlace> places;
  for (const auto& [node, old] : s.nodes) {
    if (pass.plan().record_of(node) < 0) continue;
    const Array &whole = units[0].tape->at(old), to = pass.record_in_place(node);
    RecordPlace& place = places.emplace_back(RecordPlace{node, old, to});
    if (device || !has_cells(to) || to.dtype != whole.dtype || to.layout != whole.layout)
      place.beside = Tensor(whole.dtype == Dtype::bit ? Dtype::u8 : whole.dtype, to.shape);
    if (const Node& n = network_.graph().node(old); n.op->kind().name == "max_pool2d") {
      place.pool = n.op->window();
      place.below = s.size(n.inputs[0].node);
    }
  }
  parallel_for(step.batch, [&](int64_t b) {
    const UnitPlace& u = units[at(std::min(b, std::ssize(units) - 1))];
    for (const RecordPlace& place : places) {
      const Array& whole = u.tape->at(place.old);
      const Pair origin = s.origin(place.old, u);
      if (place.beside.defined())
        copy_planar(whole, 0, origin, place.beside.row(b));
      else
        copy_window(maps_of(whole, 0), origin, s.size(place.old), place.maps(b), 0);
      if (place.pool) keep_inside(place.maps(b), *place.pool, place.below);
    }
  });
  for (const RecordPlace& place : places)
    if (place.beside.defined()) pass.set_record(place.node, place.beside);
}

// The signals at the stage's top become those at its bottom; planar at the input.
std::vector<OwnArray> WaysBack::Descent::through(const Step& step, std::span<const UnitPlace> units,
                                                 std::vector<OwnArray>& signals) {
  const Stage& s = *step.stage;
  Execution& pass = *step.pass;
  const Geometry& g = geometry_;
  const Queue& queue = network_.queue();
  const Dtype real = network_.device().compute_dtype();
  pass.open_tape();
  fill_tape(step, units);
  const Array place = pass.seed_in_place();
  const Tensor beside = queue.module ? Tensor(real, place.shape) : Tensor();
  const Array seed = queue.module ? beside.array() : place;
  for (OwnArray& signal : signals) lay_out(signal, seed.layout);
  parallel_for(step.batch, [&](int64_t b) {
    const int64_t i = std::min(b, std::ssize(units) - 1);
    const UnitPlace& u = units[at(i)];
    const Pair first = g.first(s.top, u), origin = s.origin(s.top, u);
    copy_into_zeros(maps_of(signals[at(i)].array, 0), 0, g.size(s.top, u), maps_of(seed, b),
                    {first.h - origin.h, first.w - origin.w});
  });
  if (queue.module) upload(queue, beside, place);
  pass.backward_from_seed();
  const Tensor copy = queue.module ? pass.gradient(s.input) : Tensor();
  const Array gradient = queue.module ? copy.array() : pass.gradient_in_place(s.input);
  std::vector<OwnArray> next(units.size());
  const bool last = &step == &steps_.back();
  parallel_for(std::ssize(units), [&](int64_t b) {
    const UnitPlace& u = units[at(b)];
    const Pair first = g.first(s.bottom, u), origin = s.origin(s.bottom, u), size = g.size(s.bottom, u);
    const Pair from{first.h - origin.h, first.w - origin.w};
    const Shape shape{1, g.cones.shape(s.bottom)[1], size.h, size.w};
    OwnArray& made = next[at(b)] = OwnArray(real, shape, last ? Layout::planar : gradient.layout);
    if (last)
      copy_planar(gradient, b, from, Tensor(real, {shape[1], size.h, size.w}, made.memory));
    else
      copy_window(maps_of(gradient, b), from, size, maps_of(made.array, 0), 0);
  });
  return next;
}

void WaysBack::Descent::down(size_t step, std::span<const UnitPlace> units, std::vector<OwnArray> signals,
                             std::span<Reconstruction> made) {
  if (step == steps_.size()) {
    for (size_t i = 0; i < units.size(); ++i) {
      const Pair first = geometry_.first(geometry_.cones.input(), units[i]);
      const Shape& s = signals[i].array.shape;
      made[i] = {Tensor(signals[i].array.dtype, {s[1], s[2], s[3]}, signals[i].memory), first.h, first.w};
    }
    return;
  }
  const auto batch = at(steps_[step].batch);
  for (size_t begin = 0; begin < units.size(); begin += batch) {
    const size_t count = std::min(batch, units.size() - begin);
    const auto some = units.subspan(begin, count);
    const auto first = std::make_move_iterator(signals.begin() + static_cast<std::ptrdiff_t>(begin));
    std::vector<OwnArray> part(first, first + static_cast<std::ptrdiff_t>(count));
    down(step + 1, some, through(steps_[step], some, part), made.subspan(begin, count));
  }
}

void WaysBack::Descent::run(std::span<const UnitPlace> units, std::span<Reconstruction> made) {
  const NodeId layer = geometry_.cones.path().back();
  std::vector<OwnArray> signals;
  for (const UnitPlace& u : units) {
    const Tensor seed =
        Tensor::zeros(network_.device().compute_dtype(), {1, geometry_.cones.shape(layer)[1], 1, 1});
    if (seed.dtype() == Dtype::f64)
      seed.values<double>()[at(u.channel)] = 1;
    else
      seed.values<float>()[at(u.channel)] = 1;
    OwnArray& signal = signals.emplace_back();
    signal.memory = seed.storage();
    signal.array = seed.array();
  }
  down(0, units, std::move(signals), made);
}

}  // namespace loupe
