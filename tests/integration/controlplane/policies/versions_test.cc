#include "common/operator_detail.h"
#include "controlplane/policies/rollback_document.h"
#include "controlplane/store/audit_log.h"
#include "tests/integration/controlplane/policies/fixture.h"

namespace sallyport::controlplane {
namespace {

using Catch::Matchers::Contains;
using types::v1::DOCUMENT_KIND_LOCK;
using types::v1::DOCUMENT_KIND_MASK_PROFILE;
using types::v1::DOCUMENT_KIND_POLICY;

constexpr char kProfile[] = "kind: MaskProfile\nname: house\nspec: {detectors: [aws]}\n";

std::string Text(const absl::Status& status) { return std::string(status.message()); }

struct Versions : Fixture {
  RollbackDocument rollback{*control, clock, {.all = {"okta"}, .with_people = {"okta"}}};

  absl::StatusOr<admin::v1::RollbackDocumentResponse> Rollback(const std::string& name,
                                                               uint64_t to = 0, uint64_t base = 0,
                                                               bool dry_run = false) {
    admin::v1::RollbackDocumentRequest request;
    request.set_kind(DOCUMENT_KIND_POLICY);
    request.set_name(name);
    request.set_to_version(to);
    request.set_base_version(base);
    request.set_dry_run(dry_run);
    return rollback.Run(admin, request);
  }

  absl::StatusOr<admin::v1::ApplyDocumentsResponse> ApplyOn(
      const std::string& yaml, const std::vector<std::pair<std::string, uint64_t>>& bases) {
    admin::v1::ApplyDocumentsRequest request;
    request.add_files()->set_name("f.yaml");
    request.mutable_files(0)->set_text(yaml);
    for (const auto& [name, version] : bases) {
      auto& base = *request.add_base_versions();
      base.set_kind(DOCUMENT_KIND_POLICY);
      base.set_name(name);
      base.set_version(version);
    }
    return apply.Run(admin, request);
  }

