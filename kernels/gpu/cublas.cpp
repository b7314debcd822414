// Linear layers by cuBLAS, in float32 throughout (no TF32). It picks its algorithm by the sizes of the
// product, so a batch goes in chunks of one size, the last one filled up with zeros: an image's bits do not
// depend on how many others there are.
#include "kernels/device/library.h"
#include "kernels/gpu/arena.h"
#include "kernels/gpu/libraries.h"
#include "kernels/gpu/runtime.h"
#include "kernels/gpu/shared_library.h"

#if !__has_include(<cublas_v2.h>)

namespace loupe::gpu {
namespace {
const char* const kMissing = "this build was made without cuBLAS's headers";
}
LibraryStatus cublas_status() { return {"", kMissing}; }
void forget_cublas(void*) noexcept {}
bool library_linear(Stream, int64_t, int64_t, int64_t, const float*, const float*, int64_t, float*) {
  return false;
}
bool library_product(Stream, const LibraryProduct&, const float*, const float*, float*) { return false; }
bool library_product_compared(Stream, const LibraryProduct&, LibraryMath, const void*, const void*, void*) {
  return false;
}
}  // namespace loupe::gpu

#else

#include <cublas_v2.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

namespace loupe::gpu {

namespace {

// Rows of a chunk. A chunk reads the weights once: at 32 rows that takes about as long as the arithmetic.
constexpr int64_t kChunk = 32;

// Written out, because the headers have several functions of the name cublasGemmEx.
using GemmOfTypes = cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n, int k,
                                   const void* alpha, const void* a, cudaDataType, int a_pitch, const void* b,
                                   cudaDataType, int b_pitch, const void* beta, void* c, cudaDataType,
                                   int c_pitch, cublasComputeType_t, cublasGemmAlgo_t);

std::atomic<bool> g_opened = false;

class Cublas {
 public:
  static Cublas& get() {
    static Cublas* const library = new Cublas;  // never destroyed: the driver may be gone before it
    g_opened = true;
    return *library;
  }
  static bool opened() { return g_opened; }
  bool found() const { return library_.found(); }
  const std::string& missing() const { return library_.missing(); }

  std::string version() const {
    int major = 0, minor = 0, patch = 0;
    property_(MAJOR_VERSION, &major);
    property_(MINOR_VERSION, &minor);
    property_(PATCH_LEVEL, &patch);
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
  }

  /// y = x · weight for kChunk rows. cuBLAS counts columns first: to it these are yᵀ = weightᵀ · xᵀ.
  void multiply(Stream stream, int64_t in, int64_t out, const float* x, const float* weight, int64_t pitch,
                float* y) {
    const float one = 1, zero = 0;
    const auto i = [](int64_t v) { return static_cast<int>(v); };
    check(gemm_(handle(stream), CUBLAS_OP_N, CUBLAS_OP_N, i(out), i(kChunk), i(in), &one, weight, i(pitch), x,
                i(in), &zero, y, i(out)),
          "cublasSgemm");
  }
  /// The same of any sizes: cᵀ = bᵀ · aᵀ, to it.
  void multiply(Stream stream, const LibraryProduct& p, const float* a, const float* b, float* c) {
    const float one = 1, keep = p.add ? 1 : 0;
    const Matrices m(p);
    check(gemm_(handle(stream), m.b, m.a, m.columns, m.rows, m.inner, &one, b, m.b_pitch, a, m.a_pitch, &keep,
                c, m.columns),
          "cublasSgemm");
  }
  /// The same as anybody would call it to be fast.
  void compare(Stream stream, const LibraryProduct& p, LibraryMath math, const void* a, const void* b,
               void* c) {
    const float one = 1, keep = p.add ? 1 : 0;
    const Matrices m(p);
    const cudaDataType_t type = math == LibraryMath::bf16 ? CUDA_R_16BF : CUDA_R_32F;
    const cublasComputeType_t arithmetic =
        math == LibraryMath::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    check(gemm_of_types_(handle(stream, CUBLAS_DEFAULT_MATH), m.b, m.a, m.columns, m.rows, m.inner, &one, b,
                         type, m.b_pitch, a, type, m.a_pitch, &keep, c, type, m.columns, arithmetic,
                         CUBLAS_GEMM_DEFAULT),
          "cublasGemmEx");
  }

