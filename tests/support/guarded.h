// Memory for one array of a kernel call between two walls of sentinel bytes.
#pragma once
#include <algorithm>
#include <cstring>
#include <memory>

#include "tests/support/op_call.h"

namespace loupe::test {

/// Aligned as an arena would align it. On a device it has a copy there: with its walls on cuda; on sim an
/// allocation of its own size, outside which any access is an error.
class Guarded {
 public:
  Guarded(std::string what, int64_t size, const Queue& queue)
      : what_(std::move(what)), size_(static_cast<size_t>(size)), queue_(queue) {
    memory_.resize(kAlign + 2 * kWall + size_);
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    start_ = (kAlign - address % kAlign) % kAlign + kWall;
    for (size_t i = 0; i < start_; ++i) memory_[i] = sentinel(i);
    for (size_t i = start_ + size_; i < memory_.size(); ++i) memory_[i] = sentinel(i);
    std::fill_n(data(), size_, sentinel(0));
    if (!queue_.module) return;
    wall_ = queue_.module == sim_module() ? 0 : kWall;
    device_.reset(static_cast<std::byte*>(queue_.module->allocate(size + 2 * static_cast<int64_t>(wall_))),
                  [module = queue_.module](std::byte* p) { module->release(p); });
  }
  Guarded(std::string what, const Stored& s, const Queue& queue)
      : Guarded(std::move(what), static_cast<int64_t>(s.bytes.size()), queue) {
    std::copy(s.bytes.begin(), s.bytes.end(), data());
    original_ = s.bytes;
  }
  std::byte* data() { return memory_.data() + start_; }
  /// What the kernel is given.
  void* address() { return device_ ? device_.get() + wall_ : data(); }
  void upload() const {
    if (device_)
      queue_.module->upload(device_.get(), memory_.data() + start_ - wall_,
                            static_cast<int64_t>(size_ + 2 * wall_), queue_.stream);
  }
  void download() {
    if (device_)
      queue_.module->download(memory_.data() + start_ - wall_, device_.get(),
                              static_cast<int64_t>(size_ + 2 * wall_), queue_.stream);
  }
  std::span<std::byte> bytes() { return {data(), size_}; }
  void fill(std::byte value) { std::fill_n(data(), size_, value); }
  /// This array is a result now, and may change.
  void release() { original_.clear(); }

  void check() const {
    for (size_t i = 0; i < memory_.size(); ++i) {
      if (i == start_) i += size_;
      if (i < memory_.size() && memory_[i] != sentinel(i)) {
        const bool before = i < start_;
        throw Violation("wrote " + std::to_string(before ? start_ - i : i - start_ - size_ + 1) +
                        " byte(s) " + (before ? "before " : "past the end of ") + what_);
      }
    }
    if (!original_.empty() && std::memcmp(original_.data(), memory_.data() + start_, size_) != 0)
      throw Violation("changed its operand " + what_);
  }

 private:
  static constexpr size_t kAlign = 64, kWall = 256;
  static std::byte sentinel(size_t i) { return static_cast<std::byte>(0xC3 ^ (i * 7)); }

  static const DeviceModule* sim_module() { return &DeviceModule::of(Backend::sim); }

  std::string what_;
  size_t size_, start_ = 0, wall_ = 0;
  Queue queue_;
  std::shared_ptr<std::byte> device_;
  std::vector<std::byte> memory_;
  std::vector<std::byte> original_;
};

}  // namespace loupe::test
