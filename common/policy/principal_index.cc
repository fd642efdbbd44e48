#include "common/policy/principal_index.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/strings.h"

namespace sallyport {
namespace {

constexpr char kSubject = 's';
constexpr char kClient = 'c';
constexpr char kGroup = 'g';
constexpr char kAnybody = 'a';

// A realm holds no colon.
std::string KeyOf(char kind, std::string_view realm, std::string_view value) {
  std::string key(1, kind);
  absl::StrAppend(&key, ToAbsl(realm), ":", ToAbsl(value));
  return key;
}

}  // namespace

void PrincipalIndex::AddUnder(char kind, std::string_view realm, std::string_view value,
                              std::uint32_t policy) {
  by_key_[KeyOf(kind, realm, value)].push_back(policy);
}

void PrincipalIndex::Add(std::uint32_t policy, const types::v1::PolicySpec& spec) {
  for (const types::v1::PrincipalMatch& match : spec.principals()) {
    const auto add_all = [&](char kind, const auto& values) {
      for (const std::string& value : values) AddUnder(kind, match.realm(), value, policy);
    };
    if (!match.subjects().empty()) {
      add_all(kSubject, match.subjects());
    } else if (!match.client_ids().empty()) {
      add_all(kClient, match.client_ids());
    } else if (!match.groups().empty()) {
      add_all(kGroup, match.groups());
    } else {
      AddUnder(kAnybody, match.realm(), {}, policy);
    }
  }
}

void PrincipalIndex::Collect(char kind, std::string_view realm, std::string_view value,
                             std::vector<std::uint32_t>& policies) const {
  const auto found = by_key_.find(KeyOf(kind, realm, value));
  if (found == by_key_.end()) return;
  policies.insert(policies.end(), found->second.begin(), found->second.end());
}

std::vector<std::uint32_t> PrincipalIndex::Find(const types::v1::Principal& principal) const {
  const std::string& realm = principal.realm();
  std::vector<std::uint32_t> policies;
  Collect(kSubject, realm, principal.subject(), policies);
  Collect(kClient, realm, principal.client_id(), policies);
  Collect(kAnybody, realm, {}, policies);
  for (const std::string& group : principal.groups()) {
    if (group.size() <= realm.size() || !group.starts_with(realm) || group[realm.size()] != ':') {
      continue;
    }
    Collect(kGroup, realm, std::string_view(group).substr(realm.size() + 1), policies);
  }
  std::sort(policies.begin(), policies.end());
  policies.erase(std::unique(policies.begin(), policies.end()), policies.end());
  return policies;
}

}  // namespace sallyport
