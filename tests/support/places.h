// Where tests find their files.
#pragma once
#include <cstdlib>
#include <string>

namespace loupe::test {

/// The repository, with tests/golden and tests/fixtures in it; of tests that were carried to another machine,
/// the folder that LOUPE_SOURCE_DIR of the environment names (bench/gpu/run).
inline std::string source_dir() {
  const char* carried = std::getenv("LOUPE_SOURCE_DIR");
  return carried ? carried : LOUPE_SOURCE_DIR;
}

}  // namespace loupe::test
