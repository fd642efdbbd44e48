#include "controlplane/rpc/client_hello.h"

#include <cstdint>
#include <optional>

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kHandshakeHeader = 4;
constexpr std::size_t kMaxRecordBytes = 1 << 14;
constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHello = 1;
constexpr uint16_t kServerNameExtension = 0;
constexpr uint8_t kHostName = 0;
constexpr std::size_t kMaxHostName = 255;

// Takes from the front of a view. Once something was too short, `ok` stays false and all it gives
// is empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }

  std::string_view Bytes(std::size_t count) {
    if (!ok_ || rest_.size() < count) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  // Big-endian.
  std::size_t Number(std::size_t width) {
    std::size_t value = 0;
    for (const char c : Bytes(width)) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  // A vector with its length before it.
  std::string_view Vector(std::size_t length_width) {
    const std::size_t length = Number(length_width);
    return Bytes(length);
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

ClientHelloPeek Invalid() { return {}; }

ClientHelloPeek NeedsBytes(std::size_t count) {
  if (count > kMaxClientHelloBytes) return Invalid();
  return {.state = ClientHelloPeek::State::kIncomplete, .bytes_needed = count};
}

std::optional<std::string> LowerHostName(std::string_view name) {
  if (name.empty() || name.size() > kMaxHostName) return std::nullopt;
  std::string lower;
  lower.reserve(name.size());
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      lower.push_back(static_cast<char>(c - 'A' + 'a'));
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '_') {
      lower.push_back(c);
    } else {
      return std::nullopt;
    }
  }
  return lower;
}

// RFC 6066, 3: a list of names, of which only the type host_name was ever defined.
std::optional<std::string> ParseServerName(std::string_view extension) {
  Reader outer(extension);
  Reader list(outer.Vector(2));
  if (!outer.at_end()) return std::nullopt;
  const std::size_t type = list.Number(1);
  const std::string_view name = list.Vector(2);
  if (!list.at_end() || type != kHostName) return std::nullopt;
  return LowerHostName(name);
}

ClientHelloPeek ParseHello(std::string_view body) {
  Reader hello(body);
  const std::size_t version = hello.Number(2);
  hello.Bytes(32);  // random
  const std::string_view session_id = hello.Vector(1);
  const std::string_view suites = hello.Vector(2);
  const std::string_view compressions = hello.Vector(1);
  if (!hello.ok() || version >> 8 != 3 || session_id.size() > 32 || suites.size() < 2 ||
      suites.size() % 2 != 0 || compressions.empty()) {
    return Invalid();
  }
  ClientHelloPeek peek{.state = ClientHelloPeek::State::kComplete};
  if (hello.at_end()) return peek;
  Reader extensions(hello.Vector(2));
  if (!hello.at_end()) return Invalid();
  while (!extensions.at_end()) {
    const std::size_t type = extensions.Number(2);
    const std::string_view content = extensions.Vector(2);
    if (!extensions.ok()) return Invalid();
    if (type != kServerNameExtension) continue;
    if (!peek.server_name.empty()) return Invalid();
    std::optional<std::string> name = ParseServerName(content);
    if (!name) return Invalid();
    peek.server_name = *std::move(name);
  }
  return peek;
}

}  // namespace

ClientHelloPeek PeekClientHello(std::string_view bytes) {
  // The handshake message, which may be cut into records.
  std::string message;
  std::size_t offset = 0;
  for (;;) {
    const std::string_view rest = bytes.substr(offset);
    if (!rest.empty() && static_cast<uint8_t>(rest[0]) != kHandshakeRecord) return Invalid();
    if (rest.size() >= 2 && rest[1] != 3) return Invalid();
    if (rest.size() < kRecordHeader) return NeedsBytes(offset + kRecordHeader);
    Reader header(rest.substr(3, 2));
    const std::size_t length = header.Number(2);
    if (length == 0 || length > kMaxRecordBytes) return Invalid();
    if (rest.size() < kRecordHeader + length) return NeedsBytes(offset + kRecordHeader + length);
    message.append(rest.substr(kRecordHeader, length));
    offset += kRecordHeader + length;
    if (offset > kMaxClientHelloBytes) return Invalid();

    if (static_cast<uint8_t>(message[0]) != kClientHello) return Invalid();
    if (message.size() < kHandshakeHeader) continue;
    Reader handshake(std::string_view(message).substr(1, 3));
    const std::size_t whole = kHandshakeHeader + handshake.Number(3);
    if (whole > kMaxClientHelloBytes) return Invalid();
    if (message.size() < whole) continue;
    // Nothing may follow in the record: the next message waits for the server's answer.
    if (message.size() > whole) return Invalid();
    return ParseHello(std::string_view(message).substr(kHandshakeHeader));
  }
}

}  // namespace sallyport::controlplane
