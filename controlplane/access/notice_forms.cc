#include "controlplane/access/notice_forms.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/json_printer.h"
#include "common/json_string.h"
#include "common/printable.h"
#include "common/time_text.h"
#include "common/utf8.h"
#include "controlplane/model/caller.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {
namespace {

using types::v1::Approval;

// Slack refuses a message of more than some 13,000 characters and a field of more than 2,000; a
// card for Teams may have 28 KB. All of them count less than we do when a character is escaped.
constexpr std::size_t kMaxFactBytes = 300;
constexpr std::size_t kMaxTitleBytes = 140;
constexpr std::size_t kMaxCodeBytes = 2500;

// Printable, and cut between characters where it is longer.
std::string Cut(std::string_view text, std::size_t max_bytes) {
  std::string printable = Printable(text);
  if (printable.size() <= max_bytes) return printable;
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(printable[end]) & 0xc0) == 0x80) --end;
  return printable.substr(0, end) + "... (cut)";
}

struct Fact {
  std::string name;
  std::string value;
};

std::string Who(const types::v1::Principal& principal) {
  std::string who = PrincipalName(principal);
  if (!principal.client_id().empty() && principal.client_id() != principal.subject())
    absl::StrAppend(&who, " by client ", principal.client_id());
  return who;
}

std::string What(const Approval& approval) {
  return approval.method().empty() ? "a session"
                                   : absl::StrCat(approval.method(), " ", approval.tool());
}

// What its session is given.
std::string Opening(const Approval& approval) {
  const std::string time = DurationText(FromProto(approval.duration()));
  return approval.max_calls() == 0
             ? time
             : absl::StrCat(time, ", at most ", approval.max_calls(), " calls");
}

std::string Before(const types::v1::PrincipalHistory& history) {
  std::string text = absl::StrCat(history.sessions(), " other sessions with ", history.calls(),
                                  " calls; ", history.approvals_granted(), " approvals granted, ",
                                  history.approvals_denied(), " denied");
  if (history.same_calls() > 0) absl::StrAppend(&text, "; this ", history.same_calls(), " times");
  return text;
}

// One notice, as people read it.
struct Message {
  std::string title;
  std::vector<Fact> facts;
  // What is shown as it stands, in a type of fixed width.
  std::vector<Fact> code;

  void AddFact(std::string name, std::string_view value) {
    if (!value.empty()) facts.push_back({std::move(name), Cut(value, kMaxFactBytes)});
  }
  void AddCode(std::string name, std::string_view value) {
    if (!value.empty()) code.push_back({std::move(name), Cut(value, kMaxCodeBytes)});
  }
};

Message MessageOf(const Approval& approval) {
  Message message;
  message.title = Cut(absl::StrCat("Approval needed: ", What(approval), " on ", approval.server()),
                      kMaxTitleBytes);
  message.AddFact("Server", approval.server());
  message.AddFact("For", What(approval));
  message.AddFact("Who", Who(approval.principal()));
  if (approval.has_duration()) message.AddFact("Open for", Opening(approval));
  message.AddFact("Reason", approval.reason());
  message.AddFact("Approvers", absl::StrCat(std::max(1U, approval.count()), " of ",
                                            absl::StrJoin(approval.approvers(), ", ")));
  message.AddFact("Expires", TimeText(FromProto(approval.expires_at())));
  message.AddFact("Before", Before(approval.history()));
  if (approval.repeats_size() > 0) {
    message.AddFact("Warning",
                    "an identical call was made, and nobody knows whether it was done: to approve "
                    "is to say that it is made again");
  }
  message.AddCode("Arguments", approval.arguments());
  message.AddCode("Other parameters", approval.other_params());
  message.AddCode("Definition", approval.tool_definition());
  message.AddCode("Decide",
                  absl::StrCat("sallyport approvals show ", approval.id(),
                               "; sallyport approvals approve ", approval.id(),
                               "; sallyport approvals deny ", approval.id(), " --reason \"...\""));
  return message;
}

Message MessageOf(const types::v1::Session& session) {
  Message message;
  message.title =
      Cut(absl::StrCat("Glass broken: a session on ", session.server(), " without its approval"),
          kMaxTitleBytes);
  message.AddFact("Server", session.server());
  message.AddFact("Who", Who(session.principal()));
  message.AddFact("Reason", session.reason());
  message.AddFact("Not asked", absl::StrJoin(session.break_glass().skipped_approvers(), ", "));
  message.AddFact("Ends", TimeText(FromProto(session.expires_at())));
  message.AddCode(
      "Look",
      absl::StrCat("sallyport sessions show ", session.id(), "; sallyport sessions end ",
                   session.id(), "; sallyport sessions review ", session.id(), " --note \"...\""));
  return message;
}

