#include "models/io/onnx/constant.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/common/error.h"
#include "models/io/safetensors_header.h"  // in_quotes
#include "models/io/stored_tensor.h"

namespace loupe::onnx {

namespace {

struct TypeRow {
  ElementType type;
  std::string_view name;
  std::string_view stored;  // as stored_tensor() calls it; empty: read here
  int64_t bytes;
};
constexpr std::array kTypes{
    TypeRow{ElementType::f32, "float", "F32", 4},   TypeRow{ElementType::f64, "double", "F64", 8},
    TypeRow{ElementType::f16, "float16", "F16", 2}, TypeRow{ElementType::bf16, "bfloat16", "BF16", 2},
    TypeRow{ElementType::u8, "uint8", "", 1},       TypeRow{ElementType::i8, "int8", "", 1},
    TypeRow{ElementType::u16, "uint16", "", 2},     TypeRow{ElementType::i16, "int16", "", 2},
    TypeRow{ElementType::u32, "uint32", "", 4},     TypeRow{ElementType::i32, "int32", "", 4},
    TypeRow{ElementType::u64, "uint64", "", 8},     TypeRow{ElementType::i64, "int64", "", 8},
    TypeRow{ElementType::boolean, "bool", "", 1},
};

const TypeRow* find(ElementType type) {
  const auto row = std::ranges::find(kTypes, type, &TypeRow::type);
  return row == kTypes.end() ? nullptr : &*row;
}

template <typename T>
std::vector<int64_t> whole(std::span<const std::byte> raw) {
  std::vector<int64_t> values(raw.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<int64_t>(value);
  }
  return values;
}

std::vector<int64_t> whole(ElementType type, std::span<const std::byte> raw) {
  switch (type) {
    case ElementType::u8:
    case ElementType::boolean:
      return whole<uint8_t>(raw);
    case ElementType::i8:
      return whole<int8_t>(raw);
    case ElementType::u16:
      return whole<uint16_t>(raw);
    case ElementType::i16:
      return whole<int16_t>(raw);
    case ElementType::u32:
      return whole<uint32_t>(raw);
    case ElementType::i32:
      return whole<int32_t>(raw);
    default:
      return whole<int64_t>(raw);  // uint64 beyond 2⁶³ wrap around
  }
}

// Of what is not stored raw: halves as their bits in int32_data, floats as they are.
Tensor typed_reals(const TensorProto& t, const Shape& shape, const std::string& what) {
  if (t.type == ElementType::f32) return Tensor::from(std::span(t.floats), shape);
  if (t.type == ElementType::f64) return Tensor::from(std::span(t.doubles), shape);
  std::vector<uint16_t> bits;
  for (const int64_t i : t.integers) bits.push_back(static_cast<uint16_t>(i));
  return stored_tensor({std::string(find(t.type)->stored), shape}, std::as_bytes(std::span(bits)), nullptr,
                       what);
}

}  // namespace

std::string type_name(ElementType type) {
  const TypeRow* row = find(type);
  return row ? std::string(row->name) : "type " + std::to_string(static_cast<int32_t>(type));
}

bool is_onnx_path(const std::string& path) {
  std::string end = path.size() < 5 ? "" : path.substr(path.size() - 5);
  for (char& c : end) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return end == ".onnx";
}

bool is_real(ElementType type) {
  return type == ElementType::f32 || type == ElementType::f64 || type == ElementType::f16 ||
         type == ElementType::bf16;
}

int64_t Constant::integer(int64_t i) const {
  if (!is_real()) return integers[static_cast<size_t>(i)];
  const double x = reals.item(i);
  if (std::isnan(x)) return 0;
  return static_cast<int64_t>(std::clamp(x, -9.2e18, 9.2e18));
}

Tensor Constant::tensor() const {
  if (is_real()) return reals;
  Tensor t(Dtype::f32, shape);
  std::ranges::transform(integers, t.values<float>().begin(),
                         [](int64_t i) { return static_cast<float>(i); });
  return t;
}

Constant decode(const TensorProto& t, const std::string& file) {
  const std::string what = "'" + file + "': tensor " + safetensors::in_quotes(t.name);
  const TypeRow* row = find(t.type);
  if (!row) throw Error(what + " is of " + type_name(t.type) + ", which Loupe does not read");
  Constant c{.type = t.type};
  try {
    c.shape = Shape(std::span<const int64_t>(t.dims));
  } catch (const Error& e) {
    throw Error(what + ": " + e.what());
  }
  const size_t count = static_cast<size_t>(c.numel());
  const size_t found = t.has_raw                    ? t.raw.size() / static_cast<size_t>(row->bytes)
                       : t.type == ElementType::f32 ? t.floats.size()
                       : t.type == ElementType::f64 ? t.doubles.size()
                                                    : t.integers.size();
  if (found != count || (t.has_raw && t.raw.size() % static_cast<size_t>(row->bytes)))
    throw Error(what + " has shape " + c.shape.str() + ", but " + std::to_string(found) + " values");
  if (c.is_real())
    c.reals = t.has_raw ? stored_tensor({std::string(row->stored), c.shape}, t.raw, t.owner, what)
                        : typed_reals(t, c.shape, what);
  else
    c.integers = t.has_raw ? whole(t.type, t.raw) : t.integers;
  return c;
}

namespace {

// The nearest number of so many binary digits, of even ones where two are as near; `least`: the exponent below
// which digits are lost.
double rounded(double v, int digits, int least, double largest) {
  if (v == 0 || !std::isfinite(v)) return v;
  const int shift = digits - 1 - std::max(std::ilogb(v), least);
  const double r = std::ldexp(std::nearbyint(std::ldexp(v, shift)), -shift);
  return std::abs(r) > largest ? std::copysign(HUGE_VAL, v) : r;
}

}  // namespace

Constant make_constant(ElementType type, const Shape& shape, const std::vector<double>& values) {
  Constant c{.type = type, .shape = shape};
  if (!is_real(type)) {
    for (const double v : values)
      c.integers.push_back(std::isnan(v) ? 0 : static_cast<int64_t>(std::clamp(v, -9.2e18, 9.2e18)));
    return c;
  }
  std::vector<double> short_ones;
  if (type == ElementType::f16 || type == ElementType::bf16)
    for (const double v : values)
      short_ones.push_back(type == ElementType::f16 ? rounded(v, 11, -14, 65504)
                                                    : rounded(v, 8, -126, 0x1.fep127));
  c.reals = Tensor::from(std::span(short_ones.empty() ? values : short_ones), shape);
  if (type != ElementType::f64) c.reals = c.reals.to(Dtype::f32);
  return c;
}

Constant make_integers(const Shape& shape, std::vector<int64_t> values, ElementType type) {
  return {.type = type, .shape = shape, .integers = std::move(values)};
}

Constant make_reals(Tensor values) {
  const ElementType type = values.dtype() == Dtype::f64 ? ElementType::f64 : ElementType::f32;
  const Shape shape = values.shape();
  return {.type = type, .shape = shape, .reals = std::move(values)};
}

}  // namespace loupe::onnx
