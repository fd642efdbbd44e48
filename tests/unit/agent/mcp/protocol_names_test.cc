#include "agent/mcp/protocol_names.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/mcp/message_scan.h"

namespace sallyport::agent {
namespace {

template <std::size_t n>
void CheckAll(const ProtocolNames& names, const std::string_view (&list)[n]) {
  std::vector<bool> is_taken(n);
  for (const std::string_view name : list) {
    INFO(name);
    const std::size_t place = names.Find(name);
    REQUIRE(place < n);
    CHECK_FALSE(is_taken[place]);
    is_taken[place] = true;
    std::string twin(name);
    for (std::size_t i = 0; i < twin.size(); ++i) {
      if (!((twin[i] >= 'a' && twin[i] <= 'z') || (twin[i] >= 'A' && twin[i] <= 'Z'))) continue;
      twin[i] ^= 0x20;
      CHECK(names.Find(twin) == ProtocolNames::kTwin);
    }
    CHECK(names.Find(std::string(name) + "x") == ProtocolNames::kOther);
    CHECK(names.Find(name.substr(1)) == ProtocolNames::kOther);
  }
}

TEST_CASE("protocol_names finds each name, and its twins", "[agent][mcp]") {
  CheckAll(kRootNames, kRootNameList);
  CheckAll(kMetaNames, kMetaNameList);
  CheckAll(kRefNames, kRefNameList);
  CheckAll(kErrorNames, kErrorNameList);
  CHECK(kParamsNames.Find("Name") == ProtocolNames::kTwin);
  CHECK(kResultNames.Find("ISERROR") == ProtocolNames::kTwin);
}

TEST_CASE("protocol_names folds as the most lenient readers do", "[agent][mcp]") {
  CHECK(kRootNames.Find("param\u017f") == ProtocolNames::kTwin);
  CHECK(kParamsNames.Find("task") < kParamsNames.size());
  CHECK(kParamsNames.Find("ta\u017f\u212a") == ProtocolNames::kTwin);
  CHECK(kParamsNames.Find("ta\u017f") == ProtocolNames::kOther);
  CHECK(kRootNames.Find("m\u00e9thod") == ProtocolNames::kOther);
}

TEST_CASE("protocol_names takes any name", "[agent][mcp]") {
  CHECK(kRootNames.Find("") == ProtocolNames::kOther);
  CHECK(kRootNames.Find(std::string(100, 'x')) == ProtocolNames::kOther);
  CHECK(kRootNames.Find(std::string(100, '\xe2')) == ProtocolNames::kOther);
  // Three bytes for one letter: longer than any name.
  std::string folded;
  for (const char c : std::string("io.modelcontextprotocol/clientCapabilities"))
    c == 's' ? folded += "\u017f" : folded += c;
  CHECK(folded.size() > 42);
  CHECK(kMetaNames.Find(folded) == ProtocolNames::kTwin);
}

}  // namespace
}  // namespace sallyport::agent
