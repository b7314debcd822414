// Who else computes a case of gpu_kernels, and in what arithmetic.
#pragma once
#include <list>
#include <span>

#include "bench/gpu/timed_call.h"
#include "kernels/common/library_style.h"

namespace loupe::bench {

struct Rival {
  const char* name;  // with the precision and the layout, so that nobody mistakes what was compared
  LibraryStyle style;
};

/// Of a case: those of cuDNN for convolutions, those of cuBLAS for linear layers, without a bias; empty where
/// there is none.
std::span<const Rival> rivals_of(const KernelCase&, Direction);

/// The library's call over operands in its own type and layout. The values are drawn in them, so nothing is
/// converted while the time runs.
class RivalCall {
 public:
  RivalCall(const Place&, const KernelCase&, Direction, const Rival&);
  RivalCall(const RivalCall&) = delete;
  RivalCall& operator=(const RivalCall&) = delete;

  void operator()() const { run_(); }
  int64_t bytes() const { return bytes_; }

 private:
  const Memory& memory(const Place&, int64_t elements, LibraryMath, bool read);
  std::list<Memory> memory_;
  std::function<void()> run_;
  int64_t bytes_ = 0;
};

}  // namespace loupe::bench
