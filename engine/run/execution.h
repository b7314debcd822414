// Execution: one plan of a network, run forward and backward.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/plan/plan.h"
#include "engine/run/recall.h"
#include "engine/tensor/tensor.h"

namespace loupe {

class Network;

/// Runs one plan. Tensors are the host's; on cuda and sim inputs go up to the device, and what is read comes
/// down. The arena belongs to the network and is shared by its executions: what an execution computed is good
/// until another execution of the same network runs (reading it later is an Error, never a wrong answer).
class Execution {
 public:
  Execution(Network& network, std::shared_ptr<const Plan> plan);
  /// On ref and cpu: in an arena that only its owner's executions share. Several such executions of one network run ways
  /// back side by side, a thread each, once open_tape() was called on all of them by one thread.
  Execution(Network& network, std::shared_ptr<const Plan> plan, std::shared_ptr<Storage> arena);

  const Plan& plan() const { return *plan_; }
  /// Inputs in the order of graph().inputs(), of the plan's shapes; f32, or f64 (u8 or i32 for such inputs).
  /// Throws DeviceOutOfMemory with the sizes where the device cannot hold weights and activations. Edits of
  /// which nothing was said change nothing.
  void forward(const std::vector<Tensor>& inputs);
  void forward(const Tensor& input) { forward(std::vector<Tensor>{input}); }

  /// forward() of a purpose whose values are looked at in passing: look(i, value i of the purpose, where it lies) as soon
  /// as it is computed, good until `look` returns. On ref and cpu alone.
  using Look = std::function<void(size_t, const Array&)>;
  void forward(const Tensor& input, const Look& look);

  /// What edit `e` of the purpose does in this and the following runs: at which cells, and with which
  /// numbers, whose shape is the value's or has 1 where the same number serves all (a scalar has no
  /// dimensions). Before forward() or again().
  void edit(size_t e, const Tensor& mask, const Tensor& numbers);
  void edit(size_t e, const Cells& cells, const Tensor& numbers);
  void edit(size_t e, const Cells& cells, double number);
  /// Edit `e` does nothing from now on.
  void undo(size_t e);
  /// The forward pass of the same inputs with the edits as they now are. Steps before the first edit that
  /// changed do not run again.
  void again() { again({}); }
  /// The same with other values of some of the purpose's varying inputs.
  void again(std::span<const std::pair<NodeId, Tensor>> inputs);
  /// Steps that the last forward() or again() ran.
  int steps_run() const { return steps_run_; }

  /// Starts at purpose().from with `seed`, dL/d(its value), of the same shape. Once after each forward: it
  /// uses up the tape.
  void backward(const Tensor& seed);
  /// Ready for a way back of which no forward pass was computed: what it reads of one are records alone, which the
  /// caller writes next, all of them, by set_record() or where they lie.
  void open_tape();
  /// Where the seed goes, in the device's memory: between forward() or open_tape() and backward_from_seed().
  Array seed_in_place() const;
  /// backward() with the seed that lies there.
  void backward_from_seed();
  /// forward(), then backward() from the score of one class of each image: classes[n], or where that is
  /// negative the class of the highest score. The purpose begins the way back at scores (N, classes) and keeps
  /// them as a value. The bits are those of the two calls; on cuda and sim nothing comes down to the host in
  /// between.
  void forward_and_back(const std::vector<Tensor>& inputs, std::span<const int32_t> classes);

  /// Copies, planar, in the device's type (f64 on ref, f32 elsewhere). Throw Error for nodes that the purpose
  /// did not name.
  Tensor value(const Port&) const;
  /// The same where it lies, in the device's memory and the plan's layout, good until another execution of the network
  /// runs.
  Array value_in_place(const Port&) const;
  /// One channel of one image of a value (N, C, H, W) alone: (H, W).
  Tensor channel(const Port&, int64_t image, int64_t channel) const;
  /// dL/d(what reads the node saw), or dL/d(parameter).
  Tensor gradient(NodeId) const;
  /// The same where it lies, in the device's memory, good until another execution of the network runs. Planar
  /// for parameters.
  Array gradient_in_place(NodeId) const;
  /// The tape's record, planar: of a ReLU (0/1) or of a max-pool (switches) u8, of a batch_norm_training its
  /// statistics in the device's type. Set it between forward and backward to inject another run's: records
  /// are ordinary tensors. After backward only those that the purpose named are left.
  Tensor record(NodeId) const;
  /// Where that record lies, in the device's memory, between forward and backward.
  Array record_in_place(NodeId) const;
  void set_record(NodeId, const Tensor&);
  /// Nodes that have a record in this plan.
  std::vector<NodeId> recorded() const;

 private:
  struct Given {  // of an edit
    Tensor mask, numbers;
    bool changed = true;
  };
  Array array(ValueId) const;
  Array planned(ValueId, NodeId, const char* what) const;
  Tensor read(ValueId, NodeId, const char* what) const;
  void write(ValueId, const Tensor&, const std::string& what);
  void write_edits();
  void begin_forward(const std::vector<Tensor>& inputs);
  void compute(int begin);
  Recall::Key key() const;
  void seed_classes();
  void queue(std::pair<int, int> part, const std::function<void()>& work);
  void run(int begin, int end);
  void run_step(size_t i);
  void find_weights();
  std::byte* arena() const;
  void take_arena();
  void check_owner() const;
  void check_tape(const char* what) const;

  Network& network_;
  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<Storage> own_arena_;       // else the network's
  std::vector<std::vector<Array>> weights_;  // by step and operand
  uint64_t weights_epoch_ = 0;
  std::vector<Given> edits_;
  std::optional<Recall::Key> inputs_key_;  // of the last forward pass, where the network had a Recall
  // Steps as the device was given them, to be given again with one call: kept from their second run on, when
  // weights are packed, scratch memory is large enough and libraries have made their choices.
  struct Captured {
    enum class State : uint8_t { fresh, ran, recorded, never };
    std::shared_ptr<void> graph;
    State state = State::fresh;
    const std::byte* arena = nullptr;  // they hold addresses in it
    uint64_t weights = 0;              // and the weights of this epoch
  };
  Captured::State capture(Captured&, const std::function<void()>& work);
  std::map<std::pair<int, int>, Captured> captured_;
  uint64_t ticket_ = 0;
  int steps_run_ = 0;
  enum class Done : uint8_t { nothing, forward, backward } done_ = Done::nothing;
};

}  // namespace loupe
