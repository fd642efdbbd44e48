#include "agent/mask/json_masker.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "agent/mask/clear_and_shrink.h"
#include "agent/mask/cut_places.h"
#include "agent/mask/detectors/detector.h"
#include "agent/mask/literal_search.h"
#include "agent/mask/mask_edits.h"
#include "agent/mask/mask_rules.h"
#include "agent/mask/message_texts.h"
#include "agent/mcp/bound_params.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/json_splice.h"
#include "agent/mcp/json_text.h"
#include "agent/mcp/methods.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {

// Who can name this can say that a message is masked: only this file can.
struct MaskPass {};

namespace {

using types::v1::DenialReason;

constexpr std::string_view kCredentialName = "credential";
constexpr std::size_t kKeptBytes = 1u << 20;

absl::Status Blocked(const absl::Status& why) {
  return Denied(DenialReason::DENIAL_REASON_MASKER_BLOCKED, ToStd(why.message()));
}

// What an edit does to the places behind it.
std::size_t Moved(std::size_t place, const std::vector<MaskEdit>& edits) {
  std::size_t moved = place;
  for (const MaskEdit& edit : edits) {
    if (edit.end > place) break;
    moved = moved - (edit.end - edit.begin) + edit.text.size();
  }
  return moved;
}

std::string Spliced(std::string_view original, const std::vector<MaskEdit>& edits) {
  Splicer splicer(original);
  for (const MaskEdit& edit : edits) splicer.Replace(edit.begin, edit.end, edit.text);
  return splicer.Finish();
}

struct CodeRange {
  std::uint32_t first;
  std::uint32_t last;
};

// Characters that make a text look like another one, beside C0 controls.
constexpr std::array<CodeRange, 14> kInvisible = {{{0x7f, 0x9f},
                                                   {0xad, 0xad},
                                                   {0x034f, 0x034f},
                                                   {0x061c, 0x061c},
                                                   {0x115f, 0x1160},
                                                   {0x17b4, 0x17b5},
                                                   {0x180b, 0x180f},
                                                   {0x200b, 0x200f},
                                                   {0x2028, 0x202e},
                                                   {0x2060, 0x206f},
                                                   {0xfe00, 0xfe0f},
                                                   {0xfeff, 0xfeff},
                                                   {0xfff9, 0xfffb},
                                                   // Tags and variation selectors.
                                                   {0xe0000, 0xe0fff}}};

bool IsInvisible(std::uint32_t code) {
  return std::any_of(kInvisible.begin(), kInvisible.end(), [&](const CodeRange& range) {
    return code >= range.first && code <= range.last;
  });
}

std::uint32_t CodeOf(std::string_view bytes) {
  constexpr std::array<std::uint32_t, 5> kLeadBits = {0, 0x7f, 0x1f, 0x0f, 0x07};
  std::uint32_t code = static_cast<unsigned char>(bytes[0]) & kLeadBits[bytes.size()];
  for (const char c : bytes.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3fu);
  return code;
}

void AppendEscape(std::string& out, std::uint32_t code) {
  if (code > 0xffff) {
    AppendEscape(out, 0xd7c0 + (code >> 10));
    code = 0xdc00 | (code & 0x3ff);
  }
  absl::StrAppend(&out, "\\u", absl::Hex(code, absl::kZeroPad4));
}

// A text in which each of them is an escape, and each control character, but for the white space of
// JSON. It is valid UTF-8, so a lead byte has its continuation.
std::string WithVisibleCharacters(std::string_view text, bool is_json) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const std::string_view bytes = text.substr(i, size);
    i += size;
    const std::uint32_t code = CodeOf(bytes);
    if (IsInvisible(code) || (code < 0x20 && !is_json)) {
      AppendEscape(out, code);
    } else {
      out.append(bytes);
    }
  }
  return out;
}

// What the edits leave of a value of the message they are of. No edit reaches over its ends.
std::string Spliced(std::string_view original, const JsonNode* value,
                    const std::vector<MaskEdit>& edits) {
  if (value == nullptr) return {};
  Splicer splicer(original.substr(value->begin, value->end - value->begin));
  for (const MaskEdit& edit : edits) {
    if (edit.begin < value->begin || edit.end > value->end) continue;
    splicer.Replace(edit.begin - value->begin, edit.end - value->begin, edit.text);
  }
  return splicer.Finish();
}

