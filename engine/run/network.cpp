#include "engine/run/network.h"

#include <algorithm>
#include <cstring>

#include "kernels/batch_norm/batch_norm.h"

namespace loupe {

namespace {
constexpr size_t kCachedExecutions = 16;

Dtype real_of(Device d) { return d.compute_dtype(); }

std::string mib(int64_t bytes) { return std::to_string(ceil_div(bytes, 1 << 20)) + " MiB"; }
}  // namespace

// ---- Network

Network::Network(std::string name, Graph graph, std::map<std::string, Tensor> parameters, Device device)
    : name_(std::move(name)), graph_(std::move(graph)), device_(device) {
  for (const ParameterSpec& spec : graph_.parameters()) {
    const auto found = parameters.find(spec.name);
    if (found == parameters.end())
      throw Error("the weights for " + name_ + " lack the tensor '" + spec.name + "' " + spec.shape.str());
    if (found->second.shape() != spec.shape)
      throw Error("the tensor '" + spec.name + "' has shape " + found->second.shape().str() + ", but " +
                  name_ + " needs " + spec.shape.str());
    parameters_.emplace(spec.name, found->second.to(Dtype::f32));
  }
  if (const DeviceModule* module = device_.module()) {
    stream_ = module->create_stream();
    queue_ = {module, stream_.get()};
  }
}

std::string Network::label(int64_t cls) const {
  const auto i = static_cast<size_t>(cls);
  return i < labels.size() ? labels[i] : "class " + std::to_string(cls);
}

const Tensor& Network::parameter(const std::string& full_name) const {
  const auto found = parameters_.find(full_name);
  if (found == parameters_.end()) throw UsageError(name_ + " has no parameter '" + full_name + "'");
  if (stale_.erase(full_name)) {
    const Array& trained = trainable_.at(full_name).array;
    found->second = Tensor(Dtype::f32, trained.shape);
    queue_.module->download(found->second.raw(), trained.data, trained.bytes(), queue_.stream);
  }
  return found->second;
}

std::shared_ptr<const Plan> Network::plan_for(int64_t batch, const Purpose& purpose) {
  const std::string key = std::to_string(batch) + " " + purpose.key();
  for (auto p = plans_.begin(); p != plans_.end(); ++p)
    if (p->first == key) {
      plans_.splice(plans_.begin(), plans_, p);
      return p->second;
    }
  plans_.emplace_front(key, std::make_shared<const Plan>(graph_, batch, device_.backend, purpose));
  if (plans_.size() > kCachedExecutions) plans_.pop_back();
  return plans_.front().second;
}

Execution& Network::execution(int64_t batch, const Purpose& purpose) {
  const std::shared_ptr<const Plan> plan = plan_for(batch, purpose);
  for (auto e = executions_.begin(); e != executions_.end(); ++e)
    if (&(*e)->plan() == plan.get()) {
      executions_.splice(executions_.begin(), executions_, e);
      return *executions_.front();
    }
  executions_.push_front(std::make_unique<Execution>(*this, plan));
  if (executions_.size() > kCachedExecutions) executions_.pop_back();
  return *executions_.front();
}

int64_t Network::batch_within_limit(int64_t wanted, const Purpose& purpose) {
  if (memory_limit == 0) return wanted;
  const auto bytes = [&](int64_t batch) { return plan_for(batch, purpose)->arena_bytes(); };
  if (bytes(1) > memory_limit)
    throw Error("one image of this pass needs " + mib(bytes(1)) + " of activations, more than the " +
                std::to_string(memory_limit >> 20) + " MiB of --memory");
  int64_t batch = 1;
  while (batch * 2 <= wanted && bytes(batch * 2) <= memory_limit) batch *= 2;
  return batch * 2 > wanted && bytes(wanted) <= memory_limit ? wanted : batch;
}

int64_t Network::batch_for(int64_t wanted, const Purpose& purpose) {
  int64_t batch = batch_within_limit(wanted, purpose);
  if (!queue_.module) return batch;
  for (;; batch /= 2) {
    try {
      prepare(*plan_for(batch, purpose));
      return batch;
    } catch (const DeviceOutOfMemory&) {
      if (batch == 1) throw;
    }
  }
}

Tensor Network::logits(const Tensor& x) {
  Execution& e = execution(x.shape()[0], {.values = {graph_.output()}});
  e.forward(x);
  return e.value(graph_.output());
}

std::vector<std::vector<double>> Network::folded(NodeId node, NodeId batch_norm) const {
  std::vector<std::vector<double>> values;
  const auto doubles = [&](const ParameterSpec& spec) {
    const Tensor t = parameter(spec.name).to(Dtype::f64);
    const auto v = t.values<double>();
    return std::vector<double>(v.begin(), v.end());
  };
  for (const ParameterSpec& spec : graph_.node(node).parameters) values.push_back(doubles(spec));
  if (batch_norm < 0) return values;
  const Node& norm = graph_.node(batch_norm);
  std::vector<std::vector<double>> statistics;  // weight, bias, mean, variance
  for (const ParameterSpec& spec : norm.parameters) statistics.push_back(doubles(spec));
  const Op& op = *graph_.node(node).op;
  FoldedBatchNorm<double> result =
      fold_batch_norm<double>(batch_norm_eps(*norm.op), statistics[0], statistics[1], statistics[2],
                              statistics[3], values[0], graph_.node(node).parameters[0].shape,
                              *op.folds_batch_norm(), values.size() > 1 ? values[1] : std::vector<double>{});
  return {std::move(result.weight), std::move(result.bias)};
}

const std::vector<Array>& Network::packed(const PlanStep& step) {
  static const std::vector<Array> none;
  const NodeId node = step.parameters.node, norm = step.parameters.batch_norm.value_or(-1);
  if (node < 0 || graph_.node(node).parameters.empty()) return none;
  const PackedKey key{node, norm, step.direction};
  const auto found = packed_.find(key);
  if (found != packed_.end()) return found->second.arrays;

  const Node& n = graph_.node(node);
  Packed made{.input_shapes = step.input_shapes};
  // Folding gives a bias to a convolution that has none.
  const size_t count = norm < 0 ? n.parameters.size() : 2;
  for (size_t p = 0; p < count; ++p)
    made.sizes.push_back(n.op->packed_size(device_.backend, step.direction, step.input_shapes, p));
  made.as_they_are = std::ranges::count(made.sizes, 0) == std::ssize(made.sizes);
  if (made.as_they_are)
    for (const auto& [other, packed] : packed_)
      if (other.node == node && other.batch_norm == norm && packed.as_they_are)
        return packed_.emplace(key, packed).first->second.arrays;
  pack(key, made);
  return packed_.emplace(key, std::move(made)).first->second.arrays;
}

void Network::pack(const PackedKey& key, Packed& packed) {
  const Node& n = graph_.node(key.node);
  const bool as_loaded = key.batch_norm < 0, first = packed.arrays.empty();
  std::vector<std::vector<double>> values;
  if (!as_loaded) values = folded(key.node, key.batch_norm);
  int64_t bytes = 0;  // kept only if all of it fits
  for (size_t p = 0; p < packed.sizes.size(); ++p) {
    const int64_t size = packed.sizes[p];
    if (as_loaded && size == 0)
      if (const auto t = trainable_.find(n.parameters[p].name); t != trainable_.end()) {
        if (first) {
          packed.arrays.push_back(t->second.array);
          packed.storage.push_back(t->second.storage);
        }
        continue;
      }
    const Shape shape =
        p < n.parameters.size() ? n.parameters[p].shape : Shape{static_cast<int64_t>(values[p].size())};
    const Tensor loaded =
        as_loaded ? parameter(n.parameters[p].name) : Tensor::from(std::span<const double>(values[p]), shape);
    Tensor host = loaded.to(real_of(device_));
    if (size > 0) {
      const Tensor own(Dtype::f32, {size});
      n.op->pack(device_.backend, key.direction, packed.input_shapes, p, host.values<float>().data(),
                 own.values<float>().data());
      host = own;
    }
    if (!first) {
      upload(host, packed.arrays[p].as<std::byte>());
      continue;
    }
    std::shared_ptr<Storage> storage = host.storage();
    std::byte* data = host.raw();
    if (queue_.module) {
      storage = Storage::allocate(host.bytes(), device_);
      upload(host, storage->data());
      data = storage->data();
    }
    if (!as_loaded || storage != loaded.storage()) bytes += host.bytes();
    packed.arrays.push_back({data, host.dtype(), shape, Layout::planar});
    packed.storage.push_back(std::move(storage));
  }
  packed_bytes_ += bytes;
}

void Network::upload(const Tensor& host, std::byte* to) const {
  if (queue_.module)
    queue_.module->upload(to, host.raw(), host.bytes(), queue_.stream);
  else if (to != host.raw())
    std::memcpy(to, host.raw(), static_cast<size_t>(host.bytes()));
}

Array Network::trainable(const std::string& full_name) {
  const auto found = trainable_.find(full_name);
  if (found != trainable_.end()) return found->second.array;
  // What was packed points at the parameter as it was loaded, which may be a file.
  packed_.clear();
  packed_bytes_ = 0;
  const Tensor own = parameter(full_name).to(real_of(device_)).clone();
  std::shared_ptr<Storage> storage = own.storage();
  if (queue_.module) {
    storage = Storage::allocate(own.bytes(), device_);
    upload(own, storage->data());
  }
  if (!queue_.module) parameters_[full_name] = own;
  const Array array{storage->data(), own.dtype(), own.shape(), Layout::planar};
  trainable_.emplace(full_name, Trainable{std::move(storage), array});
  return array;
}

void Network::set_parameter(const std::string& full_name, const Tensor& values) {
  const Array to = trainable(full_name);
  if (values.shape() != to.shape)
    throw Error("the parameter '" + full_name + "' has shape " + to.shape.str() + ", not " +
                values.shape().str());
  upload(values.to(to.dtype), to.as<std::byte>());
  if (queue_.module) stale_.insert(full_name);
}

void Network::parameters_changed() {
  if (queue_.module)
    for (const auto& [name, t] : trainable_) stale_.insert(name);
  for (auto& [key, packed] : packed_)
    if (!packed.as_they_are || key.batch_norm >= 0) pack(key, packed);
}

void Network::release_arena() {
  if (!arena_) return;
  if (queue_.module) queue_.module->synchronize(queue_.stream);
  ++ticket_;  // what executions computed is gone
  arena_.reset();
}

void Network::prepare(const Plan& plan) {
  const auto weights = [&] {
    for (const PlanStep& s : plan.steps()) packed(s);
  };
  const auto lacks = [&](const std::string& who, int64_t bytes, const std::string& advice) {
    const DeviceModule::Memory m = queue_.module->memory();
    return DeviceOutOfMemory(who + " " + mib(bytes) + ", but device " + device_.str() + " has " +
                             std::to_string(m.free >> 20) + " MiB free of " + mib(m.total) + ": " + advice);
  };
  try {
    weights();
  } catch (const DeviceOutOfMemory&) {
    release_arena();  // it may be of an earlier, larger pass
    try {
      weights();
    } catch (const DeviceOutOfMemory&) {
      int64_t bytes = 0;
      for (const auto& [name, tensor] : parameters_) bytes += tensor.bytes();
      throw lacks("the weights of " + name_ + " need at least", bytes, "use --device cpu");
    }
  }
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

// ---- Execution

Execution::Execution(Network& network, std::shared_ptr<const Plan> plan)
    : network_(network), plan_(std::move(plan)) {}

Array Execution::array(ValueId id) const {
  if (id < 0) return {};
  const PlanValue& v = plan_->value(id);
  return {network_.arena_->data() + plan_->block(v.block).offset, v.dtype, v.shape, v.layout};
}

void Execution::check_owner() const {
  if (ticket_ == 0) throw Error("this execution has no values yet: run forward() first");
  if (ticket_ != network_.ticket_)
    throw Error(
        "this execution's values are gone: another one of the same network ran since its forward pass");
}

void Execution::check_tape(const char* what) const {
  check_owner();
  if (done_ != Done::forward)
    throw Error(std::string(what) +
                " comes after a forward pass and before the next backward pass, which uses up the tape");
}

void Execution::write(ValueId id, const Tensor& from, const std::string& what) {
  const Array to = array(id);
  if (from.shape() != to.shape)
    throw UsageError(what + " takes a tensor " + to.shape.str() + ", got " + from.shape().str());
  store(from, to);
}

void Execution::store(const Tensor& from, const Array& to) {
  const Queue& queue = network_.queue();
  if (!queue.module) return convert(from.array(), to);
  if (from.dtype() == to.dtype) return queue.module->upload(to.data, from.raw(), to.bytes(), queue.stream);
  const std::shared_ptr<Storage> staging = Storage::allocate(to.bytes());
  convert(from.array(), {staging->data(), to.dtype, to.shape, to.layout});
  queue.module->upload(to.data, staging->data(), to.bytes(), queue.stream);
}

void Execution::forward(const std::vector<Tensor>& inputs) {
  const std::vector<NodeId> ids = plan_->graph().inputs();
  if (inputs.size() != ids.size())
    throw UsageError(network_.name() + " takes " + std::to_string(ids.size()) + " input(s), got " +
                     std::to_string(inputs.size()));
  network_.prepare(*plan_);
  ticket_ = ++network_.ticket_;
  done_ = Done::nothing;
  for (size_t i = 0; i < ids.size(); ++i)
    if (plan_->value_of(ids[i]) >= 0)
      write(plan_->value_of(ids[i]), inputs[i], "input '" + plan_->graph().node(ids[i]).name + "'");
  run(0, plan_->forward_steps());
  done_ = Done::forward;
}

void Execution::backward(const Tensor& seed) {
  if (plan_->seed() < 0)
    throw UsageError("this plan has no backward pass: its purpose names no node to start from");
  check_tape("backward()");
  write(plan_->seed(), seed,
        "the backward pass from '" + plan_->graph().node(*plan_->purpose().from).name + "'");
  done_ = Done::nothing;
  run(plan_->forward_steps(), static_cast<int>(plan_->steps().size()));
  done_ = Done::backward;
}

void Execution::run(int begin, int end) {
  std::vector<Array> inputs;
  for (int i = begin; i < end; ++i) {
    const PlanStep& s = plan_->steps()[static_cast<size_t>(i)];
    inputs.clear();
    for (size_t k = 0; k < s.inputs.size(); ++k) {
      Array a = array(s.inputs[k]);
      if (!a) a.shape = s.input_shapes[k];
      inputs.push_back(a);
    }
    Arguments call;
    call.inputs = inputs;
    call.parameters = network_.packed(s);
    call.output = array(s.output);
    call.saved = array(s.saved);
    call.grad_output = array(s.grad_output);
    call.grad = array(s.grad);
    call.input = s.input;
    call.activation = s.activation;
    call.queue = network_.queue();
    if (const Array w = array(s.workspace))
      call.workspace = {w.as<std::byte>(), static_cast<size_t>(w.bytes())};
    const Kernel kernel = s.op->kind().kernel(plan_->backend(), s.direction);
    kernel(*s.op, call);
  }
}

Array Execution::planned(ValueId id, NodeId node, const char* what) const {
  check_owner();
  if (id < 0)
    throw UsageError("the plan does not keep the " + std::string(what) + " of '" +
                     plan_->graph().node(node).name + "': name it in the purpose");
  return array(id);
}

Tensor Execution::read(ValueId id, NodeId node, const char* what) const {
  const Array from = planned(id, node, what);
  Tensor t(from.dtype == Dtype::bit ? Dtype::u8 : from.dtype, from.shape);
  const Queue& queue = network_.queue();
  if (!queue.module) {
    convert(from, t.array());
  } else if (from.dtype == t.dtype()) {
    queue.module->download(t.raw(), from.data, t.bytes(), queue.stream);
  } else {
    const std::shared_ptr<Storage> staging = Storage::allocate(from.bytes());
    queue.module->download(staging->data(), from.data, from.bytes(), queue.stream);
    convert({staging->data(), from.dtype, from.shape, from.layout}, t.array());
  }
  return t;
}

Tensor Execution::value(NodeId n) const {
  const bool kept = std::ranges::count(plan_->purpose().values, n) > 0;
  return read(kept ? plan_->value_of(n) : -1, n, "value");
}
Tensor Execution::gradient(NodeId n) const {
  planned(plan_->gradient_of(n), n, "gradient");
  if (done_ != Done::backward) throw Error("there are no gradients yet: run backward() first");
  return read(plan_->gradient_of(n), n, "gradient");
}

Array Execution::parameter_gradient(NodeId n, size_t p) const {
  for (const Plan::ParameterGradient& g : plan_->parameter_gradients()) {
    if (g.node != n || g.parameter != p) continue;
    check_owner();
    if (done_ != Done::backward) throw Error("there are no gradients yet: run backward() first");
    return array(g.value);
  }
  throw UsageError("the plan has no gradient of parameter " + std::to_string(p) + " of '" +
                   plan_->graph().node(n).name + "'");
}

Tensor Execution::record(NodeId n) const {
  planned(plan_->record_of(n), n, "record");
  if (!std::ranges::count(plan_->purpose().records, n))
    check_tape("reading a record that the purpose does not name");
  return read(plan_->record_of(n), n, "record");
}

Array Execution::record_in_place(NodeId n) const {
  check_tape("reading a record in its place");
  return planned(plan_->record_of(n), n, "record");
}

void Execution::set_record(NodeId n, const Tensor& record) {
  const Array to = planned(plan_->record_of(n), n, "record");
  check_tape("set_record()");
  const Dtype type = to.dtype == Dtype::bit ? Dtype::u8 : to.dtype;
  if (record.shape() != to.shape || record.dtype() != type)
    throw UsageError("the record of '" + plan_->graph().node(n).name + "' is a " +
                     std::string(dtype_name(type)) + " tensor " + to.shape.str() + ", got " +
                     std::string(dtype_name(record.dtype())) + " " + record.shape().str());
  store(record, to);
}

std::vector<NodeId> Execution::recorded() const {
  std::vector<NodeId> ids;
  for (NodeId n = 0; n < plan_->graph().size(); ++n)
    if (plan_->record_of(n) >= 0) ids.push_back(n);
  return ids;
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
