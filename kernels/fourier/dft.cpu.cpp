// A stage of a transform: butterflies of runs of numbers, which compilers vectorise for each instruction set. No sum is
// contracted, so that all sets give the same bits. A stage reads and writes every number once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/fourier/dft.cpu.cpp"
#include <algorithm>

#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"
#include "kernels/fourier/dft.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other files' functions of the same name would merge with these

struct Run {  // numbers side by side
  const double *re, *im;
};
struct OutRun {
  double *re, *im;
};

// out = (re + i·im)·(c + i·s)
HWY_INLINE void put(double re, double im, double c, double s, double& out_re, double& out_im) {
  out_re = re * c - im * s;
  out_im = re * s + im * c;
}

void two(const Run* a, const OutRun* out, int64_t n, const double* w) {
  const double *ar = a[0].re, *ai = a[0].im, *br = a[1].re, *bi = a[1].im;
  double *HWY_RESTRICT o0r = out[0].re, *HWY_RESTRICT o0i = out[0].im;
  double *HWY_RESTRICT o1r = out[1].re, *HWY_RESTRICT o1i = out[1].im;
  const double c = w[2], s = w[3];
  for (int64_t i = 0; i < n; ++i) {
    o0r[i] = ar[i] + br[i], o0i[i] = ai[i] + bi[i];
    put(ar[i] - br[i], ai[i] - bi[i], c, s, o1r[i], o1i[i]);
  }
}

void four(const Run* a, const OutRun* out, int64_t n, const double* w) {
  const double *ar = a[0].re, *ai = a[0].im, *br = a[1].re, *bi = a[1].im;
  const double *cr = a[2].re, *ci = a[2].im, *dr = a[3].re, *di = a[3].im;
  double *HWY_RESTRICT o0r = out[0].re, *HWY_RESTRICT o0i = out[0].im;
  double *HWY_RESTRICT o1r = out[1].re, *HWY_RESTRICT o1i = out[1].im;
  double *HWY_RESTRICT o2r = out[2].re, *HWY_RESTRICT o2i = out[2].im;
  double *HWY_RESTRICT o3r = out[3].re, *HWY_RESTRICT o3i = out[3].im;
  for (int64_t i = 0; i < n; ++i) {
    const double even_r = ar[i] + cr[i], even_i = ai[i] + ci[i], odd_r = br[i] + dr[i], odd_i = bi[i] + di[i];
    const double up_r = ar[i] - cr[i], up_i = ai[i] - ci[i], down_r = br[i] - dr[i], down_i = bi[i] - di[i];
    o0r[i] = even_r + odd_r, o0i[i] = even_i + odd_i;
    put(up_r + down_i, up_i - down_r, w[2], w[3], o1r[i], o1i[i]);
    put(even_r - odd_r, even_i - odd_i, w[4], w[5], o2r[i], o2i[i]);
    put(up_r - down_i, up_i + down_r, w[6], w[7], o3r[i], o3i[i]);
  }
}

// An odd number of runs. Those t from either end belong together, S = a(t) + a(radix − t) and D = a(t) − a(radix − t):
//     X(±u) = a(0) + Σ_t S(t)·cos(2πtu/radix) ∓ i·Σ_t D(t)·sin(2πtu/radix),   t = 1 … radix/2
class Odd {
 public:
  Odd(int64_t radix, const double* roots)
      : radix_(radix), roots_(roots), pairs_(static_cast<size_t>(4 * (radix / 2) * kPiece)) {}
  void operator()(const Run* a, const OutRun* out, int64_t n, const double* w) {
    for (int64_t begin = 0; begin < n; begin += kPiece) piece(a, out, begin, std::min(kPiece, n - begin), w);
  }

