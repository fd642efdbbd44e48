#include "agent/listen/proxy_header.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedBytes = 16;
// Addresses and type-length-values; far more than a balancer sends.
constexpr std::size_t kMaxRest = 2048;

template <class Bytes>
bool SamePrefix(const Bytes& a, const Bytes& b, unsigned bits) {
  const unsigned whole = bits / 8;
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  const unsigned left = bits % 8;
  if (left == 0) return true;
  const auto mask = static_cast<unsigned char>(0xff << (8 - left));
  return (a[whole] & mask) == (b[whole] & mask);
}

}  // namespace

absl::StatusOr<Network> Network::Parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  boost::system::error_code error;
  Network network;
  network.prefix_ = net::ip::make_address(std::string(text.substr(0, slash)), error);
  const unsigned most = network.prefix_.is_v4() ? 32 : 128;
  network.bits_ = most;
  if (error || (slash != std::string_view::npos &&
                (!absl::SimpleAtoi(ToAbsl(text.substr(slash + 1)), &network.bits_) ||
                 network.bits_ > most))) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", ToAbsl(text), "\" is no address and no network such as 10.0.0.0/8"));
  }
  return network;
}

bool Network::Contains(const net::ip::address& address) const {
  if (address.is_v6() && address.to_v6().is_v4_mapped() && prefix_.is_v4()) {
    return Contains(net::ip::make_address_v4(net::ip::v4_mapped, address.to_v6()));
  }
  if (address.is_v4() != prefix_.is_v4()) return false;
  if (address.is_v4()) {
    return SamePrefix(address.to_v4().to_bytes(), prefix_.to_v4().to_bytes(), bits_);
  }
  return SamePrefix(address.to_v6().to_bytes(), prefix_.to_v6().to_bytes(), bits_);
}

absl::StatusOr<std::string> ParseProxyHeader(std::string_view fixed, std::string_view rest) {
  if (fixed.size() != kFixedBytes || !fixed.starts_with(kSignature)) {
    return absl::InvalidArgumentError("no PROXY protocol v2 header");
  }
  const auto command = static_cast<unsigned char>(fixed[12]);
  const auto family = static_cast<unsigned char>(fixed[13]);
  if (command == 0x20) return std::string();
  if (command == 0x21 && family == 0x11 && rest.size() >= 12) {
    net::ip::address_v4::bytes_type bytes;
    std::memcpy(bytes.data(), rest.data(), bytes.size());
    return net::ip::make_address_v4(bytes).to_string();
  }
  if (command == 0x21 && family == 0x21 && rest.size() >= 36) {
    net::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), rest.data(), bytes.size());
    return net::ip::make_address_v6(bytes).to_string();
  }
  return absl::InvalidArgumentError("a PROXY protocol header of another kind than TCP over IP");
}

Task<absl::StatusOr<std::string>> ReadProxyHeader(ClientSocket::Socket& socket) {
  std::array<char, kFixedBytes> fixed;
  auto [error, n] = co_await net::async_read(socket, net::buffer(fixed), kAsTuple);
  if (error) co_return absl::UnavailableError("the connection ended in its PROXY protocol header");
  const std::size_t length =
      static_cast<unsigned char>(fixed[14]) * 256u + static_cast<unsigned char>(fixed[15]);
  if (length > kMaxRest)
    co_return absl::InvalidArgumentError("the PROXY protocol header is too long");
  std::string rest(length, '\0');
  auto [rest_error, m] = co_await net::async_read(socket, net::buffer(rest), kAsTuple);
  if (rest_error)
    co_return absl::UnavailableError("the connection ended in its PROXY protocol header");
  co_return ParseProxyHeader(std::string_view(fixed.data(), fixed.size()), rest);
}

}  // namespace sallyport::agent
