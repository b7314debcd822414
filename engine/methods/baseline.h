// Baselines: what a picture is compared with, as integrated gradients, GradientSHAP and DeepLIFT do. Named on the
// command line in one way, --<method>.baseline:
//
//     zero     0, which of photographs is the mean colour of what the network was trained with
//     black    (0 − mean) / std         white    (1 − mean) / std
//     mean     the picture's own mean colour
//     blur     the picture, blurred
//     noise    4·u − 2, u uniform in [0, 1): 2(2·u(baseline.noise) − 1) in the terms of Draws
//     a path   of a picture, prepared as the network's photographs are, or of a .npy or .safetensors file with the
//              preprocessed numbers (of the latter the tensor `baseline`, `input`, or the only one)
//
// or several of these, separated by commas: a set, over which methods take the mean. Sundararajan, Taly & Yan 2017
// (section 3) and Sturmfels, Lundberg & Lee 2020 ("Visualizing the impact of feature attribution baselines") discuss
// which to choose.
#pragma once
#include <string>
#include <vector>

#include "engine/run/method.h"
#include "kernels/common/draws.h"

namespace loupe {

/// A baseline, and what it was called.
struct Baseline {
  std::string name;
  Tensor values;  // like the input, (1, C, H, W); f32, or f64 of a file that holds such
};

/// The baselines that `text` names, in its order, for `input` (1, C, H, W). `option` names where the text came from
/// ("--integrated_gradients.baseline") in errors. A second noise of a set is another one (baseline.noise.1), and so
/// on. Throws UsageError for an empty name and for what has another shape than the input; Error for files that cannot
/// be read or whose numbers are not finite.
std::vector<Baseline> baselines(const ImageModel& model, const Tensor& input, const std::string& text,
                                const std::string& option, const Draws& draws = Draws());

/// x in double, blurred: each channel of (…, H, W) convolved with a Gaussian of `deviation` pixels, rows and columns
/// continued by their last pixel. 0: x itself. Throws UsageError for a negative or infinite deviation.
Tensor gaussian_blur(const Tensor& x, double deviation);
/// The deviation of the baseline `blur`, in pixels: 10 where the shorter side has 224 (Fong & Vedaldi 2017), and in
/// proportion.
double blur_deviation(const Shape& input);

/// The options that methods with baselines share.
OptionSpec baseline_option(const std::string& standard);
OptionSpec noise_option();

}  // namespace loupe
