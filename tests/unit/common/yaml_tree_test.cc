#include "common/yaml_tree.h"

#include <catch2/catch.hpp>
#include <string>

namespace sallyport {
namespace {

std::string ErrorOf(std::string_view text) {
  return std::string(ParseYaml(text, "f.yaml").status().message());
}

std::string JsonOf(std::string_view text) {
  const absl::StatusOr<YamlNode> node = ParseYaml(text, "f.yaml");
  REQUIRE(node.ok());
  const absl::StatusOr<std::string> json = YamlToJson(*node, "f.yaml");
  REQUIRE(json.ok());
  return *json;
}

TEST_CASE("a document becomes a tree whose scalars keep the core schema's types",
          "[common][yaml]") {
  CHECK(
      JsonOf("a: [1, -2.5e3, true, False, null, ~, no, yes, 'true', \"12\", 10.0.0.1, 12:34]\nb: "
             "{c: }\n") ==
      R"({"a":[1,-2.5e3,true,false,null,null,"no","yes","true","12","10.0.0.1","12:34"],"b":{"c":null}})");
  CHECK(JsonOf("t: |\n  one\n  two\n") == R"({"t":"one\ntwo\n"})");
  CHECK(ParseYaml("# nothing\n", "f.yaml")->is_null());
  CHECK(ParseYaml("", "f.yaml")->is_null());
}

TEST_CASE("numbers that readers may take differently are odd", "[common][yaml]") {
  for (const char* text : {"017", "0x1f", "0o17", "0b1", "+5", ".5", "5.", "1_000", ".inf", "-.INF",
                           ".nan", "1.e3", "00"}) {
    CAPTURE(text);
    const absl::StatusOr<YamlNode> node = ParseYaml(text, "f.yaml");
    REQUIRE(node.ok());
    CHECK(TypeOf(*node) == YamlType::kOddNumber);
    CHECK_FALSE(YamlToJson(*node, "f.yaml").ok());
  }
  for (const char* text :
       {"0xyz", "1.2.3", "15m", "4GiB", "2026-12-31", "e5", "-", ".", "..", "1e"}) {
    CAPTURE(text);
    CHECK(TypeOf(*ParseYaml("'" + std::string(text) + "'", "f.yaml")) == YamlType::kString);
    CHECK(TypeOf(YamlNode{.kind = YamlNode::Kind::kScalar, .text = text}) == YamlType::kString);
  }
}

TEST_CASE("lines are the file's", "[common][yaml]") {
  const absl::StatusOr<YamlNode> node = ParseYaml("a: 1\nb:\n  - x\n  - c: 2\n", "f.yaml", 10);
  REQUIRE(node.ok());
  CHECK(node->entries[0].line == 10);
  CHECK(node->entries[1].line == 11);
  CHECK(node->entries[1].value.items[1].entries[0].line == 13);
  CHECK(node->Find("b") == &node->entries[1].value);
  CHECK(node->Find("c") == nullptr);
}

TEST_CASE("a repeated key is refused where it stands, however it is written", "[common][yaml]") {
  CHECK(ErrorOf("a: 1\nb: 2\na: 3\n") ==
        "f.yaml:3:1: repeated key \"a\": line 1 has it, too; keep one");
  CHECK(ErrorOf("a: 1\n'a': 2\n") ==
        "f.yaml:2:1: repeated key \"a\": line 1 has it, too; keep one");
  CHECK(ErrorOf("x:\n  - y: {k: 1, \"\\x6b\": 2}\n") ==
        "f.yaml:2:15: repeated key \"k\" in x[0].y: line 2 has it, too; keep one");
}

TEST_CASE("what hides content is refused", "[common][yaml]") {
  CHECK(ErrorOf("a: &x 1\n") ==
        "f.yaml:1:4: anchors are not accepted: leave it out, and write out what refers to it");
  CHECK(ErrorOf("a: &x {b: 1}\nc: *x\n").find("anchors") != std::string::npos);
  CHECK_FALSE(ParseYaml("a: *x\n", "f.yaml").ok());
  CHECK(ErrorOf("a:\n  <<: {b: 1}\n") ==
        "f.yaml:2:3: merge keys are not accepted: write the keys out");
  CHECK(ErrorOf("a: !!str 1\n") ==
        "f.yaml:1:4: tags are not accepted: leave it out; quotes make a string");
  CHECK(ErrorOf("a: !mine {b: 1}\n") ==
        "f.yaml:1:4: tags are not accepted: leave it out; quotes make a string");
  CHECK(ErrorOf("? [a, b]\n: 1\n").starts_with("f.yaml:1:3: a key must be a single word"));
  CHECK(ErrorOf("? {a: b}\n: 1\n").starts_with("f.yaml:1:3: a key must be a single word"));
  CHECK(ErrorOf("~: 1\n").starts_with("f.yaml:1:1: a key must be a single word"));
  CHECK(ErrorOf("a: 1\n---\nb: 1\n").find("f.yaml:2:1: a second document") == 0);
}

TEST_CASE("what is not plain text is refused", "[common][yaml]") {
  CHECK(ErrorOf("a: 1\nb: \xff\n") == "f.yaml:2:4: not UTF-8: save the file as UTF-8");
  CHECK(ErrorOf(std::string_view("a: 1\0", 5)) == "f.yaml:1:5: a control character: remove it");
  CHECK(ErrorOf("a: 1\nb: \ufeff2") ==
        "f.yaml:2:4: a byte order mark (U+FEFF), which may only begin a file: remove it");
  CHECK_FALSE(ParseYaml(std::string_view("\xfe\xff\0a\0:\0 \0b", 10), "f.yaml").ok());
}

TEST_CASE("broken YAML names its line and column, and what to do", "[common][yaml]") {
  const auto spec = [](const std::string& lines) { return ErrorOf("spec:\n  a: 1\n" + lines); };
  CHECK(spec("\tb: [x]\n") ==
        "f.yaml:3:1: a tab in the indentation: YAML takes spaces alone there");
  CHECK(spec("  \tb: [x]\n") ==
        "f.yaml:3:3: a tab in the indentation: YAML takes spaces alone there");
  CHECK(spec("   b: 1\n").starts_with("f.yaml:3:"));
  CHECK(spec(" b: 1\n") == "f.yaml:3:2: the line is not indented as those before it");
  CHECK(spec("  b: [1, 2\n  c: 3\n").starts_with("f.yaml:"));
  CHECK(ErrorOf("a: b: c\n") ==
        "f.yaml:1:5: a second `:` that makes a key; quote a text that holds one");
  CHECK(ErrorOf("a: {b: 1\n").find("not closed") != std::string::npos);
  CHECK(ErrorOf("a: [1, 2\n").find("not closed") != std::string::npos);
  CHECK(ErrorOf("a: 'x").starts_with("f.yaml:1:"));
  // A tab that indents nothing is none of our business.
  CHECK(ParseYaml("a: |\n  x\n  \ty\nb:\t1\n", "f.yaml").ok());
}

TEST_CASE("hostile sizes and depths are refused and nothing breaks", "[common][yaml]") {
  CHECK(ErrorOf(std::string(65, '[') + std::string(65, ']')) ==
        "f.yaml:1:65: nested deeper than 64");
  CHECK(ParseYaml(std::string(64, '[') + std::string(64, ']'), "f.yaml").ok());
  CHECK_FALSE(ParseYaml(std::string(500'000, '['), "f.yaml").ok());
  CHECK_FALSE(ParseYaml(std::string(500'000, '{'), "f.yaml").ok());
  std::string dashes;
  for (int i = 0; i < 20'000; ++i) dashes += "- ";
  CHECK_FALSE(ParseYaml(dashes, "f.yaml").ok());
  CHECK(ErrorOf(std::string(kMaxYamlBytes + 1, 'a')).find("larger than") != std::string::npos);
  std::string many = "[";
  for (int i = 0; i < 100'001; ++i) many += "1,";
  CHECK(ErrorOf(many + "]").find("more than 100000 values") != std::string::npos);
}

}  // namespace
}  // namespace sallyport
