#include "agent/http/strict_framing.h"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/http/field_syntax.h"
#include "agent/http/head_lines.h"
#include "agent/http/request_target.h"

namespace sallyport::agent {
namespace {

using Framing = BodyDecoder::Framing;

constexpr std::string_view kVersion = "HTTP/1.1";
constexpr std::string_view kOldVersion = "HTTP/1.0";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

constexpr std::array<std::pair<std::string_view, HttpMethod>, 7> kMethods = {{
    {"GET", HttpMethod::kGet},
    {"POST", HttpMethod::kPost},
    {"DELETE", HttpMethod::kDelete},
    {"OPTIONS", HttpMethod::kOptions},
    {"HEAD", HttpMethod::kHead},
    {"PUT", HttpMethod::kPut},
    {"PATCH", HttpMethod::kPatch},
}};

// HTTP/ digit . digit, be it ours or another version.
bool IsVersion(std::string_view text) {
  return text.size() == kVersion.size() && text.substr(0, 5) == "HTTP/" && IsDigit(text[5]) &&
         text[6] == '.' && IsDigit(text[7]);
}

HttpError ParseRequestLine(std::string_view line, HttpRequest& request) {
  const std::size_t method_end = line.find(' ');
  if (method_end == std::string_view::npos) return {400, "no request line"};
  const std::size_t target_end = line.find(' ', method_end + 1);
  if (target_end == std::string_view::npos) return {400, "no request line"};
  const std::string_view version = line.substr(target_end + 1);
  if (version != kVersion && version != kOldVersion) {
    return IsVersion(version) ? HttpError{505, "neither HTTP/1.1 nor HTTP/1.0"}
                              : HttpError{400, "no request line"};
  }
  request.takes_chunks = version != kOldVersion;
  const std::string_view method = line.substr(0, method_end);
  const auto* known = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const auto& entry) { return entry.first == method; });
  if (known == kMethods.end()) {
    return IsToken(method) ? HttpError{501, "unknown method"} : HttpError{400, "no request line"};
  }
  request.method = known->second;
  return TakeTarget(line.substr(method_end + 1, target_end - method_end - 1), request);
}

// HTTP/1.1 or HTTP/1.0, SP, three digits, and a reason phrase or none. 0: something else.
int StatusOf(std::string_view line) {
  constexpr std::size_t kStatusEnd = 12;
  const std::string_view version = line.substr(0, kVersion.size());
  if (line.size() < kStatusEnd || (version != kVersion && version != kOldVersion) ||
      line[8] != ' ' || !std::all_of(line.begin() + 9, line.begin() + kStatusEnd, IsDigit) ||
      (line.size() > kStatusEnd && line[kStatusEnd] != ' ') ||
      !IsFieldText(line.substr(kStatusEnd))) {
    return 0;
  }
  return (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
}

// A message of HTTP/1.0 has no chunks and is the last of its connection, also where it would like
// to keep it.
HttpError JudgeOldVersion(HeadLines::Framing& framing) {
  framing.is_closing = true;
  return framing.is_chunked ? HttpError{400, "chunks in HTTP/1.0"} : HttpError{};
}

bool HasNoBody(int status) { return status == 204 || status == 304; }

// What is left of the limits for the trailers.
HttpLimits AfterHead(HttpLimits limits, std::size_t head_bytes, std::size_t fields) {
  limits.head -= std::min(limits.head, head_bytes);
  limits.fields -= std::min(limits.fields, fields);
  return limits;
}

}  // namespace

std::size_t RequestReader::Feed(std::string_view bytes) {
  if (error_ || is_done()) return 0;
  if (is_head_done_) {
    const std::size_t used = body_.Feed(bytes, request_.body);
    error_ = body_.error();
    return used;
  }
  const std::size_t used = HeadLines::Collect(bytes, head_, limits_, error_);
  if (!error_ && HeadLines::IsComplete(head_)) OnHead();
  return used;
}

void RequestReader::OnHead() {
  const std::size_t head_bytes = head_.size();
  is_head_said_again_ = last_head_.IsSaidAgain(head_, request_.fields);
  if (!is_head_said_again_ && !ReadHead()) return;
  head_.clear();
  is_head_done_ = true;
  const HeadLines::Framing& framing = last_head_.framing();
  request_.keep_alive = !framing.is_closing;
  request_.expects_continue = framing.expects_continue;
  request_.has_body = framing.is_chunked || framing.length.value_or(0) > 0;
  length_ = framing.length.value_or(0);
  if (framing.has_expectation && !framing.expects_continue) {
    error_ = {417, "unknown expectation"};
  } else if (framing.is_encoded) {
    error_ = {415, "encoded bodies are not read"};
  } else if (length_ > limits_.body) {
    error_ = {413, "the body is too long"};
  }
  body_.Start(framing.is_chunked ? Framing::kChunked : Framing::kLength, length_,
              AfterHead(limits_, head_bytes, request_.fields.size()));
}

