#include "agent/call/token_table.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr absl::Duration kMaxAge = absl::Seconds(60);

}  // namespace

TokenTable::Key TokenTable::KeyOf(std::string_view token, std::string_view server) {
  // Neither holds a NUL.
  std::string text;
  text.reserve(server.size() + 1 + token.size());
  text.append(server).push_back('\0');
  text.append(token);
  const std::string digest = Sha256(text);
  Key key;
  std::copy(digest.begin(), digest.end(), key.begin());
  return key;
}

const KnownToken* TokenTable::Find(std::string_view token, std::string_view server,
                                   const AgentSnapshot* snapshot, absl::Time now) {
  if (snapshot != snapshot_) {
    young_.clear();
    old_.clear();
    snapshot_ = snapshot;
  }
  const Key key = KeyOf(token, server);
  if (const auto young = young_.find(key); young != young_.end()) {
    if (young->second.Holds(snapshot, now)) return &young->second;
    young_.erase(young);
    return nullptr;
  }
  const auto old = old_.find(key);
  if (old == old_.end()) return nullptr;
  KnownToken entry = std::move(old->second);
  old_.erase(old);
  return entry.Holds(snapshot, now) ? Put(key, std::move(entry)) : nullptr;
}

KnownToken TokenTable::Add(std::string_view token, std::string_view server,
                           std::shared_ptr<const Caller> caller, absl::Time now) {
  const absl::Time drop_at = std::min(caller->expires_at, now + kMaxAge);
  KnownToken entry{std::move(caller), drop_at};
  if (entry.caller->snapshot.get() == snapshot_) Put(KeyOf(token, server), entry);
  return entry;
}

const KnownToken* TokenTable::Put(const Key& key, KnownToken entry) {
  if (young_.size() >= kGeneration) {
    old_ = std::exchange(young_, {});
    young_.reserve(kGeneration);
  }
  return &(young_[key] = std::move(entry));
}

void TokenTable::Sweep(absl::Time now) {
  if (now < turn_at_) return;
  turn_at_ = now + kMaxAge;
  old_ = std::exchange(young_, {});
}

}  // namespace sallyport::agent
