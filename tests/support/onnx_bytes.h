// ONNX files as tests write them: messages field by field, without a library, so that wrong ones can be written
// too.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/run/network.h"
#include "models/io/onnx/import.h"

namespace loupe::onnx_bytes {

inline std::string varint(uint64_t v) {
  std::string s;
  for (; v >= 128; v >>= 7) s += static_cast<char>(v | 128);
  return s + static_cast<char>(v);
}
/// A field of a whole number, and one of bytes: text, or a message.
inline std::string field(int tag, int64_t v) {
  return varint(static_cast<uint64_t>(tag) << 3) + varint(static_cast<uint64_t>(v));
}
inline std::string field(int tag, const std::string& bytes) {
  return varint(static_cast<uint64_t>(tag) << 3 | 2) + varint(bytes.size()) + bytes;
}
inline std::string fields(int tag, const std::vector<std::string>& all) {
  std::string s;
  for (const std::string& one : all) s += field(tag, one);
  return s;
}

// ---- messages

inline std::string attribute_i(const std::string& name, int64_t i) {
  return field(5, field(1, name) + field(3, i) + field(20, int64_t{2}));
}
inline std::string attribute_ints(const std::string& name, const std::vector<int64_t>& ints) {
  std::string s = field(1, name);
  for (const int64_t i : ints) s += field(8, i);
  return field(5, s + field(20, int64_t{7}));
}
inline std::string attribute_graph(const std::string& name, const std::string& graph) {
  return field(5, field(1, name) + field(6, graph) + field(20, int64_t{5}));
}
/// Of a graph: a node. `attributes` as above.
inline std::string node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs, const std::string& attributes = "",
                        const std::string& name = "") {
  return field(1, fields(1, inputs) + fields(2, outputs) + (name.empty() ? "" : field(3, name)) +
                      field(4, op) + attributes);
}
/// TensorProto of floats, stored raw.
inline std::string tensor(const std::string& name, const std::vector<int64_t>& dims,
                          const std::vector<float>& values) {
  std::string s;
  for (const int64_t d : dims) s += field(1, d);
  std::string raw(values.size() * 4, '\0');
  if (!values.empty()) std::memcpy(raw.data(), values.data(), raw.size());
  return s + field(2, int64_t{1}) + field(8, name) + field(9, raw);
}
inline std::string tensor_i64(const std::string& name, const std::vector<int64_t>& dims,
                              const std::vector<int64_t>& values) {
  std::string s;
  for (const int64_t d : dims) s += field(1, d);
  std::string raw(values.size() * 8, '\0');
  if (!values.empty()) std::memcpy(raw.data(), values.data(), raw.size());
  return s + field(2, int64_t{7}) + field(8, name) + field(9, raw);
}
/// Of a graph: an initialiser.
inline std::string initializer(const std::string& tensor_message) { return field(5, tensor_message); }
/// Of a graph: an input (tag 11) or an output (tag 12); a size of 0 is left open.
inline std::string value(int tag, const std::string& name, const std::vector<int64_t>& dims,
                         int64_t type = 1) {
  std::string shape;
  for (const int64_t d : dims) shape += field(1, d > 0 ? field(1, d) : field(2, std::string("n")));
  return field(tag, field(1, name) + field(2, field(1, field(1, type) + field(2, shape))));
}
inline std::string opset(int64_t version) { return field(8, field(2, version)); }
inline std::string model(const std::string& graph, int64_t version = 17) {
  return field(1, int64_t{8}) + opset(version) + field(7, graph);
}

// ---- reading them

inline onnx::ModelProto parse(const std::string& bytes) {
  // A copy of exactly this size, so that the address sanitizer sees a read beyond it.
  const std::shared_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  return onnx::parse_model({copy.get(), bytes.size()}, "test.onnx", copy);
}
/// The result of a graph for one input.
inline Tensor run(const onnx::ModelProto& model, const Tensor& x, const onnx::ImportOptions& options = {},
                  Device device = Device::cpu()) {
  onnx::Imported imported = onnx::import(model, options);
  Network net("test", std::move(imported.graph), std::move(imported.parameters), device);
  const NodeId output = net.graph().output();
  Execution& e = net.execution(x.shape(), {.values = {output}});
  e.forward(x);
  return e.value(output);
}
/// What reading and importing says; empty if nothing is wrong.
inline std::string complaint(const std::string& bytes, const onnx::ImportOptions& options = {}) {
  try {
    onnx::import(parse(bytes), options);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace loupe::onnx_bytes
