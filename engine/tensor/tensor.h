// Tensor: a typed, shaped, reference-counted array that a user holds. Always in the host's memory, planar
// (row-major) and contiguous; slices of the first dimension and reshapes are views that share storage.
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
  int index = 0;  // of several GPUs, as CUDA counts them

  /// cuda where its module and the driver of a GPU are installed, else cpu. Looks for two files; loads no
  /// module and asks no device.
  static Device best();
  /// Textbook loops in double: the oracle.
  static Device ref() { return {Backend::ref}; }
  static Device cpu() { return {Backend::cpu}; }
  static Device cuda() { return {Backend::cuda}; }
  static Device sim() { return {Backend::sim}; }
  /// "cpu" → cpu, "cuda:1" → the second GPU. Throws UsageError for an unknown name. Whether the device is there
  /// shows where it is used.
  static Device parse(const std::string& name);
  /// What runs the kernels of cuda and sim, loaded on first use; null for ref and cpu, which need none.
  /// Throws Error, one line, where this build or this machine lacks the device.
  const DeviceModule* module() const;
  /// "cuda", "cuda:1".
  std::string str() const {
    return std::string(backend_name(backend)) + (index ? ":" + std::to_string(index) : "");
  }
  /// The type that this device computes in: f64 on ref, f32 elsewhere.
  Dtype compute_dtype() const { return backend == Backend::ref ? Dtype::f64 : Dtype::f32; }
  friend bool operator==(const Device&, const Device&) = default;
};

/// Bytes of tensors, weights and arenas that are alive now in the memory of a device, and the most there were
/// at once since reset_memory_peak(). ref and cpu share the host's memory; GPUs are counted together.
struct MemoryCount {
  int64_t now = 0, peak = 0;
};
MemoryCount memory_count(Device device = Device::cpu());
/// Of every memory.
void reset_memory_peak();

/// Reference-counted bytes of the host or of a device, 64-byte aligned. Counted by memory_count(), except
/// memory that belongs to somebody else.
class Storage {
 public:
  /// Uninitialised memory. Throws Error if there is not enough, of a device DeviceOutOfMemory.
  static std::shared_ptr<Storage> allocate(int64_t bytes, Device device = Device::cpu());
  /// Memory kept alive by `owner` (a mapped file).
  static std::shared_ptr<Storage> borrow(std::byte* data, int64_t bytes, std::shared_ptr<const void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  /// An address of the device: only its kernels, and upload and download of its module, read what is there.
  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  /// Whose memory it is; the host's counts as cpu.
  Device device() const { return device_; }

 private:
  Storage(std::byte* data, int64_t bytes, Device device, std::shared_ptr<const void> owner)
      : data_(data), bytes_(bytes), device_(device), owner_(std::move(owner)) {}
  std::byte* data_;
  int64_t bytes_;
  Device device_;
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
