// Convolutions by cuDNN, in float32 without tensor cores unless a comparison asks for another style: what
// ours are compared with. For each shape the fastest algorithm is found by running them all once, which is
// more than an honest user of cuDNN does.
#include "kernels/device/library.h"
#include "kernels/gpu/arena.h"
#include "kernels/gpu/libraries.h"
#include "kernels/gpu/runtime.h"
#include "kernels/gpu/shared_library.h"

#if !__has_include(<cudnn.h>)

namespace loupe::gpu {
namespace {
const char* const kMissing = "this build was made without cuDNN's headers";
}
LibraryStatus cudnn_status() { return {"", kMissing}; }
bool library_convolution(Stream, LibraryPass, const LibraryConvolution&, LibraryStyle, const void*,
                         const void*, void*) {
  return false;
}
}  // namespace loupe::gpu

#else

#include <cudnn.h>

#include <cstring>
#include <map>
#include <tuple>
#include <vector>

namespace loupe::gpu {

namespace {

// A convolution with cuDNN's descriptors for it, and the fastest algorithm of one pass.
struct Planned {
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  cudnnFilterDescriptor_t weight = nullptr;
  cudnnConvolutionDescriptor_t convolution = nullptr;
  int algorithm = 0;
  size_t workspace = 0;
};

struct Asked {
  LibraryPass pass;
  LibraryStyle style;
  LibraryConvolution convolution;
  friend bool operator<(const Asked& a, const Asked& b) {
    const auto how = [](const Asked& q) { return std::tuple(q.pass, q.style.math, q.style.channels_last); };
    if (how(a) != how(b)) return how(a) < how(b);
    return std::memcmp(&a.convolution, &b.convolution, sizeof a.convolution) < 0;
  }
};
static_assert(std::has_unique_object_representations_v<LibraryConvolution>);

class Cudnn {
 public:
  static Cudnn& get() {
    // One a thread, so that none waits for another that looks for an algorithm; never destroyed, as the driver
    // may be gone before it.
    static thread_local Cudnn* const library = new Cudnn;
    return *library;
  }
  bool found() const { return library_.found(); }
  const std::string& missing() const { return library_.missing(); }
  std::string version() const {
    const size_t v = version_();
    return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
  }

  /// `in` and `with` as in device/library.h; the result goes to `out`.
  void run(Stream stream, const Asked& asked, const void* in, const void* with, void* out) {
    handle_ = handles_[current_device()];
    if (!handle_) check(create_(&handle_), "cudnnCreate");
    handles_[current_device()] = handle_;
    check(set_stream_(handle_, static_cast<cudaStream_t>(stream)), "cudnnSetStream");
    const Planned& p = planned(asked);
    void* workspace = p.workspace ? scratch(stream, static_cast<int64_t>(p.workspace)) : nullptr;
    const float one = 1, zero = 0;
    switch (asked.pass) {
      case LibraryPass::forward:
        return check(forward_(handle_, &one, p.x, in, p.weight, with, p.convolution,
                              static_cast<cudnnConvolutionFwdAlgo_t>(p.algorithm), workspace, p.workspace,
                              &zero, p.y, out),
                     "cudnnConvolutionForward");
      case LibraryPass::vjp_input:
        return check(backward_data_(handle_, &one, p.weight, with, p.y, in, p.convolution,
                                    static_cast<cudnnConvolutionBwdDataAlgo_t>(p.algorithm), workspace,
                                    p.workspace, &zero, p.x, out),
                     "cudnnConvolutionBackwardData");
      case LibraryPass::vjp_weight:
        return check(backward_filter_(handle_, &one, p.x, in, p.y, with, p.convolution,
                                      static_cast<cudnnConvolutionBwdFilterAlgo_t>(p.algorithm), workspace,
                                      p.workspace, &zero, p.weight, out),
                     "cudnnConvolutionBackwardFilter");
    }
  }

