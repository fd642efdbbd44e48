#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/principal/trusted_issuers.h"
#include "controlplane/model/caller.h"
#include "sallyport/config/v1/controlplane_config.pb.h"

namespace sallyport::controlplane {

// The roles of the configuration: groups (realm:group) and people (realm:subject).
class Roles {
 public:
  // kInvalidArgument, naming the entry, for one that is not of the form realm:name, or whose realm
  // has no people.
  static absl::StatusOr<Roles> Create(const config::v1::Roles& config,
                                      const TrustedIssuers& issuers);

  // Sets the caller's roles from its principal. A subject counts only where it is a person's: a
  // service gets a role by a group.
  void Assign(PersonCaller& caller) const;

 private:
  std::set<std::string> admin_;
  std::set<std::string> approver_;
  std::set<std::string> auditor_;
};

}  // namespace sallyport::controlplane
