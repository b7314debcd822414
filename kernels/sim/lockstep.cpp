#include "kernels/sim/lockstep.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "kernels/sim/observer.h"

namespace loupe::sim {

namespace {

constexpr uint32_t kEnd = ~uint32_t{0};  // the code behind a lane's last piece

// Which ways lead from piece to piece, and where those that part meet again.
class Ways {
 public:
  explicit Ways(std::span<const LanePath> lanes) : code_{kEnd}, to_(1), from_(1) {
    for (const LanePath& lane : lanes)
      for (size_t i = 0; i < lane.steps.size(); ++i) {
        const uint32_t from = node(lane.steps[i].code);
        const uint32_t to = i + 1 < lane.steps.size() ? node(lane.steps[i + 1].code) : 0;
        if (std::ranges::find(to_[from], to) != to_[from].end()) continue;
        to_[from].push_back(to);
        from_[to].push_back(from);
      }
    find_meeting_points();
  }

  /// The first piece that every way from `code` leads to; kEnd if there is none, or of kEnd.
  uint32_t meeting_point(uint32_t code) const { return code == kEnd ? kEnd : code_[meets_[node_[code] - 1]]; }

 private:
  // Pieces are numbered from 1 as they come; 0 is the end.
  uint32_t node(uint32_t code) {
    if (code >= node_.size()) node_.resize(code + 1, 0);
    if (node_[code] == 0) {
      to_.emplace_back();
      from_.emplace_back();
      code_.push_back(code);
      node_[code] = static_cast<uint32_t>(code_.size());
    }
    return node_[code] - 1;
  }

  // The nodes so that each stands behind one that it leads to: the end first.
  std::vector<uint32_t> from_the_end() const {
    std::vector<uint32_t> finished;
    std::vector<bool> seen(code_.size());
    std::vector<std::pair<uint32_t, size_t>> open{{0, 0}};
    seen[0] = true;
    while (!open.empty()) {
      const uint32_t at = open.back().first;
      if (open.back().second == from_[at].size()) {
        finished.push_back(at);
        open.pop_back();
        continue;
      }
      const uint32_t before = from_[at][open.back().second++];
      if (seen[before]) continue;
      seen[before] = true;
      open.push_back({before, 0});
    }
    std::ranges::reverse(finished);
    return finished;
  }

  // Immediate postdominators (Cooper, Harvey & Kennedy 2001, "A Simple, Fast Dominance Algorithm", on the
  // reversed ways).
  void find_meeting_points() {
    const std::vector<uint32_t> order = from_the_end();
    std::vector<uint32_t> place(code_.size());
    for (uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
    constexpr uint32_t kUnknown = ~uint32_t{0};
    meets_.assign(code_.size(), kUnknown);
    meets_[0] = 0;
    const auto common = [&](uint32_t a, uint32_t b) {
      while (a != b) {
        while (place[a] > place[b]) a = meets_[a];
        while (place[b] > place[a]) b = meets_[b];
      }
      return a;
    };
    for (bool changed = true; changed;) {
      changed = false;
      for (const uint32_t at : order) {
        if (at == 0) continue;
        uint32_t meet = kUnknown;
        for (const uint32_t to : to_[at])
          if (meets_[to] != kUnknown) meet = meet == kUnknown ? to : common(meet, to);
        changed |= meets_[at] != meet;
        meets_[at] = meet;
      }
    }
  }

  std::vector<uint32_t> node_;                    // of a code, plus one; 0: not yet seen
  std::vector<uint32_t> code_;                    // of a node
  std::vector<std::vector<uint32_t>> to_, from_;  // of a node: nodes
  std::vector<uint32_t> meets_;
};

class Warp {
 public:
  Warp(std::span<const LanePath> lanes, const std::function<void(const Request&)>& emit)
      : lanes_(lanes), emit_(emit) {}

  // These lanes, which stand at one piece, go on until all stand at `stop`, which is on the way of each.
  void run(uint32_t lanes, uint32_t stop) {
    for (uint32_t last = kEnd;;) {
      const uint32_t code = next(first_of(lanes));
      if (standing_at(code, lanes) == lanes) {
        if (code == stop || code == kEnd) return;
        step(lanes);
        last = code;
        continue;
      }
      if (!ways_) ways_.emplace(lanes_);
      const uint32_t meet = ways_->meeting_point(last);
      for (uint32_t rest = lanes; rest != 0;) {
        const uint32_t to = next(first_of(rest)), together = standing_at(to, rest);
        if (to != meet) run(together, meet);
        rest &= ~together;
      }
    }
  }

 private:
  static unsigned first_of(uint32_t lanes) { return static_cast<unsigned>(std::countr_zero(lanes)); }
  uint32_t next(unsigned lane) const {
    return at_[lane] < lanes_[lane].steps.size() ? lanes_[lane].steps[at_[lane]].code : kEnd;
  }
  uint32_t standing_at(uint32_t code, uint32_t lanes) const {
    uint32_t found = 0;
    for (uint32_t rest = lanes; rest != 0; rest &= rest - 1)
      if (next(first_of(rest)) == code) found |= rest & -rest;
    return found;
  }

  // The lanes run the piece at which they stand. Its accesses are the same for all; should one have left out
  // some, it joins in where the instruction is the same again.
  void step(uint32_t lanes) {
    std::array<uint32_t, 32> now, end;
    for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
      const unsigned lane = first_of(rest);
      const LanePath& path = lanes_[lane];
      now[lane] = path.steps[at_[lane]++].first;
      end[lane] = at_[lane] < path.steps.size() ? path.steps[at_[lane]].first
                                                : static_cast<uint32_t>(path.touches.size());
    }
    for (uint32_t rest = lanes; rest != 0;) {
      const unsigned first = first_of(rest);
      if (now[first] == end[first]) {
        rest &= rest - 1;
        continue;
      }
      Request request{.instruction = lanes_[first].touches[now[first]].instruction};
      for (uint32_t others = rest; others != 0; others &= others - 1) {
        const unsigned lane = first_of(others);
        if (now[lane] == end[lane]) continue;
        const LanePath::Touch& touch = lanes_[lane].touches[now[lane]];
        if (touch.instruction != request.instruction) continue;
        ++now[lane];
        request.lanes |= 1u << lane;
        if (touch.address != Access::kNowhere) request.asking |= 1u << lane;
        request.address[lane] = touch.address;
      }
      emit_(request);
    }
  }

  std::span<const LanePath> lanes_;
  const std::function<void(const Request&)>& emit_;
  std::array<size_t, 32> at_{};  // of each lane: the step that it makes next
  std::optional<Ways> ways_;     // found when lanes first part
};

}  // namespace

void in_lockstep(std::span<const LanePath> lanes, const std::function<void(const Request&)>& emit) {
  const uint32_t all = lanes.size() == 32 ? ~0u : (1u << lanes.size()) - 1;
  Warp(lanes, emit).run(all, kEnd);
}

}  // namespace loupe::sim
