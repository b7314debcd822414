// What the benches of kernels have in common: one direction of an op with memory of its own, and what it is
// measured against.
//
// `GFLOP/s` counts two operations for each multiply-accumulate; `of_peak` is its share of the fused
// multiply-adds that the same threads do from registers alone, measured at the start. `of_floor` is the share
// of the time that a call cannot do without: its multiply-accumulates at that peak, or every byte that it
// reads and writes once, at the speed of a copy between large arrays, whichever takes longer. Weights are
// packed beforehand, as in a plan.
#pragma once
#include <benchmark/benchmark.h>

#include <cstddef>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/common/op.h"

namespace loupe {

/// Defined by each *_bench.cpp.
void register_benches();

/// Operations a second of all threads together, two for a fused multiply-add.
double fma_peak();
/// Bytes a second that a copy reads and writes, both counted.
double copy_bandwidth();

/// Memory aligned to a cache line, as a plan's arena is.
class Buffer {
 public:
  explicit Buffer(int64_t bytes);
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_.get());
  }
  std::span<std::byte> span() const { return {data_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(std::byte*) const;
  };
  size_t bytes_;
  std::unique_ptr<std::byte, Free> data_;
};

/// One direction of an op on the cpu; its parameters follow the given operands.
class BenchCall {
 public:
  BenchCall(const OpPtr&, const std::vector<Shape>& given, Direction, const KernelOptions& = {});
  BenchCall(const BenchCall&) = delete;  // arguments point into it
  void operator()() const { call_.run(arguments_); }
  double macs() const { return macs_; }
  /// Seconds.
  double floor() const;

 private:
  Array make(Dtype dtype, const Shape& shape, Layout layout);

  OpPtr op_;
  Call call_;
  std::vector<Buffer> memory_;
  std::vector<Array> operands_;
  Arguments arguments_;
  double macs_ = 0, bytes_ = 0;
};

/// Runs the calls one after the other, and sets the counters.
void run(benchmark::State&, const std::list<BenchCall>&);
/// A bench for each of these directions, "<name>/forward".
void add_benches(const std::string& name, const OpPtr&, const std::vector<Shape>& given,
                 const std::vector<Direction>&, const KernelOptions& = {});

}  // namespace loupe
