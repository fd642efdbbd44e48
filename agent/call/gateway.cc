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

}  // namespace sallyport::agent
