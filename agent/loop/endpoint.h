#pragma once

#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sallyport::agent {

// An address of either family; one of IPv4 that IPv6 carries (::ffff:192.0.2.7) is the one it
// carries. A value.
class IpAddress {
 public:
  // IPv4 as ::ffff:a.b.c.d.
  using Bytes = std::array<unsigned char, 16>;

  // nullopt for everything else, a scope (%eth0) among it.
  static std::optional<IpAddress> Parse(std::string_view text);
  // `bytes` are 4 or 16.
  static IpAddress FromBytes(std::string_view bytes);

  bool is_v4() const;
  bool is_loopback() const;
  bool is_unspecified() const;
  const Bytes& bytes() const { return bytes_; }
  std::string Printed() const;

 private:
  Bytes bytes_ = {};
};

// Where a TCP connection begins or ends. A value.
class Endpoint {
 public:
  Endpoint() = default;
  // kInvalidArgument unless both are numbers.
  static absl::StatusOr<Endpoint> Numeric(const std::string& host, const std::string& port);
  // What a name stands for, at least one. Blocks, for seconds. kUnavailable with the resolver's
  // words.
  static absl::StatusOr<std::vector<Endpoint>> Lookup(const std::string& host,
                                                      const std::string& port);

  IpAddress address() const;
  // "127.0.0.1:8443", "[::1]:8443".
  std::string Printed() const;

  // As the system wants it. `size` of a new one is its room.
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage_); }
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size = sizeof(sockaddr_storage);

 private:
  sockaddr_storage storage_ = {};
};

}  // namespace sallyport::agent
