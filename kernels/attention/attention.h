// attention: scaled dot-product attention in several heads (Vaswani et al. 2017, "Attention Is All You Need",
// section 3.2). For an image n, a head h and a query i,
//
//   s_j = scale · Σ_c q_ic k_jc + bias_ij        over the keys j that i may see
//   P_j = exp(s_j) / Σ_k exp(s_k)                the pattern
//   y_i = Σ_j P_j v_j
//
// A masked key (by `causal` or by the padding mask) counts as s_j = −∞, and gets P_j = 0. Where every key of
// a query is masked, its pattern and its y are zero, and the query passes nothing back. A NaN makes every y
// that sees it NaN; what a masked key holds must be finite.
//
// The pattern is never stored whole: keys are taken in blocks, with a running maximum m and a running sum l
// of exp(s − m), what was added up before being scaled by exp(m_before − m) (Milakov & Gimelshein 2018; Dao
// et al. 2022, "FlashAttention"). The record is L_i = m + log l, 0 where all is masked. From it the vjps make
// the pattern anew, block by block (Dao et al. 2023, "FlashAttention-2", section 3.1.2), with g = dL/dy and
// g′ = dL/dP where the pattern is handed out:
//
//   P_ij = exp(s_ij − L_i)
//   D_i  = Σ_c g_ic y_ic + Σ_j P_ij g′_ij
//   E_ij = P_ij (Σ_c g_ic v_jc + g′_ij − D_i)    which is dL/ds
//   dL/dq_i = scale · Σ_j E_ij k_j    dL/dk_j = scale · Σ_i E_ij q_i
//   dL/dv_j = Σ_i P_ij g_i            dL/dbias_ij = E_ij
//
// with sums over all queries (and heads, where several share a key) in their order.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// With several queries to a key's head (grouped attention, Ainslie et al. 2023), head h uses key head
/// ⌊h · kv_heads / heads⌋.
struct Attention {
  int64_t heads = 1;
  int64_t kv_heads = 0;  // of keys and values, a divisor of heads; 0: as many as heads
  bool causal = false;   // query i sees the keys j ≤ i + Lk − Lq: the last query sees all
  double scale = 0;      // 0: 1/√d, d the width of a head
  bool bias = false;     // an operand is added to the scores
  bool padding = false;  // an operand says which keys there are
  bool pattern = false;  // the pattern is a second output
};

/// Graph node: q (N, Lq, heads·d), k and v (N, Lk, kv_heads·d), then, as configured, bias (four dimensions,
/// each 1 or that of (N, heads, Lq, Lk)) and padding (N, Lk) u8, 0 for keys that nobody sees. Outputs: y (N,
/// Lq, heads·d) and, as configured, the pattern (N, heads, Lq, Lk). On a device d is at most 256. Throws
/// UsageError for a configuration or shapes that do not fit.
OpPtr attention(Attention attributes);

/// A call's sizes, as kernels want them; plain data, as it crosses the border of a device's module.
struct AttentionSizes {
  int64_t n, heads, kv_heads, queries, keys, width;  // width: d
  bool causal;
  double scale;
  int64_t bias_size[4], bias_stride[4];  // by image, head, query and key; a stride is 0 where the size is 1

  constexpr int64_t group() const { return heads / kv_heads; }  // heads that share a key
  constexpr int64_t ahead() const {
    return keys - queries;
  }  // causal: query i sees the keys up to i + ahead()
};

/// q, k, v, bias (or null), padding (or null), planar.
template <typename T>
struct AttentionOperands {
  const T *q, *k, *v, *bias;
  const uint8_t* padding;
};

/// What a vjp reads besides: y and g of y's shape, g′ of the pattern's, L. g or g′ may be null: zero. y is
/// read with g.
template <typename T>
struct AttentionSignals {
  const T *y, *g, *g_pattern, *record;
};

namespace ref {
/// y, pattern and record may be null: not wanted.
template <typename T>
void attention(const AttentionSizes& a, const AttentionOperands<T>& o, T* y, T* pattern, T* record);
/// operand: 0 … 3, for q, k, v and bias.
template <typename T>
void attention_vjp(const AttentionSizes& a, const AttentionOperands<T>& o, const AttentionSignals<T>& s,
                   int operand, T* grad);
}  // namespace ref

namespace cpu {
/// Floats of workspace for either.
int64_t attention_workspace(const AttentionSizes& a);
void attention(const AttentionSizes& a, const AttentionOperands<float>& o, float* y, float* pattern,
               float* record, float* workspace);
/// Not for a bias that is the same for all keys; g is there for operand 2. So it is on a device.
void attention_vjp(const AttentionSizes& a, const AttentionOperands<float>& o,
                   const AttentionSignals<float>& s, int operand, float* grad, float* workspace);
}  // namespace cpu

namespace device {                               // attention.cu, attention_vjp.cu
inline constexpr int64_t kAttentionWidth = 256;  // the widest head

inline constexpr DeviceFunction<void(const AttentionSizes& a, const AttentionOperands<float>& o, float* y,
                                     float* pattern, float* record)>
    attention{"attention"};
/// `workspace`: a float for each image, head and query.
inline constexpr DeviceFunction<void(const AttentionSizes& a, const AttentionOperands<float>& o,
                                     const AttentionSignals<float>& s, int operand, float* grad,
                                     float* workspace)>
    attention_vjp{"attention_vjp"};
}  // namespace device

}  // namespace loupe
