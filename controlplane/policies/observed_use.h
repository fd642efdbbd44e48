#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "controlplane/model/recorded_call.h"
#include "controlplane/policies/asked_people.h"
#include "controlplane/policies/resource_patterns.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// What the recorded calls of a tool had as one argument.
class ArgumentUse {
 public:
  static constexpr std::size_t kMostValues = 5;

  // `literal`: a JSON scalar.
  void Add(const std::string& literal);
  // In every one of `calls`, and of few values.
  bool IsStable(uint64_t calls) const { return calls_ == calls && !has_more_; }
  std::vector<types::v1::Scalar> Values() const;

 private:
  uint64_t calls_ = 0;
  std::set<std::string> literals_;
  bool has_more_ = false;  // more values than that, or one that is no short scalar
};

struct ToolUse {
  uint64_t calls = 0;
  bool is_hidden = false;  // the arguments of a call were masked or not recorded
  std::map<std::string, ArgumentUse> arguments;  // by pointer, the outermost alone

  void Add(const RecordedCall& call);
};

// What was used under one demand for approval, or under none.
struct RuleUse {
  std::map<std::string, ToolUse> tools;
  std::set<std::string> prompts;
  ResourcePatterns resources;
  std::set<std::string> methods;
};

// What one principal did on one server. Bounded, whatever was recorded.
class ObservedUse {
 public:
  explicit ObservedUse(const types::v1::Session& latest) : latest_(latest) {}

  // A call that passed.
  void Add(const RecordedCall& call, const AskedPeople& asked);
  // A session that it opened.
  void AddOpening(const types::v1::Session& session, const AskedPeople& asked);

  // The session that was opened last.
  const types::v1::Session& latest() const { return latest_; }
  uint64_t calls() const { return calls_; }
  uint64_t sessions() const { return sessions_; }
  absl::Duration longest() const { return longest_; }
  const std::set<std::string>& server_requests() const { return server_requests_; }
  // Of the latest session that was opened by an approval.
  const AskedPeople& asked_for_session() const { return asked_for_session_; }
  // By who was asked; what nobody was asked for first.
  const std::map<AskedPeople, RuleUse>& rules() const { return rules_; }
  // More tools, prompts or methods than are kept.
  bool has_dropped() const { return has_dropped_; }
  // Calls of which it is not known what they named.
  uint64_t hidden_targets() const { return hidden_targets_; }

 private:
  bool HasRoom(std::size_t size);

  const types::v1::Session latest_;
  uint64_t calls_ = 0;
  uint64_t sessions_ = 0;
  absl::Duration longest_;
  std::set<std::string> server_requests_;
  AskedPeople asked_for_session_;
  std::map<AskedPeople, RuleUse> rules_;
  bool has_dropped_ = false;
  uint64_t hidden_targets_ = 0;
};

}  // namespace sallyport::controlplane
