// Parameters: the numbers that ascent moves, and the picture that they make. A way to write pictures down is one file.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/image/preprocess.h"
#include "kernels/common/draws.h"

namespace loupe {

/// Sizes of a picture, (C, H, W), and what its numbers are as a network's input.
struct Canvas {
  int64_t channels = 3, height = 0, width = 0;
  Preprocessing how = {};  // mean and deviation: input = (colour − mean)/std, colours from 0 to 1
  int64_t pixels() const { return height * width; }
  int64_t size() const { return channels * pixels(); }
  double mean(int64_t c) const { return static_cast<double>(how.mean[static_cast<size_t>(c % 3)]); }
  double std(int64_t c) const { return static_cast<double>(how.std[static_cast<size_t>(c % 3)]); }
};

class Parameters {
 public:
  virtual ~Parameters() = default;
  virtual int64_t size() const = 0;
  /// Where an ascent begins: nearly grey, by the draws of that name; a larger `contrast` is farther from grey.
  virtual void begin(const Draws&, const std::string& name, double contrast, std::span<double> p) const = 0;
  /// The network's input (C, H, W) that the parameters make.
  virtual void picture(std::span<const double> p, std::span<double> x) const = 0;
  /// dL/dp, of x = picture(p) and dL/dx.
  virtual void pull(std::span<const double> p, std::span<const double> x, std::span<const double> gradient,
                    std::span<double> to) const = 0;
  /// Whether p are the pixels of x themselves, which regularisers may then change.
  virtual bool are_pixels() const { return false; }
};

/// The input's numbers as they are, without limits: the plain form.
std::unique_ptr<Parameters> pixel_parameters(const Canvas&);

/// The spectrum of each decorrelated colour: x = sigmoid(A·irfft2(s·p)), with s falling as 1/frequency, as the spectra of
/// photographs do, so that a step changes all sizes of things alike; colours stay between 0 and 1 (Olah et al. 2017,
/// "Feature Visualization"; the numbers are Lucid's). p: (C, H, W/2 + 1, real and imaginary).
std::unique_ptr<Parameters> fourier_parameters(const Canvas&);

/// MACO (Fel et al. 2023, "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization",
/// eq. 5): x = mean + A·irfft2(r·e^(iφ)); the phases φ alone move, p: (C, H, W/2 + 1). The magnitudes r are those of
/// mean_magnitudes(). Unlike the authors' code nothing is standardised or squeezed afterwards, so the magnitudes stay r
/// exactly; a few colours leave 0 to 1, and are cut when the picture is shown.
std::unique_ptr<Parameters> maco_parameters(const Canvas&, std::vector<double> magnitudes);

/// The mean over pictures, given as inputs (C, H, W) of the canvas, of |rfft2| of each decorrelated colour less its mean,
/// (C, H, W/2 + 1).
class MeanMagnitudes {
 public:
  explicit MeanMagnitudes(const Canvas& canvas);
  void add(std::span<const double> x);
  int64_t count() const { return count_; }
  /// Throws UsageError where there was no picture.
  std::vector<double> mean() const;

 private:
  Canvas canvas_;
  std::vector<double> sum_;
  int64_t count_ = 0;
};

}  // namespace loupe
