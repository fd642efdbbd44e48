#include "controlplane/notify/webhook.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "tests/fakes/raw_http_server.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

constexpr char kSecret[] = "0123456789abcdef";

struct Setup {
  Setup() {
    REQUIRE(WriteFileAtomically(dir / "secret", kSecret).ok());
    config.set_name("hook");
    config.set_secret_file(dir / "secret");
  }
  absl::Status Create(const std::string& url) {
    config.set_webhook(url);
    return Webhook::Create(config).status();
  }
  absl::Status Send(const std::string& port) {
    config.set_webhook(absl::StrCat("http://127.0.0.1:", port, "/path-that-is-a-secret"));
    auto webhook = Webhook::Create(config);
    REQUIRE(webhook.ok());
    return (*webhook)->Send("{}", absl::FromUnixSeconds(1700000000), stopping);
  }

  TempDir dir;
  config::v1::Notifier config;
  std::atomic<bool> stopping = false;
};

TEST_CASE("the signature is the HMAC of the time and the body", "[notify][webhook]") {
  // openssl: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
  CHECK(WebhookSignature(kSecret, absl::FromUnixSeconds(1700000000), "{\"a\":1}") ==
        "t=1700000000,v1=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23");
}

TEST_CASE("only https, or http to a literal loopback address, is a webhook", "[notify][webhook]") {
  Setup setup;
  CHECK(setup.Create("https://hooks.example/x").ok());
  CHECK(setup.Create("http://127.0.0.1:80/x").ok());
  CHECK(setup.Create("http://[::1]:80/x").ok());
  for (const char* url :
       {"http://hooks.example/x", "http://localhost/x", "http://10.0.0.1/x", "ftp://127.0.0.1/x",
        "file:///etc/passwd", "https://user:pw@hooks.example/", "", "hooks.example"}) {
    INFO(url);
    CHECK(absl::IsInvalidArgument(setup.Create(url)));
  }
}

TEST_CASE("a secret that is short, missing or open to others is refused", "[notify][webhook]") {
  Setup setup;
  REQUIRE(WriteFileAtomically(setup.dir / "short", "0123456789abcde\n").ok());
  setup.config.set_secret_file(setup.dir / "short");
  CHECK(absl::IsFailedPrecondition(setup.Create("https://hooks.example/x")));
  REQUIRE(WriteFileAtomically(setup.dir / "open", kSecret, 0644).ok());
  setup.config.set_secret_file(setup.dir / "open");
  CHECK(absl::IsFailedPrecondition(setup.Create("https://hooks.example/x")));
  setup.config.set_secret_file(setup.dir / "missing");
  const std::string missing(setup.Create("https://hooks.example/x").message());
  CHECK(missing.starts_with("notifier " + setup.config.name() + ": secret_file: cannot open "));
  CHECK(missing.ends_with("missing: No such file or directory"));
  setup.config.clear_secret_file();
  CHECK(absl::IsInvalidArgument(setup.Create("https://hooks.example/x")));
}

TEST_CASE("the body arrives signed, and any 2xx is taken", "[notify][webhook]") {
  Setup setup;
  RawHttpServer server([](const std::string&) { return RawHttpServer::Reply{JsonReply("{}")}; });
  REQUIRE(setup.Send(server.port()).ok());
  const std::string request = server.requests().at(0);
  CHECK(request.starts_with("POST /path-that-is-a-secret HTTP/1.1\r\n"));
  CHECK(request.ends_with("\r\n\r\n{}"));
  CHECK(request.find("\r\nContent-Type: application/json\r\n") != std::string::npos);
  CHECK(request.find("\r\nSallyport-Signature: " +
                     WebhookSignature(kSecret, absl::FromUnixSeconds(1700000000), "{}")) !=
        std::string::npos);
}

TEST_CASE("a chat's webhook needs no secret, and is signed where it has one", "[notify][webhook]") {
  Setup setup;
  setup.config.set_format(
      GENERATE(config::v1::NOTICE_FORMAT_SLACK, config::v1::NOTICE_FORMAT_TEAMS));
  RawHttpServer server([](const std::string&) { return RawHttpServer::Reply{JsonReply("{}")}; });
  REQUIRE(setup.Send(server.port()).ok());
  setup.config.clear_secret_file();
  REQUIRE(setup.Send(server.port()).ok());
  CHECK(server.requests().at(0).find("Sallyport-Signature") != std::string::npos);
  CHECK(server.requests().at(1).find("Sallyport-Signature") == std::string::npos);
}

TEST_CASE("what a receiver refuses for good is not worth another try", "[notify][webhook]") {
  Setup setup;
  const auto [status, is_for_good] = GENERATE(table<int, bool>({{400, true},
                                                                {404, true},
                                                                {410, true},
                                                                {408, false},
                                                                {425, false},
                                                                {429, false},
                                                                {500, false},
                                                                {503, false}}));
  RawHttpServer server([status = status](const std::string&) {
    return RawHttpServer::Reply{HttpReply(status, "text/plain", "no", "")};
  });
  const absl::Status sent = setup.Send(server.port());
  INFO(status << " " << sent);
  CHECK(absl::IsFailedPrecondition(sent) == is_for_good);
  CHECK(absl::IsUnavailable(sent) == !is_for_good);
}

TEST_CASE("a redirect is not followed, and no error names the path", "[notify][webhook]") {
  Setup setup;
  RawHttpServer target([](const std::string&) { return RawHttpServer::Reply{JsonReply("{}")}; });
  RawHttpServer server([&](const std::string&) {
    return RawHttpServer::Reply{
        HttpReply(307, "text/plain", "", "Location: http://127.0.0.1:" + target.port() + "/\r\n")};
  });
  const absl::Status status = setup.Send(server.port());
  CHECK(absl::IsUnavailable(status));
  CHECK(status.message() == "notifier hook: the receiver answered 307");
  CHECK(target.connections() == 0);
}

TEST_CASE("a receiver that hangs up or is not there is worth another try", "[notify][webhook]") {
  Setup setup;
  std::string port;
  {
    RawHttpServer server([](const std::string&) { return RawHttpServer::Reply{.closes = true}; });
    port = server.port();
    CHECK(absl::IsUnavailable(setup.Send(port)));
  }
  const absl::Status gone = setup.Send(port);
  CHECK(absl::IsUnavailable(gone));
  CHECK(gone.message().find("path-that-is-a-secret") == absl::string_view::npos);
}

TEST_CASE("a program that stops does not wait for the receiver", "[notify][webhook]") {
  Setup setup;
  setup.stopping = true;
  RawHttpServer server(
      [](const std::string&) { return RawHttpServer::Reply{.bytes = "", .waits = true}; });
  CHECK(absl::IsUnavailable(setup.Send(server.port())));
}

}  // namespace
}  // namespace sallyport::controlplane
