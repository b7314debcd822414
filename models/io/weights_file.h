// A file of weights in any format that Loupe reads; its first bytes say which.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/io/gguf.h"
#include "models/io/safetensors.h"
#include "models/io/torch_file.h"

namespace loupe {

class WeightsFile {
 public:
  /// safetensors, GGUF, or what torch.save wrote. Throws Error, one line, which says what the file is where it is
  /// something else.
  static WeightsFile open(const std::string& path);
  WeightsFile(SafetensorsFile file) : file_(std::move(file)) { take_names(); }  // NOLINT: implicit on purpose
  WeightsFile(GgufFile file) : file_(std::move(file)) { take_names(); }         // NOLINT
  WeightsFile(TorchFile file) : file_(std::move(file)) { take_names(); }        // NOLINT

  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return stored_.contains(name); }
  const TensorInfo& info(std::string_view name) const;
  Tensor tensor(std::string_view name) const;

  /// Takes off what all names have before their first dot ("module.", "model."), as often as no name that is
  /// `wanted` starts with it. Returns what was taken off.
  std::string strip_prefix(const std::vector<std::string>& wanted);
  /// Calls every tensor by what `name` makes of its name, unless another has that already.
  void rename(const std::function<std::string(const std::string&)>& name);

 private:
  void take_names();
  std::variant<SafetensorsFile, GgufFile, TorchFile> file_;
  std::vector<std::string> names_;
  std::map<std::string, std::string, std::less<>> stored_;  // a name here → that in the file
};

}  // namespace loupe
