#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/output.h"

namespace sallyport::controlplane {
namespace {

// As `--help` of the command that the words name has it.
int ShowHelp(const CLI::App& root, const std::vector<std::string>& words) {
  const CLI::App* command = &root;
  std::string name = root.get_name();
  for (const std::string& word : words) {
    const std::vector<const CLI::App*> known = command->get_subcommands({});
    const auto named = std::ranges::find(known, word, &CLI::App::get_name);
    if (named == known.end()) {
      std::fprintf(stderr,
                   "sallyport: there is no command `%s` of `%s`: `sallyport help` lists them\n",
                   Printable(word).c_str(), name.c_str());
      return 2;
    }
    command = *named;
    absl::StrAppend(&name, " ", word);
  }
  // App::help would go down to what was parsed, `help`.
  std::cout << command->get_formatter()->make_help(command, name, CLI::AppFormatMode::Normal);
  return 0;
}

}  // namespace

void AddHelpCommand(CommandLine& line) {
  CLI::App* help = line.app().add_subcommand("help", "Says how a command is used.");
  auto words = std::make_shared<std::vector<std::string>>();
  help->add_option("COMMAND", *words, "such as sessions end; unset: of all");
  line.OnRun(
      help, [&root = line.app(), words] { return ShowHelp(root, *words); }, Prints::kText);
}

}  // namespace sallyport::controlplane
