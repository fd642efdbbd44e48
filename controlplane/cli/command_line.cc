#include <cstdio>
#include <iostream>

#include "controlplane/cli/cli.h"

namespace sallyport::controlplane {
namespace {

constexpr const char* kFooter =
    "Where to: SALLYPORT_ADDR is unix:///path/admin.sock on the control plane's machine (unset: "
    "that "
    "of\nthe default data_dir) or host:port, with SALLYPORT_TOKEN or `sallyport login`, and "
    "SALLYPORT_CA_FILE for a\nprivate CA. Exit codes: 0 done, 1 refused or failed, 2 usage.";

}  // namespace

CommandLine::CommandLine()
    : app_(std::make_unique<CLI::App>("Just-in-time, recorded, approved access to MCP servers.",
                                      "sallyport")) {
  app_->footer(kFooter);
  app_->require_subcommand(1);
  app_->fallthrough();  // and so every command added later: the flags below may stand anywhere
  app_->add_option("--addr", options_.address, "unix:///path or host:port");
  app_->add_option("--ca-file", options_.ca_file, "the control plane's CA, PEM");
  app_->add_option("-o,--output", options_.format, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
}

CommandLine::~CommandLine() = default;

void CommandLine::OnRun(CLI::App* command, CommandAction action) {
  actions_.emplace_back(command, std::move(action));
}

int CommandLine::Run(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 prints help to stdout (exit 0) and errors to stderr; its own codes are beyond ours.
    return app_->exit(error) == 0 ? 0 : 2;
  }
  for (auto& [command, action] : actions_) {
    if (command->parsed()) return action();
  }
  const CLI::App* last = app_.get();
  while (!last->get_subcommands().empty()) last = last->get_subcommands().front();
  std::cerr << last->help();
  return 2;
}

void AddClientCommands(CommandLine& line) {
  AddRequestCommand(line);
  AddLoginCommand(line);
  AddWhoAmICommand(line);
  AddApprovalCommands(line);
  AddSessionCommands(line);
  AddDocumentCommands(line);
  AddPolicyCommands(line);
  AddAgentCommands(line);
  AddVersionCommand(line);
}

void AddVersionCommand(CommandLine& line) {
  CLI::App* version = line.app().add_subcommand("version", "Prints the version.");
  line.OnRun(version, [] {
    std::puts("sallyport " SALLYPORT_VERSION);
    return 0;
  });
}

}  // namespace sallyport::controlplane
