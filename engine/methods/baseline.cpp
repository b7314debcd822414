#include "engine/methods/baseline.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

namespace loupe {

namespace {
Tensor filled(const Shape& shape, const std::vector<double>& colour) {
  const Tensor t(Dtype::f32, shape);
  const int64_t size = shape.numel() / (shape[0] * shape[1]);
  for (int64_t i = 0; i < t.numel(); ++i)
    t.values<float>()[static_cast<size_t>(i)] =
        static_cast<float>(colour[static_cast<size_t>(i / size % shape[1])]);
  return t;
}

// The number as it was written: 0.485, where the float nearest to it is 0.48500001.
double as_written(float f) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, f).ptr;
  double value = f;
  std::from_chars(text, end, value);
  return value;
}

// Of pixels that are `level`, 0 to 1.
Tensor of_level(const Preprocessing& how, const Shape& shape, double level) {
  std::vector<double> colour;
  for (int64_t c = 0; c < shape[1]; ++c) {
    const auto i = static_cast<size_t>(std::min<int64_t>(c, 2));
    colour.push_back((level - as_written(how.mean[i])) / as_written(how.std[i]));
  }
  return filled(shape, colour);
}

Tensor of_mean(const Tensor& x) {
  const int64_t channels = x.shape()[1], size = x.numel() / channels;
  std::vector<double> colour(static_cast<size_t>(channels));
  for (int64_t i = 0; i < x.numel(); ++i) colour[static_cast<size_t>(i / size)] += x.item(i);
  for (double& c : colour) c /= static_cast<double>(size);
  return filled(x.shape(), colour);
}

Tensor of_noise(const Shape& shape, const Draws& draws, int64_t k) {
  const Tensor u(Dtype::f64, shape);
  draws.uniforms(k == 0 ? "baseline.noise" : "baseline.noise." + std::to_string(k), u.values<double>());
  for (double& v : u.values<double>()) v = 2 * (2 * v - 1);
  return u.to(Dtype::f32);
}

bool holds_numbers(const std::string& path) {
  return path.ends_with(".npy") || path.ends_with(".safetensors");
}

Tensor of_numbers(const ImageModel& model, const std::string& path) {
  Tensor numbers = model.read_tensor(path);
  if (numbers.dtype() != Dtype::f32 && numbers.dtype() != Dtype::f64)
    throw Error("'" + path + "' holds " + std::string(dtype_name(numbers.dtype())) +
                ", not preprocessed floating-point numbers");
  const Shape& s = numbers.shape();
  if (s.rank() == 3) numbers = numbers.reshape({1, s[0], s[1], s[2]});
  for (int64_t i = 0; i < numbers.numel(); ++i)
    if (!std::isfinite(numbers.item(i))) throw Error("'" + path + "' holds numbers that are not finite");
  return numbers;
}

Tensor of_file(const ImageModel& model, const Shape& shape, const std::string& path,
               const std::string& option) {
  Tensor values;
  try {
    values = holds_numbers(path) ? of_numbers(model, path) : model.preprocess(read_image(path));
  } catch (const Error& e) {
    throw Error(option +
                " takes zero, black, white, mean, blur, noise, a picture, or a .npy or .safetensors file: " +
                std::string(e.what()));
  }
  if (values.shape() != shape)
    throw UsageError(option + ": " + path + (holds_numbers(path) ? " holds " : " becomes ") +
                     values.shape().str() + ", but the input is " + shape.str());
  return values;
}

std::vector<std::string> parts_of(const std::string& text) {
  std::error_code error;
  if (std::filesystem::exists(text, error)) return {text};  // a path may hold a comma
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}
}  // namespace

std::vector<Baseline> baselines(const ImageModel& model, const Tensor& input, const std::string& text,
                                const std::string& option, const Draws& draws) {
  const Shape& shape = input.shape();
  if (shape.rank() != 4 || shape[0] != 1)
    throw UsageError("baselines are for one image (1, C, H, W), not " + shape.str());
  std::vector<Baseline> found;
  int64_t noises = 0;
  for (const std::string& name : parts_of(text)) {
    if (name.empty()) throw UsageError(option + " has an empty name in '" + text + "'");
    const auto values = [&] {
      if (name == "zero") return Tensor::zeros(Dtype::f32, shape);
      if (name == "black" || name == "white") return of_level(model.preprocessing, shape, name == "white");
      if (name == "mean") return of_mean(input);
      if (name == "blur") return gaussian_blur(input, blur_deviation(shape)).to(Dtype::f32);
      if (name == "noise") return of_noise(shape, draws, noises++);
      return of_file(model, shape, name, option);
    };
    found.push_back({name, values()});
  }
  return found;
}

double blur_deviation(const Shape& input) {
  return 10.0 * static_cast<double>(std::min(input[input.rank() - 1], input[input.rank() - 2])) / 224;
}

namespace {
// One axis: `count` cells, `step` apart, of each of the lines.
void blur_axis(std::span<const double> from, std::span<double> to, int64_t count, int64_t step,
               const std::vector<double>& weights) {
  const auto reach = static_cast<int64_t>(weights.size()) - 1;
  for (int64_t i = 0; i < static_cast<int64_t>(from.size()); ++i) {
    const int64_t at = i / step % count, line = i - at * step;
    double sum = 0;
    for (int64_t d = -reach; d <= reach; ++d)
      sum += weights[static_cast<size_t>(std::abs(d))] *
             from[static_cast<size_t>(line + std::clamp<int64_t>(at + d, 0, count - 1) * step)];
    to[static_cast<size_t>(i)] = sum;
  }
}
}  // namespace

Tensor gaussian_blur(const Tensor& x, double deviation) {
  if (!(deviation >= 0) || std::isinf(deviation))
    throw UsageError("a blur's deviation is a number of pixels of at least 0, not " +
                     std::to_string(deviation));
  Tensor blurred = x.to(Dtype::f64).clone();
  if (deviation == 0) return blurred;
  std::vector<double> weights;  // of the cells at distance 0, 1, …, up to four deviations
  double sum = 0;
  for (int64_t d = 0; d <= static_cast<int64_t>(std::ceil(4 * deviation)); ++d) {
    weights.push_back(std::exp(-0.5 * static_cast<double>(d * d) / (deviation * deviation)));
    sum += (d == 0 ? 1 : 2) * weights.back();
  }
  for (double& w : weights) w /= sum;
  const int rank = x.shape().rank();
  const int64_t width = x.shape()[rank - 1], height = x.shape()[rank - 2];
  const Tensor rows(Dtype::f64, x.shape());
  blur_axis(blurred.values<const double>(), rows.values<double>(), width, 1, weights);
  blur_axis(rows.values<const double>(), blurred.values<double>(), height, width, weights);
  return blurred;
}

OptionSpec baseline_option(const std::string& standard) {
  return {
      "baseline", standard,
      "what the picture is compared with: zero (the mean colour), black, white, mean (the picture's own mean "
      "colour), blur, noise, the path of a picture or of a .npy or .safetensors file with the preprocessed "
      "numbers; or several, separated by commas, over which the mean is taken"};
}

OptionSpec noise_option() {
  return {"noise", std::string("hash"),
          "random numbers: hash, always the same, or a whole number that seeds others"};
}

}  // namespace loupe
