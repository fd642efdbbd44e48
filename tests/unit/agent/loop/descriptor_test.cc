#include "agent/loop/descriptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/loop/loop.h"
#include "agent/loop/signal.h"

namespace sallyport::agent {
namespace {

// Two ends of a connection. The far one blocks and is the test's.
struct Pair {
  Pair() {
    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    near = NonBlocking(ends[0]);
    far = ends[1];
  }
  ~Pair() { CloseFar(); }
  void CloseFar() {
    if (far >= 0) close(far);
    far = -1;
  }
  void Say(std::string_view bytes) const {
    REQUIRE(write(far, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  std::string Hear() const {
    std::array<char, 65536> bytes{};
    const ssize_t n = recv(far, bytes.data(), bytes.size(), MSG_DONTWAIT);
    return std::string(bytes.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  int near = -1;
  int far = -1;
};

// The same over TCP.
struct TcpPair : Pair {
  TcpPair() {
    close(near);
    CloseFar();
    const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(listening, raw, size) == 0);
    REQUIRE(listen(listening, 1) == 0);
    REQUIRE(getsockname(listening, raw, &size) == 0);
    far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(connect(far, raw, size) == 0);
    near = NonBlocking(accept(listening, nullptr, nullptr));
    close(listening);
  }
  void Reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(far, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    CloseFar();
  }
};

struct Heard {
  std::vector<std::string> pieces;
  std::optional<int> error;
  bool is_over() const { return error.has_value(); }
};

// Until the end, an error, or Cancel.
Task<void> Listen(Descriptor* from, Heard* heard, std::size_t room = 100) {
  std::string bytes(room, '\0');
  for (;;) {
    const IoResult read = co_await ReadSome(*from, bytes.data(), bytes.size());
    if (read.n == 0) {
      heard->error = read.error;
      co_return;
    }
    heard->pieces.push_back(bytes.substr(0, read.n));
  }
}

Task<void> Say(Descriptor* to, std::string bytes, IoResult* result) {
  std::string_view left = bytes;
  while (!left.empty()) {
    *result = co_await WriteSome(*to, left);
    if (!result->ok()) co_return;
    left.remove_prefix(result->n);
  }
}

Task<void> HearOnce(Descriptor* from, Signal* heard, std::vector<std::string>* order) {
  std::string bytes(100, '\0');
  const IoResult read = co_await ReadSome(*from, bytes.data(), bytes.size());
  order->push_back(bytes.substr(0, read.n));
  heard->Set();
}

Task<void> AnswerOnce(Signal* heard, std::string answer, std::vector<std::string>* order) {
  co_await heard->Wait();
  order->push_back(std::move(answer));
}

void RunTurns(Loop& loop) {
  for (int i = 0; i < 3; ++i) loop.RunReady();
}

TEST_CASE("what has begun goes on before anything that came meanwhile", "[agent][loop]") {
  Loop loop;
  Pair one;
  Pair other;
  Descriptor first(loop, one.near);
  Descriptor second(loop, other.near);
  Signal first_heard(loop);
  Signal second_heard(loop);
  std::vector<std::string> order;
  loop.Spawn(AnswerOnce(&first_heard, "an answer", &order));
  loop.Spawn(AnswerOnce(&second_heard, "another answer", &order));
  loop.Spawn(HearOnce(&first, &first_heard, &order));
  loop.Spawn(HearOnce(&second, &second_heard, &order));
  RunTurns(loop);
  one.Say("a question");
  other.Say("another question");
  RunTurns(loop);
  CHECK(order ==
        std::vector<std::string>{"a question", "an answer", "another question", "another answer"});
}

TEST_CASE("who reads waits until something comes, and hears the end", "[agent][loop]") {
  Loop loop;
  Pair pair;
  Descriptor near(loop, pair.near);
  Heard heard;
  loop.Spawn(Listen(&near, &heard));
  RunTurns(loop);
  CHECK(heard.pieces.empty());
  CHECK_FALSE(near.may_read());
  pair.Say("one");
  RunTurns(loop);
  CHECK(heard.pieces == std::vector<std::string>{"one"});
  pair.Say("two");
  pair.CloseFar();
  RunTurns(loop);
  CHECK(heard.pieces == std::vector<std::string>{"one", "two"});
  CHECK(heard.error == 0);
}

TEST_CASE("the end that came with the last bytes is heard although they came up short",
          "[agent][loop]") {
  Loop loop;
  Pair pair;
  pair.Say("last");
  pair.CloseFar();
  Descriptor near(loop, pair.near);
  loop.RunReady();
  Heard heard;
  loop.Spawn(Listen(&near, &heard));
  RunTurns(loop);
  CHECK(heard.pieces == std::vector<std::string>{"last"});
  CHECK(heard.error == 0);
}

TEST_CASE("what fills the room exactly is not taken for all there is", "[agent][loop]") {
  Loop loop;
  Pair pair;
  pair.Say(std::string(250, 'x'));
  Descriptor near(loop, pair.near);
  Heard heard;
  loop.Spawn(Listen(&near, &heard));
  RunTurns(loop);
  REQUIRE(heard.pieces.size() == 3);
  CHECK(heard.pieces[2].size() == 50);
  CHECK_FALSE(near.may_read());
}

TEST_CASE("what lies behind an urgent byte is read without another word of the kernel",
          "[agent][loop]") {
  Loop loop;
  TcpPair pair;
  Descriptor near(loop, pair.near);
  REQUIRE(send(pair.far, "aU", 2, MSG_OOB) == 2);
  pair.Say("b");
  Heard heard;
  loop.RunReady();
  loop.Spawn(Listen(&near, &heard));
  RunTurns(loop);
  std::string all;
  for (const std::string& piece : heard.pieces) all += piece;
  CHECK(all == "ab");
}

TEST_CASE("a peer that is idle has not gone; one that has is known without a read",
          "[agent][loop]") {
  Loop loop;
  Pair pair;
  Descriptor near(loop, pair.near);
  CHECK(near.may_read());
  CHECK(near.IsEmpty());
  CHECK_FALSE(near.may_read());
  loop.RunReady();
  CHECK_FALSE(near.may_read());
  SECTION("it says something that nobody asked for") { pair.Say("x"); }
  SECTION("it closes") { pair.CloseFar(); }
  SECTION("it will say no more") { shutdown(pair.far, SHUT_WR); }
  loop.RunReady();
  CHECK(near.may_read());
  CHECK_FALSE(near.IsEmpty());
}

Task<void> AwaitEnd(Descriptor* near, std::optional<int>* error) {
  *error = (co_await Ended(*near)).error;
}

TEST_CASE("the end is awaited behind bytes that are left unread", "[agent][loop]") {
  Loop loop;
  TcpPair pair;
  Descriptor near(loop, pair.near);
  std::optional<int> error;
  int expected = 0;
  pair.Say("ahead");
  loop.Spawn(AwaitEnd(&near, &error));
  RunTurns(loop);
  CHECK_FALSE(error.has_value());
  SECTION("the peer closes") { pair.CloseFar(); }
  SECTION("the peer resets the connection") { pair.Reset(); }
  SECTION("the wait is given up") {
    near.Cancel(Descriptor::Direction::kRead);
    expected = ECANCELED;
  }
  RunTurns(loop);
  CHECK(error == expected);
  CHECK(near.has_ended() == (expected == 0));
}

TEST_CASE("who writes waits while the peer does not read", "[agent][loop]") {
  Loop loop;
  Pair pair;
  Descriptor near(loop, pair.near);
  const std::string all(2'000'000, 'x');
  IoResult result{.error = -1};
  loop.Spawn(Say(&near, all, &result));
  RunTurns(loop);
  CHECK_FALSE(near.may_write());
  std::size_t heard = 0;
  while (heard < all.size()) {
    const std::size_t n = pair.Hear().size();
    heard += n;
    if (n == 0) RunTurns(loop);
  }
  RunTurns(loop);
  CHECK(result.ok());
  CHECK(pair.Hear().empty());
}

TEST_CASE("two parts arrive as one, short or long, through a socket or a pipe", "[agent][loop]") {
  const std::size_t size = GENERATE(1, 100, 4095, 4096, 4097, 20000);
  const bool is_pipe = GENERATE(false, true);
  Loop loop;
  std::array<int, 2> ends{};
  if (is_pipe) {
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  } else {
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    std::swap(ends[0], ends[1]);
  }
  Descriptor out(loop, NonBlocking(ends[1]));
  Descriptor in(loop, NonBlocking(ends[0]));
  const std::string head(size, 'h'), body(size, 'b');
  CHECK(out.Write(head, body).n == 2 * size);
  std::string came(4 * size, '\0');
  came.resize(in.Read(came.data(), came.size()).n);
  CHECK(came == head + body);
  CHECK(out.Write(head).n == size);
  RunTurns(loop);
  came.assign(size, '\0');
  CHECK(in.Read(came.data(), size).n == size);
  CHECK(came == head);
}

TEST_CASE("a peer that reads and says no more can still be written to", "[agent][loop]") {
  Loop loop;
  Pair pair;
  Descriptor near(loop, pair.near);
  Heard heard;
  loop.Spawn(Listen(&near, &heard));
  shutdown(pair.far, SHUT_WR);
  RunTurns(loop);
  CHECK(heard.error == 0);
  CHECK(near.Write("an ", "answer").n == 9);
  CHECK(pair.Hear() == "an answer");
}

TEST_CASE("a reset is an error to who reads and to who writes", "[agent][loop]") {
  Loop loop;
  TcpPair pair;
  Descriptor near(loop, pair.near);
  Heard heard;
  IoResult result;
  loop.Spawn(Listen(&near, &heard));
  loop.Spawn(Say(&near, std::string(50'000'000, 'x'), &result));
  RunTurns(loop);
  CHECK_FALSE(heard.is_over());
  pair.Reset();
  RunTurns(loop);
  CHECK(heard.error == ECONNRESET);
  CHECK(result.error == EPIPE);
}

TEST_CASE("a cancelled read ends; the next one goes on, and who writes does not notice",
          "[agent][loop]") {
  Loop loop;
  Pair pair;
  Descriptor near(loop, pair.near);
  Heard first;
  IoResult result{.error = -1};
  loop.Spawn(Listen(&near, &first));
  loop.Spawn(Say(&near, std::string(2'000'000, 'x'), &result));
  RunTurns(loop);
  near.Cancel(Descriptor::Direction::kRead);
  CHECK_FALSE(first.is_over());
  RunTurns(loop);
  CHECK(first.error == ECANCELED);
  Heard second;
  loop.Spawn(Listen(&near, &second));
  pair.Say("later");
  RunTurns(loop);
  CHECK(second.pieces == std::vector<std::string>{"later"});
  CHECK(result.ok());
  CHECK_FALSE(near.may_write());
  while (!pair.Hear().empty()) RunTurns(loop);
  CHECK(result.ok());
}

TEST_CASE("closing ends who reads and who writes, and what comes later is refused",
          "[agent][loop]") {
  Loop loop;
  Pair pair;
  Descriptor near(loop, pair.near);
  Heard heard;
  IoResult result;
  loop.Spawn(Listen(&near, &heard));
  loop.Spawn(Say(&near, std::string(50'000'000, 'x'), &result));
  RunTurns(loop);
  near.Close();
  near.Close();
  CHECK_FALSE(heard.is_over());
  RunTurns(loop);
  CHECK(heard.error == ECANCELED);
  CHECK(result.error == ECANCELED);
  CHECK_FALSE(near.is_open());
  char byte = 0;
  CHECK(near.Read(&byte, 1).error == EBADF);
  CHECK(near.Write("x").error == EBADF);
}

Task<void> DropOther(Descriptor* from, std::unique_ptr<Descriptor>* other, Heard* heard) {
  co_await Listen(from, heard);
  other->reset();
}

TEST_CASE("what one task closes in a turn is not run for what came to it in that turn",
          "[agent][loop]") {
  Loop loop;
  Pair first;
  Pair second;
  Descriptor near(loop, first.near);
  auto other = std::make_unique<Descriptor>(loop, second.near);
  Heard heard;
  Heard never;
  loop.Spawn(DropOther(&near, &other, &heard));
  loop.Spawn(Listen(other.get(), &never));
  RunTurns(loop);
  first.CloseFar();
  second.Say("too late");
  RunTurns(loop);
  CHECK(heard.is_over());
  CHECK(other == nullptr);
  CHECK_FALSE(never.is_over());
  CHECK(never.pieces.empty());
}

TEST_CASE("a number that is used again belongs to the new descriptor alone", "[agent][loop]") {
  Loop loop;
  Pair old_pair;
  // As a child holds it that is just being spawned: the kernel goes on telling of the old one.
  const int copy = dup(old_pair.near);
  auto old = std::make_unique<Descriptor>(loop, old_pair.near);
  Heard old_heard;
  loop.Spawn(Listen(old.get(), &old_heard));
  RunTurns(loop);
  old->Close();
  Pair new_pair;
  REQUIRE(new_pair.near == old_pair.near);
  Descriptor current(loop, new_pair.near);
  Heard heard;
  loop.Spawn(Listen(&current, &heard));
  old_pair.Say("to the old one");
  RunTurns(loop);
  CHECK(old_heard.error == ECANCELED);
  CHECK(heard.pieces.empty());
  old.reset();
  old_pair.Say("again");
  new_pair.Say("to the new one");
  RunTurns(loop);
  CHECK(heard.pieces == std::vector<std::string>{"to the new one"});
  close(copy);
}

TEST_CASE("a peer that never pauses does not keep the loop to itself", "[agent][loop]") {
  Loop loop;
  Pair loud;
  Pair quiet;
  loud.Say(std::string(20'000, 'x'));
  quiet.Say("me too");
  Descriptor near(loop, loud.near);
  Descriptor other(loop, quiet.near);
  Heard much;
  Heard little;
  loop.Spawn(Listen(&near, &much, 1));
  CHECK(much.pieces.empty());
  loop.Spawn(Listen(&other, &little));
  std::size_t before = 0;
  while (little.pieces.empty()) {
    loop.RunReady();
    before = much.pieces.size();
  }
  CHECK(before < 20'000);
  while (much.pieces.size() < 20'000) loop.RunReady();
}

TEST_CASE("tasks that wait for a descriptor go with the loop", "[agent][loop]") {
  Pair pair;
  auto loop = std::make_unique<Loop>();
  auto near = std::make_unique<Descriptor>(*loop, pair.near);
  Heard heard;
  IoResult result{.error = -1};
  loop->Spawn(Listen(near.get(), &heard));
  loop->Spawn(Say(near.get(), std::string(50'000'000, 'x'), &result));
  loop->RunReady();
  SECTION("it goes first") { near.reset(); }
  SECTION("it is closed first") { near->Close(); }
  near.reset();
  loop.reset();
  CHECK_FALSE(heard.is_over());
  CHECK(result.ok());
}

Task<void> AwaitReadable(Descriptor* from, bool* is_readable) {
  co_await Readable(*from);
  *is_readable = true;
}

TEST_CASE("what the kernel will not watch is closed, and refused", "[agent][loop]") {
  Loop loop;
  // A regular file is always ready, and epoll takes none.
  Descriptor file(loop, memfd_create("file", MFD_CLOEXEC));
  CHECK_FALSE(file.is_open());
  Heard heard;
  loop.Spawn(Listen(&file, &heard));
  RunTurns(loop);
  CHECK(heard.error == EBADF);
}

TEST_CASE("who waits until something can be read does not read it", "[agent][loop]") {
  Loop loop;
  Pair pair;
  Descriptor near(loop, pair.near);
  bool is_readable = false;
  loop.Spawn(AwaitReadable(&near, &is_readable));
  RunTurns(loop);
  CHECK_FALSE(is_readable);
  pair.Say("x");
  RunTurns(loop);
  CHECK(is_readable);
  char byte = 0;
  CHECK(near.Read(&byte, 1).n == 1);
}

}  // namespace
}  // namespace sallyport::agent
