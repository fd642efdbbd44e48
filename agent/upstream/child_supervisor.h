#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Children that cannot outlive their session, nor the agent. Between the agent and a server stands
// a supervisor of its own, a copy of the agent that holds nothing of it but the read end of a
// lifeline:
//
//   agent --clone--> supervisor --clone--> server --> whatever it starts, setsid or not
//
// With `isolate` the supervisor is PID 1 of a PID namespace (with mount and IPC namespaces, and a
// user namespace where the agent is not root): when it exits, the kernel kills all that is in it.
// Without, it is their subreaper and kills what it is given until there is nothing left. It exits
// when the server does, when the lifeline is cut, and thereby when the agent dies, however it dies.
namespace sallyport::agent {

// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~FileDescriptor() { Reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1);

 private:
  int fd_ = -1;
};

struct RunAs {
  uid_t uid = 0;
  gid_t gid = 0;
};

// What the child must not see. A directory is covered by an empty one, a file by an empty one.
struct HiddenPath {
  std::string path;
  bool is_dir = true;
  // Its absence is an error. Else what is not there needs no cover.
  bool is_required = false;
};

struct SpawnPlan {
  // The program's absolute path first.
  std::vector<std::string> argv;
  // NAME=value, all of it. May hold credentials: whoever makes the plan wipes it.
  std::vector<std::string> env;
  std::string working_dir = "/";
  bool isolate = true;
  // Required where the agent is root.
  std::optional<RunAs> run_as;
  std::vector<HiddenPath> hide;
};

struct SpawnedChild {
  FileDescriptor in;   // the server's stdin
  FileDescriptor out;  // its stdout
  FileDescriptor err;  // its stderr
  // Closing it kills the whole tree. One byte, kTerminate, sends the server SIGTERM.
  FileDescriptor lifeline;
  // Of the supervisor: readable once the whole tree is gone. To be waited for with waitid(P_PIDFD).
  FileDescriptor pidfd;
};
inline constexpr char kTerminate = 'T';

// Starts the server and returns once it runs its program. Takes some milliseconds, so not on the
// loop's thread. kFailedPrecondition names the step and what to do; nothing is left behind then.
absl::StatusOr<SpawnedChild> SpawnChild(const SpawnPlan& plan);

// Waits for a child whose pidfd is readable, and reaps it. The exit status as a shell shows it: 128
// + n for a signal.
int ReapChild(const SpawnedChild& child);

}  // namespace sallyport::agent
