#pragma once

#include <string>
#include <string_view>

#include "sallyport/types/v1/principal.pb.h"

namespace sallyport::agent {

// Who a session belongs to, as one string that compares and hashes cheaply: realm, kind, subject
// and client id, each with its length before it, so that no two principals can have the same key.
// Scopes and groups are attributes, not identity.
std::string PrincipalKey(const types::v1::Principal& principal);

// The key of a principal's sessions for one server.
std::string SessionKey(std::string_view principal_key, std::string_view server);

// What limits per principal are counted by: whichever client it comes through.
std::string LimitKey(const types::v1::Principal& principal, std::string_view server);

}  // namespace sallyport::agent
