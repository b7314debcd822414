#include "engine/neurons/plane_spectrum.h"

#include <algorithm>
#include <cmath>
#include <unsupported/Eigen/FFT>
#include <vector>

namespace loupe {

namespace {
using Complex = std::complex<double>;

// It keeps the factors of every length it has seen, so each thread has its own.
Eigen::FFT<double>& transform() {
  thread_local Eigen::FFT<double> fft(
      Eigen::default_fft_impl<double>(),
      static_cast<Eigen::FFT<double>::Flag>(Eigen::FFT<double>::HalfSpectrum | Eigen::FFT<double>::Unscaled));
  return fft;
}

// Every column of (height, columns), up or down.
void columns_of(Complex* cells, int64_t height, int64_t columns, bool inverse) {
  if (height == 1) return;  // the library has no transform of one number
  std::vector<Complex> from(static_cast<size_t>(height)), to(from.size());
  for (int64_t k = 0; k < columns; ++k) {
    for (int64_t y = 0; y < height; ++y) from[static_cast<size_t>(y)] = cells[y * columns + k];
    if (inverse)
      transform().inv(to.data(), from.data(), static_cast<Eigen::Index>(height));
    else
      transform().fwd(to.data(), from.data(), static_cast<int>(height));
    for (int64_t y = 0; y < height; ++y) cells[y * columns + k] = to[static_cast<size_t>(y)];
  }
}
}  // namespace

void PlaneSpectrum::analyse(const double* plane, Complex* spectrum) const {
  std::vector<Complex> row(static_cast<size_t>(width_));  // room for what a library may write beyond the half
  for (int64_t y = 0; y < height_; ++y) {
    if (width_ == 1)
      row[0] = plane[y];
    else
      transform().fwd(row.data(), plane + y * width_, static_cast<int>(width_));
    std::copy_n(row.begin(), columns(), spectrum + y * columns());
  }
  columns_of(spectrum, height_, columns(), false);
}

void PlaneSpectrum::synthesise(const Complex* spectrum, double* plane) const {
  std::vector<Complex> cells(spectrum, spectrum + this->cells());
  columns_of(cells.data(), height_, columns(), true);
  for (int64_t y = 0; y < height_; ++y)
    if (width_ == 1)
      plane[y] = cells[static_cast<size_t>(y)].real();
    else
      transform().inv(plane + y * width_, cells.data() + y * columns(), static_cast<Eigen::Index>(width_));
  const double scale = 1.0 / static_cast<double>(height_ * width_);
  for (int64_t i = 0; i < height_ * width_; ++i) plane[i] *= scale;
}

void PlaneSpectrum::pull(const double* gradient, Complex* spectrum) const {
  analyse(gradient, spectrum);
  const double scale = 1.0 / static_cast<double>(height_ * width_);
  for (int64_t u = 0; u < height_; ++u)
    for (int64_t k = 0; k < columns(); ++k) spectrum[u * columns() + k] *= times(k) * scale;
}

double PlaneSpectrum::frequency(int64_t u, int64_t k) const {
  const double fy = static_cast<double>(u <= height_ / 2 ? u : height_ - u) / static_cast<double>(height_);
  return std::hypot(fy, static_cast<double>(k) / static_cast<double>(width_));
}

}  // namespace loupe
