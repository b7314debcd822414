#include "models/io/onnx/external_data.h"

#include <algorithm>
#include <filesystem>

#include "kernels/common/error.h"
#include "models/io/safetensors_header.h"  // in_quotes

namespace loupe::onnx {

void ExternalData::take(TensorProto& tensor, const std::map<std::string, std::string>& entries) {
  const std::string what = "'" + file_ + "': tensor " + safetensors::in_quotes(tensor.name);
  const auto whole = [&](const char* key, int64_t otherwise) {
    const auto found = entries.find(key);
    if (found == entries.end()) return otherwise;
    const std::string& digits = found->second;
    if (digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != digits.npos)
      throw Error(what + ": its external data's " + key + " is no number");
    return static_cast<int64_t>(std::stoll(digits));
  };
  const auto location = entries.find("location");
  const std::filesystem::path name(location == entries.end() ? "" : location->second);
  const std::string shown = safetensors::in_quotes(name.string());
  const bool outside = name.empty() || name.is_absolute() ||
                       std::find(name.begin(), name.end(), "..") != name.end() ||
                       location->second.find('\0') != std::string::npos;
  if (outside || folder_.empty())
    throw Error(what + " lies in another file, " + shown + ", which is not in the model's folder");
  auto& mapped = mapped_[name.string()];
  if (!mapped) mapped = MappedFile::open((std::filesystem::path(folder_) / name).string());
  const int64_t size = std::ssize(mapped->bytes()), offset = whole("offset", 0);
  if (offset > size) throw Error(what + " begins beyond the end of " + shown);
  const int64_t length = whole("length", size - offset);
  if (length > size - offset) throw Error(what + " ends beyond the end of " + shown);
  tensor.raw = mapped->bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(length));
  tensor.has_raw = true;
  tensor.owner = mapped;
}

}  // namespace loupe::onnx
