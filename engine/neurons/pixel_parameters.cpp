#include <algorithm>

#include "engine/neurons/parameters.h"

namespace loupe {

namespace {
class Pixels : public Parameters {
 public:
  explicit Pixels(const Canvas& canvas) : size_(canvas.size()) {}
  int64_t size() const override { return size_; }
  bool are_pixels() const override { return true; }
  void begin(const Draws& draws, const std::string& name, double contrast,
             std::span<double> p) const override {
    draws.normals(name, p);
    for (double& v : p) v *= 0.1 * contrast;
  }
  void picture(std::span<const double> p, std::span<double> x) const override {
    std::ranges::copy(p, x.begin());
  }
  void pull(std::span<const double>, std::span<const double>, std::span<const double> gradient,
            std::span<double> to) const override {
    std::ranges::copy(gradient, to.begin());
  }

 private:
  int64_t size_;
};
}  // namespace

std::unique_ptr<Parameters> pixel_parameters(const Canvas& canvas) {
  return std::make_unique<Pixels>(canvas);
}

}  // namespace loupe
