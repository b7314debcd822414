// What a warp's request costs: sectors of global memory, turns of shared memory.
//
// Global memory moves in sectors of 32 bytes: a request takes every sector that one of its lanes asks for,
// once. On their way they pass the multiprocessor's L1 cache, which hands out at most 128 bytes, four
// sectors, a cycle, and serves one request at a time.
//
// Shared memory has 32 banks of 4 bytes; word w lies in bank w mod 32. In one turn, a wavefront, each bank
// gives or takes one word, which any number of lanes may want (CUDA C++ Programming Guide, "Shared Memory" of
// compute capability 5.x and later). Lanes are served
//
//   bytes a lane    at once                     turns at least
//   up to 4         the warp                    1
//   8               half of the warp            2
//   16              a quarter of the warp       4
//
// since a turn fills one register of 32 lanes. Within such a group equal words are one, and the group takes
// as many turns as its busiest bank has words. A read of 8 or 16 bytes takes twice as many lanes at once, a
// whole warp or half of one, where each lane n asks for the same address as lane n xor 1, for all lanes that
// take part, or each for the same as lane n xor 2; one address for all is a case of that. So 16 bytes that
// all 32 lanes want take two turns. (NVIDIA's answer in its developer forum to "Unexpected shared memory bank
// conflict", thread 77228, for compute capability 7.x. Of later ones NVIDIA says nothing; they are taken to
// do the same.) Lanes that take no part need no turn. Atomics count as writes, as if no two met.
#pragma once
#include <cstdint>

#include "kernels/sim/lockstep.h"

namespace loupe::sim {

inline constexpr uint64_t kSectorBytes = 32;

struct Cost {
  uint64_t taken = 0;  // sectors, or wavefronts
  uint64_t ideal =
      0;  // the fewest sectors for as many different bytes; the wavefronts without bank conflicts
};

Cost sectors_of(const Request&, uint64_t bytes_each);
Cost wavefronts_of(const Request&, uint64_t bytes_each, bool write);
/// How many lanes shared memory serves at once: 8, 16 or 32.
unsigned lanes_at_once(const Request&, uint64_t bytes_each, bool write);

}  // namespace loupe::sim
