#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "controlplane/rpc/client_hello.h"

// Whatever a stranger sends first. The parser must stay in its bounds, ask for more than it has and
// never for more than it allows, and judge a beginning as it judges the whole.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using State = sallyport::controlplane::ClientHelloPeek::State;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto peek = sallyport::controlplane::PeekClientHello(bytes);
  if (peek.state == State::kIncomplete &&
      (peek.bytes_needed <= size ||
       peek.bytes_needed > sallyport::controlplane::kMaxClientHelloBytes)) {
    std::abort();
  }
  if (peek.state == State::kComplete && size > 0) {
    const auto longer = sallyport::controlplane::PeekClientHello(std::string(bytes) + "x");
    if (longer.state != State::kComplete || longer.server_name != peek.server_name) std::abort();
    const auto half = sallyport::controlplane::PeekClientHello(bytes.substr(0, size / 2));
    if (half.state == State::kComplete && half.server_name != peek.server_name) std::abort();
  }
  return 0;
}
