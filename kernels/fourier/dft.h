// The discrete Fourier transform of many columns at once, in double, on the CPU:
//
//     X(k, j) = Σ_t x(t, j)·e^(−2πikt/n)        k, t = 0 … n − 1,  j = 0 … m − 1
//
// By Stockham's self-sorting form of Cooley & Tukey's ("An Algorithm for the Machine Calculation of Complex Fourier Series",
// 1965): a stage for each prime factor of n, two 2s as one 4, and each stage works on runs of whole columns, which fill
// vectors. A length that is a large prime takes n² multiplications.
#pragma once
#include <cstdint>
#include <vector>

namespace loupe {

class Dft {
 public:
  /// Length n, 1 or more.
  explicit Dft(int64_t n);
  int64_t length() const { return n_; }
  /// The columns of (n, m), real and imaginary parts apart, row-major, become their transforms. `scratch`: 2·n·m numbers.
  /// The inverse, n times, is the same with `re` and `im` exchanged. Threads may share one.
  void transform(int64_t m, double* re, double* im, double* scratch) const;

  /// n' = radix·rest falls to rest: out(radix·p + u) = w(p, u)·Σ_t in(p + t·rest)·e^(−2πitu/radix).
  struct Stage {
    int64_t radix, rest;
    std::vector<double> twist;  // w(p, u) = e^(−2πipu/n'): (rest, radix, cosine and −sine)
    std::vector<double> roots;  // e^(−2πit/radix): (radix, cosine and −sine)
  };

 private:
  int64_t n_;
  std::vector<Stage> stages_;
};

namespace cpu {
/// One stage, on runs of `run` numbers: in and out are (n', run).
void dft_stage(const Dft::Stage& stage, int64_t run, const double* re, const double* im, double* out_re,
               double* out_im);
}  // namespace cpu

}  // namespace loupe
