#include "controlplane/access/operator_lock.h"

#include "absl/strings/str_cat.h"
#include "common/json_printer.h"
#include "common/json_string.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {
namespace {

std::string PrincipalSource(const types::v1::LockedPrincipal& principal) {
  std::string source = "{realm: " + JsonString(principal.realm());
  if (principal.kind() != types::v1::PRINCIPAL_KIND_UNSPECIFIED)
    source += ", kind: " + EnumWord(principal.kind());
  if (!principal.subject().empty()) source += ", subject: " + JsonString(principal.subject());
  if (!principal.name().empty()) source += ", name: " + JsonString(principal.name());
  return source + "}";
}

// The document that `sallyport get lock NAME` shows and an operator may keep: what the spec says,
// as YAML.
std::string LockSource(const types::v1::Document& lock) {
  const types::v1::LockSpec& spec = lock.lock();
  std::string source = "kind: Lock\nname: " + lock.name() +
                       "\nspec:\n  principal: " + PrincipalSource(spec.principal()) + "\n";
  if (!spec.server().empty()) source += "  server: " + JsonString(spec.server()) + "\n";
  source += "  reason: " + JsonString(spec.reason()) + "\n";
  if (spec.has_expires()) source += "  expires: " + TimeText(FromProto(spec.expires())) + "\n";
  return source;
}

absl::Time EndOf(const types::v1::LockSpec& lock) {
  return lock.has_expires() ? FromProto(lock.expires()) : absl::InfiniteFuture();
}

// The same doors to the same people.
bool ShutsAlike(const types::v1::LockSpec& one, const types::v1::LockSpec& other) {
  return one.principal().SerializeAsString() == other.principal().SerializeAsString() &&
         one.server() == other.server() && one.agent() == other.agent();
}

// The lock that holds already and shuts what `lock` does. Where another has its name, `lock` is
// given one that is free.
absl::StatusOr<std::optional<types::v1::LockSpec>> FindHeld(Transaction& t,
                                                            types::v1::Document& lock,
                                                            absl::Time now) {
  const std::string name = lock.name();
  for (int n = 2;; ++n) {
    ASSIGN_OR_RETURN(const std::optional<types::v1::Document> found,
                     documents::Find(t, types::v1::DOCUMENT_KIND_LOCK, lock.name()));
    if (!found.has_value() || EndOf(found->lock()) <= now) return std::nullopt;
    if (ShutsAlike(found->lock(), lock.lock())) return found->lock();
    lock.set_name(absl::StrCat(name, "-", n));
  }
}

}  // namespace

absl::StatusOr<std::optional<absl::Duration>> LockDuration(
    const google::protobuf::Duration* duration) {
  if (duration == nullptr) return std::nullopt;
  const absl::Duration value = FromProto(*duration);
  if (value <= absl::ZeroDuration())
    return absl::InvalidArgumentError("lock_duration must be positive");
  if (value > kLongestDuration) {
    return absl::InvalidArgumentError("lock_duration is longer than " +
                                      DurationText(kLongestDuration) +
                                      ": leave it out for a lock that stays until it is deleted");
  }
  return value;
}

absl::StatusOr<HeldLock> PutLock(WriteTransaction& t, const OperatorLock& lock,
                                 std::optional<absl::Duration> duration, const Caller& caller,
                                 absl::Time now) {
  types::v1::Document document;
  document.set_kind(types::v1::DOCUMENT_KIND_LOCK);
  document.set_name(lock.name);
  types::v1::LockSpec& spec = *document.mutable_lock();
  *spec.mutable_principal() = lock.principal;
  spec.set_server(lock.server);
  spec.set_reason(lock.reason);
  if (duration.has_value()) {
    // Whole seconds, rounded up: what the source says is what holds.
    const absl::Time expires = now + *duration - absl::Nanoseconds(1);
    *spec.mutable_expires() = ToProto(absl::FromUnixSeconds(absl::ToUnixSeconds(expires) + 1));
  }
  ASSIGN_OR_RETURN(const std::optional<types::v1::LockSpec> held, FindHeld(t, document, now));
  if (held.has_value()) {
    if (EndOf(*held) >= EndOf(spec)) return HeldLock{document.name(), *held, /*was_there=*/true};
    spec.set_reason(held->reason());
  }
  document.set_source(LockSource(document));
  ASSIGN_OR_RETURN(const documents::Put put, documents::PutDocument(t, document, caller, now));
  return HeldLock{document.name(), put.document.lock()};
}

}  // namespace sallyport::controlplane
