// Concatenation on a GPU: a range of channels is one run of memory in each image, and a copy of runs is all
// it takes. 16 bytes a thread where every run begins and ends on a multiple of that, else 4.
//
// Floor: 4 bytes read and 4 written an element.
#include "kernels/concat/concat.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/memory.h"

namespace loupe::LOUPE_TARGET {

namespace {

// `source` and `target`: floats from one image to the next.
template <int Width>
LOUPE_KERNEL copy_runs_kernel(Cells vectors, const float* x, int64_t source, float* y, int64_t target) {
  int64_t image;
  int vector;
  if (!vectors.find(image, vector)) return;
  const int i = vector * Width;
  store_vector(y + image * target + i, load_vector<Width>(x + image * source + i));
}

}  // namespace

void copy_channels(Stream stream, const ChannelRange& r, const float* x, float* y, int64_t n,
                   int64_t pixels) {
  const int64_t source = r.source * pixels, from = r.from * pixels, target = r.target * pixels,
                to = r.to * pixels, count = r.count * pixels;
  const bool whole =
      count % 4 == 0 && from % 4 == 0 && to % 4 == 0 && (n == 1 || (source % 4 == 0 && target % 4 == 0));
  small(count);
  const Cells vectors(n, whole ? count / 4 : count);
  launch(vectors.launch_in(stream), whole ? copy_runs_kernel<4> : copy_runs_kernel<1>, vectors, x + from,
         source, y + to, target);
}

LOUPE_EXPORT(copy_channels);

}  // namespace loupe::LOUPE_TARGET
