#pragma once

#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <string>

#include "common/strings.h"
#include "common/tls.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"
#include "tests/fakes/test_ca.h"

namespace sallyport {

// Signs snapshots as a control plane of the CA does, or, under another name, as somebody else.
class FakeSnapshotSigner {
 public:
  explicit FakeSnapshotSigner(const TestCa& ca,
                              const std::string& uri = "spiffe://sallyport/control-plane")
      : key_(GenerateKey()), certificate_(ca.Issue(*key_, {.uri = uri})) {}

  agent::v1::SignedSnapshot Sign(const agent::v1::Snapshot& snapshot) const {
    agent::v1::SignedSnapshot result;
    result.set_snapshot(snapshot.SerializeAsString());
    result.set_certificate(certificate_);
    result.set_signature(SignatureOf("sallyport-snapshot-v1" + result.snapshot()));
    return result;
  }

 private:
  // ES256 in the P1363 form.
  std::string SignatureOf(const std::string& message) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get());
    std::size_t size = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
    EVP_DigestSign(context, nullptr, &size, bytes, message.size());
    std::string der(size, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(der.data()), &size, bytes,
                   message.size());
    EVP_MD_CTX_free(context);
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size));
    std::string signature(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(signature.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32);
    ECDSA_SIG_free(pair);
    return signature;
  }

  PrivateKey key_;
  std::string certificate_;
};

}  // namespace sallyport
