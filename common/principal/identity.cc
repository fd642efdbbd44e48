#include "common/principal/identity.h"

#include "common/denial.h"

namespace sallyport {

absl::Status TokenRefusal::ToStatus() const {
  switch (reason) {
    case types::v1::DENIAL_REASON_TOKEN_MISSING:
      return Denied(reason, "a bearer token is needed");
    case types::v1::DENIAL_REASON_TOKEN_EXPIRED:
      return Denied(reason, "the token has expired: get a new one");
    case types::v1::DENIAL_REASON_ISSUER_UNAVAILABLE:
      return Denied(reason, "the keys of the token's issuer are not known yet: try again");
    default:
      return Denied(types::v1::DENIAL_REASON_TOKEN_INVALID, "the token is not accepted here");
  }
}

}  // namespace sallyport
