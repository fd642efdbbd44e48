#include "agent/upstream/stdio_upstream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "agent/loop/signal.h"
#include "agent/upstream/upstreams.h"
#include "common/denial.h"
#include "common/file.h"
#include "tests/fakes/outbound_maker.h"
#include "tests/fakes/temp_dir.h"

extern char** environ;

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;

// A directory the child may read, with its program, and one that it must not.
struct Place {
  Place() {
    chmod(open.path().c_str(), 0755);
    program = open / "awkward_child.py";
    std::ifstream from(AWKWARD_CHILD);
    std::ofstream(program) << from.rdbuf();
    Write(closed / "agent.key", "the agent's key");
    Write(closed / "other-credential", "the other's credential");
  }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
    chmod(path.c_str(), 0600);
  }
  SpawnPlan Plan(bool isolate) const {
    SpawnPlan plan;
    plan.argv = {"/usr/bin/python3", program};
    plan.env = {"PATH=/usr/bin:/bin"};
    plan.isolate = isolate;
    if (geteuid() == 0) plan.run_as = RunAs{65534, 65534};
    return plan;
  }

  TempDir open;
  TempDir closed;
  std::string program;
};

// One child and the way to it.
struct Rig {
  explicit Rig(bool isolate = false, ScanLimits limits = {})
      : isolates(isolate), limits(limits), maker(loop) {
    Restart();
  }
  void Restart() {
    auto child = SpawnChild(place.Plan(isolates));
    if (!child.ok()) FAIL(child.status().message());
    upstream = std::make_unique<StdioUpstream>(
        loop, *std::move(child),
        StdioOptions{.server = "awkward", .limits = limits, .dropped_lines = &dropped});
  }

  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(std::string json) {
    OutboundMessage message = co_await maker.Make(std::move(json));
    co_return co_await upstream->Forward(message);
  }
  // The response, or what came instead.
  Task<absl::StatusOr<UpstreamMessage>> Call(std::string json) {
    auto exchange = co_await Forward(std::move(json));
    if (!exchange.ok()) co_return exchange.status();
    for (;;) {
      auto message = co_await (*exchange)->Next();
      if (!message.ok() || message->shape == Shape::kResponse) co_return message;
    }
  }
  void Run(Task<void> (*test)(Rig*)) { RunUntilDone(loop, test(this)); }

  Place place;
  const bool isolates;
  const ScanLimits limits;
  Loop loop;
  OutboundMaker maker;
  std::uint64_t dropped = 0;
  std::unique_ptr<StdioUpstream> upstream;
};

std::string Request(int id, std::string method, std::string params = "{}") {
  return "{\"jsonrpc\":\"2.0\",\"id\":" + std::to_string(id) + ",\"method\":\"" + method +
         "\",\"params\":" + params + "}";
}
// A child writes exactly `line`.
std::string Raw(int id, std::string line) {
  std::string escaped;
  for (char c : line) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c == '\n' ? std::string("\\n") : c == '\r' ? std::string("\\r") : std::string(1, c);
  }
  return Request(id, "raw", "{\"text\":\"" + escaped + "\"}");
}

// --- the line protocol

Task<void> AnswersInOrder(Rig* rig) {
  auto first = co_await rig->Call(Request(1, "echo", "{\"a\": 1,\n \"b\": [2]}"));
  REQUIRE(first.ok());
  CHECK(first->id == "1");
  CHECK(first->bytes.find("\"b\": [2]") != std::string::npos);
  co_await rig->upstream->Close();
}
TEST_CASE("a request of several lines goes to a child as one, and its answer comes back",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(AnswersInOrder);
}

