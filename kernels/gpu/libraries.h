// cuBLAS and cuDNN, opened on first use and never linked: a run without them maps neither. What they compute
// is declared in device/library.h.
//
// A plan says which products they compute (KernelOptions): cuBLAS serves products of matrices where it is
// there, unless a plan wants our kernels. cuDNN is what our convolutions are compared with.
#pragma once
#include <string>

namespace loupe::gpu {

/// A library, opened now.
struct LibraryStatus {
  std::string version, missing;  // one of them is empty
};
LibraryStatus cublas_status();
LibraryStatus cudnn_status();

/// Ends what cuBLAS keeps for a stream, when that is destroyed: another may get its address.
void forget_cublas(void* stream) noexcept;

}  // namespace loupe::gpu
