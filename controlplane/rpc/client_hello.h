#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// The first words of a TLS connection, read before anybody is trusted and before gRPC has seen a
// byte. Pure, so that it can be fuzzed.
namespace sallyport::controlplane {

// A ClientHello that is longer is refused, in however many records it comes.
inline constexpr std::size_t kMaxClientHelloBytes = 16 << 10;

struct ClientHelloPeek {
  enum class State {
    kIncomplete,  // the beginning of one: call again with at least `bytes_needed` bytes
    kComplete,
    kInvalid,  // no TLS, not well-formed, or too long
  };
  State state = State::kInvalid;
  std::size_t bytes_needed = 0;
  // The host name of the SNI extension in lower case. Empty: the client named none.
  std::string server_name;
};

// Judges the bytes from the start of the connection; what follows the ClientHello's last record is
// not looked at. `bytes_needed` is always more than was given.
ClientHelloPeek PeekClientHello(std::string_view bytes);

}  // namespace sallyport::controlplane