// The string that a JSON literal is. Empty where it is none.
std::string Decoded(std::string_view literal) {
  std::string text;
  if (literal.size() < 2 || literal.front() != '"') return text;
  AppendJsonUnescaped(text, literal.substr(1, literal.size() - 2));
  return text;
}

// Where the scan has found a message's target.
const JsonNode* TargetOf(const JsonIndex& index, const ClientMessage& message) {
  const JsonNode* params = index.Member(&index.root(), "params");
  if (message.method == "tools/call" || message.method == "prompts/get") {
    return index.Member(params, "name");
  }
  if (message.method != "completion/complete") return index.Member(params, "uri");
  return index.Member(index.Member(params, "ref"), message.ref_is_resource ? "uri" : "name");
}

}  // namespace

struct Masker::Work {
  std::shared_ptr<const MaskEngine> engine;
  SearchScratch scratch;
  MessageTexts texts;
  std::vector<MaskHit> hits;
  std::vector<PersonalMatch> personal;
  std::vector<MaskEdit> edits;
  std::string memory;  // of the search for credentials

  // Leaves the edits of `json` in `edits`.
  absl::Status Run(std::string_view json, const SessionMask& mask, MaskFor mask_for,
                   std::vector<Finding>& findings);
  // A text that is no JSON.
  absl::StatusOr<std::string> RunOver(std::string_view text, const SessionMask& mask,
                                      MaskFor mask_for);

 private:
  absl::Status FindSecrets(const MaskPlan::Rules& rules);
  void FindPersonalData(const MaskPlan::Rules& rules);
  void FindPatterns(const MaskPlan::Rules& rules);
  absl::Status FindCredentials(const CredentialEcho& credentials);
  void Add(std::size_t begin, std::size_t end, MaskHit::Source source, const MaskOp& op,
           std::string_view name) {
    const auto first = static_cast<std::uint32_t>(begin);
    const auto last = static_cast<std::uint32_t>(end);
    hits.push_back({first, last, source, op, name, first, last});
  }
};

absl::Status Masker::Work::FindSecrets(const MaskPlan::Rules& rules) {
  std::array<std::size_t, kDetectorCount> barren_until{};
  return engine->anchors().Find(
      texts.arena(), scratch, [&](std::size_t literal, std::size_t begin) {
        const Anchor& anchor = Anchors()[literal];
        if (!rules.Has(anchor.detector)) return;
        std::size_t& barren = barren_until[static_cast<std::size_t>(anchor.detector)];
        if (begin < barren) return;
        const MaskText* text = texts.TextAt(begin);
        if (text == nullptr) return;
        const std::string_view whole = texts.arena().substr(text->begin, text->end - text->begin);
        std::size_t local_barren = 0;
        const std::optional<Match> match = anchor.read(whole, begin - text->begin, local_barren);
        barren = std::max(barren, text->begin + local_barren);
        if (!match.has_value()) return;
        // Not before the match ends: what begins inside it is masked with it.
        barren = std::max(barren, text->begin + match->end);
        Add(text->begin + match->begin, text->begin + match->end, MaskHit::Source::kDetector,
            rules.OpOf(anchor.detector), NameOf(anchor.detector));
      });
}

void Masker::Work::FindPersonalData(const MaskPlan::Rules& rules) {
  if (!rules.HasPersonal()) return;
  personal.clear();
  FindPersonal(texts.arena(), texts.sites(), personal);
  for (const PersonalMatch& found : personal) {
    if (!rules.Has(found.detector)) continue;
    Add(found.match.begin, found.match.end, MaskHit::Source::kDetector, rules.OpOf(found.detector),
        NameOf(found.detector));
  }
}

