#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/loop/endpoint.h"
#include "agent/loop/stream.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// A block of addresses, `10.0.0.0/8`, `2001:db8::/32`, or one address.
class Network {
 public:
  static absl::StatusOr<Network> Parse(std::string_view text);
  bool Contains(const IpAddress& address) const;

 private:
  IpAddress prefix_;
  // Of an address in 16 bytes.
  unsigned bits_ = 0;
};

// The source address in a PROXY protocol v2 header (the HAProxy specification), from its 16 fixed
// bytes and what follows them. A LOCAL header, a balancer's own health check, gives an empty
// address. kInvalidArgument for everything else but TCP over IPv4 or IPv6.
absl::StatusOr<std::string> ParseProxyHeader(std::string_view fixed, std::string_view rest);

// Reads the header from the begin of a connection, byte for byte as long as it is. Empty when there
// is none; the caller closes then.
Task<absl::StatusOr<std::string>> ReadProxyHeader(Stream& stream);

}  // namespace sallyport::agent
