// libFuzzer target for pictures: any bytes at all are a picture or one Error. The checks in
// engine/image/container.cpp are what keeps stb from its own mistakes, so stb itself has to be instrumented
// too; by hand, and for a minute:
//
//     clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
//         -Wno-unknown-pragmas -I. -I/usr/include/stb -DLOUPE_OWN_STB
//         tests/fuzz/image_fuzz.cpp engine/image/{image,container,file}.cpp -o image_fuzz
//     mkdir -p corpus && ./image_fuzz -max_len=4096 -max_total_time=60 corpus tests/fixtures/images
//
// Without LOUPE_OWN_STB it links libstb as it is installed (-lstb).
#ifdef LOUPE_OWN_STB
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image.h>
#include <stb_image_write.h>
#endif

#include <cstdlib>

#include "engine/image/image.h"
#include "kernels/common/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const loupe::Image image = loupe::decode_image({data, size});
    if (static_cast<int64_t>(image.rgb.size()) != image.width * image.height * 3) std::abort();
  } catch (const loupe::Error&) {
  }
  return 0;
}
