#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "tests/fakes/temp_dir.h"

namespace sallyport {

// The real sallyport-agent in a process of its own. Ended with it.
class AgentProcess {
 public:
  // `config`: agent.yaml without control_plane, data_dir and the listeners.
  // `awaits`: the event that says it may be used.
  AgentProcess(const std::string& join_string, const std::string& config,
               const std::string& awaits = "ready")
      : awaits_(awaits) {
    Write("join", join_string);
    Write("agent.yaml", "control_plane: {join_token_file: " + (dir_ / "join") +
                            "}\ndata_dir: " + (dir_ / "data") +
                            "\nlisten: 127.0.0.1:0\nlocal_listen: 127.0.0.1:0\n" + config);
    Start();
  }
  ~AgentProcess() { Stop(SIGKILL); }
  AgentProcess(const AgentProcess&) = delete;
  AgentProcess& operator=(const AgentProcess&) = delete;

  void Start() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    const std::string file = dir_ / "agent.yaml";
    child_ = fork();
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that aborts leaves nothing behind
      dup2(ends[1], 2);
      execl(SALLYPORT_AGENT, "sallyport-agent", "serve", "--config", file.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    std::string line;
    char byte;
    port_ = local_port_ = 0;
    while (port_ == 0 && read(ends[0], &byte, 1) == 1) {
      if (byte != '\n') {
        line += byte;
        continue;
      }
      Log(line);
      const auto event = nlohmann::json::parse(line, nullptr, false);
      if (event.is_object() && event.value("event", "") == awaits_) {
        port_ = PortOf(event["listen"]["mcp"]);
        local_port_ = PortOf(event["listen"]["local"]);
      }
      line.clear();
    }
    reader_ = std::thread([this, fd = ends[0]] {
      char bytes[4096];
      for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;) {
        std::lock_guard lock(mutex_);
        log_.append(bytes, static_cast<std::size_t>(n));
        logged_.notify_all();
      }
      close(fd);
    });
  }
  // Returns the exit code, or -signal.
  int Stop(int signal = SIGTERM) {
    if (child_ <= 0) return 0;
    kill(child_, signal);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
    reader_.join();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  // From now on its disk takes no byte more.
  void BreakDisk() const {
    const rlimit none{};
    if (prlimit(child_, RLIMIT_FSIZE, &none, nullptr) != 0) std::abort();
  }

  // 0: it did not get ready.
  int port() const { return port_; }
  int local_port() const { return local_port_; }
  // A file of its data directory.
  std::string data(const std::string& name) const { return dir_ / ("data/" + name); }
  std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string log() const {
    std::lock_guard lock(mutex_);
    return log_;
  }
  // Until what was logged behind the first `from` bytes holds `text`. False after ten seconds.
  bool AwaitLog(const std::string& text, std::size_t from) {
    std::unique_lock lock(mutex_);
    return logged_.wait_for(lock, std::chrono::seconds(10),
                            [&] { return log_.find(text, from) != log_.npos; });
  }
  // Until a snapshot of that version, or a later one, is in force. False after ten seconds.
  bool AwaitSnapshot(std::uint64_t version) {
    constexpr std::string_view kVersion = "\"version\":";
    std::unique_lock lock(mutex_);
    return logged_.wait_for(lock, std::chrono::seconds(10), [&] {
      const std::size_t last = log_.rfind("\"snapshot_in_force\"");
      if (last == log_.npos) return false;
      const std::size_t at = log_.find(kVersion, last);
      return at != log_.npos &&
             std::strtoull(log_.c_str() + at + kVersion.size(), nullptr, 10) >= version;
    });
  }

 private:
  void Write(const std::string& name, const std::string& text) {
    const std::string path = dir_ / name;
    std::ofstream(path) << text;
    chmod(path.c_str(), 0600);
  }
  void Log(const std::string& line) {
    std::lock_guard lock(mutex_);
    log_ += line + "\n";
  }
  static int PortOf(const std::string& address) {
    return std::atoi(address.substr(address.rfind(':') + 1).c_str());
  }

  const std::string awaits_;
  TempDir dir_;
  pid_t child_ = -1;
  int port_ = 0;
  int local_port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable logged_;
  std::string log_;
  std::thread reader_;
};

}  // namespace sallyport
