#include "engine/run/windows.h"

#include <algorithm>
#include <cstring>

#include "engine/run/probability.h"
#include "engine/run/recall.h"

namespace loupe {

namespace {

// Places at once. Weights are read once for all of them, which large linear layers want many of; their windows
// should stay in the caches.
constexpr int64_t kPlaces = 16, kPlacesOfDevice = 256;

// Copies a rectangle of maps, which begin at `from` and have rows of `from_width` cells in planes of
// `from_plane`, to others.
void copy_rect(const std::byte* from, int64_t from_width, int64_t from_plane, std::byte* to, int64_t to_width,
               int64_t to_plane, int64_t planes, Pair size, int64_t element) {
  for (int64_t c = 0; c < planes; ++c)
    for (int64_t row = 0; row < size.h; ++row)
      std::memcpy(to + (c * to_plane + row * to_width) * element,
                  from + (c * from_plane + row * from_width) * element,
                  static_cast<size_t>(size.w * element));
}

// Everything about one image and its places.
struct Job {
  Network& net;
  const Tensor& x;
  std::span<const Rect> rects;
  const std::function<Tensor(int64_t)>& pixels;
  const WindowGraph w;

  std::shared_ptr<const Plan> plan(int64_t batch) const {
    const Shape& s = x.shape();
    return std::make_shared<const Plan>(
        w.graph, std::vector<Shape>{s, {batch, s[1], w.size.h, w.size.w}, {batch, w.rows, 4}},
        net.device().backend, Purpose{.values = {w.result}, .varying = {w.windows, w.places}}, net.options());
  }

  // The windows of places [begin, begin + batch), of which those after the last one are it once more.
  Tensor windows(int64_t begin, int64_t batch) const {
    const Shape& s = x.shape();
    const Tensor t(x.dtype(), {batch, s[1], w.size.h, w.size.w});
    const int64_t element = dtype_bytes(x.dtype()), plane = w.size.h * w.size.w;
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t i = std::min(begin + b, std::ssize(rects) - 1);
      const Rect& r = rects[static_cast<size_t>(i)];
      const Pair& origin = w.origins[static_cast<size_t>(i)];
      std::byte* to = t.raw() + b * s[1] * plane * element;
      copy_rect(x.raw() + (origin.h * s[3] + origin.w) * element, s[3], s[2] * s[3], to, w.size.w, plane,
                s[1], w.size, element);
      const Tensor inside = pixels(i);
      if (inside.shape() != Shape{s[1], r.h, r.w} || inside.dtype() != x.dtype())
        throw Error("the pixels of a place are " + inside.shape().str() + ", not " +
                    Shape{s[1], r.h, r.w}.str());
      copy_rect(inside.raw(), r.w, r.h * r.w, to + ((r.y - origin.h) * w.size.w + r.x - origin.w) * element,
                w.size.w, plane, s[1], {r.h, r.w}, element);
    }
    return t;
  }

  Tensor places(int64_t begin, int64_t batch) const {
    const Tensor t(Dtype::i32, {batch, w.rows, 4});
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t i = std::min(begin + b, std::ssize(rects) - 1);
      std::copy_n(w.table.data() + i * w.rows * 4, w.rows * 4, t.values<int32_t>().data() + b * w.rows * 4);
    }
    return t;
  }
};

// Of the pictures themselves, where not even one place fits beside what did not change.
Tensor whole_values(const Job& job, NodeId node, const Progress& progress) {
  const Shape& s = job.x.shape();
  const int64_t element = dtype_bytes(job.x.dtype()), count = std::ssize(job.rects);
  std::vector<Tensor> parts;
  const Purpose purpose{.values = {node}};
  in_batches(job.net, s, count, purpose, progress, [&](int64_t begin, int64_t end) {
    const Tensor batch(job.x.dtype(), s.with(0, end - begin));
    for (int64_t i = begin; i < end; ++i) {
      std::byte* to = batch.raw() + (i - begin) * job.x.bytes();
      std::memcpy(to, job.x.raw(), static_cast<size_t>(job.x.bytes()));
      const Rect& r = job.rects[static_cast<size_t>(i)];
      copy_rect(job.pixels(i).raw(), r.w, r.h * r.w, to + (r.y * s[3] + r.x) * element, s[3], s[2] * s[3],
                s[1], {r.h, r.w}, element);
    }
    Execution& pass = job.net.execution(batch.shape(), purpose);
    pass.forward(batch);
    const Tensor values = pass.value(node).to(Dtype::f64);
    for (int64_t n = 0; n < end - begin; ++n) parts.push_back(values.slice(n, n + 1));
  });
  return stack_rows(parts);
}

