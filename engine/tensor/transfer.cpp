#include "engine/tensor/transfer.h"

namespace loupe {

void upload(const Queue& queue, const Tensor& from, const Array& to) {
  if (!queue.module) return convert(from.array(), to);
  if (from.dtype() == to.dtype && to.layout == Layout::planar)
    return queue.module->upload(to.data, from.raw(), to.bytes(), queue.stream);
  const std::shared_ptr<Storage> staging = Storage::allocate(to.bytes());
  convert(from.array(), {staging->data(), to.dtype, to.shape, to.layout});
  queue.module->upload(to.data, staging->data(), to.bytes(), queue.stream);
}

Tensor download(const Queue& queue, const Array& from) {
  const Tensor t(from.dtype == Dtype::bit ? Dtype::u8 : from.dtype, from.shape);
  if (!queue.module) {
    convert(from, t.array());
  } else if (from.dtype == t.dtype() && from.layout == Layout::planar) {
    queue.module->download(t.raw(), from.data, t.bytes(), queue.stream);
  } else {
    const std::shared_ptr<Storage> staging = Storage::allocate(from.bytes());
    queue.module->download(staging->data(), from.data, from.bytes(), queue.stream);
    convert({staging->data(), from.dtype, from.shape, from.layout}, t.array());
  }
  return t;
}

}  // namespace loupe