void Masker::Work::FindPatterns(const MaskPlan::Rules& rules) {
  for (const MaskPlan::Rules::Pattern& pattern : rules.patterns) {
    for (const MaskText& text : texts.texts()) {
      if (text.kind == MaskText::Kind::kFlag) continue;
      const std::string_view whole = texts.arena().substr(text.begin, text.end - text.begin);
      const re2::StringPiece piece(whole.data(), whole.size());
      re2::StringPiece found;
      for (std::size_t at = 0;
           at < whole.size() &&
           pattern.re2->Match(piece, at, whole.size(), RE2::UNANCHORED, &found, 1);) {
        const auto begin = static_cast<std::size_t>(found.data() - whole.data());
        if (!found.empty()) {
          Add(text.begin + begin, text.begin + begin + found.size(), MaskHit::Source::kDetector,
              pattern.op, pattern.name);
        }
        at = begin + std::max<std::size_t>(found.size(), 1);
      }
    }
  }
}

absl::Status Masker::Work::FindCredentials(const CredentialEcho& credentials) {
  return credentials.Find(texts.arena(), scratch, memory, [&](std::size_t begin, std::size_t end) {
    // It may be cut up over several texts: what each of them has of it.
    for (std::size_t at = begin; at < end;) {
      const MaskText* text = texts.TextAt(at);
      if (text == nullptr) {
        ++at;
        continue;
      }
      Add(at, std::min<std::size_t>(end, text->end), MaskHit::Source::kCredential, MaskOp{},
          kCredentialName);
      at = text->end;
    }
  });
}

