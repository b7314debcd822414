#include "engine/run/network.h"

#include <algorithm>

namespace loupe {

namespace {
constexpr size_t kCachedExecutions = 16;

std::string mib(int64_t bytes) { return std::to_string(ceil_div(bytes, 1 << 20)) + " MiB"; }

std::shared_ptr<void> stream_of(const Device& device) {
  const DeviceModule* module = device.module();
  return module ? module->create_stream() : nullptr;
}
}  // namespace

Network::Network(std::string name, Graph graph, std::map<std::string, Tensor> parameters, Device device,
                 const KernelOptions& kernels)
    : Network(std::move(name), std::move(graph), std::move(parameters), device, kernels, stream_of(device)) {}

Network::Network(std::string name, Graph graph, std::map<std::string, Tensor> parameters, Device device,
                 const KernelOptions& kernels, std::shared_ptr<void> stream)
    : name_(std::move(name)),
      graph_(std::move(graph)),
      device_(device),
      options_(PlanOptions::for_backend(device.backend)),
      queue_{device.module(), stream.get()},
      weights_(name_, graph_, std::move(parameters), device, queue_),
      stream_(std::move(stream)) {
  options_.kernels = kernels;
}

std::shared_ptr<const Plan> Network::plan_for(const std::vector<Shape>& inputs, const Purpose& purpose) {
  std::string key = purpose.key();
  for (const Shape& s : inputs) key += " " + s.str();
  for (auto p = plans_.begin(); p != plans_.end(); ++p)
    if (p->first == key) {
      plans_.splice(plans_.begin(), plans_, p);
      return p->second;
    }
  plans_.emplace_front(key, std::make_shared<const Plan>(graph_, inputs, device_.backend, purpose, options_));
  if (plans_.size() > kCachedExecutions) plans_.pop_back();
  return plans_.front().second;
}

Execution& Network::execution(const std::vector<Shape>& inputs, const Purpose& purpose) {
  return execution(plan_for(inputs, purpose));
}

Execution& Network::execution(const std::shared_ptr<const Plan>& plan) {
  for (auto e = executions_.begin(); e != executions_.end(); ++e)
    if (&(*e)->plan() == plan.get()) {
      executions_.splice(executions_.begin(), executions_, e);
      return *executions_.front();
    }
  executions_.push_front(std::make_unique<Execution>(*this, plan));
  if (executions_.size() > kCachedExecutions) executions_.pop_back();
  return *executions_.front();
}

int64_t Network::groups_within_limit(const Shape& group, int64_t wanted, const Purpose& purpose) {
  if (memory_limit == 0) return wanted;
  const auto bytes = [&](int64_t groups) {
    return plan_for({group.with(0, groups * group[0])}, purpose)->arena_bytes();
  };
  if (bytes(1) > memory_limit)
    throw Error((group[0] == 1 ? "one image of this pass needs "
                               : std::to_string(group[0]) + " images that go together in this pass need ") +
                mib(bytes(1)) + " of activations, more than the " + std::to_string(memory_limit >> 20) +
                " MiB of --memory");
  int64_t groups = 1;
  while (groups * 2 <= wanted && bytes(groups * 2) <= memory_limit) groups *= 2;
  return groups * 2 > wanted && bytes(wanted) <= memory_limit ? wanted : groups;
}

int64_t Network::batch_for(const Shape& one, int64_t wanted, const Purpose& purpose, int64_t together) {
  if (batch_limit && batch_limit < together)
    throw UsageError(name_ + " takes " + std::to_string(batch_limit) + " image(s) at once, and this pass " +
                     std::to_string(together) + " together");
  if (batch_limit) wanted = std::min(wanted, batch_limit);
  const Shape group = one.with(0, together);
  int64_t groups = groups_within_limit(group, std::max<int64_t>(wanted / together, 1), purpose);
  if (!queue_.module) return groups * together;
  for (;; groups /= 2) {
    const std::shared_ptr<const Plan> plan = plan_for({group.with(0, groups * together)}, purpose);
    if (groups > 1 && !is_roomy(*plan)) continue;
    try {
      prepare(*plan);
      return groups * together;
    } catch (const DeviceOutOfMemory&) {
      if (groups == 1) throw;
    }
  }
}

// A part of the memory is left to the scratch of kernels, to libraries and to other networks.
bool Network::is_roomy(const Plan& plan) const {
  const DeviceModule::Memory m = queue_.module->memory();
  const int64_t free = m.free + (arena_ ? arena_->bytes() : 0);
  return plan.arena_bytes() <= free - free / 8;
}

bool Network::fits(const Plan& plan) {
  if (memory_limit > 0 && plan.arena_bytes() > memory_limit) return false;
  if (!queue_.module) return true;
  if (!is_roomy(plan)) return false;
  try {
    prepare(plan);
    return true;
  } catch (const DeviceOutOfMemory&) {
    return false;
  }
}

Tensor Network::logits(const Tensor& x) {
  Execution& e = execution(x.shape(), {.values = {graph_.output()}});
  e.forward(x);
  return e.value(graph_.output());
}

void Network::release_arena() {
  if (!arena_) return;
  if (queue_.module) queue_.module->synchronize(queue_.stream);
  ++ticket_;  // what executions computed is gone
  arena_.reset();
}

DeviceOutOfMemory Network::lacks(const std::string& who, int64_t bytes, const std::string& advice) const {
  const DeviceModule::Memory m = queue_.module->memory();
  return DeviceOutOfMemory(who + " " + mib(bytes) + ", but device " + device_.str() + " has " +
                           std::to_string(m.free >> 20) + " MiB free of " + mib(m.total) + ": " + advice);
}

void Network::prepare_weights(const Plan& plan) {
  const auto weights = [&] {
    for (const PlanStep& s : plan.steps())
      for (const PlanOperand& o : s.operands)
        if (o.weight.exists())
          weights_.array(plan.graph(), o.weight,
                         o.packing < 0 ? nullptr : &s.call.packing[static_cast<size_t>(o.packing)]);
    weights_.forget_fold();
  };
  try {
    weights();
  } catch (const DeviceOutOfMemory&) {
    release_arena();  // it may be of an earlier, larger pass
    try {
      weights();
    } catch (const DeviceOutOfMemory&) {
      throw lacks("the weights of " + name_ + " need at least", weights_.loaded_bytes(), "use --device cpu");
    }
  }
}

void Network::prepare_arena(const Plan& plan) {
  if (arena_ && arena_->bytes() >= plan.arena_bytes()) return;
  release_arena();  // before the larger one, so that both never exist
  try {
    arena_ = Storage::allocate(plan.arena_bytes(), device_);
  } catch (const DeviceOutOfMemory&) {
    const int64_t n = plan.batch();
    if (n > 1)
      throw lacks("the activations of " + std::to_string(n) + " images need", plan.arena_bytes(),
                  "use a smaller batch");
    throw lacks("the activations of one image need", plan.arena_bytes(),
                "use smaller images or --device cpu");
  }
}

Tensor seed_channels(const Shape& shape, std::span<const int64_t> channels) {
  const Nchw s = Nchw::of(shape);
  if (static_cast<int64_t>(channels.size()) != s.n)
    throw UsageError(std::to_string(channels.size()) + " classes do not fit a batch of " +
                     std::to_string(s.n));
  Tensor seed = Tensor::zeros(Dtype::f64, shape);
  const auto v = seed.values<double>();
  for (int64_t n = 0; n < s.n; ++n) {
    const int64_t c = channels[static_cast<size_t>(n)];
    if (c < 0 || c >= s.c)
      throw UsageError("channel " + std::to_string(c) + " is not one of the " + std::to_string(s.c));
    std::fill_n(v.begin() + (n * s.c + c) * s.h * s.w, s.h * s.w, 1.0);
  }
  return seed;
}

Tensor seed_position(const Shape& shape, int64_t channel, int64_t y, int64_t x) {
  const Nchw s = Nchw::of(shape);
  if (channel < 0 || channel >= s.c || y < 0 || y >= s.h || x < 0 || x >= s.w)
    throw UsageError("position (" + std::to_string(channel) + ", " + std::to_string(y) + ", " +
                     std::to_string(x) + ") lies outside " + shape.str());
  Tensor seed = Tensor::zeros(Dtype::f64, shape);
  for (int64_t n = 0; n < s.n; ++n)
    seed.values<double>()[static_cast<size_t>(((n * s.c + channel) * s.h + y) * s.w + x)] = 1.0;
  return seed;
}

}  // namespace loupe
