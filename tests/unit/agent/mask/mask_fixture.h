#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/mask/json_masker.h"
#include "agent/mcp/json_scan.h"
#include "common/denial.h"

namespace sallyport::agent {

// Values that have the form of secrets and are none.
inline const std::string kGithubToken =
    "ghp_"
    "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iL3oR6";
inline const std::string kAwsKey =
    "AKIA"
    "QYLPMN5HHHFPZAM2";
inline const std::string kCard =
    "4111"
    "111111111111";

inline std::shared_ptr<const MaskEngine> Engine() {
  static const auto engine = *MaskEngine::Create();
  return engine;
}

class MaskFixture {
 public:
  explicit MaskFixture(std::vector<std::string> names = {"secrets", "pii"},
                       std::map<std::string, types::v1::MaskProfileSpec> profiles = {}) {
    auto plan = MaskPlan::Compile(Engine(), names, profiles);
    REQUIRE(plan.ok());
    mask_.plan = *plan;
    mask_.token_key = std::string(32, 'k');
    masker_ = *Masker::Create(Engine());
  }

  void SetCredentials(std::vector<std::string> credentials) {
    mask_.credentials = *CredentialEcho::Create(credentials);
  }

  absl::StatusOr<MaskedMessage> TryMask(const std::string& bytes) {
    auto message = ScanUpstreamMessage(bytes);
    REQUIRE(message.ok());
    return masker_->Mask(*std::move(message), mask_);
  }
  std::string Mask(const std::string& bytes) {
    auto masked = TryMask(bytes);
    if (!masked.ok()) return "blocked: " + std::string(masked.status().message());
    findings_ = masked->findings();
    auto again = ScanUpstreamMessage(std::string(masked->bytes()));
    REQUIRE(again.ok());
    CHECK(again->body.begin == masked->message().body.begin);
    CHECK(again->body.end == masked->message().body.end);
    return std::string(masked->bytes());
  }
  // The masked form of a tool's text, given and returned as the inside of a JSON string.
  std::string Text(const std::string& raw) {
    const std::string head =
        R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":")";
    const std::string tail = R"("}]}})";
    const std::string masked = Mask(head + raw + tail);
    if (masked.substr(0, head.size()) != head) return masked;
    return masked.substr(head.size(), masked.size() - head.size() - tail.size());
  }
  bool IsBlocked(const std::string& bytes) {
    auto masked = TryMask(bytes);
    if (masked.ok()) return false;
    CHECK(ReasonOf(masked.status()) == types::v1::DenialReason::DENIAL_REASON_MASKER_BLOCKED);
    return true;
  }

  const std::vector<Finding>& findings() const { return findings_; }
  Masker& masker() { return *masker_; }
  SessionMask& mask() { return mask_; }

 private:
  std::unique_ptr<Masker> masker_;
  SessionMask mask_;
  std::vector<Finding> findings_;
};

}  // namespace sallyport::agent
