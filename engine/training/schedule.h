// The learning rate over the steps of a training.
#pragma once
#include <cstdint>

namespace loupe {

/// The learning rate of `step`, counted from 0, of `steps`. It rises linearly over `warmup` steps,
///
///   rate · (step + 1)/warmup,     so that the first step moves, and the last of the warm-up has all of `rate`,
///
/// and falls from there, step p = max(warmup, 1) − 1, along half a cosine (Loshchilov & Hutter 2017, SGDR) to
/// final_fraction·rate at the last step:
///
///   rate · (f + (1 − f)·(1 + cos(π·x))/2),      x = (step − p)/(steps − 1 − p), f = final_fraction
///
/// Throws UsageError unless the rate is finite and not negative, 0 ≤ step < steps, 0 ≤ warmup ≤ steps and
/// 0 ≤ final_fraction ≤ 1.
double learning_rate(double rate, int64_t step, int64_t steps, int64_t warmup, double final_fraction);

}  // namespace loupe