  /// Of a stream of the current device that is about to go.
  void forget(Stream stream) noexcept {
    std::vector<Handle> gone;
    {
      const std::scoped_lock lock(mutex_);
      std::erase_if(handles_, [&](const auto& entry) {
        const auto& [key, h] = entry;
        if (std::get<0>(key) != current_device() || std::get<1>(key) != stream) return false;
        gone.push_back(h);
        return true;
      });
    }
    for (const Handle& h : gone) end(h);
  }

 private:
  struct Handle {
    cublasHandle_t cublas = nullptr;
    void* workspace = nullptr;
  };
  void end(const Handle& h) const noexcept {
    {
      const auto none = Capturing::none();  // cublasDestroy waits for the device
      if (h.cublas) destroy_(h.cublas);
    }
    Arena::get().release(h.workspace);
  }
  // A product in cuBLAS's words.
  struct Matrices {
    cublasOperation_t a, b;
    int rows, columns, inner, a_pitch, b_pitch;
    explicit Matrices(const LibraryProduct& p) {
      const auto i = [](int64_t v) { return static_cast<int>(v); };
      const bool b_is_plain = p.b_col == 1, a_is_plain = p.a_col == 1;
      a = a_is_plain ? CUBLAS_OP_N : CUBLAS_OP_T;
      b = b_is_plain ? CUBLAS_OP_N : CUBLAS_OP_T;
      rows = i(p.m), columns = i(p.n), inner = i(p.k);
      // The pitch of a matrix of one row is anything; cuBLAS wants a row's length at least.
      a_pitch = i(a_is_plain ? std::max(p.a_row, p.k) : std::max(p.a_col, p.m));
      b_pitch = i(b_is_plain ? std::max(p.b_row, p.n) : std::max(p.b_col, p.k));
    }
  };

  Cublas() : library_({"libcublas.so.13", "libcublas.so.12"}) {
    if (!library_.found()) return;
    library_.get(create_, "cublasCreate_v2");
    library_.get(destroy_, "cublasDestroy_v2");
    library_.get(set_stream_, "cublasSetStream_v2");
    library_.get(set_math_, "cublasSetMathMode");
    library_.get(set_workspace_, "cublasSetWorkspace_v2");
    library_.get(property_, "cublasGetProperty");
    library_.get(status_text_, "cublasGetStatusString");
    library_.get(gemm_, "cublasSgemm_v2");
    library_.get(gemm_of_types_, "cublasGemmEx");
  }

  // One for each device, stream and mode: the workspace behind a handle is not for two streams at once. It is
  // ours, because a call that is captured may not allocate (cuBLAS's documentation, CUDA graphs; 32 MiB is what
  // it advises on Hopper). After the stream, which would take it away again.
  cublasHandle_t handle(Stream stream, cublasMath_t math = CUBLAS_PEDANTIC_MATH) {
    const std::tuple key{current_device(), stream, math};
    {
      const std::scoped_lock lock(mutex_);
      if (const auto found = handles_.find(key); found != handles_.end()) return found->second.cublas;
    }
    // No lock is held while others may have to end a capture. Nobody else makes a handle of this stream.
    Handle h{.workspace = Arena::get().allocate(kWorkspace)};
    try {
      const auto none = Capturing::none();
      check(create_(&h.cublas), "cublasCreate");
      check(set_math_(h.cublas, math), "cublasSetMathMode");
      check(set_stream_(h.cublas, static_cast<cudaStream_t>(stream)), "cublasSetStream");
      check(set_workspace_(h.cublas, h.workspace, static_cast<size_t>(kWorkspace)), "cublasSetWorkspace");
    } catch (...) {
      end(h);
      throw;
    }
    const std::scoped_lock lock(mutex_);
    handles_.emplace(key, h);
    return h.cublas;
  }

