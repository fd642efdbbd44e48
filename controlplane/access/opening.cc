#include "controlplane/access/opening.h"

#include <span>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/access/client_address.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {

using access::v1::OpenSessionRequest;

namespace {

constexpr size_t kMaxReasonBytes = 1000;

bool IsRequestId(std::string_view id) {
  return id.size() >= 16 && id.size() <= 64 &&
         id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
             std::string_view::npos;
}

absl::Status CheckRequest(const Caller& caller, const OpenSessionRequest& request) {
  if (!IsRequestId(request.request_id()))
    return absl::InvalidArgumentError("request_id is not [A-Za-z0-9_-]{16,64}");
  if (request.server().empty()) return absl::InvalidArgumentError("server is missing");
  if (request.reason().size() > kMaxReasonBytes)
    return absl::InvalidArgumentError("reason is longer than 1,000 bytes");
  if (request.has_duration() && FromProto(request.duration()) <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("duration must be positive");
  }
  if (caller.agent() != nullptr) {
    if (request.has_duration() || request.break_glass() || !request.agent().empty())
      return absl::InvalidArgumentError("duration, break_glass and agent are for callers");
    return absl::OkStatus();
  }
  if (request.break_glass() && absl::StripAsciiWhitespace(request.reason()).empty())
    return absl::InvalidArgumentError("whoever breaks glass gives a reason");
  if (caller.person() == nullptr || !caller.person()->may_access) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING,
                  "sessions are opened with a caller's own access token");
  }
  if (!request.token().empty() || !request.client_address().empty() ||
      !request.resource().empty()) {
    return absl::InvalidArgumentError("token, client_address and resource are for agents");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::variant<Opening, TokenRefusal>> ReadOpening(const Caller& caller,
                                                                const OpenSessionRequest& request,
                                                                Issuers& issuers, absl::Time now) {
  RETURN_IF_ERROR(CheckRequest(caller, request));
  if (const PersonCaller* person = caller.person()) {
    ASSIGN_OR_RETURN(std::string address, CanonicalAddress(caller.address()));
    return Opening{caller,
                   request,
                   person->principal,
                   person->issuer_id,
                   person->signing_key,
                   "",
                   request.agent(),
                   std::move(address),
                   now};
  }
  ASSIGN_OR_RETURN(std::string address, CanonicalAddress(request.client_address()));
  const std::string resources[] = {request.resource()};
  auto identified = issuers.Identify(
      request.token(), {.door = Door::kAgent,
                        .resource_uris = std::span(resources, request.resource().empty() ? 0 : 1)});
  if (TokenRefusal* refusal = std::get_if<TokenRefusal>(&identified)) return std::move(*refusal);
  Identity& identity = std::get<Identity>(identified);
  return Opening{caller,
                 request,
                 std::move(identity.principal),
                 std::move(identity.issuer_id),
                 std::move(identity.signing_key),
                 caller.agent()->name,
                 caller.agent()->name,
                 std::move(address),
                 now};
}

}  // namespace sallyport::controlplane
