#include "controlplane/rpc/authorize.h"

#include <catch2/catch.hpp>

#include "common/denial.h"

namespace sallyport::controlplane {
namespace {

using types::v1::DenialReason;

Caller Person(PersonCaller person) { return Caller(std::move(person), "192.0.2.1"); }

PersonCaller Manager() {
  PersonCaller person;
  person.principal.set_kind(types::v1::PRINCIPAL_KIND_USER);
  person.may_manage = true;
  return person;
}

DenialReason ReasonFor(Who who, const Caller& caller) { return ReasonOf(Authorize(who, caller)); }

TEST_CASE("nobody may call a method that a door does not serve", "[rpc][authorize]") {
  PersonCaller person = Manager();
  person.is_admin = person.is_auditor = true;
  CHECK_FALSE(Authorize(Who::kNobody, Person(person)).ok());
  CHECK_FALSE(Authorize(Who::kNobody, Caller(AgentCaller{"a"}, "")).ok());
  CHECK_FALSE(Authorize(Who::kNobody, Caller(LocalAdminCaller{0}, "")).ok());
}

TEST_CASE("a caller is let in only where its own kind is named", "[rpc][authorize]") {
  PersonCaller everything = Manager();
  everything.may_access = everything.is_admin = everything.is_auditor = true;
  const Caller agent(AgentCaller{"a"}, "");
  const Caller local(LocalAdminCaller{0}, "");
  const Caller anonymous(AnonymousCaller{}, "");
  const Caller system(SystemCaller{}, "");
  for (const Who who : {Who::kPerson, Who::kCaller, Who::kManager, Who::kUser, Who::kAdmin,
                        Who::kAdminOrAuditor, Who::kAuditor}) {
    CHECK(Authorize(who, Person(everything)).ok());
    for (const Caller* other : {&agent, &local, &anonymous, &system}) {
      CHECK(ReasonFor(who, *other) == types::v1::DENIAL_REASON_ROLE_MISSING);
    }
  }
  CHECK(Authorize(Who::kAgent, agent).ok());
  CHECK_FALSE(Authorize(Who::kAgent, Person(everything)).ok());
  CHECK_FALSE(Authorize(Who::kAgent, local).ok());
  CHECK(Authorize(Who::kLocalAdmin, local).ok());
  CHECK_FALSE(Authorize(Who::kLocalAdmin, Person(everything)).ok());
  CHECK_FALSE(Authorize(Who::kLocalAdmin, system).ok());
}

TEST_CASE("a token for access does not manage, whatever its roles", "[rpc][authorize]") {
  PersonCaller person = Manager();
  person.may_manage = false;
  person.may_access = person.is_admin = person.is_auditor = true;
  for (const Who who :
       {Who::kManager, Who::kUser, Who::kAdmin, Who::kAdminOrAuditor, Who::kAuditor}) {
    CHECK(ReasonFor(who, Person(person)) == types::v1::DENIAL_REASON_TOKEN_INVALID);
  }
  CHECK(Authorize(Who::kCaller, Person(person)).ok());
}

TEST_CASE("a token for management opens no session", "[rpc][authorize]") {
  CHECK(ReasonFor(Who::kCaller, Person(Manager())) == types::v1::DENIAL_REASON_TOKEN_INVALID);
}

TEST_CASE("roles open what is theirs and nothing else", "[rpc][authorize]") {
  PersonCaller admin = Manager();
  admin.is_admin = true;
  PersonCaller auditor = Manager();
  auditor.is_auditor = true;
  PersonCaller approver = Manager();
  approver.is_approver = true;

  CHECK(Authorize(Who::kAdmin, Person(admin)).ok());
  CHECK(Authorize(Who::kAdminOrAuditor, Person(admin)).ok());
  CHECK(ReasonFor(Who::kAuditor, Person(admin)) == types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(ReasonFor(Who::kAdmin, Person(auditor)) == types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(Authorize(Who::kAdminOrAuditor, Person(auditor)).ok());
  CHECK(Authorize(Who::kAuditor, Person(auditor)).ok());
  CHECK_FALSE(Authorize(Who::kAdminOrAuditor, Person(approver)).ok());
  CHECK(Authorize(Who::kManager, Person(approver)).ok());
}

TEST_CASE("a service never decides on an approval", "[rpc][authorize]") {
  PersonCaller service = Manager();
  service.principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  service.is_approver = true;
  CHECK(ReasonFor(Who::kUser, Person(service)) == types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE);
}

}  // namespace
}  // namespace sallyport::controlplane
