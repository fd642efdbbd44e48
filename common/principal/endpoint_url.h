#pragma once

#include <string_view>

#include "absl/status/status.h"

// URLs that programs of ours are told to fetch or to believe.
namespace sallyport {

// OK for https, and for http where the host is a literal loopback address (127.0.0.0/8, [::1];
// `localhost` is a name). No user name, no fragment, no spaces or control characters.
// kInvalidArgument otherwise.
absl::Status CheckEndpointUrl(std::string_view url);

// The host of a URL that CheckEndpointUrl accepts, without brackets or port, as it is written.
std::string_view HostOf(std::string_view url);

// Whether `host` is a literal loopback address in its usual form.
bool IsLoopbackLiteral(std::string_view host);

}  // namespace sallyport
