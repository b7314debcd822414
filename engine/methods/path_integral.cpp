#include "engine/methods/path_integral.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/run/quadrature.h"

namespace loupe {

namespace {
struct Point {
  int64_t image;
  double alpha, weight;
};

// An interval of a way, and F at its quarters: begin, …, middle, …, end. Chords need no f[1] and f[3].
struct Interval {
  double begin, end;
  std::array<double, 5> f;

  double at(size_t quarter) const { return begin + 0.25 * static_cast<double>(quarter) * (end - begin); }
  double chord_residual() const {
    const double half = 0.5 * (f[4] - f[0]);
    return std::abs(f[2] - f[0] - half) + std::abs(f[4] - f[2] - half);
  }
  // Of the gradient at the middle. 2(f[3] − f[1]) stands for its share, h·F', and contains a quarter of what that misses, h³F‴/24.
  double middle_residual() const { return 4.0 / 3 * std::abs(2 * (f[3] - f[1]) - (f[4] - f[0])); }
};

constexpr int64_t kFirst = 8;  // intervals that adaptive begins with
// Rows of a batch of secants: neighbours share the forward pass of the row between them. Less where a network's
// activations are large.
constexpr int64_t kRows = 9, kFewRows = 3, kRowBytes = 256 << 20;

class Run {
 public:
  explicit Run(const PathIntegral& p)
      : p_(p),
        one_(p.x.shape().with(0, 1)),
        scores_(p.target.node(p.net.graph())),
        sum_(p.net, one_, p.x.shape()[0], p.at, scores_),
        from_(p.from.to(Dtype::f64)),
        to_(p.to.to(Dtype::f64)) {}

  PathResult all();

 private:
  bool of_layer() const { return p_.at != p_.net.graph().inputs()[0]; }
  Purpose purpose() const;
  Tensor values(std::span<const Point> points) const;
  void forward(Execution& pass, std::span<const Point> points);
  void way_back(Execution& pass, std::span<const Point> points, int64_t first, bool chords);
  std::vector<double> scores(std::span<const Point> points);
  void quadrature_of(const Quadrature& rule);
  void gradients(std::span<const Point> points);
  void secants(int64_t image, std::span<const double> ends);
  std::vector<Interval> first_intervals(int64_t image, const PathResult& result);
  void find(int64_t image, std::span<Interval> parts, std::initializer_list<size_t> quarters);
  std::vector<double> bisected(int64_t image, PathResult& result, bool chords);
  void adaptive(PathResult& result);
  void attribution(PathResult& result);

