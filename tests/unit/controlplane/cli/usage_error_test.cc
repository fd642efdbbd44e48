#include "common/cli/usage_error.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "controlplane/cli/cli.h"

namespace sallyport::controlplane {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

// What the words are told; empty: they are understood, and nothing is run.
std::string Told(std::vector<std::string> words) {
  CommandLine line;
  AddClientCommands(line);
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    line.app().parse(words);
  } catch (const CLI::ParseError& error) {
    return UsageError(line.app(), error);
  }
  return {};
}

std::string Told(const std::string& words) {
  return Told(std::vector<std::string>(absl::StrSplit(words, ' ')));
}

struct Place {
  std::vector<std::string> command;
  std::string option;
  bool is_positional;
};

// Every option that takes a value, of every command.
std::vector<Place> AllOptions() {
  std::vector<Place> all;
  CommandLine line;
  AddClientCommands(line);
  const std::function<void(const CLI::App&, std::vector<std::string>)> walk =
      [&](const CLI::App& app, const std::vector<std::string>& command) {
        for (const CLI::Option* option : app.get_options()) {
          if (option->get_items_expected_max() == 0) continue;
          all.push_back({command, option->get_name(), option->get_positional()});
        }
        for (const CLI::App* below : app.get_subcommands({})) {
          std::vector<std::string> named = command;
          if (!below->get_name().empty()) named.push_back(below->get_name());
          walk(*below, named);
        }
      };
  walk(line.app(), {});
  return all;
}

TEST_CASE("no command takes a wrong value of an option but with what is expected in its place",
          "[cli]") {
  int refused = 0;
  for (const Place& place : AllOptions()) {
    std::vector<std::string> words = place.command;
    if (!place.is_positional) words.push_back(place.option);
    words.emplace_back("w?rong");
    const std::string told = Told(words);
    INFO(place.option << " in: " << told);
    // Any word will do there, and something else may be missing.
    if (!Contains("w?rong").match(told)) {
      CHECK_THAT(told, !Contains("convert") && !Contains("FAILED") && !Contains("in {"));
      continue;
    }
    ++refused;
    CHECK_THAT(told, Contains(" \"w?rong\": expected ") && StartsWith("sallyport"));
  }
  CHECK(refused >= 14);
}

TEST_CASE("a wrong value is told with what is expected, and an example", "[cli]") {
  CHECK(Told("policy rollback deploy --to abc") ==
        "sallyport policy rollback: --to \"abc\": expected a whole number, 1 or more, such as 4\n"
        "Usage: sallyport policy rollback NAME; sallyport policy rollback --help has all of it\n");
  for (const char* number : {"0", "-1", "+1", "1.5", "0x1", "99999999999999999999"}) {
    CHECK_THAT(Told("get policy p --version " + std::string(number)),
               Contains("--version \"" + std::string(number) + "\": expected a whole number"));
  }
  CHECK(Told("get policy p --version 1").empty());
  CHECK_THAT(Told("sessions list --state activ"),
             Contains("--state \"activ\": expected one of pending, active, ended, denied; did you "
                      "mean active?"));
  CHECK_THAT(Told("get polcy"), Contains("KIND \"polcy\": expected one of policy, mask-profile, "
                                         "lock, server; did you mean policy?"));
  CHECK_THAT(Told("whoami -o xml"),
             Contains("--output \"xml\": expected one of table, json, yaml"));
  CHECK_THAT(Told("policy suggest --principal a:b --since 7days"),
             Contains("--since \"7days\": expected a time back from now, or a time, such as 7d"));
  CHECK_THAT(Told("policy explain --server s --claims {} --at noon"),
             Contains("--at \"noon\": expected a time, such as 2026-"));
  for (const char* base : {"policy/p", "rule/p=1", "p=1", "x", "-1"}) {
    CHECK_THAT(
        Told("apply -f x.yaml --base-version " + std::string(base)),
        Contains("--base-version \"" + std::string(base) + "\": expected KIND/NAME=VERSION"));
  }
  CHECK(Told("apply -f x.yaml --base-version policy/p=1 --base-version mask-profile/m=0").empty());
  CHECK(Told("apply -f x.yaml --base-version 1").empty());
  CHECK_THAT(Told("agents token create --name Wiki_1 --servers wiki"),
             Contains("--name \"Wiki_1\": expected an agent's name, which is [a-z0-9]"));
  CHECK_THAT(Told("agents token create --name wiki-1 --servers wiki,Git"),
             Contains("--servers \"Git\": expected a server's name, which is [a-z0-9]"));
  CHECK(Told("agents token create --name wiki-1 --servers wiki,git").empty());
}

TEST_CASE("a flag that is given a value is told to take none", "[cli]") {
  CHECK_THAT(
      Told("policy rollback p --dry-run=maybe"),
      StartsWith("sallyport policy rollback: --dry-run takes no value: show the difference"));
}

TEST_CASE("what is missing is told with what it is", "[cli]") {
  CHECK(Told("get") ==
        "sallyport get: KIND is missing: policy, mask-profile, server or lock\n"
        "Usage: sallyport get KIND [NAME]; sallyport get --help has all of it\n");
  CHECK_THAT(Told("apply"),
             StartsWith("sallyport apply: --file is missing: a file, a folder, or") &&
                 Contains("Usage: sallyport apply --file VALUE"));
  CHECK_THAT(Told("apply --file"), StartsWith("sallyport apply: --file needs a value: a file"));
  CHECK_THAT(Told("policy explain --server s"),
             StartsWith("sallyport policy explain: exactly 1 option from [--token,--claims]"));
  CHECK_THAT(Told("get policy --version 1"), StartsWith("sallyport get: --version requires NAME"));
}

TEST_CASE("a word that nothing takes is told, and what may have been meant", "[cli]") {
  CHECK_THAT(Told("sessions list --sever wiki"),
             StartsWith("sallyport sessions list: there is no option --sever; did you mean "
                        "--server?"));
  CHECK_THAT(Told("policy explain --claims {} --server s --resorce x"),
             Contains("there is no option --resorce; did you mean --resource?"));
  CHECK_THAT(Told("get policy p more"), StartsWith("sallyport get: \"more\" is one word too many"));
  CHECK_THAT(Told("token explain Bearer eyJsecret"),
             Contains("may hold a token") && !Contains("secret"));
  CHECK_THAT(Told("sessions lst"),
             Contains("no command `lst` of `sallyport sessions`; did you mean "
                      "list?\nIts commands: list,"));
}

}  // namespace
}  // namespace sallyport::controlplane
