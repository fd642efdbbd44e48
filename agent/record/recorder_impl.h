#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "agent/record/denial_sources.h"
#include "agent/record/group_commit.h"
#include "agent/record/journal.h"
#include "agent/record/recorder.h"

namespace sallyport::agent {

// What an END and an OUTCOME record need at most; what they say is cut to fit.
inline constexpr std::uint64_t kEndBytes = 2048;
inline constexpr std::uint64_t kOutcomeBytes = 1024;

// recorder_start.cc: what the last run left, and chains. recorder.cc: records.
class Recorder::Impl final : public RecordingChainOwner {
 public:
  using RecordType = types::v1::RecordType;

  Impl(Loop& loop, const Clock& clock, RecorderOptions options)
      : loop_(loop), clock_(clock), options_(std::move(options)) {}
  ~Impl();

  absl::Status Open();

  std::unique_ptr<RecordingChain> StartChain(std::string session_id);
  std::vector<std::unique_ptr<RecordingChain>> TakeOpenChains() {
    return std::exchange(recovered_, {});
  }
  void Forget(RecordingChain& chain) override;
  bool GiveUp(const std::string& recording);

  absl::Status AppendContent(RecordingChain& chain, RecordType type, Spool::Room room);
  absl::Status AppendRequest(RecordingChain& chain, const RequestFacts& facts,
                             const MaskedRequest& request);
  absl::Status AppendMessage(RecordingChain& chain, const MessageFacts& facts,
                             const MaskedMessage& message);
  absl::Status AppendEvent(RecordingChain& chain, const EventFacts& facts);
  void AppendDenial(const DenialFacts& facts);

  absl::Status status() const;
  bool refuses() const { return !refused_.ok() || !sessions_.spool().status().ok(); }

  Journal sessions_;
  Journal denials_;
  std::optional<GroupCommit> commit_;  // of both, once they are open
  std::vector<std::string> damaged_;
  // Sessions whose END record is written and not known to the control plane, as far as we know.
  absl::flat_hash_set<std::string> ended_;

 private:
  absl::Status OpenDenials();
  absl::Status OpenSessions();
  void TakeFound(Journal& journal);
  absl::flat_hash_map<std::string, ChainState> OpenChains(bool denials) const;
  std::unique_ptr<RecordingChain> NewChain(std::string session_id, ChainState state);
  void BeginDenialChain();
  // Nothing of it needs room any more.
  void Close(RecordingChain& chain);
  absl::Status AppendUnknownOutcomes(RecordingChain& chain);
  void Answered(RecordingChain& chain, std::uint64_t request_n);
  std::string_view NextSalt();
  void WriteDenial(const DenialFacts& facts, std::string_view detail);
  void SummarizeDenials();

  Loop& loop_;
  const Clock& clock_;
  const RecorderOptions options_;

  std::vector<RecordingChain*> chains_;
  // Let go of without an END record.
  absl::flat_hash_map<std::string, ChainState> abandoned_;
  std::vector<std::unique_ptr<RecordingChain>> recovered_;
  std::unique_ptr<RecordingChain> denial_chain_;
  // Why the last append was refused; OK after one that was not.
  absl::Status refused_;

  std::string payload_;
  std::string record_;
  std::string salts_;
  std::size_t next_salt_ = 0;

  DenialSources sources_;
  std::uint64_t lost_denials_ = 0;

  // What the loop calls may be called after we are gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sallyport::agent
