#include "controlplane/cli/base_versions.h"

#include <catch2/catch.hpp>

namespace sallyport::controlplane {
namespace {

types::v1::Document ADocument(const std::string& name, uint64_t version) {
  types::v1::Document document;
  document.set_kind(types::v1::DOCUMENT_KIND_MASK_PROFILE);
  document.set_name(name);
  document.set_version(version);
  return document;
}

TEST_CASE("what get prints above a document is what apply reads, and leaves its line", "[cli]") {
  std::string text = SeenLine(ADocument("house", 3)) + "kind: MaskProfile\n---\n" +
                     SeenLine(ADocument("other", 12)) + "kind: MaskProfile\n";
  std::vector<admin::v1::BaseVersion> bases;
  TakeSeenLines(text, bases);
  CHECK(text == "\nkind: MaskProfile\n---\n\nkind: MaskProfile\n");
  REQUIRE(bases.size() == 2);
  CHECK(bases[0].kind() == types::v1::DOCUMENT_KIND_MASK_PROFILE);
  CHECK(bases[0].name() == "house");
  CHECK(bases[0].version() == 3);
  CHECK(bases[1].version() == 12);
}

TEST_CASE("it is read wherever nothing of its document comes before it", "[cli]") {
  const std::string line = SeenLine(ADocument("house", 3));
  const std::string above =
      GENERATE(as<std::string>(), "\xEF\xBB\xBF", "\xEF\xBB\xBF\n", "\n \n", "  ", "\t",
               "# mine\n ", "---\n ", "kind: Policy\n--- # another\n\n  ", "\xEF\xBB\xBF \r\n ");
  std::string text = above + line.substr(0, line.size() - 1) + "  \r\nkind: MaskProfile\n";
  std::vector<admin::v1::BaseVersion> bases;
  TakeSeenLines(text, bases);
  REQUIRE(bases.size() == 1);
  CHECK(bases[0].name() == "house");
  CHECK(text.starts_with(above.substr(0, above.find_last_not_of(" \t") + 1) + "\n"));
  CHECK(text.ends_with("\nkind: MaskProfile\n"));
}

TEST_CASE("no other comment is taken for it", "[cli]") {
  std::string line = SeenLine(ADocument("house", 3));
  line.pop_back();
  const std::string text =
      GENERATE_COPY(std::string("# policy/house version 3\nkind: Policy\n"),
                    "kind: Policy\nspec: |\n " + line + "\n", "--- |\n " + line + "\n",
                    "x\n --- # no\n " + line + "\n", line + " too\n", "#" + line + "\n",
                    "# rule/house" + line.substr(line.find(" version")) + "\n", "");
  std::string kept = text;
  std::vector<admin::v1::BaseVersion> bases;
  TakeSeenLines(kept, bases);
  CHECK(kept == text);
  CHECK(bases.empty());
}

TEST_CASE("a base version names its document, unless there is one alone", "[cli]") {
  const auto base = ParseBaseVersion("mask-profile/house=3", nullptr);
  REQUIRE(base.ok());
  CHECK(base->name() == "house");
  CHECK(base->version() == 3);
  admin::v1::BaseVersion only;
  only.set_kind(types::v1::DOCUMENT_KIND_POLICY);
  only.set_name("bots");
  CHECK(ParseBaseVersion("0", &only)->name() == "bots");
  for (const char* bad : {"3", "house=3", "rule/house=3", "policy/house", "policy/house=x",
                          "policy/house=-1", "policy/=3", ""}) {
    INFO(bad);
    CHECK(ParseBaseVersion(bad, nullptr).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace sallyport::controlplane
