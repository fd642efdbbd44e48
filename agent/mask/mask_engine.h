#pragma once

#include <memory>

#include "absl/status/statusor.h"

namespace sallyport::agent {

class LiteralSearch;

// The built-in detectors, compiled once for the process and shared by all plans. Immutable,
// thread-safe.
class MaskEngine {
 public:
  // kFailedPrecondition when this processor cannot run them: the program must not start then.
  static absl::StatusOr<std::shared_ptr<const MaskEngine>> Create();

  ~MaskEngine();
  MaskEngine(const MaskEngine&) = delete;
  MaskEngine& operator=(const MaskEngine&) = delete;

  // Finds the fixed parts of Anchors(), by index.
  const LiteralSearch& anchors() const { return *anchors_; }

 private:
  explicit MaskEngine(std::unique_ptr<const LiteralSearch> anchors);
  std::unique_ptr<const LiteralSearch> anchors_;
};

}  // namespace sallyport::agent
