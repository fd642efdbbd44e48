#include "agent/cli/cli.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/fakes/captured_stderr.h"

namespace sallyport::agent {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

// What the words are told; they are no good.
std::string Told(std::vector<std::string> words) {
  words.insert(words.begin(), "sallyport-agent");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  CapturedStderr told;
  CHECK(RunCommandLine(static_cast<int>(arguments.size()), arguments.data()) == 2);
  return told.Text();
}

TEST_CASE("what is wrong with the words is told with the command and how it is used",
          "[agent][cli]") {
  CHECK_THAT(Told({}), Contains("Usage: sallyport-agent") && Contains("serve"));
  CHECK_THAT(Told({"config"}), Contains("Usage: config") && Contains("check"));
  CHECK(
      Told({"serve"}) ==
      "sallyport-agent serve: --config is missing: agent.yaml\n"
      "Usage: sallyport-agent serve --config VALUE; sallyport-agent serve --help has all of it\n");
  CHECK_THAT(Told({"serve", "--config"}),
             StartsWith("sallyport-agent serve: --config needs a value: agent.yaml\n"));
  CHECK_THAT(Told({"config", "check"}),
             StartsWith("sallyport-agent config check: FILE is missing"));
  CHECK_THAT(Told({"srve"}),
             StartsWith("sallyport-agent: there is no command `srve` of `sallyport-agent`; did you "
                        "mean serve?\nIts commands: serve, config, version, help"));
  CHECK_THAT(
      Told({"serve", "--config", "x", "--confg"}),
      StartsWith("sallyport-agent serve: there is no option --confg; did you mean --config?"));
  CHECK_THAT(Told({"help", "srve"}),
             StartsWith("sallyport-agent: there is no command `srve` of `sallyport-agent`: "
                        "`sallyport-agent help` lists them"));
}

}  // namespace
}  // namespace sallyport::agent