 private:
  Cudnn() : library_({"libcudnn.so.9"}) {
    if (!library_.found()) return;
    library_.get(version_, "cudnnGetVersion");
    library_.get(error_text_, "cudnnGetErrorString");
    library_.get(create_, "cudnnCreate");
    library_.get(set_stream_, "cudnnSetStream");
    library_.get(create_tensor_, "cudnnCreateTensorDescriptor");
    library_.get(set_tensor_, "cudnnSetTensor4dDescriptor");
    library_.get(create_filter_, "cudnnCreateFilterDescriptor");
    library_.get(set_filter_, "cudnnSetFilter4dDescriptor");
    library_.get(create_convolution_, "cudnnCreateConvolutionDescriptor");
    library_.get(set_convolution_, "cudnnSetConvolution2dDescriptor");
    library_.get(set_groups_, "cudnnSetConvolutionGroupCount");
    library_.get(set_math_, "cudnnSetConvolutionMathType");
    library_.get(find_forward_, "cudnnFindConvolutionForwardAlgorithm");
    library_.get(find_backward_data_, "cudnnFindConvolutionBackwardDataAlgorithm");
    library_.get(find_backward_filter_, "cudnnFindConvolutionBackwardFilterAlgorithm");
    library_.get(forward_, "cudnnConvolutionForward");
    library_.get(backward_data_, "cudnnConvolutionBackwardData");
    library_.get(backward_filter_, "cudnnConvolutionBackwardFilter");
  }

  void check(cudnnStatus_t status, const char* what) const {
    if (status != CUDNN_STATUS_SUCCESS) throw Failure(std::string(what) + " failed: " + error_text_(status));
  }

  const Planned& planned(const Asked& asked) {
    const auto found = plans_.find(asked);
    if (found != plans_.end()) return found->second;
    Planned p;
    check(create_tensor_(&p.x), "cudnnCreateTensorDescriptor");
    check(create_tensor_(&p.y), "cudnnCreateTensorDescriptor");
    check(create_filter_(&p.weight), "cudnnCreateFilterDescriptor");
    check(create_convolution_(&p.convolution), "cudnnCreateConvolutionDescriptor");
    describe(p, asked.convolution, asked.style);
    const bool tensor_cores = asked.style.math != LibraryMath::fp32;
    switch (asked.pass) {
      case LibraryPass::forward:
        choose<cudnnConvolutionFwdAlgoPerf_t>(p, tensor_cores, find_forward_, p.x, p.weight, p.convolution,
                                              p.y);
        break;
      case LibraryPass::vjp_input:
        choose<cudnnConvolutionBwdDataAlgoPerf_t>(p, tensor_cores, find_backward_data_, p.weight, p.y,
                                                  p.convolution, p.x);
        break;
      case LibraryPass::vjp_weight:
        choose<cudnnConvolutionBwdFilterAlgoPerf_t>(p, tensor_cores, find_backward_filter_, p.x, p.y,
                                                    p.convolution, p.weight);
        break;
    }
    return plans_.emplace(asked, p).first->second;
  }

