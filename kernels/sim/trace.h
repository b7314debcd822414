// Counts the memory traffic of kernels as they run in the simulator: for each source line the requests of a
// warp, the 32-byte sectors of global memory or the cycles of shared memory that they take, and how few would
// do.
//
// A request is one instruction of one warp. Which lanes execute it together is worked out at the end of a
// block from the ways that they took through the code: where lanes part, each way is gone by itself, up to the
// first piece of code that all ways lead to, and there they go on together. lockstep.h has the whole rule, and
// says where it is approximate. What a request costs is in cost.h. The counts are of what kernels ask for; a GPU's caches may
// spare some of the bytes.
#pragma once
#include <memory>
#include <string>

#include "kernels/sim/observer.h"

namespace loupe::sim {

class Tracer : public Observer {
 public:
  Tracer();
  ~Tracer() override;
  void begin_launch(const std::string& kernel, const std::string& grid, const std::string& block) override;
  void begin_block(uint64_t block, uint32_t threads) override;
  void enter_code(const void* pc, uint32_t thread) override;
  void access(const Access&) override;
  void end_block() override;
  /// JSON: {"launches": [{"kernel", "grid", "block", "blocks", "lines": [{"file", "line", "space", "write",
  /// "bytes_each", "requests", "lanes", "bytes", "sectors" (global) or "wavefronts" and "lanes_at_once" of
  /// the example (shared), "ideal", "example"}], "global": {"read_bytes", "written_bytes",
  /// "unique_read_bytes", "unique_written_bytes", "l1_cycles"}, "shared": {…}}]}. `lanes` counts those that
  /// take part, `bytes` those that are asked for: a copy that is filled with zeros asks for none. `example`
  /// is the warp that was worst: 32 addresses, −1 where a lane asked for nothing, counted from the beginning
  /// of the allocation (global) or of shared memory. `unique`: each sector once. `l1_cycles`: of each request
  /// its sectors by four, at least 1.
  std::string json() const;
  void clear();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loupe::sim
