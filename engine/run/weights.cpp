#include "engine/run/weights.h"

#include <functional>

#include "engine/tensor/transfer.h"
#include "kernels/batch_norm/batch_norm.h"

namespace loupe {

Weights::Weights(std::string owner, const Graph& graph, std::map<std::string, Tensor> tensors, Device device,
                 const Queue& queue)
    : owner_(std::move(owner)), device_(device), queue_(queue) {
  for (NodeId id : graph.parameters()) {
    const Node& p = graph.node(id);
    const auto found = tensors.find(p.name);
    if (found == tensors.end())
      throw Error("the weights for " + owner_ + " lack the tensor '" + p.name + "' " + p.shape().str());
    if (found->second.shape() != p.shape())
      throw Error("the tensor '" + p.name + "' has shape " + found->second.shape().str() + ", but " + owner_ +
                  " needs " + p.shape().str());
    tensors_.emplace(p.name, found->second.to(Dtype::f32));
  }
}

const Tensor& Weights::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw UsageError(owner_ + " has no parameter '" + name + "'");
  if (stale_.erase(name)) {
    const Array& trained = trainable_.at(name).array;
    found->second = download(queue_, trained);
  }
  return found->second;
}

int64_t Weights::loaded_bytes() const {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors_) bytes += tensor.bytes();
  return bytes;
}

Array Weights::array(const Graph& graph, const PlanWeight& weight, const Packing* packing) {
  // By what is read: other graphs that share the parameters have convolutions and norms of other numbers.
  const auto operand = [&](NodeId n) { return n < 0 ? n : graph.node(n).inputs.at(1).node; };
  const Key key{weight.node,
                operand(weight.folded),
                operand(weight.batch_norm),
                weight.operand,
                weight.transform ? weight.transform->name : std::string(),
                packing ? packing->format : std::string()};
  if (const auto found = forms_.find(key); found != forms_.end()) return found->second.array;
  Form form{.weight = weight, .packing = packing ? *packing : Packing{}};
  fill(graph, form);
  return forms_.emplace(key, std::move(form)).first->second.array;
}

namespace {

template <typename T>
std::pair<Tensor, Tensor> fold(const Graph& graph, const PlanWeight& w,
                               const std::function<Tensor(NodeId, size_t)>& operand) {
  const NodeId norm = w.batch_norm;
  const Node& head = graph.node(w.folded);
  const Tensor gamma = operand(norm, 1), beta = operand(norm, 2), mean = operand(norm, 3),
               variance = operand(norm, 4), weight = operand(w.folded, 1), bias = operand(w.folded, 2);
  const auto numbers = [](const Tensor& t) { return t.defined() ? t.values<T>() : std::span<T>(); };
  FoldedBatchNorm<T> f = fold_batch_norm<T>(batch_norm_eps(*graph.node(norm).op), numbers(gamma),
                                            numbers(beta), numbers(mean), numbers(variance), numbers(weight),
                                            weight.shape(), *head.op->folds_batch_norm(), numbers(bias));
  return {Tensor::from(std::span<const T>(f.weight), weight.shape()),
          Tensor::from(std::span<const T>(f.bias), Shape{std::ssize(f.bias)})};
}

}  // namespace

// Operand 1 or 2 of a convolution with the batch norm after it. It is computed in double and rounded once,
// which for a transform is after that.
Tensor Weights::folded(const Graph& graph, const PlanWeight& w) {
  const Dtype dtype = w.transform ? Dtype::f64 : device_.compute_dtype();
  if (fold_.node != w.folded || fold_.batch_norm != w.batch_norm || fold_.weight.dtype() != dtype) {
    const auto operand = [&](NodeId n, size_t i) {
      const std::vector<Port>& in = graph.node(n).inputs;
      if (i >= in.size()) return Tensor();
      const Node& p = graph.node(in[i].node);
      return (p.kind == Node::Kind::constant ? p.value : tensor(p.name)).to(dtype);
    };
    auto [weight, bias] =
        dtype == Dtype::f64 ? fold<double>(graph, w, operand) : fold<float>(graph, w, operand);
    fold_ = {w.folded, w.batch_norm, std::move(weight), std::move(bias)};
  }
  return w.operand == 1 ? fold_.weight : fold_.bias;
}

Tensor Weights::values(const Graph& graph, const PlanWeight& weight) {
  Tensor t;
  if (weight.folded >= 0) {
    t = folded(graph, weight);
  } else {
    const Node& n = graph.node(weight.node);
    t = n.kind == Node::Kind::constant ? n.value : tensor(n.name);
  }
  if (!weight.transform) return t;
  t = t.to(Dtype::f64).clone();
  weight.transform->apply(t.values<double>());
  return t;
}

void Weights::fill(const Graph& graph, Form& form) {
  const PlanWeight& w = form.weight;
  const bool first = !form.array, planar = form.packing.floats == 0;
  const bool as_loaded = w.folded < 0 && !w.transform && planar;
  if (as_loaded)
    if (const auto t = trainable_.find(graph.node(w.node).name); t != trainable_.end()) {
      form.array = t->second.array;
      form.storage = t->second.storage;
      return;
    }
  const Tensor loaded = values(graph, w);
  const bool floats = loaded.dtype() == Dtype::f32 || loaded.dtype() == Dtype::f64;
  Tensor host = floats ? loaded.to(device_.compute_dtype()) : loaded;
  if (!planar) {
    const Tensor own(Dtype::f32, {form.packing.floats});
    form.packing.pack(host.values<float>().data(), own.values<float>().data());
    host = own;
  }
  const auto place = [&](std::byte* at) { return Array{at, host.dtype(), host.shape(), Layout::planar}; };
  if (!first) {
    if (form.array.data != host.raw()) upload(queue_, host, place(form.array.as<std::byte>()));
    return;
  }
  form.storage = host.storage();
  std::byte* data = host.raw();
  if (queue_.module) {
    form.storage = Storage::allocate(host.bytes(), device_);
    data = form.storage->data();
    upload(queue_, host, place(data));
  }
  if (!as_loaded || form.storage != loaded.storage()) bytes_ += host.bytes();
  form.array = {data, host.dtype(), loaded.shape(), Layout::planar};
}

Array Weights::trainable(const std::string& name) {
  const auto found = trainable_.find(name);
  if (found != trainable_.end()) return found->second.array;
  // What was made points at the parameter as it was loaded, which may be a file.
  forms_.clear();
  bytes_ = 0;
  ++epoch_;
  const Tensor own = tensor(name).to(device_.compute_dtype()).clone();
  std::shared_ptr<Storage> storage = own.storage();
  if (queue_.module) storage = Storage::allocate(own.bytes(), device_);
  const Array array{storage->data(), own.dtype(), own.shape(), Layout::planar};
  if (queue_.module)
    upload(queue_, own, array);
  else
    tensors_[name] = own;
  trainable_.emplace(name, Trainable{std::move(storage), array});
  return array;
}

void Weights::set(const std::string& name, const Tensor& values) {
  const Array to = trainable(name);
  if (values.shape() != to.shape)
    throw Error("the parameter '" + name + "' has shape " + to.shape.str() + ", not " + values.shape().str());
  upload(queue_, values, to);
  if (queue_.module) stale_.insert(name);
}

void Weights::changed(const Graph& graph) {
  if (queue_.module)
    for (const auto& [name, t] : trainable_) stale_.insert(name);
  forget_fold();
  for (auto& [key, form] : forms_)
    if (form.packing.floats > 0 || form.weight.folded >= 0 || form.weight.transform) fill(graph, form);
  forget_fold();
}

}  // namespace loupe
