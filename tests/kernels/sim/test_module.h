// The module of the simulator's own test kernels, and memory on it.
#pragma once
#include <span>
#include <vector>

#include "kernels/common/op.h"
#include "tests/support/device.h"

namespace loupe::test {

inline const DeviceModule& module() {
  if (!DeviceModule::status(Backend::sim).starts_with('/')) skip_without(Backend::sim);
  static const auto loaded = DeviceModule::load(Backend::sim, LOUPE_BINARY_DIR "/bin/libloupe_sim_tests.so");
  return *loaded;
}

/// Device memory with `values` in it.
template <typename T>
class Buffer {
 public:
  explicit Buffer(std::span<const T> values) : size_(values.size()) {
    p_ = static_cast<T*>(module().allocate(bytes()));
    module().upload(p_, values.data(), bytes());
    module().synchronize();  // other streams may read it
  }
  explicit Buffer(const std::vector<T>& values) : Buffer(std::span<const T>(values)) {}
  ~Buffer() { module().release(p_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  operator T*() const { return p_; }  // NOLINT: it stands for the pointer
  std::vector<T> read(void* stream = nullptr) const {
    std::vector<T> values(size_);
    module().download(values.data(), p_, bytes(), stream);
    return values;
  }

 private:
  int64_t bytes() const { return static_cast<int64_t>(size_ * sizeof(T)); }
  size_t size_;
  T* p_;
};

inline std::vector<float> ramp(size_t n, float start = 0, float step = 1) {
  std::vector<float> v(n);
  for (size_t i = 0; i < n; ++i) v[i] = start + step * static_cast<float>(i);
  return v;
}

}  // namespace loupe::test
