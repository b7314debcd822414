// Whole architectures with formula weights against PyTorch in float64: the logits of two images, and for each
// the gradient of one logit. tests/cmake/golden.cmake adds a test case golden.<device>.<name> for every file
// in tests/golden/architectures/.
#include "tests/models/catalog/architectures.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/io/formula.h"
#include "models/models.h"
#include "tests/support/device.h"
#include "tests/support/places.h"

namespace loupe::test {
namespace {

struct Golden {
  Shape input;
  std::vector<int64_t> target;              // a class for each image
  std::vector<std::vector<double>> logits;  // (N, classes)
  std::vector<double> gradient_l2;          // one an image
  std::vector<int64_t> gradient_index;      // into the flattened (N, 3, H, W)
  std::vector<double> gradient_value;
};

Golden read_golden(const std::string& name) {
  std::ifstream file(source_dir() + "/tests/golden/architectures/" + name + ".json");
  const nlohmann::json j = nlohmann::json::parse(file);
  return {
      Shape(j["input"].get<std::vector<int64_t>>()),       j["target"].get<std::vector<int64_t>>(),
      j["logits"].get<std::vector<std::vector<double>>>(), j["gradient_l2"].get<std::vector<double>>(),
      j["gradient_index"].get<std::vector<int64_t>>(),     j["gradient_value"].get<std::vector<double>>()};
}

double norm(const Tensor& t) {
  double sum = 0;
  for (int64_t i = 0; i < t.numel(); ++i) sum += t.item(i) * t.item(i);
  return std::sqrt(sum);
}

/// The largest |ours − golden|, in units of the largest |golden|. NaN counts as infinity.
double logits_error(const Tensor& ours, const Golden& golden) {
  double worst = 0, largest = 0;
  for (size_t n = 0; n < golden.logits.size(); ++n)
    for (size_t c = 0; c < golden.logits[n].size(); ++c) {
      const double g = golden.logits[n][c],
                   error = std::abs(ours.row(static_cast<int64_t>(n)).item(static_cast<int64_t>(c)) - g);
      worst = std::isnan(error) ? HUGE_VAL : std::max(worst, error);
      largest = std::max(largest, std::abs(g));
    }
  return worst / largest;
}

/// Of the gradient's norms, relative, one an image.
std::vector<double> norm_errors(const Tensor& gradient, const Golden& golden) {
  std::vector<double> errors;
  for (size_t n = 0; n < golden.gradient_l2.size(); ++n)
    errors.push_back(std::abs(norm(gradient.row(static_cast<int64_t>(n))) - golden.gradient_l2[n]) /
                     golden.gradient_l2[n]);
  return errors;
}

/// The largest error of a sampled gradient, in units of its image's norm.
double sample_error(const Tensor& gradient, const Golden& golden) {
  double worst = 0;
  const int64_t image = gradient.numel() / golden.input[0];
  for (size_t i = 0; i < golden.gradient_index.size(); ++i) {
    const int64_t at = golden.gradient_index[i];
    const double error = std::abs(gradient.item(at) - golden.gradient_value[i]);
    worst = std::isnan(error) ? HUGE_VAL
                              : std::max(worst, error / golden.gradient_l2[static_cast<size_t>(at / image)]);
  }
  return worst;
}

}  // namespace

void check_architecture(const std::string& device, const std::string& name) {
  const Device on = Device::parse(device);
  if (on == Device::cuda() || on == Device::sim()) skip_without(on.backend);
  const Golden golden = read_golden(name);
  ImageModel model = models::load(name, "formula", on);
  Network& network = model.network;
  const NodeId input = network.graph().inputs()[0], output = network.graph().output();
  REQUIRE(network.graph().node(output).shape().back() == static_cast<int64_t>(golden.logits[0].size()));

  Execution& run =
      network.execution(golden.input, {.values = {output}, .from = output, .gradients = {input}});
  run.forward(formula_input(golden.input));
  const Tensor logits = run.value(output);
  run.backward(seed_channels(logits.shape(), golden.target));
  const Tensor gradient = run.gradient(input);
  REQUIRE(gradient.shape() == golden.input);

  const double in_logits = logits_error(logits, golden), in_samples = sample_error(gradient, golden);
  const std::vector<double> in_norms = norm_errors(gradient, golden);
  MESSAGE(device << " " << name << ": logits " << in_logits << ", gradient norms " << in_norms[0] << " and "
                 << in_norms[1] << ", gradient samples " << in_samples);
  if (device == "ref") {
    CHECK(in_logits <= 1e-9);
    for (const double e : in_norms) CHECK(e <= 1e-9);
    CHECK(in_samples <= 1e-9);
  } else {  // float32; ReLUs within rounding of zero may fall either way, so single gradients are not
            // compared
    CHECK(in_logits <= 1e-4);
    for (const double e : in_norms) CHECK(e <= 1e-2);
  }
}

}  // namespace loupe::test
