#include "controlplane/identity/https_client.h"

#include <arpa/inet.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>

#include "controlplane/identity/address_guard.h"
#include "controlplane/identity/discovery.h"
#include "tests/fakes/raw_http_server.h"

namespace sallyport::controlplane {
namespace {

bool May(const char* text, bool loopback_is_meant = false) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    return MayConnect(reinterpret_cast<const sockaddr&>(v4), loopback_is_meant);
  }
  REQUIRE(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1);
  v6.sin6_family = AF_INET6;
  return MayConnect(reinterpret_cast<const sockaddr&>(v6), loopback_is_meant);
}

TEST_CASE("addresses of the machine, its link and its cloud are not connected to", "[identity]") {
  for (const char* address : {"8.8.8.8", "10.0.0.1", "192.168.1.1", "172.16.0.1", "2606:4700::1111",
                              "fd00::1", "::ffff:8.8.8.8"}) {
    INFO(address);
    CHECK(May(address));
  }
  for (const char* address :
       {"169.254.169.254", "169.254.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255",
        "240.0.0.1", "100.100.100.200", "192.0.0.192", "::", "fe80::1", "ff02::1", "fd00:ec2::254",
        "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "::169.254.169.254"}) {
    INFO(address);
    CHECK_FALSE(May(address));
    CHECK_FALSE(May(address, true));
  }
  for (const char* address :
       {"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"}) {
    INFO(address);
    CHECK_FALSE(May(address));
    CHECK(May(address, true));
  }
  sockaddr unix_socket{};
  unix_socket.sa_family = AF_UNIX;
  CHECK_FALSE(MayConnect(unix_socket, true));
}

TEST_CASE("a name that leads to loopback is not connected to", "[identity]") {
  RawHttpServer server([](const std::string&) {
    return RawHttpServer::Reply{.bytes = JsonReply("{}"), .closes = true};
  });
  for (const char* host :
       {"localhost", "127.1", "0x7f.0.0.1", "2130706433", "[::ffff:127.0.0.1]"}) {
    INFO(host);
    CHECK_FALSE(HttpsGet(std::string("https://") + host + ":" + server.port() + "/").ok());
  }
  CHECK(server.connections() == 0);
  CHECK(HttpsGet("http://127.0.0.1:" + server.port() + "/").ok());
}

TEST_CASE("the proxy of the environment is not used", "[identity]") {
  RawHttpServer proxy([](const std::string&) {
    return RawHttpServer::Reply{.bytes = JsonReply("{}"), .closes = true};
  });
  RawHttpServer server([](const std::string&) {
    return RawHttpServer::Reply{.bytes = JsonReply("{}"), .closes = true};
  });
  const std::string address = "http://127.0.0.1:" + proxy.port();
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"})
    setenv(name, address.c_str(), 1);
  CHECK(HttpsGet("http://127.0.0.1:" + server.port() + "/").ok());
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) unsetenv(name);
  CHECK(proxy.connections() == 0);
  CHECK(server.connections() == 1);
}

TEST_CASE("an answer that does not come ends in time", "[identity]") {
  RawHttpServer server([](const std::string&) {
    return RawHttpServer::Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{",
                                .waits = true};
  });
  const auto response =
      HttpsGet("http://127.0.0.1:" + server.port() + "/", {.timeout = absl::Milliseconds(200)});
  CHECK(absl::IsDeadlineExceeded(response.status()));
}

TEST_CASE("max-age is read from Cache-Control alone", "[identity]") {
  const auto max_age = [](const std::string& fields) {
    RawHttpServer server([&](const std::string&) {
      return RawHttpServer::Reply{.bytes = JsonReply("{}", fields), .closes = true};
    });
    return HttpsGet("http://127.0.0.1:" + server.port() + "/").value().max_age;
  };
  CHECK(max_age("") == absl::ZeroDuration());
  CHECK(max_age("Cache-Control: public, max-age=45\r\n") == absl::Seconds(45));
  CHECK(max_age("CACHE-CONTROL: MAX-AGE=45\r\n") == absl::Seconds(45));
  CHECK(max_age("Cache-Control: max-age=45, no-store\r\n") == absl::ZeroDuration());
  CHECK(max_age("X-Cache-Control: max-age=45\r\n") == absl::ZeroDuration());
}

TEST_CASE("a form is posted as it must be and its answer is given back whole", "[identity]") {
  RawHttpServer server([](const std::string&) {
    return RawHttpServer::Reply{
        .bytes = HttpReply(400, "application/json", R"({"error":"invalid_grant"})"),
        .closes = true};
  });
  const auto response = HttpsPostForm("http://127.0.0.1:" + server.port() + "/token",
                                      {{"code", "a b&c=d"}, {"redirect_uri", "http://127.0.0.1/"}});
  REQUIRE(response.ok());
  CHECK(response->status == 400);
  CHECK(response->body == R"({"error":"invalid_grant"})");
  REQUIRE(server.requests().size() == 1);
  const std::string request = server.requests()[0];
  CHECK(request.rfind("POST /token HTTP/1.1\r\n", 0) == 0);
  CHECK(request.find("application/x-www-form-urlencoded") != std::string::npos);
  CHECK(request.substr(request.find("\r\n\r\n") + 4) ==
        "code=a%20b%26c%3Dd&redirect_uri=http%3A%2F%2F127.0.0.1%2F");
}

TEST_CASE("discovery gives what a login needs", "[identity]") {
  const auto discovery = ParseDiscovery(
      R"({"issuer":"https://i.example","jwks_uri":"https://i.example/k","authorization_endpoint":"https://i.example/a","token_endpoint":"https://i.example/t","code_challenge_methods_supported":["plain","S256"]})",
      "https://i.example");
  REQUIRE(discovery.ok());
  CHECK(discovery->authorization_endpoint == "https://i.example/a");
  CHECK(discovery->token_endpoint == "https://i.example/t");
  CHECK(discovery->code_challenge_methods == std::vector<std::string>{"plain", "S256"});
  CHECK_FALSE(
      ParseDiscovery(
          R"({"issuer":"https://i.example","issuer":"https://i.example","jwks_uri":"https://i.example/k"})",
          "https://i.example")
          .ok());
}

}  // namespace
}  // namespace sallyport::controlplane
