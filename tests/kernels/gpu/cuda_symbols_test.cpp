// What the file of the CUDA module shows and needs, by nm and readelf. Skipped where the module is not in this
// build, or those two are not on this machine.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "kernels/common/device.h"
#include "kernels/common/op.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

[[noreturn]] void skip(const std::string& why) {
  std::printf("skipped: %s\n", why.c_str());
  std::fflush(stdout);
  std::_Exit(77);
}

std::vector<std::string> lines_of(const std::string& command) {
  const Folder folder;
  REQUIRE(std::system((command + " >" + quoted(folder / "out")).c_str()) == 0);
  std::ifstream file(folder / "out");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

TEST_CASE("the CUDA module shows one symbol, and needs no library of CUDA's and no C++ runtime") {
  const std::string module = DeviceModule::status(Backend::cuda);
  if (!module.starts_with('/')) skip(module);
  for (const char* tool : {"nm", "readelf"})
    if (std::system(("command -v " + std::string(tool) + " >/dev/null").c_str()) != 0)
      skip(std::string(tool) + " is not on this machine");
  const std::string path = quoted(module);
  const std::vector<std::string> symbols = lines_of("nm -D --defined-only " + path);
  REQUIRE(symbols.size() == 1);
  CHECK(symbols[0].ends_with(" T loupe_device_interface"));
  for (const std::string& line : lines_of("readelf -d " + path)) {
    if (line.find("(NEEDED)") == std::string::npos) continue;
    for (const char* unwanted : {"libcud", "libcublas", "libstdc++", "libgcc"})
      CHECK_MESSAGE(line.find(unwanted) == std::string::npos, line);
  }
}

}  // namespace
}  // namespace loupe::test
