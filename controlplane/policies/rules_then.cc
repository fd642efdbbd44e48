#include "controlplane/policies/rules_then.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <utility>

#include "common/policy/rule_body.h"
#include "common/policy/session_policy.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {
namespace {

using types::v1::Document;
using types::v1::PolicySpec;
using types::v1::Rule;
using types::v1::RuleBody;
using types::v1::Session;

bool CouldBeAbout(const Rule& rule, const RecordedCall& call) {
  const RuleBody& body = BodyOf(rule);
  if (call.method != "tools/call" || call.is_target_hidden || !body.methods().empty()) return true;
  return NamesTool(body, call.target);
}

// It takes those of the session.
bool HasNoApprovers(const Rule& rule) {
  return rule.has_require_approval() && (rule.require_approval().approvers().empty() ||
                                         !rule.require_approval().has_expires_after());
}

// Without what has no say in whether the call passes, or after whose approval.
PolicySpec OnlyAbout(const RecordedCall& call, const PolicySpec& policy) {
  PolicySpec only = policy;
  only.clear_mask();
  only.clear_recording();
  auto& rules = *only.mutable_rules();
  rules.erase(std::remove_if(rules.begin(), rules.end(),
                             [&](const Rule& rule) { return !CouldBeAbout(rule, call); }),
              rules.end());
  if (call.kind == RecordedCall::Kind::kOpening) return only;
  only.clear_session();
  if (std::ranges::any_of(rules, HasNoApprovers)) {
    *only.mutable_session()->mutable_approval() = policy.session().approval();
  }
  return only;
}

bool SaySame(const RecordedCall& call, const Document& a, const Document& b) {
  return google::protobuf::util::MessageDifferencer::Equals(OnlyAbout(call, a.policy()),
                                                            OnlyAbout(call, b.policy()));
}

absl::Time EndOf(const Session& session) {
  return session.has_ended_at() ? FromProto(session.ended_at()) : absl::InfiniteFuture();
}

}  // namespace

RulesThen::Version RulesThen::VersionOf(const Document& document, absl::Time from) {
  Version version{.document = document, .from = from};
  version.document.clear_source();
  return version;
}

absl::StatusOr<RulesThen> RulesThen::Read(Transaction& t, const std::vector<Document>& documents) {
  RulesThen rules;
  ASSIGN_OR_RETURN(const std::vector<documents::Version> versions,
                   documents::Versions(t, types::v1::DOCUMENT_KIND_POLICY));
  const documents::Version* before = nullptr;
  for (const documents::Version& version : versions) {
    const absl::Time from = FromProto(version.document.updated_at());
    if (before != nullptr && !before->is_deletion &&
        before->document.name() == version.document.name()) {
      rules.then_.back().until = from;
    }
    if (!version.is_deletion) rules.then_.push_back(VersionOf(version.document, from));
    before = &version;
  }
  for (const Document& document : documents) {
    if (document.has_policy()) {
      rules.documents_.push_back(VersionOf(document, absl::InfinitePast()));
    }
  }
  return rules;
}

std::vector<const RulesThen::Version*> RulesThen::OfSession(std::vector<Version>& all,
                                                            const Session& session) {
  std::vector<const Version*> found;
  for (Version& version : all) {
    if (version.from > EndOf(session) || version.until <= FromProto(session.created_at())) continue;
    if (!version.is_compiled) {
      const auto compiled = CompiledPolicies::Compile({version.document});
      if (compiled.ok()) version.compiled = *compiled;
      version.is_compiled = true;
    }
    if (version.compiled == nullptr) {
      differ_ = true;
    } else if (!SessionPolicy::Bind(version.compiled, session.principal(), session.server())
                    ->is_empty()) {
      found.push_back(&version);
    }
  }
  return found;
}

void RulesThen::Bind(const Session& session) {
  if (session.id() == session_id_) return;
  session_id_ = session.id();
  differ_ = false;
  then_of_session_ = OfSession(then_, session);
  documents_of_session_ = OfSession(documents_, session);
  const absl::Time from = FromProto(session.created_at());
  for (const Version* document : documents_of_session_) {
    absl::Time covered = from;
    for (const Version* version : then_of_session_) {
      const bool goes_on = version->document.name() == document->document.name() &&
                           version->from <= covered && version->until > covered;
      if (goes_on) covered = version->until;
    }
    differ_ = differ_ || covered < EndOf(session) || covered == from;
  }
}

bool RulesThen::AreSame(const Session& session, const RecordedCall& call) {
  Bind(session);
  if (differ_) return false;
  return std::ranges::all_of(then_of_session_, [&](const Version* then) {
    return std::ranges::any_of(documents_of_session_, [&](const Version* document) {
      return document->document.name() == then->document.name() &&
             SaySame(call, document->document, then->document);
    });
  });
}

}  // namespace sallyport::controlplane
