#include "agent/record/recorder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/mcp/json_rpc.h"
#include "agent/record/event_content.h"
#include "agent/record/record_writer.h"
#include "agent/record/recorder_impl.h"
#include "common/chain/chain.h"
#include "common/denial.h"
#include "common/random.h"
#include "common/sparse_table.h"
#include "common/status_macros.h"

namespace sallyport::agent {

struct RecordPass {};

namespace {

using types::v1::RecordContent;
using types::v1::RecordType;

constexpr std::size_t kReservedDetailBytes = 256;

// What is longer leaves the last quarter of the room to what is not, so that a burst of long
// messages keeps nobody from short ones.
constexpr std::size_t kLongBytes = std::size_t{64} << 10;
// What a record adds to its payload at most.
constexpr std::size_t kFrameBytes = 512;

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kSaltStock = 256;

absl::Status Unavailable(const absl::Status& status) {
  return WithReason(status, types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE);
}

absl::Status NotDurable() {
  return Denied(types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE,
                "the record could not be made durable");
}

}  // namespace

// --- appending

std::string_view Recorder::Impl::NextSalt() {
  if (next_salt_ == salts_.size()) {
    salts_ = RandomBytes(kSaltBytes * kSaltStock);
    next_salt_ = 0;
  }
  std::string_view salt = std::string_view(salts_).substr(next_salt_, kSaltBytes);
  next_salt_ += kSaltBytes;
  return salt;
}

// The record of payload_, as the chain's next link.
absl::Status Recorder::Impl::AppendContent(RecordingChain& chain, RecordType type,
                                           Spool::Room room) {
  if (chain.closed_) {
    refused_ = absl::FailedPreconditionError("the recording is closed");
    return Unavailable(refused_);
  }
  if (payload_.size() > kLongBytes &&
      sessions_.spool().WouldFillLastQuarter(payload_.size() + kFrameBytes)) {
    return Unavailable(absl::ResourceExhaustedError(
        "the spool is nearly full, and the rest of it is for what is short"));
  }
  std::string_view salt = NextSalt();
  chain::Link link{.n = chain.n_ + 1,
                   .type = static_cast<std::uint32_t>(type),
                   .time_unix_nanos = absl::ToUnixNanos(clock_.Now()),
                   .payload_length = payload_.size(),
                   .payload_digest = chain::PayloadDigest(salt, payload_)};
  chain::Digest hash = chain::LinkHash(chain.session_id_, chain.head_, link);
  WriteRecord(record_, {.session_id = chain.session_id_,
                        .n = link.n,
                        .type = type,
                        .time_unix_nanos = link.time_unix_nanos,
                        .salt = salt,
                        .payload = payload_,
                        .payload_digest = chain::View(link.payload_digest),
                        .hash = chain::View(hash)});
  Spool& spool = &chain == denial_chain_.get() ? denials_.spool() : sessions_.spool();
  absl::Status appended = spool.Append(EntryKind::kRecord, room, record_);
  if (&spool == &sessions_.spool()) refused_ = appended;
  if (!appended.ok()) return Unavailable(appended);
  chain.n_ = link.n;
  chain.head_ = hash;
  return absl::OkStatus();
}

void Recorder::Impl::Answered(RecordingChain& chain, std::uint64_t request_n) {
  if (request_n != 0 && std::erase(chain.unanswered_, request_n) > 0)
    sessions_.spool().Release(kOutcomeBytes);
}

absl::Status Recorder::Impl::AppendRequest(RecordingChain& chain, const RequestFacts& facts,
                                           const MaskedRequest& request) {
  const ClientMessage& message = request.message();
  RecordType type = message.shape == Shape::kRequest        ? RecordType::RECORD_TYPE_REQUEST
                    : message.shape == Shape::kNotification ? RecordType::RECORD_TYPE_NOTIFICATION
                                                            : RecordType::RECORD_TYPE_ANSWER;
  std::string detail;
  if (facts.unrecorded > 0) {
    detail = absl::StrCat(facts.unrecorded,
                          " more answers of our own before it are counted and not recorded");
  }
  WriteContent(payload_, facts,
               {.method = request.method(),
                .target = request.target(),
                .rpc_id = request.rpc_id(),
                .body = request.bytes(),
                .original_bytes = message.bytes.size(),
                .findings = request.findings(),
                .detail = detail,
                .is_counted = facts.is_counted});
  bool is_request = type == RecordType::RECORD_TYPE_REQUEST;
  // Room for its outcome is taken first, so that there is never a request whose outcome does not
  // fit.
  if (is_request) sessions_.spool().Reserve(kOutcomeBytes);
  absl::Status appended = AppendContent(chain, type, Spool::Room::kOrdinary);
  if (!is_request) return appended;
  if (appended.ok()) {
    chain.unanswered_.push_back(chain.n_);
    if (facts.is_counted) ++chain.calls_;
  } else {
    sessions_.spool().Release(kOutcomeBytes);
  }
  return appended;
}

absl::Status Recorder::Impl::AppendMessage(RecordingChain& chain, const MessageFacts& facts,
                                           const MaskedMessage& message) {
  const UpstreamMessage& m = message.message();
  bool is_response = m.shape == Shape::kResponse;
  RecordType type = facts.type;
  if (type == RecordType::RECORD_TYPE_UNSPECIFIED) {
    type = is_response ? RecordType::RECORD_TYPE_RESULT : RecordType::RECORD_TYPE_MESSAGE;
  }
  std::string_view outcome = facts.outcome;
  if (outcome.empty() && type == RecordType::RECORD_TYPE_RESULT)
    outcome = m.is_error ? "error" : "delivered";
  const ShownRequest* const answers = is_response ? facts.answers : nullptr;
  if (is_response && answers == nullptr)
    return absl::InternalError("a response that answers no request");
  const bool hides_id = is_response && answers->hides_id();
  const std::string with_shown_id = hides_id ? WithId(m.bytes, answers->rpc_id()) : std::string();
  WriteContent(payload_, facts,
               {.method = is_response ? answers->method() : m.method,
                .target = is_response ? answers->target() : std::string_view(),
                .rpc_id = is_response ? answers->rpc_id() : m.id,
                .body = hides_id ? with_shown_id : m.bytes,
                .original_bytes = message.original_bytes(),
                .findings = message.findings(),
                .denial_reason = facts.denial_reason,
                .outcome = outcome,
                .request_n = facts.request_n,
                .detail = facts.detail.view()});
  RETURN_IF_ERROR(AppendContent(chain, type, Spool::Room::kOrdinary));
  if (is_response) Answered(chain, facts.request_n);
  return absl::OkStatus();
}

absl::Status Recorder::Impl::AppendEvent(RecordingChain& chain, const EventFacts& facts) {
  const RecordType type = facts.type;
  bool is_end = type == RecordType::RECORD_TYPE_END;
  bool is_reserved = is_end || type == RecordType::RECORD_TYPE_OUTCOME;
  RecordContent content = ContentOf(facts);
  if (is_reserved && content.detail().size() > kReservedDetailBytes)
    content.mutable_detail()->resize(kReservedDetailBytes);
  payload_.clear();
  content.AppendToString(&payload_);
  bool fits = payload_.size() < (is_end ? kEndBytes : kOutcomeBytes) / 2;
  RETURN_IF_ERROR(AppendContent(
      chain, type, is_reserved && fits ? Spool::Room::kReserved : Spool::Room::kOrdinary));
  Answered(chain, content.request_n());
  if (content.is_taken_back()) --chain.calls_;
  if (is_end) {
    ended_.insert(chain.session_id_);
    Close(chain);
  }
  return absl::OkStatus();
}

absl::Status Recorder::Impl::status() const {
  absl::Status failed = sessions_.spool().status();
  // A recording that is closed refuses for itself alone.
  if (failed.ok() && !absl::IsFailedPrecondition(refused_)) failed = refused_;
  return failed.ok() ? failed : Unavailable(failed);
}

// --- refusals without a session

void Recorder::Impl::WriteDenial(const DenialFacts& facts, std::string_view detail) {
  types::v1::RecordContent content;
  content.set_method(std::string(facts.method.view()));
  content.set_denial_reason(facts.reason);
  content.set_detail(std::string(detail));
  content.set_server(std::string(facts.server.view()));
  content.set_client_address(std::string(facts.client_address));
  content.set_token_id(std::string(facts.token_id));
  if (facts.principal != nullptr) *content.mutable_principal() = *facts.principal;
  content.SerializeToString(&payload_);
  if (AppendContent(*denial_chain_, RecordType::RECORD_TYPE_DENIAL, Spool::Room::kOrdinary).ok()) {
    lost_denials_ = 0;
  } else {
    ++lost_denials_;
  }
}

void Recorder::Impl::AppendDenial(const DenialFacts& facts) {
  if (!sources_.Admit(facts.client_address)) return;
  std::string detail(facts.detail.view());
  if (lost_denials_ > 0)
    absl::StrAppend(&detail, " (", lost_denials_, " refusals before this one have no record)");
  WriteDenial(facts, detail);
}

void Recorder::Impl::SummarizeDenials() {
  sources_.Summarize([this](const std::string& address, std::uint64_t suppressed) {
    WriteDenial({.client_address = address},
                absl::StrCat(suppressed, " more refusals of this source in one second"));
  });
}

// --- the public face

RecordingChain::~RecordingChain() {
  if (owner_ != nullptr) owner_->Forget(*this);
}

Recorder::Recorder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Recorder::~Recorder() = default;

absl::StatusOr<std::unique_ptr<Recorder>> Recorder::Create(Loop& loop, const Clock& clock,
                                                           RecorderOptions options) {
  auto impl = std::make_unique<Impl>(loop, clock, std::move(options));
  RETURN_IF_ERROR(impl->Open());
  return std::unique_ptr<Recorder>(new Recorder(std::move(impl)));
}

std::unique_ptr<RecordingChain> Recorder::StartChain(std::string session_id) {
  return impl_->StartChain(std::move(session_id));
}
std::vector<std::unique_ptr<RecordingChain>> Recorder::TakeOpenChains() {
  return impl_->TakeOpenChains();
}
void Recorder::ForgetEnds(const std::function<bool(const std::string&)>& is_over) {
  EraseAndShrink(impl_->ended_, is_over);
}
bool Recorder::GiveUp(const std::string& recording) { return impl_->GiveUp(recording); }
const std::vector<std::string>& Recorder::damaged_sessions() const { return impl_->damaged_; }

Task<absl::StatusOr<OutboundMessage>> Recorder::RecordRequest(RecordingChain& chain,
                                                              RequestFacts facts,
                                                              MaskedRequest request) {
  CO_RETURN_IF_ERROR(impl_->AppendRequest(chain, facts, request));
  std::uint64_t n = chain.n();
  if (!co_await impl_->commit_->Durable()) co_return NotDurable();
  co_return OutboundMessage(RecordPass{}, std::move(request), n);
}

OutboundMessage Recorder::AnswerUnrecorded(MaskedRequest answer) {
  return OutboundMessage(RecordPass{}, std::move(answer), 0);
}

Task<absl::StatusOr<RecordedMessage>> Recorder::RecordMessage(RecordingChain& chain,
                                                              MessageFacts facts,
                                                              MaskedMessage message) {
  CO_RETURN_IF_ERROR(impl_->AppendMessage(chain, facts, message));
  if (!co_await impl_->commit_->Durable()) co_return NotDurable();
  co_return RecordedMessage(RecordPass{}, std::move(message).TakeMessage());
}

Task<absl::Status> Recorder::RecordEvent(RecordingChain& chain, EventFacts facts) {
  CO_RETURN_IF_ERROR(impl_->AppendEvent(chain, facts));
  if (!co_await impl_->commit_->Durable()) co_return NotDurable();
  co_return absl::OkStatus();
}

void Recorder::RecordDenial(const DenialFacts& facts) { impl_->AppendDenial(facts); }

absl::StatusOr<RecordedMessage> Recorder::RefuseUnrecorded(UpstreamMessage refusal) {
  if (!impl_->refuses())
    return absl::FailedPreconditionError("the recorder works: record the refusal");
  return RecordedMessage(RecordPass{}, std::move(refusal));
}

absl::Status Recorder::status() const { return impl_->status(); }
std::vector<Spool*> Recorder::spools() {
  return {&impl_->sessions_.spool(), &impl_->denials_.spool()};
}
std::uint64_t Recorder::backlog_bytes() const {
  return impl_->sessions_.spool().backlog_bytes() + impl_->denials_.spool().backlog_bytes();
}
std::uint64_t Recorder::capacity_bytes() const { return impl_->sessions_.spool().capacity_bytes(); }
const RecorderTimings& Recorder::timings() const { return impl_->commit_->timings(); }
absl::Status Recorder::Flush() { return impl_->commit_->Flush(); }

}  // namespace sallyport::agent
