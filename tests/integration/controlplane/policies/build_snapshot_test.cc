#include "controlplane/policies/build_snapshot.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/policy/compiled_policies.h"
#include "common/snapshot_limits.h"
#include "controlplane/keys/deployment_keys.h"
#include "controlplane/store/agents.h"
#include "tests/integration/controlplane/policies/fixture.h"

namespace sallyport::controlplane {
namespace {

// As anyone may check it who has the certificate, by OpenSSL alone.
bool IsSignedBy(const std::string& certificate_pem, const std::string& bytes,
                const std::string& p1363) {
  BIO* bio = BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  REQUIRE(certificate != nullptr);
  REQUIRE(p1363.size() == 64);
  const auto* raw = reinterpret_cast<const unsigned char*>(p1363.data());
  ECDSA_SIG* signature = ECDSA_SIG_new();
  ECDSA_SIG_set0(signature, BN_bin2bn(raw, 32, nullptr), BN_bin2bn(raw + 32, 32, nullptr));
  unsigned char* der = nullptr;
  const int der_size = i2d_ECDSA_SIG(signature, &der);
  const std::string signed_bytes = "sallyport-snapshot-v1" + bytes;
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, X509_get0_pubkey(certificate));
  const bool is_good = EVP_DigestVerify(context, der, static_cast<std::size_t>(der_size),
                                        reinterpret_cast<const unsigned char*>(signed_bytes.data()),
                                        signed_bytes.size()) == 1;
  EVP_MD_CTX_free(context);
  OPENSSL_free(der);
  ECDSA_SIG_free(signature);
  X509_free(certificate);
  return is_good;
}

struct SnapshotFixture : Fixture {
  std::unique_ptr<DeploymentKeys> keys = *DeploymentKeys::Open(dir.path(), clock, {});
  BuildSnapshot build{*control, clock, keys->snapshot_signer(), keys->effect_keys()};

  SnapshotFixture() { PutAgent("a1", {"files", "wiki"}); }

  // So many policies of a MiB each.
  void PutLarge(int count) {
    const auto t = *control->Write();
    for (int i = 0; i < count; ++i) {
      types::v1::Document document;
      document.set_kind(types::v1::DOCUMENT_KIND_POLICY);
      document.set_name("large-" + std::to_string(i));
      document.mutable_policy()->add_servers("wiki");
      document.mutable_policy()->add_rules()->mutable_allow()->add_tools(
          std::string(std::size_t{1} << 20, 'x'));
      document.set_source("as it was");
      REQUIRE(documents::PutDocument(*t, document, admin, clock.Now()).ok());
    }
    REQUIRE(t->Commit().ok());
  }

