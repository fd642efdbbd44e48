#include "agent/upstream/child_supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {
namespace {

bool WriteText(const char* path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

// A mount namespace of this process alone, in which /proc shows at `place` too, as in a chroot or a
// container's root that is prepared on this machine. Who is not root needs a user namespace of his
// own for that.
bool ShowProcAt(const std::string& place) {
  const bool is_root = geteuid() == 0;
  const std::string uid = std::to_string(geteuid()), gid = std::to_string(getegid());
  if (unshare(CLONE_NEWNS | (is_root ? 0 : CLONE_NEWUSER)) != 0) return false;
  if (!is_root && (!WriteText("/proc/self/setgroups", "deny") ||
                   !WriteText("/proc/self/uid_map", uid + " " + uid + " 1") ||
                   !WriteText("/proc/self/gid_map", gid + " " + gid + " 1"))) {
    return false;
  }
  return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("/proc", place.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0;
}

// One line that the child answers `request` with. Empty: none came in ten seconds.
std::string Ask(const SpawnedChild& child, const std::string& request) {
  if (write(child.in.get(), request.data(), request.size()) < 0) return {};
  std::string line;
  while (line.find('\n') == std::string::npos) {
    pollfd ready{.fd = child.out.get(), .events = POLLIN};
    char bytes[4096];
    if (poll(&ready, 1, 10'000) <= 0) return {};
    const ssize_t size = read(child.out.get(), bytes, sizeof bytes);
    if (size <= 0) return {};
    line.append(bytes, static_cast<std::size_t>(size));
  }
  return line;
}

// Its exit status: what the child could read of the other /proc.
enum Seen { kNothing = 0, kSomething = 1, kNoMount = 2, kNoChild = 3 };

Seen LookForOtherProcs(const std::string& program, const std::string& place) {
  if (!ShowProcAt(place)) return kNoMount;
  // What the child must not see is there for the agent.
  if (!std::filesystem::exists(place + "/self/status")) return kNoMount;
  SpawnPlan plan;
  plan.argv = {"/usr/bin/python3", program};
  plan.env = {"PATH=/usr/bin:/bin"};
  if (geteuid() == 0) plan.run_as = RunAs{65534, 65534};
  const auto child = SpawnChild(plan);
  if (!child.ok()) {
    std::fprintf(stderr, "%s\n", std::string(child.status().message()).c_str());
    return kNoChild;
  }
  const std::string answer =
      Ask(*child, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"other_procs\"}\n");
  if (answer.find("\"value\": []") != std::string::npos) return kNothing;
  std::fprintf(stderr, "%s", answer.c_str());
  return kSomething;
}

TEST_CASE("a child that looks for another mount of /proc finds none that shows a process",
          "[agent][stdio][isolation]") {
  TempDir open;
  chmod(open.path().c_str(), 0755);
  const std::string program = open / "awkward_child.py";
  std::filesystem::copy_file(AWKWARD_CHILD, program);
  // The kernel writes a space in a mount point as \040.
  const std::string place = open / "root fs";
  std::filesystem::create_directory(place);

  const pid_t agent = fork();
  if (agent == 0) _exit(LookForOtherProcs(program, place));
  int status = 0;
  REQUIRE(waitpid(agent, &status, 0) == agent);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == kNothing);
}

}  // namespace
}  // namespace sallyport::agent
