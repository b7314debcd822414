// torch_lines FILE: a line for each tensor of a file of torch.save, as models/io/torch_file.h reads it.
#include <cstdio>

#include "kernels/common/error.h"
#include "tests/support/torch_lines.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: torch_lines FILE\n");
    return 2;
  }
  try {
    std::fputs(loupe::tensor_lines(loupe::TorchFile::open(argv[1])).c_str(), stdout);
  } catch (const loupe::Error& error) {
    std::fprintf(stderr, "torch_lines: %s\n", error.what());
    return 1;
  }
}
