#include "agent/session/session_key.h"

#include "absl/strings/str_cat.h"

namespace sallyport::agent {
namespace {

void AppendPart(std::string& key, std::string_view part) {
  absl::StrAppend(&key, part.size());
  key.push_back(':');
  key.append(part);
}

}  // namespace

std::string PrincipalKey(const types::v1::Principal& principal) {
  std::string key;
  AppendPart(key, principal.realm());
  absl::StrAppend(&key, static_cast<int>(principal.kind()), ":");
  AppendPart(key, principal.subject());
  AppendPart(key, principal.client_id());
  return key;
}

std::string SessionKey(std::string_view principal_key, std::string_view server) {
  std::string key;
  AppendPart(key, server);
  key.append(principal_key);
  return key;
}

}  // namespace sallyport::agent
