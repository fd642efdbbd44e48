#include "controlplane/access/client_address.h"

#include <arpa/inet.h>

namespace sallyport::controlplane {

absl::StatusOr<std::string> CanonicalAddress(const std::string& address) {
  char text[INET6_ADDRSTRLEN];
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, address.c_str(), &v4) == 1)
    return std::string(::inet_ntop(AF_INET, &v4, text, sizeof text));
  if (::inet_pton(AF_INET6, address.c_str(), &v6) != 1)
    return absl::InvalidArgumentError("client_address is no IP address");
  if (IN6_IS_ADDR_V4MAPPED(&v6))
    return std::string(::inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof text));
  return std::string(::inet_ntop(AF_INET6, &v6, text, sizeof text));
}

}  // namespace sallyport::controlplane
