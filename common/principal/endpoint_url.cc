#include "common/principal/endpoint_url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

namespace sallyport {
namespace {

constexpr std::string_view kHttps = "https://";
constexpr std::string_view kHttp = "http://";

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

std::string_view AuthorityOf(std::string_view url) {
  const std::size_t begin = url.find("://");
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = url.substr(begin + 3);
  return rest.substr(0, rest.find_first_of("/?#"));
}

bool IsPort(std::string_view port) {
  return !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

absl::Status CheckAuthority(std::string_view authority) {
  if (authority.find('@') != std::string_view::npos) {
    return absl::InvalidArgumentError("a URL must not carry a user name");
  }
  const std::size_t bracket = authority.rfind(']');
  const std::size_t host_end = bracket == std::string_view::npos ? 0 : bracket;
  const std::size_t colon = authority.find(':', host_end);
  if (colon != std::string_view::npos && !IsPort(authority.substr(colon + 1))) {
    return absl::InvalidArgumentError("a URL has a port that is none");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckEndpointUrl(std::string_view url) {
  const bool is_http = StartsWith(url, kHttp);
  if (!is_http && !StartsWith(url, kHttps)) {
    return absl::InvalidArgumentError(
        "a URL must begin with https://, or http:// for a literal loopback address");
  }
  for (const char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '\\' || c == '#') {
      return absl::InvalidArgumentError("a URL must be printable ASCII without a fragment");
    }
  }
  if (absl::Status authority = CheckAuthority(AuthorityOf(url)); !authority.ok()) return authority;
  const std::string_view host = HostOf(url);
  if (host.empty()) return absl::InvalidArgumentError("a URL must have a host");
  if (is_http && !IsLoopbackLiteral(host)) {
    return absl::InvalidArgumentError(
        "http:// is only for literal loopback addresses such as 127.0.0.1: use https://");
  }
  return absl::OkStatus();
}

std::string_view HostOf(std::string_view url) {
  const std::string_view authority = AuthorityOf(url);
  if (StartsWith(authority, "[")) {
    const std::size_t end = authority.find(']');
    return end == std::string_view::npos ? std::string_view() : authority.substr(1, end - 1);
  }
  return authority.substr(0, authority.find(':'));
}

bool IsLoopbackLiteral(std::string_view host) {
  // inet_pton takes four decimal numbers and nothing else: no octal, no 127.1, no 0x7f.
  in_addr v4{};
  in6_addr v6{};
  const std::string text(host);
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace sallyport