  void check(cublasStatus_t status, const char* what) const {
    if (status != CUBLAS_STATUS_SUCCESS)
      throw Failure(std::string(what) + " failed: " + status_text_(status) +
                        (status == CUBLAS_STATUS_ALLOC_FAILED ? "; lower --memory or the batch" : ""),
                    status == CUBLAS_STATUS_ALLOC_FAILED ? Outcome::out_of_memory : Outcome::failed);
  }

  SharedLibrary library_;
  std::mutex mutex_;
  static constexpr int64_t kWorkspace = 32 << 20;
  std::map<std::tuple<int, Stream, cublasMath_t>, Handle> handles_;
  decltype(cublasCreate_v2)* create_ = nullptr;
  decltype(cublasDestroy_v2)* destroy_ = nullptr;
  decltype(cublasSetStream_v2)* set_stream_ = nullptr;
  decltype(cublasSetMathMode)* set_math_ = nullptr;
  decltype(cublasSetWorkspace_v2)* set_workspace_ = nullptr;
  decltype(cublasGetProperty)* property_ = nullptr;
  decltype(cublasGetStatusString)* status_text_ = nullptr;
  decltype(cublasSgemm_v2)* gemm_ = nullptr;
  GemmOfTypes* gemm_of_types_ = nullptr;
};

}  // namespace

LibraryStatus cublas_status() {
  const Cublas& c = Cublas::get();
  return {c.found() ? c.version() : "", c.missing()};
}

// Without it having been used, this would be the first to open it.
void forget_cublas(void* stream) noexcept {
  if (Cublas::opened()) Cublas::get().forget(stream);
}

namespace {

bool countable(const LibraryProduct& p) {
  return std::max({p.m, p.n, p.k, p.a_row, p.a_col, p.b_row, p.b_col}) <= INT_MAX;
}

}  // namespace

bool library_product_compared(Stream stream, const LibraryProduct& p, LibraryMath math, const void* a,
                              const void* b, void* c) {
  if (!countable(p)) throw Failure("a product too large for cuBLAS, which counts in 32 bits");
  if (!Cublas::get().found()) throw Failure("linear layers by cuBLAS: " + Cublas::get().missing());
  Cublas::get().compare(stream, p, math, a, b, c);
  return true;
}

bool library_product(Stream stream, const LibraryProduct& p, const float* a, const float* b, float* c) {
  if (!countable(p) || !Cublas::get().found()) return false;
  Cublas::get().multiply(stream, p, a, b, c);
  return true;
}

bool library_linear(Stream stream, int64_t rows, int64_t in, int64_t out, const float* x, const float* weight,
                    int64_t pitch, float* y) {
  if (std::max(in, std::max(out, pitch)) > INT_MAX || !Cublas::get().found()) return false;
  Cublas& cublas = Cublas::get();
  const auto queue = static_cast<cudaStream_t>(stream);
  const int64_t whole = rows / kChunk * kChunk, rest = rows - whole;
  for (int64_t r = 0; r < whole; r += kChunk)
    cublas.multiply(stream, in, out, x + r * in, weight, pitch, y + r * out);
  if (rest == 0) return true;
  const auto bytes = [](int64_t n, int64_t floats) {
    return static_cast<size_t>(n * floats) * sizeof(float);
  };
  const int64_t padded_in = (kChunk * in + 63) / 64 * 64;  // so that y begins at a multiple of 256 bytes
  auto* padded_x =
      static_cast<float*>(scratch(stream, static_cast<int64_t>(bytes(1, padded_in + kChunk * out))));
  float* padded_y = padded_x + padded_in;
  LOUPE_CUDA(cudaMemcpyAsync(padded_x, x + whole * in, bytes(rest, in), cudaMemcpyDeviceToDevice, queue));
  LOUPE_CUDA(cudaMemsetAsync(padded_x + rest * in, 0, bytes(kChunk - rest, in), queue));
  cublas.multiply(stream, in, out, padded_x, weight, pitch, padded_y);
  LOUPE_CUDA(cudaMemcpyAsync(y + whole * out, padded_y, bytes(rest, out), cudaMemcpyDeviceToDevice, queue));
  return true;
}

}  // namespace loupe::gpu

#endif
