#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

// The command line of `sallyport`: one file per noun, each a client of the gRPC API and nothing
// else (`policy test` and `sessions verify FILE` ask nobody).
namespace sallyport::controlplane {

// What a command does when it was chosen and its flags have parsed: returns the exit code (0 done,
// 1 refused or failed, 2 usage) and has printed its errors.
using CommandAction = std::function<int()>;

class CommandLine {
 public:
  CommandLine();
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // The program's root: add_subcommand on it for a further command.
  CLI::App& app() { return *app_; }

  // The action of a leaf command, called once after parsing. A command without one prints its help.
  void OnRun(CLI::App* command, CommandAction action);

  // Parses and runs: help and version go to stdout (0), usage errors to stderr (2).
  int Run(int argc, char** argv);

 private:
  std::unique_ptr<CLI::App> app_;
  std::vector<std::pair<CLI::App*, CommandAction>> actions_;
};

// Everything but `serve` and `config`: main adds those and calls Run.
//
//   CommandLine line;
//   AddClientCommands(line);
//   ... line.app().add_subcommand("serve", ...); line.OnRun(serve, ...);
//   return line.Run(argc, argv);
void AddClientCommands(CommandLine& line);

}  // namespace sallyport::controlplane
