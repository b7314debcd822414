#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/concat/concat.h"

namespace loupe::ref {

template <typename T>
void copy_channels(const ChannelRange& r, const T* x, T* y, int64_t n, int64_t pixels) {
  parallel_for(n, [=](int64_t b) {
    std::copy_n(x + (b * r.source + r.from) * pixels, r.count * pixels, y + (b * r.target + r.to) * pixels);
  });
}

template void copy_channels(const ChannelRange&, const float*, float*, int64_t, int64_t);
template void copy_channels(const ChannelRange&, const double*, double*, int64_t, int64_t);

}  // namespace loupe::ref
