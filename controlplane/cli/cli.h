#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// The command line of `sallyport`: one file per noun, each a client of the gRPC API and nothing
// else (`policy test` and `sessions verify FILE` ask nobody).
namespace sallyport::controlplane {

// What a command does when it was chosen and its flags have parsed: returns the exit code (0 done,
// 1 refused or failed, 2 usage) and has printed its errors.
using CommandAction = std::function<int()>;

// What `-o` chooses: a command that has nothing but text to print refuses the flag.
enum class Prints { kTableJsonYaml, kText };

// The flags that every client command takes; valid once parsed.
struct ClientOptions {
  // `unix:///path` or `host:port`. Unset: $SALLYPORT_ADDR, then the admin socket of the default
  // data_dir.
  std::string address;
  // PEM. Unset: $SALLYPORT_CA_FILE, then the system's certificates.
  std::string ca_file;
  // Set: in the place of SALLYPORT_TOKEN and of what login kept. No flag: arguments can be seen.
  std::string token = {};
  // table, json or yaml.
  std::string format = "table";
};

class CommandLine {
 public:
  CommandLine();
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // The program's root: add_subcommand on it for a further command.
  CLI::App& app() { return *app_; }
  ClientOptions& options() { return options_; }

  // The action of a leaf command, called once after parsing. A command without one prints its help.
  void OnRun(CLI::App* command, CommandAction action, Prints prints = Prints::kTableJsonYaml);

  // Parses and runs: help and version go to stdout (0), usage errors to stderr (2).
  int Run(int argc, char** argv);

 private:
  std::unique_ptr<CLI::App> app_;
  ClientOptions options_;
  struct Action {
    CLI::App* command;
    CommandAction run;
    Prints prints;
  };
  std::vector<Action> actions_;
};

// Everything but `serve` and `config`: main adds those and calls Run.
//
//   CommandLine line;
//   AddClientCommands(line);
//   ... line.app().add_subcommand("serve", ...); line.OnRun(serve, ...);
//   return line.Run(argc, argv);
void AddClientCommands(CommandLine& line);

// The nouns, in the order in which help lists them.
void AddRequestCommand(CommandLine& line);
void AddLoginCommand(CommandLine& line);
void AddWhoAmICommand(CommandLine& line);
void AddApprovalCommands(CommandLine& line);
void AddNoticeCommands(CommandLine& line);
void AddSessionCommands(CommandLine& line);
void AddApplyCommand(CommandLine& line);
void AddDocumentCommands(CommandLine& line);
void AddExplainCommand(CommandLine& line);
void AddPolicyCommands(CommandLine& line);
void AddAgentCommands(CommandLine& line);
void AddIssuerCommands(CommandLine& line);
void AddToolCommands(CommandLine& line);
void AddVersionCommand(CommandLine& line);
void AddHelpCommand(CommandLine& line);

}  // namespace sallyport::controlplane
