#include "controlplane/model/approval_texts.h"

#include <catch2/catch.hpp>
#include <string>

#include "common/utf8.h"

namespace sallyport::controlplane {
namespace {

types::v1::Approval AnApproval(size_t bytes) {
  types::v1::Approval approval;
  approval.set_id("apr_1");
  approval.set_arguments(std::string(bytes, 'x'));
  approval.set_other_params(R"({"_meta":{}})");
  approval.add_cut("/token");
  return approval;
}

TEST_CASE("an approval without a long text is its own short form", "[controlplane][model]") {
  const types::v1::Approval approval = AnApproval(kShortTextBytes);
  CHECK(ShortForm(approval).SerializeAsString() == approval.SerializeAsString());
  CHECK_FALSE(LongTexts(approval).has_value());
}

TEST_CASE("a long text is cut, marked and named, and put back whole", "[controlplane][model]") {
  const types::v1::Approval approval = AnApproval(kShortTextBytes + 1);
  const types::v1::Approval shown = ShortForm(approval);
  CHECK(shown.arguments().size() <= kShortTextBytes);
  CHECK(shown.arguments().ends_with("... (cut)"));
  CHECK(shown.other_params() == approval.other_params());
  REQUIRE(shown.shortened_size() == 1);
  CHECK(shown.shortened(0) == "arguments");
  const auto texts = LongTexts(approval);
  REQUIRE(texts.has_value());
  CHECK(texts->other_params().empty());
  CHECK(WithTexts(shown, *texts).SerializeAsString() == approval.SerializeAsString());
}

TEST_CASE("a short form is not cut again", "[controlplane][model]") {
  const types::v1::Approval shown = ShortForm(AnApproval(10 * kShortTextBytes));
  CHECK(ShortForm(shown).SerializeAsString() == shown.SerializeAsString());
  CHECK_FALSE(LongTexts(shown).has_value());
}

TEST_CASE("a text is cut between two characters", "[controlplane][model]") {
  types::v1::Approval approval;
  for (size_t shift = 0; shift < 4; ++shift) {
    std::string text(shift, 'x');
    while (text.size() <= kShortTextBytes) text += "\xf0\x9f\x9a\xaa";
    approval.set_tool_definition(text);
    CHECK(IsUtf8(ShortForm(approval).tool_definition()));
  }
}

TEST_CASE("many masked places are left out, and put back", "[controlplane][model]") {
  types::v1::Approval approval = AnApproval(1);
  for (int i = 0; i < 2000; ++i) approval.add_cut("/a/" + std::to_string(i));
  const types::v1::Approval shown = ShortForm(approval);
  CHECK(shown.cut().empty());
  REQUIRE(shown.shortened_size() == 1);
  CHECK(shown.shortened(0) == "cut");
  CHECK(WithTexts(shown, *LongTexts(approval)).SerializeAsString() == approval.SerializeAsString());
}

}  // namespace
}  // namespace sallyport::controlplane
