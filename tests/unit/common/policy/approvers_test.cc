#include "common/policy/approvers.h"

#include "common/denial.h"
#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

const std::vector<std::string> kApprovers = {"okta:approvers", "okta:carol"};

bool MayDecide(const types::v1::Principal& person, const types::v1::Principal& requester,
               const std::vector<std::string>& owners = {}) {
  const absl::Status status = CheckApprover(person, requester, kApprovers, owners);
  if (!status.ok()) CHECK(ReasonOf(status) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
  return status.ok();
}

TEST_CASE("a person of the group, or named, may decide", "[policy][approval]") {
  CHECK(MayDecide(Person("alice", {"okta:approvers"}), Bot()));
  CHECK(MayDecide(Person("carol"), Bot()));
}

TEST_CASE("nobody else may decide", "[policy][approval]") {
  CHECK_FALSE(MayDecide(Person("bob", {"okta:others"}), Bot()));
  CHECK_FALSE(MayDecide(Person("CAROL"), Bot()));
  CHECK_FALSE(MayDecide(Person("bob", {"okta:Approvers"}), Bot()));
}

TEST_CASE("a group of that name in another realm does not count", "[policy][approval]") {
  auto person = Person("alice", {"other:approvers"});
  person.set_realm("other");
  CHECK_FALSE(MayDecide(person, Bot()));
  // Not even if a token of the other realm were to claim ours.
  person.add_groups("okta:approvers");
  CHECK_FALSE(MayDecide(person, Bot()));
  auto namesake = Person("carol");
  namesake.set_realm("other");
  CHECK_FALSE(MayDecide(namesake, Bot()));
}

TEST_CASE("a service may not decide", "[policy][approval]") {
  auto service = Person("carol", {"okta:approvers"});
  service.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK_FALSE(MayDecide(service, Bot()));
}

TEST_CASE("nobody decides on a request of their own, whatever client or kind it came from",
          "[policy][approval]") {
  const auto alice = Person("alice", {"okta:approvers"});
  auto other_client = alice;
  other_client.set_client_id("bot-of-alice");
  other_client.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK_FALSE(MayDecide(alice, alice));
  CHECK_FALSE(MayDecide(alice, other_client));
}

TEST_CASE("owners of a service never count as approvers of its requests", "[policy][approval]") {
  const auto alice = Person("alice", {"okta:approvers", "okta:deploy-team"});
  CHECK_FALSE(MayDecide(alice, Bot(), {"okta:deploy-team"}));
  CHECK_FALSE(MayDecide(alice, Bot(), {"okta:alice"}));
  CHECK(MayDecide(alice, Bot(), {"okta:another-team"}));
}

TEST_CASE("names without a realm or without a rest name nobody", "[policy][approval]") {
  CHECK_FALSE(IsAmong(Person("carol", {"approvers"}), std::vector<std::string>{"approvers"}));
  CHECK_FALSE(IsAmong(Person(""), std::vector<std::string>{"okta:"}));
}

TEST_CASE("a name is split at the first colon", "[policy][approval]") {
  CHECK(IsAmong(Person("bob", {"okta:team:red"}), std::vector<std::string>{"okta:team:red"}));
  CHECK(RealmOf("okta:team:red") == "okta");
}

}  // namespace
}  // namespace sallyport
