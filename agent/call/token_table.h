#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "agent/call/caller.h"

namespace sallyport::agent {

// A token that was verified a moment ago. It holds under the snapshot it was verified with, until
// the token's exp, 60 s at most.
struct KnownToken {
  std::shared_ptr<const Caller> caller;
  absl::Time drop_at;

  bool Holds(const AgentSnapshot* snapshot, absl::Time now) const {
    return caller != nullptr && caller->snapshot.get() == snapshot && now < drop_at;
  }
};

// Known tokens, by a SHA-256 of the token and the server it was shown for: the next call with one
// costs a digest instead of a signature. The last 16,384 are there, up to as many older ones, and
// no more: some 40 MB when it is full. On the loop's thread.
class TokenTable {
 public:
  static constexpr std::size_t kGeneration = 16'384;

  // Null: not known, or no longer. Until the next call.
  const KnownToken* Find(std::string_view token, std::string_view server,
                         const AgentSnapshot* snapshot, absl::Time now);
  // The entry, which is kept unless the snapshot has changed since the last Find.
  KnownToken Add(std::string_view token, std::string_view server,
                 std::shared_ptr<const Caller> caller, absl::Time now);
  // Gives back the memory of what nobody has shown for a minute, also when no call comes.
  void Sweep(absl::Time now);

 private:
  using Key = std::array<unsigned char, 32>;
  using Entries = absl::flat_hash_map<Key, KnownToken>;
  static Key KeyOf(std::string_view token, std::string_view server);
  const KnownToken* Put(const Key& key, KnownToken entry);

  // What was asked for since the young generation was empty; the old one goes when it is full, or a
  // minute old.
  Entries young_;
  Entries old_;
  const AgentSnapshot* snapshot_ = nullptr;
  absl::Time turn_at_ = absl::InfinitePast();
};

}  // namespace sallyport::agent
