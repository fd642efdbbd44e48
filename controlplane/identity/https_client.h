#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sallyport::controlplane {

struct HttpsOptions {
  // PEM. Empty: the system's certificates.
  std::string ca_file;
  // Counted as it arrives; one byte more is kResourceExhausted.
  std::size_t max_bytes = 256 * 1024;
  absl::Duration connect_timeout = absl::Seconds(3);
  absl::Duration timeout = absl::Seconds(5);
};

struct HttpsResponse {
  int status = 0;
  std::string body;
  // Of Cache-Control. Zero where it says none, no-store or no-cache.
  absl::Duration max_age = absl::ZeroDuration();
};

// Asks an identity provider. https, or http to a literal loopback address; no redirect is followed,
// no proxy and no cookie used, the certificate and its name are checked. Link-local, multicast and
// unspecified addresses are not connected to whatever a name resolves to, and neither is a
// loopback address unless the URL has it as a literal. Blocks for at most `timeout`. Thread-safe.
//
// Any HTTP status is a response. kInvalidArgument for a URL that may not be asked, kUnavailable
// when no answer came, kDeadlineExceeded, kResourceExhausted.
absl::StatusOr<HttpsResponse> HttpsGet(const std::string& url, const HttpsOptions& options = {});

// POST application/x-www-form-urlencoded; accepts JSON. For the token endpoint.
absl::StatusOr<HttpsResponse> HttpsPostForm(
    const std::string& url, const std::vector<std::pair<std::string, std::string>>& form,
    const HttpsOptions& options = {});

}  // namespace sallyport::controlplane
