#include "controlplane/rpc/local_listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/json_string.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kMaxRequestBytes = 4 << 10;
constexpr absl::Duration kConnectionTime = absl::Seconds(2);
constexpr int kPauseMilliseconds = 50;
// The agent answers in the same words.
constexpr char kJson[] = "application/json";

std::string Response(std::string_view status, std::string_view type, std::string_view body) {
  return absl::StrCat("HTTP/1.1 ", ToAbsl(status), "\r\nContent-Type: ", ToAbsl(type),
                      "\r\nContent-Length: ", body.size(), "\r\nConnection: close\r\n\r\n",
                      ToAbsl(body));
}

// False: the deadline came first, or the connection is gone.
bool WaitFor(int fd, short events, absl::Time deadline) {
  const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
  pollfd event{.fd = fd, .events = events};
  return left > 0 && poll(&event, 1, static_cast<int>(left)) > 0 && (event.revents & events) != 0;
}

// The first line of a request whose head is whole. Empty: none came in time, or it was too long.
std::string ReadRequestLine(int fd, absl::Time deadline) {
  std::string head;
  while (head.find("\r\n\r\n") == std::string::npos) {
    std::array<char, 1024> buffer;
    if (head.size() >= kMaxRequestBytes || !WaitFor(fd, POLLIN, deadline)) return {};
    const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
    if (size <= 0) return {};
    head.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return head.substr(0, head.find("\r\n"));
}

void WriteAll(int fd, std::string_view bytes, absl::Time deadline) {
  while (!bytes.empty() && WaitFor(fd, POLLOUT, deadline)) {
    const ssize_t size = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalListener>> LocalListener::Open(
    const std::string& listen, std::function<absl::Status()> readiness, const Metrics& metrics) {
  ASSIGN_OR_RETURN(TcpListener listener, ListenTcp(listen));
  Descriptor stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.is_open()) return absl::ErrnoToStatus(errno, "eventfd for the local listener");
  return std::unique_ptr<LocalListener>(
      new LocalListener(std::move(listener), std::move(stop), std::move(readiness), metrics));
}

LocalListener::LocalListener(TcpListener listener, Descriptor stop,
                             std::function<absl::Status()> readiness, const Metrics& metrics)
    : listener_(std::move(listener.socket)),
      address_(std::move(listener.address)),
      stop_(std::move(stop)),
      readiness_(std::move(readiness)),
      metrics_(metrics),
      thread_([this] { Run(); }) {}

LocalListener::~LocalListener() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void LocalListener::Run() {
  bool is_paused = false;
  for (;;) {
    pollfd events[] = {{.fd = stop_.get(), .events = POLLIN},
                       {.fd = is_paused ? -1 : listener_.get(), .events = POLLIN}};
    if (poll(events, 2, is_paused ? kPauseMilliseconds : -1) < 0 && errno != EINTR) {
      LogError("local_listener_failed", {{"errno", errno}});
      return;
    }
    if (events[0].revents != 0) return;
    const Accepter::Result result = accepter_.Accept(listener_.get());
    is_paused = result.must_pause;
    if (result.connection.is_open()) Serve(result.connection);
  }
}

void LocalListener::Serve(const Descriptor& connection) {
  const absl::Time deadline = absl::Now() + kConnectionTime;
  const std::string request_line = ReadRequestLine(connection.get(), deadline);
  if (!request_line.empty()) WriteAll(connection.get(), Answer(request_line), deadline);
}

std::string LocalListener::Answer(std::string_view request_line) const {
  const std::size_t target_begin = request_line.find(' ');
  const std::size_t target_end = request_line.rfind(' ');
  if (target_begin == std::string_view::npos || target_end <= target_begin) {
    return Response("400 Bad Request", "text/plain", "malformed request\n");
  }
  if (request_line.substr(0, target_begin) != "GET") {
    return Response("405 Method Not Allowed", "text/plain", "only GET\n");
  }
  const std::string_view target =
      request_line.substr(target_begin + 1, target_end - target_begin - 1);
  if (target == "/healthz") return Response("200 OK", kJson, R"({"status":"ok"})");
  if (target == "/readyz") {
    const absl::Status ready = readiness_();
    if (ready.ok()) return Response("200 OK", kJson, R"({"status":"ready"})");
    return Response("503 Service Unavailable", kJson,
                    absl::StrCat(R"({"status":"not ready","message":)",
                                 JsonString(ToStd(ready.message())), "}"));
  }
  if (target == "/metrics") {
    return Response("200 OK", "text/plain; version=0.0.4; charset=utf-8", metrics_.Text());
  }
  return Response("404 Not Found", "text/plain", "not here\n");
}

}  // namespace sallyport::controlplane
