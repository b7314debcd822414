#include "engine/tensor/tensor.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace loupe {

namespace {
// The driver's own nodes, of Linux and of Linux under Windows.
bool driver_is_there() { return ::access("/dev/nvidiactl", F_OK) == 0 || ::access("/dev/dxg", F_OK) == 0; }
}  // namespace

Device Device::best() { return driver_is_there() && DeviceModule::present(Backend::cuda) ? cuda() : cpu(); }

Device Device::parse(const std::string& name) {
  const size_t colon = name.find(':');
  const std::string number = colon == std::string::npos ? "0" : name.substr(colon + 1);
  const bool is_number = !number.empty() && number.size() < 4 &&
                         number.find_first_not_of("0123456789") == std::string::npos;
  for (Backend b : kBackends)
    if (name.substr(0, colon) == backend_name(b) && is_number &&
        (b == Backend::cuda || colon == std::string::npos))
      return {b, std::stoi(number)};
  throw UsageError("unknown device '" + name + "'; one of cpu, cuda (cuda:1 is a second GPU), sim, ref");
}

const DeviceModule* Device::module() const {
  return backend == Backend::cuda || backend == Backend::sim ? &DeviceModule::of(backend, index) : nullptr;
}

namespace {
struct Counter {
  std::atomic<int64_t> now{0}, peak{0};

  void add(int64_t bytes) {
    const int64_t sum = now.fetch_add(bytes) + bytes;
    int64_t most = peak.load();
    while (sum > most && !peak.compare_exchange_weak(most, sum)) {
    }
  }
};

Counter g_counters[std::size(kBackends)];
Counter& counter(Device d) {
  return g_counters[static_cast<size_t>(d.backend == Backend::ref ? Backend::cpu : d.backend)];
}
}  // namespace

MemoryCount memory_count(Device device) {
  const Counter& c = counter(device);
  return {c.now.load(), c.peak.load()};
}
void reset_memory_peak() {
  for (Counter& c : g_counters) c.peak.store(c.now.load());
}

std::shared_ptr<Storage> Storage::allocate(int64_t bytes, Device device) {
  std::byte* data;
  if (const DeviceModule* module = device.module()) {
    data = static_cast<std::byte*>(module->allocate(bytes));
  } else {
    // Rounded up because aligned_alloc wants a multiple, and so that a vector load at the end stays inside.
    const int64_t size = round_up(std::max<int64_t>(bytes, 1), 64);
    data = static_cast<std::byte*>(std::aligned_alloc(64, static_cast<size_t>(size)));
    if (!data)
      throw Error("out of memory: " + std::to_string(size) +
                  " bytes were asked for; lower --memory or the batch");
    device = Device::cpu();
  }
  counter(device).add(bytes);
  return std::shared_ptr<Storage>(new Storage(data, bytes, device, nullptr));
}

std::shared_ptr<Storage> Storage::borrow(std::byte* data, int64_t bytes, std::shared_ptr<const void> owner) {
  return std::shared_ptr<Storage>(new Storage(data, bytes, Device::cpu(), std::move(owner)));
}

Storage::~Storage() {
  if (owner_) return;
  if (const DeviceModule* module = device_.module())
    module->release(data_);
  else
    std::free(data_);
  counter(device_).add(-bytes_);
}

Tensor::Tensor(Dtype dtype, Shape shape)
    : dtype_(dtype), shape_(shape), storage_(Storage::allocate(shape.numel() * dtype_bytes(dtype))) {}

Tensor::Tensor(Dtype dtype, Shape shape, std::shared_ptr<Storage> storage, int64_t byte_offset)
    : dtype_(dtype), shape_(shape), storage_(std::move(storage)), offset_(byte_offset) {
  if (offset_ < 0 || offset_ + bytes() > storage_->bytes())
    throw Error("a tensor " + shape.str() + " does not fit its storage");
}