absl::Status Masker::Work::Run(std::string_view json, const SessionMask& mask, MaskFor mask_for,
                               std::vector<Finding>& findings) {
  if (mask.plan == nullptr) return absl::InternalError("a session without a mask plan");
  const MaskPlan::Rules& rules = mask.plan->rules();
  ClearAndShrink(edits);
  ClearAndShrink(hits);
  if (memory.size() > kKeptBytes) std::string().swap(memory);
  RETURN_IF_ERROR(texts.Collect(json, rules, mask_for));
  hits = texts.field_hits();
  RETURN_IF_ERROR(FindSecrets(rules));
  FindPersonalData(rules);
  FindPatterns(rules);
  // Last, so that nothing that came before can hide one.
  if (mask.credentials != nullptr) RETURN_IF_ERROR(FindCredentials(*mask.credentials));
  if (hits.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(
      PlanEdits(texts, hits, MaskReplacement(mask_for, mask.token_key), mask_for, edits, findings));
  CarryOut(texts, edits, findings);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Masker::Work::RunOver(std::string_view text, const SessionMask& mask,
                                                  MaskFor mask_for) {
  const std::string json = absl::StrCat("[", JsonString(text), "]");
  std::vector<Finding> findings;
  RETURN_IF_ERROR(Run(json, mask, mask_for, findings));
  const std::string masked = Spliced(json, edits);
  return Decoded(std::string_view(masked).substr(1, masked.size() - 2));
}

absl::StatusOr<std::unique_ptr<Masker>> Masker::Create(std::shared_ptr<const MaskEngine> engine) {
  auto work = std::make_unique<Work>();
  work->engine = std::move(engine);
  // Takes the memory now: a first message should not be the one that finds there is none.
  RETURN_IF_ERROR(work->engine->anchors().Find({}, work->scratch, [](std::size_t, std::size_t) {}));
  return std::unique_ptr<Masker>(new Masker(std::move(work)));
}

Masker::Masker(std::unique_ptr<Work> work) : work_(std::move(work)) {}
Masker::~Masker() = default;

absl::StatusOr<MaskedMessage> Masker::Mask(UpstreamMessage message, const SessionMask& mask) {
  const std::size_t original_bytes = message.bytes.size();
  std::vector<Finding> findings;
  if (absl::Status done = work_->Run(message.bytes, mask, MaskFor::kClient, findings); !done.ok()) {
    return Blocked(done);
  }
  if (!work_->edits.empty()) {
    message.body = {Moved(message.body.begin, work_->edits), Moved(message.body.end, work_->edits)};
    message.bytes = Spliced(message.bytes, work_->edits);
  }
  if (mask.credentials != nullptr) {
    // Over the very bytes that would go out: whatever the masks above took a credential for, it
    // does not leave.
    bool is_left = false;
    const absl::Status searched =
        mask.credentials->Find(message.bytes, work_->scratch, work_->memory,
                               [&](std::size_t, std::size_t) { is_left = true; });
    if (!searched.ok()) return Blocked(searched);
    if (is_left)
      return Blocked(absl::InternalError("a credential cannot be masked where it stands"));
  }
  return MaskedMessage(MaskPass{}, std::move(message), std::move(findings), original_bytes);
}

MaskedMessage Masker::Refusal(std::string_view id, DenialReason reason) {
  const std::string data = absl::StrCat("{\"reason\":", JsonString(ReasonName(reason)), "}");
  UpstreamMessage refusal =
      ErrorResponse(id, rpc_code::kRefused, "the server's answer was withheld", data);
  const std::size_t size = refusal.bytes.size();
  return MaskedMessage(MaskPass{}, std::move(refusal), {}, size);
}

absl::StatusOr<MaskedRequest> Masker::MaskRequest(std::shared_ptr<const ClientMessage> message,
                                                  const SessionMask& mask) {
  ShownRequest::Masked masked;
  if (absl::Status done = work_->Run(message->bytes, mask, MaskFor::kRecord, masked.findings);
      !done.ok()) {
    return Blocked(done);
  }
  const std::vector<MaskEdit>& edits = work_->edits;
  if (edits.empty()) return MaskedRequest(MaskPass{}, std::move(message));
  const std::string_view original = message->bytes;
  const JsonIndex& index = work_->texts.index();
  const auto value_of = [&](std::string_view name) {
    return Spliced(original, index.Member(&index.root(), name), edits);
  };
  masked.method = Decoded(value_of("method"));
  masked.id = value_of("id");
  if (!message->target.empty()) {
    masked.target = Decoded(Spliced(original, TargetOf(index, *message), edits));
  }
  masked.bytes = Spliced(original, edits);
  return MaskedRequest(MaskPass{}, std::move(message), std::move(masked));
}

ShownRequest Masker::Show(std::shared_ptr<const ClientMessage> message, const SessionMask& mask) {
  if (auto masked = MaskRequest(message, mask); masked.ok()) return *std::move(masked);
  ShownRequest::Masked withheld;
  if (const ClientMethod* method = FindClientMethod(message->method)) {
    withheld.method = method->name;
  }
  return ShownRequest(MaskPass{}, std::move(message), std::move(withheld));
}

ShownText Masker::Show(std::string_view text, const SessionMask& mask) {
  auto shown = work_->RunOver(text, mask, MaskFor::kRecord);
  return shown.ok() ? ShownText(MaskPass{}, *std::move(shown))
                    : "withheld, for it cannot be masked"_words;
}

absl::StatusOr<std::string> Masker::ShowJsonToApprover(std::string_view json,
                                                       const SessionMask& mask) {
  if (json.empty()) return std::string();
  std::vector<Finding> findings;
  if (absl::Status done = work_->Run(json, mask, MaskFor::kApprover, findings); !done.ok())
    return Blocked(done);
  return WithVisibleCharacters(Spliced(json, work_->edits), true);
}

absl::StatusOr<CallForApprover> Masker::ShowToApprover(const ClientMessage& call,
                                                       const SessionMask& mask) {
  CallForApprover shown;
  auto method = work_->RunOver(call.method, mask, MaskFor::kApprover);
  if (!method.ok()) return Blocked(method.status());
  if (*method != call.method) return Blocked(absl::InternalError("a finding in a method's name"));
  auto target = work_->RunOver(call.target, mask, MaskFor::kApprover);
  if (!target.ok()) return Blocked(target.status());
  shown.target = WithVisibleCharacters(*target, false);
  const std::string_view bytes = call.bytes;
  const std::string_view arguments = bytes.substr(call.arguments.begin, call.arguments.size());
  ASSIGN_OR_RETURN(shown.arguments, ShowJsonToApprover(arguments, mask));
  shown.cut = CutPlaces(arguments, shown.arguments);
  ASSIGN_OR_RETURN(const std::string others, OtherParams(call));
  ASSIGN_OR_RETURN(shown.other_params, ShowJsonToApprover(others, mask));
  return shown;
}

}  // namespace sallyport::agent
