// JPEG by libjpeg-turbo, where the build has it. The library says of damage only that there was some: its warnings are
// errors here, but for those about harmless things.
#include "engine/image/decoders.h"
#include "kernels/common/error.h"

#ifdef LOUPE_HAS_LIBJPEG
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <string>
// after <cstdio>
#include <jerror.h>
#include <jpeglib.h>
#endif

namespace loupe {

#ifndef LOUPE_HAS_LIBJPEG

bool has_libjpeg() { return false; }
Image decode_jpeg(std::span<const uint8_t>) { throw Error("this build of Loupe lacks libjpeg-turbo"); }

#else

namespace {

struct Complaints {
  jpeg_error_mgr manager = {};  // first: libjpeg knows this one
  std::jmp_buf back = {};
  char text[JMSG_LENGTH_MAX] = {};
  bool damaged = false, out_of_memory = false;
};

Complaints& complaints(j_common_ptr info) { return *reinterpret_cast<Complaints*>(info->err); }

void keep_text(j_common_ptr info) {
  if (!complaints(info).damaged) info->err->format_message(info, complaints(info).text);
}

[[noreturn]] void give_up(j_common_ptr info) {
  keep_text(info);
  complaints(info).damaged = true;
  complaints(info).out_of_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
  std::longjmp(complaints(info).back, 1);
}

void note(j_common_ptr info, int level) {
  if (level >= 0) return;  // a trace
  switch (info->err->msg_code) {
    case JWRN_HIT_MARKER:  // the data end early
    case JWRN_JPEG_EOF:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
      keep_text(info);
      complaints(info).damaged = true;
      break;
    default:  // such as bytes between segments
      break;
  }
}

// A progressive JPEG whose last scans are missing is a blurred picture.
bool lacks_scans(const jpeg_decompress_struct& info) {
  if (!info.progressive_mode || !info.coef_bits) return false;
  for (int c = 0; c < info.num_components; ++c)
    for (int k = 0; k < DCTSIZE2; ++k)
      if (info.coef_bits[c][k] != 0) return true;
  return false;
}

// No object with a destructor lives in here, because libjpeg leaves by longjmp. Fills `image`, whose size `start` set.
bool decode_rows(jpeg_decompress_struct& info, Complaints& said, std::span<const uint8_t> bytes, Image& image,
                 std::vector<uint8_t>& cmyk) {
  if (setjmp(said.back)) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes.data(), bytes.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = info.num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&info);
  image.width = info.output_width;
  image.height = info.output_height;
  const auto pixels = static_cast<size_t>(image.width * image.height);
  std::vector<uint8_t>& to = info.num_components == 4 ? cmyk : image.rgb;
  to.resize(pixels * static_cast<size_t>(info.output_components));
  while (info.output_scanline < info.output_height) {
    JSAMPROW row =
        to.data() + static_cast<size_t>(info.output_scanline) * image.width * info.output_components;
    jpeg_read_scanlines(&info, &row, 1);
  }
  if (lacks_scans(info)) {
    std::snprintf(said.text, sizeof said.text, "its last scans are missing");
    said.damaged = true;
  }
  jpeg_finish_decompress(&info);
  return !said.damaged;
}

// Adobe's files, and with them all, hold 255 − C, 255 − M, 255 − Y and 255 − K.
void to_rgb(const std::vector<uint8_t>& cmyk, std::vector<uint8_t>& rgb) {
  rgb.resize(cmyk.size() / 4 * 3);
  for (size_t i = 0; i < cmyk.size() / 4; ++i) {
    const uint32_t white = cmyk[4 * i + 3];  // 255 − K
    for (size_t c = 0; c < 3; ++c) {
      const uint32_t ink = 255u - cmyk[4 * i + c];
      rgb[3 * i + c] = static_cast<uint8_t>(white - (ink * white + 127) / 255);
    }
  }
}

}  // namespace

bool has_libjpeg() { return true; }

Image decode_jpeg(std::span<const uint8_t> bytes) {
  Image image;
  std::vector<uint8_t> cmyk;
  Complaints said;
  jpeg_decompress_struct info = {};
  info.err = jpeg_std_error(&said.manager);
  said.manager.error_exit = give_up;
  said.manager.emit_message = note;
  said.manager.output_message = [](j_common_ptr) {};
  bool whole = false;
  try {
    whole = decode_rows(info, said, bytes, image, cmyk);
  } catch (...) {  // std::bad_alloc of our own
    jpeg_destroy_decompress(&info);
    throw;
  }
  jpeg_destroy_decompress(&info);
  if (said.out_of_memory) throw Error("there is not enough memory for the picture");
  if (!whole) throw Error("the JPEG is damaged: " + std::string(said.text));
  if (!cmyk.empty()) to_rgb(cmyk, image.rgb);
  return image;
}

#endif

}  // namespace loupe