bool RequestReader::ReadHead() {
  last_head_.Forget();
  request_.Clear();
  // A first line in another version or of another protocol is answered as such, whatever the fields
  // look like.
  if ((error_ =
           ParseRequestLine(std::string_view(head_).substr(0, head_.find("\r\n")), request_))) {
    return false;
  }
  std::string_view line;
  HeadLines::Framing framing;
  const std::string as_it_came = head_;
  if ((error_ = HeadLines::Parse(head_, limits_, request_.fields, line, framing))) return false;
  error_ = framing.hosts == 1 ? TakeHost(*request_.fields.Find("host"), request_)
                              : HttpError{400, "no proper host"};
  if (!error_ && !request_.takes_chunks) {
    error_ = JudgeOldVersion(framing);
    // Such a client sends its body all the same (RFC 9110 section 10.1.1).
    if (framing.expects_continue) framing.has_expectation = framing.expects_continue = false;
  }
  if (error_) {
    head_.clear();
    is_head_done_ = true;
    return false;
  }
  last_head_.Keep(as_it_came, request_.fields, framing);
  return true;
}

void RequestReader::LimitBody(std::uint64_t bytes) {
  body_.LimitTo(bytes);
  if (length_ > bytes && !error_) error_ = {413, "the body is too long"};
}

void RequestReader::Next() {
  request_.body.clear();
  head_.clear();
  is_head_done_ = false;
  is_head_said_again_ = false;
  length_ = 0;
  error_ = {};
}

std::size_t ResponseReader::Feed(std::string_view bytes) {
  std::size_t used = 0;
  while (!error_ && !is_head_done_ && used < bytes.size()) {
    used += HeadLines::Collect(bytes.substr(used), head_, limits_, error_);
    if (error_) {
      error_.status = 502;
      return used;
    }
    if (!HeadLines::IsComplete(head_)) return used;
    OnHead();
    if (is_head_done_) return used;
  }
  if (error_ || is_done() || used == bytes.size()) return used;
  used += body_.Feed(bytes.substr(used), response_.body);
  if (body_.error()) Fail(body_.error().what);
  return used;
}

void ResponseReader::OnHead() {
  const std::size_t head_bytes = head_.size();
  if (!last_head_.IsSaidAgain(head_, response_.fields) && !ReadHead()) return;
  head_.clear();
  is_head_done_ = true;
  const HeadLines::Framing& framing = last_head_.framing();
  framing_ = HasNoBody(response_.status)  ? Framing::kNone
             : framing.is_chunked         ? Framing::kChunked
             : framing.length.has_value() ? Framing::kLength
                                          : Framing::kUntilClose;
  response_.keep_alive = !framing.is_closing && framing_ != Framing::kUntilClose;
  body_.Start(framing_, framing.length.value_or(0),
              AfterHead(limits_, head_bytes, response_.fields.size()));
}

bool ResponseReader::ReadHead() {
  last_head_.Forget();
  response_.Clear();
  std::string_view line;
  HeadLines::Framing framing;
  const std::string as_it_came = head_;
  if (HttpError error = HeadLines::Parse(head_, limits_, response_.fields, line, framing)) {
    Fail(error.what);
    return false;
  }
  head_.clear();
  const int status = StatusOf(line);
  const bool is_old = line.starts_with(kOldVersion);
  const HttpError old_error = is_old ? JudgeOldVersion(framing) : HttpError{};
  const bool has_body = framing.is_chunked || framing.length.value_or(0) > 0;
  if (status == 0) {
    Fail("no proper status line");
  } else if (status < 100 || status > 599) {
    Fail("no proper status");
  } else if (old_error) {
    Fail(old_error.what);
  } else if (status == 101) {
    Fail("the protocol is not switched");
  } else if (status < 200 && has_body) {
    Fail("an interim response with a body");
  } else if (status < 200 && ++informational_ > limits_.informational) {
    Fail("too many interim responses");
  } else if (status == 204 && has_body) {
    Fail("a body where there can be none");
  } else if (framing.is_encoded && !HasNoBody(status)) {
    Fail("the body is encoded");
  }
  if (error_) return false;
  if (status < 200) {
    response_.Clear();
    return false;
  }
  response_.status = status;
  last_head_.Keep(as_it_came, response_.fields, framing);
  return true;
}

bool ResponseReader::OnClose() {
  if (error_ || !is_head_done_) return false;
  return body_.OnClose();
}

void ResponseReader::Next() {
  response_.body.clear();
  head_.clear();
  is_head_done_ = false;
  informational_ = 0;
  framing_ = Framing::kNone;
  error_ = {};
}

}  // namespace sallyport::agent
