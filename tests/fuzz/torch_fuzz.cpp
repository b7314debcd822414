// libFuzzer target for the reader of torch.save's files: any bytes at all either read, every tensor of them, or are
// one Error of one line. Zip archives, streams of pickles, and pickles alone all start here: bytes that are
// neither of the first two are put into an archive as its pickle.
// Sources: models/io/{torch_file,torch_tensors,pickle,pickle_text,zip,stored_tensor,safetensors_header}.cpp
//     engine/file/mapped_file.cpp engine/tensor/tensor.cpp kernels/common/{array,device,op,shape}.cpp
// Starts from: tests/fixtures/torch
// Options: -max_len=8192
#include <string>

#include "models/io/torch_file.h"
#include "tests/fuzz/read_weights.h"
#include "tests/support/torch_zip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  if (!loupe::TorchFile::starts(std::as_bytes(std::span(text))))
    text = loupe::zip_bytes({{"a/data.pkl", text}, {"a/data/0", std::string(64, '\0')}});
  loupe::fuzz::read_weights<loupe::TorchFile>(text);
  return 0;
}
