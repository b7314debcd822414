// What a tool sees of a kernel as it runs: trace.h counts with it.
#pragma once
#include <cstdint>
#include <string>

namespace loupe::sim {

enum class Space : uint8_t { global, shared };

struct Access {
  /// An address: none. A zero-filled copy_async takes part in its warp's request and asks for no byte.
  static constexpr uint64_t kNowhere = ~uint64_t{0};
  const void* pc;    // where in the program
  uint64_t address;  // in shared memory: an offset
  uint32_t bytes;
  uint32_t thread;  // in its block
  Space space;
  bool write;
};

/// Called on one thread at a time: a kernel that is observed runs on one core.
struct Observer {
  virtual ~Observer() = default;
  virtual void begin_launch(const std::string& kernel, const std::string& grid, const std::string& block) = 0;
  virtual void begin_block(uint64_t block, uint32_t threads) = 0;
  /// The thread goes on to the piece of straight code (basic block) that begins at `pc`.
  virtual void enter_code(const void* pc, uint32_t thread) = 0;
  virtual void access(const Access&) = 0;
  virtual void end_block() = 0;
};
/// Null: nobody watches.
extern Observer* g_observer;

}  // namespace loupe::sim
