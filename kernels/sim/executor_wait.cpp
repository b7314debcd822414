// Where threads of the simulator wait for each other: barriers and operations of a warp; and what is said
// when they wait for ever.
#include <cstring>

#include "kernels/sim/executor.h"
#include "kernels/sim/symbols.h"

namespace loupe::sim {

void Executor::barrier(const void* pc) {
  Thread& me = threads_[current_];
  me.wait = Wait::barrier;
  me.pc = pc;
  if (++waiting_ == count_) {
    for (unsigned t = 0; t < count_; ++t)
      if (threads_[t].pc != pc && line_of(threads_[t].pc).str() != line_of(pc).str()) {
        me.wait = Wait::nothing;
        fail("threads of one block meet in different barriers: " + where_waits(t) + ", this one here", pc);
      }
    waiting_ = 0;
    ++epoch_;
    std::vector<uint16_t> all(count_);
    for (unsigned t = 0; t < count_; ++t) all[t] = static_cast<uint16_t>(t);
    release(all);
  }
  park();
}

void Executor::warp_barrier(uint32_t mask, const void* pc) {
  collective("sync_warp", mask, nullptr, nullptr, pc);
}

void Executor::collective(const char* what, uint32_t mask, void* operand,
                          void (*combine)(void* const*, uint32_t), const void* pc) {
  const unsigned w = current_ / 32, lane = current_ % 32;
  Warp& warp = warps_[w];
  const auto lanes_text = [&](uint32_t lanes) {
    std::vector<unsigned> list;
    for (unsigned i = 0; i < 32; ++i)
      if (lanes >> i & 1) list.push_back(w * 32 + i);
    return names(list);
  };
  if (!(mask >> lane & 1)) fail(std::string(what) + " with a mask that does not name the lane itself", pc);
  if (const uint32_t never = mask & ~warp.lanes)
    fail(std::string(what) + " names lanes that the block does not have: it has " + std::to_string(count_) +
             " threads, the mask asks for " + lanes_text(never),
         pc);
  if (const uint32_t gone = mask & warp.ended)
    fail(std::string(what) + " waits for " + lanes_text(gone) + ", which ended without coming", pc);

  Collective* mine = nullptr;
  for (Collective& c : warp.open) {
    if (c.mask == mask && std::strcmp(c.what, what) == 0 && !(c.arrived >> lane & 1)) {
      mine = &c;
      break;
    }
    if (c.mask & mask)
      fail(std::string(what) + " meets another operation of the warp: " + lanes_text(c.arrived) +
               " waits in " + c.what + (c.mask != mask ? " with another mask" : "") + " at " +
               line_of(c.pc).str(),
           pc);
  }
  if (!mine) {
    warp.open.push_back({what, mask, 0, pc, {}});
    mine = &warp.open.back();
  }
  mine->arrived |= 1u << lane;
  mine->operands[lane] = operand;
  Thread& me = threads_[current_];
  if (mine->arrived != mask) {
    me.wait = Wait::collective;
    me.pc = pc;
    me.what = what;
    me.mask = mask;
    park();
    return;
  }
  if (combine)
    combine(mine->operands, mask);
  else
    ++warp.epoch;
  warp.open.erase(warp.open.begin() + (mine - warp.open.data()));
  std::vector<uint16_t> all;
  for (unsigned i = 0; i < 32; ++i)
    if (mask >> i & 1) all.push_back(static_cast<uint16_t>(w * 32 + i));
  release(all);
  park();
}

std::string Executor::stuck() {
  std::vector<unsigned> in_barrier, elsewhere, ended;
  for (unsigned t = 0; t < count_; ++t)
    (threads_[t].wait == Wait::barrier ? in_barrier
     : threads_[t].wait == Wait::ended ? ended
                                       : elsewhere)
        .push_back(t);
  std::string text;
  if (!in_barrier.empty()) {
    text = "a barrier that only some threads reach: " + names(in_barrier) + " of " + std::to_string(count_) +
           (in_barrier.size() == 1 ? " waits" : " wait") + " in sync_threads at " +
           line_of(threads_[in_barrier[0]].pc).str();
    if (!ended.empty()) text += "; " + names(ended) + " ended without it";
    if (!elsewhere.empty()) text += "; " + where_waits(elsewhere[0]);
  } else {
    text = "lanes that never come: " + where_waits(elsewhere[0]);
    std::vector<unsigned> missing;
    const Thread& first = threads_[elsewhere[0]];
    const unsigned w = elsewhere[0] / 32;
    for (const Collective& c : warps_[w].open)
      if (c.mask == first.mask)
        for (unsigned i = 0; i < 32; ++i)
          if ((c.mask & ~c.arrived) >> i & 1) missing.push_back(w * 32 + i);
    if (!missing.empty()) {
      text += " for " + names(missing);
      const Thread& other = threads_[missing[0]];
      if (other.wait == Wait::ended) text += ", which ended";
      if (other.wait == Wait::collective) text += "; " + where_waits(missing[0]);
    }
  }
  return text;
}

std::string Executor::where_waits(unsigned t) const {
  const Thread& thread = threads_[t];
  return "thread " + index_text(t) + " waits in " +
         (thread.wait == Wait::barrier ? "sync_threads" : thread.what) + " at " + line_of(thread.pc).str();
}

}  // namespace loupe::sim
