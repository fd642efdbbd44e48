#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "common/principal/issuer_entry.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport {

struct MappedClaims {
  types::v1::Principal principal;
  std::string token_id;
};

// Reads who a token speaks for, as the entry says where to look. The token has been verified, and
// was accepted for `audience`. Values are compared and kept code point by code point, as they are.
// kInvalidArgument, naming the claim, for what is missing, of another type or unclean, and for a
// bound claim that differs: wrong is a refusal, absent is empty only for scopes, groups, attributes
// and display.
absl::StatusOr<MappedClaims> MapClaims(const IssuerEntry& entry, const nlohmann::json& claims,
                                       const std::string& audience);

// Refuses tokens of another kind than the entry's, so that one kind can never stand in for another
// (RFC 8725, 3.12), and tokens that are bound to a proof we cannot check.
absl::Status CheckKind(const IssuerEntry& entry, const nlohmann::json& claims,
                       const std::string& audience);

}  // namespace sallyport
