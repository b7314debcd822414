#include "kernels/common/parallel.h"

#include <omp.h>

namespace loupe {

int max_threads() { return omp_get_max_threads(); }
int thread_index() { return omp_get_thread_num(); }
void set_threads(int threads) { omp_set_num_threads(threads); }

}  // namespace loupe
