#pragma once

#include <google/protobuf/descriptor.h>

#include <span>
#include <string>
#include <string_view>

// Which method may be called through which door, by whom. The one place that says so; a method
// without a row is refused everywhere.
namespace sallyport::controlplane {

enum class DoorKind { kPeople, kAgents, kEnrollment, kAdminSocket };
std::string_view DoorName(DoorKind door);

enum class Who {
  kNobody,
  kAnybody,  // also who has not said who he is
  kAgent,    // an enrolled agent, by its client certificate
  kPerson,   // whoever brought a token that we accept, for whatever it is good
  kCaller,   // a token for access.v1
  // A token for admin.v1 ...
  kManager,  // whatever his roles: the use case says what he sees
  kUser,     // of kind user
  kAdmin,    // with the role admin
  kAdminOrAuditor,
  kAuditor,
  kLocalAdmin,  // root or the service's own user on the admin socket
};

struct MethodRow {
  std::string_view method;  // as in `:path`, without the first slash
  // One for each door.
  Who people = Who::kNobody;
  Who agents = Who::kNobody;
  Who enrollment = Who::kNobody;
  Who admin_socket = Who::kNobody;

  Who On(DoorKind door) const;
};

// A method of gRPC's own services (health, reflection), which no service of ours answers.
bool IsOfGrpc(const MethodRow& row);

std::span<const MethodRow> MethodTable();

// Null: the method has no row. `path` with or without the first slash.
const MethodRow* FindMethod(std::string_view path);

// The row of the method that takes this message; each of our methods has a request type of its own.
// Null: none does.
const MethodRow* FindMethodTaking(const google::protobuf::Descriptor& request);

}  // namespace sallyport::controlplane
