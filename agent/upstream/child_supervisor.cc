#include "agent/upstream/child_supervisor.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sallyport::agent {
namespace {

// Everything between clone and exec runs in a copy of a process with threads, whose locks may be
// held for ever: system calls only, and those raw where glibc would talk to the other threads
// (fork, set*id) or allocate.

enum Step : int {
  kUserMap,
  kPrivateMounts,
  kHide,
  kProc,
  kForkServer,
  kRunAs,
  kNoNewPrivs,
  kWorkingDir,
  kExec,
  kSignals,
};
struct Failure {
  int step;
  int error;
  int index;  // of the hidden path
};

constexpr std::array<const char*, 10> kStepNames = {"map the user into a namespace",
                                                    "make the mounts private",
                                                    "hide",
                                                    "mount /proc",
                                                    "start the server's process",
                                                    "become run_as",
                                                    "set no_new_privs",
                                                    "enter the working directory",
                                                    "run",
                                                    "watch the server's process"};

// Where the supervisor keeps what it was given, everything else being closed.
enum Fd : int { kIn = 0, kOut = 1, kErr = 2, kLife = 3, kReport = 4, kFirstOther = 5 };

// All that the child needs, laid out before the clone.
struct Prepared {
  const SpawnPlan* plan;
  bool root;
  std::vector<char*> argv;
  std::vector<char*> env;
  // Where else than at /proc a proc file system shows: a chroot's, a container's.
  std::vector<std::string> other_procs;
  char uid_map[64];
  char gid_map[64];
  int in, out, err, life, report;
};

// Mount points as the kernel writes them: space, tab, newline and backslash are \ooo.
std::string Unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out +=
          static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string> OtherProcs() {
  std::vector<std::string> out;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash == fields.end() || dash + 1 == fields.end() || fields.size() < 5) continue;
    if (*(dash + 1) == "proc" && fields[4] != "/proc") out.push_back(Unescaped(fields[4]));
  }
  return out;
}

[[noreturn]] void Die(Step step, int index = 0) {
  Failure failure{step, errno, index};
  if (write(kReport, &failure, sizeof failure) < 0) _exit(126);
  _exit(125);
}

bool WriteText(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool written = write(fd, text, strlen(text)) >= 0;
  int error = errno;
  close(fd);
  errno = error;
  return written;
}

bool Become(const RunAs& who) {
  return syscall(SYS_setgroups, 0, nullptr) == 0 &&
         syscall(SYS_setresgid, who.gid, who.gid, who.gid) == 0 &&
         syscall(SYS_setresuid, who.uid, who.uid, who.uid) == 0;
}

void TakeDescriptors(const Prepared& p) {
  // All of them are above the places they go to.
  dup2(p.in, kIn);
  dup2(p.out, kOut);
  dup2(p.err, kErr);
  dup2(p.life, kLife);
  dup2(p.report, kReport);
  close_range(kFirstOther, ~0U, 0);
}

void Isolate(const Prepared& p) {
  if (!p.root) {
    // The maps of a process that is not dumpable belong to root.
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    // One id, mapped to itself: the capabilities of the namespace are lost with the exec. Without
    // setgroups deny the kernel refuses the gid map.
    if (!WriteText("/proc/self/setgroups", "deny") || !WriteText("/proc/self/uid_map", p.uid_map) ||
        !WriteText("/proc/self/gid_map", p.gid_map)) {
      Die(kUserMap);
    }
  }
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) Die(kPrivateMounts);
  int index = 0;
  for (const HiddenPath& hidden : p.plan->hide) {
    const char* path = hidden.path.c_str();
    int failed = hidden.is_dir
                     ? mount("none", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                             "size=4k,mode=000")
                     : mount("/dev/null", path, nullptr, MS_BIND, nullptr);
    bool absent = errno == ENOENT || errno == ENOTDIR;
    if (failed != 0 && !(absent && !hidden.is_required)) Die(kHide, index);
    ++index;
  }
  for (const std::string& place : p.other_procs) {
    if (mount("none", place.c_str(), "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "size=4k,mode=000") != 0 &&
        errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
      Die(kProc);
    }
  }
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) Die(kProc);
}

void Limit(int what, rlim_t soft, rlim_t hard) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource_t>(what), &limit) != 0) return;
  limit.rlim_max = std::min(limit.rlim_max, hard);
  limit.rlim_cur = std::min(limit.rlim_max, soft);
  setrlimit(static_cast<__rlimit_resource_t>(what), &limit);
}

[[noreturn]] void RunServer(const Prepared& p) {
  const SpawnPlan& plan = *p.plan;
  if (plan.run_as && p.root && !Become(*plan.run_as)) Die(kRunAs);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Die(kNoNewPrivs);
  syscall(SYS_setsid);
  Limit(RLIMIT_CORE, 0, 0);
  Limit(RLIMIT_NOFILE, 1024, 65536);
  if (plan.isolate) Limit(RLIMIT_NPROC, 4096, 4096);
  if (chdir(plan.working_dir.c_str()) != 0) Die(kWorkingDir);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int s = 1; s < 65; ++s) sigaction(s, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  close_range(kLife, ~0U, CLOSE_RANGE_CLOEXEC);
  execve(p.argv[0], p.argv.data(), p.env.data());
  Die(kExec);
}

