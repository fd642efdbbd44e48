#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "controlplane/model/recorded_call.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// What policy decided, read out of recordings. Who may ask, and the audit line, are for the use
// cases that it is given to.
class ReadCalls {
 public:
  // Both outlive it.
  ReadCalls(Database& control, Database& recordings) : control_(control), recordings_(recordings) {}

  // As CallSource says. One run of records is in memory at a time, and no transaction is held while
  // `take` runs.
  absl::StatusOr<CallsRead> ForEach(
      const CallFilter& filter,
      absl::FunctionRef<bool(const types::v1::Session&, const RecordedCall&)> take,
      absl::FunctionRef<bool(const CallsRead&)> on_progress) const;

 private:
  Database& control_;
  Database& recordings_;
};

}  // namespace sallyport::controlplane
