// Puts the lanes of a warp side by side again. In the simulator they run one after the other, each by itself;
// on a GPU they go through the code together, and one instruction of all of them is one request to memory.
//
// A kernel is made of pieces of straight code (basic blocks): no jump leads into the middle of one or out of
// it. The rule is that of a GPU with a stack of meeting points (Fung, Sham, Yuan & Aamodt 2007, "Dynamic Warp
// Formation and Scheduling for Efficient GPU Control Flow"):
//
// - Lanes that are at the same piece together run it together: the first access in it of each of them is one
//   request, so is the second, and so on.
// - Where they part, at an `if` or because a loop ends for some, each way is gone by its own lanes alone, up to
//   the first piece that every way leads to (the immediate postdominator); there all go on together.
//
// So a lane that leaves out an access, as in the padding of a convolution, stands behind the `if` until the
// others come, and the next iteration is one of all lanes again; and a lane whose loop is over waits behind
// the loop. The ways are those that the lanes of the warp took.
//
// Where this is approximate:
// - The pieces are those of the host's compiler. nvcc may predicate a short `if`, unroll or duplicate code, or
//   join two accesses into one, and so make more or fewer instructions of a line.
// - Since Volta lanes may meet later than at the first possible point; usually the compiler sees to it that
//   they do not. After a `return` inside of one way of an `if`, some lanes never come to the meeting point;
//   here the two ways then stay apart to the end, where a GPU may let the others meet.
// - A function that was not inlined is one piece of code, whoever calls it.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace loupe::sim {

/// What one lane did in a block, in order.
struct LanePath {
  struct Touch {
    uint32_t instruction;
    uint64_t address;  // or Access::kNowhere
  };
  struct Step {
    uint32_t code;   // which piece
    uint32_t first;  // of its accesses in `touches`; they end where those of the next step begin
  };
  std::vector<Step> steps;
  std::vector<Touch> touches;
};

/// One instruction of one warp that accesses memory.
struct Request {
  uint32_t instruction = 0;
  uint32_t lanes = 0;   // bit i: lane i takes part
  uint32_t asking = 0;  // and asks for bytes: not so in a copy that is filled with zeros
  std::array<uint64_t, 32> address{};
};

/// Calls `emit` for each request of a warp, in order. At most 32 lanes.
void in_lockstep(std::span<const LanePath> lanes, const std::function<void(const Request&)>& emit);

}  // namespace loupe::sim
