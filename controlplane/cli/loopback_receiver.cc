#include "controlplane/cli/loopback_receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kMaxHead = 16384;
constexpr absl::Duration kHeadPatience = absl::Seconds(5);

// False when `deadline` has passed first.
bool WaitReadable(int fd, absl::Time deadline) {
  const absl::Duration left = deadline - absl::Now();
  if (left <= absl::ZeroDuration()) return false;
  pollfd ready{fd, POLLIN, 0};
  return poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) > 0;
}

// The request line of a GET, without anything behind it; empty when none came.
std::string ReadTarget(int peer) {
  std::string head;
  const absl::Time deadline = absl::Now() + kHeadPatience;
  char buffer[4096];
  while (head.find("\r\n\r\n") == head.npos && head.size() < kMaxHead &&
         WaitReadable(peer, deadline)) {
    const ssize_t got = recv(peer, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    head.append(buffer, static_cast<std::size_t>(got));
  }
  const std::vector<std::string> words = absl::StrSplit(head.substr(0, head.find("\r\n")), ' ');
  return words.size() == 3 && words[0] == "GET" ? words[1] : "";
}

void Answer(int peer, std::string_view status, std::string_view text) {
  const std::string body =
      absl::StrCat("<!doctype html><meta charset=\"utf-8\"><title>Sallyport</title><p>",
                   std::string(text), "\n");
  const std::string response = absl::StrCat(
      "HTTP/1.1 ", std::string(status),
      "\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: ", body.size(),
      "\r\nConnection: close\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n\r\n",
      body);
  for (std::size_t sent = 0; sent < response.size();) {
    const ssize_t n = send(peer, response.data() + sent, response.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

// application/x-www-form-urlencoded. A name that stands twice is empty: nothing may be chosen
// between two.
std::map<std::string, std::string> ParseQuery(std::string_view query) {
  std::map<std::string, std::string> out;
  for (absl::string_view pair :
       absl::StrSplit(absl::string_view(query.data(), query.size()), '&', absl::SkipEmpty())) {
    std::pair<std::string, std::string> split = absl::StrSplit(pair, absl::MaxSplits('=', 1));
    std::string value;
    for (std::size_t i = 0; i < split.second.size(); ++i) {
      const char c = split.second[i];
      if (c == '%' && i + 2 < split.second.size()) {
        value += absl::HexStringToBytes(split.second.substr(i + 1, 2));
        i += 2;
      } else {
        value += c == '+' ? ' ' : c;
      }
    }
    auto [place, is_new] = out.emplace(split.first, value);
    if (!is_new) place->second.clear();
  }
  return out;
}

}  // namespace

absl::StatusOr<LoopbackReceiver> LoopbackReceiver::Listen() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener < 0 || bind(listener, generic, size) != 0 || listen(listener, 16) != 0 ||
      getsockname(listener, generic, &size) != 0) {
    const absl::Status failed =
        absl::ErrnoToStatus(errno, "cannot listen on 127.0.0.1 for the browser to come back");
    if (listener >= 0) close(listener);
    return failed;
  }
  return LoopbackReceiver(listener, ntohs(address.sin_port));
}

LoopbackReceiver::LoopbackReceiver(LoopbackReceiver&& other) noexcept
    : listener_(std::exchange(other.listener_, -1)), port_(other.port_) {}

LoopbackReceiver::~LoopbackReceiver() {
  if (listener_ >= 0) close(listener_);
}

std::string LoopbackReceiver::redirect_uri() const {
  return absl::StrCat("http://127.0.0.1:", port_, "/callback");
}

absl::StatusOr<std::map<std::string, std::string>> LoopbackReceiver::Receive(
    const std::string& state, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (WaitReadable(listener_, deadline)) {
    const int peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) continue;
    absl::Cleanup hang_up = [peer] { close(peer); };
    const std::string target = ReadTarget(peer);
    const std::string path = target.substr(0, target.find('?'));
    if (path != "/callback") {
      Answer(peer, "404 Not Found", "There is nothing here.");
      continue;
    }
    auto query =
        ParseQuery(path.size() < target.size() ? std::string_view(target).substr(path.size() + 1)
                                               : std::string_view());
    if (query["state"] != state) {
      Answer(peer, "400 Bad Request", "This belongs to no login of ours.");
      continue;
    }
    Answer(peer, "200 OK", "You may close this window and go back to the terminal.");
    return query;
  }
  return absl::DeadlineExceededError(
      "the browser did not come back in time; run `sallyport login` again");
}

}  // namespace sallyport::controlplane
