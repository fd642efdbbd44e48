#include "agent/loop/stop_signals.h"

#include <sys/signalfd.h>

#include <csignal>
#include <cstdlib>

namespace sallyport::agent {
namespace {

int Open() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  // For want of descriptors at the very start.
  if (fd < 0) std::abort();
  return fd;
}

}  // namespace

StopSignals::StopSignals(Loop& loop) : descriptor_(loop, Open()) {}

IoResult StopSignals::TryNext() {
  signalfd_siginfo signal{};
  IoResult result = descriptor_.Read(reinterpret_cast<char*>(&signal), sizeof signal);
  if (result.ok()) result.n = signal.ssi_signo;
  return result;
}

}  // namespace sallyport::agent
