// The messages of a model, by protozero (https://github.com/mapbox/protozero), which checks every length.
#include "models/io/onnx/proto.h"

#ifdef LOUPE_PROTOZERO

#include <filesystem>
#include <protozero/exception.hpp>
// A field of another wire type than the message says is damage, in every build.
#define protozero_assert(x) ((x) ? void() : throw protozero::unknown_pbf_wire_type_exception())
#include <protozero/pbf_reader.hpp>

#include "engine/file/mapped_file.h"
#include "kernels/common/error.h"
#include "models/io/onnx/external_data.h"

namespace loupe::onnx {

namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

// Graphs in attributes of nodes in graphs …: no network needs as many, and the stack is finite.
constexpr int kDeepest = 16;

std::string text(pbf_reader& m) {
  const protozero::data_view view = m.get_view();
  return {view.data(), view.size()};
}

std::string domain_name(pbf_reader& m) {
  std::string domain = text(m);
  return domain == "ai.onnx" ? "" : domain;
}

// A repeated number is stored one by one, or packed into one field; readers must take both.
template <typename T, typename One, typename Packed>
void numbers(pbf_reader& m, std::vector<T>& to, One one, Packed packed) {
  if (m.wire_type() != pbf_wire_type::length_delimited) {
    to.push_back(static_cast<T>((m.*one)()));
    return;
  }
  for (const auto value : (m.*packed)()) to.push_back(static_cast<T>(value));
}
void floats(pbf_reader& m, std::vector<float>& to) {
  numbers(m, to, &pbf_reader::get_float, &pbf_reader::get_packed_float);
}
void doubles(pbf_reader& m, std::vector<double>& to) {
  numbers(m, to, &pbf_reader::get_double, &pbf_reader::get_packed_double);
}
void integers(pbf_reader& m, std::vector<int64_t>& to) {
  numbers(m, to, &pbf_reader::get_int64, &pbf_reader::get_packed_int64);
}

std::pair<std::string, std::string> text_pair(pbf_reader m) {
  std::pair<std::string, std::string> entry;
  while (m.next()) {
    if (m.tag() == 1)
      entry.first = text(m);
    else if (m.tag() == 2)
      entry.second = text(m);
    else
      m.skip();
  }
  return entry;
}

std::pair<std::string, int64_t> opset(pbf_reader m) {
  std::pair<std::string, int64_t> entry{"", 1};
  while (m.next()) {
    if (m.tag() == 1)
      entry.first = domain_name(m);
    else if (m.tag() == 2)
      entry.second = m.get_int64();
    else
      m.skip();
  }
  return entry;
}

class Reader {
 public:
  Reader(std::string file, std::string folder, std::shared_ptr<const void> owner)
      : file_(std::move(file)), owner_(std::move(owner)), external_(file_, std::move(folder)) {}

  ModelProto model(pbf_reader m) {
    ModelProto out;
    out.file = file_;
    out.owner = owner_;
    bool has_graph = false;
    while (m.next()) switch (m.tag()) {
        case 1:
          out.ir_version = m.get_int64();
          break;
        case 2:
          out.producer = text(m);
          break;
        case 7:
          out.graph = graph(m.get_message(), 0);
          has_graph = true;
          break;
        case 8:
          out.opsets.insert(opset(m.get_message()));
          break;
        case 14:
          out.metadata.insert(text_pair(m.get_message()));
          break;
        case 25:
          out.functions.push_back(function(m.get_message()));
          break;
        default:
          m.skip();
      }
    if (!has_graph) fail("it has no graph: is it an ONNX model?");
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error("'" + file_ + "': " + what); }

  FunctionProto function(pbf_reader m) {
    FunctionProto out;
    while (m.next()) switch (m.tag()) {
        case 1:
          out.name = text(m);
          break;
        case 4:
          out.inputs.push_back(text(m));
          break;
        case 5:
          out.outputs.push_back(text(m));
          break;
        case 6:
          out.attributes.push_back(text(m));
          break;
        case 7:
          out.nodes.push_back(node(m.get_message(), 1));
          break;
        case 9:
          out.opsets.insert(opset(m.get_message()));
          break;
        case 10:
          out.domain = domain_name(m);
          break;
        case 11:
          out.defaults.push_back(attribute(m.get_message(), 1));
          break;
        default:
          m.skip();
      }
    return out;
  }

  GraphProto graph(pbf_reader m, int depth) {
    if (depth > kDeepest) fail("its graphs are nested more than " + std::to_string(kDeepest) + " deep");
    GraphProto out;
    while (m.next()) switch (m.tag()) {
        case 1:
          out.nodes.push_back(node(m.get_message(), depth + 1));
          break;
        case 2:
          out.name = text(m);
          break;
        case 5:
          out.initializers.push_back(tensor(m.get_message()));
          break;
        case 11:
          out.inputs.push_back(value_info(m.get_message()));
          break;
        case 12:
          out.outputs.push_back(value_info(m.get_message()));
          break;
        case 15:
          fail("it stores weights as sparse tensors, which Loupe does not read");
        default:
          m.skip();
      }
    return out;
  }