  // Sizes, types and layouts. Sums are in float32 whatever the operands.
  void describe(const Planned& p, const LibraryConvolution& c, LibraryStyle style) {
    const auto i = [](int64_t v) { return static_cast<int>(v); };
    const cudnnTensorFormat_t format = style.channels_last ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW;
    const cudnnDataType_t type = style.math == LibraryMath::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    check(set_tensor_(p.x, format, type, i(c.n), i(c.c), i(c.h), i(c.w)), "cudnnSetTensor4dDescriptor");
    check(set_tensor_(p.y, format, type, i(c.n), i(c.k), i(c.oh), i(c.ow)), "cudnnSetTensor4dDescriptor");
    check(set_filter_(p.weight, type, format, i(c.k), i(c.c / c.groups), i(c.kernel[0]), i(c.kernel[1])),
          "cudnnSetFilter4dDescriptor");
    check(set_convolution_(p.convolution, i(c.padding[0]), i(c.padding[1]), i(c.stride[0]), i(c.stride[1]),
                           i(c.dilation[0]), i(c.dilation[1]), CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
          "cudnnSetConvolution2dDescriptor");
    check(set_groups_(p.convolution, i(c.groups)), "cudnnSetConvolutionGroupCount");
    const cudnnMathType_t math = style.math == LibraryMath::fp32   ? CUDNN_FMA_MATH
                                 : style.math == LibraryMath::tf32 ? CUDNN_DEFAULT_MATH  // allows tf32
                                                                   : CUDNN_TENSOR_OP_MATH;
    check(set_math_(p.convolution, math), "cudnnSetConvolutionMathType");
  }

  // The fastest algorithm; they come sorted by time, each with the mathematics that it was timed in: those
  // asked for, and besides them the default ones, which allow tf32. Without tensor cores the descriptor goes on
  // allowing float32 alone; an algorithm timed so comes first, one timed otherwise is what remains.
  template <typename Measured, typename Find, typename... Descriptors>
  void choose(Planned& p, bool tensor_cores, Find find, Descriptors... descriptors) {
    Measured all[16];
    int count = 0;
    Arena::get().give_back_kept();  // it tries them with memory of its own
    check(find(handle_, descriptors..., 16, &count, all), "finding an algorithm of cuDNN");
    const auto take = [&](const Measured& m) {
      p.algorithm = m.algo;
      p.workspace = m.memory;
      if (tensor_cores) check(set_math_(p.convolution, m.mathType), "cudnnSetConvolutionMathType");
    };
    for (const cudnnMathType_t math : {CUDNN_FMA_MATH, CUDNN_DEFAULT_MATH})
      for (int i = 0; i < count; ++i)
        if (all[i].status == CUDNN_STATUS_SUCCESS && (tensor_cores || all[i].mathType == math))
          return take(all[i]);
    throw Failure("cuDNN has no algorithm for this convolution in this arithmetic; use --conv own");
  }

  SharedLibrary library_;
  std::map<int, cudnnHandle_t> handles_;  // of each device
  cudnnHandle_t handle_ = nullptr;        // of the device of the call under way
  std::map<Asked, Planned> plans_;
  decltype(cudnnGetVersion)* version_ = nullptr;
  decltype(cudnnGetErrorString)* error_text_ = nullptr;
  decltype(cudnnCreate)* create_ = nullptr;
  decltype(cudnnSetStream)* set_stream_ = nullptr;
  decltype(cudnnCreateTensorDescriptor)* create_tensor_ = nullptr;
  decltype(cudnnSetTensor4dDescriptor)* set_tensor_ = nullptr;
  decltype(cudnnCreateFilterDescriptor)* create_filter_ = nullptr;
  decltype(cudnnSetFilter4dDescriptor)* set_filter_ = nullptr;
  decltype(cudnnCreateConvolutionDescriptor)* create_convolution_ = nullptr;
  decltype(cudnnSetConvolution2dDescriptor)* set_convolution_ = nullptr;
  decltype(cudnnSetConvolutionGroupCount)* set_groups_ = nullptr;
  decltype(cudnnSetConvolutionMathType)* set_math_ = nullptr;
  decltype(cudnnFindConvolutionForwardAlgorithm)* find_forward_ = nullptr;
  decltype(cudnnFindConvolutionBackwardDataAlgorithm)* find_backward_data_ = nullptr;
  decltype(cudnnFindConvolutionBackwardFilterAlgorithm)* find_backward_filter_ = nullptr;
  decltype(cudnnConvolutionForward)* forward_ = nullptr;
  decltype(cudnnConvolutionBackwardData)* backward_data_ = nullptr;
  decltype(cudnnConvolutionBackwardFilter)* backward_filter_ = nullptr;
};

}  // namespace

LibraryStatus cudnn_status() {
  const Cudnn& c = Cudnn::get();
  return {c.found() ? c.version() : "", c.missing()};
}

bool library_convolution(Stream stream, LibraryPass pass, const LibraryConvolution& c, LibraryStyle style,
                         const void* from, const void* with, void* to) {
  if (!Cudnn::get().found()) throw Failure("convolutions by cuDNN: " + Cudnn::get().missing());
  Cudnn::get().run(stream, {pass, style, c}, from, with, to);
  return true;
}

}  // namespace loupe::gpu

#endif
