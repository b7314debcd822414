// What is known about the GPU.
#pragma once
#include <string>

namespace loupe::gpu {

/// Throws Failure, no_device, one line that says what is missing, unless there is a GPU of that index that this
/// build has code for. It is the current device then; below, everything is about that one.
void find_device(int index);
/// "NVIDIA H200, sm_90, 132 multiprocessors, 139 GiB, driver 580.95.05 (CUDA 13.0)"
std::string describe_device();
/// The same and more, for programs; peak_* follow from clocks and widths, and are no measurement.
std::string device_as_json();
/// A string of JSON.
std::string quoted(const std::string& text);

}  // namespace loupe::gpu
