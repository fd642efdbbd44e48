#include "common/policy/rule_body.h"

#include <algorithm>
#include <string>

#include "common/policy/pattern.h"

namespace sallyport {

const types::v1::RuleBody& BodyOf(const types::v1::Rule& rule) {
  if (rule.has_deny()) return rule.deny();
  return rule.has_require_approval() ? rule.require_approval() : rule.allow();
}

types::v1::RuleBody& MutableBodyOf(types::v1::Rule& rule) {
  if (rule.has_deny()) return *rule.mutable_deny();
  return rule.has_require_approval() ? *rule.mutable_require_approval() : *rule.mutable_allow();
}

bool NamesTool(const types::v1::RuleBody& body, std::string_view tool) {
  const NameForms forms(tool);
  return std::ranges::any_of(body.tools(), [&](const std::string& text) {
    const NamePattern pattern(text);
    return forms.Any([&](std::string_view form) { return pattern.MatchesAnyhow(form); });
  });
}

}  // namespace sallyport
