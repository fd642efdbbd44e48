#pragma once

#include <catch2/catch.hpp>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/compiled_policies.h"
#include "common/policy/documents.h"
#include "common/policy/session_policy.h"

namespace sallyport {

inline const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

inline types::v1::Principal Bot(std::initializer_list<const char*> scopes = {}) {
  types::v1::Principal principal;
  principal.set_realm("okta");
  principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  principal.set_subject("bot");
  principal.set_client_id("bot");
  for (const char* scope : scopes) principal.add_scopes(scope);
  return principal;
}

inline types::v1::Principal Person(const std::string& subject,
                                   std::initializer_list<const char*> groups = {}) {
  types::v1::Principal principal;
  principal.set_realm("okta");
  principal.set_kind(types::v1::PRINCIPAL_KIND_USER);
  principal.set_subject(subject);
  principal.set_client_id("cli");
  for (const char* group : groups) principal.add_groups(group);
  return principal;
}

inline std::vector<types::v1::Document> Parsed(std::string_view yaml) {
  auto documents = ParseDocuments(yaml, "test.yaml");
  INFO(documents.status());
  REQUIRE(documents.ok());
  return *std::move(documents);
}

inline std::shared_ptr<const CompiledPolicies> Compiled(std::string_view yaml) {
  auto compiled = CompiledPolicies::Compile(Parsed(yaml));
  INFO(compiled.status());
  REQUIRE(compiled.ok());
  return *std::move(compiled);
}

// A policy for the bot on every server, of which the rest is `more`: lines at the depth of spec.
inline std::string BotPolicy(const std::string& more, const std::string& name = "p") {
  return "kind: Policy\nname: " + name +
         "\nspec:\n  principals: [{realm: okta, client_ids: [bot]}]\n  servers: [\"*\"]\n" + more +
         "\n";
}

inline std::shared_ptr<const SessionPolicy> Bound(std::string_view yaml) {
  return SessionPolicy::Bind(Compiled(yaml), Bot(), "wiki");
}

}  // namespace sallyport
