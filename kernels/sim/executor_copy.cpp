// cp.async: a copy of the simulator happens at its wait, and not before, so that a missing wait shows.
#include <cstring>

#include "kernels/sim/executor.h"

namespace loupe::sim {

void Executor::queue_copy(void* to, const void* from, size_t bytes, const void* pc) {
  const auto offset = reinterpret_cast<uintptr_t>(to) - shared_base_;
  if (offset >= kSharedWindow) fail("copy_async to an address that is not in shared memory", pc);
  vector_access(to, bytes, write, pc);
  if (from) {
    if (!heap_.contains(reinterpret_cast<uintptr_t>(from)))
      fail("copy_async from an address that is not in global memory", pc);
    vector_access(from, bytes, read, pc);
  } else if (observer_) {
    observer_->access({pc, Access::kNowhere, static_cast<uint32_t>(bytes), current_, Space::global, false});
  }
  for (size_t i = 0; i < bytes; i += 4) cell(offset + i).flags |= kPending;
  std::memset(to, 0xff, bytes);
  Thread& me = threads_[current_];
  me.copies.push_back({static_cast<std::byte*>(to), static_cast<const std::byte*>(from),
                       static_cast<uint32_t>(bytes), me.groups, pc});
}

void Executor::commit_copies() { ++threads_[current_].groups; }

void Executor::wait_copies(int pending) {
  Thread& me = threads_[current_];
  size_t done = 0;
  while (done < me.copies.size() && me.copies[done].group + static_cast<uint32_t>(pending) < me.groups)
    complete(me.copies[done++]);
  me.copies.erase(me.copies.begin(), me.copies.begin() + static_cast<ptrdiff_t>(done));
}

void Executor::complete(const Copy& copy) {
  const auto offset = reinterpret_cast<uintptr_t>(copy.to) - shared_base_;
  if (copy.from)
    std::memcpy(copy.to, copy.from, copy.bytes);
  else
    std::memset(copy.to, 0, copy.bytes);
  for (size_t i = 0; i < copy.bytes; i += 4) {
    SharedCell& c = cell(offset + i);
    c.flags = 0;
    // The copy is this thread's write, and it happens now.
    c.write = {epoch_, static_cast<uint16_t>(current_), warps_[current_ / 32].epoch};
    c.written = c.write_bytes = 0xf;
  }
}

}  // namespace loupe::sim
