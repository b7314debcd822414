#include "kernels/elementwise/binary.h"

#include "kernels/elementwise/numbers_ref.h"

namespace loupe::ref {

template <typename T>
void binary(const BinarySum& s, const T* g, const T* a, const T* b, T* to) {
  binary_terms::visit_term(s.kind, s.operand, [&](auto term) {
    using Term = decltype(term);
    const int64_t results = s.kept.count(), terms = s.summed.count();
    for (int64_t k = 0; k < results; ++k) {
      T sum = 0;
      for (int64_t t = 0; t < terms; ++t) {
        const auto at = s.kept.at(k), then = s.summed.at(t);
        const T value =
            Term::of(Term::reads_g ? g[at.g + then.g] : T(0), Term::reads_a ? a[at.a + then.a] : T(0),
                     Term::reads_b ? b[at.b + then.b] : T(0));
        sum = t ? sum + value : value;
      }
      to[k] = sum;
    }
  });
}

template void binary(const BinarySum&, const float*, const float*, const float*, float*);
template void binary(const BinarySum&, const double*, const double*, const double*, double*);

}  // namespace loupe::ref
