#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sallyport {

// Names of things: a prefix and 26 characters of [a-z2-7], 130 bits from the kernel's random
// source. Not secrets.
std::string NewSessionId();   // ses_
std::string NewApprovalId();  // apr_
std::string NewRecordId();    // rec_
// For OpenSessionRequest.request_id and the agent's call ids: 26 characters without a prefix.
std::string NewRequestId();

// Whether `id` is `prefix` (such as "ses_") and 26 characters of that alphabet.
bool IsId(std::string_view id, std::string_view prefix);

// A secret: base64url without padding of `random_bytes` random bytes.
std::string NewRandomToken(std::size_t random_bytes = 32);

}  // namespace sallyport
