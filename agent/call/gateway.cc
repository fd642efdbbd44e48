#include "agent/call/gateway.h"

#include "absl/strings/str_cat.h"
#include "common/strings.h"

namespace sallyport::agent {

std::string Gateway::ResourceUri(std::string_view server) const {
  return absl::StrCat(public_url, "/", ToAbsl(server), "/mcp");
}

std::string Gateway::MetadataUrl(std::string_view server) const {
  return absl::StrCat(public_url, "/.well-known/oauth-protected-resource/", ToAbsl(server), "/mcp");
}

absl::Duration Gateway::ApprovalHold(std::string_view server) const {
  const auto own = limits.approval_hold_of.find(server);
  return own == limits.approval_hold_of.end() ? limits.approval_hold : own->second;
}

}  // namespace sallyport::agent
