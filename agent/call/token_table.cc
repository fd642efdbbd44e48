#include "agent/call/token_table.h"

#include <algorithm>
#include <utility>

#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxEntries = 4096;
constexpr absl::Duration kMaxAge = absl::Seconds(60);

}  // namespace

const std::string& TokenTable::KeyOf(std::string_view token, std::string_view server) {
  key_ = Sha256(token);
  key_.append(server);
  return key_;
}

std::shared_ptr<const Caller> TokenTable::Find(std::string_view token, std::string_view server,
                                               const AgentSnapshot* snapshot, absl::Time now) {
  if (snapshot != snapshot_) {
    entries_.clear();
    snapshot_ = snapshot;
  }
  const auto place = entries_.find(KeyOf(token, server));
  if (place == entries_.end()) return nullptr;
  if (now < place->second.drop_at) return place->second.caller;
  entries_.erase(place);
  return nullptr;
}

void TokenTable::Add(std::string_view token, std::string_view server,
                     std::shared_ptr<const Caller> caller, absl::Time now) {
  if (caller->snapshot.get() != snapshot_) return;
  // Whoever fills it pays with a signature for each entry; starting over costs the others one more
  // each.
  if (entries_.size() >= kMaxEntries) entries_.clear();
  const absl::Time drop_at = std::min(caller->expires_at, now + kMaxAge);
  entries_[KeyOf(token, server)] = Entry{std::move(caller), drop_at};
}

}  // namespace sallyport::agent
