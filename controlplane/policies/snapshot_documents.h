#pragma once

#include <vector>

#include "absl/status/status.h"
#include "controlplane/model/agent.h"
#include "controlplane/policies/put_documents.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::controlplane {

// Those of `all`, which are in the order of (kind, name), that the agent must know: the policies
// that can name one of its servers, the mask profiles that these use, the locks that can shut
// something of it, and its servers.
std::vector<types::v1::Document*> DocumentsFor(const Agent& agent,
                                               std::vector<types::v1::Document>& all);

// As it travels: decisions need neither the YAML nor who wrote it.
types::v1::Document Bare(types::v1::Document document);

// kResourceExhausted, naming the largest, where the documents in force (`all`) are more than an
// agent takes, and more than they were before `put`. Locks have a limit of their own
// (store/documents).
absl::Status CheckSnapshotRoom(Transaction& t, std::vector<types::v1::Document> all,
                               const std::vector<Replaced>& put);

}  // namespace sallyport::controlplane