Tensor Tensor::zeros(Dtype dtype, Shape shape) {
  Tensor t(dtype, shape);
  std::memset(t.raw(), 0, static_cast<size_t>(t.bytes()));
  return t;
}

namespace {
template <typename T>
Tensor copy_of(std::span<const T> values, Dtype dtype, Shape shape) {
  if (static_cast<int64_t>(values.size()) != shape.numel())
    throw Error(std::to_string(values.size()) + " values do not make a tensor " + shape.str());
  Tensor t(dtype, shape);
  if (!values.empty()) std::memcpy(t.raw(), values.data(), values.size_bytes());
  return t;
}
}  // namespace

Tensor Tensor::from(std::span<const float> values, Shape shape) { return copy_of(values, Dtype::f32, shape); }
Tensor Tensor::from(std::span<const double> values, Shape shape) {
  return copy_of(values, Dtype::f64, shape);
}
Tensor Tensor::from(std::span<const uint8_t> values, Shape shape) {
  return copy_of(values, Dtype::u8, shape);
}

void Tensor::check_type(Dtype wanted) const {
  if (wanted != dtype_)
    throw Error("a tensor of " + std::string(dtype_name(dtype_)) + " was read as " +
                std::string(dtype_name(wanted)));
}

double Tensor::item(int64_t i) const {
  if (i < 0 || i >= numel()) throw Error("element " + std::to_string(i) + " of a tensor " + shape_.str());
  const auto at = static_cast<size_t>(i);
  switch (dtype_) {
    case Dtype::f32:
      return values<float>()[at];
    case Dtype::f64:
      return values<double>()[at];
    case Dtype::i32:
      return values<int32_t>()[at];
    case Dtype::u8:
      return values<uint8_t>()[at];
    case Dtype::bit:
      break;
  }
  throw Error("a tensor cannot hold bits");
}

Tensor Tensor::slice(int64_t begin, int64_t end) const {
  if (shape_.rank() == 0 || begin < 0 || end < begin || end > shape_[0])
    throw Error("rows " + std::to_string(begin) + " to " + std::to_string(end) + " of a tensor " +
                shape_.str());
  const int64_t row_bytes = shape_[0] ? bytes() / shape_[0] : 0;
  return Tensor(dtype_, shape_.with(0, end - begin), storage_, offset_ + begin * row_bytes);
}

Tensor Tensor::row(int64_t i) const {
  const Tensor one = slice(i, i + 1);
  return one.reshape(Shape(shape_.dims().subspan(1)));
}

Tensor Tensor::reshape(Shape shape) const {
  if (shape.numel() != numel()) throw Error("cannot reshape " + shape_.str() + " to " + shape.str());
  return Tensor(dtype_, shape, storage_, offset_);
}

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == dtype_) return *this;
  Tensor t(dtype, shape_);
  // Converted as one long image, so that any rank goes.
  const Shape flat{1, numel()};
  convert({raw(), dtype_, flat, Layout::planar}, {t.raw(), dtype, flat, Layout::planar});
  return t;
}

Tensor Tensor::clone() const {
  Tensor t(dtype_, shape_);
  std::memcpy(t.raw(), raw(), static_cast<size_t>(bytes()));
  return t;
}

Tensor stack_rows(std::span<const Tensor> tensors) {
  if (tensors.empty()) throw Error("no tensors to stack");
  int64_t rows = 0;
  for (const Tensor& t : tensors) {
    if (t.dtype() != tensors[0].dtype() || t.shape().rank() == 0 ||
        t.shape().with(0, 1) != tensors[0].shape().with(0, 1))
      throw Error("cannot stack " + t.shape().str() + " on " + tensors[0].shape().str());
    rows += t.shape()[0];
  }
  Tensor out(tensors[0].dtype(), tensors[0].shape().with(0, rows));
  std::byte* at = out.raw();
  for (const Tensor& t : tensors) {
    std::memcpy(at, t.raw(), static_cast<size_t>(t.bytes()));
    at += t.bytes();
  }
  return out;
}

}  // namespace loupe
