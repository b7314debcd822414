// libFuzzer target for pictures: any bytes at all are a picture or one Error. The checks in
// engine/image/container.cpp are what keeps stb from its own mistakes, so stb itself is compiled here too, and
// instrumented.
// Sources: engine/image/{image,container,exif,jpeg,webp,gif}.cpp engine/file/{file,atomic_file}.cpp
//   -DLOUPE_HAS_LIBJPEG -DLOUPE_HAS_LIBWEBP +stb +libjpeg +libwebp
// Starts from: tests/fixtures/images tests/fixtures/pictures
// Options: -max_len=4096
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image.h>
#include <stb_image_write.h>

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
