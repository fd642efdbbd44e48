#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/jose/algorithm.h"
#include "common/jose/claims.h"
#include "common/jose/token.h"
#include "sallyport/config/v1/issuer.pb.h"

namespace sallyport {

enum class TokenKind { kAccess, kId, kWorkload };

// Member names, outermost first.
using ClaimPath = std::vector<std::string>;

struct KindRule {
  ClaimPath present;  // empty: not asked
  ClaimPath absent;   // empty: not asked
};

enum class KindMode { kAuto, kService, kUser };

// One issuer entry, checked, with its preset worked in. What is optional in the configuration is
// settled here.
struct IssuerEntry {
  std::string id;
  std::string realm;
  std::string issuer;
  std::vector<std::string> audiences;
  // The deployment's admin_audiences, where this is the entry that they belong to.
  std::vector<std::string> admin_audiences;
  TokenKind kind = TokenKind::kAccess;
  std::vector<jose::Algorithm> algorithms;
  // As jose::NormalType gives them; "" stands for a header without one.
  std::vector<std::string> types;
  jose::TimeRules times;
  jose::TokenLimits limits;
  std::size_t max_groups = 1000;
  bool is_resource_bound = false;
  // Its keys come from a file and do not age.
  bool has_key_file = false;
  absl::Duration stale_max = absl::Hours(24);

  // The first that the token has.
  std::vector<ClaimPath> subject;
  std::vector<ClaimPath> client_id;
  std::vector<ClaimPath> scopes;
  std::vector<ClaimPath> token_id;  // empty: tokens have none
  std::vector<ClaimPath> display;
  // All of them.
  std::vector<ClaimPath> groups;
  struct Derived {
    ClaimPath path;
    std::string prefix;
  };
  std::vector<Derived> derived;
  struct Bound {
    ClaimPath path;
    nlohmann::json equals;
  };
  std::vector<Bound> bound;
  // Claims that policies may ask for, by name.
  struct Attribute {
    std::string name;
    ClaimPath path;
  };
  std::vector<Attribute> attributes;

  KindMode kind_mode = KindMode::kAuto;
  std::vector<KindRule> user_if;
  std::vector<KindRule> service_if;
};

// Judges one entry by itself. kInvalidArgument, naming the key.
absl::StatusOr<IssuerEntry> CompileIssuer(const config::v1::Issuer& config);

}  // namespace sallyport
