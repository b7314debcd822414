// An ONNX file as plain data: the messages of onnx.proto (https://github.com/onnx/onnx) that matter for
// running a network, under that file's names. Reading trusts nothing: lengths, nesting and numbers of
// everything are checked, and every failure is one line that names the file.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace loupe::onnx {

/// TensorProto.DataType. Files may hold other numbers.
enum class ElementType : int32_t {
  undefined = 0,
  f32 = 1,
  u8 = 2,
  i8 = 3,
  u16 = 4,
  i16 = 5,
  i32 = 6,
  i64 = 7,
  string = 8,
  boolean = 9,
  f16 = 10,
  f64 = 11,
  u32 = 12,
  u64 = 13,
  bf16 = 16,
  u4 = 21,
  i4 = 22,
};
/// "float", "int64", "type 17".
std::string type_name(ElementType);
/// f32, f64, f16, bf16.
bool is_real(ElementType);

/// Values as they are stored, not yet decoded: see Constant.
struct TensorProto {
  std::string name;
  ElementType type = ElementType::undefined;
  std::vector<int64_t> dims;
  std::span<const std::byte> raw = {};  // little-endian; of the mapped file, or of one of external data
  bool has_raw = false;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<int64_t> integers;  // int32_data, int64_data or uint64_data
  std::vector<std::string> strings;
  std::shared_ptr<const void> owner = nullptr;  // keeps `raw` alive
};

struct GraphProto;

struct AttributeProto {
  std::string name;
  std::string refers;  // ref_attr_name: in a function, the caller's attribute of that name
  int32_t type = 0;    // AttributeProto.AttributeType; 0 in old files
  float f = 0;
  int64_t i = 0;
  std::string s;
  std::optional<TensorProto> t;
  std::shared_ptr<const GraphProto> g;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  bool other = false;  // holds something else: sparse tensors, types, lists of tensors or graphs
};

struct NodeProto {
  std::string name, op_type, domain;  // the domain "ai.onnx" is ""
  std::vector<std::string> inputs, outputs;
  std::vector<AttributeProto> attributes;
};

/// One size of a shape: a number, or a name, or neither.
struct Dimension {
  std::optional<int64_t> value;
  std::string name;
};

struct ValueInfoProto {
  std::string name;
  ElementType type = ElementType::undefined;  // of a tensor; undefined for sequences and the like
  std::optional<std::vector<Dimension>> shape;
};

struct GraphProto {
  std::string name;
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<ValueInfoProto> inputs, outputs;
};

struct FunctionProto {
  std::string name, domain;
  std::vector<std::string> inputs, outputs, attributes;
  std::vector<AttributeProto> defaults;
  std::vector<NodeProto> nodes;
  std::map<std::string, int64_t> opsets;
};

struct ModelProto {
  std::string file;  // for messages
  std::string producer;
  int64_t ir_version = 0;
  std::map<std::string, int64_t> opsets;  // domain → version
  GraphProto graph;
  std::vector<FunctionProto> functions;
  std::map<std::string, std::string> metadata;
  std::shared_ptr<const void> owner;  // of the bytes
};

/// Maps a file and reads it. External data are files of the same folder, mapped when they are named. Throws
/// Error, one line: for damage, for external data that is absent or outside the folder, and where this build
/// has no ONNX.
ModelProto read_model(const std::string& path);
/// The same from bytes that `owner` keeps alive; `folder` is where external data lie ("": there are none).
ModelProto parse_model(std::span<const std::byte> bytes, const std::string& name,
                       std::shared_ptr<const void> owner, const std::string& folder = {});

/// Whether the path ends with .onnx.
bool is_onnx_path(const std::string& path);

/// Why this build cannot read ONNX; empty where it can.
std::string why_missing();

}  // namespace loupe::onnx
