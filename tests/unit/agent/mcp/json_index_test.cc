#include "agent/mcp/json_index.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace sallyport::agent {
namespace {

nlohmann::json Value(const JsonIndex& index, const JsonNode& node) {
  switch (node.type) {
    case JsonType::kObject: {
      auto object = nlohmann::json::object();
      for (const JsonNode& child : index.Children(node))
        object[std::string(child.key)] = Value(index, child);
      return object;
    }
    case JsonType::kArray: {
      auto array = nlohmann::json::array();
      for (const JsonNode& child : index.Children(node)) array.push_back(Value(index, child));
      return array;
    }
    case JsonType::kString:
      return std::string(node.text);
    default:
      return nlohmann::json::parse(index.Raw(node));
  }
}

TEST_CASE("json_index finds the values that another parser finds", "[agent][mcp]") {
  JsonIndex index;
  for (
      const char* text :
      {R"({})", R"([])", R"( { "a" : [ ] , "b" : { } } )", R"([[],[[]],{"x":[{}]}])",
       R"({"a":"\"\\\/\b\f\n\r\t\u0041\ud83d\ude00\u00e9","b":[true,false,null,-0.5e+10,0,12345678901234567890]})",
       "{\"k\u00e9y\\n\":\"v\u00e4l\",\"\":\"\"}", "[\"\\\\\",\"\\\\\\\"\",\"x\\\\\"]"}) {
    INFO(text);
    REQUIRE(index.Parse(text, {}) == JsonError::kNone);
    CHECK(Value(index, index.root()) == nlohmann::json::parse(text));
    CHECK(index.root().next == index.nodes().size());
  }
}

TEST_CASE("json_index says where values stand", "[agent][mcp]") {
  JsonIndex index;
  const std::string text = R"({ "a" : "x\ny" , "b" : [ 1 , {"c":null} ] } )";
  REQUIRE(index.Parse(text, {}) == JsonError::kNone);
  const JsonNode* a = index.Member(&index.root(), "a");
  REQUIRE(a != nullptr);
  CHECK(index.Raw(*a) == R"("x\ny")");
  CHECK(a->is_escaped());
  const JsonNode* b = index.Member(&index.root(), "b");
  REQUIRE(b != nullptr);
  CHECK(index.Raw(*b) == R"([ 1 , {"c":null} ])");
  CHECK(text.substr(b->key_begin, b->key_end - b->key_begin) == R"("b")");
  CHECK(index.Raw(index.root()) == text.substr(0, text.size() - 1));
  CHECK(index.Member(&index.root(), "c") == nullptr);
  CHECK(index.Member(a, "c") == nullptr);
}

TEST_CASE("json_index agrees with another parser on damaged texts", "[agent][mcp]") {
  JsonIndex index;
  std::mt19937 random(20261125);
  const std::string seed =
      R"({"a":[1,-2.5e3,true,false,null,"x\u00e9\ud83d\ude00\\"],"b":{"c":"\"","d":[{}]},"e":" , : ] } "})";
  const std::string alphabet = "{}[]:,\"\\ \t\n0123456789.eE+-truefalsnu/\x01\x7f\xc3\xa9";
  JsonLimits limits;
  limits.allow_repeated_names = true;
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seed;
    const int edits = 1 + static_cast<int>(random() % 3);
    for (int i = 0; i < edits; ++i) {
      const std::size_t at = random() % text.size();
      const char c = alphabet[random() % alphabet.size()];
      switch (random() % 3) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.erase(at, 1 + random() % 4);
          break;
        default:
          text.insert(at, 1, c);
          break;
      }
    }
    const auto theirs = nlohmann::json::parse(text, nullptr, false);
    const JsonError error = index.Parse(text, limits);
    INFO(text);
    if (theirs.is_discarded() || !theirs.is_structured()) {
      CHECK(error != JsonError::kNone);
    } else if (error == JsonError::kNone) {
      ++accepted;
      CHECK(Value(index, index.root()) == theirs);
    } else {
      CHECK(error == JsonError::kNulInName);
    }
  }
  CHECK(accepted > 1000);
}

TEST_CASE("json_index takes repeated names only where it is told to", "[agent][mcp]") {
  JsonIndex index;
  JsonLimits limits;
  CHECK(index.Parse(R"({"a":1,"a":2})", limits) == JsonError::kRepeatedName);
  CHECK(index.nodes().empty());
  limits.allow_repeated_names = true;
  CHECK(index.Parse(R"({"a":1,"a":2})", limits) == JsonError::kNone);
}

TEST_CASE("json_index finds a repeated name wherever it stands", "[agent][mcp]") {
  JsonIndex index;
  for (const int count : {2, 3, 8, 9, 70}) {
    std::vector<std::string> names;
    // Of one length, with one first and one last letter, as is what tells most names apart.
    for (int i = 0; i < count; ++i) names.push_back("n" + std::to_string(100 + i) + "e");
    const auto text = [&] {
      std::string object;
      for (const std::string& name : names)
        object += (object.empty() ? "\"" : ",\"") + name + "\":0";
      return "{\"in\":[{" + object + "}],\"last\":1}";
    };
    CHECK(index.Parse(text(), {}) == JsonError::kNone);
    for (int i = 1; i < count; ++i) {
      const std::string kept = names[i];
      names[i] = names[(i * 7 + 3) % i];
      INFO(text());
      CHECK(index.Parse(text(), {}) == JsonError::kRepeatedName);
      names[i] = kept;
    }
  }
}

TEST_CASE("json_index reads strings up to their closing quotes", "[agent][mcp]") {
  JsonIndex index;
  const std::string text = "[\"a\" \t\r\n ,\"\\\\\",\"\\\"\" ,\"b\\\\\\\"c\",\"\"]";
  REQUIRE(index.Parse(text, {}) == JsonError::kNone);
  std::vector<std::string> found;
  for (const JsonNode& node : index.Children(index.root())) {
    found.emplace_back(node.text);
    CHECK(text[node.begin] == '"');
    CHECK(text[node.end - 1] == '"');
  }
  CHECK(found == std::vector<std::string>{"a", "\\", "\"", "b\\\"c", ""});
}

}  // namespace
}  // namespace sallyport::agent
