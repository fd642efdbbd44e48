#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/policy/documents.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

// The step that applying and rolling back share: documents into the store, and what that changed.
namespace sallyport::controlplane {

// What is to be put.
struct NewDocument {
  types::v1::Document document;
  // The version in force that its author has seen; 0: none. nullopt: he does not say.
  std::optional<uint64_t> base_version;
  // 0: applied.
  uint64_t restored_from = 0;
};

// What one document was before, and is now.
struct Replaced {
  std::optional<types::v1::Document> before;
  types::v1::Document after;
  bool is_changed = false;
  // Why it does less than it reads.
  std::vector<std::string> warnings = {};
};

// Puts one document. kAborted, naming it and both versions, where `base_version` is not the one in
// force; what is in force already is no change, whatever the base.
absl::StatusOr<Replaced> PutOver(WriteTransaction& t, const NewDocument& document,
                                 const Caller& caller, absl::Time now);

// What all documents in force must fit, once all of a request is put, for a profile may come with
// its policy: kInvalidArgument where a policy names a mask profile that is not there, by its place
// in `texts` where it stands there; kResourceExhausted where it is more than an agent takes
// (snapshot_documents).
absl::Status CheckInForce(Transaction& t, const std::vector<Replaced>& put,
                          std::span<const NamedText> texts = {});

// Says of what was put why it does less than it reads, or more than who puts it may want. Once all
// of a request is put, for one document may name another.
absl::Status AddWarnings(Transaction& t, const Caller& caller, absl::Time now, Replaced& replaced);

// kAborted where the document in force (nullopt: there is none) is not of version `base`.
absl::Status CheckBase(const std::string& what, const std::optional<types::v1::Document>& in_force,
                       uint64_t base);

// With its diff; made when the transaction is over, for a large one takes its time.
admin::v1::AppliedDocument Describe(const Replaced& replaced);

// As the command line and audit lines name a document: mask-profile/house.
std::string NameOf(types::v1::DocumentKind kind, const std::string& name);

}  // namespace sallyport::controlplane
