// PlaneSpectrum: real planes and their half spectra, numpy's rfft2 and irfft2.
#pragma once
#include <complex>
#include <cstdint>

#include "kernels/fourier/dft.h"

namespace loupe {

/// Of planes (height, width), row-major, and half spectra (height, width/2 + 1): frequencies k ≥ 0 of the rows, all of
/// the columns. In double, for sides of any length. Threads may share one.
class PlaneSpectrum {
 public:
  PlaneSpectrum(int64_t height, int64_t width)
      : height_(height), width_(width), along_rows_(width), along_columns_(height) {}
  int64_t columns() const { return width_ / 2 + 1; }
  int64_t cells() const { return height_ * columns(); }
  /// How often cell k of a row counts: once at frequency 0 and, of an even width, at the highest; else twice, for
  /// its conjugate that the half spectrum leaves out.
  double times(int64_t k) const { return k == 0 || 2 * k == width_ ? 1 : 2; }

  /// S(u, v) = Σ p(y, x)·e^(−2πi(uy/H + vx/W)).
  void analyse(const double* plane, std::complex<double>* spectrum) const;
  /// The plane whose spectrum that is, 1/(H·W) of the sum; of cells that must be real for that, the real part counts.
  void synthesise(const std::complex<double>* spectrum, double* plane) const;
  /// The vjp of synthesise(): dL/d(re S) + i·dL/d(im S) = times/(H·W) of analyse(dL/dp).
  void pull(const double* gradient, std::complex<double>* spectrum) const;
  /// Cycles per pixel of cell (u, k): √(fy² + fx²).
  double frequency(int64_t u, int64_t k) const;

 private:
  int64_t height_, width_;
  Dft along_rows_, along_columns_;
};

}  // namespace loupe
