#include "absl/strings/str_replace.h"
#include "controlplane/store/agents.h"
#include "tests/integration/controlplane/policies/fixture.h"

namespace sallyport::controlplane {
namespace {

using Catch::Matchers::Contains;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST_CASE("apply creates, changes and leaves alone, and says which", "[policies]") {
  Fixture f;
  auto first = f.Apply(APolicy("p"));
  REQUIRE(first.ok());
  CHECK(first->documents(0).change() == admin::v1::CHANGE_KIND_CREATED);
  CHECK(first->documents(0).version() == 1);

  const uint64_t version = f.SnapshotVersion();
  CHECK(f.Apply(APolicy("p"))->documents(0).change() == admin::v1::CHANGE_KIND_UNCHANGED);
  CHECK(f.SnapshotVersion() == version);

  const auto changed = f.Apply(APolicy("p", "  mask: [pii]"));
  CHECK(changed->documents(0).change() == admin::v1::CHANGE_KIND_CHANGED);
  CHECK(changed->documents(0).version() == 2);
  CHECK(f.SnapshotVersion() > version);

  const auto stored = f.Get(types::v1::DOCUMENT_KIND_POLICY, "p");
  REQUIRE(stored.ok());
  CHECK(stored->policy().mask(0) == "pii");
  CHECK(stored->updated_by() == "local:uid=0");
  CHECK_THAT(stored->source(), Contains("mask: [pii]"));
}

TEST_CASE("a document that was saved with other line ends is unchanged", "[policies]") {
  Fixture f;
  REQUIRE(f.Apply(APolicy("p")).ok());
  const auto again = f.Apply(absl::StrReplaceAll(APolicy("p"), {{"\n", "\r\n"}}));
  REQUIRE(again.ok());
  CHECK(again->documents(0).change() == admin::v1::CHANGE_KIND_UNCHANGED);
  CHECK(again->documents(0).diff().empty());
}

TEST_CASE("one bad document keeps all of a request out", "[policies]") {
  Fixture f;
  admin::v1::ApplyDocumentsRequest request;
  for (const auto& [name, text] : {std::pair<std::string, std::string>{"a.yaml", APolicy("good")},
                                   {"b.yaml", "kind: Lock\nname: l\nspec:\n  sever: x\n"}}) {
    auto& file = *request.add_files();
    file.set_name(name);
    file.set_text(text);
  }
  const auto response = f.apply.Run(f.admin, request);
  CHECK(response.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(Text(response.status()), Contains("b.yaml:4:") && Contains("\"sever\""));
  CHECK(f.Get(types::v1::DOCUMENT_KIND_POLICY, "good").status().code() ==
        absl::StatusCode::kNotFound);
}

TEST_CASE("a document in two files of one request is refused", "[policies]") {
  Fixture f;
  admin::v1::ApplyDocumentsRequest request;
  for (const char* name : {"a.yaml", "b.yaml"}) {
    auto& file = *request.add_files();
    file.set_name(name);
    file.set_text(APolicy("p"));
  }
  CHECK_THAT(Text(f.apply.Run(f.admin, request).status()),
             Contains("a.yaml") && Contains("b.yaml"));
}

TEST_CASE("a request without a document is refused", "[policies]") {
  Fixture f;
  CHECK(f.apply.Run(f.admin, {}).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(f.Apply("# nothing\n").status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a dry run answers as if and writes nothing", "[policies]") {
  Fixture f;
  REQUIRE(f.Apply(APolicy("p")).ok());
  const uint64_t version = f.SnapshotVersion();
  const auto response = f.Apply(APolicy("p", "  mask: [pii]") + "---\n" + APolicy("q"), true);
  REQUIRE(response.ok());
  CHECK(response->documents(0).change() == admin::v1::CHANGE_KIND_CHANGED);
  CHECK(response->documents(0).version() == 2);
  CHECK(response->documents(1).change() == admin::v1::CHANGE_KIND_CREATED);
  CHECK(f.SnapshotVersion() == version);
  CHECK(f.Get(types::v1::DOCUMENT_KIND_POLICY, "p")->version() == 1);
  CHECK_FALSE(f.Get(types::v1::DOCUMENT_KIND_POLICY, "q").ok());
  CHECK_FALSE(f.Apply(APolicy("p", "  mask: [typo]"), true).ok());
}

TEST_CASE("a file without a document is told by its name", "[policies]") {
  Fixture f;
  CHECK_THAT(Text(f.Apply("# nothing yet\n").status()),
             Contains("f.yaml: there is no document in it"));
}

TEST_CASE("approvers must be of a realm whose people can sign in", "[policies]") {
  Fixture f;
  const std::string more =
      GENERATE(as<std::string>(), "  session: {approval: {approvers: [\"ci:leads\"]}}",
               "  rules: [{require_approval: {tools: [t], approvers: [\"okta:x\", \"ci:leads\"]}}]",
               "  session: {approval: {approvers: [\"okat:leads\"]}}");
  INFO(more);
  const auto response = f.Apply(APolicy("p", more));
  CHECK(response.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(Text(response.status()),
             Contains("f.yaml") && Contains("Policy p") && Contains(":leads") && Contains("okta"));
  CHECK(f.Apply(APolicy("p", "  session: {approval: {approvers: [\"okta:leads\"]}}")).ok());
}

TEST_CASE("owners must be of a realm whose people can sign in", "[policies]") {
  Fixture f;
  const auto apply = [&](const std::string& owner) {
    return f
        .Apply(
            "kind: Policy\nname: p\nspec:\n  principals: [{realm: okta}, {realm: okta, owners: "
            "[\"" +
            owner + "\"]}]\n  servers: [wiki]\n")
        .status();
  };
  const std::string owner = GENERATE(as<std::string>(), "okat:bob", "ci:leads");
  CHECK_THAT(Text(apply(owner)), Contains("Policy p") && Contains("owner \"" + owner + "\"") &&
                                     Contains("Realms with people: okta"));
  CHECK(apply("okta:bob").ok());
}

TEST_CASE("a claim that no issuer entry of the realm maps is refused", "[policies]") {
  Fixture f;
  const auto apply = [&](const std::string& match) {
    return f
        .Apply("kind: Policy\nname: p\nspec:\n  principals: [" + match + "]\n  servers: [wiki]\n")
        .status();
  };
  CHECK(apply("{realm: okta, claims: {team: pay}}").ok());
  CHECK_THAT(Text(apply("{realm: okta, claims: {taem: pay}}")), Contains("\"taem\""));
  CHECK_THAT(Text(apply("{realm: ci, claims: {team: pay}}")), Contains("realm \"ci\""));
}

TEST_CASE("a realm that no issuer entry has is refused, in policies and in locks", "[policies]") {
  Fixture f;
  CHECK_THAT(Text(f.Apply(APolicy("p", "", "okat")).status()), Contains("okat"));
  CHECK_THAT(Text(f.Apply("kind: Lock\nname: l\nspec: {principal: {realm: okat}}\n").status()),
             Contains("okat"));
  CHECK(f.Apply(APolicy("p", "", "ci")).ok());
}

TEST_CASE("a lock that shuts less than it reads is applied with a word about it", "[policies]") {
  Fixture f;
  f.PutAgent("a1", {"wiki"});
  REQUIRE(f.Apply("kind: Server\nname: later\nspec: {owner: \"okta:team\"}\n").ok());
  const auto warnings = [&](const std::string& spec, bool dry_run = false) {
    const auto applied = f.Apply("kind: Lock\nname: l\nspec: " + spec + "\n", dry_run);
    INFO(applied.status());
    REQUIRE(applied.ok());
    const auto& said = applied->documents(0).warnings();
    return std::vector<std::string>(said.begin(), said.end());
  };
  using Said = std::vector<std::string>;
  CHECK(warnings("{}") == Said{});
  CHECK(warnings("{server: wiki, agent: a1, expires: 2999-01-01T00:00:00Z}") == Said{});
  CHECK(warnings("{server: later}") == Said{});
  CHECK(warnings("{expires: 2020-01-01T00:00:00Z}") ==
        Said{"it ended at 2020-01-01T00:00:00Z and shuts nothing"});
  CHECK(warnings("{server: wikki}", true) ==
        Said{"no agent fronts a server called wikki; did you mean wiki?"});
  // Word for word what is in force: still a mistake.
  warnings("{agent: a7}");
  CHECK(warnings("{agent: a7}") == Said{"there is no agent a7"});
  CHECK(warnings("{server: later, agent: a1}") ==
        Said{"agent a1 does not front later, and the lock shuts only what is both"});
  CHECK(warnings("{principal: {realm: okta, client_id: bot}}") ==
        Said{"nobody called okta:bot has ever had a session or done anything here"});
}

TEST_CASE("who shuts out himself by a lock is told so, and how it is opened", "[policies]") {
  Fixture f;
  PersonCaller person{.may_manage = true, .is_admin = true};
  person.principal.set_realm("okta");
  person.principal.set_subject("dora");
  const Caller dora(person, "10.0.0.1");
  const auto warnings = [&](const std::string& subject) {
    admin::v1::ApplyDocumentsRequest request;
    request.add_files()->set_name("f.yaml");
    request.mutable_files(0)->set_text(
        "kind: Lock\nname: l\nspec: {principal: {realm: okta, subject: " + subject + "}}\n");
    request.set_dry_run(true);
    const auto applied = f.apply.Run(dora, request);
    INFO(applied.status());
    REQUIRE(applied.ok());
    std::string all;
    for (const std::string& warning : applied->documents(0).warnings()) all += warning + "\n";
    return all;
  };
  CHECK_THAT(warnings("dora"), Contains("shuts you out as well") && Contains("admin socket"));
  CHECK_THAT(warnings("alice"), !Contains("shuts you out"));
}

TEST_CASE("a document for a server that no agent fronts, and a trial that is over, are told so",
          "[policies]") {
  Fixture f;
  const auto warning = [&](const std::string& yaml) {
    const auto applied = f.Apply(yaml, /*dry_run=*/true);
    INFO(applied.status());
    REQUIRE(applied.ok());
    const auto& said = applied->documents(0).warnings();
    return said.empty() ? std::string() : said[said.size() - 1];
  };
  CHECK(warning("kind: Server\nname: wiki\nspec: {}\n") == "no agent fronts a server called wiki");
  f.PutAgent("a1", {"wiki"});
  CHECK(warning("kind: Server\nname: wiki\nspec: {}\n").empty());
  CHECK(warning(APolicy("p", "  observe_until: 2020-01-01T00:00:00Z")) ==
        "its `observe_until` was over at 2020-01-01T00:00:00Z: it refuses what it does not allow");
  CHECK(warning(APolicy("p", "  observe_until: 2999-01-01T00:00:00Z")).empty());
}

TEST_CASE("an approval that nobody can give is told", "[policies]") {
  Fixture f;
  f.PutAgent("a1", {"wiki"});
  const auto warnings = [&](const std::string& owners, const std::string& rest) {
    const auto applied = f.Apply(
        "kind: Policy\nname: p\nspec:\n  principals: [{realm: okta, client_ids: [bot]}, "
        "{realm: okta, owners: [" +
            owners + "]}]\n  servers: [wiki]\n" + rest,
        /*dry_run=*/true);
    INFO(applied.status());
    REQUIRE(applied.ok());
    const auto& said = applied->documents(0).warnings();
    return std::vector<std::string>(said.begin(), said.end());
  };
  const std::string of_rule =
      "  rules: [{allow: {tools: [a]}}, {require_approval: {tools: [b], approvers: "
      "[\"okta:x\"]}}]\n";
  CHECK(
      warnings("\"okta:x\", \"okta:y\"", of_rule) ==
      std::vector<std::string>{"nobody can give the approval that rules[1] asks for: all of okta:x "
                               "are owners in principals[1]"});
  CHECK(warnings("\"okta:y\"", of_rule).empty());
  CHECK(warnings("\"okta:x\"", "  session: {approval: {approvers: [\"okta:x\", \"okta:y\"]}}\n")
            .empty());
  CHECK(warnings("\"okta:x\"",
                 "  session: {approval: {approvers: [\"okta:x\"]}}\n  rules: "
                 "[{require_approval: {tools: [b]}}]\n")
            .size() == 2);
}

TEST_CASE("more locks than agents take are not applied, and say what helps", "[policies]") {
  Fixture f;
  const auto lock = [](int i) {
    return "kind: Lock\nname: l-" + std::to_string(i) +
           "\nspec: {server: wiki, reason: " + std::string(std::size_t{500} << 10, 'x') + "}\n";
  };
  int applied = 0;
  absl::Status status;
  while (status.ok() && applied < 20) status = f.Apply(lock(applied++)).status();
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("delete those that are needed no longer"));
  CHECK_FALSE(f.Get(types::v1::DOCUMENT_KIND_LOCK, "l-" + std::to_string(applied - 1)).ok());
  REQUIRE(f.Delete(types::v1::DOCUMENT_KIND_LOCK, "l-0").ok());
  CHECK(f.Apply("kind: Lock\nname: stop\nspec: {}\n").ok());
}

TEST_CASE("a policy for a server of which nobody has heard is told so", "[policies]") {
  Fixture f;
  f.PutAgent("a1", {"wiki", "wiki-dev"});
  using Said = std::vector<std::string>;
  const auto warnings = [&](const std::string& servers, const std::string& more = "") {
    const auto applied = f.Apply(APolicy("p", "", "okta", servers) + more, /*dry_run=*/true);
    INFO(applied.status());
    REQUIRE(applied.ok());
    const auto& said = applied->documents(0).warnings();
    return Said(said.begin(), said.end());
  };
  CHECK(warnings("[wiki, \"wiki-*\", \"*\"]") == Said{});
  CHECK(warnings("[wki, wiki]") == Said{"no agent fronts a server called wki; did you mean wiki?"});
  CHECK(warnings("[\"wki-*\"]") == Said{"no agent fronts a server that wki-* names"});
  // Who speaks of it in the same request is heard, too.
  CHECK(warnings("[later]", "---\nkind: Server\nname: later\nspec: {}\n") == Said{});
}

TEST_CASE("a mask name must be known once everything has been applied", "[policies]") {
  Fixture f;
  CHECK_THAT(Text(f.Apply(APolicy("p", "  mask: [house]")).status()), Contains("house"));
  CHECK_THAT(Text(f.Apply(APolicy("p", "  mask: [house]")).status()), Contains(".yaml:"));
  CHECK_FALSE(f.Get(types::v1::DOCUMENT_KIND_POLICY, "p").ok());
  CHECK(f.Apply(APolicy("p", "  mask: [house]") +
                "---\nkind: MaskProfile\nname: house\nspec: {detectors: [aws]}\n")
            .ok());
  CHECK(f.Apply(APolicy("q", "  mask: [house]")).ok());
}

TEST_CASE("a mask profile that a policy names cannot be deleted", "[policies]") {
  Fixture f;
  REQUIRE(f.Apply(APolicy("p", "  mask: [house]") +
                  "---\nkind: MaskProfile\nname: house\nspec: {detectors: [aws]}\n")
              .ok());
  const absl::Status status = f.Delete(types::v1::DOCUMENT_KIND_MASK_PROFILE, "house");
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(Text(status), Contains("policy p"));
  CHECK(f.Delete(types::v1::DOCUMENT_KIND_POLICY, "p").ok());
  CHECK(f.Delete(types::v1::DOCUMENT_KIND_MASK_PROFILE, "house").ok());
  CHECK(f.Delete(types::v1::DOCUMENT_KIND_MASK_PROFILE, "house").code() ==
        absl::StatusCode::kNotFound);
  CHECK(f.Delete(types::v1::DOCUMENT_KIND_UNSPECIFIED, "house").code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("only admins apply and delete", "[policies]") {
  Fixture f;
  admin::v1::ApplyDocumentsRequest request;
  request.add_files()->set_name("f");
  request.mutable_files(0)->set_text(APolicy("p"));
  CHECK(ReasonOf(f.apply.Run(f.nobody, request).status()) == types::v1::DENIAL_REASON_ROLE_MISSING);
  REQUIRE(f.apply.Run(f.admin, request).ok());
  admin::v1::DeleteDocumentRequest removal;
  removal.set_kind(types::v1::DOCUMENT_KIND_POLICY);
  removal.set_name("p");
  CHECK(ReasonOf(f.remove.Run(f.nobody, removal).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(f.Get(types::v1::DOCUMENT_KIND_POLICY, "p").ok());
}

TEST_CASE("documents are listed by name, a page at a time", "[policies]") {
  Fixture f;
  for (const char* name : {"c", "a", "b"}) REQUIRE(f.Apply(APolicy(name)).ok());
  admin::v1::ListDocumentsRequest request;
  request.set_kind(types::v1::DOCUMENT_KIND_POLICY);
  request.set_page_size(2);
  const auto first = f.read.Run(request);
  REQUIRE(first.ok());
  REQUIRE(first->items_size() == 2);
  CHECK(first->items(0).name() == "a");
  CHECK(first->next_page_token() == "b");
  request.set_page_token(first->next_page_token());
  const auto second = f.read.Run(request);
  REQUIRE(second->items_size() == 1);
  CHECK(second->items(0).name() == "c");
  CHECK(second->next_page_token().empty());
  request.set_page_size(-1);
  CHECK_FALSE(f.read.Run(request).ok());
  CHECK(f.read.Run(admin::v1::ListDocumentsRequest()).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("documents that come behind the lock of who applies them change nothing", "[policies]") {
  Fixture f;
  PersonCaller person{.may_manage = true, .is_admin = true};
  person.principal.set_realm("okta");
  person.principal.set_kind(types::v1::PRINCIPAL_KIND_USER);
  person.principal.set_subject("alice");
  const Caller alice(person, "10.0.0.1");
  REQUIRE(f.Apply("kind: Lock\nname: l\nspec: {principal: {realm: okta, subject: alice}}\n").ok());
  admin::v1::ApplyDocumentsRequest request;
  auto& file = *request.add_files();
  file.set_name("mine.yaml");
  file.set_text(APolicy("mine", "  rules: [{allow: {tools: [echo]}}]"));
  CHECK(ReasonOf(f.apply.Run(alice, request).status()) == types::v1::DENIAL_REASON_LOCKED);
  CHECK_FALSE(f.Get(types::v1::DOCUMENT_KIND_POLICY, "mine").ok());
  admin::v1::DeleteDocumentRequest removal;
  removal.set_kind(types::v1::DOCUMENT_KIND_LOCK);
  removal.set_name("l");
  CHECK(ReasonOf(f.remove.Run(alice, removal).status()) == types::v1::DENIAL_REASON_LOCKED);
  CHECK(f.Get(types::v1::DOCUMENT_KIND_LOCK, "l").ok());
}

}  // namespace
}  // namespace sallyport::controlplane
