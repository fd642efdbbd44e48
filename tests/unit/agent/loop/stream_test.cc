#include "agent/loop/stream.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "agent/loop/acceptor.h"
#include "tests/fakes/test_ca.h"

namespace sallyport::agent {
namespace {

// A listener and both ends of a connection to it, on one loop.
struct Rig {
  Rig() {
    auto created = Acceptor::Listen(loop, *Endpoint::Numeric("127.0.0.1", "0"));
    REQUIRE(created.ok());
    acceptor = *std::move(created);
  }
  void Connect() {
    const auto fd = Stream::BeginConnect(acceptor->local());
    REQUIRE(fd.ok());
    client = std::make_unique<Stream>(loop, *fd, true);
    loop.Spawn(AwaitBoth());
    loop.Run();
  }
  Task<void> AwaitBoth() {
    Endpoint peer;
    const IoResult accepted = co_await acceptor->Accept(peer);
    REQUIRE(accepted.ok());
    CHECK(peer.address().is_loopback());
    server = std::make_unique<Stream>(loop, static_cast<int>(accepted.n));
    CHECK((co_await client->Connected()).ok());
    loop.Stop();
  }

  Loop loop;
  std::unique_ptr<Acceptor> acceptor;
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
};

// Contexts for a server of that name and for a client that trusts its CA.
struct Tls {
  explicit Tls(const std::string& dns) {
    const auto leaf = CertificatesFromPem(ca.Issue(*key, {.dns = dns}));
    const auto root = CertificatesFromPem(ca.pem());
    REQUIRE(SSL_CTX_use_certificate(server.get(), leaf->front().get()) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey(server.get(), key.get()) == 1);
    SSL_CTX_set_verify(client.get(), SSL_VERIFY_PEER, nullptr);
    REQUIRE(X509_STORE_add_cert(SSL_CTX_get_cert_store(client.get()), root->front().get()) == 1);
  }
  TestCa ca;
  PrivateKey key = GenerateKey();
  TlsContext server = NewTlsServerContext();
  TlsContext client = NewTlsClientContext();
};

// The server may hear of the end of it after the client has.
Task<void> BeServer(Rig* rig, TlsContext context, std::shared_ptr<absl::Status> agreed) {
  *agreed = co_await rig->server->BeTlsServer(context);
  if (!agreed->ok()) rig->server->Close();
}
Task<void> BeClient(Rig* rig, TlsContext context, std::string host, absl::Status* agreed) {
  *agreed = co_await rig->client->BeTlsClient(context, host);
  rig->loop.Stop();
}

absl::Status ShakeHands(Rig& rig, const Tls& tls, const std::string& host,
                        std::shared_ptr<absl::Status> server = std::make_shared<absl::Status>()) {
  const absl::Status unknown = absl::UnknownError("it has not ended");
  absl::Status as_client = *server = unknown;
  rig.loop.Spawn(BeServer(&rig, tls.server, server));
  rig.loop.Spawn(BeClient(&rig, tls.client, host, &as_client));
  rig.loop.Run();
  while (as_client.ok() && *server == unknown) rig.loop.RunReady();
  return as_client;
}

Task<void> ReadUntilEnd(Stream* from, std::string* all, int* error, Loop* loop) {
  std::string room(5000, '\0');
  for (;;) {
    const IoResult read = co_await from->ReadSome(room.data(), room.size());
    all->append(room, 0, read.n);
    *error = read.error;
    if (read.n == 0) break;
  }
  loop->Stop();
}

Task<void> WriteAll(Stream* to, std::string head, std::string body, int* pieces) {
  const IoResult at_once = to->TryWrite(head, body);
  const IoResult written = co_await to->WriteRest(head, body, at_once.n, [pieces] { ++*pieces; });
  CHECK(written.n == head.size() + body.size());
  to->ShutdownSend();
}

TEST_CASE("a message of many pieces arrives whole, plain and over TLS", "[agent][loop]") {
  Rig rig;
  rig.Connect();
  const Tls tls("localhost");
  const bool is_tls = GENERATE(false, true);
  if (is_tls) REQUIRE(ShakeHands(rig, tls, "localhost").ok());
  CHECK(rig.client->is_tls() == is_tls);
  const std::string head = GENERATE(std::string("head "), std::string(20'000, 'h'));
  const std::string body = GENERATE(std::string("body"), std::string(7'000'000, 'b'));
  std::string all;
  int error = -1;
  int pieces = 0;
  rig.loop.Spawn(WriteAll(rig.client.get(), head, body, &pieces));
  rig.loop.Spawn(ReadUntilEnd(rig.server.get(), &all, &error, &rig.loop));
  rig.loop.Run();
  const bool is_same = all == head + body;
  CHECK(is_same);
  if (body.size() > 1'000'000) CHECK(pieces > 1);
  CHECK(error == 0);
}

TEST_CASE("what is cut off is an end to who reads a plain stream, and an error over TLS",
          "[agent][loop]") {
  Rig rig;
  rig.Connect();
  const Tls tls("localhost");
  const bool is_tls = GENERATE(false, true);
  if (is_tls) REQUIRE(ShakeHands(rig, tls, "localhost").ok());
  REQUIRE(rig.client->TryWrite("half of ", "it").n == 10);
  rig.client.reset();
  std::string all;
  int error = -1;
  rig.loop.Spawn(ReadUntilEnd(rig.server.get(), &all, &error, &rig.loop));
  rig.loop.Run();
  CHECK(all == "half of it");
  CHECK(error == (is_tls ? EPROTO : 0));
}

TEST_CASE("both sides may write before they read", "[agent][loop]") {
  Rig rig;
  rig.Connect();
  const Tls tls("localhost");
  if (GENERATE(false, true)) REQUIRE(ShakeHands(rig, tls, "localhost").ok());
  const std::string much(3'000'000, 'x');
  std::string at_server;
  std::string at_client;
  int error = 0;
  int pieces = 0;
  rig.loop.Spawn(WriteAll(rig.client.get(), much, {}, &pieces));
  rig.loop.Spawn(WriteAll(rig.server.get(), much, {}, &pieces));
  rig.loop.Spawn(ReadUntilEnd(rig.server.get(), &at_server, &error, &rig.loop));
  rig.loop.Spawn(ReadUntilEnd(rig.client.get(), &at_client, &error, &rig.loop));
  rig.loop.Run();
  if (at_server.size() < much.size() || at_client.size() < much.size()) rig.loop.Run();
  CHECK(at_server.size() == much.size());
  CHECK(at_client.size() == much.size());
}

TEST_CASE("a certificate of another name or another CA ends the handshake on both sides",
          "[agent][loop]") {
  Rig rig;
  rig.Connect();
  const Tls tls("localhost");
  const auto server = std::make_shared<absl::Status>();
  std::string complaint;
  SECTION("another name") {
    complaint = std::string(ShakeHands(rig, tls, "example.com", server).message());
    CHECK(complaint == "hostname mismatch");
  }
  SECTION("an address") {
    complaint = std::string(ShakeHands(rig, tls, "127.0.0.1", server).message());
    CHECK(complaint == "IP address mismatch");
  }
  SECTION("another CA") {
    Tls other("localhost");
    other.server = tls.server;
    complaint = std::string(ShakeHands(rig, other, "localhost", server).message());
    CHECK_FALSE(complaint.empty());
  }
  rig.client->Close();
  for (int i = 0; i < 3; ++i) rig.loop.RunReady();
  CHECK_FALSE(rig.server->is_open());
  CHECK_FALSE(server->ok());
}

TEST_CASE("a stream is quiet until something comes that was not read", "[agent][loop]") {
  Rig rig;
  rig.Connect();
  const Tls tls("localhost");
  if (GENERATE(false, true)) {
    REQUIRE(ShakeHands(rig, tls, "localhost").ok());
    // What a server says of resumption comes behind the handshake.
    std::array<char, 10> room{};
    rig.loop.RunReady();
    CHECK(rig.client->TryRead(room.data(), room.size()).would_block());
  }
  CHECK(rig.client->IsQuiet());
  SECTION("bytes") { CHECK(rig.server->TryWrite("x").ok()); }
  SECTION("the end") { rig.server->ShutdownSend(); }
  SECTION("a close") { rig.server.reset(); }
  rig.loop.RunReady();
  CHECK_FALSE(rig.client->IsQuiet());
}

TEST_CASE("a handshake with a peer that has gone, or that is closed meanwhile, ends",
          "[agent][loop]") {
  Rig rig;
  rig.Connect();
  const Tls tls("localhost");
  absl::Status agreed;
  rig.loop.Spawn(BeClient(&rig, tls.client, "localhost", &agreed));
  rig.loop.RunReady();
  CHECK(agreed.ok());
  SECTION("gone") { rig.server.reset(); }
  SECTION("closed") { rig.client->Close(); }
  rig.loop.Run();
  CHECK_FALSE(agreed.ok());
}

Task<void> AwaitConnected(Stream* stream, int* error, Loop* loop) {
  *error = (co_await stream->Connected()).error;
  loop->Stop();
}

TEST_CASE("connecting to where nobody listens, or to what is closed meanwhile, fails",
          "[agent][loop]") {
  Rig rig;
  const auto fd = [&] {
    rig.acceptor->Close();
    return Stream::BeginConnect(rig.acceptor->local());
  }();
  // Over the loopback the refusal may come before connect returns.
  if (!fd.ok()) return;
  Stream stream(rig.loop, *fd, true);
  int error = 0;
  SECTION("refused") {
    rig.loop.Spawn(AwaitConnected(&stream, &error, &rig.loop));
    rig.loop.Run();
    CHECK(error == ECONNREFUSED);
  }
  SECTION("closed") {
    stream.Close();
    rig.loop.Spawn(AwaitConnected(&stream, &error, &rig.loop));
    rig.loop.Run();
    CHECK(error == EBADF);
  }
}

Task<void> AcceptOne(Acceptor* acceptor, int* error, Loop* loop) {
  Endpoint peer;
  *error = (co_await acceptor->Accept(peer)).error;
  loop->Stop();
}

TEST_CASE("closing a listener ends who accepts", "[agent][loop]") {
  Rig rig;
  int error = 0;
  rig.loop.Spawn(AcceptOne(rig.acceptor.get(), &error, &rig.loop));
  rig.loop.RunReady();
  CHECK(error == 0);
  rig.acceptor->Close();
  rig.loop.Run();
  CHECK(error == ECANCELED);
}

}  // namespace
}  // namespace sallyport::agent
