// Holds the methods against golden maps that another program computed in double (occlusion perhaps in
// float32).
#pragma once
#include <functional>
#include <string>

#include "engine/methods/occlusion.h"
#include "engine/run/image_model.h"

namespace loupe::test {

struct MethodGoldens {
  std::string title;
  std::function<Tensor(const std::string&)> map;  // by the method's name; "input" and "logits" too
  ImageModel ref, fast;                           // with the same weights; `fast` computes in float32
  int64_t target;
  std::string grad_cam_layer;
  bool has_cam, has_rollout, occlusion_on_ref, has_probability;
  OcclusionOptions occlusion;
};

/// An architecture with formula weights and a small input, by PyTorch, which Captum confirmed:
/// tests/golden/methods/. `device` is the one to hold against them.
MethodGoldens formula_goldens(const std::string& model, Device device = Device::cpu());
/// SqueezeNet 1.1 with ImageNet weights on a photograph, by PyTorch and Captum: the shared folder's
/// golden/squeezenet1_1/.
MethodGoldens photo_goldens(const std::string& photo, Device device = Device::cpu());

/// Relative L2 distances:
///
///   gradient, input_x_gradient, guided_backprop, deconvnet
///     ref                               1e-5: goldens are stored as float32, ours is in double
///     float32, ref's masks and switches 1e-4
///     float32 on its own                0.1, and every bit that differs from ref's accounted for (ties.h)
///   logits, cam, attention_rollout, grad_cam, occlusion_logit and _probability: 1e-4; occlusion_attribution: 1e-3
///     (a drop is the small difference of two scores); on ref 1e-5, occlusion only if asked for.
///
/// The same class must come first on both.
void check_methods(MethodGoldens goldens);
/// integrated_gradients likewise; masks and switches are injected, and accounted for, at each of its 50
/// steps.
void check_integrated_gradients(MethodGoldens goldens);

}  // namespace loupe::test
