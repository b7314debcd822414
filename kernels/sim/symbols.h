// From an address in the program to the kernel and the source line that a person wrote.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace loupe::sim {

struct Line {
  std::string file;  // "kernels/softmax/softmax.cu"
  int line = 0;
  std::string str() const { return file + ":" + std::to_string(line); }
};

/// The line of a call that returns to `pc`. Wrappers in kernels/device/ are passed over: the line is their
/// caller's.
Line line_of(const void* pc);
/// The name of a function: "softmax_rows".
std::string function_name(const void* address);
/// Every kernel that this module has, template instances one by one: functions whose name ends in "_kernel",
/// as all kernels' do.
std::vector<std::string> kernel_names();
/// Where this module is in memory.
struct Image {
  uintptr_t begin, end;
};
Image module_image();

}  // namespace loupe::sim
