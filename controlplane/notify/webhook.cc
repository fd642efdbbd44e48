#include "controlplane/notify/webhook.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/hmac.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kMinSecretBytes = 16;
constexpr long kTimeoutSeconds = 15;
constexpr long kConnectTimeoutSeconds = 5;
constexpr std::size_t kMaxAnswerBytes = 64 << 10;

using Curl = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;
using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string Part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

bool IsLoopbackLiteral(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return host == "[::1]";
}

// Whether it is plain http to this machine; an error where it is neither that nor https.
absl::StatusOr<bool> CheckUrl(const config::v1::Notifier& config) {
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("notifier ", config.name(), ": webhook ", ToAbsl(why)));
  };
  const Url url(curl_url(), &curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, config.webhook().c_str(), 0) != CURLUE_OK) {
    return refuse("is not a URL");
  }
  if (!Part(url.get(), CURLUPART_USER).empty() || !Part(url.get(), CURLUPART_PASSWORD).empty()) {
    return refuse("must not hold a user name or a password");
  }
  const std::string scheme = Part(url.get(), CURLUPART_SCHEME);
  if (scheme == "https") return false;
  if (scheme == "http" && IsLoopbackLiteral(Part(url.get(), CURLUPART_HOST))) return true;
  return refuse("must be https, or http to a literal loopback address");
}

// The answer's body says nothing to us; one without end is cut off.
std::size_t Discard(char*, std::size_t size, std::size_t count, void* seen) {
  *static_cast<std::size_t*>(seen) += size * count;
  return *static_cast<std::size_t*>(seen) > kMaxAnswerBytes ? 0 : size * count;
}

// Request Timeout, Too Early and Too Many Requests ask to come again.
bool IsRefusedForGood(long http_status) {
  return http_status >= 400 && http_status < 500 && http_status != 408 && http_status != 425 &&
         http_status != 429;
}

int AbortWhenStopping(void* stopping, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(stopping)->load() ? 1 : 0;
}

}  // namespace

std::string WebhookSignature(std::string_view secret, absl::Time at, std::string_view body) {
  const std::string t = absl::StrCat(absl::ToUnixSeconds(at));
  return absl::StrCat("t=", t,
                      ",v1=", ToHex(HmacSha256(secret, absl::StrCat(t, ".", ToAbsl(body)))));
}

absl::StatusOr<std::string> Webhook::ReadSecret(const config::v1::Notifier& config) {
  const bool is_json = config.format() == config::v1::NOTICE_FORMAT_UNSPECIFIED ||
                       config.format() == config::v1::NOTICE_FORMAT_JSON;
  if (config.secret_file().empty()) {
    if (!is_json) return std::string();
    return absl::InvalidArgumentError(
        absl::StrCat("notifier ", config.name(), ": secret_file is required"));
  }
  const absl::StatusOr<std::string> read = ReadSecretLine(config.secret_file());
  if (!read.ok()) {
    return absl::Status(
        read.status().code(),
        absl::StrCat("notifier ", config.name(), ": secret_file: ", read.status().message()));
  }
  const std::string& secret = *read;
  if (secret.size() < kMinSecretBytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("notifier ", config.name(), ": the secret in ", config.secret_file(),
                     " is shorter than ", kMinSecretBytes, " bytes"));
  }
  return secret;
}

absl::StatusOr<std::unique_ptr<Webhook>> Webhook::Create(const config::v1::Notifier& config) {
  if (config.name().empty()) return absl::InvalidArgumentError("a notifier has no name");
  ASSIGN_OR_RETURN(const bool is_loopback, CheckUrl(config));
  ASSIGN_OR_RETURN(std::string secret, ReadSecret(config));
  if (!config.ca_file().empty()) RETURN_IF_ERROR(ReadFile(config.ca_file()).status());
  return std::unique_ptr<Webhook>(new Webhook(config, std::move(secret), is_loopback));
}

Webhook::Webhook(const config::v1::Notifier& config, std::string secret, bool is_loopback)
    : name_(config.name()),
      url_(config.webhook()),
      ca_file_(config.ca_file()),
      secret_(std::move(secret)),
      is_loopback_(is_loopback) {}

absl::Status Webhook::Send(std::string_view body, absl::Time now,
                           const std::atomic<bool>& stopping) const {
  const Curl curl(curl_easy_init(), &curl_easy_cleanup);
  if (curl == nullptr) return absl::ResourceExhaustedError("no memory for a webhook request");

  std::vector<std::string> lines = {"Content-Type: application/json", "Expect:"};
  if (!secret_.empty()) {
    lines.push_back(absl::StrCat("Sallyport-Signature: ", WebhookSignature(secret_, now, body)));
  }
  Headers headers(nullptr, &curl_slist_free_all);
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) return absl::ResourceExhaustedError("no memory for a webhook request");
    (void)headers.release();
    headers.reset(longer);
  }

  CURL* const c = curl.get();
  std::size_t answer_bytes = 0;
  curl_easy_setopt(c, CURLOPT_URL, url_.c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, is_loopback_ ? "http" : "https");
  if (is_loopback_) curl_easy_setopt(c, CURLOPT_PROXY, "");
  if (!ca_file_.empty()) curl_easy_setopt(c, CURLOPT_CAINFO, ca_file_.c_str());
  curl_easy_setopt(c, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_TIMEOUT, kTimeoutSeconds);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, kConnectTimeoutSeconds);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "sallyport/" SALLYPORT_VERSION);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &Discard);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &answer_bytes);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, &AbortWhenStopping);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, const_cast<std::atomic<bool>*>(&stopping));

  const CURLcode code = curl_easy_perform(c);
  long http_status = 0;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &http_status);
  // A 2xx that went on too long has been received all the same.
  if (http_status >= 200 && http_status < 300) return absl::OkStatus();
  if (code != CURLE_OK) {
    return absl::UnavailableError(absl::StrCat("notifier ", name_, ": ", curl_easy_strerror(code)));
  }
  const std::string answer =
      absl::StrCat("notifier ", name_, ": the receiver answered ", http_status);
  return IsRefusedForGood(http_status) ? absl::FailedPreconditionError(answer)
                                       : absl::UnavailableError(answer);
}

}  // namespace sallyport::controlplane
