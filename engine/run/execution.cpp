#include "engine/run/execution.h"

#include <algorithm>

#include "engine/run/network.h"
#include "engine/tensor/transfer.h"
#include "kernels/class_seed/class_seed.h"

namespace loupe {

namespace {
std::span<const std::byte> bytes_of(const Tensor& t) {
  if (!t.defined()) return {};
  return {t.raw(), static_cast<size_t>(t.bytes())};
}
}  // namespace

Execution::Execution(Network& network, std::shared_ptr<const Plan> plan)
    : network_(network), plan_(std::move(plan)), edits_(plan_->purpose().edits.size()) {}

Execution::Execution(Network& network, std::shared_ptr<const Plan> plan, std::shared_ptr<Storage> arena)
    : Execution(network, std::move(plan)) {
  if (network.queue().module) throw Error("on a device all executions of a network share its arena");
  if (arena->bytes() < plan_->arena_bytes()) throw Error("this arena is too small for the plan");
  own_arena_ = std::move(arena);
}

std::byte* Execution::arena() const { return (own_arena_ ? own_arena_ : network_.arena_)->data(); }

Array Execution::array(ValueId id) const {
  if (id < 0) return {};
  const PlanValue& v = plan_->value(id);
  return {arena() + plan_->slot(v.slot).offset, v.type.dtype, v.type.shape, v.type.layout};
}

void Execution::check_owner() const {
  if (ticket_ == 0) throw Error("this execution has no values yet: run forward() first");
  if (!own_arena_ && ticket_ != network_.ticket_)
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
  upload(network_.queue(), from, to);
}

// The network's, unless it has its own.
void Execution::take_arena() {
  network_.prepare_weights(*plan_);
  if (!own_arena_) network_.prepare_arena(*plan_);
  ticket_ = own_arena_ ? 1 : ++network_.ticket_;
}

void Execution::begin_forward(const std::vector<Tensor>& inputs) {
  const std::vector<NodeId> ids = plan_->graph().inputs();
  if (inputs.size() != ids.size())
    throw UsageError(network_.name() + " takes " + std::to_string(ids.size()) + " input(s), got " +
                     std::to_string(inputs.size()));
  take_arena();
  network_.last_batch_ = plan_->batch();
  done_ = Done::nothing;
  for (size_t i = 0; i < ids.size(); ++i)
    if (const ValueId v = plan_->input_value(ids[i]); v >= 0)
      write(v, inputs[i], "input '" + plan_->graph().node(ids[i]).name + "'");
  inputs_key_.reset();
  if (network_.recall_) {
    inputs_key_.emplace();
    for (const Tensor& x : inputs) Recall::add(*inputs_key_, bytes_of(x));
  }
  for (Given& g : edits_) g.changed = true;
  write_edits();
}

// Of the inputs, the edits, the weights and the plan.
Recall::Key Execution::key() const {
  Recall::Key key = *inputs_key_;
  for (const Given& g : edits_)
    for (const Tensor& t : {g.mask, g.numbers}) Recall::add(key, bytes_of(t));
  const std::array<uint64_t, 2> of_plan{reinterpret_cast<uintptr_t>(plan_.get()), network_.weights_.epoch()};
  Recall::add(key, std::as_bytes(std::span(of_plan)));
  return key;
}

// The forward steps from `begin` on, or what they left before.
void Execution::compute(int begin) {
  Recall* recall = inputs_key_ ? network_.recall_ : nullptr;
  const Recall::Key key = recall ? this->key() : Recall::Key{};
  if (recall && recall->restore(key, network_.queue(), arena())) {
    steps_run_ = 0;
  } else {
    run(begin, plan_->forward_steps());
    ++network_.forward_passes_;
    if (recall) recall->keep(key, plan_, network_.queue(), arena());
  }
  done_ = Done::forward;
}

void Execution::forward(const std::vector<Tensor>& inputs) {
  begin_forward(inputs);
  compute(0);
}

void Execution::forward(const Tensor& input, const Look& look) {
  if (network_.queue().module || !plan_->purpose().passing)
    throw Error("values are looked at in passing on ref and cpu, where the purpose says so");
  begin_forward({input});
  inputs_key_.reset();
  find_weights();
  const std::vector<Port>& values = plan_->purpose().values;
  const int steps = plan_->forward_steps();
  std::vector<std::vector<size_t>> after(static_cast<size_t>(steps) + 1);
  for (size_t k = 0; k < values.size(); ++k) {
    const int step = plan_->step_of(values[k]);
    after[static_cast<size_t>(step < 0 ? steps : step)].push_back(k);
  }
  const auto show = [&](int step) {
    for (const size_t k : after[static_cast<size_t>(step)]) look(k, array(plan_->value_of(values[k])));
  };
  for (int i = 0; i < steps; ++i) {
    run_step(static_cast<size_t>(i));
    show(i);
  }
  show(steps);
  ++network_.forward_passes_;
  steps_run_ = steps;
  done_ = Done::forward;
}

void Execution::forward_and_back(const std::vector<Tensor>& inputs, std::span<const int32_t> classes) {
  const int forward = plan_->forward_steps(), all = static_cast<int>(plan_->steps().size());
  if (plan_->seed() < 0 || !std::ranges::count(plan_->purpose().values, Port(*plan_->purpose().from)))
    throw UsageError("a way back from a class needs a purpose that begins at the scores and keeps them");
  const Shape& scores = plan_->value(plan_->seed()).type.shape;
  if (scores.rank() != 2 || std::ssize(classes) != scores[0])
    throw UsageError(std::to_string(classes.size()) + " classes do not fit scores " + scores.str());
  for (const int32_t c : classes)
    if (c >= scores[1])
      throw UsageError("there is no class " + std::to_string(c) + ": the network has " +
                       std::to_string(scores[1]) + ", counted from 0");
  const Queue& queue = network_.queue();
  if (!queue.module || network_.recall_) {
    this->forward(inputs);
    const Tensor values = value(*plan_->purpose().from).to(Dtype::f64);
    const Tensor seed(Dtype::f64, scores);
    ref::class_seed(scores[0], scores[1], values.values<const double>().data(), classes.data(),
                    seed.values<double>().data());
    return backward(seed);
  }
  begin_forward(inputs);
  const Array wanted = array(plan_->wanted());
  queue.module->upload(wanted.data, classes.data(), wanted.bytes(), queue.stream);
  // One part of its own, apart from what forward() and backward() run.
  this->queue({-1, all}, [&] {
    for (int i = 0; i < forward; ++i) run_step(static_cast<size_t>(i));
    seed_classes();
    for (int i = forward; i < all; ++i) run_step(static_cast<size_t>(i));
  });
  ++network_.forward_passes_;
  steps_run_ = forward;
  done_ = Done::backward;
}

void Execution::seed_classes() {
  const Array scores = array(plan_->value_of(*plan_->purpose().from)), seed = array(plan_->seed());
  device::class_seed(network_.queue(), seed.shape[0], seed.shape[1], scores.as<const float>(),
                     array(plan_->wanted()).as<const int32_t>(), seed.as<float>());
}

void Execution::edit(size_t e, const Tensor& mask, const Tensor& numbers) {
  Given& given = edits_.at(e);
  const Shape& shape = plan_->value(plan_->edits().at(e).numbers).type.shape;
  const auto stretched = [&](const Tensor& from, const char* what) {
    if (from.shape() == shape) return from;
    const Shape& have = from.shape();
    bool fits = have.rank() == 0 || have.rank() == shape.rank();
    for (int d = 0; fits && d < have.rank(); ++d) fits = have[d] == 1 || have[d] == shape[d];
    if (!fits)
      throw UsageError("an edit of " + shape.str() + " takes " + what +
                       " of that shape, with 1 where one serves all, not " + have.str());
    Tensor to(from.dtype(), shape);
    const int64_t element = dtype_bytes(from.dtype());
    for (int64_t i = 0; i < shape.numel(); ++i) {
      int64_t rest = i, source = 0, stride = 1;
      for (int d = have.rank() - 1; d >= 0; --d) {
        if (have[d] != 1) source += rest % shape[d] * stride;
        stride *= have[d];
        rest /= shape[d];
      }
      std::copy_n(from.raw() + source * element, element, to.raw() + i * element);
    }
    return to;
  };
  given = {stretched(mask, "a mask"), stretched(numbers, "numbers"), true};
}

void Execution::edit(size_t e, const Cells& cells, const Tensor& numbers) {
  edit(e, cells.mask(plan_->value(plan_->edits().at(e).numbers).type.shape), numbers);
}

void Execution::edit(size_t e, const Cells& cells, double number) {
  edit(e, cells, Tensor::from(std::span<const double>(&number, 1), Shape{}));
}

void Execution::undo(size_t e) { edits_.at(e) = {}; }

void Execution::write_edits() {
  for (size_t e = 0; e < edits_.size(); ++e) {
    Given& g = edits_[e];
    if (!g.changed) continue;
    const Plan::PlannedEdit& planned = plan_->edits()[e];
    const Shape& shape = plan_->value(planned.mask).type.shape;
    if (g.mask.defined()) write(planned.numbers, g.numbers, "an edit");
    write(planned.mask, g.mask.defined() ? g.mask : Tensor::zeros(Dtype::u8, shape), "an edit's mask");
    if (!g.mask.defined()) write(planned.numbers, Tensor::zeros(Dtype::f32, shape), "an edit");
    g.changed = false;
  }
}

void Execution::again(std::span<const std::pair<NodeId, Tensor>> inputs) {
  check_owner();
  int begin = plan_->forward_steps();
  if (!inputs.empty() && plan_->varying_step() >= 0) begin = plan_->varying_step();
  for (size_t e = 0; e < edits_.size(); ++e)
    if (edits_[e].changed) begin = std::min(begin, plan_->edits()[e].step);
  for (const auto& [node, values] : inputs) {
    const std::string name = "input '" + plan_->graph().node(node).name + "'";
    if (!std::ranges::count(plan_->purpose().varying, node))
      throw UsageError(name + " does not vary in this pass: name it in the purpose");
    if (const ValueId v = plan_->input_value(node); v >= 0) write(v, values, name);
    if (inputs_key_) Recall::add(*inputs_key_, bytes_of(values));  // after what it was before
  }
  write_edits();
  done_ = Done::nothing;
  compute(begin);
}

void Execution::backward(const Tensor& seed) {
  if (plan_->seed() < 0)
    throw UsageError("this plan has no backward pass: its purpose names no node to start from");
  check_tape("backward()");
  write(plan_->seed(), seed,
        "the backward pass from '" + plan_->graph().node(*plan_->purpose().from).name + "'");
  backward_from_seed();
}

void Execution::open_tape() {
  if (ticket_ == 0 || (!own_arena_ && ticket_ != network_.ticket_)) {
    take_arena();
    find_weights();
  }
  inputs_key_.reset();
  done_ = Done::forward;
}

Array Execution::seed_in_place() const {
  check_tape("writing a seed in its place");
  if (plan_->seed() < 0)
    throw UsageError("this plan has no backward pass: its purpose names no node to start from");
  return array(plan_->seed());
}

void Execution::backward_from_seed() {
  check_tape("backward_from_seed()");
  done_ = Done::nothing;
  const int forward = steps_run_;
  run(plan_->forward_steps(), static_cast<int>(plan_->steps().size()));
  steps_run_ = forward;
  done_ = Done::backward;
}

// Looked up once, not in every run.
void Execution::find_weights() {
  if (weights_epoch_ == network_.weights_.epoch()) return;
  weights_.clear();
  for (const PlanStep& s : plan_->steps()) {
    std::vector<Array>& of_step = weights_.emplace_back();
    for (const PlanOperand& o : s.operands)
      of_step.push_back(!o.weight.exists()
                            ? Array{}
                            : network_.weights_.array(
                                  plan_->graph(), o.weight,
                                  o.packing < 0 ? nullptr : &s.call.packing[static_cast<size_t>(o.packing)]));
  }
  network_.weights_.forget_fold();
  weights_epoch_ = network_.weights_.epoch();
}

Execution::Captured::State Execution::capture(Captured& c, const std::function<void()>& work) {
  const Queue& queue = network_.queue();
  try {
    c.graph = queue.module->capture(queue.stream, work);
    return Captured::State::recorded;
  } catch (const Error&) {  // a library may do what cannot be captured; what else is wrong, work() says again
    return Captured::State::never;
  }
}

void Execution::queue(std::pair<int, int> part, const std::function<void()>& work) {
  find_weights();
  const Queue& queue = network_.queue();
  if (!queue.module || !network_.capture) return work();
  Captured& c = captured_[part];
  const std::byte* arena = this->arena();
  if (c.arena != arena || c.weights != weights_epoch_)
    c = {nullptr, Captured::State::fresh, arena, weights_epoch_};
  if (c.state == Captured::State::ran) c.state = capture(c, work);
  if (c.state != Captured::State::recorded) {
    work();
    // A run that failed was none: the next one finds what it needs before anything is captured.
    if (c.state == Captured::State::fresh) c.state = Captured::State::ran;
    return;
  }
  queue.module->replay(c.graph, queue.stream);
  ++network_.replays_;
}

void Execution::run(int begin, int end) {
  if (begin < end)
    queue({begin, end}, [&] {
      for (int i = begin; i < end; ++i) run_step(static_cast<size_t>(i));
    });
  steps_run_ = end - begin;
}

void Execution::run_step(size_t i) {
  const PlanStep& s = plan_->steps()[i];
  std::vector<Array> inputs, outputs, grad_outputs;
  inputs.reserve(s.operands.size());
  for (size_t k = 0; k < s.operands.size(); ++k) {
    const PlanOperand& o = s.operands[k];
    inputs.push_back(o.weight.exists() ? weights_[i][k] : array(o.value));
    if (!inputs.back()) inputs.back().shape = o.shape;
  }
  for (ValueId v : s.outputs) outputs.push_back(array(v));
  for (ValueId v : s.grad_outputs) grad_outputs.push_back(array(v));
  Arguments a;
  a.direction = s.direction;
  a.inputs = inputs;
  a.outputs = outputs;
  if (!outputs.empty()) a.output = outputs[0];
  a.grad_outputs = grad_outputs;
  if (!grad_outputs.empty()) a.grad_output = grad_outputs[0];
  a.grad = array(s.grad);
  a.record = array(s.record);
  a.epilogue = s.epilogue;
  a.residual = array(s.residual);
  a.epilogue_record = array(s.epilogue_record);
  a.queue = network_.queue();
  if (const Array w = array(s.workspace)) a.workspace = {w.as<std::byte>(), static_cast<size_t>(w.bytes())};
  s.call.run(a);
}

Array Execution::planned(ValueId id, NodeId node, const char* what) const {
  check_owner();
  if (id < 0)
    throw UsageError("the plan does not keep the " + std::string(what) + " of '" +
                     plan_->graph().node(node).name + "': name it in the purpose");
  return array(id);
}

Tensor Execution::read(ValueId id, NodeId node, const char* what) const {
  return download(network_.queue(), planned(id, node, what));
}

Array Execution::value_in_place(const Port& p) const {
  const bool kept = !plan_->purpose().passing && std::ranges::count(plan_->purpose().values, p) > 0;
  return planned(kept ? plan_->value_of(p) : -1, p.node, "value");
}

Tensor Execution::value(const Port& p) const { return download(network_.queue(), value_in_place(p)); }

Tensor Execution::channel(const Port& p, int64_t image, int64_t channel) const {
  const Array all = value_in_place(p);
  const Shape& s = all.shape;
  if (s.rank() != 4 || image < 0 || image >= s[0] || channel < 0 || channel >= s[1])
    throw UsageError("channel " + std::to_string(channel) + " of image " + std::to_string(image) +
                     " is not one of " + s.str());
  // Blocks of channels lie one after the other.
  const int64_t block = all.layout == Layout::blocked ? kBlock : 1, first = channel / block * block;
  const int64_t before = (image * round_up(s[1], block) + first) * s[2] * s[3];
  const Array part{all.as<std::byte>() + before * dtype_bytes(all.dtype),
                   all.dtype,
                   {1, std::min(block, s[1] - first), s[2], s[3]},
                   all.layout};
  return download(network_.queue(), part).row(0).row(channel - first);
}

Array Execution::gradient_in_place(NodeId n) const {
  const Array a = planned(plan_->gradient_of(n), n, "gradient");
  if (done_ != Done::backward) throw Error("there are no gradients yet: run backward() first");
  return a;
}

Tensor Execution::gradient(NodeId n) const {
  gradient_in_place(n);
  return read(plan_->gradient_of(n), n, "gradient");
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
  upload(network_.queue(), record, to);
}

std::vector<NodeId> Execution::recorded() const {
  std::vector<NodeId> ids;
  for (NodeId n = 0; n < plan_->graph().size(); ++n)
    if (plan_->record_of(n) >= 0) ids.push_back(n);
  return ids;
}

}  // namespace loupe
