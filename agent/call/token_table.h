#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/time/time.h"
#include "agent/call/caller.h"

namespace sallyport::agent {

// Tokens that were verified a moment ago, by their SHA-256 and the server they were shown for: the
// next call with one costs a digest instead of a signature. An entry holds under the snapshot it
// was made with, until the token's exp, 60 s at most. On the loop's thread.
class TokenTable {
 public:
  // Null: not known, or no longer.
  std::shared_ptr<const Caller> Find(std::string_view token, std::string_view server,
                                     const AgentSnapshot* snapshot, absl::Time now);
  void Add(std::string_view token, std::string_view server, std::shared_ptr<const Caller> caller,
           absl::Time now);

 private:
  struct Entry {
    std::shared_ptr<const Caller> caller;
    absl::Time drop_at;
  };
  const std::string& KeyOf(std::string_view token, std::string_view server);

  std::unordered_map<std::string, Entry> entries_;
  const AgentSnapshot* snapshot_ = nullptr;
  std::string key_;
};

}  // namespace sallyport::agent
