// External data: tensors of a model that lie in other files of its folder.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "engine/file/mapped_file.h"
#include "models/io/onnx/proto.h"

namespace loupe::onnx {

class ExternalData {
 public:
  /// `file`: the model's name, for messages. `folder`: "" where there is none.
  ExternalData(std::string file, std::string folder) : file_(std::move(file)), folder_(std::move(folder)) {}
  /// Points a tensor at the bytes that its entries say: location, offset, length. Throws Error where they lie
  /// outside the folder or beyond a file's end.
  void take(TensorProto& tensor, const std::map<std::string, std::string>& entries);

 private:
  std::string file_, folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> mapped_;
};

}  // namespace loupe::onnx
