#include "controlplane/identity/address_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace sallyport::controlplane {
namespace {

struct Network {
  std::uint32_t address;
  int bits;
};

constexpr Network kForbidden[] = {
    {0x00000000, 8},   // "this network"
    {0xa9fe0000, 16},  // link-local, with the metadata service of most clouds
    {0x646464c8, 32},  // 100.100.100.200: Alibaba's metadata service
    {0xc00000c0, 32},  // 192.0.0.192: Oracle's metadata service
    {0xe0000000, 3},   // multicast, reserved and broadcast
};

bool IsIn(std::uint32_t address, const Network& network) {
  return (address ^ network.address) >> (32 - network.bits) == 0;
}

bool MayConnectV4(std::uint32_t address, bool loopback_is_meant) {
  if (address >> 24 == 127) return loopback_is_meant;
  return std::none_of(std::begin(kForbidden), std::end(kForbidden),
                      [&](const Network& network) { return IsIn(address, network); });
}

std::uint32_t LastFourBytes(const in6_addr& address) {
  std::uint32_t bytes;
  std::memcpy(&bytes, address.s6_addr + 12, sizeof bytes);
  return ntohl(bytes);
}

bool MayConnectV6(const in6_addr& address, bool loopback_is_meant) {
  // Forms that lead to an IPv4 address: mapped, compatible, and NAT64's well-known prefix.
  constexpr std::uint8_t kNat64[12] = {0x00, 0x64, 0xff, 0x9b};
  if (IN6_IS_ADDR_LOOPBACK(&address)) return loopback_is_meant;
  if (IN6_IS_ADDR_V4MAPPED(&address) || IN6_IS_ADDR_V4COMPAT(&address) ||
      std::memcmp(address.s6_addr, kNat64, sizeof kNat64) == 0) {
    return MayConnectV4(LastFourBytes(address), loopback_is_meant);
  }
  constexpr std::uint8_t kAwsMetadata[16] = {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0,    0,
                                             0,    0,    0,    0,    0, 0, 0x02, 0x54};
  return !IN6_IS_ADDR_UNSPECIFIED(&address) && !IN6_IS_ADDR_LINKLOCAL(&address) &&
         !IN6_IS_ADDR_MULTICAST(&address) &&
         std::memcmp(address.s6_addr, kAwsMetadata, sizeof kAwsMetadata) != 0;
}

}  // namespace

bool MayConnect(const sockaddr& address, bool loopback_is_meant) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    return MayConnectV4(ntohl(v4.sin_addr.s_addr), loopback_is_meant);
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof v6);
    return MayConnectV6(v6.sin6_addr, loopback_is_meant);
  }
  return false;
}

}  // namespace sallyport::controlplane
