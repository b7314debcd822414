// cuBLAS and cuDNN, opened on first use and never linked: a run without them maps neither. What they compute
// is declared in device/library.h.
//
// cuBLAS serves linear layers where it is there. cuDNN is what our convolutions are compared with, and is
// used only where a plan asks for it (KernelOptions).
#pragma once
#include <string>

namespace loupe::gpu {

/// `auto`: cuBLAS where it is found. `cublas`: throws Failure where it is not. `own`: our kernels.
void choose_linear(const std::string& choice);

/// A library, opened now.
struct LibraryStatus {
  std::string version, missing;  // one of them is empty
  bool serves = false;           // there, and not turned off
};
LibraryStatus cublas_status();
LibraryStatus cudnn_status();

}  // namespace loupe::gpu
