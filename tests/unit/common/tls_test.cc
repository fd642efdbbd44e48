#include "common/tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "common/file.h"
#include "tests/fakes/temp_dir.h"
#include "tests/fakes/test_ca.h"

namespace sallyport {
namespace {

TEST_CASE("a key goes to disk for us alone and comes back", "[common][tls]") {
  const TempDir dir;
  const PrivateKey key = GenerateKey();
  REQUIRE(SaveKey(dir / "agent.key", *key).ok());
  struct stat info {};
  REQUIRE(stat((dir / "agent.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto loaded = LoadKey(dir / "agent.key");
  REQUIRE(loaded.ok());
  CHECK(EVP_PKEY_eq(loaded->get(), key.get()) == 1);
  REQUIRE(chmod((dir / "agent.key").c_str(), 0640) == 0);
  CHECK(LoadKey(dir / "agent.key").status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("what is no key is refused, an encrypted one without asking", "[common][tls]") {
  CHECK_FALSE(KeyFromPem("").ok());
  CHECK_FALSE(KeyFromPem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").ok());
  const PrivateKey key = GenerateKey();
  BIO* bio = BIO_new(BIO_s_mem());
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio, key.get(), EVP_aes_256_cbc(), "pw", 2, nullptr,
                                        nullptr) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  CHECK_FALSE(KeyFromPem({data, static_cast<std::size_t>(size)}).ok());
  BIO_free(bio);
}

TEST_CASE("a certificate request carries the key and proves it", "[common][tls]") {
  const PrivateKey key = GenerateKey();
  const auto pem = MakeCertificateRequest(*key, "agent-1");
  REQUIRE(pem.ok());
  BIO* bio = BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size()));
  X509_REQ* request = PEM_read_bio_X509_REQ(bio, nullptr, nullptr, nullptr);
  REQUIRE(request != nullptr);
  CHECK(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1);
  CHECK(EVP_PKEY_eq(X509_REQ_get0_pubkey(request), key.get()) == 1);
  X509_REQ_free(request);
  BIO_free(bio);
}

TEST_CASE("a certificate tells its key, names and times", "[common][tls]") {
  const TestCa ca;
  const PrivateKey key = GenerateKey();
  const auto leaf = CertificatesFromPem(
      ca.Issue(*key, {.uri = "spiffe://sallyport/agent/a", .dns = "a.example"}));
  REQUIRE(leaf.ok());
  CHECK(UriNames(*leaf->front()) == std::vector<std::string>{"spiffe://sallyport/agent/a"});
  CHECK(Matches(*leaf->front(), *key));
  CHECK_FALSE(Matches(*leaf->front(), *GenerateKey()));
  CHECK_FALSE(IsCa(*leaf->front()));
  CHECK(NotAfter(*leaf->front()) - NotBefore(*leaf->front()) == absl::Hours(24));
  const auto root = CertificatesFromPem(ca.pem());
  REQUIRE(root.ok());
  CHECK(IsCa(*root->front()));
  CHECK(SpkiSha256(*root->front()).size() == 64);
  CHECK(SpkiSha256(*root->front()) == ca.pin());
  CHECK(SpkiSha256(*root->front()) != SpkiSha256(*leaf->front()));
}

TEST_CASE("a chain is believed only if it leads to the CA, now", "[common][tls]") {
  const TestCa ca;
  const TestCa other;
  const PrivateKey key = GenerateKey();
  const auto leaf = CertificatesFromPem(ca.Issue(*key, {}));
  const auto root = CertificatesFromPem(ca.pem());
  const auto stranger = CertificatesFromPem(other.pem());
  const absl::Time now = absl::Now();
  CHECK(VerifyChain(*leaf->front(), {}, *root->front(), now).ok());
  CHECK(VerifyChain(*leaf->front(), {}, *stranger->front(), now).code() ==
        absl::StatusCode::kUnauthenticated);
  CHECK_FALSE(VerifyChain(*leaf->front(), {}, *root->front(), now + absl::Hours(25)).ok());
  CHECK_FALSE(VerifyChain(*leaf->front(), {}, *root->front(), now - absl::Hours(2)).ok());
  // A leaf is no CA: what it signed is worth nothing.
  const auto forged = CertificatesFromPem(ca.IssueUnder(*leaf->front(), *key, *GenerateKey()));
  REQUIRE(forged.ok());
  CHECK_FALSE(VerifyChain(*forged->front(), *leaf, *root->front(), now).ok());
}

TEST_CASE("PEM texts are read whole or not at all", "[common][tls]") {
  const TestCa ca;
  const std::string leaf = ca.Issue(*GenerateKey(), {});
  CHECK(CertificatesFromPem(leaf + ca.pem())->size() == 2);
  CHECK_FALSE(CertificatesFromPem("").ok());
  CHECK_FALSE(CertificatesFromPem("hello").ok());
  CHECK_FALSE(
      CertificatesFromPem(leaf + "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n")
          .ok());
  CHECK(CertificateToPem(*CertificatesFromPem(leaf)->front()) == leaf);
}

}  // namespace
}  // namespace sallyport
