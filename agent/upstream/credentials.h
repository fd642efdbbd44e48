#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::agent {

// One server's credentials in memory: wiped when it is destroyed, never copied.
class Credentials {
 public:
  struct Value {
    std::string name;
    std::string secret;
  };

  explicit Credentials(std::vector<Value> values) : values_(std::move(values)) {}
  ~Credentials();
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  // For the masker, which looks for each `secret` in what the server sends.
  const std::vector<Value>& values() const { return values_; }
  // Empty when there is none of that name.
  std::string_view Find(std::string_view name) const;

 private:
  std::vector<Value> values_;
};

}  // namespace sallyport::agent
