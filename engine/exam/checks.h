// Checks: what can be said about a map beside it, each a number with what it means and, where there is a
// limit, whether it passes.
#pragma once
#include <optional>
#include <vector>

#include "engine/exam/removal.h"
#include "engine/run/method.h"

namespace loupe {

/// Checks of the maps of one network. Of a picture's maps, whatever the method:
///   infidelity              Yeh 2019 (infidelity.h) over 100 squares, with its 95 % interval
///   randomisation           the rank correlation with the map of the network whose upper half is
///                           untrained (Adebayo 2018)
/// and of some:
///   completeness_share      where the method gives a completeness_residual: its size, of the difference
///                           that the shares should sum to
///   directional_difference  gradient, input_x_gradient: a central difference of the score in double, by
///                           the loops of `ref`, less the map's own answer, of that answer's usual size
///   cam_identity            cam: mean of the map plus the bias, less the logit
/// Randomness is drawn by name, so that a map has the same checks in every run.
class Checks {
 public:
  /// The model must outlive it. The untrained network and the one in double are made when they are first
  /// needed.
  explicit Checks(ImageModel& model) : model_(model) {}

  /// Of what the method found about the question, which is of this model.
  std::vector<Check> of(const Method& method, const Options& options, const Question& question,
                        const Explanation& found);

 private:
  struct Answered {  // the network's answers to squares of one picture, about one class
    Tensor input;
    int64_t cls;
    Removals removals;
  };
  const Removals& squares(const Question& question);
  std::optional<Check> infidelity_of(const Question& question, const Explanation& found);
  std::optional<Check> randomisation(const Method& method, const Options& options, const Question& question,
                                     const Explanation& found);
  std::optional<Check> directional_difference(const Question& question, const Explanation& found);

  ImageModel& model_;
  std::optional<ImageModel> untrained_;
  std::optional<Network> in_double_;
  std::optional<Answered> answered_;
};

/// |mean(map) + bias − logit| for a class activation map (h, w) of this network and class.
std::optional<Check> cam_identity(const Network& network, const Tensor& map, int64_t cls, double logit);

}  // namespace loupe
