// Edits on a GPU, a thread a few cells. Floor: 9 bytes read and 4 written an element.
#include "kernels/edit/edit.h"

#include "kernels/device/export.h"
#include "kernels/device/vectors.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL edit_kernel(Vectors elements, EditKind kind, const float* x, const uint8_t* mask,
                         const float* values, float* y) {
  elements.visit([&](int64_t i, auto width) {
    auto cells = load_vector<width()>(x + i);
    const auto v = load_vector<width()>(values + i);
    for (int k = 0; k < width(); ++k)
      if (mask[i + k])
        cells[k] = kind == EditKind::set ? v[k] : kind == EditKind::add ? cells[k] + v[k] : cells[k] * v[k];
    store_vector(y + i, cells);
  });
}

LOUPE_KERNEL edit_vjp_input_kernel(Vectors elements, EditKind kind, const float* gy, const uint8_t* mask,
                                   const float* values, float* gx) {
  elements.visit([&](int64_t i, auto width) {
    auto cells = load_vector<width()>(gy + i);
    const auto v = load_vector<width()>(values + i);
    for (int k = 0; k < width(); ++k)
      if (mask[i + k] && kind != EditKind::add) cells[k] = kind == EditKind::set ? 0.0f : cells[k] * v[k];
    store_vector(gx + i, cells);
  });
}

LOUPE_KERNEL edit_vjp_values_kernel(Vectors elements, EditKind kind, const float* gy, const uint8_t* mask,
                                    const float* x, float* gv) {
  elements.visit([&](int64_t i, auto width) {
    auto cells = load_vector<width()>(gy + i);
    for (int k = 0; k < width(); ++k)
      cells[k] = !mask[i + k] ? 0.0f : kind == EditKind::scale ? cells[k] * x[i + k] : cells[k];
    store_vector(gv + i, cells);
  });
}

}  // namespace

void edit(Stream stream, EditKind kind, const float* x, const uint8_t* mask, const float* values, float* y,
          int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), edit_kernel, elements, kind, x, mask, values, y);
}

void edit_vjp_input(Stream stream, EditKind kind, const float* gy, const uint8_t* mask, const float* values,
                    float* gx, int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), edit_vjp_input_kernel, elements, kind, gy, mask, values, gx);
}

void edit_vjp_values(Stream stream, EditKind kind, const float* gy, const uint8_t* mask, const float* x,
                     float* gv, int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), edit_vjp_values_kernel, elements, kind, gy, mask, x, gv);
}

LOUPE_EXPORT(edit);
LOUPE_EXPORT(edit_vjp_input);
LOUPE_EXPORT(edit_vjp_values);

}  // namespace loupe::LOUPE_TARGET
