// All of Loupe for a program that embeds it:
//
//     auto net = loupe::models::load("squeezenet1_1", "w.safetensors", loupe::Device::best());
//     auto x   = net.preprocess(loupe::read_image("photo.jpg"));
//     auto map = loupe::gradient(net, x, {.target = loupe::top1});
//     loupe::write_png("gradient.png", loupe::overlay(x, map));
//
// With CMake: find_package(loupe), then link loupe::loupe_models.
#pragma once
#include "engine/image/image.h"
#include "engine/image/overlay.h"
#include "engine/image/preprocess.h"
#include "engine/methods/all.h"  // generated: every method
#include "engine/run/method.h"
#include "engine/run/network.h"
#include "engine/tensor/npy.h"
#include "engine/tensor/tensor.h"
#include "kernels/common/error.h"
#include "models/io/formula.h"
#include "models/io/labels.h"
#include "models/io/safetensors.h"
#include "models/models.h"
