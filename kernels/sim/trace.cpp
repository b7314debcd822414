#include "kernels/sim/trace.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernels/sim/cost.h"
#include "kernels/sim/heap.h"
#include "kernels/sim/lockstep.h"
#include "kernels/sim/symbols.h"

namespace loupe::sim {

namespace {

// All instructions of one source line that do the same: a compiler may make several of what a person wrote
// once.
struct Row {
  Line line;
  Space space;
  bool write;
  uint32_t bytes;
  uint64_t requests = 0, lanes = 0, moved = 0;
  Cost cost = {};
  Request worst = {};
  uint64_t worst_cost = 0;
};

struct LaunchTrace {
  std::string kernel, grid, block;
  uint64_t blocks = 0, l1_cycles = 0;
  std::vector<Row> rows = {};
  std::unordered_set<uint64_t> read_sectors = {}, written_sectors = {};
};

uint64_t count(uint32_t lanes) { return static_cast<uint64_t>(std::popcount(lanes)); }

void add(LaunchTrace& launch, Row& row, const Request& r) {
  const bool global = row.space == Space::global;
  const Cost cost = global ? sectors_of(r, row.bytes) : wavefronts_of(r, row.bytes, row.write);
  ++row.requests;
  row.lanes += count(r.lanes);
  row.moved += count(r.asking) * row.bytes;
  row.cost.taken += cost.taken;
  row.cost.ideal += cost.ideal;
  // Of several that are as bad the one with the most lanes is shown.
  const uint64_t badness = (cost.taken - cost.ideal) * 64 + count(r.asking);
  if (row.worst.lanes == 0 || badness > row.worst_cost) {
    row.worst = r;
    row.worst_cost = badness;
  }
  if (!global) return;
  launch.l1_cycles += (cost.taken + 3) / 4;
  auto& seen = row.write ? launch.written_sectors : launch.read_sectors;
  for (uint32_t rest = r.asking; rest != 0; rest &= rest - 1) {
    const uint64_t first = r.address[static_cast<size_t>(std::countr_zero(rest))];
    for (uint64_t s = first / kSectorBytes; s <= (first + row.bytes - 1) / kSectorBytes; ++s) seen.insert(s);
  }
}

}  // namespace

struct Tracer::State {
  std::vector<LaunchTrace> launches;
  std::unordered_map<uint64_t, uint32_t> instructions;  // by place, space, kind and bytes
  std::vector<uint32_t> row_of;                         // of an instruction, in the launch
  std::unordered_map<const void*, uint32_t> pieces;     // of code, numbered from 1
  std::vector<LanePath> lanes;                          // of the block
  uint32_t threads = 0;

