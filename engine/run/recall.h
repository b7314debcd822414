// Recall: several questions about the same inputs at the cost of one forward pass.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "engine/plan/plan.h"
#include "engine/tensor/tensor.h"

namespace loupe {

class Network;

/// While it lives, the network keeps what a forward pass left (its tape and the values that were asked for), and does
/// not compute one again for inputs, edits and a purpose that it has had: Execution::forward() and again() put it back
/// where it lay, and backward() starts from there. So a method that is asked about k classes costs one forward pass and
/// k ways back, whatever its passes are, and the bits are those of a first time. A gradient's tape is small: masks of a
/// bit, switches of a byte; for SqueezeNet 640 KiB an image.
///
/// It holds at most `bytes` in the host's memory; when they are full, further passes are computed each time.
class Recall {
 public:
  /// bytes: where nothing is said, as much as the network's memory_limit, or 1 GiB where it has none.
  explicit Recall(Network& network, int64_t bytes = -1);
  ~Recall();
  Recall(const Recall&) = delete;
  Recall& operator=(const Recall&) = delete;

  /// Passes that were put back, and the bytes that are kept.
  int64_t recalled() const { return recalled_; }
  int64_t bytes() const { return bytes_; }

  /// Of all that a pass depends on: a digest of 128 bits.
  using Key = std::array<uint64_t, 2>;
  static void add(Key& key, std::span<const std::byte> bytes);
  /// The innermost that the network has, or null.
  static Recall* of(const Network& network);
  /// What a job of many passes made (engine/run/windows.h), kept whole; null if it was not done yet.
  const Tensor* job(const Key& key);
  void keep_job(const Key& key, const Tensor& made);

  /// While it lives, passes of the network are computed and not kept.
  class Pause {
   public:
    explicit Pause(Network& network);
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Network& network_;
    Recall* paused_;
  };

 private:
  friend class Execution;

  bool restore(const Key& key, const Queue& queue, std::byte* arena);
  void keep(const Key& key, std::shared_ptr<const Plan> plan, const Queue& queue, const std::byte* arena);

  struct Pass {
    std::shared_ptr<const Plan> plan;  // held, so that no other one comes to have its address
    std::vector<std::vector<std::byte>> slots;
  };
  Network& network_;
  Recall* outer_;
  std::map<Key, Pass> passes_;
  std::map<Key, Tensor> jobs_;
  int64_t limit_, bytes_ = 0, recalled_ = 0;
};

}  // namespace loupe
