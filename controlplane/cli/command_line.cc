#include <algorithm>
#include <cstdio>
#include <iostream>
#include <string>

#include "common/cli/usage_error.h"
#include "common/printable.h"
#include "common/utf8.h"
#include "common/value.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/option_values.h"
#include "controlplane/cli/output.h"

namespace sallyport::controlplane {
namespace {

constexpr const char* kFooter =
    "Every command takes --addr and --ca-file, and what prints data -o json or -o yaml.\n"
    "Where to: SALLYPORT_ADDR is unix:///path/admin.sock on the control plane's machine (unset: "
    "that "
    "of\nthe default data_dir) or host:port, with SALLYPORT_TOKEN or `sallyport login`, and "
    "SALLYPORT_CA_FILE for a\nprivate CA. Exit codes: 0 done, 1 refused or failed, 2 usage.";

// A word without a flag that is there and names nothing, as of a variable of a script that is not
// set. Empty: there is none.
std::string EmptyWord(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional() && std::ranges::count(option->results(), "") > 0)
      return option->get_name();
  }
  return {};
}

// What is asked of the control plane is UTF-8. Empty: all words are.
std::string WordThatIsNoText(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (!IsUtf8(argv[i])) return Printable(argv[i]);
  }
  return {};
}

}  // namespace

CommandLine::CommandLine()
    : app_(std::make_unique<CLI::App>("Just-in-time, recorded, approved access to MCP servers.",
                                      "sallyport")) {
  app_->footer(kFooter);
  app_->require_subcommand(0, 1);
  app_->fallthrough();  // and so every command added later: the flags below may stand anywhere
  app_->set_version_flag("--version", "sallyport " SALLYPORT_VERSION);
  app_->add_option("--addr", options_.address, "unix:///path or host:port");
  app_->add_option("--ca-file", options_.ca_file, "the control plane's CA, PEM");
  app_->add_option("-o,--output", options_.format, "table, json or yaml")
      ->check(OneOf({"table", "json", "yaml"}))
      ->capture_default_str();
}

CommandLine::~CommandLine() = default;

void CommandLine::OnRun(CLI::App* command, CommandAction action, Prints prints) {
  actions_.push_back({command, std::move(action), prints});
}

int CommandLine::Run(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help goes to stdout.
    if (error.get_exit_code() == 0) return app_->exit(error);
    std::cerr << UsageError(*app_, error);
    return 2;
  }
  for (auto& [command, action, prints] : actions_) {
    if (!command->parsed()) continue;
    if (prints == Prints::kText && app_->get_option("--output")->count() > 0) {
      std::cerr << CommandName(*command) << ": it prints text alone: leave -o out\n";
      return 2;
    }
    if (const std::string name = EmptyWord(*command); !name.empty()) {
      std::cerr << CommandName(*command) << ": " << name << " is empty\n";
      return 2;
    }
    if (const std::string word = WordThatIsNoText(argc, argv);
        prints != Prints::kText && !word.empty()) {
      std::cerr << CommandName(*command) << ": \"" << word << "\" is not UTF-8\n";
      return 2;
    }
    return action();
  }
  std::cerr << LastOf(*app_).help();
  return 2;
}

void AddClientCommands(CommandLine& line) {
  AddRequestCommand(line);
  AddLoginCommand(line);
  AddWhoAmICommand(line);
  AddApprovalCommands(line);
  AddNoticeCommands(line);
  AddSessionCommands(line);
  AddApplyCommand(line);
  AddDocumentCommands(line);
  AddExplainCommand(line);
  AddPolicyCommands(line);
  AddAgentCommands(line);
  AddIssuerCommands(line);
  AddToolCommands(line);
  AddVersionCommand(line);
  AddHelpCommand(line);
}

void AddVersionCommand(CommandLine& line) {
  CLI::App* version = line.app().add_subcommand("version", "Prints the version.");
  line.OnRun(version, [&format = line.options().format] {
    if (format == "table") {
      std::puts("sallyport " SALLYPORT_VERSION);
    } else {
      Value value = Value::Object();
      value.members.push_back({"version", Value::String(SALLYPORT_VERSION)});
      PrintValue(value, format);
    }
    return 0;
  });
}

}  // namespace sallyport::controlplane
