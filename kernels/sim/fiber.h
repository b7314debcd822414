// Fibers: stacks that take turns on one thread. Boost.Context switches them in a few nanoseconds;
// AddressSanitizer is told of each switch, or it would take one stack for another.
#pragma once
#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace loupe::sim {

/// One stack and where it stopped. `resume` goes on there; `suspend`, called on it, comes back.
class Fiber {
 public:
  using Entry = void (*)(void* argument);

  /// `stack` is the low end. `entry` must never return.
  void start(std::byte* stack, size_t bytes, Entry entry, void* argument) {
    stack_ = stack;
    bytes_ = bytes;
    entry_ = entry;
    argument_ = argument;
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stack, bytes);  // of frames that were abandoned
#endif
    inside_ = boost::context::detail::make_fcontext(stack + bytes, bytes, &Fiber::begin);
  }

  void resume() {
#if defined(__SANITIZE_ADDRESS__)
    void* saved = nullptr;
    __sanitizer_start_switch_fiber(&saved, stack_, bytes_);
#endif
    inside_ = boost::context::detail::jump_fcontext(inside_, this).fctx;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(saved, nullptr, nullptr);
#endif
  }

  void suspend() {
#if defined(__SANITIZE_ADDRESS__)
    void* saved = nullptr;
    __sanitizer_start_switch_fiber(&saved, outside_stack_, outside_bytes_);
#endif
    outside_ = boost::context::detail::jump_fcontext(outside_, nullptr).fctx;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(saved, &outside_stack_, &outside_bytes_);
#endif
  }

  bool holds(uintptr_t address) const { return address - reinterpret_cast<uintptr_t>(stack_) < bytes_; }

 private:
  static void begin(boost::context::detail::transfer_t from) {
    Fiber& me = *static_cast<Fiber*>(from.data);
    me.outside_ = from.fctx;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &me.outside_stack_, &me.outside_bytes_);
#endif
    me.entry_(me.argument_);
  }

  boost::context::detail::fcontext_t inside_ = nullptr, outside_ = nullptr;
  std::byte* stack_ = nullptr;
  size_t bytes_ = 0;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
#if defined(__SANITIZE_ADDRESS__)
  const void* outside_stack_ = nullptr;
  size_t outside_bytes_ = 0;
#endif
};

}  // namespace loupe::sim