// Slack's own markup begins with one of these three, wherever text is formatted.
std::string SlackEscaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string PlainText(std::string_view text) {
  return absl::StrCat(R"({"type":"plain_text","emoji":false,"text":)", JsonString(text), "}");
}

std::string SlackCode(std::string_view text) {
  return absl::StrCat(
      R"({"type":"rich_text","elements":[{"type":"rich_text_preformatted","elements":[)"
      R"({"type":"text","text":)",
      JsonString(text), "}]}]}");
}

std::string SlackSection(std::string_view text) {
  return absl::StrCat(R"({"type":"section","text":)", PlainText(text), "}");
}

// https://docs.slack.dev/reference/block-kit/blocks
std::string SlackBody(const Message& message) {
  std::vector<std::string> blocks = {
      absl::StrCat(R"({"type":"header","text":)", PlainText(message.title), "}")};
  std::vector<std::string> fields;
  for (const Fact& fact : message.facts)
    fields.push_back(PlainText(absl::StrCat(fact.name, ": ", fact.value)));
  blocks.push_back(
      absl::StrCat(R"({"type":"section","fields":[)", absl::StrJoin(fields, ","), "]}"));
  for (const Fact& code : message.code) {
    blocks.push_back(SlackSection(code.name));
    blocks.push_back(SlackCode(code.value));
  }
  return absl::StrCat(R"({"text":)", JsonString(SlackEscaped(message.title)), R"(,"blocks":[)",
                      absl::StrJoin(blocks, ","), "]}");
}

// A run of text: unlike a TextBlock or a fact, it knows no markdown.
std::string TextRun(std::string_view text, std::string_view more = {}) {
  return absl::StrCat(R"({"type":"TextRun","text":)", JsonString(text), std::string(more), "}");
}

std::string RichText(const std::vector<std::string>& runs) {
  return absl::StrCat(R"({"type":"RichTextBlock","inlines":[)", absl::StrJoin(runs, ","), "]}");
}

constexpr char kBold[] = R"(,"weight":"Bolder")";
constexpr char kFixedWidth[] = R"(,"fontType":"Monospace")";

// An adaptive card in the message that a workflow's webhook takes.
std::string TeamsBody(const Message& message) {
  std::vector<std::string> body = {
      RichText({TextRun(message.title, R"(,"weight":"Bolder","size":"Large")")})};
  for (const Fact& fact : message.facts)
    body.push_back(RichText({TextRun(fact.name + ": ", kBold), TextRun(fact.value)}));
  for (const Fact& code : message.code) {
    body.push_back(RichText({TextRun(code.name, kBold)}));
    body.push_back(RichText({TextRun(code.value, kFixedWidth)}));
  }
  return absl::StrCat(
      R"({"type":"message","attachments":[{"contentType":)"
      R"("application/vnd.microsoft.card.adaptive","contentUrl":null,"content":{"$schema":)"
      R"("http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4",)"
      R"("msteams":{"width":"Full"},"body":[)",
      absl::StrJoin(body, ","), "]}}]}");
}

template <class About>
std::string BodyOf(config::v1::NoticeFormat format, const NoticeHead& head, std::string_view member,
                   const About& about) {
  switch (format) {
    case config::v1::NOTICE_FORMAT_SLACK:
      return SlackBody(MessageOf(about));
    case config::v1::NOTICE_FORMAT_TEAMS:
      return TeamsBody(MessageOf(about));
    default:
      return absl::StrCat(R"({"id":)", JsonString(head.id), R"(,"type":)", JsonString(head.type),
                          R"(,"time":)", JsonString(TimeText(head.time)), ",", JsonString(member),
                          ":", ToJson(about), "}");
  }
}

}  // namespace

std::string NoticeBody(config::v1::NoticeFormat format, const NoticeHead& head,
                       const types::v1::Approval& approval) {
  return BodyOf(format, head, "approval", approval);
}

std::string NoticeBody(config::v1::NoticeFormat format, const NoticeHead& head,
                       const types::v1::Session& session) {
  return BodyOf(format, head, "session", session);
}

}  // namespace sallyport::controlplane
