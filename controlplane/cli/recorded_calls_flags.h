#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/cli/cli.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// --since, --until, --principal and --server: which recorded calls a command is about.
struct RecordedCallsFlags {
  std::string since = "7d";
  std::string until;
  std::string principal;
  std::string server;

  // `is_of_one`: a principal must be named.
  void AddTo(CLI::App* command, bool is_of_one);

  // kInvalidArgument for what is neither a duration back from `now` nor a time.
  absl::StatusOr<admin::v1::RecordedCalls> Read(absl::Time now) const;
};

// A line on a terminal's stderr that says how far a long run is, and is gone when it is over;
// nothing where stderr is no terminal.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine() { Clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Show(const admin::v1::ReadProgress& progress);
  void Clear();

 private:
  const bool is_shown_;
  bool is_there_ = false;
};

}  // namespace sallyport::controlplane
