#include "agent/control/agent_snapshot.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Status About(std::string_view what, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(what), ": ", status.message()));
}

// In place of a policy that cannot be understood: whom it names is refused everything that takes a
// rule.
types::v1::Document ShutPolicy(const types::v1::Document& policy) {
  types::v1::Document shut;
  shut.set_kind(policy.kind());
  shut.set_name(policy.name());
  types::v1::PolicySpec& spec = *shut.mutable_policy();
  *spec.mutable_principals() = policy.policy().principals();
  *spec.mutable_servers() = policy.policy().servers();
  types::v1::RuleBody& all = *spec.add_rules()->mutable_deny();
  all.add_tools("*");
  all.add_resources("*");
  all.add_prompts("*");
  all.add_methods("*");
  for (const char* word : {"sampling", "elicitation", "roots"}) all.add_server_requests(word);
  return shut;
}

// `not_understood` gets what each policy that had to be shut lacks.
absl::StatusOr<std::shared_ptr<const CompiledPolicies>> CompileDocuments(
    const v1::Snapshot& snapshot, std::string& not_understood) {
  std::vector<types::v1::Document> documents;
  for (const auto* list : {&snapshot.policies(), &snapshot.mask_profiles(), &snapshot.locks(),
                           &snapshot.server_documents()}) {
    documents.insert(documents.end(), list->begin(), list->end());
  }
  absl::StatusOr<std::shared_ptr<const CompiledPolicies>> all =
      CompiledPolicies::Compile(documents);
  if (all.ok()) return all;
  for (types::v1::Document& document : documents) {
    if (!document.has_policy()) continue;
    const auto alone = CompiledPolicies::Compile(absl::MakeConstSpan(&document, 1));
    if (alone.ok()) continue;
    absl::StrAppend(&not_understood, not_understood.empty() ? "" : "; ", alone.status().message());
    document = ShutPolicy(document);
  }
  return CompiledPolicies::Compile(documents);
}

absl::StatusOr<KnownKeys> ParseKeys(const v1::IssuerKeys& issuer) {
  KnownKeys known;
  if (issuer.jwks().empty()) return known;
  absl::StatusOr<jose::KeySet> keys = jose::KeySet::Parse(issuer.jwks());
  if (!keys.ok())
    return About(absl::StrCat("keys of issuer ", issuer.issuer().id()), keys.status());
  known.keys = std::make_shared<const jose::KeySet>(*std::move(keys));
  known.fetched_at = ToTime(issuer.fetched_at());
  return known;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const AgentSnapshot>> AgentSnapshot::Compile(
    const v1::Snapshot& snapshot) {
  if (snapshot.agent().empty() || snapshot.deployment_id().empty()) {
    return absl::InvalidArgumentError("it names no agent or no deployment");
  }
  if (!snapshot.withheld().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the control plane withholds them: ", snapshot.withheld()));
  }
  std::shared_ptr<AgentSnapshot> compiled(new AgentSnapshot);
  compiled->epoch_ = snapshot.epoch();
  compiled->version_ = snapshot.version();
  compiled->made_at_ = ToTime(snapshot.made_at());
  compiled->agent_ = snapshot.agent();
  compiled->deployment_id_ = snapshot.deployment_id();
  compiled->servers_.insert(snapshot.servers().begin(), snapshot.servers().end());
  ASSIGN_OR_RETURN(compiled->policies_, CompileDocuments(snapshot, compiled->not_understood_));
  for (const types::v1::ToolPin& pin : snapshot.tool_pins()) {
    compiled->tool_pins_[pin.server()][pin.name()] = {pin.definition_hash(), pin.is_changed()};
  }
  for (const types::v1::Document& document : snapshot.server_documents()) {
    const types::v1::PinMode pin = document.server().pin();
    if (pin == types::v1::PIN_MODE_DENY) compiled->pin_modes_[document.name()] = PinMode::kDeny;
    if (pin == types::v1::PIN_MODE_IGNORE) compiled->pin_modes_[document.name()] = PinMode::kIgnore;
  }

  for (const v1::EffectKey& key : snapshot.effect_keys()) {
    if (key.key().size() != 32) {
      return absl::InvalidArgumentError("the effect key of " + key.server() +
                                        " is not of 32 bytes");
    }
    compiled->effect_keys_.insert_or_assign(key.server(), key.key());
  }

  std::vector<config::v1::Issuer> issuers;
  for (const v1::IssuerKeys& issuer : snapshot.issuers()) {
    issuers.push_back(issuer.issuer());
    ASSIGN_OR_RETURN(KnownKeys keys, ParseKeys(issuer));
    compiled->keys_.insert_or_assign(issuer.issuer().id(), std::move(keys));
  }
  ASSIGN_OR_RETURN(compiled->issuers_, TrustedIssuers::Compile(issuers));

  absl::StatusOr<jose::KeySet> grant_keys = jose::KeySet::Parse(snapshot.grant_keys());
  if (!grant_keys.ok()) return About("grant keys", grant_keys.status());
  compiled->grants_ = std::make_shared<const GrantVerifier>(
      snapshot.deployment_id(), snapshot.agent(), *std::move(grant_keys));
  return compiled;
}

std::shared_ptr<const AgentSnapshot> AgentSnapshot::Shut(const AgentSnapshot& last,
                                                         const v1::Snapshot& newer) {
  types::v1::Document everything;
  everything.set_kind(types::v1::DOCUMENT_KIND_LOCK);
  everything.set_name("policies-not-understood");
  everything.mutable_lock()->set_reason("the agent cannot understand its policies");
  std::shared_ptr<AgentSnapshot> shut(new AgentSnapshot(last));
  shut->epoch_ = newer.epoch();
  shut->version_ = newer.version();
  shut->made_at_ = ToTime(newer.made_at());
  // A lock alone always compiles.
  shut->policies_ = CompiledPolicies::Compile(absl::MakeConstSpan(&everything, 1)).value();
  return shut;
}

PinMode AgentSnapshot::PinModeOf(std::string_view server) const {
  const auto mode = pin_modes_.find(server);
  return mode == pin_modes_.end() ? PinMode::kHold : mode->second;
}

const ToolPin* AgentSnapshot::PinOf(std::string_view server, std::string_view tool) const {
  const auto& pins = PinsOf(server);
  const auto pin = pins.find(tool);
  return pin == pins.end() ? nullptr : &pin->second;
}

const std::map<std::string, ToolPin, std::less<>>& AgentSnapshot::PinsOf(
    std::string_view server) const {
  static const auto& none = *new std::map<std::string, ToolPin, std::less<>>;
  const auto of = tool_pins_.find(server);
  return of == tool_pins_.end() ? none : of->second;
}

KnownKeys AgentSnapshot::KeysOf(std::string_view issuer_id) const {
  const auto found = keys_.find(issuer_id);
  return found == keys_.end() ? KnownKeys{} : found->second;
}

std::string_view AgentSnapshot::EffectKeyOf(std::string_view server) const {
  const auto found = effect_keys_.find(server);
  return found == effect_keys_.end() ? std::string_view() : found->second;
}

}  // namespace sallyport::agent
