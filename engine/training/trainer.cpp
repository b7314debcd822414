#include "engine/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/run/passes.h"
#include "engine/tensor/transfer.h"
#include "engine/training/schedule.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/optimizer/optimizer.h"

namespace loupe {

namespace {

using Optimizer = TrainingSettings::Optimizer;

void check(const TrainingSettings& s) {
  const auto refuse = [](const std::string& what) { throw UsageError("training: " + what); };
  if (s.steps < 1) refuse("it takes at least one step, not " + std::to_string(s.steps));
  if (s.batch < 1) refuse("a batch holds at least one image, not " + std::to_string(s.batch));
  const auto check_range = [&](const char* name, double value, double low, double high) {
    if (!(value >= low && value <= high))
      refuse(std::string(name) + " must lie between " + std::to_string(low) + " and " + std::to_string(high) +
             ", not be " + std::to_string(value));
  };
  check_range("the learning rate", s.rate, 0, 1e6);
  check_range("the weight decay", s.weight_decay, 0, 1e6);
  check_range("the largest norm of the gradient", s.clip, 0, 1e300);
  check_range("the momentum of running statistics", s.norm_momentum, 0, 1);
}

// Of state that an optimiser keeps for a parameter, as it is called in a checkpoint.
std::vector<std::string> state_names(Optimizer o) {
  if (o == Optimizer::sgd) return {"momentum"};
  return {"first_moment", "second_moment"};
}

}  // namespace

std::string_view optimizer_name(Optimizer o) { return o == Optimizer::sgd ? "sgd" : "adamw"; }

Optimizer parse_optimizer(const std::string& name) {
  const std::vector<std::string> known{"sgd", "adamw"};
  if (name == known[0]) return Optimizer::sgd;
  if (name == known[1]) return Optimizer::adamw;
  throw UsageError("there is no optimizer '" + name + "'; there are adamw and sgd");
}

Trainer::Trainer(std::string name, TrainingGraph graph, std::map<std::string, Tensor> parameters,
                 Device device, TrainingSettings settings)
    : graph_(std::move(graph)),
      settings_(settings),
      network_(std::move(name), graph_.graph, std::move(parameters), device, {.winograd = true}) {
  check(settings_);
  purpose_ = {.values = {graph_.logits, graph_.loss},
              .from = graph_.loss,
              .records = graph_.norms,
              .parameters = true};
  const Queue& queue = network_.queue();
  for (const NodeId id : graph_.graph.parameters()) {
    const Node& spec = graph_.graph.node(id);
    const Array values = network_.trainable(spec.name);
    if (!is_learned(spec.role)) continue;
    const std::vector<NodeId> readers = graph_.graph.consumers(id);
    Learned l{spec.name,
              id,
              readers.empty() ? spec.name : graph_.graph.node(readers[0]).name,
              spec.role == ParameterSpec::Role::weight,
              values,
              {},
              {}};
    for (size_t i = 0; i < state_names(settings_.optimizer).size(); ++i) {
      l.storage.push_back(Storage::allocate(values.bytes(), device));
      l.state.push_back({l.storage.back()->data(), values.dtype, values.shape, Layout::planar});
      upload(queue, Tensor::zeros(values.dtype, values.shape), l.state.back());
    }
    learned_.push_back(std::move(l));
  }
  sums_ = Storage::allocate(std::ssize(learned_) * 2 * int64_t{sizeof(double)}, device);
  workspace_ = Storage::allocate(kNormWorkspaceBytes, device);
  int64_t channels = 0;
  for (const NodeId r : graph_.relus) channels += graph_.graph.node(r).shape()[1];
  on_ = Storage::allocate(channels, device);
}

Tensor Trainer::read(const Storage& from, Dtype type, int64_t count) const {
  return download(network_.queue(), {from.data(), type, {count}, Layout::planar});
}

std::vector<StepReport::Layer> Trainer::dead_relus(const Execution& pass) const {
  auto* on = reinterpret_cast<uint8_t*>(on_->data());
  for (const NodeId r : graph_.relus) {
    channels_on(network_.device().backend, network_.queue(), pass.record_in_place(r), on);
    on += graph_.graph.node(r).shape()[1];
  }
  const Tensor ever_on = read(*on_, Dtype::u8, on_->bytes());
  const auto flags = ever_on.values<const uint8_t>();
  std::vector<StepReport::Layer> layers;
  auto at = flags.begin();
  for (const NodeId r : graph_.relus) {
    const Node& node = graph_.graph.node(r);
    const auto end = at + node.shape()[1];
    layers.push_back(
        {node.name, static_cast<double>(std::count(at, end, 0)) / static_cast<double>(node.shape()[1])});
    at = end;
  }
  return layers;
}

void Trainer::update(const Learned& l, const Array& gradient, double rate, double scale, double* squares) {
  const TrainingSettings& s = settings_;
  const Backend backend = network_.device().backend;
  const double decay = l.decays ? s.weight_decay : 0;
  const StepNorms norms{squares, workspace_->data()};
  if (s.optimizer == Optimizer::sgd)
    sgd_step(backend, network_.queue(),
             {.rate = rate, .momentum = s.momentum, .weight_decay = decay, .nesterov = s.nesterov}, scale,
             l.values, gradient, l.state[0], norms);
  else
    adamw_step(backend, network_.queue(),
               {.rate = rate, .beta1 = s.beta1, .beta2 = s.beta2, .eps = s.eps, .weight_decay = decay},
               next_step_ + 1, scale, l.values, gradient, l.state[0], l.state[1], norms);
}

StepReport Trainer::step(const Batch& batch) {
  const auto start = std::chrono::steady_clock::now();
  const Backend backend = network_.device().backend;
  const Queue& queue = network_.queue();
  StepReport report{.step = next_step_,
                    .rate = learning_rate(settings_.rate, next_step_, settings_.steps, settings_.warmup,
                                          settings_.final_fraction)};

  const Tensor targets = graph_.targets(batch);
  Execution& pass = network_.execution({batch.input.shape(), targets.shape()}, purpose_);
  pass.forward({batch.input, targets});
  const Tensor logits = pass.value(graph_.logits), losses = pass.value(graph_.loss);
  const int64_t count = losses.numel();
  const std::vector<int64_t> said = Target(top1).classes(logits.reshape({count, network_.classes()}));
  for (int64_t n = 0; n < count; ++n) {
    report.loss += losses.item(n) / static_cast<double>(count);
    report.accuracy += said[static_cast<size_t>(n)] == batch.classes[static_cast<size_t>(n)];
  }
  report.accuracy /= static_cast<double>(count);
  if (!std::isfinite(report.loss))
    throw Diverged("the loss of step " + std::to_string(next_step_) + " is " +
                   (std::isnan(report.loss) ? "not a number" : "infinite"));
  report.dead_relus = dead_relus(pass);

  Tensor seed(Dtype::f64, losses.shape());
  std::ranges::fill(seed.values<double>(), 1 / static_cast<double>(count));
  pass.backward(seed);
  auto* sums = reinterpret_cast<double*>(sums_->data());
  for (size_t i = 0; i < learned_.size(); ++i)
    sum_of_squares(backend, queue, pass.gradient_in_place(learned_[i].parameter), sums + i,
                   workspace_->data());
  double squares = 0;
  const Tensor of_gradients = read(*sums_, Dtype::f64, std::ssize(learned_));
  for (const double sum : of_gradients.values<const double>()) squares += sum;
  report.gradient_norm = std::sqrt(squares);
  if (!std::isfinite(report.gradient_norm))
    throw Diverged("the gradient of step " + std::to_string(next_step_) + " is not finite");
  const double scale =
      settings_.clip > 0 && report.gradient_norm > settings_.clip ? settings_.clip / report.gradient_norm : 1;

  update_statistics(pass);
  for (size_t i = 0; i < learned_.size(); ++i)
    update(learned_[i], pass.gradient_in_place(learned_[i].parameter), report.rate, scale, sums + 2 * i);
  const Tensor of_steps = read(*sums_, Dtype::f64, 2 * std::ssize(learned_));
  const auto moved = of_steps.values<const double>();
  squares = 0;
  for (size_t i = 0; i < learned_.size(); ++i) {
    const double change = moved[2 * i], norm = moved[2 * i + 1];
    squares += norm;
    if (learned_[i].decays)
      report.update_ratios.push_back({learned_[i].layer, norm > 0 ? std::sqrt(change / norm) : 0});
  }
  report.parameter_norm = std::sqrt(squares);
  network_.parameters_changed();
  ++next_step_;
  if (!std::isfinite(report.parameter_norm))
    throw Diverged("the parameters after step " + std::to_string(report.step) + " are not finite");
  report.images_per_second = static_cast<double>(batch.input.shape()[0]) /
                             std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

// running = (1 − momentum)·running + momentum·batch, with the variance's unbiased estimate (as PyTorch does).
void Trainer::update_statistics(const Execution& pass) {
  const double keep = 1 - settings_.norm_momentum;
  for (const NodeId n : graph_.norms) {
    const Node& node = graph_.graph.node(n);
    const Tensor record = pass.record(n);  // (2, C): mean, biased variance
    const double pixels = static_cast<double>(pass.plan().batch() * node.shape().numel() / node.shape()[1]);
    for (const NodeId p : graph_.graph.parameters(n)) {
      const Node& spec = graph_.graph.node(p);
      if (is_learned(spec.role)) continue;
      const bool variance = spec.role == ParameterSpec::Role::norm_variance;
      const double unbiased = variance && pixels > 1 ? pixels / (pixels - 1) : 1;
      Tensor running = network_.parameter(spec.name).to(Dtype::f64).clone();
      const auto values = running.values<double>();
      for (int64_t c = 0; c < spec.shape()[0]; ++c)
        values[static_cast<size_t>(c)] =
            keep * values[static_cast<size_t>(c)] +
            settings_.norm_momentum * unbiased * record.item((variance ? 1 : 0) * spec.shape()[0] + c);
      network_.set_parameter(spec.name, running);
    }
  }
}

TrainingState Trainer::state() const {
  TrainingState s{.next_step = next_step_, .tensors = parameters()};
  const std::vector<std::string> names = state_names(settings_.optimizer);
  for (const Learned& l : learned_)
    for (size_t i = 0; i < names.size(); ++i)
      s.tensors.emplace(names[i] + "/" + l.name, download(network_.queue(), l.state[i]));
  return s;
}

void Trainer::restore(const TrainingState& state) {
  const auto find = [&](const std::string& name, const Shape& shape) -> const Tensor& {
    const auto found = state.tensors.find(name);
    if (found == state.tensors.end()) throw Error("it lacks the tensor '" + name + "' " + shape.str());
    if (found->second.shape() != shape)
      throw Error("its tensor '" + name + "' has shape " + found->second.shape().str() + ", not " +
                  shape.str());
    if (found->second.dtype() != Dtype::f32 && found->second.dtype() != Dtype::f64)
      throw Error("its tensor '" + name + "' holds " + std::string(dtype_name(found->second.dtype())));
    return found->second;
  };
  const std::vector<std::string> names = state_names(settings_.optimizer);
  const std::vector<NodeId> specs = graph_.graph.parameters();
  // All of it is looked at before any of it is taken.
  for (const NodeId p : specs) find(graph_.graph.node(p).name, graph_.graph.node(p).shape());
  for (const Learned& l : learned_)
    for (const std::string& name : names) find(name + "/" + l.name, l.values.shape);
  if (state.next_step < 0 || state.next_step > settings_.steps)
    throw Error("its step " + std::to_string(state.next_step) + " is not one of " +
                std::to_string(settings_.steps));
  for (const NodeId p : specs) {
    const Node& spec = graph_.graph.node(p);
    network_.set_parameter(spec.name, find(spec.name, spec.shape()));
  }
  for (Learned& l : learned_)
    for (size_t i = 0; i < names.size(); ++i)
      upload(network_.queue(), find(names[i] + "/" + l.name, l.values.shape), l.state[i]);
  network_.parameters_changed();
  next_step_ = state.next_step;
}

std::map<std::string, Tensor> Trainer::parameters() const {
  std::map<std::string, Tensor> all;
  for (const NodeId p : graph_.graph.parameters()) {
    const std::string& name = graph_.graph.node(p).name;
    all.emplace(name, network_.parameter(name).clone());
  }
  return all;
}

}  // namespace loupe
