#include "common/cli/usage_error.h"

#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/cli/holds_token.h"
#include "common/nearest_words.h"
#include "common/printable.h"
#include "common/strings.h"

namespace sallyport {
namespace {

// Of a command, of its groups and of those that it is under.
std::vector<const CLI::Option*> OptionsOf(const CLI::App& command) {
  std::vector<const CLI::Option*> all;
  for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) all.push_back(option);
    for (const CLI::App* group : app->get_subcommands({})) {
      if (!group->get_name().empty()) continue;
      for (const CLI::Option* option : group->get_options()) all.push_back(option);
    }
  }
  return all;
}

const CLI::Option* Find(const CLI::App& command, std::string_view name) {
  for (const CLI::Option* option : OptionsOf(command)) {
    if (option->get_name() == name) return option;
  }
  return nullptr;
}

// `: what its help says of it`
std::string About(const CLI::Option& option) {
  const std::string& about = option.get_description();
  return about.empty() ? "" : absl::StrCat(": ", about);
}

std::vector<std::string> CommandsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!command->get_name().empty()) names.push_back(command->get_name());
  }
  return names;
}

std::string Unexpected(const CLI::App& command, const std::string& word) {
  if (word.starts_with("-")) {
    std::vector<std::string> known;
    for (const CLI::Option* option : OptionsOf(command)) {
      for (const std::string& name : option->get_lnames()) {
        known.push_back(absl::StrCat("--", name));
      }
    }
    const std::string option = word.substr(0, word.find('='));
    return absl::StrCat("there is no option ", Printable(option), DidYouMean(option, known));
  }
  // `Bearer` and a token without quotes around both.
  if (HoldsToken(word)) return "a word that may hold a token, and is not shown, is one too many";
  return absl::StrCat("\"", Printable(word), "\" is one word too many");
}

std::string Complaint(const CLI::App& command, const CLI::ParseError& error,
                      const std::vector<std::string>& rest) {
  const std::string_view what = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty()) {
    return Unexpected(command, rest.front());
  }
  for (const CLI::Option* flag : OptionsOf(command)) {
    if (flag->get_items_expected_max() == 0 &&
        what.find(absl::StrCat(" ", flag->get_name(), " = ")) != std::string_view::npos) {
      return absl::StrCat(flag->get_name(), " takes no value", About(*flag));
    }
  }
  const std::string_view name = what.substr(0, what.find_first_of(": "));
  const CLI::Option* const option = Find(command, name);
  if (option != nullptr && what.ends_with(" is required")) {
    return absl::StrCat(option->get_name(), " is missing", About(*option));
  }
  if (option != nullptr && dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr &&
      what.ends_with(" missing")) {
    return absl::StrCat(option->get_name(), " needs a value", About(*option));
  }
  // `--to: "abc": expected ...`
  if (option != nullptr && what.starts_with(absl::StrCat(ToAbsl(name), ": "))) {
    return Printable(absl::StrCat(ToAbsl(name), " ", ToAbsl(what.substr(name.size() + 2))));
  }
  std::string text(what);
  if (!text.empty()) text.front() = absl::ascii_tolower(static_cast<unsigned char>(text.front()));
  return Printable(text);
}

// The words that the command cannot do without.
std::string Usage(const CLI::App& command) {
  std::string usage = absl::StrCat("Usage: ", CommandName(command));
  for (const CLI::Option* option : command.get_options()) {
    const bool is_list = option->get_items_expected_max() > 1;
    if (option->get_positional()) {
      const std::string word = absl::StrCat(option->get_name(), is_list ? "..." : "");
      absl::StrAppend(&usage, " ", option->get_required() ? word : absl::StrCat("[", word, "]"));
    } else if (option->get_required()) {
      absl::StrAppend(&usage, " ", option->get_name(), " VALUE");
    }
  }
  return absl::StrCat(usage, "; ", CommandName(command), " --help has all of it\n");
}

}  // namespace

const CLI::App& LastOf(const CLI::App& app) {
  const CLI::App* last = &app;
  // What has no name is a group of options.
  while (!last->get_subcommands().empty() && !last->get_subcommands().front()->get_name().empty()) {
    last = last->get_subcommands().front();
  }
  return *last;
}

std::string CommandName(const CLI::App& command) {
  std::string name = command.get_name();
  for (const CLI::App* up = command.get_parent(); up != nullptr; up = up->get_parent()) {
    name = absl::StrCat(up->get_name(), " ", name);
  }
  return name;
}

std::string UsageError(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& last = LastOf(app);
  const std::vector<std::string> rest = app.remaining(/*recurse=*/true);
  const std::vector<std::string> commands = CommandsOf(last);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !commands.empty() &&
      !rest.empty() && !rest.front().starts_with("-")) {
    return absl::StrCat(app.get_name(), ": there is no command `", Printable(rest.front()),
                        "` of `", CommandName(last), "`", DidYouMean(rest.front(), commands),
                        "\nIts commands: ", absl::StrJoin(commands, ", "), "\n");
  }
  return absl::StrCat(CommandName(last), ": ", Complaint(last, error, rest), "\n", Usage(last));
}

}  // namespace sallyport
