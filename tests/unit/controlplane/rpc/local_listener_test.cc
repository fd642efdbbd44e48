#include "controlplane/rpc/local_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <catch2/catch.hpp>

namespace sallyport::controlplane {
namespace {

std::string Ask(const std::string& address, const std::string& request) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(SplitHostPort(address)->port)));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  REQUIRE(send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t size; (size = recv(socket.get(), buffer, sizeof buffer, 0)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  return answer;
}

std::string Get(const std::string& address, const std::string& path) {
  return Ask(address, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST_CASE("probes are answered, and readiness says why not", "[rpc][local_listener]") {
  Metrics metrics;
  metrics.Count("sallyport_test_total", {{"door", "people"}});
  metrics.Count("sallyport_test_total", {{"door", "people"}});
  metrics.Gauge("sallyport_test_now", [] { return 3.0; });
  std::atomic<bool> ready = true;
  const auto listener = LocalListener::Open(
      "127.0.0.1:0",
      [&] { return ready ? absl::OkStatus() : absl::UnavailableError("the store is closed"); },
      metrics);
  REQUIRE(listener.ok());
  const std::string& address = (*listener)->address();

  CHECK(Get(address, "/healthz").starts_with("HTTP/1.1 200 "));
  CHECK(Get(address, "/healthz").ends_with("\r\n\r\n{\"status\":\"ok\"}"));
  CHECK(Get(address, "/readyz").starts_with("HTTP/1.1 200 "));
  CHECK(Get(address, "/readyz").ends_with("\r\n\r\n{\"status\":\"ready\"}"));
  ready = false;
  CHECK(Get(address, "/readyz").starts_with("HTTP/1.1 503 "));
  CHECK(Get(address, "/readyz")
            .ends_with("\r\n\r\n{\"status\":\"not ready\",\"message\":\"the store is closed\"}"));
  CHECK(Get(address, "/healthz").starts_with("HTTP/1.1 200 "));
  CHECK(Get(address, "/metrics")
            .ends_with(
                "# TYPE sallyport_test_total counter\nsallyport_test_total{door=\"people\"} 2\n"
                "# TYPE sallyport_test_now gauge\nsallyport_test_now 3\n"));
}

TEST_CASE("nothing else is served", "[rpc][local_listener]") {
  const Metrics metrics;
  const auto listener = LocalListener::Open(
      "127.0.0.1:0", [] { return absl::OkStatus(); }, metrics);
  REQUIRE(listener.ok());
  const std::string& address = (*listener)->address();
  CHECK(Get(address, "/").starts_with("HTTP/1.1 404 "));
  CHECK(Ask(address, "POST /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
  CHECK(Ask(address, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(Ask(address, std::string(5000, 'x')).empty());
}

}  // namespace
}  // namespace sallyport::controlplane
