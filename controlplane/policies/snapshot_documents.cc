#include "controlplane/policies/snapshot_documents.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/policy/pattern.h"
#include "common/snapshot_limits.h"
#include "common/status_macros.h"
#include "controlplane/store/agents.h"

namespace sallyport::controlplane {
namespace {

using types::v1::Document;

constexpr std::size_t kNamed = 3;

bool CoversOne(const types::v1::PolicySpec& policy, const std::vector<std::string>& servers) {
  return std::any_of(policy.servers().begin(), policy.servers().end(), [&](const auto& pattern) {
    const Glob glob(pattern);
    return std::any_of(servers.begin(), servers.end(),
                       [&](const std::string& server) { return glob.Matches(server); });
  });
}

bool CanShut(const types::v1::LockSpec& lock, const Agent& agent) {
  return (lock.server().empty() || agent.Fronts(lock.server())) &&
         (lock.agent().empty() || lock.agent() == agent.name);
}

// Of what is counted: not of a lock.
std::size_t BytesOf(const Document& document) {
  if (document.has_lock()) return 0;
  return document.ByteSizeLong() - document.source().size() - document.updated_by().size();
}

std::size_t BytesOf(const std::vector<Document*>& documents) {
  return std::accumulate(
      documents.begin(), documents.end(), std::size_t{0},
      [](std::size_t sum, const Document* document) { return sum + BytesOf(*document); });
}

// As they were before `put`.
std::vector<Document> Before(std::vector<Document> all, const std::vector<Replaced>& put) {
  for (const Replaced& one : put) {
    const auto place = std::ranges::find_if(all, [&](const Document& document) {
      return document.kind() == one.after.kind() && document.name() == one.after.name();
    });
    if (one.before.has_value()) {
      *place = *one.before;
    } else {
      all.erase(place);
    }
  }
  return all;
}

absl::Status TooMuch(const Agent& agent, std::vector<Document*> documents) {
  std::ranges::stable_sort(documents, std::greater(),
                           [](const Document* document) { return BytesOf(*document); });
  const std::size_t bytes = BytesOf(documents);
  documents.resize(std::min(documents.size(), kNamed));
  const auto append = [](std::string* out, const Document* document) {
    absl::StrAppend(out, NameOf(document->kind(), document->name()), " (", BytesOf(*document), ")");
  };
  return absl::ResourceExhaustedError(absl::StrCat(
      "agent ", agent.name, " would have to know ", bytes,
      " bytes of policies, mask profiles and servers, and takes ", kMaxPolicyBytes,
      "; the largest are ", absl::StrJoin(documents, ", ", append), "; nothing was changed"));
}

}  // namespace

std::vector<Document*> DocumentsFor(const Agent& agent, std::vector<Document>& all) {
  std::vector<Document*> found;
  std::set<std::string> masks;
  for (Document& document : all) {
    if (!document.has_policy() || !CoversOne(document.policy(), agent.servers)) continue;
    masks.insert(document.policy().mask().begin(), document.policy().mask().end());
    found.push_back(&document);
  }
  for (Document& document : all) {
    if ((document.has_mask_profile() && masks.contains(document.name())) ||
        (document.has_lock() && CanShut(document.lock(), agent)) ||
        (document.has_server() && agent.Fronts(document.name()))) {
      found.push_back(&document);
    }
  }
  return found;
}

Document Bare(Document document) {
  document.clear_source();
  document.clear_updated_by();
  return document;
}

absl::Status CheckSnapshotRoom(Transaction& t, std::vector<Document> all,
                               const std::vector<Replaced>& put) {
  std::size_t bytes = 0;
  for (const Document& document : all) bytes += BytesOf(document);
  if (bytes <= kMaxPolicyBytes) return absl::OkStatus();
  std::vector<Document> before = Before(all, put);
  ASSIGN_OR_RETURN(const std::vector<Agent> agents,
                   agents::List(t, {}, std::numeric_limits<int>::max()));
  for (const Agent& agent : agents) {
    std::vector<Document*> now = DocumentsFor(agent, all);
    // What makes it less is applied, whatever was there before.
    if (BytesOf(now) > std::max(kMaxPolicyBytes, BytesOf(DocumentsFor(agent, before)))) {
      return TooMuch(agent, std::move(now));
    }
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
