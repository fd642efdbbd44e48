#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/integration/controlplane/races/calls.h"

namespace sallyport::controlplane {
namespace {

// A process that approves, uses, denies and takes back until it is killed. After each step it says
// so; first of all, where its files are.
void RunUntilKilled(int out) {
  Calls calls;
  const std::string where = calls.dir.path() + "\n";
  if (::write(out, where.data(), where.size()) < 0) ::_exit(1);
  const auto step = [&] {
    if (::write(out, ".", 1) != 1) ::_exit(1);
  };
  for (int round = 0;; ++round) {
    const std::string id = calls.Ask(round);
    step();
    (void)(round % 4 == 1 ? calls.Deny(id, calls.bob) : calls.Approve(id, calls.alice));
    step();
    if (round % 4 == 2) calls.Revoke(id);
    if (round % 4 == 3) calls.Withdraw(id);
    step();
    calls.Consume(id, "c" + std::to_string(round));
    step();
  }
}

struct Killed {
  std::string dir;
  int steps = 0;
};

// Killed once it has said that it has made so many steps: somewhere in the next one.
Killed KilledAfter(int steps) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::close(ends[0]);
    RunUntilKilled(ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  Killed killed;
  char c = 0;
  while (::read(ends[0], &c, 1) == 1 && c != '\n') killed.dir += c;
  while (killed.steps < steps && ::read(ends[0], &c, 1) == 1) ++killed.steps;
  REQUIRE(::kill(pid, SIGKILL) == 0);
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFSIGNALED(status));
  return killed;
}

TEST_CASE("kill -9 at every step of an approval leaves it whole", "[races]") {
  for (int steps = 0; steps < 18; ++steps) {
    const Killed killed = KilledAfter(steps);
    INFO("after " << steps << " steps in " << killed.dir);
    REQUIRE(killed.steps == steps);
    {
      const auto control = Database::Open(killed.dir + "/control.db", migrations::Control());
      REQUIRE(control.ok());
      const auto t = *(*control)->Read();
      Statement check = t->Prepare("pragma integrity_check");
      REQUIRE(*check.Step());
      CHECK(check.text(0) == "ok");
      const std::vector<std::string> broken = BrokenRules(*t);
      CAPTURE(broken);
      CHECK(broken.empty());
    }
    std::filesystem::remove_all(killed.dir);
  }
}

}  // namespace
}  // namespace sallyport::controlplane
