#include "engine/run/execution.h"

#include <algorithm>

#include "engine/run/network.h"

namespace loupe {

Execution::Execution(Network& network, std::shared_ptr<const Plan> plan)
    : network_(network), plan_(std::move(plan)), edits_(plan_->purpose().edits.size()) {}

Array Execution::array(ValueId id) const {
  if (id < 0) return {};
  const PlanValue& v = plan_->value(id);
  return {network_.arena_->data() + plan_->slot(v.slot).offset, v.type.dtype, v.type.shape, v.type.layout};
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
    if (const ValueId v = plan_->input_value(ids[i]); v >= 0)
      write(v, inputs[i], "input '" + plan_->graph().node(ids[i]).name + "'");
  for (Given& g : edits_) g.changed = true;
  write_edits();
  run(0, plan_->forward_steps());
  done_ = Done::forward;
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

void Execution::again() {
  check_owner();
  int begin = plan_->forward_steps();
  for (size_t e = 0; e < edits_.size(); ++e)
    if (edits_[e].changed) begin = std::min(begin, plan_->edits()[e].step);
  write_edits();
  done_ = Done::nothing;
  run(begin, plan_->forward_steps());
  done_ = Done::forward;
}

void Execution::backward(const Tensor& seed) {
  if (plan_->seed() < 0)
    throw UsageError("this plan has no backward pass: its purpose names no node to start from");
  check_tape("backward()");
  write(plan_->seed(), seed,
        "the backward pass from '" + plan_->graph().node(*plan_->purpose().from).name + "'");
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
                                  network_.graph_, o.weight,
                                  o.packing < 0 ? nullptr : &s.call.packing[static_cast<size_t>(o.packing)]));
  }
  network_.weights_.forget_fold();
  weights_epoch_ = network_.weights_.epoch();
}

void Execution::run(int begin, int end) {
  find_weights();
  for (int i = begin; i < end; ++i) run_step(static_cast<size_t>(i));
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

Tensor Execution::value(const Port& p) const {
  const bool kept = std::ranges::count(plan_->purpose().values, p) > 0;
  return read(kept ? plan_->value_of(p) : -1, p.node, "value");
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
  store(record, to);
}

std::vector<NodeId> Execution::recorded() const {
  std::vector<NodeId> ids;
  for (NodeId n = 0; n < plan_->graph().size(); ++n)
    if (plan_->record_of(n) >= 0) ids.push_back(n);
  return ids;
}

}  // namespace loupe
