#include "agent/listen/strangers.h"

#include <algorithm>

#include "common/log.h"

namespace sallyport::agent {
namespace {

constexpr absl::Duration kCrowdTime = absl::Seconds(1);
constexpr absl::Duration kTold = absl::Minutes(1);

IpAddress::Bytes NetworkOf(const IpAddress& address) {
  IpAddress::Bytes bytes = address.bytes();
  if (!address.is_v4()) std::fill(bytes.begin() + 8, bytes.end(), 0);
  return bytes;
}

}  // namespace

void Strangers::Sweep(absl::Duration now) {
  for (auto& [network, line] : lines_) Trim(line, now);
}

void Strangers::Trim(Line& line, absl::Duration now) {
  while (line.size() > kKept) {
    Stranger& oldest = *line.front();
    if (line.size() <= crowd_ && now - oldest.since_ < kCrowdTime) break;
    if (now - told_at_ >= kTold) {
      told_at_ = now;
      LogWarning("connections_closed",
                 {{"address", oldest.connection_.client_address()},
                  {"message", "too many of its connections have shown no valid token"}});
    }
    oldest.Leave();
    oldest.connection_.Close();
  }
}

Stranger::Stranger(Strangers& all, const IpAddress& address, ClientConnection& connection,
                   absl::Duration now)
    : all_(all),
      connection_(connection),
      since_(now),
      line_(all.lines_.try_emplace(NetworkOf(address)).first),
      place_(line_->second.insert(line_->second.end(), this)) {
  connection.TellWhenKnown([this] { Leave(); });
  all.Trim(line_->second, now);
}

Stranger::~Stranger() {
  connection_.TellWhenKnown(nullptr);
  Leave();
}

void Stranger::Leave() {
  if (!is_there_) return;
  is_there_ = false;
  line_->second.erase(place_);
  if (line_->second.empty()) all_.lines_.erase(line_);
}

}  // namespace sallyport::agent
