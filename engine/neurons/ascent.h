// Ascent: pictures that make units of a network strong, by gradient ascent on the picture (Erhan et al. 2009,
// "Visualizing Higher-Layer Features of a Deep Network"; Simonyan, Vedaldi & Zisserman 2013, "Deep Inside Convolutional
// Networks", section 2):
//
//     p ← p + step(∂L/∂p)        L = Σ weight·target(view(x)) − λ‖x‖² − τ·TV(x),  x = picture(p)
//
// Many units run as one batch. Each has its own parameters, state of the optimiser and draws, which follow from its name
// and the seed alone: its picture has the same bits whatever runs beside it and however memory cuts the batch.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/neurons/parameters.h"
#include "engine/neurons/view.h"
#include "engine/run/network.h"
#include "engine/run/target.h"

namespace loupe {

/// What one picture is to make strong: a weighted sum of targets of one node. A weight below 0 makes weak.
struct Objective {
  std::string name;  // unlike those of the others
  std::vector<std::pair<double, Target>> parts;
  std::string draws = {};  // the name that its draws go by; "": its own. Pictures of one begin alike
  int64_t set =
      -1;  // pictures of one set, 0 or more, are kept unlike each other, by AscentOptions::diversity
};

struct AscentOptions {
  bool adam = true;  // else plain steps p ← p + rate·∂L/∂p
  double rate = 0.05;
  double l2 = 0;               // λ
  double total_variation = 0;  // τ
  ViewRange views = {};
  // Between steps, of pixel parameters alone:
  int64_t blur_every = 0;  // steps; 0: never
  double blur = 1;         // deviation, pixels
  double clear_norms = 0;  // percentile
  double clear_contributions = 0;
  /// Pictures of a set also climb diversity() of that node's maps: with a gradient that is so many times as long as the
  /// targets'. Their bits then hang on each other.
  double diversity = 0;
  NodeId diversity_layer = -1;
};

class Ascent {
 public:
  /// `canvas` fits the network; `parameters` are those of the canvas. Throws UsageError for names that repeat, parts of
  /// different nodes, a unit that its node does not have, and touching up of what are no pixels.
  Ascent(Network& net, const Canvas& canvas, std::unique_ptr<Parameters> parameters,
         std::vector<Objective> objectives, const AscentOptions& options, const Draws& draws);

  /// One step of every unit.
  void step();
  int64_t steps() const { return steps_; }
  int64_t count() const { return std::ssize(objectives_); }
  /// The network's input (1, C, H, W) that unit i's parameters make, f64.
  Tensor picture(int64_t i) const;
  /// Σ weight·target of each unit's picture, as it is: without a view or penalties.
  std::vector<double> scores();
  /// The same at the beginning of each step, as its view showed it.
  const std::vector<double>& curve(int64_t i) const { return rows_[static_cast<size_t>(i)].curve; }
  /// None of kTries + 1 pictures, of more and more contrast, had any gradient: nothing is known to make the unit strong. An
  /// ascent of fewer steps tells of none.
  bool is_dead(int64_t i) const { return rows_[static_cast<size_t>(i)].asleep > kTries; }

  /// All that a later run needs to go on, and that run's beginning, to the same bits. Throws Error for what another job
  /// left.
  struct State {
    Tensor numbers;  // (3, units, parameters): the parameters, and the optimiser's two
    Tensor curves;   // (units, steps)
    Tensor asleep;  // (units, 2): tries without a gradient, −1 once there was one; the step at which it began
  };
  State state() const;
  void restore(const State&);

 private:
  static constexpr int kTries = 8;
  struct Row {
    Tensor p, first, second;  // parameters; sgd's or Adam's state
    std::vector<double> curve;
    int asleep = 0;     // tries without a gradient; −1 once there was one
    int64_t since = 0;  // the step at which p began
    Tensor apart;       // of this step: the gradient of the set's diversity by the picture; none: in no set
  };
  struct Batch {  // rows of one step, as the network sees them
    std::vector<size_t> rows;
    Tensor x, seen;  // f64: pictures, and what their views show
    std::vector<Sampling> samplings;
  };
  Tensor pictures(std::span<const size_t> rows) const;
  Batch look(std::span<const size_t> rows) const;
  void step(NodeId node, std::span<const size_t> rows);
  void push_apart();
  void climb(Row& row, std::span<const double> x, std::span<double> slopes);
  void begin(size_t row, int tries);
  std::vector<size_t> awake(NodeId node) const;  // all but those that were given up

  Network& net_;
  Canvas canvas_;
  std::unique_ptr<Parameters> parameters_;
  std::vector<Objective> objectives_;
  AscentOptions options_;
  Draws draws_;
  std::vector<Row> rows_;
  std::vector<NodeId> nodes_;  // that the objectives' parts read, each once
  int64_t steps_ = 0;
};

}  // namespace loupe
