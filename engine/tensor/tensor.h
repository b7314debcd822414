// Tensor: a typed, shaped, reference-counted array that a user holds. Always planar (row-major) and
// contiguous; slices of the first dimension and reshapes are views that share storage.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/common/array.h"
#include "kernels/common/op.h"

namespace loupe {

/// Where a computation runs.
struct Device {
  Backend backend = Backend::cpu;

  /// The fastest device of this machine that this build can use.
  static Device best();
  /// Textbook loops in double: the oracle.
  static Device ref() { return {Backend::ref}; }
  static Device cpu() { return {Backend::cpu}; }
  /// "cpu" → cpu. Throws UsageError for an unknown name, and for a device that this build cannot use.
  static Device parse(const std::string& name);
  std::string str() const { return std::string(backend_name(backend)); }
  /// The type that this device computes in: f64 on ref, f32 elsewhere.
  Dtype compute_dtype() const { return backend == Backend::ref ? Dtype::f64 : Dtype::f32; }
  friend bool operator==(const Device&, const Device&) = default;
};

/// Bytes of tensors and arenas that are alive now, and the most there were at once since reset_peak().
struct MemoryCount {
  int64_t now = 0, peak = 0;
};
MemoryCount memory_count();
void reset_memory_peak();

/// Reference-counted bytes, 64-byte aligned. Counted by memory_count(), except memory that belongs to
/// somebody else.
class Storage {
 public:
  /// Uninitialised memory. Throws Error if there is not enough.
  static std::shared_ptr<Storage> allocate(int64_t bytes);
  /// Memory kept alive by `owner` (a mapped file).
  static std::shared_ptr<Storage> borrow(std::byte* data, int64_t bytes, std::shared_ptr<const void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  /// Whose memory it is. cpu and ref share the host's, which counts as cpu.
  Device device() const { return Device::cpu(); }

 private:
  Storage(std::byte* data, int64_t bytes, std::shared_ptr<const void> owner)
      : data_(data), bytes_(bytes), owner_(std::move(owner)) {}
  std::byte* data_;
  int64_t bytes_;
  std::shared_ptr<const void> owner_;  // null: our own
};

class Tensor {
 public:
  Tensor() = default;
  /// Uninitialised.
  Tensor(Dtype dtype, Shape shape);
  Tensor(Dtype dtype, Shape shape, std::shared_ptr<Storage> storage, int64_t byte_offset = 0);
  static Tensor zeros(Dtype dtype, Shape shape);
  /// A copy of `values`, which has shape.numel() elements.
  static Tensor from(std::span<const float> values, Shape shape);
  static Tensor from(std::span<const double> values, Shape shape);
  static Tensor from(std::span<const uint8_t> values, Shape shape);

  bool defined() const { return storage_ != nullptr; }
  Dtype dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t numel() const { return shape_.numel(); }
  int64_t bytes() const { return numel() * dtype_bytes(dtype_); }
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  Device device() const { return storage_->device(); }

  /// The elements; throws Error if T is not the tensor's type. Writing through a view writes the shared
  /// storage.
  template <typename T>
  std::span<T> values() const {
    check_type(dtype_of<T>());
    return {reinterpret_cast<T*>(raw()), static_cast<size_t>(numel())};
  }
  std::byte* raw() const { return storage_->data() + offset_; }
  /// Element `i` of the flattened tensor as a double, whatever the type.
  double item(int64_t i = 0) const;
  Array array() const { return {raw(), dtype_, shape_, Layout::planar}; }

  /// Rows [begin, end) of the first dimension; a view.
  Tensor slice(int64_t begin, int64_t end) const;
  /// Row `i` without the first dimension; a view.
  Tensor row(int64_t i) const;
  /// Same elements, another shape; a view. Throws Error if the counts differ.
  Tensor reshape(Shape shape) const;
  /// Another element type: a copy, or a view if it is the same type.
  Tensor to(Dtype dtype) const;
  Tensor clone() const;

 private:
  template <typename T>
  static constexpr Dtype dtype_of();
  void check_type(Dtype wanted) const;

  Dtype dtype_ = Dtype::f32;
  Shape shape_;
  std::shared_ptr<Storage> storage_;
  int64_t offset_ = 0;  // bytes
};

template <typename T>
constexpr Dtype Tensor::dtype_of() {
  using U = std::remove_const_t<T>;
  if constexpr (std::is_same_v<U, float>)
    return Dtype::f32;
  else if constexpr (std::is_same_v<U, double>)
    return Dtype::f64;
  else if constexpr (std::is_same_v<U, int32_t>)
    return Dtype::i32;
  else {
    static_assert(std::is_same_v<U, uint8_t>, "a Tensor holds float, double, int32_t or uint8_t");
    return Dtype::u8;
  }
}

/// Tensors of shape (1, …) or (n, …) joined along the first dimension; a copy.
Tensor stack_rows(std::span<const Tensor> tensors);

}  // namespace loupe
