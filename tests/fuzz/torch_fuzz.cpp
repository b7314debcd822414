// libFuzzer target for the reader of torch.save's files: any bytes at all either read, every tensor of them, or are
// one Error of one line. Zip archives, streams of pickles, and pickles alone all start here: bytes that are
// neither of the first two are put into an archive as its pickle. tests/fuzz/run builds and runs it, from the
// files of tests/fixtures/torch.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "kernels/common/error.h"
#include "models/io/torch_file.h"
#include "tests/support/torch_zip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  if (!loupe::TorchFile::starts(std::as_bytes(std::span(text))))
    text = loupe::zip_bytes({{"a/data.pkl", text}, {"a/data/0", std::string(64, '\0')}});
  // A copy of exactly this size, so that the address sanitizer sees a read beyond it.
  const std::shared_ptr<std::byte[]> bytes(new std::byte[text.size()]);
  std::memcpy(bytes.get(), text.data(), text.size());
  try {
    const auto file = loupe::TorchFile::parse({bytes.get(), text.size()}, "fuzz", bytes);
    for (const std::string& name : file.names()) {
      if (file.info(name).shape.numel() > 1 << 16) continue;  // an expanded view; only slow
      try {
        const loupe::Tensor tensor = file.tensor(name);
        if (tensor.shape() != file.info(name).shape) std::abort();
        double sum = 0;
        for (int64_t i = 0; i < tensor.numel(); ++i) sum += tensor.item(i);
        [[maybe_unused]] volatile double read = sum;  // so that no read is optimised away
      } catch (const loupe::Error& error) {
        if (std::strchr(error.what(), '\n')) std::abort();
      }
    }
  } catch (const loupe::Error& error) {
    if (std::strchr(error.what(), '\n')) std::abort();
  }
  return 0;
}
