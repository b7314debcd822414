// Loupe in somebody else's program: one photograph, one method, one picture.
#include <models/loupe.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: outside PHOTO WEIGHTS PICTURE.png\n");
    return 2;
  }
  try {
    auto net = loupe::models::load("squeezenet1_1", argv[2], loupe::Device::best());
    auto x = net.preprocess(loupe::read_image(argv[1]));
    auto map = loupe::gradient(net, x, {.target = loupe::top1});
    loupe::write_png(argv[3], loupe::overlay(x, map));
    std::printf("sim: %s\n", loupe::DeviceModule::status(loupe::Backend::sim).c_str());
    std::printf("a gradient %s for %s\n", map.shape().str().c_str(), net.name().c_str());
  } catch (const loupe::Error& e) {
    std::fprintf(stderr, "outside: %s\n", e.what());
    return 1;
  }
}
