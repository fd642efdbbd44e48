#pragma once

#include <grpcpp/server_context.h>

#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/rpc/rpc_door.h"
#include "controlplane/store/change_feed.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// How often a stream that has nothing to say looks whether its reader is still there.
inline constexpr absl::Duration kWatchTick = absl::Seconds(1);

// Why a watcher's stream ends now; OK: it goes on. The reader has gone, the program stops, or the
// token that opened the stream has expired.
absl::Status MayGoOn(const grpc::ServerContext& context, const Caller& caller,
                     const ChangeFeed& changes, const Clock& clock);

// Who reads a stream, and what it is made of.
struct Reader {
  const grpc::ServerContext& context;
  const RpcDoor& door;
  const Caller& caller;
  ChangeFeed& changes;
  const Clock& clock;
};

// What a step of a watch says.
enum class WatchStep { kGoOn, kDone };

// The loop of a stream that shows something and then each change of it: `first` writes it as it is
// (again, after the feed has forgotten more than the reader had seen), `next` is given each change
// in the order of the commits. Ends with OK once one of them says kDone, with what one of them
// returned, with what MayGoOn says, or with LOCKED or TOKEN_INVALID before it shows what came after
// the lock that shuts its reader out, or after his issuer has withdrawn the key of his token.
absl::Status Watch(const Reader& reader, absl::FunctionRef<absl::StatusOr<WatchStep>()> first,
                   absl::FunctionRef<absl::StatusOr<WatchStep>(const Change&)> next);

// One session, each time it changes, until it has ended or was denied: `read` gives it as it is,
// and `write` shows it; the stream ends where that cannot be done.
absl::Status WatchSession(const Reader& reader, std::string_view id,
                          absl::FunctionRef<absl::StatusOr<types::v1::Session>()> read,
                          absl::FunctionRef<absl::Status(const types::v1::Session&)> write);

}  // namespace sallyport::controlplane
