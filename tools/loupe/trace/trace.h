// `loupe trace`: one op run in the simulator with its memory traffic counted (kernels/sim/trace.h).
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kernels/common/ladder.h"
#include "kernels/common/op.h"

namespace loupe {

/// Which kernel, on what sizes.
struct TraceRequest {
  std::string op;
  std::vector<int64_t> shape;                   // as shape_of_op() says
  int64_t stride = 0, padding = 0, groups = 1;  // stride 0: 1, or of a pool its window
  Direction direction = Direction::forward;
  std::optional<int> rung;  // 1 …, of the op's ladder; none: the production kernel
};

/// What `--shape` means for an op: "n,c,h,w,k,r,s". Throws UsageError for an op that trace does not know.
std::string shape_of_op(const std::string& op);
std::vector<std::string> traceable_ops();
/// The op's ladder, or null.
const Ladder* ladder_of(const std::string& op);

/// Of one source line that accesses memory in one way.
struct TracedLine {
  std::string file;
  int line = 0;
  std::string source;  // the line itself, where the file is at hand
  bool shared = false, write = false;
  int64_t bytes_each = 0, requests = 0, lanes = 0, bytes = 0;
  int64_t cost = 0, ideal = 0;   // sectors of global memory; wavefronts of shared memory
  std::vector<int64_t> example;  // 32 addresses of the worst request, −1: the lane asked for nothing
  int64_t lanes_at_once = 32;    // of the example, by shared memory
};

struct TracedLaunch {
  std::string kernel, grid, block;
  std::vector<TracedLine> lines;
  int64_t read_bytes = 0, written_bytes = 0;  // sectors × 32
  int64_t distinct_bytes = 0;                 // the same, each sector once
  int64_t wavefronts = 0, ideal_wavefronts = 0;
  int64_t l1_cycles = 0;  // of the requests for global memory
};

struct Trace {
  std::string what;    // "conv2d forward, x (1, 64, 56, 56), 64, 3×3"
  std::string kernel;  // "rung 3_shared_tiles" or "production: …algorithm"
  std::vector<TracedLaunch> launches;
  int64_t floor_read = 0, floor_written = 0;  // every operand read once, every result written once
  int64_t multiply_adds = 0;                  // of the op, or additions (vjp_bias)
  int64_t operations = 0;                     // floating-point: two a multiply-add

  int64_t bytes() const;
  int64_t floor() const { return floor_read + floor_written; }
  int64_t wavefronts() const;
  int64_t ideal_wavefronts() const;
};

/// The cycles that an H100 needs at least, each of its parts alone; limits_explained() has the formulas.
struct Limits {
  double fma = 0, shared = 0, shared_and_l1 = 0, dram = 0;

  double largest() const;
  /// Whose the largest is: "FMA", "shared memory and L1" or "DRAM".
  std::string binding() const;
};
Limits limits_of(const Trace&);
/// What the limits are made of, a sentence or two each.
std::vector<std::string> limits_explained();
/// "2,374", "–" for none.
std::string cycles_text(double cycles);

/// Runs it on device sim. Throws UsageError for sizes that do not fit, Error where there is no simulator.
Trace run_trace(const TraceRequest&);

/// A page for a browser: per line the numbers, and the worst warp's addresses as sectors or banks.
std::string trace_page(const Trace&);
/// Every rung of the op's ladder on the same sizes, as two Markdown tables: counters and limits.
std::string ladder_counters(const TraceRequest&);
/// Rewrites what stands between `<!-- counters: conv2d --shape … -->` and `<!-- end of counters -->` in a
/// file, by running what it says. Returns the new text. Throws UsageError where the markers are missing or
/// wrong.
std::string with_fresh_counters(const std::string& file, const std::string& text);

}  // namespace loupe
