#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/issuer_service.pb.h"

namespace sallyport::controlplane {

// The audiences of a token that are URLs: as one of an agent's own would be. Empty for what is no
// token.
std::vector<std::string> UrlsAmongAudiences(std::string_view token);

// Why a token was refused, and where to look where that is no fault of the token.
std::string WhyRefused(const TokenRefusal& refusal);

// Says what a token would be taken for, without taking it.
class ExplainToken {
 public:
  // All of them outlive it.
  ExplainToken(Database& control, const Clock& clock, Issuers& issuers)
      : control_(control), clock_(clock), issuers_(issuers) {}

  // Everything but the roles, which are the rpc room's to know. A token that nobody takes is an
  // answer, not an error.
  absl::StatusOr<admin::v1::ExplainTokenResponse> Run(const std::string& token) const;

 private:
  Database& control_;
  const Clock& clock_;
  Issuers& issuers_;
};

}  // namespace sallyport::controlplane
