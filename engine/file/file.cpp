#include "engine/file/file.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>

#include "engine/file/atomic_file.h"
#include "kernels/common/error.h"

namespace loupe {
namespace {

struct Close {
  void operator()(std::FILE* f) const { std::fclose(f); }
};
using File = std::unique_ptr<std::FILE, Close>;

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

std::vector<uint8_t> read_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) throw Error("there is no such file");
  if (error) throw Error(error.message());
  if (std::filesystem::is_directory(status)) throw Error("it is a folder, not a file");
  if (!std::filesystem::is_regular_file(status)) throw Error("it is not a regular file");

  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) throw Error(reason(errno));
  std::vector<uint8_t> bytes(std::filesystem::file_size(path, error));
  if (error) throw Error(error.message());
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
  if (std::ferror(file.get())) throw Error(reason(errno));
  return bytes;
}

void write_file(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  AtomicFile file(path.string());
  file.write(std::as_bytes(bytes));
  file.commit();
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  write_file(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace loupe
