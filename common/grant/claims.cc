#include "common/grant/claims.h"

#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "common/jose/claims.h"
#include "common/status_macros.h"

namespace sallyport {
namespace {

using Json = nlohmann::json;

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError("grant: " + what); }

std::int64_t Milliseconds(const google::protobuf::Duration& duration) {
  return duration.seconds() * 1000 + duration.nanos() / 1'000'000;
}

void SetMilliseconds(std::uint64_t milliseconds, google::protobuf::Duration* duration) {
  duration->set_seconds(static_cast<std::int64_t>(milliseconds / 1000));
  duration->set_nanos(static_cast<std::int32_t>(milliseconds % 1000 * 1'000'000));
}

// Reads members one after the other; the first that is not as it must be is the error.
class Reader {
 public:
  explicit Reader(const Json& object) : object_(object) {}

  std::string Text(const char* name) {
    const Json* value = Find(name, Json::value_t::string);
    return value == nullptr ? std::string() : value->get<std::string>();
  }
  std::uint64_t Number(const char* name) {
    const Json* value = Find(name, Json::value_t::number_unsigned);
    return value == nullptr ? 0 : value->get<std::uint64_t>();
  }
  absl::Time Seconds(const char* name) {
    return absl::FromUnixSeconds(static_cast<std::int64_t>(Number(name)));
  }
  const Json& Object(const char* name) {
    static const Json& empty = *new Json(Json::object());
    const Json* value = Find(name, Json::value_t::object);
    return value == nullptr ? empty : *value;
  }
  template <class Repeated>
  void Texts(const char* name, Repeated* out) {
    const Json* list = Find(name, Json::value_t::array);
    if (list == nullptr) return;
    for (const Json& element : *list) {
      if (element.is_string()) {
        *out->Add() = element.get<std::string>();
      } else {
        Fail(name);
      }
    }
  }
  const absl::Status& status() const { return status_; }

 private:
  const Json* Find(const char* name, Json::value_t type) {
    const auto member = object_.find(name);
    if (member != object_.end() && member->type() == type) return &*member;
    Fail(name);
    return nullptr;
  }
  void Fail(const char* name) {
    if (status_.ok()) status_ = Bad(std::string(name) + " is missing or of another type");
  }

