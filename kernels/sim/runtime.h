// The host's side of the simulator: streams, launches, options.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "kernels/sim/block.h"

namespace loupe::sim {

/// What went wrong, in one line. Stays inside the module (device/export.h).
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& text, int outcome = 1) : std::runtime_error(text), kind(outcome) {}
  int kind;  // an Outcome::Kind
};

/// A kernel with its arguments, bound.
struct Body {
  virtual ~Body() = default;
  virtual void run() const = 0;
  virtual size_t bytes() const = 0;
};
template <typename F>
struct BodyOf final : Body {
  explicit BodyOf(F call) : call_(std::move(call)) {}
  void run() const override { call_(); }
  size_t bytes() const override { return sizeof *this; }

 private:
  F call_;
};

template <typename F>
std::shared_ptr<const Body> bind_kernel(F f) {
  return std::make_shared<const BodyOf<F>>(std::move(f));
}

struct KernelLaunch {
  Dim3 grid, block;
  size_t dynamic_shared;
  const void* kernel;  // its address, for its name
  std::shared_ptr<const Body> body;
};

/// Puts work at the end of a stream. It runs when something waits for it, and not before: a host that reads
/// too early reads old memory, as it may on a GPU.
void enqueue(void* stream, KernelLaunch launch);
void synchronize(void* stream);

struct Options {
  uint64_t seed = 1;                  // of the order in which threads run
  bool checks = true;                 // races, uninitialised shared memory, bounds
  int64_t memory = int64_t{8} << 30;  // bytes of device memory
};
Options& options();

}  // namespace loupe::sim