// The node's value for each place, (places, …), f64.
Tensor window_values(const Job& job, NodeId node, const Progress& progress) {
  Network& net = job.net;
  const int64_t count = std::ssize(job.rects);
  int64_t batch = std::min(count, net.queue().module ? kPlacesOfDevice : kPlaces);
  if (net.batch_limit) batch = std::min(batch, net.batch_limit);
  batch = ceil_div(count, ceil_div(count, batch));
  std::shared_ptr<const Plan> plan = job.plan(batch);
  while (!net.fits(*plan)) {
    if (batch == 1) return whole_values(job, node, progress);
    batch = ceil_div(batch, 2);
    plan = job.plan(batch);
  }
  Execution& pass = net.execution(plan);
  std::vector<Tensor> parts;
  for (int64_t begin = 0; begin < count; begin += batch) {
    const Tensor windows = job.windows(begin, batch), places = job.places(begin, batch);
    if (begin == 0) {
      pass.forward({job.x, windows, places});
    } else {
      const std::pair<NodeId, Tensor> changed[] = {{job.w.windows, windows}, {job.w.places, places}};
      pass.again(changed);
    }
    const Tensor values = pass.value(job.w.result).to(Dtype::f64);
    const int64_t rows = std::min(batch, count - begin);
    for (int64_t n = 0; n < rows; ++n) parts.push_back(values.slice(n, n + 1));
    if (progress) progress(static_cast<double>(begin + rows) / static_cast<double>(count));
  }
  return stack_rows(parts);
}

// Of all that the values depend on.
Recall::Key key_of(const Job& job, NodeId node) {
  Recall::Key key{};
  const auto bytes_of = [](const Tensor& t) {
    return std::span<const std::byte>(t.raw(), static_cast<size_t>(t.bytes()));
  };
  Recall::add(key, bytes_of(job.x));
  Recall::add(key, std::as_bytes(job.rects));
  for (int64_t i = 0; i < std::ssize(job.rects); ++i) Recall::add(key, bytes_of(job.pixels(i)));
  Recall::add(key, std::as_bytes(std::span(&node, 1)));
  return key;
}

}  // namespace

WindowScores window_scores(Network& net, const Tensor& x, std::span<const Rect> rects,
                           const std::function<Tensor(int64_t)>& pixels, const Target& target,
                           const Progress& progress) {
  if (rects.empty()) return {};
  const NodeId node = target.node(net.graph());
  const int64_t count = std::ssize(rects);
  const Job job{
      net, x, rects, pixels,
      window_graph(net.graph(), x.shape(), node, rects, net.device().backend, net.options().kernels)};
  Tensor values;
  if (Recall* recall = Recall::of(net)) {
    const Recall::Key key = key_of(job, node);
    if (const Tensor* before = recall->job(key)) values = *before;
    const Recall::Pause pause(net);
    if (!values.defined()) recall->keep_job(key, values = window_values(job, node, progress));
  } else {
    values = window_values(job, node, progress);
  }
  WindowScores found;
  found.part = static_cast<double>(job.w.macs) / static_cast<double>(std::max<int64_t>(job.w.whole_macs, 1));
  const Target of_place = target.repeated(count);
  found.scores = of_place.scores(values);
  if (!target.is_class()) return found;
  const std::vector<int64_t> classes = of_place.classes(values);
  for (int64_t n = 0; n < count; ++n)
    found.probabilities.push_back(
        class_probability(values.row(n).values<const double>(), classes[static_cast<size_t>(n)]));
  return found;
}

}  // namespace loupe
