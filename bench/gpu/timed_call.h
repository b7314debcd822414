// What gpu_kernels times: a kernel of a case over one set of operands on the device.
#pragma once
#include <list>
#include <memory>
#include <vector>

#include "bench/gpu/cases.h"
#include "bench/gpu/timer.h"
#include "kernels/common/ladder.h"

namespace loupe::bench {

/// Device memory with something in it, before what is queued later in the place's stream.
class Memory {
 public:
  Memory(const Place&, int64_t bytes);
  void* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }
  void zero() const;
  /// Uniform in [-1, 1): the values do not matter, but zeros would take less power and so run faster.
  void random() const;
  /// The same in bfloat16.
  void random_bf16() const;

 private:
  void fill(const std::vector<std::byte>& pattern) const;
  const Place& place_;
  int64_t bytes_;
  std::shared_ptr<void> data_;
};

/// A kernel of a case.
struct Subject {
  const KernelCase* test;
  Direction direction;
  const Rung* rung = nullptr;  // in the place of the op's own kernel
};

/// Products by our kernels, where cuBLAS is there too.
inline constexpr KernelOptions kOurs{.library_products = false};

/// All operands of a case, the op's parameters after the given ones.
std::vector<Type> operands_of(const KernelCase&);
std::vector<Shape> shapes_of(const std::vector<Type>&);
/// Of a rung; null where it has none.
Kernel kernel_of(const Rung&, Direction);

class TimedCall {
 public:
  TimedCall(const Place&, const Subject&);
  TimedCall(const TimedCall&) = delete;
  TimedCall& operator=(const TimedCall&) = delete;

  void operator()() const { call_.run(a_); }
  /// Every operand that is read, and every result.
  int64_t bytes() const { return bytes_; }

 private:
  void read_operands();
  void vjp(Direction, bool record);
  const Memory& memory(int64_t bytes) { return memory_.emplace_back(place_, bytes); }
  void* operand(const Array&);
  void* read_record(const Array&);
  void* result(const Array&);

  const Place& place_;
  const Op& op_;
  std::vector<Type> types_;
  std::vector<Shape> shapes_;
  Call call_;
  std::list<Memory> memory_;
  std::vector<Array> inputs_, outputs_, grad_outputs_;
  Arguments a_;
  int64_t bytes_ = 0;
};

}  // namespace loupe::bench
