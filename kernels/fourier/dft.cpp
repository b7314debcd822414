#include "kernels/fourier/dft.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace loupe {

namespace {
// (cosine, −sine) of 2πk/n, from an angle that is at most π.
void add_root(std::vector<double>& to, int64_t k, int64_t n) {
  const double angle = 2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n);
  to.push_back(std::cos(angle));
  to.push_back(-std::sin(angle));
}

int64_t least_factor(int64_t n) {
  if (n % 4 == 0) return 4;
  for (int64_t p = 2; p * p <= n; ++p)
    if (n % p == 0) return p;
  return n;
}
}  // namespace

Dft::Dft(int64_t n) : n_(n) {
  for (int64_t left = n; left > 1;) {
    const int64_t radix = least_factor(left), rest = left / radix;
    Stage stage{.radix = radix, .rest = rest, .twist = {}, .roots = {}};
    for (int64_t p = 0; p < rest; ++p)
      for (int64_t u = 0; u < radix; ++u) add_root(stage.twist, p * u, left);
    for (int64_t t = 0; t < radix; ++t) add_root(stage.roots, t, radix);
    stages_.push_back(std::move(stage));
    left = rest;
  }
}

void Dft::transform(int64_t m, double* re, double* im, double* scratch) const {
  double *from[2] = {re, im}, *to[2] = {scratch, scratch + n_ * m};
  int64_t run = m;
  for (const Stage& stage : stages_) {
    cpu::dft_stage(stage, run, from[0], from[1], to[0], to[1]);
    std::swap(from, to);
    run *= stage.radix;
  }
  if (from[0] == re) return;
  std::copy_n(from[0], n_ * m, re);
  std::copy_n(from[1], n_ * m, im);
}

}  // namespace loupe
