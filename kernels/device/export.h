// LOUPE_EXPORT(f): makes the launcher loupe::LOUPE_TARGET::f callable through loupe::device::f, its
// DeviceFunction of the same name (common/device.h), which fixes the parameters: the compiler checks that
// they agree.
#pragma once
#include <cstdio>
#include <exception>
#include <utility>

#include "kernels/common/device.h"
#include "kernels/device/launch.h"

namespace loupe::LOUPE_TARGET {

/// Adds to the module's table.
void add_function(const ModuleFunction&);
/// Fills `outcome` from the exception in flight.
void describe_exception(Outcome*) noexcept;

template <auto launcher>
struct Exported;

template <typename... Parameters, void (*launcher)(Stream, Parameters...)>
struct Exported<launcher> {
  static void call(void* stream, const void* const* arguments, Outcome* outcome) {
    try {
      unpack(stream, arguments, std::index_sequence_for<Parameters...>());
    } catch (...) {
      describe_exception(outcome);
    }
  }
  template <size_t... I>
  static void unpack(void* stream, [[maybe_unused]] const void* const* arguments, std::index_sequence<I...>) {
    launcher(stream, *static_cast<const std::decay_t<Parameters>*>(arguments[I])...);
  }
  // Deduction fails, and with it the build, unless the declaration has the launcher's parameters.
  explicit Exported(const DeviceFunction<void(Parameters...)>& declared) {
    add_function({declared.name, &call});
  }
};

}  // namespace loupe::LOUPE_TARGET

#define LOUPE_EXPORT(f)                                                                    \
  [[maybe_unused]] static const ::loupe::LOUPE_TARGET::Exported<&::loupe::LOUPE_TARGET::f> \
      loupe_export_##f {                                                                   \
    ::loupe::device::f                                                                     \
  }
