#include "controlplane/policies/resource_patterns.h"

#include <algorithm>
#include <map>

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kMost = 40;

// Up to its last `/`. Empty: there is none.
std::string FolderOf(std::string_view uri) {
  const std::size_t slash = uri.rfind('/');
  return slash == std::string_view::npos ? "" : std::string(uri.substr(0, slash + 1));
}

// `https://host/` or `urn:`.
std::string OriginOf(std::string_view uri) {
  const std::size_t colon = uri.find(':');
  if (colon == std::string_view::npos) return "";
  if (!uri.substr(colon).starts_with("://")) return std::string(uri.substr(0, colon + 1));
  const std::size_t slash = uri.find('/', colon + 3);
  return std::string(slash == std::string_view::npos ? uri : uri.substr(0, slash + 1));
}

}  // namespace

void ResourcePatterns::Add(std::string_view uri) {
  if (uri.find('*') != std::string_view::npos) {
    has_starred_ = true;
    return;
  }
  const std::string folder = FolderOf(uri);
  const std::string origin = OriginOf(uri);
  if (!folder.empty() && patterns_.count(folder + "*") > 0) return;
  if (!origin.empty() && patterns_.count(origin + "**") > 0) return;
  patterns_.emplace(uri);
  while (patterns_.size() > kMost) Fold();
}

void ResourcePatterns::Fold() {
  std::map<std::string, std::size_t> folders;
  std::map<std::string, std::size_t> origins;
  for (const std::string& pattern : patterns_) {
    if (!pattern.ends_with('*')) ++folders[FolderOf(pattern)];
    if (!pattern.ends_with("**")) ++origins[OriginOf(pattern)];
  }
  folders.erase("");
  origins.erase("");
  const auto largest = [](const std::map<std::string, std::size_t>& groups) {
    return std::max_element(groups.begin(), groups.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; });
  };
  const auto folder = largest(folders);
  const auto origin = largest(origins);
  if (folder != folders.end() && folder->second > 1) {
    Replace(folder->first, folder->first + "*");
  } else if (origin != origins.end() && origin->second > 1) {
    Replace(origin->first, origin->first + "**");
  } else {
    has_dropped_ = true;
    patterns_.erase(std::prev(patterns_.end()));
  }
}

void ResourcePatterns::Replace(const std::string& prefix, const std::string& pattern) {
  const bool is_deep = pattern.ends_with("**");
  has_folded_ = true;
  std::erase_if(patterns_, [&](const std::string& each) {
    return each.starts_with(prefix) && (is_deep || FolderOf(each) == prefix);
  });
  patterns_.insert(pattern);
}

}  // namespace sallyport::controlplane