Task<void> SkipsGarbage(Rig* rig) {
  auto exchange = co_await rig->Forward(
      Raw(7, "starting up...\n\n{not json}\r\n{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\r\n"));
  REQUIRE(exchange.ok());
  auto answer = co_await (*exchange)->Next();
  REQUIRE(answer.ok());
  CHECK(answer->bytes == "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}");
  CHECK(rig->dropped == 2);
  co_await rig->upstream->Close();
}
TEST_CASE("lines that are no messages are skipped and counted", "[agent][stdio]") {
  Rig rig;
  rig.Run(SkipsGarbage);
}

Task<void> GoesOnBeside(Rig* rig) {
  auto held = co_await rig->Forward(Request(1, "silence"));
  REQUIRE(held.ok());
  const std::string answer = "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n";
  for (std::string said :
       {"{\"level\":\"info\",\"request\":{\"jsonrpc\":\"2.0\",\"id\":1}}\n",
        "{\"level\":\"info\",\"level\":1,\"request\":{\"jsonrpc\":\"2.0\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"data\":\"\\ud83d\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"a\":1,\"a\":2}}\n",
        "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"what?\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"what?\"}}\n"}) {
    INFO(said);
    const std::uint64_t dropped = rig->dropped;
    const auto mine = co_await rig->Call(Raw(2, said + answer));
    CHECK(mine.ok());
    CHECK(rig->dropped == dropped + 1);
  }
  const auto theirs = co_await rig->Call(Raw(3,
                                             "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"
                                             "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n"));
  CHECK(theirs.ok());
  CHECK((co_await (*held)->Next())->id == "1");
  co_await rig->upstream->Close();
}
TEST_CASE(
    "what only quotes a message, tells nobody anything or is no clean notification ends no request",
    "[agent][stdio]") {
  Rig rig;
  rig.Run(GoesOnBeside);
}

