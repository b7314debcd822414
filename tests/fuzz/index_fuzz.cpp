// libFuzzer target for the index files of `loupe search`: any bytes at all are an index, which comes back the same from
// its own bytes, or one Error of one line. The header's length and digest are put right first, so that what is behind
// them is reached.
// Sources: engine/neurons/{index,index_file}.cpp engine/file/{file,atomic_file}.cpp kernels/common/{draws,array,shape}.cpp
// Starts from: --seeds
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "engine/file/file.h"
#include "engine/neurons/index.h"
#include "kernels/common/error.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc != 3 || std::strcmp((*argv)[1], "--seeds") != 0) return 0;
  const loupe::HitIndex index{
      .settings = {{"model", "m"}},
      .top = 2,
      .parts = {{7, 2, 3}},
      .next = 2,
      .total = 2,
      .pictures = 1,
      .skipped = {{"s", "why"}},
      .layers = {{"a", {{{2.5, "p", 1, 2, {0, 0, 3, 3}}, {1, "q", 0, 0, {0, 1, 2, 3}}}, {}}}, {"b", {}}}};
  loupe::write_file(std::filesystem::path((*argv)[2]) / "index", loupe::encode_index(index));
  loupe::write_file(std::filesystem::path((*argv)[2]) / "empty", loupe::encode_index({}));
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  if (size > 32 && data[31] % 4) {  // a quarter stays as it is
    const uint64_t length = size - 32;
    uint64_t digest = 0xcbf29ce484222325;
    for (size_t i = 32; i < size; ++i) digest = (digest ^ data[i]) * 0x100000001b3;
    std::memcpy(bytes.data() + 16, &length, 8);
    std::memcpy(bytes.data() + 24, &digest, 8);
  }
  try {
    const loupe::HitIndex index = loupe::decode_index(bytes);
    if (loupe::decode_index(loupe::encode_index(index)) != index) std::abort();
  } catch (const loupe::Error& e) {
    if (std::strchr(e.what(), '\n')) std::abort();
  }
  return 0;
}
