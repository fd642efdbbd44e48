#include "controlplane/cli/loopback_receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

namespace sallyport::controlplane {
namespace {

std::string Get(const std::string& redirect_uri, const std::string& target) {
  const int port = std::stoi(redirect_uri.substr(redirect_uri.rfind(':') + 1));
  const int peer = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
  REQUIRE(send(peer, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n; (n = recv(peer, buffer, sizeof buffer, 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(n));
  close(peer);
  return answer;
}

TEST_CASE("the receiver takes the answer with its own state and nothing else", "[cli][login]") {
  auto receiver = LoopbackReceiver::Listen();
  REQUIRE(receiver.ok());
  const std::string uri = receiver->redirect_uri();
  std::vector<std::string> answers;
  std::thread browser([&] {
    answers.push_back(Get(uri, "/favicon.ico"));
    answers.push_back(Get(uri, "/callback?state=guessed&code=evil"));
    answers.push_back(Get(uri, "/callback?state=right&state=right&code=evil"));
    answers.push_back(Get(uri, "/callback?state=right&code=a%2Fb+c&iss=https%3A%2F%2Fidp"));
  });
  auto query = receiver->Receive("right", absl::Seconds(20));
  browser.join();
  REQUIRE(query.ok());
  CHECK((*query)["code"] == "a/b c");
  CHECK((*query)["iss"] == "https://idp");
  CHECK(answers[0].rfind("HTTP/1.1 404", 0) == 0);
  CHECK(answers[1].rfind("HTTP/1.1 400", 0) == 0);
  CHECK(answers[2].rfind("HTTP/1.1 400", 0) == 0);
  CHECK(answers[3].rfind("HTTP/1.1 200", 0) == 0);
}

TEST_CASE("the receiver gives up when nobody comes", "[cli][login]") {
  auto receiver = LoopbackReceiver::Listen();
  REQUIRE(receiver.ok());
  CHECK(absl::IsDeadlineExceeded(receiver->Receive("s", absl::Milliseconds(1)).status()));
}

}  // namespace
}  // namespace sallyport::controlplane
