// The host's kernels: one pass, in whatever layout. Memory bound: 9 bytes read and 4 written an element.
#include "kernels/edit/edit.h"
#include "kernels/common/parallel.h"

namespace loupe::host {

namespace {
constexpr int64_t kChunk = 1 << 14;

template <typename Cell>
void each_cell(int64_t count, const Cell& cell) {
  parallel_for(ceil_div(count, kChunk), [&](int64_t chunk) {
    const int64_t end = std::min(count, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end; ++i) cell(i);
  });
}
}  // namespace

template <typename T>
void edit(EditKind kind, const T* x, const uint8_t* mask, const T* values, T* y, int64_t count) {
  switch (kind) {
    case EditKind::set:
      return each_cell(count, [=](int64_t i) { y[i] = mask[i] ? values[i] : x[i]; });
    case EditKind::add:
      return each_cell(count, [=](int64_t i) { y[i] = mask[i] ? x[i] + values[i] : x[i]; });
    case EditKind::scale:
      return each_cell(count, [=](int64_t i) { y[i] = mask[i] ? x[i] * values[i] : x[i]; });
  }
}

template <typename T>
void edit_vjp_input(EditKind kind, const T* gy, const uint8_t* mask, const T* values, T* gx, int64_t count) {
  switch (kind) {
    case EditKind::set:
      return each_cell(count, [=](int64_t i) { gx[i] = mask[i] ? T{0} : gy[i]; });
    case EditKind::add:
      return each_cell(count, [=](int64_t i) { gx[i] = gy[i]; });
    case EditKind::scale:
      return each_cell(count, [=](int64_t i) { gx[i] = mask[i] ? gy[i] * values[i] : gy[i]; });
  }
}

template <typename T>
void edit_vjp_values(EditKind kind, const T* gy, const uint8_t* mask, const T* x, T* gv, int64_t count) {
  if (kind == EditKind::scale)
    return each_cell(count, [=](int64_t i) { gv[i] = mask[i] ? gy[i] * x[i] : T{0}; });
  each_cell(count, [=](int64_t i) { gv[i] = mask[i] ? gy[i] : T{0}; });
}

template void edit(EditKind, const float*, const uint8_t*, const float*, float*, int64_t);
template void edit(EditKind, const double*, const uint8_t*, const double*, double*, int64_t);
template void edit_vjp_input(EditKind, const float*, const uint8_t*, const float*, float*, int64_t);
template void edit_vjp_input(EditKind, const double*, const uint8_t*, const double*, double*, int64_t);
template void edit_vjp_values(EditKind, const float*, const uint8_t*, const float*, float*, int64_t);
template void edit_vjp_values(EditKind, const double*, const uint8_t*, const double*, double*, int64_t);

}  // namespace loupe::host