  NodeProto node(pbf_reader m, int depth) {
    NodeProto out;
    while (m.next()) switch (m.tag()) {
        case 1:
          out.inputs.push_back(text(m));
          break;
        case 2:
          out.outputs.push_back(text(m));
          break;
        case 3:
          out.name = text(m);
          break;
        case 4:
          out.op_type = text(m);
          break;
        case 5:
          out.attributes.push_back(attribute(m.get_message(), depth));
          break;
        case 7:
          out.domain = domain_name(m);
          break;
        default:
          m.skip();
      }
    return out;
  }

  AttributeProto attribute(pbf_reader m, int depth) {
    AttributeProto out;
    while (m.next()) switch (m.tag()) {
        case 1:
          out.name = text(m);
          break;
        case 2:
          out.f = m.get_float();
          break;
        case 3:
          out.i = m.get_int64();
          break;
        case 4:
          out.s = text(m);
          break;
        case 5:
          out.t = tensor(m.get_message());
          break;
        case 6:
          out.g = std::make_shared<GraphProto>(graph(m.get_message(), depth + 1));
          break;
        case 7:
          floats(m, out.floats);
          break;
        case 8:
          integers(m, out.ints);
          break;
        case 9:
          out.strings.push_back(text(m));
          break;
        case 20:
          out.type = m.get_int32();
          break;
        case 21:
          out.refers = text(m);
          break;
        case 10:
        case 11:
        case 14:
        case 15:
        case 22:
        case 23:
          out.other = true;
          m.skip();
          break;
        default:
          m.skip();
      }
    return out;
  }

  TensorProto tensor(pbf_reader m) {
    TensorProto out;
    std::map<std::string, std::string> where;
    bool external = false;
    while (m.next()) switch (m.tag()) {
        case 1:
          integers(m, out.dims);
          break;
        case 2:
          out.type = static_cast<ElementType>(m.get_int32());
          break;
        case 4:
          floats(m, out.floats);
          break;
        case 5:
        case 7:
        case 11:
          integers(m, out.integers);
          break;
        case 6:
          out.strings.push_back(text(m));
          break;
        case 8:
          out.name = text(m);
          break;
        case 9: {
          const protozero::data_view view = m.get_view();
          out.raw = {reinterpret_cast<const std::byte*>(view.data()), view.size()};
          out.has_raw = true;
          break;
        }
        case 10:
          doubles(m, out.doubles);
          break;
        case 13:
          where.insert(text_pair(m.get_message()));
          break;
        case 14:
          external = m.get_int32() == 1;
          break;
        default:
          m.skip();
      }
    out.owner = owner_;
    if (external) external_.take(out, where);
    return out;
  }

  static ValueInfoProto value_info(pbf_reader m) {
    ValueInfoProto out;
    while (m.next()) {
      if (m.tag() == 1) {
        out.name = text(m);
      } else if (m.tag() == 2) {
        pbf_reader type = m.get_message();
        while (type.next()) type.tag() == 1 ? tensor_type(type.get_message(), out) : type.skip();
      } else {
        m.skip();
      }
    }
    return out;
  }

  static void tensor_type(pbf_reader m, ValueInfoProto& out) {
    while (m.next()) {
      if (m.tag() == 1) {
        out.type = static_cast<ElementType>(m.get_int32());
      } else if (m.tag() == 2) {
        out.shape.emplace();
        pbf_reader shape = m.get_message();
        while (shape.next())
          shape.tag() == 1 ? out.shape->push_back(size(shape.get_message())) : shape.skip();
      } else {
        m.skip();
      }
    }
  }

  static Dimension size(pbf_reader m) {
    Dimension d;
    while (m.next()) {
      if (m.tag() == 1)
        d.value = m.get_int64();
      else if (m.tag() == 2)
        d.name = text(m);
      else
        m.skip();
    }
    return d;
  }

  std::string file_;
  std::shared_ptr<const void> owner_;
  ExternalData external_;
};

}  // namespace

ModelProto parse_model(std::span<const std::byte> bytes, const std::string& name,
                       std::shared_ptr<const void> owner, const std::string& folder) {
  try {
    return Reader(name, folder, std::move(owner))
        .model(pbf_reader(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  } catch (const protozero::exception& e) {
    throw Error("'" + name + "' is damaged, or no ONNX model (" + e.what() + ")");
  }
}

ModelProto read_model(const std::string& path) {
  const auto file = MappedFile::open(path);
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return parse_model(file->bytes(), path, file, folder.empty() ? "." : folder.string());
}

std::string why_missing() { return ""; }

}  // namespace loupe::onnx

#else

#include "kernels/common/error.h"

namespace loupe::onnx {

std::string why_missing() { return "libprotozero-dev was not there when Loupe was built"; }

ModelProto parse_model(std::span<const std::byte>, const std::string& name, std::shared_ptr<const void>,
                       const std::string&) {
  throw Error("'" + name + "': this build cannot read ONNX: " + why_missing());
}

ModelProto read_model(const std::string& path) { return parse_model({}, path, nullptr); }

}  // namespace loupe::onnx

#endif
