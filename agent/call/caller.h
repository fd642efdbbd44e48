#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "agent/control/agent_snapshot.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport::agent {

// Whom a verified token names, and for how long. Made once for each token and kept while the
// snapshot it was verified under is in force.
struct Caller {
  std::shared_ptr<const types::v1::Principal> principal;
  // PrincipalKey of it.
  std::string key;
  // What records call the token: its id and its client. Never the token.
  std::string token_id;
  std::string issuer_id;
  absl::Time expires_at = absl::InfinitePast();
  // The issuer entry's clock skew, which `expires_at` has in it already.
  std::shared_ptr<const AgentSnapshot> snapshot;
};

}  // namespace sallyport::agent
