#include <cstdio>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nearest_words.h"
#include "common/value.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/output.h"

namespace sallyport::controlplane {
namespace {

constexpr const char* kFooter =
    "Every command takes --addr and --ca-file, and what prints data -o json or -o yaml.\n"
    "Where to: SALLYPORT_ADDR is unix:///path/admin.sock on the control plane's machine (unset: "
    "that "
    "of\nthe default data_dir) or host:port, with SALLYPORT_TOKEN or `sallyport login`, and "
    "SALLYPORT_CA_FILE for a\nprivate CA. Exit codes: 0 done, 1 refused or failed, 2 usage.";

// The innermost command that the words so far have named.
const CLI::App& LastOf(const CLI::App& app) {
  const CLI::App* last = &app;
  while (!last->get_subcommands().empty()) last = last->get_subcommands().front();
  return *last;
}

// `sessions list`: without the program's own name.
std::string CommandName(const CLI::App& command) {
  std::string name = command.get_name();
  for (const CLI::App* up = command.get_parent(); up->get_parent() != nullptr;
       up = up->get_parent()) {
    name = absl::StrCat(up->get_name(), " ", name);
  }
  return name;
}

// A word where a command was expected. Empty: what is wrong is something else.
std::string UnknownCommand(const CLI::App& app) {
  const CLI::App& last = LastOf(app);
  const std::vector<std::string> rest = app.remaining(/*recurse=*/true);
  std::vector<std::string> known;
  for (const CLI::App* command : last.get_subcommands({})) known.push_back(command->get_name());
  if (known.empty() || rest.empty() || rest.front().starts_with("-")) return {};
  const std::string after =
      last.get_parent() == nullptr ? "sallyport" : absl::StrCat("sallyport ", CommandName(last));
  const std::vector<std::string> nearest = NearestWords(rest.front(), known);
  return absl::StrCat(
      "sallyport: there is no command `", Printable(rest.front()), "` of `", after, "`",
      nearest.empty() ? ""
                      : absl::StrCat("; did you mean `", absl::StrJoin(nearest, "` or `"), "`?"),
      "\nIts commands: ", absl::StrJoin(known, ", "), "\n");
}

}  // namespace

CommandLine::CommandLine()
    : app_(std::make_unique<CLI::App>("Just-in-time, recorded, approved access to MCP servers.",
                                      "sallyport")) {
  app_->footer(kFooter);
  app_->require_subcommand(0, 1);
  app_->fallthrough();  // and so every command added later: the flags below may stand anywhere
  app_->add_option("--addr", options_.address, "unix:///path or host:port");
  app_->add_option("--ca-file", options_.ca_file, "the control plane's CA, PEM");
  app_->add_option("-o,--output", options_.format, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
}

CommandLine::~CommandLine() = default;

void CommandLine::OnRun(CLI::App* command, CommandAction action, Prints prints) {
  actions_.push_back({command, std::move(action), prints});
}

int CommandLine::Run(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ExtrasError& error) {
    const std::string complaint = UnknownCommand(*app_);
    if (complaint.empty()) return app_->exit(error) == 0 ? 0 : 2;
    std::cerr << complaint;
    return 2;
  } catch (const CLI::ParseError& error) {
    // CLI11 prints help to stdout (exit 0) and errors to stderr; its own codes are beyond ours.
    return app_->exit(error) == 0 ? 0 : 2;
  }
  for (auto& [command, action, prints] : actions_) {
    if (!command->parsed()) continue;
    if (prints == Prints::kText && app_->get_option("--output")->count() > 0) {
      std::cerr << "sallyport: " << CommandName(*command) << " prints text alone: leave -o out\n";
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
