// The masker against what it is given: a masked message still scans, as the message that it was, no
// secret that was planted in it is left, and nothing is found in it that was not there before.
//
// The first byte says how a secret is spelled, the second where it is planted; the rest is text
// around it, or a whole message.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "agent/mask/json_masker.h"
#include "agent/mcp/json_scan.h"
#include "common/json_string.h"

namespace {

using sallyport::JsonString;
using sallyport::agent::CredentialEcho;
using sallyport::agent::MaskEngine;
using sallyport::agent::Masker;
using sallyport::agent::MaskPlan;
using sallyport::agent::ScanUpstreamMessage;
using sallyport::agent::SessionMask;
using sallyport::agent::UpstreamMessage;

void Check(bool holds) {
  if (!holds) std::abort();
}

// In parts, so that nobody takes them for real ones.
const std::vector<std::string> kSecrets = {
    "ghp_"
    "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iL3oR6",
    "AKIA"
    "QYLPMN5HHHFPZAM2",
    "held-Credential_0a1b2c3d4e5f",
};

struct Session {
  std::unique_ptr<Masker> masker;
  SessionMask mask;

  Session() {
    const auto engine = *MaskEngine::Create();
    masker = *Masker::Create(engine);
    sallyport::types::v1::MaskProfileSpec profile;
    for (const char* detector : {"secrets", "pii"}) profile.add_detectors(detector);
    profile.add_fields()->add_keys("password");
    profile.add_fields()->set_pointer("/rows/*/x");
    auto* pattern = profile.add_patterns();
    pattern->set_name("ticket");
    pattern->set_re2("TCK-[0-9]{4,8}");
    pattern->mutable_operator_()->set_keep_last(2);
    (*profile.mutable_operators())["email"].set_name("token");
    (*profile.mutable_operators())["card"].set_keep_last(4);
    mask.plan = *MaskPlan::Compile(engine, std::vector<std::string>{"p"}, {{"p", profile}});
    mask.credentials = *CredentialEcho::Create(std::vector<std::string>{kSecrets[2]});
    mask.token_key = std::string(32, 'k');
  }
};

std::string Spelled(const std::string& secret, unsigned how) {
  std::string out;
  switch (how % 7) {
    case 0:
      return secret;
    case 1:
      for (const char c : secret) {
        char unit[8];
        std::snprintf(unit, sizeof unit, "\\u%04x", c);
        out += unit;
      }
      return out;
    case 2:
      for (const char c : secret) {
        char unit[8];
        std::snprintf(unit, sizeof unit, "%%%02x", c);
        out += unit;
      }
      return out;
    case 3:
      return absl::BytesToHexString("token is " + secret + " ");
    case 4:
      return " " + absl::Base64Escape("token is " + secret) + " ";
    case 5:
      return " " + absl::WebSafeBase64Escape("token is " + secret) + " ";
    default:
      return JsonString(JsonString(secret));
  }
}

// Strings of the message, with their escapes undone.
void Leaves(const nlohmann::json& value, std::vector<std::string>& leaves) {
  if (value.is_string()) leaves.push_back(value.get<std::string>());
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      leaves.push_back(key);
      Leaves(member, leaves);
    }
  }
  if (value.is_array()) {
    for (const auto& element : value) Leaves(element, leaves);
  }
}

// What comes out scans, keeps its envelope and holds none of `forbidden`. The result; empty:
// blocked.
std::string CheckMasked(Session& session, const UpstreamMessage& message,
                        const std::vector<std::string>& forbidden) {
  auto masked = session.masker->Mask(message, session.mask);
  // The same whether the scan's index is at hand or another message has been scanned since.
  Check(ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":1,"result":{}})").ok());
  const auto anew = session.masker->Mask(message, session.mask);
  Check(anew.ok() == masked.ok());
  if (!masked.ok()) return {};
  const std::string bytes(masked->bytes());
  Check(anew->bytes() == bytes);
  const auto again = ScanUpstreamMessage(bytes);
  Check(again.ok());
  Check(again->shape == message.shape && again->id == message.id &&
        again->method == message.method && again->is_error == message.is_error);
  Check(again->body.begin == masked->message().body.begin &&
        again->body.end == masked->message().body.end);
  if (masked->findings().empty()) Check(bytes == message.bytes);
  std::vector<std::string> leaves;
  const nlohmann::json json = nlohmann::json::parse(bytes, nullptr, false);
  // nlohmann refuses numbers that fit no double, which are no fault.
  if (!json.is_discarded()) Leaves(json, leaves);
  for (const std::string& secret : forbidden) {
    Check(bytes.find(secret) == std::string::npos);
    for (const std::string& leaf : leaves) Check(leaf.find(secret) == std::string::npos);
  }
  return bytes;
}

void Planted(Session& session, std::uint8_t how, std::uint8_t where, const std::string& text) {
  const std::string& secret = kSecrets[how / 7 % kSecrets.size()];
  const std::string spelled = Spelled(secret, how);
  const std::size_t at = text.empty() ? 0 : where * text.size() / 256;
  // What stands right before and behind may make another token of it.
  const std::string planted = text.substr(0, at) + "\n" + spelled + "\n" + text.substr(at);
  std::vector<std::string> forbidden = {secret, spelled};
  std::string value = JsonString(planted);
  if (where % 3 == 1) value = "{\"rows\":[{\"a\":" + value + "}]}";
  if (where % 3 == 2) value = JsonString("{\"a\":" + value + "} " + text);
  auto message = ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":1,"result":{"structuredContent":)" +
                                     value + "}}");
  Check(message.ok());
  CheckMasked(session, *message, forbidden);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Session session;
  if (size < 2) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  Planted(session, data[0], data[1], rest);
  const auto message = ScanUpstreamMessage(rest);
  if (message.ok()) CheckMasked(session, *message, {});
  return 0;
}
