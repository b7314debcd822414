// A copy on a device, 16 bytes a thread. Floor: 4 bytes read and 4 written an element.
#include "kernels/common/copy.h"

#include "kernels/device/export.h"
#include "kernels/device/vectors.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL copy_kernel(Vectors elements, const float* x, float* y) {
  elements.visit([&](int64_t i, auto width) { store_vector(y + i, load_vector<width()>(x + i)); });
}

}  // namespace

void copy(Stream stream, const float* x, float* y, int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), copy_kernel, elements, x, y);
}

LOUPE_EXPORT(copy);

}  // namespace loupe::LOUPE_TARGET