Task<void> RefusesUncleanMessages(Rig* rig) {
  for (std::string bad :
       {"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{},\"result\":{\"a\":1}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\n", "{\"jsonrpc\":\"2.0\",\"id\":7}\n"}) {
    auto answer = co_await rig->Call(Raw(7, bad));
    CHECK(answer.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(ReasonOf(answer.status()) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  }
  // The child is as well as before.
  CHECK((co_await rig->Call(Request(8, "echo"))).ok());
  co_await rig->upstream->Close();
}
TEST_CASE("a message that is not clean ends the request with upstream_invalid and shows no byte",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(RefusesUncleanMessages);
}

Task<void> RefusesLongLine(Rig* rig) {
  auto answer = co_await rig->Call(Request(1, "long", "{\"bytes\":70000}"));
  CHECK(answer.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK((co_await rig->Call(Request(2, "long", "{\"bytes\":60000}"))).ok());
  co_await rig->upstream->Close();
}
TEST_CASE("a line longer than the message limit ends the request, the next one is answered",
          "[agent][stdio]") {
  Rig rig(false, {.max_bytes = 65536});
  rig.Run(RefusesLongLine);
}

Task<void> MatchesIds(Rig* rig) {
  auto a = co_await rig->Forward(Request(1, "silence"));
  auto b = co_await rig->Forward("{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"silence\"}");
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  CHECK((co_await rig->Forward(Request(1, "silence"))).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  auto c = co_await rig->Forward(Raw(3,
                                     "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\n{\"jsonrpc\":"
                                     "\"2.0\",\"id\":\"1\",\"result\":{\"to\":\"b\"}}\n"
                                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"to\":\"a\"}}\n{"
                                     "\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n"));
  REQUIRE(c.ok());
  CHECK((co_await (*b)->Next())->bytes.find("\"to\":\"b\"") != std::string::npos);
  CHECK((co_await (*a)->Next())->bytes.find("\"to\":\"a\"") != std::string::npos);
  CHECK((co_await (*c)->Next())->id == "3");
  CHECK(rig->dropped == 1);
  co_await rig->upstream->Close();
}
TEST_CASE("answers find their requests by id; an answer to nothing is dropped", "[agent][stdio]") {
  Rig rig;
  rig.Run(MatchesIds);
}

Task<void> RoutesByRelation(Rig* rig) {
  auto progress = co_await rig->Forward(
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"silence\",\"params\":{\"_meta\":{"
      "\"progressToken\":\"t\"}}}");
  auto other =
      co_await rig->Forward(Raw(2,
                                "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
                                "progress\",\"params\":{\"progressToken\":\"t\",\"progress\":1}}\n"
                                "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/"
                                "list_changed\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n"
                                "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"roots/list\"}\n"));
  REQUIRE(progress.ok());
  REQUIRE(other.ok());
  CHECK((co_await (*progress)->Next())->progress_token == "\"t\"");
  CHECK((co_await rig->upstream->NextUnrelated())->method == "notifications/tools/list_changed");
  CHECK((co_await (*other)->Next())->shape == Shape::kResponse);
  // By now one request is in flight, and what has no relation is taken to be about it.
  CHECK((co_await (*progress)->Next())->method == "roots/list");
  co_await rig->upstream->Close();
}
TEST_CASE("progress goes by its token, the rest to the only request in flight or to the session",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(RoutesByRelation);
}

Task<void> TakesBatches(Rig* rig) {
  const std::string notice = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}";
  const std::string batch = "[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}," + notice + "]\n";
  // Before the server has agreed on a revision with batches, and with any other one, it is no
  // message.
  for (const char* version : {"2025-06-18", "2025-03-26"}) {
    const std::uint64_t dropped = rig->dropped;
    auto before = co_await rig->Forward(Raw(2, batch));
    auto initialized = co_await rig->Call(
        Raw(1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"" +
                   std::string(version) + "\"}}\n"));
    CHECK(initialized.ok());
    CHECK(rig->dropped == dropped + 1);
    (*before)->Cancel();
    if (version == std::string("2025-06-18")) rig->Restart();
  }
  auto exchange = co_await rig->Forward(Raw(2, batch));
  REQUIRE(exchange.ok());
  CHECK((co_await (*exchange)->Next())->method == "notifications/message");
  CHECK((co_await (*exchange)->Next())->id == "2");
  // A line of a log is no batch, and an error that answers nobody is none of it.
  const std::string nobody = "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"\"}}";
  CHECK((co_await rig->Call(
             Raw(2, "[info] ready\n[{\"got\":{\"jsonrpc\":\"2.0\"}}]\n[" + nobody + "]\n" + batch)))
            .ok());
  auto unclean = co_await rig->Call(Raw(3, "[" + notice + ",{\"jsonrpc\":\"2.0\",\"id\":3}]\n"));
  CHECK(ReasonOf(unclean.status()) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  co_await rig->upstream->Close();
}
TEST_CASE("a child's batch is its messages, where the revision has batches", "[agent][stdio]") {
  Rig rig;
  rig.Run(TakesBatches);
}

Task<void> KeepsUpWithAFlood(Rig* rig) {
  auto exchange = co_await rig->Forward(Request(1, "flood", "{\"count\":3000,\"pad\":1000}"));
  REQUIRE(exchange.ok());
  int notifications = 0;
  for (;;) {
    auto message = co_await (*exchange)->Next();
    REQUIRE(message.ok());
    if (message->shape == Shape::kResponse) break;
    ++notifications;
  }
  CHECK(notifications == 3000);
  CHECK(rig->dropped == 0);
  co_await rig->upstream->Close();
}
TEST_CASE("a flood is held back until its reader has taken it, and nothing of it is lost",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(KeepsUpWithAFlood);
}

Task<void> SurvivesAFloodNobodyWants(Rig* rig) {
  auto held = co_await rig->Forward(Request(1, "silence"));
  auto answer = co_await rig->Call(Request(2, "flood", "{\"count\":2000,\"pad\":10}"));
  CHECK(answer.ok());
  CHECK(rig->dropped == 2000 - 256);
  co_await rig->upstream->Close();
}
TEST_CASE("what nobody takes does not hold back answers", "[agent][stdio]") {
  Rig rig;
  rig.Run(SurvivesAFloodNobodyWants);
}

Task<void> SurvivesAChildThatDoesNotRead(Rig* rig) {
  // More than a pipe holds, while the child is busy writing to a stderr that is drained.
  std::string big(300000, 'x');
  auto first = co_await rig->Forward(Request(1, "stderr", "{\"text\":\"secret \"}"));
  auto second = co_await rig->Call(Request(2, "echo", "{\"big\":\"" + big + "\"}"));
  REQUIRE(second.ok());
  CHECK(second->bytes.find(big) != std::string::npos);
  CHECK((co_await (*first)->Next()).ok());
  co_await rig->upstream->Close();
}
TEST_CASE("stderr is drained, and a long request waits for a slow child", "[agent][stdio]") {
  Rig rig;
  rig.Run(SurvivesAChildThatDoesNotRead);
}

// --- the end of a child

Task<void> TellsOfAnExit(Rig* rig) {
  auto held = co_await rig->Forward(Request(1, "silence"));
  auto answer = co_await rig->Call(Request(2, "exit"));
  for (const absl::Status& status : {answer.status(), (co_await (*held)->Next()).status(),
                                     (co_await rig->upstream->NextUnrelated()).status(),
                                     (co_await rig->Forward(Request(3, "echo"))).status()}) {
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK(ReasonOf(status) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  }
  co_await rig->upstream->Close();
}
TEST_CASE("a child that exits in a call gives upstream_lost to all who wait", "[agent][stdio]") {
  Rig rig;
  rig.Run(TellsOfAnExit);
}

Task<void> TellsOfAClosedOutput(Rig* rig) {
  auto answer = co_await rig->Call(Request(1, "close"));
  CHECK(ReasonOf(answer.status()) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  co_await rig->upstream->Close();
}
TEST_CASE("a child that closes its stdout is lost, and gone after Close", "[agent][stdio]") {
  Rig rig;
  rig.Run(TellsOfAClosedOutput);
}

Task<void> AnswersBeforeExit(Rig* rig) {
  auto exchange = co_await rig->Forward(
      Raw(1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n{\"jsonrpc\":\"2.0\",\"id\":2,"));
  CHECK((co_await (*exchange)->Next()).ok());
  auto half = co_await rig->Call(Request(2, "exit"));
  CHECK(ReasonOf(half.status()) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  co_await rig->upstream->Close();
}
TEST_CASE("half a line at the end of a child is no message", "[agent][stdio]") {
  Rig rig;
  rig.Run(AnswersBeforeExit);
}

Task<void> TakeNext(Exchange* exchange, absl::Status* got, Signal* done) {
  *got = (co_await exchange->Next()).status();
  done->Set();
}
Task<void> CancelsAWaiter(Rig* rig) {
  auto exchange = co_await rig->Forward(Request(1, "silence"));
  absl::Status got;
  Signal done(rig->loop);
  rig->loop.Spawn(TakeNext(exchange->get(), &got, &done));
  co_await Sleep(rig->loop, absl::ZeroDuration());
  (*exchange)->Cancel();
  co_await done.Wait();
  CHECK(got.code() == absl::StatusCode::kCancelled);
  // Its id is free again, and the late answer of the first one is dropped.
  CHECK((co_await rig->Call(Request(1, "echo"))).ok());

  auto second = co_await rig->Forward(Request(2, "silence"));
  Signal closed(rig->loop);
  rig->loop.Spawn(TakeNext(second->get(), &got, &closed));
  co_await rig->upstream->Close();
  co_await closed.Wait();
  CHECK(got.code() == absl::StatusCode::kUnavailable);
}
TEST_CASE("who waits for an answer is woken by Cancel and by Close", "[agent][stdio]") {
  Rig rig;
  rig.Run(CancelsAWaiter);
}

// --- isolation

struct Listener {
  Listener() : fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(fd.get(), 8) != 0)
      std::abort();
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = std::to_string(ntohs(address.sin_port));
  }
  // The orphan has connected and says so.
  void Accept() {
    orphan.Reset(accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char text[5];
    CHECK(recv(orphan.get(), text, sizeof text, MSG_WAITALL) == 5);
  }
  // Returns when the orphan's end of the connection is gone, with the orphan.
  bool IsGone() {
    char byte;
    return recv(orphan.get(), &byte, 1, 0) == 0;
  }
  FileDescriptor fd;
  FileDescriptor orphan;
  std::string port;
};

Task<void> KillsTheTree(Rig* rig, Listener* listener) {
  CHECK((co_await rig->Call(Request(1, "orphan", "{\"port\":" + listener->port + "}"))).ok());
  listener->Accept();
  co_await rig->upstream->Close();
  // Close has returned, so it is gone already: nothing is waited for here.
  timeval now{0, 200'000};
  setsockopt(listener->orphan.get(), SOL_SOCKET, SO_RCVTIMEO, &now, sizeof now);
  CHECK(listener->IsGone());
}
TEST_CASE("a grandchild that called setsid is gone when Close returns",
          "[agent][stdio][isolation]") {
  bool isolate = GENERATE(true, false);
  Rig rig(isolate);
  Listener listener;
  RunUntilDone(rig.loop, KillsTheTree(&rig, &listener));
}

TEST_CASE("a grandchild that called setsid is gone when the agent is killed",
          "[agent][stdio][isolation]") {
  const char* mode = GENERATE("isolate", "none");
  Place place;
  Listener listener;
  const char* argv[] = {CHILD_HOLDER,          mode,   listener.port.c_str(), "/usr/bin/python3",
                        place.program.c_str(), nullptr};
  pid_t holder = 0;
  REQUIRE(posix_spawn(&holder, CHILD_HOLDER, nullptr, nullptr, const_cast<char**>(argv), environ) ==
          0);
  listener.Accept();
  kill(holder, SIGKILL);
  CHECK(listener.IsGone());
  waitpid(holder, nullptr, 0);
}

// A configuration with the awkward child behind the whole factory, so that what is hidden is what
// the product hides.
struct Agent {
  Agent() : maker(loop) {
    Place::Write(place.closed / "mine", "my-own-credential");
    chmod(place.closed.path().c_str(), 0700);
    std::filesystem::create_directory(data / "data");
    Place::Write(data / "data/agent.key", "the agent's key");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX};
    std::string path = hidden / "admin.sock";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 1) != 0)
      std::abort();
    admin.Reset(fd);
    chmod(path.c_str(), 0777);
    chmod(hidden.path().c_str(), 0755);

    config.set_data_dir(data / "data");
    for (std::string name : {"first", "second"}) {
      auto* server = config.add_servers();
      server->set_name(name);
      server->mutable_stdio()->add_command("/usr/bin/python3");
      server->mutable_stdio()->add_command(place.program);
      server->mutable_stdio()->add_hide(hidden.path());
      if (geteuid() == 0) server->mutable_stdio()->set_run_as("nobody");
      (*server->mutable_credentials())["token"].set_file(
          place.closed / (name == "first" ? "mine" : "other-credential"));
      auto& value = (*server->mutable_stdio()->mutable_env())["TOKEN"];
      value.set_credential("token");
      value.set_prefix("p-");
    }
    auto made = Upstreams::Create(loop, config);
    if (!made.ok()) FAIL(made.status().message());
    upstreams = *std::move(made);
  }
  Task<std::unique_ptr<Upstream>> Open(std::string server) {
    auto credentials = upstreams->ReadCredentials(server);
    REQUIRE(credentials.ok());
    auto opened = co_await upstreams->Open(server, "p", *credentials, Era::kLegacy);
    REQUIRE(opened.ok());
    co_return *std::move(opened);
  }
  Task<std::string> Ask(Upstream* upstream, std::string method, std::string params = "{}") {
    ++id;
    OutboundMessage message = co_await maker.Make(Request(id, method, params));
    auto exchange = co_await upstream->Forward(message);
    REQUIRE(exchange.ok());
    auto answer = co_await (*exchange)->Next();
    REQUIRE(answer.ok());
    co_return answer->bytes;
  }

  Place place;
  TempDir data;
  TempDir hidden;
  FileDescriptor admin;
  config::v1::AgentConfig config;
  Loop loop;
  OutboundMaker maker;
  std::unique_ptr<Upstreams> upstreams;
  int id = 0;
};

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Task<void> HidesWhatTheAgentHolds(Agent* agent) {
  auto first = co_await agent->Open("first");
  auto second = co_await agent->Open("second");
  std::string own = co_await agent->Ask(first.get(), "environ");
  CHECK(Has(own, "p-my-own-credential"));
  CHECK_FALSE(Has(own, "SHELL"));
  for (std::string path : {agent->data / "data/agent.key", agent->place.closed / "other-credential",
                           agent->place.closed / "mine", agent->place.closed / "agent.key"}) {
    INFO(path);
    std::string read = co_await agent->Ask(first.get(), "read", "{\"path\":\"" + path + "\"}");
    CHECK(Has(read, "\"error\""));
  }
  for (std::string dir : {agent->data / "data", agent->place.closed.path(), agent->hidden.path()}) {
    INFO(dir);
    CHECK(Has(co_await agent->Ask(first.get(), "list", "{\"path\":\"" + dir + "\"}"), "\"error\""));
  }
  CHECK(Has(co_await agent->Ask(first.get(), "connect",
                                "{\"path\":\"" + (agent->hidden / "admin.sock") + "\"}"),
            "\"error\""));
  std::string environments = co_await agent->Ask(first.get(), "environments");
  CHECK(Has(environments, "my-own-credential"));
  CHECK_FALSE(Has(environments, "the other's credential"));
  CHECK_FALSE(Has(environments, "SHELL"));
  std::string descriptors = co_await agent->Ask(first.get(), "descriptors");
  CHECK(Has(descriptors, "[0, 1, 2, 3]"));  // 3 reads the directory
  std::string who = co_await agent->Ask(first.get(), "whoami");
  CHECK(Has(who, "NoNewPrivs:\\t1"));
  CHECK(Has(who, "CapEff:\\t0000000000000000"));
  CHECK_FALSE(Has(who, "\"uid\": 0"));
  // Its own world: the supervisor, itself, and nobody else.
  CHECK(Has(co_await agent->Ask(first.get(), "pids"), "[1, 2]"));
  // What is hidden is there, for others.
  std::ifstream key(agent->data / "data/agent.key");
  CHECK(key.good());
  co_await first->Close();
  co_await second->Close();
}
TEST_CASE("a child sees neither the agent's key nor others' credentials, processes or sockets",
          "[agent][stdio][isolation]") {
  Agent agent;
  RunUntilDone(agent.loop, HidesWhatTheAgentHolds(&agent));
}

TEST_CASE("a program that does not exist and a directory that cannot be hidden refuse the spawn",
          "[agent][stdio][isolation]") {
  Place place;
  SpawnPlan plan = place.Plan(true);
  plan.argv = {place.open / "missing"};
  auto child = SpawnChild(plan);
  CHECK(child.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(child.status().message()).find("missing") != std::string::npos);
  plan = place.Plan(true);
  plan.hide = {{.path = place.open / "nowhere", .is_required = true}};
  child = SpawnChild(plan);
  CHECK(std::string(child.status().message()).find("isolation: none") != std::string::npos);
  if (geteuid() == 0) {
    plan = place.Plan(true);
    plan.run_as.reset();
    CHECK(SpawnChild(plan).status().code() == absl::StatusCode::kFailedPrecondition);
  }
}

}  // namespace
}  // namespace sallyport::agent