  const Json& object_;
  absl::Status status_;
};

// By name, each a list; a number is written as the text of its literal, in an object of its own.
Json ClaimsToJson(const types::v1::Principal& principal) {
  Json json = Json::object();
  for (const types::v1::Claim& claim : principal.claims()) {
    Json& values = json[claim.name()] = Json::array();
    for (const types::v1::Scalar& value : claim.values()) {
      switch (value.value_case()) {
        case types::v1::Scalar::kText:
          values.push_back(value.text());
          break;
        case types::v1::Scalar::kNumber:
          values.push_back({{"number", value.number()}});
          break;
        case types::v1::Scalar::kFlag:
          values.push_back(value.flag());
          break;
        default:
          values.push_back(nullptr);
      }
    }
  }
  return json;
}

absl::Status ReadScalar(const Json& json, types::v1::Scalar& value) {
  if (json.is_string()) {
    value.set_text(json.get<std::string>());
  } else if (json.is_boolean()) {
    value.set_flag(json.get<bool>());
  } else if (json.is_null()) {
    value.set_null(true);
  } else if (json.is_object() && json.contains("number") && json["number"].is_string()) {
    value.set_number(json["number"].get<std::string>());
  } else {
    return Bad("claims hold what is no scalar");
  }
  return absl::OkStatus();
}

absl::Status ReadClaims(const Json& json, types::v1::Principal& principal) {
  for (const auto& [name, values] : json.items()) {
    if (!values.is_array()) return Bad("claims hold what is no list");
    types::v1::Claim& claim = *principal.add_claims();
    claim.set_name(name);
    for (const Json& value : values) RETURN_IF_ERROR(ReadScalar(value, *claim.add_values()));
  }
  return absl::OkStatus();
}

Json PrincipalToJson(const types::v1::Principal& principal) {
  return {{"realm", principal.realm()},
          {"kind", principal.kind() == types::v1::PRINCIPAL_KIND_USER ? "user" : "service"},
          {"subject", principal.subject()},
          {"client_id", principal.client_id()},
          {"scopes", Json::array_t(principal.scopes().begin(), principal.scopes().end())},
          {"groups", Json::array_t(principal.groups().begin(), principal.groups().end())},
          {"claims", ClaimsToJson(principal)},
          {"display", principal.display()}};
}

absl::Status ReadPrincipal(const Json& json, types::v1::Principal& principal) {
  Reader read(json);
  principal.set_realm(read.Text("realm"));
  principal.set_subject(read.Text("subject"));
  principal.set_client_id(read.Text("client_id"));
  principal.set_display(read.Text("display"));
  read.Texts("scopes", principal.mutable_scopes());
  read.Texts("groups", principal.mutable_groups());
  const Json& claims = read.Object("claims");
  const std::string kind = read.Text("kind");
  RETURN_IF_ERROR(read.status());
  if (kind == "user") {
    principal.set_kind(types::v1::PRINCIPAL_KIND_USER);
  } else if (kind == "service") {
    principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  } else {
    return Bad("kind is neither service nor user");
  }
  if (principal.realm().empty() || principal.subject().empty()) return Bad("principal is nobody");
  return ReadClaims(claims, principal);
}

Json TermsToJson(const types::v1::EffectiveTerms& terms) {
  Json json = {
      {"max_duration", static_cast<std::uint64_t>(Milliseconds(terms.max_duration()))},
      {"idle_timeout", static_cast<std::uint64_t>(Milliseconds(terms.idle_timeout()))},
      {"disconnect_grace", static_cast<std::uint64_t>(Milliseconds(terms.disconnect_grace()))},
      {"max_calls", terms.max_calls()},
      {"bind", terms.bind() == types::v1::BIND_MODE_ADDRESS ? "address" : "principal"},
      {"open", terms.open() == types::v1::OPEN_MODE_REQUEST ? "request" : "connect"}};
  if (terms.has_lease()) json["lease"] = static_cast<std::uint64_t>(Milliseconds(terms.lease()));
  if (terms.has_break_glass()) {
    json["break_glass"] = static_cast<std::uint64_t>(Milliseconds(terms.break_glass()));
  }
  if (terms.has_approval()) {
    const auto& approvers = terms.approval().approvers();
    json["approval"] = {{"approvers", Json::array_t(approvers.begin(), approvers.end())},
                        {"count", terms.approval().count()}};
  }
  return json;
}

absl::Status ReadApproval(const Json& json, types::v1::ApprovalTerms& approval) {
  Reader read(json);
  read.Texts("approvers", approval.mutable_approvers());
  approval.set_count(static_cast<std::uint32_t>(read.Number("count")));
  return read.status();
}

absl::Status ReadTerms(const Json& json, types::v1::EffectiveTerms& terms) {
  Reader read(json);
  SetMilliseconds(read.Number("max_duration"), terms.mutable_max_duration());
  SetMilliseconds(read.Number("idle_timeout"), terms.mutable_idle_timeout());
  SetMilliseconds(read.Number("disconnect_grace"), terms.mutable_disconnect_grace());
  terms.set_max_calls(read.Number("max_calls"));
  if (json.contains("lease")) SetMilliseconds(read.Number("lease"), terms.mutable_lease());
  if (json.contains("break_glass")) {
    SetMilliseconds(read.Number("break_glass"), terms.mutable_break_glass());
  }
  const std::string bind = read.Text("bind");
  const std::string open = read.Text("open");
  if (json.contains("approval")) {
    RETURN_IF_ERROR(ReadApproval(read.Object("approval"), *terms.mutable_approval()));
  }
  RETURN_IF_ERROR(read.status());
  if (bind == "address") {
    terms.set_bind(types::v1::BIND_MODE_ADDRESS);
  } else if (bind == "principal") {
    terms.set_bind(types::v1::BIND_MODE_PRINCIPAL);
  } else {
    return Bad("bind is neither address nor principal");
  }
  if (open == "connect") {
    terms.set_open(types::v1::OPEN_MODE_CONNECT);
  } else if (open == "request") {
    terms.set_open(types::v1::OPEN_MODE_REQUEST);
  } else {
    return Bad("open is neither connect nor request");
  }
  return absl::OkStatus();
}

constexpr std::string_view kIssuerPrefix = "sallyport:";
constexpr std::string_view kAudiencePrefix = "sallyport-agent:";

std::string After(std::string_view prefix, const std::string& text) {
  return text.compare(0, prefix.size(), prefix) == 0 ? text.substr(prefix.size()) : std::string();
}

}  // namespace

