#include <cstring>

#include "kernels/common/strided_copy.h"

namespace loupe::ref {

void strided_copy(const StridedCopy& c, const void* x, void* y, int64_t bytes) {
  int64_t count = 1;
  for (int d = 0; d < c.rank; ++d) count *= c.size[d];
  for (int64_t i = 0; i < count; ++i) {
    int64_t from = c.from_start, to = c.to_start, rest = i;
    for (int d = c.rank - 1; d >= 0; --d) {
      from += rest % c.size[d] * c.from[d];
      to += rest % c.size[d] * c.to[d];
      rest /= c.size[d];
    }
    std::memcpy(static_cast<char*>(y) + to * bytes, static_cast<const char*>(x) + from * bytes,
                static_cast<size_t>(bytes));
  }
}

}  // namespace loupe::ref
