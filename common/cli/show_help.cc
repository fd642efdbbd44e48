#include "common/cli/show_help.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "common/printable.h"

namespace sallyport {

int ShowHelp(const CLI::App& root, const std::vector<std::string>& words) {
  const CLI::App* command = &root;
  std::string name = root.get_name();
  for (const std::string& word : words) {
    const std::vector<const CLI::App*> known = command->get_subcommands({});
    const auto named = std::ranges::find(known, word, &CLI::App::get_name);
    if (named == known.end()) {
      std::cerr << root.get_name() << ": there is no command `" << Printable(word) << "` of `"
                << name << "`: `" << root.get_name() << " help` lists them\n";
      return 2;
    }
    command = *named;
    absl::StrAppend(&name, " ", word);
  }
  // App::help would go down to what was parsed, `help`.
  std::cout << command->get_formatter()->make_help(command, name, CLI::AppFormatMode::Normal);
  return 0;
}

}  // namespace sallyport
