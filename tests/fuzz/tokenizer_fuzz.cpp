// libFuzzer target for tokenisers: any text at all is a tokenizer.json or a vocab.txt, or one Error of one line; and what is
// one cuts any bytes into tokens that lie within them.
// Sources: models/text/read_tokenizer.cpp engine/text/{unicode,tokenizer,byte_bpe,word_piece}.cpp
//     models/io/{gguf,gguf_blocks,stored_tensor,safetensors_header}.cpp engine/file/{file,atomic_file,mapped_file}.cpp
//     engine/tensor/tensor.cpp kernels/common/{array,device,op,shape}.cpp +libutf8proc
// Starts from: tests/fixtures/tokenizers
// Options: -max_len=16384
#include <cstdint>
#include <cstdlib>

#include "kernels/common/op.h"
#include "models/text/read_tokenizer.h"
#include "tests/fuzz/read_weights.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = loupe::parse_tokenizer(text, "fuzz");
    std::vector<int32_t> ids;
    for (const loupe::Token& t : tokenizer->frame(text.substr(0, 512)).tokens) {
      if (t.begin < 0 || t.end < t.begin || t.end > 512 || t.id < 0 || t.id >= tokenizer->size()) std::abort();
      ids.push_back(t.id);
    }
    tokenizer->decode(ids);
  } catch (const loupe::Error& error) {
    loupe::fuzz::expect_one_line(error);
  }
  return 0;
}
