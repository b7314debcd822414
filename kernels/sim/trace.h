// Counts the memory traffic of kernels as they run in the simulator: for each source line the requests of a
// warp, the 32-byte sectors of global memory or the cycles of shared memory that they take, and how few would
// do.
//
// A request is one instruction of one warp: the n-th execution of an instruction by each of its lanes. The
// counts are of what kernels ask for; a GPU's caches may spare some of the bytes.
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
  void access(const Access&) override;
  void end_block() override;
  /// JSON: {"launches": [{"kernel", "grid", "block", "blocks", "lines": [{"file", "line", "space", "write",
  /// "bytes_each", "requests", "lanes", "bytes", "sectors" (global) or "wavefronts" (shared), "ideal",
  /// "example"}], "global": {"read_bytes", "written_bytes", "unique_read_bytes", "unique_written_bytes"},
  /// "shared": {…}}]}. `example` is the warp that was worst: 32 addresses, −1 where a lane took no part,
  /// counted from the lowest allocation touched (global) or from the beginning of shared memory.
  std::string json() const;
  void clear();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loupe::sim
