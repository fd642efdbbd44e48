#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport {

// Finds the policies that could name a principal without looking at the others: each entry stands
// under one of the things that it asks for. For this folder alone.
class PrincipalIndex {
 public:
  void Add(std::uint32_t policy, const types::v1::PolicySpec& spec);

  // Every policy that could name the principal, in order, each once.
  std::vector<std::uint32_t> Find(const types::v1::Principal& principal) const;

 private:
  void AddUnder(char kind, std::string_view realm, std::string_view value, std::uint32_t policy);
  void Collect(char kind, std::string_view realm, std::string_view value,
               std::vector<std::uint32_t>& policies) const;

  std::unordered_map<std::string, std::vector<std::uint32_t>> by_key_;
};

}  // namespace sallyport
