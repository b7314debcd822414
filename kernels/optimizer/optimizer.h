// The step of an optimiser over one parameter, and sums of squares for norms. These are no ops: a graph has
// none of them, and an array is planar on every backend.
//
//   sgd    d = s·g + λ·w            v ← μ·v + d            w ← w − r·v       (Nesterov: w ← w − r·(d + μ·v))
//   adamw  m ← β₁·m + (1 − β₁)·s·g  v ← β₂·v + (1 − β₂)·(s·g)²
//          w ← w − r·(λ·w + m̂ / (√v̂ + ε))                 m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
//
// with the rate r, the decay λ, the number of the step t = 1, 2, …, and s, whatever the gradient has to be
// multiplied with first: 1/batch, and the factor that clips its norm. sgd is PyTorch's rule (its decay enters
// the velocity); adamw is Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, with ε outside the
// root as in PyTorch. The state (v; m and v) begins as zeros.
//
// Every operation of a float32 step is rounded by itself, so every backend leaves the same bits in w and in
// the state. Sums of squares are in double; their order follows from n alone, but differs from backend to
// backend.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

struct SgdSettings {
  double rate = 0;
  double momentum = 0;      // μ
  double weight_decay = 0;  // λ
  bool nesterov = false;
};

struct AdamwSettings {
  double rate = 0;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;  // λ
};

/// What a step tells about itself, from the numbers it has at hand. ‖Δw‖/‖w‖ is √(squares[0]/squares[1]).
struct StepNorms {
  double* squares =
      nullptr;  // two numbers in the backend's memory: Σ(Δw)², and Σw² after the step; null: none
  void* workspace = nullptr;  // a device: kNormWorkspaceBytes of its memory; calls of one queue may share it
};
inline constexpr int64_t kNormWorkspaceBytes = int64_t{2} * 1024 * 8;

/// w, g, v: planar arrays of one shape and type, f32 (ref: or f64), in the backend's memory; w and v are
/// changed. Δw is what w has really moved by, roundings included. On a device the work is queued. Throws
/// UsageError for a setting that makes no sense, naming it.
void sgd_step(Backend, const Queue&, const SgdSettings&, double scale, const Array& w, const Array& g,
              const Array& v, const StepNorms& = {});
/// The same; m and v are the state, `step` counts from 1.
void adamw_step(Backend, const Queue&, const AdamwSettings&, int64_t step, double scale, const Array& w,
                const Array& g, const Array& m, const Array& v, const StepNorms& = {});
/// *sum = Σx², `sum` in the backend's memory. NaN if x has one, and nothing overflows in float32. `workspace`
/// as in StepNorms.
void sum_of_squares(Backend, const Queue&, const Array& x, double* sum, void* workspace = nullptr);

// ---- what kernels are given: the settings of one step, in the arithmetic's own type

template <typename T>
struct SgdFactors {
  T scale, rate, momentum, decay;
  bool nesterov;
};
template <typename T>
struct AdamwFactors {
  T scale;
  T beta1, rest1, beta2, rest2;  // rest: 1 − β
  T decay;                       // r·λ
  T step;                        // r / (1 − β₁ᵗ)
  T root;                        // 1 / √(1 − β₂ᵗ)
  T eps;
};

namespace ref {
/// w, g, v: n elements. squares: two numbers or null.
template <typename T>
void sgd_step(SgdFactors<T> f, int64_t n, T* w, const T* g, T* v, double* squares);
template <typename T>
void adamw_step(AdamwFactors<T> f, int64_t n, T* w, const T* g, T* m, T* v, double* squares);
template <typename T>
double sum_of_squares(int64_t n, const T* x);
}  // namespace ref

namespace cpu {
void sgd_step(SgdFactors<float> f, int64_t n, float* w, const float* g, float* v, double* squares);
void adamw_step(AdamwFactors<float> f, int64_t n, float* w, const float* g, float* m, float* v,
                double* squares);
double sum_of_squares(int64_t n, const float* x);
}  // namespace cpu

namespace device {  // optimizer.cu; `partial` is the workspace
inline constexpr DeviceFunction<void(SgdFactors<float> f, int64_t n, float* w, const float* g, float* v,
                                     double* squares, double* partial)>
    sgd_step{"sgd_step"};
inline constexpr DeviceFunction<void(AdamwFactors<float> f, int64_t n, float* w, const float* g, float* m,
                                     float* v, double* squares, double* partial)>
    adamw_step{"adamw_step"};
inline constexpr DeviceFunction<void(int64_t n, const float* x, double* sum, double* partial)> sum_of_squares{
    "sum_of_squares"};
}  // namespace device

}  // namespace loupe
