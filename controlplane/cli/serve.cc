#include "controlplane/cli/serve.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>

#include <iostream>
#include <memory>
#include <string>

#include "common/clock.h"
#include "common/grpc_log.h"
#include "common/harden.h"
#include "common/log.h"
#include "common/printable.h"
#include "common/protobuf_log.h"
#include "common/service_manager.h"
#include "common/strings.h"
#include "controlplane/controlplane.h"
#include "controlplane/settings.h"

namespace sallyport::controlplane {
namespace {

// Blocks the signals that end the program in this thread and in all that it starts: one thread
// waits for them, and no call is interrupted.
sigset_t BlockEndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int FailToStart(const absl::Status& status) {
  LogError("start_failed", {{"error", status}});
  return 1;
}

int Serve(const std::string& config_path) {
  const sigset_t end_signals = BlockEndSignals();
  if (const absl::Status hardened = HardenProcess(); !hardened.ok()) return FailToStart(hardened);
  LogGrpcAsJson();
  LogProtobufAsJson();
  curl_global_init(CURL_GLOBAL_DEFAULT);

  absl::StatusOr<Settings> settings = Settings::Load(config_path);
  if (!settings.ok()) return FailToStart(settings.status());
  const SystemClock clock;
  absl::StatusOr<std::unique_ptr<ControlPlane>> plane =
      ControlPlane::Start(*std::move(settings), clock);
  if (!plane.ok()) return FailToStart(plane.status());

  const ControlPlane::Addresses& addresses = (*plane)->addresses();
  LogInfo("ready", {LogField::Object("listen", {{"api", addresses.api},
                                                {"admin", addresses.admin},
                                                {"local", addresses.local}})});
  TellReady("serving");
  int signal = 0;
  sigwait(&end_signals, &signal);
  LogInfo("stopping", {{"signal", signal}});
  (*plane)->Drain();
  plane->reset();
  LogInfo("stopped");
  return 0;
}

int CheckConfig(const std::string& path) {
  const absl::StatusOr<Settings> settings = Settings::Load(path);
  if (!settings.ok()) {
    std::cerr << Printable(ToStd(settings.status().message())) << "\n";
    return 1;
  }
  std::cout << Printable(path) << ": ok\n";
  return 0;
}

}  // namespace

void AddServeCommands(CommandLine& line) {
  const auto path = std::make_shared<std::string>();
  CLI::App* serve = line.app().add_subcommand("serve", "Run the control plane");
  serve->add_option("--config", *path, "controlplane.yaml")->required();
  line.OnRun(
      serve, [path] { return Serve(*path); }, Prints::kText);

  CLI::App* config = line.app().add_subcommand("config", "The control plane's configuration");
  config->require_subcommand(0, 1);
  CLI::App* check = config->add_subcommand("check", "Judge a controlplane.yaml");
  check->add_option("file", *path, "controlplane.yaml")->required();
  line.OnRun(
      check, [path] { return CheckConfig(*path); }, Prints::kText);
}

}  // namespace sallyport::controlplane
