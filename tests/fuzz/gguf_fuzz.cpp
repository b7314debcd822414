// libFuzzer target for the GGUF reader: any bytes at all either read, every tensor and key of them, or are one Error of
// one line.
// Sources: models/io/{gguf,gguf_blocks,stored_tensor,safetensors_header}.cpp engine/file/mapped_file.cpp
//     engine/tensor/tensor.cpp kernels/common/{array,device,op,shape}.cpp
// Starts from: tests/fixtures/text
// Options: -max_len=8192
#include "models/io/gguf.h"
#include "tests/fuzz/read_weights.h"

namespace {

// A look at a key of a type that it has not is an Error, too.
template <typename Look>
void look_at(const Look& look) {
  try {
    look();
  } catch (const loupe::Error& error) {
    loupe::fuzz::expect_one_line(error);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  loupe::fuzz::read_weights<loupe::GgufFile>(text);
  try {
    const std::shared_ptr<std::byte[]> bytes(new std::byte[size]);
    std::memcpy(bytes.get(), data, size);
    const loupe::GgufFile file = loupe::GgufFile::parse({bytes.get(), size}, "fuzz", bytes);
    for (const std::string& key : file.keys()) {
      look_at([&] { file.text(key); });
      look_at([&] { file.integer(key); });
      look_at([&] { file.number(key); });
      look_at([&] { file.flag(key); });
      look_at([&] { file.texts(key); });
      look_at([&] { file.integers(key); });
      look_at([&] { file.numbers(key); });
    }
  } catch (const loupe::Error& error) {
    loupe::fuzz::expect_one_line(error);
  }
  return 0;
}
