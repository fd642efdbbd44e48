#include "controlplane/access/forget_calls.h"

#include <vector>

#include "common/status_macros.h"
#include "controlplane/store/calls.h"

namespace sallyport::controlplane {

absl::Status ForgetCalls(Database& control, absl::Time now) {
  constexpr int kAtOnce = 500;
  const auto find = [&](Transaction& t) {
    return calls::Forgettable(t, now - kKeepSettledCalls, kAtOnce);
  };
  {
    ASSIGN_OR_RETURN(const auto t, control.Read());
    ASSIGN_OR_RETURN(const std::vector<calls::Key> found, find(*t));
    if (found.empty()) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const auto t, control.Write(WriteFor::kOperators));
  ASSIGN_OR_RETURN(const std::vector<calls::Key> found, find(*t));
  RETURN_IF_ERROR(calls::Forget(*t, found));
  return t->Commit();
}

}  // namespace sallyport::controlplane