  uint32_t instruction(const Access& a) {
    const uint64_t key = reinterpret_cast<uintptr_t>(a.pc) << 8 | uint64_t{a.bytes} << 2 |
                         uint64_t{a.space == Space::shared} << 1 | uint64_t{a.write};
    const auto [found, fresh] = instructions.try_emplace(key, static_cast<uint32_t>(row_of.size()));
    if (!fresh) return found->second;
    std::vector<Row>& rows = launches.back().rows;
    const Line line = line_of(a.pc);
    const auto same = std::ranges::find_if(rows, [&](const Row& row) {
      return row.line.line == line.line && row.line.file == line.file && row.space == a.space &&
             row.write == a.write && row.bytes == a.bytes;
    });
    row_of.push_back(static_cast<uint32_t>(same - rows.begin()));
    if (same == rows.end())
      rows.push_back({.line = line, .space = a.space, .write = a.write, .bytes = a.bytes});
    return found->second;
  }
};

Tracer::Tracer() : state_(std::make_unique<State>()) {}
Tracer::~Tracer() = default;

void Tracer::clear() { *state_ = State{}; }

void Tracer::begin_launch(const std::string& kernel, const std::string& grid, const std::string& block) {
  state_->launches.push_back({.kernel = kernel, .grid = grid, .block = block});
  state_->instructions.clear();
  state_->row_of.clear();
}

void Tracer::begin_block(uint64_t, uint32_t threads) {
  ++state_->launches.back().blocks;
  state_->threads = threads;
  if (state_->lanes.size() < threads) state_->lanes.resize(threads);
  for (LanePath& lane : state_->lanes) {
    lane.steps.clear();
    lane.touches.clear();
  }
}

void Tracer::enter_code(const void* pc, uint32_t thread) {
  State& s = *state_;
  const uint32_t piece = s.pieces.try_emplace(pc, static_cast<uint32_t>(s.pieces.size() + 1)).first->second;
  LanePath& lane = s.lanes[thread];
  lane.steps.push_back({piece, static_cast<uint32_t>(lane.touches.size())});
}

void Tracer::access(const Access& a) {
  LanePath& lane = state_->lanes[a.thread];
  if (lane.steps.empty()) lane.steps.push_back({0, 0});
  lane.touches.push_back({state_->instruction(a), a.address});
}

void Tracer::end_block() {
  State& s = *state_;
  LaunchTrace& launch = s.launches.back();
  for (uint32_t first = 0; first < s.threads; first += 32)
    in_lockstep({s.lanes.data() + first, std::min(32u, s.threads - first)}, [&](const Request& request) {
      add(launch, launch.rows[s.row_of[request.instruction]], request);
    });
}

namespace {

std::string quoted(const std::string& text) {
  std::string q = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') q += '\\';
    q += c;
  }
  return q + "\"";
}

std::string text(uint64_t n) { return std::to_string(n); }

std::string json_of(const Row& row) {
  const bool global = row.space == Space::global;
  std::string out = "{\"file\": " + quoted(row.line.file) + ", \"line\": " + std::to_string(row.line.line) +
                    ", \"space\": " + (global ? "\"global\"" : "\"shared\"") +
                    ", \"write\": " + (row.write ? "true" : "false") +
                    ", \"bytes_each\": " + text(row.bytes) + ", \"requests\": " + text(row.requests) +
                    ", \"lanes\": " + text(row.lanes) + ", \"bytes\": " + text(row.moved) +
                    (global ? ", \"sectors\": " : ", \"wavefronts\": ") + text(row.cost.taken) +
                    ", \"ideal\": " + text(row.cost.ideal);
  if (!global) out += ", \"lanes_at_once\": " + text(lanes_at_once(row.worst, row.bytes, row.write));
  uint64_t base = 0;
  if (global && row.worst.asking)
    base = Heap::get().find(row.worst.address[static_cast<size_t>(std::countr_zero(row.worst.asking))]).begin;
  out += ", \"example\": [";
  for (size_t lane = 0; lane < 32; ++lane)
    out += (lane ? ", " : "") + (row.worst.asking >> lane & 1
                                     ? std::to_string(static_cast<int64_t>(row.worst.address[lane] - base))
                                     : std::string("-1"));
  return out + "]}";
}

std::string json_of(const LaunchTrace& launch) {
  std::vector<Row> rows = launch.rows;
  std::ranges::sort(rows, {}, [](const Row& row) {
    return std::tuple(row.line.file, row.line.line, row.space, row.write, row.bytes);
  });
  std::string lines;
  uint64_t read = 0, written = 0, wavefronts = 0, ideal_wavefronts = 0, shared_bytes = 0;
  for (const Row& row : rows) {
    if (row.space == Space::global)
      (row.write ? written : read) += row.cost.taken * kSectorBytes;
    else
      wavefronts += row.cost.taken, ideal_wavefronts += row.cost.ideal, shared_bytes += row.moved;
    lines += (lines.empty() ? "" : ", ") + json_of(row);
  }
  return "{\"kernel\": " + quoted(launch.kernel) + ", \"grid\": " + quoted(launch.grid) +
         ", \"block\": " + quoted(launch.block) + ", \"blocks\": " + text(launch.blocks) + ", \"lines\": [" +
         lines + "], \"global\": {\"read_bytes\": " + text(read) + ", \"written_bytes\": " + text(written) +
         ", \"unique_read_bytes\": " + text(launch.read_sectors.size() * kSectorBytes) +
         ", \"unique_written_bytes\": " + text(launch.written_sectors.size() * kSectorBytes) +
         ", \"l1_cycles\": " + text(launch.l1_cycles) + "}, \"shared\": {\"bytes\": " + text(shared_bytes) +
         ", \"wavefronts\": " + text(wavefronts) + ", \"ideal_wavefronts\": " + text(ideal_wavefronts) + "}}";
}

}  // namespace

std::string Tracer::json() const {
  std::string out;
  for (const LaunchTrace& launch : state_->launches) out += (out.empty() ? "" : ", ") + json_of(launch);
  return "{\"launches\": [" + out + "]}";
}

}  // namespace loupe::sim
