// Whether this is a build under sanitizers.
#pragma once

namespace loupe::test {

// They look at memory, which repetitions use in the same way, and make the reference take seconds a case.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace loupe::test
