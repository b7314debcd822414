// Attention of opsets 23 to 25, as products, a softmax and masks:
//   Y = softmax(softcap(scale·Q Kᵀ) + mask) V,  for each head; several heads of queries may share one of keys.
#include <cmath>

#include "kernels/concat/concat.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/matmul/matmul.h"
#include "kernels/reduce/reduce.h"
#include "kernels/softmax/softmax.h"
#include "models/io/onnx/steps.h"

namespace loupe {
namespace {

using namespace onnx;

// x with the dims that `dims` makes of its shape.
template <typename DimsOf>
Value reshaped_by(NodeImport& n, const std::string& name, const Value& x, const DimsOf& dims) {
  return n.reshape(name, x, dims(x.shape), dims(x.shape2));
}

// (N, S, heads·E) as (N, heads, S, E); what has four dimensions is so already.
Value heads_of(NodeImport& n, size_t k, const std::string& name, const char* attribute) {
  const Value x = computed(n, k);
  if (x.shape.rank() == 4) return x;
  const int64_t heads = n.i(attribute, 0);
  if (x.shape.rank() != 3 || heads < 1 || x.shape[2] % heads)
    throw Error(std::string(attribute) + " does not fit " + x.shape.str());
  const Value split = reshaped_by(n, name + ".split", x, [&](const Shape& s) {
    return Dims{s[0], s[1], heads, s[2] / heads};
  });
  return n.transpose(name + ".heads", split, {0, 2, 1, 3});
}

struct Sizes {
  int64_t images, heads, shared, queries, keys;  // `shared`: queries' heads for each of keys
};

// What is known of the mask before the run: which keys a query sees at all, and what is added to its scores.
struct Mask {
  Shape shape;         // (N or 1, heads or 1, queries, keys)
  Tensor bias;         // −∞ where a key is not seen
  Tensor rows;         // (…, queries, 1): 1 where a query sees any
  bool blind = false;  // one that sees none
};

Mask known_mask(NodeImport& n, const Sizes& s) {
  const bool masked = n.has(3) && n.known(3), causal = n.i("is_causal", 0) != 0;
  const Constant* given = masked ? n.value(3).constant.get() : nullptr;
  const Dims lengths = n.has(6) ? n.integers(6) : Dims{};
  const int64_t left = n.i("left_window_size", -1), right = n.i("right_window_size", -1);
  const int64_t past = n.has(4) && n.shape(4).rank() == 4 ? n.shape(4)[2] : 0;
  const auto size = [&](int from_end) {
    return given && given->shape.rank() >= from_end ? given->shape[given->shape.rank() - from_end] : 1;
  };
  Mask m;
  m.shape = Shape{lengths.empty() ? size(4) : s.images, size(3), s.queries, s.keys};
  const auto fits = [](int64_t at, int64_t of) { return at == 1 || at == of; };
  const bool good =
      !given || (given->shape.rank() <= 4 && fits(size(4), s.images) && fits(size(3), s.heads * s.shared) &&
                 fits(size(2), s.queries) && size(1) <= s.keys);
  if (!good) throw Error("its mask " + given->shape.str() + " does not fit");
  if (!lengths.empty() && std::ssize(lengths) != s.images) throw Error("its lengths are not one an image");
  expect_room(n, m.shape);
  m.bias = Tensor(Dtype::f32, m.shape);
  m.rows = Tensor(Dtype::f32, m.shape.with(3, 1));
  const auto bias_of = [&](int64_t image, int64_t head, int64_t i, int64_t j) -> double {
    const int64_t length = lengths.empty() ? s.keys : lengths[static_cast<size_t>(image)];
    const int64_t offset = lengths.empty() ? past : length - s.queries;
    const int64_t here = i + offset;  // the query's place among the keys
    if (j >= length || (causal && j > here)) return -HUGE_VAL;
    if ((left >= 0 && j < here - left) || (right >= 0 && j > here + right)) return -HUGE_VAL;
    if (!given) return 0;
    if (j >= size(1) && size(1) != 1) return -HUGE_VAL;  // a mask may end before the keys do
    const auto in = [](int64_t at, int64_t of) { return of == 1 ? 0 : at; };
    const int64_t at =
        ((in(image, size(4)) * size(3) + in(head, size(3))) * size(2) + in(i, size(2))) * size(1) +
        in(j, size(1));
    if (given->type == ElementType::boolean) return given->integer(at) ? 0 : -HUGE_VAL;
    return given->real(at);
  };
  for (int64_t at = 0, row = 0; row < m.rows.numel(); ++row) {
    bool any = false;
    for (int64_t j = 0; j < s.keys; ++j, ++at) {
      const int64_t i = row % s.queries, head = row / s.queries % m.shape[1],
                    image = row / s.queries / m.shape[1];
      const double bias = bias_of(image, head, i, j);
      any |= bias > -HUGE_VAL;
      m.bias.values<float>()[static_cast<size_t>(at)] = static_cast<float>(bias);
    }
    m.rows.values<float>()[static_cast<size_t>(row)] = any ? 1 : 0;
    m.blind |= !any;
  }
  return m;
}

// Beside scores (N, heads, shared, S, T) a mask of all heads is (N, heads, shared, S, T), too.
Shape beside(const Shape& mask, const Sizes& s) {
  if (s.shared == 1 || mask.rank() < 3) return mask;
  const int64_t heads = mask[mask.rank() - 3];
  Dims dims = dims_of(mask);
  dims[dims.size() - 3] = heads == 1 ? 1 : s.heads;
  dims.insert(dims.end() - 2, heads == 1 ? 1 : s.shared);
  return shape_of(dims);
}

// softmax of scores + mask; a query that sees no key gives zeros. `sums` is what the softmax is of.
Value probabilities(NodeImport& n, Value scores, const Sizes& s, Value& sums) {
  sums = scores;
  const int last = scores.shape.rank() - 1;
  if (n.has(3) && !n.known(3)) {
    Value bias = n.value(3);
    if (!is_real(bias.type)) n.unsupported("with a mask of booleans that is computed in a run");
    if (bias.shape.rank() == 0 || bias.shape.back() != s.keys)
      n.unsupported("with a mask that ends before its keys do");
    if (beside(bias.shape, s) != bias.shape)
      bias = n.reshape("mask", bias, dims_of(beside(bias.shape, s)), dims_of(beside(bias.shape2, s)));
    sums = scores = n.add("biased", add(), {scores.port, bias.port});
  }
  const bool window = n.i("left_window_size", -1) >= 0 || n.i("right_window_size", -1) >= 0;
  const bool plain = !n.i("is_causal", 0) && !window && !n.has(6) && !n.known(3);
  if (plain && !n.has(3)) return n.add("pattern", softmax(last), {scores.port});
  const Mask m = known_mask(n, s);
  const Shape shape = beside(m.shape, s);
  if (!plain) {
    sums = n.add("masked", add(), {scores.port, n.constant("bias", m.bias.reshape(shape))});
    Tensor seen = m.bias.clone();  // queries that see no key look at all of them here
    for (int64_t i = 0; i < seen.numel(); ++i)
      if (m.rows.item(i / s.keys) == 0) seen.values<float>()[static_cast<size_t>(i)] = 0;
    scores =
        m.blind ? n.add("seen", add(), {scores.port, n.constant("seen_bias", seen.reshape(shape))}) : sums;
  }
  Value p = n.add("softmax", softmax(last), {scores.port});
  if (m.blind)
    p = n.add("pattern", keep(),
              {p.port, n.constant("rows", m.rows.reshape(shape.with(shape.rank() - 1, 1)))});
  if (!n.has(3) || n.known(3)) return p;
  const Value most =
      n.add("most", reduce({.kind = Reduce::Kind::max, .axes = {last}, .keep = true}), {sums.port});
  const Value any = n.add("any", less(), {number(n, "none", -3e38), most.port});
  return n.add("seen_pattern", keep(), {p.port, any.port});
}

void attention_node(NodeImport& n) {
  const Value q = heads_of(n, 0, "q", "q_num_heads");
  Value k = heads_of(n, 1, "k", "kv_num_heads"), v = heads_of(n, 2, "v", "kv_num_heads");
  if (n.has(4) != n.has(5)) throw Error("it has only one of past keys and values");
  if (n.has(4)) {
    k = n.add("present_key", concat(2), {n.port(4), k.port});
    v = n.add("present_value", concat(2), {n.port(5), v.port});
  }
  if (n.wants_output(1)) n.output(1, k);
  if (n.wants_output(2)) n.output(2, v);
  if (q.shape[1] % k.shape[1]) throw Error("its heads of queries are no multiple of those of keys");
  const Sizes s{q.shape[0], k.shape[1], q.shape[1] / k.shape[1], q.shape[2], k.shape[2]};
  const double scale = n.f("scale", 1 / std::sqrt(static_cast<double>(q.shape[3])));
  const auto grouped = [&](const char* name, const Value& x, int64_t shared) {
    if (s.shared == 1) return x;
    return reshaped_by(n, name, x, [&](const Shape& of) {
      return Dims{of[0], s.heads, shared, of[2], of[3]};
    });
  };
  const auto whole = [&](const std::string& name, const Value& x) {
    if (s.shared == 1) return x;
    return reshaped_by(n, name, x, [&](const Shape& of) { return Dims{of[0], of[1] * of[2], of[3], of[4]}; });
  };
  const Value scaled = n.add("scaled", mul(), {q.port, number(n, "scale", scale)});
  const Value qk = n.add("scores", matmul({.transpose_b = true}),
                         {grouped("q.groups", scaled, s.shared).port, grouped("k.groups", k, 1).port});
  Value capped = qk;
  if (const double cap = n.f("softcap", 0); cap != 0) {
    const Value share = n.add("share", mul(), {qk.port, number(n, "inverse_cap", 1 / cap)});
    const Value bent = n.add("tanh", function_op("tanh"), {share.port});
    capped = n.add("capped", mul(), {bent.port, number(n, "cap", cap)});
  }
  Value sums;
  const Value p = probabilities(n, capped, s, sums);
  const Value y = whole("heads", n.add("values", matmul(), {p.port, grouped("v.groups", v, 1).port}));
  if (n.wants_output(3)) {
    const int64_t mode = n.i("qk_matmul_output_mode", 0);
    n.output(3, whole("qk", mode == 0 ? qk : mode == 1 ? capped : mode == 2 ? sums : p));
  }
  if (n.shape(0).rank() == 4) return n.output(0, y);
  const Value rows = n.transpose("rows", y, {0, 2, 1, 3});
  n.output(0, reshaped_by(n, "", rows, [](const Shape& of) { return Dims{of[0], of[1], of[2] * of[3]}; }));
}

}  // namespace

extern const OnnxGroup attention_onnx;
const OnnxGroup attention_onnx{{
    {"Attention", attention_node},
}};

}  // namespace loupe
