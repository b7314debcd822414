#include "engine/neurons/plane_spectrum.h"

#include <cmath>
#include <vector>

namespace loupe {

namespace {
using Complex = std::complex<double>;

// (rows, columns) of complex numbers, both parts apart, and room for their transform.
struct Cells {
  Cells(int64_t rows, int64_t columns)
      : numbers(static_cast<size_t>(4 * rows * columns)), re(numbers.data()), im(re + rows * columns) {}
  double* scratch() { return im + (im - re); }
  std::vector<double> numbers;
  double *re, *im;
};
}  // namespace

// Two rows of a plane, y and y + half, are one column of complex numbers z = a + ib; of their transforms A and B,
// Z(k) = A(k) + iB(k), and Z(−k) = A(k)* + iB(k)*.
void PlaneSpectrum::analyse(const double* plane, Complex* spectrum) const {
  const int64_t half = (height_ + 1) / 2;
  Cells rows(width_, half), cells(height_, columns());
  for (int64_t y = 0; y < half; ++y)
    for (int64_t x = 0; x < width_; ++x) {
      rows.re[x * half + y] = plane[y * width_ + x];
      rows.im[x * half + y] = y + half < height_ ? plane[(y + half) * width_ + x] : 0;
    }
  along_rows_.transform(half, rows.re, rows.im, rows.scratch());
  for (int64_t y = 0; y < half; ++y)
    for (int64_t k = 0; k < columns(); ++k) {
      const int64_t up = k * half + y, down = (width_ - k) % width_ * half + y, at = y * columns() + k;
      cells.re[at] = (rows.re[up] + rows.re[down]) / 2;
      cells.im[at] = (rows.im[up] - rows.im[down]) / 2;
      if (y + half == height_) continue;
      cells.re[at + half * columns()] = (rows.im[up] + rows.im[down]) / 2;
      cells.im[at + half * columns()] = (rows.re[down] - rows.re[up]) / 2;
    }
  along_columns_.transform(columns(), cells.re, cells.im, cells.scratch());
  for (int64_t i = 0; i < this->cells(); ++i) spectrum[i] = {cells.re[i], cells.im[i]};
}

void PlaneSpectrum::synthesise(const Complex* spectrum, double* plane) const {
  const int64_t half = (height_ + 1) / 2;
  Cells rows(width_, half), cells(height_, columns());
  for (int64_t i = 0; i < this->cells(); ++i)
    cells.re[i] = spectrum[i].real(), cells.im[i] = spectrum[i].imag();
  along_columns_.transform(columns(), cells.im, cells.re, cells.scratch());
  for (int64_t y = 0; y < half; ++y)
    for (int64_t k = 0; k < columns(); ++k) {
      const bool both = y + half < height_, real = times(k) == 1;
      const int64_t up = k * half + y, down = (width_ - k) % width_ * half + y, a = y * columns() + k,
                    b = a + half * columns();
      const double a_re = cells.re[a], a_im = real ? 0 : cells.im[a];
      const double b_re = both ? cells.re[b] : 0, b_im = both && !real ? cells.im[b] : 0;
      rows.re[down] = a_re + b_im, rows.im[down] = b_re - a_im;
      rows.re[up] = a_re - b_im, rows.im[up] = a_im + b_re;
    }
  along_rows_.transform(half, rows.im, rows.re, rows.scratch());
  const double scale = 1.0 / static_cast<double>(height_ * width_);
  for (int64_t y = 0; y < half; ++y)
    for (int64_t x = 0; x < width_; ++x) {
      plane[y * width_ + x] = rows.re[x * half + y] * scale;
      if (y + half < height_) plane[(y + half) * width_ + x] = rows.im[x * half + y] * scale;
    }
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
