#include "controlplane/rpc/front_door.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <deque>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "tests/unit/controlplane/rpc/tls_client.h"

namespace sallyport::controlplane {
namespace {

// What the door handed over, by the name of the server.
class Handovers {
 public:
  FrontDoor::Servers Servers() {
    return {.people = [this](int fd) { Add("people", fd); },
            .agents = [this](int fd) { Add("agents", fd); },
            .enrollment = [this](int fd) { Add("enrollment", fd); }};
  }
  // Waits for the next one.
  std::string Next(std::string* bytes = nullptr) {
    const absl::MutexLock lock(&mutex_);
    const auto has_one = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !all_.empty(); };
    REQUIRE(mutex_.AwaitWithTimeout(absl::Condition(&has_one), absl::Seconds(20)));
    auto [server, socket] = std::move(all_.front());
    all_.pop_front();
    if (bytes != nullptr) {
      char buffer[32 << 10];
      const ssize_t size = recv(socket.get(), buffer, sizeof buffer, 0);
      bytes->assign(buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    }
    return server;
  }

 private:
  void Add(const char* server, int fd) {
    const absl::MutexLock lock(&mutex_);
    all_.emplace_back(server, Descriptor(fd));
  }

  absl::Mutex mutex_;
  std::deque<std::pair<std::string, Descriptor>> all_ ABSL_GUARDED_BY(mutex_);
};

std::unique_ptr<FrontDoor> OpenDoor(Handovers& handovers, Metrics& metrics,
                                    FrontDoor::Limits limits = {}) {
  auto listener = ListenTcp("127.0.0.1:0");
  REQUIRE(listener.ok());
  auto door = FrontDoor::Open(*std::move(listener), handovers.Servers(), limits, metrics);
  REQUIRE(door.ok());
  return *std::move(door);
}

Descriptor Connect(const FrontDoor& door) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(SplitHostPort(door.address())->port)));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(socket.is_open());
  REQUIRE(connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return socket;
}

void Send(const Descriptor& socket, std::string_view bytes) {
  REQUIRE(send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
}

// Waits until the other side has closed.
bool IsClosed(const Descriptor& socket) {
  char byte;
  return recv(socket.get(), &byte, 1, 0) <= 0;
}

TEST_CASE("connections go to the server that their ClientHello names, with every byte in place",
          "[rpc][front_door]") {
  Metrics metrics;
  Handovers handovers;
  const auto door = OpenDoor(handovers, metrics);
  for (const auto& [name, server] :
       {std::pair<std::string, std::string>{"agents.sallyport", "agents"},
        {"enroll.sallyport", "enrollment"},
        {"localhost", "people"},
        {"agents.sallyport.example.com", "people"},
        {"", "people"}}) {
    INFO(name);
    const std::string hello = MakeClientHello(name);
    const Descriptor socket = Connect(*door);
    Send(socket, hello);
    std::string seen;
    CHECK(handovers.Next(&seen) == server);
    CHECK(seen == hello);
  }
}

TEST_CASE("a ClientHello may come in pieces", "[rpc][front_door]") {
  Metrics metrics;
  Handovers handovers;
  const auto door = OpenDoor(handovers, metrics);
  const std::string hello = CutIntoRecords(MakeClientHello("agents.sallyport"), 40);
  const Descriptor socket = Connect(*door);
  for (std::size_t at = 0; at < hello.size(); at += 7) Send(socket, hello.substr(at, 7));
  CHECK(handovers.Next() == "agents");
}

TEST_CASE("what is no TLS is closed, and others are still served", "[rpc][front_door]") {
  Metrics metrics;
  Handovers handovers;
  const auto door = OpenDoor(handovers, metrics);
  const Descriptor plain = Connect(*door);
  Send(plain, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  CHECK(IsClosed(plain));
  const Descriptor half = Connect(*door);
  Send(half, MakeClientHello("x").substr(0, 20));
  shutdown(half.get(), SHUT_WR);
  CHECK(IsClosed(half));
  const Descriptor good = Connect(*door);
  Send(good, MakeClientHello("x"));
  CHECK(handovers.Next() == "people");
}

TEST_CASE("a connection that says nothing is closed at its deadline", "[rpc][front_door]") {
  Metrics metrics;
  Handovers handovers;
  const auto door = OpenDoor(handovers, metrics, {.hello_deadline = absl::Milliseconds(20)});
  const Descriptor silent = Connect(*door);
  CHECK(IsClosed(silent));
  const Descriptor slow = Connect(*door);
  Send(slow, MakeClientHello("x").substr(0, 30));
  CHECK(IsClosed(slow));
  CHECK(metrics.Text().find("too_slow\"} 2") != std::string::npos);
}

TEST_CASE("one address holds only so many half-open connections", "[rpc][front_door]") {
  Metrics metrics;
  Handovers handovers;
  const auto door = OpenDoor(handovers, metrics, {.half_open_per_address = 3});
  std::vector<Descriptor> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(Connect(*door));
  CHECK(IsClosed(Connect(*door)));
  // A place that is handed over is free again.
  Send(waiting[0], MakeClientHello("x"));
  CHECK(handovers.Next() == "people");
  const Descriptor next = Connect(*door);
  Send(next, MakeClientHello("x"));
  CHECK(handovers.Next() == "people");
}

TEST_CASE("when too many are half open, the oldest makes room", "[rpc][front_door]") {
  Metrics metrics;
  Handovers handovers;
  const auto door = OpenDoor(handovers, metrics, {.half_open = 2});
  const Descriptor oldest = Connect(*door);
  const Descriptor middle = Connect(*door);
  const Descriptor newest = Connect(*door);
  CHECK(IsClosed(oldest));
  Send(middle, MakeClientHello("x"));
  CHECK(handovers.Next() == "people");
  Send(newest, MakeClientHello("x"));
  CHECK(handovers.Next() == "people");
}

int OpenDescriptors() {
  int count = 0;
  DIR* dir = opendir("/proc/self/fd");
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

TEST_CASE("the door serves again after it has run out of descriptors", "[rpc][front_door]") {
  Metrics metrics;
  Handovers handovers;
  const auto door = OpenDoor(handovers, metrics, {.pause = absl::Milliseconds(5)});
  std::vector<Descriptor> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(Descriptor(::socket(AF_INET, SOCK_STREAM, 0)));

  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(OpenDescriptors() + 5);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(SplitHostPort(door->address())->port)));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (const Descriptor& client : clients) {
    REQUIRE(connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  }
  // The last in the queue learns that there is no room, instead of waiting for ever.
  CHECK(IsClosed(clients.back()));
  clients.clear();
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(metrics.Text().find("sallyport_front_door_exhausted_total") != std::string::npos);

  const Descriptor good = Connect(*door);
  Send(good, MakeClientHello("enroll.sallyport"));
  CHECK(handovers.Next() == "enrollment");
}

TEST_CASE("a closed door lets nobody in", "[rpc][front_door]") {
  Metrics metrics;
  Handovers handovers;
  const auto door = OpenDoor(handovers, metrics);
  const Descriptor waiting = Connect(*door);
  door->Close();
  CHECK(IsClosed(waiting));
}

}  // namespace
}  // namespace sallyport::controlplane
