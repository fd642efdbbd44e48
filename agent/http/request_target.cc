#include "agent/http/request_target.h"

#include <algorithm>

#include "agent/http/field_syntax.h"

namespace sallyport::agent {
namespace {

constexpr HttpError kNoPath = {400, "the request target is neither a path nor an http URI"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// name, IPv4 or [IPv6], with or without a port. No user, no zone.
bool IsHost(std::string_view host) {
  std::string_view port;
  if (!host.empty() && host[0] == '[') {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    const std::string_view address = host.substr(1, end - 1);
    if (address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos)
      return false;
    port = host.substr(end + 1);
  } else {
    const std::size_t colon = std::min(host.find(':'), host.size());
    const std::string_view name = host.substr(0, colon);
    const auto is_name_char = [](char c) {
      return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
             c == '-' || c == '_';
    };
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_name_char)) return false;
    port = host.substr(colon);
  }
  if (port.empty()) return true;
  port.remove_prefix(1);
  return !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), IsDigit) &&
         host[host.size() - port.size() - 1] == ':';
}

// A client may write the scheme's own port in the one place and not in the other.
std::string_view WithoutOwnPort(std::string_view host, UriScheme scheme) {
  const std::string_view port = scheme == UriScheme::kHttps ? ":443" : ":80";
  if (host.ends_with(port)) host.remove_suffix(port.size());
  return host;
}

HttpError TakeUri(std::string_view uri, HttpRequest& request) {
  constexpr std::string_view kBehindScheme = "://";
  const std::size_t scheme_end = uri.find(kBehindScheme);
  const std::string_view scheme = uri.substr(0, scheme_end);
  if (scheme_end == std::string_view::npos) return kNoPath;
  if (EqualsNoCase(scheme, "http")) {
    request.scheme = UriScheme::kHttp;
  } else if (EqualsNoCase(scheme, "https")) {
    request.scheme = UriScheme::kHttps;
  } else {
    return kNoPath;
  }
  uri.remove_prefix(scheme_end + kBehindScheme.size());
  const std::size_t authority_end = std::min(uri.find_first_of("/?#"), uri.size());
  const std::string_view authority = uri.substr(0, authority_end);
  const std::string_view path = uri.substr(authority_end);
  if (!IsHost(authority)) return {400, "the request target names no proper host"};
  if (path.find('#') != std::string_view::npos) return {400, "the request target has a fragment"};
  // Without a path it is `/` (RFC 9110 section 4.2.3), but of OPTIONS it would be `*`.
  if (path.empty() && request.method == HttpMethod::kOptions) return kNoPath;
  request.host.assign(authority);
  request.target.assign(path.starts_with('/') ? "" : "/").append(path);
  return {};
}

}  // namespace

HttpError TakeTarget(std::string_view target, HttpRequest& request) {
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (target.empty() || !std::all_of(target.begin(), target.end(), is_visible)) return kNoPath;
  if (target[0] != '/') return TakeUri(target, request);
  request.target.assign(target);
  return {};
}

HttpError TakeHost(std::string_view host, HttpRequest& request) {
  if (!IsHost(host)) return {400, "no proper host"};
  if (request.scheme == UriScheme::kNone) {
    request.host.assign(host);
  } else if (!EqualsNoCase(WithoutOwnPort(host, request.scheme),
                           WithoutOwnPort(request.host, request.scheme))) {
    return {400, "the request target and the Host header name two hosts"};
  }
  return {};
}

}  // namespace sallyport::agent
