#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/store/database.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"

namespace sallyport::controlplane {

class EffectKeys;
class SnapshotSigner;

// What one agent must know to enforce alone, signed: its documents (DocumentsFor), the issuers, the
// keys that sign grants, the effect keys of its servers and the pins of their tools. Where that is
// more than an agent takes, one in its place that lets nothing through, and why.
class BuildSnapshot {
 public:
  // What does not come from the tables.
  struct Keys {
    std::vector<agent::v1::IssuerKeys> issuers;
    // JWK Set.
    std::string grant_keys;
  };

  // All of them outlive it.
  BuildSnapshot(Database& control, const Clock& clock, const SnapshotSigner& signer,
                const EffectKeys& effect_keys)
      : control_(control), clock_(clock), signer_(signer), effect_keys_(effect_keys) {}

  // kNotFound where no such agent has enrolled.
  absl::StatusOr<agent::v1::SignedSnapshot> Run(std::string_view agent, const Keys& keys) const;

 private:
  Database& control_;
  const Clock& clock_;
  const SnapshotSigner& signer_;
  const EffectKeys& effect_keys_;
};

}  // namespace sallyport::controlplane
