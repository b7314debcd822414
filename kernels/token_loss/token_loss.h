// token_loss: −log of the probability that scores z (logits) give to the token that is right, at each place of each
// sequence; cross_entropy with a number for a target rather than a row.
//
//   loss = −log_softmax(z)_t = (m − z_t) + log S          m = max_c z_c, S = Σ_c exp(z_c − m)
//   dL/dz_c = g (exp(z_c − m)/S − [c = t]),               g = dL/dloss
//
// Every exponent is at most 0 and S at least 1, so nothing overflows. A logit that is not finite makes its row's loss
// NaN or infinite. A token below 0 or beyond the vocabulary is an error on ref and cpu; on a device, which cannot say
// so, its loss is NaN, and so is dL/dz of its row.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// A graph node: inputs are the logits (…, vocabulary), of at least two dimensions, and the tokens that are right
/// (…), i32; the output is (…), each one's loss in nats.
OpPtr token_loss();

namespace ref {
/// z, gz: (rows, classes); t, loss, g: (rows).
template <typename T>
void token_loss(const T* z, const int32_t* t, T* loss, int64_t rows, int64_t classes);
template <typename T>
void token_loss_vjp(const T* z, const int32_t* t, const T* g, T* gz, int64_t rows, int64_t classes);
}  // namespace ref

namespace cpu {
void token_loss(const float* z, const int32_t* t, float* loss, int64_t rows, int64_t classes);
void token_loss_vjp(const float* z, const int32_t* t, const float* g, float* gz, int64_t rows,
                    int64_t classes);
}  // namespace cpu

namespace device {  // token_loss.cu
inline constexpr DeviceFunction<void(const float* z, const int32_t* t, float* loss, int64_t rows,
                                     int64_t classes)>
    token_loss{"token_loss"};
inline constexpr DeviceFunction<void(const float* z, const int32_t* t, const float* g, float* gz,
                                     int64_t rows, int64_t classes)>
    token_loss_vjp{"token_loss_vjp"};
}  // namespace device

}  // namespace loupe
