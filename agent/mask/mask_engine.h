#pragma once

#include <memory>

#include "absl/status/statusor.h"

namespace sallyport::agent {

// The built-in detectors, compiled once for the process (about a tenth of a second) and shared by
// all plans. Immutable, thread-safe.
class MaskEngine {
 public:
  // kFailedPrecondition when this processor cannot run them: the program must not start then.
  static absl::StatusOr<std::shared_ptr<const MaskEngine>> Create();

  ~MaskEngine();
  MaskEngine(const MaskEngine&) = delete;
  MaskEngine& operator=(const MaskEngine&) = delete;

  struct Database;
  const Database& database() const { return *database_; }

 private:
  explicit MaskEngine(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace sallyport::agent