  // Newest first: `3 restored 1`, `2 deleted`, `1 applied`; the one in force with a star.
  std::string History(const std::string& name) {
    admin::v1::ListDocumentVersionsRequest request;
    request.set_kind(DOCUMENT_KIND_POLICY);
    request.set_name(name);
    std::string text;
    const auto response = read.Run(request);
    if (!response.ok()) return std::string(response.status().message());
    for (const auto& item : response->items()) {
      text += std::to_string(item.version());
      text += item.change() == admin::v1::VERSION_CHANGE_DELETED    ? " deleted"
              : item.change() == admin::v1::VERSION_CHANGE_RESTORED ? " restored"
                                                                    : " applied";
      if (item.has_restored_from()) text += " " + std::to_string(item.restored_from());
      text += item.is_in_force() ? "*; " : "; ";
    }
    return text;
  }
};

TEST_CASE_METHOD(Versions, "every version of a document stays, with who made it and when",
                 "[policies]") {
  REQUIRE(Apply(APolicy("p")).ok());
  clock.Advance(absl::Minutes(1));
  REQUIRE(Apply(APolicy("p", "  mask: [pii]")).ok());
  REQUIRE(Delete(DOCUMENT_KIND_POLICY, "p").ok());
  CHECK(History("p") == "3 deleted; 2 applied; 1 applied; ");
  CHECK(Apply(APolicy("p", "  mask: [secrets]"))->documents(0).version() == 4);
  CHECK(History("p") == "4 applied*; 3 deleted; 2 applied; 1 applied; ");
  CHECK_THAT(History("q"), Contains("policy/q does not exist"));

  admin::v1::GetDocumentRequest request;
  request.set_kind(DOCUMENT_KIND_POLICY);
  request.set_name("p");
  request.set_version(1);
  const auto first = read.Run(request);
  REQUIRE(first.ok());
  CHECK(first->document().source() == APolicy("p"));
  CHECK(first->document().updated_by() == "local:uid=0");
  request.set_version(3);
  CHECK(read.Run(request)->document().source().empty());
  request.set_version(5);
  CHECK(read.Run(request).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Versions, "versions are listed a page at a time", "[policies]") {
  for (const char* mask : {"[pii]", "[secrets]", "[aws]"}) {
    REQUIRE(Apply(APolicy("p", std::string("  mask: ") + mask)).ok());
  }
  admin::v1::ListDocumentVersionsRequest request;
  request.set_kind(DOCUMENT_KIND_POLICY);
  request.set_name("p");
  request.set_page_size(2);
  const auto page = read.Run(request);
  REQUIRE(page->items_size() == 2);
  CHECK(page->items(1).version() == 2);
  request.set_page_token(page->next_page_token());
  const auto last = read.Run(request);
  REQUIRE(last->items_size() == 1);
  CHECK(last->items(0).version() == 1);
  CHECK(last->next_page_token().empty());
  request.set_page_token("x");
  CHECK(read.Run(request).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE_METHOD(Versions, "a version is never changed or taken away, whoever has the database",
                 "[policies]") {
  REQUIRE(Apply(APolicy("p")).ok());
  auto t = *control->Write();
  const char* statement = GENERATE("delete from document_versions",
                                   "update document_versions set document = x'' where version = 1");
  CHECK_THAT(OperatorDetailOf(t->Prepare(statement).Run()), Contains("append-only"));
}

TEST_CASE_METHOD(Versions, "apply says what a document was before and shows the difference",
                 "[policies]") {
  const auto created = Apply(APolicy("p"));
  CHECK(created->documents(0).previous_version() == 0);
  CHECK_THAT(created->documents(0).diff(), Contains("--- /dev/null\n+++ policy/p version 1\n@@ "));
  const auto changed = Apply(APolicy("p", "  mask: [pii]"), true);
  CHECK(changed->documents(0).previous_version() == 1);
  CHECK_THAT(changed->documents(0).diff(),
             Contains("--- policy/p version 1\n+++ policy/p version 2\n") &&
                 Contains("\n+  mask: [pii]\n"));
  CHECK(Apply(APolicy("p"))->documents(0).diff().empty());
}

TEST_CASE_METHOD(Versions, "a stale base keeps all of a request out and names both versions",
                 "[policies]") {
  REQUIRE(Apply(APolicy("p") + "---\n" + APolicy("q")).ok());
  REQUIRE(Apply(APolicy("p", "  mask: [pii]")).ok());
  const uint64_t snapshot = SnapshotVersion();
  const auto stale =
      ApplyOn(APolicy("q", "  mask: [aws]") + "---\n" + APolicy("p", "  mask: [secrets]"),
              {{"q", 1}, {"p", 1}});
  CHECK(stale.status().code() == absl::StatusCode::kAborted);
  CHECK_THAT(Text(stale.status()), Contains("policy/p") && Contains("from version 1") &&
                                       Contains("version 2 is in force, by local:uid=0"));
  CHECK(SnapshotVersion() == snapshot);
  CHECK(Get(DOCUMENT_KIND_POLICY, "q")->version() == 1);
  CHECK(ApplyOn(APolicy("p", "  mask: [secrets]"), {{"p", 2}})->documents(0).version() == 3);
}

TEST_CASE_METHOD(Versions, "base 0 is for a document that must not be there", "[policies]") {
  REQUIRE(ApplyOn(APolicy("p"), {{"p", 0}}).ok());
  CHECK(ApplyOn(APolicy("p", "  mask: [pii]"), {{"p", 0}}).status().code() ==
        absl::StatusCode::kAborted);
  REQUIRE(Delete(DOCUMENT_KIND_POLICY, "p").ok());
  CHECK_THAT(Text(ApplyOn(APolicy("p"), {{"p", 1}}).status()), Contains("none in force"));
  CHECK(ApplyOn(APolicy("p"), {{"p", 0}})->documents(0).version() == 3);
}

TEST_CASE_METHOD(Versions, "what is there already is no conflict, so that apply can be repeated",
                 "[policies]") {
  REQUIRE(ApplyOn(APolicy("p"), {{"p", 0}}).ok());
  CHECK(ApplyOn(APolicy("p"), {{"p", 0}})->documents(0).change() ==
        admin::v1::CHANGE_KIND_UNCHANGED);
}

TEST_CASE_METHOD(Versions, "a base of no document of the request, or of one twice, is refused",
                 "[policies]") {
  CHECK_THAT(Text(ApplyOn(APolicy("p"), {{"q", 0}}).status()), Contains("policy/q"));
  CHECK_THAT(Text(ApplyOn(APolicy("p"), {{"p", 0}, {"p", 0}}).status()), Contains("twice"));
}

TEST_CASE_METHOD(Versions, "delete refuses a base that is not in force", "[policies]") {
  REQUIRE(Apply(APolicy("p")).ok());
  admin::v1::DeleteDocumentRequest request;
  request.set_kind(DOCUMENT_KIND_POLICY);
  request.set_name("p");
  request.set_base_version(2);
  CHECK(remove.Run(admin, request).status().code() == absl::StatusCode::kAborted);
  request.set_base_version(1);
  CHECK(remove.Run(admin, request).ok());
}

TEST_CASE_METHOD(Versions, "rollback makes a new version with the old content and its audit line",
                 "[policies]") {
  REQUIRE(Apply(APolicy("p")).ok());
  REQUIRE(Apply(APolicy("p", "  mask: [pii]")).ok());
  const uint64_t snapshot = SnapshotVersion();
  const auto back = Rollback("p");
  REQUIRE(back.ok());
  CHECK(back->restored_from() == 1);
  CHECK(back->document().version() == 3);
  CHECK_THAT(back->document().diff(), Contains("\n-  mask: [pii]\n"));
  CHECK(SnapshotVersion() > snapshot);
  CHECK(Get(DOCUMENT_KIND_POLICY, "p")->source() == APolicy("p"));
  CHECK(History("p") == "3 restored 1*; 2 applied; 1 applied; ");
  const auto lines = audit_log::List(**control->Read(), 0, 100);
  CHECK(lines->back().action == "document.put");
  CHECK(lines->back().object == "policy/p");
  CHECK(lines->back().detail == "version 3, the content of version 1");

  CHECK(Rollback("p", 1)->document().change() == admin::v1::CHANGE_KIND_UNCHANGED);
}

TEST_CASE_METHOD(Versions, "each rollback goes further back, and never to what one took away",
                 "[policies]") {
  for (const char* mask : {"[pii]", "[aws]", "[secrets]"}) {
    REQUIRE(Apply(APolicy("p", std::string("  mask: ") + mask)).ok());
  }
  CHECK(Rollback("p")->restored_from() == 2);
  CHECK(Rollback("p")->restored_from() == 1);
  CHECK(Get(DOCUMENT_KIND_POLICY, "p")->source() == APolicy("p", "  mask: [pii]"));
  CHECK_THAT(Text(Rollback("p").status()),
             Contains("there is no version before 1, which is in force again, to go back to"));
  // What is named is put in force, whatever it is; from there it goes back as before.
  CHECK(Rollback("p", 4)->document().version() == 6);
  CHECK(Rollback("p")->restored_from() == 1);
  // What was applied since is newer than all of that.
  REQUIRE(Apply(APolicy("p", "  mask: [aws, pii]")).ok());
  CHECK(Rollback("p")->restored_from() == 7);
}

TEST_CASE_METHOD(Versions, "a deleted document comes back by rollback, as it was last",
                 "[policies]") {
  REQUIRE(Apply(APolicy("p")).ok());
  REQUIRE(Apply(APolicy("p", "  mask: [pii]")).ok());
  REQUIRE(Delete(DOCUMENT_KIND_POLICY, "p").ok());
  const auto back = Rollback("p");
  REQUIRE(back.ok());
  CHECK(back->document().change() == admin::v1::CHANGE_KIND_CREATED);
  CHECK(back->restored_from() == 2);
  CHECK(History("p") == "4 restored 2*; 3 deleted; 2 applied; 1 applied; ");
}

TEST_CASE_METHOD(Versions, "a dry run of a rollback shows and changes nothing", "[policies]") {
  REQUIRE(Apply(APolicy("p")).ok());
  REQUIRE(Apply(APolicy("p", "  mask: [pii]")).ok());
  CHECK_FALSE(Rollback("p", 0, 0, true)->document().diff().empty());
  CHECK(Get(DOCUMENT_KIND_POLICY, "p")->version() == 2);
}

TEST_CASE_METHOD(Versions, "rollback refuses what is not there, a deletion and a stale base",
                 "[policies]") {
  CHECK(Rollback("p").status().code() == absl::StatusCode::kNotFound);
  REQUIRE(Apply(APolicy("p")).ok());
  CHECK(Rollback("p").status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Rollback("p", 7).status().code() == absl::StatusCode::kNotFound);
  REQUIRE(Delete(DOCUMENT_KIND_POLICY, "p").ok());
  CHECK_THAT(Text(Rollback("p", 2).status()), Contains("deletion"));
  REQUIRE(Rollback("p").ok());
  REQUIRE(Apply(APolicy("p", "  mask: [pii]")).ok());
  CHECK(Rollback("p", 1, 3).status().code() == absl::StatusCode::kAborted);
  CHECK(Rollback("p", 1, 4).ok());

  admin::v1::RollbackDocumentRequest request;
  request.set_kind(DOCUMENT_KIND_POLICY);
  request.set_name("p");
  CHECK(ReasonOf(rollback.Run(nobody, request).status()) == types::v1::DENIAL_REASON_ROLE_MISSING);
  request.clear_kind();
  CHECK(rollback.Run(admin, request).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE_METHOD(Versions, "an old version is judged by what holds now", "[policies]") {
  // The realm has gone from the configuration since.
  REQUIRE(Apply(APolicy("ci-bots", "", "ci")).ok());
  REQUIRE(Delete(DOCUMENT_KIND_POLICY, "ci-bots").ok());
  CHECK_THAT(Text(Rollback("ci-bots").status()),
             Contains("policy/ci-bots version 1") && Contains("\"ci\""));
  // The profile has.
  REQUIRE(Apply(APolicy("p", "  mask: [house]") + "---\n" + kProfile).ok());
  REQUIRE(Apply(APolicy("p")).ok());
  REQUIRE(Delete(DOCUMENT_KIND_MASK_PROFILE, "house").ok());
  CHECK_THAT(Text(Rollback("p").status()), Contains("house"));
  CHECK(Get(DOCUMENT_KIND_POLICY, "p")->version() == 2);
}

}  // namespace
}  // namespace sallyport::controlplane
