#include "agent/cli/cli.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/settings.h"
#include "common/cli/show_help.h"
#include "common/cli/usage_error.h"
#include "common/config_file.h"
#include "common/grpc_log.h"
#include "common/harden.h"
#include "common/log.h"
#include "common/protobuf_log.h"
#include "sallyport/config/v1/agent_config.pb.h"

namespace sallyport::agent {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

int Complain(const absl::Status& status) {
  std::fprintf(stderr, "sallyport-agent: %s\n", std::string(status.message()).c_str());
  return kFailed;
}

int CheckFile(const std::string& path) {
  config::v1::AgentConfig config;
  if (absl::Status read = LoadConfigFile(path, &config); !read.ok()) return Complain(read);
  if (absl::Status checked = CheckConfig(config); !checked.ok()) {
    return Complain(absl::Status(checked.code(), path + ": " + std::string(checked.message())));
  }
  const auto warnings = CheckMachine(config);
  if (!warnings.ok()) {
    return Complain(absl::Status(warnings.status().code(),
                                 path + ": " + std::string(warnings.status().message())));
  }
  for (const std::string& warning : *warnings) {
    std::fprintf(stderr, "sallyport-agent: warning: %s: %s\n", path.c_str(), warning.c_str());
  }
  std::printf("%s: ok\n", path.c_str());
  return kDone;
}

int Serve(const std::string& path) {
  config::v1::AgentConfig config;
  if (absl::Status read = LoadConfigFile(path, &config); !read.ok()) return Complain(read);
  LogGrpcAsJson();
  LogProtobufAsJson();
  auto agent = Agent::Create(std::move(config));
  if (!agent.ok()) {
    LogError("start_failed", {{"error", agent.status()}});
    return kFailed;
  }
  (*agent)->Run();
  // All that must last is on disk. What coroutines still hold on each other is not worth unwinding.
  std::fflush(nullptr);
  std::_Exit(kDone);
}

}  // namespace

int RunCommandLine(int argc, char** argv) {
  if (absl::Status hardened = HardenProcess(); !hardened.ok()) return Complain(hardened);
  CLI::App app(
      "The data plane of Sallyport: fronts MCP servers and lets through what a live session "
      "allows.",
      "sallyport-agent");
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "sallyport-agent " SALLYPORT_VERSION);
  std::string path;
  CLI::App* serve = app.add_subcommand("serve", "Serve until SIGTERM");
  serve->add_option("--config", path, "agent.yaml")->required();
  CLI::App* config = app.add_subcommand("config", "Work with a configuration file");
  config->require_subcommand(0, 1);
  CLI::App* check =
      config->add_subcommand("check", "Say whether a configuration is fine, and if not, where");
  check->add_option("FILE", path, "agent.yaml")->required();
  CLI::App* version = app.add_subcommand("version", "Print the version");
  CLI::App* help = app.add_subcommand("help", "Say how a command is used");
  std::vector<std::string> words;
  help->add_option("COMMAND", words, "such as config check; unset: of all");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help goes to stdout.
    if (error.get_exit_code() == 0) return app.exit(error);
    std::cerr << UsageError(app, error);
    return kUsage;
  }
  if (version->parsed()) {
    std::printf("sallyport-agent %s\n", SALLYPORT_VERSION);
    return kDone;
  }
  if (help->parsed()) return ShowHelp(app, words);
  if (check->parsed()) return CheckFile(path);
  if (serve->parsed()) return Serve(path);
  std::cerr << LastOf(app).help();
  return kUsage;
}

}  // namespace sallyport::agent
