#include "kernels/sim/trace.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernels/sim/heap.h"
#include "kernels/sim/symbols.h"

namespace loupe::sim {

namespace {

constexpr uint64_t kSector = 32, kBankBytes = 4, kBanks = 32;

struct Request {
  uint32_t lanes = 0;
  std::array<uint64_t, 32> address{};
};

struct Cost {
  uint64_t taken = 0, ideal = 0;
};

// Sectors that a request touches, and the fewest that could hold as many distinct bytes.
Cost sectors_of(const Request& r, uint64_t bytes) {
  std::array<uint64_t, 64> touched;
  std::array<uint64_t, 32> starts;
  size_t n = 0, m = 0;
  for (int i = 0; i < 32; ++i) {
    if (!(r.lanes >> i & 1)) continue;
    const uint64_t a = r.address[static_cast<size_t>(i)];
    touched[n++] = a / kSector;
    touched[n++] = (a + bytes - 1) / kSector;
    starts[m++] = a;
  }
  std::sort(touched.begin(), touched.begin() + static_cast<ptrdiff_t>(n));
  n = static_cast<size_t>(std::unique(touched.begin(), touched.begin() + static_cast<ptrdiff_t>(n)) -
                          touched.begin());
  std::sort(starts.begin(), starts.begin() + static_cast<ptrdiff_t>(m));
  m = static_cast<size_t>(std::unique(starts.begin(), starts.begin() + static_cast<ptrdiff_t>(m)) -
                          starts.begin());
  return {n, (m * bytes + kSector - 1) / kSector};
}

// Shared memory serves 32 banks of 4 bytes at once, one word each. An access of 8 bytes takes half a warp at
// a time, one of 16 a quarter.
Cost wavefronts_of(const Request& r, uint64_t bytes) {
  const int lanes_at_once = bytes <= 4 ? 32 : static_cast<int>(128 / bytes);
  Cost cost = {};
  for (int first = 0; first < 32; first += lanes_at_once) {
    std::array<std::vector<uint64_t>, kBanks> words;
    std::vector<uint64_t> distinct;
    for (int i = first; i < first + lanes_at_once; ++i) {
      if (!(r.lanes >> i & 1)) continue;
      const uint64_t a = r.address[static_cast<size_t>(i)];
      for (uint64_t w = a / kBankBytes; w <= (a + bytes - 1) / kBankBytes; ++w) distinct.push_back(w);
    }
    if (distinct.empty()) continue;
    std::ranges::sort(distinct);
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    std::array<uint64_t, kBanks> load{};
    for (const uint64_t w : distinct) ++load[w % kBanks];
    cost.taken += *std::ranges::max_element(load);
    cost.ideal += (distinct.size() + kBanks - 1) / kBanks;
  }
  return cost;
}

// All instructions of one source line that do the same: a compiler may make several of what a person wrote
// once.
struct Instruction {
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
  uint64_t blocks = 0;
  std::vector<Instruction> instructions = {};
  std::unordered_set<uint64_t> read_sectors = {}, written_sectors = {};
  uint64_t first_address = ~uint64_t{0};
};

}  // namespace

struct Tracer::State {
  std::vector<LaunchTrace> launches;
  std::map<std::tuple<const void*, Space, bool, uint32_t>, uint32_t> ids;
  std::vector<std::vector<uint32_t>> counts;  // of an instruction: by thread
  struct Key {
    uint32_t instruction, warp, n;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& k) const {
      return (uint64_t{k.instruction} * 0x9e3779b97f4a7c15u ^ uint64_t{k.warp} << 32) +
             uint64_t{k.n} * 0xff51afd7ed558ccdu;
    }
  };
  std::unordered_map<Key, Request, Hash> open;
  uint32_t threads = 0;

  void finish(const Key& key, const Request& r) {
    LaunchTrace& launch = launches.back();
    Instruction& i = launch.instructions[key.instruction];
    const Cost cost = i.space == Space::global ? sectors_of(r, i.bytes) : wavefronts_of(r, i.bytes);
    ++i.requests;
    i.lanes += static_cast<uint64_t>(std::popcount(r.lanes));
    i.moved += static_cast<uint64_t>(std::popcount(r.lanes)) * i.bytes;
    i.cost.taken += cost.taken;
    i.cost.ideal += cost.ideal;
    // Of several that are as bad the one with the most lanes is shown.
    const uint64_t badness = (cost.taken - cost.ideal) * 64 + static_cast<uint64_t>(std::popcount(r.lanes));
    if (i.worst.lanes == 0 || badness > i.worst_cost) {
      i.worst = r;
      i.worst_cost = badness;
    }
    if (i.space != Space::global) return;
    auto& seen = i.write ? launch.written_sectors : launch.read_sectors;
    for (int lane = 0; lane < 32; ++lane)
      if (r.lanes >> lane & 1)
        for (uint64_t s = r.address[static_cast<size_t>(lane)] / kSector;
             s <= (r.address[static_cast<size_t>(lane)] + i.bytes - 1) / kSector; ++s)
          seen.insert(s);
  }
};

