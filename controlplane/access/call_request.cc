#include "controlplane/access/call_request.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/shown_limits.h"
#include "common/strings.h"

namespace sallyport::controlplane {
absl::Status CheckCallName(std::string_view method, std::string_view target) {
  if (method.empty()) return absl::InvalidArgumentError("method is missing");
  if (method.size() > kMaxCallNameBytes || target.size() > kMaxCallNameBytes)
    return absl::InvalidArgumentError("method or target is longer than 4 KiB");
  return absl::OkStatus();
}

absl::Status CheckDigest(std::string_view field, std::string_view digest) {
  if (digest.size() == 64 &&
      digest.find_first_not_of("0123456789abcdef") == std::string_view::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(field), " is not 64 hex digits"));
}

absl::Status CheckShown(std::string_view field, std::string_view shown) {
  if (shown.size() <= kMaxShownBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(field), " is longer than 1 MiB"));
}

types::v1::Call CallOf(const Session& session, std::string_view call_id, std::string_view method,
                       std::string_view target) {
  types::v1::Call call;
  call.set_session_id(session.id());
  call.set_call_id(std::string(call_id));
  call.set_server(session.proto().server());
  *call.mutable_principal() = session.proto().principal();
  call.set_method(std::string(method));
  call.set_target(std::string(target));
  return call;
}

}  // namespace sallyport::controlplane
