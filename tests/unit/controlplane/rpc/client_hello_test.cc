#include "controlplane/rpc/client_hello.h"

#include <catch2/catch.hpp>

#include "tests/unit/controlplane/rpc/tls_client.h"

namespace sallyport::controlplane {
namespace {

using State = ClientHelloPeek::State;

void AppendNumber(std::string& to, std::size_t value, int width) {
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) {
    to.push_back(static_cast<char>(value >> shift & 0xff));
  }
}

std::string WithLength(const std::string& bytes, int width) {
  std::string out;
  AppendNumber(out, bytes.size(), width);
  return out + bytes;
}

std::string Extension(int type, const std::string& content) {
  std::string out;
  AppendNumber(out, static_cast<std::size_t>(type), 2);
  return out + WithLength(content, 2);
}

std::string ServerName(const std::string& name, char type = 0) {
  return Extension(0, WithLength(std::string(1, type) + WithLength(name, 2), 2));
}

// A ClientHello made by hand: what OpenSSL would never send.
std::string Hello(const std::string& extensions, const std::string& after = "") {
  const std::string body = std::string("\x03\x03", 2) + std::string(32, 'r') + WithLength("", 1) +
                           WithLength("\x13\x01", 2) + WithLength(std::string(1, '\0'), 1) +
                           WithLength(extensions, 2) + after;
  return std::string("\x16\x03\x01", 3) + WithLength("\x01" + WithLength(body, 3), 2);
}

TEST_CASE("a real client's server name is read, in lower case", "[rpc][client_hello]") {
  const ClientHelloPeek peek = PeekClientHello(MakeClientHello("Agents.SallyPort"));
  CHECK(peek.state == State::kComplete);
  CHECK(peek.server_name == "agents.sallyport");
}

TEST_CASE("a client that names no server is complete without a name", "[rpc][client_hello]") {
  const ClientHelloPeek peek = PeekClientHello(MakeClientHello(""));
  CHECK(peek.state == State::kComplete);
  CHECK(peek.server_name.empty());
}

TEST_CASE("every beginning of a hello is incomplete and asks for more than there is",
          "[rpc][client_hello]") {
  const std::string whole = MakeClientHello("enroll.sallyport");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const ClientHelloPeek peek = PeekClientHello(whole.substr(0, size));
    REQUIRE(peek.state == State::kIncomplete);
    REQUIRE(peek.bytes_needed > size);
    REQUIRE(peek.bytes_needed <= whole.size());
  }
}

TEST_CASE("a hello cut into many records reads the same", "[rpc][client_hello]") {
  const std::string hello = MakeClientHello("agents.sallyport");
  for (const std::size_t record : {1U, 3U, 4U, 50U, 200U}) {
    const std::string cut = CutIntoRecords(hello, record);
    CHECK(PeekClientHello(cut).server_name == "agents.sallyport");
    CHECK(PeekClientHello(cut.substr(0, cut.size() - 1)).state == State::kIncomplete);
  }
}

TEST_CASE("what follows the hello's last record is not looked at", "[rpc][client_hello]") {
  CHECK(PeekClientHello(MakeClientHello("a.example") + "anything").server_name == "a.example");
}

TEST_CASE("what is no TLS is refused at its first byte", "[rpc][client_hello]") {
  CHECK(PeekClientHello("GET / HTTP/1.1").state == State::kInvalid);
  CHECK(PeekClientHello("P").state == State::kInvalid);
  CHECK(PeekClientHello("\x16\x02").state == State::kInvalid);
  CHECK(PeekClientHello(std::string("\x16\x03\x01\x00\x00", 5)).state == State::kInvalid);
  // A record longer than TLS allows, and a handshake message that is no ClientHello.
  CHECK(PeekClientHello("\x16\x03\x01\x40\x01").state == State::kInvalid);
  CHECK(PeekClientHello(std::string("\x16\x03\x01\x00\x01\x02", 6)).state == State::kInvalid);
}

TEST_CASE("a hello beyond 16 KiB is refused before it has come", "[rpc][client_hello]") {
  std::string promise("\x16\x03\x01\x00\x04\x01\x00\x40\x00", 9);  // a body of 16,384 bytes
  CHECK(PeekClientHello(promise).state == State::kInvalid);
  // Record headers count too: no more than 16 KiB is ever kept for a stranger.
  const std::string cut = CutIntoRecords(Hello(Extension(21, std::string(3000, '\0'))), 1);
  REQUIRE(cut.size() > kMaxClientHelloBytes);
  CHECK(PeekClientHello(cut).state == State::kInvalid);
  CHECK(PeekClientHello(cut.substr(0, kMaxClientHelloBytes)).state == State::kInvalid);
}

TEST_CASE("malformed hellos are refused", "[rpc][client_hello]") {
  CHECK(PeekClientHello(Hello(ServerName("a.example"))).server_name == "a.example");

  CHECK(PeekClientHello(Hello(ServerName("a"), "x")).state == State::kInvalid);
  CHECK(PeekClientHello(Hello(ServerName("a") + ServerName("b"))).state == State::kInvalid);
  CHECK(PeekClientHello(Hello(ServerName("a", 1))).state == State::kInvalid);
  CHECK(PeekClientHello(Hello(ServerName(""))).state == State::kInvalid);
  CHECK(PeekClientHello(Hello(ServerName("a b"))).state == State::kInvalid);
  CHECK(PeekClientHello(Hello(ServerName(std::string("a\0b", 3)))).state == State::kInvalid);
  CHECK(PeekClientHello(Hello(ServerName(std::string(256, 'a')))).state == State::kInvalid);
  CHECK(PeekClientHello(Hello(Extension(0, "x"))).state == State::kInvalid);
  CHECK(PeekClientHello(Hello("abc")).state == State::kInvalid);
  // A second message in the same record.
  std::string two = Hello(ServerName("a"));
  two[4] = static_cast<char>(two[4] + 1);
  CHECK(PeekClientHello(two + "x").state == State::kInvalid);
}

}  // namespace
}  // namespace sallyport::controlplane
