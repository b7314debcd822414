// Small networks with formula weights, and helpers to compare maps, for the tests of methods.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/run/image_model.h"

namespace loupe::test {

/// The devices that are here: ref and cpu; sim where it was built; cuda where there is a GPU.
std::vector<Device> devices();

/// Every parameter of a graph, by the formula.
std::map<std::string, Tensor> formula_weights(const Graph& graph);
/// A graph with formula weights on a device; and as a model whose trunk ends with that layer.
Network with_formula_weights(Graph graph, Device device, const KernelOptions& kernels = {});
ImageModel model_with_formula_weights(Graph graph, Device device, std::string trunk = {});

/// Σ over all ways from the input to a score of |x·w·w·w…|, for each image and class (N, classes): what the
/// rounding errors of a score, and of Σ x·gradient, are relative to. An absolute value for each weight and
/// input, on ref.
Tensor path_magnitudes(const Graph& graph, const Tensor& x);

/// Convolutions, an overlapping pool and ReLUs; the head is global average pooling and a linear layer. (1, 3,
/// 14, 11) → 5 classes. Without `relus` it is linear but for the pool; without `biases` positively
/// homogeneous.
struct SmallNetwork {
  bool relus = true, biases = true, dropout = true, residual = true;
  Graph graph() const;
  /// Additions and multiplications one after the other behind a score, and behind a value of the input's
  /// gradient.
  static constexpr double kUp = 27 + 90 + 18 + 1 + 30 + 18 + 6, kDown = 1 + 1 + 18 + 1 + 162 + 4 + 90 + 7;
};
/// The head is a convolution with a channel a class, ReLU and global average pooling, as SqueezeNet's.
Graph channel_head_graph();
/// A vision transformer: (1, 3, 12, 8) in patches of 4×4 pixels, a class token, two layers "0" and "1" with
/// two heads each ("0.attention", whose operands are a product of "0.in_proj_weight"), → 5 classes.
Graph small_transformer_graph();
/// flatten and one linear layer: (1, 3, height, width) → 4 classes.
Graph linear_graph(int64_t height, int64_t width);

/// The network of Captum's tests that can be computed by hand: 0 … 15 as 4×4, two 3×3 filters of ones with
/// biases −50 and −75, ReLU, linear (1, 1, 1, 1, 1, −1, −1, −1).
Network hand_network(Device device);
Tensor hand_input();

/// ‖a − b‖ / ‖b‖.
double relative_l2(const Tensor& a, const Tensor& b);
bool same_bits(const Tensor& a, const Tensor& b);
/// The elements as doubles.
std::vector<double> values_of(const Tensor& t);
/// Limits of memory from a kilobyte up, doubling; fewer for the simulator, which is slow.
std::vector<int64_t> memory_limits(Device device);
/// The text of the UsageError that `attempt` throws, or a remark that it threw none.
template <typename Attempt>
std::string usage_error(const Attempt& attempt) {
  try {
    attempt();
  } catch (const UsageError& e) {
    return e.what();
  } catch (const std::exception& e) {
    return std::string("not a UsageError: ") + e.what();
  }
  return "no error";
}

}  // namespace loupe::test