Tracer::Tracer() : state_(std::make_unique<State>()) {}
Tracer::~Tracer() = default;

void Tracer::clear() { *state_ = State{}; }

void Tracer::begin_launch(const std::string& kernel, const std::string& grid, const std::string& block) {
  state_->launches.push_back({.kernel = kernel, .grid = grid, .block = block});
  state_->ids.clear();
}

void Tracer::begin_block(uint64_t, uint32_t threads) {
  state_->threads = threads;
  ++state_->launches.back().blocks;
  for (auto& c : state_->counts) std::ranges::fill(c, 0u);
}

void Tracer::access(const Access& a) {
  State& s = *state_;
  LaunchTrace& launch = s.launches.back();
  const auto [found, fresh] = s.ids.try_emplace({a.pc, a.space, a.write, a.bytes}, 0u);
  if (fresh) {
    const Line line = line_of(a.pc);
    const auto same = std::ranges::find_if(launch.instructions, [&](const Instruction& i) {
      return i.line.line == line.line && i.line.file == line.file && i.space == a.space &&
             i.write == a.write && i.bytes == a.bytes;
    });
    found->second = static_cast<uint32_t>(same - launch.instructions.begin());
    if (same == launch.instructions.end()) {
      launch.instructions.push_back({.line = line, .space = a.space, .write = a.write, .bytes = a.bytes});
      if (s.counts.size() <= found->second) s.counts.resize(found->second + 1);
      s.counts[found->second].assign(1024, 0);
    }
  }
  const uint32_t id = found->second;
  if (a.space == Space::global) launch.first_address = std::min(launch.first_address, a.address);
  const State::Key key{id, a.thread / 32, s.counts[id][a.thread]++};
  Request& r = s.open[key];
  r.lanes |= 1u << (a.thread % 32);
  r.address[a.thread % 32] = a.address;
  if (r.lanes != ~0u) return;
  s.finish(key, r);
  s.open.erase(key);
}

void Tracer::end_block() {
  for (const auto& [key, request] : state_->open) state_->finish(key, request);
  state_->open.clear();
}

std::string Tracer::json() const {
  const auto quoted = [](const std::string& text) {
    std::string q = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') q += '\\';
      q += c;
    }
    return q + "\"";
  };
  const auto n = [](uint64_t v) { return std::to_string(v); };
  std::string out = "{\"launches\": [";
  for (const LaunchTrace& launch : state_->launches) {
    std::vector<Instruction> rows = launch.instructions;
    std::ranges::sort(rows, {}, [](const Instruction& i) {
      return std::tuple(i.line.file, i.line.line, i.space, i.write, i.bytes);
    });
    if (&launch != state_->launches.data()) out += ", ";
    out += "{\"kernel\": " + quoted(launch.kernel) + ", \"grid\": " + quoted(launch.grid) +
           ", \"block\": " + quoted(launch.block) + ", \"blocks\": " + n(launch.blocks) + ", \"lines\": [";
    uint64_t read = 0, written = 0, wavefronts = 0, ideal_wavefronts = 0, shared_bytes = 0;
    bool first = true;
    for (const Instruction& i : rows) {
      const bool global = i.space == Space::global;
      if (global)
        (i.write ? written : read) += i.cost.taken * kSector;
      else
        wavefronts += i.cost.taken, ideal_wavefronts += i.cost.ideal, shared_bytes += i.moved;
      out += std::string(first ? "" : ", ") + "{\"file\": " + quoted(i.line.file) +
             ", \"line\": " + std::to_string(i.line.line) +
             ", \"space\": " + (global ? "\"global\"" : "\"shared\"") +
             ", \"write\": " + (i.write ? "true" : "false") + ", \"bytes_each\": " + n(i.bytes) +
             ", \"requests\": " + n(i.requests) + ", \"lanes\": " + n(i.lanes) +
             ", \"bytes\": " + n(i.moved) + (global ? ", \"sectors\": " : ", \"wavefronts\": ") +
             n(i.cost.taken) + ", \"ideal\": " + n(i.cost.ideal) + ", \"example\": [";
      uint64_t base = 0;
      if (global && i.worst.lanes)
        base = Heap::get().find(i.worst.address[static_cast<size_t>(std::countr_zero(i.worst.lanes))]).begin;
      for (size_t lane = 0; lane < 32; ++lane) {
        const bool on = i.worst.lanes >> lane & 1;
        out += (lane ? ", " : "") +
               (on ? std::to_string(static_cast<int64_t>(i.worst.address[lane] - base)) : "-1");
      }
      out += "]}";
      first = false;
    }
    out += "], \"global\": {\"read_bytes\": " + n(read) + ", \"written_bytes\": " + n(written) +
           ", \"unique_read_bytes\": " + n(launch.read_sectors.size() * kSector) +
           ", \"unique_written_bytes\": " + n(launch.written_sectors.size() * kSector) +
           "}, \"shared\": {\"bytes\": " + n(shared_bytes) + ", \"wavefronts\": " + n(wavefronts) +
           ", \"ideal_wavefronts\": " + n(ideal_wavefronts) + "}}";
  }
  return out + "]}";
}

}  // namespace loupe::sim
