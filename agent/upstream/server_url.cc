#include "agent/upstream/server_url.h"

#include <algorithm>
#include <cctype>

#include "agent/http/head_writer.h"
#include "agent/loop/endpoint.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

bool IsName(std::string_view host) {
  return !host.empty() && host.size() <= 253 && host.front() != '.' && host.front() != '-' &&
         std::all_of(host.begin(), host.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  c == '_';
         });
}

absl::Status ParsePort(std::string_view text, std::string& port) {
  bool digits = !text.empty() && text.size() <= 5 &&
                text.find_first_not_of("0123456789") == std::string_view::npos;
  if (!digits || std::stoi(std::string(text)) == 0 || std::stoi(std::string(text)) > 65535) {
    return absl::InvalidArgumentError("the port of `url` is no number from 1 to 65535");
  }
  port = text;
  return absl::OkStatus();
}

bool HasDotSegments(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(segment.size());
  }
  return false;
}

}  // namespace

absl::StatusOr<ServerUrl> ParseServerUrl(std::string_view url) {
  ServerUrl out;
  if (url.starts_with("https://")) {
    url.remove_prefix(8);
  } else if (url.starts_with("http://")) {
    out.is_tls = false;
    url.remove_prefix(7);
  } else {
    return absl::InvalidArgumentError(
        "`url` must begin with https://, or http:// for a literal loopback address");
  }
  std::size_t end = url.find_first_of("/?#");
  std::string_view authority = url.substr(0, end);
  out.target = end == std::string_view::npos ? "/" : std::string(url.substr(end));
  if (out.target.front() == '?') out.target.insert(0, "/");
  if (!IsRequestTarget(out.target))
    return absl::InvalidArgumentError("`url` has a path that cannot be sent, or a fragment");
  if (authority.find('@') != std::string_view::npos) {
    return absl::InvalidArgumentError("`url` names a user: credentials belong in `headers`");
  }
  out.port = out.is_tls ? "443" : "80";
  std::string_view rest;
  bool is_v6 = authority.starts_with('[');
  if (is_v6) {
    std::size_t close = authority.find(']');
    if (close == std::string_view::npos)
      return absl::InvalidArgumentError("`url` has an address without its ']'");
    out.host = authority.substr(1, close - 1);
    rest = authority.substr(close + 1);
  } else {
    std::size_t colon = authority.find(':');
    out.host = authority.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  }
  if (!rest.empty()) {
    if (rest.front() != ':')
      return absl::InvalidArgumentError("`url` has an authority that is not host:port");
    RETURN_IF_ERROR(ParsePort(rest.substr(1), out.port));
  }
  std::transform(out.host.begin(), out.host.end(), out.host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto address = IpAddress::Parse(out.host);
  const bool is_reachable =
      is_v6 ? address && out.host.find(':') != std::string::npos : address || IsName(out.host);
  if (!is_reachable) {
    return absl::InvalidArgumentError("`url` has no host that can be reached");
  }
  if (!out.is_tls && !(address && address->is_loopback())) {
    return absl::InvalidArgumentError(
        "`url` must be https: plain http is for literal loopback addresses (127.0.0.1, [::1])");
  }
  out.authority = is_v6 ? "[" + out.host + "]" : out.host;
  if (out.port != (out.is_tls ? "443" : "80")) out.authority += ":" + out.port;
  return out;
}

absl::StatusOr<std::string> ResolveTarget(const ServerUrl& base, std::string_view reference) {
  const auto refused = [](const char* what) { return absl::InvalidArgumentError(what); };
  std::string target(reference);
  // A scheme before the path, or a host.
  const std::string_view before_path = reference.substr(0, reference.find_first_of("/?"));
  if (before_path.find(':') != std::string_view::npos || reference.starts_with("//")) {
    if (reference.starts_with("//")) target.insert(0, base.is_tls ? "https:" : "http:");
    auto url = ParseServerUrl(target);
    if (!url.ok() || url->is_tls != base.is_tls || url->host != base.host || url->port != base.port)
      return refused("the server's endpoint is not at its own origin");
    target = std::move(url->target);
  } else if (!reference.starts_with('/')) {
    const std::string_view path = std::string_view(base.target).substr(0, base.target.find('?'));
    const bool is_query = reference.starts_with('?');
    target.insert(0, path.substr(0, is_query ? path.size() : path.rfind('/') + 1));
  }
  const std::string_view path = std::string_view(target).substr(0, target.find('?'));
  if (reference.empty() || !IsRequestTarget(target) || HasDotSegments(path))
    return refused("the server's endpoint cannot be sent to");
  return target;
}

}  // namespace sallyport::agent
