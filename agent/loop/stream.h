#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/loop/descriptor.h"
#include "agent/loop/endpoint.h"
#include "agent/loop/task.h"
#include "agent/loop/tls_session.h"

namespace sallyport::agent {

// One TCP connection, plain or TLS. Reads and writes may overlap; two reads or two writes may not.
// On the loop's thread.
class Stream {
 public:
  // Owns `fd`, a socket that does not block.
  Stream(Loop& loop, int fd, bool is_connecting = false) : descriptor_(loop, fd, is_connecting) {}

  // A socket that has begun to connect, for a stream that `is_connecting`.
  static absl::StatusOr<int> BeginConnect(const Endpoint& to);
  // Small messages are not held back to be sent with others.
  static void SendAtOnce(int fd);
  // Whether it could.
  auto Connected() {
    return Until(descriptor_, Descriptor::Direction::kWrite, [this] { return ConnectResult(); });
  }

  // The handshake, and TLS from then on. Its error is what the other side, or its certificate, is
  // refused for.
  Task<absl::Status> BeTlsServer(const TlsContext& context);
  // Where the certificate must be for `host`, a name or an address.
  Task<absl::Status> BeTlsClient(const TlsContext& context, const std::string& host);
  bool is_tls() const { return tls_.has_value(); }

  // What can be done at once; EAGAIN, nothing.
  IoResult TryRead(char* room, std::size_t size) {
    return tls_ ? tls_->Read(room, size) : descriptor_.Read(room, size);
  }
  // Of both, one behind the other. After less than all of it only the rest may follow, in full.
  IoResult TryWrite(std::string_view first, std::string_view second = {}) {
    return tls_ ? tls_->Write(first, second) : descriptor_.Write(first, second);
  }

  // Reads what has come, at least a byte. An n of 0: the end. `room` stays until then.
  auto ReadSome(char* room, std::size_t size) {
    return Until(descriptor_, Descriptor::Direction::kRead,
                 [this, room, size] { return TryRead(room, size); });
  }
  auto WriteSome(std::string_view first, std::string_view second = {}) {
    return Until(descriptor_, Descriptor::Direction::kWrite,
                 [this, first, second] { return TryWrite(first, second); });
  }
  // Of both, from `written` on; `progress()` after each piece.
  template <class Progress>
  Task<IoResult> WriteRest(std::string_view first, std::string_view second, std::size_t written,
                           Progress progress);

  // Neither bytes, nor the end, nor an error has come that Read has not given yet.
  bool IsQuiet();
  // The peer has nothing more to hear; it may still be read from.
  void ShutdownSend();
  // Awaits what comes behind all that there is to be read: the peer's end, or an error. A read to
  // the one that waits.
  auto Ended() { return agent::Ended(descriptor_); }
  // A read that waits fails; the next one goes on as if it had not been.
  void CancelRead() { descriptor_.Cancel(Descriptor::Direction::kRead); }
  // Reads and writes that wait fail.
  void Close() { descriptor_.Close(); }
  bool is_open() const { return descriptor_.is_open(); }

 private:
  IoResult ConnectResult();
  Task<absl::Status> ShakeHands();

  Descriptor descriptor_;
  std::optional<TlsSession> tls_;
};

template <class Progress>
Task<IoResult> Stream::WriteRest(std::string_view first, std::string_view second,
                                 std::size_t written, Progress progress) {
  const std::size_t all = first.size() + second.size();
  while (written < all) {
    const std::size_t of_second = written - std::min(written, first.size());
    const IoResult result =
        co_await WriteSome(first.substr(std::min(written, first.size())), second.substr(of_second));
    if (!result.ok()) co_return result;
    written += result.n;
    progress();
  }
  co_return IoResult{.n = all};
}

}  // namespace sallyport::agent
