#include "agent/loop/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace sallyport::agent {
namespace {

constexpr IpAddress::Bytes kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kMappedPrefix = 12;

absl::StatusOr<std::vector<Endpoint>> Ask(const std::string& host, const std::string& port,
                                          int flags) {
  addrinfo hints{};
  hints.ai_flags = flags | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &first); error != 0) {
    return absl::UnavailableError(gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(first, freeaddrinfo);
  std::vector<Endpoint> endpoints;
  for (const addrinfo* one = first; one != nullptr; one = one->ai_next) {
    Endpoint& endpoint = endpoints.emplace_back();
    std::memcpy(endpoint.raw(), one->ai_addr, one->ai_addrlen);
    endpoint.size = one->ai_addrlen;
  }
  return endpoints;
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string terminated(text);
  char bytes[16];
  if (inet_pton(AF_INET, terminated.c_str(), bytes) == 1) return FromBytes({bytes, 4});
  if (inet_pton(AF_INET6, terminated.c_str(), bytes) == 1) return FromBytes({bytes, 16});
  return std::nullopt;
}

IpAddress IpAddress::FromBytes(std::string_view bytes) {
  IpAddress address;
  if (bytes.size() == 4) address.bytes_ = kMapped;
  std::memcpy(address.bytes_.end() - bytes.size(), bytes.data(), bytes.size());
  return address;
}

bool IpAddress::is_v4() const {
  return std::equal(bytes_.begin(), bytes_.begin() + kMappedPrefix, kMapped.begin());
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[kMappedPrefix] == 127;
  return std::memcmp(bytes_.data(), &in6addr_loopback, bytes_.size()) == 0;
}

bool IpAddress::is_unspecified() const { return bytes_ == (is_v4() ? kMapped : Bytes{}); }

std::string IpAddress::Printed() const {
  char text[INET6_ADDRSTRLEN];
  if (is_v4()) return inet_ntop(AF_INET, bytes_.data() + kMappedPrefix, text, sizeof text);
  return inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
}

absl::StatusOr<Endpoint> Endpoint::Numeric(const std::string& host, const std::string& port) {
  auto endpoints = Ask(host, port, AI_NUMERICHOST | AI_PASSIVE);
  if (!endpoints.ok()) return absl::InvalidArgumentError(endpoints.status().message());
  return endpoints->front();
}

absl::StatusOr<std::vector<Endpoint>> Endpoint::Lookup(const std::string& host,
                                                       const std::string& port) {
  return Ask(host, port, AI_ADDRCONFIG);
}

IpAddress Endpoint::address() const {
  if (storage_.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage_).sin_addr;
    return IpAddress::FromBytes({reinterpret_cast<const char*>(&v4), sizeof v4});
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage_).sin6_addr;
  return IpAddress::FromBytes({reinterpret_cast<const char*>(&v6), sizeof v6});
}

std::string Endpoint::Printed() const {
  const bool is_v6 = storage_.ss_family == AF_INET6;
  const in_port_t port = is_v6 ? reinterpret_cast<const sockaddr_in6&>(storage_).sin6_port
                               : reinterpret_cast<const sockaddr_in&>(storage_).sin_port;
  char host[NI_MAXHOST] = "";
  getnameinfo(raw(), size, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
  return is_v6 ? absl::StrCat("[", host, "]:", ntohs(port)) : absl::StrCat(host, ":", ntohs(port));
}

}  // namespace sallyport::agent
