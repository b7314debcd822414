#include "engine/neurons/ascent.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/neurons/diversity.h"
#include "engine/neurons/penalties.h"
#include "engine/neurons/touch_up.h"
#include "engine/run/passes.h"
#include "kernels/common/parallel.h"
#include "kernels/optimizer/optimizer.h"

namespace loupe {

namespace {
NodeId node_of(const Objective& o, const Graph& graph) { return o.parts.at(0).second.node(graph); }

std::string draws_of(const Objective& o, const char* what) {
  return "ascent." + (o.draws.empty() ? o.name : o.draws) + what;
}

std::span<const double> row_of(const Tensor& t, size_t i) {
  return t.row(static_cast<int64_t>(i)).values<const double>();
}

double norm(std::span<const double> v) {
  double sum = 0;
  for (const double x : v) sum += x * x;
  return std::sqrt(sum);
}

double score_of(const Objective& o, const Tensor& result) {  // (1, …), f64
  double sum = 0;
  for (const auto& [weight, target] : o.parts) sum += weight * target.scores(result)[0];
  return sum;
}

// dL/d(result), into a row of the batch's seed.
void add_seed(const Objective& o, const Tensor& result, std::span<double> to) {
  for (const auto& [weight, target] : o.parts) {
    const Tensor one = target.seed(result);
    const auto values = one.values<const double>();
    for (size_t i = 0; i < to.size(); ++i) to[i] += weight * values[i];
  }
}
}  // namespace

Ascent::Ascent(Network& net, const Canvas& canvas, std::unique_ptr<Parameters> parameters,
               std::vector<Objective> objectives, const AscentOptions& options, const Draws& draws)
    : net_(net),
      canvas_(canvas),
      parameters_(std::move(parameters)),
      objectives_(std::move(objectives)),
      options_(options),
      draws_(draws) {
  if (objectives_.empty()) throw UsageError("an ascent needs a unit");
  if (!parameters_->are_pixels() &&
      (options_.blur_every > 0 || options_.clear_norms > 0 || options_.clear_contributions > 0))
    throw UsageError("blur and clearing change pixels: they need pixels for parameters");
  if (!(options_.rate > 0 && options_.rate < 1e9))  // what steps would refuse, in the middle of a loop
    throw UsageError("the rate of an ascent is above 0, not " + std::to_string(options_.rate));
  const std::vector<Shape> shapes = net_.graph().shapes({1, canvas_.channels, canvas_.height, canvas_.width});
  std::set<std::string> names;
  for (const Objective& o : objectives_) {
    if (!names.insert(o.name).second) throw UsageError("two units are called '" + o.name + "'");
    if (o.set >= 0 && options_.diversity > 0 && options_.diversity_layer < 0)
      throw UsageError("pictures that are to be unlike need a layer whose maps say how alike they are");
    if (o.parts.empty()) throw UsageError("'" + o.name + "' asks for nothing");
    for (const auto& [weight, target] : o.parts) {
      if (target.node(net_.graph()) != node_of(o, net_.graph()))
        throw UsageError("'" + o.name + "' mixes units of two layers");
      target.check(shapes[static_cast<size_t>(target.node(net_.graph()))]);
    }
    if (std::ranges::count(nodes_, node_of(o, net_.graph())) == 0) nodes_.push_back(node_of(o, net_.graph()));
  }
  for (Row& row : rows_ = std::vector<Row>(objectives_.size()))
    for (Tensor* t : {&row.p, &row.first, &row.second}) *t = Tensor::zeros(Dtype::f64, {parameters_->size()});
  for (size_t i = 0; i < rows_.size(); ++i) begin(i, 0);
}

// Afresh, each time a little farther from grey.
void Ascent::begin(size_t i, int tries) {
  Row& row = rows_[i];
  const std::string again = tries == 0 ? "" : ".again" + std::to_string(tries);
  parameters_->begin(draws_, draws_of(objectives_[i], ".begin") + again, static_cast<double>(1 << tries),
                     row.p.values<double>());
  for (const Tensor& t : {row.first, row.second}) std::ranges::fill(t.values<double>(), 0);
  row.asleep = tries;
  row.since = steps_;
}

std::vector<size_t> Ascent::awake(NodeId node) const {
  std::vector<size_t> rows;
  for (size_t i = 0; i < rows_.size(); ++i)
    if (node_of(objectives_[i], net_.graph()) == node && rows_[i].asleep <= kTries) rows.push_back(i);
  return rows;
}

Tensor Ascent::pictures(std::span<const size_t> rows) const {
  Tensor x(Dtype::f64, {std::ssize(rows), canvas_.channels, canvas_.height, canvas_.width});
  parallel_for(std::ssize(rows), [&](int64_t i) {
    parameters_->picture(rows_[rows[static_cast<size_t>(i)]].p.values<const double>(),
                         x.row(i).values<double>());
  });
  return x;
}

Tensor Ascent::picture(int64_t i) const {
  const auto row = static_cast<size_t>(i);
  return pictures({&row, 1});
}

Ascent::Batch Ascent::look(std::span<const size_t> rows) const {
  Batch batch{.rows = {rows.begin(), rows.end()}, .x = pictures(rows), .seen = {}, .samplings = {}};
  std::vector<View> views;
  for (const size_t row : rows)
    views.push_back(options_.views.draw(draws_, draws_of(objectives_[row], ".view"), steps_));
  if (std::ranges::all_of(views, &View::is_plain)) {
    batch.seen = batch.x;
    return batch;
  }
  batch.seen = Tensor(Dtype::f64, batch.x.shape());
  batch.samplings.resize(rows.size());
  parallel_for(std::ssize(rows), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    batch.samplings[at] = Sampling(views[at], canvas_.height, canvas_.width);
  });
  const int64_t n = canvas_.pixels();
  parallel_for(std::ssize(rows) * canvas_.channels, [&](int64_t plane) {
    batch.samplings[static_cast<size_t>(plane / canvas_.channels)].sample(
        batch.x.values<const double>().data() + plane * n, batch.seen.values<double>().data() + plane * n);
  });
  return batch;
}

