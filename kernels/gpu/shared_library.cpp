#include "kernels/gpu/shared_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "kernels/gpu/check.h"

namespace loupe::gpu {

namespace {

std::vector<std::string> toolkit_folders() {
  std::vector<std::string> folders;
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char* root = std::getenv(variable)) folders.push_back(std::string(root) + "/lib64/");
  folders.push_back("/usr/local/cuda/lib64/");
  folders.push_back("/opt/cuda/lib64/");
  return folders;
}

}  // namespace

SharedLibrary::SharedLibrary(const std::vector<std::string>& names) {
  const auto try_one = [&](const std::string& path, const std::string& name) {
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_) name_ = name;
    // That it is not there is said once; what else went wrong, in the loader's words.
    else if (const char* why = dlerror(); why && missing_.empty() && std::filesystem::exists(path))
      missing_ = why;
    return handle_ != nullptr;
  };
  for (const std::string& name : names)
    if (try_one(name, name)) return;
  for (const std::string& folder : toolkit_folders())
    for (const std::string& name : names)
      if (try_one(folder + name, name)) return;
  if (missing_.empty())
    missing_ = names.front() + " is neither on LD_LIBRARY_PATH nor in a CUDA toolkit's lib64";
}

void* SharedLibrary::address(const char* name) const {
  void* found = handle_ ? dlsym(handle_, name) : nullptr;
  if (!found) throw Failure(name_ + " has no function " + name);
  return found;
}

}  // namespace loupe::gpu
