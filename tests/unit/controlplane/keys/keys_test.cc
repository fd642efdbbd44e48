#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <jwt/jwt.hpp>
#include <nlohmann/json.hpp>

#include "common/file.h"
#include "common/grant/verify.h"
#include "common/jose/base64url.h"
#include "common/strings.h"
#include "controlplane/keys/deployment_keys.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

struct Deployment {
  TempDir dir;
  FakeClock clock;
  std::string data_dir = dir / "data";

  absl::StatusOr<std::unique_ptr<DeploymentKeys>> Open(const KeyFingerprints& remembered = {}) {
    return DeploymentKeys::Open(data_dir, clock, remembered);
  }
};

Certificate Leaf(const std::string& pem) {
  return std::move(CertificatesFromPem(pem).value().front());
}

// The names of one kind of a certificate, such as DNS:a.
std::string ExtensionText(const X509& certificate, int nid) {
  const int at = X509_get_ext_by_NID(&certificate, nid, -1);
  if (at < 0) return "";
  BIO* bio = BIO_new(BIO_s_mem());
  X509V3_EXT_print(bio, X509_get_ext(&certificate, at), 0, 0);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

GrantClaims Claims(absl::Time now) {
  GrantClaims claims{.deployment_id = "d1",
                     .session_id = "ses_a",
                     .agent = "edge",
                     .server = "wiki",
                     .issuer_id = "okta",
                     .opened_at = now,
                     .expires_at = now + absl::Minutes(5),
                     .issued_at = now};
  claims.principal.set_realm("okta");
  claims.principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  claims.principal.set_subject("b\xc3\xb6t");
  claims.principal.add_groups("okta:\xf0\x9f\x94\x91");
  return claims;
}

TEST_CASE("keys are made at the first start with modes that keep them, and found again", "[keys]") {
  Deployment deployment;
  const auto first = deployment.Open();
  INFO(first.status().ToString());
  REQUIRE(first.ok());
  const KeyFingerprints fingerprints = (*first)->fingerprints();
  CHECK(ModeOf(deployment.data_dir + "/keys") == 0700);
  for (const char* name : {"ca", "grant", "snapshot", "effect"})
    CHECK(ModeOf(deployment.data_dir + "/keys/" + name + ".key") == 0600);
  CHECK(ModeOf(deployment.data_dir + "/ca.pem") == 0644);
  const auto second = deployment.Open(fingerprints);
  REQUIRE(second.ok());
  CHECK((*second)->fingerprints().ca == fingerprints.ca);
  CHECK((*second)->ca().certificate() == (*first)->ca().certificate());
  CHECK((*second)->grant_signer().public_keys() == (*first)->grant_signer().public_keys());
  // Stopped between the making and the remembering.
  CHECK(deployment.Open().ok());
}

TEST_CASE("a key that is lost, foreign or readable by others stops the start and is named",
          "[keys]") {
  Deployment deployment;
  const KeyFingerprints fingerprints = (*deployment.Open())->fingerprints();
  for (const char* name : {"ca", "grant", "snapshot", "effect"}) {
    INFO(name);
    const std::string path = deployment.data_dir + "/keys/" + name + ".key";
    const std::string good = ReadFile(path).value();
    const auto refused = [&] {
      const auto status = deployment.Open(fingerprints).status();
      CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
      return ToStd(status.message()).find(path) != std::string_view::npos;
    };
    REQUIRE(unlink(path.c_str()) == 0);
    CHECK(refused());
    CHECK(access(path.c_str(), F_OK) != 0);  // and it was not made again
    REQUIRE(SaveKey(path, *GenerateKey()).ok());
    CHECK(refused());
    REQUIRE(WriteFileAtomically(path, good, 0640).ok());
    CHECK(refused());
    REQUIRE(WriteFileAtomically(path, good, 0600).ok());
    CHECK(deployment.Open(fingerprints).ok());
  }
}

TEST_CASE("an effect key is the server's own, the same at each start, and another deployment's not",
          "[keys]") {
  Deployment deployment;
  const auto keys = *deployment.Open();
  const std::string wiki = keys->effect_keys().For("wiki");
  CHECK(wiki.size() == 32);
  CHECK(keys->effect_keys().For("wiki-2") != wiki);
  CHECK((*deployment.Open(keys->fingerprints()))->effect_keys().For("wiki") == wiki);
  Deployment other;
  CHECK((*other.Open())->effect_keys().For("wiki") != wiki);
  const std::string path = deployment.data_dir + "/keys/effect.key";
  REQUIRE(WriteFileAtomically(path, ReadFile(other.data_dir + "/keys/effect.key").value()).ok());
  CHECK(deployment.Open(keys->fingerprints()).status().code() ==
        absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a CA certificate of another key stops the start; a lost one is made again", "[keys]") {
  Deployment deployment;
  Deployment other;
  const KeyFingerprints fingerprints = (*deployment.Open())->fingerprints();
  REQUIRE(other.Open().ok());
  const std::string path = deployment.data_dir + "/ca.pem";
  REQUIRE(WriteFileAtomically(path, ReadFile(other.data_dir + "/ca.pem").value(), 0644).ok());
  CHECK(deployment.Open(fingerprints).status().code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(unlink(path.c_str()) == 0);
  const auto again = deployment.Open(fingerprints);
  REQUIRE(again.ok());
  CHECK(SpkiSha256(*Leaf((*again)->ca().certificate())) == fingerprints.ca);
}

TEST_CASE("an agent's certificate names the agent, whatever its request says", "[keys]") {
  Deployment deployment;
  const auto keys = *deployment.Open();
  const CertificateAuthority& ca = keys->ca();
  const PrivateKey key = GenerateKey();
  const auto issued = ca.SignAgent(MakeCertificateRequest(*key, "somebody-else").value(), "edge-1");
  INFO(issued.status().ToString());
  REQUIRE(issued.ok());
  const auto chain = CertificatesFromPem(issued->chain).value();
  REQUIRE(chain.size() == 2);
  const X509& leaf = *chain[0];
  CHECK(UriNames(leaf) == std::vector<std::string>{"spiffe://sallyport/agent/edge-1"});
  CHECK(ExtensionText(leaf, NID_subject_alt_name) == "URI:spiffe://sallyport/agent/edge-1");
  CHECK(ExtensionText(leaf, NID_ext_key_usage) == "TLS Web Client Authentication");
  CHECK(ExtensionText(leaf, NID_key_usage) == "Digital Signature");
  CHECK_FALSE(IsCa(leaf));
  CHECK(Matches(leaf, *key));
  CHECK(NotAfter(leaf) == deployment.clock.Now() + absl::Hours(24));
  CHECK(NotAfter(leaf) == issued->not_after);
  CHECK(NotBefore(leaf) == deployment.clock.Now() - absl::Minutes(5));
  CHECK(VerifyChain(leaf, {}, *chain[1], deployment.clock.Now()).ok());
  CHECK(ca.fingerprint() == SpkiSha256(*chain[1]));
}

TEST_CASE("a request for another kind of key, unsigned or too long gets no certificate", "[keys]") {
  Deployment deployment;
  const auto keys = *deployment.Open();
  const CertificateAuthority& ca = keys->ca();
  const PrivateKey rsa(EVP_RSA_gen(2048));
  const PrivateKey p384(EVP_EC_gen("P-384"));
  std::string tampered = MakeCertificateRequest(*GenerateKey(), "a").value();
  const std::size_t middle = tampered.size() / 2;
  tampered[middle] = tampered[middle] == 'A' ? 'B' : 'A';
  const std::string good = MakeCertificateRequest(*GenerateKey(), "a").value();
  for (const std::string& request :
       {std::string(), std::string("nonsense"), MakeCertificateRequest(*rsa, "a").value(),
        MakeCertificateRequest(*p384, "a").value(), tampered, std::string(20'000, '-') + good}) {
    CHECK(absl::IsInvalidArgument(ca.SignAgent(request, "edge").status()));
  }
  for (const char* name : {"", "Edge", "-edge", "a/b", "a b", "../x"})
    CHECK(absl::IsInvalidArgument(ca.SignAgent(good, name).status()));
  CHECK(ca.SignAgent(good, "edge").ok());
}

TEST_CASE("the doors' certificate has their names and is made again in time", "[keys]") {
  Deployment deployment;
  const auto keys = *deployment.Open();
  const auto server =
      keys->ca().MakeServerIdentity({kAgentsDoor, kEnrollDoor, "localhost", "127.0.0.1", "::1"});
  REQUIRE(server.ok());
  const Certificate leaf = Leaf(server->chain);
  CHECK(ExtensionText(*leaf, NID_subject_alt_name) ==
        "DNS:agents.sallyport, DNS:enroll.sallyport, DNS:localhost, IP Address:127.0.0.1, IP "
        "Address:0:0:0:0:0:0:0:1");
  CHECK(ExtensionText(*leaf, NID_ext_key_usage) == "TLS Web Server Authentication");
  CHECK(Matches(*leaf, *KeyFromPem(server->key).value()));
  CHECK(server->renew_at > deployment.clock.Now());
  CHECK(server->renew_at < server->not_after);
  CHECK(absl::IsInvalidArgument(keys->ca().MakeServerIdentity({}).status()));
  CHECK(absl::IsInvalidArgument(keys->ca().MakeServerIdentity({"a,DNS:evil"}).status()));
}

TEST_CASE("a minted grant is taken by its agent alone, also with names beyond ASCII", "[keys]") {
  Deployment deployment;
  const auto keys = *deployment.Open();
  const GrantSigner& signer = keys->grant_signer();
  const absl::Time now = deployment.clock.Now();
  const auto token = signer.Sign(Claims(now));
  INFO(token.status().ToString());
  REQUIRE(token.ok());
  const auto set = jose::KeySet::Parse(signer.public_keys());
  REQUIRE(set.ok());
  const auto verified = GrantVerifier("d1", "edge", *set).Verify(*token, now);
  INFO(verified.status().ToString());
  REQUIRE(verified.ok());
  CHECK(verified->principal.subject() == "b\xc3\xb6t");
  CHECK(verified->principal.groups(0) == "okta:\xf0\x9f\x94\x91");
  CHECK_FALSE(GrantVerifier("d1", "other", *set).Verify(*token, now).ok());
  CHECK(*signer.Sign(Claims(now)) != *token);
  // A second opinion on the signature.
  const nlohmann::json jwk = nlohmann::json::parse(signer.public_keys())["keys"][0];
  CHECK(jwk["kid"] == signer.fingerprint().substr(0, 16));
  CHECK_FALSE(jwk.contains("d"));
}

TEST_CASE("cpp-jwt's signature primitive agrees about a grant", "[keys]") {
  const PrivateKey key = GenerateKey();
  BIO* bio = BIO_new(BIO_s_mem());
  REQUIRE(PEM_write_bio_PUBKEY(bio, key.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  const std::string pem(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  const auto signer = GrantSigner::Create(KeyFromPem(KeyToPem(*key)).value());
  REQUIRE(signer.ok());
  const std::string token = (*signer)->Sign(Claims(absl::FromUnixSeconds(1'800'000'000))).value();
  const std::size_t dot = token.rfind('.');
  const std::string signed_part = token.substr(0, dot);
  const std::string signature = token.substr(dot + 1);
  const auto good = jwt::PEMSign<jwt::algo::ES256>::verify({pem.data(), pem.size()},
                                                           {signed_part.data(), signed_part.size()},
                                                           {signature.data(), signature.size()});
  CHECK((good.first && !good.second));
  const std::string changed = signed_part + "A";
  const auto bad = jwt::PEMSign<jwt::algo::ES256>::verify({pem.data(), pem.size()},
                                                          {changed.data(), changed.size()},
                                                          {signature.data(), signature.size()});
  CHECK_FALSE((bad.first && !bad.second));
}

TEST_CASE("an incomplete grant is not minted", "[keys]") {
  Deployment deployment;
  const auto keys = *deployment.Open();
  const absl::Time now = deployment.clock.Now();
  const auto refused = [&](auto change) {
    GrantClaims claims = Claims(now);
    change(claims);
    return absl::IsInvalidArgument(keys->grant_signer().Sign(claims).status());
  };
  CHECK(refused([](GrantClaims& c) { c.agent.clear(); }));
  CHECK(refused([](GrantClaims& c) { c.session_id.clear(); }));
  CHECK(refused([](GrantClaims& c) { c.deployment_id.clear(); }));
  CHECK(refused([](GrantClaims& c) { c.server.clear(); }));
  CHECK(refused([](GrantClaims& c) { c.principal.clear_subject(); }));
  CHECK(refused([](GrantClaims& c) { c.terms.set_bind(types::v1::BIND_MODE_ADDRESS); }));
  CHECK(refused([&](GrantClaims& c) { c.expires_at = now; }));
}

TEST_CASE("a snapshot's signature leads to the CA and covers its exact bytes", "[keys]") {
  Deployment deployment;
  const auto keys = *deployment.Open();
  agent::v1::Snapshot snapshot;
  snapshot.set_epoch(1);
  snapshot.set_version(7);
  snapshot.set_agent("edge");
  const agent::v1::SignedSnapshot signed_snapshot = keys->snapshot_signer().Sign(snapshot);
  const Certificate leaf = Leaf(signed_snapshot.certificate());
  CHECK(UriNames(*leaf) == std::vector<std::string>{"spiffe://sallyport/control-plane"});
  CHECK(VerifyChain(*leaf, {}, *Leaf(keys->ca().certificate()), deployment.clock.Now()).ok());
  CHECK(ExtensionText(*leaf, NID_ext_key_usage) == "Code Signing");
  CHECK(signed_snapshot.signature().size() == 64);
  const auto jwk = jose::P256Jwk(*X509_get0_pubkey(leaf.get()), "s").value();
  const auto set = jose::KeySet::Parse(jose::JwkSet({&jwk, 1})).value();
  const auto verifies = [&](const std::string& message) {
    return set.Find("s")->Verify(jose::Algorithm::kEs256, message, signed_snapshot.signature());
  };
  CHECK(verifies("sallyport-snapshot-v1" + signed_snapshot.snapshot()));
  CHECK_FALSE(verifies(signed_snapshot.snapshot()));
  CHECK_FALSE(verifies("sallyport-snapshot-v1" + signed_snapshot.snapshot() + "x"));
}

}  // namespace
}  // namespace sallyport::controlplane
