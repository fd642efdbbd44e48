#include <algorithm>
#include <string_view>
#include <vector>

#include "common/policy/judge.h"

namespace sallyport {
namespace {

template <class Pattern>
bool AnyMatches(const std::vector<Pattern>& patterns, std::string_view form) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const Pattern& pattern) { return pattern.Matches(form); });
}

template <class Pattern>
bool AnyMatchesAnyhow(const std::vector<Pattern>& patterns, std::string_view form) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const Pattern& pattern) { return pattern.MatchesAnyhow(form); });
}

bool AnyCoversAnyhow(const std::vector<UriPattern>& patterns, std::string_view form) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const UriPattern& pattern) { return pattern.CoversAnyhow(form); });
}

}  // namespace

bool AnyMatches(const std::vector<Glob>& globs, std::string_view text) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const Glob& glob) { return glob.Matches(text); });
}

bool NamedSubject::Grants(const CompiledRule& rule) const {
  return AnyMatches(rule.*kind, forms.as_it_stands()) &&
         forms.AllOthers([&](std::string_view form) { return AnyMatchesAnyhow(rule.*kind, form); });
}

bool NamedSubject::Names(const CompiledRule& rule) const {
  return forms.Any([&](std::string_view form) { return AnyMatchesAnyhow(rule.*kind, form); });
}

bool NamedSubject::Restricts(const CompiledRule& rule) const {
  return Names(rule) || AnyMatches(rule.methods, method);
}

bool ResourceSubject::Grants(const CompiledRule& rule) const {
  return AnyMatches(rule.resources, forms.as_it_stands()) &&
         forms.AllOthers(
             [&](std::string_view form) { return AnyCoversAnyhow(rule.resources, form); });
}

bool ResourceSubject::Restricts(const CompiledRule& rule) const {
  return forms.Any([&](std::string_view form) { return AnyMatchesAnyhow(rule.resources, form); }) ||
         AnyMatches(rule.methods, method);
}

bool TemplateSubject::Grants(const CompiledRule& rule) const {
  const auto any = [&](auto test) {
    return std::any_of(rule.resources.begin(), rule.resources.end(), test);
  };
  return any([&](const UriPattern& pattern) {
           return pattern.CouldMatchAfter(UriTemplate::Beginning(forms.as_it_stands()));
         }) &&
         forms.AllOthers([&](std::string_view form) {
           return any([&](const UriPattern& pattern) {
             return pattern.CouldMatchAnyhowAfter(UriTemplate::Beginning(form));
           });
         });
}

bool TemplateSubject::Restricts(const CompiledRule& rule) const {
  return forms.Any([&](std::string_view form) { return AnyMatchesAnyhow(rule.resources, form); }) ||
         AnyMatches(rule.methods, method);
}

bool TemplateSubject::Reaches(const CompiledRule& rule) const {
  return forms.Any([&](std::string_view form) {
    return std::any_of(rule.resources.begin(), rule.resources.end(),
                       [&](const UriPattern& pattern) {
                         return pattern.CouldMatchAnyhowAfter(UriTemplate::Beginning(form));
                       });
  }) || AnyMatches(rule.methods, method);
}

bool MethodSubject::Grants(const CompiledRule& rule) const {
  return AnyMatches(rule.methods, method);
}

bool ServerRequestSubject::Grants(const CompiledRule& rule) const {
  return std::find(rule.server_requests.begin(), rule.server_requests.end(), word) !=
         rule.server_requests.end();
}

NamedSubject ToolSubject(std::string_view name) {
  return {PatternKind::kTools, &CompiledRule::tools, NameForms(name), "tools/call"};
}

NamedSubject PromptSubject(std::string_view name) {
  return {PatternKind::kPrompts, &CompiledRule::prompts, NameForms(name), "prompts/get"};
}

}  // namespace sallyport