std::string GrantIssuer(std::string_view deployment_id) {
  return std::string(kIssuerPrefix) + std::string(deployment_id);
}
std::string GrantAudience(std::string_view agent) {
  return std::string(kAudiencePrefix) + std::string(agent);
}

Json GrantClaimsToJson(const GrantClaims& claims) {
  const auto seconds = [](absl::Time time) {
    return static_cast<std::uint64_t>(absl::ToUnixSeconds(time));
  };
  Json json = {{"iss", GrantIssuer(claims.deployment_id)},
               {"aud", GrantAudience(claims.agent)},
               {"sub", claims.session_id},
               {"iat", seconds(claims.issued_at)},
               {"nbf", seconds(claims.issued_at)},
               {"exp", seconds(claims.expires_at)},
               {"opened", seconds(claims.opened_at)},
               {"server", claims.server},
               {"issuer_id", claims.issuer_id},
               {"client_address", claims.client_address},
               {"principal", PrincipalToJson(claims.principal)},
               {"terms", TermsToJson(claims.terms)},
               {"call_budget", claims.call_budget},
               {"policy", {{"epoch", claims.policy_epoch}, {"version", claims.policy_version}}}};
  if (!claims.break_glass.empty()) json["break_glass"] = claims.break_glass;
  return json;
}

absl::StatusOr<GrantClaims> GrantClaimsFromJson(const Json& json) {
  Reader read(json);
  GrantClaims claims;
  claims.deployment_id = After(kIssuerPrefix, read.Text("iss"));
  claims.agent = After(kAudiencePrefix, read.Text("aud"));
  claims.session_id = read.Text("sub");
  claims.server = read.Text("server");
  claims.issuer_id = read.Text("issuer_id");
  claims.client_address = read.Text("client_address");
  claims.call_budget = read.Number("call_budget");
  claims.issued_at = read.Seconds("iat");
  claims.expires_at = read.Seconds("exp");
  claims.opened_at = read.Seconds("opened");
  if (json.contains("break_glass")) claims.break_glass = read.Text("break_glass");
  const Json& principal = read.Object("principal");
  const Json& terms = read.Object("terms");
  const Json& policy = read.Object("policy");
  RETURN_IF_ERROR(read.status());
  if (claims.deployment_id.empty() || claims.agent.empty() || claims.session_id.empty() ||
      claims.server.empty()) {
    return Bad("iss, aud, sub or server is empty or another's");
  }
  RETURN_IF_ERROR(ReadPrincipal(principal, claims.principal));
  RETURN_IF_ERROR(ReadTerms(terms, claims.terms));
  Reader policy_reader(policy);
  claims.policy_epoch = policy_reader.Number("epoch");
  claims.policy_version = policy_reader.Number("version");
  RETURN_IF_ERROR(policy_reader.status());
  if (claims.terms.bind() == types::v1::BIND_MODE_ADDRESS && claims.client_address.empty()) {
    return Bad("bound to an address that is not named");
  }
  return claims;
}

}  // namespace sallyport