  const PathIntegral& p_;
  Shape one_;
  NodeId scores_;
  SignalSum sum_;
  Tensor from_, to_;
  Execution* last_ = nullptr;         // that ran for a layer
  std::vector<int64_t> last_images_;  // of its rows
};

std::vector<int64_t> images_of(std::span<const Point> points) {
  std::vector<int64_t> images;
  for (const Point& p : points) images.push_back(p.image);
  return images;
}

Purpose Run::purpose() const {
  Purpose purpose{.values = {scores_}};
  if (of_layer()) purpose.edits = {{Port(p_.at), Edit::Kind::set}};
  return purpose;
}

Tensor Run::values(std::span<const Point> points) const {
  const auto count = static_cast<int64_t>(points.size()), size = from_.numel() / from_.shape()[0];
  Tensor all(Dtype::f64, from_.shape().with(0, count));
  for (int64_t r = 0; r < count; ++r) {
    const auto [image, alpha, weight] = points[static_cast<size_t>(r)];
    const double* a = from_.values<double>().data() + image * size;
    const double* b = to_.values<double>().data() + image * size;
    double* v = all.values<double>().data() + r * size;
    if (alpha == 1)
      std::copy_n(b, size, v);
    else
      for (int64_t i = 0; i < size; ++i) v[i] = a[i] + alpha * (b[i] - a[i]);
  }
  return all;
}

// Steps below a layer run once for the same images.
void Run::forward(Execution& pass, std::span<const Point> points) {
  if (!of_layer()) return pass.forward(values(points));
  std::vector<int64_t> images = images_of(points);
  pass.edit(0, Cells::everything(), values(points));
  if (&pass == last_ && images == last_images_) return pass.again();
  std::vector<Tensor> rows;
  for (const int64_t n : images) rows.push_back(p_.x.slice(n, n + 1));
  pass.forward(stack_rows(rows));
  last_ = &pass;
  last_images_ = std::move(images);
}

// Of scores that are no class but any function of the result a chord has, in the place of a seed, the mean of those at
// its ends.
void Run::way_back(Execution& pass, std::span<const Point> points, int64_t first, bool chords) {
  const Target target = p_.target.rows(images_of(points));
  const Shape& result_shape = pass.plan().value(pass.plan().seed()).type.shape;
  if (!of_layer() && target.is_class() && !p_.probe.look && result_shape.rank() == 2) {
    const std::vector<int32_t> wanted = target.wanted(std::ssize(points), result_shape[1]);
    return pass.forward_and_back({values(points)}, wanted);
  }
  forward(pass, points);
  const Tensor result = pass.value(scores_);
  if (p_.probe.look) p_.probe.look(pass, first);
  const Tensor seed = target.seed(result);
  if (chords) {
    const auto v = seed.values<double>();
    const size_t row = v.size() / points.size();
    for (size_t i = 0; i + row < v.size(); ++i) v[i] = 0.5 * (v[i] + v[i + row]);
  }
  pass.backward(seed);
}

std::vector<double> Run::scores(std::span<const Point> points) {
  const Purpose forward_only = purpose();
  std::vector<double> all;
  last_ = nullptr;
  in_batches(p_.net, one_, std::ssize(points), forward_only, {}, [&](int64_t begin, int64_t end) {
    const auto part = points.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    Execution& pass = p_.net.execution(one_.with(0, end - begin), forward_only);
    forward(pass, part);
    for (const double s : p_.target.rows(images_of(part)).scores(pass.value(scores_))) all.push_back(s);
  });
  return all;
}

void Run::gradients(std::span<const Point> points) {
  Purpose back = purpose();
  back.from = scores_;
  back.gradients = {sum_.node()};
  for (const Port& v : p_.probe.values)
    if (v != Port(scores_)) back.values.push_back(v);
  back.records = p_.probe.records;
  last_ = nullptr;
  in_batches(p_.net, one_, std::ssize(points), back, p_.progress, [&](int64_t begin, int64_t end) {
    const auto part = points.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    Execution& pass = p_.net.execution(one_.with(0, end - begin), back);
    way_back(pass, part, begin, false);
    std::vector<double> weights;
    for (const Point& p : part) weights.push_back(p.weight);
    sum_.add(pass, images_of(part), weights);
  });
}

void Run::quadrature_of(const Quadrature& rule) {
  std::vector<Point> points;
  for (int64_t n = 0; n < from_.shape()[0]; ++n)
    for (size_t k = 0; k < rule.points.size(); ++k) points.push_back({n, rule.points[k], rule.weights[k]});
  gradients(points);
}

// One batch after the other, each beginning with the last one's last row.
void Run::secants(int64_t image, std::span<const double> ends) {
  Purpose back = purpose();
  back.from = scores_;
  back.gradients = {sum_.node()};
  back.rule = secant_rule();
  const auto intervals = static_cast<int64_t>(ends.size()) - 1;
  const int64_t bytes = p_.net.execution(one_, back).plan().arena_bytes();
  const int64_t wanted =
      p_.net.queue().module ? intervals + 1 : std::clamp(kRowBytes / bytes, kFewRows, kRows);
  const int64_t rows = p_.net.batch_for(one_, std::min(wanted, intervals + 1), back);
  if (rows < 2)
    throw Error(
        "the rule secant runs two points at a time, and their activations take more memory than there may "
        "be");
  last_ = nullptr;
  for (int64_t begin = 0; begin < intervals; begin += rows - 1) {
    const int64_t end = std::min(intervals, begin + rows - 1);
    std::vector<Point> points;
    std::vector<double> weights;
    for (int64_t k = begin; k <= end; ++k) {
      const auto at = static_cast<size_t>(k);
      weights.push_back(k < end ? ends[at + 1] - ends[at] : 0.0);
      points.push_back({image, ends[at], weights.back()});
    }
    Execution& pass = p_.net.execution(one_.with(0, end - begin + 1), back);
    way_back(pass, points, begin, true);
    sum_.add(pass, images_of(points), weights);
    if (p_.progress) {
      const double done = static_cast<double>(end) / static_cast<double>(intervals);
      p_.progress((static_cast<double>(image) + done) / static_cast<double>(from_.shape()[0]));
    }
  }
}

void Run::find(int64_t image, std::span<Interval> parts, std::initializer_list<size_t> quarters) {
  std::vector<Point> points;
  for (const Interval& i : parts)
    for (const size_t q : quarters) points.push_back({image, i.at(q), 0});
  const std::vector<double> found = scores(points);
  auto next = found.begin();
  for (Interval& i : parts)
    for (const size_t q : quarters) i.f[q] = *next++;
}

// Of the same width, with F at their ends.
std::vector<Interval> Run::first_intervals(int64_t image, const PathResult& result) {
  const auto n = static_cast<size_t>(image);
  const auto count = static_cast<size_t>(std::min<int64_t>(kFirst, p_.options.max_steps));
  std::vector<Interval> parts(count);
  for (size_t k = 0; k < count; ++k) {
    parts[k].begin = static_cast<double>(k) / static_cast<double>(count);
    parts[k].end = static_cast<double>(k + 1) / static_cast<double>(count);
  }
  if (count > 1) find(image, std::span(parts).subspan(1), {0});
  parts.front().f[0] = result.from_scores[n];
  for (size_t k = 0; k + 1 < count; ++k) parts[k].f[4] = parts[k + 1].f[0];
  parts.back().f[4] = result.scores[n];
  return parts;
}

// The ends of the intervals, from 0 to 1.
std::vector<double> Run::bisected(int64_t image, PathResult& result, bool chords) {
  const auto n = static_cast<size_t>(image);
  const double allowed = p_.options.tolerance * std::abs(result.scores[n] - result.from_scores[n]);
  const auto most = static_cast<size_t>(p_.options.max_steps);
  const auto residual = [chords](const Interval& i) {
    return chords ? i.chord_residual() : i.middle_residual();
  };
  std::vector<Interval> parts = first_intervals(image, result);
  find(image, parts, chords ? std::initializer_list<size_t>{2} : std::initializer_list<size_t>{1, 2, 3});
  double total = 0;
  while (true) {
    std::ranges::sort(parts, {}, residual);
    total = 0;
    for (const Interval& i : parts) total += residual(i);
    if (total <= allowed || parts.size() >= most) break;
    // The last ones, as many as would bring the rest down if each halved; few at a time, since the next to bisect may be
    // among their halves.
    const size_t room = std::min({most - parts.size(), std::max<size_t>(parts.size() / 3, 1), parts.size()});
    double rest = total;
    size_t count = 0;
    while (count < room && rest > allowed) rest -= 0.5 * residual(parts[parts.size() - ++count]);
    const size_t kept = parts.size() - count;
    for (size_t k = kept; k < kept + count; ++k) {
      const Interval i = parts[k];
      parts[k] = {i.begin, i.at(2), {i.f[0], 0, i.f[1], 0, i.f[2]}};
      parts.push_back({i.at(2), i.end, {i.f[2], 0, i.f[3], 0, i.f[4]}});
    }
    find(image, std::span(parts).subspan(kept),
         chords ? std::initializer_list<size_t>{2} : std::initializer_list<size_t>{1, 3});
  }
  result.interval_residuals.push_back(total);
  result.met &= total <= allowed;
  std::vector<double> ends{1};
  for (const Interval& i : parts) ends.push_back(i.begin);
  std::ranges::sort(ends);
  return ends;
}

void Run::adaptive(PathResult& result) {
  const bool chords = !secant_unsuited(p_.net.graph(), p_.at, scores_);
  for (int64_t n = 0; n < from_.shape()[0]; ++n) {
    const std::vector<double> ends = bisected(n, result, chords);
    result.gradients.push_back(std::ssize(ends) - 1);
    if (chords) {
      secants(n, ends);
      continue;
    }
    std::vector<Point> points;
    for (size_t i = 0; i + 1 < ends.size(); ++i)
      points.push_back({n, 0.5 * (ends[i] + ends[i + 1]), ends[i + 1] - ends[i]});
    gradients(points);
  }
}

void Run::attribution(PathResult& result) {
  const Tensor total = sum_.total().reshape(from_.shape());
  const int64_t images = from_.shape()[0], size = total.numel() / images;
  for (int64_t n = 0; n < images; ++n) {
    double sum = 0;
    for (int64_t i = n * size; i < (n + 1) * size; ++i) {
      const auto at = static_cast<size_t>(i);
      sum += total.values<double>()[at] *= to_.values<double>()[at] - from_.values<double>()[at];
    }
    const auto at = static_cast<size_t>(n);
    result.residuals.push_back(sum - (result.scores[at] - result.from_scores[at]));
  }
  result.attribution = total;
}

PathResult Run::all() {
  const int64_t images = from_.shape()[0];
  PathResult result;
  std::vector<Point> ends;
  for (int64_t n = 0; n < images; ++n) ends.push_back({n, 0, 0});
  result.from_scores = scores(ends);
  for (Point& p : ends) p.alpha = 1;
  result.scores = scores(ends);
  const PathOptions& o = p_.options;
  if (o.rule == "adaptive") {
    adaptive(result);
  } else if (o.rule == "secant") {
    if (const auto why = secant_unsuited(p_.net.graph(), p_.at, scores_)) throw UsageError(*why);
    std::vector<double> way;
    for (int64_t k = 0; k <= o.steps; ++k)
      way.push_back(std::pow(static_cast<double>(k) / static_cast<double>(o.steps), 2));
    for (int64_t n = 0; n < images; ++n) secants(n, way);
    result.gradients.assign(static_cast<size_t>(images), o.steps);
  } else {
    const Quadrature rule = quadrature(o.rule, o.steps);
    quadrature_of(rule);
    result.gradients.assign(static_cast<size_t>(images), std::ssize(rule.points));
  }
  attribution(result);
  return result;
}
}  // namespace

void check(const PathOptions& o) {
  const std::string_view rules[] = {"gauss_legendre", "trapezoid", "midpoint", "left",
                                    "right",          "secant",    "adaptive"};
  if (std::ranges::count(rules, o.rule) == 0)
    throw UsageError("there is no rule '" + o.rule + "' of an integral; there are " + kPathRules);
  if (o.steps < 1) throw UsageError("a quadrature needs at least one step, not " + std::to_string(o.steps));
  if (o.max_steps < 1)
    throw UsageError("the rule adaptive needs at least one step, not " + std::to_string(o.max_steps));
  if (!(o.tolerance >= 0))
    throw UsageError("a tolerance is a number of at least 0, not " + std::to_string(o.tolerance));
}

PathResult PathIntegral::run() {
  check(options);
  return Run(*this).all();
}

}  // namespace loupe
