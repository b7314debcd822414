#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/neurons/colours.h"
#include "engine/neurons/parameters.h"
#include "engine/neurons/plane_spectrum.h"
#include "kernels/common/error.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {
class Maco : public Parameters {
 public:
  Maco(const Canvas& canvas, std::vector<double> magnitudes)
      : canvas_(canvas), spectrum_(canvas.height, canvas.width), magnitudes_(std::move(magnitudes)) {
    if (std::ssize(magnitudes_) != size())
      throw Error("maco: " + std::to_string(magnitudes_.size()) + " magnitudes for a spectrum of " +
                  std::to_string(size()));
  }
  int64_t size() const override { return canvas_.channels * spectrum_.cells(); }
  // Whatever the contrast, which the magnitudes say.
  void begin(const Draws& draws, const std::string& name, double, std::span<double> p) const override {
    draws.uniforms(name, p);
    for (double& v : p) v = (2 * v - 1) * std::numbers::pi;
  }
  void picture(std::span<const double> p, std::span<double> x) const override {
    const int64_t n = canvas_.pixels(), cells = spectrum_.cells();
    parallel_for(canvas_.channels, [&](int64_t c) {
      std::vector<std::complex<double>> turned(static_cast<size_t>(cells));
      for (int64_t i = 0; i < cells; ++i) {
        const auto at = static_cast<size_t>(c * cells + i);
        turned[static_cast<size_t>(i)] = std::polar(magnitudes_[at], p[at]);
      }
      spectrum_.synthesise(turned.data(), x.data() + c * n);
    });
    correlate(x, canvas_.channels);
    for (int64_t i = 0; i < canvas_.size(); ++i) x[static_cast<size_t>(i)] /= canvas_.std(i / n);
  }
  void pull(std::span<const double> p, std::span<const double>, std::span<const double> gradient,
            std::span<double> to) const override {
    const int64_t n = canvas_.pixels(), cells = spectrum_.cells();
    std::vector<double> g(gradient.begin(), gradient.end());
    for (int64_t i = 0; i < canvas_.size(); ++i) g[static_cast<size_t>(i)] /= canvas_.std(i / n);
    pull_correlate(g, canvas_.channels);
    parallel_for(canvas_.channels, [&](int64_t c) {
      std::vector<std::complex<double>> slopes(static_cast<size_t>(cells));
      spectrum_.pull(g.data() + c * n, slopes.data());
      for (int64_t i = 0; i < cells; ++i) {  // d(r·cos φ, r·sin φ)/dφ = r·(−sin φ, cos φ)
        const auto at = static_cast<size_t>(c * cells + i);
        const std::complex<double> slope = slopes[static_cast<size_t>(i)];
        to[at] = magnitudes_[at] * (slope.imag() * std::cos(p[at]) - slope.real() * std::sin(p[at]));
      }
    });
  }

 private:
  Canvas canvas_;
  PlaneSpectrum spectrum_;
  std::vector<double> magnitudes_;
};
}  // namespace

std::unique_ptr<Parameters> maco_parameters(const Canvas& canvas, std::vector<double> magnitudes) {
  return std::make_unique<Maco>(canvas, std::move(magnitudes));
}

MeanMagnitudes::MeanMagnitudes(const Canvas& canvas)
    : canvas_(canvas),
      sum_(static_cast<size_t>(canvas.channels * PlaneSpectrum(canvas.height, canvas.width).cells())) {}

void MeanMagnitudes::add(std::span<const double> x) {
  const PlaneSpectrum spectrum(canvas_.height, canvas_.width);
  const int64_t n = canvas_.pixels(), cells = spectrum.cells();
  std::vector<double> colours(x.begin(), x.end());
  for (int64_t i = 0; i < canvas_.size(); ++i) colours[static_cast<size_t>(i)] *= canvas_.std(i / n);
  decorrelate(colours, canvas_.channels);
  std::vector<std::complex<double>> own(static_cast<size_t>(cells));
  for (int64_t c = 0; c < canvas_.channels; ++c) {
    spectrum.analyse(colours.data() + c * n, own.data());
    for (int64_t i = 0; i < cells; ++i)
      sum_[static_cast<size_t>(c * cells + i)] += std::abs(own[static_cast<size_t>(i)]);
  }
  ++count_;
}

std::vector<double> MeanMagnitudes::mean() const {
  if (count_ == 0) throw UsageError("magnitudes need at least one picture");
  std::vector<double> mean = sum_;
  for (double& v : mean) v /= static_cast<double>(count_);
  return mean;
}

}  // namespace loupe
