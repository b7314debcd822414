// A shared library opened on first use, and functions of it.
#pragma once
#include <string>
#include <vector>

namespace loupe::gpu {

class SharedLibrary {
 public:
  /// Tries `names` in order: where the loader looks (LD_LIBRARY_PATH), then in the folders of a CUDA toolkit.
  /// Stays open to the end of the process.
  explicit SharedLibrary(const std::vector<std::string>& names);
  bool found() const { return handle_ != nullptr; }
  /// Why not, one line.
  const std::string& missing() const { return missing_; }
  /// Sets `function` to the one of that name. Throws Failure if the library has none.
  template <typename Function>
  void get(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(address(name));
  }

 private:
  void* address(const char* name) const;
  void* handle_ = nullptr;
  std::string name_, missing_;
};

}  // namespace loupe::gpu
