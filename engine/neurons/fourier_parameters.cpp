#include <algorithm>
#include <cmath>

#include "engine/neurons/colours.h"
#include "engine/neurons/parameters.h"
#include "engine/neurons/plane_spectrum.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {
class Fourier : public Parameters {
 public:
  explicit Fourier(const Canvas& canvas) : canvas_(canvas), spectrum_(canvas.height, canvas.width) {
    const int64_t columns = spectrum_.columns();
    const double least = 1.0 / static_cast<double>(std::max(canvas.height, canvas.width));
    for (int64_t i = 0; i < spectrum_.cells(); ++i)
      scale_.push_back(std::sqrt(static_cast<double>(canvas.pixels())) / 4 /
                       std::max(spectrum_.frequency(i / columns, i % columns), least));
  }
  int64_t size() const override { return canvas_.channels * spectrum_.cells() * 2; }
  void begin(const Draws& draws, const std::string& name, double contrast,
             std::span<double> p) const override {
    draws.normals(name, p);
    for (double& v : p) v *= 0.01 * contrast;
  }
  void picture(std::span<const double> p, std::span<double> x) const override {
    const int64_t n = canvas_.pixels(), cells = spectrum_.cells();
    parallel_for(canvas_.channels, [&](int64_t c) {
      std::vector<std::complex<double>> scaled(static_cast<size_t>(cells));
      for (int64_t i = 0; i < cells; ++i) {
        const double* number = p.data() + 2 * (c * cells + i);
        scaled[static_cast<size_t>(i)] = std::complex(number[0], number[1]) * scale_[static_cast<size_t>(i)];
      }
      spectrum_.synthesise(scaled.data(), x.data() + c * n);
    });
    correlate(x, canvas_.channels);
    parallel_for(canvas_.channels, [&](int64_t c) {
      for (double& v : x.subspan(static_cast<size_t>(c * n), static_cast<size_t>(n)))
        v = (1 / (1 + std::exp(-v)) - canvas_.mean(c)) / canvas_.std(c);
    });
  }
  void pull(std::span<const double>, std::span<const double> x, std::span<const double> gradient,
            std::span<double> to) const override {
    const int64_t n = canvas_.pixels(), cells = spectrum_.cells();
    std::vector<double> g(gradient.begin(), gradient.end());
    for (int64_t i = 0; i < canvas_.size(); ++i) {  // the sigmoid's slope, from its value
      const int64_t c = i / n;
      const double v = x[static_cast<size_t>(i)] * canvas_.std(c) + canvas_.mean(c);
      g[static_cast<size_t>(i)] *= v * (1 - v) / canvas_.std(c);
    }
    pull_correlate(g, canvas_.channels);
    parallel_for(canvas_.channels, [&](int64_t c) {
      std::vector<std::complex<double>> slopes(static_cast<size_t>(cells));
      spectrum_.pull(g.data() + c * n, slopes.data());
      for (int64_t i = 0; i < cells; ++i) {
        const std::complex<double> slope = slopes[static_cast<size_t>(i)] * scale_[static_cast<size_t>(i)];
        double* number = to.data() + 2 * (c * cells + i);
        number[0] = slope.real(), number[1] = slope.imag();
      }
    });
  }

 private:
  Canvas canvas_;
  PlaneSpectrum spectrum_;
  std::vector<double> scale_;
};
}  // namespace

std::unique_ptr<Parameters> fourier_parameters(const Canvas& canvas) {
  return std::make_unique<Fourier>(canvas);
}

}  // namespace loupe
