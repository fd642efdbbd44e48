#include <memory>
#include <string>
#include <vector>

#include "common/cli/show_help.h"
#include "controlplane/cli/cli.h"

namespace sallyport::controlplane {

void AddHelpCommand(CommandLine& line) {
  CLI::App* help = line.app().add_subcommand("help", "Says how a command is used.");
  auto words = std::make_shared<std::vector<std::string>>();
  help->add_option("COMMAND", *words, "such as sessions end; unset: of all");
  line.OnRun(
      help, [&root = line.app(), words] { return ShowHelp(root, *words); }, Prints::kText);
}

}  // namespace sallyport::controlplane
