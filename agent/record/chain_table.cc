#include "agent/record/chain_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "sallyport/types/v1/record.pb.h"

namespace sallyport::agent {
namespace {

void PutU64(std::string& out, std::uint64_t value) {
  out.append(reinterpret_cast<const char*>(&value), 8);
}

bool TakeU64(std::string_view& bytes, std::uint64_t& value) {
  if (bytes.size() < 8) return false;
  std::memcpy(&value, bytes.data(), 8);
  bytes.remove_prefix(8);
  return true;
}
bool Take(std::string_view& bytes, std::uint64_t n, std::string_view& out) {
  if (bytes.size() < n) return false;
  out = bytes.substr(0, n);
  bytes.remove_prefix(n);
  return true;
}

}  // namespace

std::string SerializeChains(const absl::flat_hash_map<std::string, ChainState>& chains) {
  std::string out;
  for (const auto& [id, chain] : chains) {
    PutU64(out, id.size());
    out.append(id);
    PutU64(out, chain.n);
    out.append(reinterpret_cast<const char*>(chain.head.data()), chain.head.size());
    PutU64(out, chain.calls);
    PutU64(out, chain.unanswered.size());
    for (std::uint64_t n : chain.unanswered) PutU64(out, n);
  }
  return out;
}

bool ParseChains(std::string_view bytes, absl::flat_hash_map<std::string, ChainState>& chains) {
  while (!bytes.empty()) {
    std::uint64_t size = 0;
    std::string_view id;
    std::string_view head;
    ChainState chain;
    if (!TakeU64(bytes, size) || !Take(bytes, size, id) || !TakeU64(bytes, chain.n)) return false;
    if (!Take(bytes, chain.head.size(), head) || !TakeU64(bytes, chain.calls) ||
        !TakeU64(bytes, size) || size > bytes.size() / 8) {
      return false;
    }
    std::memcpy(chain.head.data(), head.data(), head.size());
    chain.unanswered.resize(size);
    for (std::uint64_t& n : chain.unanswered) TakeU64(bytes, n);
    chains[std::string(id)] = std::move(chain);
  }
  return true;
}

bool ChainTable::OnRecord(std::string_view bytes) {
  using types::v1::RecordType;
  types::v1::Record record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
  auto doubt = doubts_.find(record.session_id());
  if (doubt != doubts_.end() && doubt->second == Doubt::kBroken) return false;
  auto known = open_.find(record.session_id());
  if (known == open_.end()) {
    if (record.n() != 1) {  // its begin is lost
      doubts_[record.session_id()] = Doubt::kBroken;
      return false;
    }
    known = open_.try_emplace(record.session_id()).first;
  } else if (record.n() <= known->second.n) {
    return true;  // written twice by a recovery that was interrupted
  } else if (record.n() != known->second.n + 1) {
    doubts_[record.session_id()] = Doubt::kBroken;
    return false;
  }
  if (doubt != doubts_.end()) doubts_.erase(doubt);
  ChainState& chain = known->second;
  chain.n = record.n();
  if (record.hash().size() == chain.head.size()) {
    std::memcpy(chain.head.data(), record.hash().data(), chain.head.size());
  }
  types::v1::RecordContent content;
  switch (record.type()) {
    case RecordType::RECORD_TYPE_REQUEST:
      chain.unanswered.push_back(record.n());
      if (content.ParseFromString(record.payload()) && content.is_counted()) ++chain.calls;
      break;
    case RecordType::RECORD_TYPE_RESULT:
    case RecordType::RECORD_TYPE_DENIAL:
    case RecordType::RECORD_TYPE_OUTCOME:
      if (content.ParseFromString(record.payload())) {
        std::erase(chain.unanswered, content.request_n());
        if (content.is_taken_back() && chain.calls > 0) --chain.calls;
      }
      break;
    case RecordType::RECORD_TYPE_END:
      closed_.insert(record.session_id());
      open_.erase(known);
      break;
    default:
      break;
  }
  return true;
}

void ChainTable::OnChains(std::string_view bytes) {
  absl::flat_hash_map<std::string, ChainState> chains;
  if (!ParseChains(bytes, chains)) return;
  for (const auto& [id, chain] : chains) {
    auto known = open_.find(id);
    if (known != open_.end() && known->second.n != chain.n) doubts_[id] = Doubt::kBroken;
    auto doubt = doubts_.find(id);
    if (doubt != doubts_.end() && doubt->second == Doubt::kSuspect) doubts_.erase(doubt);
  }
  // A chain that is not in it was closed; what is broken stays so.
  open_ = std::move(chains);
}

void ChainTable::OnDamage() {
  for (const auto& [id, chain] : open_) doubts_.try_emplace(id, Doubt::kSuspect);
}

absl::flat_hash_map<std::string, ChainState> ChainTable::TakeOpen() {
  for (const auto& [id, doubt] : doubts_) open_.erase(id);
  return std::exchange(open_, {});
}

std::vector<std::string> ChainTable::Damaged() const {
  std::vector<std::string> ids;
  for (const auto& [id, doubt] : doubts_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace sallyport::agent