// What would make the pictures of each set less alike: forward for their maps, then back from the diversity's gradient.
void Ascent::push_apart() {
  std::map<int64_t, std::vector<size_t>> sets;
  for (size_t i = 0; i < rows_.size(); ++i)
    if (objectives_[i].set >= 0) sets[objectives_[i].set].push_back(i);
  const NodeId layer = options_.diversity_layer, input = net_.graph().inputs().at(0);
  for (const auto& [set, rows] : sets) {
    if (rows.size() < 2) continue;
    const Tensor x = pictures(rows);
    Tensor maps, slopes;
    const Purpose up{.values = {layer}}, down{.from = layer, .gradients = {input}};
    const auto in_parts = [&](const Purpose& purpose, const auto& take) {
      in_batches(net_, x.shape(), std::ssize(rows), purpose, {}, [&](int64_t begin, int64_t end) {
        Execution& pass = net_.execution(x.shape().with(0, end - begin), purpose);
        pass.forward(x.slice(begin, end).to(net_.device().compute_dtype()));
        take(pass, begin, end);
      });
    };
    in_parts(up, [&](Execution& pass, int64_t begin, int64_t) {
      const Tensor some = pass.value(layer).to(Dtype::f64);
      if (!maps.defined()) maps = Tensor(Dtype::f64, some.shape().with(0, std::ssize(rows)));
      copy_rows(some, maps, begin);
    });
    slopes = Tensor(Dtype::f64, maps.shape());
    diversity(maps, slopes);
    in_parts(down, [&](Execution& pass, int64_t begin, int64_t end) {
      pass.backward(slopes.slice(begin, end));
      const Tensor gradient = pass.gradient(input).to(Dtype::f64);
      for (int64_t i = 0; i < end - begin; ++i)
        rows_[rows[static_cast<size_t>(begin + i)]].apart = gradient.row(i).clone();
    });
  }
}

void Ascent::step() {
  if (options_.diversity > 0 && options_.diversity_layer >= 0) push_apart();
  for (const NodeId node : nodes_) {
    const std::vector<size_t> rows = awake(node);
    if (!rows.empty()) step(node, rows);
  }
  ++steps_;
  for (Row& row : rows_) row.curve.resize(static_cast<size_t>(steps_));  // of the dead: 0
}

