#include "controlplane/rpc/roles.h"

#include <catch2/catch.hpp>

namespace sallyport::controlplane {
namespace {

std::shared_ptr<const TrustedIssuers> SomeIssuers() {
  config::v1::Issuer bots;
  bots.set_id("bots");
  bots.set_issuer("https://issuer.example/bots");
  bots.add_audiences("api://sallyport");
  config::v1::Issuer people;
  people.set_id("people");
  people.set_realm("corp");
  people.set_issuer("https://issuer.example/people");
  people.add_audiences("cli");
  people.set_token_kind("id_token");
  auto issuers = TrustedIssuers::Compile({bots, people});
  REQUIRE(issuers.ok());
  return *issuers;
}

PersonCaller WithRoles(const Roles& roles, types::v1::PrincipalKind kind,
                       const std::string& subject, const std::vector<std::string>& groups) {
  PersonCaller person;
  person.principal.set_realm("corp");
  person.principal.set_kind(kind);
  person.principal.set_subject(subject);
  for (const std::string& group : groups) person.principal.add_groups(group);
  roles.Assign(person);
  return person;
}

TEST_CASE("roles come from groups, and for people from their subject", "[rpc][roles]") {
  config::v1::Roles config;
  config.add_admin("corp:admins");
  config.add_auditor("corp:ann");
  const auto roles = Roles::Create(config, *SomeIssuers());
  REQUIRE(roles.ok());

  const auto admin = WithRoles(*roles, types::v1::PRINCIPAL_KIND_USER, "bob", {"corp:admins"});
  CHECK(admin.is_admin);
  CHECK_FALSE(admin.is_auditor);
  CHECK(WithRoles(*roles, types::v1::PRINCIPAL_KIND_USER, "ann", {}).is_auditor);
  // A client that was registered under a person's name is not that person.
  CHECK_FALSE(WithRoles(*roles, types::v1::PRINCIPAL_KIND_SERVICE, "ann", {}).is_auditor);
  CHECK_FALSE(WithRoles(*roles, types::v1::PRINCIPAL_KIND_USER, "eve", {"other:admins"}).is_admin);
}

TEST_CASE("roles of a realm in which nobody can sign in are refused", "[rpc][roles]") {
  for (const char* entry : {"bots:admins", "nowhere:admins", "admins", ":admins", "corp:"}) {
    INFO(entry);
    config::v1::Roles config;
    config.add_approver(entry);
    CHECK(absl::IsInvalidArgument(Roles::Create(config, *SomeIssuers()).status()));
  }
}

}  // namespace
}  // namespace sallyport::controlplane
