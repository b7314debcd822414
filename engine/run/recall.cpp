#include "engine/run/recall.h"

#include <cstring>

#include "engine/run/network.h"

namespace loupe {

namespace {
// What the forward pass made and the way back, or whoever asks for values, will read.
template <typename Body>
void each_kept(const Plan& plan, const Body& body) {
  for (const PlanSlot& s : plan.slots())
    if (s.bytes > 0 && s.first < plan.forward_steps() && s.last >= plan.forward_steps()) body(s);
}
}  // namespace

Recall::Recall(Network& network, int64_t bytes) : network_(network), outer_(network.recall_), limit_(bytes) {
  if (limit_ < 0) limit_ = network.memory_limit ? network.memory_limit : int64_t{1} << 30;
  network.recall_ = this;
}

Recall::~Recall() { network_.recall_ = outer_; }

Recall* Recall::of(const Network& network) { return network.recall_; }

Recall::Pause::Pause(Network& network) : network_(network), paused_(network.recall_) {
  network.recall_ = nullptr;
}
Recall::Pause::~Pause() { network_.recall_ = paused_; }

const Tensor* Recall::job(const Key& key) {
  const auto found = jobs_.find(key);
  if (found == jobs_.end()) return nullptr;
  ++recalled_;
  return &found->second;
}

void Recall::keep_job(const Key& key, const Tensor& made) {
  if (bytes_ + made.bytes() <= limit_ && jobs_.emplace(key, made).second) bytes_ += made.bytes();
}

void Recall::add(Key& key, std::span<const std::byte> bytes) {
  // Two multiplicative hashes with different constants, a word at a time.
  const auto mix = [&](uint64_t word) {
    key[0] = (key[0] ^ word) * 0x9e3779b97f4a7c15u;
    key[0] ^= key[0] >> 29;
    key[1] = (key[1] + word) * 0xd6e8feb86659fd93u;
    key[1] ^= key[1] >> 32;
  };
  mix(bytes.size());
  uint64_t word = 0;
  size_t i = 0;
  for (; i + sizeof word <= bytes.size(); i += sizeof word) {
    std::memcpy(&word, bytes.data() + i, sizeof word);
    mix(word);
  }
  word = 0;
  if (i < bytes.size()) std::memcpy(&word, bytes.data() + i, bytes.size() - i);
  mix(word);
}

bool Recall::restore(const Key& key, const Queue& queue, std::byte* arena) {
  const auto found = passes_.find(key);
  if (found == passes_.end()) return false;
  auto from = found->second.slots.begin();
  each_kept(*found->second.plan, [&](const PlanSlot& s) {
    if (queue.module)
      queue.module->upload(arena + s.offset, from->data(), s.bytes, queue.stream);
    else
      std::memcpy(arena + s.offset, from->data(), static_cast<size_t>(s.bytes));
    ++from;
  });
  ++recalled_;
  return true;
}

void Recall::keep(const Key& key, std::shared_ptr<const Plan> plan, const Queue& queue,
                  const std::byte* arena) {
  int64_t bytes = 0;
  each_kept(*plan, [&](const PlanSlot& s) { bytes += s.bytes; });
  if (bytes_ + bytes > limit_) return;
  Pass pass{.plan = std::move(plan), .slots = {}};
  each_kept(*pass.plan, [&](const PlanSlot& s) {
    std::vector<std::byte>& to = pass.slots.emplace_back(static_cast<size_t>(s.bytes));
    if (queue.module)
      queue.module->download(to.data(), arena + s.offset, s.bytes, queue.stream);
    else
      std::memcpy(to.data(), arena + s.offset, to.size());
  });
  if (passes_.emplace(key, std::move(pass)).second) bytes_ += bytes;
}

}  // namespace loupe
