// Drives an MCP server over its own pipes, with so many calls in flight: what a gateway in front of
// it is measured against.
//   pipe_client CALLS_IN_FLIGHT SECONDS CHILD_CORE CALL COMMAND...      prints {"calls", "errors",
//   "rate", "latency"}
// CALL is a request without its id: the members behind it, such as `"method":"ping"`.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/latencies.h"

namespace {

using sallyport::bench::Latencies;
using sallyport::bench::MicrosNow;

[[noreturn]] void Die(const char* why) {
  std::perror(why);
  std::exit(1);
}

// The server's two ends.
class Child {
 public:
  Child(int core, char** command) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) Die("pipe");
    pid_ = fork();
    if (pid_ == 0) {
      cpu_set_t cores;
      CPU_ZERO(&cores);
      CPU_SET(static_cast<std::size_t>(core), &cores);
      sched_setaffinity(0, sizeof cores, &cores);
      dup2(in[0], 0), dup2(out[1], 1);
      dup2(open("/dev/null", O_WRONLY), 2);
      execvp(command[0], command);
      _exit(127);
    }
    close(in[0]), close(out[1]);
    to_ = in[1], from_ = out[0];
  }
  ~Child() {
    close(to_), close(from_);
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }

  void Send(std::string line) {
    line += '\n';
    for (std::string_view rest = line; !rest.empty();) {
      const ssize_t put = write(to_, rest.data(), rest.size());
      if (put <= 0) Die("write");
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
  }

  // The next line; a view until the next call.
  std::string_view Line() {
    input_.erase(0, taken_);
    std::size_t end;
    while ((end = input_.find('\n')) == input_.npos) {
      char buffer[65536];
      const ssize_t got = read(from_, buffer, sizeof buffer);
      if (got <= 0) Die("read");
      input_.append(buffer, static_cast<std::size_t>(got));
    }
    taken_ = end + 1;
    return std::string_view(input_).substr(0, end);
  }

 private:
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
  std::string input_;
  std::size_t taken_ = 0;
};

// The id of a response; 0: it is none.
std::size_t IdOf(std::string_view line) {
  if (line.find("\"method\"") != line.npos && line.find("\"result\"") == line.npos) return 0;
  const std::size_t at = line.find("\"id\":");
  return at == line.npos ? 0 : std::strtoul(line.data() + at + 5, nullptr, 10);
}

void Initialize(Child& child) {
  child.Send(
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}})");
  while (IdOf(child.Line()) != 1) continue;
  child.Send(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
}

void Drive(Child& child, std::size_t in_flight, double seconds, std::string_view call) {
  std::vector<std::int64_t> since(2);  // by id
  const auto send = [&] {
    std::string line = R"({"jsonrpc":"2.0","id":)" + std::to_string(since.size()) + ",";
    line.append(call).append("}");
    since.push_back(MicrosNow());
    child.Send(std::move(line));
  };
  Latencies latencies;
  std::size_t errors = 0;
  const std::int64_t begun = MicrosNow();
  const std::int64_t end = begun + static_cast<std::int64_t>(seconds * 1e6);
  for (std::size_t i = 0; i < in_flight; ++i) send();
  while (MicrosNow() < end) {
    const std::string_view line = child.Line();
    const std::size_t id = IdOf(line);
    if (id < 2 || id >= since.size()) continue;
    if (line.find("\"error\":") != line.npos) ++errors;
    latencies.Add(MicrosNow() - since[id]);
    send();
  }
  const double rate =
      static_cast<double>(latencies.count()) * 1e6 / static_cast<double>(MicrosNow() - begun);
  std::printf("{\"calls\":%zu,\"errors\":%zu,\"rate\":%.1f,\"latency\":%s}\n", latencies.count(),
              errors, rate, latencies.Json().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: pipe_client CALLS_IN_FLIGHT SECONDS CHILD_CORE CALL COMMAND...\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  Child child(std::atoi(argv[3]), argv + 5);
  Initialize(child);
  Drive(child, std::strtoul(argv[1], nullptr, 10), std::strtod(argv[2], nullptr), argv[4]);
}
