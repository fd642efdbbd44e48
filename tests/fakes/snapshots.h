#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "common/jose/key_set.h"
#include "common/policy/documents.h"
#include "common/tls.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"

namespace sallyport {

// For agent `a`, which fronts everything and wiki: one policy, one mask profile, one lock on wiki,
// one issuer `okta` whose keys have the ids given.
inline agent::v1::Snapshot SomeSnapshot(std::uint64_t epoch, std::uint64_t version,
                                        const std::vector<std::string>& key_ids = {"k1"}) {
  agent::v1::Snapshot snapshot;
  snapshot.set_epoch(epoch);
  snapshot.set_version(version);
  snapshot.set_agent("a");
  snapshot.set_deployment_id("d1");
  snapshot.add_servers("everything");
  snapshot.add_servers("wiki");
  const auto documents = ParseDocuments(R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta, client_ids: [bot]}]
  servers: [everything, wiki]
  rules: [{allow: {tools: [echo]}}]
  mask: [house]
---
kind: MaskProfile
name: house
spec: {detectors: [secrets]}
---
kind: Lock
name: incident
spec: {server: wiki}
)",
                                        "test.yaml");
  if (!documents.ok()) std::abort();
  for (const types::v1::Document& document : *documents) {
    auto* list = document.has_policy()   ? snapshot.mutable_policies()
                 : document.has_lock()   ? snapshot.mutable_locks()
                 : document.has_server() ? snapshot.mutable_server_documents()
                                         : snapshot.mutable_mask_profiles();
    *list->Add() = document;
  }
  std::vector<std::string> keys;
  for (const std::string& id : key_ids) keys.push_back(*jose::P256Jwk(*GenerateKey(), id));
  agent::v1::IssuerKeys* issuer = snapshot.add_issuers();
  issuer->mutable_issuer()->set_id("okta");
  issuer->mutable_issuer()->set_issuer("https://okta.example");
  issuer->mutable_issuer()->add_audiences("api://sallyport");
  issuer->set_jwks(jose::JwkSet(keys));
  snapshot.set_grant_keys(
      jose::JwkSet(std::vector<std::string>{*jose::P256Jwk(*GenerateKey(), "g1")}));
  return snapshot;
}

}  // namespace sallyport
