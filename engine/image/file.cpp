#include "engine/image/file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>

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
  const auto fail = [&](int error) { throw Error("cannot write " + path.string() + ": " + reason(error)); };
  if (std::filesystem::is_directory(path)) fail(EISDIR);

  // The process id keeps two runs that write the same file apart.
  std::filesystem::path temporary = path;
  temporary += ".tmp" + std::to_string(getpid());
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (!file) fail(errno);
  // A full disk may show at any of these; fclose must run whatever came before.
  int error = 0;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || std::fflush(file) != 0)
    error = errno;
  if (std::fclose(file) != 0 && !error) error = errno;
  if (!error && std::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error) {
    std::remove(temporary.c_str());
    fail(error);
  }
}

}  // namespace loupe
