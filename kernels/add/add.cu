// Addition on a GPU, 16 bytes a thread. Floor: 8 bytes read and 4 written an element.
#include "kernels/add/add.h"

#include "kernels/device/export.h"
#include "kernels/device/vectors.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL add_kernel(Vectors elements, const float* a, const float* b, float* y) {
  elements.visit([&](int64_t i, auto width) {
    auto sum = load_vector<width()>(a + i);
    const auto other = load_vector<width()>(b + i);
    for (int k = 0; k < width(); ++k) sum[k] += other[k];
    store_vector(y + i, sum);
  });
}

}  // namespace

void add(Stream stream, const float* a, const float* b, float* y, int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), add_kernel, elements, a, b, y);
}

LOUPE_EXPORT(add);

}  // namespace loupe::LOUPE_TARGET
