// Weights: the parameters and constants of a graph on a device, each in the forms that kernels read: planar
// as it was loaded, packed for a kernel (Call::packing), with a batch norm folded in, or changed for a rule.
// Every form is made once and shared by all plans of the network, whatever their sizes.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/plan/plan.h"
#include "engine/tensor/tensor.h"

namespace loupe {

class Weights {
 public:
  /// `tensors` holds every parameter of the graph by its name, of any float type. Throws Error naming what is
  /// missing or misshapen; others are ignored. `owner`: the network's name, for messages.
  Weights(std::string owner, const Graph& graph, std::map<std::string, Tensor> tensors, Device device,
          const Queue& queue);

  /// A parameter, f32 (f64 on ref once it was trained). Throws UsageError if there is none of that name.
  const Tensor& tensor(const std::string& name) const;
  /// The form that a step's operand reads. `packing`: null for planar. `graph`: the network's, or one that
  /// begins with its nodes.
  Array array(const Graph& graph, const PlanWeight& weight, const Packing* packing);
  /// Rises when arrays that were handed out are no longer good.
  uint64_t epoch() const { return epoch_; }

  /// Where a parameter lies, planar, in the device's memory and type, for an optimiser to write to; call
  /// changed() after that. The first call copies it there.
  Array trainable(const std::string& name);
  /// Gives a trainable() parameter other values; call changed() after that.
  void set(const std::string& name, const Tensor& values);
  /// Every form follows what was written to trainable() parameters.
  void changed(const Graph& graph);

  /// Bytes of the forms made so far, without what lies in a mapped file.
  int64_t bytes() const { return bytes_; }
  /// Bytes of the parameters as loaded.
  int64_t loaded_bytes() const;
  void forget_fold() { fold_ = {}; }

 private:
  struct Key {
    NodeId node, folded, batch_norm;  // of a fold: operand 1 of the convolution and of the norm
    int operand;
    std::string transform, format;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Form {
    PlanWeight weight;
    Packing packing;  // floats 0: planar
    Array array = {};
    std::shared_ptr<Storage> storage = nullptr;
  };
  /// Fills a form, or makes it if it has no array yet.
  void fill(const Graph& graph, Form& form);
  Tensor values(const Graph& graph, const PlanWeight& weight);
  Tensor folded(const Graph& graph, const PlanWeight& weight);

  std::string owner_;
  Device device_;
  Queue queue_;
  mutable std::map<std::string, Tensor> tensors_;  // of the host
  struct Trainable {
    std::shared_ptr<Storage> storage;
    Array array;
  };
  std::map<std::string, Trainable> trainable_;
  mutable std::set<std::string> stale_;  // trainable ones that the host has an old copy of
  std::map<Key, Form> forms_;
  struct {
    NodeId node = -1, batch_norm = -1;
    Tensor weight, bias;
  } fold_;  // the last one: a weight and its bias come together
  int64_t bytes_ = 0;
  uint64_t epoch_ = 1;
};

}  // namespace loupe