void Ascent::step(NodeId node, std::span<const size_t> rows) {
  const NodeId input = net_.graph().inputs().at(0);
  const Purpose purpose{.values = {node}, .from = node, .gradients = {input}};
  const Shape one{1, canvas_.channels, canvas_.height, canvas_.width};
  in_batches(net_, one, std::ssize(rows), purpose, {}, [&](int64_t begin, int64_t end) {
    const Batch batch = look(rows.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
    Execution& pass = net_.execution(batch.x.shape(), purpose);
    pass.forward(batch.seen.to(net_.device().compute_dtype()));
    const Tensor result = pass.value(node).to(Dtype::f64), seed = Tensor::zeros(Dtype::f64, result.shape());
    for (int64_t i = 0; i < end - begin; ++i) {
      const size_t row = batch.rows[static_cast<size_t>(i)];
      rows_[row].curve.push_back(score_of(objectives_[row], result.slice(i, i + 1)));
      add_seed(objectives_[row], result.slice(i, i + 1), seed.row(i).values<double>());
    }
    pass.backward(seed);
    const Tensor gradient = pass.gradient(input).to(Dtype::f64);
    Tensor slopes = batch.samplings.empty() ? gradient.clone() : Tensor::zeros(Dtype::f64, gradient.shape());
    const int64_t n = canvas_.pixels();
    if (!batch.samplings.empty())
      parallel_for((end - begin) * canvas_.channels, [&](int64_t plane) {
        batch.samplings[static_cast<size_t>(plane / canvas_.channels)].pull(
            gradient.values<const double>().data() + plane * n, slopes.values<double>().data() + plane * n);
      });
    parallel_for(end - begin, [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      climb(rows_[batch.rows[at]], row_of(batch.x, at), slopes.row(i).values<double>());
    });
    for (const size_t row : batch.rows)  // nothing to climb yet: try elsewhere
      if (const int tries = rows_[row].asleep; tries > 0) {
        if (tries <= kTries) this->begin(row, tries);
      }
  });
}

// x: the picture of row.p; slopes: dL/dx of the targets, to which the penalties' are added.
void Ascent::climb(Row& row, std::span<const double> x, std::span<double> slopes) {
  if (std::ranges::any_of(slopes, [](double v) { return v != 0; }))
    row.asleep = -1;
  else if (row.asleep >= 0) {
    ++row.asleep;
    return;
  }
  if (row.apart.defined()) {
    const auto apart = row.apart.values<const double>();
    const double length = norm(apart), scale = length > 0 ? options_.diversity * norm(slopes) / length : 0;
    for (size_t i = 0; i < slopes.size(); ++i) slopes[i] += scale * apart[i];
  }
  if (options_.l2 > 0) l2_penalty(-options_.l2, x, slopes);
  if (options_.total_variation > 0)
    total_variation(-options_.total_variation, x, canvas_.height, canvas_.width, slopes);
  const Tensor g(Dtype::f64, row.p.shape());
  parameters_->pull(row.p.values<const double>(), x, slopes, g.values<double>());
  const int64_t step = steps_ - row.since + 1;
  if (options_.adam)  // steps of an optimiser go down
    adamw_step(Backend::ref, {}, {.rate = options_.rate, .weight_decay = 0}, step, -1, row.p.array(),
               g.array(), row.first.array(), row.second.array());
  else
    sgd_step(Backend::ref, {}, {.rate = options_.rate}, -1, row.p.array(), g.array(), row.first.array());
  if (!parameters_->are_pixels()) return;
  const auto p = row.p.values<double>();
  if (options_.blur_every > 0 && step % options_.blur_every == 0)
    gaussian_blur(options_.blur, p, canvas_.height, canvas_.width);
  if (options_.clear_norms > 0) clear_small_norms(options_.clear_norms, p, canvas_.channels);
  if (options_.clear_contributions > 0)
    clear_small_contributions(options_.clear_contributions, p, slopes, canvas_.channels);
}

std::vector<double> Ascent::scores() {
  std::vector<double> scores(rows_.size());
  for (const NodeId node : nodes_) {
    std::vector<size_t> rows;
    for (size_t i = 0; i < rows_.size(); ++i)
      if (node_of(objectives_[i], net_.graph()) == node) rows.push_back(i);
    const Purpose purpose{.values = {node}};
    const Shape one{1, canvas_.channels, canvas_.height, canvas_.width};
    in_batches(net_, one, std::ssize(rows), purpose, {}, [&](int64_t begin, int64_t end) {
      const std::span<const size_t> some(rows.data() + begin, static_cast<size_t>(end - begin));
      Execution& pass = net_.execution(one.with(0, end - begin), purpose);
      pass.forward(pictures(some).to(net_.device().compute_dtype()));
      const Tensor result = pass.value(node).to(Dtype::f64);
      for (int64_t i = 0; i < end - begin; ++i) {
        const size_t row = some[static_cast<size_t>(i)];
        scores[row] = score_of(objectives_[row], result.slice(i, i + 1));
      }
    });
  }
  return scores;
}

Ascent::State Ascent::state() const {
  const int64_t n = count();
  State s{.numbers = Tensor(Dtype::f64, {3, n, parameters_->size()}),
          .curves = Tensor(Dtype::f64, {n, steps_}),
          .asleep = Tensor(Dtype::f64, {n, 2})};
  for (int64_t i = 0; i < n; ++i) {
    const Row& row = rows_[static_cast<size_t>(i)];
    int64_t part = 0;
    for (const Tensor* t : {&row.p, &row.first, &row.second})
      std::ranges::copy(t->values<const double>(), s.numbers.row(part++).row(i).values<double>().begin());
    std::ranges::copy(row.curve, s.curves.row(i).values<double>().begin());
    s.asleep.row(i).values<double>()[0] = row.asleep;
    s.asleep.row(i).values<double>()[1] = static_cast<double>(row.since);
  }
  return s;
}

void Ascent::restore(const State& s) {
  const int64_t n = count();
  if (s.numbers.shape() != Shape{3, n, parameters_->size()} || s.curves.shape().rank() != 2 ||
      s.curves.shape()[0] != n || s.asleep.shape() != Shape{n, 2})
    throw Error("the state is of another ascent");
  steps_ = s.curves.shape()[1];
  for (int64_t i = 0; i < n; ++i) {
    Row& row = rows_[static_cast<size_t>(i)];
    int64_t part = 0;
    for (const Tensor* t : {&row.p, &row.first, &row.second})
      std::ranges::copy(s.numbers.row(part++).row(i).values<const double>(), t->values<double>().begin());
    const auto curve = s.curves.row(i).values<const double>();
    row.curve.assign(curve.begin(), curve.end());
    row.asleep = static_cast<int>(s.asleep.row(i).values<const double>()[0]);
    row.since = static_cast<int64_t>(s.asleep.row(i).values<const double>()[1]);
  }
}

}  // namespace loupe
