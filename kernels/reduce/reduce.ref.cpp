#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/reduce/reduce.h"

namespace loupe::ref {

namespace {

// Calls each(at, place) for the elements of group `o`, in order: its place in x, and its number in the group.
template <typename Each>
void for_group(const Reduction& r, int64_t o, const Each& each) {
  const int64_t i = r.run_is_reduced ? o : o / r.run;
  const int64_t first = r.run_is_reduced ? 0 : o % r.run, last = r.run_is_reduced ? r.run : first + 1;
  for (int64_t j = 0; j < r.reduced_count(); ++j)
    for (int64_t t = first; t < last; ++t) each(r.start(i, j) + t, r.place(j, t));
}

}  // namespace

template <typename T>
void reduce_sum(const Reduction& r, T divisor, const T* x, T* y) {
  parallel_for(r.outputs(), [=](int64_t o) {
    T sum = 0;
    for_group(r, o, [&](int64_t at, int64_t) { sum += x[at]; });
    y[o] = sum / divisor;
  });
}

template <typename T>
void reduce_max(const Reduction& r, const T* x, T* y, int32_t* index) {
  parallel_for(r.outputs(), [=](int64_t o) {
    int64_t best = -1, where = 0;
    for_group(r, o, [&](int64_t at, int64_t place) {
      if (best >= 0 && !(x[at] > x[best]) && !(std::isnan(x[at]) && !std::isnan(x[best]))) return;
      best = at;
      where = place;
    });
    y[o] = x[best];
    if (index) index[o] = static_cast<int32_t>(where);
  });
}

template <typename T>
void reduce_sum_vjp(const Reduction& r, T divisor, const T* gy, T* gx) {
  parallel_for(r.outputs(),
               [=](int64_t o) { for_group(r, o, [&](int64_t at, int64_t) { gx[at] = gy[o] / divisor; }); });
}

template <typename T>
void reduce_max_vjp(const Reduction& r, const int32_t* index, const T* gy, T* gx) {
  parallel_for(r.outputs(), [=](int64_t o) {
    for_group(r, o, [&](int64_t at, int64_t place) { gx[at] = place == index[o] ? gy[o] : T(0); });
  });
}

#define LOUPE_INSTANTIATE(T)                                          \
  template void reduce_sum(const Reduction&, T, const T*, T*);        \
  template void reduce_max(const Reduction&, const T*, T*, int32_t*); \
  template void reduce_sum_vjp(const Reduction&, T, const T*, T*);    \
  template void reduce_max_vjp(const Reduction&, const int32_t*, const T*, T*);
LOUPE_INSTANTIATE(float)
LOUPE_INSTANTIATE(double)
#undef LOUPE_INSTANTIATE

}  // namespace loupe::ref