  agent::v1::Snapshot Build() {
    const auto built = build.Run("a1", {.issuers = {}, .grant_keys = "{\"keys\":[]}"});
    REQUIRE(built.ok());
    CHECK(IsSignedBy(built->certificate(), built->snapshot(), built->signature()));
    agent::v1::Snapshot snapshot;
    REQUIRE(snapshot.ParseFromString(built->snapshot()));
    return snapshot;
  }
};

template <class Documents>
std::vector<std::string> NamesOf(const Documents& documents) {
  std::vector<std::string> names;
  for (const auto& document : documents) names.push_back(document.name());
  return names;
}

TEST_CASE("a snapshot has the effect keys of the agent's servers and no other",
          "[policies][snapshot]") {
  SnapshotFixture f;
  const agent::v1::Snapshot snapshot = f.Build();
  REQUIRE(snapshot.effect_keys_size() == 2);
  CHECK(snapshot.effect_keys(0).server() == "files");
  CHECK(snapshot.effect_keys(1).server() == "wiki");
  CHECK(snapshot.effect_keys(1).key() == f.keys->effect_keys().For("wiki"));
}

TEST_CASE("a snapshot holds only what names the agent's servers", "[policies][snapshot]") {
  SnapshotFixture f;
  REQUIRE(f.Apply(APolicy("for-wiki", "  mask: [house]") + "---\n" +
                  APolicy("for-git", "  mask: [other]", "okta", "[git]") + "---\n" +
                  APolicy("for-globs", "", "okta", "[\"fi*\"]") + R"(---
kind: MaskProfile
name: house
spec: {detectors: [aws]}
---
kind: MaskProfile
name: other
spec: {detectors: [aws]}
---
kind: Lock
name: all
spec: {}
---
kind: Lock
name: git
spec: {server: git}
---
kind: Lock
name: of-another-agent
spec: {agent: a2}
---
kind: Lock
name: wiki
spec: {server: wiki, agent: a1}
---
kind: Server
name: git
spec: {pin: ignore}
---
kind: Server
name: wiki
spec: {pin: deny}
)")
              .ok());
  const agent::v1::Snapshot snapshot = f.Build();
  CHECK(NamesOf(snapshot.policies()) == std::vector<std::string>{"for-globs", "for-wiki"});
  CHECK(NamesOf(snapshot.mask_profiles()) == std::vector<std::string>{"house"});
  CHECK(NamesOf(snapshot.locks()) == std::vector<std::string>{"all", "wiki"});
  CHECK(NamesOf(snapshot.server_documents()) == std::vector<std::string>{"wiki"});
  CHECK(snapshot.agent() == "a1");
  CHECK(snapshot.servers_size() == 2);
  CHECK(snapshot.grant_keys() == "{\"keys\":[]}");
  CHECK_FALSE(snapshot.deployment_id().empty());
  // Neither the YAML nor who wrote it.
  for (const auto& document : snapshot.policies()) {
    CHECK(document.source().empty());
    CHECK(document.updated_by().empty());
  }
}

TEST_CASE(
    "where an agent would have to know more than it takes, it is told so and lets nothing through",
    "[policies][snapshot]") {
  SnapshotFixture f;
  REQUIRE(f.Apply("kind: Lock\nname: incident\nspec: {server: wiki}\n").ok());
  f.PutLarge(61);
  const agent::v1::Snapshot snapshot = f.Build();
  CHECK(snapshot.ByteSizeLong() < kMaxSnapshotBytes);
  CHECK_THAT(snapshot.withheld(), Catch::Contains("it takes 62914560"));
  CHECK(snapshot.policies().empty());
  CHECK(snapshot.version() == f.SnapshotVersion());
  // Whoever does not know of that is shut, too.
  const std::vector<types::v1::Document> locks(snapshot.locks().begin(), snapshot.locks().end());
  CHECK((*CompiledPolicies::Compile(locks))->LockOn({}, "files", "a1", f.clock.Now()) ==
        "policies-withheld");
}

TEST_CASE("what would be more policies than an agent takes is not applied",
          "[policies][snapshot]") {
  SnapshotFixture f;
  f.PutLarge(31);
  const std::string allow = "  rules: [{allow: {tools: [t]}}]";
  const std::string half =
      "  rules: [{allow: {tools: [" + std::string(std::size_t{600} << 10, 'x') + "]}}]";
  REQUIRE(f.Apply(APolicy("half", half)).ok());
  const uint64_t before = f.SnapshotVersion();
  const auto refused = f.Apply(APolicy("p", allow) + "---\n" + APolicy("q", half));
  CHECK(refused.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(std::string(refused.status().message()),
             Catch::StartsWith("agent a1 would have to know 337") &&
                 Catch::Contains(" and takes 33554432; the largest are policy/large-10 (1048") &&
                 Catch::EndsWith("; nothing was changed"));
  CHECK(f.SnapshotVersion() == before);
  CHECK_FALSE(f.Get(types::v1::DOCUMENT_KIND_POLICY, "p").ok());

  // What is none of the agent's, or shuts something, is; and with less of one there is room.
  CHECK(f.Apply(APolicy("q", half, "okta", "[git]")).ok());
  CHECK(f.Apply("kind: Lock\nname: stop\nspec: {}\n").ok());
  CHECK(f.Apply(APolicy("large-0", allow) + "---\n" + APolicy("q", half)).ok());
}

TEST_CASE("where there is more than an agent takes already, what makes it less is applied",
          "[policies][snapshot]") {
  SnapshotFixture f;
  f.PutLarge(40);
  CHECK_FALSE(f.Apply(APolicy("p")).ok());
  CHECK(f.Apply(APolicy("large-0")).ok());
}

TEST_CASE("what a snapshot holds can be decided with", "[policies][snapshot]") {
  SnapshotFixture f;
  REQUIRE(f.Apply(APolicy("p", "  rules: [{allow: {tools: [t]}}]")).ok());
  const agent::v1::Snapshot snapshot = f.Build();
  const std::vector<types::v1::Document> documents(snapshot.policies().begin(),
                                                   snapshot.policies().end());
  const auto compiled = CompiledPolicies::Compile(documents);
  REQUIRE(compiled.ok());
  types::v1::Principal principal;
  principal.set_realm("okta");
  CHECK((*compiled)->EvaluateOpen(principal, "wiki", "a1", f.clock.Now()).is_allowed());
}

TEST_CASE("a snapshot's version rises with each change, and only then", "[policies][snapshot]") {
  SnapshotFixture f;
  REQUIRE(f.Apply(APolicy("p")).ok());
  const agent::v1::Snapshot first = f.Build();
  REQUIRE(f.Apply(APolicy("p")).ok());
  CHECK(f.Build().version() == first.version());
  REQUIRE(f.Delete(types::v1::DOCUMENT_KIND_POLICY, "p").ok());
  const agent::v1::Snapshot later = f.Build();
  CHECK(later.version() > first.version());
  CHECK(later.epoch() == first.epoch());
  CHECK(later.policies().empty());
}

TEST_CASE("there is no snapshot for an agent that has not enrolled", "[policies][snapshot]") {
  SnapshotFixture f;
  CHECK(f.build.Run("a2", {}).status().code() == absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace sallyport::controlplane
