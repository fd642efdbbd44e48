#include "agent/listen/proxy_header.h"

#include <algorithm>
#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedBytes = 16;
// Addresses and type-length-values; far more than a balancer sends.
constexpr std::size_t kMaxRest = 2048;

// Exactly so many bytes: what follows is not ours.
Task<bool> ReadAll(Stream& stream, char* room, std::size_t size) {
  while (size > 0) {
    const IoResult read = co_await stream.ReadSome(room, size);
    if (read.n == 0) co_return false;
    room += read.n;
    size -= read.n;
  }
  co_return true;
}

}  // namespace

absl::StatusOr<Network> Network::Parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto prefix = IpAddress::Parse(text.substr(0, slash));
  // As it is written: the IPv4 part of an IPv6 prefix is the end of its 128 bits.
  const bool is_v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  const unsigned most = is_v4 ? 32 : 128;
  unsigned bits = most;
  if (!prefix || (slash != std::string_view::npos &&
                  (!absl::SimpleAtoi(ToAbsl(text.substr(slash + 1)), &bits) || bits > most))) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", ToAbsl(text), "\" is no address and no network such as 10.0.0.0/8"));
  }
  Network network;
  network.prefix_ = *prefix;
  network.bits_ = is_v4 ? 96 + bits : bits;
  return network;
}

bool Network::Contains(const IpAddress& address) const {
  // ::/0 is all of IPv6.
  if (address.is_v4() && bits_ < 96) return false;
  const unsigned whole = bits_ / 8;
  const IpAddress::Bytes& a = address.bytes();
  const IpAddress::Bytes& b = prefix_.bytes();
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  const unsigned left = bits_ % 8;
  if (left == 0) return true;
  const auto mask = static_cast<unsigned char>(0xff << (8 - left));
  return (a[whole] & mask) == (b[whole] & mask);
}

absl::StatusOr<std::string> ParseProxyHeader(std::string_view fixed, std::string_view rest) {
  if (fixed.size() != kFixedBytes || !fixed.starts_with(kSignature)) {
    return absl::InvalidArgumentError("no PROXY protocol v2 header");
  }
  const auto command = static_cast<unsigned char>(fixed[12]);
  const auto family = static_cast<unsigned char>(fixed[13]);
  if (command == 0x20) return std::string();
  if (command == 0x21 && family == 0x11 && rest.size() >= 12) {
    return IpAddress::FromBytes(rest.substr(0, 4)).Printed();
  }
  if (command == 0x21 && family == 0x21 && rest.size() >= 36) {
    return IpAddress::FromBytes(rest.substr(0, 16)).Printed();
  }
  return absl::InvalidArgumentError("a PROXY protocol header of another kind than TCP over IP");
}

Task<absl::StatusOr<std::string>> ReadProxyHeader(Stream& stream) {
  const absl::Status ended =
      absl::UnavailableError("the connection ended in its PROXY protocol header");
  std::array<char, kFixedBytes> fixed;
  if (!co_await ReadAll(stream, fixed.data(), fixed.size())) co_return ended;
  const std::size_t length =
      static_cast<unsigned char>(fixed[14]) * 256u + static_cast<unsigned char>(fixed[15]);
  if (length > kMaxRest)
    co_return absl::InvalidArgumentError("the PROXY protocol header is too long");
  std::string rest(length, '\0');
  if (!co_await ReadAll(stream, rest.data(), rest.size())) co_return ended;
  co_return ParseProxyHeader(std::string_view(fixed.data(), fixed.size()), rest);
}

}  // namespace sallyport::agent
