#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/approval.pb.h"

// What principals did before, over several tables of control.db.
namespace sallyport::controlplane::history {

// One principal (realm, kind, subject) on one server, in a session that may not be stored yet.
struct Who {
  const types::v1::Principal& principal;
  std::string_view server;
  std::string_view session_id;
};
// What they did before this session, and how often they had the same target called (in it as well).
// `method` empty: no call is asked about.
absl::StatusOr<types::v1::PrincipalHistory> Of(Transaction& t, const Who& who,
                                               std::string_view method = {},
                                               std::string_view target = {});

}  // namespace sallyport::controlplane::history
