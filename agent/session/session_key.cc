#include "agent/session/session_key.h"

#include "absl/strings/str_cat.h"

namespace sallyport::agent {
namespace {

void AppendPart(std::string& key, std::string_view part) {
  absl::StrAppend(&key, part.size());
  key.push_back(':');
  key.append(part);
}

void AppendSubject(std::string& key, const types::v1::Principal& principal) {
  AppendPart(key, principal.realm());
  absl::StrAppend(&key, static_cast<int>(principal.kind()), ":");
  AppendPart(key, principal.subject());
}

}  // namespace

std::string PrincipalKey(const types::v1::Principal& principal) {
  std::string key;
  AppendSubject(key, principal);
  AppendPart(key, principal.client_id());
  return key;
}

std::string SessionKey(std::string_view principal_key, std::string_view server) {
  std::string key;
  AppendPart(key, server);
  key.append(principal_key);
  return key;
}

std::string LimitKey(const types::v1::Principal& principal, std::string_view server) {
  std::string key;
  AppendPart(key, server);
  AppendSubject(key, principal);
  return key;
}

}  // namespace sallyport::agent
