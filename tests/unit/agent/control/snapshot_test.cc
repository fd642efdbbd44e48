#include <catch2/catch.hpp>
#include <string>

#include "agent/control/agent_snapshot.h"
#include "agent/control/signed_snapshot.h"
#include "common/policy/session_policy.h"
#include "tests/fakes/snapshot_signer.h"
#include "tests/fakes/snapshots.h"
#include "tests/fakes/test_ca.h"

namespace sallyport::agent {
namespace {

TEST_CASE("a snapshot that the control plane signed is believed", "[agent][control]") {
  const TestCa ca;
  const auto snapshot =
      VerifySnapshot(FakeSnapshotSigner(ca).Sign(SomeSnapshot(3, 7)), ca.pem(), absl::Now());
  REQUIRE(snapshot.ok());
  CHECK(snapshot->epoch() == 3);
  CHECK(snapshot->version() == 7);
}

TEST_CASE("a snapshot that anybody else signed, or that was changed, is not", "[agent][control]") {
  const TestCa ca;
  const auto refused = [&](const v1::SignedSnapshot& snapshot, absl::Time now = absl::Now()) {
    return VerifySnapshot(snapshot, ca.pem(), now).status().code() ==
           absl::StatusCode::kUnauthenticated;
  };
  const v1::SignedSnapshot good = FakeSnapshotSigner(ca).Sign(SomeSnapshot(1, 1));

  v1::SignedSnapshot changed = good;
  changed.set_snapshot(SomeSnapshot(1, 2).SerializeAsString());
  CHECK(refused(changed));
  for (std::size_t at : {std::size_t{0}, std::size_t{31}, std::size_t{32}, std::size_t{63}}) {
    v1::SignedSnapshot bent = good;
    (*bent.mutable_signature())[at] = static_cast<char>(bent.signature()[at] ^ 1);
    CHECK(refused(bent));
  }
  v1::SignedSnapshot unsigned_one = good;
  unsigned_one.clear_signature();
  CHECK(refused(unsigned_one));
  unsigned_one.set_signature(std::string(64, '\0'));
  CHECK(refused(unsigned_one));
  unsigned_one.set_signature(good.signature() + "x");
  CHECK(refused(unsigned_one));

  // An agent's certificate leads to the same CA.
  CHECK(refused(FakeSnapshotSigner(ca, "spiffe://sallyport/agent/a").Sign(SomeSnapshot(1, 1))));
  CHECK(refused(FakeSnapshotSigner(ca, "").Sign(SomeSnapshot(1, 1))));
  CHECK(refused(FakeSnapshotSigner(TestCa()).Sign(SomeSnapshot(1, 1))));
  v1::SignedSnapshot stranger = good;
  stranger.set_certificate(FakeSnapshotSigner(ca).Sign(SomeSnapshot(1, 1)).certificate());
  CHECK(refused(stranger));
  stranger.set_certificate("");
  CHECK(refused(stranger));
  CHECK(refused(good, absl::Now() + absl::Hours(48)));
}

TEST_CASE("a snapshot tells the effect keys of servers, and none that is too short",
          "[agent][control]") {
  v1::Snapshot snapshot = SomeSnapshot(1, 2);
  snapshot.add_effect_keys()->set_server("wiki");
  CHECK_FALSE(AgentSnapshot::Compile(snapshot).ok());
  snapshot.mutable_effect_keys(0)->set_key(std::string(32, 'k'));
  const auto compiled = AgentSnapshot::Compile(snapshot);
  REQUIRE(compiled.ok());
  CHECK((*compiled)->EffectKeyOf("wiki") == std::string(32, 'k'));
  CHECK((*compiled)->EffectKeyOf("files").empty());
}

TEST_CASE("a snapshot is compiled whole", "[agent][control]") {
  const auto snapshot = AgentSnapshot::Compile(SomeSnapshot(1, 2));
  REQUIRE(snapshot.ok());
  CHECK((*snapshot)->agent() == "a");
  CHECK((*snapshot)->Fronts("wiki"));
  CHECK_FALSE((*snapshot)->Fronts("other"));
  CHECK((*snapshot)->mask_profiles().contains("house"));
  CHECK((*snapshot)->issuers()->HasRealm("okta"));
  CHECK((*snapshot)->KeysOf("okta").keys->Find("k1") != nullptr);
  CHECK((*snapshot)->KeysOf("nobody").keys == nullptr);
  types::v1::Principal principal;
  principal.set_realm("okta");
  principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  principal.set_subject("bot");
  CHECK((*snapshot)->policies()->LockOn(principal, "wiki", "a", absl::Now()) == "incident");
  CHECK((*snapshot)->policies()->LockOn(principal, "everything", "a", absl::Now()).empty());
}

types::v1::Principal BotOf(const std::string& client_id) {
  types::v1::Principal principal;
  principal.set_realm("okta");
  principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  principal.set_subject(client_id);
  principal.set_client_id(client_id);
  return principal;
}

TEST_CASE("a policy that cannot be understood gives nothing and refuses whom it names",
          "[agent][control]") {
  v1::Snapshot snapshot = SomeSnapshot(1, 2);
  // The bot may do it by the one, and the other cannot be read.
  types::v1::Document& unread = *snapshot.add_policies();
  unread = snapshot.policies(0);
  unread.set_name("night");
  types::v1::Hours& hours = *unread.mutable_policy()->add_hours();
  hours.set_from("00:00");
  hours.set_to("24:00");
  hours.set_zone("Nowhere/Atall");
  unread.mutable_policy()->clear_servers();
  unread.mutable_policy()->add_servers("everything");
  *snapshot.add_policies() = snapshot.policies(0);
  snapshot.mutable_policies(2)->set_name("other");
  snapshot.mutable_policies(2)->mutable_policy()->mutable_principals(0)->set_client_ids(0, "other");

  const auto compiled = AgentSnapshot::Compile(snapshot);
  REQUIRE(compiled.ok());
  CHECK((*compiled)->not_understood().find("policy night: hours[0]: zone") == 0);
  const auto echo = [&](const char* bot, const char* server) {
    return SessionPolicy::Bind((*compiled)->policies(), BotOf(bot), server)
        ->EvaluateCall({.method = "tools/call", .target = "echo"}, absl::Now());
  };
  CHECK(echo("bot", "everything").verdict == Verdict::kDeny);
  CHECK(echo("bot", "everything").policy == "night");
  CHECK(echo("bot", "wiki").verdict == Verdict::kAllow);
  CHECK(echo("other", "everything").verdict == Verdict::kAllow);
}

TEST_CASE("a snapshot whose policies are withheld lets nothing through", "[agent][control]") {
  v1::Snapshot snapshot = SomeSnapshot(1, 1);
  snapshot.set_withheld("they are too large");
  CHECK(AgentSnapshot::Compile(snapshot).status().message() ==
        "the control plane withholds them: they are too large");
}

TEST_CASE("an issuer that has not been reached has no keys yet", "[agent][control]") {
  v1::Snapshot snapshot = SomeSnapshot(1, 1);
  snapshot.mutable_issuers(0)->clear_jwks();
  const auto compiled = AgentSnapshot::Compile(snapshot);
  REQUIRE(compiled.ok());
  CHECK((*compiled)->KeysOf("okta").keys == nullptr);
}

TEST_CASE("a snapshot with a part that cannot be understood is none", "[agent][control]") {
  const auto broken = [](auto change) {
    v1::Snapshot snapshot = SomeSnapshot(1, 1);
    change(snapshot);
    return AgentSnapshot::Compile(snapshot).status().code() == absl::StatusCode::kInvalidArgument;
  };
  CHECK(broken([](v1::Snapshot& s) { s.set_grant_keys("[]"); }));
  CHECK(broken([](v1::Snapshot& s) { s.mutable_issuers(0)->set_jwks("{"); }));
  CHECK(broken(
      [](v1::Snapshot& s) { s.mutable_issuers(0)->mutable_issuer()->set_preset("no-such"); }));
  CHECK(
      broken([](v1::Snapshot& s) { s.mutable_policies(0)->mutable_policy()->clear_principals(); }));
  CHECK(broken([](v1::Snapshot& s) { s.clear_agent(); }));
  CHECK(broken([](v1::Snapshot& s) { s.clear_deployment_id(); }));
}

}  // namespace
}  // namespace sallyport::agent
