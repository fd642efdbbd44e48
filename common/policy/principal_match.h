#pragma once

#include <string>

#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/principal.pb.h"

// Whom a policy names.
namespace sallyport {

// Whether all of the entry but its scopes holds.
bool MatchesButForScopes(const types::v1::PrincipalMatch& match,
                         const types::v1::Principal& principal);

// How many of the entry's scopes the principal lacks.
int MissingScopes(const types::v1::PrincipalMatch& match, const types::v1::Principal& principal);

// Whether one of the entries names it.
bool Names(const types::v1::PolicySpec& policy, const types::v1::Principal& principal);

// A sentence about a policy that does not name it: what the nearest entry lacks.
std::string WhyNotNamed(const types::v1::PolicySpec& policy, const types::v1::Principal& principal);

}  // namespace sallyport