// Kills the children one by one until there are none: the children of those become ours.
void KillChildren() {
  for (;;) {
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    char text[4096];
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    if (fd >= 0) close(fd);
    pid_t pid = 0;
    for (ssize_t i = 0; i < n; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else if (pid > 0) {
        kill(pid, SIGKILL);
        pid = 0;
      }
    }
    pid_t gone;
    while ((gone = waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (gone < 0) return;  // no children any more
    timespec pause{0, 2'000'000};
    nanosleep(&pause, nullptr);
  }
}

[[noreturn]] void Leave(const Prepared& p, int status) {
  // The kernel does it for PID 1.
  if (!p.plan->isolate) KillChildren();
  _exit(status);
}

[[noreturn]] void Supervise(const Prepared& p) {
  TakeDescriptors(p);
  if (p.plan->isolate) {
    Isolate(p);
  } else {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  }
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &standard, nullptr);
  int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) Die(kSignals);

  auto server = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (server < 0) Die(kForkServer);
  if (server == 0) RunServer(p);
  // Nothing here needs root any more, but to kill what runs under another id.
  if (p.root && p.plan->isolate && p.plan->run_as && !Become(*p.plan->run_as)) Die(kRunAs);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  for (int fd : {kIn, kOut, kErr, kReport}) close(fd);

  for (;;) {
    pollfd ends[2] = {{kLife, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(ends, 2, -1) < 0) continue;
    signalfd_siginfo info;
    while (read(signals, &info, sizeof info) > 0) {
    }
    int status;
    pid_t gone;
    while ((gone = waitpid(-1, &status, WNOHANG)) > 0) {
      if (gone == server)
        Leave(p, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    if (ends[0].revents == 0) continue;
    char order = 0;
    if (read(kLife, &order, 1) == 1) {
      if (order == kTerminate) kill(server, SIGTERM);
    } else {
      Leave(p, 128 + SIGKILL);
    }
  }
}

// Above the places where the child will put them, whatever of stdin, stdout and stderr the agent
// was started without.
absl::Status MakePipe(FileDescriptor& read_end, FileDescriptor& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return absl::UnavailableError(absl::StrCat("pipe: ", strerror(errno)));
  FileDescriptor low[2] = {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
  read_end.Reset(fcntl(ends[0], F_DUPFD_CLOEXEC, 16));
  write_end.Reset(fcntl(ends[1], F_DUPFD_CLOEXEC, 16));
  if (!read_end || !write_end)
    return absl::UnavailableError(absl::StrCat("pipe: ", strerror(errno)));
  return absl::OkStatus();
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

absl::Status StepError(const SpawnPlan& plan, const Failure& failure) {
  std::string what = failure.step >= 0 && failure.step < static_cast<int>(kStepNames.size())
                         ? kStepNames[failure.step]
                         : "start";
  if (failure.step == kHide && failure.index < static_cast<int>(plan.hide.size())) {
    absl::StrAppend(&what, " ", plan.hide[failure.index].path);
  }
  if (failure.step == kExec) absl::StrAppend(&what, " ", plan.argv[0]);
  if (failure.step == kWorkingDir) absl::StrAppend(&what, " ", plan.working_dir);
  std::string text = absl::StrCat("cannot ", what, ": ", strerror(failure.error));
  if (plan.isolate && failure.step <= kProc) {
    absl::StrAppend(
        &text,
        "; where a child cannot have namespaces of its own, its entry may say `isolation: none`");
  }
  return absl::FailedPreconditionError(text);
}

}  // namespace

void FileDescriptor::Reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

absl::StatusOr<SpawnedChild> SpawnChild(const SpawnPlan& plan) {
  bool root = geteuid() == 0;
  if (root && !plan.run_as)
    return absl::FailedPreconditionError("the agent is root, so the server needs `run_as`");
  SpawnedChild child;
  FileDescriptor in, out, err, life, report_read, report;
  for (auto [r, w] : {std::pair{&in, &child.in},
                      {&child.out, &out},
                      {&child.err, &err},
                      {&life, &child.lifeline},
                      {&report_read, &report}}) {
    if (absl::Status made = MakePipe(*r, *w); !made.ok()) return made;
  }
  Prepared p{.plan = &plan,
             .root = root,
             .argv = Pointers(plan.argv),
             .env = Pointers(plan.env),
             .other_procs = plan.isolate ? OtherProcs() : std::vector<std::string>{},
             .in = in.get(),
             .out = out.get(),
             .err = err.get(),
             .life = life.get(),
             .report = report.get()};
  snprintf(p.uid_map, sizeof p.uid_map, "%u %u 1", geteuid(), geteuid());
  snprintf(p.gid_map, sizeof p.gid_map, "%u %u 1", getegid(), getegid());

  unsigned long flags = CLONE_PIDFD | SIGCHLD;
  if (plan.isolate)
    flags |= CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC |
             (root ? 0UL : static_cast<unsigned long>(CLONE_NEWUSER));
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of ours runs in the copy
  int pidfd = -1;
  auto pid = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, &pidfd, nullptr, nullptr));
  if (pid == 0) Supervise(p);
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return StepError(plan, {plan.isolate ? kUserMap : kForkServer, error, 0});
  child.pidfd.Reset(pidfd);
  fcntl(pidfd, F_SETFD, FD_CLOEXEC);

  report.Reset();
  Failure failure{};
  ssize_t n;
  while ((n = read(report_read.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
  }
  if (n == 0) {
    for (FileDescriptor* fd : {&child.in, &child.out, &child.err, &child.lifeline}) {
      fcntl(fd->get(), F_SETFL, fcntl(fd->get(), F_GETFL) | O_NONBLOCK);
    }
    return child;
  }
  child.lifeline.Reset();
  ReapChild(child);
  return StepError(plan, failure);
}

int ReapChild(const SpawnedChild& child) {
  siginfo_t info{};
  while (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(child.pidfd.get()), &info,
                WEXITED) != 0 &&
         errno == EINTR) {
  }
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

}  // namespace sallyport::agent