 private:
  static constexpr int64_t kPiece = 64;
  void piece(const Run* a, const OutRun* out, int64_t begin, int64_t count, const double* w) {
    const double *first_re = a[0].re + begin, *first_im = a[0].im + begin;
    double all_re[kPiece], all_im[kPiece];
    for (int64_t i = 0; i < count; ++i) all_re[i] = first_re[i], all_im[i] = first_im[i];
    for (int64_t t = 1; t <= radix_ / 2; ++t) {
      double* HWY_RESTRICT pair = pairs_.data() + 4 * (t - 1) * kPiece;
      const double *ar = a[t].re + begin, *ai = a[t].im + begin;
      const double *br = a[radix_ - t].re + begin, *bi = a[radix_ - t].im + begin;
      for (int64_t i = 0; i < count; ++i) {
        pair[i] = ar[i] + br[i], pair[kPiece + i] = ai[i] + bi[i];
        pair[2 * kPiece + i] = ar[i] - br[i], pair[3 * kPiece + i] = ai[i] - bi[i];
        all_re[i] += pair[i], all_im[i] += pair[kPiece + i];
      }
    }
    for (int64_t i = 0; i < count; ++i)
      put(all_re[i], all_im[i], w[0], w[1], out[0].re[begin + i], out[0].im[begin + i]);
    for (int64_t u = 1; u <= radix_ / 2; ++u) two_ends(first_re, first_im, out, begin, count, u, w);
  }
  void two_ends(const double* first_re, const double* first_im, const OutRun* out, int64_t begin,
                int64_t count, int64_t u, const double* w) {
    double even_re[kPiece], even_im[kPiece], odd_re[kPiece] = {}, odd_im[kPiece] = {};
    for (int64_t i = 0; i < count; ++i) even_re[i] = first_re[i], even_im[i] = first_im[i];
    for (int64_t t = 1; t <= radix_ / 2; ++t) {
      const double* pair = pairs_.data() + 4 * (t - 1) * kPiece;
      const double c = roots_[2 * (t * u % radix_)], s = -roots_[2 * (t * u % radix_) + 1];
      for (int64_t i = 0; i < count; ++i) {
        even_re[i] += pair[i] * c, even_im[i] += pair[kPiece + i] * c;
        odd_re[i] += pair[2 * kPiece + i] * s, odd_im[i] += pair[3 * kPiece + i] * s;
      }
    }
    const int64_t v = radix_ - u;
    for (int64_t i = 0; i < count; ++i) {
      put(even_re[i] + odd_im[i], even_im[i] - odd_re[i], w[2 * u], w[2 * u + 1], out[u].re[begin + i],
          out[u].im[begin + i]);
      put(even_re[i] - odd_im[i], even_im[i] + odd_re[i], w[2 * v], w[2 * v + 1], out[v].re[begin + i],
          out[v].im[begin + i]);
    }
  }
  int64_t radix_;
  const double* roots_;
  std::vector<double> pairs_;
};

void stage(const Dft::Stage& s, int64_t run, const double* re, const double* im, double* out_re,
           double* out_im) {
  std::vector<Run> in(static_cast<size_t>(s.radix));
  std::vector<OutRun> out(in.size());
  Odd odd(s.radix, s.roots.data());
  for (int64_t p = 0; p < s.rest; ++p) {
    for (int64_t t = 0; t < s.radix; ++t) {
      const int64_t from = run * (p + t * s.rest), to = run * (s.radix * p + t);
      in[static_cast<size_t>(t)] = {re + from, im + from};
      out[static_cast<size_t>(t)] = {out_re + to, out_im + to};
    }
    const double* w = s.twist.data() + 2 * s.radix * p;
    if (s.radix == 2)
      two(in.data(), out.data(), run, w);
    else if (s.radix == 4)
      four(in.data(), out.data(), run, w);
    else
      odd(in.data(), out.data(), run, w);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
namespace {
HWY_EXPORT(stage);
}
void dft_stage(const Dft::Stage& s, int64_t run, const double* re, const double* im, double* out_re,
               double* out_im) {
  HWY_DYNAMIC_DISPATCH(stage)(s, run, re, im, out_re, out_im);
}
}  // namespace loupe::cpu
#endif
