#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "agent/call/approval_desk.h"
#include "agent/call/metrics.h"
#include "agent/call/opening.h"
#include "agent/call/paced_masker.h"
#include "agent/call/principal_table.h"
#include "agent/call/session_rules.h"
#include "agent/call/session_table.h"
#include "agent/call/token_table.h"
#include "agent/call/tool_pins.h"
#include "agent/control/approval_client.h"
#include "agent/control/call_settlements.h"
#include "agent/control/session_client.h"
#include "agent/control/snapshot_watch.h"
#include "agent/loop/loop.h"
#include "agent/record/count_table.h"
#include "agent/record/recorder.h"
#include "agent/upstream/upstreams.h"
#include "common/clock.h"

namespace sallyport::agent {

struct CallLimits {
  // The largest message of any server.
  std::uint64_t message_bytes = std::uint64_t{16} << 20;
  // How long a call that waits for a person is held before it gets the retry answer.
  absl::Duration approval_hold = absl::Seconds(50);
  // For servers that have their own.
  std::map<std::string, absl::Duration, std::less<>> approval_hold_of = {};
  absl::Duration approval_progress = absl::Seconds(5);
  // How long initialize waits for its session, and in all for its server: hosted clients give up at
  // 10 s.
  absl::Duration open_hold = absl::Seconds(5);
  // How long after it began to be held an opening is held again: what a client does next in the
  // same attempt to connect (it may try one era after the other) is answered at once.
  absl::Duration open_rest = absl::Seconds(10);
  absl::Duration start_hold = absl::Seconds(9);
  // A server that has started for nobody is kept this long for the identical initialize.
  absl::Duration start_kept = absl::Seconds(60);
  std::size_t mcp_sessions_of_principal = 64;
  int held_calls_of_session = 8;
  int held_calls = 1000;
};

// What the stages work with: the rooms below, and the state that outlives a call. Wired once. On
// the loop's thread.
struct Gateway {
  Loop& loop;
  const Clock& clock;
  SnapshotWatch& snapshots;
  SessionClient& session_client;
  ApprovalClient& approval_client;
  CallSettlements& settlements;
  ToolPins& tool_pins;
  Recorder& recorder;
  PacedMasker& masker;
  Upstreams& upstreams;
  RuleMaker rule_maker;
  // What masks what belongs to no session.
  std::shared_ptr<const MaskPlan> plan_without_session;
  // The agent's name.
  std::string agent;
  // Without a final slash.
  std::string public_url;
  // 32 bytes that stay the same over restarts: the keys of sessions are derived from it.
  std::string session_secret;
  CallLimits limits;
  // Of all sessions of a principal on a server, by LimitKey, and of those of one client and address
  // one after the other: a new session starts from what the ones before it did.
  CountTable call_counts;

  SessionTable sessions = {};
  TokenTable tokens = {};
  PrincipalTable principals = {};
  ApprovalDesk approvals = {};
  Openings openings = {};
  Metrics metrics = {};
  // Calls that wait until a person decides.
  int held_calls = 0;
  bool is_draining = false;

  // The canonical resource URI of a server (RFC 9728).
  std::string ResourceUri(std::string_view server) const;
  std::string MetadataUrl(std::string_view server) const;
  absl::Duration ApprovalHold(std::string_view server) const;
};

}  // namespace sallyport::agent
