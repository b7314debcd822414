// Threads. Work is cut by index alone, never by how many threads there are, so results do not depend on
// OMP_NUM_THREADS.
#pragma once
#include <cstdint>

namespace loupe {

/// Calls body(i) for i in [0, n) on OpenMP's threads. `body` must not throw, and calls for different i must
/// not write the same bytes.
template <typename Body>
void parallel_for(int64_t n, const Body& body) {
#pragma omp parallel for schedule(static) if (n > 1)
  for (int64_t i = 0; i < n; ++i) body(i);
}

/// Upper bound on the threads that parallel_for uses now, for scratch memory of one piece a thread.
int max_threads();
/// 0 … max_threads()-1, within parallel_for's body.
int thread_index();
/// Sets the number of threads for this process (the OMP_NUM_THREADS of the environment is the default).
void set_threads(int threads);

}  // namespace loupe
