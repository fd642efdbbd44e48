#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/keys/certificate_authority.h"
#include "controlplane/keys/effect_keys.h"
#include "controlplane/keys/grant_signer.h"
#include "controlplane/keys/snapshot_signer.h"

namespace sallyport::controlplane {

// What the database remembers of the keys, by the names of store/meta. nullopt: nothing yet.
struct KeyFingerprints {
  std::optional<std::string> ca;
  std::optional<std::string> grant;
  std::optional<std::string> snapshot;
  std::optional<std::string> effect;
};

// The keys of a deployment, in data_dir/keys (0700): ca.key, grant.key, snapshot.key and effect.key
// (0600); and data_dir/ca.pem, for who wants to trust us.
//
// They are made at the first start and never again: where the database remembers a key, a file that
// is missing or holds another key stops the start with an error that names it, because a silently
// new CA or grant key would cut every agent off.
class DeploymentKeys {
 public:
  // kFailedPrecondition, naming the file, for a lost or foreign key and for a mode that lets others
  // read it. The caller writes `fingerprints()` down once it has returned. `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<DeploymentKeys>> Open(const std::string& data_dir,
                                                              const Clock& clock,
                                                              const KeyFingerprints& remembered);

  const CertificateAuthority& ca() const { return *ca_; }
  const GrantSigner& grant_signer() const { return *grant_signer_; }
  const SnapshotSigner& snapshot_signer() const { return *snapshot_signer_; }
  const EffectKeys& effect_keys() const { return *effect_keys_; }
  KeyFingerprints fingerprints() const;

 private:
  DeploymentKeys() = default;
  std::unique_ptr<CertificateAuthority> ca_;
  std::unique_ptr<GrantSigner> grant_signer_;
  std::unique_ptr<SnapshotSigner> snapshot_signer_;
  std::unique_ptr<EffectKeys> effect_keys_;
};

}  // namespace sallyport::controlplane
