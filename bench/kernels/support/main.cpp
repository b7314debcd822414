#include "bench/kernels/support/call.h"

int main(int argc, char** argv) {
  loupe::register_benches();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
