#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <string>
#include <utility>

#include "common/tls.h"
#include "tests/fakes/temp_dir.h"
#include "tests/fakes/test_ca.h"
#include "tests/unit/agent/listen/listener_thread.h"

namespace sallyport::agent {
namespace {

// Says what it was sent.
class Echo final : public HttpService {
 public:
  void OnBadHead(const ClientConnection&, HttpError) override {}
  Task<void> Serve(ClientConnection& connection) override {
    if (co_await connection.ReadBody(std::size_t{1} << 20)) {
      co_await connection.Answer(OwnAnswer{.body = connection.TakeBody()});
    }
  }
};

struct Files {
  Files() {
    const PrivateKey key = GenerateKey();
    std::ofstream(dir / "cert.pem") << ca.Issue(*key, {.dns = "localhost"});
    REQUIRE(SaveKey(dir / "key.pem", *key).ok());
  }
  TempDir dir;
  TestCa ca;
};

struct Stage : ListenerThread {
  Stage() {
    ListenerOptions options;
    auto tls = ServerTls(files.dir / "cert.pem", files.dir / "key.pem");
    REQUIRE(tls.ok());
    options.tls = *tls;
    Start(service, std::move(options));
  }
  ~Stage() { Stop(); }

  Files files;
  Echo service;
};

// A blocking client of OpenSSL's own.
class TlsClient {
 public:
  TlsClient(int port, const std::string& alpn, int version)
      : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_max_proto_version(context_, version);
    ssl_ = SSL_new(context_);
    if (!alpn.empty()) {
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
    }
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    SSL_set_fd(ssl_, fd_);
    is_connected = SSL_connect(ssl_) == 1;
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    close(fd_);
  }
  TlsClient(const TlsClient&) = delete;

  void Send(const std::string& bytes) {
    REQUIRE(SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) ==
            static_cast<int>(bytes.size()));
  }
  // Until it has that many bytes of a body that begins behind the first empty line.
  std::string ReadBody(std::size_t size) {
    std::string all;
    for (;;) {
      const std::size_t head = all.find("\r\n\r\n");
      if (head != std::string::npos && all.size() >= head + 4 + size) return all.substr(head + 4);
      std::array<char, 5000> piece{};
      const int n = SSL_read(ssl_, piece.data(), piece.size());
      if (n <= 0) return all;
      all.append(piece.data(), static_cast<std::size_t>(n));
    }
  }
  // Whether the next thing is the server's close_notify.
  bool HearsEnd() {
    char byte = 0;
    const int n = SSL_read(ssl_, &byte, 1);
    return n == 0 && SSL_get_error(ssl_, n) == SSL_ERROR_ZERO_RETURN;
  }
  bool Renegotiate() { return SSL_renegotiate(ssl_) == 1 && SSL_do_handshake(ssl_) == 1; }
  void AskForNewKeys() { REQUIRE(SSL_key_update(ssl_, SSL_KEY_UPDATE_REQUESTED) == 1); }

  bool is_connected = false;

 private:
  SSL_CTX* context_;
  SSL* ssl_;
  int fd_;
};

std::string Post(const std::string& body, const std::string& field = {}) {
  return "POST / HTTP/1.1\r\nHost: x\r\n" + field +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

const std::string kHttp11("\x08http/1.1");

TEST_CASE("requests over TLS are answered one after the other, small ones and large ones",
          "[agent][listen][tls]") {
  Stage stage;
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const bool offers_alpn = GENERATE(true, false);
  TlsClient client(stage.port, offers_alpn ? kHttp11 : std::string(), version);
  REQUIRE(client.is_connected);
  for (const std::string& body : {std::string("small"), std::string(1'000'000, 'x')}) {
    client.Send(Post(body));
    if (version == TLS1_3_VERSION) client.AskForNewKeys();
    const bool is_same = client.ReadBody(body.size()) == body;
    CHECK(is_same);
  }
  client.Send(Post("last", "Connection: close\r\n"));
  CHECK(client.ReadBody(4) == "last");
  CHECK(client.HearsEnd());
}

TEST_CASE("TLS refuses other protocols, old versions and renegotiation", "[agent][listen][tls]") {
  Stage stage;
  CHECK_FALSE(TlsClient(stage.port, "\x02h2", TLS1_3_VERSION).is_connected);
  CHECK_FALSE(TlsClient(stage.port, kHttp11, TLS1_1_VERSION).is_connected);
  TlsClient client(stage.port, kHttp11, TLS1_2_VERSION);
  REQUIRE(client.is_connected);
  CHECK_FALSE(client.Renegotiate());
}

TEST_CASE("a key that is not the certificate's, and files that hold none, are refused",
          "[agent][listen][tls]") {
  const Files files;
  const Files others;
  const auto refused = [](const std::string& cert, const std::string& key) {
    return ServerTls(cert, key).status().code() == absl::StatusCode::kInvalidArgument;
  };
  CHECK(ServerTls(files.dir / "cert.pem", files.dir / "key.pem").ok());
  CHECK(refused(files.dir / "cert.pem", others.dir / "key.pem"));
  CHECK(refused(files.dir / "key.pem", files.dir / "key.pem"));
  REQUIRE(chmod((files.dir / "cert.pem").c_str(), 0600) == 0);
  CHECK(refused(files.dir / "cert.pem", files.dir / "cert.pem"));
  REQUIRE(chmod((files.dir / "key.pem").c_str(), 0644) == 0);
  CHECK_FALSE(ServerTls(files.dir / "cert.pem", files.dir / "key.pem").ok());
}

}  // namespace
}  // namespace sallyport::agent
